//! What is refused, where, and under which code.

use super::*;

fn codes(value: &Value) -> Vec<(String, &'static str)> {
    match read_in(value, NOWHERE) {
        Ok(request) => panic!("taken: {request:?}"),
        Err(faults) => faults.into_iter().map(|fault| (fault.pointer, fault.code)).collect(),
    }
}

#[track_caller]
fn refused(value: &Value, pointer: &str, code: &'static str) {
    assert_eq!(codes(value), [(pointer.to_owned(), code)], "{value}");
}

#[test]
fn every_limit_of_head_and_subject_is_kept() {
    let long = |length: usize| json!("a".repeat(length));
    let cases = [
        ("/schema", json!("jml/2"), "unknown_word"),
        ("/kind", json!("Joiner"), "unknown_word"),
        ("/op", json!("delete"), "unknown_word"),
        ("/source_ref", long(129), "bad_reference"),
        ("/source_ref", json!("a b"), "bad_reference"),
        ("/person_ref", long(65), "bad_reference"),
        ("/person_ref", json!(4711), "wrong_type"),
        ("/occurred_at", json!("2026-11-21T09:15:00"), "bad_date"),
        ("/occurred_at", json!("1999-11-21T09:15:00Z"), "year_out_of_range"),
        ("/sequence", json!(-1), "number_out_of_range"),
        ("/sequence", json!(1.5), "wrong_type"),
        ("/sequence", json!("7"), "wrong_type"),
        ("/effective", json!("2026-12-01"), "wrong_type"),
        ("/effective/at", json!("2026-02-30"), "bad_date"),
        ("/effective/at", json!("2101-01-01"), "year_out_of_range"),
        ("/effective/tz", json!("Berlin"), "unknown_zone"),
        ("/effective/boundary", json!("noon"), "unknown_word"),
        ("/effective/immediate", json!("true"), "wrong_type"),
        ("/subject/username", json!("zоbrien"), "not_ascii"),
        ("/subject/username", json!("-z"), "bad_user_name"),
        ("/subject/username", long(129), "bad_user_name"),
        ("/subject/username", json!("administrator"), "built_in_user"),
        ("/subject/username", json!("PSMApp_HOST"), "built_in_user"),
        ("/subject/first_name", json!(""), "bad_text"),
        ("/subject/middle_name", long(129), "bad_text"),
        ("/subject/last_name", json!("a\nb"), "bad_text"),
        ("/subject/last_name", json!("a\u{2028}b"), "bad_text"),
        ("/subject/email", json!("Zoë <zoe@example.com>"), "bad_email"),
        ("/subject/email", json!("a@example.com\r\nBcc: b@example.com"), "bad_email"),
        ("/subject/email", json!(format!("{}@example.com", "a".repeat(65))), "bad_email"),
        ("/subject/distinguished_name", long(1_025), "bad_text"),
    ];
    for (pointer, value, code) in cases {
        refused(&with(joiner(), pointer, value), pointer, code);
    }
}

#[test]
fn every_limit_of_work_and_account_is_kept() {
    let long = |length: usize| json!("a".repeat(length));
    let many = |count: usize| json!((0..count).map(|n| format!("g{n}")).collect::<Vec<_>>());
    let cases = [
        ("/employment/title", long(129), "bad_text"),
        ("/employment/department", json!("a\tb"), "bad_text"),
        ("/employment/organization", json!(null), "null"),
        ("/employment/cost_center", json!(12), "wrong_type"),
        ("/employment/site", json!(" "), "bad_text"),
        ("/employment/type", json!("boss"), "unknown_word"),
        ("/employment/manager", json!({}), "required"),
        ("/employment/manager/person_ref", json!("a b"), "bad_reference"),
        ("/employment/manager/email", json!("boss"), "bad_email"),
        ("/employment/manager/name", long(129), "bad_text"),
        ("/reason", long(2_001), "bad_text"),
        ("/reason", json!("a\u{7}b"), "bad_text"),
        ("/attributes/Shift", json!("late"), "bad_key"),
        ("/attributes/shift", json!(3), "wrong_type"),
        ("/attributes/shift", long(513), "bad_text"),
        ("/account/user_type", json!("EPV User"), "bad_user_type"),
        ("/account/location", json!("\\Users\\..\\Ops"), "bad_location"),
        ("/account/groups", many(51), "too_many"),
        ("/account/groups", json!("Ops"), "wrong_type"),
        ("/account/roles", many(21), "too_many"),
        ("/account/authentication_methods", json!("AuthTypePass"), "wrong_type"),
        ("/account/expires_at", json!("soon"), "bad_date"),
        ("/account/expires_at", json!("2026-11-30"), "too_early"),
        ("/account/change_password_on_next_logon", json!(1), "wrong_type"),
        ("/account/description", long(100), "bad_text"),
    ];
    for (pointer, value, code) in cases {
        refused(&with(joiner(), pointer, value), pointer, code);
    }
}

