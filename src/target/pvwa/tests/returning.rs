//! Coming back: a new password, and enabling an account that is in no group but the approved ones.

use super::script::{Reply, error, html};
use super::*;
use crate::domain::step::{Outcome, SwitchForm};

const RESET: &str = "POST Users/42/ResetPassword";
const ENABLE: &str = "POST Users/42/enable/";

fn rehire(dialect: DialectSettings) -> Plan {
    let steps = vec![
        PlannedStep::FindUser,
        PlannedStep::ResetPassword,
        PlannedStep::RequirePasswordChange,
        PlannedStep::AddToGroup(ops()),
        PlannedStep::EnableUser,
        PlannedStep::VerifyUser,
    ];
    change_plan(Kind::Rehire, dialect, steps)
}

fn seen(enabled: bool, groups: &[i64]) -> Reply {
    let groups: Vec<Value> = groups
        .iter()
        .map(|id| json!({"groupID": id, "groupName": format!("Group {id}"), "groupType": "Vault"}))
        .collect();
    let mut record = record("", &json!(groups));
    record["enableUser"] = json!(enabled);
    ok(record)
}

impl Bench {
    async fn sets(&self, sent_before: SentBefore) -> Report {
        let change = |call: &mut StepCall<'_>| call.sent_before = sent_before;
        self.attempt_of(&rehire(self.vault.dialect()), &PlannedStep::ResetPassword, change, true).await
    }

    async fn enables(&self, form: Option<Form>) -> Report {
        let change = |call: &mut StepCall<'_>| call.form = form;
        self.attempt_of(&rehire(self.vault.dialect()), &PlannedStep::EnableUser, change, true).await
    }
}

#[tokio::test]
async fn answers_to_a_new_password_have_their_own_meanings() {
    use SentBefore::{No, Perhaps};
    let busy = Reply::Raw(429, "Retry-After: 7\r\n".to_owned(), String::new());
    let used = || error(400, "X", &format!("The password {PASSWORD} was used before."));
    let any = || error(400, "X", "It does not meet the length, complexity, or history requirements.");
    let table = [
        (Reply::Raw(204, String::new(), String::new()), No, Outcome::Done),
        (ok(json!({})), Perhaps, Outcome::Done),
        (busy, Perhaps, Outcome::Retry { after_seconds: Some(7) }),
        (Reply::Drop, No, Outcome::Unknown),
        (html(502), No, Outcome::Unknown),
        // Only after a lost call does it mean that the password is set, and only where it can mean nothing else.
        (used(), Perhaps, Outcome::Done),
        (used(), No, Outcome::Refused),
        (any(), Perhaps, Outcome::Refused),
        (error(403, "PASWS041E", "not authorised"), Perhaps, Outcome::Refused),
        (error(500, "ITATS692E", "external"), No, Outcome::Refused),
    ];
    for (reply, sent_before, outcome) in table {
        let bench = Bench::new(auto()).await;
        bench.script.on("GET Users/42", vec![seen(false, &[])]).on(RESET, vec![reply]);
        let report = bench.sets(sent_before).await;
        assert_eq!(report.outcome, outcome, "{}", report.words);
        assert_eq!(report.words.contains("resets_disabled_users"), outcome == Outcome::Refused);
        assert_eq!(bench.script.writes(), [RESET]);
        assert_eq!(bench.script.bodies(RESET), [json!({"id": 42, "newPassword": PASSWORD})]);
    }
}

