//! The sealer: a worker that gives waiting events their place in the log, batch after batch.
//!
//! Must hold: it looks before it writes, since every commit rings the bell that wakes it.

use async_trait::async_trait;

use crate::kit::Kit;
use crate::store::seals::{self, SealBatch};
use crate::worker::{Did, TurnFailed, Worker};

/// So many events get their place in one transaction; larger batches would keep other writers waiting.
const BATCH: u64 = 500;

/// Gives waiting events their place.
pub struct Sealer {
    kit: Kit,
}

impl Sealer {
    /// A sealer over the kit's store, signing with the kit's keys.
    pub fn new(kit: Kit) -> Self {
        Self { kit }
    }
}

#[async_trait]
impl Worker for Sealer {
    fn name(&self) -> &'static str {
        "sealer"
    }

    async fn turn(&self) -> Result<Did, TurnFailed> {
        let looking = TurnFailed::doing("looking for events that wait for their place");
        let waiting = seals::waiting(&self.kit.store).await.map_err(|fault| looking(&fault))?;
        metrics::gauge!("countersign_unsealed_events")
            .set(f64::from(u32::try_from(waiting).unwrap_or(u32::MAX)));
        if waiting == 0 {
            return Ok(Did::Idle);
        }
        let batch = SealBatch { stamp: self.kit.world.stamp(), keys: self.kit.keys.clone(), most: BATCH };
        let sealing = TurnFailed::doing("sealing a batch of events");
        let sealed = self.kit.store.write(batch).await.map_err(|fault| sealing(&fault))?;
        Ok(if sealed == 0 { Did::Idle } else { Did::Work(sealed) })
    }
}
