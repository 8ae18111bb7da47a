//! A date moves, or something else of a request: what has not begun is replaced, and people are asked again.

use serde_json::json;

use super::{ANA, BO, from, team_lead};
use crate::stage::Stage;

told_on_both! {
    a_joiner_is_replaced_by_one_of_another_day
    a_mover_and_a_leaver_are_replaced_by_later_ones
    a_higher_number_orders_what_says_nothing_of_the_earlier_one
    a_joiner_who_is_done_and_moves_is_told_to_people
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

async fn a_joiner_who_is_done_and_moves_is_told_to_people(stage: Stage) {
    let joiner = stage.hire_and_approve().await;
    assert_eq!(stage.rest(&joiner).await, "succeeded", "{}", stage.reason(&joiner).await);
    let writes = stage.writes();
    let amend = json!({ "op": "amend", "amends": "RITM0010001:3", "effective": from("2026-12-20") });
    let answer = stage.joins("RITM-2", amend).await;
    assert_eq!((answer.status, answer.workflow()), (202, joiner.clone()), "{}", answer.body);
    stage.settle().await;
    assert_eq!(stage.mails_like("pam-team@example.com", "Alarm"), 1);
    assert_eq!((stage.state(&joiner).await, stage.writes()), ("succeeded".to_owned(), writes));
    stage.check_proof(&[joiner]).await;
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
