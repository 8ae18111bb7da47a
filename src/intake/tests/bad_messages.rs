//! What is refused: with which status, where, under which code, and without repeating anything.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;
use crate::audit::Sealer;
use crate::worker::{Did, Worker as _};

/// Stands wherever a value is bad.
const PLANTED: &str = "s3cret";

fn with(pointer: &str, value: Value) -> String {
    let mut body = joiner("a-1");
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    body.pointer_mut(parent).unwrap()[key] = value;
    body.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_bad_body_is_refused_at_its_place_and_kept_once() {
    let stage = Stage::start(routes).await;
    let text = joiner("a-1").to_string();
    let cases = [
        (String::new(), 400, "", "bad_json"),
        (format!("{{\"reason\":\"{PLANTED}"), 400, "/reason", "bad_json"),
        (format!("{text}{PLANTED}"), 400, "", "trailing_data"),
        (text.replacen("\"kind\"", "\"schema\":\"s3cret\",\"kind\"", 1), 400, "/schema", "duplicate_key"),
        (text.replacen("New hire", "s3cret\\u0000", 1), 400, "/reason", "nul"),
        (text.replacen("New hire", "s3cret\\ud800", 1), 400, "/reason", "lone_surrogate"),
        (format!("\u{feff}{text}"), 400, "", "byte_order_mark"),
        (with("/attributes", (0..40).fold(json!(PLANTED), |inner, _| json!([inner]))), 400, "*", "too_deep"),
        (with("/attributes", json!(vec![PLANTED; 1001])), 400, "/attributes", "too_many_elements"),
        (with("/reason", json!(PLANTED.repeat(2000))), 400, "/reason", "too_long"),
        ("[]".to_owned(), 422, "", "wrong_type"),
        (with("/kind", json!(PLANTED)), 422, "/kind", "unknown_word"),
        (with("/subject/username", json!("s3cret\u{e9}")), 422, "/subject/username", "not_ascii"),
        (with("/subject/username", json!("Administrator")), 422, "/subject/username", "built_in_user"),
        (with("/subject/pass_word", json!(PLANTED)), 422, "/subject/pass_word", "unknown_field"),
        (with("/effective/tz", json!(PLANTED)), 422, "/effective/tz", "unknown_zone"),
        (with("/effective/at", json!("2028-12-01")), 422, "/effective/at", "too_far"),
        (with("/account", json!({"expires_at": "2026-01-01"})), 422, "/account/expires_at", "too_early"),
        (with("/account", json!({"groups": [PLANTED]})), 422, "/account/groups", "may_not_set"),
        (with("/account", json!({"description": PLANTED})), 422, "/account/description", "may_not_set"),
        (with("/employment/manager/name", json!(PLANTED)), 422, "/employment/manager/name", "may_not_set"),
        (
            with("/subject/distinguished_name", json!(PLANTED)),
            422,
            "/subject/distinguished_name",
            "not_available_yet",
        ),
        (
            r#"{"schema":"jml/1","kind":"unsuspend","source_ref":"u-1","person_ref":"s3cret"}"#.to_owned(),
            422,
            "/kind",
            "not_available_yet",
        ),
    ];
    let mut alarms = 0;
    for (place, (body, wanted, pointer, code)) in cases.iter().enumerate() {
        for _ in 0..2 {
            let (status, answer) = told_text(stage.webhook("msg_1", body.clone())).await;
            let problem: Value = serde_json::from_str(&answer).unwrap();
            let error = &problem["errors"][0];
            assert_eq!((status, &error["code"]), (*wanted, &json!(code)), "{body}\n{answer}");
            assert!(*pointer == "*" || error["pointer"] == json!(pointer), "{body}\n{answer}");
            assert_eq!(problem["status"], json!(wanted));
            assert!(!answer.contains(PLANTED), "{answer}");
        }
        // Who asks for an account of the vault's own is told of to the operators, once.
        alarms += u64::from(*code == "built_in_user");
        assert_eq!(events(&stage).await, place as u64 + 1 + alarms, "{body}");
    }
    assert_eq!((workflow_count(&stage).await, owed(&stage).await), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_sender_has_called_a_field_is_told_to_the_sender_alone() {
    let stage = Stage::start(routes).await;
    let mut bodies = vec![r#"{"Margaret Hamilton": 1, "Margaret Hamilton": 2}"#.to_owned()];
    for place in ["subject", "attributes"] {
        let mut body = joiner("a-1");
        body[place]["Margaret Hamilton"] = json!({});
        bodies.push(body.to_string());
    }
    for body in &bodies {
        let (status, answer) = told_text(stage.webhook("msg_1", body.clone())).await;
        assert!(status >= 400 && answer.contains("/Margaret Hamilton\""), "{answer}");
    }
    // Each is recorded, and nothing of the trail is lost when personal values are cleared.
    while let Did::Work(_) = Sealer::new(stage.kit.clone()).turn().await.unwrap() {}
    let mut export = Vec::new();
    crate::audit::export(&stage.kit.store, &stage.kit.keys, &mut export).await.unwrap();
    let export = String::from_utf8(export).unwrap();
    assert_eq!(export.matches("\"kind\":\"delivery.refused\"").count(), bodies.len(), "{export}");
    for place in ["/subject/* unknown_field", "/attributes/* ", "/* duplicate_key"] {
        assert!(export.contains(place), "{place} is missing in {export}");
    }
    assert!(!export.contains("Hamilton"), "{export}");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_faults_of_one_body_are_told_at_once() {
    let stage = Stage::start(routes).await;
    let mut body = joiner("a-1");
    body["account"] = json!({"roles": ["dba"], "user_type": "EPVUser"});
    body["effective"]["at"] = json!("2028-12-01");
    let (status, problem) = told(stage.webhook("msg_1", body.to_string())).await;
    let told: Vec<_> =
        problem["errors"].as_array().unwrap().iter().map(|error| error["code"].as_str().unwrap()).collect();
    assert_eq!((status, told), (422, vec!["too_far", "not_available_yet", "may_not_set", "may_not_set"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_the_wrong_form_is_not_even_verified() {
    let stage = Stage::start(routes).await;
    let large = vec![b' '; 256 * 1024 + 1];
    assert_eq!(told(stage.webhook("msg_1", large)).await.0, 413);
    assert_eq!(told(stage.webhook("msg_1", vec![b' '; 256 * 1024])).await.0, 400);
    let body = || joiner("a-1").to_string();
    let (_, problem) = told(stage.webhook("msg_1", body()).header("content-encoding", "gzip")).await;
    assert_eq!((&problem["status"], &problem["code"]), (&json!(415), &json!("content_encoding")));
    let bare = stage.client.post(format!("{}/webhooks/hr", stage.url)).body(body());
    let (_, problem) = told(bare.header("content-type", "text/plain")).await;
    assert_eq!((&problem["status"], &problem["code"]), (&json!(415), &json!("content_type")));
}

/// Sends bytes as they are and reads the first line of the answer.
async fn status_line(stage: &Stage, bytes: &[u8]) -> String {
    let mut socket = TcpStream::connect(stage.url.trim_start_matches("http://")).await.unwrap();
    socket.write_all(bytes).await.unwrap();
    let mut start = [0; 12];
    socket.read_exact(&mut start).await.unwrap();
    String::from_utf8_lossy(&start).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_proxies_read_differently_and_what_never_ends_is_refused() {
    let stage = Stage::start(routes).await;
    let head = "POST /webhooks/hr HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";
    let both = format!("{head}content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n");
    assert_eq!(status_line(&stage, both.as_bytes()).await, "HTTP/1.1 400");
    let announced = format!("{head}content-length: 262145\r\n\r\n");
    assert_eq!(status_line(&stage, announced.as_bytes()).await, "HTTP/1.1 413");
    // The last chunk never comes, so the answer shows that bytes are counted while they are read.
    let chunk = format!("8000\r\n{}\r\n", " ".repeat(0x8000));
    let endless = format!("{head}transfer-encoding: chunked\r\n\r\n{}", chunk.repeat(9));
    assert_eq!(status_line(&stage, endless.as_bytes()).await, "HTTP/1.1 413");
}
