//! What goes wrong for one goes on for the others: what is taken up in vain is parked, a slow reading holds up no other
//! plan, and a worker that wakes late tells nothing any more.

use std::sync::Arc;

use chrono::TimeDelta;
use countersign::clock::World;
use countersign::kit::Kit;
use countersign::service::Service;
use countersign::simulator::faults::{Effect, Fault, Moment};
use countersign::simulator::hr::Joiner;
use countersign::store::claims::ClaimPlan;
use countersign::store::due::{Claimable, Whose};
use countersign::store::operator::Exit;
use countersign::store::runs::ClaimRun;
use countersign::worker::{Did, Worker};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::stage::{Stage, until};

told_on_both! {
    what_is_taken_up_again_and_again_in_vain_is_parked
    of_two_planners_one_reads_for_a_workflow_and_the_other_for_the_next
    a_paused_worker_loses_and_its_late_effect_is_found
}

fn joiner(number: u32) -> Joiner {
    let (event, person) = (format!("JOIN-{number}"), format!("E3{number:05}"));
    let mut joiner = Joiner::example(&event, &person, "2026-12-01");
    joiner.username = format!("joiner{number}x");
    joiner
}

fn worker(service: &Service, name: &str) -> Arc<dyn Worker> {
    service.workers().iter().find(|worker| worker.name() == name).cloned().unwrap()
}

fn begin(worker: &Arc<dyn Worker>) -> JoinHandle<()> {
    let worker = Arc::clone(worker);
    tokio::spawn(async move { worker.turn().await.map(drop).unwrap() })
}

async fn what_is_taken_up_again_and_again_in_vain_is_parked(stage: Stage) {
    let (run, plan) = (stage.approved_as(&joiner(1)).await, stage.hire_as(&joiner(2)).await);
    let (kit, world): (&Kit, &World) = (&stage.service.kit, &stage.service.kit.world);
    // Whoever takes either of them up dies before anything is recorded.
    for time in 1..=5 {
        let claimable = Claimable { whose: Whose::Anybodys, resting: vec![] };
        let (until, holder) = (world.now().plus_seconds(60), Uuid::from_u128(time));
        let claim = ClaimRun { stamp: world.stamp(), holder, until, claimable: claimable.clone() };
        let (claimed, _) = kit.store.write(claim).await.unwrap().expect("a run is due");
        assert_eq!(claimed.id.to_string(), run);
        let claim = ClaimPlan { stamp: world.stamp(), until, claimable };
        assert_eq!(kit.store.write(claim).await.unwrap().expect("a plan is due").id.to_string(), plan);
        stage.clock.advance(TimeDelta::seconds(61));
    }
    let other = stage.hire_as(&joiner(3)).await;
    stage.settle().await;
    for parked in [&run, &plan] {
        assert_eq!(stage.state(parked).await, "needs_attention");
        let reason = stage.reason(parked).await;
        assert!(reason.contains("taken up 5 times in a row"), "{reason}");
    }
    assert_eq!(stage.state(&other).await, "pending_approval", "others go on");
    // Sent on, each has its tries again.
    assert_eq!(stage.retry(&run).await, "succeeded", "{}", stage.reason(&run).await);
    stage.take(&plan, Exit::Retry).await.unwrap();
    stage.settle().await;
    assert_eq!(stage.state(&plan).await, "pending_approval");
    stage.check(&run).await;
}

async fn of_two_planners_one_reads_for_a_workflow_and_the_other_for_the_next(stage: Stage) {
    let (other, _url) = stage.second().await;
    let planners = [worker(&stage.service, "planner"), worker(&other, "planner")];
    let slow = Effect::Delay { millis: 28_000, moment: Moment::Before };
    stage.simulator.vault.add_fault(Fault::on("GET", "/Users", 1, slow));
    let first = stage.hire_as(&joiner(1)).await;
    let turn = begin(&planners[0]);
    until("the claim", async || {
        (stage.count("select count(*) from workflows where fruitless = 1").await == 1).then_some(())
    })
    .await;
    assert!(!matches!(planners[1].turn().await.unwrap(), Did::Work(_)), "one reading is enough");
    let second = stage.hire_as(&joiner(2)).await;
    for planner in &planners {
        // Beside the slow reading the same planner has other hands.
        let _ = planner.turn().await.unwrap();
    }
    assert_eq!(stage.state(&second).await, "pending_approval");
    assert_eq!(stage.state(&first).await, "planning");
    turn.abort();
    drop(turn.await);
    // Whoever planned it is gone: after a while it is planned by another one.
    stage.clock.advance(TimeDelta::seconds(151));
    assert!(matches!(planners[1].turn().await.unwrap(), Did::Work(_)));
    assert_eq!(stage.state(&first).await, "pending_approval");
}

async fn a_paused_worker_loses_and_its_late_effect_is_found(stage: Stage) {
    let (other, _url) = stage.second().await;
    let [paused, awake] = [worker(&stage.service, "executor"), worker(&other, "executor")];
    let workflow = stage.approved().await;
    let held = Effect::Delay { millis: 7_000, moment: Moment::Before };
    stage.simulator.vault.add_fault(Fault::on("POST", "/API/Users", 1, held));
    let turn = begin(&paused);
    let open = "select count(*) from attempts a join steps s on s.workflow_id = a.workflow_id
        and s.plan_number = a.plan_number and s.number = a.step_number
        where s.kind = 'create_user' and a.outcome is null";
    until("the intent", async || (stage.count(open).await == 1).then_some(())).await;
    // Its lease runs out while the vault holds its answer, and the other one looks before it does anything.
    stage.clock.advance(TimeDelta::seconds(61));
    assert!(matches!(awake.turn().await.unwrap(), Did::Work(_)));
    assert_eq!(stage.outcomes(&workflow, "create_user").await, ["not_there"]);
    // The first one wakes, loses, and stops; what it had sent takes effect all the same.
    turn.await.unwrap();
    until("the late effect", async || (stage.writes() == ["create_user"]).then_some(())).await;
    for _ in 0..20 {
        stage.clock.advance(TimeDelta::seconds(2));
        while let Did::Work(_) = awake.turn().await.unwrap() {}
    }
    assert_eq!(stage.state(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    assert_eq!(stage.outcomes(&workflow, "create_user").await, ["not_there", "done"]);
    assert_eq!(stage.writes(), ["create_user", "add_member", "add_member"]);
    assert_eq!(stage.count(open).await, 1, "the loser has told nothing");
    let page = stage.open(&format!("{}/workflows/{workflow}", stage.url)).await.body;
    assert!(page.contains("the create call of ") && page.contains("no second user made"), "{page}");
    stage.check_proof(&[workflow]).await;
}
