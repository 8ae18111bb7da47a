//! How often and when something is tried again.
//!
//! Must hold: tries are bounded, and waiting is a due time, never a sleep. Chance comes in as an argument.

use chrono::TimeDelta;

use super::time::Timestamp;

/// Exponential backoff with full jitter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// After this many tries a person must look.
    pub most_tries: u32,
    /// After so long of trying a person must look, however few tries that were.
    pub most_time: TimeDelta,
    /// The longest first wait.
    pub first_wait: TimeDelta,
    /// The longest wait of all.
    pub longest_wait: TimeDelta,
}

impl RetryPolicy {
    /// Was something tried for as long as it may be?
    pub fn is_over(&self, tried_since: Option<Timestamp>, now: Timestamp) -> bool {
        tried_since.is_some_and(|since| now.since(since) >= self.most_time)
    }

    /// When try number `done + 1` is due. `chance` is uniform over all values (full jitter; see the AWS
    /// Architecture Blog, "Exponential Backoff and Jitter"); `at_least` is what the other side asked for,
    /// which is believed up to the longest wait.
    pub fn due(&self, done: u32, now: Timestamp, chance: u64, at_least: Option<TimeDelta>) -> Timestamp {
        let doubled =
            self.first_wait.num_milliseconds().saturating_mul(1_i64 << done.saturating_sub(1).min(20));
        let most = doubled.clamp(1, self.longest_wait.num_milliseconds().max(1));
        let span = u64::try_from(most).unwrap_or(1);
        let jittered = i64::try_from(chance % span).unwrap_or(0) + 1;
        let asked = at_least.map_or(0, |wait| wait.min(self.longest_wait).num_milliseconds());
        now.plus(TimeDelta::milliseconds(jittered.max(asked)))
    }
}

/// After so long without a readable target somebody is told.
pub const TELL_AFTER: TimeDelta = TimeDelta::minutes(15);

/// After so long without a readable target a person must look.
pub const GIVE_UP_AFTER: TimeDelta = TimeDelta::hours(24);

/// What a person is told then.
pub fn unreadable(last_words: &str) -> String {
    format!("the vault could not be read for a day; the last time: {last_words}")
}

/// How long a target is awaited already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Awaited {
    /// Since when; absent at the first failure.
    pub since: Option<Timestamp>,
    /// When somebody was told.
    pub told: Option<Timestamp>,
}

impl Awaited {
    /// Was the target awaited for so long that a person must look?
    pub fn is_over(self, now: Timestamp) -> bool {
        self.since.is_some_and(|since| now.since(since) >= GIVE_UP_AFTER)
    }
}

/// Is it time to tell somebody?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tell {
    /// Yes.
    Now,
    /// No.
    NotNow,
}

impl RetryPolicy {
    /// When a target that cannot be read is read again, and whether it is time to tell somebody. The next wait is
    /// about as long as the waiting so far, so that few tries fall into a long outage; none runs past the moment at
    /// which somebody must be told.
    pub fn await_target(
        &self,
        awaited: Awaited,
        now: Timestamp,
        chance: u64,
        at_least: Option<TimeDelta>,
    ) -> (Timestamp, Tell) {
        let since = awaited.since.unwrap_or(now);
        let waited = now.since(since);
        let most = waited.clamp(self.first_wait, self.longest_wait).num_milliseconds().max(2);
        let half = most / 2;
        let jitter = i64::try_from(chance % u64::try_from(half).unwrap_or(1)).unwrap_or(0);
        let asked = at_least.map_or(0, |wait| wait.min(self.longest_wait).num_milliseconds());
        let again = now.plus(TimeDelta::milliseconds((half + jitter).max(asked)));
        let telling = since.plus(TELL_AFTER);
        let due = if now < telling { again.min(telling) } else { again };
        (due, if waited >= TELL_AFTER && awaited.told.is_none() { Tell::Now } else { Tell::NotNow })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_are_jittered_and_stay_below_the_longest() {
        let policy = RetryPolicy {
            most_tries: 5,
            most_time: TimeDelta::hours(24),
            first_wait: TimeDelta::seconds(1),
            longest_wait: TimeDelta::seconds(10),
        };
        let now = Timestamp::from_unix_seconds(0).unwrap();
        let wait = |done, chance| policy.due(done, now, chance, None).since(now).num_milliseconds();
        assert_eq!(wait(1, 999), 1000);
        assert_eq!(wait(3, 3999), 4000);
        assert_eq!(wait(60, 9999), 10_000);
        assert_eq!(wait(3, 0), 1);
        let asked = policy.due(1, now, 0, Some(TimeDelta::hours(5))).since(now);
        assert_eq!(asked, TimeDelta::seconds(10));
    }

    #[test]
    fn a_long_outage_sees_few_tries_and_is_told_in_time() {
        let policy = RetryPolicy {
            most_tries: 8,
            most_time: TimeDelta::hours(24),
            first_wait: TimeDelta::seconds(2),
            longest_wait: TimeDelta::minutes(15),
        };
        let begun = Timestamp::from_unix_seconds(0).unwrap();
        let (mut now, mut since, mut told, mut tries) = (begun, None, None, 0);
        while now.since(begun) < TimeDelta::hours(1) {
            let (due, tell) = policy.await_target(Awaited { since, told }, now, 3, None);
            if tell == Tell::Now {
                assert_eq!(now.since(begun), TELL_AFTER);
                told = Some(now);
            }
            since = Some(begun);
            (now, tries) = (due, tries + 1);
        }
        assert!(told.is_some() && tries < 40, "{tries}");
    }
}
