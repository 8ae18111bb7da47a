//! Approved sequences: how many are carried out in a second, what each costs, and what durability takes away.
//!
//! Must hold: the calls without durability are the very same: the same connector, the same sealed plans, as many at once,
//! the same vault with the accounts taken out of it again.

use std::sync::Arc;
use std::time::Duration;

use chrono::{SecondsFormat, TimeDelta};
use countersign::clock::World;
use countersign::config::{Machine, Settings};
use countersign::domain::ids::{AttemptId, WorkflowId};
use countersign::domain::plan::{Plan, PlannedStep};
use countersign::kit::Kit;
use countersign::service::{Limits, Service};
use countersign::store::plans;
use countersign::target::{Adoption, Again, Besides, LeftIn, Mark, SentBefore, StepCall, Subject, Target};
use futures_util::StreamExt as _;
use reqwest::Method;
use secrecy::SecretString;
use serde_json::Value;

use super::Size;
use super::figures::{Goal, Report, told};
use super::people::{approve_all, joiner, post_all, until};
use super::stand::{Disk, Engine, Stand, Wish, number};
use super::watch::{cpu_ms, many, median, now, pause, today, whole};

const IN_FLIGHT: u32 = 32;

/// What one run of the service has shown.
pub struct Run {
    pub workflows: Vec<WorkflowId>,
    pub took: Duration,
    /// Processor time, in milliseconds.
    pub cpu: f64,
    pub syncs: u64,
}

/// Has so many joiners approved ahead of their time, and measures from that time to the last one verified.
pub async fn carried_out(stand: &Stand, from: usize, joiners: usize) -> Run {
    // Planning and approving read the vault, too, and must be over when the time comes.
    let per_joiner = stand.wish.latency_ms * 2 + 12;
    let lead = 4_000 + u64::try_from(joiners).unwrap() * per_joiner;
    let begin = today() + TimeDelta::milliseconds(i64::try_from(lead).unwrap());
    let at = begin.to_rfc3339_opts(SecondsFormat::Millis, true);
    let bodies = (from..from + joiners).map(|number| joiner(number, &at)).collect();
    let posted = post_all(stand, bodies, 32).await;
    let workflows: Vec<WorkflowId> = posted.into_iter().map(|(workflow, _)| workflow).collect();
    until(stand, "pending_approval", joiners).await;
    approve_all(stand, &workflows).await;
    until(stand, "approved", joiners).await;
    let ahead = (begin - today()).num_milliseconds();
    assert!(ahead > 0, "the approvals took {} ms longer than there was time", -ahead);
    let done = usize::try_from(number(&stand.database().await, SUCCEEDED).await).unwrap();
    pause(u64::try_from(ahead).unwrap()).await;
    let (begun, cpu, syncs) = (now(), cpu_ms(stand.pid()), stand.syncs());
    until(stand, "succeeded", done + joiners).await;
    Run { workflows, took: begun.elapsed(), cpu: cpu_ms(stand.pid()) - cpu, syncs: stand.syncs() - syncs }
}

const SUCCEEDED: &str = "select count(*) from workflows where state = 'succeeded'";

/// Sequences in a second, in pairs with the same calls without durability.
pub async fn against_the_same_calls(engine: Engine, disk: Disk, size: Size, report: &mut Report) {
    let (mut ratios, mut rates, mut limits) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..size.pairs {
        let wish = Wish { engine, disk, latency_ms: 20, in_flight: IN_FLIGHT };
        let mut stand = Stand::begin(wish).await;
        stand.serve().await;
        let run = carried_out(&stand, 0, size.joiners).await;
        stand.stop().await;
        let rate = many(&run.workflows) / run.took.as_secs_f64();
        let limit = many(&run.workflows) / the_same_calls(&stand, &run.workflows).await.as_secs_f64();
        rates.push(rate);
        limits.push(limit);
        ratios.push(rate / limit);
    }
    let goal = match (engine, disk) {
        (_, Disk::AsItIs) => Goal::AtLeast(0.95),
        (Engine::Postgres, Disk::TwoMillisecondsMore) => Goal::AtLeast(0.65),
        (Engine::Sqlite, Disk::TwoMillisecondsMore) => Goal::Told,
    };
    let name = format!(
        "sequences against the same calls without durability, 20 ms vault, {}, {}",
        engine.word(),
        disk.word()
    );
    let beside = format!("{} sequences/s against {}", told(median(rates)), told(median(limits)));
    report.add(name, (median(ratios), "of them"), goal, beside);
}

