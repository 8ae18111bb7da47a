//! When a change is meant to take effect.
//!
//! Must hold: a day keeps its date, zone and boundary as they were given, and the instant is computed from them each
//! time, so that newer zone data moves it; a day always has a zone. Years 2000 to 2100 only: anything else is a slip.
//! Deliberately absent: the clock (`now` is an argument) and what follows from being late (see planning).

use chrono::{DateTime, Datelike, LocalResult, NaiveDate, NaiveTime, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::{GapInfo, Tz};
use serde::{Deserialize, Serialize};

use super::time::Timestamp;

/// Days ahead from which a date is taken for a slip of the keyboard.
pub const FARTHEST_DAYS: i64 = 400;

/// Which end of a day is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Boundary {
    /// The first instant of the day.
    StartOfDay,
    /// The day is over: the first instant of the next day.
    EndOfDay,
}

impl Boundary {
    /// The spelling of `jml/1`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::StartOfDay => "start_of_day",
            Self::EndOfDay => "end_of_day",
        }
    }

    /// Reads the spelling of `jml/1`.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::StartOfDay, Self::EndOfDay].into_iter().find(|boundary| boundary.as_str() == text)
    }
}

/// A point in time as a source gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EffectiveAt {
    /// A calendar day somewhere.
    Day {
        /// The date as given.
        date: NaiveDate,
        /// Where that day is lived, from the request or else the source's default.
        zone: Tz,
        /// Which end of it.
        boundary: Boundary,
    },
    /// An instant. The offset it was spelled with says nothing more and is not kept.
    Instant(Timestamp),
}

/// The text of a date or an instant, before a zone is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsGiven {
    /// `YYYY-MM-DD`
    Date(NaiveDate),
    /// RFC 3339 with an offset
    Instant(Timestamp),
}

/// Why a text is no effective date. Speaks of the rule, never of the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotEffective {
    /// Neither of the two spellings, or not a real date.
    #[error("a real date as YYYY-MM-DD, or a time in RFC 3339 with an offset")]
    Unreadable,
    /// A year before 2000 or after 2100.
    #[error("a year from 2000 to 2100")]
    YearOutOfRange,
    /// Not in the IANA list of time zones.
    #[error("an IANA time zone such as Europe/Berlin")]
    UnknownZone,
    /// A bare date, and neither the request nor the source names a zone.
    #[error("a time zone, because a bare date begins at another instant in each zone")]
    ZoneMissing,
}

impl NotEffective {
    /// A short stable word for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::Unreadable => "bad_date",
            Self::YearOutOfRange => "year_out_of_range",
            Self::UnknownZone => "unknown_zone",
            Self::ZoneMissing => "zone_missing",
        }
    }
}

/// Reads an IANA zone name.
pub fn parse_zone(text: &str) -> Result<Tz, NotEffective> {
    text.parse().map_err(|_| NotEffective::UnknownZone)
}

/// Reads RFC 3339 with any offset, years 2000 to 2100, no leap second (neither database keeps one).
pub fn parse_instant(text: &str) -> Result<Timestamp, NotEffective> {
    let moment =
        DateTime::parse_from_rfc3339(text).map_err(|_| NotEffective::Unreadable)?.with_timezone(&Utc);
    if moment.nanosecond() >= 1_000_000_000 {
        return Err(NotEffective::Unreadable);
    }
    within_years(moment.year()).map(|()| Timestamp::from_utc(moment))
}

impl AsGiven {
    /// Reads a bare date or an instant.
    pub fn parse(text: &str) -> Result<Self, NotEffective> {
        let date_like = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        if !date_like {
            return parse_instant(text).map(Self::Instant);
        }
        let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").map_err(|_| NotEffective::Unreadable)?;
        within_years(date.year())?;
        // Signs and missing zeros would pass the calendar but not this comparison.
        if date.to_string() == text { Ok(Self::Date(date)) } else { Err(NotEffective::Unreadable) }
    }

    /// Puts a bare date into its zone; an instant needs none.
    pub fn located(self, zone: Option<Tz>, boundary: Boundary) -> Result<EffectiveAt, NotEffective> {
        match (self, zone) {
            (Self::Instant(instant), _) => Ok(EffectiveAt::Instant(instant)),
            (Self::Date(date), Some(zone)) => Ok(EffectiveAt::Day { date, zone, boundary }),
            (Self::Date(_), None) => Err(NotEffective::ZoneMissing),
        }
    }
}

fn within_years(year: i32) -> Result<(), NotEffective> {
    if (2000..=2100).contains(&year) { Ok(()) } else { Err(NotEffective::YearOutOfRange) }
}

