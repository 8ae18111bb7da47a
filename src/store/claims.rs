//! Taking work up: whose turn it is, which targets are passed over, and what was taken up again and again in vain.
//!
//! Must hold: a workflow that is taken up is nobody else's until the time that was said; one of which nothing could be
//! recorded so often in a row goes to a person, so that it costs the others no more time.

use async_trait::async_trait;
use sea_orm::sea_query::{Expr, LockBehavior, LockType};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QuerySelect as _, Set};

use super::deed::{Deed, Fault, Tx};
use super::due::{self, Claimable};
use super::rows::workflow::{ActiveModel, Column, Entity, Model};
use super::unfit::{self, Unfit};
use super::workflows::{self, Also, Workflow};
use crate::clock::Stamp;
use crate::domain::ids::WorkflowId;
use crate::domain::time::Timestamp;
use crate::domain::workflow::WrongMove;

/// So often a workflow is taken up in vain.
pub const MOST_FRUITLESS: u32 = 5;

/// A workflow that may be taken up.
pub(super) struct Due {
    pub(super) workflow: Workflow,
    /// How often it was taken up in vain.
    pub(super) fruitless: u32,
}

impl Due {
    pub(super) fn of(row: Model) -> Result<Self, Unfit> {
        let fruitless = u32::try_from(row.fruitless).unwrap_or(u32::MAX);
        Ok(Self { workflow: Workflow::fit(row)?, fruitless })
    }

    /// Takes it up until that moment. False where that was in vain too often: then it waits for a person.
    pub(super) async fn take_up<No: From<WrongMove>>(
        &self,
        tx: &mut Tx,
        until: Timestamp,
    ) -> Result<bool, Fault<No>> {
        if self.fruitless >= MOST_FRUITLESS {
            let reason = format!(
                "taken up {} times in a row, and each time it ended by a fault of our own before anything could be \
                 recorded; the log of the service names it. When that is mended, retry; or give it up",
                self.fruitless
            );
            tracing::error!(workflow.id = %self.workflow.id, reason = %reason, "a workflow is parked");
            let transition = self.workflow.state.needs_attention(reason)?;
            workflows::apply(tx, &self.workflow, transition, Also::default()).await?;
            workflows::wake(tx, self.workflow.id).await?;
            return Ok(false);
        }
        let row = ActiveModel {
            id: Set(self.workflow.id.0),
            due_at: Set(until.as_utc()),
            fruitless: Set(i64::from(self.fruitless) + 1),
            ..Default::default()
        };
        Entity::update(row).exec(&tx.inner).await?;
        Ok(true)
    }
}

/// Takes the next workflow up that is to be planned.
pub struct ClaimPlan {
    /// Time and ids.
    pub stamp: Stamp,
    /// Nobody else takes it up before that moment.
    pub until: Timestamp,
    /// What may be taken.
    pub claimable: Claimable,
}

#[async_trait]
impl Deed for ClaimPlan {
    type Done = Option<Workflow>;
    type No = WrongMove;

    fn name(&self) -> &'static str {
        "claim_plan"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    fn concerns_others(&self) -> bool {
        false
    }

    fn rings(&self, done: &Self::Done) -> bool {
        done.is_some()
    }

    async fn perform(&self, tx: &mut Tx) -> Result<Self::Done, Fault<WrongMove>> {
        let mut passed_over: Vec<WorkflowId> = Vec::new();
        while let Some(row) = self.next(tx, &passed_over).await? {
            let id = WorkflowId(row.id);
            match Due::of(row) {
                Err(unfit) => unfit::set_aside(tx, &unfit).await?,
                Ok(due) => {
                    if due.take_up(tx, self.until).await? {
                        return Ok(Some(due.workflow));
                    }
                }
            }
            passed_over.push(id);
        }
        Ok(None)
    }
}

/// Keeps what was taken up for planning, for longer.
pub struct KeepTakenUp {
    /// Time and ids.
    pub stamp: Stamp,
    /// Which one.
    pub workflow: WorkflowId,
    /// It was this planner's until then.
    pub from: Timestamp,
    /// It is from now on until then.
    pub until: Timestamp,
}

/// Somebody else has taken it up, or it is no longer to be planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is another planner's by now")]
pub struct TakenUpElsewhere;

#[async_trait]
impl Deed for KeepTakenUp {
    type Done = ();
    type No = TakenUpElsewhere;

    fn name(&self) -> &'static str {
        "keep_taken_up"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    fn concerns_others(&self) -> bool {
        false
    }

    async fn perform(&self, tx: &mut Tx) -> Result<(), Fault<TakenUpElsewhere>> {
        let kept = Entity::update_many()
            .col_expr(Column::DueAt, Expr::value(self.until.as_utc()))
            .filter(Column::Id.eq(self.workflow.0))
            .filter(Column::State.eq("planning"))
            .filter(Column::DueAt.eq(self.from.as_utc()))
            .exec(&tx.inner)
            .await?;
        if kept.rows_affected == 1 { Ok(()) } else { Err(Fault::Refused(TakenUpElsewhere)) }
    }
}

impl ClaimPlan {
    async fn next(&self, tx: &Tx, passed_over: &[WorkflowId]) -> Result<Option<Model>, Fault<WrongMove>> {
        for look in self.claimable.looks() {
            let row = due::to_plan(look, tx.at)
                .filter(Column::Id.is_not_in(passed_over.iter().map(|id| id.0)))
                .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
                .one(&tx.inner)
                .await?;
            if row.is_some() {
                return Ok(row);
            }
        }
        Ok(None)
    }
}
