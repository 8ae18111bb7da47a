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
const MARK_EVERY: Duration = Duration::from_mins(1);
/// A clock that takes longer to read says nothing exact.
const LONGEST_READING: Duration = Duration::from_secs(2);

/// What this process has told about its clock.
pub(super) struct Watch {
    replica: Uuid,
    read: Duration,
    marked: Option<Duration>,
    told: Option<ChainId>,
    others: Others,
    before: Before,
}

/// What becomes of the doubts of a process before this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    /// They have not been looked at.
    Unseen,
    /// They are ours, or have ended.
    Settled,
}

/// At a start, before anything is begun: what the database's clock says, and how far time had come.
pub async fn compare(store: &Store, guarded: &Guarded) -> Result<(), ReadFault> {
    // Nothing may begin by the machine's own time where there is a better one: a slow answer is asked for again, and in
    // the end it is better than none.
    for longest in [LONGEST_READING, LONGEST_READING, Duration::MAX] {
        if let Some(said) = clock_marks::database_clock(store, longest, || guarded.steady()).await? {
            guarded.database_says(said);
            break;
        }
    }
    if !clock_marks::has_clock(store) {
        // A start makes no wrong clock right.
        for kept in clock_doubts::open(store).await? {
            guarded.still_doubts(kept.doubt);
        }
    }
    if let Some(highest) = clock_marks::highest(store).await? {
        guarded.has_written(highest);
    }
    Ok(())
}

async fn read(kit: &Kit, guarded: &Guarded) -> Result<(), TurnFailed> {
    let said = clock_marks::database_clock(&kit.store, LONGEST_READING, || guarded.steady()).await;
    let said = said.map_err(|fault| TurnFailed::doing("reading the database's clock")(&fault))?;
    if let Some(said) = said {
        guarded.database_says(said);
    }
    Ok(())
}

async fn end(kit: &Kit, id: ChainId) -> Result<(), TurnFailed> {
    let end = EndDoubt { stamp: kit.world.stamp(), id };
    let ended = kit.store.write(end).await;
    ended.map_err(|fault| TurnFailed::doing("ending a doubt about the clock")(&fault))
}

impl Watch {
    pub(super) fn begin(kit: &Kit) -> Self {
        let replica = Uuid::from_bytes(kit.world.bytes());
        let read = kit.world.clock.guarded().map_or(Duration::ZERO, Guarded::steady);
        Self { replica, read, marked: None, told: None, others: Others::Stay, before: Before::Unseen }
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
        if self.before == Before::Unseen {
            self.inherit(kit, doubt).await?;
        }
        match (doubt, self.told) {
            (None, None) => self.mark(kit, steady).await,
            (Some(doubt), None) => self.tell(kit, doubt).await,
            (Some(_), Some(id)) => self.hear(kit, guarded, id).await,
            (None, Some(id)) => self.end(kit, id).await,
        }
    }

    /// Where one process alone uses the database, it goes on with the doubt of the one before it, or ends it.
    async fn inherit(&mut self, kit: &Kit, doubt: Option<Doubt>) -> Result<(), TurnFailed> {
        if !clock_marks::has_clock(&kit.store) {
            let open = clock_doubts::open(&kit.store).await;
            for kept in open.map_err(|fault| TurnFailed::doing("reading doubts about the clock")(&fault))? {
                match doubt {
                    Some(_) => self.told = self.told.or(Some(kept.id)),
                    None => end(kit, kept.id).await?,
                }
            }
        }
        self.before = Before::Settled;
        Ok(())
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
        end(kit, id).await?;
        self.believe();
        Ok(1)
    }

    /// From here on the time is believed again, and what was marked before may have been wrong.
    fn believe(&mut self) {
        tracing::info!("the time is believed again");
        (self.told, self.marked, self.others) = (None, None, Others::Go);
    }
}