impl EffectiveAt {
    /// The instant that is meant, by the zone data this program was built with.
    pub fn instant(&self) -> Timestamp {
        match *self {
            Self::Instant(instant) => instant,
            Self::Day { date, zone, boundary: Boundary::StartOfDay } => first_instant(date, zone),
            Self::Day { date, zone, boundary: Boundary::EndOfDay } => {
                first_instant(date.succ_opt().unwrap_or(date), zone)
            }
        }
    }

    /// The text as given; an instant in UTC.
    pub fn as_given(&self) -> String {
        match self {
            Self::Day { date, .. } => date.to_string(),
            Self::Instant(instant) => instant.to_string(),
        }
    }
}

/// The first instant whose local date is `date`. Where midnight is skipped that is the end of the gap (after a whole
/// skipped day, the start of the day that follows); where midnight comes twice it is the earlier one.
fn first_instant(date: NaiveDate, zone: Tz) -> Timestamp {
    let midnight = date.and_time(NaiveTime::MIN);
    let first = match zone.from_local_datetime(&midnight) {
        LocalResult::Single(only) => only.with_timezone(&Utc),
        LocalResult::Ambiguous(earlier, _) => earlier.with_timezone(&Utc),
        // A local time that does not exist always lies in a gap, and every gap since 2000 has an end.
        LocalResult::None => GapInfo::new(&midnight, &zone)
            .and_then(|gap| gap.end)
            .map_or_else(|| midnight.and_utc(), |end| end.with_timezone(&Utc)),
    };
    Timestamp::from_utc(first)
}

/// When a request takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Spelled", into = "Spelled")]
pub struct Effective {
    /// The date or instant.
    pub at: EffectiveAt,
    /// True: as soon as approved, whatever `at` says.
    pub immediate: bool,
}

impl Effective {
    /// The instant that was asked for.
    pub fn instant(&self) -> Timestamp {
        self.at.instant()
    }

    /// What an approved change waits for; `None` when it is not to wait.
    pub fn waits_until(&self) -> Option<Timestamp> {
        if self.immediate { None } else { Some(self.instant()) }
    }

    /// More than [`FARTHEST_DAYS`] ahead: rather a typing error than a plan.
    pub fn too_far(&self, now: Timestamp) -> bool {
        self.instant() > now.plus(TimeDelta::days(FARTHEST_DAYS))
    }

    /// How long the instant is past; `None` while it is not.
    pub fn late_by(&self, now: Timestamp) -> Option<TimeDelta> {
        let late = now.since(self.instant());
        (late > TimeDelta::zero()).then_some(late)
    }
}

/// The stored spelling: the object `effective` of `jml/1` with every default written out.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Spelled {
    at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tz: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    boundary: Option<Boundary>,
    immediate: bool,
}

impl From<Effective> for Spelled {
    fn from(effective: Effective) -> Self {
        let (tz, boundary) = match effective.at {
            EffectiveAt::Day { zone, boundary, .. } => (Some(zone.name().to_owned()), Some(boundary)),
            EffectiveAt::Instant(_) => (None, None),
        };
        Self { at: effective.at.as_given(), tz, boundary, immediate: effective.immediate }
    }
}

impl TryFrom<Spelled> for Effective {
    type Error = NotEffective;

    fn try_from(spelled: Spelled) -> Result<Self, NotEffective> {
        let zone = spelled.tz.as_deref().map(parse_zone).transpose()?;
        let boundary = spelled.boundary.unwrap_or(Boundary::StartOfDay);
        let at = AsGiven::parse(&spelled.at)?.located(zone, boundary)?;
        Ok(Self { at, immediate: spelled.immediate })
    }
}

#[cfg(test)]
mod tests {
    use chrono_tz::TZ_VARIANTS;

    use super::*;

    fn instant(date: &str, zone: &str, boundary: Boundary) -> String {
        let zone = Some(parse_zone(zone).unwrap());
        let at = AsGiven::parse(date).unwrap().located(zone, boundary).unwrap();
        at.instant().as_utc().format("%Y-%m-%dT%H:%MZ").to_string()
    }

