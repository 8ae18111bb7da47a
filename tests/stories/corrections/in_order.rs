//! Events that come in too late, too early, or once more under another name.

use serde_json::json;

use super::{from, team_lead};
use crate::stage::Stage;

told_on_both! {
    an_older_event_is_recorded_and_ignored
    what_was_said_before_a_leaver_gives_nothing_back
    what_wants_the_same_is_the_same
    two_that_nothing_orders_are_refused_and_told
    what_is_very_late_is_looked_at_first
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

async fn what_is_very_late_is_looked_at_first(stage: Stage) {
    stage.somebody();
    let late = stage.told("leaver", "LEAVE-1", json!({ "effective": from("2026-10-01") })).await;
    assert_eq!((late.status, late.json()["state"].clone()), (202, json!("needs_attention")), "{}", late.body);
    let late = late.workflow();
    assert!(stage.reason(&late).await.contains("days ago"), "{}", stage.reason(&late).await);
    stage.settle().await;
    assert_eq!(stage.mails_like("pam-team@example.com", "Alarm"), 1);
    // Whoever has looked sends it on, and it is done at once.
    stage.retry(&late).await;
    assert_eq!(stage.state(&late).await, "pending_approval", "{}", stage.reason(&late).await);
    stage.both_approve().await;
    assert_eq!(stage.rest(&late).await, "succeeded", "{}", stage.reason(&late).await);
    stage.check(&late).await;
}
