//! Making the account: whose name it is, what is sent, what a lost answer means.

use super::script::{Reply, error, html};
use super::*;
use crate::domain::step::Outcome;

/// The record found, how the call is changed, what create and find make of it, the number told.
type Holding<'a> = (&'a Value, fn(&mut StepCall<'_>), Outcome, Outcome, Option<VaultUserId>);

fn create() -> PlannedStep {
    PlannedStep::CreateUser(new_user())
}

#[tokio::test]
async fn a_made_user_is_read_back_and_its_number_told() {
    let bench = Bench::empty_vault(pinned_nested()).await;
    bench.script.on("POST Users", vec![Reply::Json(201, json!({"id": 42, "username": "zobrien"}))]);
    bench.script.on("GET Users/42", vec![ok(record(mark().as_str(), &json!([])))]);
    let report = bench.act(&create(), |_| ()).await;
    assert_eq!((report.outcome, report.user_id), (Outcome::Done, Some(OURS)), "{}", report.words);
    let calls: Vec<_> = report.calls.iter().map(|call| format!("{} {}", call.method, call.path)).collect();
    assert_eq!(calls, ["GET Users", "POST Users", "GET Users/42"]);
    let body = &bench.script.bodies("POST Users")[0];
    assert_eq!(body["initialPassword"], PASSWORD);
    assert_eq!(body["personalDetails"]["firstName"], "Zoe");
}

#[tokio::test]
async fn the_shape_is_learnt_from_a_user_of_this_vault_once() {
    for (first, is_flat) in [
        (json!({"id": 9, "username": "svc", "personalDetails": {}}), false),
        (json!({"id": 9, "username": "svc"}), true),
    ] {
        let bench = Bench::new(auto()).await;
        let page = json!({"Users": [{"id": 9, "username": "svc"}], "Total": 1});
        bench.script.on("GET Users", vec![ok(page)]);
        bench.script.on("GET Users/9", vec![ok(first)]);
        bench.script.on("POST Users", vec![error(400, "X1", "no")]);
        bench.act(&create(), |_| ()).await;
        bench.act(&create(), |_| ()).await;
        let bodies = bench.script.bodies("POST Users");
        assert_eq!(bodies[1].get("email").is_some(), is_flat);
        assert_eq!(bodies[1].get("personalDetails").is_none(), is_flat);
        assert_eq!(bench.script.lines().iter().filter(|line| *line == "GET Users/9").count(), 1);
    }
}

#[tokio::test]
async fn every_kind_of_answer_to_the_create_has_its_own_meaning() {
    let retry = Outcome::Retry { after_seconds: Some(7) };
    let busy = Reply::Raw(429, "Retry-After: 7\r\n".to_owned(), String::new());
    let table = [
        (Reply::Drop, Outcome::Unknown),
        (html(503), Outcome::Unknown),
        (html(200), Outcome::Unknown),
        (Reply::Json(500, json!({})), Outcome::Unknown),
        (error(500, "ITADM111E", "busy"), Outcome::Unknown),
        (error(500, "ITATS123E", "licence"), Outcome::Refused),
        (error(400, "PASWS000E", "policy"), Outcome::Refused),
        (busy, retry),
        // Made, says the vault, but nobody can see it yet.
        (Reply::Json(201, json!({"id": 42})), Outcome::Unknown),
        (Reply::Raw(201, String::new(), String::new()), Outcome::Unknown),
        // Taken, says the vault, but nobody can see by whom.
        (error(409, "X1", "exists"), Outcome::NeedsPerson),
    ];
    for (reply, outcome) in table {
        let bench = Bench::empty_vault(pinned_nested()).await;
        bench.script.on("POST Users", vec![reply]);
        bench.script.on("GET Users/42", vec![error(404, "ITATS003E", "no such user")]);
        let report = bench.act(&create(), |_| ()).await;
        assert_eq!(report.outcome, outcome, "{}", report.words);
        assert_eq!(bench.script.writes(), ["POST Users"]);
    }
}

#[tokio::test]
async fn a_password_that_the_vault_repeats_is_not_told_on() {
    let bench = Bench::empty_vault(pinned_nested()).await;
    bench.script.on("POST Users", vec![error(400, "X1", &format!("the password {PASSWORD} is too weak"))]);
    let report = bench.act(&create(), |_| ()).await;
    assert!(report.words.ends_with("the password (secret) is too weak"), "{}", report.words);
}

#[tokio::test]
async fn the_holder_of_the_name_decides() {
    let ours = record(mark().as_str(), &json!([]));
    let theirs = record("made by hand", &json!([]));
    let mut component = theirs.clone();
    component["componentUser"] = json!(true);
    let mut directory = ours.clone();
    directory["source"] = json!("LDAP");
    let mut elsewhere = theirs.clone();
    elsewhere["location"] = json!("\\Users\\Elsewhere");
    let by_person = |call: &mut StepCall<'_>| call.adoption = Adoption::ByPerson(OURS);
    let only_by_mark = |_: &mut StepCall<'_>| ();
    let cases: [Holding<'_>; 6] = [
        (&ours, only_by_mark, Outcome::Done, Outcome::Done, Some(OURS)),
        (&theirs, only_by_mark, Outcome::NeedsPerson, Outcome::NeedsPerson, None),
        (&theirs, by_person, Outcome::AlreadySo, Outcome::Done, Some(OURS)),
        // Whatever a person says: what a create of ours has made is as planned.
        (&elsewhere, by_person, Outcome::NeedsPerson, Outcome::NeedsPerson, None),
        (&component, by_person, Outcome::NeedsPerson, Outcome::NeedsPerson, None),
        (&directory, by_person, Outcome::NeedsPerson, Outcome::NeedsPerson, None),
    ];
    for (record, change, created, found, id) in cases {
        let bench = Bench::new(auto()).await;
        bench.script.on("GET Users", vec![ok(listed())]).on("GET Users/42", vec![ok(record.clone())]);
        for (report, outcome) in [
            (bench.act(&create(), change).await, &created),
            (bench.look(&create(), change).await, &created),
            (bench.act(&PlannedStep::FindUser, change).await, &found),
            (bench.look(&PlannedStep::CaptureUserId, change).await, &found),
        ] {
            assert_eq!((&report.outcome, report.user_id), (outcome, id), "{}", report.words);
        }
        assert_eq!(bench.script.writes(), [""; 0]);
    }
}

#[tokio::test]
async fn where_no_description_is_kept_only_a_person_can_adopt_after_a_lost_answer() {
    let bench = Bench::new(DialectSettings { description: Description::NotKept, ..auto() }).await;
    bench.script.on("GET Users", vec![ok(listed())]);
    bench.script.on("GET Users/42", vec![ok(record(mark().as_str(), &json!([])))]);
    let report = bench.look(&create(), |_| ()).await;
    assert_eq!(report.outcome, Outcome::NeedsPerson);
    // The number that our own create answered is proof enough.
    let report = bench.look(&create(), |call| call.user_id = Some(OURS)).await;
    assert_eq!((report.outcome, report.user_id), (Outcome::Done, Some(OURS)));
}

#[tokio::test]
async fn two_users_of_one_name_and_our_own_account_are_for_a_person() {
    let bench = Bench::new(auto()).await;
    let two = json!({"Users": [{"id": 1, "username": "zobrien"}, {"id": 2, "username": "ZOBRIEN"}]});
    bench.script.on("GET Users", vec![ok(two)]);
    let report = bench.act(&PlannedStep::FindUser, |_| ()).await;
    assert_eq!(report.outcome, Outcome::NeedsPerson);
    assert!(report.words.contains("numbers 1 and 2"));
    let mut plan = plan(auto());
    plan.user_name = UserName::parse("SVC-countersign@example").unwrap();
    let marks = [mark()];
    for step in &plan.steps {
        let mut call = call(&plan, step, &marks);
        (call.user_id, call.adoption) = (Some(OURS), Adoption::ByPerson(OURS));
        bench.script.on("GET UserGroups", vec![ok(groups(&json!([])))]);
        assert_eq!(bench.vault.act(&call).await.outcome, Outcome::NeedsPerson, "{}", step.kind());
    }
    assert_eq!(bench.script.writes(), [""; 0]);
}

#[tokio::test]
async fn a_name_that_only_contains_ours_is_not_ours() {
    let bench = Bench::new(auto()).await;
    let near = json!({"Users": [{"id": 1, "username": "zobrien2"}, {"id": 2, "username": "x", "personalDetails": {"lastName": "zobrien"}}]});
    bench.script.on("GET Users", vec![ok(near)]);
    let report = bench.act(&PlannedStep::FindUser, |_| ()).await;
    assert_eq!((report.outcome, report.words.as_str()), (Outcome::Done, "the name is free"));
    let report = bench.look(&create(), |_| ()).await;
    assert_eq!(report.outcome, Outcome::NotThere);
}
