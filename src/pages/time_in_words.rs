//! Moments and spans, as people say them.

use chrono::TimeDelta;

use crate::domain::effective::{Boundary, Effective, EffectiveAt};
use crate::domain::time::Timestamp;

/// How long ago, or how far ahead: `3 minutes ago`, `in 2 days`, `just now`.
pub fn distance(now: Timestamp, moment: Timestamp) -> String {
    let passed = now.since(moment);
    let words = span(passed.abs());
    match words {
        None => "just now".to_owned(),
        Some(words) if passed > TimeDelta::zero() => format!("{words} ago"),
        Some(words) => format!("in {words}"),
    }
}

/// A span in its largest whole unit; `None` below ten seconds.
pub fn span(length: TimeDelta) -> Option<String> {
    let (count, unit) = match length.num_seconds() {
        ..10 => return None,
        seconds @ ..120 => (seconds, "second"),
        seconds @ ..7_200 => (seconds / 60, "minute"),
        seconds @ ..172_800 => (seconds / 3_600, "hour"),
        seconds => (seconds / 86_400, "day"),
    };
    Some(if count == 1 { format!("1 {unit}") } else { format!("{count} {unit}s") })
}

/// The time that a request asks for, with the zone it was said in.
pub fn wanted(effective: &Effective) -> String {
    match effective.at {
        EffectiveAt::Instant(instant) => instant.in_words(),
        EffectiveAt::Day { date, zone, boundary } => {
            let end = match boundary {
                Boundary::StartOfDay => "the start of",
                Boundary::EndOfDay => "the end of",
            };
            let day = date.format("%-d %B %Y");
            format!("{end} {day} in {} ({})", zone.name(), effective.instant().in_words())
        }
    }
}

/// When an approved plan runs. `not_before` is the plan's own moment.
pub fn runs(effective: Option<&Effective>, not_before: Timestamp, now: Timestamp) -> String {
    let Some(effective) = effective else {
        return "As soon as it is approved.".to_owned();
    };
    if effective.immediate {
        return format!(
            "As soon as it is approved: the request says at once. Wanted for {}.",
            wanted(effective)
        );
    }
    if not_before > now {
        return format!("Not before {}, which is {}.", wanted(effective), distance(now, not_before));
    }
    format!("As soon as it is approved: the wanted time, {}, has passed.", wanted(effective))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_said_in_their_largest_unit() {
        let now = Timestamp::from_unix_seconds(1_000_000).unwrap();
        let said = |seconds| distance(now, now.plus_seconds(seconds));
        assert_eq!(said(0), "just now");
        assert_eq!(said(-61), "61 seconds ago");
        assert_eq!(said(-180), "3 minutes ago");
        assert_eq!(said(3 * 3_600), "in 3 hours");
        assert_eq!(said(-3 * 86_400), "3 days ago");
    }

    #[test]
    fn a_wanted_day_is_said_with_its_zone_and_instant() {
        let effective: Effective =
            serde_json::from_value(serde_json::json!({"at": "2026-12-01", "tz": "Europe/Berlin",
                "boundary": "start_of_day", "immediate": false}))
            .unwrap();
        let before = Timestamp::parse("2026-11-21T23:00:00Z").unwrap();
        let said = runs(Some(&effective), effective.instant(), before);
        assert_eq!(
            said,
            "Not before the start of 1 December 2026 in Europe/Berlin (2026-11-30 23:00 UTC), which is in 9 days."
        );
        let after = Timestamp::parse("2026-12-21T23:00:00Z").unwrap();
        assert!(runs(Some(&effective), effective.instant(), after).contains("has passed"));
    }
}
