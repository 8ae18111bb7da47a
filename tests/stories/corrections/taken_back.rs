//! A source takes a request back: what has not begun is cancelled, what was carried out is made up for.

use countersign::simulator::faults::{Effect, Fault, Moment};
use serde_json::json;

use super::{ANA, BO, from, team_lead};
use crate::stage::Stage;

told_on_both! {
    a_joiner_who_was_not_begun_is_cancelled
    a_mover_and_a_leaver_of_a_later_day_are_cancelled
    a_joiner_who_is_done_is_made_up_for_by_a_leaver
    a_joiner_who_is_under_way_is_stopped_and_made_up_for
    a_mover_who_is_done_or_under_way_is_told_to_people
    a_leaver_that_is_due_goes_on
    a_leaver_who_is_done_is_made_up_for_by_a_rehire
    what_cannot_be_taken_back_is_refused
}

async fn a_joiner_who_was_not_begun_is_cancelled(stage: Stage) {
    let joiner = stage.taken(stage.joins("RITM-1", json!({})).await).await;
    let (link, form) = (stage.link(ANA), stage.form(&stage.link(ANA)).await.unwrap());
    let answer = stage.rescinds("joiner", "RITM-2", "RITM-1").await;
    assert_eq!((answer.status, answer.workflow()), (202, joiner.clone()), "{}", answer.body);
    assert_eq!(answer.json()["state"], "cancelled");
    let shown = stage.api(&format!("/{joiner}")).await;
    assert_eq!((&shown["state"], &shown["cancelled_by"]), (&json!("cancelled"), &json!("RITM-2")));
    stage.settle().await;
    stage.is_dead(&link, &form, "Its source took it back (RITM-2)").await;
    for who in [ANA, BO] {
        assert_eq!(stage.mails_like(who, "Cancelled: a new account for"), 1, "{who}");
    }
    // The same once more, under the same delivery id and under another one.
    let again = stage.rescinds("joiner", "RITM-2", "RITM-1").await;
    assert_eq!((again.status, again.json()["duplicate"].clone()), (200, json!(true)), "{}", again.body);
    let other = stage.rescinds("joiner", "RITM-3", "RITM-1").await;
    assert_eq!((other.status, other.workflow()), (202, joiner.clone()), "{}", other.body);
    stage.settle().await;
    assert_eq!(stage.mails_like(ANA, "Cancelled: "), 1);
    assert!(stage.writes().is_empty());
    // The person may be hired after all.
    assert_eq!(stage.joins("RITM-4", json!({})).await.status, 202);
    stage.check_proof(&[joiner]).await;
}

async fn a_mover_and_a_leaver_of_a_later_day_are_cancelled(stage: Stage) {
    stage.somebody();
    let mover = stage.moves("MOVE-1").await;
    let parts = json!({ "effective": from("2026-12-24") });
    let leaver = stage.leaves("LEAVE-1", parts).await;
    stage.both_approve().await;
    for (kind, reference, amends, workflow) in
        [("mover", "BACK-1", "MOVE-1", &mover), ("leaver", "BACK-2", "LEAVE-1", &leaver)]
    {
        let answer = stage.rescinds(kind, reference, amends).await;
        assert_eq!((answer.status, &answer.workflow()), (202, workflow), "{}", answer.body);
        assert_eq!(stage.state(workflow).await, "cancelled", "{kind}");
    }
    stage.later(chrono::TimeDelta::days(40)).await;
    assert!(stage.writes().is_empty(), "{:?}", stage.writes());
    stage.check_proof(&[mover, leaver]).await;
}

