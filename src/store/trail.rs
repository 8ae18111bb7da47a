//! The whole trail as an auditor reads it: in stretches, and as of one moment.
//!
//! Must hold: everything read through one [`Trail`] is of one moment, so that a service at work beside it never
//! looks like a forger; columns come as raw as they stand, for it is the reader who judges them.
//! Deliberately absent: judging. See the station `audit`.

use std::collections::{HashMap, HashSet};

use sea_orm::sea_query::Query;
use sea_orm::{
    AccessMode, ColumnTrait as _, Condition, DatabaseBackend, DatabaseTransaction, EntityTrait as _,
    IsolationLevel, PaginatorTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    TransactionOptions, TransactionTrait as _,
};
use uuid::Uuid;

use super::Store;
use super::fault::ReadFault;
use super::rows::{
    ask, attempt, decision, delivery, event, head, personal, plan, seal, step, unsealed, workflow,
};
use super::seals::{Kept, StoredEvent, kept, stored};
use crate::domain::canon::{CanonicalBytes, Digest, Tag};
use crate::domain::ids::ChainId;
use crate::domain::routing::Routing;
use crate::domain::time::Timestamp;

/// The trail as of one moment.
pub struct Trail {
    tx: DatabaseTransaction,
}

/// One place of the global log.
#[derive(Debug, Clone)]
pub struct PlaceRow {
    /// Its number.
    pub number: i64,
    /// Whose place it is.
    pub event: Uuid,
    /// The hash that was sealed.
    pub event_hash: Vec<u8>,
    /// The hash of the log up to here.
    pub seal_hash: Vec<u8>,
    /// Is the event there?
    pub presence: Presence,
}

/// Is a row there?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Yes.
    There,
    /// No.
    Gone,
}

/// A signed head as it stands in its row.
#[derive(Debug, Clone)]
pub struct HeadRow {
    /// The place it names.
    pub number: i64,
    /// The hash it names.
    pub hash: Vec<u8>,
    /// Its signature.
    pub signature: Vec<u8>,
    /// The hash that stands at that place of the log.
    pub standing: Option<Vec<u8>>,
}

/// An event with everything that stands about it elsewhere.
#[derive(Debug, Clone)]
pub struct EventRow {
    /// Its row.
    pub stored: StoredEvent,
    /// Its place in the log and the hash that was sealed there.
    pub sealed: Option<(i64, Vec<u8>)>,
    /// Does it wait for a place?
    pub waits: Waits,
    /// What is kept of its personal values.
    pub personal: Vec<Kept>,
}

/// Does an event wait for its place in the log?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waits {
    /// Yes.
    Yes,
    /// No.
    No,
}

/// The rows that a chain of events tells about.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// The workflow of that id.
    pub workflow: Option<WorkflowRow>,
    /// Its deliveries, or the delivery of that id.
    pub deliveries: Vec<DeliveryRow>,
    /// Its plans.
    pub plans: Vec<PlanRow>,
    /// Who was asked.
    pub asks: Vec<AskRow>,
    /// What approvers said.
    pub decisions: Vec<DecisionRow>,
    /// Where the steps of the current plan stand.
    pub steps: Vec<StepRow>,
    /// All attempts.
    pub attempts: Vec<AttemptRow>,
}

/// Does a row say that it was cleared? Only an event makes that true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clearing {
    /// It does not.
    None,
    /// It does.
    Done,
}

/// Where a workflow stands, in the words of its row.
#[derive(Debug, Clone)]
pub struct WorkflowRow {
    /// The state.
    pub state: String,
    /// Where it goes on from.
    pub stalled: Option<String>,
    /// The open stage.
    pub stage: i64,
    /// The current plan.
    pub plan_number: i64,
    /// SHA-256 of the request's bytes; the one that is kept, where they were cleared.
    pub request: Digest,
    /// Is it said to be cleared?
    pub clearing: Clearing,
}

/// A delivery's row.
#[derive(Debug, Clone)]
pub struct DeliveryRow {
    /// Its id.
    pub id: Uuid,
    /// Accepted, parked or refused.
    pub state: String,
    /// SHA-256 of the raw bytes, computed now; the one that is kept, where they were cleared.
    pub body: Digest,
    /// Are they said to be cleared?
    pub clearing: Clearing,
}

