//! A leaver against what is open or under way for the same person: what would give ends, and the leaver takes everything.

use chrono::TimeDelta;
use countersign::simulator::faults::{Effect, Fault, Matching, Moment};
use countersign::store::operator::Exit;
use serde_json::json;

use super::{ANA, BO, from, team_lead};
use crate::stage::Stage;

told_on_both! {
    with crate::corrections::patient();
    a_leaver_takes_the_place_of_a_joiner_who_is_being_asked_about
    a_leaver_takes_the_place_of_a_joiner_who_waits_for_the_day
    a_joiner_is_stopped_at_every_step_and_the_leaver_takes_what_it_gave
    a_mover_is_stopped_and_the_leaver_takes_what_it_gave
    a_mover_whose_answer_was_lost_is_looked_up_before_it_rests
    what_stopped_half_way_rests_at_once
    a_mover_waits_for_the_leaver_that_comes_first
    a_mover_goes_on_when_the_leaver_is_decided_against
    a_leaver_that_begins_ends_what_is_still_being_asked_about
    a_leaver_meets_a_joiner_in_the_middle_of_a_call
}

fn busy() -> Effect {
    Effect::Status { status: 429, body: None, retry_after: Some(150), moment: Moment::Before }
}

fn on(method: &str, path: &str, nth: u64, effect: Effect) -> Fault {
    let mut fault = Fault::on(method, path, 1, effect);
    fault.matching = Matching { method: Some(method.to_owned()), path_contains: Some(path.to_owned()), nth };
    fault
}

async fn a_leaver_takes_the_place_of_a_joiner_who_is_being_asked_about(stage: Stage) {
    let joiner = stage.hire().await;
    stage.settle().await;
    let (link, form) = (stage.link(ANA), stage.form(&stage.link(ANA)).await.unwrap());
    let leaver = stage.told("leaver", "LEAVE-1", json!({})).await.workflow();
    // In the very transaction that took the leaver in.
    let shown = stage.api(&format!("/{joiner}")).await;
    assert_eq!((&shown["state"], &shown["superseded_by"]), (&json!("superseded"), &json!(leaver)));
    assert_eq!(stage.api(&format!("/{leaver}")).await["supersedes"], json!([joiner]));
    stage.settle().await;
    stage.is_dead(&link, &form, &format!("A leaver took its place, workflow {leaver}")).await;
    for who in [ANA, BO] {
        assert_eq!(stage.mails_like(who, "Replaced: a new account for"), 1, "{who}");
    }
    let trail = stage.trail(&joiner).await;
    let told = trail.last().unwrap();
    assert_eq!((&told["kind"], &told["facts"]["by"]), (&json!("workflow.superseded"), &json!(leaver)));
    assert!(stage.writes().is_empty(), "{:?}", stage.writes());
    stage.check_proof(&[joiner, leaver]).await;
}

async fn a_leaver_takes_the_place_of_a_joiner_who_waits_for_the_day(stage: Stage) {
    let answer = stage.joins("RITM-1", json!({ "effective": from("2026-12-24") })).await;
    let joiner = stage.taken(answer).await;
    assert_eq!(stage.decide(&stage.link(ANA), "approve", "").await.status, 303);
    assert_eq!(stage.state(&joiner).await, "approved");
    // One whose day comes after the start leaves the start alone.
    let later = stage.told("leaver", "LEAVE-1", json!({ "effective": from("2027-01-31") })).await;
    assert_eq!((later.status, stage.state(&joiner).await), (202, "approved".to_owned()));
    let leaver = stage.told("leaver", "LEAVE-2", json!({ "effective": from("2026-12-10") })).await;
    assert_eq!(leaver.status, 202, "{}", leaver.body);
    assert_eq!(stage.state(&joiner).await, "superseded");
    stage.later(TimeDelta::days(30)).await;
    assert!(stage.writes().is_empty(), "{:?}", stage.writes());
    stage.check_proof(&[joiner]).await;
}

