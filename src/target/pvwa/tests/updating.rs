//! Changing an account: finding it again, writing its record, the last comparison, the previews.

use super::script::{Reply, error, html};
use super::*;
use crate::domain::plan::{FieldChange, UserChange};
use crate::domain::step::Outcome;
use crate::target::pvwa::preview::preview;

const PASSING: Outcome = Outcome::Retry { after_seconds: None };

fn renamed() -> PlannedStep {
    let fields = [
        (ProfileField::FirstName, "Zoe", "Zora"),
        (ProfileField::Email, "zoe@example.com", "zora@example.com"),
        (ProfileField::Location, "\\", "\\Users\\Ops"),
    ];
    let fields = fields
        .into_iter()
        .map(|(field, from, to)| (field, FieldChange { from: Some(from.to_owned()), to: to.to_owned() }));
    PlannedStep::UpdateUser(UserChange { fields: fields.collect(), cut: BTreeMap::new() })
}

fn mover(dialect: DialectSettings) -> Plan {
    let steps = vec![
        PlannedStep::FindUser,
        renamed(),
        PlannedStep::AddToGroup(ops()),
        PlannedStep::RemoveFromGroup(PlannedGroup { id: VaultGroupId(6), ..ops() }),
        PlannedStep::VerifyUser,
    ];
    change_plan(Kind::Mover, dialect, steps)
}

impl Bench {
    async fn changes(&self, step: &PlannedStep, acts: bool) -> Report {
        self.attempt_of(&mover(self.vault.dialect()), step, |_| (), acts).await
    }
}

fn before() -> Value {
    record("text", &json!([{"groupID": 6, "groupName": "Old"}]))
}

fn after() -> Value {
    let mut after = before();
    after["personalDetails"]["firstName"] = json!("Zora");
    after["internet"]["businessEmail"] = json!("zora@example.com");
    after["location"] = json!("\\users\\Ops\\");
    after
}

fn flat(mut nested: Value) -> Value {
    nested["firstName"] = nested["personalDetails"]["firstName"].take();
    nested["email"] = nested["internet"]["businessEmail"].take();
    let fields = nested.as_object_mut().unwrap();
    fields.remove("personalDetails");
    fields.remove("internet");
    nested
}

#[tokio::test]
async fn the_record_is_written_whole_with_the_approved_fields_changed_in_either_shape() {
    for is_flat in [false, true] {
        let bench = Bench::new(auto()).await;
        let shaped = |record| if is_flat { flat(record) } else { record };
        bench.script.on("GET Users/42", vec![ok(shaped(before())), ok(shaped(after()))]);
        bench.script.on("PUT Users/42", vec![ok(json!({}))]);
        let report = bench.changes(&renamed(), true).await;
        assert_eq!(report.outcome, Outcome::Done, "{}", report.words);
        let body = &bench.script.bodies("PUT Users/42")[0];
        let mut wanted = shaped(after());
        wanted["location"] = json!("\\Users\\Ops");
        for key in ["id", "source", "componentUser", "groupsMembership"] {
            wanted.as_object_mut().unwrap().remove(key);
        }
        assert_eq!(body, &wanted);
        assert_eq!(bench.changes(&renamed(), true).await.outcome, Outcome::AlreadySo);
        assert_eq!(bench.script.writes(), ["PUT Users/42"]);
    }
}

#[tokio::test]
async fn a_look_compares_the_whole_record_with_what_it_was_before_a_write_that_nobody_saw_the_end_of() {
    let mut clobbered = after();
    clobbered["somethingNew"] = json!(2);
    let mut joined = after();
    joined["groupsMembership"] =
        json!([{"groupID": 6, "groupName": "Old"}, {"groupID": 7, "groupName": "New"}]);
    for (put, behind) in [(Reply::Drop, ok(before())), (html(502), ok(before())), (ok(json!({})), html(503))]
    {
        let bench = Bench::new(auto()).await;
        bench.script.on("GET Users/42", vec![ok(before()), behind]).on("PUT Users/42", vec![put]);
        let unknown = bench.changes(&renamed(), true).await;
        assert_eq!(unknown.outcome, Outcome::Unknown, "{}", unknown.words);
        let told = serde_json::to_string(&unknown.before).unwrap();
        assert!(told.contains("somethingNew") && !told.contains("zoe@"), "{told}");
        for (seen, known, outcome, words) in [
            (after(), true, Outcome::Done, "nothing else has changed since before the write"),
            (joined.clone(), true, Outcome::Done, "nothing else has changed"),
            (clobbered.clone(), true, Outcome::NeedsPerson, "look at these fields: somethingNew"),
            (before(), true, Outcome::NotThere, "not yet as approved"),
            // The process ended before it could say what the record had been.
            (after(), false, Outcome::NeedsPerson, "was not compared: look at the record"),
            (before(), false, Outcome::NotThere, "not yet as approved"),
        ] {
            bench.script.on("GET Users/42", vec![ok(seen)]);
            let remember = |call: &mut StepCall<'_>| {
                call.before = unknown.before.clone().filter(|_| known);
            };
            let report = bench.attempt_of(&mover(auto()), &renamed(), remember, false).await;
            assert_eq!(report.outcome, outcome, "{}", report.words);
            assert!(report.words.contains(words), "{}", report.words);
        }
        assert_eq!(bench.script.writes(), ["PUT Users/42"]);
    }
}

