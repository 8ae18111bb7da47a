//! Somebody comes back whose leaver has not run yet: they stay, or wait for it.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{ANA, from, team_lead};
use crate::stage::Stage;

told_on_both! {
    who_comes_back_before_the_leaver_ran_stays_and_is_changed
    where_nothing_differs_nobody_is_asked
    who_comes_back_when_the_leaver_is_due_waits_for_it
    who_comes_back_after_a_gap_is_gone_in_between
}

/// Hired, and to leave on this day; HR said so at eight.
async fn leaves_on(stage: &Stage, day: Option<&str>) -> (String, String) {
    let joiner = stage.hire_and_approve().await;
    assert_eq!(stage.rest(&joiner).await, "succeeded", "{}", stage.reason(&joiner).await);
    let mut parts = json!({ "occurred_at": "2026-11-30T08:00:00Z" });
    if let Some(day) = day {
        parts["effective"] = from(day);
    }
    let leaver = stage.leaves("LEAVE-1", parts).await;
    (joiner, leaver)
}

/// HR said at nine that she comes back, with this work.
async fn comes_back(stage: &Stage, employment: Value, day: Option<&str>) -> String {
    let mut parts = json!({ "occurred_at": "2026-11-30T09:00:00Z", "employment": employment });
    parts["employment"]["manager"] = json!({ "email": "max@example.com" });
    if let Some(day) = day {
        parts["effective"] = from(day);
    }
    stage.taken(stage.told("rehire", "BACK-1", parts).await).await
}

async fn who_comes_back_before_the_leaver_ran_stays_and_is_changed(stage: Stage) {
    let (joiner, leaver) = leaves_on(&stage, Some("2026-12-24")).await;
    stage.both_approve().await;
    assert_eq!(stage.state(&leaver).await, "approved");
    let rehire = comes_back(&stage, team_lead(), None).await;
    let shown = stage.api(&format!("/{leaver}")).await;
    assert_eq!((&shown["state"], &shown["superseded_by"]), (&json!("superseded"), &json!(rehire)));
    assert_eq!(stage.mails_like(ANA, "Replaced: the end of the access of"), 1);
    assert_eq!(stage.state(&rehire).await, "pending_approval", "{}", stage.reason(&rehire).await);
    let page = stage.get(&stage.asked(ANA)).await.body;
    assert!(page.contains("Changed access for") && page.contains("they have not left"), "{page}");
    stage.both_approve().await;
    assert_eq!(stage.rest(&rehire).await, "succeeded", "{}", stage.reason(&rehire).await);
    stage.later(TimeDelta::days(40)).await;
    assert_eq!(stage.zobrien()["personalDetails"]["title"], json!("Team Lead"));
    assert_eq!(stage.zobrien()["enableUser"], true);
    let writes = stage.writes();
    assert!(!writes.iter().any(|what| what == "reset_password" || what == "disable_user"), "{writes:?}");
    stage.check_proof(&[joiner, leaver, rehire]).await;
}

async fn where_nothing_differs_nobody_is_asked(stage: Stage) {
    let (joiner, leaver) = leaves_on(&stage, Some("2026-12-24")).await;
    let asked = stage.mails_like(ANA, "Your approval is wanted");
    let as_before = json!({ "title": "Database Administrator", "department": "IT Ops" });
    let rehire = comes_back(&stage, as_before, None).await;
    assert_eq!(
        (stage.state(&leaver).await, stage.state(&rehire).await),
        ("superseded".into(), "succeeded".into()),
        "{}",
        stage.reason(&rehire).await
    );
    assert_eq!(stage.mails_like(ANA, "Your approval is wanted"), asked);
    let told = stage.trail(&rehire).await.pop().unwrap();
    assert!(told["personal"]["because"].as_str().unwrap().contains("as this request wants it"), "{told}");
    stage.check_proof(&[joiner, leaver, rehire]).await;
}

async fn who_comes_back_when_the_leaver_is_due_waits_for_it(stage: Stage) {
    let (joiner, leaver) = leaves_on(&stage, None).await;
    let rehire = comes_back(&stage, team_lead(), None).await;
    let shown = stage.api(&format!("/{rehire}")).await;
    assert_eq!((&shown["state"], &shown["waits_for"]), (&json!("planning"), &json!(leaver)));
    assert_eq!(stage.mails_like("pam-team@example.com", "Alarm"), 1, "two people may cancel it");
    stage.both_approve().await;
    assert_eq!(stage.rest(&leaver).await, "succeeded", "{}", stage.reason(&leaver).await);
    stage.has_nothing_left();
    stage.settle().await;
    assert_eq!(stage.state(&rehire).await, "pending_approval", "{}", stage.reason(&rehire).await);
    stage.both_approve().await;
    assert_eq!(stage.rest(&rehire).await, "succeeded", "{}", stage.reason(&rehire).await);
    assert_eq!(stage.writes().last().unwrap(), "enable_user");
    stage.check_proof(&[joiner, leaver, rehire]).await;
}

async fn who_comes_back_after_a_gap_is_gone_in_between(stage: Stage) {
    let (joiner, leaver) = leaves_on(&stage, Some("2026-12-10")).await;
    stage.both_approve().await;
    let rehire = comes_back(&stage, team_lead(), Some("2026-12-20")).await;
    assert_eq!(
        (stage.state(&leaver).await, stage.state(&rehire).await),
        ("approved".into(), "planning".into())
    );
    assert_eq!(stage.rest(&leaver).await, "succeeded", "{}", stage.reason(&leaver).await);
    stage.settle().await;
    stage.both_approve().await;
    stage.has_nothing_left();
    assert_eq!(stage.rest(&rehire).await, "succeeded", "{}", stage.reason(&rehire).await);
    assert_eq!(stage.zobrien()["enableUser"], true);
    stage.check_proof(&[joiner, leaver, rehire]).await;
}
