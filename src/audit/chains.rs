//! The events under examination, chain by chain: bytes, hashes, columns, links, places, personal values.
//!
//! Must hold: every event is looked at, whether it has its place in the log, waits for it, or neither; two events
//! that stand in each other's place are told as one exchange; a broken link is told only where neither end of it
//! is known to be wrong already.

use super::found::{Found, Record, Verdict, What};
use super::log::{LogSeen, Lost, digest};
use crate::domain::audit::{EventRead, PersonalValue, Place};
use crate::domain::canon::{CanonicalBytes, Digest, Tag};
use crate::domain::ids::{ChainId, EventId};
use crate::store::seals::Kept;
use crate::store::trail::{EventRow, Waits};

/// Is an event as it was written, as far as it shows by itself?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Soundness {
    Sound,
    Wrong,
}

/// An event with other bytes than were sealed for it; perhaps those of another one.
struct Foreign {
    record: Record,
    bytes: Digest,
    sealed: Digest,
    words: &'static str,
}

/// An event that says of itself that it stands elsewhere.
struct Misplaced {
    record: Record,
    says: Record,
}

/// The event before the one at hand.
struct Before {
    chain: ChainId,
    position: i64,
    hash: Digest,
    soundness: Soundness,
    number: Option<i64>,
    record: Record,
}

/// Walks along all chains, one after the other.
pub(super) struct ChainWalk<'a> {
    log: &'a LogSeen,
    lost: Vec<(&'a Lost, Option<(ChainId, i64)>)>,
    filled: Vec<i64>,
    before: Option<Before>,
    foreign: Vec<Foreign>,
    misplaced: Vec<Misplaced>,
    told: Verdict,
}

impl<'a> ChainWalk<'a> {
    pub(super) fn over(log: &'a LogSeen) -> Self {
        Self {
            log,
            lost: log.lost.iter().map(|lost| (lost, None)).collect(),
            filled: vec![],
            before: None,
            foreign: vec![],
            misplaced: vec![],
            told: Verdict::new(),
        }
    }

    /// Looks at the next event; answers what its bytes say, where they can be read.
    pub(super) fn feed(&mut self, row: &EventRow) -> Option<EventRead> {
        let record = Record {
            number: row.sealed.as_ref().map(|(number, _)| *number),
            event: Some(EventId(row.stored.id)),
            chain: Some(ChainId(row.stored.chain)),
            position: Some(row.stored.position),
        };
        let read: Option<EventRead> = CanonicalBytes::stored(row.stored.bytes.clone()).open(Tag::Event).ok();
        let kept = row.personal.iter().filter(|kept| kept.text.is_some()).count();
        let cleared = read.as_ref().map_or(0, |read| read.personal.len().saturating_sub(kept));
        self.told.cleared += u64::try_from(cleared).unwrap_or(u64::MAX);
        let mut soundness = self.hashes(row, record);
        if soundness == Soundness::Sound {
            soundness = match &read {
                Some(read) => self.columns(row, read, record),
                None => self.wrong(record, "its bytes do not read as an event"),
            };
        }
        self.link(row, read.as_ref(), soundness, record);
        self.place(row, record);
        if let (Some(read), Soundness::Sound) = (&read, soundness) {
            self.told.add_all(personal(read, &row.personal, record));
        }
        read
    }

    fn wrong(&mut self, record: Record, words: &str) -> Soundness {
        self.told.add(Found::new(What::Changed, record, words));
        Soundness::Wrong
    }

    fn hashes(&mut self, row: &EventRow, record: Record) -> Soundness {
        let bytes = Digest::of_bytes(&row.stored.bytes);
        let stands = digest(&row.stored.hash);
        let Some((_, sealed)) = &row.sealed else {
            return if bytes == stands {
                Soundness::Sound
            } else {
                self.wrong(record, "its bytes and its hash do not belong together")
            };
        };
        let sealed = digest(sealed);
        if bytes == sealed && stands == sealed {
            return Soundness::Sound;
        }
        if bytes == sealed {
            return self.wrong(record, "its hash was changed; its bytes are as they were sealed");
        }
        let words = if bytes == stands {
            "its bytes were changed and its hash computed anew after it was sealed"
        } else {
            "its bytes were changed after it was sealed"
        };
        if self.foreign.len() >= Verdict::MOST {
            return self.wrong(record, words);
        }
        self.foreign.push(Foreign { record, bytes, sealed, words });
        Soundness::Wrong
    }

