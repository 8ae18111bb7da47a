//! Changing a user: read, change, write everything, read again, compare.
//!
//! Must hold: a PUT carries the whole record, because the vault clears what is left out; afterwards every field that
//! was not meant to change is compared, and a loss is told by the names of the fields, never by their values.
//! Deliberately absent: passwords; a PUT does not carry them reliably.

use serde_json::Value;

use super::pages::{Raw, field};
use super::talk::{Fault, Talk};
use super::users::Account;

/// What a change came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Changed {
    /// The change is there and nothing else differs.
    Seen,
    /// The vault accepted the change, but a read does not show it.
    NotSeen,
    /// Other fields differ now; their names.
    Lost(Vec<String>),
}

/// Fields that the vault keeps itself and may refuse to be sent. The way of authentication is among them because
/// existing clients leave it out as well; should a vault reset it for that, the comparison tells.
const READ_ONLY: [&str; 7] = [
    "id",
    "source",
    "componentUser",
    "groupsMembership",
    "userDN",
    "authenticationMethod",
    "lastSuccessfulLoginDate",
];

impl Talk<'_> {
    /// Changes one field of the user that was just read.
    pub(super) async fn change(
        &mut self,
        before: &Account,
        name: &str,
        value: Value,
    ) -> Result<Changed, Fault> {
        let id = before.user.id;
        self.put(&format!("Users/{id}"), Value::Object(to_send(&before.raw, name, &value))).await?;
        let after = self.account(id).await.map_err(Fault::after_a_write)?;
        let Some(after) = after else {
            return Err(Fault::NeedsPerson(format!(
                "user number {id} has gone after its record was written"
            )));
        };
        let lost = differences(&before.raw, &after.raw, name);
        Ok(if !lost.is_empty() {
            Changed::Lost(lost)
        } else if field(&after.raw, name) == Some(&value) {
            Changed::Seen
        } else {
            Changed::NotSeen
        })
    }
}

/// The whole record with one field changed, without what may not be sent.
fn to_send(before: &Raw, name: &str, value: &Value) -> Raw {
    let may_go = |key: &str| !READ_ONLY.iter().any(|fixed| fixed.eq_ignore_ascii_case(key));
    let mut body: Raw = before
        .iter()
        .filter(|(key, _)| may_go(key) && !key.eq_ignore_ascii_case(name))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let spelled = before.keys().find(|key| key.eq_ignore_ascii_case(name));
    body.insert(spelled.cloned().unwrap_or_else(|| name.to_owned()), value.clone());
    body
}

/// The names of fields that were there before and differ now, the changed one left out.
fn differences(before: &Raw, after: &Raw, changed: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (key, was) in before {
        // The last log-on moves by itself.
        if key.eq_ignore_ascii_case(changed) || key.eq_ignore_ascii_case("lastSuccessfulLoginDate") {
            continue;
        }
        compare(key, was, field(after, key).unwrap_or(&Value::Null), &mut names);
    }
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
    use serde_json::json;

    use super::*;

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
        let body = to_send(&record(), "ChangePassOnNextLogon", &json!(true));
        let keys: Vec<_> = body.keys().map(String::as_str).collect();
        assert_eq!(
            keys,
            [
                "username",
                "expiryDate",
                "vaultAuthorization",
                "internet",
                "somethingNew",
                "changePassOnNextLogon"
            ]
        );
        assert_eq!(body["changePassOnNextLogon"], true);
        assert_eq!(body["somethingNew"], json!({"deep": [1]}));
    }

    #[test]
    fn a_lost_field_is_named_and_its_value_is_not() {
        let with = |key: &str, value: Value| {
            let mut after = record();
            after.insert(key.to_owned(), value);
            differences(&record(), &after, "changePassOnNextLogon")
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
            differences(&record(), &after, "changePassOnNextLogon")
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
