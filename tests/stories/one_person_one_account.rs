//! A person gets one account, whatever comes in; and only the account that was seen can be adopted.

use countersign::simulator::faults::{Effect, Fault, Moment};
use countersign::store::operator::Exit;
use serde_json::json;

use crate::stage::Stage;

told_on_both! {
    a_second_joiner_of_one_person_stops_before_any_write
    with_nobody_to_adopt_nothing_is_adopted_and_a_later_stranger_is_left_alone
}

async fn a_second_joiner_of_one_person_stops_before_any_write(stage: Stage) {
    let first = stage.hire().await;
    let mut joiner = stage.joiner();
    "RITM0010002:1".clone_into(&mut joiner.source_ref);
    "zobrien9".clone_into(&mut joiner.username);
    let second = stage.hire_as(&joiner).await;
    stage.settle().await;
    let mut links = stage.simulator.mailbox.links_for("ana@example.com");
    links.dedup();
    for link in &links {
        assert_eq!(stage.decide(link, "approve", "").await.status, 303);
    }
    stage.settle().await;
    let mut states = [stage.state(&first).await, stage.state(&second).await];
    states.sort();
    assert_eq!(states, ["needs_attention", "succeeded"]);
    assert_eq!(stage.writes(), ["create_user", "add_member", "add_member"]);
    // Another try meets the account that the person has by now.
    let stopped = if stage.state(&first).await == "succeeded" { &second } else { &first };
    stage.take(stopped, Exit::Retry).await.unwrap();
    stage.settle().await;
    assert_eq!(stage.state(stopped).await, "needs_attention");
    assert!(stage.reason(stopped).await.contains("has an account"), "{}", stage.reason(stopped).await);
    assert_eq!(stage.writes().len(), 3);
}

async fn with_nobody_to_adopt_nothing_is_adopted_and_a_later_stranger_is_left_alone(stage: Stage) {
    let refusal = json!({ "ErrorCode": "PASWS041E", "ErrorMessage": "not authorised" });
    let effect =
        Effect::Status { status: 403, body: Some(refusal), retry_after: None, moment: Moment::Before };
    stage.simulator.vault.add_fault(Fault::on("POST", "/Users", 1, effect));
    let workflow = stage.hire_and_approve().await;
    assert_eq!(stage.state(&workflow).await, "needs_attention");
    assert!(stage.take(&workflow, Exit::Adopt).await.is_err());
    let stranger = stage.simulator.vault.add_user(&json!({ "username": "zobrien" })).unwrap();
    stage.take(&workflow, Exit::Retry).await.unwrap();
    stage.settle().await;
    assert_eq!(stage.state(&workflow).await, "needs_attention");
    assert_eq!(stage.writes(), [""; 0]);
    // A person adopts the one that was seen. When somebody else holds the name by then, nobody gets anything.
    stage.take(&workflow, Exit::Adopt).await.unwrap();
    stage.simulator.vault.remove_user(stranger).unwrap();
    stage.simulator.vault.add_user(&json!({ "username": "zobrien" })).unwrap();
    stage.settle().await;
    assert_eq!(stage.state(&workflow).await, "needs_attention");
    assert_eq!(stage.writes(), [""; 0]);
}
