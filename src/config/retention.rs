//! `[retention]`: how long what is known about people is kept once a request has come to rest. Without a word of it,
//! for ever.

use chrono::TimeDelta;

use super::reader::Section;

/// After how long what is cleared. Nothing is, where nothing is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Clear text of personal values, requests, plans and reports of workflows that have been at rest so long.
    pub personal_after: Option<TimeDelta>,
    /// Raw bytes of deliveries that came so long ago and whose workflow is at rest.
    pub deliveries_after: Option<TimeDelta>,
}

/// Reads `[retention]`.
pub(super) fn read_retention(section: &Section<'_>) -> Retention {
    let retention = Retention {
        personal_after: read_span(section, "personal_after"),
        deliveries_after: read_span(section, "deliveries_after"),
    };
    section.refuse_unknown();
    retention
}

fn read_span(section: &Section<'_>, name: &'static str) -> Option<TimeDelta> {
    let (shortest, longest) = (TimeDelta::days(1), TimeDelta::days(36_500));
    section.value(name)?;
    Some(section.span(name, shortest..=longest, longest))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use crate::config::tests::{GOOD, load};

    #[test]
    fn nothing_said_is_for_ever_and_less_than_a_day_is_refused() {
        let kept = load(GOOD).unwrap().retention;
        assert_eq!((kept.personal_after, kept.deliveries_after), (None, None));
        let said = format!("{GOOD}\n[retention]\npersonal_after = \"400d\"\ndeliveries_after = \"24h\"\n");
        let kept = load(&said).unwrap().retention;
        assert_eq!(kept.personal_after, Some(TimeDelta::days(400)));
        assert_eq!(kept.deliveries_after, Some(TimeDelta::days(1)));
        for short in ["23h", "0d", "soon"] {
            let faults = load(&format!("{GOOD}\n[retention]\npersonal_after = \"{short}\"\n")).unwrap_err();
            assert!(
                faults.iter().any(|fault| fault.to_string().contains("retention.personal_after")),
                "{short}"
            );
        }
    }
}
