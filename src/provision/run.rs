//! One run: asks what is next, calls the target, records.
//!
//! Must hold: between two deeds it holds nothing but a lease, which is extended while a call lasts; if it dies anywhere,
//! the ledger says where, and the next holder of the lease looks before it acts. A worker whose lease is gone writes
//! nothing more.

use std::future::Future;
use std::pin::pin;

use chrono::TimeDelta;
use secrecy::SecretString;

use super::allowed::{forbidden, not_allowed};
use super::password;
use crate::domain::canon::Tag;
use crate::domain::drift::drift;
use crate::domain::ids::{AttemptId, SecretId};
use crate::domain::plan::{Plan, PlannedStep, SealedPlan};
use crate::domain::removal::widened;
use crate::domain::request::{Request, What};
use crate::domain::retry::{Tell, unreadable};
use crate::domain::snapshot::Snapshot;
use crate::domain::step::{Ledger, Move, Purpose, Report, Rest, StepRecord, Waits, next_move};
use crate::domain::time::Timestamp;
use crate::domain::workflow::State;
use crate::key::{KeyFault, Purpose as SealedFor};
use crate::kit::Kit;
use crate::rules::access::permit_seen;
use crate::store::lease::{Lease, NotYours};
use crate::store::plans::{self, AwaitVault, WidenPlan};
use crate::store::runs::{Extend, LetGo, StartRun, Started, Stopped};
use crate::store::secrets::{self, Sealed};
use crate::store::steps::{self, Ended, Intent, Next, Record, Recorded};
use crate::store::workflows::Workflow;
use crate::store::{ReadFault, WriteFault};
use crate::target::{CallFault, Mark, StepCall, Subject, Target};
use crate::worker::pulse;

/// So long a lease stands without a sign of life: after that another worker goes on with the run.
pub(super) const LEASE: TimeDelta = TimeDelta::seconds(60);
/// A call that lasts longer extends the lease.
const EXTEND_AFTER: TimeDelta = TimeDelta::seconds(20);

/// Why a run is left where it is.
#[derive(Debug, thiserror::Error)]
pub(super) enum Left {
    /// Somebody else has it now.
    #[error("another worker has taken this run over")]
    Lost,
    /// The database cannot be read.
    #[error("reading the run: {0}")]
    Read(#[from] ReadFault),
    /// The plan and its ledger do not belong together.
    #[error("the plan and its ledger do not belong together")]
    Mismatch,
    /// The database cannot be written.
    #[error("writing the run: {0}")]
    Write(String),
    /// A secret cannot be sealed or opened.
    #[error(transparent)]
    Key(#[from] KeyFault),
}

impl Left {
    /// Is something broken that only a person can mend?
    pub(super) fn is_broken(&self) -> bool {
        match self {
            Self::Read(ReadFault::Inconsistent { .. } | ReadFault::Corrupt(_))
            | Self::Key(_)
            | Self::Mismatch => true,
            Self::Read(ReadFault::Database(_)) | Self::Lost | Self::Write(_) => false,
        }
    }
}

impl From<WriteFault<NotYours>> for Left {
    fn from(fault: WriteFault<NotYours>) -> Self {
        match fault {
            WriteFault::Refused(_) => Self::Lost,
            WriteFault::Unavailable(words) | WriteFault::Unknown(words) => Self::Write(words),
        }
    }
}

/// Carries claimed runs out.
pub(super) struct Runner<'a> {
    kit: &'a Kit,
}

/// One claimed run.
struct Run<'a> {
    workflow: Workflow,
    lease: Lease,
    plan: Plan,
    target: &'a dyn Target,
}

impl<'k> Runner<'k> {
    pub(super) fn new(kit: &'k Kit) -> Self {
        Self { kit }
    }

