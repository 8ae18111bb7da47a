//! How far time had come, as the replicas have believed it, and what the database's own clock says.
//!
//! Must hold: a mark is a replica's own book-keeping and no change of anything: no event. The marks of replicas that are
//! gone go with the next one; the highest stays, unless the time was in doubt and is believed anew.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ColumnTrait as _, ConnectionTrait as _, DatabaseBackend, DbErr, EntityTrait as _, QueryFilter as _,
    QueryOrder as _, RuntimeErr, Set,
};
use uuid::Uuid;

use super::Store;
use super::deed::{Deed, Fault, Tx};
use super::fault::ReadFault;
use super::rows::clock_mark::{ActiveModel, Column, Entity};
use crate::clock::Stamp;
use crate::domain::time::Timestamp;

/// The mark of a replica that has not been heard of for so long goes.
const GONE_AFTER_SECONDS: i64 = 86_400;

/// Notes how far time has come.
pub struct MarkTime {
    /// Time and ids.
    pub stamp: Stamp,
    /// By which process.
    pub replica: Uuid,
    /// What becomes of the others.
    pub others: Others,
}

/// What becomes of earlier marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Others {
    /// They stay, as long as their replicas are there.
    Stay,
    /// They go: they were made by a clock that was wrong.
    Go,
}

#[async_trait]
impl Deed for MarkTime {
    type Done = ();
    type No = std::convert::Infallible;

    fn name(&self) -> &'static str {
        "mark_time"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    fn concerns_others(&self) -> bool {
        false
    }

    async fn perform(&self, tx: &mut Tx) -> Result<(), Fault<Self::No>> {
        let gone = match self.others {
            Others::Stay => Column::BelievedAt.lt(tx.at.plus_seconds(-GONE_AFTER_SECONDS).as_utc()),
            Others::Go => Column::Replica.ne(self.replica),
        };
        Entity::delete_many().filter(gone).exec(&tx.inner).await?;
        let row = ActiveModel { replica: Set(self.replica), believed_at: Set(tx.at.as_utc()) };
        let again = OnConflict::column(Column::Replica).update_column(Column::BelievedAt).to_owned();
        Entity::insert(row).on_conflict(again).exec_without_returning(&tx.inner).await?;
        Ok(())
    }
}

/// The highest time that any replica has believed.
pub async fn highest(store: &Store) -> Result<Option<Timestamp>, ReadFault> {
    let row = Entity::find().order_by_desc(Column::BelievedAt).one(store.reads()).await?;
    Ok(row.map(|row| Timestamp::from_utc(row.believed_at)))
}

/// Has the database a clock of its own? A file goes by the machine's.
pub fn has_clock(store: &Store) -> bool {
    store.reads().get_database_backend() == DatabaseBackend::Postgres
}

/// What the database's own clock says at the end of this call; nothing where the database is a file, or where the answer
/// took longer than `longest`, and so says nothing exact. This is the one question about the time that a database is asked: what is decided
/// by it is an argument, as everywhere.
pub async fn database_clock(
    store: &Store,
    longest: Duration,
    steady: impl Fn() -> Duration,
) -> Result<Option<Timestamp>, ReadFault> {
    if !has_clock(store) {
        return Ok(None);
    }
    let pool = store.reads().pool().get_postgres_connection_pool();
    let failed =
        |fault: sqlx::Error| ReadFault::Database(DbErr::Query(RuntimeErr::SqlxError(Arc::new(fault))));
    // Waiting for a connection is no part of the reading.
    let mut connection = pool.acquire().await.map_err(failed)?;
    let before = steady();
    let said: DateTime<Utc> =
        sqlx::query_scalar("select clock_timestamp()").fetch_one(&mut *connection).await.map_err(failed)?;
    let took = steady().saturating_sub(before);
    let half = chrono::TimeDelta::from_std(took / 2).unwrap_or_default();
    Ok((took <= longest).then(|| Timestamp::from_utc(said).plus(half)))
}
