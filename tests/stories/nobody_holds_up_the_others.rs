//! What goes wrong for one goes on for the others: a hand is kept for leavers, work that falls over is parked, a slow
//! reading holds up no other plan, and a target that is gone holds up no other target.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::TimeDelta;
use countersign::clock::{MayBegin, World};
use countersign::domain::names::TargetName;
use countersign::domain::plan::{DialectSettings, Plan, PlannedStep};
use countersign::domain::snapshot::Snapshot;
use countersign::domain::step::Report;
use countersign::kit::Kit;
use countersign::provision::Executor;
use countersign::service::Service;
use countersign::simulator::faults::{Effect, Fault, Moment};
use countersign::simulator::hr::Joiner;
use countersign::store::claims::ClaimPlan;
use countersign::store::due::{Claimable, Whose};
use countersign::store::operator::Exit;
use countersign::store::runs::ClaimRun;
use countersign::target::{Besides, CallFault, PreviewCall, StepCall, Subject, Target};
use countersign::worker::{Did, Worker};
use serde_json::json;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::stage::{CLIENT_SECRET, Choices, Database, Stage, until};

told_on_both! {
    a_run_in_which_our_own_code_falls_over_is_parked_and_the_others_go_on
    what_is_taken_up_again_and_again_in_vain_is_parked
    of_two_planners_one_reads_for_a_workflow_and_the_other_for_the_next
    a_paused_worker_loses_and_its_late_effect_is_found
}

begun_on_both! {
    a_target_that_is_gone_rests_and_holds_up_no_other
}

told_on_both! {
    with super::two_hands();
    one_hand_of_two_is_kept_for_leavers
}

fn two_hands() -> Choices {
    let edits = vec![("max_attempts = 4".to_owned(), "max_attempts = 4\nruns_at_once = 2".to_owned())];
    Choices { edits, ..Choices::default() }
}

fn joiner(number: u32) -> Joiner {
    let (event, person) = (format!("JOIN-{number}"), format!("E3{number:05}"));
    let mut joiner = Joiner::example(&event, &person, "2026-12-01");
    joiner.username = format!("joiner{number}x");
    joiner
}

/// All of them hired, planned and approved; nothing is carried out yet.
async fn all_approved(stage: &Stage, joiners: std::ops::RangeInclusive<u32>) -> Vec<String> {
    let mut hired = vec![];
    for number in joiners {
        hired.push(stage.hire_as(&joiner(number)).await);
    }
    stage.settle().await;
    let links = stage.simulator.mailbox.links_for("ana@example.com");
    assert_eq!(links.len(), hired.len());
    for link in links {
        assert_eq!(stage.decide(&link, "approve", "").await.status, 303);
    }
    hired
}

fn worker(service: &Service, name: &str) -> Arc<dyn Worker> {
    service.workers().iter().find(|worker| worker.name() == name).cloned().unwrap()
}

fn begin(worker: &Arc<dyn Worker>) -> JoinHandle<()> {
    let worker = Arc::clone(worker);
    tokio::spawn(async move { worker.turn().await.map(drop).unwrap() })
}

async fn one_hand_of_two_is_kept_for_leavers(stage: Stage) {
    stage.somebody();
    let hired = all_approved(&stage, 1..=2).await;
    let slow = Effect::Delay { millis: 28_000, moment: Moment::After };
    stage.simulator.vault.add_fault(Fault::on("POST", "/API/Users", 1, slow));
    let executor = worker(&stage.service, "executor");
    let first = begin(&executor);
    until("the first create", async || (stage.writes() == ["create_user"]).then_some(())).await;
    // The second joiner is due, and the hand that is left is not for joiners.
    assert_eq!(executor.turn().await.unwrap(), Did::Idle);
    let leaver = stage.told("leaver", "LEAVE-1", json!({})).await.workflow();
    for name in ["planner", "courier", "courier"] {
        assert!(matches!(worker(&stage.service, name).turn().await.unwrap(), Did::Work(_)), "{name}");
    }
    stage.both_approve().await;
    while let Did::Work(_) = executor.turn().await.unwrap() {}
    assert_eq!(stage.state(&leaver).await, "succeeded", "{}", stage.reason(&leaver).await);
    assert!(!first.is_finished(), "the first joiner has not moved");
    let states = [stage.state(&hired[0]).await, stage.state(&hired[1]).await];
    assert!(states.contains(&"approved".to_owned()) && states.contains(&"running".to_owned()), "{states:?}");
    first.abort();
    drop(first.await);
    // The hand is free, so the other joiner goes at once.
    while let Did::Work(_) = executor.turn().await.unwrap() {}
    let waiting = usize::from(states[0] == "running");
    assert_eq!(stage.state(&hired[waiting]).await, "succeeded");
}

/// The usual vault, and a second one: that of a stage of its own.
async fn two_targets(database: Database) -> (Stage, Stage) {
    let other = Stage::with(database.another(), Choices::default()).await;
    let vault = other.simulator.vault_url();
    let second = format!(
        r#"[[targets]]
name = "second"
product = "privilege-cloud"
api_url = "{vault}/PasswordVault/API"
token_url = "{vault}/oauth2/platformtoken"
client_id = "svc-countersign@cyberark.cloud.1234"
client_secret = "{CLIENT_SECRET}"
allowed_user_types = ["EPVUser"]
location_root = "\\Users"
grantable_groups = ["Ops-Readers"]
[[profiles]]
name = "elsewhere"
when = "req.employment.department == 'Elsewhere'"
target = "second"
user_type = "EPVUser"
location = "\\Users\\Ops"
groups = ["Ops-Readers"]
hand_over_to = "manager"
[[approver_groups]]"#
    );
    let edits = vec![("[[approver_groups]]".to_owned(), second)];
    (Stage::with(database, Choices { edits, ..Choices::default() }).await, other)
}

