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

/// One body for each kind and operation, as a sender would post it.
fn examples() -> Vec<Value> {
    let files = [
        include_str!("../../../tests/fixtures/webhooks/joiner.json"),
        include_str!("../../../tests/fixtures/webhooks/mover.json"),
        include_str!("../../../tests/fixtures/webhooks/leaver.json"),
        include_str!("../../../tests/fixtures/webhooks/leaver_brought_forward.json"),
        include_str!("../../../tests/fixtures/webhooks/leaver_withdrawn.json"),
        include_str!("../../../tests/fixtures/webhooks/leaver_at_once.json"),
        include_str!("../../../tests/fixtures/webhooks/rehire.json"),
        include_str!("../../../tests/fixtures/webhooks/reset_password.json"),
        include_str!("../../../tests/fixtures/webhooks/unsuspend.json"),
    ];
    files.into_iter().map(|text| serde_json::from_str(text).unwrap()).collect()
}
