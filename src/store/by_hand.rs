//! Steps that a person does elsewhere, and says so.
//!
//! Must hold: only a step on which the run waits for a person is marked done, and what a person has done stays done when
//! the plan grows.

use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, Set};

use super::audit;
use super::deed::{Fault, Tx};
use super::rows::step;
use super::step_row::columns;
use super::workflows::Workflow;
use crate::domain::audit::{Actor, EventKind, NewEvent};
use crate::domain::plan::PlannedStep;
use crate::domain::step::{StepRecord, StepState};

/// A person says that the step on which the run waits was done by hand; nothing where it waits for no such step.
pub(super) async fn mark_done<No>(tx: &Tx, workflow: &Workflow) -> Result<Option<(i64, String)>, Fault<No>> {
    let waiting = step::Entity::find()
        .filter(step::Column::WorkflowId.eq(workflow.id.0))
        .filter(step::Column::PlanNumber.eq(i64::from(workflow.plan_number)))
        .filter(step::Column::State.is_not_in(["done", "already_so", "skipped"]))
        .order_by_asc(step::Column::Number)
        .one(&tx.inner)
        .await?;
    let Some(row) = waiting.filter(|row| row.state == "manual") else { return Ok(None) };
    is_done(tx, &row).await?;
    Ok(Some((row.number, row.kind)))
}

/// Marks those steps of a wider plan done that a person has done under the plan before; called with the workflow as it
/// stood under that plan.
pub(super) async fn carry_over<No>(tx: &mut Tx, workflow: &Workflow, wider: u32) -> Result<(), Fault<No>> {
    let by_hand = [
        PlannedStep::LeaveGroupsByHand.kind(),
        PlannedStep::DisableInDirectory.kind(),
        PlannedStep::EnableInDirectory.kind(),
    ];
    let of_plan = |number: u32| {
        step::Entity::find()
            .filter(step::Column::WorkflowId.eq(workflow.id.0))
            .filter(step::Column::PlanNumber.eq(i64::from(number)))
            .filter(step::Column::Kind.is_in(by_hand))
    };
    let before = of_plan(workflow.plan_number).filter(step::Column::State.eq("done"));
    let done: Vec<String> = before.all(&tx.inner).await?.into_iter().map(|row| row.kind).collect();
    for row in of_plan(wider).all(&tx.inner).await? {
        if done.contains(&row.kind) {
            is_done(tx, &row).await?;
            let event = NewEvent::new(EventKind::StepMarkedDone, Actor::Countersign)
                .number("step_number", row.number)
                .text("step", row.kind)
                .text("because", "a person had done it under the plan before");
            audit::append(tx, workflow.id.into(), event).await?;
        }
    }
    Ok(())
}

async fn is_done<No>(tx: &Tx, row: &step::Model) -> Result<(), Fault<No>> {
    let mut over = columns(&StepRecord { state: StepState::Done, ..StepRecord::fresh(tx.at) }, tx.at);
    (over.workflow_id, over.plan_number, over.number) =
        (Set(row.workflow_id), Set(row.plan_number), Set(row.number));
    step::Entity::update(over).exec(&tx.inner).await?;
    Ok(())
}
