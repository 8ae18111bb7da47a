//! Lists of workflows, page by page: each row whole, or told by what can still be read of it.
//!
//! Must hold: a row that makes no workflow costs the page nobody else, and stands in its place.

use sea_orm::{
    ColumnTrait as _, Condition, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    Select,
};

use super::Store;
use super::fault::ReadFault;
use super::rows::workflow::{Column, Entity, Model};
use super::workflows::Workflow;
use crate::domain::ids::WorkflowId;
use crate::domain::time::Timestamp;

/// A row of a list: whole, or told by what can still be read of it.
#[derive(Debug, Clone)]
pub enum Listed {
    /// It makes a workflow.
    Whole(Box<Workflow>),
    /// It makes none.
    Unreadable(Unreadable),
}

/// What is shown of a row that makes no workflow, in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Which one.
    pub id: WorkflowId,
    /// The word that stands for its state, whatever it says.
    pub state: String,
    /// When it was taken in.
    pub created_at: Timestamp,
}

impl Listed {
    pub(super) fn from_row(row: Model) -> Self {
        let told = Unreadable {
            id: WorkflowId(row.id),
            state: row.state.clone(),
            created_at: Timestamp::from_utc(row.created_at),
        };
        match Workflow::from_row(row) {
            Ok(workflow) => Self::Whole(Box::new(workflow)),
            Err(fault) => {
                tracing::error!(workflow.id = %told.id, %fault, "a row of a list cannot be read");
                Self::Unreadable(told)
            }
        }
    }

    /// Which one.
    pub fn id(&self) -> WorkflowId {
        match self {
            Self::Whole(workflow) => workflow.id,
            Self::Unreadable(told) => told.id,
        }
    }
}

/// A page of workflows, newest first, from the next older one than `after` on. Ids grow with time.
pub async fn page(store: &Store, after: Option<WorkflowId>, most: u64) -> Result<Vec<Listed>, ReadFault> {
    let rows = page_query(after, most).all(store.reads()).await?;
    Ok(rows.into_iter().map(Listed::from_row).collect())
}

pub(super) fn page_query(after: Option<WorkflowId>, most: u64) -> Select<Entity> {
    let older = after.map(|id| Column::Id.lt(id.0));
    Entity::find().filter(Condition::all().add_option(older)).order_by_desc(Column::Id).limit(most)
}
