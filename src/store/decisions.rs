//! Asking and deciding. The one door for decisions: nothing else writes the decisions table.
//!
//! Must hold: the rule of the core is asked again in the transaction, with what the database says now; the decision,
//! the change of state, the audit events and the owed messages are one.

use async_trait::async_trait;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, Set};

use super::asks::{self, Ask, NewAsk};
use super::deed::{Deed, Fault, Tx};
use super::fault::ReadFault;
use super::rows::decision;
use super::workflows::{self, Also, Workflow};
use super::{Store, asked_as_told, audit, concerned, outbox, plans, reminders};
use crate::clock::Stamp;
use crate::domain::approval::{
    Answer, Asking, Decided, Refused, Said, Standing, Verdict, counts_already, decide,
};
use crate::domain::audit::{Actor, EventKind, NewEvent};
use crate::domain::drift::Difference;
use crate::domain::ids::{DecisionId, WorkflowId};
use crate::domain::kind::Kind;
use crate::domain::names::EmailAddress;
use crate::domain::routing::Routing;
use crate::domain::time::Timestamp;
use crate::domain::workflow::{Stalled, State, WrongMove, in_words};

/// A decision as it was recorded.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Who, what, when, in which stage.
    pub said: Said,
    /// About which plan.
    pub plan_number: u32,
    /// The person's words.
    pub comment: String,
}

/// Records one answer, if the rule lets it count.
pub struct Decide {
    /// Time and ids.
    pub stamp: Stamp,
    /// Under which asking it came in.
    pub ask: Ask,
    /// The answer.
    pub answer: Answer,
    /// The person's words; needed for a no.
    pub comment: String,
    /// Differences that were seen just before and do not void.
    pub named: Vec<Difference>,
    /// Was the target read just before, or could it not be?
    pub target_read: TargetRead,
    /// The people of the next stage, if there is one.
    pub next: Vec<NewAsk>,
}

/// Was the target read just before a decision?
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetRead {
    /// At this moment.
    At(Timestamp),
    /// It could not be read in time; the digest decides alone.
    No,
    /// A no holds whatever the target looks like.
    NotNeeded,
}

impl From<WrongMove> for Refused {
    fn from(wrong: WrongMove) -> Self {
        Self::Over(wrong.to_string())
    }
}

#[async_trait]
impl Deed for Decide {
    type Done = Decided;
    type No = Refused;

    fn name(&self) -> &'static str {
        "decide"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    async fn perform(&self, tx: &mut Tx) -> Result<Decided, Fault<Refused>> {
        let workflow = workflows::lock(tx, self.ask.workflow).await?;
        let workflow = workflow.ok_or(Fault::Refused(Refused::NotAsked))?;
        if workflow.plan_number != self.ask.plan_number {
            return Err(Fault::Refused(Refused::PlanChanged));
        }
        let plan = plans::current(tx, &workflow).await?.ok_or(Fault::Refused(Refused::PlanChanged))?;
        asked_as_told::prove(tx, workflow.id, plan.asked(), Refused::AskedOtherwise).await?;
        let said = said_in(tx, &workflow).await?;
        let open = workflow.state.open_stage();
        let concerned = concerned::of(tx, &workflow).await?;
        let asking = Asking {
            standing: standing(&workflow.state),
            digest: plan.sealed.digest(),
            routing: &plan.routing,
            stage: open.map_or(self.ask.stage, |open| open.number),
            expires_at: open.and_then(|open| open.expires_at),
            said: &said,
            concerned: &concerned,
        };
        let decided = decide(&asking, &self.answer).map_err(Fault::Refused)?;
        self.record(tx, &workflow).await?;
        self.move_on(tx, &workflow, (&plan.routing, said), decided).await?;
        Ok(decided)
    }
}

impl Decide {
    async fn record(&self, tx: &mut Tx, workflow: &Workflow) -> Result<(), Fault<Refused>> {
        let id = tx.id(DecisionId::made);
        let row = decision::ActiveModel {
            id: Set(id.0),
            workflow_id: Set(workflow.id.0),
            plan_number: Set(i64::from(workflow.plan_number)),
            stage: Set(i64::from(self.answer.stage)),
            approver: Set(self.answer.by.as_str().to_owned()),
            approver_key: Set(self.answer.by.key()),
            verdict: Set(self.answer.verdict.word().to_owned()),
            comment: Set(self.comment.clone()),
            digest: Set(self.answer.digest.0.to_vec()),
            decided_at: Set(tx.at.as_utc()),
        };
        decision::Entity::insert(row).exec_without_returning(&tx.inner).await?;
        let mut event = NewEvent::new(EventKind::DecisionRecorded, Actor::Approver(self.answer.by.clone()))
            .text("decision", self.answer.verdict.word())
            .text("digest", self.answer.digest.to_string())
            .text("sign_in", self.answer.proof.strength().word())
            .number("stage", i64::from(self.answer.stage))
            .number("plan", i64::from(workflow.plan_number));
        if let Some(moment) = self.answer.proof.signed_in_at() {
            event = event.text("signed_in_at", moment.to_string());
        }
        event = match self.target_read {
            TargetRead::At(moment) => event.text("target_read_at", moment.to_string()),
            TargetRead::No => event.text("target_read_at", "not readable in time"),
            TargetRead::NotNeeded => event.text("target_read_at", "not needed for a no"),
        };
        if !self.named.is_empty() {
            event = event.personal("named_drift", in_words(&self.named));
        }
        if !self.comment.is_empty() {
            event = event.personal("comment", self.comment.clone());
        }
        audit::append(tx, workflow.id.into(), event).await?;
        Ok(())
    }

