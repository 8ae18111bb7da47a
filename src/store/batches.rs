//! Batches of held leavers, for reading: what is held, what was proposed, and by whom.

use std::collections::BTreeSet;

use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _};

use super::fault::ReadFault;
use super::held::{PROPOSAL_HOLDS_SECONDS, proposer};
use super::rows::{batch, held, proposal, selection};
use super::workflows::{self, Workflow};
use super::{Store, audit};
use crate::domain::canon::Digest;
use crate::domain::ids::{BatchId, WorkflowId};
use crate::domain::operator::Operator;
use crate::domain::time::Timestamp;

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
    pub proposed_by: Operator,
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
            proposed_by: proposer(&row)?,
            verdict: row.verdict,
            reason: row.reason,
            proposed_at,
            confirmed: row.confirmed_by.zip(row.confirmed_at.map(Timestamp::from_utc)),
            holds_until: proposed_at.plus_seconds(PROPOSAL_HOLDS_SECONDS),
        });
    }
    Ok(proposals)
}
