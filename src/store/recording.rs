//! Recording what a run does: an outcome and the next intent, and coming to rest.
//!
//! Must hold: every write here carries proof that the worker's lease and fence hold in this transaction; one deed
//! records an outcome and the next intent; each intent and each outcome has exactly one audit event.
//! Deliberately absent: reading the ledger, and sending stopped steps on (`reopen.rs`).

use async_trait::async_trait;
use chrono::TimeDelta;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, Set};
use uuid::Uuid;

use super::creates::Lost;
use super::deed::{Deed, Fault, Tx};
use super::lease::{Held, Lease, NotYours, standing};
use super::people::{self, Linked};
use super::rows::{attempt, step};
use super::secrets::{self, Sealed};
use super::step_row::columns;
use super::steps::number;
use super::workflows::{self, Also, Workflow};
use super::{audit, creates, due, ends, watches};
use crate::clock::Stamp;
use crate::domain::audit::{Actor, EventKind, NewEvent};
use crate::domain::canon::{Canon, CanonicalBytes, Tag};
use crate::domain::ids::{AttemptId, SecretId, VaultUserId, WorkflowId};
use crate::domain::plan::{Plan, PlannedStep};
use crate::domain::step::{AccessSeen, Going, Outcome, Purpose, Report, Rest, StepRecord, StepState};
use crate::domain::time::Timestamp;
use crate::domain::workflow::{State, WrongMove};

/// The outcome of an attempt.
#[derive(Debug, Clone)]
pub struct Ended {
    /// Which step of the plan.
    pub step: usize,
    /// Which attempt.
    pub attempt: AttemptId,
    /// Why it was made.
    pub purpose: Purpose,
    /// What it brought.
    pub report: Report,
    /// Where the step stands afterwards.
    pub record: StepRecord,
}

/// The intent of an attempt.
#[derive(Debug, Clone)]
pub struct Intent {
    /// Which step of the plan.
    pub step: usize,
    /// Which attempt.
    pub attempt: AttemptId,
    /// Why it is made.
    pub purpose: Purpose,
    /// Where the step stands while it is under way.
    pub record: StepRecord,
    /// A password that was generated for it.
    pub sealed: Option<Sealed>,
    /// The sealed password that it sends, if it sends one: that one, or the one that stands.
    pub secret: Option<SecretId>,
}

/// What follows after an outcome.
#[derive(Debug, Clone)]
pub enum Next {
    /// This intent.
    Begin(Box<Intent>),
    /// Nothing before this moment; the lease is let go.
    Wait(Timestamp),
    /// The run has come to rest; the lease is let go.
    Rest(Rest),
}

/// What became of what was to follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// It stands as asked.
    AsAsked,
    /// The run went to a person instead, or is to stop: nothing may follow.
    Stopped,
}

/// Records an outcome, if there is one, and what follows.
pub struct Record {
    /// Time and ids.
    pub stamp: Stamp,
    /// Proof to be checked.
    pub lease: Lease,
    /// The lease is held until then.
    pub until: Timestamp,
    /// Which workflow.
    pub workflow: WorkflowId,
    /// The plan that is carried out.
    pub plan: Plan,
    /// What came of the attempt before.
    pub ended: Option<Ended>,
    /// What follows.
    pub next: Next,
    /// A call of which no answer came may take effect so much later.
    pub server_delay: TimeDelta,
    /// Does the worker believe that the run goes on?
    pub going: Going,
}

#[async_trait]
impl Deed for Record {
    type Done = Recorded;
    type No = NotYours;

    fn name(&self) -> &'static str {
        "record_step"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    fn concerns_others(&self) -> bool {
        !matches!(self.next, Next::Begin(_))
    }

    async fn perform(&self, tx: &mut Tx) -> Result<Recorded, Fault<NotYours>> {
        let (held, workflow) = Held::prove(tx, &self.lease, self.workflow).await?;
        if !matches!(workflow.state, State::Running) {
            return Err(Fault::Refused(WrongMove { from: workflow.state, wanted: "a step" }.into()));
        }
        standing(&workflow, self.plan.number)?;
        if let Some(ended) = &self.ended
            && let Some(reason) = self.end(tx, &workflow, ended).await?
        {
            // The account is linked to somebody else: whatever was to follow, a person must look.
            self.rest(tx, &held, &workflow, &Rest::NeedsPerson(reason)).await?;
            return Ok(Recorded::Stopped);
        }
        if workflow.stop.is_some() && self.going == Going::On {
            // Nothing new is begun; whoever takes the run up next knows that it is to stop.
            due::postpone(tx, self.workflow, tx.at).await?;
            held.until(tx, tx.at).await?;
            return Ok(Recorded::Stopped);
        }
        match &self.next {
            Next::Begin(intent) => {
                self.begin(tx, &held, intent).await?;
                due::postpone(tx, self.workflow, self.until).await?;
                held.until(tx, self.until).await?;
            }
            Next::Wait(moment) => {
                due::postpone(tx, self.workflow, *moment).await?;
                held.until(tx, tx.at).await?;
            }
            Next::Rest(rest) => self.rest(tx, &held, &workflow, rest).await?,
        }
        Ok(Recorded::AsAsked)
    }
}

