//! So many calls a second, and no more: a bucket that fills as time goes.
//!
//! Must hold: who asks is told how long to wait, in the order of asking; what was saved up is at most one second's worth.

use chrono::TimeDelta;

use super::time::Timestamp;

/// The pace of calls to a target.
#[derive(Debug)]
pub struct Pace {
    every: TimeDelta,
    saved: TimeDelta,
    /// When the bucket is full again.
    full_at: Option<Timestamp>,
}

impl Pace {
    /// So many calls a second; none at all is taken for one.
    pub fn of(calls_per_second: u32) -> Self {
        let every = TimeDelta::microseconds(1_000_000 / i64::from(calls_per_second.max(1)));
        Self { every, saved: TimeDelta::seconds(1) - every, full_at: None }
    }

    /// Takes one call out of the bucket; how long it has to wait.
    pub fn take(&mut self, now: Timestamp) -> TimeDelta {
        let full_at = self.full_at.map_or(now, |full_at| full_at.max(now));
        self.full_at = Some(full_at.plus(self.every));
        (full_at.since(now) - self.saved).max(TimeDelta::zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seconds_worth_goes_at_once_and_the_rest_in_its_time() {
        let begun = Timestamp::from_unix_seconds(1_800_000_000).unwrap();
        let mut pace = Pace::of(4);
        let waits: Vec<i64> = (0..7).map(|_| pace.take(begun).num_milliseconds()).collect();
        assert_eq!(waits, [0, 0, 0, 0, 250, 500, 750]);
        // What was reserved is waited for; after a second and a half one more is free at once.
        assert_eq!(pace.take(begun.plus(TimeDelta::milliseconds(1_000))), TimeDelta::zero());
        assert_eq!(pace.take(begun.plus(TimeDelta::milliseconds(1_000))).num_milliseconds(), 250);
        // However long nobody calls, no more than a second's worth is saved.
        let later = begun.plus(TimeDelta::hours(1));
        assert_eq!(
            (0..5).map(|_| pace.take(later).num_milliseconds()).collect::<Vec<_>>(),
            [0, 0, 0, 0, 250]
        );
    }
}
