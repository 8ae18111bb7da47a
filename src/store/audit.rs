//! Writing the audit trail, and reading one chain of it.
//!
//! Must hold: an event is appended in the transaction of the change it records; its place in the chain is taken
//! there and then; its clear personal values stand apart. The place in the global log comes later (see `seals`).

use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _, Set};

use super::deed::{Fault, Tx};
use super::fault::ReadFault;
use super::rows::{event, personal, unsealed};
use super::{Store, deed};
use crate::domain::audit::{EventRead, NewEvent, Place};
use crate::domain::canon::{CanonicalBytes, Digest, Tag};
use crate::domain::ids::{ChainId, EventId};

/// Appends one event to a chain.
pub(super) async fn append<No>(tx: &mut Tx, chain: ChainId, new: NewEvent) -> Result<EventId, Fault<No>> {
    let last = event::Entity::find()
        .filter(event::Column::Chain.eq(chain.0))
        .order_by_desc(event::Column::Position)
        .one(&tx.inner)
        .await?;
    let (position, previous) = match &last {
        None => (1, Place::origin(chain)),
        Some(row) => (row.position + 1, digest("audit_events", row.id, &row.hash)?),
    };
    let id = tx.id(EventId::made);
    let place = Place { id, chain, position, previous, at: tx.at };
    let draw = &mut tx.draw;
    let written = new.write(&place, &mut || draw.salt());
    let row = event::ActiveModel {
        id: Set(id.0),
        chain: Set(chain.0),
        position: Set(position),
        at: Set(place.at.as_utc()),
        kind: Set(written.kind.as_str().to_owned()),
        bytes: Set(written.bytes.as_slice().to_vec()),
        hash: Set(written.hash.0.to_vec()),
    };
    event::Entity::insert(row).exec_without_returning(&tx.inner).await?;
    for value in written.personal {
        let row = personal::ActiveModel {
            event_id: Set(id.0),
            field: Set(value.field),
            salt: Set(value.salt.to_vec()),
            clear_text: Set(Some(value.text)),
        };
        personal::Entity::insert(row).exec_without_returning(&tx.inner).await?;
    }
    let waiting = unsealed::ActiveModel { event_id: Set(id.0), ..Default::default() };
    unsealed::Entity::insert(waiting).exec_without_returning(&tx.inner).await?;
    Ok(id)
}

/// Appends several events to one chain, in order.
pub(super) async fn append_all<No>(
    tx: &mut Tx,
    chain: ChainId,
    events: impl IntoIterator<Item = NewEvent>,
) -> Result<(), deed::Fault<No>> {
    for new in events {
        append(tx, chain, new).await?;
    }
    Ok(())
}

/// A hash column as a value.
pub(super) fn digest(
    table: &'static str,
    row: impl std::fmt::Display,
    bytes: &[u8],
) -> Result<Digest, ReadFault> {
    let wrong =
        || ReadFault::Inconsistent { table, row: row.to_string(), wrong: "a hash is not 32 bytes long" };
    Digest::from_slice(bytes).ok_or_else(wrong)
}

/// An event with its clear personal values, as far as they are still kept.
#[derive(Debug, Clone)]
pub struct Told {
    /// What the bytes say.
    pub event: EventRead,
    /// SHA-256 of the bytes.
    pub hash: Digest,
    /// Clear text by field.
    pub personal: Vec<(String, String)>,
}

impl Told {
    /// A personal value in clear, if it is still kept.
    pub fn personal(&self, field: &str) -> Option<&str> {
        self.personal.iter().find(|(name, _)| name == field).map(|(_, text)| text.as_str())
    }

    /// A fact in text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.event.facts.get(name).and_then(serde_json::Value::as_str)
    }
}

/// The events of a chain after a position, in order, at most `most`.
pub async fn chain(store: &Store, chain: ChainId, after: i64, most: u64) -> Result<Vec<Told>, ReadFault> {
    let rows = event::Entity::find()
        .filter(event::Column::Chain.eq(chain.0))
        .filter(event::Column::Position.gt(after))
        .order_by_asc(event::Column::Position)
        .limit(most)
        .all(store.reads())
        .await?;
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    let clear =
        personal::Entity::find().filter(personal::Column::EventId.is_in(ids)).all(store.reads()).await?;
    rows.into_iter()
        .map(|row| {
            let hash = digest("audit_events", row.id, &row.hash)?;
            let personal = clear
                .iter()
                .filter(|value| value.event_id == row.id)
                .filter_map(|value| Some((value.field.clone(), value.clear_text.clone()?)))
                .collect();
            Ok(Told { event: CanonicalBytes::stored(row.bytes).open(Tag::Event)?, hash, personal })
        })
        .collect()
}

/// The last position of a chain; zero when it has none.
pub async fn last_position(store: &Store, chain: ChainId) -> Result<i64, ReadFault> {
    let last = event::Entity::find()
        .filter(event::Column::Chain.eq(chain.0))
        .order_by_desc(event::Column::Position)
        .one(store.reads())
        .await?;
    Ok(last.map_or(0, |row| row.position))
}
