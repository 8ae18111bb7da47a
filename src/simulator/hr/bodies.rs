//! What this HR system says when somebody joins, moves, leaves or comes back: `jml/1` bodies.
//!
//! Must hold: the event's reference and the person's are the caller's, so that the same event can be told twice.
//! Deliberately not here: signing and sending.

use serde_json::{Value, json};

/// A person who joins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joiner {
    /// The event's own reference (`source_ref`).
    pub source_ref: String,
    /// The person's stable number (`person_ref`).
    pub person_ref: String,
    /// The wanted login name.
    pub username: String,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// The person's address.
    pub email: String,
    /// Job title.
    pub title: String,
    /// Department, by which profiles are usually chosen.
    pub department: String,
    /// The manager's address.
    pub manager_email: String,
    /// First day (`YYYY-MM-DD`) or moment (RFC 3339).
    pub effective_at: String,
    /// The zone of the first day, by its IANA name.
    pub zone: String,
    /// Reason, in the requester's words.
    pub reason: String,
    /// The `account` object, if this HR system says anything about the account.
    pub account: Option<Value>,
}

impl Joiner {
    /// Zoë O'Brien, who joins IT Ops on this day, under this event and person reference.
    pub fn example(source_ref: &str, person_ref: &str, effective_at: &str) -> Self {
        Self {
            source_ref: source_ref.to_owned(),
            person_ref: person_ref.to_owned(),
            username: "zobrien".to_owned(),
            first_name: "Zoë".to_owned(),
            last_name: "O'Brien".to_owned(),
            email: "zoe.obrien@example.com".to_owned(),
            title: "Database Administrator".to_owned(),
            department: "IT Ops".to_owned(),
            manager_email: "max@example.com".to_owned(),
            effective_at: effective_at.to_owned(),
            zone: "Europe/Berlin".to_owned(),
            reason: "New hire".to_owned(),
            account: None,
        }
    }

    /// The body as JSON.
    pub fn body(&self) -> Value {
        let mut body = event("joiner", &self.source_ref, &self.person_ref, &self.reason);
        body["effective"] = day(&self.effective_at, &self.zone);
        body["subject"] = json!({
            "username": self.username,
            "first_name": self.first_name,
            "last_name": self.last_name,
            "email": self.email,
        });
        body["employment"] = work(&self.title, &self.department, &self.manager_email);
        if let Some(account) = &self.account {
            body["account"] = account.clone();
        }
        body
    }

    /// The bytes to sign and send.
    pub fn bytes(&self) -> Vec<u8> {
        sent(&self.body())
    }
}

/// A person whose work changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mover {
    /// The event's own reference (`source_ref`).
    pub source_ref: String,
    /// The person's stable number (`person_ref`).
    pub person_ref: String,
    /// The login name, if this HR system says it.
    pub username: Option<String>,
    /// The new job title.
    pub title: String,
    /// The new department.
    pub department: String,
    /// The new manager's address; may be empty.
    pub manager_email: String,
    /// First day in the new place (`YYYY-MM-DD`) or moment (RFC 3339).
    pub effective_at: String,
    /// The zone of that day, by its IANA name; may be empty.
    pub zone: String,
    /// Reason, in the requester's words.
    pub reason: String,
    /// The `account` object, if this HR system says anything about the account.
    pub account: Option<Value>,
}

impl Mover {
    /// Somebody who goes to Platform as a team lead on this day.
    pub fn example(source_ref: &str, person_ref: &str, effective_at: &str) -> Self {
        Self {
            source_ref: source_ref.to_owned(),
            person_ref: person_ref.to_owned(),
            username: None,
            title: "Team Lead".to_owned(),
            department: "Platform".to_owned(),
            manager_email: "max@example.com".to_owned(),
            effective_at: effective_at.to_owned(),
            zone: "Europe/Berlin".to_owned(),
            reason: "New team".to_owned(),
            account: None,
        }
    }

    /// The body as JSON.
    pub fn body(&self) -> Value {
        let mut body = event("mover", &self.source_ref, &self.person_ref, &self.reason);
        body["effective"] = day(&self.effective_at, &self.zone);
        body["employment"] = work(&self.title, &self.department, &self.manager_email);
        if let Some(username) = &self.username {
            body["subject"] = json!({ "username": username });
        }
        if let Some(account) = &self.account {
            body["account"] = account.clone();
        }
        body
    }

    /// The bytes to sign and send.
    pub fn bytes(&self) -> Vec<u8> {
        sent(&self.body())
    }
}

