//! A date moves, or something else of a request: what has not begun is replaced, and people are asked again.

use countersign::domain::approval::Verdict;
use serde_json::json;

use super::{ANA, BO, from, team_lead};
use crate::stage::Stage;

told_on_both! {
    a_joiner_is_replaced_by_one_of_another_day
    a_mover_and_a_leaver_are_replaced_by_later_ones
    a_higher_number_orders_what_says_nothing_of_the_earlier_one
    a_joiner_who_is_done_and_begins_later_is_disabled_until_then
    a_leaver_who_is_done_and_leaves_later_is_asked_back_until_then
    an_earlier_leaver_is_asked_about_anew_and_silence_does_not_hold_it_up
    an_amendment_of_an_amendment_is_followed
}

async fn a_joiner_is_replaced_by_one_of_another_day(stage: Stage) {
    let first = stage.taken(stage.joins("RITM-1", json!({ "effective": from("2026-12-10") })).await).await;
    assert_eq!(stage.decide(&stage.link(ANA), "approve", "").await.status, 303);
    let old = stage.link(BO);
    let amend = json!({ "op": "amend", "amends": "RITM-1", "effective": from("2026-12-20") });
    let second = stage.taken(stage.joins("RITM-2", amend).await).await;
    assert_eq!(
        (stage.state(&first).await, stage.state(&second).await),
        ("superseded".into(), "pending_approval".into())
    );
    let page = stage.get(&old).await.body;
    assert!(page.contains(&format!("A joiner took its place, workflow {second}")), "{page}");
    let new = stage.link(BO);
    assert_ne!(new, old);
    let page = stage.get(&new).await.body;
    let replaced = "the joiner that came in at";
    assert!(page.contains(replaced) && page.contains("was to take effect at 2026-12-09 23:00 UTC"), "{page}");
    let mail = stage.simulator.mailbox.mails_to(BO).pop().unwrap();
    // Mail breaks its lines where it likes.
    let text = mail.text.unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains(replaced), "{text}");
    // It is asked about again, and runs on its own day.
    stage.pass(chrono::TimeDelta::days(12)).await;
    assert!(stage.writes().is_empty(), "{:?}", stage.writes());
    assert_eq!(stage.state(&second).await, "expired", "nobody has approved the new day");
    stage.check_proof(&[first, second]).await;
}

async fn a_mover_and_a_leaver_are_replaced_by_later_ones(stage: Stage) {
    stage.somebody();
    let parts = json!({ "effective": from("2026-12-10"), "employment": team_lead() });
    let mover = stage.taken(stage.told("mover", "MOVE-1", parts).await).await;
    let amend = json!({
        "op": "amend", "amends": "MOVE-1", "effective": from("2026-12-05"), "employment": team_lead(),
    });
    let sooner = stage.taken(stage.told("mover", "MOVE-2", amend).await).await;
    assert_eq!(stage.state(&mover).await, "superseded");
    let leaver = stage.leaves("LEAVE-1", json!({ "effective": from("2026-12-20") })).await;
    stage.both_approve().await;
    assert_eq!(stage.state(&leaver).await, "approved");
    let amend = json!({ "op": "amend", "amends": "LEAVE-1", "effective": from("2027-01-20") });
    let later = stage.taken(stage.told("leaver", "LEAVE-2", amend).await).await;
    assert_eq!(
        (stage.state(&leaver).await, stage.state(&later).await),
        ("superseded".into(), "pending_approval".into())
    );
    // It was known from the first word on that she leaves; the clock of the second counts from the new day.
    for (question, count) in [("count(distinct received_at)", 1), ("count(distinct starts_at)", 2)] {
        assert_eq!(stage.count(&format!("select {question} from leaver_clocks")).await, count, "{question}");
    }
    assert_eq!(stage.state(&sooner).await, "pending_approval", "it comes before either");
    assert!(stage.mails_like(ANA, "Replaced: the end of the access of") == 1);
    stage.check_proof(&[mover, sooner, leaver, later]).await;
}

async fn a_higher_number_orders_what_says_nothing_of_the_earlier_one(stage: Stage) {
    let day = |day: &str, number: u32| json!({ "effective": from(day), "sequence": number });
    let first = stage.taken(stage.joins("RITM-1", day("2026-12-10", 4)).await).await;
    let second = stage.taken(stage.joins("RITM-2", day("2026-12-20", 6)).await).await;
    assert_eq!(stage.state(&first).await, "superseded");
    // By the moment it happened, where nothing is counted.
    let mut leavers = vec![];
    for (reference, at) in [("LEAVE-1", "2026-11-30T08:00:00Z"), ("LEAVE-2", "2026-11-30T09:00:00Z")] {
        let parts = json!({ "effective": from("2027-01-31"), "occurred_at": at });
        leavers.push(stage.taken(stage.told("leaver", reference, parts).await).await);
    }
    let [one, other]: [String; 2] = leavers.try_into().unwrap();
    assert_eq!(
        (stage.state(&one).await, stage.state(&second).await),
        ("superseded".into(), "pending_approval".into())
    );
    stage.check_proof(&[first, second, one, other]).await;
}

