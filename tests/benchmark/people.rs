//! HR and the approver, each many times at once.

use std::sync::Arc;

use countersign::clock::World;
use countersign::domain::ids::WorkflowId;
use countersign::domain::names::EmailAddress;
use countersign::key::KeyRing;
use countersign::simulator::hr;
use futures_util::StreamExt as _;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::stand::{Stand, WEBHOOK_SECRET, number};
use super::watch;

/// Who is asked.
pub const APPROVER: &str = "ana@example.com";

/// A joiner of about one KiB who begins at that moment.
pub fn joiner(number: usize, at: &str) -> Value {
    json!({
        "schema": "jml/1", "kind": "joiner", "source_ref": format!("J{number}"), "person_ref": format!("E{number}"),
        "effective": { "at": at },
        "subject": {
            "username": format!("bench{number}x"), "first_name": "Zoë", "last_name": "O'Brien",
            "email": format!("bench{number}@example.com"),
        },
        "employment": { "department": "IT Ops", "type": "employee" },
        "reason": "x".repeat(700),
    })
}

/// The leaver of the same person.
pub fn leaver(number: usize) -> Value {
    json!({
        "schema": "jml/1", "kind": "leaver", "source_ref": format!("L{number}"), "person_ref": format!("E{number}"),
        "effective": { "at": "2026-01-01", "immediate": true },
    })
}

/// Posts one request; answers its workflow and how many milliseconds that took.
pub async fn post(stand: &Stand, client: &reqwest::Client, body: &Value) -> (WorkflowId, f64) {
    let bytes = body.to_string().into_bytes();
    let id = format!("msg_{}", body["source_ref"].as_str().unwrap());
    let at = watch::today().timestamp();
    let signature = hr::sign(&SecretString::from(WEBHOOK_SECRET), &id, at, &bytes).unwrap();
    let request = client
        .post(format!("{}/webhooks/hr", stand.url))
        .header("webhook-id", &id)
        .header("webhook-timestamp", at)
        .header("webhook-signature", signature)
        .header("content-type", "application/json")
        .body(bytes);
    let begun = watch::now();
    let answer = request.send().await.unwrap();
    let status = answer.status();
    let told: Value = answer.json().await.unwrap();
    let took = begun.elapsed().as_secs_f64() * 1_000.0;
    assert_eq!(status, 202, "{told}");
    (WorkflowId::parse(told["workflow_id"].as_str().unwrap()).unwrap(), took)
}

/// Posts many over so many connections.
pub async fn post_all(stand: &Stand, bodies: Vec<Value>, connections: usize) -> Vec<(WorkflowId, f64)> {
    let posts = bodies.into_iter().map(|body| async move { post(stand, &stand.client, &body).await });
    futures_util::stream::iter(posts).buffered(connections).collect().await
}

/// Waits until so many workflows stand in a state.
pub async fn until(stand: &Stand, state: &str, wanted: usize) {
    let database = stand.database().await;
    let question = format!("select count(*) from workflows where state = '{state}'");
    for round in 0..120_000 {
        if usize::try_from(number(&database, &question).await).unwrap() >= wanted {
            return;
        }
        watch::pause(20).await;
        assert!(round < 119_999, "in vain waited for {wanted} workflows in {state}");
    }
}

/// The approver opens each link and says yes, several at a time.
pub async fn approve_all(stand: &Stand, workflows: &[WorkflowId]) {
    let keys = KeyRing::read_or_make(&stand.folder.path().join("bench.key"), &World::real()).unwrap();
    let keys = Arc::new(keys);
    let approvals = workflows.iter().map(|workflow| {
        let keys = Arc::clone(&keys);
        async move { approve(stand, &keys, *workflow).await }
    });
    futures_util::stream::iter(approvals).buffer_unordered(32).collect::<Vec<()>>().await;
}

async fn approve(stand: &Stand, keys: &KeyRing, workflow: WorkflowId) {
    let approver = EmailAddress::parse(APPROVER).unwrap();
    let token = keys.link_token(workflow, &approver, 0, 1);
    let link = format!("{}/approve/{}", stand.url, token.reveal());
    let page = stand.client.get(&link).send().await.unwrap().text().await.unwrap();
    let hidden = |name: &str| {
        let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\"")).expect("a form to answer");
        rest.split_once('"').unwrap().0.to_owned()
    };
    let fields = [
        ("decision", "approve".to_owned()),
        ("comment", String::new()),
        ("digest", hidden("digest")),
        ("form_token", hidden("form_token")),
    ];
    let answer = stand.client.post(format!("{link}/decision")).form(&fields).header("Origin", &stand.url);
    let status = answer.send().await.unwrap().status();
    assert!(status.is_redirection() || status.is_success(), "{status}");
}
