//! One case per rule of `jml/1`, and the promises of the canonical form.

mod canonical_form;
mod refusals;

use chrono_tz::Tz;
use serde_json::{Value, json};

use super::{FieldFault, Request, RequestContext};
use crate::domain::strict_json::{self, Json};

const BERLIN: RequestContext = RequestContext { default_zone: Some(Tz::Europe__Berlin) };
const NOWHERE: RequestContext = RequestContext { default_zone: None };

fn read_in(value: &Value, context: RequestContext) -> Result<Request, Vec<FieldFault>> {
    let json: Json = strict_json::parse(value.to_string().as_bytes()).unwrap();
    Request::parse(&json, &context)
}

fn read(value: &Value) -> Request {
    read_in(value, BERLIN).unwrap_or_else(|faults| panic!("{faults:?} in {value}"))
}

fn joiner() -> Value {
    json!({
        "schema": "jml/1", "kind": "joiner", "source_ref": "RITM0010001:3", "person_ref": "E10442",
        "effective": {"at": "2026-12-01", "tz": "Europe/Berlin"},
        "subject": {"username": "zobrien", "first_name": "Zoë", "last_name": "O'Brien"},
    })
}

fn of_kind(kind: &str) -> Value {
    let mut value = json!({"schema": "jml/1", "kind": kind, "source_ref": "a-1", "person_ref": "E1"});
    match kind {
        "joiner" => return joiner(),
        "mover" | "leaver" | "rehire" => value["effective"] = json!({"at": "2027-01-01"}),
        "reset_password" => value["reset_password"] = json!({"delivery": "vault"}),
        _ => {}
    }
    value
}

/// The value with one place set, made on the way where it is not there yet.
fn with(mut value: Value, pointer: &str, new: Value) -> Value {
    let mut place = &mut value;
    for step in pointer.split('/').skip(1) {
        if place.is_null() {
            *place = json!({});
        }
        place = &mut place[step];
    }
    *place = new;
    value
}

fn without(mut value: Value, pointer: &str) -> Value {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    value.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(key).unwrap();
    value
}

/// The nine examples of the format's description.
fn examples() -> Vec<Value> {
    vec![
        json!({"schema": "jml/1", "kind": "joiner", "source_ref": "RITM0010001:3", "person_ref": "E10442",
            "occurred_at": "2026-11-21T09:15:00Z", "effective": {"at": "2026-12-01", "tz": "Europe/Berlin"},
            "subject": {"username": "zobrien", "first_name": "Zoë", "last_name": "O'Brien",
                "email": "zoe.obrien@example.com"},
            "employment": {"title": "Database Administrator", "department": "IT Ops", "type": "employee",
                "manager": {"person_ref": "E00077"}},
            "account": {"roles": ["dba"], "user_type": "EPVUser", "location": "\\Users\\Ops",
                "groups": ["Ops-Readers"]},
            "ticket": {"system": "servicenow", "id": "RITM0010001",
                "record_id": "a1b2c3d4e5f60718293a4b5c6d7e8f90"},
            "reason": "New hire"}),
        json!({"schema": "jml/1", "kind": "mover", "source_ref": "bhr-4711-20270101", "person_ref": "E10442",
            "effective": {"at": "2027-01-01", "tz": "Europe/Berlin"},
            "employment": {"title": "Team Lead", "department": "Platform"},
            "account": {"groups_add": ["Platform-Leads"], "groups_remove": ["Ops-Readers"],
                "location": "\\Users\\Platform"}}),
        json!({"schema": "jml/1", "kind": "leaver", "source_ref": "03ff0000-48a9-4f1c-932a-546413a20001",
            "person_ref": "E10442", "sequence": 7, "effective": {"at": "2027-03-31", "tz": "Europe/Berlin"},
            "leaver": {"mode": "disable", "reason_code": "resignation"}}),
        json!({"schema": "jml/1", "kind": "leaver", "op": "amend",
            "amends": "03ff0000-48a9-4f1c-932a-546413a20001",
            "source_ref": "03ff0000-48a9-4f1c-932a-546413a20002", "person_ref": "E10442", "sequence": 8,
            "effective": {"at": "2027-02-28", "tz": "Europe/Berlin"}}),
        json!({"schema": "jml/1", "kind": "leaver", "op": "rescind",
            "amends": "03ff0000-48a9-4f1c-932a-546413a20002",
            "source_ref": "03ff0000-48a9-4f1c-932a-546413a20003", "person_ref": "E10442", "sequence": 9}),
        json!({"schema": "jml/1", "kind": "leaver", "source_ref": "SEC-2231", "person_ref": "E20001",
            "effective": {"at": "2026-11-21T16:05:00+01:00", "immediate": true},
            "leaver": {"reason_code": "dismissal"}}),
        json!({"schema": "jml/1", "kind": "rehire", "source_ref": "RITM0010777:1", "person_ref": "E10442",
            "effective": {"at": "2027-09-01", "tz": "Europe/Berlin"}, "account": {"roles": ["dba"]}}),
        json!({"schema": "jml/1", "kind": "reset_password", "source_ref": "JML-97", "person_ref": "E10442",
            "ticket": {"system": "jira", "id": "JML-97"}, "reset_password": {"delivery": "sealed_link"}}),
        json!({"schema": "jml/1", "kind": "unsuspend", "source_ref": "JML-98", "person_ref": "E10442",
            "subject": {"username": "zobrien"}}),
    ]
}
