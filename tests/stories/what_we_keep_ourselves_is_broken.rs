//! A row of our own has been changed behind our back: a run that cannot read its plan goes to a person, and a workflow
//! that makes no sense is set aside while all others go on.

use chrono::TimeDelta;
use serde_json::json;

use crate::stage::{Database, READER, Stage};

told_on_both! {
    a_plan_that_is_not_the_approved_one_any_more_is_not_carried_out
    a_row_that_makes_no_sense_stops_nobody_else_from_being_planned
    a_row_that_makes_no_sense_stops_nobody_else_from_being_carried_out
    a_row_that_makes_no_sense_stops_nobody_else_from_coming_to_rest
}

async fn a_plan_that_is_not_the_approved_one_any_more_is_not_carried_out(stage: Stage) {
    let workflow = stage.approved().await;
    let changed = match stage.database {
        Database::Sqlite => "update plans set bytes = x'7b7d'",
        Database::Postgres { .. } => "update plans set bytes = '\\x7b7d'",
    };
    stage.database.change(stage.folder.path(), changed).await;
    stage.settle().await;
    // Whoever asks for the whole is told that something is wrong; the row says what.
    let row = format!("{}/api/v1/workflows/{workflow}", stage.url);
    assert_eq!(stage.browser.get(row).bearer_auth(READER).send().await.unwrap().status(), 500);
    let question = "select state || ': ' || reason from workflows";
    let rests = stage.database.texts(stage.folder.path(), question).await;
    assert!(rests[0].starts_with("needs_attention: ") && rests[0].contains("plan"), "{rests:?}");
    assert!(stage.writes().is_empty(), "{:?}", stage.writes());
    assert_eq!(stage.calls_for_help(), 1, "the operators are written to, once");
}

/// The namespace of a workflow is lost; by the sender's reference.
async fn break_row(stage: &Stage, source_ref: &str) {
    let lost = format!("update workflows set namespace = '' where source_ref = '{source_ref}'");
    stage.database.change(stage.folder.path(), &lost).await;
}

async fn mend_row(stage: &Stage) {
    let found = "update workflows set namespace = 'corp' where namespace = ''";
    stage.database.change(stage.folder.path(), found).await;
}

/// How often the operators were alarmed about it.
fn alarms(stage: &Stage, workflow: &str) -> usize {
    let mails = stage.simulator.mailbox.mails_to("pam-team@example.com").into_iter();
    let about = |text: &str| text.contains("a name breaks its own rule") && text.contains(workflow);
    mails.filter(|mail| mail.text.as_deref().is_some_and(about)).count()
}

/// Somebody else, taken in beside a row that is broken.
async fn another(stage: &Stage) -> String {
    stage
        .hire_told(|body| {
            body["source_ref"] = json!("OTHER:1");
            body["person_ref"] = json!("E2");
            body["subject"]["username"] = json!("other");
        })
        .await
}

async fn a_row_that_makes_no_sense_stops_nobody_else_from_being_planned(stage: Stage) {
    let broken = stage.hire().await;
    break_row(&stage, &stage.joiner().source_ref).await;
    let healthy = another(&stage).await;
    assert_eq!(stage.state(&healthy).await, "pending_approval");
    stage.later(TimeDelta::hours(5)).await;
    stage.later(TimeDelta::hours(5)).await;
    assert_eq!(alarms(&stage, &broken), 1, "the operators are alarmed, once");
    // Once it is mended it goes on by itself.
    mend_row(&stage).await;
    stage.later(TimeDelta::hours(2)).await;
    assert_eq!(stage.state(&broken).await, "pending_approval");
}

async fn a_row_that_makes_no_sense_stops_nobody_else_from_being_carried_out(stage: Stage) {
    let broken = stage.approved().await;
    break_row(&stage, &stage.joiner().source_ref).await;
    let healthy = another(&stage).await;
    assert_eq!(stage.decide(&stage.link("ana@example.com"), "approve", "").await.status, 303);
    stage.settle().await;
    assert_eq!(stage.state(&healthy).await, "succeeded");
    stage.later(TimeDelta::hours(5)).await;
    assert_eq!(alarms(&stage, &broken), 1, "the operators are alarmed, once");
    mend_row(&stage).await;
    stage.later(TimeDelta::hours(2)).await;
    assert_eq!(stage.state(&broken).await, "succeeded");
}

async fn a_row_that_makes_no_sense_stops_nobody_else_from_coming_to_rest(stage: Stage) {
    let broken = stage.hire().await;
    stage.settle().await;
    let healthy = another(&stage).await;
    break_row(&stage, &stage.joiner().source_ref).await;
    stage.later(TimeDelta::days(8)).await;
    stage.later(TimeDelta::hours(1)).await;
    assert_eq!(stage.state(&healthy).await, "expired");
    assert_eq!(alarms(&stage, &broken), 1, "the operators are alarmed, once");
    mend_row(&stage).await;
    stage.later(TimeDelta::hours(1)).await;
    assert_eq!(stage.state(&broken).await, "expired");
}
