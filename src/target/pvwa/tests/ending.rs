//! Ending access: what is noted before, disabling, memberships that go.

use super::script::{Reply, by, error, html};
use super::*;
use crate::domain::snapshot::UserSeen;
use crate::domain::step::{Outcome, SwitchForm};

const DISABLE: &str = "POST Users/42/disable/";
const OUT_OF_OPS: &str = "DELETE UserGroups/5/Members/zobrien/";
const BY_PUT: Form = Form::Disable(SwitchForm::Put);
const PASSING: Outcome = Outcome::Retry { after_seconds: None };

fn leaver(dialect: DialectSettings) -> Plan {
    let steps = vec![
        PlannedStep::FindUser,
        PlannedStep::RecordAccess,
        PlannedStep::DisableUser,
        PlannedStep::RemoveFromGroup(ops()),
        PlannedStep::VerifyUser,
    ];
    change_plan(Kind::Leaver, dialect, steps)
}

fn go() -> PlannedStep {
    PlannedStep::RemoveFromGroup(ops())
}

impl Bench {
    async fn ends(&self, step: &PlannedStep, form: Option<Form>) -> Report {
        self.attempt_of(&leaver(self.vault.dialect()), step, |call| call.form = form, true).await
    }

    async fn looks_for_end(&self, step: &PlannedStep) -> Report {
        self.attempt_of(&leaver(self.vault.dialect()), step, |_| (), false).await
    }
}

fn nobody() -> Reply {
    Reply::Raw(204, String::new(), String::new())
}

fn in_ops() -> Reply {
    ok(record("", &json!([{"groupID": 5, "groupName": "Ops-Readers"}, {"groupID": 6, "groupName": "All"}])))
}

fn in_others() -> Reply {
    ok(record("", &json!([{"groupID": 6, "groupName": "All"}])))
}

fn disabled() -> Reply {
    let mut record = record("", &json!([]));
    record["enableUser"] = json!(false);
    ok(record)
}

fn enabled() -> Reply {
    ok(record("", &json!([])))
}

#[tokio::test]
async fn a_member_is_removed_by_name_and_read_by_number() {
    let bench = Bench::new(auto()).await;
    bench.script.on("GET Users/42", vec![in_ops(), in_others()]).on(OUT_OF_OPS, vec![nobody()]);
    let report = bench.ends(&go(), None).await;
    assert_eq!(report.outcome, Outcome::Done, "{}", report.words);
    let calls: Vec<_> = report.calls.iter().map(|call| format!("{} {}", call.method, call.path)).collect();
    assert_eq!(calls, ["GET Users/42", "DELETE UserGroups/5/Members/{name}/", "GET Users/42"]);
    assert_eq!(bench.ends(&go(), None).await.outcome, Outcome::AlreadySo);
    assert_eq!(bench.looks_for_end(&go()).await.outcome, Outcome::Done);
    assert_eq!(bench.script.writes(), [OUT_OF_OPS]);
}

#[tokio::test]
async fn answers_to_a_removal_have_their_own_meanings() {
    let number = Outcome::OtherForm { form: BY_NUMBER };
    let busy = Reply::Raw(429, "Retry-After: 7\r\n".to_owned(), String::new());
    let table = [
        (Reply::Drop, in_ops(), Outcome::Unknown),
        (html(502), in_ops(), Outcome::Unknown),
        (error(500, "ITADM111E", "busy"), in_ops(), Outcome::Unknown),
        (nobody(), in_ops(), Outcome::Unknown),
        (nobody(), html(503), Outcome::Unknown),
        (busy, in_ops(), Outcome::Retry { after_seconds: Some(7) }),
        // "Not found" is believed only of a user who is not seen in the group.
        (error(404, "CAWS00003E", "no such member"), in_others(), Outcome::AlreadySo),
        (error(404, "ITATS003E", "no such user"), in_others(), Outcome::AlreadySo),
        (error(404, "PASWS199E", "no such group"), in_others(), Outcome::AlreadySo),
        (error(404, "CAWS00003E", "no such member"), html(503), PASSING),
        (error(404, "CAWS00003E", "no such member"), in_ops(), number.clone()),
        (error(404, "ITATS003E", "no such user"), in_ops(), number.clone()),
        (error(400, "", "memberId must be a number"), in_ops(), number),
        (error(404, "PASWS199E", "no such group"), in_ops(), Outcome::Refused),
        (html(404), in_ops(), Outcome::Refused),
        (error(403, "PASWS041E", "not authorised"), in_ops(), Outcome::Refused),
        (error(500, "ITATS692E", "external"), in_ops(), Outcome::Refused),
    ];
    for (reply, after, outcome) in table {
        let bench = Bench::new(auto()).await;
        bench.script.on("GET Users/42", vec![in_ops(), after]).on(OUT_OF_OPS, vec![reply]);
        let report = bench.ends(&go(), None).await;
        assert_eq!(report.outcome, outcome, "{}", report.words);
        assert_eq!(bench.script.writes(), [OUT_OF_OPS]);
    }
}

