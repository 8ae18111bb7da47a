//! Intake over real HTTP and a real database.

mod bad_messages;
mod repeats;
mod tokens;

use serde_json::{Value, json};

use super::routes;
use crate::domain::ids::WorkflowId;
use crate::store::trail::Trail;
use crate::store::{audit, listed, outbox, workflows};
use crate::web::tests::{NEXT_SECRET, Stage, joiner, told, told_text};

/// How many audit events there are: every deed of intake leaves at least one.
async fn events(stage: &Stage) -> u64 {
    let trail = Trail::of(&stage.kit.store).await.unwrap();
    let count = trail.count().await.unwrap();
    trail.close().await.unwrap();
    count
}

async fn workflow_count(stage: &Stage) -> usize {
    listed::page(&stage.kit.store, None, 1000).await.unwrap().len()
}

async fn owed(stage: &Stage) -> i64 {
    outbox::not_sent_by_state(&stage.kit.store).await.unwrap().iter().map(|(_, count)| count).sum()
}

fn id_of(answer: &Value) -> WorkflowId {
    WorkflowId::parse(answer["workflow_id"].as_str().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_joiner_becomes_a_workflow() {
    let stage = Stage::start(routes).await;
    let (status, answer) = told(stage.webhook("msg_1", joiner("a-1").to_string())).await;
    let id = id_of(&answer);
    let status_url = format!("http://127.0.0.1:8081/api/v1/workflows/{id}");
    assert_eq!(status, 202);
    assert_eq!(
        answer,
        json!({"workflow_id": id, "state": "planning", "duplicate": false, "status_url": status_url})
    );
    let workflow = workflows::find(&stage.kit.store, id).await.unwrap().unwrap();
    assert_eq!((workflow.source.as_str(), workflow.source_ref.as_str()), ("hr", "a-1"));
    assert_eq!((workflow.namespace.as_str(), workflow.person_ref.as_str()), ("corp", "E10442"));
    assert_eq!(workflow.user_name.unwrap().as_str(), "zobrien");
    let trail = audit::chain(&stage.kit.store, id.into(), 0, 10).await.unwrap();
    let kinds: Vec<_> = trail.iter().map(|told| told.event.kind.as_str()).collect();
    assert_eq!(kinds, ["delivery.accepted", "workflow.received"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn either_secret_signs() {
    let stage = Stage::start(routes).await;
    let body = joiner("a-1").to_string();
    assert_eq!(told(stage.webhook_with(NEXT_SECRET, "msg_1", body.clone())).await.0, 202);
    assert_eq!(told(stage.webhook("msg_1", body)).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_not_authentic_gets_one_answer_and_leaves_nothing() {
    let stage = Stage::start(routes).await;
    let body = || joiner("a-1").to_string();
    let to = |source: &str, request: reqwest::RequestBuilder| {
        let (client, request) = request.build_split();
        let mut request = request.unwrap();
        request.url_mut().set_path(&format!("/webhooks/{source}"));
        reqwest::RequestBuilder::from_parts(client, request)
    };
    let replayed = stage.webhook("msg_1", body());
    let unsigned =
        stage.client.post(format!("{}/webhooks/hr", stage.url)).header("content-type", "application/json");
    let mut answers = vec![
        told_text(stage.webhook_with("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "msg_1", body())).await,
        told_text(stage.webhook("msg_1", body()).body("{}")).await,
        told_text(stage.webhook("msg_1", body()).header("webhook-id", "msg_2")).await,
        told_text(stage.webhook("msg.1", body())).await,
        told_text(unsigned.body(body())).await,
        told_text(to("nobody", stage.webhook("msg_1", body()))).await,
        told_text(to("script", stage.webhook("msg_1", body()))).await,
        told_text(to("H%52", stage.webhook("msg_1", body()))).await,
    ];
    stage.pass(301);
    answers.push(told_text(replayed).await);
    for answer in &answers {
        assert_eq!((answer.0, &answer.1), (401, &answers[0].1));
    }
    assert_eq!((events(&stage).await, workflow_count(&stage).await), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_takes_nothing_is_told_as_such() {
    let stage = Stage::start(routes).await.with_full_disk(routes).await;
    let padding = " ".repeat(200_000);
    let good = format!("{}{padding}", joiner("a-1"));
    for body in [good, format!("{{}}{padding}"), padding] {
        let answer = stage.webhook("msg_1", body).send().await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["retry-after"]),
            (503, &"10".parse().unwrap())
        );
    }
    assert_eq!((events(&stage).await, workflow_count(&stage).await), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn other_methods_and_addresses_are_answered_with_problems() {
    let stage = Stage::start(routes).await;
    for path in ["/webhooks/hr", "/api/v1/requests"] {
        let answer = stage.client.get(format!("{}{path}", stage.url)).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), &answer.headers()["allow"]), (405, &"POST".parse().unwrap()));
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
    }
    for path in ["/webhooks", "/webhooks/", "/webhooks/hr/more", "/api", "/api/v2/requests"] {
        assert_eq!(told(stage.client.post(format!("{}{path}", stage.url))).await.0, 404, "{path}");
    }
}
