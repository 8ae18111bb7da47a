//! The settings of now hold for what was taken in under those of then.
//!
//! Must hold: leave that a source has lost is lost for its older requests, too, planned or not; what was taken in once
//! stays known, however the settings would read it today.

use serde_json::json;

use crate::stage::{Choices, ONE_OF_THE_GROUP, Stage};

told_on_both! {
    with crate::the_settings_have_changed::with_another_group();
    a_field_that_may_not_be_set_any_more_is_not_planned
    a_field_that_may_not_be_set_any_more_is_not_carried_out
    nothing_is_done_for_a_source_that_is_gone
    the_same_message_is_a_repeat_in_another_time_zone
}

const MAY_SET: &str = "may_set = [\"employment.manager.email\", \"account.description\", \"account.groups\", \"account.location\", \"account.user_type\", \"account.expires_at\"]";

pub fn with_another_group() -> Choices {
    Choices::edited(&[("grantable_groups = [", "grantable_groups = [\"Extra\", ")])
}

/// Asks for a group that only a source with leave may name.
async fn asked_for_extra(stage: &Stage) -> String {
    stage.simulator.vault.add_group("Extra").unwrap();
    let mut joiner = stage.joiner();
    joiner.account = Some(json!({ "groups": ["Extra"] }));
    stage.hire_as(&joiner).await
}

async fn without_the_leave(mut stage: Stage) -> Stage {
    stage.choices.edits.push((MAY_SET.to_owned(), "may_set = [\"employment.manager.email\"]".to_owned()));
    stage.restart().await
}

async fn waits_with_nothing_written(stage: &Stage, workflow: &str, why: &str) {
    assert_eq!(stage.rest(workflow).await, "needs_attention");
    let reason = stage.reason(workflow).await;
    assert!(reason.contains(why), "{reason}");
    assert!(stage.writes().is_empty());
    assert_eq!(stage.calls_for_help(), 1);
}

async fn a_field_that_may_not_be_set_any_more_is_not_planned(stage: Stage) {
    let workflow = asked_for_extra(&stage).await;
    let stage = without_the_leave(stage).await;
    waits_with_nothing_written(&stage, &workflow, "the source hr may not set account.groups any more").await;
    assert!(stage.simulator.mailbox.links_for("ana@example.com").is_empty());
    // With the leave given back it goes on from there.
    let mut stage = stage;
    stage.choices.edits.pop();
    let stage = stage.restart().await;
    assert_eq!(stage.retry(&workflow).await, "pending_approval", "{}", stage.reason(&workflow).await);
}

async fn a_field_that_may_not_be_set_any_more_is_not_carried_out(stage: Stage) {
    let workflow = asked_for_extra(&stage).await;
    stage.settle().await;
    assert_eq!(stage.decide(&stage.link("ana@example.com"), "approve", "").await.status, 303);
    let stage = without_the_leave(stage).await;
    waits_with_nothing_written(&stage, &workflow, "the source hr may not set account.groups any more").await;
    assert_eq!(stage.retry(&workflow).await, "needs_attention");
    assert!(stage.writes().is_empty());
}

async fn nothing_is_done_for_a_source_that_is_gone(mut stage: Stage) {
    let planned = asked_for_extra(&stage).await;
    stage.settle().await;
    assert_eq!(stage.decide(&stage.link("ana@example.com"), "approve", "").await.status, 303);
    // Under another name it is another source.
    stage.choices.edits.push(("name = \"hr\"".to_owned(), "name = \"personnel\"".to_owned()));
    let stage = stage.restart().await;
    waits_with_nothing_written(&stage, &planned, "the source hr is no longer in the settings").await;
}

async fn the_same_message_is_a_repeat_in_another_time_zone(mut stage: Stage) {
    let mut body = stage.joiner().body();
    body["effective"].as_object_mut().unwrap().remove("tz");
    let body = body.to_string().into_bytes();
    let first = stage.post("msg_1", &body).await;
    assert_eq!(first.status, 202, "{}", first.body);
    for change in [
        ("timezone = \"Europe/Berlin\"", "timezone = \"Europe/Paris\""),
        // Today these very bytes would be refused.
        (MAY_SET, "may_set = [\"account.groups\"]"),
        (ONE_OF_THE_GROUP, ONE_OF_THE_GROUP),
    ] {
        stage.choices.edits.push((change.0.to_owned(), change.1.to_owned()));
        stage = stage.restart().await;
        let again = stage.post("msg_1", &body).await;
        assert_eq!(again.status, 200, "{}", again.body);
        assert_eq!((again.workflow(), &again.json()["duplicate"]), (first.workflow(), &json!(true)));
    }
    stage.settle().await;
    // What the source has lost the leave for goes to a person; that the event came again alarms nobody.
    let told = stage.simulator.mailbox.mails_to("pam-team@example.com");
    assert!(told.iter().all(|mail| !mail.subject.starts_with("Alarm")));
    // Other bytes under that id are still another event.
    let mut other = stage.joiner();
    "Chief".clone_into(&mut other.title);
    assert_eq!(stage.post("msg_1", &other.bytes()).await.status, 422);
}
