//! Moments that have moved: a day begins or ends at another instant than was computed when it was planned, because the
//! zone data of this version say so.
//!
//! Must hold: the date, the zone and the boundary are what was approved, so the approval stands; the workflow waits for
//! the new instant, its trail says so, and a leaver's clock goes with it.

use async_trait::async_trait;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _, Set};

use super::Store;
use super::deed::{Deed, Fault, Tx};
use super::fault::ReadFault;
use super::leaver_clocks;
use super::rows::{installation, workflow};
use super::workflows::{self, Also, Workflow};
use crate::clock::Stamp;
use crate::domain::canon::Tag;
use crate::domain::ids::WorkflowId;
use crate::domain::kind::Kind;
use crate::domain::request::Request;
use crate::domain::time::Timestamp;
use crate::domain::workflow::WrongMove;

/// Under which the zone data that instants were computed with are kept.
const NAME: &str = "zone_data";
/// In these states something waits for an instant.
pub const WAITING: [&str; 3] = ["pending_approval", "approved", "needs_attention"];

/// The instant for which this workflow waits, as the zone data of this version say, where it is not the one that is kept.
pub fn moved(workflow: &Workflow) -> Result<Option<Timestamp>, ReadFault> {
    let Some(kept) = workflow.not_before else { return Ok(None) };
    let request: Request = workflow.request.open(Tag::Request)?;
    let wanted = request.effective().and_then(|effective| effective.waits_until());
    Ok(wanted.filter(|wanted| *wanted != kept))
}

/// Lets a workflow wait for the instant that is meant now.
pub struct Reschedule {
    /// Time and ids.
    pub stamp: Stamp,
    /// Which one.
    pub workflow: WorkflowId,
    /// The zone data that say so, by their version.
    pub zone_data: &'static str,
}

#[async_trait]
impl Deed for Reschedule {
    /// The new instant, if it is another one.
    type Done = Option<Timestamp>;
    type No = WrongMove;

    fn name(&self) -> &'static str {
        "reschedule"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    async fn perform(&self, tx: &mut Tx) -> Result<Self::Done, Fault<WrongMove>> {
        let workflow = workflows::locked(tx, self.workflow).await?;
        let (Some(from), Some(to)) = (workflow.not_before, moved(&workflow)?) else { return Ok(None) };
        let transition = workflow.state.rescheduled((from, to), self.zone_data)?;
        // An approval that counts from the instant counts from the new one; none is cut short by it.
        let later = to.since(from).max(chrono::TimeDelta::zero());
        let approval_ends = workflow.approval_ends.map(|end| end.plus(later));
        let also = Also { not_before: Some(to), approval_ends, ..Also::default() };
        workflows::apply(tx, &workflow, transition, also).await?;
        if workflow.kind == Kind::Leaver {
            let request: Request = workflow.request.open(Tag::Request)?;
            if let Some(effective) = request.effective() {
                leaver_clocks::moved(tx, workflow.id, effective).await?;
            }
        }
        Ok(Some(to))
    }
}

/// The version of the zone data with which all instants that are waited for were computed last, if it is known.
pub async fn known(store: &Store) -> Result<Option<String>, ReadFault> {
    let row = installation::Entity::find_by_id(NAME).one(store.reads()).await?;
    Ok(row.map(|row| row.value))
}

/// Those that wait in one state for an instant that is still to come, by id; a row that makes no sense is passed over,
/// for whoever would carry it out meets it.
pub async fn waiting(
    store: &Store,
    state: &str,
    (after, now): (Option<WorkflowId>, Timestamp),
    most: u64,
) -> Result<Vec<(WorkflowId, Option<Workflow>)>, ReadFault> {
    use workflow::{Column, Entity};
    let after = after.map_or(uuid::Uuid::nil(), |id| id.0);
    let rows = Entity::find()
        .filter(Column::State.eq(state))
        .filter(Column::Id.gt(after))
        .filter(Column::NotBefore.gt(now.as_utc()))
        .order_by_asc(Column::Id)
        .limit(most)
        .all(store.reads())
        .await?;
    Ok(rows.into_iter().map(|row| (WorkflowId(row.id), Workflow::fit(row).ok())).collect())
}

/// Notes that every instant was computed with these zone data.
pub struct KnowZoneData {
    /// Time and ids.
    pub stamp: Stamp,
    /// Their version.
    pub version: &'static str,
}

#[async_trait]
impl Deed for KnowZoneData {
    type Done = ();
    type No = std::convert::Infallible;

    fn name(&self) -> &'static str {
        "know_zone_data"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    fn concerns_others(&self) -> bool {
        false
    }

    async fn perform(&self, tx: &mut Tx) -> Result<(), Fault<Self::No>> {
        let row =
            installation::ActiveModel { name: Set(NAME.to_owned()), value: Set(self.version.to_owned()) };
        let again = sea_orm::sea_query::OnConflict::column(installation::Column::Name)
            .update_column(installation::Column::Value)
            .to_owned();
        installation::Entity::insert(row).on_conflict(again).exec_without_returning(&tx.inner).await?;
        Ok(())
    }
}
