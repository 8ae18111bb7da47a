//! The order of events of one person: by what the source counts, else by when it happened.
//!
//! Must hold: numbers of two sources are not compared; what says nothing, or says the same, is in no order.

use crate::domain::time::Timestamp;

/// What a request says of its place among the events of its person.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Placed {
    /// Grows with each event of the person, where the source counts.
    pub sequence: Option<u64>,
    /// When it happened at the source.
    pub occurred_at: Option<Timestamp>,
}

/// Whose event it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// That of the source of what comes in.
    Same,
    /// That of another source of the same people.
    Other,
}

/// The newest event that was heard of a person, by one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Whose it was.
    pub sender: Sender,
    /// Its place.
    pub placed: Placed,
}

/// How an event stands to those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Age {
    /// Newer than all that are known.
    Newer,
    /// Older than one that is known.
    Older,
    /// Nothing tells.
    Unknown,
}

/// Compares an event with the newest ones that were heard before.
pub fn age(placed: Placed, known: &[Known]) -> Age {
    let each = || known.iter().map(|known| one(placed, known));
    if each().any(|age| age == Age::Older) {
        Age::Older
    } else if each().any(|age| age == Age::Newer) {
        Age::Newer
    } else {
        Age::Unknown
    }
}

fn one(placed: Placed, known: &Known) -> Age {
    let counted = match (known.sender, placed.sequence, known.placed.sequence) {
        (Sender::Same, Some(ours), Some(theirs)) => Some(ours.cmp(&theirs)),
        (Sender::Same | Sender::Other, _, _) => None,
    };
    let dated = match (placed.occurred_at, known.placed.occurred_at) {
        (Some(ours), Some(theirs)) => Some(ours.cmp(&theirs)),
        (None, _) | (_, None) => None,
    };
    match counted.or(dated) {
        Some(std::cmp::Ordering::Less) => Age::Older,
        Some(std::cmp::Ordering::Greater) => Age::Newer,
        Some(std::cmp::Ordering::Equal) | None => Age::Unknown,
    }
}
