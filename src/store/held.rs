//! Held leavers: what two people decide about a batch.
//!
//! Must hold: one person proposes a selection, another one confirms the very same selection, and only then anything
//! changes; one person under two names, or one user of a machine, is not two; nobody decides about a request of his own
//! or about his own access; a proposal holds for a day.

use std::collections::BTreeSet;

use async_trait::async_trait;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, Set,
};

use super::deed::{Deed, Fault, Tx};
use super::fault::ReadFault;
use super::rows::{batch, held, proposal, selection};
use super::two_people::{OneOfTwo, SamePerson, Spelled};
use super::workflows::{self, Also, Workflow};
use super::{audit, budget, concerned};
use crate::clock::Stamp;
use crate::domain::approval::Verdict;
use crate::domain::audit::{EventKind, NewEvent};
use crate::domain::canon::Digest;
use crate::domain::ids::{BatchId, ProposalId, WorkflowId};
use crate::domain::operator::{Operator, TheirOwn};
use crate::domain::workflow::{TwoPeople, WrongMove};

/// A proposal that nobody has confirmed by then must be made again.
pub(super) const PROPOSAL_HOLDS_SECONDS: i64 = 86_400;

/// Which of the leavers of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// All that are held at this moment.
    All,
    /// These.
    These(BTreeSet<WorkflowId>),
}

/// Proposes what becomes of held leavers, or confirms what somebody else has proposed of the very same ones.
pub struct SettleHeld {
    /// Time and ids.
    pub stamp: Stamp,
    /// The batch.
    pub batch: BatchId,
    /// Released, or rejected.
    pub verdict: Verdict,
    /// Which of them.
    pub selection: Selection,
    /// By whom.
    pub by: OneOfTwo,
    /// Why, in the person's words.
    pub reason: String,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// It is proposed, and somebody else has to confirm it.
    Proposed {
        /// How many were selected.
        leavers: usize,
        /// What stands for the selection.
        selection: Digest,
    },
    /// It was confirmed and is carried out.
    Done {
        /// How many were selected.
        leavers: usize,
    },
}

