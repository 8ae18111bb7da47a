//! The step ledger as rows: laid out with a plan, and read back.
//!
//! Must hold: a row whose columns make up no state is told as broken, never read as another one. Deliberately absent:
//! recording attempts (`recording.rs`), and sending stopped steps on (`reopen.rs`).

use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, Set};

use super::Store;
use super::deed::{Fault, Tx};
use super::fault::ReadFault;
use super::rows::{attempt, step};
use super::step_row::columns;
use crate::domain::canon::{CanonicalBytes, Tag};
use crate::domain::ids::{AttemptId, VaultUserId, WorkflowId};
use crate::domain::plan::Plan;
use crate::domain::step::{Form, Ledger, Report, StepRecord, StepState};
use crate::domain::time::Timestamp;

/// The untouched steps of a new plan.
pub(super) async fn insert<No>(tx: &Tx, plan: &Plan) -> Result<(), Fault<No>> {
    for (place, planned) in plan.steps.iter().enumerate() {
        let mut row = columns(&StepRecord::untouched(planned, tx.at), tx.at);
        row.workflow_id = Set(plan.workflow.0);
        row.plan_number = Set(i64::from(plan.number));
        row.number = Set(number(place));
        row.kind = Set(planned.kind().to_owned());
        row.user_id = Set(None);
        step::Entity::insert(row).exec_without_returning(&tx.inner).await?;
    }
    Ok(())
}

/// A step's place in its plan, as it is kept.
pub(super) fn number(place: usize) -> i64 {
    i64::try_from(place).unwrap_or(i64::MAX)
}

/// The ledger of one plan.
pub async fn ledger(store: &Store, workflow: WorkflowId, plan_number: u32) -> Result<Ledger, ReadFault> {
    let rows = step::Entity::find()
        .filter(step::Column::WorkflowId.eq(workflow.0))
        .filter(step::Column::PlanNumber.eq(i64::from(plan_number)))
        .order_by_asc(step::Column::Number)
        .all(store.reads())
        .await?;
    let user_id = rows.iter().rev().find_map(|row| row.user_id).map(VaultUserId);
    let steps: Result<Vec<_>, _> = rows.into_iter().map(record_of).collect();
    Ok(Ledger { steps: steps?, user_id })
}

fn record_of(row: step::Model) -> Result<StepRecord, ReadFault> {
    let due = Timestamp::from_utc(row.due_at);
    let place = format!("{}/{}/{}", row.workflow_id, row.plan_number, row.number);
    let inconsistent = |wrong| ReadFault::Inconsistent { table: "steps", row: place.clone(), wrong };
    let state = match (row.state.as_str(), row.reason) {
        ("waiting", _) => StepState::Waiting { due },
        ("begun", _) => StepState::Begun,
        ("done", _) => StepState::Done,
        ("already_so", _) => StepState::AlreadySo,
        ("unknown", _) => StepState::Unknown { due },
        ("failed", Some(reason)) => StepState::Failed { reason },
        ("skipped", _) => StepState::Skipped,
        ("manual", _) => StepState::Manual,
        _ => return Err(inconsistent("its columns make up no state")),
    };
    // A newer release may know more forms; taking its word for none would try the step in a way that it had left.
    let form = row
        .form
        .as_deref()
        .map(|word| Form::parse(word).ok_or_else(|| inconsistent("its form is not known")));
    Ok(StepRecord {
        state,
        acts: u32::try_from(row.acts).unwrap_or(u32::MAX),
        looks: u32::try_from(row.looks).unwrap_or(u32::MAX),
        since: row.tried_since.map(Timestamp::from_utc),
        open: row.open_attempt.map(AttemptId),
        form: form.transpose()?,
    })
}

/// One attempt as it was recorded.
#[derive(Debug, Clone)]
pub struct AttemptTold {
    /// Its id.
    pub id: AttemptId,
    /// Of which step.
    pub step: usize,
    /// Why it was made.
    pub purpose: String,
    /// When it was begun.
    pub begun_at: Timestamp,
    /// What it brought, once known.
    pub report: Option<Report>,
    /// When that was known.
    pub ended_at: Option<Timestamp>,
}

/// All attempts at the steps of a plan, oldest first.
pub async fn attempts(
    store: &Store,
    workflow: WorkflowId,
    plan_number: u32,
) -> Result<Vec<AttemptTold>, ReadFault> {
    let rows = attempt::Entity::find()
        .filter(attempt::Column::WorkflowId.eq(workflow.0))
        .filter(attempt::Column::PlanNumber.eq(i64::from(plan_number)))
        .order_by_asc(attempt::Column::StepNumber)
        .order_by_asc(attempt::Column::Number)
        .all(store.reads())
        .await?;
    rows.into_iter()
        .map(|row| {
            let report =
                row.report.map(|bytes| CanonicalBytes::stored(bytes).open(Tag::Report)).transpose()?;
            Ok(AttemptTold {
                id: AttemptId(row.id),
                step: usize::try_from(row.step_number).unwrap_or(usize::MAX),
                purpose: row.purpose,
                begun_at: Timestamp::from_utc(row.begun_at),
                report,
                ended_at: row.ended_at.map(Timestamp::from_utc),
            })
        })
        .collect()
}

/// The acts ever begun at one kind of step, over all plans of a workflow: each left its mark.
pub async fn acts_of_kind(
    store: &Store,
    workflow: WorkflowId,
    kind: &str,
) -> Result<Vec<AttemptId>, ReadFault> {
    let steps = step::Entity::find()
        .filter(step::Column::WorkflowId.eq(workflow.0))
        .filter(step::Column::Kind.eq(kind))
        .all(store.reads())
        .await?;
    let rows = attempt::Entity::find()
        .filter(attempt::Column::WorkflowId.eq(workflow.0))
        .filter(attempt::Column::Purpose.eq("act"))
        .order_by_asc(attempt::Column::Id)
        .all(store.reads())
        .await?;
    let of_kind = |row: &attempt::Model| {
        steps.iter().any(|step| step.plan_number == row.plan_number && step.number == row.step_number)
    };
    Ok(rows.into_iter().filter(of_kind).map(|row| AttemptId(row.id)).collect())
}
