//! A vault user: the properties a client may set, and what the vault keeps beside them.
//!
//! Must hold: `properties` always has every key of [`defaults`], each of its type; an absent key in a body means the
//! default, a key nobody knows is dropped without a word. Deliberately not here: who may do what.

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::wire::Refusal;

/// "Never" as the product writes it: a year-one date shifted by the server's zone, in epoch seconds.
pub(super) const NEVER_EXPIRES: i64 = -62_135_578_800;

/// Which of the two published accounts of the API the tenant follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// The product's own documentation and clients: nested person, members by name, password change wanted.
    Product,
    /// The third-party guide: flat person, members by numeric id, no password change unless asked for.
    Guide,
}

/// Who masters the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    CyberArk,
    Ldap,
}

impl Source {
    /// What this word stands for; the vault masters whom no directory does.
    pub(super) fn named(word: &str) -> Self {
        if word.eq_ignore_ascii_case("LDAP") { Self::Ldap } else { Self::CyberArk }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::CyberArk => "CyberArk",
            Self::Ldap => "LDAP",
        }
    }
}

/// What sort of account it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Person,
    BuiltIn,
    /// Built in, and left out of every list (Master, Batch).
    Hidden,
    Component,
}

/// One user of the vault. No `Debug`: it holds a password.
#[derive(Clone)]
pub(super) struct User {
    pub id: i64,
    pub source: Source,
    pub standing: Standing,
    pub suspended: bool,
    pub directory_name: String,
    pub last_logon: i64,
    pub properties: Map<String, Value>,
    pub password: Option<SecretString>,
    /// The passwords before it, the latest last.
    pub former_passwords: Vec<SecretString>,
}

impl User {
    /// Does the vault remember this password, if it remembers so many, the one of today among them?
    pub(super) fn has_had(&self, password: &str, remembered: usize) -> bool {
        let all = self.password.iter().chain(self.former_passwords.iter().rev());
        all.take(remembered).any(|kept| kept.expose_secret() == password)
    }

    pub(super) fn give_password(&mut self, password: &str) {
        self.former_passwords.extend(self.password.replace(SecretString::from(password)));
    }

    pub(super) fn text(&self, pointer: &str) -> &str {
        let mut parts = pointer.split('/');
        let first = parts.next().and_then(|key| self.properties.get(key));
        parts
            .fold(first, |value, key| value.and_then(|found| found.get(key)))
            .and_then(Value::as_str)
            .unwrap_or("")
    }

    pub(super) fn name(&self) -> &str {
        self.text("username")
    }

    pub(super) fn is_named(&self, name: &str) -> bool {
        self.name().to_lowercase() == name.to_lowercase()
    }

    pub(super) fn is_enabled(&self) -> bool {
        self.properties.get("enableUser").and_then(Value::as_bool).unwrap_or(false)
    }
}

/// Every property a client may set, with the value it has when it is left out.
pub(super) fn defaults(dialect: Dialect) -> Value {
    json!({
        "username": "",
        "userType": "EPVUser",
        "enableUser": true,
        "changePassOnNextLogon": match dialect { Dialect::Product => true, Dialect::Guide => false },
        "passwordNeverExpires": false,
        "expiryDate": NEVER_EXPIRES,
        "unAuthorizedInterfaces": [],
        "authenticationMethod": ["AuthTypePass"],
        "vaultAuthorization": [],
        "location": "\\",
        "distinguishedName": "",
        "description": "",
        "businessAddress": { "workStreet": "", "workCity": "", "workState": "", "workZip": "", "workCountry": "" },
        "internet": { "homePage": "", "homeEmail": "", "businessEmail": "", "otherEmail": "" },
        "phones": {
            "homeNumber": "", "businessNumber": "", "cellularNumber": "", "faxNumber": "", "pagerNumber": ""
        },
        "personalDetails": {
            "street": "", "city": "", "state": "", "zip": "", "country": "", "title": "", "organization": "",
            "department": "", "profession": "", "firstName": "", "middleName": "", "lastName": ""
        },
        "userActivityLogRetentionDays": 90,
        "loginFromHour": 0,
        "loginToHour": 0
    })
}

/// The guide's flat body: what it knows, and where the vault keeps it.
pub(super) const FLAT: [(&str, &str, &str); 3] = [
    ("firstName", "personalDetails", "firstName"),
    ("lastName", "personalDetails", "lastName"),
    ("email", "internet", "businessEmail"),
];