async fn a_joiner_who_is_done_is_made_up_for_by_a_leaver(stage: Stage) {
    let joiner = stage.hire_and_approve().await;
    assert_eq!(stage.rest(&joiner).await, "succeeded", "{}", stage.reason(&joiner).await);
    let answer = stage.rescinds("joiner", "BACK-1", "RITM0010001:3").await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    let leaver = answer.workflow();
    assert_ne!(leaver, joiner);
    let shown = stage.api(&format!("/{leaver}")).await;
    assert_eq!(
        (&shown["kind"], &shown["request"]["effective"]["immediate"]),
        (&json!("leaver"), &json!(true))
    );
    assert_eq!(stage.rescinds("joiner", "BACK-1", "RITM0010001:3").await.workflow(), leaver);
    stage.settle().await;
    assert!(stage.mails_like("pam-team@example.com", "Alarm") > 0);
    stage.both_approve().await;
    assert_eq!(stage.rest(&leaver).await, "succeeded", "{}", stage.reason(&leaver).await);
    stage.has_nothing_left();
    stage.check_proof(&[joiner, leaver]).await;
}

async fn a_joiner_who_is_under_way_is_stopped_and_made_up_for(stage: Stage) {
    let joiner = stage.approved().await;
    let busy = Effect::Status { status: 429, body: None, retry_after: Some(150), moment: Moment::Before };
    stage.simulator.vault.add_fault(Fault::on("POST", "/Members", 1, busy));
    stage.settle().await;
    assert_eq!(stage.state(&joiner).await, "running");
    let leaver = stage.taken(stage.rescinds("joiner", "BACK-1", "RITM0010001:3").await).await;
    let shown = stage.api(&format!("/{joiner}")).await;
    assert_eq!((&shown["state"], &shown["cancelled_by"]), (&json!("cancelled"), &json!("BACK-1")));
    assert_eq!(shown["superseded_by"], json!(leaver));
    assert_eq!(stage.rest(&leaver).await, "pending_approval", "{}", stage.reason(&leaver).await);
    stage.both_approve().await;
    assert_eq!(stage.rest(&leaver).await, "succeeded", "{}", stage.reason(&leaver).await);
    stage.has_nothing_left();
    stage.check_proof(&[joiner, leaver]).await;
}

async fn a_mover_who_is_done_or_under_way_is_told_to_people(stage: Stage) {
    stage.somebody();
    let mover = stage.moves("MOVE-1").await;
    stage.both_approve().await;
    let busy = Effect::Status { status: 429, body: None, retry_after: Some(150), moment: Moment::Before };
    stage.simulator.vault.add_fault(Fault::on("POST", "/Members", 1, busy));
    stage.settle().await;
    let answer = stage.rescinds("mover", "BACK-1", "MOVE-1").await;
    assert_eq!((answer.status, answer.workflow()), (202, mover.clone()), "{}", answer.body);
    stage.settle().await;
    assert_eq!(
        (stage.state(&mover).await, stage.writes()),
        ("cancelled".to_owned(), vec!["update_user".to_owned()])
    );
    assert_eq!(stage.mails_like("pam-team@example.com", "Alarm"), 1);
    stage.simulator.vault.clear_faults();
    let second = stage.moves("MOVE-2").await;
    stage.both_approve().await;
    assert_eq!(stage.rest(&second).await, "succeeded", "{}", stage.reason(&second).await);
    let answer = stage.rescinds("mover", "BACK-2", "MOVE-2").await;
    assert_eq!((answer.status, answer.json()["state"].clone()), (202, json!("succeeded")), "{}", answer.body);
    stage.settle().await;
    assert_eq!(stage.mails_like("pam-team@example.com", "Alarm"), 2);
    stage.check_proof(&[mover, second]).await;
}

