//! A vault refuses the member's name, takes the number for the name of somebody else, and puts that one into the group.
//!
//! Must hold: whoever got in wrongly is taken out again, in an attempt of its own with intent and outcome; the run
//! stops at a person; nobody who was in the group before is touched.

use countersign::simulator::faults::{Effect, Fault, Meanwhile, Moment};
use countersign::store::operator::Exit;
use serde_json::json;

use crate::stage::Stage;

told_on_both! {
    somebody_else_who_got_in_is_taken_out_again_and_the_run_stops
    a_taking_out_without_effect_is_looked_up_and_done_again
    a_taking_out_without_answer_is_looked_up_and_not_repeated
    a_member_of_before_whose_name_is_the_number_stays
}

const MEMBERS: &str = "/Members";

fn on_members(stage: &Stage, method: &str, effect: Effect) {
    stage.simulator.vault.add_fault(Fault::on(method, MEMBERS, 1, effect));
}

/// A run that has made the user and waits before it adds the first group; the user's number.
async fn waiting_at_the_group(stage: &Stage) -> (String, i64) {
    let workflow = stage.approved().await;
    on_members(
        stage,
        "POST",
        Effect::Status { status: 429, body: None, retry_after: Some(60), moment: Moment::Before },
    );
    stage.settle().await;
    assert_eq!(stage.state(&workflow).await, "running");
    (workflow, stage.simulator.vault.id_of("zobrien").unwrap())
}

/// The name is refused once; just before the number goes out, somebody of that name comes into being.
fn a_stranger_gets_in(stage: &Stage, number: i64) {
    refuse_the_name(stage);
    let comes = Meanwhile::AddUser(json!({ "username": number.to_string() }));
    on_members(stage, "POST", Effect::Meanwhile(comes));
}

fn refuse_the_name(stage: &Stage) {
    let body = json!({ "ErrorCode": "ITATS003E", "ErrorMessage": "User zobrien has not been defined." });
    let refused = Effect::Status { status: 404, body: Some(body), retry_after: None, moment: Moment::Before };
    on_members(stage, "POST", refused);
}

fn members(stage: &Stage, group: &str) -> Vec<String> {
    let state = stage.simulator.vault.state();
    let group = state["groups"].as_array().unwrap().iter().find(|found| found["groupName"] == group).unwrap();
    let members = group["members"].as_array().cloned().unwrap_or_default();
    members.iter().map(|member| member["username"].as_str().unwrap().to_owned()).collect()
}

/// The outcomes at the first group, from the refused name on.
async fn stops_with_nobody_in(stage: &Stage, workflow: &str) -> Vec<String> {
    assert_eq!(stage.rest(workflow).await, "needs_attention");
    let reason = stage.reason(workflow).await;
    assert!(reason.contains("is out again") && reason.contains("set group_member"), "{reason}");
    assert_eq!(members(stage, "Ops-Readers"), [""; 0]);
    assert_eq!(stage.calls_for_help(), 1, "the operators are written to");
    stage.check_proof(&[workflow.to_owned()]).await;
    let outcomes = stage.outcomes(workflow, "add_to_group").await;
    assert_eq!(outcomes[..2], ["retry", "other_form"]);
    outcomes[2..].to_vec()
}

async fn somebody_else_who_got_in_is_taken_out_again_and_the_run_stops(stage: Stage) {
    let (workflow, number) = waiting_at_the_group(&stage).await;
    a_stranger_gets_in(&stage, number);
    assert_eq!(stops_with_nobody_in(&stage, &workflow).await, ["misdirected", "taken_out"]);
    assert_eq!(stage.writes(), ["create_user", "add_member", "remove_member"]);
    let forms: Vec<String> = stage
        .trail(&workflow)
        .await
        .iter()
        .filter_map(|event| event["facts"]["form"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(forms, ["numeric-id", "take-out-numeric-id"], "each way has an intent of its own");
    // The name is taken by now, so a person may send it on.
    stage.take(&workflow, Exit::Retry).await.unwrap();
    assert_eq!(stage.rest(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    assert_eq!(members(&stage, "Ops-Readers"), ["zobrien"]);
}

async fn a_taking_out_without_effect_is_looked_up_and_done_again(stage: Stage) {
    let (workflow, number) = waiting_at_the_group(&stage).await;
    a_stranger_gets_in(&stage, number);
    on_members(&stage, "DELETE", Effect::DropBefore);
    let outcomes = stops_with_nobody_in(&stage, &workflow).await;
    assert_eq!(outcomes, ["misdirected", "unknown", "not_there", "taken_out"]);
}

async fn a_taking_out_without_answer_is_looked_up_and_not_repeated(stage: Stage) {
    let (workflow, number) = waiting_at_the_group(&stage).await;
    a_stranger_gets_in(&stage, number);
    on_members(&stage, "DELETE", Effect::DropAfter);
    assert_eq!(stops_with_nobody_in(&stage, &workflow).await, ["misdirected", "unknown", "taken_out"]);
    assert_eq!(stage.writes(), ["create_user", "add_member", "remove_member"]);
}

async fn a_member_of_before_whose_name_is_the_number_stays(stage: Stage) {
    let (workflow, number) = waiting_at_the_group(&stage).await;
    refuse_the_name(&stage);
    let other = stage.simulator.vault.add_user(&json!({ "username": number.to_string() })).unwrap();
    stage.simulator.vault.put_member(stage.group_id("Ops-Readers"), other).unwrap();
    // A search does not show everybody to everybody.
    let nobody = Effect::Status {
        status: 200,
        body: Some(json!({ "Users": [], "Total": 0 })),
        retry_after: None,
        moment: Moment::Before,
    };
    stage.simulator.vault.add_fault(Fault::on("GET", &format!("search={number}"), 9, nobody));
    assert_eq!(stage.rest(&workflow).await, "needs_attention");
    let reason = stage.reason(&workflow).await;
    assert!(reason.contains("nothing was sent"), "{reason}");
    assert_eq!(members(&stage, "Ops-Readers"), [number.to_string()]);
    assert_eq!(stage.writes(), ["create_user"]);
}