/// Keys of [`defaults`] that the guide has never heard of.
pub(super) const PRODUCT_ONLY: [&str; 8] = [
    "businessAddress",
    "internet",
    "phones",
    "personalDetails",
    "unAuthorizedInterfaces",
    "userActivityLogRetentionDays",
    "loginFromHour",
    "loginToHour",
];

/// The full set of properties that a body of this dialect stands for: what it leaves out is the default.
pub(super) fn properties_from(dialect: Dialect, body: &Value) -> Result<Map<String, Value>, Refusal> {
    if !body.is_object() {
        return Err(Refusal::invalid("the body is not an object"));
    }
    let mut full = match dialect {
        Dialect::Product => overlaid(&defaults(dialect), body, "")?,
        Dialect::Guide => from_flat(body)?,
    };
    check_lengths(&full)?;
    Ok(full.as_object_mut().map(std::mem::take).unwrap_or_default())
}

fn from_flat(body: &Value) -> Result<Value, Refusal> {
    let mut flat = defaults(Dialect::Guide);
    for key in PRODUCT_ONLY {
        flat.as_object_mut().map(|keys| keys.remove(key));
    }
    for (name, _, _) in FLAT {
        flat[name] = json!("");
    }
    let mut given = overlaid(&flat, body, "")?;
    let mut full = defaults(Dialect::Guide);
    for (name, object, key) in FLAT {
        full[object][key] = given[name].take();
    }
    for (key, value) in given.as_object_mut().into_iter().flat_map(|keys| keys.iter_mut()) {
        if full.get(key).is_some() {
            full[key] = value.take();
        }
    }
    Ok(full)
}

/// `default` with the keys that `given` names (in any case) replaced, level by level; other keys are dropped.
pub(super) fn overlaid(default: &Value, given: &Value, at: &str) -> Result<Value, Refusal> {
    let wrong = |wanted: &str| Refusal::invalid(format!("{at} must be {wanted}"));
    match default {
        Value::Object(known) => {
            let given = given.as_object().ok_or_else(|| wrong("an object"))?;
            let mut full = Map::new();
            for (key, value) in known {
                let found =
                    given.iter().find(|(name, value)| name.eq_ignore_ascii_case(key) && !value.is_null());
                let value = match found {
                    Some((_, found)) => overlaid(value, found, key)?,
                    None => value.clone(),
                };
                full.insert(key.clone(), value);
            }
            Ok(Value::Object(full))
        }
        // Clients in the field send booleans as words and dates as text, and the product takes them.
        Value::Bool(_) => match given {
            Value::Bool(_) => Ok(given.clone()),
            Value::String(word) if word.eq_ignore_ascii_case("true") => Ok(json!(true)),
            Value::String(word) if word.eq_ignore_ascii_case("false") => Ok(json!(false)),
            _ => Err(wrong("a boolean")),
        },
        Value::Number(_) => given
            .as_i64()
            .or_else(|| given.as_str().and_then(|text| text.parse().ok()))
            .map(|number| json!(number))
            .ok_or_else(|| wrong("a whole number")),
        Value::Array(_) if given.as_array().is_some_and(|list| list.iter().all(Value::is_string)) => {
            Ok(given.clone())
        }
        Value::Array(_) => Err(wrong("a list of texts")),
        Value::String(_) if given.is_string() => Ok(given.clone()),
        Value::String(_) | Value::Null => Err(wrong("a text")),
    }
}

/// The product's length limits, in characters.
fn check_lengths(full: &Value) -> Result<(), Refusal> {
    for (key, value) in full.as_object().into_iter().flatten() {
        check_length(key, key, value)?;
        for (inner, value) in value.as_object().into_iter().flatten() {
            check_length(key, inner, value)?;
        }
    }
    Ok(())
}

fn check_length(object: &str, key: &str, value: &Value) -> Result<(), Refusal> {
    let limit = match (object, key) {
        (_, "username") => 128,
        (_, "description") => 99,
        (_, "firstName" | "middleName" | "lastName" | "street" | "workStreet") => 29,
        (_, "title" | "organization" | "department" | "profession") => 49,
        ("internet", _) => 319,
        ("phones", _) => 24,
        ("personalDetails" | "businessAddress", _) => 19,
        _ => 1_024,
    };
    match value.as_str() {
        Some(text) if text.chars().count() > limit => {
            Err(Refusal::invalid(format!("{key} is longer than {limit} characters")))
        }
        Some(_) | None => Ok(()),
    }
}
