//! Hand-overs: the initial password of a finished account on its way to one person.
//!
//! Must hold: a password is on offer once, to a recipient who was never asked to approve the same workflow; what was
//! shown stays readable in the same session for a few minutes and is then erased; whoever else reaches for it is told
//! to the operators; every change has its audit event in the same transaction. Clear text never comes here.

use async_trait::async_trait;
use chrono::TimeDelta;
use sea_orm::sea_query::Query;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _, Set};

use super::deed::{Deed, Fault, Tx};
use super::fault::ReadFault;
use super::rows::{hand_over as rows, secret, workflow};
use super::secrets::{self, Sealed};
use super::workflows::{self, Workflow};
use super::{Store, asks, audit, outbox, plans};
use crate::clock::Stamp;
use crate::domain::audit::{Actor, EventKind, NewEvent};
use crate::domain::canon::Digest;
use crate::domain::ids::{SecretId, WorkflowId};
use crate::domain::names::EmailAddress;
use crate::domain::plan::HandOver as Recipient;
use crate::domain::time::Timestamp;

/// A password that nobody fetches is erased after so long.
pub(super) const OFFERED: TimeDelta = TimeDelta::days(7);
/// So long the same session may read what it was shown.
const READABLE: TimeDelta = TimeDelta::minutes(5);

/// Where a hand-over stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nobody has seen the password; it is erased at this moment.
    Waiting(Timestamp),
    /// It was shown, and may be read again in the same session until this moment.
    Revealed(Timestamp),
    /// It was shown and is erased.
    Destroyed,
    /// Nobody fetched it; it is erased.
    Expired,
}

/// One hand-over.
#[derive(Debug, Clone)]
pub struct HandOver {
    /// Which password.
    pub secret: SecretId,
    /// Of which workflow.
    pub workflow: WorkflowId,
    /// To whom; to nobody but an operator when absent.
    pub recipient: Option<EmailAddress>,
    /// What the link is found by.
    pub link_hash: Option<Digest>,
    /// Where it stands.
    pub state: State,
    /// In which session it was shown.
    pub session: Option<Digest>,
}

/// The hand-over that a link leads to.
pub async fn by_link(store: &Store, link_hash: Digest) -> Result<Option<HandOver>, ReadFault> {
    let found = rows::Entity::find().filter(rows::Column::LinkHash.eq(link_hash.0.to_vec()));
    found.one(store.reads()).await?.map(HandOver::from_row).transpose()
}

/// The hand-over of a workflow.
pub async fn of_workflow(store: &Store, workflow: WorkflowId) -> Result<Option<HandOver>, ReadFault> {
    let found = rows::Entity::find().filter(rows::Column::WorkflowId.eq(workflow.0));
    found.one(store.reads()).await?.map(HandOver::from_row).transpose()
}

/// Passwords of finished accounts that are on offer to nobody yet.
pub async fn not_offered(store: &Store, most: u64) -> Result<Vec<(SecretId, WorkflowId)>, ReadFault> {
    let offered = Query::select().column(rows::Column::SecretId).from(rows::Entity).to_owned();
    let finished = Query::select()
        .column(workflow::Column::Id)
        .from(workflow::Entity)
        .and_where(workflow::Column::State.eq("succeeded"))
        .to_owned();
    let found = secret::Entity::find()
        .filter(secret::Column::State.eq("sealed"))
        .filter(secret::Column::WorkflowId.in_subquery(finished))
        .filter(secret::Column::Id.not_in_subquery(offered))
        .order_by_asc(secret::Column::MadeAt)
        .limit(most)
        .all(store.reads())
        .await?;
    Ok(found.into_iter().map(|row| (SecretId(row.id), WorkflowId(row.workflow_id))).collect())
}

