//! Events that come in too late, too early, or once more under another name.

use serde_json::json;

use super::{ANA, from, team_lead};
use crate::stage::Stage;

told_on_both! {
    an_older_event_is_recorded_and_ignored
    what_was_said_before_a_leaver_gives_nothing_back
    what_wants_the_same_is_the_same
    two_that_nothing_orders_are_refused_and_told
    what_gives_very_late_is_looked_at_first
    a_late_leaver_goes_on_at_once_and_says_how_late
    a_slip_of_the_date_is_refused
    an_update_beside_the_hire_changes_nothing_and_asks_nobody
}

async fn an_older_event_is_recorded_and_ignored(stage: Stage) {
    stage.somebody();
    let parts = json!({ "effective": from("2026-12-24"), "sequence": 7 });
    let leaver = stage.leaves("LEAVE-1", parts).await;
    let stale = json!({
        "schema": "jml/1", "kind": "leaver", "op": "rescind", "amends": "LEAVE-1", "source_ref": "BACK-1",
        "person_ref": "E10442", "sequence": 6,
    });
    for (status, duplicate) in [(202, false), (200, true)] {
        let answer = stage.post("msg_BACK-1", stale.to_string().as_bytes()).await;
        assert_eq!(answer.status, status, "{}", answer.body);
        let shown = answer.json();
        let wanted = json!({
            "workflow_id": null, "state": "ignored_as_stale", "duplicate": duplicate, "status_url": null,
        });
        assert_eq!(shown, wanted);
    }
    assert_eq!(stage.state(&leaver).await, "pending_approval");
    assert_eq!(stage.count("select count(*) from audit_events where kind = 'delivery.ignored'").await, 1);
    assert_eq!(stage.count("select count(*) from deliveries where state = 'parked'").await, 1);
    // The one that was to take it back.
    let mut newer = stale;
    (newer["source_ref"], newer["sequence"]) = (json!("BACK-2"), json!(8));
    assert_eq!(stage.post("msg_BACK-2", newer.to_string().as_bytes()).await.status, 202);
    assert_eq!(stage.state(&leaver).await, "cancelled");
    stage.settle().await;
    stage.check_proof(&[leaver]).await;
}

async fn what_was_said_before_a_leaver_gives_nothing_back(stage: Stage) {
    stage.somebody();
    let leaver = stage.leaves("LEAVE-1", json!({ "sequence": 7 })).await;
    let mover = json!({ "employment": team_lead(), "sequence": 6 });
    let answer = stage.told("mover", "MOVE-1", mover).await;
    assert_eq!(
        (answer.status, answer.json()["state"].clone()),
        (202, json!("ignored_as_stale")),
        "{}",
        answer.body
    );
    stage.both_approve().await;
    assert_eq!(stage.rest(&leaver).await, "succeeded", "{}", stage.reason(&leaver).await);
    let answer = stage.joins("RITM-1", json!({ "sequence": 5 })).await;
    assert_eq!(
        (answer.status, answer.json()["state"].clone()),
        (202, json!("ignored_as_stale")),
        "{}",
        answer.body
    );
    stage.settle().await;
    stage.has_nothing_left();
    assert_eq!(stage.count("select count(*) from workflows").await, 1);
    stage.check_proof(&[leaver]).await;
}

async fn what_wants_the_same_is_the_same(stage: Stage) {
    stage.somebody();
    let parts = || json!({ "employment": team_lead() });
    let mover = stage.taken(stage.told("mover", "MOVE-1", parts()).await).await;
    let same = stage.told("mover", "MOVE-2", parts()).await;
    assert_eq!((same.status, same.workflow()), (200, mover.clone()), "{}", same.body);
    assert_eq!(stage.told("mover", "MOVE-2", parts()).await.workflow(), mover);
    let other = json!({ "employment": { "title": "Head of Nothing", "department": "IT Ops" } });
    let other = stage.told("mover", "MOVE-2", other).await;
    assert_eq!(
        (other.status, other.json()["code"].clone()),
        (422, json!("delivery_id_reused")),
        "{}",
        other.body
    );
    assert_eq!(stage.count("select count(*) from workflows").await, 1);
    stage.settle().await;
    stage.check_proof(&[mover]).await;
}

