//! What an operator may do with a workflow that needs attention. Command and console use the same deeds.
//!
//! Must hold: whoever asked for it, or whose access it is about, takes none of its ways on. That holds for a new try,
//! too: when a request goes on, and whether it goes on at all, is not for the person to say whose access it ends. Who ends
//! a leaver, or says that it was done by hand, has proven a mailbox.

use async_trait::async_trait;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _};

use super::deed::{Deed, Fault, Tx};
use super::fault::ReadFault;
use super::leavers::InTheWay;
use super::rows::{attempt, decision, event};
use super::workflows::{self, Also, Workflow};
use super::{
    Store, asked_as_told, audit, by_hand, concerned, creates, leavers, people, plans, reopen, secrets,
};
use crate::clock::Stamp;
use crate::domain::approval::Verdict;
use crate::domain::audit::{Actor, EventKind, NewEvent};
use crate::domain::ids::{ChainId, VaultUserId, WorkflowId};
use crate::domain::kind::Kind;
use crate::domain::operator::{Operator, TheirOwn};
use crate::domain::routing::AskedOtherwise;
use crate::domain::time::Timestamp;
use crate::domain::workflow::{Stalled, State, WrongMove};
use crate::target::Adoption;

/// What an operator decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Try again from where it stopped.
    Retry,
    /// The account of this number, which was found under the name after a lost create, is this workflow's own; go on
    /// with it.
    Adopt(VaultUserId),
    /// The step on which the run waits was done by hand, elsewhere.
    MarkDone,
    /// End it.
    GiveUp,
}

/// Has an operator sent this workflow on since that moment?
pub async fn sent_on_since(
    store: &Store,
    workflow: WorkflowId,
    since: Timestamp,
) -> Result<SentOn, ReadFault> {
    let found = event::Entity::find()
        .filter(event::Column::Chain.eq(ChainId::from(workflow).0))
        .filter(event::Column::Kind.eq(EventKind::WorkflowResumed.as_str()))
        .filter(event::Column::At.gt(since.as_utc()))
        .one(store.reads())
        .await?;
    Ok(if found.is_some() { SentOn::Yes } else { SentOn::No })
}

/// When an operator has sent this workflow on, if no attempt at any of its steps has begun since.
pub async fn sent_on_and_not_begun(
    store: &Store,
    workflow: WorkflowId,
) -> Result<Option<Timestamp>, ReadFault> {
    let sent_on = event::Entity::find()
        .filter(event::Column::Chain.eq(ChainId::from(workflow).0))
        .filter(event::Column::Kind.eq(EventKind::WorkflowResumed.as_str()))
        .order_by_desc(event::Column::At)
        .one(store.reads())
        .await?;
    let Some(sent_on) = sent_on else { return Ok(None) };
    let begun = attempt::Entity::find()
        .filter(attempt::Column::WorkflowId.eq(workflow.0))
        .filter(attempt::Column::BegunAt.gte(sent_on.at))
        .one(store.reads())
        .await?;
    Ok(begun.is_none().then(|| Timestamp::from_utc(sent_on.at)))
}

/// Was a workflow sent on by an operator?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SentOn {
    /// Yes.
    Yes,
    /// No.
    No,
}

/// Carries an operator's decision out.
pub struct TakeExit {
    /// Time and ids.
    pub stamp: Stamp,
    /// Which workflow.
    pub workflow: WorkflowId,
    /// What is decided.
    pub exit: Exit,
    /// By whom.
    pub by: Operator,
    /// Why, in the person's words.
    pub reason: String,
}

/// Why it cannot be done.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NoExit {
    /// There is no such workflow.
    #[error("there is no workflow of that id")]
    Unknown,
    /// It does not wait for an operator.
    #[error(transparent)]
    Wrong(#[from] WrongMove),
    /// Adopting is for an account that a lost create may have made; execution stopped on none.
    #[error(
        "there is no account to adopt: execution did not stop at one that a lost create of this workflow may have made"
    )]
    NothingToAdopt,
    /// The account on which execution stopped is not the one that the operator has looked at.
    #[error("the name is held by user number {now} and not by number {meant}: look at it again")]
    OtherAccount {
        /// The one that the operator means.
        meant: VaultUserId,
        /// The one that was found.
        now: VaultUserId,
    },
    /// The run waits for no step that a person does.
    #[error("there is no step to mark done: the run does not wait for one that is done by hand")]
    NothingByHand,
    /// Its approval has ended meanwhile, so nothing may begin on it.
    #[error("its approval ended at {}: give it up, and let it be asked for again", .0.in_words())]
    ApprovalEnded(Timestamp),
    /// What a leaver has taken, or is about to take, would be given back.
    #[error("{0}")]
    Leaver(InTheWay),
    /// Who was asked was changed in the database.
    #[error(transparent)]
    AskedOtherwise(AskedOtherwise),
    /// Nobody has proven who says that a leaver is not, or has been, carried out.
    #[error("this is a leaver: say with --as who you are, or do it on the workflow's page")]
    Unproven,
    /// This operator may not decide it.
    #[error(transparent)]
    NotYours(#[from] TheirOwn),
}

#[async_trait]
impl Deed for TakeExit {
    type Done = &'static str;
    type No = NoExit;

