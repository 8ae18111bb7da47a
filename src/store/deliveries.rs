//! Taking a message in: delivery, workflow, audit events, in one transaction.
//!
//! Must hold: (source, delivery key) is unique over accepted deliveries and (source, reference) over workflows; a
//! repeat finds the workflow of the first; another meaning under an old reference is refused, kept without a key,
//! and alarms once; a person has one open joiner and one open mover at a time. Raw bytes are kept.

use std::collections::BTreeSet;

use async_trait::async_trait;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, Set};

use super::deed::{Deed, Fault, Tx};
pub use super::outbox::Alarm;
use super::rows::delivery;
use super::workflows::Workflow;
use super::{audit, board, outbox, people, workflows};
use crate::clock::Stamp;
use crate::domain::audit::{Actor, EventKind, NewEvent};
use crate::domain::canon::Digest;
use crate::domain::ids::{DeliveryId, WorkflowId};
use crate::domain::kind::Kind;
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

/// Takes a message in that means a new workflow, or an old one once more.
pub struct AcceptDelivery {
    /// Time and ids.
    pub stamp: Stamp,
    /// The message.
    pub delivery: Delivery,
    /// The workflow it would become.
    pub workflow: Workflow,
    /// The words that people will look it up by.
    pub found_by: BTreeSet<String>,
}

/// What a message became.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The workflow.
    pub workflow: WorkflowId,
    /// The word for its state.
    pub state: &'static str,
    /// Was it there before?
    pub repeat: Repeat,
}

/// Was a request there before?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// No: this message made the workflow.
    First,
    /// Yes.
    Again,
}

/// Something stands in the way: the name of this event means another request, or the person has one open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OtherMeaning {
    /// The same `source_ref`, another request.
    #[error("this source_ref stands for another request already")]
    SourceRef,
    /// The same signed delivery id, another request.
    #[error("this delivery id stands for another request already")]
    DeliveryKey,
    /// Another request of this kind for the same person has not come to rest, and there is no telling which holds.
    #[error("this person has an open request of the same kind, workflow {0}")]
    StillOpen(WorkflowId),
}

#[async_trait]
impl Deed for AcceptDelivery {
    type Done = Accepted;
    type No = OtherMeaning;

    fn name(&self) -> &'static str {
        "accept_delivery"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    async fn perform(&self, tx: &mut Tx) -> Result<Accepted, Fault<OtherMeaning>> {
        let known = delivery::Entity::find()
            .filter(delivery::Column::Source.eq(self.delivery.source.as_str()))
            .filter(delivery::Column::DeliveryKey.eq(self.delivery.key.as_str()))
            .one(&tx.inner)
            .await?;
        if let Some(id) = known.and_then(|row| row.workflow_id) {
            let standing = workflows::lock(tx, WorkflowId(id)).await?;
            let standing =
                standing.ok_or_else(|| Fault::Broken("a delivery without its workflow".to_owned()))?;
            return self.repeat_of(&standing, OtherMeaning::DeliveryKey);
        }
        let source = &self.workflow.source;
        let mut standing = workflows::by_source_ref(tx, source, &self.workflow.source_ref).await?;
        if standing.is_none() && self.is_one_at_a_time() {
            people::lock(tx, &self.workflow).await?;
            // Who was first with this very event may have committed while the person was waited for.
            standing = workflows::by_source_ref(tx, source, &self.workflow.source_ref).await?;
        }
        if let Some(standing) = standing {
            let accepted = self.repeat_of(&standing, OtherMeaning::SourceRef)?;
            self.insert(tx, standing.id).await?;
            let event = self.event(EventKind::DeliveryRepeated);
            audit::append(tx, standing.id.into(), event).await?;
            return Ok(accepted);
        }
        if self.is_one_at_a_time()
            && let Some(open) = workflows::open_of_person(tx, &self.workflow).await?
        {
            return Err(Fault::Refused(OtherMeaning::StillOpen(open)));
        }
        workflows::insert(tx, &self.workflow).await?;
        board::keep_words(tx, self.workflow.id, &self.found_by).await?;
        self.insert(tx, self.workflow.id).await?;
        let events = [self.event(EventKind::DeliveryAccepted), self.received()];
        audit::append_all(tx, self.workflow.id.into(), events).await?;
        Ok(Accepted { workflow: self.workflow.id, state: self.workflow.state.word(), repeat: Repeat::First })
    }
}

impl AcceptDelivery {
    /// Canonical requests are compared, not bytes. A deed that is run again after an unknown outcome meets its own
    /// workflow here, and that is no repeat.
    fn repeat_of(&self, standing: &Workflow, other: OtherMeaning) -> Result<Accepted, Fault<OtherMeaning>> {
        if standing.request != self.workflow.request {
            return Err(Fault::Refused(other));
        }
        let repeat = if standing.id == self.workflow.id { Repeat::First } else { Repeat::Again };
        Ok(Accepted { workflow: standing.id, state: standing.state.word(), repeat })
    }

    /// A leaver is taken in however many there are: removing twice harms nobody.
    fn is_one_at_a_time(&self) -> bool {
        match self.workflow.kind {
            Kind::Leaver => false,
            Kind::Joiner | Kind::Mover | Kind::Rehire | Kind::ResetPassword | Kind::Unsuspend => true,
        }
    }

    async fn insert(&self, tx: &Tx, workflow: WorkflowId) -> Result<(), Fault<OtherMeaning>> {
        let row = delivery::ActiveModel {
            delivery_key: Set(Some(self.delivery.key.clone())),
            state: Set("accepted".to_owned()),
            workflow_id: Set(Some(workflow.0)),
            reason: Set(None),
            ..bare(tx, &self.delivery)
        };
        delivery::Entity::insert(row).exec_without_returning(&tx.inner).await?;
        Ok(())
    }

    fn event(&self, kind: EventKind) -> NewEvent {
        NewEvent::new(kind, Actor::Source(self.delivery.source.clone()))
            .text("delivery", self.delivery.id.to_string())
            .text("body_sha256", Digest::of_bytes(&self.delivery.body).to_string())
    }

    fn received(&self) -> NewEvent {
        let event = NewEvent::new(EventKind::WorkflowReceived, Actor::Source(self.delivery.source.clone()))
            .text("kind", self.workflow.kind.as_str())
            .text("source_ref", self.workflow.source_ref.as_str())
            .text("request_sha256", self.workflow.request.digest().to_string())
            .personal("person_ref", self.workflow.person_ref.as_str());
        match &self.workflow.user_name {
            Some(name) => event.personal("user_name", name.as_str()),
            None => event,
        }
    }
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