#[tokio::test]
async fn a_look_cannot_tell_a_password_and_nothing_is_sent_without_one() {
    let bench = Bench::new(auto()).await;
    bench.script.on("GET Users/42", vec![seen(false, &[])]);
    let (plan, step) = (rehire(auto()), PlannedStep::ResetPassword);
    assert_eq!(bench.attempt_of(&plan, &step, |_| (), false).await.outcome, Outcome::NotThere);
    let without = bench.attempt_of(&plan, &step, |call| call.password = None, true).await;
    assert_eq!(without.outcome, Outcome::NeedsPerson);
    let mut directory = record("", &json!([]));
    directory["source"] = json!("LDAP");
    bench.script.on("GET Users/42", vec![ok(directory)]);
    assert_eq!(bench.sets(SentBefore::No).await.outcome, Outcome::NeedsPerson);
    assert_eq!(bench.script.writes(), [""; 0]);
}

#[tokio::test]
async fn only_who_is_in_approved_groups_alone_is_enabled() {
    let by_put = Outcome::OtherForm { form: Form::Enable(SwitchForm::Put) };
    let table = [
        (seen(false, &[5]), ok(json!({})), seen(true, &[5]), Outcome::Done, 1),
        (seen(false, &[5]), ok(json!({})), seen(false, &[5]), Outcome::Unknown, 1),
        (seen(false, &[5]), html(404), seen(false, &[5]), by_put, 1),
        (seen(false, &[5]), Reply::Drop, seen(true, &[5]), Outcome::Unknown, 1),
        (seen(true, &[5]), ok(json!({})), seen(true, &[5]), Outcome::AlreadySo, 0),
        (seen(false, &[5, 6]), ok(json!({})), seen(true, &[5, 6]), Outcome::NeedsPerson, 0),
        (seen(true, &[5, 6]), ok(json!({})), seen(true, &[5, 6]), Outcome::NeedsPerson, 0),
    ];
    for (before, reply, after, outcome, writes) in table {
        let bench = Bench::new(auto()).await;
        bench.script.on("GET Users/42", vec![before, after]).on(ENABLE, vec![reply]);
        let report = bench.enables(None).await;
        assert_eq!(report.outcome, outcome, "{}", report.words);
        assert_eq!(bench.script.writes().len(), writes);
    }
}

#[tokio::test]
async fn enabling_by_the_record_writes_all_of_it_and_compares_all_of_it() {
    let bench = Bench::new(auto()).await;
    bench.script.on("GET Users/42", vec![seen(false, &[5]), seen(true, &[5])]);
    bench.script.on("PUT Users/42", vec![ok(json!({}))]);
    let report = bench.enables(Some(Form::Enable(SwitchForm::Put))).await;
    assert_eq!(report.outcome, Outcome::Done, "{}", report.words);
    let body = &bench.script.bodies("PUT Users/42")[0];
    assert_eq!((&body["enableUser"], &body["somethingNew"]), (&json!(true), &json!(1)));
    // A record that could not be compared is for a person: this account comes to life.
    bench.script.on("GET Users/42", vec![seen(true, &[5])]);
    let change = |call: &mut StepCall<'_>| call.form = Some(Form::Enable(SwitchForm::Put));
    let look = bench.attempt_of(&rehire(auto()), &PlannedStep::EnableUser, change, false).await;
    assert_eq!(look.outcome, Outcome::NeedsPerson, "{}", look.words);
}

#[tokio::test]
async fn the_last_look_finds_a_group_that_was_not_approved() {
    let bench = Bench::new(auto()).await;
    let mut plan = rehire(auto());
    plan.steps.retain(|step| *step != PlannedStep::RequirePasswordChange);
    let only = |call: &mut StepCall<'_>| call.left = LeftIn::OnlyJoined;
    for (record, outcome) in [
        (seen(true, &[5]), Outcome::Done),
        (seen(false, &[5]), Outcome::Retry { after_seconds: None }),
        (seen(true, &[5, 6]), Outcome::Retry { after_seconds: None }),
        (seen(true, &[6]), Outcome::Retry { after_seconds: None }),
    ] {
        bench.script.on("GET Users/42", vec![record]);
        let report = bench.attempt_of(&plan, &PlannedStep::VerifyUser, only, true).await;
        assert_eq!(report.outcome, outcome, "{}", report.words);
    }
}
