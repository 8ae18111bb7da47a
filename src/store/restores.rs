//! Restored databases: a log that lacks a head which it had is noted, held and, by an operator, accepted.
//!
//! Must hold: while a restore stands open nothing is carried out, by whichever replica, since that is decided in the
//! transaction of each claim; accepting is an operator's word with a reason; both are events. What is accepted is that
//! this very head is missing: replicas that kept others note theirs while the restore stands open, without a further alarm,
//! and a second restore is recognised like the first.

use async_trait::async_trait;
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, PaginatorTrait as _, QueryFilter as _,
    QueryOrder as _, Select, Set,
};

use super::deed::{Deed, Fault, Tx};
use super::fault::ReadFault;
use super::rows::{attempt, restore, seal};
use super::seals::Head;
use super::{Store, audit, outbox};
use crate::clock::Stamp;
use crate::domain::audit::{Actor, EventKind, NewEvent};
use crate::domain::ids::{ChainId, EventId, WorkflowId};
use crate::domain::time::Timestamp;

/// How the log stands to a head that was kept outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It contains it.
    Contained,
    /// It does not, and an operator has accepted that.
    Accepted,
    /// It does not, which is noted and not accepted yet.
    Held,
    /// It does not, and nobody has noted that.
    Missing,
}

/// A restore that stands open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restore {
    /// When it was recognised.
    pub recognised_at: Timestamp,
    /// The number of the head that is missing.
    pub head_number: i64,
    /// The log reached to this number then.
    pub reached: i64,
}

/// The restore that stands open, if one does.
pub async fn open(store: &Store) -> Result<Option<Restore>, ReadFault> {
    let row = not_accepted().one(store.reads()).await?;
    Ok(row.map(|row| Restore {
        recognised_at: Timestamp::from_utc(row.recognised_at),
        head_number: row.head_number,
        reached: row.reached,
    }))
}

/// How often an older database was put back here, as far as this one remembers.
pub async fn accepted(store: &Store) -> Result<usize, ReadFault> {
    let count = restore::Entity::find()
        .filter(restore::Column::AcceptedAt.is_not_null())
        .count(store.reads())
        .await?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

/// How the log stands to this head.
pub async fn standing(store: &Store, head: &Head) -> Result<Standing, ReadFault> {
    Ok(compare(store.reads(), head).await?)
}

/// Has an operator accepted a restore since this workflow's last attempt was begun?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// Yes: what is recorded of the run may be less than what was done.
    Yes,
    /// No.
    No,
}

/// Was the database restored since this workflow's last attempt?
pub async fn since_last_attempt(store: &Store, workflow: WorkflowId) -> Result<Since, ReadFault> {
    let accepted = restore::Entity::find()
        .filter(restore::Column::AcceptedAt.is_not_null())
        .order_by_desc(restore::Column::AcceptedAt)
        .one(store.reads())
        .await?;
    let Some(at) = accepted.and_then(|row| row.accepted_at) else { return Ok(Since::No) };
    let begun = attempt::Entity::find()
        .filter(attempt::Column::WorkflowId.eq(workflow.0))
        .filter(attempt::Column::BegunAt.gte(at))
        .one(store.reads())
        .await?;
    Ok(if begun.is_none() { Since::Yes } else { Since::No })
}

async fn compare(connection: &impl ConnectionTrait, head: &Head) -> Result<Standing, DbErr> {
    let standing = seal::Entity::find_by_id(head.number).one(connection).await?;
    if standing.is_some_and(|row| row.seal_hash == head.hash.0) {
        return Ok(Standing::Contained);
    }
    // Of this very head; another one with such a number may belong to what came after the restore, and be missed anew.
    let noted = restore::Entity::find()
        .filter(restore::Column::HeadHash.eq(head.hash.0.to_vec()))
        .one(connection)
        .await?;
    Ok(match noted {
        None => Standing::Missing,
        Some(row) if row.accepted_at.is_none() => Standing::Held,
        Some(_) => Standing::Accepted,
    })
}

/// Restores that no operator has accepted yet.
fn not_accepted() -> Select<restore::Entity> {
    restore::Entity::find().filter(restore::Column::AcceptedAt.is_null())
}

