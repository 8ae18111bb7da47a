//! Changing a user: read, change, write everything, read again, compare.
//!
//! Must hold: a PUT carries the whole record, because the vault clears what is left out; afterwards every field that
//! was not meant to change is compared, and a loss is told by the names of the fields, never by their values.
//! Deliberately absent: passwords; a PUT does not carry them reliably.

use serde_json::{Map, Value, json};

use super::pages::{Raw, field};
use super::talk::{Fault, Talk};
use super::users::Account;

/// Where a value stands in a record: at the top, or in an object there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    holder: Option<&'static str>,
    name: &'static str,
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

    fn of(self, record: &Raw) -> &Value {
        let holder = match self.holder {
            Some(holder) => field(record, holder).and_then(Value::as_object),
            None => Some(record),
        };
        holder.and_then(|holder| field(holder, self.name)).unwrap_or(&Value::Null)
    }

    fn set(self, record: &mut Raw, value: Value) {
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

    /// As [`compare`] names it.
    fn is_named(self, name: &str) -> bool {
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
    fn is_seen_in(&self, record: &Raw) -> bool {
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

/// What a change came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Changed {
    /// The change is there and nothing else differs.
    Seen,
    /// The vault accepted the change, but a read does not show it; the names of those fields.
    NotSeen(Vec<String>),
    /// Other fields differ now; their names.
    Lost(Vec<String>),
}

/// Fields that the vault keeps itself and may refuse to be sent.
const READ_ONLY: [&str; 6] =
    ["id", "source", "componentUser", "groupsMembership", "userDN", "lastSuccessfulLoginDate"];

impl Talk<'_> {
    /// Changes some values of the user that was just read.
    pub(super) async fn change(&mut self, before: &Account, edits: &[Edit]) -> Result<Changed, Fault> {
        let id = before.user.id;
        self.put(&format!("Users/{id}"), Value::Object(to_send(&before.raw, edits))).await?;
        let after = self.account(id).await.map_err(Fault::after_a_write)?;
        let Some(after) = after else {
            return Err(Fault::NeedsPerson(format!(
                "user number {id} has gone after its record was written"
            )));
        };
        let lost = differences(&before.raw, &after.raw, edits);
        if !lost.is_empty() {
            return Ok(Changed::Lost(lost));
        }
        let missing = edits.iter().filter(|edit| !edit.is_seen_in(&after.raw));
        let missing: Vec<_> = missing.map(|edit| edit.place.name.to_owned()).collect();
        Ok(if missing.is_empty() { Changed::Seen } else { Changed::NotSeen(missing) })
    }
}

/// The whole record with some values changed, without what may not be sent.
fn to_send(before: &Raw, edits: &[Edit]) -> Raw {
    let mut body: Raw = before
        .iter()
        .filter(|(key, value)| may_go(key, value))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    for edit in edits {
        edit.place.set(&mut body, edit.value.clone());
    }
    body
}

/// The way of authentication is left out where it is the one that the vault would put in its place: that is what
/// existing clients do. Any other way would be lost by leaving it out.
fn may_go(key: &str, value: &Value) -> bool {
    if key.eq_ignore_ascii_case("authenticationMethod") {
        return !says_nothing(value) && *value != json!(["AuthTypePass"]);
    }
    !READ_ONLY.iter().any(|fixed| fixed.eq_ignore_ascii_case(key))
}

/// The names of fields that were there before and differ now, the changed ones left out.
fn differences(before: &Raw, after: &Raw, edits: &[Edit]) -> Vec<String> {
    let mut names = Vec::new();
    for (key, was) in before {
        // The last log-on moves by itself.
        if !key.eq_ignore_ascii_case("lastSuccessfulLoginDate") {
            compare(key, was, field(after, key).unwrap_or(&Value::Null), &mut names);
        }
    }
    names.retain(|name| !edits.iter().any(|edit| edit.place.is_named(name)));
    names
}

fn compare(name: &str, was: &Value, is: &Value, names: &mut Vec<String>) {
    let same = match (was, is) {
        (Value::Object(was), Value::Object(is)) => {
            for (key, value) in was {
                compare(&format!("{name}.{key}"), value, field(is, key).unwrap_or(&Value::Null), names);
            }
            true
        }
        (Value::Object(was), Value::Null) => {
            for (key, value) in was {
                compare(&format!("{name}.{key}"), value, &Value::Null, names);
            }
            true
        }
        (Value::Array(was), Value::Array(is)) if name.eq_ignore_ascii_case("groupsMembership") => {
            // Somebody may add a membership meanwhile; only a lost one can be our doing.
            was.iter().all(|member| is.contains(member))
        }
        (Value::Array(was), Value::Array(is)) => {
            was.len() == is.len() && was.iter().all(|item| is.contains(item))
        }
        // "Never" is a negative number that differs with the time zone of the server.
        (Value::Number(was), Value::Number(is)) if name.eq_ignore_ascii_case("expiryDate") => {
            let end = |number: &serde_json::Number| number.as_i64().filter(|seconds| *seconds > 0);
            end(was) == end(is)
        }
        (was, is) => was == is || (says_nothing(was) && says_nothing(is)),
    };
    if !same {
        names.push(name.to_owned());
    }
}

fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEMANDED: Edit = Edit { place: Place::top("changePassOnNextLogon"), value: Value::Bool(true) };

    fn raw(value: Value) -> Raw {
        let Value::Object(raw) = value else { panic!("not a record") };
        raw
    }

    fn record() -> Raw {
        raw(json!({
            "id": 7, "username": "zo", "source": "CyberArk", "componentUser": false,
            "groupsMembership": [{"groupID": 3}], "expiryDate": -62_135_578_800_i64,
            "changePassOnNextLogon": false, "vaultAuthorization": ["A", "B"],
            "internet": {"businessEmail": "zoe@example.com", "homePage": ""},
            "lastSuccessfulLoginDate": 5, "somethingNew": {"deep": [1]}
        }))
    }

    #[test]
    fn everything_is_sent_but_what_the_vault_keeps_itself() {
        let mut before = record();
        before.insert("authenticationMethod".to_owned(), json!(["AuthTypePass"]));
        let body = to_send(&before, &[DEMANDED]);
        let keys: Vec<_> = body.keys().map(String::as_str).collect();
        assert_eq!(
            keys,
            [
                "username",
                "expiryDate",
                "changePassOnNextLogon",
                "vaultAuthorization",
                "internet",
                "somethingNew"
            ]
        );
        assert_eq!(body["changePassOnNextLogon"], true);
        assert_eq!(body["somethingNew"], json!({"deep": [1]}));
    }

    #[test]
    fn a_way_of_authentication_that_would_be_lost_is_sent() {
        let mut before = record();
        before.insert("authenticationMethod".to_owned(), json!(["AuthTypeRADIUS"]));
        assert_eq!(to_send(&before, &[])["authenticationMethod"], json!(["AuthTypeRADIUS"]));
    }

    #[test]
    fn a_value_is_changed_where_it_stands_and_as_it_is_spelled() {
        let mut before = record();
        before.insert("PersonalDetails".to_owned(), json!({"FirstName": "Zo", "city": "Bonn"}));
        let name = Edit { place: Place::inside("personalDetails", "firstName"), value: json!("Zoë") };
        let email = Edit { place: Place::inside("internet", "businessEmail"), value: json!("") };
        let phone = Edit { place: Place::inside("phones", "businessNumber"), value: json!("1") };
        let edits = [name, email, phone];
        let body = to_send(&before, &edits);
        assert_eq!(body["PersonalDetails"], json!({"FirstName": "Zoë", "city": "Bonn"}));
        assert_eq!(body["internet"], json!({"businessEmail": "", "homePage": ""}));
        assert_eq!(body["phones"], json!({"businessNumber": "1"}));
        assert_eq!(
            differences(&before, &body, &edits[..2]),
            ["id", "source", "componentUser", "groupsMembership"]
        );
        let mut after = before.clone();
        after.extend(body);
        assert_eq!(differences(&before, &after, &edits), [""; 0]);
        after.insert("PersonalDetails".to_owned(), json!({"FirstName": "Zoë", "city": "Köln"}));
        assert_eq!(differences(&before, &after, &edits), ["PersonalDetails.city"]);
    }

    #[test]
    fn a_lost_field_is_named_and_its_value_is_not() {
        let with = |key: &str, value: Value| {
            let mut after = record();
            after.insert(key.to_owned(), value);
            differences(&record(), &after, &[DEMANDED])
        };
        assert_eq!(with("internet", json!({"homePage": null})), ["internet.businessEmail"]);
        assert_eq!(with("internet", Value::Null), ["internet.businessEmail"]);
        assert_eq!(with("vaultAuthorization", json!(["A"])), ["vaultAuthorization"]);
        assert_eq!(with("vaultAuthorization", json!(["A", "B", "C"])), ["vaultAuthorization"]);
        assert_eq!(with("groupsMembership", json!([])), ["groupsMembership"]);
        assert_eq!(with("expiryDate", json!(1_900_000_000)), ["expiryDate"]);
        assert_eq!(with("somethingNew", json!({"deep": []})), ["somethingNew.deep"]);
    }

    #[test]
    fn what_moves_by_itself_or_means_the_same_is_no_loss() {
        let with = |key: &str, value: Value| {
            let mut after = record();
            after.insert(key.to_owned(), value);
            differences(&record(), &after, &[DEMANDED])
        };
        for (key, value) in [
            ("lastSuccessfulLoginDate", json!(9)),
            ("changePassOnNextLogon", json!(true)),
            ("expiryDate", json!(-62_135_596_800_i64)),
            ("vaultAuthorization", json!(["B", "A"])),
            ("groupsMembership", json!([{"groupID": 9}, {"groupID": 3}])),
            ("internet", json!({"businessEmail": "zoe@example.com"})),
            ("description", json!("new")),
        ] {
            assert_eq!(with(key, value), [""; 0], "{key}");
        }
    }
}
