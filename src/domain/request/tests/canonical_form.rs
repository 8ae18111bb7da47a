//! Equal meaning gives equal values, the stored form reads back, and what a request reaches for is named.

use proptest::prelude::*;

use super::super::{Employment, GroupSet, Order, What};
use super::*;
use crate::domain::effective::Boundary;
use crate::domain::names::GroupName;
use crate::domain::time::Timestamp;

fn has_null_or_float(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Number(number) => number.is_f64(),
        Value::Array(elements) => elements.iter().any(has_null_or_float),
        Value::Object(fields) => fields.values().any(has_null_or_float),
        Value::Bool(_) | Value::String(_) => false,
    }
}

#[track_caller]
fn reads_back(request: &Request) {
    let stored = serde_json::to_value(request).unwrap();
    assert!(!has_null_or_float(&stored), "{stored}");
    let again: Request = serde_json::from_value(stored.clone()).unwrap();
    assert_eq!(&again, request);
    assert_eq!(serde_json::to_string(&again).unwrap(), stored.to_string());
}

#[test]
fn the_examples_are_taken_and_read_back() {
    for example in examples() {
        let request = read_in(&example, NOWHERE).unwrap();
        assert_eq!(request.kind().as_str(), example["kind"]);
        assert_eq!(request.op().as_str(), example["op"].as_str().unwrap_or("new"));
        assert_eq!(request.amends().map(ToString::to_string).as_deref(), example["amends"].as_str());
        assert_eq!(request.effective().is_some(), example.get("effective").is_some());
        reads_back(&request);
    }
    for context in [BERLIN, NOWHERE] {
        assert!(examples().iter().all(|example| read_in(example, context).is_ok()));
    }
}

#[test]
fn what_just_fits_is_taken() {
    let long = |length: usize| json!("é".repeat(length));
    let many = |count: usize| json!((0..count).map(|n| format!("g{n}")).collect::<Vec<_>>());
    for (pointer, value) in [
        ("/source_ref", json!("a".repeat(128))),
        ("/person_ref", json!("a".repeat(64))),
        ("/sequence", json!(9_007_199_254_740_991_u64)),
        ("/subject/username", json!("a".repeat(128))),
        ("/subject/username", json!("psmith")),
        ("/subject/last_name", long(128)),
        ("/subject/distinguished_name", long(1_024)),
        ("/reason", long(2_000)),
        ("/attributes/shift", long(512)),
        ("/attributes/shift", json!("")),
        ("/account/groups", many(50)),
        ("/account/roles", many(20)),
        ("/account/description", long(99)),
        ("/ticket", json!({"system": "other", "id": "a".repeat(64), "requested_by": "bo@example.com"})),
        ("/effective", json!({"at": "2026-12-01T08:00:00Z", "tz": "Europe/Berlin"})),
    ] {
        reads_back(&read(&with(joiner(), pointer, value)));
    }
}

#[test]
fn a_stored_joiner_looks_like_this() {
    let stored = serde_json::to_value(read(&joiner())).unwrap();
    let wanted = json!({
        "schema": "jml/1", "source_ref": "RITM0010001:3", "person_ref": "E10442", "op": "new", "kind": "joiner",
        "effective": {"at": "2026-12-01", "tz": "Europe/Berlin", "boundary": "start_of_day", "immediate": false},
        "subject": {"username": "zobrien", "first_name": "Zoë", "last_name": "O'Brien"},
        "account": {"change_password_on_next_logon": true},
    });
    assert_eq!(stored.to_string(), wanted.to_string());
}

#[test]
fn what_means_the_same_is_the_same() {
    let spelled_out = [
        with(joiner(), "/op", json!("new")),
        with(joiner(), "/effective/boundary", json!("start_of_day")),
        with(joiner(), "/effective/immediate", json!(false)),
        without(joiner(), "/effective/tz"),
        with(joiner(), "/account", json!({})),
        with(joiner(), "/account/change_password_on_next_logon", json!(true)),
        with(joiner(), "/account/roles", json!([])),
        with(joiner(), "/employment", json!({})),
        with(joiner(), "/attributes", json!({})),
        with(joiner(), "/subject/first_name", json!("  Zoe\u{308} ")),
        json!({"subject": {"last_name": "O'Brien", "first_name": "Zoë", "username": "zobrien"},
            "effective": {"tz": "Europe/Berlin", "at": "2026-12-01"}, "person_ref": "E10442",
            "source_ref": "RITM0010001:3", "kind": "joiner", "schema": "jml/1"}),
    ];
    for value in spelled_out {
        assert_eq!(read(&value), read(&joiner()), "{value}");
        let stored = |value: &Value| serde_json::to_string(&read(value)).unwrap();
        assert_eq!(stored(&value), stored(&joiner()));
    }
    let pairs = [
        ("/occurred_at", json!("2026-11-21T09:15:00Z"), json!("2026-11-21T10:15:00.000+01:00")),
        ("/effective/at", json!("2026-12-01T09:15:00Z"), json!("2026-12-01T10:15:00+01:00")),
        ("/account/groups", json!(["B", "a", "A"]), json!(["A", "B", "a", "B"])),
        ("/account/expires_at", json!("2027-06-30"), json!("2027-06-30T22:00:00Z")),
        ("/reason", json!("one\r\ntwo\n"), json!("one\ntwo")),
        ("/attributes/site", json!(" Zu\u{308}rich"), json!("Zürich")),
    ];
    for (pointer, one, other) in pairs {
        assert_eq!(read(&with(joiner(), pointer, one)), read(&with(joiner(), pointer, other)), "{pointer}");
    }
    let leaver = with(of_kind("leaver"), "/effective/boundary", json!("end_of_day"));
    let terms = json!({"mode": "disable", "remove_groups": true, "revoke_sessions": false});
    assert_eq!(read(&with(leaver, "/leaver", terms)), read(&of_kind("leaver")));
    assert_eq!(read(&with(of_kind("mover"), "/account/groups_add", json!([]))), read(&of_kind("mover")));
}