async fn a_joiner_who_is_done_and_begins_later_is_disabled_until_then(stage: Stage) {
    let joiner = stage.hire_and_approve().await;
    assert_eq!(stage.rest(&joiner).await, "succeeded", "{}", stage.reason(&joiner).await);
    let amend = json!({ "op": "amend", "amends": "RITM0010001:3", "effective": from("2026-12-20") });
    let second = stage.taken(stage.joins("RITM-2", amend).await).await;
    let shown = stage.api(&format!("/{second}")).await;
    assert_eq!(shown["state"], "planning");
    let leaver = shown["waits_for"].as_str().unwrap().to_owned();
    let shown = stage.api(&format!("/{leaver}")).await;
    assert_eq!((&shown["kind"], &shown["state"]), (&json!("leaver"), &json!("pending_approval")));
    assert!(stage.mails_like("pam-team@example.com", "Alarm") > 0);
    stage.both_approve().await;
    assert_eq!(stage.rest(&leaver).await, "succeeded", "{}", stage.reason(&leaver).await);
    stage.has_nothing_left();
    // She is asked back for her day, and is not there before it.
    stage.settle().await;
    assert_eq!(stage.state(&second).await, "pending_approval", "{}", stage.reason(&second).await);
    stage.both_approve().await;
    stage.pass(chrono::TimeDelta::days(2)).await;
    assert_eq!(stage.state(&second).await, "approved");
    stage.has_nothing_left();
    assert_eq!(stage.rest(&second).await, "succeeded", "{}", stage.reason(&second).await);
    assert_eq!(stage.clock.read().date_naive().to_string(), "2026-12-19", "midnight in Berlin");
    assert_eq!(stage.zobrien()["enableUser"], true);
    assert_eq!(stage.writes().iter().filter(|what| *what == "create_user").count(), 1);
    stage.check_proof(&[joiner, leaver, second]).await;
}

async fn a_leaver_who_is_done_and_leaves_later_is_asked_back_until_then(stage: Stage) {
    let joiner = stage.hire_and_approve().await;
    assert_eq!(stage.rest(&joiner).await, "succeeded", "{}", stage.reason(&joiner).await);
    let leaver = stage.leaves("LEAVE-1", json!({})).await;
    stage.both_approve().await;
    assert_eq!(stage.rest(&leaver).await, "succeeded", "{}", stage.reason(&leaver).await);
    stage.has_nothing_left();
    let amend = json!({ "op": "amend", "amends": "LEAVE-1", "effective": from("2026-12-20") });
    let later = stage.taken(stage.told("leaver", "LEAVE-2", amend).await).await;
    let rehire = stage.only_of("rehire").await;
    for (workflow, state) in [(&later, "pending_approval"), (&rehire, "pending_approval")] {
        assert_eq!(stage.state(workflow).await, state, "{}", stage.reason(workflow).await);
    }
    stage.has_nothing_left();
    stage.everything_is_approved().await;
    assert_eq!(stage.rest(&rehire).await, "succeeded", "{}", stage.reason(&rehire).await);
    assert_eq!(stage.zobrien()["enableUser"], true);
    assert_eq!(stage.state(&later).await, "approved");
    // The new day holds all the same.
    assert_eq!(stage.rest(&later).await, "succeeded", "{}", stage.reason(&later).await);
    stage.has_nothing_left();
    stage.check_proof(&[joiner, leaver, rehire, later]).await;
}

async fn an_earlier_leaver_is_asked_about_anew_and_silence_does_not_hold_it_up(stage: Stage) {
    stage.somebody();
    let leaver = stage.leaves("LEAVE-1", json!({ "effective": from("2026-12-20") })).await;
    stage.both_approve().await;
    assert_eq!(stage.state(&leaver).await, "approved");
    let amend = json!({ "op": "amend", "amends": "LEAVE-1", "effective": from("2026-12-05") });
    let sooner = stage.taken(stage.told("leaver", "LEAVE-2", amend).await).await;
    assert_eq!(
        (stage.state(&leaver).await, stage.state(&sooner).await),
        ("superseded".into(), "pending_approval".into()),
        "an approval is given to a plan and to its day"
    );
    stage.pass(chrono::TimeDelta::days(6)).await;
    assert_eq!(stage.state(&sooner).await, "needs_attention", "nobody has answered");
    stage.overrule(&sooner, Verdict::Approve).await;
    assert_eq!(stage.rest(&sooner).await, "succeeded", "{}", stage.reason(&sooner).await);
    stage.has_nothing_left();
    stage.check_proof(&[leaver, sooner]).await;
}

async fn an_amendment_of_an_amendment_is_followed(stage: Stage) {
    let first = stage.taken(stage.joins("RITM-1", json!({ "effective": from("2026-12-10") })).await).await;
    for (reference, amends, day) in [("RITM-2", "RITM-1", "2026-12-12"), ("RITM-3", "RITM-2", "2026-12-14")] {
        let amend = json!({ "op": "amend", "amends": amends, "effective": from(day) });
        stage.taken(stage.joins(reference, amend).await).await;
    }
    // Taking the first one back means what has come of it.
    let answer = stage.rescinds("joiner", "BACK-1", "RITM-1").await;
    assert_eq!((answer.status, answer.json()["state"].clone()), (202, json!("cancelled")), "{}", answer.body);
    assert_eq!(stage.state(&first).await, "superseded");
    let open = "select count(*) from workflows where state not in ('superseded', 'cancelled')";
    assert_eq!(stage.count(open).await, 0);
}