#[test]
fn every_entry_of_a_list_is_read_on_its_own() {
    let groups = |groups: Value| with(joiner(), "/account/groups", groups);
    refused(&groups(json!(["Ops", null])), "/account/groups/1", "null");
    refused(&groups(json!(["Ops", "Op\u{200b}s"])), "/account/groups/1", "bad_group");
    refused(&groups(json!(["a".repeat(129)])), "/account/groups/0", "bad_group");
    refused(&with(joiner(), "/account/roles", json!(["db\u{202e}a"])), "/account/roles/0", "bad_role");
    let methods = json!(["AuthTypePass", "PKI"]);
    refused(
        &with(joiner(), "/account/authentication_methods", methods),
        "/account/authentication_methods/1",
        "unknown_word",
    );
    let attributes: Value = (0..51).map(|n| (format!("a{n}"), json!("x"))).collect();
    refused(&with(joiner(), "/attributes", attributes), "/attributes", "too_many");
    assert_eq!(codes(&json!([])), [(String::new(), "wrong_type")]);
}

#[test]
fn a_ticket_and_the_blocks_of_a_kind_have_limits_too() {
    let ticket = |key: &str, value: Value| {
        let sound = with(joiner(), "/ticket", json!({"system": "jira", "id": "JML-97"}));
        with(sound, &format!("/ticket/{key}"), value)
    };
    refused(&ticket("system", json!("remedy")), "/ticket/system", "unknown_word");
    refused(&ticket("id", json!("a/b")), "/ticket/id", "bad_ticket_id");
    refused(&ticket("id", json!("a".repeat(65))), "/ticket/id", "bad_ticket_id");
    refused(&ticket("record_id", json!("https://x")), "/ticket/record_id", "bad_ticket_id");
    refused(&ticket("task_id", json!("")), "/ticket/task_id", "bad_ticket_id");
    refused(&ticket("requested_by", json!("https://evil.example")), "/ticket/requested_by", "url");
    refused(&ticket("requested_by", json!("a".repeat(129))), "/ticket/requested_by", "bad_text");
    refused(&without(ticket("id", json!("1")), "/ticket/id"), "/ticket/id", "required");
    refused(&without(ticket("id", json!("1")), "/ticket/system"), "/ticket/system", "required");

    let leaver = with(of_kind("leaver"), "/effective/tz", json!("UTC"));
    refused(&with(leaver.clone(), "/leaver/mode", json!("archive")), "/leaver/mode", "unknown_word");
    refused(
        &with(leaver.clone(), "/leaver/reason_code", json!("fired")),
        "/leaver/reason_code",
        "unknown_word",
    );
    refused(
        &with(leaver.clone(), "/leaver/remove_groups", json!("no")),
        "/leaver/remove_groups",
        "wrong_type",
    );
    refused(&with(leaver, "/leaver/revoke_sessions", json!(0)), "/leaver/revoke_sessions", "wrong_type");

    let reset = of_kind("reset_password");
    let by_mail = with(reset.clone(), "/reset_password/delivery", json!("email"));
    refused(&by_mail, "/reset_password/delivery", "unknown_word");
    let url = with(reset.clone(), "/reset_password/requested_by", json!("http://a"));
    refused(&url, "/reset_password/requested_by", "url");
    refused(&without(reset.clone(), "/reset_password"), "/reset_password", "required");
    refused(&without(reset, "/reset_password/delivery"), "/reset_password/delivery", "required");
}

#[test]
fn what_a_request_needs_is_missed_by_name() {
    for key in ["/schema", "/kind", "/source_ref", "/person_ref", "/effective", "/effective/at", "/subject"] {
        refused(&without(joiner(), key), key, "required");
    }
    for key in ["/subject/username", "/subject/first_name", "/subject/last_name"] {
        refused(&without(joiner(), key), key, "required");
    }
    for kind in ["mover", "leaver", "rehire"] {
        refused(&without(of_kind(kind), "/effective"), "/effective", "required");
        refused(&of_kind(kind), "/effective/tz", "zone_missing");
        assert!(read_in(&of_kind(kind), BERLIN).is_ok());
    }
    let amend = with(with(joiner(), "/op", json!("amend")), "/effective/tz", json!("UTC"));
    refused(&amend, "/amends", "required");
    let dated = with(joiner(), "/account/expires_at", json!("2027-12-31"));
    let instant = with(without(dated, "/effective/tz"), "/effective/at", json!("2026-12-01T00:00:00Z"));
    refused(&instant, "/account/expires_at", "zone_missing");
}