#[tokio::test]
async fn the_number_names_a_member_only_if_it_can_mean_nobody_else() {
    let listing = |name: &str| ok(json!({"Users": [{"id": 7, "username": name}]}));
    let members = |members: Value| ok(groups(&members));
    let table = [
        (listing("42"), members(json!([{"id": 42}])), "user number 7 has the name 42"),
        (
            listing("x42"),
            members(json!([{"id": 42}, {"id": 7, "username": "42"}])),
            "user number 7 is in the group",
        ),
        // Whatever the group is called now, or if it is called nothing.
        (
            listing("x42"),
            ok(json!({"value": [{"id": 5, "members": [{"id": 42}, {"id": 7, "username": "42"}]}]})),
            "user number 7 is in the group",
        ),
        (listing("x42"), members(json!([{"id": 42}])), ""),
    ];
    for (users, members, words) in table {
        let bench = Bench::new(auto()).await;
        bench.script.on("GET Users/42", vec![in_ops(), in_others()]).on("GET Users", vec![users]);
        bench.script.on("GET UserGroups", vec![members]);
        bench.script.on("DELETE UserGroups/5/Members/42/", vec![nobody()]);
        let report = bench.ends(&go(), Some(BY_NUMBER)).await;
        if words.is_empty() {
            assert_eq!(report.outcome, Outcome::Done, "{}", report.words);
            continue;
        }
        assert_eq!(report.outcome, Outcome::NeedsPerson);
        assert!(report.words.contains(words), "{}", report.words);
        assert_eq!(bench.script.writes(), [""; 0]);
    }
}

#[tokio::test]
async fn a_name_that_no_address_takes_and_a_directory_group_are_for_a_person() {
    let cases = [
        ("zoe+ops", GroupKind::Vault, "a sign that the vault takes in no address"),
        ("4711", GroupKind::Vault, "digits alone"),
        ("zobrien", GroupKind::Directory, "comes from a directory"),
    ];
    for (name, kind, words) in cases {
        let bench = Bench::new(auto()).await;
        let mut plan = leaver(auto());
        plan.user_name = UserName::parse(name).unwrap();
        let mut seen = record("", &json!([{"groupID": 5, "groupName": "Ops-Readers"}]));
        seen["username"] = json!(name);
        bench.script.on("GET Users/42", vec![ok(seen)]);
        let step = PlannedStep::RemoveFromGroup(PlannedGroup { kind: Some(kind), ..ops() });
        let report = bench.attempt_of(&plan, &step, |_| (), true).await;
        assert_eq!(report.outcome, Outcome::NeedsPerson);
        assert!(report.words.contains(words), "{}", report.words);
        assert_eq!(bench.script.writes(), [""; 0]);
    }
}

#[tokio::test]
async fn the_kind_that_the_record_leaves_out_is_read_from_the_list_of_groups() {
    let list = json!({"value": [
        {"id": 5, "groupName": "Ops-Readers", "groupType": "Vault"},
        {"id": 6, "groupName": "All", "directory": "corp.example"},
        {"id": 7, "groupName": "New", "groupType": "Cloud"},
    ]});
    let held = json!([
        {"groupID": 5, "groupName": "Ops-Readers"}, {"groupID": 6, "groupName": "All", "groupType": ""},
        {"groupID": 7, "groupName": "New"}, {"groupID": 8, "groupName": "Hidden"},
    ]);
    let kinds = async |list: Reply| {
        let bench = Bench::new(auto()).await;
        bench.script.on("GET Users", vec![ok(listed())]).on("GET Users/42", vec![ok(record("", &held))]);
        bench.script.on("GET UserGroups", vec![list]).on("GET UserTypes", vec![error(404, "X", "unknown")]);
        let name = UserName::parse("zobrien").unwrap();
        let snapshot = bench.vault.snapshot(subject(&name), Besides::Nothing).await.unwrap();
        let UserSeen::Present(user) = snapshot.user else { panic!() };
        user.groups.unwrap().iter().map(|member| member.kind).collect::<Vec<_>>()
    };
    let (own, foreign) = (Some(GroupKind::Vault), Some(GroupKind::Directory));
    assert_eq!(kinds(ok(list)).await, [own, foreign, None, None]);
    assert_eq!(kinds(error(403, "PASWS041E", "not allowed")).await, [None; 4]);
}

