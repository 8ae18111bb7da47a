//! Alarms about leavers that are open for long: at parts of the time within which their access is to be gone.
//!
//! Must hold: the operators hear of each part at most once; a leaver that has come to rest is not told of any more, and
//! one that is held in a batch is told of with the batch (`batch_alarms`). A leaver whose own row makes no sense is told of
//! all the same, since nobody takes its access meanwhile, and keeps no other from being told of.

use async_trait::async_trait;
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _, Select,
};

use super::deed::{Deed, Fault, Tx};
use super::fault::ReadFault;
use super::rows::leaver_clock::{Column, Entity};
use super::unfit::Unfit;
use super::workflows::{self, Workflow};
use super::{Store, leaver_clocks, outbox};
use crate::clock::Stamp;
use crate::domain::ids::WorkflowId;
use crate::domain::leaver_clock::LeaverClock;
use crate::domain::time::Timestamp;
use crate::domain::workflow::{Stalled, State};

/// Whose alarms are due, the longest due first.
pub async fn due(store: &Store, now: Timestamp, most: u64) -> Result<Vec<WorkflowId>, ReadFault> {
    let rows = due_query(now, most).all(store.reads()).await?;
    Ok(rows.into_iter().map(|row| WorkflowId(row.workflow_id)).collect())
}

pub(super) fn due_query(now: Timestamp, most: u64) -> Select<Entity> {
    waiting().filter(Column::AlarmAt.lte(now.as_utc())).limit(most)
}

/// When the next alarm falls due.
pub async fn next_due(store: &Store) -> Result<Option<Timestamp>, ReadFault> {
    let row = waiting().one(store.reads()).await?;
    Ok(row.and_then(|row| row.alarm_at).map(Timestamp::from_utc))
}

fn waiting() -> Select<Entity> {
    Entity::find().filter(Column::AlarmAt.is_not_null()).order_by_asc(Column::AlarmAt)
}

/// Alarms the operators about a leaver, if it is time.
pub struct TellLeaver {
    /// Time and ids.
    pub stamp: Stamp,
    /// Which one.
    pub workflow: WorkflowId,
}

/// What the operators were told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaverTold {
    /// So many percent of its time have passed.
    Percent(u32),
    /// It is not time, or it has come to rest.
    NotNow,
}

#[async_trait]
impl Deed for TellLeaver {
    type Done = LeaverTold;
    type No = std::convert::Infallible;

    fn name(&self) -> &'static str {
        "tell_leaver"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    async fn perform(&self, tx: &mut Tx) -> Result<LeaverTold, Fault<Self::No>> {
        // The workflow first, as in every deed, so that no two of them wait for one another.
        let workflow = workflows::locked_if_fit(tx, self.workflow).await?;
        let Some(clock) = leaver_clocks::standing(tx, self.workflow).await? else {
            return Ok(LeaverTold::NotNow);
        };
        let Some(percent) = clock.alarm_due(tx.at) else {
            // One that was begun by an earlier version does not know yet when it is to be told of.
            leaver_clocks::told(tx, self.workflow, clock.told).await?;
            return Ok(LeaverTold::NotNow);
        };
        leaver_clocks::told(tx, self.workflow, percent).await?;
        let (about, stands) = match &workflow {
            Ok(Workflow { state: State::NeedsAttention { stalled: Stalled::Held, .. }, .. }) => {
                // The operators hear of its batch, every day; a mail for each of hundreds would hide the others.
                return Ok(LeaverTold::NotNow);
            }
            Ok(workflow) => (Some(workflow.id), format!("the request is {}", workflow.state.in_words())),
            // The mail is about no workflow, because whoever writes it could not read this one.
            Err(Unfit { id, .. }) => {
                (None, format!("the record of workflow {id} must be mended in the database"))
            }
        };
        let words = in_words(&clock, percent, &stands);
        outbox::raise_alarm(tx, self.workflow.into(), about, &words).await?;
        Ok(LeaverTold::Percent(percent))
    }
}

fn in_words(clock: &LeaverClock, percent: u32, stands: &str) -> String {
    let passed = match percent {
        100 => "the time within which access is to be gone has passed".to_owned(),
        part => format!("{part} percent of the time within which access is to be gone have passed"),
    };
    format!(
        "a leaver is open: {passed}; it began at {}, access is to be gone by {}, and {stands}",
        clock.starts.in_words(),
        clock.reaches(100).in_words(),
    )
}
