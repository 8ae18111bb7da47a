//! The attempts at setting a workflow's new password: may one of them have set it although nobody has heard so?

use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};

use super::Store;
use super::fault::ReadFault;
use super::rows::{attempt, step};
use super::secrets;
use crate::domain::ids::{AttemptId, WorkflowId};

/// May an attempt besides this one have set the password that is sealed now? Attempts from before it was sealed were
/// about another one.
pub async fn perhaps_set(store: &Store, workflow: WorkflowId, besides: AttemptId) -> Result<bool, ReadFault> {
    let Some(sealed_at) = secrets::sealed_at(store, workflow).await? else { return Ok(false) };
    let steps = step::Entity::find()
        .filter(step::Column::WorkflowId.eq(workflow.0))
        .filter(step::Column::Kind.eq("reset_password"))
        .all(store.reads())
        .await?;
    let acts = attempt::Entity::find()
        .filter(attempt::Column::WorkflowId.eq(workflow.0))
        .filter(attempt::Column::Purpose.eq("act"))
        .filter(attempt::Column::Id.ne(besides.0))
        .filter(attempt::Column::BegunAt.gte(sealed_at.as_utc()))
        .all(store.reads())
        .await?;
    let at_it = |row: &attempt::Model| {
        steps.iter().any(|step| step.plan_number == row.plan_number && step.number == row.step_number)
    };
    Ok(acts.iter().any(|row| at_it(row) && matches!(row.outcome.as_deref(), None | Some("unknown"))))
}
