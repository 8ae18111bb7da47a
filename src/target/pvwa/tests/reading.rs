//! Reading: pages, snapshot, the demand for a new password, the last comparison, the preview.

use super::script::{Reply, by, error, html};
use super::*;
use crate::domain::snapshot::UserSeen;
use crate::domain::step::Outcome;
use crate::target::CallFault;
use crate::target::pvwa::preview::preview;

/// What is different from the approved record.
type Change = fn(&mut Value);

fn known(call: &mut StepCall<'_>) {
    call.user_id = Some(OURS);
}

pub(super) fn offset(query: &str) -> usize {
    let pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs.into_iter().find(|(key, _)| key == "offset").map_or(0, |(_, value)| value.parse().unwrap())
}

fn crowd(from: usize, to: usize) -> Vec<Value> {
    (from..to).map(|id| json!({"id": id, "username": format!("zobrien{id}")})).collect()
}

#[tokio::test]
async fn a_user_on_a_later_page_is_found_however_the_vault_pages() {
    let paged = by(|seen| {
        let from = offset(&seen.query);
        let mut users = crowd(100 + from, (200 + from).min(350));
        if from >= 200 {
            users.push(json!({"id": 42, "username": "zobrien"}));
        }
        ok(json!({"Users": users, "Total": 100}))
    });
    let unpaged = by(|_| {
        let mut users = crowd(100, 350);
        users.push(json!({"id": 42, "username": "zobrien"}));
        ok(json!({"Users": users, "Total": 251}))
    });
    let small_pages = by(|seen| {
        let from = offset(&seen.query);
        let mut users = crowd(100, 130);
        users.push(json!({"id": 42, "username": "zobrien"}));
        ok(json!({"Users": users[from..(from + 10).min(31)], "Total": 31}))
    });
    for (reply, calls) in [(paged, 3), (unpaged, 2), (small_pages, 4)] {
        let bench = Bench::new(auto()).await;
        bench.script.on("GET Users", vec![reply]).on("GET Users/42", vec![ok(record("", &json!([])))]);
        let report = bench.act(&PlannedStep::FindUser, |_| ()).await;
        assert_eq!(report.outcome, Outcome::NeedsPerson, "{}", report.words);
        assert!(report.words.contains("held by user number 42"));
        assert_eq!(report.calls.iter().filter(|call| call.path == "Users").count(), calls);
    }
}

#[tokio::test]
async fn the_snapshot_tells_user_groups_and_types() {
    let bench = Bench::new(auto()).await;
    bench.script.on("GET Users", vec![ok(listed())]);
    bench
        .script
        .on("GET Users/42", vec![ok(record("", &json!([{"groupID": 5, "groupName": "Ops-Readers"}])))]);
    let linked = by(|seen| {
        if offset(&seen.query) == 1 && seen.query.contains("linked") {
            return ok(groups(&json!([])));
        }
        let next = "api/UserGroups?linked=yes&offset=1";
        ok(json!({"value": [{"id": 1, "groupName": "Other", "groupType": "Vault"}], "nextLink": next}))
    });
    bench.script.on("GET UserGroups", vec![linked]);
    bench.script.on(
        "GET UserTypes",
        vec![ok(json!({"UserTypes": [{"name": "EPVUser"}]})), error(404, "", ""), html(503)],
    );
    let (name, ask) = (
        UserName::parse("zobrien").unwrap(),
        [GroupName::parse("Ops-Readers").unwrap(), GroupName::parse("Gone").unwrap()],
    );
    let snapshot = bench.vault.snapshot(subject(&name), Besides::Groups(&ask)).await.unwrap();
    let UserSeen::Present(user) = &snapshot.user else { panic!("no user") };
    assert_eq!((user.id, user.groups.as_ref().unwrap().len()), (OURS, 1));
    assert_eq!(snapshot.groups[0].found.as_ref().unwrap().id, VaultGroupId(5));
    assert_eq!(snapshot.groups[1].found, None);
    assert_eq!(snapshot.user_types.unwrap()[0].as_str(), "EPVUser");
    assert_eq!(bench.vault.snapshot(subject(&name), Besides::Groups(&ask)).await.unwrap().user_types, None);
    let fault = bench.vault.snapshot(subject(&name), Besides::Groups(&ask)).await.unwrap_err();
    assert!(matches!(fault, CallFault::Retry { .. }));
}

#[tokio::test]
async fn ending_access_needs_the_account_alone() {
    let bench = Bench::new(auto()).await;
    bench.script.on("GET Users", vec![ok(listed())]);
    let held = json!([{"groupID": 5, "groupName": "Ops-Readers"}]);
    bench.script.on("GET Users/42", vec![ok(record("", &held))]);
    for path in ["GET UserTypes", "GET UserGroups"] {
        bench.script.on(path, vec![error(500, "ITATS001E", "broken")]);
    }
    let name = UserName::parse("zobrien").unwrap();
    let snapshot = bench.vault.snapshot(subject(&name), Besides::Nothing).await.unwrap();
    assert!(matches!(snapshot.user, UserSeen::Present(_)));
    // The list of groups is asked for what the record leaves out, and may be refused.
    assert_eq!(bench.script.lines(), ["POST token", "GET Users", "GET Users/42", "GET UserGroups"]);
    bench.vault.snapshot(subject(&name), Besides::Groups(&[])).await.unwrap_err();
}

