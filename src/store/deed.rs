//! A deed: a named write that can be run again.
//!
//! Must hold: everything a deed needs is inside it, ids, time and salts included, so that running it again writes
//! the same rows; it asks nobody but the database while it runs.

use async_trait::async_trait;
use sea_orm::{DatabaseTransaction, DbErr};

use super::fault::ReadFault;
use crate::clock::{Draw, Stamp};
use crate::domain::canon::{Corrupt, NotCanonical};
use crate::domain::time::Timestamp;
use crate::domain::workflow::WrongMove;

/// A named write.
#[async_trait]
pub trait Deed: Send + Sync + 'static {
    /// What the caller gets.
    type Done: Send + 'static;
    /// Why the deed's own rule says no.
    type No: Send + 'static;

    /// For logs and metrics.
    fn name(&self) -> &'static str;

    /// The moment, and the seed of all ids.
    fn stamp(&self) -> &Stamp;

    /// May another process find something to do afterwards? A worker's own book-keeping concerns nobody.
    fn concerns_others(&self) -> bool {
        true
    }

    /// Has it done something that wakes whoever waits for work? A claim that found nothing has not, or its worker would wake
    /// itself without end.
    fn rings(&self, _done: &Self::Done) -> bool {
        true
    }

    /// Does it show that there is room for what a request needs?
    fn shows_room(&self) -> bool {
        false
    }

    /// Does it, inside the transaction.
    async fn perform(&self, tx: &mut Tx) -> Result<Self::Done, Fault<Self::No>>;
}

/// Why a deed stops half-way; everything it wrote is rolled back.
#[derive(Debug)]
pub enum Fault<No> {
    /// By its own rule.
    Refused(No),
    /// The database said no.
    Database(DbErr),
    /// What stands in the database makes no sense.
    Broken(String),
}

impl<No> From<DbErr> for Fault<No> {
    fn from(fault: DbErr) -> Self {
        Self::Database(fault)
    }
}

impl<No> From<ReadFault> for Fault<No> {
    fn from(fault: ReadFault) -> Self {
        match fault {
            ReadFault::Database(fault) => Self::Database(fault),
            broken @ (ReadFault::Inconsistent { .. } | ReadFault::Corrupt(_) | ReadFault::Cleared(_)) => {
                Self::Broken(broken.to_string())
            }
        }
    }
}

impl<No> From<Corrupt> for Fault<No> {
    fn from(fault: Corrupt) -> Self {
        Self::Broken(fault.to_string())
    }
}

impl<No> From<NotCanonical> for Fault<No> {
    fn from(fault: NotCanonical) -> Self {
        Self::Broken(fault.to_string())
    }
}

impl<No: From<WrongMove>> From<WrongMove> for Fault<No> {
    fn from(fault: WrongMove) -> Self {
        Self::Refused(fault.into())
    }
}

/// The open transaction of one deed.
pub struct Tx {
    pub(super) inner: DatabaseTransaction,
    pub(super) draw: Draw,
    /// The moment of the deed.
    pub at: Timestamp,
}

impl Tx {
    pub(super) fn new(inner: DatabaseTransaction, stamp: &Stamp) -> Self {
        Self { inner, draw: stamp.draw(), at: stamp.at }
    }

    /// The next row id.
    pub fn id<T>(&mut self, made: fn(Timestamp, [u8; 10]) -> T) -> T {
        self.draw.id(made)
    }
}
