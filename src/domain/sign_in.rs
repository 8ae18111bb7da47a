//! Signing in: what proves a person, how often codes are sent, and how long each of these holds.
//!
//! Must hold: a weaker proof never stands for a stronger one; the bounds are the same for every address, known or not,
//! so that no answer tells which are known. Deliberately absent: making and comparing codes (the key and the store).

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::time::Timestamp;

/// A code is worth something for so long.
pub const CODE_HOLDS: TimeDelta = TimeDelta::minutes(10);
/// So many wrong codes end a code.
pub const MOST_TRIES: u32 = 5;

/// A mail needs its time; who asks again sooner is asked to wait.
const AGAIN_AFTER: TimeDelta = TimeDelta::seconds(30);
/// For one address, and for one browser: within so long at most so many codes. Five tries at each of twenty codes a
/// day guess one of a million about once in ten thousand days.
const BOUNDS: [(TimeDelta, usize); 2] = [(TimeDelta::minutes(15), 5), (TimeDelta::hours(24), 20)];
/// For everybody together who types an address.
const BOUND_OF_ALL: (TimeDelta, usize) = (TimeDelta::minutes(15), 1_000);

/// Codes that were asked for earlier than this count no more.
pub const REMEMBERED: TimeDelta = TimeDelta::hours(24);
/// The stretch over which the codes of everybody are counted.
pub const COUNTED_TOGETHER: TimeDelta = BOUND_OF_ALL.0;

/// How strong a proof is; the later one is the stronger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strength {
    /// Having the personal link.
    #[default]
    Link,
    /// Having read a fresh code in the mailbox.
    Code,
}

impl Strength {
    /// The persisted word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Code => "code",
        }
    }
}

/// What proves that a person is who they are said to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// The personal link alone.
    Link,
    /// A code from the mailbox, entered at this moment.
    Code(Timestamp),
}

impl Proof {
    /// How strong it is.
    pub const fn strength(self) -> Strength {
        match self {
            Self::Link => Strength::Link,
            Self::Code(_) => Strength::Code,
        }
    }

    /// When the person signed in, if they did.
    pub const fn signed_in_at(self) -> Option<Timestamp> {
        match self {
            Self::Link => None,
            Self::Code(at) => Some(at),
        }
    }
}

/// Too many codes were asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many sign-in codes were asked for")]
pub struct TooOften {
    /// From then on another one may be asked for.
    pub until: Timestamp,
}

/// What was asked for before.
#[derive(Debug, Clone, Copy)]
pub struct Earlier<'a> {
    /// When codes were asked for, for the same address.
    pub for_address: &'a [Timestamp],
    /// When codes were asked for from the same browser.
    pub from_browser: &'a [Timestamp],
    /// How many were asked for by everybody who types an address, within [`COUNTED_TOGETHER`].
    pub by_all: usize,
}

/// May a code be asked for now?
pub fn may_ask(earlier: Earlier<'_>, now: Timestamp) -> Result<(), TooOften> {
    let from_browser = free_at(earlier.from_browser, now, Some(AGAIN_AFTER));
    // Somebody else's asking must not make the owner of the address wait for the mail of a stranger.
    let for_address = free_at(earlier.for_address, now, None);
    let (span, most) = BOUND_OF_ALL;
    let by_all = if earlier.by_all >= most { now.plus(span) } else { now };
    let until = from_browser.max(for_address).max(by_all);
    if until > now { Err(TooOften { until }) } else { Ok(()) }
}

fn free_at(asked: &[Timestamp], now: Timestamp, again_after: Option<TimeDelta>) -> Timestamp {
    let mut newest_first = asked.to_vec();
    newest_first.sort_by(|one, other| other.cmp(one));
    let mut free = now;
    for (span, most) in BOUNDS {
        if let Some(oldest_that_counts) = newest_first.get(most - 1) {
            free = free.max(oldest_that_counts.plus(span));
        }
    }
    match (newest_first.first(), again_after) {
        (Some(last), Some(wait)) => free.max(last.plus(wait)),
        (Some(_) | None, _) => free,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(1_000_000 + seconds).unwrap()
    }

    fn until(for_address: &[i64], from_browser: &[i64], by_all: usize) -> Option<i64> {
        let moments = |seconds: &[i64]| seconds.iter().map(|second| at(*second)).collect::<Vec<_>>();
        let (for_address, from_browser) = (moments(for_address), moments(from_browser));
        let earlier = Earlier { for_address: &for_address, from_browser: &from_browser, by_all };
        may_ask(earlier, at(0)).err().map(|often| often.until.since(at(0)).num_seconds())
    }

    #[test]
    fn codes_are_sent_within_bounds() {
        assert_eq!(until(&[], &[], 0), None);
        assert_eq!(until(&[-31], &[-31], 1), None);
        assert_eq!(until(&[-10], &[-10], 1), Some(20), "the mail is on its way");
        assert_eq!(until(&[-10], &[], 1), None, "somebody else asked");
        assert_eq!(until(&[-800, -700, -600, -500, -400], &[], 5), Some(100));
        assert_eq!(until(&[-901, -700, -600, -500, -400], &[], 5), None);
        assert_eq!(until(&[], &[-800, -700, -600, -500, -40], 5), Some(100));
        let day: Vec<i64> = (1..=20).map(|hour| -3_600 * hour).collect();
        assert_eq!(until(&day, &[], 0), Some(4 * 3_600));
        assert_eq!(until(&[], &[], 1_000), Some(900));
    }

    #[test]
    fn a_code_is_stronger_than_a_link() {
        assert!(Strength::Link < Strength::Code);
        assert_eq!(Proof::Code(at(0)).strength(), Strength::Code);
        assert_eq!((Proof::Link.signed_in_at(), Proof::Link.strength()), (None, Strength::Link));
    }
}