/// Passwords that are due to be erased, the longest due first.
pub async fn due(store: &Store, now: Timestamp, most: u64) -> Result<Vec<SecretId>, ReadFault> {
    let rows = rows::Entity::find()
        .filter(rows::Column::State.is_in(["waiting", "revealed"]))
        .filter(rows::Column::DueAt.lte(now.as_utc()))
        .order_by_asc(rows::Column::DueAt)
        .limit(most)
        .all(store.reads())
        .await?;
    Ok(rows.into_iter().map(|row| SecretId(row.secret_id)).collect())
}

/// When the next password falls due to be erased.
pub async fn next_due(store: &Store) -> Result<Option<Timestamp>, ReadFault> {
    let row = rows::Entity::find()
        .filter(rows::Column::State.is_in(["waiting", "revealed"]))
        .order_by_asc(rows::Column::DueAt)
        .limit(1)
        .one(store.reads())
        .await?;
    Ok(row.map(|row| Timestamp::from_utc(row.due_at)))
}

/// Why a hand-over does not do what was wanted of it. Nothing was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotHandedOver {
    /// Somebody or something was first.
    #[error("this hand-over has moved on")]
    MovedOn,
    /// The password is erased, or was shown in another session.
    #[error("the password is not to be had any more")]
    Gone,
}

/// Whom a password is offered to.
pub enum OfferedTo {
    /// This person; and what the link is found by.
    Person(EmailAddress, Digest),
    /// Nobody, as approved.
    Nobody,
    /// Nobody, because what was approved cannot be read any more; in words.
    Unreadable(String),
}

/// Offers a password, and owes the recipient a mail.
pub struct Offer {
    /// Time and ids.
    pub stamp: Stamp,
    /// Which password.
    pub secret: SecretId,
    /// Of which workflow.
    pub workflow: WorkflowId,
    /// To whom.
    pub to: OfferedTo,
}

#[async_trait]
impl Deed for Offer {
    type Done = ();
    type No = NotHandedOver;

    fn name(&self) -> &'static str {
        "offer_password"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    async fn perform(&self, tx: &mut Tx) -> Result<(), Fault<NotHandedOver>> {
        workflows::locked(tx, self.workflow).await?;
        let standing = secrets::sealed(tx, self.workflow).await?;
        let offered = rows::Entity::find_by_id(self.secret.0).one(&tx.inner).await?;
        if offered.is_some() || standing.is_none_or(|sealed| sealed.id != self.secret) {
            return Err(Fault::Refused(NotHandedOver::MovedOn));
        }
        let asked = asks::approver_keys(tx, self.workflow).await?;
        let named = match &self.to {
            OfferedTo::Person(person, hash) => Some((person, hash)),
            OfferedTo::Nobody | OfferedTo::Unreadable(_) => None,
        };
        let to = named.filter(|(person, _)| !asked.contains(&person.key()));
        let row = rows::ActiveModel {
            secret_id: Set(self.secret.0),
            workflow_id: Set(self.workflow.0),
            recipient: Set(to.map(|(person, _)| person.as_str().to_owned())),
            link_hash: Set(to.map(|(_, hash)| hash.0.to_vec())),
            state: Set("waiting".to_owned()),
            due_at: Set(tx.at.plus(OFFERED).as_utc()),
            revealed_at: Set(None),
            session_hash: Set(None),
            ended_at: Set(None),
        };
        rows::Entity::insert(row).exec_without_returning(&tx.inner).await?;
        let mut event = NewEvent::new(EventKind::CredentialOffered, Actor::Countersign)
            .text("secret", self.secret.to_string())
            .text("until", tx.at.plus(OFFERED).to_string());
        if let Some((person, _)) = to {
            event = event.personal("recipient", person.as_str());
        }
        audit::append(tx, self.workflow.into(), event).await?;
        let why = match (to, &self.to) {
            (Some((person, _)), _) => return outbox::owe_hand_over(tx, self.workflow, person).await,
            (None, OfferedTo::Nobody) => return Ok(()),
            (None, OfferedTo::Person(..)) => "its recipient was asked to approve the same request".to_owned(),
            (None, OfferedTo::Unreadable(words)) => format!("whom it is for cannot be read: {words}"),
        };
        let because = format!(
            "the initial password is handed over to nobody: {why}; an operator can show it with `countersign credential \
             reveal`"
        );
        outbox::raise_alarm(tx, self.workflow.into(), Some(self.workflow), &because).await
    }
}