#[test]
fn what_means_something_else_is_not_the_same() {
    for (pointer, value) in [
        ("/effective/boundary", json!("end_of_day")),
        ("/effective/tz", json!("Europe/London")),
        ("/effective/immediate", json!(true)),
        ("/account/groups", json!([])),
        ("/account/change_password_on_next_logon", json!(false)),
        ("/reason", json!("Why not")),
        ("/sequence", json!(0)),
        ("/source_ref", json!("other")),
    ] {
        let changed = read(&with(joiner(), pointer, value));
        assert_ne!(changed, read(&joiner()), "{pointer}");
        reads_back(&changed);
    }
}

#[test]
fn a_leaver_ends_with_the_day_by_default() {
    let request = read(&of_kind("leaver"));
    assert_eq!(request.effective().unwrap().instant(), Timestamp::parse("2027-01-01T23:00:00Z").unwrap());
    let Order::New(What::Leaver(leaver)) = &request.order else { panic!("{request:?}") };
    assert!(leaver.terms.remove_groups && !leaver.terms.revoke_sessions);
    let early = with(of_kind("leaver"), "/effective/boundary", json!(Boundary::StartOfDay));
    assert_eq!(
        read(&early).effective().unwrap().instant(),
        Timestamp::parse("2026-12-31T23:00:00Z").unwrap()
    );
}

#[test]
fn what_is_not_carried_out_yet_is_named() {
    let named = |value: &Value| -> Vec<String> {
        let faults = read(value).not_available_yet();
        assert!(faults.iter().all(|fault| fault.code == "not_available_yet"));
        assert!(faults.iter().all(|fault| fault.wanted.starts_with("not available yet: ")));
        faults.into_iter().map(|fault| fault.pointer).collect()
    };
    let full = with(
        joiner(),
        "/account",
        json!({"description": "x", "expires_at": "2027-12-31", "user_type": "EPVUser", "location": "\\Users",
            "groups": ["Ops"], "roles": [], "authentication_methods": ["AuthTypePass"],
            "change_password_on_next_logon": true}),
    );
    let full = with(full, "/employment", json!({"title": "DBA", "department": "IT", "organization": "ACME"}));
    assert_eq!(named(&full), Vec::<String>::new());
    for (pointer, value) in [
        ("/subject/distinguished_name", json!("CN=Zoe,DC=example")),
        ("/account/authentication_methods", json!(["AuthTypePass", "AuthTypeLDAP"])),
        ("/account/roles", json!(["dba"])),
        ("/account/change_password_on_next_logon", json!(false)),
    ] {
        assert_eq!(named(&with(joiner(), pointer, value)), [pointer]);
    }
    for kind in ["reset_password", "unsuspend"] {
        assert_eq!(named(&of_kind(kind)), ["/kind"]);
    }
    for kind in ["mover", "leaver", "rehire"] {
        assert_eq!(named(&of_kind(kind)), Vec::<String>::new());
    }
    for (pointer, value) in [
        ("/account/user_type", json!("EPVUser")),
        ("/account/expires_at", json!("2027-12-31T00:00:00Z")),
        ("/account/change_password_on_next_logon", json!(true)),
    ] {
        assert_eq!(named(&with(of_kind("mover"), pointer, value)), [pointer]);
    }
    for (pointer, value) in [
        ("/account/user_type", json!("EPVUser")),
        ("/account/location", json!("\\Users\\Ops")),
        ("/account/expires_at", json!("2027-12-31T00:00:00Z")),
        ("/account/description", json!("back")),
        ("/account/change_password_on_next_logon", json!(false)),
    ] {
        assert_eq!(named(&with(of_kind("rehire"), pointer, value)), [pointer]);
    }
    assert_eq!(named(&with(of_kind("rehire"), "/account/groups", json!(["Ops"]))), Vec::<String>::new());
    let amend = with(with(joiner(), "/op", json!("amend")), "/amends", json!("a-0"));
    assert_eq!(named(&amend), Vec::<String>::new());
    let leaver = with(of_kind("leaver"), "/leaver", json!({"mode": "delete", "revoke_sessions": true}));
    assert_eq!(named(&leaver), ["/leaver/mode", "/leaver/revoke_sessions"]);
    assert_eq!(named(&examples()[4]), Vec::<String>::new());
}