/// Why nothing came of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotSettled {
    /// There is no such batch.
    #[error("there is no batch of that id")]
    UnknownBatch,
    /// Nothing of it is held any more.
    #[error("nothing is held in this batch any more")]
    NothingHeld,
    /// One of those named is not held here.
    #[error("workflow {0} is not held in this batch")]
    NotHeldHere(WorkflowId),
    /// The same person again.
    #[error(transparent)]
    SamePerson(#[from] SamePerson),
    /// This person may not decide about one of them.
    #[error("workflow {0}: {1}")]
    NotYours(WorkflowId, TheirOwn),
    /// One of them has moved on.
    #[error(transparent)]
    MovedOn(#[from] WrongMove),
}

#[async_trait]
impl Deed for SettleHeld {
    type Done = Settled;
    type No = NotSettled;

    fn name(&self) -> &'static str {
        "settle_held"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    async fn perform(&self, tx: &mut Tx) -> Result<Settled, Fault<NotSettled>> {
        let by = self.by.operator();
        let batch = batch::Entity::find_by_id(self.batch.0).one(&tx.inner).await?;
        let batch = batch.ok_or(Fault::Refused(NotSettled::UnknownBatch))?;
        // Nothing is added to a batch of this source until this is over.
        budget::lock(tx, &batch.source).await?;
        let selected = self.selected(tx).await?;
        let digest = digest(self.batch, self.verdict, &selected);
        let mut workflows = Vec::with_capacity(selected.len());
        for id in &selected {
            let workflow = workflows::locked(tx, *id).await?;
            let id = *id;
            concerned::forbid_ones_own(tx, &workflow, &by, |no| NotSettled::NotYours(id, no)).await?;
            workflows.push(workflow);
        }
        let Some(proposed) = self.open_proposal(tx, digest).await? else {
            self.propose(tx, &workflows, digest).await?;
            return Ok(Settled::Proposed { leavers: selected.len(), selection: digest });
        };
        let said = self.by.seconds(&proposer(&proposed)?).map_err(|same| Fault::Refused(same.into()))?;
        let two = TwoPeople {
            verdict: self.verdict,
            batch: self.batch,
            selection: digest,
            proposed: &said,
            confirmed: &self.by.address,
            proposed_because: &proposed.reason,
            reason: &self.reason,
        };
        self.carry_out(tx, &workflows, &two).await?;
        self.confirm(tx, proposed.id).await?;
        Ok(Settled::Done { leavers: selected.len() })
    }
}

impl SettleHeld {
    async fn selected(&self, tx: &Tx) -> Result<BTreeSet<WorkflowId>, Fault<NotSettled>> {
        let held: BTreeSet<WorkflowId> = still_held(tx, self.batch).await?;
        if held.is_empty() {
            return Err(Fault::Refused(NotSettled::NothingHeld));
        }
        match &self.selection {
            Selection::All => Ok(held),
            Selection::These(these) => match these.iter().find(|id| !held.contains(id)) {
                Some(stranger) => Err(Fault::Refused(NotSettled::NotHeldHere(*stranger))),
                None if these.is_empty() => Err(Fault::Refused(NotSettled::NothingHeld)),
                None => Ok(these.clone()),
            },
        }
    }

    async fn open_proposal(
        &self,
        tx: &Tx,
        digest: Digest,
    ) -> Result<Option<proposal::Model>, Fault<NotSettled>> {
        let since = tx.at.plus_seconds(-PROPOSAL_HOLDS_SECONDS).as_utc();
        let standing = proposal::Entity::find()
            .filter(proposal::Column::BatchId.eq(self.batch.0))
            .filter(proposal::Column::Digest.eq(digest.0.to_vec()))
            .filter(proposal::Column::ConfirmedAt.is_null())
            .filter(proposal::Column::ProposedAt.gt(since))
            .order_by_desc(proposal::Column::ProposedAt)
            .all(&tx.inner)
            .await?;
        for row in standing {
            if self.by.counts(&proposer(&row)?) {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    async fn propose(
        &self,
        tx: &mut Tx,
        selected: &[Workflow],
        digest: Digest,
    ) -> Result<(), Fault<NotSettled>> {
        let (id, user) = (tx.id(ProposalId::made), self.by.user.as_ref());
        let row = proposal::ActiveModel {
            id: Set(id.0),
            batch_id: Set(self.batch.0),
            verdict: Set(word(self.verdict).to_owned()),
            digest: Set(digest.0.to_vec()),
            reason: Set(self.reason.clone()),
            proposed_by: Set(self.by.address.as_str().to_owned()),
            proposed_key: Set(self.by.address.key()),
            proposed_at: Set(tx.at.as_utc()),
            confirmed_by: Set(None),
            confirmed_key: Set(None),
            confirmed_at: Set(None),
            proposed_user: Set(user.map(|user| user.called.clone())),
            proposed_number: Set(user.and_then(|user| user.number).map(i64::from)),
            proposed_account: Set(user.and_then(|user| user.account.clone())),
            confirmed_user: Set(None),
            confirmed_number: Set(None),
        };
        proposal::Entity::insert(row).exec_without_returning(&tx.inner).await?;
        let (by, count) = (self.by.operator(), i64::try_from(selected.len()).unwrap_or(i64::MAX));
        for workflow in selected {
            let row = selection::ActiveModel { proposal_id: Set(id.0), workflow_id: Set(workflow.id.0) };
            selection::Entity::insert(row).exec_without_returning(&tx.inner).await?;
            let event = NewEvent::new(EventKind::HeldProposed, self.by.actor())
                .text("verdict", word(self.verdict))
                .text("batch", self.batch.to_string())
                .text("selection", digest.to_string())
                .number("selected", count)
                .personal("reason", self.reason.clone());
            audit::append(tx, workflow.id.into(), by.noted(event)).await?;
        }
        Ok(())
    }

    async fn carry_out(
        &self,
        tx: &mut Tx,
        selected: &[Workflow],
        two: &TwoPeople<'_>,
    ) -> Result<(), Fault<NotSettled>> {
        for workflow in selected {
            let not_before = workflow.not_before.unwrap_or(tx.at);
            let mut transition = workflow.state.settled(two, not_before)?;
            transition.event = self.by.operator().noted(transition.event);
            workflows::apply(tx, workflow, transition, Also::default()).await?;
            let row = held::ActiveModel {
                workflow_id: Set(workflow.id.0),
                state: Set(past(self.verdict).to_owned()),
                settled_at: Set(Some(tx.at.as_utc())),
                ..Default::default()
            };
            row.update(&tx.inner).await?;
        }
        Ok(())
    }

    async fn confirm(&self, tx: &Tx, proposed: uuid::Uuid) -> Result<(), Fault<NotSettled>> {
        let row = proposal::ActiveModel {
            id: Set(proposed),
            confirmed_by: Set(Some(self.by.address.as_str().to_owned())),
            confirmed_key: Set(Some(self.by.address.key())),
            confirmed_at: Set(Some(tx.at.as_utc())),
            confirmed_user: Set(self.by.user.as_ref().map(|user| user.called.clone())),
            confirmed_number: Set(self.by.user.as_ref().and_then(|user| user.number).map(i64::from)),
            ..Default::default()
        };
        row.update(&tx.inner).await?;
        if still_held(tx, self.batch).await?.is_empty() {
            let closed_at = Set(Some(tx.at.as_utc()));
            let row = batch::ActiveModel { id: Set(self.batch.0), closed_at, ..Default::default() };
            row.update(&tx.inner).await?;
        }
        Ok(())
    }
}

const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Approve => "release",
        Verdict::Reject => "reject",
    }
}

const fn past(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Approve => "released",
        Verdict::Reject => "rejected",
    }
}

/// What stands for a selection: two people who see the same one mean the same leavers.
fn digest(batch: BatchId, verdict: Verdict, selected: &BTreeSet<WorkflowId>) -> Digest {
    let ids: Vec<String> = selected.iter().map(ToString::to_string).collect();
    Digest::of_bytes(
        format!("countersign/held/1\n{batch}\n{}\n{}\n", word(verdict), ids.join("\n")).as_bytes(),
    )
}

async fn still_held<No>(tx: &Tx, batch: BatchId) -> Result<BTreeSet<WorkflowId>, Fault<No>> {
    let rows = held::Entity::find()
        .filter(held::Column::BatchId.eq(batch.0))
        .filter(held::Column::State.eq("held"))
        .all(&tx.inner)
        .await?;
    Ok(rows.into_iter().map(|row| WorkflowId(row.workflow_id)).collect())
}

/// Who made a proposal, with what the machine knew of them.
pub(super) fn proposer(row: &proposal::Model) -> Result<Operator, ReadFault> {
    let spelled = Spelled {
        table: "held_proposals",
        row: row.id,
        address: &row.proposed_by,
        user: row.proposed_user.as_ref(),
        number: row.proposed_number,
        account: row.proposed_account.as_ref(),
    };
    spelled.operator()
}
