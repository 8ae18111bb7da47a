//! Messages as they came in: their rows, and keeping one that is refused.
//!
//! Must hold: (source, delivery key) is unique over deliveries that were taken in; one that is refused is kept without a
//! key, once, and alarms once. Raw bytes are kept. Deliberately absent: taking one in (see `accept`).

use async_trait::async_trait;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, Select, Set};

use super::deed::{Deed, Fault, Tx};
pub use super::outbox::Alarm;
use super::rows::delivery;
use super::{ReadFault, Store, audit, outbox};
use crate::clock::Stamp;
use crate::domain::audit::{Actor, EventKind, NewEvent};
use crate::domain::canon::Digest;
use crate::domain::ids::{DeliveryId, WorkflowId};
use crate::domain::names::SourceName;

/// A message as it came in.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// Who sent it.
    pub source: SourceName,
    /// What makes a repeat recognisable: a signed header, or the hash of the signed bytes.
    pub key: String,
    /// The raw bytes.
    pub body: Vec<u8>,
}

/// The row of a message that was taken in.
pub(super) async fn insert<No>(
    tx: &Tx,
    delivery: &Delivery,
    state: Taken,
    workflow: Option<WorkflowId>,
) -> Result<(), Fault<No>> {
    let row = delivery::ActiveModel {
        delivery_key: Set(Some(delivery.key.clone())),
        state: Set(state.word().to_owned()),
        workflow_id: Set(workflow.map(|id| id.0)),
        reason: Set(None),
        ..bare(tx, delivery)
    };
    delivery::Entity::insert(row).exec_without_returning(&tx.inner).await?;
    Ok(())
}

/// How a message was taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// It is about a workflow.
    Accepted,
    /// It is about none.
    Parked,
}

impl Taken {
    const fn word(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Parked => "parked",
        }
    }
}

/// What stands under a delivery key of a source.
pub(super) struct Known {
    /// The message.
    pub(super) id: DeliveryId,
    /// The workflow that it is about.
    pub(super) about: Option<WorkflowId>,
    /// Is it the same, byte for byte?
    pub(super) bytes: Bytes,
}

/// Are two messages the same, byte for byte?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bytes {
    /// Yes.
    Same,
    /// No.
    Other,
}

fn of_key(of: &Delivery) -> Select<delivery::Entity> {
    delivery::Entity::find()
        .filter(delivery::Column::Source.eq(of.source.as_str()))
        .filter(delivery::Column::DeliveryKey.eq(of.key.as_str()))
}

impl Known {
    fn beside(of: &Delivery, row: &delivery::Model) -> Self {
        let same = row.body_hash == Digest::of_bytes(&of.body).0;
        Self {
            id: DeliveryId(row.id),
            about: row.workflow_id.map(WorkflowId),
            bytes: if same { Bytes::Same } else { Bytes::Other },
        }
    }
}

/// What stands under the delivery key of this message.
pub(super) async fn by_key<No>(tx: &Tx, of: &Delivery) -> Result<Option<Known>, Fault<No>> {
    let known = of_key(of).one(&tx.inner).await?;
    Ok(known.map(|row| Known::beside(of, &row)))
}

/// The same outside a transaction.
pub(super) async fn find_by_key(store: &Store, of: &Delivery) -> Result<Option<Known>, ReadFault> {
    let known = of_key(of).one(store.reads()).await?;
    Ok(known.map(|row| Known::beside(of, &row)))
}

/// Keeps an authentic message that was refused, once; a later refusal of the same bytes is told only where it is for
/// another reason and operators need to know.
pub struct RefuseDelivery {
    /// Time and ids.
    pub stamp: Stamp,
    /// The message; its key is not taken.
    pub delivery: Delivery,
    /// The rules it breaks, by pointer and code; never a value.
    pub reason: String,
    /// Do operators need to know?
    pub alarm: Alarm,
}

#[async_trait]
impl Deed for RefuseDelivery {
    type Done = ();
    type No = std::convert::Infallible;

    fn name(&self) -> &'static str {
        "refuse_delivery"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    async fn perform(&self, tx: &mut Tx) -> Result<(), Fault<Self::No>> {
        let hash = Digest::of_bytes(&self.delivery.body);
        let known = delivery::Entity::find()
            .filter(delivery::Column::Source.eq(self.delivery.source.as_str()))
            .filter(delivery::Column::BodyHash.eq(hash.0.to_vec()))
            .filter(delivery::Column::State.eq("refused"))
            .one(&tx.inner)
            .await?;
        let id = match known {
            // The same bytes for another reason that operators need to know: kept once, told again.
            Some(row) if self.alarm == Alarm::Raise && row.reason.as_ref() != Some(&self.reason) => {
                let reason = Set(Some(self.reason.clone()));
                let again = delivery::ActiveModel { id: Set(row.id), reason, ..Default::default() };
                delivery::Entity::update(again).exec(&tx.inner).await?;
                DeliveryId(row.id)
            }
            Some(_) => return Ok(()),
            None => {
                let row = delivery::ActiveModel {
                    delivery_key: Set(None),
                    state: Set("refused".to_owned()),
                    workflow_id: Set(None),
                    reason: Set(Some(self.reason.clone())),
                    ..bare(tx, &self.delivery)
                };
                delivery::Entity::insert(row).exec_without_returning(&tx.inner).await?;
                self.delivery.id
            }
        };
        let chain = id.into();
        let event = NewEvent::new(EventKind::DeliveryRefused, Actor::Source(self.delivery.source.clone()))
            .text("delivery", id.to_string())
            .text("body_sha256", hash.to_string())
            .text("because", self.reason.clone());
        audit::append(tx, chain, event).await?;
        if self.alarm == Alarm::Raise {
            let words = format!("source {}: {}", self.delivery.source, self.reason);
            outbox::raise_alarm(tx, chain, None, &words).await?;
        }
        Ok(())
    }
}

fn bare(tx: &Tx, delivery: &Delivery) -> delivery::ActiveModel {
    delivery::ActiveModel {
        id: Set(delivery.id.0),
        source: Set(delivery.source.as_str().to_owned()),
        body_hash: Set(Digest::of_bytes(&delivery.body).0.to_vec()),
        body: Set(delivery.body.clone()),
        received_at: Set(tx.at.as_utc()),
        ..Default::default()
    }
}
