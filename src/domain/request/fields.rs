//! One object of a foreign document, read field by field.
//!
//! Must hold: every fault is gathered, none ends the reading; a fault carries the place and the rule and never the
//! value, so an unknown key appears in its pointer alone. Texts are trimmed and in NFC before any rule sees them.

use std::cell::RefCell;

use unicode_normalization::UnicodeNormalization;

use crate::domain::effective::NotEffective;
use crate::domain::names::NotAName;
use crate::domain::strict_json::{Json, pointer_step};

/// One thing that is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at {pointer:?}: {wanted}")]
pub struct FieldFault {
    /// The place (RFC 6901).
    pub pointer: String,
    /// A short stable word for programs, such as `unknown_field`.
    pub code: &'static str,
    /// The rule in words.
    pub wanted: String,
}

/// A rule that was not met, before its place is known.
pub(super) struct Unmet {
    code: &'static str,
    wanted: String,
}

impl From<NotAName> for Unmet {
    fn from(no: NotAName) -> Self {
        Self { code: no.code, wanted: no.wanted.to_owned() }
    }
}

impl From<NotEffective> for Unmet {
    fn from(no: NotEffective) -> Self {
        Self { code: no.code(), wanted: no.to_string() }
    }
}

/// Where all faults of one document are gathered.
#[derive(Default)]
pub(super) struct Faults(RefCell<Vec<FieldFault>>);

impl Faults {
    pub(super) fn add(&self, pointer: String, code: &'static str, wanted: impl Into<String>) {
        self.0.borrow_mut().push(FieldFault { pointer, code, wanted: wanted.into() });
    }

    pub(super) fn into_vec(self) -> Vec<FieldFault> {
        self.0.into_inner()
    }
}

/// One object, its place, and where its faults go.
pub(super) struct Fields<'doc> {
    at: String,
    entries: &'doc [(String, Json)],
    faults: &'doc Faults,
}

impl<'doc> Fields<'doc> {
    /// Opens an object of which only the `known` keys may be there.
    pub(super) fn open(
        json: &'doc Json,
        at: String,
        known: &[&'static str],
        faults: &'doc Faults,
    ) -> Option<Self> {
        let fields = Self::open_free(json, at, faults)?;
        for (key, _) in fields.entries {
            if !known.contains(&key.as_str()) {
                faults.add(fields.pointer(key), "unknown_field", suggestion(key, known));
            }
        }
        Some(fields)
    }

    /// Opens an object whose keys are the sender's own.
    pub(super) fn open_free(json: &'doc Json, at: String, faults: &'doc Faults) -> Option<Self> {
        let Json::Object(entries) = json else {
            wrong_type(json, at, "an object", faults);
            return None;
        };
        Some(Self { at, entries, faults })
    }

    pub(super) fn child(&self, key: &'static str, known: &[&'static str]) -> Option<Self> {
        Self::open(self.get(key)?, self.pointer(key), known, self.faults)
    }

    pub(super) fn free_child(&self, key: &'static str) -> Option<Self> {
        Self::open_free(self.get(key)?, self.pointer(key), self.faults)
    }

    /// An object that is read a second time: what is wrong with it has been told already.
    pub(super) fn again(&self, key: &'static str) -> Option<Self> {
        let Json::Object(entries) = self.get(key)? else { return None };
        Some(Self { at: self.pointer(key), entries, faults: self.faults })
    }

