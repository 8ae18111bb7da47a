//! After their time raw messages, and then everything that a finished request knew about people, are cleared.
//!
//! Must hold: the trail proves as before and says how much was cleared; a repeat is still recognised; pages and programs
//! are told so instead of failing; whoever puts a value back, or clears behind the service's back, is found.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::stage::{Choices, Stage, command};

told_on_both! {
    with super::keeping();
    bodies_go_first_and_then_everything_about_people
    a_rejected_request_is_cleared_and_holds_up_no_other
    what_became_nothing_is_cleared_too
    what_corrected_it_is_cleared_with_it
    who_has_left_long_ago_is_hired_again
    what_is_put_back_or_taken_away_by_somebody_else_is_found
    nothing_is_cleared_that_is_not_at_rest
}

fn keeping() -> Choices {
    Choices::edited(&[(
        "[worker]",
        "[retention]\npersonal_after = \"400d\"\ndeliveries_after = \"90d\"\n[worker]",
    )])
}

impl Stage {
    async fn kinds(&self, workflow: &str) -> Vec<String> {
        let events = self.trail(workflow).await;
        let events = events.iter();
        events.map(|event| event["kind"].as_str().unwrap().to_owned()).collect()
    }

    async fn proof(&self) -> (bool, String) {
        let told = command(&["audit", "verify"], &self.settings_file()).await;
        (told.status.success(), String::from_utf8(told.stdout).unwrap())
    }
}

const BODIES: &str = "select count(*) from deliveries where length(body) > 0";
const CLEAR: &str = "select count(*) from audit_personal p join audit_events e on e.id = p.event_id
    join workflows w on w.id = e.chain";

async fn bodies_go_first_and_then_everything_about_people(stage: Stage) {
    let workflow = stage.hire_and_approve().await;
    assert_eq!(stage.state(&workflow).await, "succeeded");
    let link = stage.link("ana@example.com");
    assert_eq!(stage.post("msg_bad", b"{ \"no\": \"request\" }").await.status, 422);
    assert_eq!(stage.count(BODIES).await, 2);
    // Fetched by nobody, the password is erased meanwhile; the operators hear of it.
    stage.later(TimeDelta::days(89)).await;
    assert_eq!(stage.count(BODIES).await, 2);
    stage.later(TimeDelta::days(2)).await;
    assert_eq!(stage.count(BODIES).await, 0);
    let shown = stage.api(&format!("/{workflow}")).await;
    assert_eq!(
        (&shown["cleared_at"], &shown["request"]["subject"]["username"]),
        (&Value::Null, &json!("zobrien"))
    );
    assert!(stage.count(CLEAR).await > 10);
    assert!(stage.proof().await.0);

    stage.later(TimeDelta::days(310)).await;
    let shown = stage.api(&format!("/{workflow}")).await;
    assert!(shown["cleared_at"].is_string(), "{shown}");
    assert_eq!(
        (&shown["request"], &shown["plan"], &shown["steps"]),
        (&Value::Null, &Value::Null, &json!([]))
    );
    assert_eq!((&shown["state"], &shown["source_ref"]), (&json!("succeeded"), &json!("RITM0010001:3")));
    assert_eq!(stage.count(CLEAR).await, 0, "nor a salt, by which it could be found out");
    for left in [
        "select count(*) from workflows where length(request) > 0",
        "select count(*) from plans where length(bytes) + length(snapshot) + length(routing) > 0",
        "select count(*) from attempts where length(report) > 0",
        "select count(*) from workflow_words where word like '%example%' or word like '%brien, %'",
    ] {
        assert_eq!(stage.count(left).await, 0, "{left}");
    }
    let kinds = stage.kinds(&workflow).await;
    let told = |kind: &str| kinds.iter().filter(|one| *one == kind).count();
    assert_eq!((told("delivery.cleared"), told("personal.cleared")), (1, 1), "one event each");
    let (sound, words) = stage.proof().await;
    assert!(sound && words.contains("personal values are not kept any more"), "{words}");
    // People are told so, and nothing breaks.
    for address in [format!("{}/workflows/{workflow}", stage.url), link] {
        let page = stage.get(&address).await;
        assert_eq!(page.status, 410, "{address}: {}", page.body);
        assert!(page.body.contains("Cleared on 202"), "{}", page.body);
    }
    let list = stage.get(&format!("{}/workflows", stage.url)).await;
    assert!(list.status == 200 && list.body.contains("zobrien in vault"), "{}", list.body);
    // The same event again is the same workflow; another meaning under its name is refused as before.
    let again = stage.post("msg_again", &stage.joiner().bytes()).await;
    assert_eq!((again.status, again.workflow()), (200, workflow.clone()));
    let mut other = stage.joiner();
    "Somebody else".clone_into(&mut other.title);
    assert_eq!(stage.post("msg_other", &other.bytes()).await.status, 422);
    // What corrects it comes too late, and is told so.
    let undone = stage.rescinds("joiner", "UNDO-1", "RITM0010001:3").await;
    assert!(undone.status == 422 && undone.body.contains("ask anew"), "{}", undone.body);
    // It is done once.
    stage.later(TimeDelta::days(1)).await;
    assert_eq!(stage.kinds(&workflow).await.iter().filter(|kind| *kind == "personal.cleared").count(), 1);
    assert!(stage.proof().await.0);
}