/// A plan's row.
#[derive(Debug, Clone)]
pub struct PlanRow {
    /// Its number.
    pub number: i64,
    /// SHA-256 of its bytes, computed now.
    pub bytes: Digest,
    /// SHA-256 of the record of who is asked, computed now; absent where that record was cleared.
    pub routing: Option<Digest>,
    /// That record itself, where it can be read.
    pub asked: Option<Routing>,
}

/// The row of somebody who was asked.
#[derive(Debug, Clone)]
pub struct AskRow {
    /// About which plan.
    pub plan: i64,
    /// In which stage.
    pub stage: i64,
    /// Who.
    pub approver: String,
}

/// A decision's row.
#[derive(Debug, Clone)]
pub struct DecisionRow {
    /// Its id.
    pub id: Uuid,
    /// About which plan.
    pub plan: i64,
    /// In which stage.
    pub stage: i64,
    /// By whom.
    pub approver: String,
    /// What.
    pub verdict: String,
    /// In which words.
    pub comment: String,
    /// The digest that was read.
    pub digest: Vec<u8>,
    /// When.
    pub at: Timestamp,
}

/// A step's row.
#[derive(Debug, Clone)]
pub struct StepRow {
    /// Its number in the plan.
    pub number: i64,
    /// Where it stands.
    pub state: String,
}

/// An attempt's row.
#[derive(Debug, Clone)]
pub struct AttemptRow {
    /// Its id.
    pub id: Uuid,
    /// At which step.
    pub step: i64,
    /// Why it was made.
    pub purpose: String,
    /// When it was begun.
    pub begun_at: Timestamp,
    /// When it ended, and with what.
    pub ended: Option<(Timestamp, String)>,
}

impl Trail {
    /// Fixes the moment.
    pub async fn of(store: &Store) -> Result<Self, ReadFault> {
        let reads = store.reads().pool();
        // SQLite keeps one moment through every transaction and knows no levels to choose from.
        let options = match reads.get_database_backend() {
            DatabaseBackend::Sqlite => TransactionOptions::default(),
            _ => TransactionOptions {
                isolation_level: Some(IsolationLevel::RepeatableRead),
                access_mode: Some(AccessMode::ReadOnly),
                ..TransactionOptions::default()
            },
        };
        Ok(Self { tx: reads.begin_with_options(options).await? })
    }

    /// Lets the moment go.
    pub async fn close(self) -> Result<(), ReadFault> {
        Ok(self.tx.rollback().await?)
    }

    /// How many events there are.
    pub async fn count(&self) -> Result<u64, ReadFault> {
        Ok(event::Entity::find().count(&self.tx).await?)
    }

    /// Places of the log after a number, in order.
    pub async fn places(&self, after: i64, most: u64) -> Result<Vec<PlaceRow>, ReadFault> {
        let rows = seal::Entity::find()
            .filter(seal::Column::Number.gt(after))
            .order_by_asc(seal::Column::Number)
            .limit(most)
            .all(&self.tx)
            .await?;
        let there = self.present(rows.iter().map(|row| row.event_id)).await?;
        let place = |row: seal::Model| PlaceRow {
            number: row.number,
            event: row.event_id,
            event_hash: row.event_hash,
            seal_hash: row.seal_hash,
            presence: if there.contains(&row.event_id) { Presence::There } else { Presence::Gone },
        };
        Ok(rows.into_iter().map(place).collect())
    }

    async fn present(&self, ids: impl Iterator<Item = Uuid>) -> Result<HashSet<Uuid>, ReadFault> {
        let found: Vec<Uuid> = event::Entity::find()
            .select_only()
            .column(event::Column::Id)
            .filter(event::Column::Id.is_in(ids))
            .into_tuple()
            .all(&self.tx)
            .await?;
        Ok(found.into_iter().collect())
    }

    /// Signed heads after a number, in order.
    pub async fn heads(&self, after: i64, most: u64) -> Result<Vec<HeadRow>, ReadFault> {
        let rows = head::Entity::find()
            .filter(head::Column::Number.gt(after))
            .order_by_asc(head::Column::Number)
            .limit(most)
            .all(&self.tx)
            .await?;
        let seals = seal::Entity::find()
            .filter(seal::Column::Number.is_in(rows.iter().map(|row| row.number)))
            .all(&self.tx)
            .await?;
        let mut seals: HashMap<_, _> = seals.into_iter().map(|row| (row.number, row.seal_hash)).collect();
        let row = |row: head::Model| HeadRow {
            number: row.number,
            hash: row.hash,
            signature: row.signature,
            standing: seals.remove(&row.number),
        };
        Ok(rows.into_iter().map(row).collect())
    }