    #[test]
    fn a_day_begins_and_ends_where_it_is_lived() {
        use Boundary::{EndOfDay, StartOfDay};
        let cases = [
            ("2026-12-01", "Europe/Berlin", StartOfDay, "2026-11-30T23:00Z"),
            ("2027-03-31", "Europe/Berlin", EndOfDay, "2027-03-31T22:00Z"),
            // Days of 23 and 25 hours.
            ("2026-03-29", "Europe/Berlin", StartOfDay, "2026-03-28T23:00Z"),
            ("2026-03-29", "Europe/Berlin", EndOfDay, "2026-03-29T22:00Z"),
            ("2026-10-25", "Europe/Berlin", EndOfDay, "2026-10-25T23:00Z"),
            // Midnight was skipped: the day began at 01:00.
            ("2018-11-04", "America/Sao_Paulo", StartOfDay, "2018-11-04T03:00Z"),
            ("2018-11-03", "America/Sao_Paulo", EndOfDay, "2018-11-04T03:00Z"),
            ("2026-03-29", "Asia/Beirut", StartOfDay, "2026-03-28T22:00Z"),
            // At midnight the clock went back to 23:00: the day is over at the second, the only real, midnight.
            ("2026-10-24", "Asia/Beirut", EndOfDay, "2026-10-24T22:00Z"),
            ("2018-02-17", "America/Sao_Paulo", EndOfDay, "2018-02-18T03:00Z"),
            // Midnight came twice: the earlier one counts.
            ("2026-11-01", "America/Havana", StartOfDay, "2026-11-01T04:00Z"),
            ("2024-02-29", "Europe/Berlin", EndOfDay, "2024-02-29T23:00Z"),
            // 30 December 2011 did not happen in Samoa.
            ("2011-12-29", "Pacific/Apia", EndOfDay, "2011-12-30T10:00Z"),
            ("2011-12-30", "Pacific/Apia", StartOfDay, "2011-12-30T10:00Z"),
            ("2011-12-30", "Pacific/Apia", EndOfDay, "2011-12-30T10:00Z"),
            ("2100-12-31", "UTC", EndOfDay, "2101-01-01T00:00Z"),
        ];
        for (date, zone, boundary, wanted) in cases {
            assert_eq!(instant(date, zone, boundary), wanted, "{date} {zone} {boundary:?}");
        }
    }

    #[test]
    fn the_first_instant_is_the_first_in_every_zone() {
        for zone in TZ_VARIANTS {
            for days in (0..36_000).step_by(29) {
                let date = NaiveDate::from_ymd_opt(2000, 1, 1).unwrap() + TimeDelta::days(days);
                let first = first_instant(date, zone);
                let local = |at: Timestamp| at.as_utc().with_timezone(&zone).date_naive();
                assert!(local(first) >= date, "{zone} {date}");
                assert!(local(first.plus(TimeDelta::microseconds(-1))) < date, "{zone} {date}");
            }
        }
    }

    #[test]
    fn what_is_no_real_date_is_refused() {
        for text in
            ["2026-02-29", "2026-13-01", "2026-1-01", "+026-01-01", "01.12.2026", "", "2026-12-01T10:00:00"]
        {
            assert_eq!(AsGiven::parse(text), Err(NotEffective::Unreadable), "{text}");
        }
        for text in ["2016-12-31T23:59:60Z", "2026-12-01T25:00:00Z", "2026-12-01 "] {
            assert_eq!(AsGiven::parse(text), Err(NotEffective::Unreadable), "{text}");
        }
        for text in ["1999-12-31", "2101-01-01", "1999-12-31T23:59:59Z", "0026-12-01"] {
            assert_eq!(AsGiven::parse(text), Err(NotEffective::YearOutOfRange), "{text}");
        }
        assert_eq!(parse_zone("Europe/Atlantis"), Err(NotEffective::UnknownZone));
        let bare = AsGiven::parse("2026-12-01").unwrap();
        assert_eq!(bare.located(None, Boundary::StartOfDay), Err(NotEffective::ZoneMissing));
    }

    #[test]
    fn late_and_far_are_measured_from_now() {
        let at = |text: &str| Effective {
            at: AsGiven::parse(text).unwrap().located(None, Boundary::StartOfDay).unwrap(),
            immediate: false,
        };
        let now = Timestamp::parse("2026-11-21T12:00:00Z").unwrap();
        assert!(!at("2027-12-26T12:00:00Z").too_far(now));
        assert!(at("2027-12-26T12:00:01Z").too_far(now));
        assert_eq!(at("2026-11-21T10:30:00Z").late_by(now), Some(TimeDelta::minutes(90)));
        assert_eq!(at("2026-11-21T12:00:00Z").late_by(now), None);
        assert_eq!(Effective { immediate: true, ..at("2026-12-01T00:00:00Z") }.waits_until(), None);
    }

    #[test]
    fn the_stored_form_reads_back() {
        let day = r#"{"at":"2026-12-01","tz":"Europe/Berlin","boundary":"end_of_day","immediate":false}"#;
        let moment = r#"{"at":"2026-11-21T15:05:00.000000Z","immediate":true}"#;
        for text in [day, moment] {
            let read: Effective = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&read).unwrap(), text);
        }
        let offset = r#"{"at":"2026-11-21T16:05:00+01:00","immediate":true}"#;
        let same: Effective = serde_json::from_str(offset).unwrap();
        assert_eq!(serde_json::to_string(&same).unwrap(), moment);
    }
}
