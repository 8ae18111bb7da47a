//! The watch over this process's clock.
//!
//! Must hold: the database's clock is read at most every ten seconds, and a mark is written at most every minute,
//! however often there is news; nothing is marked while the time is in doubt.

use std::time::Duration;

use uuid::Uuid;

use crate::clock::belief::Doubt;
use crate::clock::guarded::Guarded;
use crate::domain::ids::ChainId;
use crate::kit::Kit;
use crate::store::clock_doubts::{self, EndDoubt, Ended, NoteDoubt};
use crate::store::clock_marks::{self, MarkTime, Others};
use crate::store::{ReadFault, Store};
use crate::worker::TurnFailed;

const READ_EVERY: Duration = Duration::from_secs(10);
const MARK_EVERY: Duration = Duration::from_secs(60);

/// What this process has told about its clock.
pub(super) struct Watch {
    replica: Uuid,
    read: Duration,
    marked: Option<Duration>,
    told: Option<ChainId>,
    others: Others,
}

/// At a start, before anything is begun: what the database's clock says, and how far time had come.
pub async fn compare(store: &Store, guarded: &Guarded) -> Result<(), ReadFault> {
    if let Some(said) = clock_marks::database_clock(store, || guarded.steady()).await? {
        guarded.database_says(said);
    }
    if let Some(highest) = clock_marks::highest(store).await? {
        guarded.has_written(highest);
    }
    Ok(())
}

async fn read(kit: &Kit, guarded: &Guarded) -> Result<(), TurnFailed> {
    let said = clock_marks::database_clock(&kit.store, || guarded.steady()).await;
    let said = said.map_err(|fault| TurnFailed::doing("reading the database's clock")(&fault))?;
    if let Some(said) = said {
        guarded.database_says(said);
    }
    Ok(())
}

impl Watch {
    pub(super) fn begin(kit: &Kit) -> Self {
        let replica = Uuid::from_bytes(kit.world.bytes());
        let read = kit.world.clock.guarded().map_or(Duration::ZERO, Guarded::steady);
        Self { replica, read, marked: None, told: None, others: Others::Stay }
    }

    /// One look; answers how much there was to be noted.
    pub(super) async fn look(&mut self, kit: &Kit) -> Result<u64, TurnFailed> {
        let Some(guarded) = kit.world.clock.guarded() else { return Ok(0) };
        let steady = guarded.steady();
        if steady.saturating_sub(self.read) >= READ_EVERY {
            self.read = steady;
            read(kit, guarded).await?;
        }
        let doubt = guarded.doubt();
        metrics::gauge!("countersign_clock_in_doubt").set(if doubt.is_some() { 1.0 } else { 0.0 });
        match (doubt, self.told) {
            (None, None) => self.mark(kit, steady).await,
            (Some(doubt), None) => self.tell(kit, doubt).await,
            (Some(_), Some(id)) => self.hear(kit, guarded, id).await,
            (None, Some(id)) => self.end(kit, id).await,
        }
    }

    async fn mark(&mut self, kit: &Kit, steady: Duration) -> Result<u64, TurnFailed> {
        if self.marked.is_some_and(|marked| steady.saturating_sub(marked) < MARK_EVERY) {
            return Ok(0);
        }
        let mark = MarkTime { stamp: kit.world.stamp(), replica: self.replica, others: self.others };
        let marked = kit.store.write(mark).await;
        marked.map_err(|fault| TurnFailed::doing("noting how far time has come")(&fault))?;
        (self.marked, self.others) = (Some(steady), Others::Stay);
        Ok(0)
    }

    async fn tell(&mut self, kit: &Kit, doubt: Doubt) -> Result<u64, TurnFailed> {
        tracing::error!(found = %clock_doubts::in_words(&doubt), "the time is in doubt; nothing that waits for it begins");
        let note = NoteDoubt { stamp: kit.world.stamp(), replica: self.replica, doubt };
        let id = kit.store.write(note).await;
        let id = id.map_err(|fault| TurnFailed::doing("noting a doubt about the clock")(&fault))?;
        self.told = Some(id);
        Ok(1)
    }

    /// Has an operator said that the clock is right?
    async fn hear(&mut self, kit: &Kit, guarded: &Guarded, id: ChainId) -> Result<u64, TurnFailed> {
        let ended = clock_doubts::is_ended(&kit.store, id).await;
        match ended.map_err(|fault| TurnFailed::doing("reading a doubt about the clock")(&fault))? {
            Ended::No => Ok(0),
            Ended::Yes => {
                // Where the database has a clock, it is the one that is meant, as it is now.
                read(kit, guarded).await?;
                guarded.confirm();
                self.believe();
                Ok(1)
            }
        }
    }

    async fn end(&mut self, kit: &Kit, id: ChainId) -> Result<u64, TurnFailed> {
        let end = EndDoubt { stamp: kit.world.stamp(), id };
        let ended = kit.store.write(end).await;
        ended.map_err(|fault| TurnFailed::doing("ending a doubt about the clock")(&fault))?;
        self.believe();
        Ok(1)
    }

    /// From here on the time is believed again, and what was marked before may have been wrong.
    fn believe(&mut self) {
        tracing::info!("the time is believed again");
        (self.told, self.marked, self.others) = (None, None, Others::Go);
    }
}