    /// The hash at one place of the log.
    pub async fn seal_hash(&self, number: i64) -> Result<Option<Vec<u8>>, ReadFault> {
        let row = seal::Entity::find_by_id(number).one(&self.tx).await?;
        Ok(row.map(|row| row.seal_hash))
    }

    /// Events in the order of their chains, from after one place of one chain.
    pub async fn events(&self, after: Option<(Uuid, i64)>, most: u64) -> Result<Vec<EventRow>, ReadFault> {
        let mut query = event::Entity::find();
        if let Some((chain, position)) = after {
            let further = Condition::all()
                .add(event::Column::Chain.eq(chain))
                .add(event::Column::Position.gt(position));
            query = query.filter(Condition::any().add(event::Column::Chain.gt(chain)).add(further));
        }
        let rows = query
            .order_by_asc(event::Column::Chain)
            .order_by_asc(event::Column::Position)
            .limit(most)
            .all(&self.tx)
            .await?;
        let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
        let seals = seal::Entity::find()
            .filter(seal::Column::EventId.is_in(ids.iter().copied()))
            .all(&self.tx)
            .await?;
        let mut seals: HashMap<_, _> =
            seals.into_iter().map(|row| (row.event_id, (row.number, row.event_hash))).collect();
        let waiting: HashSet<Uuid> = unsealed::Entity::find()
            .filter(unsealed::Column::EventId.is_in(ids.iter().copied()))
            .all(&self.tx)
            .await?
            .into_iter()
            .map(|row| row.event_id)
            .collect();
        let clear =
            personal::Entity::find().filter(personal::Column::EventId.is_in(ids)).all(&self.tx).await?;
        let mut clear = kept(clear);
        let whole = |row: event::Model| EventRow {
            sealed: seals.remove(&row.id),
            waits: if waiting.contains(&row.id) { Waits::Yes } else { Waits::No },
            personal: clear.remove(&row.id).unwrap_or_default(),
            stored: stored(row),
        };
        Ok(rows.into_iter().map(whole).collect())
    }

    /// Events that are said to wait for a place and are not there.
    pub async fn waiting_for_nothing(&self, most: u64) -> Result<Vec<Uuid>, ReadFault> {
        let all = Query::select().column(event::Column::Id).from(event::Entity).to_owned();
        let rows = unsealed::Entity::find()
            .filter(unsealed::Column::EventId.not_in_subquery(all))
            .limit(most)
            .all(&self.tx)
            .await?;
        Ok(rows.into_iter().map(|row| row.event_id).collect())
    }

    /// Personal values kept for events that are not there.
    pub async fn personal_of_nothing(&self, most: u64) -> Result<Vec<Uuid>, ReadFault> {
        let all = Query::select().column(event::Column::Id).from(event::Entity).to_owned();
        let rows = personal::Entity::find()
            .filter(personal::Column::EventId.not_in_subquery(all))
            .limit(most)
            .all(&self.tx)
            .await?;
        Ok(rows.into_iter().map(|row| row.event_id).collect())
    }

    /// Workflows of which no event tells.
    pub async fn untold_workflows(&self, most: u64) -> Result<Vec<Uuid>, ReadFault> {
        let told = Query::select().column(event::Column::Chain).from(event::Entity).to_owned();
        let rows = workflow::Entity::find()
            .filter(workflow::Column::Id.not_in_subquery(told))
            .limit(most)
            .all(&self.tx)
            .await?;
        Ok(rows.into_iter().map(|row| row.id).collect())
    }

    /// Deliveries of no workflow of which no event tells.
    pub async fn untold_deliveries(&self, most: u64) -> Result<Vec<Uuid>, ReadFault> {
        let told = Query::select().column(event::Column::Chain).from(event::Entity).to_owned();
        let rows: Vec<Uuid> = delivery::Entity::find()
            .select_only()
            .column(delivery::Column::Id)
            .filter(delivery::Column::WorkflowId.is_null())
            .filter(delivery::Column::Id.not_in_subquery(told))
            .limit(most)
            .into_tuple()
            .all(&self.tx)
            .await?;
        Ok(rows)
    }