#[tokio::test]
async fn a_group_whose_kind_nobody_tells_is_tried_and_the_refusal_says_what_it_may_mean() {
    let bench = Bench::new(auto()).await;
    let no = error(400, "CAWS00001E", "Can not add a member to directory group [5]");
    bench.script.on("GET Users/42", vec![in_ops()]).on(OUT_OF_OPS, vec![no]);
    let step = PlannedStep::RemoveFromGroup(PlannedGroup { kind: None, ..ops() });
    let report = bench.ends(&step, None).await;
    assert_eq!(report.outcome, Outcome::NeedsPerson, "{}", report.words);
    assert_eq!(bench.script.writes(), [OUT_OF_OPS]);
    assert!(report.words.contains("directory group [5]"), "{}", report.words);
    assert!(report.words.contains("its own or a directory's"), "{}", report.words);
    // That it has ended is read from the members of all groups, one of which has a kind that nobody knows.
    let (list, nothing) = (json!([{"id": 5, "groupName": "Ops-Readers", "groupType": "Cloud"}]), json!([]));
    let bench = Bench::new(auto()).await;
    bench.script.on("GET Users/42", vec![in_ops(), ok(record("", &nothing))]).on(OUT_OF_OPS, vec![nobody()]);
    bench.script.on("GET UserGroups", vec![ok(json!({ "value": list }))]);
    assert_eq!(bench.ends(&step, None).await.outcome, Outcome::Done);
}

#[tokio::test]
async fn a_membership_that_only_a_group_tells_ends_too_whatever_the_group_is_called_now() {
    let bench = Bench::new(auto()).await;
    let mut silent = record("", &json!([]));
    silent.as_object_mut().unwrap().remove("groupsMembership");
    bench.script.on("GET Users/42", vec![ok(silent)]).on(OUT_OF_OPS, vec![nobody()]);
    let renamed =
        |members: Value| json!({"value": [{"id": 5, "groupName": "Operations", "members": members}]});
    let nothing = json!({"value": []});
    let before = by({
        let renamed = renamed(json!([{"id": 42}]));
        move |seen| ok(if seen.query.contains("search") { nothing.clone() } else { renamed.clone() })
    });
    bench.script.on("GET UserGroups", vec![before.clone(), before, ok(renamed(json!([{"id": 7}])))]);
    assert_eq!(bench.ends(&go(), None).await.outcome, Outcome::Done);
    assert_eq!(bench.looks_for_end(&go()).await.outcome, Outcome::Done);
}

#[tokio::test]
async fn answers_to_the_disable_call_have_their_own_meanings() {
    let by_put = Outcome::OtherForm { form: BY_PUT };
    let gone = || error(404, "ITATS003E", "no such user");
    let table = [
        (nobody(), disabled(), Outcome::Done),
        (Reply::Raw(200, String::new(), String::new()), enabled(), Outcome::Unknown),
        (ok(json!({})), html(503), Outcome::Unknown),
        (Reply::Drop, enabled(), Outcome::Unknown),
        (html(502), enabled(), Outcome::Unknown),
        (error(500, "SRAPIE0006", "busy"), enabled(), Outcome::Unknown),
        (html(404), enabled(), by_put.clone()),
        (Reply::Json(405, json!({"Message": "no"})), enabled(), by_put.clone()),
        (gone(), enabled(), by_put),
        // The user has gone, not the call.
        (gone(), gone(), PASSING),
        (error(500, "ITATS692E", "external"), enabled(), Outcome::Refused),
        (error(403, "PASWS041E", "not authorised"), enabled(), Outcome::Refused),
    ];
    for (reply, after, outcome) in table {
        let bench = Bench::new(auto()).await;
        bench.script.on("GET Users/42", vec![enabled(), after]).on(DISABLE, vec![reply]);
        let report = bench.ends(&PlannedStep::DisableUser, None).await;
        assert_eq!(report.outcome, outcome, "{}", report.words);
        assert_eq!(bench.script.writes(), [DISABLE]);
        let sent = bench.script.seen().into_iter().find(|seen| seen.line == DISABLE).unwrap();
        assert!(sent.body.is_empty() && sent.head.to_ascii_lowercase().contains("content-length: 0"));
    }
}

