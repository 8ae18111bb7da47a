//! Somebody comes back: nothing of the old access is restored, the password is one that nobody has known, and the account
//! is enabled when everything else is done.

use chrono::TimeDelta;
use countersign::simulator::faults::{Effect, Fault, Meanwhile, Moment};
use countersign::simulator::tenant::{MembershipList, ResetOfDisabled};
use countersign::store::operator::Exit;
use serde_json::json;

use crate::stage::{Choices, Database, Dialect, FOREIGN, Product, Stage, differences, return_to_operations};

told_of_both_products! {
    who_comes_back_gets_the_new_work_and_nothing_of_the_old
    a_leaver_comes_back_without_a_name
    nobody_is_enabled_where_a_step_before_is_refused
    a_lost_answer_sets_the_same_password_once_more
    a_password_that_was_refused_is_replaced_by_another
    a_group_given_meanwhile_is_not_brought_to_life
    a_vault_that_sets_no_password_of_a_disabled_user_is_told_so
    who_is_enabled_already_is_told_and_loses_the_old_password
    somebody_of_a_directory_waits_for_a_person
    what_cannot_be_told_or_touched_is_not_enabled
    one_begins_once_and_the_record_is_not_asked_to_change
}

const MAX: &str = "max@example.com";

async fn who_comes_back_gets_the_new_work_and_nothing_of_the_old(stage: Stage) {
    let id = stage.somebody_who_left();
    let before = stage.zobrien();
    let workflow = stage.comes_back("BACK-1").await;
    assert_eq!(stage.state(&workflow).await, "pending_approval", "{}", stage.reason(&workflow).await);
    let page = stage.get(&stage.link("ana@example.com")).await.body;
    for told in [
        "Access once more for Zoë M O&#39;Brien",
        "This link is new",
        "Take zobrien out of the group “Platform-Leads”",
        "Take zobrien out of the group “Given-By-Hand”",
        "Add zobrien to the group “Linux Admins”",
        "A new password is generated and kept sealed",
        "It is meant for the manager, max@example.com.",
        "enables it at the end",
        "Its record stays as it is",
        "department “IT Ops” (the vault has “Platform”)",
    ] {
        assert!(page.contains(told), "{told} in {page}");
    }
    stage.both_approve().await;
    assert_eq!(stage.rest(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    let writes =
        ["remove_member", "remove_member", "reset_password", "update_user", "add_member", "enable_user"];
    assert_eq!(stage.writes(), writes, "enabled last");
    assert_eq!(
        differences(&before, &stage.zobrien()),
        ["/changePassOnNextLogon", "/enableUser", "/groupsMembership"]
    );
    let mut groups = stage.her_groups();
    groups.sort();
    assert_eq!(groups, ["Linux Admins", "Ops-Readers"]);
    assert_eq!(stage.outcomes(&workflow, "add_to_group").await, ["already_so", "done"]);
    let trail = stage.trail(&workflow).await;
    let noted = trail.iter().find(|event| event["facts"]["groups"] == 3).expect("what she had is noted");
    assert!(noted["personal"]["access"].as_str().unwrap().contains(FOREIGN));
    let made: Vec<_> = trail.iter().filter(|event| event["kind"] == "credential.sealed").collect();
    assert_eq!(made.len(), 1);
    stage.check(&workflow).await;
    // The password waits for the manager, who fetches it as that of a new account is fetched.
    let password = stage.sealed_password(&workflow).await.unwrap();
    assert!(stage.simulator.vault.password_is(id, &password));
    let (link, max) = (stage.link(MAX), stage.visitor());
    assert!(link.contains("/credentials/"), "{link}");
    max.sign_in(&link, MAX).await;
    assert!(max.post(&link, &[]).await.body.contains("<p class=\"password\""));
    stage.later(TimeDelta::minutes(6)).await;
    assert_eq!(stage.sealed_password(&workflow).await, None, "erased");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_guides_dialects_enable_with_the_whole_record_and_lose_nothing() {
    for (product, dialect) in [
        (Product::PrivilegeCloud, Dialect::GuideAuto),
        (Product::PrivilegeCloud, Dialect::GuidePinned),
        (Product::SelfHosted, Dialect::GuideAuto),
        (Product::SelfHosted, Dialect::GuidePinned),
    ] {
        let stage = Stage::with(Database::sqlite(), Choices { product, dialect, ..Choices::default() }).await;
        stage.somebody_who_left();
        let before = stage.zobrien();
        let workflow = stage.comes_back("BACK-1").await;
        stage.both_approve().await;
        assert_eq!(stage.rest(&workflow).await, "succeeded", "{dialect:?} {}", stage.reason(&workflow).await);
        let writes =
            ["remove_member", "remove_member", "reset_password", "update_user", "add_member", "update_user"];
        assert_eq!(stage.writes(), writes, "{dialect:?}");
        assert_eq!(
            differences(&before, &stage.zobrien()),
            ["/changePassOnNextLogon", "/enableUser", "/groupsMembership"],
            "{dialect:?}"
        );
        stage.check(&workflow).await;
    }
}

async fn a_leaver_comes_back_without_a_name(stage: Stage) {
    let hired = stage.hire_and_approve().await;
    assert_eq!(stage.state(&hired).await, "succeeded");
    let old = stage.sealed_password(&hired).await.unwrap();
    let left = stage.leaves("LEAVE-1", json!({ "subject": {} })).await;
    stage.both_approve().await;
    assert_eq!(stage.rest(&left).await, "succeeded", "{}", stage.reason(&left).await);
    stage.later(TimeDelta::days(1)).await;
    let mut parts = return_to_operations();
    parts["subject"] = json!({});
    parts["effective"] = json!({ "at": "2026-12-02", "tz": "Europe/Berlin" });
    let answer = stage.told("rehire", "BACK-1", parts).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    stage.settle().await;
    let page = stage.get(&stage.link("bo@example.com")).await.body;
    assert!(page.contains("linked to this person already"), "{page}");
    stage.both_approve().await;
    let workflow = answer.workflow();
    assert_eq!(stage.rest(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    let mut groups = stage.her_groups();
    groups.sort();
    assert_eq!(groups, ["Linux Admins", "Ops-Readers"]);
    let user = stage.zobrien();
    assert_eq!(user["enableUser"], true);
    assert!(!stage.simulator.vault.password_is(user["id"].as_i64().unwrap(), &old), "the old one is over");
    assert_eq!(stage.writes().last().unwrap(), "enable_user");
}

/// Each write before the last one is refused for good; then a person mends the vault and sends it on.
async fn nobody_is_enabled_where_a_step_before_is_refused(stage: Stage) {
    let refused = |method: &str, path: &str| {
        let body = json!({ "ErrorCode": "PASWS041E", "ErrorMessage": "not now" });
        let effect =
            Effect::Status { status: 403, body: Some(body), retry_after: None, moment: Moment::Before };
        Fault::on(method, path, 1, effect)
    };
    let mut stage = stage;
    for (method, path, step) in [
        ("DELETE", "/Members/", "remove_from_group"),
        ("POST", "/ResetPassword", "reset_password"),
        ("PUT", "/Users/", "require_password_change"),
        ("POST", "/Members", "add_to_group"),
        ("POST", "/enable", "enable_user"),
    ] {
        stage.somebody_who_left();
        let workflow = stage.comes_back("BACK-1").await;
        stage.both_approve().await;
        stage.simulator.vault.add_fault(refused(method, path));
        assert_eq!(stage.rest(&workflow).await, "needs_attention", "{step}");
        assert_eq!(stage.outcomes(&workflow, step).await.last().unwrap(), "refused", "{step}");
        assert_eq!(stage.zobrien()["enableUser"], false, "{step}");
        assert!(stage.outcomes(&workflow, "enable_user").await.len() <= usize::from(step == "enable_user"));
        stage.check(&workflow).await;
        assert_eq!(stage.retry(&workflow).await, "succeeded", "{step} {}", stage.reason(&workflow).await);
        stage.check(&workflow).await;
        stage = stage.another().await;
    }
}

async fn a_lost_answer_sets_the_same_password_once_more(stage: Stage) {
    let mut stage = stage;
    // A vault remembers what it was given, or nothing; the call was carried out, or never came.
    for (remembered, effect, sets) in
        [(5, Effect::DropAfter, 1), (0, Effect::DropAfter, 2), (5, Effect::DropBefore, 1)]
    {
        let id = stage.somebody_who_left();
        stage.simulator.vault.configure(|options| options.remembered_passwords = remembered);
        let workflow = stage.comes_back("BACK-1").await;
        stage.both_approve().await;
        stage.simulator.vault.add_fault(Fault::on("POST", "/ResetPassword", 1, effect));
        assert_eq!(stage.rest(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
        assert_eq!(stage.outcomes(&workflow, "reset_password").await, ["unknown", "not_there", "done"]);
        let set = stage.writes().into_iter().filter(|what| what == "reset_password").count();
        assert_eq!(set, sets);
        let password = stage.sealed_password(&workflow).await.unwrap();
        assert!(stage.simulator.vault.password_is(id, &password));
        assert_eq!(stage.count("select count(*) from secrets").await, 1, "one value for every attempt");
        stage.check_proof(&[workflow]).await;
        stage = stage.another().await;
    }
}

async fn a_password_that_was_refused_is_replaced_by_another(stage: Stage) {
    stage.somebody_who_left();
    let workflow = stage.comes_back("BACK-1").await;
    stage.both_approve().await;
    stage.simulator.vault.configure(|options| options.password_policy.min_length = 30);
    assert_eq!(stage.rest(&workflow).await, "needs_attention");
    let reason = stage.reason(&workflow).await;
    assert!(reason.contains("password policy") && reason.contains("resets_disabled_users"), "{reason}");
    assert_eq!(stage.sealed_password(&workflow).await, None, "nobody's password is kept for nobody");
    stage.simulator.vault.configure(|options| options.password_policy.min_length = 8);
    assert_eq!(stage.retry(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    assert_eq!(stage.count("select count(*) from secrets").await, 2);
    stage.check(&workflow).await;
}

async fn a_group_given_meanwhile_is_not_brought_to_life(stage: Stage) {
    let id = stage.somebody_who_left();
    let mut parts = return_to_operations();
    parts["effective"] = json!({ "at": "2026-12-05", "tz": "Europe/Berlin" });
    let answer = stage.told("rehire", "BACK-1", parts).await;
    let workflow = answer.workflow();
    stage.settle().await;
    stage.both_approve().await;
    let late = stage.simulator.vault.add_group("Given while waiting").unwrap();
    stage.simulator.vault.put_member(late, id).unwrap();
    assert_eq!(stage.rest(&workflow).await, "pending_approval", "the plan is made anew");
    let page = stage.get(&stage.link("ana@example.com")).await.body;
    assert!(page.contains("Take zobrien out of the group “Given while waiting”"), "{page}");
    stage.both_approve().await;
    // Half-way, just before the account is enabled.
    let name = "zobrien".to_owned();
    let meanwhile = Meanwhile::PutMember { group_id: stage.group_id(FOREIGN), name };
    stage.simulator.vault.add_fault(Fault::on("POST", "/Members", 1, Effect::Meanwhile(meanwhile)));
    assert_eq!(stage.rest(&workflow).await, "needs_attention");
    let reason = stage.reason(&workflow).await;
    assert!(reason.contains("a group that was not approved") && reason.contains(FOREIGN), "{reason}");
    assert_eq!(stage.zobrien()["enableUser"], false);
    // What is still not right is not sent on.
    assert_eq!(stage.retry(&workflow).await, "needs_attention");
    assert_eq!(stage.zobrien()["enableUser"], false);
    stage.simulator.vault.take_member(stage.group_id(FOREIGN), id).unwrap();
    assert_eq!(stage.retry(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    stage.check(&workflow).await;
}

async fn a_vault_that_sets_no_password_of_a_disabled_user_is_told_so(stage: Stage) {
    stage.somebody_who_left();
    let refuse = |stage: &Stage| {
        stage.simulator.vault.configure(|options| options.reset_of_disabled = ResetOfDisabled::Refused);
    };
    refuse(&stage);
    let workflow = stage.comes_back("BACK-1").await;
    stage.both_approve().await;
    assert_eq!(stage.rest(&workflow).await, "needs_attention");
    let reason = stage.reason(&workflow).await;
    assert!(reason.contains("resets_disabled_users = false"), "{reason}");
    assert_eq!(stage.zobrien()["enableUser"], false);
    // The settings say so: she is enabled without any group, and gets the password at once.
    let kept = "keeps_description = true".to_owned();
    let choices = Choices {
        edits: vec![(kept.clone(), format!("{kept}\nresets_disabled_users = false"))],
        ..stage.choices.clone()
    };
    let stage = Stage::with(stage.database.another(), choices).await;
    stage.somebody_who_left();
    refuse(&stage);
    let workflow = stage.comes_back("BACK-1").await;
    let page = stage.get(&stage.link("ana@example.com")).await.body;
    assert!(page.contains("enables it, gives it a new password at once"), "{page}");
    stage.both_approve().await;
    assert_eq!(stage.rest(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    let writes = [
        "remove_member",
        "remove_member",
        "remove_member",
        "enable_user",
        "reset_password",
        "update_user",
        "add_member",
        "add_member",
    ];
    assert_eq!(stage.writes(), writes);
    stage.check(&workflow).await;
}

async fn who_is_enabled_already_is_told_and_loses_the_old_password(stage: Stage) {
    let mut stage = stage;
    // Whether it is enabled when the run begins voids nothing: the plan ends the same.
    for (enabled, outcome) in [(true, "already_so"), (false, "done")] {
        let id = stage.somebody();
        let workflow = stage.comes_back("BACK-1").await;
        let page = stage.get(&stage.link("ana@example.com")).await.body;
        assert!(page.contains("The user is enabled already, which is unusual"), "{page}");
        stage.both_approve().await;
        stage.simulator.vault.patch_user(id, &json!({ "enableUser": enabled })).unwrap();
        assert_eq!(stage.rest(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
        assert_eq!(stage.outcomes(&workflow, "enable_user").await, [outcome]);
        stage.check(&workflow).await;
        stage = stage.another().await;
    }
}

async fn somebody_of_a_directory_waits_for_a_person(stage: Stage) {
    let id = stage.somebody_who_left();
    let directory = json!({ "source": "LDAP", "userDN": "CN=zobrien,DC=example,DC=com" });
    stage.simulator.vault.patch_user(id, &directory).unwrap();
    let workflow = stage.comes_back("BACK-1").await;
    let page = stage.get(&stage.link("ana@example.com")).await.body;
    assert!(page.contains("The vault can neither enable it nor set its password"), "{page}");
    assert!(!page.contains("password is generated"), "{page}");
    stage.both_approve().await;
    assert_eq!(stage.rest(&workflow).await, "needs_attention");
    assert!(stage.reason(&workflow).await.contains("by hand"), "{}", stage.reason(&workflow).await);
    assert_eq!(stage.writes(), ["remove_member", "remove_member", "add_member"]);
    assert_eq!(stage.zobrien()["enableUser"], false, "never said to be enabled");
    stage.take(&workflow, Exit::MarkDone).await.unwrap();
    assert_eq!(stage.rest(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    assert_eq!(stage.count("select count(*) from secrets").await, 0);
    stage.check(&workflow).await;
}

async fn what_cannot_be_told_or_touched_is_not_enabled(stage: Stage) {
    let id = stage.somebody_who_left();
    stage.simulator.vault.configure(|options| options.membership_list = MembershipList::Unknown);
    let workflow = stage.comes_back("BACK-1").await;
    assert_eq!(stage.state(&workflow).await, "needs_attention");
    let reason = stage.reason(&workflow).await;
    assert!(reason.contains("nobody knows what enabling it would bring back"), "{reason}");
    stage.simulator.vault.configure(|options| options.membership_list = MembershipList::Offered);
    stage.take(&workflow, Exit::GiveUp).await.unwrap();
    stage.simulator.vault.patch_user(id, &json!({ "componentUser": true })).unwrap();
    let component = stage.comes_back("BACK-2").await;
    stage.is_told_as_protected(&component, "component").await;
    stage.take(&component, Exit::GiveUp).await.unwrap();
    let changes = json!({ "componentUser": false, "username": "svc-zobrien" });
    stage.simulator.vault.patch_user(id, &changes).unwrap();
    let mut parts = return_to_operations();
    parts["subject"] = json!({ "username": "svc-zobrien" });
    let answer = stage.told("rehire", "BACK-3", parts).await;
    stage.settle().await;
    stage.is_told_as_protected(&answer.workflow(), "protected").await;
    assert!(stage.writes().is_empty(), "{:?}", stage.writes());
}

async fn one_begins_once_and_the_record_is_not_asked_to_change(stage: Stage) {
    stage.somebody_who_left();
    let workflow = stage.comes_back("BACK-1").await;
    let same = stage.told("rehire", "AGAIN-same", return_to_operations()).await;
    assert_eq!((same.status, same.workflow()), (200, workflow.clone()), "{}", same.body);
    let mut another_day = return_to_operations();
    another_day["effective"] = json!({ "at": "2026-12-09", "tz": "Europe/Berlin" });
    for (kind, parts) in [
        ("rehire", another_day),
        ("joiner", json!({ "subject": { "username": "zobrien", "first_name": "Z", "last_name": "O" } })),
    ] {
        let answer = stage.told(kind, &format!("AGAIN-{kind}"), parts).await;
        assert_eq!(answer.status, 422, "{}", answer.body);
        assert!(answer.body.contains(&workflow), "the open one is named: {}", answer.body);
    }
    for (number, (field, value)) in
        [("location", json!("\\Users\\Else")), ("user_type", json!("BasicUser")), ("description", json!("x"))]
            .into_iter()
            .enumerate()
    {
        let mut parts = return_to_operations();
        parts["person_ref"] = json!("E2");
        parts["account"] = json!({ field: value });
        let answer = stage.told("rehire", &format!("BACK-9{number}"), parts).await;
        assert_eq!(answer.status, 422, "{}", answer.body);
        assert!(answer.body.contains(&format!("/account/{field}")), "{}", answer.body);
    }
}