    fn columns(&mut self, row: &EventRow, read: &EventRead, record: Record) -> Soundness {
        let says = Record {
            number: None,
            event: Some(read.id),
            chain: Some(read.chain),
            position: Some(read.position),
        };
        if says != (Record { number: None, ..record }) {
            if self.misplaced.len() >= Verdict::MOST {
                return self.wrong(record, "it stands in another place than it was written for");
            }
            self.misplaced.push(Misplaced { record, says });
            return Soundness::Wrong;
        }
        if read.at != row.stored.at {
            return self.wrong(record, "the time beside it is not the time in its bytes");
        }
        if read.kind != row.stored.kind {
            return self.wrong(record, "the kind beside it is not the kind in its bytes");
        }
        Soundness::Sound
    }

    fn link(&mut self, row: &EventRow, read: Option<&EventRead>, soundness: Soundness, record: Record) {
        let chain = ChainId(row.stored.chain);
        let position = row.stored.position;
        let before = self.before.take().filter(|before| before.chain == chain);
        let wanted = before.as_ref().map_or(1, |before| before.position + 1);
        if position != wanted {
            let follows = read.filter(|_| soundness == Soundness::Sound).map(|read| read.previous);
            self.gap(chain, (wanted, position - 1), follows);
        } else if let (Some(read), Soundness::Sound) = (read, soundness) {
            self.follows(read, before.as_ref(), record);
        }
        let number = record.number;
        if let Some(before) = &before
            && soundness == Soundness::Sound
            && before.soundness == Soundness::Sound
            && out_of_order(before.number, number)
            && self.log.is_whole()
        {
            self.told.add(Found {
                what: What::Swapped,
                records: vec![before.record, record],
                words: "their order in the log is not their order in their chain".to_owned(),
            });
        }
        let hash = digest(&row.stored.hash);
        self.before = Some(Before { chain, position, hash, soundness, number, record });
    }

    fn follows(&mut self, read: &EventRead, before: Option<&Before>, record: Record) {
        match before {
            None if read.previous != Place::origin(read.chain) => {
                self.told.add(Found::new(
                    What::Changed,
                    record,
                    "it is the first of its chain and names one before",
                ));
            }
            Some(before) if before.soundness == Soundness::Sound && read.previous != before.hash => {
                self.told.add(Found {
                    what: What::Changed,
                    records: vec![before.record, record],
                    words: "the second does not follow from the first: one of them was changed or put in"
                        .to_owned(),
                });
            }
            None | Some(_) => {}
        }
    }

    fn gap(&mut self, chain: ChainId, positions: (i64, i64), follows: Option<Digest>) {
        let (first, last) = positions;
        // The event after the gap names the hash of the one that is lost, and the log still has that hash.
        let told = self.lost.iter_mut().find(|(gone, _)| first == last && Some(gone.hash) == follows);
        if let Some((_, place)) = told {
            *place = Some((chain, first));
            return;
        }
        let words = if first == last {
            "an event of this chain is missing".to_owned()
        } else {
            format!("the events of this chain at positions {first} to {last} are missing")
        };
        let record = Record { position: Some(first), ..Record::of_chain(chain) };
        self.told.add(Found::new(What::Dropped, record, words));
    }

    fn place(&mut self, row: &EventRow, record: Record) {
        match (&row.sealed, row.waits) {
            (Some((number, _)), Waits::No) if *number < 1 => {
                let words = "its place in the log is before the first, where the service never puts one";
                self.told.add(Found::new(What::Added, record, words));
            }
            (Some(_), Waits::No) | (None, Waits::Yes) => {}
            (Some(_), Waits::Yes) => self.told.add(Found::new(
                What::Added,
                record,
                "it has its place in the log, and was put in once more among those that wait for one",
            )),
            (None, Waits::No) => {
                let hash = digest(&row.stored.hash);
                if let Some(number) = self.log.gaps.iter().find_map(|gap| gap.takes(hash)) {
                    self.filled.push(number);
                    let record = Record { number: Some(number), ..record };
                    let words = "its place in the log is missing; the event itself is there";
                    self.told.add(Found::new(What::Dropped, record, words));
                } else {
                    let words = "it has no place in the log and does not wait for one: it was not written by \
                                 the service, or its place was taken away";
                    self.told.add(Found::new(What::Added, record, words));
                }
            }
        }
    }

