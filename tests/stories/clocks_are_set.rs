//! Clocks are set, sleep and differ, and nobody is let in or put out early by it.
//!
//! Must hold: a clock that has stepped begins nothing that waits for a time, until the step is undone, the database's clock
//! has gone steadily for a while, or an operator says so; the operators hear of it once. Replicas go by the database.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use countersign::clock::MayBegin;
use countersign::domain::time::Timestamp;
use countersign::simulator::hr;
use countersign::store::due::{Claimable, Whose};
use countersign::store::runs::ClaimRun;
use countersign::worker::Did;
use secrecy::SecretString;
use serde_json::json;
use uuid::Uuid;

use crate::stage::{Choices, Database, Stage, SteppedClock, WEBHOOK_SECRET, command};

begun_on_both! {
    a_clock_that_steps_forward_begins_nothing_early
    a_clock_that_steps_back_begins_nothing_either
    a_message_that_cannot_be_judged_is_to_come_again
    an_operator_says_that_the_clock_is_right
    a_leaver_who_is_due_by_every_clock_is_not_held_up
    a_clock_before_what_was_written_is_doubted_at_the_start
    a_start_makes_no_wrong_clock_right
    zone_data_that_have_changed_are_asked_before_a_run_begins
    zone_data_that_have_changed_are_asked_at_the_start
}

const ANA: &str = "ana@example.com";

/// A stage whose clock is the production's, over a pair of clocks that the story sets.
async fn stage(database: Database) -> (Stage, Arc<SteppedClock>) {
    Stage::with_stepped_clock(database, Choices::default()).await
}

/// Approved, to begin tomorrow.
async fn approved_for_tomorrow(stage: &Stage, clock: &SteppedClock) -> String {
    let tomorrow = clock.wall().plus(TimeDelta::days(1)).to_string();
    let workflow = stage.hire_told(|body| body["effective"] = json!({ "at": tomorrow })).await;
    assert_eq!(stage.decide(&stage.link(ANA), "approve", "").await.status, 303);
    stage.settle().await;
    assert_eq!(stage.state(&workflow).await, "approved");
    workflow
}

/// Asked about, to begin as soon as it is approved.
async fn due_already(stage: &Stage, clock: &SteppedClock) -> String {
    let before = clock.wall().plus(TimeDelta::hours(-1)).to_string();
    stage.hire_told(|body| body["effective"] = json!({ "at": before })).await
}

fn alarms_about_clocks(stage: &Stage) -> usize {
    let mails = stage.simulator.mailbox.mails_to("pam-team@example.com");
    mails.iter().filter(|mail| mail.text.as_ref().is_some_and(|text| text.contains("the clock"))).count()
}

async fn ready(stage: &Stage) -> (u16, String) {
    let answer = stage.open(&format!("{}/readyz", stage.url)).await;
    (answer.status, answer.body)
}

async fn a_clock_that_steps_forward_begins_nothing_early(database: Database) {
    let (stage, clock) = stage(database).await;
    let workflow = approved_for_tomorrow(&stage, &clock).await;
    assert_eq!(ready(&stage).await.0, 200);
    clock.step(TimeDelta::days(2));
    stage.settle().await;
    assert_eq!(stage.state(&workflow).await, "approved");
    assert!(stage.writes().is_empty(), "{:?}", stage.writes());
    let (status, words) = ready(&stage).await;
    assert!(status == 503 && words.contains("clock") && words.contains("has stepped"), "{words}");
    assert_eq!(alarms_about_clocks(&stage), 1);
    for _ in 0..3 {
        clock.pass(Duration::from_secs(30));
        stage.settle().await;
    }
    assert_eq!(alarms_about_clocks(&stage), 1, "it is told once");
    assert_eq!(stage.state(&workflow).await, "approved");
    stage.check_proof(&[workflow]).await;
}

