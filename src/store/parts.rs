//! Parts: a leaver's request that reaches several targets is one workflow for each of them.
//!
//! Must hold: the first one stands for the request, and a repeat of the request finds it; each further one is a part
//! of it, for one target and once, with a plan, an approval, a ledger and a chain of its own. Deliberately absent: making
//! them (see `spread`).

use sea_orm::{ColumnTrait as _, Condition, EntityTrait as _, QueryFilter as _, QueryOrder as _};

use super::Store;
use super::deed::{Fault, Tx};
use super::fault::ReadFault;
use super::rows::workflow::{Column, Entity};
use super::workflows::Workflow;
use crate::domain::ids::WorkflowId;

/// The workflow that stands for the whole request.
const fn first_of(workflow: &Workflow) -> WorkflowId {
    match workflow.part_of {
        Some(first) => first,
        None => workflow.id,
    }
}

fn of_whole(first: WorkflowId) -> Condition {
    Condition::any().add(Column::Id.eq(first.0)).add(Column::PartOf.eq(first.0))
}

/// All workflows of the request to which this one belongs, the first one first; this one alone, where it has no parts.
pub async fn whole(store: &Store, workflow: &Workflow) -> Result<Vec<Workflow>, ReadFault> {
    let found = Entity::find().filter(of_whole(first_of(workflow))).order_by_asc(Column::Id);
    let rows = found.all(store.reads()).await?;
    let mut members = rows.into_iter().map(Workflow::from_row).collect::<Result<Vec<_>, _>>()?;
    members.sort_by_key(|one| one.part_of.is_some());
    Ok(members)
}

/// The same, in a transaction.
pub(super) async fn siblings<No>(tx: &Tx, workflow: &Workflow) -> Result<Vec<Workflow>, Fault<No>> {
    members(tx, first_of(workflow)).await
}

/// All workflows of the request that this one stands for.
pub(super) async fn members<No>(tx: &Tx, first: WorkflowId) -> Result<Vec<Workflow>, Fault<No>> {
    let rows = Entity::find().filter(of_whole(first)).order_by_asc(Column::Id).all(&tx.inner).await?;
    Ok(rows.into_iter().map(Workflow::from_row).collect::<Result<_, _>>()?)
}