    pub(super) async fn carry_out(&self, workflow: Workflow, lease: Lease) -> Result<(), Left> {
        self.kit.heed_operator(workflow.id).await?;
        let kept = plans::find(&self.kit.store, workflow.id, workflow.plan_number).await?;
        let Some(kept) = kept else {
            return self.stop(&workflow, &lease, "the plan of this run is gone".to_owned()).await;
        };
        let plan = kept.sealed.open().map_err(ReadFault::from)?;
        let Some(target) = self.kit.target(&plan.target).map(AsRef::as_ref) else {
            let reason = format!("the target {} is no longer configured", plan.target);
            return self.stop(&workflow, &lease, reason).await;
        };
        if let Some(stopped) = forbidden(&self.kit.settings, &workflow.state, &plan, &kept.routing) {
            return self.stop_because(&workflow, &lease, stopped).await;
        }
        let mut run = Run { workflow, lease, plan, target };
        if matches!(run.workflow.state, State::Approved { .. }) {
            match self.begin(&mut run).await? {
                Begun::Yes => run.workflow.state = State::Running,
                Begun::NotNow => return Ok(()),
            }
        }
        self.steps(&run).await
    }

    /// Reads the assumptions again and begins, unless they no longer hold.
    async fn begin(&self, run: &mut Run<'_>) -> Result<Begun, Left> {
        let assumed = run.plan.assumed_groups();
        let reading = run.target.snapshot(Subject::of(&run.plan), &assumed);
        let stopped = match self.holding(run, reading).await? {
            Ok(snapshot) => {
                let voids = drift(&run.plan, &snapshot).voids;
                if let Err(why) = permit_seen(&snapshot) {
                    Some(not_allowed(&why))
                } else if voids.is_empty() {
                    self.widen(run, snapshot).await?;
                    None
                } else {
                    Some(Stopped::Voided(voids))
                }
            }
            Err(CallFault::Retry { words, after_seconds }) => {
                if !run.workflow.awaited().is_over(self.kit.world.now()) {
                    return self.wait_for_target(run, words, after_seconds).await;
                }
                Some(Stopped::Because(unreadable(&words)))
            }
            Err(CallFault::Refused { words } | CallFault::NeedsPerson { words }) => {
                Some(Stopped::Because(words))
            }
        };
        let (stamp, lease) = (self.kit.world.stamp(), run.lease.clone());
        let (workflow, plan_number) = (run.workflow.id, run.workflow.plan_number);
        match self.kit.store.write(StartRun { stamp, lease, workflow, plan_number, stopped }).await? {
            Started::Running => Ok(Begun::Yes),
            Started::Stopped => Ok(Begun::NotNow),
        }
    }

    /// A leaver's plan takes away what the same account has got since, too.
    async fn widen(&self, run: &mut Run<'_>, snapshot: Snapshot) -> Result<(), Left> {
        let request: Request = run.workflow.request.open(Tag::Request).map_err(ReadFault::from)?;
        let Some(What::Leaver(leaver)) = request.what() else { return Ok(()) };
        let salt = self.kit.world.salt();
        let Some(plan) = widened(&run.plan, &snapshot, &leaver.terms, salt) else { return Ok(()) };
        let sealed = SealedPlan::seal(&plan).map_err(|_| Left::Mismatch)?;
        let known: Vec<_> = run.plan.leaves().map(|group| group.id).collect();
        let new = plan.leaves().filter(|group| !known.contains(&group.id));
        let because = new.map(|group| format!("the group {}", group.name)).collect::<Vec<_>>().join(", ");
        let (stamp, lease) = (self.kit.world.stamp(), run.lease.clone());
        self.kit
            .store
            .write(WidenPlan { stamp, lease, plan: plan.clone(), sealed, snapshot, because })
            .await?;
        run.workflow.plan_number = plan.number;
        run.plan = plan;
        Ok(())
    }

    async fn wait_for_target(
        &self,
        run: &Run<'_>,
        words: String,
        after_seconds: Option<u32>,
    ) -> Result<Begun, Left> {
        let now = self.kit.world.now();
        let workflow = &run.workflow;
        let asked = after_seconds.map(|seconds| TimeDelta::seconds(i64::from(seconds)));
        let (due_at, tell) =
            self.kit.retry_policy().await_target(workflow.awaited(), now, self.kit.world.number(), asked);
        let tell = (tell == Tell::Now).then(Vec::new);
        tracing::warn!(workflow.id = %workflow.id, fault = %words, "the target cannot be read; the run waits");
        let stamp = self.kit.world.stamp();
        let noted = self
            .kit
            .store
            .write(AwaitVault {
                stamp,
                workflow: workflow.id,
                plan_number: workflow.plan_number,
                due_at,
                tell,
                words,
            })
            .await;
        noted.map_err(|fault| Left::Write(fault.to_string()))?;
        let (stamp, lease) = (self.kit.world.stamp(), run.lease.clone());
        self.kit.store.write(LetGo { stamp, lease, workflow: workflow.id, due_at }).await?;
        Ok(Begun::NotNow)
    }