/// The clock on the wall was put right, or the machine has slept: a message of this very moment looks too new.
async fn a_message_that_cannot_be_judged_is_to_come_again(database: Database) {
    let (stage, clock) = stage(database).await;
    let post = async |id: &str| {
        let (url, secret) = (format!("{}/webhooks/hr", stage.url), SecretString::from(WEBHOOK_SECRET));
        hr::post(&url, &secret, id, clock.wall().unix_seconds(), stage.joiner().bytes()).await.unwrap()
    };
    clock.step(TimeDelta::hours(1));
    stage.settle().await;
    let answer = post("msg_1").await;
    assert_eq!(answer.status, 503, "{}", answer.body);
    assert_eq!(stage.count("select count(*) from deliveries").await, 0);
    clock.step(TimeDelta::hours(-1));
    stage.settle().await;
    let answer = post("msg_1").await;
    assert_eq!(answer.status, 202, "{}", answer.body);
}

async fn a_clock_that_steps_back_begins_nothing_either(database: Database) {
    let (stage, clock) = stage(database).await;
    let at_once = due_already(&stage, &clock).await;
    clock.step(TimeDelta::days(-1));
    // What is approved meanwhile waits, whatever the hour.
    assert_eq!(stage.decide(&stage.link(ANA), "approve", "").await.status, 303);
    stage.settle().await;
    assert_eq!(stage.state(&at_once).await, "approved");
    assert_eq!((ready(&stage).await.0, alarms_about_clocks(&stage)), (503, 1));
    assert!(stage.writes().is_empty(), "{:?}", stage.writes());
}

