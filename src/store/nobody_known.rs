//! Leavers that name nobody whom we know: no account is linked to the person, and the request names no user. A feed that
//! tells of everybody who leaves a company sends many of them. Leavers whose account cannot be seen are told of with
//! them: when our account has lost its sight, there are as many.
//!
//! Must hold: each rests and waits for an operator, and the operators hear of all of them in one mail an hour at most.

use chrono::TimeDelta;
use sea_orm::{ColumnTrait as _, Condition, EntityTrait as _, QueryFilter as _, QueryOrder as _};

use super::deed::{Fault, Tx};
use super::fault::ReadFault;
use super::rows::owed;
use super::rows::workflow::{Column, Entity};
use super::workflows::Workflow;
use super::{Store, outbox, slots};
use crate::domain::kind::Kind;
use crate::domain::removal::OUT_OF_SIGHT;
use crate::domain::time::Timestamp;

/// The word for the mail in the outbox.
pub const WORD: &str = "nobody_known";

/// So long others are waited for before the mail goes out.
const TOGETHER: TimeDelta = TimeDelta::hours(1);

/// Those that wait.
#[derive(Debug)]
pub struct Waiting {
    /// They name nobody whom we know.
    pub nobody: Vec<Workflow>,
    /// Their account is gone, or out of our sight.
    pub unseen: Vec<Workflow>,
}

/// Owes the operators a mail about this one and those that come in the same hour, unless it is owed already.
pub(super) async fn tell<No>(tx: &mut Tx) -> Result<(), Fault<No>> {
    slots::lock(tx, &["the mail about leavers whom nobody knows".to_owned()]).await?;
    let owed = owed::Entity::find()
        .filter(owed::Column::Kind.eq(WORD))
        .filter(owed::Column::State.eq("owed"))
        // One that is being sent may have been written already.
        .filter(owed::Column::DueAt.gt(tx.at.as_utc()))
        .filter(owed::Column::Tries.eq(0))
        .one(&tx.inner)
        .await?;
    match owed {
        Some(_) => Ok(()),
        None => outbox::owe_operators(tx, WORD, tx.at.plus(TOGETHER)).await,
    }
}

/// All that still wait and have come to wait since the hour before this mail was owed, the oldest first.
pub async fn waiting(store: &Store, owed_since: Timestamp) -> Result<Waiting, ReadFault> {
    let unseen = Column::Reason.starts_with(OUT_OF_SIGHT);
    let nobody = Condition::all()
        .add(Column::UserName.is_null())
        .add(Column::PlanNumber.eq(0))
        .add(Column::Reason.not_like(format!("{OUT_OF_SIGHT}%")));
    Ok(Waiting {
        nobody: stopped(store, owed_since, nobody).await?,
        unseen: stopped(store, owed_since, Condition::all().add(unseen)).await?,
    })
}

async fn stopped(store: &Store, owed_since: Timestamp, which: Condition) -> Result<Vec<Workflow>, ReadFault> {
    let waits = Condition::all()
        .add(Column::Kind.eq(Kind::Leaver.as_str()))
        .add(Column::State.eq("needs_attention"))
        .add(Column::Stalled.eq("planning"))
        .add(Column::UpdatedAt.gte(owed_since.as_utc()))
        .add(which);
    let rows = Entity::find().filter(waits).order_by_asc(Column::Id).all(store.reads()).await?;
    rows.into_iter().map(Workflow::from_row).collect()
}