#[tokio::test]
async fn answers_to_the_update_have_their_own_meanings_and_no_value_is_told() {
    let with = |key: &str, value: Value| {
        let mut record = after();
        record[key] = value;
        ok(record)
    };
    let half = with("location", json!("\\"));
    let table = [
        (ok(json!({})), ok(before()), Outcome::Unknown, "firstName, businessEmail, location"),
        (ok(json!({})), half, Outcome::Unknown, "yet in: location"),
        (ok(json!({})), with("somethingNew", json!(2)), Outcome::NeedsPerson, "somethingNew"),
        (ok(json!({})), with("enableUser", json!(false)), Outcome::NeedsPerson, "enableUser"),
        (ok(json!({})), with("groupsMembership", json!([])), Outcome::NeedsPerson, "groupsMembership"),
        (ok(json!({})), html(503), Outcome::Unknown, ""),
        (ok(json!({})), error(404, "ITATS003E", "gone"), Outcome::NeedsPerson, "has gone"),
        (Reply::Drop, ok(before()), Outcome::Unknown, ""),
        (html(502), ok(before()), Outcome::Unknown, ""),
        (error(429, "", ""), ok(before()), PASSING, ""),
        (error(400, "PASWS000E", "bad"), ok(before()), Outcome::Refused, "bad"),
        (error(403, "PASWS041E", "not authorised"), ok(before()), Outcome::Refused, ""),
        (error(500, "ITATS692E", "external"), ok(before()), Outcome::Refused, "external"),
    ];
    for (reply, seen, outcome, words) in table {
        let bench = Bench::new(auto()).await;
        bench.script.on("GET Users/42", vec![ok(before()), seen]).on("PUT Users/42", vec![reply]);
        let report = bench.changes(&renamed(), true).await;
        assert_eq!(report.outcome, outcome, "{}", report.words);
        assert!(report.words.contains(words), "{}", report.words);
        assert!(!report.words.contains("Zora") && !report.words.contains("zora@"), "{}", report.words);
        assert_eq!(bench.script.writes(), ["PUT Users/42"]);
    }
    let bench = Bench::new(auto()).await;
    bench.script.on("GET Users/42", vec![ok(before())]);
    let report = bench.changes(&renamed(), false).await;
    assert_eq!(report.outcome, Outcome::NotThere);
    assert!(report.words.ends_with("first name, business e-mail, location"), "{}", report.words);
    assert_eq!(bench.script.writes(), [""; 0]);
}

#[tokio::test]
async fn what_somebody_else_changed_since_the_plan_is_named() {
    let bench = Bench::new(auto()).await;
    let mut moved = before();
    moved["personalDetails"]["firstName"] = json!("Z.");
    bench.script.on("GET Users/42", vec![ok(moved), ok(after())]).on("PUT Users/42", vec![ok(json!({}))]);
    let report = bench.changes(&renamed(), true).await;
    assert_eq!(report.outcome, Outcome::Done);
    assert!(
        report.words.ends_with("somebody else had changed this since the plan was made: first name"),
        "{}",
        report.words
    );
}

