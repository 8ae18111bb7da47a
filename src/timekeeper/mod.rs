//! The timekeeper: holds the service's clock against the database's, and instants against the zone data.
//!
//! Must hold: it corrects what is believed about the time and begins nothing itself; a doubt is told once; what it writes
//! without being asked is a mark a minute. Deliberately absent: deciding what is believed (see `clock::belief`).

mod watch;
mod zones;

use async_trait::async_trait;
use tokio::sync::Mutex;

use self::watch::Watch;
use self::zones::Zones;
use crate::kit::Kit;
use crate::worker::{Did, TurnFailed, Worker};

pub use self::watch::compare;

/// Keeps the time.
pub struct Timekeeper {
    kit: Kit,
    watch: Mutex<Watch>,
    zones: Mutex<Zones>,
}

impl Timekeeper {
    /// A timekeeper over the given kit.
    pub fn new(kit: Kit) -> Self {
        let watch = Mutex::new(Watch::begin(&kit));
        Self { kit, watch, zones: Mutex::new(Zones::Unseen) }
    }
}

#[async_trait]
impl Worker for Timekeeper {
    fn name(&self) -> &'static str {
        "timekeeper"
    }

    async fn turn(&self) -> Result<Did, TurnFailed> {
        let zones = self.zones.lock().await.look(&self.kit).await?;
        let watched = self.watch.lock().await.look(&self.kit).await?;
        Ok(match (zones, watched) {
            (0, 0) => Did::Idle,
            (moved, noted) => Did::Work(moved + noted),
        })
    }
}