#[tokio::test]
async fn groups_that_nobody_tells_are_unknown_and_not_none() {
    let (own, other) = (json!([{"id": 42}]), json!([{"id": 7}]));
    let listing = |members: &Value| ok(groups(members));
    let nameless = json!([{"groupName": "Odd"}]);
    let both = json!([{"groupName": "Odd"}, {"groupID": 5, "groupName": "Ops-Readers"}]);
    for (record_tells, answer, told) in [
        // Somebody is shown as a member of something, so an empty list means none.
        (json!([]), listing(&other), (Some(0), 0)),
        (json!([]), listing(&own), (Some(1), 0)),
        (json!([]), listing(&json!([])), (None, 0)),
        (json!([]), ok(json!({"value": []})), (None, 0)),
        (json!([]), error(403, "PASWS041E", "not authorised"), (None, 0)),
        (json!([]), error(500, "ITATS001E", "broken"), (None, 0)),
        (json!([]), ok(json!({"value": [{"groupName": "Odd", "members": [{"id": 42}]}]})), (None, 0)),
        // A group without a number is looked for among all groups.
        (nameless.clone(), listing(&own), (Some(1), 0)),
        (nameless, listing(&json!([])), (None, 1)),
        (both, error(403, "PASWS041E", "not authorised"), (Some(1), 1)),
    ] {
        let bench = Bench::new(auto()).await;
        bench.script.on("GET Users", vec![ok(listed())]).on("GET UserGroups", vec![answer]);
        bench.script.on("GET Users/42", vec![ok(record("", &record_tells))]);
        let name = UserName::parse("zobrien").unwrap();
        let snapshot = bench.vault.snapshot(subject(&name), Besides::Nothing).await.unwrap();
        let UserSeen::Present(user) = snapshot.user else { panic!("no user") };
        assert_eq!((user.groups.map(|told| told.len()), user.unnumbered_groups), told, "{record_tells}");
    }
}

#[tokio::test]
async fn a_link_to_elsewhere_is_not_followed() {
    let bench = Bench::new(auto()).await;
    bench.script.on("GET Users", vec![ok(json!({"Users": []}))]);
    let next = "https://evil.example/PasswordVault/API/UserGroups?offset=1";
    bench.script.on("GET UserGroups", vec![ok(json!({"value": [{"id": 1}], "nextLink": next}))]);
    let groups = [GroupName::parse("Ops-Readers").unwrap()];
    let fault = bench
        .vault
        .snapshot(subject(&UserName::parse("zobrien").unwrap()), Besides::Groups(&groups))
        .await
        .unwrap_err();
    assert!(matches!(fault, CallFault::NeedsPerson { .. }), "{fault}");
}

#[tokio::test]
async fn the_demand_for_a_new_password_is_written_into_the_whole_record() {
    let step = PlannedStep::RequirePasswordChange;
    let before = record(mark().as_str(), &json!([]));
    let mut after = before.clone();
    after["changePassOnNextLogon"] = json!(true);
    let mut clobbered = after.clone();
    clobbered["internet"] = json!({});
    let table = [
        (ok(json!({})), after.clone(), Outcome::Done, ""),
        (ok(json!({})), before.clone(), Outcome::Unknown, ""),
        (ok(json!({})), clobbered, Outcome::NeedsPerson, "internet.businessEmail"),
        (Reply::Drop, before.clone(), Outcome::Unknown, ""),
        (error(500, "ITATS692E", "external"), before.clone(), Outcome::Refused, "external"),
    ];
    for (reply, seen, outcome, words) in table {
        let bench = Bench::new(auto()).await;
        bench.script.on("GET Users/42", vec![ok(before.clone()), ok(seen)]).on("PUT Users/42", vec![reply]);
        let report = bench.act(&step, known).await;
        assert_eq!(report.outcome, outcome, "{}", report.words);
        assert!(report.words.contains(words) && !report.words.contains("zoe@"), "{}", report.words);
        let body = &bench.script.bodies("PUT Users/42")[0];
        assert_eq!((&body["somethingNew"], &body["changePassOnNextLogon"]), (&json!(1), &json!(true)));
        assert!(body.get("id").is_none() && body.get("groupsMembership").is_none());
    }
    let bench = Bench::new(auto()).await;
    bench.script.on("GET Users/42", vec![ok(after)]);
    assert_eq!(bench.act(&step, known).await.outcome, Outcome::AlreadySo);
    // The account is one that this run has made, so the last look compares every approved value.
    let looked = bench.look(&step, known).await;
    assert_eq!(looked.outcome, Outcome::Done);
    assert!(looked.words.contains("was not compared"), "{}", looked.words);
    assert_eq!(bench.script.writes(), [""; 0]);
}

