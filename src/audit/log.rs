//! The global log under examination: gapless numbers, hashes that follow from one another, signed heads.
//!
//! Must hold: fed place by place in order; keeps only what is wrong, so memory stays flat however long the log is.
//! One change is one finding: what only follows from a finding before it is not told again.

use std::collections::HashMap;

use super::found::{Found, Record, Verdict, What};
use crate::domain::audit::{log_origin, seal_hash};
use crate::domain::canon::Digest;
use crate::domain::ids::EventId;
use crate::store::trail::{PlaceRow, Presence};

/// A column that is no hash at all counts as this one, which nothing hashes to.
pub(super) fn digest(bytes: &[u8]) -> Digest {
    Digest::from_slice(bytes).unwrap_or(Digest([0; 32]))
}

/// A place whose hash does not follow from what stands before it.
struct Misfit {
    number: i64,
    event: EventId,
    event_hash: Digest,
    seal_hash: Digest,
    /// What may rightly stand before it.
    before: Vec<Digest>,
}

/// Places that are missing.
pub(super) struct Gap {
    first: i64,
    last: i64,
    before: Vec<Digest>,
    next: (Digest, Digest),
}

/// A sealed event that is gone.
pub(super) struct Lost {
    pub(super) number: i64,
    pub(super) event: EventId,
    pub(super) hash: Digest,
}

/// Walks along the log.
pub(super) struct LogWalk {
    last: i64,
    before: Vec<Digest>,
    misfits: Vec<Misfit>,
    gaps: Vec<Gap>,
    lost: Vec<Lost>,
}

/// What the walk has shown.
pub(super) struct LogSeen {
    /// The last number.
    pub(super) last: i64,
    /// Wrong places.
    pub(super) found: Vec<Found>,
    /// Missing places.
    pub(super) gaps: Vec<Gap>,
    /// Places whose event is gone.
    pub(super) lost: Vec<Lost>,
}

impl LogWalk {
    pub(super) fn new() -> Self {
        Self { last: 0, before: vec![log_origin()], misfits: vec![], gaps: vec![], lost: vec![] }
    }

    /// The number after which the walk goes on.
    pub(super) fn last(&self) -> i64 {
        self.last
    }

    pub(super) fn feed(&mut self, place: &PlaceRow) {
        let (event_hash, stands) = (digest(&place.event_hash), digest(&place.seal_hash));
        let event = EventId(place.event);
        if place.presence == Presence::Gone && self.lost.len() < Verdict::MOST {
            self.lost.push(Lost { number: place.number, event, hash: event_hash });
        }
        let before = std::mem::take(&mut self.before);
        let expected: Vec<Digest> =
            before.iter().map(|before| seal_hash(*before, place.number, event_hash)).collect();
        self.before.push(stands);
        if place.number != self.last + 1 {
            let next = (event_hash, stands);
            if self.gaps.len() < Verdict::MOST {
                self.gaps.push(Gap { first: self.last + 1, last: place.number - 1, before, next });
            }
        } else if !expected.contains(&stands) {
            // Either the hash was changed, and then the expected one carries on, or what it covers was changed,
            // and then the standing one does.
            self.before.extend(expected);
            if self.misfits.len() < Verdict::MOST {
                let (number, seal_hash) = (place.number, stands);
                self.misfits.push(Misfit { number, event, event_hash, seal_hash, before });
            }
        }
        self.last = place.number;
    }

    pub(super) fn finish(self) -> LogSeen {
        LogSeen { last: self.last, found: told(&self.misfits), gaps: self.gaps, lost: self.lost }
    }
}

impl LogSeen {
    /// Does every place follow from the one before it?
    pub(super) fn is_whole(&self) -> bool {
        self.found.is_empty() && self.gaps.is_empty()
    }
}

impl Gap {
    /// Is this the event whose place is missing?
    pub(super) fn takes(&self, event: Digest) -> Option<i64> {
        let (next_event, next_seal) = self.next;
        let follows = |before: &Digest| {
            seal_hash(seal_hash(*before, self.first, event), self.first + 1, next_event) == next_seal
        };
        (self.first == self.last && self.before.iter().any(follows)).then_some(self.first)
    }

    pub(super) fn found(&self) -> Found {
        let words = if self.first == self.last {
            format!("place {} of the log is missing", self.first)
        } else {
            format!("places {} to {} of the log are missing", self.first, self.last)
        };
        Found::new(What::Dropped, Record::at(self.first), words)
    }

    pub(super) fn first(&self) -> i64 {
        self.first
    }
}

/// How two places were exchanged.
enum Exchange {
    /// Only what stands at them.
    Contents,
    /// The whole rows, hashes included.
    Rows,
}

fn told(misfits: &[Misfit]) -> Vec<Found> {
    let mut found = Vec::new();
    let mut explained = vec![false; misfits.len()];
    // What stood at a number before rows were exchanged; the place after it follows from that.
    let mut truth: HashMap<i64, Digest> = HashMap::new();
    for (i, one) in misfits.iter().enumerate() {
        for (j, other) in misfits.iter().enumerate().skip(i + 1) {
            if explained.get(i) != Some(&false) || explained.get(j) != Some(&false) {
                continue;
            }
            let Some(exchange) = exchanged(one, other) else { continue };
            if let Exchange::Rows = exchange {
                truth.insert(one.number, other.seal_hash);
                truth.insert(other.number, one.seal_hash);
            }
            for place in [i, j] {
                explained.get_mut(place).into_iter().for_each(|explained| *explained = true);
            }
            found.push(Found {
                what: What::Swapped,
                records: vec![one.record(), other.record()],
                words: "these two records have exchanged their places in the log".to_owned(),
            });
        }
    }
    for (misfit, explained) in misfits.iter().zip(explained) {
        let follows =
            |before: &Digest| seal_hash(*before, misfit.number, misfit.event_hash) == misfit.seal_hash;
        if !explained && !truth.get(&(misfit.number - 1)).is_some_and(follows) {
            let words = "its seal does not follow from the records before it";
            found.push(Found::new(What::Changed, misfit.record(), words));
        }
    }
    found
}

fn exchanged(one: &Misfit, other: &Misfit) -> Option<Exchange> {
    let hash_at = |at: &Misfit, from: &Misfit| -> Vec<Digest> {
        at.before.iter().map(|before| seal_hash(*before, at.number, from.event_hash)).collect()
    };
    let (first, mut second) = (hash_at(one, other), hash_at(other, one));
    if first.contains(&one.seal_hash) && second.contains(&other.seal_hash) {
        return Some(Exchange::Contents);
    }
    if other.number == one.number + 1 {
        second.push(seal_hash(other.seal_hash, other.number, one.event_hash));
    }
    (first.contains(&other.seal_hash) && second.contains(&one.seal_hash)).then_some(Exchange::Rows)
}

impl Misfit {
    fn record(&self) -> Record {
        Record { number: Some(self.number), event: Some(self.event), ..Record::default() }
    }
}
