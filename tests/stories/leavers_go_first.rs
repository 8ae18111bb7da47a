//! Removal is not held up by a full queue: whoever leaves is planned, told of and carried out before everybody else
//! who is due; and where a leaver has to wait for another run of the same person, that is seen.

use countersign::simulator::faults::{Effect, Fault};
use countersign::simulator::hr::Joiner;
use countersign::worker::Did;
use serde_json::json;

use crate::stage::Stage;

told_on_both! {
    with crate::corrections::patient();
    a_leaver_who_comes_last_goes_before_thirty_joiners
    a_leaver_who_waits_for_another_run_says_so_and_is_woken
}

const ANA: &str = "ana@example.com";
const BO: &str = "bo@example.com";

fn joiner(number: u32) -> Joiner {
    let (event, person) = (format!("JOIN-{number}"), format!("E3{number:05}"));
    let mut joiner = Joiner::example(&event, &person, "2026-12-01");
    joiner.username = format!("joiner{number}x");
    joiner
}

/// One turn of one worker, which finds something to do.
async fn turn(stage: &Stage, name: &str) {
    let worker = stage.service.workers().iter().find(|worker| worker.name() == name).unwrap();
    assert!(matches!(worker.turn().await.unwrap(), Did::Work(_)), "{name} has nothing to do");
}

async fn a_leaver_who_comes_last_goes_before_thirty_joiners(stage: Stage) {
    stage.somebody();
    let mut hired = vec![];
    for number in 1..=30 {
        hired.push(stage.hire_as(&joiner(number)).await);
    }
    turn(&stage, "planner").await;
    // One of thirty is planned, and no mail is sent, when she comes.
    let leaver = stage.told("leaver", "LEAVE-1", json!({})).await.workflow();
    turn(&stage, "planner").await;
    assert_eq!(stage.state(&leaver).await, "pending_approval", "planned next");
    turn(&stage, "planner").await;
    turn(&stage, "courier").await;
    turn(&stage, "courier").await;
    let first_mails = [ANA, BO].map(|who| stage.simulator.mailbox.mails_to(who).remove(0).subject);
    for subject in &first_mails {
        assert!(subject.contains("zobrien"), "the first mail is about her: {first_mails:?}");
    }
    let of_leaver = [ANA, BO].map(|who| stage.link(who));
    stage.settle().await;
    for link in stage.simulator.mailbox.links_for(ANA).iter().filter(|link| **link != of_leaver[0]) {
        assert_eq!(stage.decide(link, "approve", "").await.status, 303);
    }
    turn(&stage, "executor").await;
    let before = stage.writes();
    assert!(!before.is_empty() && !before.contains(&"disable_user".to_owned()), "{before:?}");
    // All the others are due when she is approved. Which of them came first is a matter of their mails.
    let mut waiting = vec![];
    for workflow in &hired {
        if stage.state(workflow).await == "approved" {
            waiting.push(workflow);
        }
    }
    assert_eq!(waiting.len(), 29, "one turn, one run");
    for link in &of_leaver {
        assert_eq!(stage.decide(link, "approve", "").await.status, 303);
    }
    turn(&stage, "executor").await;
    let writes = stage.writes();
    assert_eq!(writes[before.len()..][0], "disable_user", "{writes:?}");
    // Before its last look a leaver is recorded and taken up anew, and again before the others.
    turn(&stage, "executor").await;
    assert_eq!(stage.state(&leaver).await, "succeeded", "{}", stage.reason(&leaver).await);
    for workflow in waiting {
        assert_eq!(stage.state(workflow).await, "approved");
    }
    stage.settle().await;
    for workflow in &hired {
        assert_eq!(stage.state(workflow).await, "succeeded", "and nobody is forgotten");
    }
    stage.check_proof(&[leaver]).await;
}

async fn a_leaver_who_waits_for_another_run_says_so_and_is_woken(stage: Stage) {
    stage.somebody();
    let mover = stage.moves("MOVE-1").await;
    stage.both_approve().await;
    // What came of it is looked up first, and not before a moment has passed.
    stage.simulator.vault.add_fault(Fault::on("PUT", "/Users", 1, Effect::DropAfter));
    stage.settle().await;
    assert_eq!(stage.state(&mover).await, "running");
    let leaver = stage.leaves("LEAVE-1", json!({})).await;
    stage.both_approve().await;
    for _ in 0..2 {
        stage.settle().await;
        let shown = stage.api(&format!("/{leaver}")).await;
        assert_eq!((&shown["state"], &shown["waits_for"]), (&json!("approved"), &json!(mover)));
        let told = stage.trail(&leaver).await;
        let told = told.iter().filter(|event| event["kind"] == "workflow.waiting_for_run");
        assert_eq!(told.map(|event| event["facts"]["run"].clone()).collect::<Vec<_>>(), [json!(mover)]);
    }
    let page = stage.get(&stage.link(ANA)).await.body;
    let words = format!("Another request for this person is being carried out, workflow {mover}");
    assert!(page.contains(&words), "{page}");
    let list = stage.get(&format!("{}/workflows", stage.url)).await.body;
    assert!(list.contains("waits for another request for this person"), "{list}");
    assert_eq!(stage.writes(), ["update_user"]);
    // The mover's wait ends; what follows needs no further minute.
    assert_eq!(stage.rest(&mover).await, "superseded", "{}", stage.reason(&mover).await);
    assert_eq!(stage.state(&leaver).await, "succeeded", "{}", stage.reason(&leaver).await);
    assert_eq!(stage.api(&format!("/{leaver}")).await["waits_for"], json!(null));
    assert_eq!(stage.her_groups(), [""; 0]);
    stage.check_proof(&[mover, leaver]).await;
}
