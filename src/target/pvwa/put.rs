//! Changing a user: read, change, write everything, read again, compare.
//!
//! Must hold: a PUT carries the whole record, because the vault clears what is left out; afterwards every field that
//! was not meant to change is compared, and a loss is told by the names of the fields, never by their values.
//! Deliberately absent: passwords; a PUT does not carry them reliably.

use serde_json::{Value, json};

use super::edit::{Edit, says_nothing};
use super::pages::Raw;
use super::seal::{differences, sealed};
use super::talk::{Fault, Talk};
use super::users::Account;

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
        let seal = sealed(&before.raw, self.pvwa.world.salt());
        self.before = Some(seal.clone());
        self.put(&format!("Users/{id}"), Value::Object(to_send(&before.raw, edits))).await?;
        let after = self.account(id).await.map_err(Fault::after_a_write)?;
        let Some(after) = after else {
            return Err(Fault::NeedsPerson(format!(
                "user number {id} has gone after its record was written"
            )));
        };
        let lost = differences(&seal, &after.raw, edits);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::pvwa::edit::Place;

    fn differences(before: &Raw, after: &Raw, edits: &[Edit]) -> Vec<String> {
        super::differences(&sealed(before, "5a17".to_owned()), after, edits)
    }

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
