//! The global log: each committed event gets its place, in batches, and the head is signed.
//!
//! Must hold: numbers are gapless and each event has one; within a chain the order of the log is the order of the
//! chain, since arrivals of one chain are numbered in the transactions that wrote it, one after the other.

use std::collections::HashMap;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, Set,
};

use super::deed::{Deed, Fault, Tx};
use super::fault::ReadFault;
use super::rows::{event, head, lease, personal, seal, unsealed};
use super::{Store, audit};
use crate::clock::Stamp;
use crate::domain::audit::{log_origin, seal_hash};
use crate::domain::canon::Digest;
use crate::domain::time::Timestamp;
use crate::key::KeyRing;

/// Seals the next batch of events.
pub struct SealBatch {
    /// Time and ids.
    pub stamp: Stamp,
    /// Signs the head.
    pub keys: KeyRing,
    /// At most so many events.
    pub most: u64,
}

/// The end of the global log, signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// How many events the log holds.
    pub number: i64,
    /// What stands at that place.
    pub hash: Digest,
    /// Ed25519 over [`Head::signed_text`].
    pub signature: Vec<u8>,
}

impl Head {
    /// The text that is signed.
    pub fn signed_text(number: i64, hash: Digest) -> String {
        format!("{HEAD_VERSION} {number} {hash}")
    }

    /// The one line under which a head travels outside: version, number, SHA-256, Ed25519 signature in base64.
    pub fn line(&self) -> String {
        format!("{} {}", Self::signed_text(self.number, self.hash), STANDARD.encode(&self.signature))
    }

    /// Reads [`Head::line`] back; blanks around it do not matter, anything else does. Whether the signature is
    /// genuine is not looked at.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let mut parts = text.split(' ').skip(1);
        let number = parts.next()?.parse().ok().filter(|number| *number > 0)?;
        let hash = Digest::parse(parts.next()?)?;
        let signature = STANDARD.decode(parts.next()?).ok().filter(|bytes| bytes.len() == SIGNATURE_BYTES)?;
        let head = Self { number, hash, signature };
        // Version, capitals, signs and a fifth word: whatever is not spelled as we spell it is no head of ours.
        (head.line() == text).then_some(head)
    }
}

/// The first word of a head: its version.
const HEAD_VERSION: &str = "countersign-head-1";

/// The length of an Ed25519 signature (RFC 8032, section 5.1.6).
const SIGNATURE_BYTES: usize = 64;

#[async_trait]
impl Deed for SealBatch {
    type Done = u64;
    type No = std::convert::Infallible;

    fn name(&self) -> &'static str {
        "seal_batch"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    fn concerns_others(&self) -> bool {
        false
    }

    async fn perform(&self, tx: &mut Tx) -> Result<u64, Fault<Self::No>> {
        // One sealer at a time: the others wait for this row, then find nothing left.
        take_turn(tx).await?;
        let waiting = unsealed::Entity::find()
            .order_by_asc(unsealed::Column::Arrival)
            .limit(self.most)
            .all(&tx.inner)
            .await?;
        if waiting.is_empty() {
            return Ok(0);
        }
        let last = seal::Entity::find().order_by_desc(seal::Column::Number).one(&tx.inner).await?;
        let (mut number, mut hash) = match &last {
            None => (0, log_origin()),
            Some(row) => (row.number, audit::digest("seals", row.number, &row.seal_hash)?),
        };
        for row in &waiting {
            let sealed = event::Entity::find_by_id(row.event_id).one(&tx.inner).await?;
            let sealed = sealed.ok_or_else(|| Fault::Broken(format!("event {} is gone", row.event_id)))?;
            let event_hash = audit::digest("audit_events", sealed.id, &sealed.hash)?;
            number += 1;
            hash = seal_hash(hash, number, event_hash);
            let place = seal::ActiveModel {
                number: Set(number),
                event_id: Set(sealed.id),
                event_hash: Set(event_hash.0.to_vec()),
                seal_hash: Set(hash.0.to_vec()),
            };
            seal::Entity::insert(place).exec_without_returning(&tx.inner).await?;
        }
        let arrivals: Vec<i64> = waiting.iter().map(|row| row.arrival).collect();
        unsealed::Entity::delete_many()
            .filter(unsealed::Column::Arrival.is_in(arrivals))
            .exec(&tx.inner)
            .await?;
        let signature = self.keys.signer().sign(Head::signed_text(number, hash).as_bytes());
        let row = head::ActiveModel {
            number: Set(number),
            hash: Set(hash.0.to_vec()),
            signature: Set(signature.to_vec()),
            signed_at: Set(tx.at.as_utc()),
        };
        head::Entity::insert(row).exec_without_returning(&tx.inner).await?;
        Ok(u64::try_from(waiting.len()).unwrap_or(u64::MAX))
    }
}

