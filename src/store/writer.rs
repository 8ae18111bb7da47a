//! The one place where transactions begin and end.
//!
//! Must hold: on SQLite all writes go through one connection, one after the other; a result code that means lost
//! memory, input/output trouble or a full disk, or a COMMIT or ROLLBACK that fails, poisons that connection: it is
//! closed, nothing more is answered from it, and the next deed gets a fresh one. Nobody waits without end: neither for
//! the writing connection, nor for a server that takes a transaction and says nothing more.

use std::time::Duration;

use sea_orm::{
    ConnectOptions, Database, DatabaseConnection, DbErr, SqliteTransactionMode, TransactionOptions,
    TransactionTrait as _,
};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::deed::{Deed, Fault, Tx};
use super::fault::{Meaning, WriteFault, meaning};
use super::health::Health;
use super::reads::no_answer;

/// So long a deed waits for the others before it on SQLite's one connection.
const LONGEST_QUEUE: Duration = Duration::from_secs(15);
/// So long a server may take over one run of a deed; longer than it takes to give up a lock.
const LONGEST_RUN: Duration = Duration::from_secs(20);

/// How often a deed is run again after losing a race.
const MOST_RUNS: u32 = 8;

pub(super) enum Writer {
    /// One connection, guarded.
    Sqlite { options: Box<ConnectOptions>, connection: Mutex<Slot> },
    /// The readers' pool; every deed takes a connection of its own.
    Postgres,
}

/// Where SQLite's one writing connection is.
pub(super) enum Slot {
    /// Here, and to be trusted.
    Open(DatabaseConnection),
    /// Given up; the next deed opens a fresh one.
    Lost,
    /// Closed for good.
    Closed,
}

/// How one run of a deed ended.
enum Run<Done, No> {
    Over(Result<Done, WriteFault<No>>),
    Again(String),
    Poisoned(WriteFault<No>),
}

impl Writer {
    pub(super) async fn write<D: Deed>(
        &self,
        pool: &DatabaseConnection,
        health: &Health,
        deed: &D,
    ) -> Result<D::Done, WriteFault<D::No>> {
        let mut lost = String::new();
        for _ in 0..MOST_RUNS {
            match self.run(pool, health, deed).await {
                Run::Over(result) => return result,
                Run::Poisoned(fault) => return Err(fault),
                Run::Again(words) => lost = words,
            }
        }
        Err(WriteFault::Unavailable(lost))
    }

    async fn run<D: Deed>(
        &self,
        pool: &DatabaseConnection,
        health: &Health,
        deed: &D,
    ) -> Run<D::Done, D::No> {
        match self {
            Self::Postgres => match timeout(LONGEST_RUN, run_on(pool, health, deed)).await {
                Ok(Run::Poisoned(fault)) => Run::Over(Err(fault)),
                Ok(other) => other,
                Err(_) => {
                    let silence = no_answer(LONGEST_RUN);
                    health.heed(&silence);
                    // It may have been the COMMIT that was not answered.
                    Run::Over(Err(WriteFault::Unknown(silence.to_string())))
                }
            },
            Self::Sqlite { options, connection } => {
                let Ok(mut slot) = timeout(LONGEST_QUEUE, connection.lock()).await else {
                    health.is_stuck();
                    let words = "other writes are under way for too long";
                    return Run::Over(Err(WriteFault::Unavailable(words.to_owned())));
                };
                let writer = match std::mem::replace(&mut *slot, Slot::Lost) {
                    Slot::Open(writer) => writer,
                    Slot::Lost => match Database::connect(options.as_ref().clone()).await {
                        Ok(fresh) => fresh,
                        Err(fault) => {
                            health.heed(&fault);
                            return Run::Over(Err(unavailable(&fault)));
                        }
                    },
                    Slot::Closed => {
                        *slot = Slot::Closed;
                        return Run::Over(Err(WriteFault::Unavailable("the store is closed".to_owned())));
                    }
                };
                let run = run_on(&writer, health, deed).await;
                if matches!(run, Run::Poisoned(_)) {
                    tracing::error!(deed = deed.name(), "the writing connection is given up and replaced");
                    // Whatever closing answers, nothing is asked of this connection again.
                    let _ = writer.close().await;
                } else {
                    *slot = Slot::Open(writer);
                }
                run
            }
        }
    }

    pub(super) async fn close(&self) {
        let Self::Sqlite { connection, .. } = self else { return };
        if let Slot::Open(writer) = std::mem::replace(&mut *connection.lock().await, Slot::Closed)
            && let Err(fault) = writer.close().await
        {
            tracing::warn!(%fault, "the writing connection did not close in order");
        }
    }
}

async fn run_on<D: Deed>(connection: &DatabaseConnection, health: &Health, deed: &D) -> Run<D::Done, D::No> {
    let options = TransactionOptions {
        // A read-then-write transaction that begins DEFERRED on SQLite fails at once when another writer was first.
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    let begun = connection.begin_with_options(options).await.inspect_err(|fault| health.heed(fault));
    let begun = match begun {
        Ok(begun) => begun,
        Err(fault) if meaning(&fault) == Meaning::Poison => return Run::Poisoned(unavailable(&fault)),
        Err(fault) => return Run::Over(Err(unavailable(&fault))),
    };
    let mut tx = Tx::new(begun, deed.stamp());
    match deed.perform(&mut tx).await {
        Ok(done) => match tx.inner.commit().await.inspect_err(|fault| health.heed(fault)) {
            Ok(()) => Run::Over(Ok(done)),
            Err(fault) if meaning(&fault) == Meaning::Again => Run::Again(fault.to_string()),
            Err(fault) => Run::Poisoned(WriteFault::Unknown(fault.to_string())),
        },
        Err(fault) => {
            let verdict = match fault {
                Fault::Refused(no) => Run::Over(Err(WriteFault::Refused(no))),
                Fault::Broken(words) => Run::Over(Err(WriteFault::Unavailable(words))),
                Fault::Database(fault) => {
                    health.heed(&fault);
                    match meaning(&fault) {
                        Meaning::Again => Run::Again(fault.to_string()),
                        Meaning::Poison => Run::Poisoned(unavailable(&fault)),
                        Meaning::Other => Run::Over(Err(unavailable(&fault))),
                    }
                }
            };
            match tx.inner.rollback().await {
                Ok(()) => verdict,
                Err(fault) => match verdict {
                    Run::Over(Err(first)) | Run::Poisoned(first) => Run::Poisoned(first),
                    Run::Over(Ok(_)) | Run::Again(_) => Run::Poisoned(unavailable(&fault)),
                },
            }
        }
    }
}

fn unavailable<No>(fault: &DbErr) -> WriteFault<No> {
    WriteFault::Unavailable(fault.to_string())
}
