//! A row of our own has been changed behind our back: a run that cannot read its plan goes to a person, a workflow that
//! makes no sense is set aside while all others go on, and who must agree is what the trail tells, not what a row says.

use chrono::TimeDelta;
use countersign::audit;
use serde_json::json;

use crate::stage::{Choices, Database, ONE_OF_THE_GROUP, READER, Stage};

told_on_both! {
    a_plan_that_is_not_the_approved_one_any_more_is_not_carried_out
    a_row_that_makes_no_sense_stops_nobody_else_from_being_planned
    a_row_that_makes_no_sense_stops_nobody_else_from_being_carried_out
    a_row_that_makes_no_sense_stops_nobody_else_from_coming_to_rest
    a_row_that_makes_no_sense_is_told_in_its_place
    nobody_decides_where_fewer_would_do_than_the_trail_tells
    nothing_begins_where_fewer_would_do_than_the_trail_tells
    whoever_was_given_a_link_behind_our_back_is_named
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

async fn a_row_that_makes_no_sense_is_told_in_its_place(stage: Stage) {
    let older = another(&stage).await;
    let broken = stage.hire().await;
    let newer = stage
        .hire_told(|body| {
            body["source_ref"] = json!("OTHER:2");
            body["person_ref"] = json!("E3");
            body["subject"]["username"] = json!("third");
        })
        .await;
    break_row(&stage, &stage.joiner().source_ref).await;
    let page = stage.api("").await;
    let ids: Vec<&str> =
        page["workflows"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!(ids, [&*newer, &*broken, &*older]);
    let told = &page["workflows"][1];
    assert_eq!(told["state"], "pending_approval");
    assert!(told["unreadable"].as_str().unwrap().contains("cannot be read"), "{told}");
    // A page that ends with it leads to the next one.
    let cut = stage.api("?limit=2").await;
    let next = stage.api(&format!("?limit=2&cursor={}", cut["next_cursor"].as_str().unwrap())).await;
    assert_eq!(next["workflows"][0]["id"], json!(older));
    let board = stage.open(&format!("{}/workflows", stage.url)).await;
    assert_eq!(board.status, 200);
    for told in [&*newer, &*broken, &*older, "this record cannot be read"] {
        assert!(board.body.contains(told), "{told} in {}", board.body);
    }
}

/// Both of the group must say yes.
async fn wanting_both(stage: &Stage) -> Stage {
    let both = "stages = [{ ask = [\"group:pam-admins\"], quorum = 2 }]\n";
    let choices = Choices::edited(&[(&format!("{ONE_OF_THE_GROUP}\n"), both)]);
    Stage::with(stage.database.another(), choices).await
}

/// Somebody with the database's password makes one yes enough.
async fn make_one_enough(stage: &Stage) {
    let (from, to) = ("\"quorum\":2", "\"quorum\":1");
    let changed = match stage.database {
        Database::Sqlite => {
            format!(
                "update plans set routing = cast(replace(cast(routing as text), '{from}', '{to}') as blob)"
            )
        }
        Database::Postgres { .. } => format!(
            "update plans set routing = convert_to(replace(convert_from(routing, 'UTF8'), '{from}', '{to}'), 'UTF8')"
        ),
    };
    stage.database.change(stage.folder.path(), &changed).await;
}

/// What the auditor finds.
async fn found(stage: &Stage) -> Vec<String> {
    let kit = &stage.service.kit;
    let verdict = audit::verify(&kit.store, &kit.keys, None).await.unwrap();
    assert_eq!(verdict.not_covered, 0);
    verdict.faults.iter().map(ToString::to_string).collect()
}

async fn nobody_decides_where_fewer_would_do_than_the_trail_tells(stage: Stage) {
    let stage = wanting_both(&stage).await;
    let workflow = stage.hire_told(|_| ()).await;
    let trail = stage.trail(&workflow).await;
    let planned = trail.iter().find(|event| event["kind"] == "workflow.planned").unwrap();
    let asked = planned["personal"]["asked"].as_str().unwrap();
    assert!(asked.contains("ana@example.com") && asked.contains("\"quorum\":2"), "{asked}");
    assert_eq!(found(&stage).await, [""; 0]);
    make_one_enough(&stage).await;
    let answer = stage.decide(&stage.link("ana@example.com"), "approve", "").await;
    assert_eq!(answer.status, 409, "{}", answer.body);
    assert!(answer.body.contains("is not the one of which the audit trail tells"), "{}", answer.body);
    assert_eq!(stage.decisions().await, 0);
    assert_eq!(stage.state(&workflow).await, "pending_approval");
    let found = found(&stage).await;
    assert!(
        found.iter().any(|one| one.contains("who is asked about plan 1") && one.contains(&workflow)),
        "{found:?}"
    );
}

async fn nothing_begins_where_fewer_would_do_than_the_trail_tells(stage: Stage) {
    let stage = wanting_both(&stage).await;
    let workflow = stage.hire_told(|_| ()).await;
    for address in ["ana@example.com", "bo@example.com"] {
        assert_eq!(stage.decide(&stage.link(address), "approve", "").await.status, 303);
    }
    make_one_enough(&stage).await;
    assert_eq!(stage.rest(&workflow).await, "needs_attention");
    let reason = stage.reason(&workflow).await;
    assert!(reason.contains("is not the one of which the audit trail tells"), "{reason}");
    assert!(stage.writes().is_empty());
    assert!(!found(&stage).await.is_empty());
}

async fn whoever_was_given_a_link_behind_our_back_is_named(stage: Stage) {
    let workflow = stage.hire_told(|_| ()).await;
    assert_eq!(found(&stage).await, [""; 0]);
    let given = "update asks set approver = 'eve@example.com', approver_key = 'eve@example.com' \
                 where approver = 'bo@example.com'";
    stage.database.change(stage.folder.path(), given).await;
    let found = found(&stage).await;
    assert!(found.iter().any(|one| one.contains("a link to plan 1") && one.contains(&workflow)), "{found:?}");
}