/// One sequence by itself: what it makes durable.
pub async fn one_alone(engine: Engine, report: &mut Report) {
    let mut stand = Stand::begin(Wish { engine, disk: Disk::AsItIs, latency_ms: 0, in_flight: 1 }).await;
    stand.serve().await;
    let deeds = match engine {
        Engine::Sqlite => {
            let run = carried_out(&stand, 0, 1).await;
            whole(run.syncs)
        }
        Engine::Postgres => {
            let before = flushed(&stand).await;
            carried_out(&stand, 0, 1).await;
            // The server tells its books with a delay.
            pause(1_500).await;
            flushed(&stand).await - before
        }
    };
    let name = format!("syncs of one six-step sequence alone, {}", engine.word());
    let beside = match engine {
        Engine::Sqlite => "from its time to its end, the sealing of the trail included",
        Engine::Postgres => "from the webhook to its end, everything the server has synced",
    };
    let goal = match engine {
        Engine::Sqlite => Goal::AtMost(8.0),
        Engine::Postgres => Goal::Told,
    };
    report.add(name, (deeds, "syncs"), goal, beside.to_owned());
}

async fn flushed(stand: &Stand) -> f64 {
    let syncs = number(&stand.database().await, "select wal_sync from pg_stat_wal").await;
    whole(u64::try_from(syncs).unwrap())
}

/// Sequences when the vault takes no time.
pub async fn without_latency(engine: Engine, size: Size, report: &mut Report) {
    let mut stand =
        Stand::begin(Wish { engine, disk: Disk::AsItIs, latency_ms: 0, in_flight: IN_FLIGHT }).await;
    stand.serve().await;
    let run = carried_out(&stand, 0, size.joiners).await;
    let calls = stand.asked("/_sim/wire").await.as_array().map_or(0, Vec::len);
    let rate = many(&run.workflows) / run.took.as_secs_f64();
    let beside = format!(
        "the simulated vault shares the machine; {calls} calls in all, planning and approving included"
    );
    let name = format!("sequences with a vault that takes no time, {IN_FLIGHT} in flight, {}", engine.word());
    report.add(name, (rate, "/s"), Goal::AtLeast(2_000.0), beside);
    let name = format!("processor time of one sequence, {}", engine.word());
    let cpu = run.cpu / many(&run.workflows);
    report.add(name, (cpu, "ms"), Goal::AtMost(1.0), "the service's process alone".to_owned());
}

/// The same calls, with nothing recorded anywhere.
async fn the_same_calls(stand: &Stand, workflows: &[WorkflowId]) -> Duration {
    take_out_the_accounts(stand).await;
    let world = World::real();
    let settings = Settings::load(&stand.settings_file(), &Machine).unwrap();
    let service = Service::open(settings, world, Limits::default()).await.unwrap_or_else(|_| panic!("open"));
    let kit = Arc::new(service.kit);
    let mut approved: Vec<Plan> = Vec::new();
    for workflow in workflows {
        let kept = plans::find(&kit.store, *workflow, 1).await.unwrap().unwrap();
        approved.push(kept.sealed.open().unwrap());
    }
    let begun = now();
    let runs = approved.into_iter().map(|plan| {
        let kit = Arc::clone(&kit);
        async move { calls_of(&kit, &plan).await }
    });
    let at_once = usize::try_from(IN_FLIGHT).unwrap();
    futures_util::stream::iter(runs).buffer_unordered(at_once).collect::<Vec<()>>().await;
    let took = begun.elapsed();
    kit.store.close().await;
    took
}

async fn take_out_the_accounts(stand: &Stand) {
    let state = stand.asked("/_sim/state").await;
    let ours = |user: &&Value| user["username"].as_str().is_some_and(|name| name.starts_with("bench"));
    for user in state["users"].as_array().unwrap().iter().filter(ours) {
        stand.told(Method::DELETE, &format!("/_sim/users/{}", user["id"]), &Value::Null).await;
    }
}

async fn calls_of(kit: &Kit, plan: &Plan) {
    let target: &dyn Target = kit.target(&plan.target).unwrap().as_ref();
    let groups = plan.assumed_groups();
    target.snapshot(Subject::of(plan), Besides::of(plan, &groups)).await.unwrap();
    let mut user_id = None;
    let mark = Mark::of(AttemptId::made(kit.world.now(), kit.world.bytes()));
    for step in &plan.steps {
        let password =
            matches!(step, PlannedStep::CreateUser(_)).then(|| SecretString::from("Aa1!bench-Zz9?mark-0123"));
        let call = StepCall {
            plan,
            step,
            user_id,
            mark: mark.clone(),
            our_marks: std::slice::from_ref(&mark),
            lost_marks: &[],
            adoption: Adoption::OnlyByMark,
            form: None,
            password,
            again: Again::Yes,
            before: None,
            left: LeftIn::OthersThanPlanned,
            sent_before: SentBefore::No,
            removed: &[],
        };
        let report = target.act(&call).await;
        assert!(matches!(report.outcome.word(), "done" | "already_so"), "{}", report.words);
        user_id = report.user_id.or(user_id);
    }
}