async fn a_leaver_that_is_due_goes_on(stage: Stage) {
    stage.somebody();
    let leaver = stage.leaves("LEAVE-1", json!({})).await;
    let answer = stage.rescinds("leaver", "BACK-1", "LEAVE-1").await;
    assert_eq!(
        (answer.status, answer.json()["state"].clone()),
        (202, json!("pending_approval")),
        "{}",
        answer.body
    );
    stage.settle().await;
    assert_eq!(stage.mails_like("pam-team@example.com", "Alarm"), 1);
    let put_off = json!({ "op": "amend", "amends": "LEAVE-1", "effective": from("2027-01-31") });
    let answer = stage.told("leaver", "LATER-1", put_off).await;
    assert_eq!((answer.status, answer.workflow()), (202, leaver.clone()), "{}", answer.body);
    stage.both_approve().await;
    assert_eq!(stage.rest(&leaver).await, "succeeded", "{}", stage.reason(&leaver).await);
    stage.has_nothing_left();
    stage.check_proof(&[leaver]).await;
    // What was taken comes back by a rehire alone; nobody has told what she works, so that a person looks.
    let back = stage.taken(stage.rescinds("leaver", "BACK-2", "LEAVE-1").await).await;
    assert_eq!(back, stage.only_of("rehire").await);
    assert_eq!(stage.state(&back).await, "needs_attention");
    assert!(stage.reason(&back).await.contains("profile"), "{}", stage.reason(&back).await);
    stage.has_nothing_left();
}

async fn a_leaver_who_is_done_is_made_up_for_by_a_rehire(stage: Stage) {
    let joiner = stage.hire_and_approve().await;
    assert_eq!(stage.rest(&joiner).await, "succeeded", "{}", stage.reason(&joiner).await);
    let (granted, given) = (stage.her_groups(), stage.simulator.vault.add_group("Given-By-Hand").unwrap());
    let id = stage.simulator.vault.id_of("zobrien").unwrap();
    stage.simulator.vault.put_member(given, id).unwrap();
    let leaver = stage.leaves("LEAVE-1", json!({})).await;
    stage.both_approve().await;
    assert_eq!(stage.rest(&leaver).await, "succeeded", "{}", stage.reason(&leaver).await);
    let rehire = stage.taken(stage.rescinds("leaver", "BACK-1", "LEAVE-1").await).await;
    assert_eq!(rehire, stage.only_of("rehire").await);
    assert_eq!(stage.state(&rehire).await, "pending_approval", "{}", stage.reason(&rehire).await);
    // Once more under another name, and it is asked for once all the same.
    let again = stage.rescinds("leaver", "BACK-2", "LEAVE-1").await;
    assert_eq!((again.status, again.workflow()), (202, leaver.clone()), "{}", again.body);
    stage.has_nothing_left();
    stage.both_approve().await;
    assert_eq!(stage.rest(&rehire).await, "succeeded", "{}", stage.reason(&rehire).await);
    assert_eq!(rehire, stage.only_of("rehire").await);
    assert_eq!(
        (stage.her_groups(), &stage.zobrien()["enableUser"]),
        (granted, &json!(true)),
        "and no other group"
    );
    stage.check_proof(&[joiner, leaver, rehire]).await;
}

async fn what_cannot_be_taken_back_is_refused(stage: Stage) {
    stage.somebody();
    let unknown = stage.rescinds("leaver", "BACK-1", "NEVER-SENT").await;
    assert_eq!((unknown.status, unknown.json()["code"].clone()), (422, json!("unknown_reference")));
    let mover = stage.told("mover", "MOVE-1", json!({ "employment": team_lead() })).await.workflow();
    let other = stage.rescinds("leaver", "BACK-2", "MOVE-1").await;
    assert_eq!((other.status, other.json()["code"].clone()), (422, json!("other_request")), "{}", other.body);
    assert!(other.body.contains(&mover));
    let of_another = json!({
        "schema": "jml/1", "kind": "mover", "op": "rescind", "amends": "MOVE-1", "source_ref": "BACK-3",
        "person_ref": "E2",
    });
    let other = stage.post("msg_BACK-3", of_another.to_string().as_bytes()).await;
    assert_eq!((other.status, other.json()["code"].clone()), (422, json!("other_request")), "{}", other.body);
    assert_eq!(stage.rescinds("mover", "BACK-4", "MOVE-1").await.status, 202);
    let amend = json!({ "op": "amend", "amends": "MOVE-1", "employment": team_lead() });
    let ended = stage.told("mover", "MOVE-2", amend).await;
    assert_eq!((ended.status, ended.json()["code"].clone()), (422, json!("not_open")), "{}", ended.body);
}