#[test]
fn the_fields_a_source_needs_leave_for_are_listed() {
    let set = |value: &Value| read(value).set_fields();
    assert_eq!(set(&joiner()), Vec::<&str>::new());
    let full = json!({"user_type": "EPVUser", "location": "\\Users", "groups": [], "roles": ["dba"],
        "authentication_methods": ["AuthTypePass"], "expires_at": "2027-12-31", "description": "x",
        "change_password_on_next_logon": false});
    let full = with(joiner(), "/account", full);
    let manager = json!({"person_ref": "E1", "email": "bo@example.com", "name": "Bo"});
    let mut names = set(&with(full, "/employment/manager", manager));
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "account.authentication_methods",
            "account.change_password_on_next_logon",
            "account.description",
            "account.expires_at",
            "account.groups",
            "account.location",
            "account.roles",
            "account.user_type",
            "employment.manager.email",
            "employment.manager.name",
            "employment.manager.person_ref",
        ]
    );
    assert_eq!(
        set(&with(joiner(), "/account/change_password_on_next_logon", json!(true))),
        Vec::<&str>::new()
    );
    assert_eq!(set(&examples()[1]), ["account.location", "account.groups_add", "account.groups_remove"]);
    let mover =
        with(of_kind("mover"), "/account", json!({"groups": [], "change_password_on_next_logon": true}));
    assert_eq!(set(&mover), ["account.groups", "account.change_password_on_next_logon"]);
    let rehire = with(of_kind("rehire"), "/account/groups", json!(["Ops"]));
    assert_eq!(set(&rehire), ["account.groups"]);
}

#[test]
fn only_a_clock_shows_what_is_too_far_or_past() {
    let value = with(joiner(), "/account/expires_at", json!("2026-12-31"));
    let at = |now: &str| -> Vec<(String, &str)> {
        let now = Timestamp::parse(now).unwrap();
        read(&value).faults_at(now).into_iter().map(|fault| (fault.pointer, fault.code)).collect()
    };
    assert_eq!(at("2026-11-21T00:00:00Z"), []);
    assert_eq!(at("2025-10-01T00:00:00Z"), [("/effective/at".to_owned(), "too_far")]);
    assert_eq!(at("2026-12-31T23:00:00Z"), [("/account/expires_at".to_owned(), "past")]);
}

#[test]
fn a_group_set_has_no_order_and_no_case() {
    let set = |names: &[&str]| GroupSet::new(names.iter().map(|name| GroupName::parse(name).unwrap()));
    assert_eq!(set(&["ops", "Ops", "A"]), set(&["A", "Ops", "ops"]));
    assert_eq!(set(&["ops", "Ops"]).iter().map(GroupName::as_str).collect::<Vec<_>>(), ["Ops"]);
    assert!(set(&["Ops"]).contains(&GroupName::parse("OPS").unwrap()));
    assert_eq!(set(&["b", "C", "a"]).iter().map(GroupName::as_str).collect::<Vec<_>>(), ["a", "b", "C"]);
    assert!(Employment::default().is_empty());
}

/// Values that some rule takes and some rule refuses, for whatever place they are put in.
fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::from),
        (-5_i64..5).prop_map(Value::from),
        "[A-Za-z0-9 ._:@\\\\\u{e9}\u{301}\u{200b}\n-]{0,12}".prop_map(Value::from),
        Just(json!("2027-06-30")),
        Just(json!("2027-06-30T12:00:00+02:00")),
        Just(json!("Asia/Tokyo")),
        Just(json!("\\Users\\Ops")),
        Just(json!("zoe@example.com")),
        prop::collection::vec("[a-cA-C]{1,2}", 0..5).prop_map(Value::from),
    ]
}

fn any_place() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "/occurred_at",
        "/sequence",
        "/reason",
        "/op",
        "/amends",
        "/effective/at",
        "/effective/tz",
        "/effective/boundary",
        "/effective/immediate",
        "/subject/username",
        "/subject/first_name",
        "/subject/middle_name",
        "/subject/last_name",
        "/subject/email",
        "/subject/distinguished_name",
        "/employment/title",
        "/employment/manager/name",
        "/employment/manager/email",
        "/attributes/shift",
        "/account/groups",
        "/account/groups_add",
        "/account/groups_remove",
        "/account/roles",
        "/account/location",
        "/account/user_type",
        "/account/expires_at",
        "/account/description",
        "/account/change_password_on_next_logon",
        "/leaver/remove_groups",
        "/leaver/revoke_sessions",
        "/reset_password/requested_by",
    ])
}

proptest! {
    #[test]
    fn whatever_is_taken_reads_back(
        base in prop::sample::select(examples()),
        changes in prop::collection::vec((any_place(), any_value()), 0..4),
    ) {
        let value = changes.into_iter().fold(base, |value, (place, new)| with(value, place, new));
        match read_in(&value, BERLIN) {
            Ok(request) => reads_back(&request),
            Err(faults) => prop_assert!(faults.iter().all(|fault| fault.code != "incomplete"), "{faults:?}"),
        }
    }
}