async fn take_turn<No>(tx: &Tx) -> Result<(), Fault<No>> {
    const NAME: &str = "sealer";
    let row = lease::ActiveModel {
        name: Set(NAME.to_owned()),
        holder: Set(uuid::Uuid::nil()),
        fence: Set(1),
        held_until: Set(tx.at.as_utc()),
        workflow_id: Set(None),
    };
    lease::Entity::insert(row)
        .on_conflict_do_nothing_on([lease::Column::Name])
        .exec_without_returning(&tx.inner)
        .await?;
    lease::Entity::find_by_id(NAME).lock_exclusive().one(&tx.inner).await?;
    Ok(())
}

/// The latest head, if anything is sealed yet.
pub async fn latest_head(store: &Store) -> Result<Option<Head>, ReadFault> {
    let row = head::Entity::find().order_by_desc(head::Column::Number).one(store.reads()).await?;
    row.map(head_of).transpose()
}

/// The head of a row.
pub(super) fn head_of(row: head::Model) -> Result<Head, ReadFault> {
    let hash = audit::digest("heads", row.number, &row.hash)?;
    Ok(Head { number: row.number, hash, signature: row.signature })
}

/// How many events wait for their place.
pub async fn waiting(store: &Store) -> Result<u64, ReadFault> {
    Ok(unsealed::Entity::find().count(store.reads()).await?)
}

/// One place of the global log with the event that stands there, as raw as the verifier needs it.
#[derive(Debug, Clone)]
pub struct Sealed {
    /// The place.
    pub number: i64,
    /// The hash that was sealed.
    pub event_hash: Vec<u8>,
    /// The hash of the log up to here.
    pub seal_hash: Vec<u8>,
    /// The event's row, unless it is gone.
    pub event: Option<StoredEvent>,
    /// What is kept of its personal values.
    pub personal: Vec<Kept>,
}

/// What is kept beside an event of one personal value.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The name under which the event commits to it.
    pub field: String,
    /// What it is hidden with.
    pub salt: Vec<u8>,
    /// The value, unless it was cleared.
    pub text: Option<String>,
}

/// An event's row.
#[derive(Debug, Clone)]
pub struct StoredEvent {
    /// Its id.
    pub id: uuid::Uuid,
    /// Its chain.
    pub chain: uuid::Uuid,
    /// Its place in the chain.
    pub position: i64,
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: String,
    /// The canonical bytes.
    pub bytes: Vec<u8>,
    /// Their hash as it was stored.
    pub hash: Vec<u8>,
}

/// A stretch of the global log, from after a place, in order.
pub async fn stretch(store: &Store, after: i64, most: u64) -> Result<Vec<Sealed>, ReadFault> {
    let places = seal::Entity::find()
        .filter(seal::Column::Number.gt(after))
        .order_by_asc(seal::Column::Number)
        .limit(most)
        .all(store.reads())
        .await?;
    let ids: Vec<_> = places.iter().map(|row| row.event_id).collect();
    let events =
        event::Entity::find().filter(event::Column::Id.is_in(ids.clone())).all(store.reads()).await?;
    let clear =
        personal::Entity::find().filter(personal::Column::EventId.is_in(ids)).all(store.reads()).await?;
    let mut events: HashMap<_, _> = events.into_iter().map(|row| (row.id, row)).collect();
    let mut values = kept(clear);
    Ok(places
        .into_iter()
        .map(|place| Sealed {
            number: place.number,
            event_hash: place.event_hash,
            seal_hash: place.seal_hash,
            event: events.remove(&place.event_id).map(stored),
            personal: values.remove(&place.event_id).unwrap_or_default(),
        })
        .collect())
}

/// Personal values by event.
pub(super) fn kept(rows: Vec<personal::Model>) -> HashMap<uuid::Uuid, Vec<Kept>> {
    let mut values: HashMap<uuid::Uuid, Vec<_>> = HashMap::new();
    for row in rows {
        let value = Kept { field: row.field, salt: row.salt, text: row.clear_text };
        values.entry(row.event_id).or_default().push(value);
    }
    values
}

pub(super) fn stored(row: event::Model) -> StoredEvent {
    StoredEvent {
        id: row.id,
        chain: row.chain,
        position: row.position,
        at: Timestamp::from_utc(row.at),
        kind: row.kind,
        bytes: row.bytes,
        hash: row.hash,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_as_it_is_written_and_nothing_else_is() {
        let head = Head { number: 12, hash: Digest::of_bytes(b"log"), signature: vec![7; 64] };
        let line = head.line();
        assert!(line.starts_with("countersign-head-1 12 ") && !line.contains('\n'), "{line}");
        assert_eq!(Head::parse(&format!(" {line}\r\n")), Some(head.clone()));
        let short = Head { signature: vec![7; 63], ..head };
        for bad in [
            line.replace("head-1", "head-2"),
            line.replace(" 12 ", " +12 "),
            line.replace(" 12 ", " -12 "),
            line.replace(" 12 ", "  12 "),
            line.to_uppercase(),
            format!("{line} more"),
            line[..line.len() - 1].to_owned(),
            short.line(),
            String::new(),
        ] {
            assert_eq!(Head::parse(&bad), None, "{bad}");
        }
    }
}
