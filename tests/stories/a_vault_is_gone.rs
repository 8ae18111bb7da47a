//! A vault that cannot be read for long: whoever waits for it is told, and after a day a person must look.

use chrono::TimeDelta;
use countersign::simulator::faults::{Effect, Fault};
use countersign::store::operator::Exit;
use serde_json::json;

use crate::stage::Stage;

told_on_both! {
    planning_that_finds_no_vault_for_a_day_ends_at_a_person
}

/// The alarms about the vault; how long a leaver is open is told besides.
async fn alarms(stage: &Stage, workflow: &str) -> usize {
    let trail = stage.trail(workflow).await;
    let raised = trail.iter().filter(|event| event["kind"] == "alarm.raised");
    let because = raised.map(|event| event["personal"]["because"].as_str().unwrap());
    because.filter(|because| !because.contains("access is to be gone")).count()
}

async fn planning_that_finds_no_vault_for_a_day_ends_at_a_person(stage: Stage) {
    stage.simulator.vault.add_fault(Fault::on("GET", "/API/", u64::MAX, Effect::Html503));
    let joiner = stage.hire().await;
    let other = json!({ "person_ref": "E7", "subject": { "username": "leaver7" } });
    let leaver = stage.leaves("L-1", other).await;
    stage.pass(TimeDelta::hours(23)).await;
    for workflow in [&joiner, &leaver] {
        assert_eq!(stage.state(workflow).await, "planning");
        assert_eq!(alarms(&stage, workflow).await, 1, "the operators know for long");
    }
    let mails = stage.calls_for_help();
    stage.pass(TimeDelta::hours(2)).await;
    for workflow in [&joiner, &leaver] {
        assert_eq!(stage.state(workflow).await, "needs_attention");
        let reason = stage.reason(workflow).await;
        assert!(reason.contains("the vault could not be read for a day; the last time: "), "{reason}");
        assert!(reason.contains("503"), "{reason}");
    }
    assert_eq!(stage.calls_for_help(), mails + 2, "the operators are written to about both");
    // Somebody keeps access that was to be taken away: that alarms once more.
    assert_eq!((alarms(&stage, &joiner).await, alarms(&stage, &leaver).await), (1, 2));
    // Both ways on are open, and whoever tries again has another day.
    stage.take(&leaver, Exit::Retry).await.unwrap();
    stage.pass(TimeDelta::hours(23)).await;
    assert_eq!(stage.state(&leaver).await, "planning");
    stage.pass(TimeDelta::hours(2)).await;
    assert_eq!(stage.state(&leaver).await, "needs_attention");
    assert_eq!(stage.take(&leaver, Exit::GiveUp).await.unwrap(), "failed");
    stage.simulator.vault.clear_faults();
    assert_eq!(stage.retry(&joiner).await, "pending_approval", "{}", stage.reason(&joiner).await);
}
