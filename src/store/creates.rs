//! The attempts at making a workflow's account, over all its plans: what is still unresolved, and who may be adopted.

use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _};

use super::deed::{Fault, Tx};
use super::rows::{attempt, step};
use crate::domain::adoption::{Tried, adoptable};
use crate::domain::canon::{CanonicalBytes, Tag};
use crate::domain::ids::{VaultUserId, WorkflowId};
use crate::domain::step::Report;
use crate::domain::time::Timestamp;

/// One attempt as it was recorded.
struct Recorded {
    purpose: String,
    report: Option<Report>,
    begun_at: Timestamp,
    ended_at: Option<Timestamp>,
}

/// The last call to make an account of which nobody knows what came.
#[derive(Debug, Clone, Copy)]
pub(super) enum Lost {
    /// No answer, or no clear one, had come by then.
    Unanswered(Timestamp),
    /// It was begun then, and whoever had begun it recorded nothing more.
    Interrupted(Timestamp),
}

impl Recorded {
    fn tried(&self) -> Tried<'_> {
        Tried { purpose: &self.purpose, report: self.report.as_ref() }
    }
}

/// The account that an operator may declare to be this workflow's own.
pub(super) async fn may_be_adopted<No>(
    tx: &Tx,
    workflow: WorkflowId,
) -> Result<Option<VaultUserId>, Fault<No>> {
    let recorded = of_workflow(tx, workflow).await?;
    Ok(adoptable(&recorded.iter().map(Recorded::tried).collect::<Vec<_>>()))
}

/// The last attempt that may have made an account of which nobody has heard, now or later, with the password that is
/// sealed.
pub(super) async fn last_lost<No>(tx: &Tx, workflow: WorkflowId) -> Result<Option<Lost>, Fault<No>> {
    let recorded = of_workflow(tx, workflow).await?;
    let lost = recorded.iter().rfind(|recorded| recorded.tried().is_unresolved());
    Ok(lost.map(|lost| match lost.ended_at {
        Some(at) => Lost::Unanswered(at),
        None => Lost::Interrupted(lost.begun_at),
    }))
}

async fn of_workflow<No>(tx: &Tx, workflow: WorkflowId) -> Result<Vec<Recorded>, Fault<No>> {
    let steps = step::Entity::find()
        .filter(step::Column::WorkflowId.eq(workflow.0))
        .filter(step::Column::Kind.eq("create_user"))
        .all(&tx.inner)
        .await?;
    let attempts = attempt::Entity::find()
        .filter(attempt::Column::WorkflowId.eq(workflow.0))
        .order_by_asc(attempt::Column::PlanNumber)
        .order_by_asc(attempt::Column::Number)
        .all(&tx.inner)
        .await?;
    let at_making_it = |row: &attempt::Model| {
        steps.iter().any(|step| step.plan_number == row.plan_number && step.number == row.step_number)
    };
    attempts
        .into_iter()
        .filter(at_making_it)
        .map(|row| {
            let opened = row.report.map(|bytes| CanonicalBytes::stored(bytes).open(Tag::Report));
            Ok(Recorded {
                purpose: row.purpose,
                report: opened.transpose()?,
                begun_at: Timestamp::from_utc(row.begun_at),
                ended_at: row.ended_at.map(Timestamp::from_utc),
            })
        })
        .collect()
}
