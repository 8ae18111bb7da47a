//! What an attempt has seen: what an account can reach, the calls over the wire, a record before it was written.
//!
//! Must hold: of a record only seals are kept, so that it can be compared later and no value of it is told.

use serde::{Deserialize, Serialize};

use super::canon::Digest;
use super::snapshot::MemberOf;

/// What an account can reach, as it was read just before it is taken away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessSeen {
    /// Its memberships; absent where the vault does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<MemberOf>>,
    /// The safes it can open; absent where the vault does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub safes: Option<Vec<SafeSeen>>,
    /// What it may do in the vault itself; absent where the vault does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorizations: Option<Vec<String>>,
}

/// A safe that an account can open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SafeSeen {
    /// As the vault spells it.
    pub name: String,
    /// What the account may do there; absent where the vault does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<Vec<String>>,
}

/// One call over the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallSeen {
    /// `GET`, `POST`, …
    pub method: String,
    /// The path below the interface's address.
    pub path: String,
    /// The answer's status; absent when there was no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
}

/// A record without its values: each value stands as its digest under a salt of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordSeal {
    /// Random, so that equal values in two records are not seen to be equal. Hexadecimal.
    pub salt: String,
    /// Each value of the record, in its order.
    pub values: Vec<ValueSeal>,
}

/// One value of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValueSeal {
    /// Where it stands, such as `internet.businessEmail`.
    pub name: String,
    /// One digest for a single value, one for each item of a list, none where it says nothing.
    pub digests: Vec<String>,
}

impl RecordSeal {
    /// The digest that stands for a text at a place of a record.
    pub fn digest(salt: &str, name: &str, text: &str) -> String {
        Digest::of_bytes(format!("{salt}\0{name}\0{text}").as_bytes()).to_string()
    }
}
