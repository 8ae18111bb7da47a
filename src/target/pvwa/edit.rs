//! A value that is to be changed, and where it stands in a record.
//!
//! Must hold: a value is changed where this vault keeps it and under the name as this vault spells it.

use serde_json::{Map, Value};

use super::pages::{Raw, field};

/// Where a value stands in a record: at the top, or in an object there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    holder: Option<&'static str>,
    pub(super) name: &'static str,
}

impl Place {
    /// A field of the record itself.
    pub(super) const fn top(name: &'static str) -> Self {
        Self { holder: None, name }
    }

    /// A field of an object in the record.
    pub(super) const fn inside(holder: &'static str, name: &'static str) -> Self {
        Self { holder: Some(holder), name }
    }

    pub(super) fn of(self, record: &Raw) -> &Value {
        let holder = match self.holder {
            Some(holder) => field(record, holder).and_then(Value::as_object),
            None => Some(record),
        };
        holder.and_then(|holder| field(holder, self.name)).unwrap_or(&Value::Null)
    }

    pub(super) fn set(self, record: &mut Raw, value: Value) {
        let Some(holder) = self.holder else { return put_in(record, self.name, value) };
        let spelled = spelled(record, holder);
        let inner = record.entry(spelled).or_insert(Value::Null);
        if !inner.is_object() {
            *inner = Value::Object(Map::new());
        }
        if let Value::Object(inner) = inner {
            put_in(inner, self.name, value);
        }
    }

    /// As a seal names it.
    pub(super) fn is_named(self, name: &str) -> bool {
        match self.holder {
            Some(holder) => name.eq_ignore_ascii_case(&format!("{holder}.{}", self.name)),
            None => name.eq_ignore_ascii_case(self.name),
        }
    }
}

fn put_in(record: &mut Raw, name: &str, value: Value) {
    let spelled = spelled(record, name);
    record.insert(spelled, value);
}

/// The name as this vault spells it.
fn spelled(record: &Raw, name: &str) -> String {
    record.keys().find(|key| key.eq_ignore_ascii_case(name)).cloned().unwrap_or_else(|| name.to_owned())
}

/// A value that is to be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edit {
    pub(super) place: Place,
    pub(super) value: Value,
}

impl Edit {
    /// Does a record show it? Vaults trim texts, and spell a place in their tree with or without a sign at its end.
    pub(super) fn is_seen_in(&self, record: &Raw) -> bool {
        let ends: &[char] = if self.place == LOCATION { &['\\', ' '] } else { &[' '] };
        match (self.place.of(record), &self.value) {
            (Value::String(is), Value::String(wanted)) => {
                let (is, wanted) = (is.trim_matches(ends), wanted.trim_matches(ends));
                is == wanted || (self.place == LOCATION && is.to_lowercase() == wanted.to_lowercase())
            }
            (is, wanted) => is == wanted || (says_nothing(is) && says_nothing(wanted)),
        }
    }
}

/// A place in the vault's tree, which it compares without case.
const LOCATION: Place = Place::top("location");

pub(super) fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}
