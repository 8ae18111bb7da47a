//! Group membership: the approved group, the right user, the form that names nobody else.

use super::script::{Reply, by, error, html};
use super::*;
use crate::domain::step::Outcome;

fn join() -> PlannedStep {
    PlannedStep::AddToGroup(ops())
}

const MEMBERS: &str = "POST UserGroups/5/Members";

fn known(call: &mut StepCall<'_>) {
    call.user_id = Some(OURS);
}

fn by_number(call: &mut StepCall<'_>) {
    call.user_id = Some(OURS);
    call.form = Some(BY_NUMBER);
}

fn in_ops() -> Reply {
    ok(record("", &json!([{"groupID": 5, "groupName": "Ops-Readers", "groupType": "Vault"}])))
}

fn in_none() -> Reply {
    ok(record("", &json!([])))
}

#[tokio::test]
async fn a_member_is_added_by_name_and_seen_by_number() {
    let bench = Bench::new(auto()).await;
    bench.script.on("GET UserGroups", vec![ok(groups(&json!([])))]);
    bench.script.on("GET Users/42", vec![in_none(), in_ops()]);
    bench.script.on(MEMBERS, vec![Reply::Raw(201, String::new(), String::new())]);
    let report = bench.act(&join(), known).await;
    assert_eq!(report.outcome, Outcome::Done, "{}", report.words);
    assert_eq!(bench.script.bodies(MEMBERS), [json!({"memberId": "zobrien", "memberType": "vault"})]);
    let again = bench.act(&join(), known).await;
    assert_eq!(again.outcome, Outcome::AlreadySo);
    assert_eq!(bench.script.writes(), [MEMBERS]);
    assert_eq!(bench.look(&join(), known).await.outcome, Outcome::Done);
}

#[tokio::test]
async fn a_membership_that_only_the_group_tells_counts() {
    let bench = Bench::new(auto()).await;
    let told = by(|seen| {
        let members =
            if seen.query.contains("includeMembers=true") { json!([{"id": 42}]) } else { json!([]) };
        ok(groups(&members))
    });
    bench.script.on("GET UserGroups", vec![told]);
    let mut silent = record("", &json!([]));
    silent.as_object_mut().unwrap().remove("groupsMembership");
    bench.script.on("GET Users/42", vec![ok(silent)]);
    assert_eq!(bench.act(&join(), known).await.outcome, Outcome::AlreadySo);
}

#[tokio::test]
async fn answers_to_the_add_have_their_own_meanings() {
    let number = Outcome::OtherForm { form: BY_NUMBER };
    let table = [
        (Reply::Drop, Outcome::Unknown),
        (html(502), Outcome::Unknown),
        (Reply::Json(201, json!({})), Outcome::Unknown),
        (error(404, "ITATS003E", "no such user"), number.clone()),
        (error(400, "", "There are some invalid parameters"), number),
        (error(404, "PASWS199E", "no such group"), Outcome::Refused),
        (html(404), Outcome::Refused),
        (error(403, "PASWS041E", "not authorised"), Outcome::Refused),
        (error(409, "PASWS213E", "already"), Outcome::Retry { after_seconds: None }),
    ];
    for (reply, outcome) in table {
        let bench = Bench::new(auto()).await;
        bench.script.on("GET UserGroups", vec![ok(groups(&json!([])))]);
        bench.script.on("GET Users/42", vec![in_none()]);
        bench.script.on(MEMBERS, vec![reply]);
        let report = bench.act(&join(), known).await;
        assert_eq!(report.outcome, outcome, "{}", report.words);
        assert_eq!(bench.script.writes(), [MEMBERS]);
        assert_eq!(bench.look(&join(), known).await.outcome, Outcome::NotThere);
    }
}

