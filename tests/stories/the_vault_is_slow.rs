//! The vault answers, but late: who waits keeps the run, others go on, and what never ends goes to a person.
//!
//! Must hold: a lease stands as long as its holder shows that it is there; a slow call for one person holds up nobody
//! else; a run whose attempts are interrupted each time is not begun for ever.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use countersign::clock::World;
use countersign::simulator::faults::{Effect, Fault, Moment};
use countersign::worker::{Crew, Worker};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::stage::{Stage, until};

told_on_both! {
    a_run_behind_a_slow_call_is_not_taken_over
    one_slow_call_holds_up_nobody_else
    a_run_that_is_interrupted_each_time_goes_to_a_person
}

/// Longer than any story; the waiting is in the simulator, and nobody waits for its end.
const SLOW: Effect = Effect::Delay { millis: 28_000, moment: Moment::After };

impl Stage {
    fn executor(&self) -> Arc<dyn Worker> {
        self.service.workers().iter().find(|worker| worker.name() == "executor").cloned().unwrap()
    }

    /// Begins a turn of the executor that does not come to its end.
    fn begin_turn(&self) -> JoinHandle<()> {
        let executor = self.executor();
        tokio::spawn(async move { executor.turn().await.map(drop).unwrap() })
    }

    /// A turn that is cut off, as by a crash: nothing of it goes on after this.
    async fn cut_off(&self, turn: JoinHandle<()>) {
        turn.abort();
        assert!(turn.await.is_err_and(|end| end.is_cancelled()));
    }

    async fn held_until(&self) -> String {
        let question = "select cast(held_until as text) from leases where name = 'vault/zobrien'";
        self.database.texts(self.folder.path(), question).await.remove(0)
    }
}

async fn a_run_behind_a_slow_call_is_not_taken_over(stage: Stage) {
    let workflow = stage.approved().await;
    stage.simulator.vault.add_fault(Fault::on("POST", "/API/Users", 1, SLOW));
    let turn = stage.begin_turn();
    until("the create", async || (stage.writes() == ["create_user"]).then_some(())).await;
    for _ in 0..3 {
        let before = stage.held_until().await;
        stage.clock.advance(TimeDelta::seconds(45));
        until("a longer lease", async || (stage.held_until().await != before).then_some(())).await;
        // Whoever looks for a run in the meantime finds none.
        stage.settle().await;
    }
    assert!(!turn.is_finished());
    assert_eq!(stage.count("select count(*) from attempts where purpose = 'look'").await, 0);
    assert_eq!(stage.count("select fence from leases where name = 'vault/zobrien'").await, 1);
    stage.cut_off(turn).await;
    // Without a sign of life it is taken over after a minute.
    stage.later(TimeDelta::seconds(61)).await;
    assert_eq!(stage.rest(&workflow).await, "succeeded");
    assert_eq!(stage.count("select count(*) from attempts where purpose = 'look'").await, 1);
    stage.check(&workflow).await;
}

async fn one_slow_call_holds_up_nobody_else(stage: Stage) {
    let slow = stage.approved().await;
    stage.simulator.vault.add_fault(Fault::on("POST", "/API/Users", 1, SLOW));
    let world = World { clock: stage.clock.clone(), chance: World::real().chance };
    let (stop, store) = (CancellationToken::new(), stage.service.kit.store.clone());
    let crew = Crew::start(&[stage.executor()], &world, || store.bell(), Duration::from_millis(50), &stop);
    until("the slow create", async || (stage.writes() == ["create_user"]).then_some(())).await;

    let mut other = stage.joiner();
    (other.source_ref, other.person_ref) = ("RITM0010002:1".to_owned(), "E10443".to_owned());
    "yquick".clone_into(&mut other.username);
    let asked = stage.simulator.mailbox.links_for("ana@example.com").len();
    let answer = stage.post("msg_quick", &other.bytes()).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    let quick = answer.workflow();
    let others = stage.service.workers().iter().filter(|worker| worker.name() != "executor");
    let others: Vec<_> = others.cloned().collect();
    let rest = Crew::start(&others, &world, || store.bell(), Duration::from_millis(50), &stop);
    until("the asking", async || (stage.state(&quick).await == "pending_approval").then_some(())).await;
    let links = || stage.simulator.mailbox.links_for("ana@example.com");
    let link = until("the mail", async || links().get(asked).cloned()).await;
    assert_eq!(stage.decide(&link, "approve", "").await.status, 303);
    until("the quick one's end", async || (stage.state(&quick).await == "succeeded").then_some(())).await;
    assert_eq!(stage.state(&slow).await, "running");
    stop.cancel();
    drop((crew, rest));
}

async fn a_run_that_is_interrupted_each_time_goes_to_a_person(stage: Stage) {
    let workflow = stage.approved().await;
    stage.simulator.vault.add_fault(Fault::on("POST", "/API/Users", 1, SLOW));
    let turn = stage.begin_turn();
    until("the create", async || (stage.writes() == ["create_user"]).then_some(())).await;
    stage.cut_off(turn).await;
    // Each look is interrupted, too: as many as the settings allow.
    for look in 1..=4 {
        stage.simulator.vault.clear_faults();
        stage.simulator.vault.add_fault(Fault::on("GET", "/API/Users", 1, SLOW));
        stage.clock.advance(TimeDelta::seconds(61));
        let mut turn = stage.begin_turn();
        let begun = "select count(*) from attempts where purpose = 'look'";
        until("a look", async || {
            // The row may still be locked by the one that was cut off; then a later turn finds it.
            if turn.is_finished() {
                turn = stage.begin_turn();
            }
            (stage.count(begun).await == look).then_some(())
        })
        .await;
        stage.cut_off(turn).await;
    }
    stage.simulator.vault.clear_faults();
    stage.later(TimeDelta::seconds(61)).await;
    assert_eq!(stage.state(&workflow).await, "needs_attention");
    let reason = stage.reason(&workflow).await;
    assert!(reason.contains("create_user were interrupted again and again"), "{reason}");
    // Sent on, it begins with a look, and no second user is made.
    assert_eq!(stage.retry(&workflow).await, "succeeded");
    assert_eq!(stage.writes().iter().filter(|write| *write == "create_user").count(), 1);
    stage.check(&workflow).await;
}