/// Shows the password to its recipient: for the first time, or once more in the same session.
pub struct Reveal {
    /// Time and ids.
    pub stamp: Stamp,
    /// Which hand-over.
    pub hand_over: HandOver,
    /// Who has signed in.
    pub by: EmailAddress,
    /// In which session.
    pub session: Digest,
}

#[async_trait]
impl Deed for Reveal {
    /// The sealed value, and the end of the time in which it may be read again.
    type Done = (Sealed, Timestamp);
    type No = NotHandedOver;

    fn name(&self) -> &'static str {
        "reveal_to_recipient"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    async fn perform(&self, tx: &mut Tx) -> Result<Self::Done, Fault<NotHandedOver>> {
        let workflow = self.hand_over.workflow;
        workflows::locked(tx, workflow).await?;
        let standing = locked(tx, self.hand_over.secret).await?.ok_or(Fault::Refused(NotHandedOver::Gone))?;
        let (until, again) = match standing.state {
            State::Waiting(end) if tx.at < end => (tx.at.plus(READABLE), 0_i64),
            State::Revealed(end) if tx.at < end && standing.session == Some(self.session) => (end, 1),
            State::Waiting(_) | State::Revealed(_) | State::Destroyed | State::Expired => {
                return Err(Fault::Refused(NotHandedOver::Gone));
            }
        };
        if standing.recipient.as_ref().is_none_or(|recipient| recipient.mailbox() != self.by.mailbox()) {
            return Err(Fault::Refused(NotHandedOver::Gone));
        }
        let sealed = secrets::sealed(tx, workflow).await?.filter(|sealed| sealed.id == standing.secret);
        let sealed = sealed.ok_or(Fault::Refused(NotHandedOver::Gone))?;
        if again == 0 {
            let shown = rows::ActiveModel {
                secret_id: Set(standing.secret.0),
                state: Set("revealed".to_owned()),
                due_at: Set(until.as_utc()),
                revealed_at: Set(Some(tx.at.as_utc())),
                session_hash: Set(Some(self.session.0.to_vec())),
                ..Default::default()
            };
            rows::Entity::update(shown).exec(&tx.inner).await?;
        }
        let event = NewEvent::new(EventKind::CredentialRevealed, Actor::Person(self.by.clone()))
            .text("secret", standing.secret.to_string())
            .text("readable_until", until.to_string())
            .number("again", again);
        audit::append(tx, workflow.into(), event).await?;
        Ok((sealed, until))
    }
}

/// Erases a password whose time is over.
pub struct Erase {
    /// Time and ids.
    pub stamp: Stamp,
    /// Which one.
    pub secret: SecretId,
}

#[async_trait]
impl Deed for Erase {
    type Done = ();
    type No = NotHandedOver;