#[tokio::test]
async fn a_pinned_call_is_not_replaced_and_a_pinned_record_asks_for_no_call() {
    let bench = Bench::new(DialectSettings { disable_with: DisableWith::Call, ..auto() }).await;
    bench.script.on("GET Users/42", vec![enabled()]).on(DISABLE, vec![html(405)]);
    assert_eq!(bench.ends(&PlannedStep::DisableUser, None).await.outcome, Outcome::Refused);
    let bench = Bench::new(DialectSettings { disable_with: DisableWith::Put, ..auto() }).await;
    bench.script.on("GET Users/42", vec![enabled(), disabled()]).on("PUT Users/42", vec![ok(json!({}))]);
    assert_eq!(bench.ends(&PlannedStep::DisableUser, None).await.outcome, Outcome::Done);
    assert_eq!(bench.script.writes(), ["PUT Users/42"]);
}

#[tokio::test]
async fn disabling_by_the_record_writes_all_of_it_and_compares_all_of_it() {
    let mut clobbered = record("", &json!([]));
    clobbered["enableUser"] = json!(false);
    clobbered["personalDetails"] = json!({});
    let table = [
        (ok(json!({})), disabled(), Outcome::Done, ""),
        (ok(json!({})), enabled(), Outcome::Unknown, ""),
        (ok(json!({})), ok(clobbered), Outcome::NeedsPerson, "personalDetails.firstName"),
        (Reply::Drop, enabled(), Outcome::Unknown, ""),
        (error(500, "ITATS692E", "external"), enabled(), Outcome::Refused, "external"),
    ];
    for (reply, after, outcome, words) in table {
        let bench = Bench::new(auto()).await;
        bench.script.on("GET Users/42", vec![enabled(), after]).on("PUT Users/42", vec![reply]);
        let report = bench.ends(&PlannedStep::DisableUser, Some(BY_PUT)).await;
        assert_eq!(report.outcome, outcome, "{}", report.words);
        assert!(report.words.contains(words), "{}", report.words);
        let body = &bench.script.bodies("PUT Users/42")[0];
        assert_eq!((&body["enableUser"], &body["somethingNew"]), (&json!(false), &json!(1)));
        assert_eq!(bench.script.writes(), ["PUT Users/42"]);
    }
}

#[tokio::test]
async fn a_record_that_was_not_compared_keeps_no_leaver_but_a_changed_one_is_for_a_person() {
    let bench = Bench::new(auto()).await;
    bench.script.on("GET Users/42", vec![enabled()]).on("PUT Users/42", vec![Reply::Drop]);
    let unknown = bench.ends(&PlannedStep::DisableUser, Some(BY_PUT)).await;
    assert_eq!(unknown.outcome, Outcome::Unknown);
    let mut clobbered = record("", &json!([]));
    clobbered["enableUser"] = json!(false);
    clobbered["location"] = json!("\\Elsewhere");
    for (seen, form, told, outcome, words) in [
        (disabled(), Some(BY_PUT), true, Outcome::Done, "nothing else has changed"),
        (ok(clobbered.clone()), Some(BY_PUT), true, Outcome::NeedsPerson, "fields: location"),
        (ok(clobbered), Some(BY_PUT), false, Outcome::Done, "was not compared"),
        // The vault's own call writes no record.
        (disabled(), None, false, Outcome::Done, "user number 42 is disabled"),
    ] {
        bench.script.on("GET Users/42", vec![seen]);
        let remember = |call: &mut StepCall<'_>| {
            call.form = form;
            call.before = unknown.before.clone().filter(|_| told);
        };
        let report = bench.attempt_of(&leaver(auto()), &PlannedStep::DisableUser, remember, false).await;
        assert_eq!(report.outcome, outcome, "{}", report.words);
        assert!(report.words.contains(words), "{}", report.words);
    }
}

