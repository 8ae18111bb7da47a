//! Cancelling a leaver: one person proposes it, another one confirms it, and the leaver goes on meanwhile.
//!
//! Must hold: removal is not held up by a proposal; two people are two mailboxes, each proven by a code;
//! nobody cancels what they asked for, or the end of their own access; what has begun is not cancelled; a proposal holds
//! for a day.

use async_trait::async_trait;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, Set,
};

use super::deed::{Deed, Fault, Tx};
use super::fault::ReadFault;
use super::held::PROPOSAL_HOLDS_SECONDS;
use super::rows::cancel_proposal as rows;
use super::two_people::{OneOfTwo, SamePerson, Spelled};
use super::workflows::{self, Workflow};
use super::{Store, audit, concerned, ends, outbox};
use crate::clock::Stamp;
use crate::domain::audit::{EventKind, NewEvent};
use crate::domain::ids::{ProposalId, WorkflowId};
use crate::domain::kind::Kind;
use crate::domain::operator::{MachineUser, Operator, TheirOwn};
use crate::domain::time::Timestamp;
use crate::domain::workflow::{Ending, Proposed, RestsAs, Stalled, State, Stop};

/// Proposes that a leaver is cancelled, or confirms what somebody else has proposed.
pub struct CancelLeaver {
    /// Time and ids.
    pub stamp: Stamp,
    /// Which one.
    pub workflow: WorkflowId,
    /// By whom.
    pub by: OneOfTwo,
    /// Why, in the person's words.
    pub reason: String,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancelled {
    /// It is proposed, and somebody else has to confirm it.
    Proposed,
    /// It was confirmed, and the leaver is cancelled.
    Done,
}

/// Why nothing came of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotCancelled {
    /// There is no such workflow.
    #[error("there is no workflow of that id")]
    Unknown,
    /// It is none of which two people decide.
    #[error("this is no leaver; whatever else is wrong is given up, or taken back by its source")]
    NoLeaver,
    /// It has begun, or has come to rest.
    #[error("this leaver is {0}; only one that has not begun is cancelled")]
    TooLate(&'static str),
    /// It is held, and two people decide about it elsewhere.
    #[error("this leaver is held; two people reject it on the console's page /held")]
    IsHeld,
    /// The same person again.
    #[error(transparent)]
    SamePerson(#[from] SamePerson),
    /// This person may not decide about it.
    #[error(transparent)]
    NotYours(#[from] TheirOwn),
}

#[async_trait]
impl Deed for CancelLeaver {
    type Done = Cancelled;
    type No = NotCancelled;

    fn name(&self) -> &'static str {
        "cancel_leaver"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    async fn perform(&self, tx: &mut Tx) -> Result<Cancelled, Fault<NotCancelled>> {
        let workflow = workflows::lock(tx, self.workflow).await?;
        let workflow = workflow.ok_or(Fault::Refused(NotCancelled::Unknown))?;
        may_be_cancelled(&workflow).map_err(Fault::Refused)?;
        concerned::forbid_ones_own(tx, &workflow, &self.by.operator(), NotCancelled::NotYours).await?;
        let since = tx.at.plus_seconds(-PROPOSAL_HOLDS_SECONDS).as_utc();
        let standing = of_workflow(self.workflow).filter(rows::Column::ConfirmedAt.is_null());
        let standing = standing.filter(rows::Column::ProposedAt.gt(since)).all(&tx.inner).await?;
        let mut counting = None;
        for row in standing {
            let proposal = Proposal::from_row(&row)?;
            if self.by.counts(&proposal.by) {
                counting = Some((row.id, proposal));
                break;
            }
        }
        let Some((standing, proposal)) = counting else {
            self.propose(tx).await?;
            return Ok(Cancelled::Proposed);
        };
        let said = self.by.seconds(&proposal.by).map_err(|same| Fault::Refused(same.into()))?;
        self.confirm(tx, standing).await?;
        let ending = Ending {
            actor: self.by.actor(),
            stop: Stop { rests: RestsAs::Cancelled, by: None },
            kind: None,
            withdrawn_by: None,
            proposed: Some(Proposed {
                by: said.to_string(),
                because: proposal.reason,
                reason: self.reason.clone(),
                machine_user: self.by.user.as_ref().map(MachineUser::in_words),
            }),
        };
        ends::end(tx, &workflow, ending).await?;
        Ok(Cancelled::Done)
    }
}

/// A leaver of which nothing has begun.
pub fn may_be_cancelled(workflow: &Workflow) -> Result<(), NotCancelled> {
    if workflow.kind != Kind::Leaver {
        return Err(NotCancelled::NoLeaver);
    }
    match &workflow.state {
        State::Planning | State::PendingApproval { .. } | State::Approved { .. } => Ok(()),
        State::NeedsAttention { stalled: Stalled::Held, .. } => Err(NotCancelled::IsHeld),
        State::NeedsAttention { stalled, .. } if *stalled != Stalled::Running => Ok(()),
        state => Err(NotCancelled::TooLate(state.in_words())),
    }
}

impl CancelLeaver {
    async fn propose(&self, tx: &mut Tx) -> Result<(), Fault<NotCancelled>> {
        let (id, user) = (tx.id(ProposalId::made), self.by.user.as_ref());
        let row = rows::ActiveModel {
            id: Set(id.0),
            workflow_id: Set(self.workflow.0),
            reason: Set(self.reason.clone()),
            proposed_by: Set(self.by.address.as_str().to_owned()),
            proposed_key: Set(self.by.address.key()),
            proposed_at: Set(tx.at.as_utc()),
            proposed_user: Set(user.map(|user| user.called.clone())),
            proposed_number: Set(user.and_then(|user| user.number).map(i64::from)),
            proposed_account: Set(user.and_then(|user| user.account.clone())),
            confirmed_by: Set(None),
            confirmed_key: Set(None),
            confirmed_at: Set(None),
        };
        rows::Entity::insert(row).exec_without_returning(&tx.inner).await?;
        let event =
            NewEvent::new(EventKind::CancelProposed, self.by.actor()).personal("reason", self.reason.clone());
        audit::append(tx, self.workflow.into(), self.by.operator().noted(event)).await?;
        let words = format!(
            "{} proposes to cancel this leaver; it goes on unless somebody else confirms that",
            self.by.operator().in_words()
        );
        outbox::raise_alarm(tx, self.workflow.into(), Some(self.workflow), &words).await
    }

    async fn confirm(&self, tx: &Tx, proposed: uuid::Uuid) -> Result<(), Fault<NotCancelled>> {
        let row = rows::ActiveModel {
            id: Set(proposed),
            confirmed_by: Set(Some(self.by.address.as_str().to_owned())),
            confirmed_key: Set(Some(self.by.address.key())),
            confirmed_at: Set(Some(tx.at.as_utc())),
            ..Default::default()
        };
        row.update(&tx.inner).await?;
        Ok(())
    }
}

/// What somebody proposed about a leaver.
#[derive(Debug, Clone)]
pub struct Proposal {
    /// By whom.
    pub by: Operator,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

impl Proposal {
    fn from_row(row: &rows::Model) -> Result<Self, ReadFault> {
        let spelled = Spelled {
            table: "cancel_proposals",
            row: row.id,
            address: &row.proposed_by,
            user: row.proposed_user.as_ref(),
            number: row.proposed_number,
            account: row.proposed_account.as_ref(),
        };
        let by = spelled.operator()?;
        Ok(Self { by, reason: row.reason.clone(), at: Timestamp::from_utc(row.proposed_at) })
    }
}

fn of_workflow(workflow: WorkflowId) -> sea_orm::Select<rows::Entity> {
    rows::Entity::find()
        .filter(rows::Column::WorkflowId.eq(workflow.0))
        .order_by_desc(rows::Column::ProposedAt)
}

/// What was proposed about a leaver and waits for somebody else.
pub async fn proposed(
    store: &Store,
    workflow: WorkflowId,
    now: Timestamp,
) -> Result<Option<Proposal>, ReadFault> {
    let since = now.plus_seconds(-PROPOSAL_HOLDS_SECONDS).as_utc();
    let standing = of_workflow(workflow)
        .filter(rows::Column::ConfirmedAt.is_null())
        .filter(rows::Column::ProposedAt.gt(since))
        .one(store.reads())
        .await?;
    standing.as_ref().map(Proposal::from_row).transpose()
}
