//! A step's record as the columns of its row.
//!
//! Must hold: every state has its columns, and no others. Deliberately absent: which step of which plan it is.

use sea_orm::Set;

use super::rows::step;
use crate::domain::step::{StepRecord, StepState};
use crate::domain::time::Timestamp;

/// The columns; what is not said here the caller adds, or it stays.
pub(super) fn columns(record: &StepRecord, now: Timestamp) -> step::ActiveModel {
    let (due, reason) = match &record.state {
        StepState::Waiting { due } | StepState::Unknown { due } => (*due, None),
        StepState::Failed { reason } => (now, Some(reason.clone())),
        StepState::Begun
        | StepState::Done
        | StepState::AlreadySo
        | StepState::Skipped
        | StepState::Manual => (now, None),
    };
    step::ActiveModel {
        state: Set(record.state.word().to_owned()),
        reason: Set(reason),
        due_at: Set(due.as_utc()),
        acts: Set(i64::from(record.acts)),
        looks: Set(i64::from(record.looks)),
        form: Set(record.form.map(|form| form.word().to_owned())),
        open_attempt: Set(record.open.map(|id| id.0)),
        tried_since: Set(record.since.map(Timestamp::as_utc)),
        ..Default::default()
    }
}