    /// One move after the other, until the run rests or has to wait.
    async fn steps(&self, run: &Run<'_>) -> Result<(), Left> {
        let mut ledger = steps::ledger(&self.kit.store, run.workflow.id, run.plan.number).await?;
        let mut ended: Option<Ended> = None;
        loop {
            if self.kit.store.is_ending() {
                // The service is asked to go: what is known is recorded, and the next start goes on from here.
                self.record(run, ended, Next::Wait(self.kit.world.now())).await?;
                return Ok(());
            }
            let (place, purpose) =
                match next_move(&run.plan, &ledger, &self.kit.retry_policy(), self.kit.world.now()) {
                    Move::Begin(place) => (place, Purpose::Act),
                    Move::Look(place) => (place, Purpose::Look),
                    Move::Wait(due) => {
                        self.record(run, ended, Next::Wait(due)).await?;
                        return Ok(());
                    }
                    Move::Rest(rest) => {
                        log_rest(run, &rest);
                        self.record(run, ended, Next::Rest(rest)).await?;
                        return Ok(());
                    }
                };
            match self.attempt(run, &mut ledger, (place, purpose), ended.take()).await? {
                Some(outcome) => ended = Some(outcome),
                None => return Ok(()),
            }
        }
    }

    /// Commits the outcome before and this intent, makes the call, and says what came of it. Nothing is called when
    /// that outcome has sent the run to a person.
    async fn attempt(
        &self,
        run: &Run<'_>,
        ledger: &mut Ledger,
        wanted: (usize, Purpose),
        ended: Option<Ended>,
    ) -> Result<Option<Ended>, Left> {
        let (place, purpose) = wanted;
        let (Some(step), Some(record)) = (run.plan.steps.get(place), ledger.steps.get(place).cloned()) else {
            return Err(Left::Mismatch);
        };
        let world = &self.kit.world;
        let attempt = AttemptId::made(world.now(), world.bytes());
        let form = ledger.form(&run.plan, place);
        let begun = StepRecord { form, ..record }.begin(attempt, purpose);
        let (sealed, password) = self.password_for(run, step, purpose).await?;
        let intent = Intent { step: place, attempt, purpose, record: begun.clone(), sealed };
        match self.record(run, ended, Next::Begin(Box::new(intent))).await? {
            Recorded::AsAsked => {}
            Recorded::Stopped => return Ok(None),
        }
        let made = steps::acts_of_kind(&self.kit.store, run.workflow.id, "create_user").await?;
        let our_marks: Vec<Mark> = made.into_iter().map(Mark::of).collect();
        let call = StepCall {
            plan: &run.plan,
            step,
            user_id: ledger.user_id.or_else(|| run.plan.account.as_ref().map(|account| account.id)),
            mark: Mark::of(attempt),
            our_marks: &our_marks,
            adoption: run.workflow.adoption,
            form: begun.form,
            password,
        };
        let report = match purpose {
            Purpose::Act => self.holding(run, run.target.act(&call)).await?,
            Purpose::Look => self.holding(run, run.target.look(&call)).await?,
        };
        let settled = self.settle(begun, purpose, &report);
        tracing::info!(
            workflow.id = %run.workflow.id, step.name = step.kind(), step.number = place,
            outcome = report.outcome.word(), state = settled.state.word(), "an attempt ended"
        );
        metrics::counter!(
            "countersign_attempts_total", "step" => step.kind(), "outcome" => report.outcome.word()
        )
        .increment(1);
        if let Some(slot) = ledger.steps.get_mut(place) {
            *slot = settled.clone();
        }
        ledger.user_id = report.user_id.or(ledger.user_id);
        Ok(Some(Ended { step: place, attempt, purpose, report, record: settled }))
    }