#[tokio::test]
async fn whether_it_is_disabled_is_read_and_a_directorys_account_is_refused() {
    let step = PlannedStep::DisableUser;
    let bench = Bench::new(auto()).await;
    bench.script.on("GET Users/42", vec![disabled()]);
    assert_eq!(bench.ends(&step, None).await.outcome, Outcome::AlreadySo);
    assert_eq!(bench.looks_for_end(&step).await.outcome, Outcome::Done);
    bench.script.on("GET Users/42", vec![enabled()]);
    assert_eq!(bench.looks_for_end(&step).await.outcome, Outcome::NotThere);
    let mut silent = record("", &json!([]));
    silent.as_object_mut().unwrap().remove("enableUser");
    bench.script.on("GET Users/42", vec![ok(silent)]);
    assert_eq!(bench.ends(&step, None).await.outcome, Outcome::NeedsPerson);
    let mut plan = leaver(auto());
    plan.account.as_mut().unwrap().source = UserSource::Directory;
    let mut directory = record("", &json!([]));
    directory["source"] = json!("LDAP");
    bench.script.on("GET Users/42", vec![ok(directory)]);
    for acts in [true, false] {
        let report = bench.attempt_of(&plan, &step, |_| (), acts).await;
        assert_eq!(report.outcome, Outcome::NeedsPerson);
        assert!(report.words.contains("comes from a directory"), "{}", report.words);
    }
    assert_eq!(bench.script.writes(), [""; 0]);
    let calls = bench.script.lines().len();
    let report = bench.attempt_of(&plan, &PlannedStep::DisableInDirectory, |_| (), true).await;
    assert_eq!((report.outcome, bench.script.lines().len()), (Outcome::NeedsPerson, calls));
}

#[tokio::test]
async fn what_the_account_can_reach_is_noted_and_what_is_not_told_is_said() {
    let safes = json!({"Safes": [{"safeName": "Own"}, {"SafeUrlId": "T%2D1", "permissions": {"useAccounts": true, "manageSafe": false}}]});
    let bench = Bench::new(auto()).await;
    bench.script.on("GET Users/42", vec![in_ops()]).on("GET Users/42/safes", vec![ok(safes)]);
    let report = bench.ends(&PlannedStep::RecordAccess, None).await;
    let access = report.access.unwrap();
    assert_eq!((report.outcome, access.groups.unwrap().len()), (Outcome::Done, 2), "{}", report.words);
    let safes = access.safes.unwrap();
    assert_eq!((safes[0].name.as_str(), safes[1].name.as_str()), ("Own", "T%2D1"));
    assert_eq!(
        (&safes[0].permissions, &safes[1].permissions),
        (&None, &Some(vec!["useAccounts".to_owned()]))
    );
    assert_eq!(access.authorizations, Some(vec![]));
    assert!(report.words.contains("had 2 groups, 2 safes and no vault authorisation"), "{}", report.words);
    let unlisted = "an unknown number of safes";
    for (reply, again, outcome, words) in [
        (
            error(403, "PASWS041E", "not authorised"),
            Again::Yes,
            Outcome::Done,
            "listed: the vault answered 403 PASWS041E",
        ),
        (html(404), Again::Yes, Outcome::Done, unlisted),
        // A refusal may come as any status, and a list in any shape: none of it keeps the account enabled.
        (
            error(500, "ITATS001E", "broken"),
            Again::Yes,
            Outcome::Done,
            "listed: the vault answered 500 ITATS001E: broken",
        ),
        (error(409, "X", "busy"), Again::Yes, Outcome::Done, unlisted),
        (ok(json!({"Safes": [{"number": 1}]})), Again::Yes, Outcome::Done, "a safe without a name"),
        (
            ok(json!({"UserSafes": [{"safeName": "Own"}]})),
            Again::Yes,
            Outcome::Done,
            "a shape we do not know",
        ),
        // What may pass is tried again, as often as anything is.
        (html(503), Again::Yes, PASSING, ""),
        (html(503), Again::No, Outcome::Done, "listed: the vault answered 503"),
        (Reply::Drop, Again::No, Outcome::Done, unlisted),
    ] {
        bench.script.on("GET Users/42/safes", vec![reply]);
        let plan = leaver(auto());
        let report =
            bench.attempt_of(&plan, &PlannedStep::RecordAccess, |call| call.again = again, true).await;
        assert_eq!(report.outcome, outcome, "{}", report.words);
        assert!(report.words.contains(words), "{}", report.words);
        assert_eq!(report.access.and_then(|access| access.safes), None);
    }
    let many: Vec<_> = (0..250).map(|number| json!({"safeName": format!("S{number}")})).collect();
    for pages in [true, false] {
        let many = many.clone();
        let list = by(move |seen| {
            let from = if pages { super::reading::offset(&seen.query) } else { 0 };
            let to = if pages { (from + 100).min(250) } else { 250 };
            ok(json!({"Safes": many[from..to]}))
        });
        bench.script.on("GET Users/42/safes", vec![list]);
        let report = bench.ends(&PlannedStep::RecordAccess, None).await;
        assert_eq!(report.access.unwrap().safes.unwrap().len(), 250, "{pages}");
    }
    assert_eq!(bench.script.writes(), [""; 0]);
}