#[test]
fn what_a_kind_has_no_use_for_is_refused() {
    let zoned = |kind: &str| match kind {
        "mover" | "leaver" | "rehire" => with(of_kind(kind), "/effective/tz", json!("UTC")),
        _ => of_kind(kind),
    };
    for kind in ["leaver", "reset_password", "unsuspend"] {
        refused(&with(zoned(kind), "/account", json!({})), "/account", "not_applicable");
    }
    for kind in ["joiner", "mover", "rehire", "reset_password", "unsuspend"] {
        refused(&with(zoned(kind), "/leaver", json!({})), "/leaver", "not_applicable");
    }
    for kind in ["joiner", "mover", "leaver", "rehire", "unsuspend"] {
        let value = with(zoned(kind), "/reset_password", json!({"delivery": "vault"}));
        refused(&value, "/reset_password", "not_applicable");
    }
    for kind in ["reset_password", "unsuspend"] {
        let value = with(zoned(kind), "/effective", json!({"at": "2027-01-01", "tz": "UTC"}));
        refused(&value, "/effective", "not_applicable");
    }
    for kind in ["joiner", "rehire"] {
        for key in ["/account/groups_add", "/account/groups_remove"] {
            refused(&with(zoned(kind), key, json!(["Ops"])), key, "not_applicable");
        }
    }
    refused(&with(joiner(), "/amends", json!("b-1")), "/amends", "not_applicable");
    let rescind = with(with(zoned("leaver"), "/op", json!("rescind")), "/amends", json!("b-1"));
    refused(&rescind, "/effective", "not_applicable");
    let own = with(with(zoned("leaver"), "/op", json!("amend")), "/amends", json!("a-1"));
    refused(&own, "/amends", "same_reference");
    let instant = json!({"at": "2026-12-01T08:00:00Z", "boundary": "end_of_day"});
    refused(&with(joiner(), "/effective", instant), "/effective/boundary", "not_applicable");
}

#[test]
fn a_movers_groups_are_one_set_or_a_difference() {
    let mover =
        |account: Value| with(with(of_kind("mover"), "/effective/tz", json!("UTC")), "/account", account);
    let both = mover(json!({"groups": ["A"], "groups_add": ["B"]}));
    refused(&both, "/account/groups", "exclusive");
    let come_and_go = mover(json!({"groups_add": ["Ops", "A"], "groups_remove": ["OPS"]}));
    refused(&come_and_go, "/account/groups_remove", "not_disjoint");
}

#[test]
fn unknown_fields_are_refused_everywhere_with_a_hint() {
    let hint = |value: &Value| {
        let faults = read_in(value, BERLIN).unwrap_err();
        assert_eq!(faults.len(), 1, "{faults:?}");
        (faults[0].pointer.clone(), faults[0].code, faults[0].wanted.clone())
    };
    let (pointer, code, wanted) = hint(&with(joiner(), "/subject/user_name", json!("x")));
    assert_eq!((pointer.as_str(), code), ("/subject/user_name", "unknown_field"));
    assert!(wanted.contains("username?"), "{wanted}");
    let (pointer, _, wanted) = hint(&with(joiner(), "/personRef", json!("x")));
    assert_eq!(pointer, "/personRef");
    assert!(wanted.contains("person_ref?"), "{wanted}");
    for (base, pointer) in [
        (joiner(), "/password"),
        (joiner(), "/callback_url"),
        (joiner(), "/effective/zone"),
        (joiner(), "/employment/level"),
        (joiner(), "/employment/manager/phone"),
        (joiner(), "/account/vault_authorization"),
        (of_kind("leaver"), "/leaver/notify"),
        (of_kind("reset_password"), "/reset_password/mail"),
    ] {
        let base = if pointer.contains("manager") {
            with(base, "/employment/manager/name", json!("Bo"))
        } else {
            base
        };
        assert_eq!(hint(&with(base, pointer, json!("x"))).1, "unknown_field");
    }
    let ticket = json!({"system": "jira", "id": "JML-1", "url": "https://x"});
    assert_eq!(hint(&with(joiner(), "/ticket", ticket)).0, "/ticket/url");
    let awkward = with(joiner(), "/attributes", json!({"a/b~c": "x"}));
    assert_eq!(codes(&awkward), [("/attributes/a~1b~0c".to_owned(), "bad_key")]);
}

#[test]
fn all_faults_come_at_once_and_none_repeats_a_value() {
    let value = json!({
        "schema": "jml/9", "kind": "s3cret-kind", "source_ref": "s3cret ref", "surprise": "s3cret",
        "effective": {"at": "s3cret", "tz": "s3cret"}, "reason": "s3cret\u{7}",
        "subject": {"username": "s3cret user", "email": "s3cret"},
        "account": {"groups": ["s3cret\n"], "location": "s3cret", "expires_at": "s3cret"},
        "attributes": {"s": 5}, "leaver": {"mode": "s3cret"}, "sequence": "s3cret",
    });
    let faults = read_in(&value, NOWHERE).unwrap_err();
    let places: Vec<&str> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
    for place in [
        "/schema",
        "/kind",
        "/source_ref",
        "/surprise",
        "/person_ref",
        "/effective/at",
        "/effective/tz",
        "/reason",
        "/subject/username",
        "/subject/email",
        "/account/location",
        "/account/expires_at",
        "/attributes/s",
        "/leaver/mode",
        "/sequence",
    ] {
        assert!(places.contains(&place), "{place} in {places:?}");
    }
    assert!(!format!("{faults:?}").contains("s3cret"), "{faults:?}");
}