    fn name(&self) -> &'static str {
        "erase_password"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    async fn perform(&self, tx: &mut Tx) -> Result<(), Fault<NotHandedOver>> {
        // The workflow is locked first, here as everywhere, so that no two deeds wait for each other.
        let named = rows::Entity::find_by_id(self.secret.0).one(&tx.inner).await?;
        let named = named.ok_or(Fault::Refused(NotHandedOver::MovedOn))?;
        let workflow = workflows::locked(tx, WorkflowId(named.workflow_id)).await?;
        let found = locked(tx, self.secret).await?.ok_or(Fault::Refused(NotHandedOver::MovedOn))?;
        match found.state {
            State::Revealed(end) if end <= tx.at => {
                end_with(tx, &found, "destroyed").await?;
                secrets::erase(tx, found.secret, found.workflow, "it was shown, and its time is over").await
            }
            State::Waiting(end) if end <= tx.at && is_for_nobody(tx, &workflow).await? => {
                end_with(tx, &found, "expired").await?;
                secrets::erase(tx, found.secret, found.workflow, "it was for nobody, and its time is over")
                    .await
            }
            State::Waiting(end) if end <= tx.at => {
                end_with(tx, &found, "expired").await?;
                secrets::erase(tx, found.secret, found.workflow, "nobody fetched it in time").await?;
                let because = "nobody fetched the initial password in time, so it is erased; the account needs a new one";
                outbox::raise_alarm(tx, found.workflow.into(), Some(found.workflow), because).await
            }
            State::Waiting(_) | State::Revealed(_) | State::Destroyed | State::Expired => {
                Err(Fault::Refused(NotHandedOver::MovedOn))
            }
        }
    }
}

/// An operator takes the password out instead: the link opens nothing any more. `false` when its recipient has seen it.
pub(super) async fn overtaken<No>(tx: &Tx, workflow: WorkflowId) -> Result<bool, Fault<No>> {
    let row = rows::Entity::find()
        .filter(rows::Column::WorkflowId.eq(workflow.0))
        .lock_exclusive()
        .one(&tx.inner)
        .await?;
    let Some(found) = row.map(HandOver::from_row).transpose()? else { return Ok(true) };
    match found.state {
        State::Waiting(_) => {
            end_with(tx, &found, "destroyed").await?;
            Ok(true)
        }
        State::Revealed(_) | State::Destroyed | State::Expired => Ok(false),
    }
}

/// Was a plan approved that hands the password over to nobody? Then it is no news that nobody has fetched it.
async fn is_for_nobody<No>(tx: &Tx, workflow: &Workflow) -> Result<bool, Fault<No>> {
    // A plan that cannot be read is told where it is needed; here it must not keep a password.
    let plan = plans::readable(tx, workflow).await?;
    Ok(plan.is_some_and(|plan| plan.hand_over == Recipient::Nobody))
}

async fn locked<No>(tx: &Tx, secret: SecretId) -> Result<Option<HandOver>, Fault<No>> {
    let row = rows::Entity::find_by_id(secret.0).lock_exclusive().one(&tx.inner).await?;
    Ok(row.map(HandOver::from_row).transpose()?)
}

async fn end_with<No>(tx: &Tx, hand_over: &HandOver, state: &str) -> Result<(), Fault<No>> {
    let row = rows::ActiveModel {
        secret_id: Set(hand_over.secret.0),
        state: Set(state.to_owned()),
        ended_at: Set(Some(tx.at.as_utc())),
        ..Default::default()
    };
    rows::Entity::update(row).exec(&tx.inner).await?;
    Ok(())
}

impl HandOver {
    fn from_row(row: rows::Model) -> Result<Self, ReadFault> {
        let wrong =
            |wrong| ReadFault::Inconsistent { table: "hand_overs", row: row.secret_id.to_string(), wrong };
        let due = Timestamp::from_utc(row.due_at);
        let state = match row.state.as_str() {
            "waiting" => State::Waiting(due),
            "revealed" => State::Revealed(due),
            "destroyed" => State::Destroyed,
            "expired" => State::Expired,
            _ => return Err(wrong("an unknown state")),
        };
        let hash = |bytes: &Option<Vec<u8>>| {
            bytes.as_ref().map(|bytes| audit::digest("hand_overs", row.secret_id, bytes)).transpose()
        };
        let recipient = row.recipient.as_deref().map(EmailAddress::parse).transpose();
        Ok(Self {
            secret: SecretId(row.secret_id),
            workflow: WorkflowId(row.workflow_id),
            recipient: recipient.map_err(|_| wrong("not a mail address"))?,
            link_hash: hash(&row.link_hash)?,
            state,
            session: hash(&row.session_hash)?,
        })
    }
}
