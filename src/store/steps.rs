//! The step ledger as rows: laid out with a plan, read back, and sent on where it has stopped.
//!
//! Must hold: a row whose columns make up no state is told as broken, never read as another one; what may have had an
//! effect is looked at before it is done again. Deliberately absent: recording attempts (`recording.rs`).

use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, Set};

use super::Store;
use super::deed::{Fault, Tx};
use super::fault::ReadFault;
use super::rows::{attempt, step};
use super::workflows::Workflow;
use crate::domain::canon::{CanonicalBytes, Tag};
use crate::domain::ids::{AttemptId, VaultUserId, WorkflowId};
use crate::domain::plan::Plan;
use crate::domain::step::{Form, Ledger, Report, StepRecord, StepState};
use crate::domain::time::Timestamp;

/// The untouched steps of a new plan.
pub(super) async fn insert<No>(tx: &Tx, plan: &Plan) -> Result<(), Fault<No>> {
    for (place, planned) in plan.steps.iter().enumerate() {
        let mut row = columns(&StepRecord::untouched(planned, tx.at), tx.at);
        row.workflow_id = Set(plan.workflow.0);
        row.plan_number = Set(i64::from(plan.number));
        row.number = Set(number(place));
        row.kind = Set(planned.kind().to_owned());
        row.user_id = Set(None);
        step::Entity::insert(row).exec_without_returning(&tx.inner).await?;
    }
    Ok(())
}

/// The steps that write a whole record.
const WRITE_RECORDS: [&str; 4] = ["update_user", "require_password_change", "disable_user", "enable_user"];

/// Sends the steps of the current plan on that have failed or whose attempts never ended: to another act, or to a look
/// where an earlier act may have had an effect.
pub(super) async fn reopen<No>(tx: &Tx, workflow: &Workflow) -> Result<(), Fault<No>> {
    let stopped = step::Entity::find()
        .filter(step::Column::WorkflowId.eq(workflow.id.0))
        .filter(step::Column::PlanNumber.eq(i64::from(workflow.plan_number)))
        .filter(step::Column::State.is_in(["failed", "begun"]))
        .all(&tx.inner)
        .await?;
    for row in stopped {
        let last = attempt::Entity::find()
            .filter(attempt::Column::WorkflowId.eq(row.workflow_id))
            .filter(attempt::Column::PlanNumber.eq(row.plan_number))
            .filter(attempt::Column::StepNumber.eq(row.number))
            .order_by_desc(attempt::Column::Number)
            .one(&tx.inner)
            .await?;
        // A record is always read before it is written, so that a person who has judged what a look has found is not
        // asked the same once more.
        let judged = WRITE_RECORDS.contains(&row.kind.as_str());
        let unclear = last.is_some_and(|last| match (last.purpose.as_str(), last.outcome.as_deref()) {
            (_, None | Some("unknown")) => true,
            ("look", Some("needs_person")) => !judged,
            // A vault may have made an account although it said no.
            ("act", Some("refused")) => row.kind == "create_user",
            (purpose, Some(_)) => purpose == "look",
        });
        let state =
            if unclear { StepState::Unknown { due: tx.at } } else { StepState::Waiting { due: tx.at } };
        let mut fresh = columns(&StepRecord { state, ..StepRecord::fresh(tx.at) }, tx.at);
        fresh.form = Set(row.form);
        (fresh.workflow_id, fresh.plan_number, fresh.number) =
            (Set(row.workflow_id), Set(row.plan_number), Set(row.number));
        step::Entity::update(fresh).exec(&tx.inner).await?;
    }
    Ok(())
}

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

/// A step's place in its plan, as it is kept.
pub(super) fn number(place: usize) -> i64 {
    i64::try_from(place).unwrap_or(i64::MAX)
}

/// The ledger of one plan.
pub async fn ledger(store: &Store, workflow: WorkflowId, plan_number: u32) -> Result<Ledger, ReadFault> {
    let rows = step::Entity::find()
        .filter(step::Column::WorkflowId.eq(workflow.0))
        .filter(step::Column::PlanNumber.eq(i64::from(plan_number)))
        .order_by_asc(step::Column::Number)
        .all(store.reads())
        .await?;
    let user_id = rows.iter().rev().find_map(|row| row.user_id).map(VaultUserId);
    let steps: Result<Vec<_>, _> = rows.into_iter().map(record_of).collect();
    Ok(Ledger { steps: steps?, user_id })
}

