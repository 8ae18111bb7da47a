//! The sealer: a worker that gives waiting events their place in the log, batch after batch.
//!
//! Must hold: it looks before it writes, since every commit rings the bell that wakes it. Each head of this log is kept
//! outside the database, and none of a log that lacks the one that was kept before.

use async_trait::async_trait;

use crate::kit::Kit;
use crate::store::restores::Standing;
use crate::store::seals::{self, Head, SealBatch};
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

    /// Another replica may have sealed what this one keeps. A folder that cannot be written holds nobody up; it is told
    /// by `/readyz`.
    async fn keep_head(&self, standing: Standing) -> Result<(), TurnFailed> {
        match standing {
            Standing::Contained | Standing::Accepted => {}
            Standing::Held | Standing::Missing => return Ok(()),
        }
        let reading = TurnFailed::doing("reading the head of the log");
        let head = seals::latest_head(&self.kit.store).await.map_err(|fault| reading(&fault))?;
        let Some(head) = head else { return Ok(()) };
        // The log was found to hold the kept head; if it ends before it now, it has been put back this very moment, and the
        // next comparison tells.
        let ends_before = |kept: Head| kept.number > head.number;
        if standing == Standing::Contained && self.kit.witness.kept().is_some_and(ends_before) {
            return Ok(());
        }
        if let Err(fault) = self.kit.witness.keep(head).await {
            tracing::error!(%fault, "the last head of the log cannot be kept outside the database (audit.head_file)");
            metrics::counter!("countersign_heads_not_kept_total").increment(1);
        }
        Ok(())
    }
}

#[async_trait]
impl Worker for Sealer {
    fn name(&self) -> &'static str {
        "sealer"
    }

    async fn turn(&self) -> Result<Did, TurnFailed> {
        let standing = self.kit.compare_log().await?;
        let looking = TurnFailed::doing("looking for events that wait for their place");
        let waiting = seals::waiting(&self.kit.store).await.map_err(|fault| looking(&fault))?;
        metrics::gauge!("countersign_unsealed_events")
            .set(f64::from(u32::try_from(waiting).unwrap_or(u32::MAX)));
        if waiting == 0 {
            self.keep_head(standing).await?;
            return Ok(Did::Idle);
        }
        let batch = SealBatch { stamp: self.kit.world.stamp(), keys: self.kit.keys.clone(), most: BATCH };
        let sealing = TurnFailed::doing("sealing a batch of events");
        let sealed = self.kit.store.write(batch).await.map_err(|fault| sealing(&fault))?;
        self.keep_head(standing).await?;
        Ok(if sealed == 0 { Did::Idle } else { Did::Work(sealed) })
    }
}
