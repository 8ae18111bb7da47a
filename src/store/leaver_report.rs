//! The report about leavers: page by page, and its sums.
//!
//! Must hold: a page goes on from the last clock that was shown, along an index; the sums are about the whole span, and
//! read no more than its clocks. A request whose row makes no sense stands in its place with what its clock says.

use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ColumnTrait as _, Condition, EntityTrait as _, PaginatorTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, Select,
};

use chrono::TimeDelta;

use super::Store;
use super::fault::ReadFault;
use super::leaver_clocks::clock;
use super::listed::Listed;
use super::rows::leaver_clock::{Column, Entity};
use super::rows::workflow;
use crate::domain::ids::WorkflowId;
use crate::domain::leaver_clock::LeaverClock;
use crate::domain::time::Timestamp;

/// Leavers whose clock began in this time, the first moment included and the last one not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first moment.
    pub from: Timestamp,
    /// The moment after the last.
    pub to: Timestamp,
}

/// The last line of a page, from which the next page goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct After {
    /// When its clock began.
    pub starts: Timestamp,
    /// Which leaver.
    pub workflow: WorkflowId,
}

/// One leaver.
#[derive(Debug, Clone)]
pub struct Line {
    /// The request as it stands.
    pub workflow: Listed,
    /// Its clock.
    pub clock: LeaverClock,
}

/// How long it took, over many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lags {
    /// So many have such a lag.
    pub count: u64,
    /// Half of them were no longer.
    pub p50: Option<TimeDelta>,
    /// Nineteen in twenty were no longer.
    pub p95: Option<TimeDelta>,
    /// The longest.
    pub max: Option<TimeDelta>,
}

/// The sums of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sums {
    /// All leavers of the span.
    pub leavers: u64,
    /// Of whom nothing has come to rest yet.
    pub open: u64,
    /// The same, past their target time.
    pub open_over_target: u64,
    /// Verified, and later than their target time.
    pub verified_over_target: u64,
    /// Until a read showed the end of access.
    pub own: Lags,
    /// Until we were told, where we were told late.
    pub notice: Lags,
}

/// A page of the report, the latest clock first.
pub async fn page(
    store: &Store,
    span: Span,
    after: Option<After>,
    most: u64,
) -> Result<Vec<Line>, ReadFault> {
    let rows = page_query(span, after, most).all(store.reads()).await?;
    let ids = rows.iter().map(|row| row.workflow_id);
    let found = workflow::Entity::find().filter(workflow::Column::Id.is_in(ids)).all(store.reads()).await?;
    let mut lines = Vec::with_capacity(rows.len());
    for row in rows {
        let of = found.iter().find(|workflow| workflow.id == row.workflow_id).cloned();
        // Each clock refers to its workflow, so one that is not found was not there yet when it was looked for.
        if let Some(of) = of {
            lines.push(Line { workflow: Listed::from_row(of), clock: clock(&row)? });
        }
    }
    Ok(lines)
}

pub(super) fn page_query(span: Span, after: Option<After>, most: u64) -> Select<Entity> {
    let mut query = within(span);
    if let Some(after) = after {
        let at = after.starts.as_utc();
        let same = Condition::all().add(Column::StartsAt.eq(at)).add(Column::WorkflowId.lt(after.workflow.0));
        // The first condition alone bounds the part of the index that is read.
        query = query
            .filter(Column::StartsAt.lte(at))
            .filter(Condition::any().add(Column::StartsAt.lt(at)).add(same));
    }
    query.order_by_desc(Column::StartsAt).order_by_desc(Column::WorkflowId).limit(most)
}

fn within(span: Span) -> Select<Entity> {
    Entity::find()
        .filter(Column::StartsAt.gte(span.from.as_utc()))
        .filter(Column::StartsAt.lt(span.to.as_utc()))
}

/// The sums of the span, as they stand now.
pub async fn sums(store: &Store, span: Span, now: Timestamp) -> Result<Sums, ReadFault> {
    let db = store.reads();
    let open = || within(span).filter(Column::EndedAt.is_null());
    let own = lags(store, span, Column::OwnLagMicros).await?;
    let late = Expr::col(Column::OwnLagMicros).gt(Expr::col(Column::WithinSeconds).mul(1_000_000_i64));
    // The target times differ, so each of the few that are open is asked.
    let clocks = open().all(db).await?;
    let mut open_over_target = 0;
    for row in &clocks {
        open_over_target += u64::from(clock(row)?.is_late(now));
    }
    Ok(Sums {
        leavers: within(span).count(db).await?,
        open: u64::try_from(clocks.len()).unwrap_or(u64::MAX),
        open_over_target,
        verified_over_target: within(span).filter(late).count(db).await?,
        own,
        notice: lags(store, span, Column::NoticeLagMicros).await?,
    })
}

async fn lags(store: &Store, span: Span, column: Column) -> Result<Lags, ReadFault> {
    let known = || within(span).filter(column.is_not_null());
    let count = known().count(store.reads()).await?;
    if count == 0 {
        return Ok(Lags::default());
    }
    let place = async |place: u64| -> Result<Option<TimeDelta>, ReadFault> {
        let micros: Option<i64> = known()
            .select_only()
            .column(column)
            .order_by_asc(column)
            .offset(place)
            .limit(1)
            .into_tuple()
            .one(store.reads())
            .await?;
        Ok(micros.map(TimeDelta::microseconds))
    };
    Ok(Lags {
        count,
        p50: place(rank(count, 50)).await?,
        p95: place(rank(count, 95)).await?,
        max: place(count - 1).await?,
    })
}

/// The place, counted from zero, of the smallest value that so many percent do not exceed.
fn rank(count: u64, percent: u64) -> u64 {
    count.saturating_mul(percent).div_ceil(100).saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::rank;

    #[test]
    fn the_place_of_a_part_is_the_nearest_rank() {
        let table =
            [(1, 50, 0), (2, 50, 0), (3, 50, 1), (4, 95, 3), (20, 95, 18), (100, 95, 94), (101, 95, 95)];
        for (count, percent, place) in table {
            assert_eq!(rank(count, percent), place, "{count} {percent}");
        }
    }
}
