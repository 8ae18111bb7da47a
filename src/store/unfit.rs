//! Workflow rows that make no sense: damage, or a hand that bypassed the service.
//!
//! Must hold: such a row stops nobody else. It is set aside and looked at again in a while, so that one that was mended
//! goes on by itself; the operators are alarmed about it once. How a list tells of it: `listed`.

use async_trait::async_trait;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, Set};

use super::deed::{Deed, Fault, Tx};
use super::fault::ReadFault;
use super::outbox;
use super::rows::{event, personal, workflow};
use crate::clock::Stamp;
use crate::domain::audit::EventKind;
use crate::domain::ids::WorkflowId;

/// So long it is left alone before it is looked at again.
const LEFT_ALONE_SECONDS: i64 = 3_600;

/// A row that makes no workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// Which one.
    pub id: WorkflowId,
    words: String,
}

impl Unfit {
    pub(super) fn new(id: WorkflowId, fault: &ReadFault) -> Self {
        let words = format!(
            "{fault}; this workflow is left alone until its row is mended in the database, and all others go on"
        );
        Self { id, words }
    }
}

/// Sets a row aside.
pub struct SetAside {
    /// Time and ids.
    pub stamp: Stamp,
    /// Which one, and what is wrong with it.
    pub unfit: Unfit,
}

#[async_trait]
impl Deed for SetAside {
    type Done = ();
    type No = std::convert::Infallible;

    fn name(&self) -> &'static str {
        "set_aside"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    fn concerns_others(&self) -> bool {
        false
    }

    async fn perform(&self, tx: &mut Tx) -> Result<(), Fault<Self::No>> {
        set_aside(tx, &self.unfit).await
    }
}

/// The same, as a part of another deed. To be looked at later is no change of the workflow: no event but the alarm.
pub(super) async fn set_aside<No>(tx: &mut Tx, unfit: &Unfit) -> Result<(), Fault<No>> {
    let due_at = Set(tx.at.plus_seconds(LEFT_ALONE_SECONDS).as_utc());
    let later = workflow::ActiveModel { id: Set(unfit.id.0), due_at, ..Default::default() };
    workflow::Entity::update(later).exec(&tx.inner).await?;
    if is_told(tx, unfit).await? {
        return Ok(());
    }
    tracing::error!(workflow.id = %unfit.id, fault = %unfit.words, "a row of ours makes no sense");
    // The mail is about no workflow, because whoever writes it could not read this one.
    outbox::raise_alarm(tx, unfit.id.into(), None, &unfit.words).await
}

async fn is_told<No>(tx: &Tx, unfit: &Unfit) -> Result<bool, Fault<No>> {
    let alarms = event::Entity::find()
        .filter(event::Column::Chain.eq(unfit.id.0))
        .filter(event::Column::Kind.eq(EventKind::AlarmRaised.as_str()))
        .all(&tx.inner)
        .await?;
    let same = personal::Entity::find()
        .filter(personal::Column::EventId.is_in(alarms.iter().map(|alarm| alarm.id)))
        .filter(personal::Column::ClearText.eq(unfit.words.as_str()))
        .one(&tx.inner)
        .await?;
    Ok(same.is_some())
}
