//! What stands beside a request: its ticket and the sender's free attributes.
//!
//! Must hold: no address to call back is ever taken from a request; where a ticket is found is a setting.

use std::collections::BTreeMap;

use serde::Serialize;

use super::fields::Fields;
use super::words::TicketSystem;
use crate::domain::names::{NotAName, RecordId, ShortText, TicketId};

/// The fields of `ticket`.
pub(super) const TICKET: &[&str] = &["system", "id", "record_id", "task_id", "requested_by"];

/// Most attributes of one request.
const MOST_ATTRIBUTES: usize = 50;
/// Longest value of an attribute, in characters.
const LONGEST_ATTRIBUTE: usize = 512;

/// The ticket a request came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ticket {
    /// Where it lives.
    pub system: TicketSystem,
    /// The number people know it by.
    pub id: TicketId,
    /// The system's own key of its record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record_id: Option<RecordId>,
    /// The system's own key of the task to close.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_id: Option<RecordId>,
    /// Who opened it; the requester where this is an address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requested_by: Option<ShortText>,
}

impl Ticket {
    pub(super) fn read(request: &Fields<'_>) -> Option<Self> {
        let fields = request.child("ticket", TICKET)?;
        fields.require("system", "the system the ticket lives in");
        fields.require("id", "the number of the ticket");
        let system = fields.choice("system", TicketSystem::ALL, TicketSystem::as_str);
        let id = fields.text("id", TicketId::parse);
        let record_id = fields.text("record_id", RecordId::parse);
        let task_id = fields.text("task_id", RecordId::parse);
        let requested_by = fields.text("requested_by", requester);
        Some(Self { system: system?, id: id?, record_id, task_id, requested_by })
    }
}

/// A person as text; a link in its place would end up on a page.
pub(super) fn requester(text: &str) -> Result<ShortText, NotAName> {
    if text.contains("://") {
        return Err(NotAName { code: "url", wanted: "a person's address or name, not a URL" });
    }
    ShortText::parse(text)
}

/// Reads `attributes`: texts under keys of the sender's own, for policy and display.
pub(super) fn read_attributes(request: &Fields<'_>) -> BTreeMap<String, String> {
    let Some(fields) = request.free_child("attributes") else { return BTreeMap::new() };
    if fields.entries().len() > MOST_ATTRIBUTES {
        request.fault("attributes", "too_many", format!("at most {MOST_ATTRIBUTES} attributes"));
        return BTreeMap::new();
    }
    let mut attributes = BTreeMap::new();
    for (key, json) in fields.entries() {
        if !is_attribute_key(key) {
            fields.fault(key, "bad_key", "a key of 1 to 64 of a-z 0-9 _, beginning with a letter");
        }
        if let Some(value) = fields.text_of(json, fields.pointer(key), attribute_value) {
            attributes.insert(key.clone(), value);
        }
    }
    attributes
}

fn is_attribute_key(key: &str) -> bool {
    key.len() <= 64
        && key.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase())
        && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

fn attribute_value(text: &str) -> Result<String, NotAName> {
    let clean = |sign: char| !sign.is_control() && sign != '\u{2028}' && sign != '\u{2029}';
    if text.chars().count() <= LONGEST_ATTRIBUTE && text.chars().all(clean) {
        Ok(text.to_owned())
    } else {
        Err(NotAName { code: "bad_text", wanted: "at most 512 characters on one line" })
    }
}