    /// Waits for the target, and extends the lease as long as that lasts. A lease that is lost in spite of it ends the
    /// wait: whoever has it now looks up what the call brought about.
    async fn holding<T>(&self, run: &Run<'_>, call: impl Future<Output = T>) -> Result<T, Left> {
        let mut call = pin!(call);
        let mut extended = self.kit.world.now();
        loop {
            tokio::select! {
                said = &mut call => return Ok(said),
                () = pulse() => {}
            }
            let now = self.kit.world.now();
            if now.since(extended) < EXTEND_AFTER {
                continue;
            }
            let deed = Extend {
                stamp: self.kit.world.stamp(),
                lease: run.lease.clone(),
                workflow: run.workflow.id,
                until: now.plus(LEASE),
            };
            match self.kit.store.write(deed).await {
                Ok(()) => extended = now,
                Err(WriteFault::Refused(_)) => return Err(Left::Lost),
                Err(WriteFault::Unavailable(words) | WriteFault::Unknown(words)) => {
                    tracing::warn!(workflow.id = %run.workflow.id, fault = %words, "a lease was not extended");
                }
            }
        }
    }

    fn settle(&self, begun: StepRecord, purpose: Purpose, report: &Report) -> StepRecord {
        let policy = self.kit.retry_policy();
        let waits = Waits { policy: &policy, now: self.kit.world.now(), chance: self.kit.world.number() };
        begun.settle(purpose, report, &waits)
    }

    /// The sealed password of this run, made now if there is none; only making an account needs one.
    async fn password_for(
        &self,
        run: &Run<'_>,
        step: &PlannedStep,
        purpose: Purpose,
    ) -> Result<(Option<Sealed>, Option<SecretString>), Left> {
        if !matches!((step, purpose), (PlannedStep::CreateUser(_), Purpose::Act)) {
            return Ok((None, None));
        }
        if let Some(standing) = secrets::initial_password(&self.kit.store, run.workflow.id).await? {
            let clear = self.kit.keys.open(SealedFor::InitialPassword, standing.id.0, &standing.bytes)?;
            let clear = String::from_utf8_lossy(&clear).into_owned();
            return Ok((None, Some(SecretString::from(clear))));
        }
        let world = &self.kit.world;
        let id = SecretId::made(world.now(), world.bytes());
        let clear = password::generate(world);
        let bytes = self.kit.keys.seal(SealedFor::InitialPassword, id.0, clear.as_bytes(), world)?;
        Ok((Some(Sealed { id, bytes }), Some(SecretString::from(clear.as_str()))))
    }

    async fn record(&self, run: &Run<'_>, ended: Option<Ended>, next: Next) -> Result<Recorded, Left> {
        let deed = Record {
            stamp: self.kit.world.stamp(),
            lease: run.lease.clone(),
            until: self.until(),
            workflow: run.workflow.id,
            plan: run.plan.clone(),
            ended,
            next,
        };
        Ok(self.kit.store.write(deed).await?)
    }

    /// Sends a claimed run to a person, whichever of its states it is in.
    pub(super) async fn stop(&self, workflow: &Workflow, lease: &Lease, reason: String) -> Result<(), Left> {
        self.stop_because(workflow, lease, Stopped::Because(reason)).await
    }

    async fn stop_because(&self, workflow: &Workflow, lease: &Lease, stopped: Stopped) -> Result<(), Left> {
        tracing::warn!(workflow.id = %workflow.id, because = ?stopped, "a run is stopped");
        let (stamp, lease, stopped) = (self.kit.world.stamp(), lease.clone(), Some(stopped));
        let (workflow, plan_number) = (workflow.id, workflow.plan_number);
        self.kit.store.write(StartRun { stamp, lease, workflow, plan_number, stopped }).await?;
        Ok(())
    }

    fn until(&self) -> Timestamp {
        self.kit.world.now().plus(LEASE)
    }
}

fn log_rest(run: &Run<'_>, rest: &Rest) {
    match rest {
        Rest::Succeeded => tracing::info!(workflow.id = %run.workflow.id, "done and verified"),
        Rest::NeedsPerson(reason) => {
            tracing::warn!(workflow.id = %run.workflow.id, reason = %reason, "a run needs a person");
        }
    }
}

/// Did execution begin?
enum Begun {
    Yes,
    NotNow,
}
