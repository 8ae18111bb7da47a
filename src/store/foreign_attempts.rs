//! Somebody reaches for a password that is for somebody else: signed in as another person, or guessing at codes behind the
//! recipient's link.
//!
//! Must hold: the operators are alarmed once for each hand-over and person, and once for each hand-over at whose link
//! wrong codes are tried, so that nobody floods their mailbox; the first attempts are recorded one by one, and the last of
//! these says that no more are.

use async_trait::async_trait;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QuerySelect as _};

use super::deed::{Deed, Fault, Tx};
use super::hand_overs::HandOver;
use super::rows::{event, hand_over, personal};
use super::{audit, outbox, workflows};
use crate::clock::Stamp;
use crate::domain::audit::{Actor, EventKind, NewEvent};
use crate::domain::ids::WorkflowId;
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

/// Wrong codes were tried behind somebody's personal link: all tries of one, or some while another browser asked for codes,
/// too. Where the link leads to a password that waits, the operators hear of it, once.
pub(super) async fn wrong_codes<No>(
    tx: &mut Tx,
    workflow: WorkflowId,
    address: &EmailAddress,
) -> Result<(), Fault<No>> {
    let waits = hand_over::Entity::find()
        .filter(hand_over::Column::WorkflowId.eq(workflow.0))
        .filter(hand_over::Column::State.is_in(["waiting", "revealed"]))
        .one(&tx.inner)
        .await?;
    let recipient = |row: &hand_over::Model| EmailAddress::parse(row.recipient.as_deref()?).ok();
    let theirs = waits.filter(|row| recipient(row).is_some_and(|one| one.mailbox() == address.mailbox()));
    let Some(row) = theirs else { return Ok(()) };
    workflows::locked(tx, workflow).await?;
    let (attempts, by_persons) = attempts(tx, workflow).await?;
    if attempts.len() > by_persons.len() {
        return Ok(());
    }
    let event = NewEvent::new(EventKind::CredentialRefused, Actor::Countersign)
        .text("secret", row.secret_id.to_string())
        .text("because", "wrong codes");
    audit::append(tx, workflow.into(), event).await?;
    let because = format!(
        "wrong sign-in codes were tried behind the link to an initial password, which is for {address}: somebody else may \
         have the link"
    );
    outbox::raise_alarm(tx, workflow.into(), Some(workflow), &because).await
}

/// The attempts that are recorded, and who made them, where that is known. A workflow has one hand-over.
async fn attempts<No>(
    tx: &Tx,
    workflow: WorkflowId,
) -> Result<(Vec<uuid::Uuid>, Vec<personal::Model>), Fault<No>> {
    let attempts: Vec<uuid::Uuid> = event::Entity::find()
        .filter(event::Column::Chain.eq(workflow.0))
        .filter(event::Column::Kind.eq(EventKind::CredentialRefused.as_str()))
        .select_only()
        .column(event::Column::Id)
        .into_tuple()
        .all(&tx.inner)
        .await?;
    let actors = personal::Entity::find()
        .filter(personal::Column::EventId.is_in(attempts.iter().copied()))
        .filter(personal::Column::Field.eq("actor"))
        .all(&tx.inner)
        .await?;
    Ok((attempts, actors))
}

impl ForeignAttempt {
    /// How often this person has done it before.
    async fn earlier<No>(&self, tx: &Tx) -> Result<usize, Fault<No>> {
        let (_, actors) = attempts(tx, self.hand_over.workflow).await?;
        let key = self.by.key();
        let same = |text: &String| EmailAddress::parse(text).is_ok_and(|address| address.key() == key);
        Ok(actors.iter().filter(|row| row.clear_text.as_ref().is_some_and(same)).count())
    }
}
