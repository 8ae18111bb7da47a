//! Instants that are waited for, computed anew when the service has come up with other zone data than before.
//!
//! Must hold: done once at a start, page by page, before the version is noted; so a start that dies half-way does it
//! again. What is about to begin is looked at once more by whoever begins it.

use crate::domain::ids::WorkflowId;
use crate::kit::Kit;
use crate::store::WriteFault;
use crate::store::reschedule::{self, KnowZoneData, Reschedule};
use crate::worker::TurnFailed;

/// So many are read at once.
const PAGE: u64 = 200;

/// What this process knows of the zone data that instants were computed with.
pub(super) enum Zones {
    /// Nothing yet.
    Unseen,
    /// Every instant is as this version computes it.
    Settled,
}

impl Zones {
    /// Looks once; answers how many have moved.
    pub(super) async fn look(&mut self, kit: &Kit) -> Result<u64, TurnFailed> {
        if matches!(self, Self::Settled) {
            return Ok(0);
        }
        let version = chrono_tz::IANA_TZDB_VERSION;
        let read = TurnFailed::doing("reading what waits for an instant");
        let known = reschedule::known(&kit.store).await.map_err(|fault| read(&fault))?;
        let mut moved = 0;
        if known.as_deref() != Some(version) {
            for state in reschedule::WAITING {
                moved += compute_anew(kit, state, version).await?;
            }
            let known = KnowZoneData { stamp: kit.world.stamp(), version };
            let known = kit.store.write(known).await;
            known.map_err(|fault| TurnFailed::doing("noting the zone data")(&fault))?;
            tracing::info!(version, moved, "instants were computed with the zone data of this version");
        }
        *self = Self::Settled;
        Ok(moved)
    }
}

async fn compute_anew(kit: &Kit, state: &str, zone_data: &'static str) -> Result<u64, TurnFailed> {
    let read = TurnFailed::doing("reading what waits for an instant");
    let (mut after, mut moved): (Option<WorkflowId>, u64) = (None, 0);
    loop {
        let place = (after, kit.world.now());
        let page = reschedule::waiting(&kit.store, state, place, PAGE).await.map_err(|fault| read(&fault))?;
        let Some((last, _)) = page.last() else { return Ok(moved) };
        after = Some(*last);
        for workflow in page.into_iter().filter_map(|(_, workflow)| workflow) {
            // A request that cannot be read is told of by whoever would carry it out.
            if !matches!(reschedule::moved(&workflow), Ok(Some(_))) {
                continue;
            }
            let deed = Reschedule { stamp: kit.world.stamp(), workflow: workflow.id, zone_data };
            match kit.store.write(deed).await {
                Ok(to) => moved += u64::from(to.is_some()),
                // It has gone on meanwhile.
                Err(WriteFault::Refused(_)) => {}
                Err(fault) => return Err(TurnFailed::doing("moving an instant")(&fault)),
            }
        }
    }
}
