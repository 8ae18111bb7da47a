//! Requests from programs with an API token.

use reqwest::RequestBuilder;

use super::*;
use crate::web::tests::{READER, WRITER};

fn post(stage: &Stage, body: &Value) -> RequestBuilder {
    let request = stage.client.post(format!("{}/api/v1/requests", stage.url));
    request.header("content-type", "application/json").body(body.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_known_by_its_body_and_never_by_an_unsigned_header() {
    let stage = Stage::start(routes).await;
    let send = |source_ref: &str| {
        post(&stage, &joiner(source_ref)).bearer_auth(WRITER).header("idempotency-key", "k")
    };
    let (status, first) = told(send("a-1")).await;
    assert_eq!(status, 202);
    let (status, again) = told(send("a-1")).await;
    assert_eq!((status, &again["workflow_id"]), (200, &first["workflow_id"]));
    let (status, other) = told(send("a-2")).await;
    assert_eq!(status, 202);
    assert_ne!(other["workflow_id"], first["workflow_id"]);
    let workflow = workflows::find(&stage.kit.store, id_of(&first)).await.unwrap().unwrap();
    assert_eq!(workflow.source.as_str(), "script");
    let bad = told(post(&stage, &json!({})).bearer_auth(WRITER)).await;
    assert_eq!(bad.0, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_known_token_with_the_scope_may_send() {
    let stage = Stage::start(routes).await;
    let send = || post(&stage, &joiner("a-1"));
    let refused = [
        send(),
        send().bearer_auth("no-token-of-any-client"),
        send().bearer_auth(""),
        send().header("authorization", WRITER),
        send().header("authorization", format!("Basic {WRITER}")),
        send().bearer_auth(WRITER).header("authorization", format!("Bearer {WRITER}")),
        send().bearer_auth(&WRITER[..WRITER.len() - 1]),
    ];
    let mut answers = Vec::new();
    for request in refused {
        answers.push(told_text(request).await);
    }
    assert!(answers.iter().all(|answer| answer.0 == 401 && *answer == answers[0]), "{answers:?}");
    let (status, problem) = told(send().bearer_auth(READER)).await;
    assert_eq!((status, &problem["code"]), (403, &json!("insufficient_scope")));
    let answer = send().send().await.unwrap();
    assert_eq!(answer.headers()["www-authenticate"], "Bearer");
    assert_eq!(events(&stage).await, 0);
    assert_eq!(told(send().header("authorization", format!("bearer {WRITER}"))).await.0, 202);
}
