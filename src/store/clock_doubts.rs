//! Where a replica came to doubt its clock: noted with an alarm, and ended by itself or by an operator.
//!
//! Must hold: one alarm for each doubt; each begins and ends with exactly one event, in a chain of its own.

use async_trait::async_trait;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, Set,
};
use uuid::Uuid;

use super::deed::{Deed, Fault, Tx};
use super::fault::ReadFault;
use super::rows::clock_doubt::{ActiveModel, Column, Entity, Model};
use super::{Store, audit, outbox};
use crate::clock::Stamp;
use crate::clock::belief::{Doubt, Why};
use crate::domain::audit::{Actor, EventKind, NewEvent};
use crate::domain::ids::ChainId;
use crate::domain::time::Timestamp;

/// A doubt as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptDoubt {
    /// Its chain, which is its id.
    pub id: ChainId,
    /// What was found.
    pub doubt: Doubt,
    /// The same in words.
    pub words: String,
    /// Since when, by the time that was believed.
    pub since: Timestamp,
}

/// What was found, in words.
pub fn in_words(doubt: &Doubt) -> String {
    let (believed, said) = (doubt.believed.in_words(), doubt.said.in_words());
    match doubt.why {
        Why::Stepped => format!("the clock of a machine has stepped to {said}, when it was {believed}"),
        Why::Database => format!(
            "the clocks of a machine and of the database have come apart: one says {said}, the other {believed}"
        ),
        Why::BeforeWritten => {
            format!("the clock of a machine says {said}, and {believed} was written already")
        }
    }
}

const fn word(why: Why) -> &'static str {
    match why {
        Why::Stepped => "stepped",
        Why::Database => "database",
        Why::BeforeWritten => "before_written",
    }
}

/// Notes a doubt, and alarms the operators.
pub struct NoteDoubt {
    /// Time and ids.
    pub stamp: Stamp,
    /// Which process doubts its clock.
    pub replica: Uuid,
    /// What it has found.
    pub doubt: Doubt,
}

#[async_trait]
impl Deed for NoteDoubt {
    type Done = ChainId;
    type No = std::convert::Infallible;

    fn name(&self) -> &'static str {
        "note_clock_doubt"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    async fn perform(&self, tx: &mut Tx) -> Result<ChainId, Fault<Self::No>> {
        let id = tx.id(ChainId::made);
        let row = ActiveModel {
            id: Set(id.0),
            replica: Set(self.replica),
            why: Set(word(self.doubt.why).to_owned()),
            believed_at: Set(self.doubt.believed.as_utc()),
            said_at: Set(self.doubt.said.as_utc()),
            ended_at: Set(None),
            ended_by: Set(None),
        };
        Entity::insert(row).exec_without_returning(&tx.inner).await?;
        let words = format!(
            "{}; it begins nothing that waits for a time, but leavers that are due by every clock, until the step is undone, \
             the database’s clock has gone steadily for a while and another clock bears it out, or an operator says that the clock is right: countersign \
             clock confirm",
            in_words(&self.doubt)
        );
        outbox::raise_alarm(tx, id, None, &words).await?;
        Ok(id)
    }
}

/// Notes that the time of this replica is believed again.
pub struct EndDoubt {
    /// Time and ids.
    pub stamp: Stamp,
    /// The doubt.
    pub id: ChainId,
}

#[async_trait]
impl Deed for EndDoubt {
    type Done = ();
    type No = std::convert::Infallible;

    fn name(&self) -> &'static str {
        "end_clock_doubt"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    async fn perform(&self, tx: &mut Tx) -> Result<(), Fault<Self::No>> {
        let row = Entity::find_by_id(self.id.0).filter(Column::EndedAt.is_null()).one(&tx.inner).await?;
        if row.is_some() {
            end(tx, self.id, "itself").await?;
            let event = NewEvent::new(EventKind::ClockTrusted, Actor::Countersign);
            audit::append(tx, self.id, event.text("because", "clocks agree again")).await?;
        }
        Ok(())
    }
}

/// An operator says that the clocks are right; every replica that is in doubt hears of it.
pub struct ConfirmClock {
    /// Time and ids.
    pub stamp: Stamp,
    /// Who says so.
    pub by: String,
    /// Why, in the person's words.
    pub reason: String,
}

#[async_trait]
impl Deed for ConfirmClock {
    type Done = usize;
    type No = std::convert::Infallible;

    fn name(&self) -> &'static str {
        "confirm_clock"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    async fn perform(&self, tx: &mut Tx) -> Result<usize, Fault<Self::No>> {
        let open = unended().all(&tx.inner).await?;
        for row in &open {
            let id = ChainId(row.id);
            end(tx, id, "operator").await?;
            let event = NewEvent::new(EventKind::ClockTrusted, Actor::Operator(self.by.clone()))
                .text("because", "an operator says so")
                .personal("reason", self.reason.clone());
            audit::append(tx, id, event).await?;
        }
        Ok(open.len())
    }
}

async fn end<No>(tx: &Tx, id: ChainId, by: &str) -> Result<(), Fault<No>> {
    let (ended_at, ended_by) = (Set(Some(tx.at.as_utc())), Set(Some(by.to_owned())));
    ActiveModel { id: Set(id.0), ended_at, ended_by, ..Default::default() }.update(&tx.inner).await?;
    Ok(())
}

fn unended() -> sea_orm::Select<Entity> {
    Entity::find().filter(Column::EndedAt.is_null()).order_by_asc(Column::Id)
}

/// Has somebody ended this doubt?
pub async fn is_ended(store: &Store, id: ChainId) -> Result<Ended, ReadFault> {
    let open = Entity::find_by_id(id.0).filter(Column::EndedAt.is_null()).one(store.reads()).await?;
    Ok(if open.is_some() { Ended::No } else { Ended::Yes })
}

/// Was a doubt ended?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Yes.
    Yes,
    /// No.
    No,
}

/// Every doubt that nobody has ended; one of a process that is gone stands until an operator ends it.
pub async fn open(store: &Store) -> Result<Vec<KeptDoubt>, ReadFault> {
    unended().all(store.reads()).await?.iter().map(KeptDoubt::from_row).collect()
}

impl KeptDoubt {
    fn from_row(row: &Model) -> Result<Self, ReadFault> {
        let why =
            [Why::Stepped, Why::Database, Why::BeforeWritten].into_iter().find(|why| word(*why) == row.why);
        let why = why.ok_or_else(|| ReadFault::Inconsistent {
            table: "clock_doubts",
            row: row.id.to_string(),
            wrong: "an unknown reason",
        })?;
        let (believed, said) = (Timestamp::from_utc(row.believed_at), Timestamp::from_utc(row.said_at));
        let doubt = Doubt { why, believed, said };
        Ok(Self { id: ChainId(row.id), doubt, words: in_words(&doubt), since: believed })
    }
}
