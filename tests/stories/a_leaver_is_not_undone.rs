//! What a leaver has taken is given back by no request that came before it, and by nobody who sends one on.

use chrono::TimeDelta;
use countersign::domain::approval::Verdict;
use countersign::domain::ids::{VaultUserId, WorkflowId};
use countersign::simulator::faults::{Effect, Fault, Moment};
use countersign::store::WriteFault;
use countersign::store::operator::{Exit, Overrule};
use serde_json::{Value, json};

use crate::stage::{Stage, olga};

told_on_both! {
    a_mover_that_stopped_half_way_is_not_sent_on_after_the_leaver
    a_joiner_that_stopped_half_way_is_not_sent_on_after_the_leaver
    a_mover_of_a_later_day_does_not_begin_after_the_leaver
    a_leaver_that_is_decided_against_stands_in_nobodys_way
    a_leaver_of_a_later_day_holds_nothing_up
    a_leaver_that_is_given_up_has_said_it_all_the_same
    somebody_who_is_hired_after_a_leaver_begins_anew
    what_has_changed_while_a_run_stood_still_stops_it_again
    a_vault_that_cannot_be_read_is_not_written_to_when_a_run_is_sent_on
}

/// The vault refuses the next membership.
fn no_member(stage: &Stage) {
    let refusal = json!({ "ErrorCode": "PASWS041E", "ErrorMessage": "not authorised" });
    let effect =
        Effect::Status { status: 403, body: Some(refusal), retry_after: None, moment: Moment::Before };
    stage.simulator.vault.add_fault(Fault::on("POST", "/Members", 1, effect));
}

async fn stopped_mover(stage: &Stage) -> String {
    let mover = stage.moves("MOVE-1").await;
    stage.both_approve().await;
    no_member(stage);
    assert_eq!(stage.rest(&mover).await, "needs_attention");
    assert_eq!(stage.writes(), ["update_user"]);
    mover
}

async fn stopped_joiner(stage: &Stage) -> String {
    no_member(stage);
    let joiner = stage.hire_and_approve().await;
    assert_eq!(stage.rest(&joiner).await, "needs_attention");
    assert_eq!(stage.writes(), ["create_user"]);
    joiner
}

async fn leaves_at_once(stage: &Stage) -> String {
    let leaver = stage.leaves("LEAVE-1", json!({})).await;
    stage.both_approve().await;
    assert_eq!(stage.rest(&leaver).await, "succeeded", "{}", stage.reason(&leaver).await);
    leaver
}

/// It rests since the leaver came, and nobody can send it on.
async fn cannot_be_sent_on(stage: &Stage, workflow: &str, leaver: &str) {
    let shown = stage.api(&format!("/{workflow}")).await;
    assert_eq!((&shown["state"], &shown["superseded_by"]), (&json!("superseded"), &json!(leaver)));
    let writes = stage.writes();
    for exit in [Exit::Retry, Exit::Adopt(VaultUserId(4711)), Exit::MarkDone, Exit::GiveUp] {
        let refused = stage.take(workflow, exit).await;
        assert!(matches!(refused, Err(WriteFault::Refused(_))), "{exit:?}");
    }
    stage.settle().await;
    assert_eq!((stage.state(workflow).await.as_str(), stage.writes()), ("superseded", writes));
    assert_eq!((stage.her_groups(), &stage.zobrien()["enableUser"]), (vec![], &json!(false)));
}

async fn a_mover_that_stopped_half_way_is_not_sent_on_after_the_leaver(stage: Stage) {
    stage.somebody();
    let mover = stopped_mover(&stage).await;
    let leaver = leaves_at_once(&stage).await;
    cannot_be_sent_on(&stage, &mover, &leaver).await;
}

async fn a_joiner_that_stopped_half_way_is_not_sent_on_after_the_leaver(stage: Stage) {
    let joiner = stopped_joiner(&stage).await;
    let leaver = leaves_at_once(&stage).await;
    cannot_be_sent_on(&stage, &joiner, &leaver).await;
}

/// She moves in two days: approved.
async fn moves_in_two_days(stage: &Stage) -> String {
    let parts = json!({
        "effective": { "at": "2026-12-03", "tz": "Europe/Berlin", "boundary": "start_of_day" },
        "employment": { "department": "IT Ops", "title": "Team Lead" },
    });
    let answer = stage.told("mover", "MOVE-1", parts).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    stage.settle().await;
    stage.both_approve().await;
    stage.settle().await;
    assert_eq!(stage.state(&answer.workflow()).await, "approved");
    answer.workflow()
}

async fn a_mover_of_a_later_day_does_not_begin_after_the_leaver(stage: Stage) {
    stage.somebody();
    let mover = moves_in_two_days(&stage).await;
    let leaver = stage.leaves("LEAVE-1", json!({ "leaver": { "remove_groups": false } })).await;
    stage.both_approve().await;
    assert_eq!(stage.rest(&leaver).await, "succeeded", "{}", stage.reason(&leaver).await);
    // Even where somebody enables the account again, so that nothing seems to have changed.
    let id = stage.simulator.vault.id_of("zobrien").unwrap();
    stage.simulator.vault.patch_user(id, &json!({ "enableUser": true })).unwrap();
    stage.later(TimeDelta::days(3)).await;
    assert_eq!(stage.state(&mover).await, "superseded");
    assert_eq!(stage.writes(), ["disable_user"]);
}

