//! Leases: who may write about one user of one target, and proof of it inside a transaction.
//!
//! Must hold: the key is (target, user name without case); each new holder gets a higher fence; a worker's write is
//! possible only with a [`Held`], and a [`Held`] exists only if holder and fence match in this very transaction.

use sea_orm::{EntityTrait as _, QuerySelect as _, Set};
use uuid::Uuid;

use super::deed::{Fault, Tx};
use super::rows::lease;
use super::workflows::{self, Workflow};
use crate::domain::ids::WorkflowId;
use crate::domain::names::{TargetName, UserName};
use crate::domain::time::Timestamp;
use crate::domain::workflow::WrongMove;

/// A lease as its holder knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    name: String,
    holder: Uuid,
    /// Higher than any before it.
    pub fence: i64,
}

/// Proof that a lease is held in this transaction.
pub(super) struct Held {
    lease: Lease,
}

/// The lease was lost to somebody else, or ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("another worker has taken this over")]
pub struct LeaseLost;

/// Why a worker's write is not taken.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NotYours {
    /// Somebody else holds the lease.
    #[error(transparent)]
    Lease(#[from] LeaseLost),
    /// The workflow is not where the worker believes it to be.
    #[error(transparent)]
    Moved(#[from] WrongMove),
    /// The worker speaks of a plan that another one has taken the place of.
    #[error("the workflow has another plan by now")]
    OtherPlan,
    /// The attempt whose outcome is told is not open.
    #[error("this attempt is not open")]
    NotOpen,
}

/// Is this still the plan that the worker has read?
pub(super) fn standing(workflow: &Workflow, plan_number: u32) -> Result<(), Fault<NotYours>> {
    if workflow.plan_number == plan_number { Ok(()) } else { Err(Fault::Refused(NotYours::OtherPlan)) }
}

/// What a lease is taken on.
pub(super) fn name(target: &TargetName, user: &UserName) -> String {
    format!("{target}/{}", user.key())
}

/// Who has a lease that is not free.
pub(super) struct Taken {
    /// It runs out then, unless it is extended.
    pub(super) until: Timestamp,
    /// The run for which it was taken.
    pub(super) by: Option<WorkflowId>,
}

/// Takes the lease on a user for a run if it is free or has run out; otherwise says who has it.
pub(super) async fn take<No>(
    tx: &Tx,
    name: &str,
    (run, holder): (WorkflowId, Uuid),
    until: Timestamp,
) -> Result<Result<Lease, Taken>, Fault<No>> {
    let standing = lease::Entity::find_by_id(name).lock_exclusive().one(&tx.inner).await?;
    let fence = match &standing {
        Some(row) if row.held_until > tx.at.as_utc() => {
            let until = Timestamp::from_utc(row.held_until);
            return Ok(Err(Taken { until, by: row.workflow_id.map(WorkflowId) }));
        }
        Some(row) => row.fence + 1,
        None => 1,
    };
    let row = lease::ActiveModel {
        name: Set(name.to_owned()),
        holder: Set(holder),
        fence: Set(fence),
        held_until: Set(until.as_utc()),
        workflow_id: Set(Some(run.0)),
    };
    if standing.is_some() {
        lease::Entity::update(row).exec(&tx.inner).await?;
    } else {
        lease::Entity::insert(row).exec_without_returning(&tx.inner).await?;
    }
    Ok(Ok(Lease { name: name.to_owned(), holder, fence }))
}

/// Lets a lease go that was taken in this very transaction.
pub(super) async fn let_go<No>(tx: &Tx, lease: &Lease) -> Result<(), Fault<No>> {
    Held { lease: lease.clone() }.until(tx, tx.at).await
}

impl Held {
    /// Looks whether the lease still stands, and hands out the workflow for which it is held. The workflow is locked
    /// first, as it is by whoever looks for a run: in another order two of them could wait for each other.
    pub(super) async fn prove<No: From<LeaseLost>>(
        tx: &Tx,
        lease: &Lease,
        workflow: WorkflowId,
    ) -> Result<(Self, Workflow), Fault<No>> {
        let workflow = workflows::locked(tx, workflow).await?;
        let row = lease::Entity::find_by_id(lease.name.as_str()).lock_exclusive().one(&tx.inner).await?;
        let stands = row.is_some_and(|row| {
            row.holder == lease.holder && row.fence == lease.fence && row.held_until > tx.at.as_utc()
        });
        if !stands {
            return Err(Fault::Refused(LeaseLost.into()));
        }
        Ok((Self { lease: lease.clone() }, workflow))
    }

    /// The number that goes into every attempt.
    pub(super) fn fence(&self) -> i64 {
        self.lease.fence
    }

    /// Holds it until a later moment, or lets it go by naming this one.
    pub(super) async fn until<No>(&self, tx: &Tx, moment: Timestamp) -> Result<(), Fault<No>> {
        let row = lease::ActiveModel {
            name: Set(self.lease.name.clone()),
            held_until: Set(moment.as_utc()),
            ..Default::default()
        };
        lease::Entity::update(row).exec(&tx.inner).await?;
        Ok(())
    }
}