    /// What was found, after the last event.
    pub(super) fn finish(self) -> Verdict {
        let mut all = Verdict::new();
        all.add_all(foreign(&self.foreign));
        all.add_all(misplaced(&self.misplaced));
        for (lost, place) in self.lost {
            let record = Record {
                number: Some(lost.number),
                event: Some(lost.event),
                chain: place.map(|(chain, _)| chain),
                position: place.map(|(_, position)| position),
            };
            let words = "the log has its place, but the event is gone";
            all.add(Found::new(What::Dropped, record, words));
        }
        let gaps = self.log.gaps.iter().filter(|gap| !self.filled.contains(&gap.first()));
        all.add_all(gaps.map(super::log::Gap::found));
        all.merge(self.told);
        all
    }
}

/// Within a chain numbers rise, and what waits for a number comes after what has one.
fn out_of_order(before: Option<i64>, number: Option<i64>) -> bool {
    number.is_some_and(|number| before.is_none_or(|before| before >= number))
}

/// Clear values that are still kept must be the ones the event commits to. A cleared one proves nothing and breaks
/// nothing.
pub(super) fn personal(read: &EventRead, kept: &[Kept], record: Record) -> Vec<Found> {
    let mut found = Vec::new();
    for value in kept {
        let Some(commitment) = read.personal.get(&value.field) else {
            let words = "a personal value was put beside it that it does not commit to";
            found.push(Found::new(What::Added, record, words));
            continue;
        };
        let Some(text) = &value.text else { continue };
        let fits = <[u8; 16]>::try_from(value.salt.as_slice()).is_ok_and(|salt| {
            let clear = PersonalValue { field: value.field.clone(), salt, text: text.clone() };
            clear.commitment() == *commitment
        });
        if !fits {
            let words = format!("the personal value {} beside it is not the one it commits to", value.field);
            found.push(Found::new(What::Changed, record, words));
        }
    }
    found
}

fn foreign(foreign: &[Foreign]) -> Vec<Found> {
    pairs(
        foreign,
        |one, other| one.bytes == other.sealed && other.bytes == one.sealed,
        |one, other| (one.record, other.record),
        |one| Found::new(What::Changed, one.record, one.words),
    )
}

fn misplaced(misplaced: &[Misplaced]) -> Vec<Found> {
    let stands_for = |one: &Misplaced, other: &Misplaced| {
        let at = |record: Record| (record.chain, record.position);
        let ids = one.says.event == other.record.event;
        let places = at(one.says) == at(other.record);
        ids || (places && one.says.event == one.record.event)
    };
    pairs(
        misplaced,
        |one, other| stands_for(one, other) && stands_for(other, one),
        |one, other| (one.record, other.record),
        |one| {
            let words =
                format!("it stands in another place than it was written for: its bytes say {}", one.says);
            Found::new(What::Changed, one.record, words)
        },
    )
}

/// Tells those that stand for one another as exchanged, and the rest one by one.
fn pairs<T>(
    all: &[T],
    exchanged: impl Fn(&T, &T) -> bool,
    records: impl Fn(&T, &T) -> (Record, Record),
    alone: impl Fn(&T) -> Found,
) -> Vec<Found> {
    let mut found = Vec::new();
    let mut paired = vec![false; all.len()];
    for (place, one) in all.iter().enumerate() {
        if paired.get(place) == Some(&true) {
            continue;
        }
        let rest = all.iter().enumerate().skip(place + 1);
        let partner =
            rest.into_iter().find(|(at, other)| paired.get(*at) == Some(&false) && exchanged(one, other));
        let Some((at, other)) = partner else {
            found.push(alone(one));
            continue;
        };
        paired.get_mut(at).into_iter().for_each(|paired| *paired = true);
        let (first, second) = records(one, other);
        let words = "these two events stand in each other's place".to_owned();
        found.push(Found { what: What::Swapped, records: vec![first, second], words });
    }
    found
}