#[tokio::test]
async fn groups_that_cannot_be_listed_are_noted_as_not_told_and_the_account_itself_must_be_seen() {
    let silent = || ok(record("", &json!([])));
    let told = || ok(json!({"value": []}));
    for (account, groups, again, outcome) in [
        (silent(), error(500, "ITATS001E", "broken"), Again::Yes, Outcome::Done),
        (silent(), error(403, "PASWS041E", "not authorised"), Again::Yes, Outcome::Done),
        (silent(), ok(json!({"groups": []})), Again::Yes, Outcome::Done),
        (silent(), html(503), Again::Yes, PASSING),
        (silent(), html(503), Again::No, Outcome::Done),
        (error(500, "ITATS001E", "broken"), told(), Again::No, Outcome::Refused),
        (html(503), told(), Again::No, PASSING),
        // Who may not sign in can disable nobody either.
        (silent(), error(401, "PASWS006E", "expired"), Again::No, Outcome::Refused),
    ] {
        let bench = Bench::new(auto()).await;
        bench.script.on("GET Users/42", vec![account]).on("GET UserGroups", vec![groups]);
        bench.script.on("GET Users/42/safes", vec![ok(json!({"Safes": []}))]);
        let plan = leaver(auto());
        let report =
            bench.attempt_of(&plan, &PlannedStep::RecordAccess, |call| call.again = again, true).await;
        assert_eq!(report.outcome, outcome, "{}", report.words);
        if outcome == Outcome::Done {
            let access = report.access.unwrap();
            assert_eq!((access.groups, access.safes), (None, Some(vec![])), "{}", report.words);
            assert!(report.words.contains("had an unknown number of groups"), "{}", report.words);
        }
    }
}

fn verified(enabled: bool, memberships: &Value) -> Value {
    let mut record = record("", memberships);
    record["enableUser"] = json!(enabled);
    record
}

impl Bench {
    /// The last look at this record, in a vault whose one other group has these members.
    async fn verifies(plan: &Plan, left: LeftIn, record: Value, members: &Value) -> Report {
        let bench = Self::new(auto()).await;
        bench.script.on("GET Users/42", vec![ok(record)]).on("GET UserGroups", vec![ok(groups(members))]);
        bench.attempt_of(plan, &PlannedStep::VerifyUser, |call| call.left = left, true).await
    }
}

fn groupless() -> Plan {
    let mut plan = leaver(auto());
    plan.steps.remove(3);
    plan
}

const OTHERS_STAY: LeftIn = LeftIn::OthersThanPlanned;
const NONE_STAYS: LeftIn = LeftIn::NoneOfTheVault;

