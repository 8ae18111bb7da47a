//! One run: asks what is next, calls the target, records.
//!
//! Must hold: if it dies anywhere, the ledger says where, and the next holder of the lease looks before it acts.

use secrecy::SecretString;

use super::allowed::{forbidden, forbidden_request};
use super::begin::{Begun, Widened};
use super::claimed::{Left, Run, Runner};
use super::password;
use crate::domain::canon::Tag;
use crate::domain::ids::{AttemptId, SecretId, WorkflowId};
use crate::domain::kind::Kind;
use crate::domain::plan::PlannedStep;
use crate::domain::request::{Request, What};
use crate::domain::resting::Admission;
use crate::domain::step::{Going, Ledger, Move, Purpose, Report, Rest, StepRecord, Waits, next_move};
use crate::domain::workflow::State;
use crate::key::Purpose as SealedFor;
use crate::store::ReadFault;
use crate::store::lease::Lease;
use crate::store::leaver_clocks;
use crate::store::plans;
use crate::store::recording::{Ended, Intent, Next, Recorded};
use crate::store::resets;
use crate::store::restores;
use crate::store::secrets::{self, Sealed};
use crate::store::steps;
use crate::store::workflows::Workflow;
use crate::store::written;
use crate::target::{Adoption, Again, LeftIn, Mark, SentBefore, StepCall};

/// So many attempts at making one account are known again after a restore; twice as many as one plan makes at most.
const MOST_LOST: usize = 100;