#[tokio::test]
async fn verified_is_only_what_was_seen() {
    let mut good = record(mark().as_str(), &json!([{"groupID": 5, "groupName": "Ops-Readers"}]));
    good["changePassOnNextLogon"] = json!(true);
    let but = |change: Change| {
        let mut record = good.clone();
        change(&mut record);
        record
    };
    let cases: [(Change, &str); 8] = [
        (|_| (), ""),
        (|record| record["personalDetails"] = json!({"firstName": "Zo"}), "first name"),
        (|record| record["internet"] = Value::Null, "business e-mail"),
        (|record| record["enableUser"] = json!(false), "enabled"),
        (|record| record["groupsMembership"] = json!([{"groupID": 4}]), "group Ops-Readers"),
        (|record| record["changePassOnNextLogon"] = json!(false), "new password at the next log-on"),
        (|record| record["description"] = json!("somebody else's"), "description"),
        (|record| record["location"] = json!("\\Elsewhere"), "location"),
    ];
    for (change, missing) in cases {
        let bench = Bench::new(auto()).await;
        bench.script.on("GET Users/42", vec![ok(but(change))]);
        let report = bench.act(&PlannedStep::VerifyUser, known).await;
        if missing.is_empty() {
            assert_eq!((report.outcome, report.user_id), (Outcome::Done, Some(OURS)), "{}", report.words);
        } else {
            assert_eq!(report.outcome, Outcome::Retry { after_seconds: None });
            assert!(report.words.ends_with(&format!("not yet as approved: {missing}")), "{}", report.words);
        }
        assert_eq!(bench.script.writes(), [""; 0]);
    }
}

#[tokio::test]
async fn a_number_with_another_name_is_a_strangers() {
    let bench = Bench::new(auto()).await;
    let mut renamed = record(mark().as_str(), &json!([]));
    renamed["username"] = json!("mallory");
    bench.script.on("GET Users/42", vec![ok(renamed)]);
    bench.script.on("GET UserGroups", vec![ok(groups(&json!([])))]);
    for step in plan(auto()).steps.iter().skip(2) {
        let report = bench.act(step, known).await;
        assert_eq!(report.outcome, Outcome::NeedsPerson, "{}: {}", step.kind(), report.words);
    }
    assert_eq!(bench.script.writes(), [""; 0]);
}

#[test]
fn the_preview_names_every_write_of_the_plan() {
    let shown = preview(&plan(DialectSettings { group_member: GroupMember::NumericId, ..auto() }));
    let writes: Vec<_> = shown
        .iter()
        .flatten()
        .filter(|call| call.method != "GET")
        .map(|call| format!("{} {}", call.method, call.path))
        .collect();
    assert_eq!(shown.len(), 6);
    assert_eq!(writes, ["POST Users", "POST UserGroups/5/Members", "PUT Users/{id}"]);
    assert!(shown[3][2].note.contains("number"));
}

#[tokio::test]
async fn only_the_vaults_own_word_says_that_there_is_no_user_of_a_number() {
    let name = UserName::parse("zobrien").unwrap();
    let of_number = Subject { user_name: &name, user_id: Some(OURS) };
    // A gateway's page, a server that does not know the way, an answer without a code: none of them is about the user.
    for reply in [
        html(404),
        Reply::Json(404, json!({"Message": "No HTTP resource was found"})),
        Reply::Json(404, json!({})),
    ] {
        let bench = Bench::empty_vault(auto()).await;
        bench.script.on("GET Users/42", vec![reply]);
        let fault = bench.vault.snapshot(of_number, Besides::Nothing).await.unwrap_err();
        assert!(matches!(fault, CallFault::Refused { .. }), "{fault}");
    }
    let bench = Bench::empty_vault(auto()).await;
    bench.script.on("GET Users/42", vec![error(404, "ITATS003E", "no such user")]);
    bench.script.on("GET UserTypes", vec![error(404, "", "")]);
    assert_eq!(bench.vault.snapshot(of_number, Besides::Nothing).await.unwrap().user, UserSeen::Absent);
}

#[tokio::test]
async fn a_lost_demand_for_a_new_password_is_compared_in_the_whole_record() {
    let step = PlannedStep::RequirePasswordChange;
    let mut demanded = record(mark().as_str(), &json!([]));
    demanded["changePassOnNextLogon"] = json!(true);
    let mut clobbered = demanded.clone();
    clobbered["internet"] = json!({});
    clobbered["location"] = json!("\\Elsewhere");
    for (seen, outcome, words) in [
        (record(mark().as_str(), &json!([])), Outcome::NotThere, "not ask"),
        (demanded, Outcome::Done, "asks for a new password"),
        (clobbered, Outcome::NeedsPerson, "location, business e-mail"),
    ] {
        let bench = Bench::new(auto()).await;
        bench.script.on("GET Users/42", vec![ok(seen)]);
        let report = bench.look(&step, known).await;
        assert_eq!(report.outcome, outcome, "{}", report.words);
        assert!(report.words.contains(words) && !report.words.contains("Elsewhere"), "{}", report.words);
        assert_eq!(bench.script.writes(), [""; 0]);
    }
}
