//! The words by which people look a request up: names, references, addresses.
//!
//! Must hold: what is typed is folded like what is kept, so that `zoe` finds Zoë and `RITM001` finds RITM0010001;
//! nothing is kept that the request does not hold anyway.

use std::collections::BTreeSet;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use super::Request;

/// A longer word is kept and looked for by its beginning alone, in characters.
const LONGEST: usize = 80;

/// A text as folded words: small letters, no accents, split at spaces.
pub fn folded(text: &str) -> BTreeSet<String> {
    let plain: String = text.nfkd().filter(|sign| !is_combining_mark(*sign)).collect();
    plain
        .to_lowercase()
        .split(|sign: char| sign.is_whitespace() || sign.is_control())
        .filter(|word| !word.is_empty())
        .map(|word| word.chars().take(LONGEST).collect())
        .collect()
}

impl Request {
    /// The folded words that this request is found by.
    pub fn found_by(&self) -> BTreeSet<String> {
        let names = match (self.newcomer(), self.known_subject()) {
            (Some(new), _) => vec![Some(&new.first_name), new.middle_name.as_ref(), Some(&new.last_name)],
            (None, Some(known)) => {
                vec![known.first_name.as_ref(), known.middle_name.as_ref(), known.last_name.as_ref()]
            }
            (None, None) => Vec::new(),
        };
        let ticket = self.ticket.as_ref();
        let texts = [
            Some(self.source_ref.as_str()),
            Some(self.person_ref.as_str()),
            self.username().map(crate::domain::names::UserName::as_str),
            self.email().map(crate::domain::names::EmailAddress::as_str),
            ticket.map(|ticket| ticket.id.as_str()),
            ticket.and_then(|ticket| ticket.requested_by.as_ref()).map(|asker| asker.as_str()),
        ];
        let names = names.into_iter().flatten().map(|name| name.as_str());
        names.chain(texts.into_iter().flatten()).flat_map(folded).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_accents_do_not_matter() {
        let words = |text: &str| folded(text).into_iter().collect::<Vec<_>>();
        assert_eq!(words(" Zoë  O'Brien\n"), ["o'brien", "zoe"]);
        assert_eq!(words("Ångström ＦＵＬＬ"), ["angstrom", "full"]);
        assert_eq!(words("\t \u{7}"), Vec::<String>::new());
        assert_eq!(words(&"x".repeat(500))[0].len(), LONGEST);
    }

    #[test]
    fn a_request_is_found_by_its_names_and_references() {
        let request: Request = serde_json::from_value(serde_json::json!({
            "schema": "jml/1", "kind": "joiner", "source_ref": "RITM0010001:3", "person_ref": "E10442",
            "effective": {"at": "2026-12-01", "tz": "Europe/Berlin"},
            "subject": {"username": "zobrien", "first_name": "Zoë Ann", "last_name": "O'Brien",
                "email": "Zoe.OBrien@example.com"},
            "ticket": {"system": "servicenow", "id": "RITM0010001", "requested_by": "rita@example.com"},
        }))
        .unwrap();
        let wanted = [
            "ann",
            "e10442",
            "o'brien",
            "ritm0010001",
            "ritm0010001:3",
            "rita@example.com",
            "zobrien",
            "zoe",
            "zoe.obrien@example.com",
        ];
        assert_eq!(request.found_by(), wanted.map(str::to_owned).into());
    }
}
