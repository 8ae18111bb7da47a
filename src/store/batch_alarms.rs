//! Alarms about leavers that are held, after the first one of a batch: the batch has grown, or leavers in it are due.
//!
//! Must hold: nothing is held in silence and nobody is flooded: a batch is told of again when it has doubled, at most
//! once an hour, and once a day while a leaver in it is due and still held.

use async_trait::async_trait;
use chrono::TimeDelta;
use sea_orm::sea_query::{OnConflict, Query};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, PaginatorTrait as _, QueryFilter as _,
    QueryOrder as _, Set,
};

use super::deed::{Deed, Fault, Tx};
use super::fault::ReadFault;
use super::rows::{batch, batch_alarm, held, workflow};
use super::{Store, budget, outbox, workflows};
use crate::clock::Stamp;
use crate::domain::ids::{BatchId, WorkflowId};
use crate::domain::time::Timestamp;

/// At most so often for growth.
const GROWTH: TimeDelta = TimeDelta::hours(1);
/// So often while somebody is due.
const DUE: TimeDelta = TimeDelta::days(1);

/// A batch as it stands.
struct Standing {
    /// All that were ever held in it, so that a part that was released does not hide that it grows.
    leavers: u64,
    /// The oldest that is still held.
    oldest: WorkflowId,
    /// How many are still held.
    held: u64,
    /// When the first of these is due.
    first_due: Timestamp,
    /// How large it was when the operators heard of it last, and when that was.
    told: (u64, Timestamp),
}

impl Standing {
    /// When the operators are to hear of it again.
    fn due_at(&self) -> Timestamp {
        let (leavers, at) = self.told;
        let daily = at.plus(DUE).max(self.first_due);
        if self.leavers >= leavers.saturating_mul(2) { daily.min(at.plus(GROWTH)) } else { daily }
    }

    fn in_words(&self, batch: &batch::Model, now: Timestamp) -> String {
        let due = if self.first_due <= now {
            format!(", the first of them due since {}", self.first_due.in_words())
        } else {
            String::new()
        };
        format!(
            "the source {} has sent {} leavers beyond its budget; {} of them are held in batch {}{due}, until two people \
             release or reject them on the console's page /held",
            batch.source,
            self.leavers,
            self.held,
            BatchId(batch.id)
        )
    }
}

/// The open batch that the operators are to hear of next, and when.
pub async fn next_due(store: &Store) -> Result<Option<(BatchId, Timestamp)>, ReadFault> {
    let open = batch::Entity::find().filter(batch::Column::ClosedAt.is_null()).all(store.reads()).await?;
    let mut next: Option<(BatchId, Timestamp)> = None;
    for row in open {
        let Some(due) = standing(store.reads(), &row).await?.map(|standing| standing.due_at()) else {
            continue;
        };
        if next.is_none_or(|(_, before)| due < before) {
            next = Some((BatchId(row.id), due));
        }
    }
    Ok(next)
}

/// Tells the operators of a batch once more, if it is time.
pub struct TellBatch {
    /// Time and ids.
    pub stamp: Stamp,
    /// Which one.
    pub batch: BatchId,
}

/// Were the operators told?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchTold {
    /// Yes.
    Yes,
    /// It is not time, or nothing is held in it any more.
    NotNow,
}

#[async_trait]
impl Deed for TellBatch {
    type Done = BatchTold;
    type No = std::convert::Infallible;

    fn name(&self) -> &'static str {
        "tell_batch"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    async fn perform(&self, tx: &mut Tx) -> Result<BatchTold, Fault<Self::No>> {
        let Some(row) = batch::Entity::find_by_id(self.batch.0).one(&tx.inner).await? else {
            return Ok(BatchTold::NotNow);
        };
        // Nothing comes to a batch of this source, and none is told of twice, until this is over.
        budget::lock(tx, &row.source).await?;
        let standing = standing(&tx.inner, &row).await?.filter(|standing| standing.due_at() <= tx.at);
        let Some(standing) = standing else { return Ok(BatchTold::NotNow) };
        workflows::locked(tx, standing.oldest).await?;
        let told = batch_alarm::ActiveModel {
            batch_id: Set(row.id),
            leavers: Set(i64::try_from(standing.leavers).unwrap_or(i64::MAX)),
            told_at: Set(tx.at.as_utc()),
        };
        let anew = [batch_alarm::Column::Leavers, batch_alarm::Column::ToldAt];
        let again = OnConflict::column(batch_alarm::Column::BatchId).update_columns(anew).to_owned();
        batch_alarm::Entity::insert(told).on_conflict(again).exec_without_returning(&tx.inner).await?;
        let words = standing.in_words(&row, tx.at);
        outbox::raise_alarm(tx, standing.oldest.into(), Some(standing.oldest), &words).await?;
        Ok(BatchTold::Yes)
    }
}

/// Nothing where nothing is held any more.
async fn standing(
    connection: &impl ConnectionTrait,
    row: &batch::Model,
) -> Result<Option<Standing>, ReadFault> {
    let all = held::Entity::find().filter(held::Column::BatchId.eq(row.id));
    let still = all.clone().filter(held::Column::State.eq("held"));
    let Some(oldest) = still.clone().order_by_asc(held::Column::WorkflowId).one(connection).await? else {
        return Ok(None);
    };
    let ids = Query::select()
        .column(held::Column::WorkflowId)
        .from(held::Entity)
        .and_where(held::Column::BatchId.eq(row.id))
        .and_where(held::Column::State.eq("held"))
        .to_owned();
    let first = workflow::Entity::find()
        .filter(workflow::Column::Id.in_subquery(ids))
        .filter(workflow::Column::NotBefore.is_not_null())
        .order_by_asc(workflow::Column::NotBefore)
        .one(connection)
        .await?;
    let first = first.and_then(|first| first.not_before);
    let told = batch_alarm::Entity::find_by_id(row.id).one(connection).await?;
    let opened = (1, Timestamp::from_utc(row.opened_at));
    Ok(Some(Standing {
        leavers: all.count(connection).await?,
        oldest: WorkflowId(oldest.workflow_id),
        held: still.count(connection).await?,
        first_due: Timestamp::from_utc(first.unwrap_or(oldest.held_at)),
        told: told.map_or(opened, |told| {
            (u64::try_from(told.leavers).unwrap_or(1), Timestamp::from_utc(told.told_at))
        }),
    }))
}