/// Her account was not there yet when she left; it does not come up afterwards.
async fn a_leaver_that_is_given_up_has_said_it_all_the_same(stage: Stage) {
    let joiner = stage.hire_told(|body| body["effective"]["at"] = "2026-12-20".into()).await;
    stage.decide(&stage.link("ana@example.com"), "approve", "").await;
    stage.settle().await;
    assert_eq!(stage.state(&joiner).await, "approved");
    let leaver = stage.leaves("LEAVE-1", json!({})).await;
    assert_eq!(stage.state(&leaver).await, "needs_attention");
    assert_eq!(stage.take(&leaver, Exit::GiveUp).await.unwrap(), "failed");
    stage.clock.advance(TimeDelta::days(20));
    assert_eq!(stage.rest(&joiner).await, "superseded");
    assert!(stage.writes().is_empty(), "{:?}", stage.writes());
}

async fn a_leaver_that_is_decided_against_stands_in_nobodys_way(stage: Stage) {
    stage.somebody();
    let leaver = stage.leaves("LEAVE-1", json!({})).await;
    let parts = json!({ "employment": { "department": "IT Ops", "title": "Team Lead" } });
    let mover = stage.told("mover", "MOVE-1", parts).await.workflow();
    stage.later(TimeDelta::days(3)).await;
    assert_eq!(stage.api(&format!("/{mover}")).await["waits_for"], json!(leaver));
    // Nobody decided in time, so an operator does.
    assert_eq!(stage.state(&leaver).await, "needs_attention");
    let deed = Overrule {
        stamp: stage.service.kit.world.stamp(),
        workflow: WorkflowId::parse(&leaver).unwrap(),
        verdict: Verdict::Reject,
        by: olga(),
        reason: "She stays".to_owned(),
    };
    stage.service.kit.store.write(deed).await.unwrap();
    assert_eq!(stage.state(&leaver).await, "rejected");
    stage.settle().await;
    stage.both_approve().await;
    assert_eq!(stage.rest(&mover).await, "succeeded", "{}", stage.reason(&mover).await);
    let writes = stage.writes();
    assert!(writes.starts_with(&["update_user".to_owned(), "add_member".to_owned()]), "{writes:?}");
}

async fn a_leaver_of_a_later_day_holds_nothing_up(stage: Stage) {
    stage.somebody();
    let mover = moves_in_two_days(&stage).await;
    let day =
        json!({ "effective": { "at": "2026-12-31", "tz": "Europe/Berlin", "boundary": "start_of_day" } });
    let leaver = stage.leaves("LEAVE-1", day).await;
    stage.both_approve().await;
    stage.clock.advance(TimeDelta::days(3));
    assert_eq!(stage.rest(&mover).await, "succeeded", "{}", stage.reason(&mover).await);
    // When its day comes it takes what the mover has given, too.
    stage.clock.advance(TimeDelta::days(30));
    assert_eq!(stage.rest(&leaver).await, "succeeded", "{}", stage.reason(&leaver).await);
    assert_eq!((stage.her_groups(), &stage.zobrien()["enableUser"]), (vec![], &json!(false)));
}

async fn somebody_who_is_hired_after_a_leaver_begins_anew(stage: Stage) {
    // About nobody whom the vault knows, and not at its end.
    let leaver = stage.leaves("LEAVE-1", json!({})).await;
    assert_eq!(stage.state(&leaver).await, "needs_attention");
    let joiner = stage.hire_and_approve().await;
    assert_eq!(stage.rest(&joiner).await, "succeeded", "{}", stage.reason(&joiner).await);
}

async fn what_has_changed_while_a_run_stood_still_stops_it_again(stage: Stage) {
    stage.somebody();
    let mover = stopped_mover(&stage).await;
    let (_, new) = stage.make_group_anew("Linux Admins");
    assert_eq!(stage.retry(&mover).await, "needs_attention");
    let reason = stage.reason(&mover).await;
    assert!(reason.contains("half-way no plan is made anew") && reason.contains("Linux Admins"), "{reason}");
    assert_eq!(stage.writes(), ["update_user"], "nobody was put into the group number {new}");
    // The same for somebody new, whose account was disabled meanwhile.
    let stage = Stage::begin(stage.database.another()).await;
    let joiner = stopped_joiner(&stage).await;
    let id = stage.simulator.vault.id_of("zobrien").unwrap();
    let enabled = |is: bool| -> Value { json!({ "enableUser": is }) };
    stage.simulator.vault.patch_user(id, &enabled(false)).unwrap();
    assert_eq!(stage.retry(&joiner).await, "needs_attention");
    let reason = stage.reason(&joiner).await;
    assert!(reason.contains(&format!("number {id}, is disabled now")), "{reason}");
    assert_eq!(stage.writes(), ["create_user"]);
    stage.simulator.vault.patch_user(id, &enabled(true)).unwrap();
    assert_eq!(stage.retry(&joiner).await, "succeeded", "{}", stage.reason(&joiner).await);
    stage.check(&joiner).await;
}

async fn a_vault_that_cannot_be_read_is_not_written_to_when_a_run_is_sent_on(stage: Stage) {
    stage.somebody();
    let mover = stopped_mover(&stage).await;
    stage.simulator.vault.add_fault(Fault::on("GET", "/UserGroups", 9_999, Effect::Html503));
    let before = stage.clock.read();
    assert_eq!(stage.retry(&mover).await, "needs_attention");
    assert!(stage.clock.read() - before < TimeDelta::hours(1), "it is not silent for long");
    let reason = stage.reason(&mover).await;
    assert!(reason.contains("could not be read before the run went on"), "{reason}");
    assert_eq!(stage.writes(), ["update_user"]);
    stage.simulator.vault.clear_faults();
    assert_eq!(stage.retry(&mover).await, "succeeded", "{}", stage.reason(&mover).await);
}
