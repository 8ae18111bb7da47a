//! Ending a workflow in favour of another one, or because it is taken back; stopping one that has begun.
//!
//! Must hold: what has begun no attempt, and what stopped half-way with nothing unclear, rests in this very transaction:
//! its links are dead, its password is erased, who was asked is owed a word, and who waits for it goes on. What is
//! being carried out, or may have had an effect that nobody knows, is marked, and the executor brings it to rest.

use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, Set};

use super::deed::{Fault, Tx};
use super::rows::{held, step};
use super::workflows::{self, Also, Workflow};
use super::{reopen, secrets};
use crate::domain::audit::Actor;
use crate::domain::workflow::{Ending, Stalled, State, Transition, WrongMove};

/// What became of a workflow that was to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// It is at rest.
    AtRest,
    /// It will be, once what it has begun is known.
    Stopping,
}

/// Ends a workflow, or marks it to be stopped. The caller has locked it.
pub(super) async fn end<No>(tx: &mut Tx, workflow: &Workflow, ending: Ending) -> Result<Ended, Fault<No>> {
    if workflow.state.is_final() {
        return Ok(Ended::AtRest);
    }
    let half_way = matches!(workflow.state, State::NeedsAttention { stalled: Stalled::Running, .. });
    if matches!(workflow.state, State::Running) || half_way && reopen::is_unclear(tx, workflow).await? {
        if workflow.stop.is_none() {
            stop(tx, workflow, ending).await?;
        }
        return Ok(Ended::Stopping);
    }
    let done = done_so_far(tx, workflow).await?;
    let transition = workflow.state.ended(&ending, &done);
    rest(tx, workflow, possible(transition)?, ending).await?;
    Ok(Ended::AtRest)
}

async fn stop<No>(tx: &mut Tx, workflow: &Workflow, ending: Ending) -> Result<(), Fault<No>> {
    let transition = possible(workflow.state.stopping(&ending))?;
    if !matches!(workflow.state, State::Running) {
        reopen::reopen(tx, workflow).await?;
    }
    let also = Also { due_at: Some(tx.at), ending: Some(ending), ..Also::default() };
    workflows::apply(tx, workflow, transition, also).await
}

/// A run that was to stop has come to a safe point: it rests.
pub(super) async fn stopped<No>(tx: &mut Tx, workflow: &Workflow) -> Result<(), Fault<No>> {
    let Some(stop) = workflow.stop else {
        return Err(Fault::Broken(format!("workflow {} was not to stop", workflow.id)));
    };
    let ending = Ending {
        actor: Actor::Countersign,
        stop,
        kind: None,
        withdrawn_by: workflow.cancelled_by.clone(),
        proposed: None,
    };
    let done = done_so_far(tx, workflow).await?;
    let transition = possible(workflow.state.stopped(&ending, &done))?;
    rest(tx, workflow, transition, ending).await
}

async fn rest<No>(
    tx: &mut Tx,
    workflow: &Workflow,
    transition: Transition,
    ending: Ending,
) -> Result<(), Fault<No>> {
    secrets::given_up(tx, workflow.id).await?;
    no_longer_held(tx, workflow).await?;
    let also = Also { ending: Some(ending), ..Also::default() };
    workflows::apply(tx, workflow, transition, also).await
}

/// A held leaver that ends leaves its batch.
async fn no_longer_held<No>(tx: &Tx, workflow: &Workflow) -> Result<(), Fault<No>> {
    if !matches!(workflow.state, State::NeedsAttention { stalled: Stalled::Held, .. }) {
        return Ok(());
    }
    let row = held::ActiveModel {
        workflow_id: Set(workflow.id.0),
        state: Set("withdrawn".to_owned()),
        settled_at: Set(Some(tx.at.as_utc())),
        ..Default::default()
    };
    held::Entity::update(row).exec(&tx.inner).await?;
    Ok(())
}

/// The steps of the current plan that have had their effect.
async fn done_so_far<No>(tx: &Tx, workflow: &Workflow) -> Result<Vec<String>, Fault<No>> {
    let rows = step::Entity::find()
        .filter(step::Column::WorkflowId.eq(workflow.id.0))
        .filter(step::Column::PlanNumber.eq(i64::from(workflow.plan_number)))
        .filter(step::Column::State.eq("done"))
        .order_by_asc(step::Column::Number)
        .all(&tx.inner)
        .await?;
    Ok(rows.into_iter().map(|row| row.kind).collect())
}

/// The caller has looked at the state under its lock, so that a wrong move is a fault of ours.
fn possible<No>(transition: Result<Transition, WrongMove>) -> Result<Transition, Fault<No>> {
    transition.map_err(|wrong| Fault::Broken(wrong.to_string()))
}