/// A person who leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaver {
    /// The event's own reference (`source_ref`).
    pub source_ref: String,
    /// The person's stable number (`person_ref`).
    pub person_ref: String,
    /// The login name, if this HR system says it.
    pub username: Option<String>,
    /// Last day (`YYYY-MM-DD`) or moment (RFC 3339).
    pub effective_at: String,
    /// The zone of the last day, by its IANA name; may be empty.
    pub zone: String,
    /// As soon as it is approved, without waiting for the end of the day.
    pub immediate: bool,
    /// `resignation`, `dismissal`, …
    pub reason_code: String,
    /// Reason, in the requester's words.
    pub reason: String,
}

impl Leaver {
    /// Somebody who resigned and goes at this moment.
    pub fn example(source_ref: &str, person_ref: &str, effective_at: &str) -> Self {
        Self {
            source_ref: source_ref.to_owned(),
            person_ref: person_ref.to_owned(),
            username: None,
            effective_at: effective_at.to_owned(),
            zone: "Europe/Berlin".to_owned(),
            immediate: true,
            reason_code: "resignation".to_owned(),
            reason: "Resigned".to_owned(),
        }
    }

    /// The body as JSON.
    pub fn body(&self) -> Value {
        let mut body = event("leaver", &self.source_ref, &self.person_ref, &self.reason);
        body["effective"] = day(&self.effective_at, &self.zone);
        if self.immediate {
            body["effective"]["immediate"] = json!(true);
        }
        body["leaver"] = json!({ "mode": "disable", "reason_code": self.reason_code });
        if let Some(username) = &self.username {
            body["subject"] = json!({ "username": username });
        }
        body
    }

    /// The bytes to sign and send.
    pub fn bytes(&self) -> Vec<u8> {
        sent(&self.body())
    }
}

/// A person who comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rehire {
    /// The event's own reference (`source_ref`).
    pub source_ref: String,
    /// The person's stable number (`person_ref`).
    pub person_ref: String,
    /// The login name, if this HR system says it.
    pub username: Option<String>,
    /// The person's address; may be empty.
    pub email: String,
    /// The job title; may be empty.
    pub title: String,
    /// The department.
    pub department: String,
    /// The manager's address; may be empty.
    pub manager_email: String,
    /// First day back (`YYYY-MM-DD`) or moment (RFC 3339).
    pub effective_at: String,
    /// The zone of that day, by its IANA name; may be empty.
    pub zone: String,
    /// Reason, in the requester's words.
    pub reason: String,
}

impl Rehire {
    /// Somebody who comes back to IT Ops on this day.
    pub fn example(source_ref: &str, person_ref: &str, effective_at: &str) -> Self {
        Self {
            source_ref: source_ref.to_owned(),
            person_ref: person_ref.to_owned(),
            username: None,
            email: String::new(),
            title: String::new(),
            department: "IT Ops".to_owned(),
            manager_email: "max@example.com".to_owned(),
            effective_at: effective_at.to_owned(),
            zone: "Europe/Berlin".to_owned(),
            reason: "Came back".to_owned(),
        }
    }

    /// The body as JSON.
    pub fn body(&self) -> Value {
        let mut body = event("rehire", &self.source_ref, &self.person_ref, &self.reason);
        body["effective"] = day(&self.effective_at, &self.zone);
        body["employment"] = work(&self.title, &self.department, &self.manager_email);
        if let Some(username) = &self.username {
            body["subject"] = json!({ "username": username });
        }
        if !self.email.is_empty() {
            body["subject"]["email"] = json!(self.email);
        }
        body
    }

    /// The bytes to sign and send.
    pub fn bytes(&self) -> Vec<u8> {
        sent(&self.body())
    }
}

/// What every event says.
fn event(kind: &str, source_ref: &str, person_ref: &str, reason: &str) -> Value {
    json!({
        "schema": "jml/1",
        "kind": kind,
        "source_ref": source_ref,
        "person_ref": person_ref,
        "reason": reason,
    })
}

/// Where somebody works; what this HR system does not know it does not say.
fn work(title: &str, department: &str, manager_email: &str) -> Value {
    let mut work = json!({ "type": "employee" });
    for (key, value) in [("title", title), ("department", department)] {
        if !value.is_empty() {
            work[key] = json!(value);
        }
    }
    if !manager_email.is_empty() {
        work["manager"] = json!({ "email": manager_email });
    }
    work
}

fn sent(body: &Value) -> Vec<u8> {
    body.to_string().into_bytes()
}

fn day(at: &str, zone: &str) -> Value {
    let mut effective = json!({ "at": at });
    if !zone.is_empty() {
        effective["tz"] = json!(zone);
    }
    effective
}
