//! A person gets one account, whatever comes in; and nobody else's.

use countersign::simulator::faults::{Effect, Fault, Moment};
use countersign::store::WriteFault;
use countersign::store::operator::{Exit, NoExit};
use serde_json::json;

use crate::stage::Stage;

told_on_both! {
    a_second_joiner_of_one_person_stops_before_any_write
    a_second_mover_of_one_person_is_told_which_one_is_open
    after_a_refused_create_whoever_takes_the_name_is_a_stranger
}

async fn a_second_joiner_of_one_person_stops_before_any_write(stage: Stage) {
    let first = stage.hire().await;
    let mut joiner = stage.joiner();
    "RITM0010002:1".clone_into(&mut joiner.source_ref);
    "zobrien9".clone_into(&mut joiner.username);
    // While the first is open, nobody could tell which of the two holds.
    let refused = stage.post("msg_second", &joiner.bytes()).await;
    assert_eq!((refused.status, &refused.json()["code"]), (422, &json!("request_still_open")));
    assert_eq!(refused.json()["errors"][0]["pointer"], "/person_ref");
    assert!(refused.body.contains(&first) && !refused.body.contains("E10442"), "{}", refused.body);
    stage.settle().await;
    assert_eq!(stage.decide(&stage.link("ana@example.com"), "approve", "").await.status, 303);
    stage.settle().await;
    assert_eq!(stage.state(&first).await, "succeeded");
    assert_eq!(stage.writes(), ["create_user", "add_member", "add_member"]);
    // Now it is taken in, under the delivery id that was refused, and meets the account that the person has.
    let second = stage.post("msg_second", &joiner.bytes()).await;
    assert_eq!(second.status, 202, "{}", second.body);
    let stopped = &second.workflow();
    stage.settle().await;
    assert_eq!(stage.state(stopped).await, "needs_attention");
    stage.take(stopped, Exit::Retry).await.unwrap();
    stage.settle().await;
    assert_eq!(stage.state(stopped).await, "needs_attention");
    assert!(stage.reason(stopped).await.contains("has an account"), "{}", stage.reason(stopped).await);
    assert_eq!(stage.writes().len(), 3);
}

async fn a_second_mover_of_one_person_is_told_which_one_is_open(stage: Stage) {
    stage.somebody();
    let first = stage.moves("MOVE-1").await;
    assert_eq!(stage.state(&first).await, "pending_approval", "{}", stage.reason(&first).await);
    let parts = json!({ "employment": { "title": "Head of Nothing", "department": "IT Ops" } });
    let refused = stage.told("mover", "MOVE-2", parts.clone()).await;
    assert_eq!((refused.status, &refused.json()["code"]), (422, &json!("request_still_open")));
    assert_eq!(refused.json()["errors"][0]["pointer"], "/person_ref");
    assert!(refused.body.contains(&first) && !refused.body.contains("E10442"), "{}", refused.body);
    // What takes access away is taken all the same, and so is the first one once more.
    stage.leaves("LEAVE-1", json!({})).await;
    let again = json!({ "employment": { "title": "Team Lead", "department": "IT Ops" } });
    let again = stage.told("mover", "MOVE-1", again).await;
    assert_eq!((again.status, again.workflow()), (200, first.clone()));
    // The leaver took the place of the first, so the second is taken under the same delivery id; it waits.
    assert_eq!(stage.state(&first).await, "superseded");
    let second = stage.told("mover", "MOVE-2", parts).await;
    assert_eq!(second.status, 202, "{}", second.body);
}

async fn after_a_refused_create_whoever_takes_the_name_is_a_stranger(stage: Stage) {
    let refusal = json!({ "ErrorCode": "PASWS041E", "ErrorMessage": "not authorised" });
    let effect =
        Effect::Status { status: 403, body: Some(refusal), retry_after: None, moment: Moment::Before };
    stage.simulator.vault.add_fault(Fault::on("POST", "/Users", 1, effect));
    let workflow = stage.hire_and_approve().await;
    assert_eq!(stage.state(&workflow).await, "needs_attention");
    stage.simulator.vault.add_user(&json!({ "username": "zobrien" })).unwrap();
    assert!(stage.adopt(&workflow).await.is_err());
    stage.take(&workflow, Exit::Retry).await.unwrap();
    stage.settle().await;
    assert_eq!(stage.state(&workflow).await, "needs_attention");
    // It has been seen by now. It is a stranger all the same, and no word of a person changes that.
    let refused = stage.adopt(&workflow).await;
    assert!(matches!(refused, Err(WriteFault::Refused(NoExit::NothingToAdopt))), "{refused:?}");
    stage.settle().await;
    assert_eq!(stage.state(&workflow).await, "needs_attention");
    assert_eq!(stage.writes(), [""; 0]);
}
