//! Leavers' clocks as rows: begun when a leaver comes in, stopped when it comes to rest, in the same transaction.
//!
//! Must hold: every leaver has one; only a read that showed the end of access gives an own lag. What is told of a clock
//! stands in `leaver_alarms`, what is reported in `leaver_report`.

use chrono::TimeDelta;
use sea_orm::{ActiveModelTrait as _, EntityTrait as _, Set};

use super::Store;
use super::deed::{Fault, Tx};
use super::fault::ReadFault;
use super::rows::leaver_clock::{ActiveModel, Entity, Model};
use crate::domain::effective::Effective;
use crate::domain::ids::WorkflowId;
use crate::domain::leaver_clock::{self, ClockEnd, LeaverClock};
use crate::domain::time::Timestamp;

/// The clock of this leaver.
pub async fn of(store: &Store, workflow: WorkflowId) -> Result<Option<LeaverClock>, ReadFault> {
    Entity::find_by_id(workflow.0).one(store.reads()).await?.map(|row| clock(&row)).transpose()
}

/// A leaver has come in.
pub(super) async fn begin<No>(
    tx: &Tx,
    workflow: WorkflowId,
    effective: Effective,
    received: Timestamp,
) -> Result<(), Fault<No>> {
    let clock = LeaverClock {
        effective: effective.instant(),
        received,
        starts: leaver_clock::starts(&effective, received),
        within: leaver_clock::WITHIN,
        told: 0,
        end: ClockEnd::Open,
    };
    let row = ActiveModel { workflow_id: Set(workflow.0), ..columns(&clock) };
    Entity::insert(row).exec_without_returning(&tx.inner).await?;
    Ok(())
}

/// Access is to be gone within this time. Nothing where the clock has stopped.
pub(super) async fn within<No>(tx: &Tx, workflow: WorkflowId, within: TimeDelta) -> Result<(), Fault<No>> {
    change(tx, workflow, |clock| clock.within = within).await
}

/// A part of a request has the clock of the request, from its beginning: it waits for the same moment, came in with it,
/// and access is to be gone within the same time.
pub(super) async fn as_of_whole<No>(tx: &Tx, whole: WorkflowId, part: WorkflowId) -> Result<(), Fault<No>> {
    let Some(of) = standing(tx, whole).await? else { return Ok(()) };
    change(tx, part, |clock| {
        (clock.effective, clock.received) = (of.effective, of.received);
        (clock.starts, clock.within) = (of.starts, of.within);
    })
    .await
}

/// A leaver with its own wanted end takes the place of an earlier one for the same person.
pub(super) async fn in_place_of<No>(
    tx: &Tx,
    (new, effective): (WorkflowId, &Effective),
    earlier: WorkflowId,
) -> Result<(), Fault<No>> {
    let Some(of) = standing(tx, earlier).await? else { return Ok(()) };
    change(tx, new, |clock| {
        clock.received = leaver_clock::known_since(&of, effective, clock.received);
        clock.starts = leaver_clock::starts(effective, clock.received);
    })
    .await
}

/// The request takes effect at another moment than was known.
pub(super) async fn moved<No>(tx: &Tx, workflow: WorkflowId, effective: &Effective) -> Result<(), Fault<No>> {
    change(tx, workflow, |clock| {
        clock.effective = effective.instant();
        clock.starts = leaver_clock::starts(effective, clock.received);
    })
    .await
}

/// The operators were told of this part of the target time.
pub(super) async fn told<No>(tx: &Tx, workflow: WorkflowId, percent: u32) -> Result<(), Fault<No>> {
    change(tx, workflow, |clock| clock.told = percent).await
}

/// The leaver has come to rest.
pub(super) async fn stop<No>(tx: &Tx, workflow: WorkflowId, end: ClockEnd) -> Result<(), Fault<No>> {
    change(tx, workflow, |clock| clock.end = end).await
}

async fn change<No>(
    tx: &Tx,
    workflow: WorkflowId,
    by: impl FnOnce(&mut LeaverClock),
) -> Result<(), Fault<No>> {
    let Some(row) = Entity::find_by_id(workflow.0).one(&tx.inner).await? else { return Ok(()) };
    let mut changed = clock(&row)?;
    if changed.end == ClockEnd::Open {
        by(&mut changed);
        ActiveModel { workflow_id: Set(workflow.0), ..columns(&changed) }.update(&tx.inner).await?;
    }
    Ok(())
}

/// The clock in this transaction.
pub(super) async fn standing<No>(tx: &Tx, workflow: WorkflowId) -> Result<Option<LeaverClock>, Fault<No>> {
    let row = Entity::find_by_id(workflow.0).one(&tx.inner).await?;
    Ok(row.map(|row| clock(&row)).transpose()?)
}

fn columns(clock: &LeaverClock) -> ActiveModel {
    let (verified, ended) = match clock.end {
        ClockEnd::Open => (None, None),
        ClockEnd::Verified(read) => (Some(read), Some(read)),
        ClockEnd::Unverified(rested) => (None, Some(rested)),
    };
    let micros = |lag: TimeDelta| lag.num_microseconds().unwrap_or(i64::MAX);
    ActiveModel {
        effective_at: Set(clock.effective.as_utc()),
        received_at: Set(clock.received.as_utc()),
        starts_at: Set(clock.starts.as_utc()),
        within_seconds: Set(clock.within.num_seconds()),
        told_percent: Set(i64::from(clock.told)),
        alarm_at: Set(clock.next_alarm().map(Timestamp::as_utc)),
        verified_at: Set(verified.map(Timestamp::as_utc)),
        ended_at: Set(ended.map(Timestamp::as_utc)),
        notice_lag_micros: Set(clock.notice_lag().map(micros)),
        own_lag_micros: Set(clock.own_lag().map(micros)),
        ..Default::default()
    }
}

/// The clock of a row.
pub(super) fn clock(row: &Model) -> Result<LeaverClock, ReadFault> {
    let wrong =
        |wrong| ReadFault::Inconsistent { table: "leaver_clocks", row: row.workflow_id.to_string(), wrong };
    let at = Timestamp::from_utc;
    Ok(LeaverClock {
        effective: at(row.effective_at),
        received: at(row.received_at),
        starts: at(row.starts_at),
        within: TimeDelta::try_seconds(row.within_seconds)
            .ok_or_else(|| wrong("a time beyond all bounds"))?,
        told: u32::try_from(row.told_percent).map_err(|_| wrong("a part is negative"))?,
        end: match (row.verified_at, row.ended_at) {
            (Some(read), _) => ClockEnd::Verified(at(read)),
            (None, Some(rested)) => ClockEnd::Unverified(at(rested)),
            (None, None) => ClockEnd::Open,
        },
    })
}
