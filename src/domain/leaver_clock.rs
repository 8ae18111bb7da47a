//! How long a leaver keeps access that is to end: the clock that an auditor asks about.
//!
//! Must hold: two lags, kept apart, because two parties answer for them: *notice lag* from the moment at which access was
//! to end until we were told, where we were told late; *own lag* from the later of the two until a fresh read has shown
//! that access is gone. Nothing else stops the second one; a request that rests without that read has no own lag.

use chrono::TimeDelta;

use super::effective::Effective;
use super::time::Timestamp;

/// Access is to be gone so long after the clock began, where nothing else is configured.
pub const WITHIN: TimeDelta = TimeDelta::hours(24);

/// The parts of the target time, in percent, at which the operators are alarmed about a leaver that is still open.
pub const ALARMS: [u32; 3] = [50, 80, 100];

/// The clock of one leaver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaverClock {
    /// Access is to end at this moment, as the request says.
    pub effective: Timestamp,
    /// The request came in.
    pub received: Timestamp,
    /// From here on it is our own lag.
    pub starts: Timestamp,
    /// Access is to be gone so long after that.
    pub within: TimeDelta,
    /// The highest of [`ALARMS`] that was told; zero before the first.
    pub told: u32,
    /// How it ended, if it did.
    pub end: ClockEnd,
}

/// How a leaver's clock ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockEnd {
    /// It runs.
    Open,
    /// A read has shown that access is gone.
    Verified(Timestamp),
    /// The request came to rest without such a read: rejected, taken back, given up.
    Unverified(Timestamp),
}

/// When the clock begins. What is to be done at once is not waited for, whatever day the request names.
pub fn starts(effective: &Effective, received: Timestamp) -> Timestamp {
    effective.waits_until().map_or(received, |wanted| wanted.max(received))
}

/// When the source said what it wants now, for a leaver that takes the place of `earlier` on another day and came in at
/// `said`. That somebody leaves was known from the first word on, so a later day takes nothing from it. An earlier day could
/// not be met before it was said, unless the old one asked for the end of access before that: lateness of the source does not
/// become ours by a new date, nor ours the source's.
pub fn known_since(earlier: &LeaverClock, effective: &Effective, said: Timestamp) -> Timestamp {
    let due = earlier.effective.min(earlier.starts);
    match effective.waits_until() {
        Some(day) if day >= due => earlier.received.min(said),
        Some(_) | None => earlier.starts.min(said),
    }
}

/// From the moment at which access was to end until we were told; nothing where we were told in time.
pub fn notice_lag(effective: Timestamp, received: Timestamp) -> Option<TimeDelta> {
    Some(received.since(effective)).filter(|lag| *lag > TimeDelta::zero())
}

impl LeaverClock {
    /// See [`notice_lag`].
    pub fn notice_lag(&self) -> Option<TimeDelta> {
        notice_lag(self.effective, self.received)
    }

    /// From the clock's beginning until the read that showed that access is gone, once there was one.
    pub fn own_lag(&self) -> Option<TimeDelta> {
        match self.end {
            ClockEnd::Verified(read) => Some(read.since(self.starts).max(TimeDelta::zero())),
            ClockEnd::Open | ClockEnd::Unverified(_) => None,
        }
    }

    /// When so many percent of the target time have passed.
    pub fn reaches(&self, percent: u32) -> Timestamp {
        let part = self.within.num_milliseconds().saturating_mul(i64::from(percent)) / 100;
        self.starts.plus(TimeDelta::milliseconds(part))
    }

    /// The highest alarm that is due and was not told. One that was missed, because the service stood still, is contained
    /// in the higher one.
    pub fn alarm_due(&self, now: Timestamp) -> Option<u32> {
        let waits = self.end == ClockEnd::Open;
        ALARMS
            .into_iter()
            .rev()
            .find(|percent| waits && *percent > self.told && self.reaches(*percent) <= now)
    }

    /// When the operators hear of it next, while it is open.
    pub fn next_alarm(&self) -> Option<Timestamp> {
        let next = ALARMS.into_iter().find(|percent| *percent > self.told);
        next.filter(|_| self.end == ClockEnd::Open).map(|percent| self.reaches(percent))
    }

