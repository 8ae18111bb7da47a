//! What operators look for: workflows by state, kind, person and words, page by page in both directions.
//!
//! Must hold: each question is answered from an index and reads no more than a page, or no more than the places of
//! one word; ids grow with time, so that their order is the order in which workflows came in, and a page goes on from
//! an id whatever comes in meanwhile. Deliberately absent: counting everything.

use std::collections::BTreeSet;

use sea_orm::sea_query::Query;
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _, Select, Set,
};

use super::Store;
use super::deed::{Fault, Tx};
use super::fault::ReadFault;
use super::listed::Listed;
use super::rows::found_by;
use super::rows::workflow::{Column, Entity};
use crate::domain::ids::WorkflowId;
use crate::domain::kind::Kind;
use crate::domain::names::PersonRef;

/// Which workflows are wanted; what is absent does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The word of a state.
    pub state: Option<&'static str>,
    /// What is asked for.
    pub kind: Option<Kind>,
    /// For whom, exactly.
    pub person: Option<PersonRef>,
    /// Folded beginnings of words, all of which must be there.
    pub words: BTreeSet<String>,
    /// Just this one.
    pub id: Option<WorkflowId>,
}

/// Where a page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// With the newest.
    Top,
    /// With the next older one.
    OlderThan(WorkflowId),
    /// So that it ends with the next newer one.
    NewerThan(WorkflowId),
}

/// A page of workflows, newest first, at most `most`.
pub async fn page(store: &Store, wanted: &Wanted, place: Place, most: u64) -> Result<Vec<Listed>, ReadFault> {
    let mut rows = page_query(wanted, place, most).all(store.reads()).await?;
    if matches!(place, Place::NewerThan(_)) {
        rows.reverse();
    }
    Ok(rows.into_iter().map(Listed::from_row).collect())
}

pub(super) fn page_query(wanted: &Wanted, place: Place, most: u64) -> Select<Entity> {
    let mut query = Entity::find();
    if let Some(state) = wanted.state {
        query = query.filter(Column::State.eq(state));
    }
    if let Some(kind) = wanted.kind {
        query = query.filter(Column::Kind.eq(kind.as_str()));
    }
    if let Some(person) = &wanted.person {
        query = query.filter(Column::PersonRef.eq(person.as_str()));
    }
    if let Some(id) = wanted.id {
        query = query.filter(Column::Id.eq(id.0));
    }
    for word in &wanted.words {
        let places = Query::select()
            .column(found_by::Column::WorkflowId)
            .from(found_by::Entity)
            .and_where(found_by::Column::Word.gte(word.as_str()))
            // No character comes after this one.
            .and_where(found_by::Column::Word.lt(format!("{word}\u{10ffff}")))
            .to_owned();
        query = query.filter(Column::Id.in_subquery(places));
    }
    let query = match place {
        Place::Top => query.order_by_desc(Column::Id),
        Place::OlderThan(id) => query.filter(Column::Id.lt(id.0)).order_by_desc(Column::Id),
        Place::NewerThan(id) => query.filter(Column::Id.gt(id.0)).order_by_asc(Column::Id),
    };
    query.limit(most)
}

/// How many workflows stand in this state, counted no further than `most`.
pub async fn count_up_to(store: &Store, state: &str, most: u64) -> Result<usize, ReadFault> {
    let ids: Vec<uuid::Uuid> = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::State.eq(state))
        .limit(most)
        .into_tuple()
        .all(store.reads())
        .await?;
    Ok(ids.len())
}

/// A workflow is found by the words of another one, too.
pub(super) async fn copy_words<No>(tx: &Tx, from: WorkflowId, to: WorkflowId) -> Result<(), Fault<No>> {
    let known =
        found_by::Entity::find().filter(found_by::Column::WorkflowId.eq(from.0)).all(&tx.inner).await?;
    keep_words(tx, to, &known.into_iter().map(|row| row.word).collect()).await
}

/// Keeps the words that a new workflow is found by.
pub(super) async fn keep_words<No>(
    tx: &Tx,
    workflow: WorkflowId,
    words: &BTreeSet<String>,
) -> Result<(), Fault<No>> {
    let rows = words
        .iter()
        .map(|word| found_by::ActiveModel { word: Set(word.clone()), workflow_id: Set(workflow.0) });
    if words.is_empty() {
        return Ok(());
    }
    found_by::Entity::insert_many(rows).exec_without_returning(&tx.inner).await?;
    Ok(())
}