    async fn move_on(
        &self,
        tx: &mut Tx,
        workflow: &Workflow,
        (routing, mut said): (&Routing, Vec<Said>),
        decided: Decided,
    ) -> Result<(), Fault<Refused>> {
        let by = &self.answer.by;
        let not_before = workflow.not_before.unwrap_or(tx.at);
        let transition = match decided {
            Decided::Heard => return Ok(()),
            Decided::NextStage(stage) => {
                let Answer { stage: of, by, verdict, at, .. } = self.answer.clone();
                said.push(Said { stage: of, by, verdict, at });
                let counts = |new: &NewAsk| counts_already(stage, &said, &new.approver.key());
                let next: Vec<NewAsk> = self.next.iter().filter(|new| !counts(new)).cloned().collect();
                asks::ask(tx, workflow.id, workflow.plan_number, &next).await?;
                reminders::begin(tx, workflow.id, (workflow.plan_number, stage), routing.timing).await?;
                workflow.state.next_stage(stage)?
            }
            Decided::Approved => workflow.state.decided(by, Verdict::Approve, not_before)?,
            Decided::Rejected => workflow.state.decided(by, Verdict::Reject, not_before)?,
        };
        let approval_ends = routing.approval_ends(workflow.kind, not_before, tx.at);
        let also = Also { not_to: Some(by.key()), approval_ends, ..Also::default() };
        workflows::apply(tx, workflow, transition, also).await
    }
}

/// Is a decision wanted in this state?
pub fn standing(state: &State) -> Standing {
    match state {
        State::PendingApproval { .. } => Standing::Open,
        State::Planning => Standing::Replanning,
        State::NeedsAttention { stalled: Stalled::Undecided, .. } => Standing::WithOperators,
        State::Approved { .. }
        | State::Running
        | State::Succeeded
        | State::Rejected
        | State::Expired
        | State::Cancelled
        | State::Superseded
        | State::Failed { .. }
        | State::NeedsAttention { .. } => {
            Standing::Over(format!("this request is {} already", state.in_words()))
        }
    }
}

/// Ends an asking, or an approval, whose time is over: it rests, and nothing was changed. A leaver does not rest: any
/// operator may decide from now on, and the operators are alarmed.
pub struct Expire {
    /// Time and ids.
    pub stamp: Stamp,
    /// Which one.
    pub workflow: WorkflowId,
}

#[async_trait]
impl Deed for Expire {
    type Done = &'static str;
    type No = Refused;

    fn name(&self) -> &'static str {
        "expire"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    async fn perform(&self, tx: &mut Tx) -> Result<&'static str, Fault<Refused>> {
        let workflow = workflows::lock(tx, self.workflow).await?.ok_or(Fault::Refused(Refused::NotAsked))?;
        let (transition, alarm) = match (workflow.approval_ends, workflow.kind) {
            (Some(ended), _) => {
                let words = "an approval has ended before its run could begin; nothing was changed";
                (workflow.state.lapsed(ended, tx.at)?, Some(words))
            }
            (None, Kind::Leaver) => {
                let words = "nobody has decided about a leaver who is due; any operator may decide now";
                (workflow.state.undecided(tx.at)?, Some(words))
            }
            (None, _) => (workflow.state.expired(tx.at)?, None),
        };
        let word = transition.next.word();
        workflows::apply(tx, &workflow, transition, Also::default()).await?;
        if let Some(words) = alarm {
            outbox::raise_alarm(tx, workflow.id.into(), Some(workflow.id), words).await?;
        }
        Ok(word)
    }
}

/// All decisions about a workflow, oldest first.
pub async fn of_workflow(store: &Store, workflow: WorkflowId) -> Result<Vec<Recorded>, ReadFault> {
    let rows = decision::Entity::find()
        .filter(decision::Column::WorkflowId.eq(workflow.0))
        .order_by_asc(decision::Column::DecidedAt)
        .all(store.reads())
        .await?;
    rows.into_iter().map(recorded).collect()
}

async fn said_in<No>(tx: &Tx, workflow: &Workflow) -> Result<Vec<Said>, Fault<No>> {
    let rows = decision::Entity::find()
        .filter(decision::Column::WorkflowId.eq(workflow.id.0))
        .filter(decision::Column::PlanNumber.eq(i64::from(workflow.plan_number)))
        .all(&tx.inner)
        .await?;
    let said: Result<Vec<_>, ReadFault> = rows.into_iter().map(|row| Ok(recorded(row)?.said)).collect();
    Ok(said?)
}

fn recorded(row: decision::Model) -> Result<Recorded, ReadFault> {
    let wrong = |wrong| ReadFault::Inconsistent { table: "decisions", row: row.id.to_string(), wrong };
    let said = Said {
        stage: u32::try_from(row.stage).map_err(|_| wrong("a stage is negative"))?,
        by: EmailAddress::parse(&row.approver).map_err(|_| wrong("not a mail address"))?,
        verdict: Verdict::parse(&row.verdict).ok_or_else(|| wrong("an unknown verdict"))?,
        at: Timestamp::from_utc(row.decided_at),
    };
    Ok(Recorded { said, plan_number: u32::try_from(row.plan_number).unwrap_or(0), comment: row.comment })
}
