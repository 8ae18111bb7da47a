//! The budget of a source: how many leavers may go in one hour without anybody being asked, and where the rest is held.
//!
//! Must hold: it is counted in the transaction that lets one go, behind a lock of the source, so that leavers that come
//! at once cannot overrun it; time is the moment of the deed. One leaver counts once, and in two hours: in that in which it
//! was let go, so that a feed that runs wild is stopped while it runs, and in that in which it begins, so that those who
//! were let go in a week do not all begin on the same morning.

use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _, QuerySelect as _, Set,
};

use super::deed::{Fault, Tx};
use super::parts;
use super::rows::held::{self, Column};
use super::rows::{batch, budget, unapproved};
use super::workflows::Workflow;
use crate::domain::ids::BatchId;
use crate::domain::time::Timestamp;
use crate::domain::workflow::State;

const HOUR_SECONDS: i64 = 3_600;

/// What becomes of a leaver about whom nobody is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// It may go.
    Within,
    /// It is held, in a batch that stands open.
    Held(BatchId),
    /// It is held, and is the first of its batch.
    FirstHeld(BatchId),
}

/// Takes a place in the budget, or one in the open batch of the source.
pub(super) async fn take<No>(
    tx: &mut Tx,
    workflow: &Workflow,
    not_before: Timestamp,
    per_hour: u32,
) -> Result<Room, Fault<No>> {
    lock(tx, workflow.source.as_str()).await?;
    match before(tx, workflow).await? {
        Before::LetGo => return Ok(Room::Within),
        Before::Withheld => return hold(tx, workflow).await,
        Before::Nothing => {}
    }
    let starts_at = not_before.max(tx.at);
    let of_source =
        unapproved::Entity::find().filter(unapproved::Column::Source.eq(workflow.source.as_str()));
    let since = tx.at.plus_seconds(-HOUR_SECONDS).as_utc();
    let let_go = of_source.clone().filter(unapproved::Column::ApprovedAt.gt(since)).count(&tx.inner).await?;
    // Every hour that has this start in it lies between these two.
    let (after, before) = (starts_at.plus_seconds(-HOUR_SECONDS), starts_at.plus_seconds(HOUR_SECONDS));
    let begin = of_source
        .filter(unapproved::Column::StartsAt.gt(after.as_utc()))
        .filter(unapproved::Column::StartsAt.lt(before.as_utc()))
        .count(&tx.inner)
        .await?;
    if let_go.max(begin) >= u64::from(per_hour) {
        return hold(tx, workflow).await;
    }
    let row = unapproved::ActiveModel {
        workflow_id: Set(workflow.id.0),
        source: Set(workflow.source.as_str().to_owned()),
        approved_at: Set(tx.at.as_utc()),
        starts_at: Set(starts_at.as_utc()),
    };
    unapproved::Entity::insert(row).exec_without_returning(&tx.inner).await?;
    Ok(Room::Within)
}

/// Locks a source until the transaction ends: what it may still send, and what of it is held.
pub(super) async fn lock<No>(tx: &Tx, source: &str) -> Result<(), Fault<No>> {
    if budget::Entity::find_by_id(source.to_owned()).lock_exclusive().one(&tx.inner).await?.is_none() {
        // Where two do this at once, the database lets one of them run again.
        let row = budget::ActiveModel { source: Set(source.to_owned()) };
        budget::Entity::insert(row).exec_without_returning(&tx.inner).await?;
    }
    Ok(())
}

/// What was said before of the person whom a workflow is about, in the same request.
enum Before {
    /// Nothing.
    Nothing,
    /// It was let go: it was counted, or two people have released it.
    LetGo,
    /// Another part of it is held, or somebody has said no to one.
    Withheld,
}

/// One that was let go is not held because its plan had to be made again, and the parts of one request count once. Where
/// a part is held or was rejected, two people look at the others, too.
async fn before<No>(tx: &Tx, workflow: &Workflow) -> Result<Before, Fault<No>> {
    let mut found = Before::Nothing;
    for one in parts::siblings(tx, workflow).await? {
        let held = held::Entity::find_by_id(one.id.0).one(&tx.inner).await?;
        let held = held.as_ref().map(|row| row.state.as_str());
        let own = one.id == workflow.id;
        if own && (held == Some("released") || was_counted(tx, &one).await?) {
            return Ok(Before::LetGo);
        }
        if !own && (held == Some("held") || matches!(one.state, State::Rejected)) {
            found = Before::Withheld;
        } else if matches!(found, Before::Nothing)
            && (held == Some("released") || was_counted(tx, &one).await?)
        {
            found = Before::LetGo;
        }
    }
    Ok(found)
}

async fn was_counted<No>(tx: &Tx, workflow: &Workflow) -> Result<bool, Fault<No>> {
    Ok(unapproved::Entity::find_by_id(workflow.id.0).one(&tx.inner).await?.is_some())
}

async fn hold<No>(tx: &mut Tx, workflow: &Workflow) -> Result<Room, Fault<No>> {
    let open = batch::Entity::find()
        .filter(batch::Column::Source.eq(workflow.source.as_str()))
        .filter(batch::Column::ClosedAt.is_null())
        .one(&tx.inner)
        .await?;
    let open = match open {
        Some(row) if is_emptied(tx, row.id).await? => {
            // Its source took back whoever was held in it; whoever is held now is a new matter, with an alarm of its own.
            let closed = batch::ActiveModel {
                id: Set(row.id),
                closed_at: Set(Some(tx.at.as_utc())),
                ..Default::default()
            };
            batch::Entity::update(closed).exec(&tx.inner).await?;
            None
        }
        open => open,
    };
    let room = if let Some(row) = open {
        Room::Held(BatchId(row.id))
    } else {
        Room::FirstHeld(open_batch(tx, workflow).await?)
    };
    let (Room::Held(id) | Room::FirstHeld(id)) = room else { return Ok(room) };
    let row = held::ActiveModel {
        workflow_id: Set(workflow.id.0),
        batch_id: Set(id.0),
        held_at: Set(tx.at.as_utc()),
        state: Set("held".to_owned()),
        settled_at: Set(None),
    };
    let anew = [Column::BatchId, Column::HeldAt, Column::State, Column::SettledAt];
    let again = OnConflict::column(Column::WorkflowId).update_columns(anew).to_owned();
    held::Entity::insert(row).on_conflict(again).exec_without_returning(&tx.inner).await?;
    Ok(room)
}

/// Is nothing held in this batch any more?
async fn is_emptied<No>(tx: &Tx, batch: uuid::Uuid) -> Result<bool, Fault<No>> {
    let still = held::Entity::find()
        .filter(held::Column::BatchId.eq(batch))
        .filter(held::Column::State.eq("held"))
        .one(&tx.inner)
        .await?;
    Ok(still.is_none())
}

async fn open_batch<No>(tx: &mut Tx, workflow: &Workflow) -> Result<BatchId, Fault<No>> {
    let id = tx.id(BatchId::made);
    let row = batch::ActiveModel {
        id: Set(id.0),
        source: Set(workflow.source.as_str().to_owned()),
        opened_at: Set(tx.at.as_utc()),
        closed_at: Set(None),
    };
    batch::Entity::insert(row).exec_without_returning(&tx.inner).await?;
    Ok(id)
}