async fn a_joiner_is_stopped_at_every_step_and_the_leaver_takes_what_it_gave(stage: Stage) {
    // This vault asks for a new password by itself, so that these are all writes of a joiner.
    let calls = [("POST", "/Users", 1), ("POST", "/Members", 1), ("POST", "/Members", 2)];
    for (method, path, nth) in calls {
        for effect in [busy(), Effect::DropAfter, Effect::DropBefore] {
            let what = format!("{method} {path} {nth} {effect:?}");
            let stage = stage.another().await;
            let joiner = stage.approved().await;
            stage.simulator.vault.add_fault(on(method, path, nth, effect.clone()));
            stage.settle().await;
            assert_eq!(stage.state(&joiner).await, "running", "{what}");
            let before = stage.writes();
            let leaver = stage.told("leaver", "LEAVE-1", json!({})).await.workflow();
            let stopping =
                stage.trail(&joiner).await.into_iter().any(|one| one["kind"] == "workflow.stopping");
            assert!(stopping, "{what}");
            assert_eq!(stage.rest(&joiner).await, "superseded", "{what}");
            assert_eq!(stage.writes(), before, "nothing new was begun: {what}");
            assert_eq!(stage.sealed_password(&joiner).await, None, "{what}");
            stage.rest(&leaver).await;
            if stage.simulator.vault.user("zobrien").is_some() {
                assert_eq!(
                    stage.state(&leaver).await,
                    "pending_approval",
                    "{what}: {}",
                    stage.reason(&leaver).await
                );
                stage.both_approve().await;
                assert_eq!(stage.rest(&leaver).await, "succeeded", "{what}: {}", stage.reason(&leaver).await);
                stage.has_nothing_left();
            } else {
                assert_eq!(stage.state(&leaver).await, "needs_attention", "{what}");
            }
            stage.check_proof(&[joiner, leaver]).await;
        }
    }
}

async fn a_mover_is_stopped_and_the_leaver_takes_what_it_gave(stage: Stage) {
    stage.somebody();
    let mover = stage.moves("MOVE-1").await;
    stage.both_approve().await;
    stage.simulator.vault.add_fault(on("POST", "/Members", 1, busy()));
    stage.settle().await;
    assert_eq!(
        (stage.state(&mover).await, stage.writes()),
        ("running".to_owned(), vec!["update_user".to_owned()])
    );
    let leaver = stage.leaves("LEAVE-1", json!({})).await;
    let shown = stage.api(&format!("/{mover}")).await;
    assert_eq!((&shown["state"], &shown["superseded_by"]), (&json!("superseded"), &json!(leaver)));
    let told = stage.trail(&mover).await.pop().unwrap();
    assert_eq!(told["facts"]["done"], json!("find_user, update_user"), "{told}");
    stage.both_approve().await;
    assert_eq!(stage.rest(&leaver).await, "succeeded", "{}", stage.reason(&leaver).await);
    stage.has_nothing_left();
    let page = stage.get(&stage.asked(ANA)).await.body;
    assert!(page.contains("Takes the place of") && page.contains("the mover that came in at"), "{page}");
    stage.check_proof(&[mover, leaver]).await;
}

async fn a_mover_whose_answer_was_lost_is_looked_up_before_it_rests(stage: Stage) {
    stage.somebody();
    let mover = stage.moves("MOVE-1").await;
    stage.both_approve().await;
    stage.simulator.vault.add_fault(on("POST", "/Members", 1, Effect::DropAfter));
    stage.settle().await;
    assert_eq!(stage.state(&mover).await, "running");
    let leaver = stage.told("leaver", "LEAVE-1", json!({})).await.workflow();
    assert_eq!(stage.rest(&mover).await, "superseded");
    assert_eq!(stage.outcomes(&mover, "add_to_group").await, ["unknown", "done"]);
    stage.settle().await;
    stage.both_approve().await;
    assert_eq!(stage.rest(&leaver).await, "succeeded", "{}", stage.reason(&leaver).await);
    stage.has_nothing_left();
    stage.check_proof(&[mover, leaver]).await;
}

async fn what_stopped_half_way_rests_at_once(stage: Stage) {
    let refusal = json!({ "ErrorCode": "PASWS041E", "ErrorMessage": "not authorised" });
    let effect =
        Effect::Status { status: 403, body: Some(refusal), retry_after: None, moment: Moment::Before };
    stage.simulator.vault.add_fault(on("POST", "/Members", 1, effect));
    let joiner = stage.hire_and_approve().await;
    assert_eq!(stage.rest(&joiner).await, "needs_attention");
    assert!(stage.sealed_password(&joiner).await.is_some());
    let leaver = stage.told("leaver", "LEAVE-1", json!({})).await.workflow();
    assert_eq!(stage.state(&joiner).await, "superseded");
    assert_eq!(stage.sealed_password(&joiner).await, None);
    assert!(stage.take(&joiner, Exit::Retry).await.is_err());
    stage.settle().await;
    stage.both_approve().await;
    assert_eq!(stage.rest(&leaver).await, "succeeded", "{}", stage.reason(&leaver).await);
    stage.has_nothing_left();
    assert_eq!(stage.writes(), ["create_user", "disable_user"]);
    stage.check_proof(&[joiner, leaver]).await;
}

