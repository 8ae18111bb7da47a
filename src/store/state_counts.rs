//! How many workflows stand in each state: kept with every change, and never counted.
//!
//! Must hold: a workflow that comes in or changes its state changes the numbers in the same transaction. They are spread
//! over slots by the workflow's id, so that changes of different workflows seldom wait for one another; the rows of one
//! workflow are always taken in the same order, so that no two deeds wait in a circle.

use sea_orm::sea_query::{Expr, ExprTrait as _, OnConflict};
use sea_orm::{EntityTrait as _, QuerySelect as _, Set};

use super::Store;
use super::deed::{Fault, Tx};
use super::fault::ReadFault;
use super::rows::state_count::{ActiveModel, Column, Entity};
use crate::domain::ids::WorkflowId;

/// A workflow has come in.
pub(super) async fn came<No>(tx: &Tx, id: WorkflowId, state: &str) -> Result<(), Fault<No>> {
    note(tx, vec![row(id, state, 1)]).await
}

/// A workflow has gone from one state to another.
pub(super) async fn moved<No>(tx: &Tx, id: WorkflowId, from: &str, to: &str) -> Result<(), Fault<No>> {
    if from == to {
        return Ok(());
    }
    let mut changes = [(from, -1), (to, 1)];
    changes.sort_unstable();
    note(tx, changes.map(|(state, by)| row(id, state, by)).to_vec()).await
}

fn row(id: WorkflowId, state: &str, by: i64) -> ActiveModel {
    // The last byte of an id is chance.
    let slot = id.0.as_bytes().last().copied().unwrap_or_default();
    ActiveModel { state: Set(state.to_owned()), slot: Set(i64::from(slot)), workflows: Set(by) }
}

async fn note<No>(tx: &Tx, changes: Vec<ActiveModel>) -> Result<(), Fault<No>> {
    let sum = Expr::col((Entity, Column::Workflows)).add(Expr::cust("excluded.workflows"));
    let added = OnConflict::columns([Column::State, Column::Slot]).value(Column::Workflows, sum).to_owned();
    Entity::insert_many(changes).on_conflict(added).exec_without_returning(&tx.inner).await?;
    Ok(())
}

/// How many workflows stand in each state in which one has ever stood.
pub async fn by_state(store: &Store) -> Result<Vec<(String, i64)>, ReadFault> {
    // A sum of whole numbers is a decimal in PostgreSQL, unless it is told otherwise.
    let sum = Expr::col(Column::Workflows).sum().cast_as("bigint");
    Ok(Entity::find()
        .select_only()
        .column(Column::State)
        .expr(sum)
        .group_by(Column::State)
        .into_tuple()
        .all(store.reads())
        .await?)
}