fn record_of(row: step::Model) -> Result<StepRecord, ReadFault> {
    let due = Timestamp::from_utc(row.due_at);
    let place = format!("{}/{}/{}", row.workflow_id, row.plan_number, row.number);
    let inconsistent = |wrong| ReadFault::Inconsistent { table: "steps", row: place.clone(), wrong };
    let state = match (row.state.as_str(), row.reason) {
        ("waiting", _) => StepState::Waiting { due },
        ("begun", _) => StepState::Begun,
        ("done", _) => StepState::Done,
        ("already_so", _) => StepState::AlreadySo,
        ("unknown", _) => StepState::Unknown { due },
        ("failed", Some(reason)) => StepState::Failed { reason },
        ("skipped", _) => StepState::Skipped,
        ("manual", _) => StepState::Manual,
        _ => return Err(inconsistent("its columns make up no state")),
    };
    // A newer release may know more forms; taking its word for none would try the step in a way that it had left.
    let form = row
        .form
        .as_deref()
        .map(|word| Form::parse(word).ok_or_else(|| inconsistent("its form is not known")));
    Ok(StepRecord {
        state,
        acts: u32::try_from(row.acts).unwrap_or(u32::MAX),
        looks: u32::try_from(row.looks).unwrap_or(u32::MAX),
        since: row.tried_since.map(Timestamp::from_utc),
        open: row.open_attempt.map(AttemptId),
        form: form.transpose()?,
    })
}

/// One attempt as it was recorded.
#[derive(Debug, Clone)]
pub struct AttemptTold {
    /// Its id.
    pub id: AttemptId,
    /// Of which step.
    pub step: usize,
    /// Why it was made.
    pub purpose: String,
    /// When it was begun.
    pub begun_at: Timestamp,
    /// What it brought, once known.
    pub report: Option<Report>,
    /// When that was known.
    pub ended_at: Option<Timestamp>,
}

/// All attempts at the steps of a plan, oldest first.
pub async fn attempts(
    store: &Store,
    workflow: WorkflowId,
    plan_number: u32,
) -> Result<Vec<AttemptTold>, ReadFault> {
    let rows = attempt::Entity::find()
        .filter(attempt::Column::WorkflowId.eq(workflow.0))
        .filter(attempt::Column::PlanNumber.eq(i64::from(plan_number)))
        .order_by_asc(attempt::Column::StepNumber)
        .order_by_asc(attempt::Column::Number)
        .all(store.reads())
        .await?;
    rows.into_iter()
        .map(|row| {
            let report =
                row.report.map(|bytes| CanonicalBytes::stored(bytes).open(Tag::Report)).transpose()?;
            Ok(AttemptTold {
                id: AttemptId(row.id),
                step: usize::try_from(row.step_number).unwrap_or(usize::MAX),
                purpose: row.purpose,
                begun_at: Timestamp::from_utc(row.begun_at),
                report,
                ended_at: row.ended_at.map(Timestamp::from_utc),
            })
        })
        .collect()
}

/// The acts ever begun at one kind of step, over all plans of a workflow: each left its mark.
pub async fn acts_of_kind(
    store: &Store,
    workflow: WorkflowId,
    kind: &str,
) -> Result<Vec<AttemptId>, ReadFault> {
    let steps = step::Entity::find()
        .filter(step::Column::WorkflowId.eq(workflow.0))
        .filter(step::Column::Kind.eq(kind))
        .all(store.reads())
        .await?;
    let rows = attempt::Entity::find()
        .filter(attempt::Column::WorkflowId.eq(workflow.0))
        .filter(attempt::Column::Purpose.eq("act"))
        .order_by_asc(attempt::Column::Id)
        .all(store.reads())
        .await?;
    let of_kind = |row: &attempt::Model| {
        steps.iter().any(|step| step.plan_number == row.plan_number && step.number == row.step_number)
    };
    Ok(rows.into_iter().filter(of_kind).map(|row| AttemptId(row.id)).collect())
}
