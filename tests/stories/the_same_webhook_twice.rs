//! The same event, sent more than once: one workflow, one answer's worth of truth.
//!
//! Must hold: however often, over however many connections, in whichever spelling an event is sent, it makes one
//! workflow; a name that stands for another request already is refused, kept without a key, and alarmed about once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use countersign::simulator::hr;
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::stage::{Answer, Stage, WEBHOOK_SECRET};

told_on_both! {
    two_hundred_copies_over_fifty_connections_make_one_workflow
    another_spelling_is_the_same_event
    a_reference_with_another_meaning_is_refused_and_alarmed_about_once
    a_delivery_id_stands_for_one_request
}

async fn two_hundred_copies_over_fifty_connections_make_one_workflow(stage: Stage) {
    let stage = Arc::new(stage);
    let over = Arc::new(AtomicBool::new(false));
    let working = {
        let (stage, over) = (Arc::clone(&stage), Arc::clone(&over));
        tokio::spawn(async move {
            while !over.load(Ordering::SeqCst) {
                stage.settle().await;
                tokio::task::yield_now().await;
            }
        })
    };
    let body = stage.joiner().bytes();
    let now = stage.clock.read().timestamp();
    let signature = hr::sign(&SecretString::from(WEBHOOK_SECRET), "msg_1", now, &body).unwrap();
    let gate = Arc::new(tokio::sync::Barrier::new(50));
    let mut senders = Vec::new();
    for _ in 0..50 {
        let (gate, body, signature) = (Arc::clone(&gate), body.clone(), signature.clone());
        let url = format!("{}/webhooks/hr", stage.url);
        senders.push(tokio::spawn(async move {
            // A client of its own has a connection of its own.
            let client = reqwest::Client::builder().timeout(Duration::from_mins(1)).build().unwrap();
            gate.wait().await;
            let mut answers = Vec::new();
            for _ in 0..4 {
                let post = client
                    .post(&url)
                    .header("content-type", "application/json")
                    .header("webhook-id", "msg_1")
                    .header("webhook-timestamp", now.to_string())
                    .header("webhook-signature", &signature)
                    .body(body.clone());
                answers.push(Answer::of(post.send().await.unwrap()).await);
            }
            answers
        }));
    }
    let mut answers = Vec::new();
    for sender in senders {
        answers.extend(sender.await.unwrap());
    }
    over.store(true, Ordering::SeqCst);
    working.await.unwrap();
    let with = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((with(202), with(200)), (1, 199));
    for answer in &answers {
        assert_eq!(answer.json()["duplicate"], answer.status == 200);
    }
    let workflows: BTreeSet<String> = answers.iter().map(Answer::workflow).collect();
    assert_eq!(workflows.len(), 1);
    for table in ["workflows", "deliveries", "plans"] {
        assert_eq!(stage.count(&format!("select count(*) from {table}")).await, 1, "{table}");
    }
    stage.settle().await;
    assert_eq!(stage.state(workflows.first().unwrap()).await, "pending_approval");
    assert_eq!(stage.simulator.mailbox.mails().len(), 2);
}

/// The same JSON with every object's keys turned round and white space between.
fn respelled(value: &Value) -> Value {
    match value {
        Value::Object(entries) => {
            entries.iter().rev().map(|(key, value)| (key.clone(), respelled(value))).collect()
        }
        other => other.clone(),
    }
}

async fn another_spelling_is_the_same_event(stage: Stage) {
    let first = stage.post("msg_1", &stage.joiner().bytes()).await;
    let other = serde_json::to_string_pretty(&respelled(&stage.joiner().body())).unwrap();
    assert_ne!(other.as_bytes(), stage.joiner().bytes());
    let again = stage.post("msg_2", other.as_bytes()).await;
    assert_eq!((first.status, again.status), (202, 200));
    assert_eq!(first.workflow(), again.workflow());
    assert_eq!(again.json()["duplicate"], true);
    // The other id is known from now on as well.
    assert_eq!(stage.post("msg_2", other.as_bytes()).await.status, 200);
    assert_eq!(stage.count("select count(*) from workflows").await, 1);
    assert_eq!(stage.count("select count(*) from deliveries where state = 'accepted'").await, 2);
    let trail = stage.api(&format!("/{}/audit", first.workflow())).await;
    let kinds: Vec<&str> =
        trail["events"].as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["delivery.accepted", "workflow.received", "delivery.repeated"]);
}

async fn a_reference_with_another_meaning_is_refused_and_alarmed_about_once(stage: Stage) {
    let workflow = stage.hire().await;
    stage.settle().await;
    let asked = stage.simulator.mailbox.mails().len();
    let mut other = stage.joiner();
    "Chief Of-what-must-not-be-told".clone_into(&mut other.title);
    for number in 0..10 {
        let answer = stage.post(&format!("msg_other_{number}"), &other.bytes()).await;
        assert_eq!((answer.status, &answer.json()["code"]), (422, &json!("source_ref_reused")));
        assert_eq!(answer.json()["errors"][0]["pointer"], "/source_ref");
        assert!(!answer.body.contains("must-not-be-told") && !answer.body.contains(&other.source_ref));
        stage.settle().await;
    }
    assert_eq!(stage.count("select count(*) from deliveries where state = 'refused'").await, 1);
    let kept = "select count(*) from deliveries where delivery_key is null and workflow_id is null";
    assert_eq!(stage.count(kept).await, 1);
    assert_eq!(stage.count("select count(*) from workflows").await, 1);
    let alarms = stage.simulator.mailbox.mails_to("pam-team@example.com");
    assert_eq!(alarms.len(), 1);
    assert!(alarms[0].text.as_ref().unwrap().contains("source_ref_reused"));
    assert!(!alarms[0].text.as_ref().unwrap().contains("must-not-be-told"));
    assert_eq!(stage.simulator.mailbox.mails().len(), asked + 1);
    // The first one stands as it was, and is still known.
    assert_eq!(stage.state(&workflow).await, "pending_approval");
    assert_eq!(stage.post("msg_late", &stage.joiner().bytes()).await.status, 200);
}

async fn a_delivery_id_stands_for_one_request(stage: Stage) {
    let first = stage.post("msg_1", &stage.joiner().bytes()).await;
    let mut other = stage.joiner();
    (other.source_ref, other.person_ref) = ("RITM0010002:1".to_owned(), "E10443".to_owned());
    "zobrien9".clone_into(&mut other.username);
    let refused = stage.post("msg_1", &other.bytes()).await;
    assert_eq!((refused.status, &refused.json()["code"]), (422, &json!("delivery_id_reused")));
    assert_eq!(stage.count("select count(*) from workflows").await, 1);
    stage.settle().await;
    assert_eq!(stage.simulator.mailbox.mails_to("pam-team@example.com").len(), 1);
    // Under an id of its own it is welcome.
    let welcome = stage.post("msg_2", &other.bytes()).await;
    assert_eq!(welcome.status, 202);
    assert_ne!(welcome.workflow(), first.workflow());
}