    fn name(&self) -> &'static str {
        "take_exit"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    async fn perform(&self, tx: &mut Tx) -> Result<Self::Done, Fault<NoExit>> {
        let workflow = workflows::lock(tx, self.workflow).await?.ok_or(Fault::Refused(NoExit::Unknown))?;
        concerned::forbid_ones_own(tx, &workflow, &self.by, NoExit::NotYours).await?;
        let settles = matches!(self.exit, Exit::GiveUp | Exit::MarkDone);
        if settles && workflow.kind == Kind::Leaver && self.by.address().is_none() {
            return Err(Fault::Refused(NoExit::Unproven));
        }
        let not_before = workflow.not_before.unwrap_or(tx.at);
        let by = self.by.name();
        let (mut transition, adoption) = match self.exit {
            Exit::GiveUp => (workflow.state.given_up(by, &self.reason)?, None),
            Exit::Retry => (workflow.state.resumed(by, &self.reason, not_before)?, None),
            Exit::MarkDone => {
                let transition = workflow.state.resumed(by, &self.reason, not_before)?;
                self.mark_done(tx, &workflow).await?;
                (transition, None)
            }
            Exit::Adopt(meant) => {
                let transition = workflow.state.resumed(by, &self.reason, not_before)?;
                let running =
                    matches!(workflow.state, State::NeedsAttention { stalled: Stalled::Running, .. });
                let found = if running { creates::may_be_adopted(tx, workflow.id).await? } else { None };
                let now = found.ok_or(Fault::Refused(NoExit::NothingToAdopt))?;
                if now != meant {
                    return Err(Fault::Refused(NoExit::OtherAccount { meant, now }));
                }
                (transition, Some(meant))
            }
        };
        if self.exit != Exit::GiveUp {
            people::lock(tx, &workflow).await?;
            if let Some(found) = leavers::in_the_way(tx, &workflow).await? {
                return Err(Fault::Refused(NoExit::Leaver(found)));
            }
        }
        if let Some(id) = adoption {
            let event = self.event(EventKind::AccountAdopted).number("user_id", id.0);
            audit::append(tx, self.workflow.into(), event).await?;
        }
        match self.exit {
            Exit::GiveUp => secrets::given_up(tx, self.workflow).await?,
            Exit::Retry | Exit::Adopt(_) | Exit::MarkDone => reopen::reopen(tx, &workflow).await?,
        }
        let word = transition.next.word();
        let approval_ends = match transition.next {
            State::Approved { .. } => approval_ends(tx, &workflow, not_before).await?,
            _ => None,
        };
        if let Some(ended) = approval_ends.filter(|end| *end <= tx.at) {
            return Err(Fault::Refused(NoExit::ApprovalEnded(ended)));
        }
        transition.event = self.by.noted(transition.event);
        let adoption = adoption.map(Adoption::ByPerson);
        let also = Also { adoption, approval_ends, replans: Some(0), ..Also::default() };
        workflows::apply(tx, &workflow, transition, also).await?;
        Ok(word)
    }
}

impl TakeExit {
    async fn mark_done(&self, tx: &mut Tx, workflow: &Workflow) -> Result<(), Fault<NoExit>> {
        let running = matches!(workflow.state, State::NeedsAttention { stalled: Stalled::Running, .. });
        let marked = if running { by_hand::mark_done(tx, workflow).await? } else { None };
        let (number, word) = marked.ok_or(Fault::Refused(NoExit::NothingByHand))?;
        let event = self.event(EventKind::StepMarkedDone).number("step_number", number).text("step", word);
        audit::append(tx, self.workflow.into(), event).await?;
        Ok(())
    }

    fn event(&self, kind: EventKind) -> NewEvent {
        let event = NewEvent::new(kind, Actor::Operator(self.by.name().to_owned()));
        self.by.noted(event.personal("reason", self.reason.clone()))
    }
}

/// The end of the approval that stands, if it has one.
async fn approval_ends(
    tx: &Tx,
    workflow: &Workflow,
    not_before: Timestamp,
) -> Result<Option<Timestamp>, Fault<NoExit>> {
    let Some(plan) = plans::current(tx, workflow).await? else { return Ok(None) };
    asked_as_told::prove(tx, workflow.id, plan.asked(), NoExit::AskedOtherwise).await?;
    let last = decision::Entity::find()
        .filter(decision::Column::WorkflowId.eq(workflow.id.0))
        .filter(decision::Column::PlanNumber.eq(i64::from(workflow.plan_number)))
        .order_by_desc(decision::Column::DecidedAt)
        .one(&tx.inner)
        .await?;
    let approved_at = last.map_or(tx.at, |row| Timestamp::from_utc(row.decided_at));
    Ok(plan.routing.approval_ends(workflow.kind, not_before, approved_at))
}

/// Decides about a leaver whom nobody who was asked has decided in time.
pub struct Overrule {
    /// Time and ids.
    pub stamp: Stamp,
    /// Which workflow.
    pub workflow: WorkflowId,
    /// Yes or no.
    pub verdict: Verdict,
    /// By whom.
    pub by: Operator,
    /// Why, in the person's words.
    pub reason: String,
}

#[async_trait]
impl Deed for Overrule {
    type Done = &'static str;
    type No = NoExit;

    fn name(&self) -> &'static str {
        "overrule"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    async fn perform(&self, tx: &mut Tx) -> Result<Self::Done, Fault<NoExit>> {
        let workflow = workflows::lock(tx, self.workflow).await?.ok_or(Fault::Refused(NoExit::Unknown))?;
        concerned::forbid_ones_own(tx, &workflow, &self.by, NoExit::NotYours).await?;
        let not_before = workflow.not_before.unwrap_or(tx.at);
        let said = (self.by.name(), self.reason.as_str());
        let mut transition = workflow.state.overruled(self.verdict, said, not_before)?;
        transition.event = self.by.noted(transition.event);
        let word = transition.next.word();
        workflows::apply(tx, &workflow, transition, Also::default()).await?;
        Ok(word)
    }
}