#[tokio::test]
async fn a_read_that_fails_after_the_write_leaves_the_outcome_unknown() {
    let bench = Bench::new(auto()).await;
    bench.script.on("GET UserGroups", vec![ok(groups(&json!([])))]);
    bench.script.on("GET Users/42", vec![in_none(), html(503)]);
    bench.script.on(MEMBERS, vec![Reply::Json(201, json!({}))]);
    assert_eq!(bench.act(&join(), known).await.outcome, Outcome::Unknown);
}

#[tokio::test]
async fn already_a_member_is_believed_after_a_look() {
    let bench = Bench::new(auto()).await;
    bench.script.on("GET UserGroups", vec![ok(groups(&json!([])))]);
    bench.script.on("GET Users/42", vec![in_none(), in_ops()]);
    bench.script.on(MEMBERS, vec![error(500, "ITATS262E", "already")]);
    assert_eq!(bench.act(&join(), known).await.outcome, Outcome::AlreadySo);
}

#[tokio::test]
async fn a_group_made_anew_or_of_a_directory_is_left_alone() {
    let listing = |id: i64, kind: &str| {
        ok(json!({"value": [{"id": id, "groupName": "Ops-Readers", "groupType": kind}]}))
    };
    for (reply, words) in [
        (listing(6, "Vault"), "was made anew"),
        (listing(5, "Directory"), "was a vault group"),
        (ok(json!({"value": []})), "no longer in the vault"),
    ] {
        let bench = Bench::new(auto()).await;
        bench.script.on("GET UserGroups", vec![reply]);
        let report = bench.act(&join(), known).await;
        assert_eq!(report.outcome, Outcome::NeedsPerson);
        assert!(report.words.contains(words), "{}", report.words);
        assert_eq!(bench.script.writes(), [""; 0]);
    }
}

#[tokio::test]
async fn by_number_only_when_nobody_has_that_number_as_a_name() {
    let bench = Bench::new(auto()).await;
    bench.script.on("GET UserGroups", vec![ok(groups(&json!([])))]);
    bench.script.on("GET Users/42", vec![in_none(), in_none(), in_ops()]);
    bench
        .script
        .on("GET Users", vec![ok(json!({"Users": [{"id": 7, "username": "42"}]})), ok(json!({"Users": []}))]);
    bench.script.on(MEMBERS, vec![Reply::Json(201, json!({}))]);
    let report = bench.act(&join(), by_number).await;
    assert_eq!(report.outcome, Outcome::NeedsPerson);
    assert!(report.words.contains("user number 7 has the name 42"));
    assert_eq!(bench.script.writes(), [""; 0]);
    assert_eq!(bench.act(&join(), by_number).await.outcome, Outcome::Done);
    assert_eq!(bench.script.bodies(MEMBERS), [json!({"memberId": 42, "memberType": "User"})]);
}

fn empty() -> Reply {
    ok(groups(&json!([])))
}

fn with_the_wrong_one() -> Reply {
    ok(groups(&json!([{"id": 7, "username": "42"}])))
}

const TAKE_OUT: Form = Form::TakeOut(MemberForm::NumericId);
const OUT: &str = "DELETE UserGroups/5/Members/42/";

fn take_out(call: &mut StepCall<'_>) {
    call.user_id = Some(OURS);
    call.form = Some(TAKE_OUT);
}

async fn with_somebody(listings: Vec<Reply>) -> Bench {
    let bench = Bench::new(auto()).await;
    bench.script.on("GET Users", vec![ok(json!({"Users": []}))]);
    bench.script.on("GET Users/42", vec![in_none()]).on("GET UserGroups", listings);
    bench
}

#[tokio::test]
async fn a_wrong_member_seen_after_the_number_form_is_to_be_taken_out() {
    let bench = with_somebody(vec![empty(), empty(), with_the_wrong_one()]).await;
    bench.script.on(MEMBERS, vec![Reply::Json(201, json!({}))]);
    let report = bench.act(&join(), by_number).await;
    assert_eq!(report.outcome, Outcome::Misdirected { undo: TAKE_OUT });
    assert!(report.words.contains("user number 7 is in the group"), "{}", report.words);
    assert_eq!(bench.script.writes(), [MEMBERS], "undoing is another attempt");
    // A look cannot tell whether the call went out at all, so it leaves the judgement to a person.
    assert_eq!(bench.look(&join(), by_number).await.outcome, Outcome::NeedsPerson);
}