#[tokio::test]
async fn a_leaver_is_verified_only_when_disabled_and_out_of_every_group() {
    let (plan, groupless) = (leaver(auto()), groupless());
    let directory = json!({"groupID": 7, "groupName": "AD", "groupType": "Directory"});
    let others = json!([{"groupID": 6, "groupName": "All"}]);
    let still = json!([{"groupID": 5, "groupName": "Ops-Readers"}]);
    let unnumbered = json!([{"groupName": "Odd"}, directory]);
    let done = "it is disabled, it is out of 1 group as approved";
    let beyond = "out of the group All, which the plan does not name";
    for (plan, left, record, outcome, words) in [
        (&plan, NONE_STAYS, verified(false, &json!([directory])), Outcome::Done, done),
        (&plan, NONE_STAYS, verified(true, &json!([])), PASSING, "not yet as approved: disabled"),
        (&plan, NONE_STAYS, verified(false, &json!([])), Outcome::Done, done),
        (
            &plan,
            NONE_STAYS,
            verified(false, &still),
            PASSING,
            "not yet as approved: out of the group Ops-Readers",
        ),
        // What came after the plan was made may stay no more than what it names, unless the request leaves the groups.
        (&plan, NONE_STAYS, verified(false, &others), PASSING, beyond),
        (&groupless, NONE_STAYS, verified(false, &others), PASSING, beyond),
        (&groupless, OTHERS_STAY, verified(false, &others), Outcome::Done, "it is disabled"),
        (&plan, NONE_STAYS, verified(false, &unnumbered), PASSING, "that the vault shows without its number"),
    ] {
        let members = if words.ends_with("number") { json!([]) } else { json!([{"id": 7}]) };
        let report = Bench::verifies(plan, left, record, &members).await;
        assert_eq!(report.outcome, outcome, "{}", report.words);
        assert!(report.words.ends_with(words), "{}", report.words);
    }
}

#[tokio::test]
async fn groups_that_nobody_tells_are_not_none_at_the_last_look_either() {
    let (plan, groupless, mut by_hand) = (leaver(auto()), groupless(), leaver(auto()));
    by_hand.steps[3] = PlannedStep::LeaveGroupsByHand;
    let (told, untold) = (json!([{"id": 7}]), json!([]));
    for (plan, members, outcome, words) in [
        (&groupless, &told, Outcome::Done, "it is disabled"),
        (&groupless, &untold, PASSING, "out of all groups, as far as the vault tells"),
        (&by_hand, &untold, Outcome::Done, "a person's word, it is disabled"),
        // It has told the membership that was planned, and nobody has ended it.
        (
            &plan,
            &untold,
            PASSING,
            "out of all groups, as far as the vault tells, out of the group Ops-Readers, as far as the vault tells",
        ),
    ] {
        let report = Bench::verifies(plan, NONE_STAYS, verified(false, &json!([])), members).await;
        assert_eq!(report.outcome, outcome, "{}", report.words);
        assert!(report.words.ends_with(words), "{}", report.words);
    }
}

#[tokio::test]
async fn what_a_write_has_ended_counts_where_nobody_tells_any_more() {
    let bench = Bench::new(auto()).await;
    bench.script.on("GET Users/42", vec![ok(verified(false, &json!([])))]);
    bench.script.on("GET UserGroups", vec![ok(groups(&json!([])))]);
    let ended = |call: &mut StepCall<'_>| (call.left, call.removed) = (NONE_STAYS, &[VaultGroupId(5)]);
    let report = bench.attempt_of(&leaver(auto()), &PlannedStep::VerifyUser, ended, true).await;
    assert_eq!(report.outcome, Outcome::Done, "{}", report.words);
    let words = "it is out of 1 group as the vault has answered; it tells no memberships now";
    assert!(report.words.ends_with(words), "{}", report.words);
}

/// The vault told the memberships when the plan was made, and tells none now.
#[tokio::test]
async fn a_membership_that_nobody_tells_is_ended_by_a_write_or_by_a_person() {
    for (reply, outcome, words) in [
        (nobody(), Outcome::Done, "and tells no memberships now"),
        (
            error(404, "CAWS00003E", "no such member"),
            Outcome::NeedsPerson,
            "a person must see whether the user is",
        ),
        (
            error(403, "PASWS041E", "not authorised"),
            Outcome::NeedsPerson,
            "a person must see whether the user is",
        ),
        (Reply::Drop, Outcome::Unknown, "no whole answer"),
    ] {
        let bench = Bench::new(auto()).await;
        bench.script.on("GET Users/42", vec![enabled()]).on(OUT_OF_OPS, vec![reply]);
        bench.script.on("GET UserGroups", vec![ok(groups(&json!([])))]);
        let report = bench.ends(&go(), None).await;
        assert_eq!(report.outcome, outcome, "{}", report.words);
        assert!(report.words.contains(words), "{}", report.words);
        assert_eq!(bench.script.writes(), [OUT_OF_OPS]);
        assert_eq!(bench.looks_for_end(&go()).await.outcome, Outcome::NotThere);
    }
}