async fn two_that_nothing_orders_are_refused_and_told(stage: Stage) {
    let first = stage.taken(stage.joins("RITM-1", json!({})).await).await;
    let second = stage.joins("RITM-2", json!({ "effective": from("2026-12-20") })).await;
    assert_eq!((second.status, second.json()["code"].clone()), (422, json!("request_still_open")));
    stage.settle().await;
    assert_eq!(stage.mails_like("pam-team@example.com", "Alarm"), 1);
    assert_eq!(stage.state(&first).await, "pending_approval");
}

async fn what_gives_very_late_is_looked_at_first(stage: Stage) {
    let late = stage.joins("RITM-1", json!({ "effective": from("2026-10-01") })).await;
    assert_eq!((late.status, late.json()["state"].clone()), (202, json!("needs_attention")), "{}", late.body);
    let late = late.workflow();
    assert!(stage.reason(&late).await.contains("days ago"), "{}", stage.reason(&late).await);
    stage.settle().await;
    // Whoever has looked sends it on, and it is done at once.
    stage.retry(&late).await;
    assert_eq!(stage.state(&late).await, "pending_approval", "{}", stage.reason(&late).await);
    assert_eq!(stage.decide(&stage.link(ANA), "approve", "").await.status, 303);
    assert_eq!(stage.rest(&late).await, "succeeded", "{}", stage.reason(&late).await);
    stage.check(&late).await;
}

async fn a_late_leaver_goes_on_at_once_and_says_how_late(stage: Stage) {
    stage.somebody();
    let late = stage.leaves("LEAVE-1", json!({ "effective": from("2026-10-01") })).await;
    assert_eq!(stage.state(&late).await, "pending_approval", "{}", stage.reason(&late).await);
    assert_eq!(stage.mails_like("pam-team@example.com", "Alarm"), 1);
    let page = stage.get(&stage.asked(ANA)).await.body;
    assert!(page.contains("The wanted time lies") && page.contains("in the past"), "{page}");
    stage.both_approve().await;
    assert_eq!(stage.rest(&late).await, "succeeded", "{}", stage.reason(&late).await);
    stage.has_nothing_left();
    stage.check(&late).await;
}

async fn a_slip_of_the_date_is_refused(stage: Stage) {
    for day in ["2029-01-01", "1999-12-31", "2101-01-01"] {
        let answer = stage.joins("RITM-1", json!({ "effective": from(day) })).await;
        assert_eq!(answer.status, 422, "{day} {}", answer.body);
        assert!(answer.body.contains("/effective/at"), "{day} {}", answer.body);
    }
    assert_eq!(stage.count("select count(*) from workflows").await, 0);
}

async fn an_update_beside_the_hire_changes_nothing_and_asks_nobody(stage: Stage) {
    let joiner = stage.taken(stage.joins("RITM-1", json!({})).await).await;
    let as_hired = || json!({ "employment": { "title": "Database Administrator", "department": "IT Ops" } });
    let update = stage.taken(stage.told("mover", "MOVE-1", as_hired()).await).await;
    let shown = stage.api(&format!("/{update}")).await;
    assert_eq!((&shown["state"], &shown["waits_for"]), (&json!("planning"), &json!(joiner)));
    assert_eq!(stage.decide(&stage.link(ANA), "approve", "").await.status, 303);
    assert_eq!(stage.rest(&joiner).await, "succeeded", "{}", stage.reason(&joiner).await);
    let (writes, asked) = (stage.writes(), stage.mails_like(ANA, "Your approval is wanted"));
    assert_eq!(stage.rest(&update).await, "succeeded", "{}", stage.reason(&update).await);
    let once_more = stage.taken(stage.told("mover", "MOVE-2", as_hired()).await).await;
    assert_eq!(stage.rest(&once_more).await, "succeeded", "{}", stage.reason(&once_more).await);
    assert_eq!((stage.writes(), stage.mails_like(ANA, "Your approval is wanted")), (writes, asked));
    stage.check_proof(&[joiner, update, once_more]).await;
}
