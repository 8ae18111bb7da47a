//! Somebody who has signed in reaches for a password that is for somebody else.
//!
//! Must hold: the operators are alarmed once for each hand-over and person, so that nobody floods their mailbox; the first
//! attempts are recorded one by one, and the last of these says that no more are.

use async_trait::async_trait;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QuerySelect as _};

use super::deed::{Deed, Fault, Tx};
use super::hand_overs::HandOver;
use super::rows::{event, personal};
use super::{audit, outbox, workflows};
use crate::clock::Stamp;
use crate::domain::audit::{Actor, EventKind, NewEvent};
use crate::domain::names::EmailAddress;

/// So many attempts of one person at one hand-over are recorded.
const MOST_RECORDED: usize = 10;

/// Records an attempt.
pub struct ForeignAttempt {
    /// Time and ids.
    pub stamp: Stamp,
    /// Which hand-over.
    pub hand_over: HandOver,
    /// Who it was.
    pub by: EmailAddress,
}

#[async_trait]
impl Deed for ForeignAttempt {
    type Done = ();
    type No = std::convert::Infallible;

    fn name(&self) -> &'static str {
        "foreign_attempt"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    async fn perform(&self, tx: &mut Tx) -> Result<(), Fault<Self::No>> {
        let workflow = self.hand_over.workflow;
        workflows::locked(tx, workflow).await?;
        let earlier = self.earlier(tx).await?;
        if earlier >= MOST_RECORDED {
            return Ok(());
        }
        let mut event = NewEvent::new(EventKind::CredentialRefused, Actor::Person(self.by.clone()))
            .text("secret", self.hand_over.secret.to_string())
            .number("attempt", i64::try_from(earlier + 1).unwrap_or(i64::MAX));
        if earlier + 1 == MOST_RECORDED {
            event = event.text("further", "not recorded");
        }
        audit::append(tx, workflow.into(), event).await?;
        if earlier > 0 {
            return Ok(());
        }
        let because = format!("{} reached for an initial password that is for somebody else", self.by);
        outbox::raise_alarm(tx, workflow.into(), Some(workflow), &because).await
    }
}

impl ForeignAttempt {
    /// How often this person has done it before. A workflow has one hand-over.
    async fn earlier<No>(&self, tx: &Tx) -> Result<usize, Fault<No>> {
        let attempts: Vec<uuid::Uuid> = event::Entity::find()
            .filter(event::Column::Chain.eq(self.hand_over.workflow.0))
            .filter(event::Column::Kind.eq(EventKind::CredentialRefused.as_str()))
            .select_only()
            .column(event::Column::Id)
            .into_tuple()
            .all(&tx.inner)
            .await?;
        let actors = personal::Entity::find()
            .filter(personal::Column::EventId.is_in(attempts))
            .filter(personal::Column::Field.eq("actor"))
            .all(&tx.inner)
            .await?;
        let key = self.by.key();
        let same = |text: &String| EmailAddress::parse(text).is_ok_and(|address| address.key() == key);
        Ok(actors.iter().filter(|row| row.clear_text.as_ref().is_some_and(same)).count())
    }
}
