//! Held leavers: what two people decide about a batch, and what there is to be decided.
//!
//! Must hold: one person proposes a selection, another one confirms the very same selection, and only then anything
//! changes; nobody decides about a request of his own or about his own access; a proposal holds for a day.

use std::collections::BTreeSet;

use async_trait::async_trait;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, Set,
};

use super::deed::{Deed, Fault, Tx};
use super::fault::ReadFault;
use super::rows::{batch, held, proposal, selection};
use super::workflows::{self, Also, Workflow};
use super::{Store, audit, budget};
use crate::clock::Stamp;
use crate::domain::approval::{Refused, Verdict, may_overrule};
use crate::domain::audit::{Actor, EventKind, NewEvent};
use crate::domain::canon::{Digest, Tag};
use crate::domain::ids::{BatchId, ProposalId, WorkflowId};
use crate::domain::names::EmailAddress;
use crate::domain::request::Request;
use crate::domain::time::Timestamp;
use crate::domain::workflow::{TwoPeople, WrongMove};

/// A proposal that nobody has confirmed by then must be made again.
const PROPOSAL_HOLDS_SECONDS: i64 = 86_400;

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
    pub by: EmailAddress,
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
    #[error("{0} has proposed this already; somebody else must confirm it")]
    SamePerson(EmailAddress),
    /// This person may not decide about one of them.
    #[error("workflow {0}: {1}")]
    NotYours(WorkflowId, Refused),
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
        let batch = batch::Entity::find_by_id(self.batch.0).one(&tx.inner).await?;
        let batch = batch.ok_or(Fault::Refused(NotSettled::UnknownBatch))?;
        // Nothing is added to a batch of this source until this is over.
        budget::lock(tx, &batch.source).await?;
        let selected = self.selected(tx).await?;
        let digest = digest(self.batch, self.verdict, &selected);
        let mut workflows = Vec::with_capacity(selected.len());
        for id in &selected {
            let workflow = workflows::locked(tx, *id).await?;
            self.may_decide(&workflow)?;
            workflows.push(workflow);
        }
        let Some(proposed) = self.open_proposal(tx, digest).await? else {
            self.propose(tx, &workflows, digest).await?;
            return Ok(Settled::Proposed { leavers: selected.len(), selection: digest });
        };
        let by = EmailAddress::parse(&proposed.proposed_by)
            .map_err(|_| Fault::Broken(format!("proposal {} names no address", proposed.id)))?;
        if proposed.proposed_key == self.by.key() {
            return Err(Fault::Refused(NotSettled::SamePerson(by)));
        }
        let two = TwoPeople {
            verdict: self.verdict,
            batch: self.batch,
            selection: digest,
            proposed: &by,
            confirmed: &self.by,
            reason: &proposed.reason,
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

    fn may_decide(&self, workflow: &Workflow) -> Result<(), Fault<NotSettled>> {
        let request: Request = workflow.request.open(Tag::Request)?;
        let requester = request.ticket.as_ref().and_then(|ticket| ticket.requested_by.as_ref());
        let requester = requester.and_then(|claimed| EmailAddress::parse(claimed.as_str()).ok());
        let subject: Vec<EmailAddress> = request.email().cloned().into_iter().collect();
        may_overrule(self.by.as_str(), requester.as_ref(), &subject, workflow.user_name.as_ref())
            .map_err(|refused| Fault::Refused(NotSettled::NotYours(workflow.id, refused)))
    }

    async fn open_proposal(
        &self,
        tx: &Tx,
        digest: Digest,
    ) -> Result<Option<proposal::Model>, Fault<NotSettled>> {
        let since = tx.at.plus_seconds(-PROPOSAL_HOLDS_SECONDS).as_utc();
        Ok(proposal::Entity::find()
            .filter(proposal::Column::BatchId.eq(self.batch.0))
            .filter(proposal::Column::Digest.eq(digest.0.to_vec()))
            .filter(proposal::Column::ConfirmedAt.is_null())
            .filter(proposal::Column::ProposedAt.gt(since))
            .order_by_desc(proposal::Column::ProposedAt)
            .one(&tx.inner)
            .await?)
    }

    async fn propose(
        &self,
        tx: &mut Tx,
        selected: &[Workflow],
        digest: Digest,
    ) -> Result<(), Fault<NotSettled>> {
        let id = tx.id(ProposalId::made);
        let row = proposal::ActiveModel {
            id: Set(id.0),
            batch_id: Set(self.batch.0),
            verdict: Set(word(self.verdict).to_owned()),
            digest: Set(digest.0.to_vec()),
            reason: Set(self.reason.clone()),
            proposed_by: Set(self.by.as_str().to_owned()),
            proposed_key: Set(self.by.key()),
            proposed_at: Set(tx.at.as_utc()),
            confirmed_by: Set(None),
            confirmed_key: Set(None),
            confirmed_at: Set(None),
        };
        proposal::Entity::insert(row).exec_without_returning(&tx.inner).await?;
        let count = i64::try_from(selected.len()).unwrap_or(i64::MAX);
        for workflow in selected {
            let row = selection::ActiveModel { proposal_id: Set(id.0), workflow_id: Set(workflow.id.0) };
            selection::Entity::insert(row).exec_without_returning(&tx.inner).await?;
            let event = NewEvent::new(EventKind::HeldProposed, Actor::Operator(self.by.to_string()))
                .text("verdict", word(self.verdict))
                .text("batch", self.batch.to_string())
                .text("selection", digest.to_string())
                .number("selected", count)
                .personal("reason", self.reason.clone());
            audit::append(tx, workflow.id.into(), event).await?;
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
            let transition = workflow.state.settled(two, not_before)?;
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
            confirmed_by: Set(Some(self.by.as_str().to_owned())),
            confirmed_key: Set(Some(self.by.key())),
            confirmed_at: Set(Some(tx.at.as_utc())),
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

/// Leavers of one source that are, or were, held together.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Its id.
    pub id: BatchId,
    /// Who sent them.
    pub source: String,
    /// When the first was held.
    pub opened_at: Timestamp,
    /// When the last was settled.
    pub closed_at: Option<Timestamp>,
    /// Every one of them, by id.
    pub leavers: Vec<HeldLeaver>,
    /// What was proposed, oldest first.
    pub proposals: Vec<Proposal>,
}

/// One of them.
#[derive(Debug, Clone)]
pub struct HeldLeaver {
    /// Its workflow.
    pub workflow: Workflow,
    /// Since when.
    pub held_at: Timestamp,
    /// `held`, `released` or `rejected`.
    pub state: String,
    /// When it was released or rejected.
    pub settled_at: Option<Timestamp>,
}

/// What somebody proposed.
#[derive(Debug, Clone)]
pub struct Proposal {
    /// `release` or `reject`.
    pub verdict: String,
    /// What stands for the selection.
    pub selection: Digest,
    /// Which ones.
    pub workflows: BTreeSet<WorkflowId>,
    /// Why.
    pub reason: String,
    /// By whom.
    pub proposed_by: String,
    /// When.
    pub proposed_at: Timestamp,
    /// Who confirmed it, and when.
    pub confirmed: Option<(String, Timestamp)>,
    /// Until when it may be confirmed.
    pub holds_until: Timestamp,
}

/// The batches in which something is held, oldest first.
pub async fn open_batches(store: &Store) -> Result<Vec<Batch>, ReadFault> {
    let rows = batch::Entity::find()
        .filter(batch::Column::ClosedAt.is_null())
        .order_by_asc(batch::Column::Id)
        .all(store.reads())
        .await?;
    let mut batches = Vec::with_capacity(rows.len());
    for row in rows {
        batches.push(whole(store, row).await?);
    }
    Ok(batches)
}

/// One batch, open or closed.
pub async fn find(store: &Store, id: BatchId) -> Result<Option<Batch>, ReadFault> {
    match batch::Entity::find_by_id(id.0).one(store.reads()).await? {
        Some(row) => whole(store, row).await.map(Some),
        None => Ok(None),
    }
}

async fn whole(store: &Store, row: batch::Model) -> Result<Batch, ReadFault> {
    let rows = held::Entity::find()
        .filter(held::Column::BatchId.eq(row.id))
        .order_by_asc(held::Column::WorkflowId)
        .all(store.reads())
        .await?;
    let mut leavers = Vec::with_capacity(rows.len());
    for one in rows {
        let wrong = "its workflow is gone";
        let missing =
            || ReadFault::Inconsistent { table: "held_leavers", row: one.workflow_id.to_string(), wrong };
        leavers.push(HeldLeaver {
            workflow: workflows::find(store, WorkflowId(one.workflow_id)).await?.ok_or_else(missing)?,
            held_at: Timestamp::from_utc(one.held_at),
            state: one.state.clone(),
            settled_at: one.settled_at.map(Timestamp::from_utc),
        });
    }
    Ok(Batch {
        id: BatchId(row.id),
        source: row.source,
        opened_at: Timestamp::from_utc(row.opened_at),
        closed_at: row.closed_at.map(Timestamp::from_utc),
        leavers,
        proposals: proposals(store, row.id).await?,
    })
}

async fn proposals(store: &Store, batch: uuid::Uuid) -> Result<Vec<Proposal>, ReadFault> {
    let rows = proposal::Entity::find()
        .filter(proposal::Column::BatchId.eq(batch))
        .order_by_asc(proposal::Column::Id)
        .all(store.reads())
        .await?;
    let mut proposals = Vec::with_capacity(rows.len());
    for row in rows {
        let selected = selection::Entity::find()
            .filter(selection::Column::ProposalId.eq(row.id))
            .all(store.reads())
            .await?;
        let proposed_at = Timestamp::from_utc(row.proposed_at);
        proposals.push(Proposal {
            selection: audit::digest("held_proposals", row.id, &row.digest)?,
            workflows: selected.into_iter().map(|one| WorkflowId(one.workflow_id)).collect(),
            verdict: row.verdict,
            reason: row.reason,
            proposed_by: row.proposed_by,
            proposed_at,
            confirmed: row.confirmed_by.zip(row.confirmed_at.map(Timestamp::from_utc)),
            holds_until: proposed_at.plus_seconds(PROPOSAL_HOLDS_SECONDS),
        });
    }
    Ok(proposals)
}
