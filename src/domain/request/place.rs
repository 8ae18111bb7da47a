//! Where a fault is, as it may stand in a record that is never cleared.
//!
//! Must hold: only names of our own and places in our own lists are written. What a sender has called a field may be a
//! person's name, so it is written as `*`; the sender is told the whole pointer.

use super::account::AsSent;
use super::fields::FieldFault;
use super::parse::{EFFECTIVE, KNOWN, LEAVER, RESET_PASSWORD};
use super::subject::{EMPLOYMENT, MANAGER, SUBJECT};
use super::ticket::TICKET;

/// The names of all fields.
const FIELDS: [&[&str]; 9] =
    [KNOWN, EFFECTIVE, SUBJECT, EMPLOYMENT, MANAGER, TICKET, AsSent::KNOWN, LEAVER, RESET_PASSWORD];
/// The fields that hold a list.
const LISTS: [&str; 5] = ["groups", "groups_add", "groups_remove", "roles", "authentication_methods"];
/// No list of ours is long enough for more digits.
const MOST_DIGITS: usize = 3;

impl FieldFault {
    /// The place in words of our own, fit for the record.
    pub fn place_for_record(&self) -> String {
        let mut before = "";
        let steps = self.pointer.split('/').skip(1).map(|step| {
            let ours = is_field(step) || (LISTS.contains(&before) && is_place(step));
            before = step;
            if ours { step } else { "*" }
        });
        steps.fold(String::new(), |told, step| format!("{told}/{step}"))
    }
}

fn is_field(step: &str) -> bool {
    FIELDS.iter().any(|names| names.contains(&step))
}

fn is_place(step: &str) -> bool {
    (1..=MOST_DIGITS).contains(&step.len()) && step.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_words_are_recorded() {
        let recorded = |pointer: &str| {
            let (pointer, wanted) = (pointer.to_owned(), String::new());
            FieldFault { pointer, code: "c", wanted }.place_for_record()
        };
        for (pointer, told) in [
            ("", ""),
            ("/kind", "/kind"),
            ("/account/groups/12", "/account/groups/12"),
            ("/employment/manager/name", "/employment/manager/name"),
            ("/subject/Zo\u{eb} O'Brien", "/subject/*"),
            ("/Zo\u{eb}~1O'Brien/subject", "/*/subject"),
            ("/attributes/47110815", "/attributes/*"),
            ("/attributes/12", "/attributes/*"),
            ("/account/groups/47110815", "/account/groups/*"),
            ("/", "/*"),
        ] {
            assert_eq!(recorded(pointer), told, "{pointer}");
        }
    }
}
