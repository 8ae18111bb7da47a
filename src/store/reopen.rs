//! Steps that are taken up again after a run has stopped: to another act, or to a look where an earlier act may have had
//! an effect.
//!
//! Must hold: what may have had an effect is looked up before anything is repeated.

use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, Set};

use super::deed::{Fault, Tx};
use super::rows::{attempt, step};
use super::step_row::columns;
use super::workflows::Workflow;
use crate::domain::step::{StepRecord, StepState};

/// The steps that write a whole record.
const WRITE_RECORDS: [&str; 4] = ["update_user", "require_password_change", "disable_user", "enable_user"];

/// Sends the steps of the current plan on that have failed or whose attempts never ended: to another act, or to a look
/// where an earlier act may have had an effect.
pub(super) async fn reopen<No>(tx: &Tx, workflow: &Workflow) -> Result<(), Fault<No>> {
    for row in stopped(tx, workflow).await? {
        let state = match last_attempt(tx, &row).await? {
            Effect::Unclear => StepState::Unknown { due: tx.at },
            Effect::Known => StepState::Waiting { due: tx.at },
        };
        let mut fresh = columns(&StepRecord { state, ..StepRecord::fresh(tx.at) }, tx.at);
        fresh.form = Set(row.form);
        (fresh.workflow_id, fresh.plan_number, fresh.number) =
            (Set(row.workflow_id), Set(row.plan_number), Set(row.number));
        step::Entity::update(fresh).exec(&tx.inner).await?;
    }
    Ok(())
}

/// May an attempt of a run that has stopped half-way have had an effect that nobody knows?
pub(super) async fn is_unclear<No>(tx: &Tx, workflow: &Workflow) -> Result<bool, Fault<No>> {
    for row in stopped(tx, workflow).await? {
        if last_attempt(tx, &row).await? == Effect::Unclear {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn stopped<No>(tx: &Tx, workflow: &Workflow) -> Result<Vec<step::Model>, Fault<No>> {
    Ok(step::Entity::find()
        .filter(step::Column::WorkflowId.eq(workflow.id.0))
        .filter(step::Column::PlanNumber.eq(i64::from(workflow.plan_number)))
        .filter(step::Column::State.is_in(["failed", "begun", "unknown"]))
        .all(&tx.inner)
        .await?)
}

/// Is it known what the last attempt at a step brought about?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    Known,
    Unclear,
}

async fn last_attempt<No>(tx: &Tx, row: &step::Model) -> Result<Effect, Fault<No>> {
    let last = attempt::Entity::find()
        .filter(attempt::Column::WorkflowId.eq(row.workflow_id))
        .filter(attempt::Column::PlanNumber.eq(row.plan_number))
        .filter(attempt::Column::StepNumber.eq(row.number))
        .order_by_desc(attempt::Column::Number)
        .one(&tx.inner)
        .await?;
    // A record is always read before it is written, so that a person who has judged what a look has found is not
    // asked the same once more.
    let judged = WRITE_RECORDS.contains(&row.kind.as_str());
    let unclear = last.is_some_and(|last| match (last.purpose.as_str(), last.outcome.as_deref()) {
        (_, None | Some("unknown")) => true,
        ("look", Some("needs_person")) => !judged,
        // A vault may have made an account although it said no.
        ("act", Some("refused")) => row.kind == "create_user",
        (purpose, Some(_)) => purpose == "look",
    });
    Ok(if unclear { Effect::Unclear } else { Effect::Known })
}