    pub(super) fn entries(&self) -> &'doc [(String, Json)] {
        self.entries
    }

    pub(super) fn get(&self, key: &str) -> Option<&'doc Json> {
        self.entries.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    pub(super) fn pointer(&self, key: &str) -> String {
        format!("{}{}", self.at, pointer_step(key))
    }

    pub(super) fn fault(&self, key: &str, code: &'static str, wanted: impl Into<String>) {
        self.faults.add(self.pointer(key), code, wanted);
    }

    /// Says that a field is missing, unless it is there (well-formed or not).
    pub(super) fn require(&self, key: &str, wanted: &str) {
        if !self.has(key) {
            self.fault(key, "required", wanted);
        }
    }

    /// Says that a field has no place here, where it is there.
    pub(super) fn refuse(&self, key: &str, wanted: &str) {
        if self.has(key) {
            self.fault(key, "not_applicable", wanted);
        }
    }

    /// A text that keeps `rule`.
    pub(super) fn text<T, E: Into<Unmet>>(
        &self,
        key: &str,
        rule: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        self.text_of(self.get(key)?, self.pointer(key), rule)
    }

    /// As [`Self::text`], for a value that is not a field of its own.
    pub(super) fn text_of<T, E: Into<Unmet>>(
        &self,
        json: &Json,
        at: String,
        rule: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        let Json::Text(text) = json else {
            wrong_type(json, at, "a string", self.faults);
            return None;
        };
        let plain: String = text.trim().nfc().collect();
        match rule(&plain) {
            Ok(kept) => Some(kept),
            Err(unmet) => {
                let Unmet { code, wanted } = unmet.into();
                self.faults.add(at, code, wanted);
                None
            }
        }
    }

    /// One of a few fixed words.
    pub(super) fn choice<T: Copy>(&self, key: &str, all: &[T], word: fn(T) -> &'static str) -> Option<T> {
        self.text(key, |text| choose(text, all, word))
    }

    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        let json = self.get(key)?;
        let Json::Bool(said) = json else {
            wrong_type(json, self.pointer(key), "true or false", self.faults);
            return None;
        };
        Some(*said)
    }

    /// A whole number from 0 on; the reader of the bytes has already bounded it from above.
    pub(super) fn count(&self, key: &str) -> Option<u64> {
        let json = self.get(key)?;
        match json {
            Json::Int(number) => {
                let count = u64::try_from(*number).ok();
                if count.is_none() {
                    self.fault(key, "number_out_of_range", "an integer from 0 to 2^53-1");
                }
                count
            }
            Json::Null | Json::Bool(_) | Json::Float(_) | Json::Text(_) | Json::List(_) | Json::Object(_) => {
                wrong_type(json, self.pointer(key), "an integer", self.faults);
                None
            }
        }
    }

    /// A list of at most `most` texts that keep `rule`; those that do not are left out and told.
    pub(super) fn texts<T, E: Into<Unmet>>(
        &self,
        key: &str,
        most: usize,
        rule: impl Fn(&str) -> Result<T, E>,
    ) -> Option<Vec<T>> {
        let json = self.get(key)?;
        let Json::List(elements) = json else {
            wrong_type(json, self.pointer(key), "a list of strings", self.faults);
            return None;
        };
        if elements.len() > most {
            self.fault(key, "too_many", format!("at most {most} entries"));
            return None;
        }
        let read = |(place, json): (usize, &Json)| {
            self.text_of(json, format!("{}/{place}", self.pointer(key)), &rule)
        };
        Some(elements.iter().enumerate().filter_map(read).collect())
    }
}

/// One of a few fixed words, for lists of them.
pub(super) fn choose<T: Copy>(text: &str, all: &[T], word: fn(T) -> &'static str) -> Result<T, Unmet> {
    all.iter().copied().find(|one| word(*one) == text).ok_or_else(|| {
        let words: Vec<&str> = all.iter().map(|one| word(*one)).collect();
        Unmet { code: "unknown_word", wanted: format!("one of {}", words.join(", ")) }
    })
}

fn wrong_type(json: &Json, at: String, wanted: &str, faults: &Faults) {
    match json {
        Json::Null => faults.add(at, "null", format!("{wanted}; a field without a value is left out")),
        Json::Bool(_) | Json::Int(_) | Json::Float(_) | Json::Text(_) | Json::List(_) | Json::Object(_) => {
            faults.add(at, "wrong_type", format!("{wanted}, not {}", json.type_name()));
        }
    }
}

/// Speaks of our own field names only: the sender's key is in the pointer.
fn suggestion(key: &str, known: &[&'static str]) -> String {
    let folded = key.to_lowercase();
    let near = known
        .iter()
        .map(|name| (strsim::jaro_winkler(&folded, name), name))
        .filter(|(likeness, _)| *likeness > 0.85)
        .max_by(|(one, _), (other, _)| one.total_cmp(other));
    match near {
        Some((_, name)) => format!("no such field; did you mean {name}?"),
        None => format!("no such field; here are known: {}", known.join(", ")),
    }
}
