//! What an examination of the trail finds, in words for a person.
//!
//! Must hold: a finding names its record as exactly as can be told, and never repeats a personal value.

use std::fmt;

use crate::domain::ids::{ChainId, EventId};

/// The result of an examination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// So many events were examined.
    pub events: u64,
    /// The log reaches to this number.
    pub sealed_to: i64,
    /// So many events wait for their place in the log.
    pub waiting: u64,
    /// So many plans were made before the trail told who is asked about a plan. Whether that was changed cannot be said.
    pub not_covered: u64,
    /// So many personal values were cleared: of those only the commitments can be proven.
    pub cleared: u64,
    /// What is wrong, at most [`Verdict::MOST`] findings.
    pub faults: Vec<Found>,
    /// So many more findings were made and not kept.
    pub more: u64,
}

impl Verdict {
    /// So many findings are kept; who sees that many needs no longer list.
    pub const MOST: usize = 1_000;

    pub(super) fn new() -> Self {
        Self { events: 0, sealed_to: 0, waiting: 0, not_covered: 0, cleared: 0, faults: Vec::new(), more: 0 }
    }

    /// Is everything as it was written?
    pub fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }

    pub(super) fn add(&mut self, found: Found) {
        if self.faults.len() < Self::MOST {
            self.faults.push(found);
        } else {
            self.more += 1;
        }
    }

    pub(super) fn add_all(&mut self, found: impl IntoIterator<Item = Found>) {
        found.into_iter().for_each(|found| self.add(found));
    }

    /// Takes over what another part of the examination has found.
    pub(super) fn merge(&mut self, part: Self) {
        self.add_all(part.faults);
        self.more += part.more;
        self.cleared += part.cleared;
    }
}

/// What happened to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum What {
    /// It says something else than it did.
    Changed,
    /// It is gone.
    Dropped,
    /// Two stand in each other's place.
    Swapped,
    /// The service never wrote it.
    Added,
    /// The log up to here is another one than was signed.
    Rewritten,
    /// The log ended later once.
    Cut,
    /// A head that this installation's key did not sign.
    ForeignHead,
    /// A row beside the trail says something else than the trail.
    RowDiffers,
}

impl What {
    /// The kind of finding in one or two words.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Dropped => "dropped",
            Self::Swapped => "swapped",
            Self::Added => "added",
            Self::Rewritten => "rewritten",
            Self::Cut => "cut",
            Self::ForeignHead => "foreign head",
            Self::RowDiffers => "row differs",
        }
    }
}

/// Which record, as far as it can be told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Record {
    /// Its place in the log.
    pub number: Option<i64>,
    /// The event's id.
    pub event: Option<EventId>,
    /// The chain: a workflow, or a delivery without one.
    pub chain: Option<ChainId>,
    /// Its place in the chain.
    pub position: Option<i64>,
}

impl Record {
    pub(super) fn at(number: i64) -> Self {
        Self { number: Some(number), ..Self::default() }
    }

    pub(super) fn of_chain(chain: ChainId) -> Self {
        Self { chain: Some(chain), ..Self::default() }
    }
}

impl fmt::Display for Record {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            self.number.map(|number| format!("number {number}")),
            self.event.map(|event| format!("event {event}")),
            self.chain.map(|chain| format!("workflow or delivery {chain}")),
            self.position.map(|position| format!("position {position}")),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        out.write_str(&parts.join(", "))
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What happened.
    pub what: What,
    /// To which record or records.
    pub records: Vec<Record>,
    /// What was seen, in words.
    pub words: String,
}

impl Found {
    pub(super) fn new(what: What, record: Record, words: impl Into<String>) -> Self {
        Self { what, records: vec![record], words: words.into() }
    }
}

impl fmt::Display for Found {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let records: Vec<String> = self.records.iter().map(ToString::to_string).collect();
        let records = records.join(" and ");
        let gap = if records.is_empty() { "" } else { ": " };
        write!(out, "{}{gap}{records}: {}", self.what.in_words(), self.words)
    }
}