async fn a_mover_waits_for_the_leaver_that_comes_first(stage: Stage) {
    stage.somebody();
    let leaver = stage.leaves("LEAVE-1", json!({})).await;
    let mover = stage.told("mover", "MOVE-1", json!({ "employment": team_lead() })).await;
    assert_eq!(mover.status, 202, "{}", mover.body);
    let mover = mover.workflow();
    stage.settle().await;
    let shown = stage.api(&format!("/{mover}")).await;
    assert_eq!((&shown["state"], &shown["waits_for"]), (&json!("planning"), &json!(leaver)));
    let page = stage.get(&format!("{}/workflows/{mover}", stage.url)).await.body;
    assert!(
        page.contains(&format!("Another request for this person comes first, workflow {leaver}")),
        "{page}"
    );
    stage.both_approve().await;
    assert_eq!(stage.rest(&leaver).await, "succeeded", "{}", stage.reason(&leaver).await);
    stage.settle().await;
    let shown = stage.api(&format!("/{mover}")).await;
    assert_eq!((&shown["state"], &shown["superseded_by"]), (&json!("superseded"), &json!(leaver)));
    stage.has_nothing_left();
    stage.check_proof(&[mover, leaver]).await;
}

async fn a_mover_goes_on_when_the_leaver_is_decided_against(stage: Stage) {
    stage.somebody();
    let leaver = stage.leaves("LEAVE-1", json!({})).await;
    let mover = stage.told("mover", "MOVE-1", json!({ "employment": team_lead() })).await.workflow();
    assert_eq!(stage.decide(&stage.asked(ANA), "reject", "She stays").await.status, 303);
    stage.settle().await;
    assert_eq!(stage.state(&leaver).await, "rejected");
    assert_eq!(stage.state(&mover).await, "pending_approval", "{}", stage.reason(&mover).await);
    stage.both_approve().await;
    assert_eq!(stage.rest(&mover).await, "succeeded", "{}", stage.reason(&mover).await);
    stage.check(&mover).await;
}

async fn a_leaver_that_begins_ends_what_is_still_being_asked_about(stage: Stage) {
    stage.somebody();
    let leaver = stage.leaves("LEAVE-1", json!({ "effective": from("2026-12-20") })).await;
    stage.both_approve().await;
    stage.later(TimeDelta::days(13)).await;
    let parts = json!({ "effective": from("2026-12-14"), "employment": team_lead() });
    let mover = stage.taken(stage.told("mover", "MOVE-1", parts).await).await;
    assert_eq!(stage.state(&mover).await, "pending_approval", "it comes before the leaver");
    stage.pass(TimeDelta::days(6)).await;
    assert_eq!(stage.state(&leaver).await, "succeeded", "{}", stage.reason(&leaver).await);
    let shown = stage.api(&format!("/{mover}")).await;
    assert_eq!((&shown["state"], &shown["superseded_by"]), (&json!("superseded"), &json!(leaver)));
    stage.has_nothing_left();
    stage.check_proof(&[mover, leaver]).await;
}

async fn a_leaver_meets_a_joiner_in_the_middle_of_a_call(stage: Stage) {
    let replica = stage.replica().await;
    let joiner = stage.approved().await;
    let slow = Effect::Delay { millis: 700, moment: Moment::After };
    stage.simulator.vault.add_fault(on("POST", "/Users", 1, slow));
    let executor = stage.service.workers().iter().find(|worker| worker.name() == "executor").unwrap();
    let body = json!({
        "schema": "jml/1", "kind": "leaver", "source_ref": "LEAVE-1", "person_ref": "E10442",
        "effective": { "at": "2026-11-30", "tz": "Europe/Berlin" },
    })
    .to_string();
    let told = async {
        while stage.simulator.vault.user("zobrien").is_none() {
            tokio::task::yield_now().await;
        }
        stage.post_to(&replica, "msg_LEAVE-1", body.as_bytes()).await
    };
    let (turn, told) = tokio::join!(executor.turn(), told);
    turn.unwrap();
    assert_eq!(told.status, 202, "{}", told.body);
    // The leaver names no user: it is known because the account was learnt before the joiner rested.
    let leaver = told.workflow();
    assert_eq!(stage.rest(&joiner).await, "superseded");
    assert_eq!(stage.writes(), ["create_user"]);
    stage.rest(&leaver).await;
    stage.both_approve().await;
    assert_eq!(stage.rest(&leaver).await, "succeeded", "{}", stage.reason(&leaver).await);
    stage.has_nothing_left();
    stage.check_proof(&[joiner, leaver]).await;
}