    /// The rows that one chain tells about.
    pub async fn told(&self, chain: ChainId) -> Result<Told, ReadFault> {
        let id = chain.0;
        let workflow = workflow::Entity::find_by_id(id).one(&self.tx).await?;
        let of_chain =
            Condition::any().add(delivery::Column::WorkflowId.eq(id)).add(delivery::Column::Id.eq(id));
        let deliveries = delivery::Entity::find().filter(of_chain).all(&self.tx).await?;
        let clearing = Clearing::of(workflow.as_ref().and_then(|row| row.cleared_at.as_ref()));
        let Some(row) = workflow else {
            return Ok(Told {
                deliveries: deliveries.into_iter().map(DeliveryRow::from_row).collect(),
                ..Told::default()
            });
        };
        let plans = plan::Entity::find().filter(plan::Column::WorkflowId.eq(id)).all(&self.tx).await?;
        let asks = ask::Entity::find().filter(ask::Column::WorkflowId.eq(id)).all(&self.tx).await?;
        let decisions =
            decision::Entity::find().filter(decision::Column::WorkflowId.eq(id)).all(&self.tx).await?;
        let steps = step::Entity::find()
            .filter(step::Column::WorkflowId.eq(id))
            .filter(step::Column::PlanNumber.eq(row.plan_number))
            .all(&self.tx)
            .await?;
        let attempts =
            attempt::Entity::find().filter(attempt::Column::WorkflowId.eq(id)).all(&self.tx).await?;
        Ok(Told {
            workflow: Some(WorkflowRow {
                request: standing_digest(&row.request, row.request_digest.as_deref()),
                clearing: Clearing::of(row.cleared_at.as_ref()),
                state: row.state,
                stalled: row.stalled,
                stage: row.stage,
                plan_number: row.plan_number,
            }),
            deliveries: deliveries.into_iter().map(DeliveryRow::from_row).collect(),
            plans: plans.iter().map(|plan| PlanRow::from_row(plan, clearing)).collect(),
            asks: asks.into_iter().map(AskRow::from_row).collect(),
            decisions: decisions.into_iter().map(DecisionRow::from_row).collect(),
            steps: steps.into_iter().map(|row| StepRow { number: row.number, state: row.state }).collect(),
            attempts: attempts.into_iter().map(AttemptRow::from_row).collect(),
        })
    }
}

impl Clearing {
    /// By the moment that stands in the row.
    fn of<T>(at: Option<&T>) -> Self {
        if at.is_some() { Self::Done } else { Self::None }
    }
}

/// The digest of what stands there or, where it was cleared, of what stood there.
fn standing_digest(bytes: &[u8], kept: Option<&[u8]>) -> Digest {
    match kept {
        None => Digest::of_bytes(bytes),
        Some(kept) => Digest::from_slice(kept).unwrap_or(Digest([0; 32])),
    }
}

impl DeliveryRow {
    fn from_row(row: delivery::Model) -> Self {
        let kept = row.cleared_at.map(|_| row.body_hash.as_slice());
        let body = standing_digest(&row.body, kept);
        Self { id: row.id, state: row.state, body, clearing: Clearing::of(row.cleared_at.as_ref()) }
    }
}

impl PlanRow {
    fn from_row(row: &plan::Model, clearing: Clearing) -> Self {
        let kept = match clearing {
            Clearing::None => None,
            Clearing::Done => Some(row.digest.as_slice()),
        };
        let is_gone = clearing == Clearing::Done && row.routing.is_empty();
        Self {
            number: row.number,
            bytes: standing_digest(&row.bytes, kept),
            routing: (!is_gone).then(|| Digest::of_bytes(&row.routing)),
            asked: CanonicalBytes::stored(row.routing.clone()).open(Tag::Routing).ok(),
        }
    }
}

impl AskRow {
    fn from_row(row: ask::Model) -> Self {
        Self { plan: row.plan_number, stage: row.stage, approver: row.approver }
    }
}

impl DecisionRow {
    fn from_row(row: decision::Model) -> Self {
        Self {
            id: row.id,
            plan: row.plan_number,
            stage: row.stage,
            approver: row.approver,
            verdict: row.verdict,
            comment: row.comment,
            digest: row.digest,
            at: Timestamp::from_utc(row.decided_at),
        }
    }
}

impl AttemptRow {
    fn from_row(row: attempt::Model) -> Self {
        let ended_at = row.ended_at.map(Timestamp::from_utc);
        Self {
            id: row.id,
            step: row.step_number,
            purpose: row.purpose,
            begun_at: Timestamp::from_utc(row.begun_at),
            ended: ended_at.zip(row.outcome),
        }
    }
}