impl Runner<'_> {
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
        let request: Request = workflow.request.open(Tag::Request).map_err(ReadFault::from)?;
        let stopped = forbidden_request(self.kit, &workflow, &request)
            .or_else(|| forbidden(&self.kit.settings, &workflow.state, &plan, &kept.routing));
        // What is to stop anyhow writes nothing new, whatever the settings say.
        if let Some(stopped) = stopped.filter(|_| workflow.stop.is_none()) {
            return self.stop_because(&workflow, &lease, stopped).await;
        }
        let leaver = match request.what() {
            Some(What::Leaver(leaver)) => Some(leaver.terms.clone()),
            Some(_) | None => None,
        };
        let mut run = Run { workflow, lease, plan, target, leaver };
        if matches!(run.workflow.state, State::Approved { .. }) {
            match self.begin(&mut run).await? {
                Begun::Yes => run.workflow.state = State::Running,
                Begun::NotNow => return Ok(()),
            }
        } else if run.going() == Going::On
            && let Begun::NotNow = self.resume(&run).await?
        {
            return Ok(());
        }
        self.steps(&mut run).await
    }

    /// One move after the other, until the run rests or has to wait.
    async fn steps(&self, run: &mut Run<'_>) -> Result<(), Left> {
        let mut ledger = steps::ledger(&self.kit.store, run.workflow.id, run.plan.number).await?;
        let mut ended: Option<Ended> = None;
        let mut memberships = Memberships::NotReadYet;
        loop {
            if self.kit.store.is_ending() {
                // The service is asked to go: what is known is recorded, and the next start goes on from here.
                self.record(run, ended, Next::Wait(self.kit.world.now())).await?;
                return Ok(());
            }
            let (policy, now) = (self.kit.retry_policy(), self.kit.world.now());
            let (place, purpose) = match next_move(&run.plan, &ledger, &policy, now, run.going()) {
                Move::Begin(place) => (place, Purpose::Act),
                Move::Look(place) => (place, Purpose::Look),
                Move::Wait(due) => {
                    self.record(run, ended, Next::Wait(due)).await?;
                    return Ok(());
                }
                Move::Rest(rest) => {
                    log_rest(run, &rest);
                    let is_done = matches!(rest, Rest::Succeeded);
                    self.record(run, ended, Next::Rest(rest)).await?;
                    if is_done && run.leaver.is_some() {
                        self.measure(run.workflow.id).await;
                    }
                    return Ok(());
                }
            };
            if let Admission::NotBefore(due, _) = run.target.admit(run.workflow.id) {
                // Nothing is tried on a target that is left to rest, so no try is used up.
                self.record(run, ended, Next::Wait(due)).await?;
                return Ok(());
            }
            if memberships == Memberships::NotReadYet && is_last_look(run, place) {
                if ended.is_some() {
                    // What is known is recorded before the vault is asked; this very run goes on at once.
                    self.record(run, ended, Next::Wait(self.kit.world.now())).await?;
                    return Ok(());
                }
                memberships = Memberships::Read;
                match self.widen_at_the_end(run, &ledger).await? {
                    Widened::No => {}
                    Widened::Stopped => return Ok(()),
                    Widened::Yes => {
                        memberships = Memberships::NotReadYet;
                        ledger = steps::ledger(&self.kit.store, run.workflow.id, run.plan.number).await?;
                    }
                }
                continue;
            }
            match self.attempt(run, &mut ledger, (place, purpose), ended.take()).await? {
                Some(outcome) => ended = Some(outcome),
                None => return Ok(()),
            }
        }
    }

    /// How long a leaver kept access that was to end, for whoever watches; the report has it in any case.
    async fn measure(&self, leaver: WorkflowId) {
        let Ok(Some(clock)) = leaver_clocks::of(&self.kit.store, leaver).await else { return };
        for (name, lag) in [
            ("countersign_leaver_own_lag_seconds", clock.own_lag()),
            ("countersign_leaver_notice_lag_seconds", clock.notice_lag()),
        ] {
            if let Some(seconds) = lag.and_then(|lag| lag.to_std().ok()) {
                metrics::histogram!(name).record(seconds.as_secs_f64());
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
        let attempt = self.attempt_at(run, step, purpose).await?;
        let form = ledger.form(&run.plan, place);
        let begun = StepRecord { form, ..record }.begin(attempt, purpose, self.kit.world.now());
        let Sent { sealed, secret, password } = self.password_for(run, step, purpose).await?;
        let intent = Intent { step: place, attempt, purpose, record: begun.clone(), sealed, secret };
        match self.record(run, ended, Next::Begin(Box::new(intent))).await? {
            Recorded::AsAsked => {}
            Recorded::Stopped => return Ok(None),
        }
        let made = steps::acts_of_kind(&self.kit.store, run.workflow.id, "create_user").await?;
        let lost_marks = self.lost_marks(run, step, &made).await?;
        let our_marks: Vec<Mark> = made.into_iter().map(Mark::of).collect();
        let before = match purpose {
            Purpose::Act => None,
            Purpose::Look => {
                let of = (run.workflow.id, run.plan.number);
                written::before_last_act(&self.kit.store, of, place).await?
            }
        };
        let again = if begun.is_last_act(&self.kit.retry_policy()) { Again::No } else { Again::Yes };
        let call = StepCall {
            plan: &run.plan,
            step,
            user_id: ledger.user_id.or_else(|| run.plan.account.as_ref().map(|account| account.id)),
            mark: Mark::of(attempt),
            our_marks: &our_marks,
            lost_marks: &lost_marks,
            adoption: run.workflow.adoption,
            form: begun.form,
            password,
            sent_before: self.sent_before(run, step, attempt).await?,
            again,
            before,
            left: left_in(run),
            removed: &ledger.removed(&run.plan),
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

    /// Has an attempt before this one perhaps set the very password that this one sets?
    async fn sent_before(
        &self,
        run: &Run<'_>,
        step: &PlannedStep,
        attempt: AttemptId,
    ) -> Result<SentBefore, Left> {
        let sets = *step == PlannedStep::ResetPassword
            && resets::perhaps_set(&self.kit.store, run.workflow.id, attempt).await?;
        Ok(if sets { SentBefore::Perhaps } else { SentBefore::No })
    }

    /// The id of an attempt; one that makes the account has an id that can be told again from the request alone. After a
    /// restore other ids follow, so that what a lost attempt has made is never taken for what this one is about to make.
    async fn attempt_at(
        &self,
        run: &Run<'_>,
        step: &PlannedStep,
        purpose: Purpose,
    ) -> Result<AttemptId, Left> {
        let world = &self.kit.world;
        if !matches!((step, purpose), (PlannedStep::CreateUser(_), Purpose::Act)) {
            return Ok(AttemptId::made(world.now(), world.bytes()));
        }
        let made = steps::acts_of_kind(&self.kit.store, run.workflow.id, "create_user").await?;
        let nth = restores::accepted(&self.kit.store).await? * MOST_LOST + made.len();
        let workflow = &run.workflow;
        Ok(self.kit.keys.create_attempt(&workflow.source, &workflow.source_ref, nth))
    }

    /// What attempts at making this account would have left that stand in no database any more.
    async fn lost_marks(
        &self,
        run: &Run<'_>,
        step: &PlannedStep,
        made: &[AttemptId],
    ) -> Result<Vec<Mark>, Left> {
        if !matches!(step, PlannedStep::FindUser | PlannedStep::CreateUser(_)) {
            return Ok(Vec::new());
        }
        let workflow = &run.workflow;
        let any = |nth| self.kit.keys.create_attempt(&workflow.source, &workflow.source_ref, nth);
        let most = (restores::accepted(&self.kit.store).await? + 1) * MOST_LOST;
        Ok((0..most).map(any).filter(|attempt| !made.contains(attempt)).map(Mark::of).collect())
    }

    fn settle(&self, begun: StepRecord, purpose: Purpose, report: &Report) -> StepRecord {
        let policy = self.kit.retry_policy();
        let waits = Waits { policy: &policy, now: self.kit.world.now(), chance: self.kit.world.number() };
        begun.settle(purpose, report, &waits)
    }

    /// The sealed password of this run, made now if there is none; only making an account and resetting its password
    /// need one.
    async fn password_for(&self, run: &Run<'_>, step: &PlannedStep, purpose: Purpose) -> Result<Sent, Left> {
        let sets_one = matches!(step, PlannedStep::CreateUser(_) | PlannedStep::ResetPassword);
        if !sets_one || purpose != Purpose::Act {
            return Ok(Sent::default());
        }
        if let Some(standing) = secrets::initial_password(&self.kit.store, run.workflow.id).await? {
            let clear = self.kit.keys.open(SealedFor::InitialPassword, standing.id.0, &standing.bytes)?;
            let clear = String::from_utf8_lossy(&clear).into_owned();
            let password = Some(SecretString::from(clear));
            return Ok(Sent { sealed: None, secret: Some(standing.id), password });
        }
        let makes_one = matches!(step, PlannedStep::CreateUser(_));
        if makes_one && matches!(run.workflow.adoption, Adoption::ByPerson(_)) {
            // The account is there, with a password that nobody here has chosen; a new one would open nothing.
            return Ok(Sent::default());
        }
        let world = &self.kit.world;
        let id = SecretId::made(world.now(), world.bytes());
        let clear = password::generate(world);
        let bytes = self.kit.keys.seal(SealedFor::InitialPassword, id.0, clear.as_bytes(), world)?;
        let password = Some(SecretString::from(clear.as_str()));
        Ok(Sent { sealed: Some(Sealed { id, bytes }), secret: Some(id), password })
    }
}

/// What an attempt sends as the initial password.
#[derive(Default)]
struct Sent {
    /// Made for it, to be kept with its intent.
    sealed: Option<Sealed>,
    /// Which sealed value it is.
    secret: Option<SecretId>,
    /// In clear, for the one call.
    password: Option<SecretString>,
}

/// Which memberships may be left when this run has ended.
fn left_in(run: &Run<'_>) -> LeftIn {
    match (&run.leaver, run.plan.kind) {
        (Some(terms), _) if terms.remove_groups => LeftIn::NoneOfTheVault,
        (None, Kind::Rehire) => LeftIn::OnlyJoined,
        (Some(_), _)
        | (None, Kind::Joiner | Kind::Mover | Kind::Leaver | Kind::ResetPassword | Kind::Unsuspend) => {
            LeftIn::OthersThanPlanned
        }
    }
}

/// Were all memberships read before the last look at a leaver?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Memberships {
    NotReadYet,
    Read,
}

/// Is this the last look at a leaver who is to be left in no group?
fn is_last_look(run: &Run<'_>, place: usize) -> bool {
    let ends_all = run.leaver.as_ref().is_some_and(|terms| terms.remove_groups);
    ends_all && matches!(run.plan.steps.get(place), Some(PlannedStep::VerifyUser))
}

fn log_rest(run: &Run<'_>, rest: &Rest) {
    match rest {
        Rest::Succeeded => tracing::info!(workflow.id = %run.workflow.id, "done and verified"),
        Rest::Stopped => tracing::info!(workflow.id = %run.workflow.id, "stopped, as it was to be"),
        Rest::NeedsPerson(reason) => {
            tracing::warn!(workflow.id = %run.workflow.id, reason = %reason, "a run needs a person");
        }
    }
}