    /// Is it open, and past its target time?
    pub fn is_late(&self, now: Timestamp) -> bool {
        self.end == ClockEnd::Open && self.reaches(100) <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::effective::{AsGiven, Boundary};

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn effective(text: &str, immediate: bool) -> Effective {
        let zone = Some("Europe/Berlin".parse().unwrap());
        Effective { at: AsGiven::parse(text).unwrap().located(zone, Boundary::EndOfDay).unwrap(), immediate }
    }

    fn clock(effective: &Effective, received: &str, end: ClockEnd) -> LeaverClock {
        let received = at(received);
        let starts = starts(effective, received);
        let within = TimeDelta::hours(4);
        LeaverClock { effective: effective.instant(), received, starts, within, told: 0, end }
    }

    #[test]
    fn the_two_lags_are_kept_apart() {
        // (effective, at once, received, verified) → (notice lag, own lag), in minutes.
        let table = [
            // Told a day ahead: all of it is our own, from the end of the day on.
            ("2026-12-01", false, "2026-11-30T10:00:00Z", "2026-12-01T23:07:00Z", None, 7),
            // Told an hour late, and half an hour of our own.
            ("2026-12-01", false, "2026-12-02T00:00:00Z", "2026-12-02T00:30:00Z", Some(60), 30),
            // At once, for a day that is still to come: our clock begins when we are told.
            ("2026-12-31", true, "2026-12-01T10:00:00Z", "2026-12-01T10:02:00Z", None, 2),
            // At once, and late.
            ("2026-12-01", true, "2026-12-02T01:00:00Z", "2026-12-02T01:01:00Z", Some(120), 1),
            // At the very moment.
            ("2026-12-01", false, "2026-12-01T23:00:00Z", "2026-12-01T23:00:00Z", None, 0),
        ];
        for (day, immediate, received, verified, notice, own) in table {
            let clock = clock(&effective(day, immediate), received, ClockEnd::Verified(at(verified)));
            let lags =
                (clock.notice_lag().map(|lag| lag.num_minutes()), clock.own_lag().unwrap().num_minutes());
            assert_eq!(lags, (notice, own), "{day} {received}");
        }
        let given_up = ClockEnd::Unverified(at("2026-12-03T00:00:00Z"));
        assert_eq!(clock(&effective("2026-12-01", false), "2026-11-30T10:00:00Z", given_up).own_lag(), None);
    }

    #[test]
    fn a_moved_date_makes_no_lag_of_ours_the_sources_nor_the_reverse() {
        let first = clock(&effective("2026-12-05", false), "2026-12-01T10:00:00Z", ClockEnd::Open);
        let late = clock(&effective("2026-12-01", false), "2026-12-03T10:00:00Z", ClockEnd::Open);
        let (ended, known) = ("2026-12-05T23:00:00Z", "2026-12-01T10:00:00Z");
        // (before, new day, at once, said) → (known since, the clock begins)
        let table = [
            // Put off: it was known all the time.
            (&first, "2026-12-09", false, "2026-12-04T08:00:00Z", known, "2026-12-09T23:00:00Z"),
            // Put off to a day that has passed as well, when it was late already.
            (
                &late,
                "2026-12-02",
                false,
                "2026-12-04T08:00:00Z",
                "2026-12-03T10:00:00Z",
                "2026-12-03T10:00:00Z",
            ),
            // Put forward in time.
            (
                &first,
                "2026-12-03",
                false,
                "2026-12-02T08:00:00Z",
                "2026-12-02T08:00:00Z",
                "2026-12-03T23:00:00Z",
            ),
            // Put forward to a day that has passed: nobody could have met it before it was said.
            (
                &first,
                "2026-12-02",
                false,
                "2026-12-04T08:00:00Z",
                "2026-12-04T08:00:00Z",
                "2026-12-04T08:00:00Z",
            ),
            // Put forward when access was to have ended already: our own clock goes on.
            (&first, "2026-12-02", false, "2026-12-07T08:00:00Z", ended, ended),
            (
                &first,
                "2026-12-31",
                true,
                "2026-12-04T08:00:00Z",
                "2026-12-04T08:00:00Z",
                "2026-12-04T08:00:00Z",
            ),
            (&first, "2026-12-31", true, "2026-12-07T08:00:00Z", ended, ended),
        ];
        for (before, day, immediate, said, known, begins) in table {
            let effective = effective(day, immediate);
            let since = known_since(before, &effective, at(said));
            assert_eq!((since, starts(&effective, since)), (at(known), at(begins)), "{day} {said}");
        }
    }

    #[test]
    fn alarms_come_at_half_four_fifths_and_all_of_the_target_time_and_once() {
        let mut clock = clock(&effective("2026-12-01", false), "2026-11-30T10:00:00Z", ClockEnd::Open);
        let begin = at("2026-12-01T23:00:00Z");
        for (minutes, told, due) in [
            (119, 0, None),
            (120, 0, Some(50)),
            (120, 50, None),
            (192, 50, Some(80)),
            // The service stood still: one alarm, for the highest.
            (192, 0, Some(80)),
            (240, 80, Some(100)),
            (10_000, 0, Some(100)),
            (10_000, 100, None),
        ] {
            clock.told = told;
            assert_eq!(clock.alarm_due(begin.plus_seconds(minutes * 60)), due, "{minutes} {told}");
        }
        clock.told = 50;
        assert_eq!(clock.next_alarm(), Some(begin.plus_seconds(192 * 60)));
        assert!(clock.is_late(begin.plus_seconds(240 * 60)) && !clock.is_late(begin.plus_seconds(239 * 60)));
        clock.end = ClockEnd::Unverified(begin);
        assert_eq!((clock.next_alarm(), clock.alarm_due(begin.plus_seconds(90_000))), (None, None));
    }
}
