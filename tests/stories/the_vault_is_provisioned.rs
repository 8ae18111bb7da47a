//! The run: what is written into the vault, in which order, and how the trail tells it.

use chrono::TimeDelta;

use crate::stage::{Choices, Database, Dialect, Stage};

told_on_both! {
    an_approved_joiner_is_carried_out_and_verified
    execution_waits_for_the_effective_day
}

async fn an_approved_joiner_is_carried_out_and_verified(stage: Stage) {
    let workflow = stage.hire_and_approve().await;
    assert_eq!(stage.state(&workflow).await, "succeeded");
    // In the product's dialect a new user must change the password anyway, so no PUT is needed.
    assert_eq!(stage.writes(), ["create_user", "add_member", "add_member"]);
    let user = stage.simulator.vault.user("zobrien").unwrap();
    assert_eq!(user["personalDetails"]["lastName"], "O'Brien");
    assert_eq!(user["changePassOnNextLogon"], true);
}

async fn execution_waits_for_the_effective_day(stage: Stage) {
    let mut joiner = stage.joiner();
    "2026-12-03".clone_into(&mut joiner.effective_at);
    let workflow = stage.hire_as(&joiner).await;
    stage.settle().await;
    assert_eq!(stage.decide(&stage.link("ana@example.com"), "approve", "").await.status, 303);
    stage.settle().await;
    assert_eq!(stage.state(&workflow).await, "approved");
    // The day begins in Berlin at 23:00 UTC; the story began on 1 December at 08:00.
    stage.later(TimeDelta::hours(38)).await;
    assert_eq!((stage.state(&workflow).await.as_str(), stage.writes().len()), ("approved", 0));
    stage.later(TimeDelta::hours(1)).await;
    assert_eq!(stage.state(&workflow).await, "succeeded");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_guides_dialect_is_found_out() {
    let choices = Choices { dialect: Dialect::GuideAuto, ..Choices::default() };
    let stage = Stage::with(Database::sqlite(), choices).await;
    let workflow = stage.hire_and_approve().await;
    assert_eq!(stage.state(&workflow).await, "succeeded");
    assert_eq!(stage.writes(), ["create_user", "add_member", "add_member", "update_user"]);
}
