//! The store: the only room that knows the database.
//!
//! Must hold: every write is a deed in one transaction, together with its audit events and the messages it owes; no
//! transaction is open while somebody else is waited for; a caller that goes away does not take its deed along.
//! Rows never leave this room; readers get domain values, and a row that makes no sense is an error with its id.
//! Deliberately absent: deciding anything. A deed re-checks what the core decided, in the transaction.

pub mod accept;
pub mod audit;
pub mod backup;
pub mod batch_alarms;
pub mod batches;
pub mod board;
mod budget;
pub mod cancel;
pub mod clock_doubts;
pub mod clock_marks;
pub mod concerned;
pub mod claims;
mod corrections;
mod creates;
pub mod runs;
pub mod decisions;
mod deed;
pub mod due;
pub mod deliveries;
mod ends;
mod fault;
pub mod health;
pub mod held;
pub mod held_back;
pub mod inspect;
pub mod hand_overs;
pub mod foreign_attempts;
pub mod installation;
mod by_hand;
pub mod lease;
pub mod leaver_alarms;
pub mod leaver_clocks;
pub mod leaver_report;
pub mod listed;
pub mod leavers;
mod open;
pub mod operator;
pub mod asked_as_told;
pub mod asks;
pub mod codes;
pub mod nobody_known;
pub mod outbox;
pub mod parts;
pub mod people;
pub mod plans;
mod protected;
pub mod late;
mod reads;
pub mod reminders;
mod reopen;
pub mod reschedule;
pub mod restores;
pub mod retention;
mod rows;
pub mod resets;
pub mod reveals;
pub mod seals;
pub mod secrets;
pub mod sessions;
mod slots;
pub mod spread;
mod step_row;
pub mod state_counts;
pub mod steps;
pub mod recording;
pub mod trail;
pub mod unfit;
pub mod unfinished;
pub mod two_people;
pub mod watches;
pub mod unlinks;
pub mod workflows;
pub mod written;
mod wake;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sea_orm::{ConnectionTrait as _, DatabaseBackend};
use tokio::sync::{Mutex, watch};

pub use deed::{Deed, Fault, Tx};
pub use fault::{ReadFault, WriteFault};
pub use health::Ailment;
pub use open::{OpenFault, Place};

use health::Health;
use reads::Reads;
use wake::Wake;
use writer::Writer;

/// A handle on the database; cheap to clone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    reads: Reads,
    writer: Writer,
    health: Health,
    bell: watch::Sender<u64>,
    /// Changes after each commit that may concern other replicas.
    committed: watch::Sender<u64>,
    /// Absent where no other process can share the work, and once the store is closed.
    wake: Mutex<Option<Wake>>,
    ending: AtomicBool,
}

impl Store {
    /// Opens the database and brings its schema up to date, under a lock.
    pub async fn open(place: &Place) -> Result<Self, OpenFault> {
        let (pool, writer) = open::connect(place).await?;
        let (bell, committed) = (watch::Sender::new(0), watch::Sender::new(0));
        let wake = match pool.get_database_backend() {
            DatabaseBackend::Postgres => {
                let pool = pool.get_postgres_connection_pool().clone();
                Some(
                    Wake::begin(pool, committed.subscribe(), bell.clone())
                        .await
                        .map_err(OpenFault::Listen)?,
                )
            }
            _ => None,
        };
        let (wake, ending) = (Mutex::new(wake), AtomicBool::new(false));
        let (reads, health) = (Reads::over(pool), Health::default());
        Ok(Self { inner: Arc::new(Inner { reads, writer, health, bell, committed, wake, ending }) })
    }

    /// Writes one deed: all of it or nothing. Runs to its end even when the caller goes away.
    pub async fn write<D: Deed>(&self, deed: D) -> Result<D::Done, WriteFault<D::No>> {
        let inner = Arc::clone(&self.inner);
        let task = tokio::spawn(async move {
            let (name, concerns_others) = (deed.name(), deed.concerns_others());
            let result = inner.writer.write(inner.reads.pool(), &inner.health, &deed).await;
            match &result {
                Ok(done) => {
                    if deed.shows_room() {
                        inner.health.is_well();
                    }
                    if deed.rings(done) {
                        inner.bell.send_modify(|rung| *rung += 1);
                    }
                    if concerns_others {
                        inner.committed.send_modify(|commits| *commits += 1);
                    }
                }
                Err(WriteFault::Refused(_)) => {}
                Err(WriteFault::Unavailable(words) | WriteFault::Unknown(words)) => {
                    tracing::error!(deed = name, fault = %words, "a deed could not be written");
                }
            }
            metrics::counter!("countersign_deeds_total", "deed" => name, "result" => outcome(&result))
                .increment(1);
            result
        });
        task.await.unwrap_or_else(|_| Err(WriteFault::Unknown("the writing task ended early".to_owned())))
    }

    /// A bell that rings after every commit of this process, and soon after others have committed. Subscribe before looking, then no ring is missed.
    pub fn bell(&self) -> watch::Receiver<u64> {
        self.inner.bell.subscribe()
    }

    /// Rings for whoever waits in this process for something other than a commit.
    pub fn ring(&self) {
        self.inner.bell.send_modify(|rung| *rung += 1);
    }

    /// Rings a last time, so that whoever waits for news stops waiting.
    pub fn announce_end(&self) {
        self.inner.ending.store(true, Ordering::SeqCst);
        self.inner.bell.send_modify(|rung| *rung += 1);
    }

    /// Was the end announced?
    pub fn is_ending(&self) -> bool {
        self.inner.ending.load(Ordering::SeqCst)
    }

    /// Is the database there?
    pub async fn is_reachable(&self) -> Result<(), ReadFault> {
        self.inner.reads.execute_unprepared("select 1").await?;
        Ok(())
    }

    /// What ails the database, as far as the last write has told.
    pub fn ailment(&self) -> Option<Ailment> {
        self.inner.health.ailment()
    }

    /// Ends all connections, after the deeds under way.
    pub async fn close(&self) {
        drop(self.inner.wake.lock().await.take());
        self.inner.writer.close().await;
        if let Err(fault) = self.inner.reads.pool().clone().close().await {
            tracing::warn!(%fault, "the database connections did not close in order");
        }
    }

    /// Where readers look.
    pub(crate) fn reads(&self) -> &Reads {
        &self.inner.reads
    }

    /// Which of the two databases this is, for people.
    pub fn engine(&self) -> &'static str {
        match self.inner.reads.get_database_backend() {
            DatabaseBackend::Sqlite => "SQLite",
            _ => "PostgreSQL",
        }
    }
}

fn outcome<T, No>(result: &Result<T, WriteFault<No>>) -> &'static str {
    match result {
        Ok(_) => "done",
        Err(WriteFault::Refused(_)) => "refused",
        Err(WriteFault::Unavailable(_)) => "unavailable",
        Err(WriteFault::Unknown(_)) => "unknown",
    }
}

#[cfg(test)]
pub(crate) mod tests;
