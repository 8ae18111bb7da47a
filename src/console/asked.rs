//! What the address of the list asks for, and how addresses of lists are written.
//!
//! Must hold: what is empty does not matter, since a form sends every field; what is not understood is said by name
//! and never repeated.

use crate::domain::ids::WorkflowId;
use crate::domain::kind::Kind;
use crate::domain::names::PersonRef;
use crate::domain::request::folded;
use crate::store::board::{Place, Wanted};

/// A search for shorter words would find nearly everything.
const SHORTEST_WORD: usize = 2;
/// So many words are enough for anybody.
const MOST_WORDS: usize = 6;

/// The states in the order in which operators care, each with its word and how it reads.
pub(super) const STATES: [(&str, &str); 11] = [
    ("needs_attention", "waiting for an operator"),
    ("pending_approval", "waiting for approval"),
    ("planning", "being planned"),
    ("approved", "approved"),
    ("running", "being carried out"),
    ("succeeded", "done and verified"),
    ("rejected", "rejected"),
    ("expired", "expired"),
    ("cancelled", "cancelled"),
    ("superseded", "replaced by a later request"),
    ("failed", "given up"),
];

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    /// As the store understands it.
    pub(super) wanted: Wanted,
    /// Where the page begins.
    pub(super) place: Place,
    /// The words as they were typed.
    pub(super) typed: String,
}

/// What cannot be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotUnderstood {
    #[error("a part of the address that is not known here")]
    Unknown,
    #[error("a part of the address that is there twice")]
    Twice,
    #[error("a state that there is not")]
    State,
    #[error("a kind of change that there is not")]
    Kind,
    #[error("a person reference that cannot be one: it is made of letters, digits and . _ : @ -")]
    Person,
    #[error("a search for words: up to six of them, each of at least two characters")]
    Words,
    #[error("a place in the list that there is not")]
    Place,
}

impl Asked {
    /// Reads the query of an address.
    pub(super) fn read(query: &str) -> Result<Self, NotUnderstood> {
        let mut fields: [(&str, Option<String>); 6] =
            ["q", "state", "kind", "person", "older", "newer"].map(|name| (name, None));
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let field = fields.iter_mut().find(|(known, _)| *known == name);
            let (_, place) = field.ok_or(NotUnderstood::Unknown)?;
            if place.replace(value.trim().to_owned()).is_some() {
                return Err(NotUnderstood::Twice);
            }
        }
        let [typed, state, kind, person, older, newer] =
            fields.map(|(_, value)| value.filter(|value| !value.is_empty()));
        let mut wanted = Wanted::default();
        if let Some(word) = state {
            let known = STATES.iter().find(|(known, _)| *known == word);
            wanted.state = Some(known.ok_or(NotUnderstood::State)?.0);
        }
        if let Some(word) = kind {
            wanted.kind = Some(Kind::parse(&word).ok_or(NotUnderstood::Kind)?);
        }
        if let Some(text) = person {
            wanted.person = Some(PersonRef::parse(&text).map_err(|_| NotUnderstood::Person)?);
        }
        let typed = typed.unwrap_or_default();
        match WorkflowId::parse(&typed) {
            Some(id) => wanted.id = Some(id),
            None => wanted.words = folded(&typed),
        }
        let short = wanted.words.iter().any(|word| word.chars().count() < SHORTEST_WORD);
        if short || wanted.words.len() > MOST_WORDS {
            return Err(NotUnderstood::Words);
        }
        let id = |text: String| WorkflowId::parse(&text).ok_or(NotUnderstood::Place);
        let place = match (older, newer) {
            (None, None) => Place::Top,
            (Some(older), None) => Place::OlderThan(id(older)?),
            (None, Some(newer)) => Place::NewerThan(id(newer)?),
            (Some(_), Some(_)) => return Err(NotUnderstood::Place),
        };
        Ok(Self { wanted, place, typed })
    }

    /// Does it leave anything out?
    pub(super) fn narrows(&self) -> bool {
        self.wanted != Wanted::default()
    }

    /// The query of the same list that begins at another place.
    pub(super) fn query(&self, place: Place) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let id = match place {
            Place::Top => None,
            Place::OlderThan(id) => Some(("older", id)),
            Place::NewerThan(id) => Some(("newer", id)),
        };
        let Wanted { state, kind, person, words: _, id: _ } = &self.wanted;
        let fields = [
            ("q", Some(self.typed.as_str()).filter(|typed| !typed.is_empty())),
            ("state", *state),
            ("kind", kind.map(Kind::as_str)),
            ("person", person.as_ref().map(PersonRef::as_str)),
        ];
        query.extend_pairs(fields.into_iter().filter_map(|(name, value)| Some((name, value?))));
        query.extend_pairs(id.map(|(name, id)| (name, id.to_string())));
        query.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::sample;

    #[test]
    fn every_state_can_be_asked_for_and_reads_as_it_does_elsewhere() {
        let mut said: Vec<_> =
            sample::states().iter().map(|state| (state.word(), state.in_words())).collect();
        said.sort_unstable();
        said.dedup();
        let mut known = STATES.to_vec();
        known.sort_unstable();
        assert_eq!(said, known);
    }

    #[test]
    fn an_address_reads_as_it_was_written() {
        let id = "0190f1e0-0000-7000-8000-000000000001";
        let text = format!("q=Zo%C3%AB+RITM&state=running&kind=joiner&person=E10442&older={id}");
        let asked = Asked::read(&text).unwrap();
        assert_eq!(asked.wanted.words, ["ritm".to_owned(), "zoe".to_owned()].into());
        assert_eq!(asked.query(asked.place), text);
        assert_eq!(Asked::read(&asked.query(Place::Top)).unwrap().place, Place::Top);
        // A form sends every field.
        let all = Asked::read("q=&state=&kind=+&person=").unwrap();
        assert!(!all.narrows() && all.query(Place::Top).is_empty());
        assert_eq!(Asked::read(&format!("q={id}")).unwrap().wanted.id, WorkflowId::parse(id));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for (text, wrong) in [
            ("limit=5", NotUnderstood::Unknown),
            ("q=ab&q=cd", NotUnderstood::Twice),
            ("state=almost", NotUnderstood::State),
            ("kind=vanisher", NotUnderstood::Kind),
            ("person=%E2%80%AE", NotUnderstood::Person),
            ("q=a", NotUnderstood::Words),
            ("q=aa+bb+cc+dd+ee+ff+gg", NotUnderstood::Words),
            ("older=1", NotUnderstood::Place),
        ] {
            assert_eq!(Asked::read(text), Err(wrong), "{text}");
        }
    }
}