impl Record {
    /// Writes an outcome; answers a reason to stop when the account cannot be linked to the person.
    async fn end(
        &self,
        tx: &mut Tx,
        workflow: &Workflow,
        ended: &Ended,
    ) -> Result<Option<String>, Fault<NotYours>> {
        let open = step::Entity::find_by_id(self.step_key(ended.step)).one(&tx.inner).await?;
        if open.as_ref().and_then(|row| row.open_attempt) != Some(ended.attempt.0) {
            return Err(Fault::Refused(NotYours::NotOpen));
        }
        let row = attempt::ActiveModel {
            id: Set(ended.attempt.0),
            ended_at: Set(Some(tx.at.as_utc())),
            outcome: Set(Some(ended.report.outcome.word().to_owned())),
            report: Set(Some(CanonicalBytes::of(Tag::Report, &ended.report)?.as_slice().to_vec())),
            ..Default::default()
        };
        attempt::Entity::update(row).exec(&tx.inner).await?;
        let planned = self.plan.steps.get(ended.step);
        let lost = match planned {
            Some(PlannedStep::CreateUser(_)) => creates::last_lost(tx, self.workflow).await?,
            _ => None,
        };
        if matches!(planned, Some(PlannedStep::CreateUser(_))) {
            creates::ended(tx, self.workflow, ended.purpose, &ended.report).await?;
        }
        // Whatever an earlier attempt has set, the next password is set over it.
        if matches!(planned, Some(PlannedStep::ResetPassword)) && refused_a_write(ended) {
            secrets::destroy(tx, self.workflow).await?;
        }
        let mut record = ended.record.clone();
        let mut stop = None;
        let mut linked = None;
        if let (Some(PlannedStep::CaptureUserId), Outcome::Done, Some(id)) =
            (planned, &ended.report.outcome, ended.report.user_id)
        {
            match self.link(tx, workflow, id).await? {
                Ok(event) => linked = event,
                Err(reason) => {
                    record.state = StepState::Failed { reason: reason.clone() };
                    stop = Some(reason);
                }
            }
        }
        let event = self.outcome_event(ended, &record.state);
        let event = match lost {
            Some(lost) => self.watch(tx, ended, lost, event).await?,
            None => event,
        };
        audit::append(tx, self.workflow.into(), event).await?;
        audit::append_all(tx, self.workflow.into(), linked).await?;
        self.write_step(tx, ended.step, &record, ended.report.user_id).await?;
        Ok(stop)
    }

    /// A create is lost: its name is watched until it can take effect no more, or its account is found. The event says
    /// so, and which call it is about.
    async fn watch(
        &self,
        tx: &Tx,
        ended: &Ended,
        lost: Lost,
        event: NewEvent,
    ) -> Result<NewEvent, Fault<NotYours>> {
        let event = match lost {
            Lost::Unanswered(at) => event.text("unanswered_at", at.to_string()),
            Lost::Interrupted(at) => event.text("interrupted_at", at.to_string()),
        };
        if matches!(ended.report.outcome, Outcome::Done | Outcome::AlreadySo) {
            watches::over(tx, self.workflow).await?;
            return Ok(event);
        }
        let until = watches::note(tx, &self.plan, self.server_delay).await?;
        Ok(event.text("watched_until", until.to_string()))
    }

    async fn link(
        &self,
        tx: &mut Tx,
        workflow: &Workflow,
        id: VaultUserId,
    ) -> Result<Result<Option<NewEvent>, String>, Fault<NotYours>> {
        let account = (&self.plan.user_name, id);
        match people::link(tx, workflow, &self.plan.target, account).await? {
            Linked::Now => Ok(Ok(Some(people::linked_event(workflow, &self.plan, id)))),
            Linked::Before => Ok(Ok(None)),
            Linked::Otherwise => Ok(Err(format!(
                "the account with number {id} or this person is linked otherwise already; nothing was linked"
            ))),
        }
    }