async fn a_rejected_request_is_cleared_and_holds_up_no_other(stage: Stage) {
    let rejected = stage.hire().await;
    stage.settle().await;
    assert_eq!(stage.decide(&stage.link("ana@example.com"), "reject", "Nobody of ours").await.status, 303);
    assert_eq!(stage.state(&rejected).await, "rejected");
    stage.somebody();
    let leaver = stage.leaves("LEAVE-1", json!({})).await;
    stage.both_approve().await;
    assert_eq!(stage.rest(&leaver).await, "succeeded", "{}", stage.reason(&leaver).await);
    stage.later(TimeDelta::days(401)).await;
    for workflow in [&rejected, &leaver] {
        assert!(stage.api(&format!("/{workflow}")).await["cleared_at"].is_string(), "{workflow}");
    }
    let said = "select count(*) from decisions where comment like '%Nobody of ours%'";
    assert_eq!(stage.count(said).await, 0);
    assert!(stage.proof().await.0, "{}", stage.proof().await.1);
}

async fn what_became_nothing_is_cleared_too(stage: Stage) {
    stage.somebody();
    let leaver = stage.leaves("LEAVE-2", json!({ "sequence": 9 })).await;
    let stale = json!({ "sequence": 3, "effective": { "at": "2026-12-20", "tz": "Europe/Berlin" } });
    let ignored = stage.told("leaver", "LEAVE-1", stale).await;
    assert!(ignored.status < 300, "{}", ignored.body);
    assert_eq!(stage.count("select count(*) from deliveries where workflow_id is null").await, 1);
    stage.both_approve().await;
    assert_eq!(stage.rest(&leaver).await, "succeeded", "{}", stage.reason(&leaver).await);
    stage.later(TimeDelta::days(401)).await;
    assert_eq!(stage.count(BODIES).await, 0);
    assert_eq!(stage.count("select count(*) from corrections where length(request) > 0").await, 0);
    assert!(stage.proof().await.0, "{}", stage.proof().await.1);
}

async fn what_corrected_it_is_cleared_with_it(stage: Stage) {
    let workflow = stage.hire().await;
    let undo = async || stage.rescinds("joiner", "UNDO-1", "RITM0010001:3").await;
    assert_eq!(undo().await.workflow(), workflow);
    assert_eq!(stage.state(&workflow).await, "cancelled");
    let kept = "select count(*) from corrections where length(request) > 0";
    assert_eq!(stage.count(kept).await, 1);
    stage.later(TimeDelta::days(401)).await;
    assert_eq!(stage.count(kept).await, 0);
    let again = undo().await;
    assert_eq!((again.status, again.workflow()), (200, workflow.clone()));
    let other = stage.rescinds("mover", "UNDO-1", "RITM0010001:3").await;
    assert_eq!(other.status, 422, "{}", other.body);
    assert!(stage.proof().await.0, "{}", stage.proof().await.1);
}

async fn who_has_left_long_ago_is_hired_again(stage: Stage) {
    stage.somebody();
    let leaver = stage.leaves("LEAVE-1", json!({})).await;
    stage.both_approve().await;
    assert_eq!(stage.rest(&leaver).await, "succeeded", "{}", stage.reason(&leaver).await);
    stage.later(TimeDelta::days(401)).await;
    assert!(stage.api(&format!("/{leaver}")).await["cleared_at"].is_string());
    let hired = stage.joins("AGAIN-1", json!({})).await;
    assert_eq!(hired.status, 202, "{}", hired.body);
    stage.settle().await;
    assert!(stage.proof().await.0, "{}", stage.proof().await.1);
}

async fn what_is_put_back_or_taken_away_by_somebody_else_is_found(stage: Stage) {
    let workflow = stage.hire_and_approve().await;
    let folder = stage.folder.path().to_owned();
    // Before its time, and not by the service.
    let early = "update deliveries set cleared_at = received_at";
    stage.database.change(&folder, early).await;
    let (sound, words) = stage.proof().await;
    assert!(!sound && words.contains("no event tells that"), "{words}");
    stage.database.change(&folder, "update deliveries set cleared_at = null").await;
    stage.later(TimeDelta::days(401)).await;
    assert!(stage.proof().await.0, "{}", stage.proof().await.1);
    // Cleared by another hand before its time.
    let early = Stage::with(stage.database.another(), keeping()).await;
    let other = early.hire_and_approve().await;
    assert_eq!(early.state(&other).await, "succeeded");
    early.database.change(early.folder.path(), "delete from audit_personal where field = 'user_name'").await;
    let (sound, words) = early.proof().await;
    assert!(!sound && words.contains("no event tells of their clearing"), "{words}");
    let put_back = "insert into audit_personal (event_id, field, salt, clear_text)
        select id, 'user_name', hash, 'somebody' from audit_events where kind = 'workflow.received'";
    stage.database.change(&folder, put_back).await;
    let (sound, words) = stage.proof().await;
    assert!(!sound && words.contains("user_name") && words.contains(&workflow), "{words}");
    stage.database.change(&folder, "delete from audit_personal where field = 'user_name'").await;
    assert!(stage.proof().await.0);
    // What a cleared request is remembered by is proven, too.
    stage.database.change(&folder, "update workflows set request_digest = (select digest from plans)").await;
    let (sound, words) = stage.proof().await;
    assert!(!sound && words.contains("its request is not the one in the trail"), "{words}");
}

/// A request that waits for a person knows what it is about for as long as that takes.
async fn nothing_is_cleared_that_is_not_at_rest(stage: Stage) {
    stage.simulator.vault.add_user(&json!({ "username": "zobrien" })).unwrap();
    let workflow = stage.hire().await;
    stage.settle().await;
    assert_eq!(stage.state(&workflow).await, "needs_attention");
    stage.later(TimeDelta::days(500)).await;
    let shown = stage.api(&format!("/{workflow}")).await;
    assert_eq!(
        (&shown["cleared_at"], &shown["request"]["subject"]["username"]),
        (&Value::Null, &json!("zobrien"))
    );
    assert_eq!(stage.count(BODIES).await, 1);
}