/// The log lacks the head that this worker's process has kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the log does not contain the last head that was kept outside the database")]
pub struct HeadMissing;

/// May anything be carried out?
pub(super) enum Leave {
    Granted,
    /// A restore stands open.
    Held,
}

/// Asked in the transaction of each claim. A head that is missing refuses the claim.
pub(super) async fn leave<No: From<HeadMissing>>(tx: &Tx, kept: Option<&Head>) -> Result<Leave, Fault<No>> {
    if not_accepted().one(&tx.inner).await?.is_some() {
        return Ok(Leave::Held);
    }
    match kept {
        Some(head) if compare(&tx.inner, head).await? == Standing::Missing => {
            Err(Fault::Refused(HeadMissing.into()))
        }
        Some(_) | None => Ok(Leave::Granted),
    }
}

/// Notes that the log lacks a head, once, and alarms the operators, unless another head that it lacks has done so.
pub struct NoteRestore {
    /// Time and ids.
    pub stamp: Stamp,
    /// The head that is missing.
    pub head: Head,
}

#[async_trait]
impl Deed for NoteRestore {
    type Done = ();
    type No = std::convert::Infallible;

    fn name(&self) -> &'static str {
        "note_restore"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    async fn perform(&self, tx: &mut Tx) -> Result<(), Fault<Self::No>> {
        if compare(&tx.inner, &self.head).await? != Standing::Missing {
            return Ok(());
        }
        let told_already = not_accepted().one(&tx.inner).await?.is_some();
        let last = seal::Entity::find().order_by_desc(seal::Column::Number).one(&tx.inner).await?;
        let reached = last.map_or(0, |row| row.number);
        let chain = ChainId(tx.id(EventId::made).0);
        let row = restore::ActiveModel {
            id: Set(chain.0),
            head_number: Set(self.head.number),
            head_hash: Set(self.head.hash.0.to_vec()),
            reached: Set(reached),
            recognised_at: Set(tx.at.as_utc()),
            accepted_at: Set(None),
        };
        restore::Entity::insert(row).exec_without_returning(&tx.inner).await?;
        let event = NewEvent::new(EventKind::RestoreRecognised, Actor::Countersign)
            .number("head_number", self.head.number)
            .text("head_hash", self.head.hash.to_string())
            .number("reached", reached);
        audit::append(tx, chain, event).await?;
        if told_already {
            return Ok(());
        }
        let words = format!(
            "the database is an older one than this service has worked on: its log ends at {reached} and lacks the \
             head number {}. Requests are taken in and nothing is carried out. If the database was restored on \
             purpose, say so with countersign audit accept-restore --reason TEXT; what was carried out since that \
             backup is then looked up in the vault",
            self.head.number
        );
        outbox::raise_alarm(tx, chain, None, &words).await
    }
}

/// An operator says that the database was restored on purpose: work goes on from what it holds.
pub struct AcceptRestore {
    /// Time and ids.
    pub stamp: Stamp,
    /// Who says so.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// No restore stands open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is nothing to accept: the log holds every head that was kept outside the database")]
pub struct NothingToAccept;

#[async_trait]
impl Deed for AcceptRestore {
    type Done = u64;
    type No = NothingToAccept;

    fn name(&self) -> &'static str {
        "accept_restore"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    async fn perform(&self, tx: &mut Tx) -> Result<u64, Fault<NothingToAccept>> {
        let open = not_accepted().all(&tx.inner).await?;
        if open.is_empty() {
            return Err(Fault::Refused(NothingToAccept));
        }
        let count = u64::try_from(open.len()).unwrap_or(u64::MAX);
        for row in open {
            let accepted = restore::ActiveModel {
                id: Set(row.id),
                accepted_at: Set(Some(tx.at.as_utc())),
                ..Default::default()
            };
            restore::Entity::update(accepted).exec(&tx.inner).await?;
            let event = NewEvent::new(EventKind::RestoreAccepted, Actor::Operator(self.by.clone()))
                .number("head_number", row.head_number)
                .personal("reason", self.reason.clone());
            audit::append(tx, ChainId(row.id), event).await?;
        }
        Ok(count)
    }
}