async fn a_target_that_is_gone_rests_and_holds_up_no_other(database: Database) {
    let (stage, other) = two_targets(database).await;
    let waiting = all_approved(&stage, 1..=6).await;
    stage.simulator.vault.add_fault(Fault::on("GET", "", u64::MAX, Effect::Html503));
    let elsewhere = Joiner { department: "Elsewhere".to_owned(), ..joiner(7) };
    let fine = stage.approved_as(&elsewhere).await;
    stage.settle().await;
    assert_eq!(stage.state(&fine).await, "succeeded", "{}", stage.reason(&fine).await);
    assert_eq!(other.writes(), ["create_user", "add_member"]);
    // The first faults have put the vault to rest, and the others wait without being tried.
    let asked = || stage.simulator.vault.wire().iter().filter(|call| call.status == Some(503)).count();
    assert_eq!(asked(), 5);
    let page = stage.get(&format!("{}/workflows", stage.url)).await.body;
    assert!(page.contains("The target vault does not do its part: it has failed again and again"), "{page}");
    let metrics = stage.get(&format!("{}/metrics", stage.url)).await.body;
    // Which of the two is told depends on the stories beside this one: they share the process, and so the gauge.
    assert!(metrics.contains("countersign_target_rests{target=\"vault\"}"), "{metrics}");
    stage.pass(TimeDelta::minutes(30)).await;
    let tries = asked();
    assert!((8..40).contains(&tries), "one at a time and ever more seldom: {tries}");
    for workflow in &waiting {
        assert_eq!(stage.state(workflow).await, "approved");
    }
    stage.simulator.vault.clear_faults();
    stage.pass(TimeDelta::minutes(20)).await;
    for workflow in &waiting {
        assert_eq!(stage.state(workflow).await, "succeeded", "{}", stage.reason(workflow).await);
    }
    let page = stage.get(&format!("{}/workflows", stage.url)).await.body;
    assert!(!page.contains("does not do its part"), "{page}");
}

/// A target in which our own code falls over when it is to make this user.
struct Poisoned {
    inner: Arc<dyn Target>,
    user: &'static str,
}

#[async_trait]
impl Target for Poisoned {
    fn name(&self) -> &TargetName {
        self.inner.name()
    }

    fn dialect(&self) -> DialectSettings {
        self.inner.dialect()
    }

    fn preview(&self, plan: &Plan) -> Vec<Vec<PreviewCall>> {
        self.inner.preview(plan)
    }

    async fn snapshot(&self, subject: Subject<'_>, besides: Besides<'_>) -> Result<Snapshot, CallFault> {
        self.inner.snapshot(subject, besides).await
    }

    async fn act(&self, call: &StepCall<'_>) -> Report {
        let comes_to_it = matches!(call.step, PlannedStep::CreateUser(_));
        assert!(!comes_to_it || call.plan.user_name.as_str() != self.user, "poison");
        self.inner.act(call).await
    }

    async fn look(&self, call: &StepCall<'_>) -> Report {
        self.inner.look(call).await
    }
}

async fn a_run_in_which_our_own_code_falls_over_is_parked_and_the_others_go_on(stage: Stage) {
    let hired = all_approved(&stage, 1..=2).await;
    let (poisoned, fine) = (&hired[0], &hired[1]);
    let kit = &stage.service.kit;
    let with_poison = |(name, inner): (&TargetName, &Arc<dyn Target>)| {
        let target: Arc<dyn Target> = Arc::new(Poisoned { inner: Arc::clone(inner), user: "joiner1x" });
        (name.clone(), target)
    };
    let targets: BTreeMap<_, _> = kit.targets.iter().map(with_poison).collect();
    let executor = Executor::new(Kit { targets: Arc::new(targets), ..kit.clone() });
    while let Did::Work(_) = executor.turn().await.unwrap() {}
    assert_eq!(stage.state(fine).await, "succeeded", "{}", stage.reason(fine).await);
    assert_eq!(stage.state(poisoned).await, "needs_attention");
    let reason = stage.reason(poisoned).await;
    assert!(reason.contains("by a fault of our own"), "{reason}");
    // Mended, it goes on from where it stopped, by a look.
    assert_eq!(stage.retry(poisoned).await, "succeeded", "{}", stage.reason(poisoned).await);
    stage.check(poisoned).await;
}

async fn what_is_taken_up_again_and_again_in_vain_is_parked(stage: Stage) {
    let (run, plan) = (stage.approved_as(&joiner(1)).await, stage.hire_as(&joiner(2)).await);
    let (kit, world): (&Kit, &World) = (&stage.service.kit, &stage.service.kit.world);
    // Whoever takes either of them up dies before anything is recorded.
    for time in 1..=5 {
        let claimable = Claimable { whose: Whose::Anybodys, resting: vec![], may_begin: MayBegin::Anything };
        let (until, holder) = (world.now().plus_seconds(60), Uuid::from_u128(time));
        let claim =
            ClaimRun { stamp: world.stamp(), holder, until, claimable: claimable.clone(), kept: None };
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
