//! A moment, as everything here writes it: UTC, whole microseconds.
//!
//! Must hold: two databases keep the same value, so nothing finer than a microsecond ever enters.
//! Deliberately absent: reading a clock (see `clock`) and calendar dates (see `effective.rs`).

use std::fmt;

use chrono::{DateTime, SecondsFormat, SubsecRound, TimeDelta, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A moment in UTC, in whole microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(DateTime<Utc>);

impl Timestamp {
    /// Cuts anything finer than a microsecond off.
    pub fn from_utc(moment: DateTime<Utc>) -> Self {
        Self(moment.trunc_subsecs(6))
    }

    /// Seconds since 1970, or `None` outside the calendar.
    pub fn from_unix_seconds(seconds: i64) -> Option<Self> {
        DateTime::from_timestamp(seconds, 0).map(Self)
    }

    /// The moment as the database driver takes it.
    pub fn as_utc(self) -> DateTime<Utc> {
        self.0
    }

    /// Whole seconds since 1970.
    pub fn unix_seconds(self) -> i64 {
        self.0.timestamp()
    }

    /// Whole milliseconds since 1970; zero before it.
    pub fn unix_millis(self) -> u64 {
        u64::try_from(self.0.timestamp_millis()).unwrap_or(0)
    }

    /// This moment and `delta` more; the far end of the calendar if it would leave it.
    #[must_use]
    pub fn plus(self, delta: TimeDelta) -> Self {
        Self(self.0.checked_add_signed(delta).unwrap_or(DateTime::<Utc>::MAX_UTC)).truncated()
    }

    /// This moment and `seconds` more.
    #[must_use]
    pub fn plus_seconds(self, seconds: i64) -> Self {
        self.plus(TimeDelta::seconds(seconds))
    }

    /// What has passed since `earlier`; negative when it lies ahead.
    pub fn since(self, earlier: Self) -> TimeDelta {
        self.0.signed_duration_since(earlier.0)
    }

    /// Reads RFC 3339 with any offset.
    pub fn parse(text: &str) -> Option<Self> {
        DateTime::parse_from_rfc3339(text).ok().map(|moment| Self::from_utc(moment.with_timezone(&Utc)))
    }

    /// For people: `2026-11-21 22:53 UTC`.
    pub fn in_words(self) -> String {
        self.0.format("%Y-%m-%d %H:%M UTC").to_string()
    }

    /// For people who look at the order of events: `22:53:07`.
    pub fn clock_time(self) -> String {
        self.0.format("%H:%M:%S").to_string()
    }

    fn truncated(self) -> Self {
        Self::from_utc(self.0)
    }
}

/// RFC 3339 in UTC with six decimals, the one persisted spelling.
impl fmt::Display for Timestamp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0.to_rfc3339_opts(SecondsFormat::Micros, true))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = String::deserialize(input)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("a time in RFC 3339 is wanted"))
    }
}

#[cfg(test)]
mod tests {
    use super::Timestamp;

    #[test]
    fn it_is_written_in_utc_with_six_decimals() {
        let moment = Timestamp::parse("2026-11-21T23:53:53.1234567+01:00").unwrap();
        assert_eq!(moment.to_string(), "2026-11-21T22:53:53.123456Z");
    }
}
