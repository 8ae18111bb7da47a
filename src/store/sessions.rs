//! Sessions: who has signed in, in which browser, and until when.
//!
//! Must hold: a session's id never comes here, only its hash; a session that was ended stays ended; every begin and
//! every early end has its audit event. Deliberately absent: the idle limit, which the cookie carries, since looking
//! may not write.

use async_trait::async_trait;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _, Set};

use super::deed::{Deed, Fault, Tx};
use super::fault::ReadFault;
use super::rows::session as rows;
use super::{Store, audit};
use crate::clock::Stamp;
use crate::domain::audit::{Actor, EventKind, NewEvent};
use crate::domain::canon::Digest;
use crate::domain::ids::ChainId;
use crate::domain::names::EmailAddress;
use crate::domain::time::Timestamp;

/// Somebody who has signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// What it is found by.
    pub id_hash: Digest,
    /// Who.
    pub address: EmailAddress,
    /// The chain that tells of it.
    pub chain: ChainId,
    /// When the code was entered.
    pub began_at: Timestamp,
    /// It holds no longer than this.
    pub ends_at: Timestamp,
}

/// A session that is about to begin.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// What it will be found by.
    pub id_hash: Digest,
    /// It holds no longer than this.
    pub ends_at: Timestamp,
    /// The session that the same browser had before.
    pub replaces: Option<Digest>,
}

/// Why a session ended before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// By its owner.
    SignedOut,
    /// The same browser signed in once more.
    SignedInAnew,
    /// By an operator.
    Revoked,
}

impl Ended {
    const fn word(self) -> &'static str {
        match self {
            Self::SignedOut => "signed_out",
            Self::SignedInAnew => "signed_in_anew",
            Self::Revoked => "revoked",
        }
    }

    const fn in_words(self) -> &'static str {
        match self {
            Self::SignedOut => "signed out",
            Self::SignedInAnew => "signed in anew in the same browser",
            Self::Revoked => "ended by an operator",
        }
    }
}

/// The session that a hash belongs to, if it holds at this moment.
pub async fn standing(store: &Store, id_hash: Digest, now: Timestamp) -> Result<Option<Session>, ReadFault> {
    let row = rows::Entity::find_by_id(id_hash.0.to_vec())
        .filter(rows::Column::EndedAt.is_null())
        .filter(rows::Column::EndsAt.gt(now.as_utc()))
        .one(store.reads())
        .await?;
    row.map(Session::from_row).transpose()
}

/// Begins one, in the transaction that takes its code.
pub(super) async fn begin<No>(
    tx: &mut Tx,
    new: &NewSession,
    address: &EmailAddress,
    chain: ChainId,
) -> Result<(), Fault<No>> {
    if let Some(before) = new.replaces {
        let actor = Actor::Person(address.clone());
        end(tx, open(before), Ended::SignedInAnew, &actor, None).await?;
    }
    let row = rows::ActiveModel {
        id_hash: Set(new.id_hash.0.to_vec()),
        chain: Set(chain.0),
        address: Set(address.as_str().to_owned()),
        address_key: Set(address.key()),
        began_at: Set(tx.at.as_utc()),
        ends_at: Set(new.ends_at.as_utc()),
        ended_at: Set(None),
        ended_because: Set(None),
    };
    rows::Entity::insert(row).exec_without_returning(&tx.inner).await?;
    let event = NewEvent::new(EventKind::SignedIn, Actor::Person(address.clone()))
        .text("sign_in", "code")
        .text("until", new.ends_at.to_string());
    audit::append(tx, chain, event).await?;
    Ok(())
}

/// Is this session there already? Then the deed that begins it has been done.
pub(super) async fn has_begun<No>(tx: &Tx, id_hash: Digest) -> Result<bool, Fault<No>> {
    Ok(rows::Entity::find_by_id(id_hash.0.to_vec()).one(&tx.inner).await?.is_some())
}

/// Ends one session, by its owner.
pub struct SignOut {
    /// Time and ids.
    pub stamp: Stamp,
    /// Which one.
    pub session: Session,
}

#[async_trait]
impl Deed for SignOut {
    type Done = ();
    type No = std::convert::Infallible;

    fn name(&self) -> &'static str {
        "sign_out"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    async fn perform(&self, tx: &mut Tx) -> Result<(), Fault<Self::No>> {
        let actor = Actor::Person(self.session.address.clone());
        end(tx, open(self.session.id_hash), Ended::SignedOut, &actor, None).await?;
        Ok(())
    }
}

/// Ends every session of an address, by an operator.
pub struct Revoke {
    /// Time and ids.
    pub stamp: Stamp,
    /// Whose.
    pub address: EmailAddress,
    /// By whom.
    pub by: String,
    /// Why, in the person's words.
    pub reason: String,
}

#[async_trait]
impl Deed for Revoke {
    /// How many there were.
    type Done = usize;
    type No = std::convert::Infallible;

    fn name(&self) -> &'static str {
        "revoke_sessions"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    async fn perform(&self, tx: &mut Tx) -> Result<usize, Fault<Self::No>> {
        let all = rows::Entity::find()
            .filter(rows::Column::AddressKey.eq(self.address.key()))
            .filter(rows::Column::EndedAt.is_null())
            .filter(rows::Column::EndsAt.gt(tx.at.as_utc()));
        let actor = Actor::Operator(self.by.clone());
        end(tx, all, Ended::Revoked, &actor, Some(&self.reason)).await
    }
}

fn open(id_hash: Digest) -> sea_orm::Select<rows::Entity> {
    rows::Entity::find_by_id(id_hash.0.to_vec()).filter(rows::Column::EndedAt.is_null())
}

async fn end<No>(
    tx: &mut Tx,
    which: sea_orm::Select<rows::Entity>,
    ended: Ended,
    by: &Actor,
    reason: Option<&str>,
) -> Result<usize, Fault<No>> {
    let rows = which.order_by_asc(rows::Column::BeganAt).lock_exclusive().all(&tx.inner).await?;
    let count = rows.len();
    for row in rows {
        let over = rows::ActiveModel {
            id_hash: Set(row.id_hash.clone()),
            ended_at: Set(Some(tx.at.as_utc())),
            ended_because: Set(Some(ended.word().to_owned())),
            ..Default::default()
        };
        rows::Entity::update(over).exec(&tx.inner).await?;
        let mut event = NewEvent::new(EventKind::SignedOut, by.clone())
            .text("because", ended.in_words())
            .personal("whose", row.address.clone());
        if let Some(reason) = reason {
            event = event.personal("reason", reason);
        }
        audit::append(tx, ChainId(row.chain), event).await?;
    }
    Ok(count)
}

impl Session {
    fn from_row(row: rows::Model) -> Result<Self, ReadFault> {
        let id_hash = audit::digest("sessions", "of a session", &row.id_hash)?;
        let wrong = |wrong| ReadFault::Inconsistent { table: "sessions", row: id_hash.short(), wrong };
        Ok(Self {
            id_hash,
            address: EmailAddress::parse(&row.address).map_err(|_| wrong("not a mail address"))?,
            chain: ChainId(row.chain),
            began_at: Timestamp::from_utc(row.began_at),
            ends_at: Timestamp::from_utc(row.ends_at),
        })
    }
}