#[tokio::test]
async fn the_approved_account_is_found_by_number_and_name_together() {
    let listing = |id: i64| ok(json!({"Users": [{"id": id, "username": "ZOBrien"}], "Total": 1}));
    let two = ok(json!({"Users": [{"id": 42, "username": "zobrien"}, {"id": 43, "username": "ZOBRIEN"}]}));
    let none = ok(json!({"Users": []}));
    let with = |key: &str, value: Value| {
        let mut record = before();
        record[key] = value;
        ok(record)
    };
    let gone = error(404, "ITATS003E", "no such user");
    let table = [
        (ok(before()), listing(42), Outcome::Done, "number 42"),
        (ok(before()), two, Outcome::NeedsPerson, "numbers 42 and 43"),
        (ok(before()), listing(43), Outcome::NeedsPerson, "held by user number 43"),
        (ok(before()), none.clone(), PASSING, "is not listed"),
        (gone.clone(), listing(42), PASSING, "cannot be read"),
        (gone, none.clone(), Outcome::NeedsPerson, "no longer in the vault"),
        (with("username", json!("zmeyer")), none, Outcome::NeedsPerson, "another name"),
        (with("componentUser", json!(true)), listing(42), Outcome::NeedsPerson, "component"),
        (with("source", json!("LDAP")), listing(42), Outcome::NeedsPerson, "kept by a directory now"),
        (html(503), listing(42), PASSING, ""),
    ];
    for (record, users, outcome, words) in table {
        let bench = Bench::new(auto()).await;
        bench.script.on("GET Users/42", vec![record]).on("GET Users", vec![users]);
        for acts in [true, false] {
            let report = bench.changes(&PlannedStep::FindUser, acts).await;
            let id = (outcome == Outcome::Done).then_some(OURS);
            assert_eq!((&report.outcome, report.user_id), (&outcome, id), "{}", report.words);
            assert!(report.words.contains(words), "{}", report.words);
        }
        assert_eq!(bench.script.writes(), [""; 0]);
    }
}

#[tokio::test]
async fn our_own_account_is_never_changed() {
    let mut plan = mover(auto());
    plan.user_name = UserName::parse("SVC-countersign@example").unwrap();
    let bench = Bench::new(auto()).await;
    for step in plan.steps.iter().chain([&PlannedStep::DisableUser, &PlannedStep::RecordAccess]) {
        bench.script.on("GET UserGroups", vec![ok(groups(&json!([])))]);
        let report = bench.attempt_of(&plan, step, |_| (), true).await;
        assert_eq!(report.outcome, Outcome::NeedsPerson, "{}", step.kind());
    }
    assert_eq!(bench.script.writes(), [""; 0]);
}

#[tokio::test]
async fn a_mover_is_verified_only_with_the_approved_profile_and_groups() {
    let with = |groups: Value| {
        let mut record = after();
        record["groupsMembership"] = groups;
        record
    };
    let (ops, old) =
        (json!({"groupID": 5, "groupName": "Ops-Readers"}), json!({"groupID": 6, "groupName": "Old"}));
    let mut unnamed = with(json!([ops]));
    unnamed["personalDetails"]["firstName"] = json!("Zoe");
    for (record, outcome, words) in [
        (
            with(json!([ops])),
            Outcome::Done,
            "the profile is as approved, it is in 1 group as approved, it is out of 1 group as approved",
        ),
        (with(json!([ops, old])), PASSING, "not yet as approved: out of the group Ops-Readers"),
        (with(json!([{"groupID": 9}])), PASSING, "not yet as approved: group Ops-Readers"),
        (unnamed, PASSING, "not yet as approved: first name"),
    ] {
        let bench = Bench::new(auto()).await;
        bench.script.on("GET Users/42", vec![ok(record)]);
        let report = bench.changes(&PlannedStep::VerifyUser, true).await;
        assert_eq!(report.outcome, outcome, "{}", report.words);
        assert!(report.words.ends_with(words), "{}", report.words);
        assert_eq!(bench.script.writes(), [""; 0]);
    }
}

#[test]
fn the_previews_of_a_mover_and_a_leaver_name_every_write() {
    let writes = |plan: &Plan| -> Vec<String> {
        let shown = preview(plan);
        assert_eq!(shown.len(), plan.steps.len());
        let calls = shown.into_iter().flatten().filter(|call| call.method != "GET");
        calls.map(|call| format!("{} {}", call.method, call.path)).collect()
    };
    let mut plan = mover(auto());
    let moved = ["PUT Users/42", "POST UserGroups/5/Members", "DELETE UserGroups/6/Members/{name}/"];
    assert_eq!(writes(&plan), moved);
    plan.steps = vec![PlannedStep::RecordAccess, PlannedStep::DisableUser, PlannedStep::DisableInDirectory];
    assert_eq!(writes(&plan), ["POST Users/42/disable/"]);
    plan.dialect.disable_with = DisableWith::Put;
    assert_eq!(writes(&plan), ["PUT Users/42"]);
    let directory = PlannedGroup { kind: Some(GroupKind::Directory), ..ops() };
    plan.steps = vec![PlannedStep::RemoveFromGroup(directory)];
    assert_eq!(writes(&plan), [""; 0]);
}