    async fn begin(&self, tx: &mut Tx, held: &Held, intent: &Intent) -> Result<(), Fault<NotYours>> {
        if let Some(sealed) = &intent.sealed {
            secrets::keep(tx, self.workflow, sealed).await?;
        }
        let before = attempt::Entity::find()
            .filter(attempt::Column::WorkflowId.eq(self.workflow.0))
            .filter(attempt::Column::PlanNumber.eq(i64::from(self.plan.number)))
            .filter(attempt::Column::StepNumber.eq(number(intent.step)))
            .order_by_desc(attempt::Column::Number)
            .one(&tx.inner)
            .await?;
        let place = before.map_or(1, |row| row.number + 1);
        let row = attempt::ActiveModel {
            id: Set(intent.attempt.0),
            workflow_id: Set(self.workflow.0),
            plan_number: Set(i64::from(self.plan.number)),
            step_number: Set(number(intent.step)),
            number: Set(place),
            purpose: Set(intent.purpose.word().to_owned()),
            fence: Set(held.fence()),
            begun_at: Set(tx.at.as_utc()),
            ended_at: Set(None),
            outcome: Set(None),
            report: Set(None),
            secret_id: Set(intent.secret.map(|id| id.0)),
        };
        attempt::Entity::insert(row).exec_without_returning(&tx.inner).await?;
        self.write_step(tx, intent.step, &intent.record, None).await?;
        let event =
            self.event(EventKind::StepBegun, intent.step, intent.attempt).number("attempt_number", place);
        let event = event.text("purpose", intent.purpose.word()).number("fence", held.fence());
        let event = match intent.record.form {
            Some(form) => event.text("form", form.word()),
            None => event,
        };
        audit::append(tx, self.workflow.into(), event).await?;
        Ok(())
    }

    async fn rest(
        &self,
        tx: &mut Tx,
        held: &Held,
        workflow: &Workflow,
        rest: &Rest,
    ) -> Result<(), Fault<NotYours>> {
        match rest {
            Rest::Succeeded => {
                let transition = workflow.state.succeeded()?;
                workflows::apply(tx, workflow, transition, Also::default()).await?;
            }
            Rest::NeedsPerson(_) | Rest::Stopped if workflow.stop.is_some() => {
                ends::stopped(tx, workflow).await?;
            }
            Rest::NeedsPerson(reason) => {
                let transition = workflow.state.needs_attention(reason.clone())?;
                workflows::apply(tx, workflow, transition, Also::default()).await?;
                workflows::wake(tx, workflow.id).await?;
            }
            Rest::Stopped => {
                return Err(Fault::Broken(format!("workflow {} was not to stop", workflow.id)));
            }
        }
        held.until(tx, tx.at).await
    }

    async fn write_step(
        &self,
        tx: &Tx,
        place: usize,
        record: &StepRecord,
        user_id: Option<VaultUserId>,
    ) -> Result<(), Fault<NotYours>> {
        let mut row = columns(record, tx.at);
        (row.workflow_id, row.plan_number, row.number) =
            (Set(self.workflow.0), Set(i64::from(self.plan.number)), Set(number(place)));
        if let Some(id) = user_id {
            row.user_id = Set(Some(id.0));
        }
        step::Entity::update(row).exec(&tx.inner).await?;
        Ok(())
    }

    fn step_key(&self, place: usize) -> (Uuid, i64, i64) {
        (self.workflow.0, i64::from(self.plan.number), number(place))
    }

    fn event(&self, kind: EventKind, place: usize, attempt: AttemptId) -> NewEvent {
        let word = self.plan.steps.get(place).map_or("", PlannedStep::kind);
        NewEvent::new(kind, Actor::Countersign)
            .number("step_number", number(place))
            .text("step", word)
            .text("attempt", attempt.to_string())
    }

    fn outcome_event(&self, ended: &Ended, state: &StepState) -> NewEvent {
        let kind = match ended.purpose {
            Purpose::Act => EventKind::StepEnded,
            Purpose::Look => EventKind::StepLookedUp,
        };
        let calls = ended.report.calls.iter().map(|call| {
            let status = call.status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
            Canon::Text(format!("{} {} {status}", call.method, call.path))
        });
        let event = self
            .event(kind, ended.step, ended.attempt)
            .text("outcome", ended.report.outcome.word())
            .text("state", state.word())
            .fact("calls", Canon::List(calls.collect()))
            .personal("words", ended.report.words.clone());
        let event = match ended.report.user_id {
            Some(id) => event.number("user_id", id.0),
            None => event,
        };
        match &ended.report.access {
            Some(access) => with_access(event, access),
            None => event,
        }
    }
}

/// What an account could reach: counted in the open, told in full as a personal value. What the vault does not tell
/// is counted by nobody.
fn with_access(event: NewEvent, access: &AccessSeen) -> NewEvent {
    let count = |list: Option<usize>| list.and_then(|many| i64::try_from(many).ok());
    let counts = [
        ("groups", count(access.groups.as_ref().map(Vec::len))),
        ("safes", count(access.safes.as_ref().map(Vec::len))),
        ("authorizations", count(access.authorizations.as_ref().map(Vec::len))),
    ];
    let counted = counts.into_iter().filter_map(|(name, many)| Some((name, many?)));
    let event = counted.fold(event, |event, (name, many)| event.number(name, many));
    // A value of our own types always has a JSON form.
    event.personal("access", serde_json::to_string(access).unwrap_or_default())
}

/// Did the target refuse what was sent? A refused look, or a refusal before anything was sent, says nothing about an
/// earlier attempt.
fn refused_a_write(ended: &Ended) -> bool {
    let sent = ended.report.calls.iter().any(|call| call.method != "GET");
    sent && ended.report.outcome == Outcome::Refused
}