async fn an_operator_says_that_the_clock_is_right(database: Database) {
    let (stage, clock) = stage(database).await;
    let workflow = due_already(&stage, &clock).await;
    clock.step(TimeDelta::hours(1));
    assert_eq!(stage.decide(&stage.link(ANA), "approve", "").await.status, 303);
    stage.settle().await;
    assert_eq!(stage.state(&workflow).await, "approved");
    let settings = stage.settings_file();
    let shown = command(&["clock", "show"], &settings).await;
    assert!(String::from_utf8_lossy(&shown.stdout).contains("has stepped"), "{shown:?}");
    let said = command(&["clock", "confirm", "--reason", "the machine slept"], &settings).await;
    assert!(said.status.success(), "{said:?}");
    assert_eq!(stage.rest(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    assert_eq!(ready(&stage).await.0, 200);
    let trusted = "select count(*) from audit_events where kind = 'clock.trusted'";
    assert_eq!(stage.count(trusted).await, 1);
    stage.check_proof(&[workflow]).await;
}

async fn a_leaver_who_is_due_by_every_clock_is_not_held_up(database: Database) {
    let (stage, clock) = stage(database).await;
    stage.somebody();
    let at = clock.wall().plus(TimeDelta::hours(-2)).to_string();
    let leaver = stage.leaves("LEAVE-1", json!({ "effective": { "at": at } })).await;
    let later = clock.wall().plus(TimeDelta::hours(2)).to_string();
    let other = stage.leaves("LEAVE-2", json!({ "effective": { "at": later } })).await;
    let links = stage.simulator.mailbox.links_for(ANA);
    for address in [ANA, "bo@example.com"] {
        for link in stage.simulator.mailbox.links_for(address) {
            assert_eq!(stage.decide(&link, "approve", "").await.status, 303);
        }
    }
    assert_eq!(links.len(), 2);
    clock.step(TimeDelta::days(1));
    assert_eq!(stage.rest(&leaver).await, "succeeded", "{}", stage.reason(&leaver).await);
    assert_eq!(ready(&stage).await.0, 503, "the time is in doubt all the while");
    assert_eq!(stage.state(&other).await, "approved", "due by the clock that has stepped alone");
}

async fn a_clock_before_what_was_written_is_doubted_at_the_start(database: Database) {
    let (stage, clock) = stage(database).await;
    stage.settle().await;
    let marks = "select count(*) from clock_marks";
    assert_eq!(stage.count(marks).await, 1);
    let ahead = "update clock_marks set believed_at = '2060-01-01T00:00:00+00:00'";
    stage.database.change(stage.folder.path(), ahead).await;
    let stage = stage.restart_in_time(clock.anew().guarded()).await;
    stage.settle().await;
    let (status, words) = ready(&stage).await;
    assert!(status == 503 && words.contains("was written already"), "{words}");
    assert_eq!(alarms_about_clocks(&stage), 1);
}

async fn a_start_makes_no_wrong_clock_right(database: Database) {
    let (stage, clock) = stage(database).await;
    let workflow = approved_for_tomorrow(&stage, &clock).await;
    clock.step(TimeDelta::days(2));
    stage.settle().await;
    assert_eq!(alarms_about_clocks(&stage), 1);
    let again = clock.anew();
    let stage = stage.restart_in_time(again.guarded()).await;
    stage.settle().await;
    assert_eq!((ready(&stage).await.0, stage.state(&workflow).await.as_str()), (503, "approved"));
    assert!(stage.writes().is_empty(), "{:?}", stage.writes());
    if matches!(stage.database, Database::Sqlite) {
        assert_eq!(alarms_about_clocks(&stage), 1, "it is the same doubt");
    }
    // It is set right while the service stands still.
    again.step(TimeDelta::days(-2));
    let stage = stage.restart_in_time(again.anew().guarded()).await;
    stage.settle().await;
    assert_eq!((ready(&stage).await.0, stage.state(&workflow).await.as_str()), (200, "approved"));
    if matches!(stage.database, Database::Sqlite) {
        assert_eq!(stage.count("select count(*) from clock_doubts where ended_at is null").await, 0);
    }
    stage.check_proof(&[workflow]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a PostgreSQL server; tests/all starts one and runs this"]
async fn a_replica_whose_machine_is_ninety_seconds_off_decides_by_the_same_time() {
    let choices = Choices::edited(&[("expire_after = \"7d\"", "expire_after = \"1m\"")]);
    let (stage, clock) = Stage::with_stepped_clock(Database::postgres(), choices).await;
    let off = clock.anew();
    off.step(TimeDelta::seconds(90));
    let (second, address) = stage.second_in_time(off.guarded()).await;
    let between = second.kit.world.now().since(stage.service.kit.world.now());
    // The one has stood still while the other began.
    assert!(between.abs() < TimeDelta::seconds(30), "{between}");
    let workflow = due_already(&stage, &clock).await;
    let link = stage.link(ANA);
    let there = link.replace(&stage.url, &address);
    // By its own machine's clock it would be over there.
    for worker in second.workers() {
        while let Did::Work(_) = worker.turn().await.unwrap() {}
    }
    assert_eq!(stage.state(&workflow).await, "pending_approval");
    assert!(stage.open(&there).await.asks());
    // The very same moment ends it for both.
    let ends = stage.api(&format!("/{workflow}")).await["expires_at"].as_str().map(Timestamp::parse);
    let left = ends.unwrap().unwrap().since(stage.service.kit.world.now());
    let all = left.to_std().unwrap() + Duration::from_secs(2);
    clock.pass(all);
    off.pass(all);
    for url in [&link, &there] {
        let page = stage.open(url).await;
        assert!(page.body.contains("The time for an answer ended at") && !page.asks(), "{}", page.body);
    }
    second.kit.store.close().await;
}

/// Both ways: one whose machine is ahead takes no lease that stands, and what one holds whose machine is behind is not over
/// for the others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a PostgreSQL server; tests/all starts one and runs this"]
async fn a_replica_whose_machine_is_off_takes_nobodys_lease_and_keeps_its_own() {
    for minutes in [4, -4] {
        let (stage, clock) = Stage::with_stepped_clock(Database::postgres(), Choices::default()).await;
        let off = clock.anew();
        off.step(TimeDelta::minutes(minutes));
        let (second, _address) = stage.second_in_time(off.guarded()).await;
        let workflow = due_already(&stage, &clock).await;
        assert_eq!(stage.decide(&stage.link(ANA), "approve", "").await.status, 303);
        let (holds, looks) = if minutes > 0 { (&stage.service, &second) } else { (&second, &stage.service) };
        // Whoever has taken it up is at a slow call.
        let (world, store) = (&holds.kit.world, &holds.kit.store);
        let claimable = Claimable { whose: Whose::Anybodys, resting: vec![], may_begin: MayBegin::Anything };
        let (holder, until) = (Uuid::from_u128(1), world.now().plus_seconds(120));
        let claim = ClaimRun { stamp: world.stamp(), holder, until, claimable, kept: None };
        store.write(claim).await.unwrap().expect("a run is due");
        let executor = looks.workers().iter().find(|worker| worker.name() == "executor").unwrap();
        for _ in 0..3 {
            assert!(!matches!(executor.turn().await.unwrap(), Did::Work(_)), "{minutes}");
        }
        assert!(stage.writes().is_empty(), "{:?}", stage.writes());
        // By the time of all of them it is over now.
        clock.pass(Duration::from_secs(200));
        off.pass(Duration::from_secs(200));
        while let Did::Work(_) = executor.turn().await.unwrap() {}
        assert_eq!(stage.state(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
        second.kit.store.close().await;
    }
}

/// An earlier version has computed another instant for the day than this one does.
async fn computed_otherwise(stage: &Stage, instant: &str) {
    let change = format!(
        "update workflows set not_before = '{instant}', due_at = case when state = 'approved' then '{instant}' else due_at end"
    );
    stage.database.change(stage.folder.path(), &change).await;
}

async fn zone_data_that_have_changed_are_asked_before_a_run_begins(database: Database) {
    let stage = Stage::begin(database).await;
    let day = json!({ "at": "2026-12-10", "tz": "Europe/Berlin" });
    let workflow = stage.hire_told(|body| body["effective"] = day).await;
    assert_eq!(stage.decide(&stage.link(ANA), "approve", "").await.status, 303);
    stage.settle().await;
    // By the old data the day began an hour earlier.
    computed_otherwise(&stage, "2026-12-09T22:00:00+00:00").await;
    stage.later(TimeDelta::days(8) + TimeDelta::hours(14) + TimeDelta::minutes(30)).await;
    assert_eq!(stage.state(&workflow).await, "approved", "it is 22:30 in UTC, and the day begins at 23:00");
    assert!(stage.writes().is_empty(), "{:?}", stage.writes());
    let trail = stage.trail(&workflow).await;
    let moved: Vec<_> = trail.iter().filter(|event| event["kind"] == "workflow.rescheduled").collect();
    assert_eq!(moved.len(), 1);
    assert_eq!(moved[0]["facts"]["to"], "2026-12-09T23:00:00.000000Z");
    let page = stage.open(&format!("{}/workflows/{workflow}", stage.url)).await.body;
    assert!(page.contains("the time zone data have changed"), "{page}");
    stage.later(TimeDelta::minutes(31)).await;
    assert_eq!(stage.state(&workflow).await, "succeeded", "and nobody was asked again");
    stage.check(&workflow).await;
}

async fn zone_data_that_have_changed_are_asked_at_the_start(database: Database) {
    let stage = Stage::begin(database).await;
    let day = json!({ "at": "2026-12-10", "tz": "Europe/Berlin" });
    let workflow = stage.hire_told(|body| body["effective"] = day).await;
    assert_eq!(stage.decide(&stage.link(ANA), "approve", "").await.status, 303);
    stage.settle().await;
    // By the old data the day began two hours later, so nothing would look at it in time.
    computed_otherwise(&stage, "2026-12-10T01:00:00+00:00").await;
    let known = "update installation set value = '2020a' where name = 'zone_data'";
    stage.database.change(stage.folder.path(), known).await;
    let stage = stage.restart().await;
    stage.settle().await;
    let shown = stage.api(&format!("/{workflow}")).await;
    assert_eq!(
        (&shown["state"], &shown["not_before"]),
        (&json!("approved"), &json!("2026-12-09T23:00:00.000000Z"))
    );
    stage.later(TimeDelta::days(8) + TimeDelta::hours(15) + TimeDelta::minutes(1)).await;
    assert_eq!(stage.state(&workflow).await, "succeeded");
    let moved = "select count(*) from audit_events where kind = 'workflow.rescheduled'";
    assert_eq!(stage.count(moved).await, 1, "once");
    stage.check(&workflow).await;
}