#[tokio::test]
async fn somebody_wrong_who_was_there_before_is_left_there() {
    let bench = with_somebody(vec![empty(), with_the_wrong_one()]).await;
    let report = bench.act(&join(), by_number).await;
    assert_eq!(report.outcome, Outcome::NeedsPerson);
    assert!(report.words.contains("nothing was sent"), "{}", report.words);
    assert_eq!(bench.script.writes(), [""; 0]);
}

#[tokio::test]
async fn answers_to_the_taking_out_have_their_own_meanings() {
    let gone = || vec![with_the_wrong_one(), empty()];
    let still = || vec![with_the_wrong_one()];
    let table = [
        (Reply::Raw(204, String::new(), String::new()), gone(), Outcome::TakenOut),
        (error(404, "CAWS00003E", "not a member"), gone(), Outcome::TakenOut),
        (Reply::Raw(204, String::new(), String::new()), still(), Outcome::Unknown),
        (Reply::Drop, still(), Outcome::Unknown),
        (html(502), still(), Outcome::Unknown),
        (error(403, "PASWS041E", "not authorised"), still(), Outcome::Refused),
    ];
    for (reply, listings, outcome) in table {
        let bench = with_somebody(listings).await;
        bench.script.on(OUT, vec![reply]);
        let report = bench.act(&join(), take_out).await;
        assert_eq!(report.outcome, outcome, "{}", report.words);
        if outcome == Outcome::Refused {
            assert!(report.words.contains("user number 7 is in the group"), "{}", report.words);
        }
        assert_eq!(bench.script.writes(), [OUT]);
        assert!(report.calls.iter().all(|call| !call.path.contains("/42/")), "no name in the records");
    }
}

#[tokio::test]
async fn our_own_user_is_not_taken_out_for_somebody_else() {
    let both = || ok(groups(&json!([{"id": 7, "username": "42"}, {"id": 42, "username": "zobrien"}])));
    let bench = Bench::new(auto()).await;
    bench.script.on("GET Users/42", vec![in_ops()]).on("GET UserGroups", vec![both()]);
    let report = bench.act(&join(), take_out).await;
    assert_eq!(report.outcome, Outcome::NeedsPerson);
    assert!(report.words.contains("our user is in the group as well"), "{}", report.words);
    assert_eq!(bench.script.writes(), [""; 0]);
}

#[tokio::test]
async fn a_look_tells_whether_the_wrong_one_is_out() {
    let bench = with_somebody(vec![with_the_wrong_one(), empty()]).await;
    assert_eq!(bench.look(&join(), take_out).await.outcome, Outcome::NotThere);
    assert_eq!(bench.look(&join(), take_out).await.outcome, Outcome::TakenOut);
    assert_eq!(bench.act(&join(), take_out).await.outcome, Outcome::TakenOut, "nothing is left to do");
    assert_eq!(bench.script.writes(), [""; 0]);
}

#[tokio::test]
async fn a_name_of_digits_needs_a_pinned_form() {
    let mut plan = plan(auto());
    plan.user_name = UserName::parse("4711").unwrap();
    let bench = Bench::new(auto()).await;
    let mut record = record("", &json!([]));
    record["username"] = json!("4711");
    bench.script.on("GET UserGroups", vec![ok(groups(&json!([])))]).on("GET Users/42", vec![ok(record)]);
    let (step, marks) = (join(), [mark()]);
    let mut call = call(&plan, &step, &marks);
    call.user_id = Some(OURS);
    assert_eq!(bench.vault.act(&call).await.outcome, Outcome::NeedsPerson);
    assert_eq!(bench.script.writes(), [""; 0]);
}
