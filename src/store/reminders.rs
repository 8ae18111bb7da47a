//! Reminders: who was asked and has not answered is asked once more, a bounded number of times.
//!
//! Must hold: one row for the open stage of a workflow; a reminder is owed only while that stage is open, and to
//! nobody who has answered.

use async_trait::async_trait;
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, Set,
};

use super::deed::{Deed, Fault, Tx};
use super::fault::ReadFault;
use super::rows::reminder::{ActiveModel, Column, Entity, Model};
use super::workflows::{self, Workflow};
use super::{Store, audit, outbox};
use crate::clock::Stamp;
use crate::domain::audit::{Actor, EventKind, NewEvent};
use crate::domain::ids::WorkflowId;
use crate::domain::routing::Timing;
use crate::domain::time::Timestamp;
use crate::domain::workflow::Owed;

/// Notes that a stage was opened now. Whatever was to be said about an earlier one is not said any more.
pub(super) async fn begin<No>(
    tx: &Tx,
    workflow: WorkflowId,
    (plan_number, stage): (u32, u32),
    timing: Timing,
) -> Result<(), Fault<No>> {
    let Some(every) = timing.remind_after_seconds.filter(|_| timing.reminders > 0) else {
        Entity::delete_by_id(workflow.0).exec(&tx.inner).await?;
        return Ok(());
    };
    let row = ActiveModel {
        workflow_id: Set(workflow.0),
        plan_number: Set(i64::from(plan_number)),
        stage: Set(i64::from(stage)),
        sent: Set(0),
        most: Set(i64::from(timing.reminders)),
        every_seconds: Set(every),
        due_at: Set(tx.at.plus_seconds(every).as_utc()),
    };
    let anew =
        [Column::PlanNumber, Column::Stage, Column::Sent, Column::Most, Column::EverySeconds, Column::DueAt];
    let replacing = OnConflict::column(Column::WorkflowId).update_columns(anew).to_owned();
    Entity::insert(row).on_conflict(replacing).exec_without_returning(&tx.inner).await?;
    Ok(())
}

/// Reminds who has not answered, if the stage is still open.
pub struct Remind {
    /// Time and ids.
    pub stamp: Stamp,
    /// About which workflow.
    pub workflow: WorkflowId,
}

/// Was anybody reminded?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reminded {
    /// Yes.
    Yes,
    /// Nothing is wanted of anybody now.
    NotNow,
}

#[async_trait]
impl Deed for Remind {
    type Done = Reminded;
    type No = std::convert::Infallible;

    fn name(&self) -> &'static str {
        "remind"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    async fn perform(&self, tx: &mut Tx) -> Result<Reminded, Fault<Self::No>> {
        // The workflow first, as in every deed, so that no two of them wait for one another.
        let workflow = workflows::locked_if_fit(tx, self.workflow).await?;
        let row = Entity::find_by_id(self.workflow.0).one(&tx.inner).await?;
        let Some(row) = row.filter(|row| row.due_at <= tx.at.as_utc()) else { return Ok(Reminded::NotNow) };
        let Ok(workflow) = workflow else {
            // The operators hear of a row that makes no sense elsewhere; here it only must not keep the others waiting.
            postpone(tx, &row, row.sent).await?;
            return Ok(Reminded::NotNow);
        };
        let Some(stage) = open_stage(&workflow, &row, tx.at) else {
            Entity::delete_by_id(self.workflow.0).exec(&tx.inner).await?;
            return Ok(Reminded::NotNow);
        };
        let sent = row.sent + 1;
        outbox::owe(tx, workflow.id, workflow.plan_number, Owed::Reminder { stage }, None).await?;
        let event = NewEvent::new(EventKind::StageReminded, Actor::Countersign)
            .number("stage", i64::from(stage))
            .number("reminder", sent);
        audit::append(tx, workflow.id.into(), event).await?;
        if sent >= row.most {
            Entity::delete_by_id(self.workflow.0).exec(&tx.inner).await?;
        } else {
            postpone(tx, &row, sent).await?;
        }
        Ok(Reminded::Yes)
    }
}

/// The next reminder is due after the same time again.
async fn postpone<No>(tx: &Tx, row: &Model, sent: i64) -> Result<(), Fault<No>> {
    let due_at = tx.at.plus_seconds(row.every_seconds).as_utc();
    let next = ActiveModel {
        workflow_id: Set(row.workflow_id),
        sent: Set(sent),
        due_at: Set(due_at),
        ..Default::default()
    };
    next.update(&tx.inner).await?;
    Ok(())
}

/// The stage of this reminder, while answers of it are wanted.
fn open_stage(workflow: &Workflow, row: &Model, now: Timestamp) -> Option<u32> {
    let open = workflow.state.open_stage()?;
    let same = i64::from(open.number) == row.stage && i64::from(workflow.plan_number) == row.plan_number;
    let in_time = open.expires_at.is_none_or(|end| end > now);
    (same && in_time).then_some(open.number)
}

/// Whose reminders are due, the longest due first.
pub async fn due(store: &Store, now: Timestamp, most: u64) -> Result<Vec<WorkflowId>, ReadFault> {
    let rows = Entity::find()
        .filter(Column::DueAt.lte(now.as_utc()))
        .order_by_asc(Column::DueAt)
        .limit(most)
        .all(store.reads())
        .await?;
    Ok(rows.into_iter().map(|row| WorkflowId(row.workflow_id)).collect())
}

/// When the next reminder falls due.
pub async fn next_due(store: &Store) -> Result<Option<Timestamp>, ReadFault> {
    let row = Entity::find().order_by_asc(Column::DueAt).one(store.reads()).await?;
    Ok(row.map(|row| Timestamp::from_utc(row.due_at)))
}
