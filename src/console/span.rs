//! The span of time that a report is about, as an address says it.
//!
//! Must hold: a bare date means its first moment in UTC; without a word the report is about the last thirty days.

use chrono::TimeDelta;

use crate::domain::effective::{AsGiven, Boundary};
use crate::domain::time::Timestamp;
use crate::store::leaver_report::Span;

/// A report is about so many days unless it is told otherwise.
const DAYS: i64 = 30;

/// What is wrong with one end of the span; the name is that of the parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoSpan {
    /// Which parameter.
    pub(super) parameter: &'static str,
    /// A short stable word for programs.
    pub(super) code: &'static str,
    /// What is wanted.
    pub(super) wanted: &'static str,
}

/// Reads both ends; what is empty does not matter, since a form sends every field.
pub(super) fn read(from: Option<&str>, to: Option<&str>, now: Timestamp) -> Result<Span, NoSpan> {
    let to = moment("to", to)?.unwrap_or(now);
    let from = moment("from", from)?.unwrap_or_else(|| to.plus(TimeDelta::days(-DAYS)));
    if from < to {
        Ok(Span { from, to })
    } else {
        Err(NoSpan { parameter: "from", code: "empty_span", wanted: "a moment before to" })
    }
}

fn moment(parameter: &'static str, text: Option<&str>) -> Result<Option<Timestamp>, NoSpan> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
    let given =
        AsGiven::parse(text).and_then(|given| given.located(Some(chrono_tz::UTC), Boundary::StartOfDay));
    let wanted =
        "a date as YYYY-MM-DD, whose first moment in UTC is meant, or a time in RFC 3339 with an offset";
    given.map(|at| Some(at.instant())).map_err(|_| NoSpan { parameter, code: "bad_date", wanted })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_read_from_dates_and_moments() {
        let now = Timestamp::parse("2026-12-31T10:00:00Z").unwrap();
        let read = |from, to| read(from, to, now);
        let at = |text| Timestamp::parse(text).unwrap();
        assert_eq!(read(None, Some("")), Ok(Span { from: at("2026-12-01T10:00:00Z"), to: now }));
        let whole = Span { from: at("2026-11-01T00:00:00Z"), to: at("2026-12-01T01:00:00Z") };
        assert_eq!(read(Some("2026-11-01"), Some("2026-12-01T02:00:00+01:00")), Ok(whole));
        for (from, to, parameter, code) in [
            (Some("2026-13-01"), None, "from", "bad_date"),
            (None, Some("tomorrow"), "to", "bad_date"),
            (Some("2027-01-01"), None, "from", "empty_span"),
            (Some("2026-12-01"), Some("2026-12-01"), "from", "empty_span"),
        ] {
            let wrong = read(from, to).unwrap_err();
            assert_eq!((wrong.parameter, wrong.code), (parameter, code), "{from:?} {to:?}");
        }
    }
}
