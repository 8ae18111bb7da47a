//! What the last act at a step had read before it wrote.
//!
//! Must hold: only the last act counts; an act that was interrupted has told nothing.

use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _};

use super::Store;
use super::fault::ReadFault;
use super::rows::attempt;
use crate::domain::canon::{CanonicalBytes, Tag};
use crate::domain::ids::WorkflowId;
use crate::domain::step::{RecordSeal, Report};

/// The record as the last act at this step of a plan had read it, where that act has told.
pub async fn before_last_act(
    store: &Store,
    (workflow, plan_number): (WorkflowId, u32),
    step: usize,
) -> Result<Option<RecordSeal>, ReadFault> {
    let last = attempt::Entity::find()
        .filter(attempt::Column::WorkflowId.eq(workflow.0))
        .filter(attempt::Column::PlanNumber.eq(i64::from(plan_number)))
        .filter(attempt::Column::StepNumber.eq(i64::try_from(step).unwrap_or(i64::MAX)))
        .filter(attempt::Column::Purpose.eq("act"))
        .order_by_desc(attempt::Column::Number)
        .one(store.reads())
        .await?;
    let Some(bytes) = last.and_then(|row| row.report) else { return Ok(None) };
    let report: Report = CanonicalBytes::stored(bytes).open(Tag::Report)?;
    Ok(report.before)
}
