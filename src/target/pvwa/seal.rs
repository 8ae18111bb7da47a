//! A record kept as seals, and compared with a later reading of it.
//!
//! Must hold: two readings that mean the same are the same, whatever their order or spelling of names; what moves by
//! itself is left out; a difference is told by the name of the field, never by its value.

use serde_json::Value;

use super::edit::{Edit, says_nothing};
use super::pages::Raw;
use crate::domain::step::{RecordSeal, ValueSeal};

/// The seals of a record.
pub(super) fn sealed(record: &Raw, salt: String) -> RecordSeal {
    let mut values = Vec::new();
    for (key, value) in record {
        // The last log-on moves by itself.
        if !key.eq_ignore_ascii_case("lastSuccessfulLoginDate") {
            seal(&salt, key, value, &mut values);
        }
    }
    RecordSeal { salt, values }
}

/// The names of fields that were there before and differ now, the changed ones left out.
pub(super) fn differences(before: &RecordSeal, after: &Raw, edits: &[Edit]) -> Vec<String> {
    let now = sealed(after, before.salt.clone()).values;
    let differs =
        |was: &&ValueSeal| !is_same(was, &now) && !edits.iter().any(|edit| edit.place.is_named(&was.name));
    before.values.iter().filter(differs).map(|was| was.name.clone()).collect()
}

fn is_same(was: &ValueSeal, now: &[ValueSeal]) -> bool {
    let found = now.iter().find(|is| is.name.eq_ignore_ascii_case(&was.name));
    let is = found.map(|is| is.digests.as_slice()).unwrap_or_default();
    if was.name.eq_ignore_ascii_case("groupsMembership") {
        // Somebody may add a membership meanwhile; only a lost one can be our doing.
        return was.digests.iter().all(|member| is.contains(member));
    }
    let inside = format!("{}.", was.name.to_ascii_lowercase());
    let became_more = was.digests.is_empty()
        && now.iter().any(|is| !is.digests.is_empty() && is.name.to_ascii_lowercase().starts_with(&inside));
    was.digests == is && !became_more
}

fn seal(salt: &str, name: &str, value: &Value, values: &mut Vec<ValueSeal>) {
    let digest = |value: &Value| RecordSeal::digest(salt, &name.to_ascii_lowercase(), &spelled(value));
    let digests = match value {
        Value::Object(inner) if !inner.is_empty() => {
            for (key, value) in inner {
                seal(salt, &format!("{name}.{key}"), value, values);
            }
            return;
        }
        value if says_nothing(value) => Vec::new(),
        Value::Array(list) => {
            let mut digests: Vec<_> = list.iter().map(digest).collect();
            digests.sort_unstable();
            digests
        }
        // "Never" is a negative number that differs with the time zone of the server.
        Value::Number(end)
            if name.eq_ignore_ascii_case("expiryDate") && end.as_i64().is_some_and(|end| end <= 0) =>
        {
            vec![digest(&Value::Null)]
        }
        value => vec![digest(value)],
    };
    values.push(ValueSeal { name: name.to_owned(), digests });
}

/// A value as text that does not depend on the order of its fields.
fn spelled(value: &Value) -> String {
    match value {
        Value::Object(inner) => {
            let mut fields: Vec<_> = inner
                .iter()
                .map(|(key, value)| format!("{}:{}", Value::from(key.as_str()), spelled(value)))
                .collect();
            fields.sort_unstable();
            format!("{{{}}}", fields.join(","))
        }
        Value::Array(list) => format!("[{}]", list.iter().map(spelled).collect::<Vec<_>>().join(",")),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn raw(value: Value) -> Raw {
        let Value::Object(raw) = value else { panic!("not a record") };
        raw
    }

    #[test]
    fn a_seal_tells_no_value_and_no_equality() {
        let record = raw(json!({"a": "Zoe", "b": "Zoe", "c": {"d": ["Zoe", {"e": "Zoe"}]}, "f": ""}));
        let (one, other) = (sealed(&record, "01".to_owned()), sealed(&record, "02".to_owned()));
        let told = serde_json::to_string(&one).unwrap();
        assert!(!told.contains("Zoe"), "{told}");
        assert_ne!(one.values[0].digests, one.values[1].digests);
        assert_ne!(one.values[0].digests, other.values[0].digests);
        let names: Vec<_> = one.values.iter().map(|value| value.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c.d", "f"]);
        assert_eq!(differences(&one, &record, &[]), [""; 0]);
    }

    #[test]
    fn order_and_case_of_names_mean_nothing_and_values_do() {
        let before =
            sealed(&raw(json!({"a": [{"x": 1, "y": 2}], "B": {"c": 1}, "d": null, "n": 1})), "01".to_owned());
        let same = raw(json!({"n": 1, "b": {"C": 1}, "A": [{"y": 2, "x": 1}], "new": 7}));
        assert_eq!(differences(&before, &same, &[]), [""; 0]);
        let other = raw(json!({"a": [{"x": 1, "y": 3}], "b": 1, "d": {"e": 1}, "n": "1"}));
        assert_eq!(differences(&before, &other, &[]), ["a", "B.c", "d", "n"]);
    }
}
