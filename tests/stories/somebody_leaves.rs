//! Somebody leaves: noted, disabled, taken out of every group, and nothing else about them changes.

use chrono::TimeDelta;
use countersign::simulator::faults::{Effect, Fault, Meanwhile, Moment};
use countersign::simulator::tenant::MembershipList;
use countersign::store::operator::Exit;
use serde_json::json;

use crate::stage::{Choices, Database, Dialect, FOREIGN, FORMER, Product, Stage, differences};

told_of_both_products! {
    a_leaver_is_noted_disabled_and_taken_out_of_every_group
    what_cannot_be_listed_keeps_nobody_enabled
    who_is_disabled_already_is_only_read
    somebody_of_a_directory_waits_for_a_person
    a_group_that_keeps_coming_ends_at_a_person
    a_wider_plan_that_waits_half_way_is_no_tampering
    groups_that_nobody_tells_are_for_a_person
    groups_that_nobody_tells_any_more_are_left_all_the_same
    what_was_left_unseen_is_a_persons_word
    a_group_whose_name_does_not_fit_ends_by_its_number
    what_is_never_touched_stays_untouched
    a_request_may_leave_the_groups
    a_group_whose_keeper_nobody_tells_is_named_and_tried
    nobody_decides_about_an_account_of_their_own
    the_first_request_links_and_the_next_needs_no_name
}

async fn a_leaver_is_noted_disabled_and_taken_out_of_every_group(stage: Stage) {
    let id = stage.somebody();
    stage.simulator.vault.add_safe(&json!({ "safeName": "Payroll", "members": ["zobrien"] })).unwrap();
    let before = stage.zobrien();
    let workflow = stage.leaves("LEAVE-1", json!({})).await;
    let page = stage.get(&stage.link("ana@example.com")).await.body;
    assert!(page.contains("End of access for Zoë M O&#39;Brien"), "{page}");
    assert!(page.contains("This link is new") && page.contains(&format!("user number {id}")), "{page}");
    for group in ["Ops-Readers", FORMER, FOREIGN] {
        assert!(page.contains(&format!("Take zobrien out of the group “{group}”")), "{page}");
    }
    stage.both_approve().await;
    assert_eq!(stage.rest(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    assert_eq!(stage.writes(), ["disable_user", "remove_member", "remove_member", "remove_member"]);
    assert_eq!(differences(&before, &stage.zobrien()), ["/enableUser", "/groupsMembership"]);
    assert_eq!(stage.her_groups(), [""; 0]);
    let trail = stage.trail(&workflow).await;
    let noted =
        trail.iter().find(|event| event["facts"]["groups"] == 3).expect("what she could reach is noted");
    let access = noted["personal"]["access"].as_str().unwrap();
    for known in ["Ops-Readers", FORMER, FOREIGN, "Payroll", "AuditUsers"] {
        assert!(access.contains(known), "{access}");
    }
    assert!(trail.iter().any(|event| event["kind"] == "person.linked"));
    stage.check(&workflow).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_guides_dialects_disable_with_the_whole_record_and_lose_nothing() {
    for (product, dialect) in [
        (Product::PrivilegeCloud, Dialect::GuideAuto),
        (Product::PrivilegeCloud, Dialect::GuidePinned),
        (Product::SelfHosted, Dialect::GuideAuto),
        (Product::SelfHosted, Dialect::GuidePinned),
    ] {
        let choices = Choices { product, dialect, ..Choices::default() };
        let stage = Stage::with(Database::sqlite(), choices).await;
        stage.somebody();
        let before = stage.zobrien();
        let workflow = stage.leaves("LEAVE-1", json!({})).await;
        stage.both_approve().await;
        assert_eq!(stage.rest(&workflow).await, "succeeded", "{dialect:?} {}", stage.reason(&workflow).await);
        assert_eq!(
            differences(&before, &stage.zobrien()),
            ["/enableUser", "/groupsMembership"],
            "{dialect:?}"
        );
        assert_eq!(stage.her_groups(), [""; 0]);
        stage.check(&workflow).await;
    }
}

/// Lists that end nobody's access by themselves are refused in a way of their own, or never come.
async fn what_cannot_be_listed_keeps_nobody_enabled(stage: Stage) {
    stage.somebody();
    let body = json!({ "ErrorCode": "ITATS001E", "ErrorMessage": "broken" });
    let refused = Effect::Status { status: 500, body: Some(body), retry_after: None, moment: Moment::Before };
    stage.simulator.vault.add_fault(Fault::on("GET", "/UserTypes", 99, refused.clone()));
    stage.simulator.vault.add_fault(Fault::on("GET", "/safes", 1, Effect::Html503));
    stage.simulator.vault.add_fault(Fault::on("GET", "/safes", 99, refused));
    let workflow = stage.leaves("LEAVE-1", json!({})).await;
    stage.both_approve().await;
    assert_eq!(stage.rest(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    assert_eq!(stage.writes(), ["disable_user", "remove_member", "remove_member", "remove_member"]);
    let noted = stage.attempts(&workflow).await;
    let noted: Vec<_> = noted.iter().filter(|attempt| attempt.step == "record_access").collect();
    assert_eq!((noted.len(), noted[0].outcome.as_str()), (2, "retry"), "what may pass is tried again");
    assert!(
        noted[1].words.contains("its safes cannot be listed: the vault answered 500 ITATS001E"),
        "{noted:?}"
    );
}

async fn who_is_disabled_already_is_only_read(stage: Stage) {
    let id = stage.somebody();
    stage.simulator.vault.patch_user(id, &json!({ "enableUser": false })).unwrap();
    for group in ["Ops-Readers", FORMER, FOREIGN] {
        stage.simulator.vault.take_member(stage.group_id(group), id).unwrap();
    }
    let workflow = stage.leaves("LEAVE-1", json!({})).await;
    let page = stage.get(&stage.link("ana@example.com")).await.body;
    assert!(page.contains("The user is disabled already"), "{page}");
    stage.both_approve().await;
    assert_eq!(stage.rest(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    assert!(stage.writes().is_empty(), "{:?}", stage.writes());
    assert_eq!(stage.outcomes(&workflow, "disable_user").await, ["already_so"]);
    stage.check(&workflow).await;
}

async fn somebody_of_a_directory_waits_for_a_person(stage: Stage) {
    let id = stage.somebody();
    let directory = json!({ "source": "LDAP", "userDN": "CN=zobrien,DC=example,DC=com" });
    stage.simulator.vault.patch_user(id, &directory).unwrap();
    let workflow = stage.leaves("LEAVE-1", json!({})).await;
    let page = stage.get(&stage.link("ana@example.com")).await.body;
    assert!(page.contains("The user comes from a directory"), "{page}");
    stage.both_approve().await;
    assert_eq!(stage.rest(&workflow).await, "needs_attention");
    assert!(stage.reason(&workflow).await.contains("by hand"), "{}", stage.reason(&workflow).await);
    assert_eq!(stage.writes(), ["remove_member", "remove_member", "remove_member"]);
    // Trying again changes nothing: nobody has said that it is done.
    assert_eq!(stage.retry(&workflow).await, "needs_attention");
    // While a person is waited for, somebody gives her a group, and gives one back.
    let late = stage.simulator.vault.add_group("Given while waiting").unwrap();
    stage.later(TimeDelta::days(4)).await;
    stage.simulator.vault.put_member(late, id).unwrap();
    stage.simulator.vault.put_member(stage.group_id("Ops-Readers"), id).unwrap();
    stage.take(&workflow, Exit::MarkDone).await.unwrap();
    assert_eq!(stage.rest(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    assert_eq!(stage.her_groups(), [""; 0], "done is said only when nothing is left");
    assert_eq!(stage.writes(), ["remove_member"; 5]);
    let trail = stage.trail(&workflow).await;
    let widened: Vec<_> = trail.iter().filter(|event| event["kind"] == "plan.widened").collect();
    assert_eq!(widened.len(), 1);
    assert_eq!(widened[0]["facts"]["because"], "the group Given while waiting");
    let marked = trail.iter().find(|event| event["kind"] == "step.marked_done").unwrap();
    assert_eq!(marked["facts"]["step"], "disable_in_directory");
    let page = stage.get(&stage.link("ana@example.com")).await.body;
    assert!(page.contains("was said by a person"), "{page}");
    assert!(stage.take(&workflow, Exit::MarkDone).await.is_err());
    stage.check(&workflow).await;
}

/// Somebody gives her a group again and again, as soon as the last one is taken.
async fn a_group_that_keeps_coming_ends_at_a_person(stage: Stage) {
    let id = stage.somebody();
    let workflow = stage.leaves("LEAVE-1", json!({})).await;
    stage.both_approve().await;
    let groups: Vec<i64> =
        (0..9).map(|number| stage.simulator.vault.add_group(&format!("Late {number}")).unwrap()).collect();
    for (number, group) in groups.into_iter().enumerate() {
        let given = Meanwhile::PutMember { group_id: group, name: "zobrien".to_owned() };
        let removal = u64::try_from(number).unwrap() + 3;
        stage
            .simulator
            .vault
            .add_fault(Fault::on("DELETE", "/Members", 1, Effect::Meanwhile(given)).from_nth(removal));
    }
    assert_eq!(stage.rest(&workflow).await, "needs_attention");
    let reason = stage.reason(&workflow).await;
    assert!(reason.contains("taken out of everything 3 times") && reason.contains("Late 3"), "{reason}");
    assert_eq!(stage.zobrien()["enableUser"], false);
    // A person has looked, and has seen to it.
    stage.simulator.vault.clear_faults();
    assert_eq!(stage.retry(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    assert_eq!(stage.her_groups(), [""; 0]);
    assert_eq!(stage.zobrien()["id"], id);
    stage.check(&workflow).await;
}

/// A group is given at the last moment, and the vault is too busy to take it away at once.
async fn a_wider_plan_that_waits_half_way_is_no_tampering(stage: Stage) {
    stage.somebody();
    let workflow = stage.leaves("LEAVE-1", json!({})).await;
    stage.both_approve().await;
    let group_id = stage.simulator.vault.add_group("Late").unwrap();
    let given = Effect::Meanwhile(Meanwhile::PutMember { group_id, name: "zobrien".to_owned() });
    let busy = Effect::Status { status: 429, body: None, retry_after: Some(60), moment: Moment::Before };
    stage.simulator.vault.add_fault(Fault::on("DELETE", "/Members", 1, given).from_nth(3));
    stage.simulator.vault.add_fault(Fault::on("DELETE", "/Members", 1, busy).from_nth(4));
    stage.settle().await;
    assert_eq!(stage.state(&workflow).await, "running");
    assert!(stage.trail(&workflow).await.iter().any(|event| event["kind"] == "plan.widened"));
    stage.check_proof(&[]).await;
    assert_eq!(stage.rest(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    stage.check(&workflow).await;
}

/// A vault that is too old to tell who is in which group.
async fn groups_that_nobody_tells_are_for_a_person(stage: Stage) {
    let id = stage.somebody();
    stage.simulator.vault.configure(|options| options.membership_list = MembershipList::Unknown);
    let workflow = stage.leaves("LEAVE-1", json!({})).await;
    let page = stage.get(&stage.link("ana@example.com")).await.body;
    assert!(page.contains("does not tell which groups the user is in"), "{page}");
    assert!(page.contains("Wait for a person to take zobrien out of the groups"), "{page}");
    stage.both_approve().await;
    assert_eq!(stage.rest(&workflow).await, "needs_attention");
    assert_eq!((stage.writes(), stage.her_groups().len()), (vec!["disable_user".to_owned()], 3));
    assert!(stage.reason(&workflow).await.contains("by hand"), "{}", stage.reason(&workflow).await);
    assert_eq!(stage.retry(&workflow).await, "needs_attention");
    for group in ["Ops-Readers", FORMER, FOREIGN] {
        stage.simulator.vault.take_member(stage.group_id(group), id).unwrap();
    }
    stage.take(&workflow, Exit::MarkDone).await.unwrap();
    assert_eq!(stage.rest(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    let marked = stage.trail(&workflow).await;
    let marked = marked.iter().find(|event| event["kind"] == "step.marked_done").unwrap();
    assert_eq!(marked["facts"]["step"], "leave_groups_by_hand");
    let verified = stage.attempts(&workflow).await.pop().unwrap();
    assert!(verified.words.contains("that it left its groups is a person's word"), "{}", verified.words);
}

/// The next removal has to wait, and from then on the vault tells nobody's memberships.
async fn told_no_more(stage: &Stage) {
    let wait = Effect::Status { status: 429, body: None, retry_after: Some(5), moment: Moment::Before };
    stage.simulator.vault.add_fault(Fault::on("DELETE", "/Members", 1, wait));
    stage.settle().await;
    stage.simulator.vault.configure(|options| options.membership_list = MembershipList::Unknown);
}

/// Told when the plan was made, and not any more when it is carried out: that is not the same as left.
async fn groups_that_nobody_tells_any_more_are_left_all_the_same(stage: Stage) {
    stage.somebody();
    let workflow = stage.leaves("LEAVE-1", json!({})).await;
    stage.both_approve().await;
    told_no_more(&stage).await;
    assert_eq!(stage.writes(), ["disable_user"]);
    assert_eq!(stage.rest(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    assert_eq!(stage.writes(), ["disable_user", "remove_member", "remove_member", "remove_member"]);
    let verified = stage.attempts(&workflow).await.pop().unwrap();
    let words = "it is out of 3 groups as the vault has answered; it tells no memberships now";
    assert!(verified.words.contains(words), "{}", verified.words);
    stage.simulator.vault.configure(|options| options.membership_list = MembershipList::Offered);
    assert_eq!(stage.her_groups(), [""; 0]);
    stage.check(&workflow).await;
}

/// Somebody else had taken her out of one group; whether she is in it again, nobody tells at the end.
async fn what_was_left_unseen_is_a_persons_word(stage: Stage) {
    let id = stage.somebody();
    let workflow = stage.leaves("LEAVE-1", json!({})).await;
    stage.both_approve().await;
    stage.simulator.vault.take_member(stage.group_id("Ops-Readers"), id).unwrap();
    told_no_more(&stage).await;
    assert_eq!(stage.outcomes(&workflow, "remove_from_group").await, ["already_so", "retry"]);
    stage.simulator.vault.put_member(stage.group_id("Ops-Readers"), id).unwrap();
    assert_eq!(stage.rest(&workflow).await, "needs_attention");
    assert_eq!(stage.writes(), ["disable_user", "remove_member", "remove_member"]);
    let trail = stage.trail(&workflow).await;
    let widened = trail.iter().find(|event| event["kind"] == "plan.widened").unwrap();
    assert_eq!(widened["facts"]["because"], "groups that the vault does not tell");
    stage.simulator.vault.take_member(stage.group_id("Ops-Readers"), id).unwrap();
    stage.take(&workflow, Exit::MarkDone).await.unwrap();
    assert_eq!(stage.rest(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    let verified = stage.attempts(&workflow).await.pop().unwrap();
    assert!(verified.words.contains("that it left its groups is a person's word"), "{}", verified.words);
    stage.check(&workflow).await;
}

async fn a_group_whose_name_does_not_fit_ends_by_its_number(stage: Stage) {
    let id = stage.somebody();
    let odd = stage.simulator.vault.add_group(&"x".repeat(200)).unwrap();
    stage.simulator.vault.put_member(odd, id).unwrap();
    let workflow = stage.leaves("LEAVE-1", json!({})).await;
    let page = stage.get(&stage.link("ana@example.com")).await.body;
    assert!(page.contains(&format!("Take zobrien out of the group “number {odd}”")), "{page}");
    assert!(!page.contains("come from a directory"), "{page}");
    stage.both_approve().await;
    assert_eq!(stage.rest(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    assert_eq!(stage.her_groups(), [""; 0]);
}

async fn what_is_never_touched_stays_untouched(stage: Stage) {
    let id = stage.somebody();
    stage.simulator.vault.patch_user(id, &json!({ "componentUser": true })).unwrap();
    let component = stage.leaves("LEAVE-1", json!({})).await;
    assert_eq!(stage.state(&component).await, "needs_attention");
    assert!(stage.reason(&component).await.contains("component of the vault"));
    stage.is_told_as_protected(&component, "is a component of the vault").await;
    for name in ["svc-backup", "breakglass1"] {
        stage.simulator.vault.add_user(&json!({ "username": name })).unwrap();
    }
    for (number, name, why) in [
        (2, "svc-backup", "the user name svc-backup is protected by the settings"),
        (3, "breakglass1", "the user name breakglass1 is protected by the settings"),
        (4, "svc-countersign", "the user name svc-countersign is this service's own account"),
    ] {
        let parts = json!({ "subject": { "username": name }, "person_ref": format!("E{number}") });
        let workflow = stage.leaves(&format!("LEAVE-{number}"), parts).await;
        assert_eq!(stage.state(&workflow).await, "needs_attention", "{name}");
        stage.is_told_as_protected(&workflow, why).await;
    }
    // Who is not there is no protected account, and no alarm.
    let nobody = json!({ "subject": { "username": "nobody" }, "person_ref": "E5" });
    let nobody = stage.leaves("LEAVE-5", nobody).await;
    assert_eq!(stage.state(&nobody).await, "needs_attention");
    assert!(!stage.trail(&nobody).await.iter().any(|event| event["kind"] == "account.protected"));
    for terms in [json!({ "mode": "delete" }), json!({ "revoke_sessions": true })] {
        let answer = stage.told("leaver", "LEAVE-9", json!({ "leaver": terms })).await;
        assert_eq!(answer.status, 422, "{}", answer.body);
        assert!(answer.body.contains("not available yet"), "{}", answer.body);
    }
    assert!(stage.writes().is_empty(), "{:?}", stage.writes());
}

async fn a_request_may_leave_the_groups(stage: Stage) {
    stage.somebody();
    let workflow = stage.leaves("LEAVE-1", json!({ "leaver": { "remove_groups": false } })).await;
    let page = stage.get(&stage.link("ana@example.com")).await.body;
    assert!(page.contains("These memberships stay, as the request says"), "{page}");
    stage.both_approve().await;
    assert_eq!(stage.rest(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    assert_eq!(stage.writes(), ["disable_user"]);
    assert_eq!(stage.her_groups().len(), 3);
    stage.check(&workflow).await;
}

async fn a_group_whose_keeper_nobody_tells_is_named_and_tried(stage: Stage) {
    let id = stage.somebody();
    let vault = &stage.simulator.vault;
    let groups = ["Strange", "Stranger"].map(|name| {
        let group = vault.add_group(name).unwrap();
        vault.patch_group(group, &json!({ "groupType": "Cloud" })).unwrap();
        vault.put_member(group, id).unwrap();
        group
    });
    let workflow = stage.leaves("LEAVE-1", json!({})).await;
    let page = stage.get(&stage.link("ana@example.com")).await.body;
    let told =
        ["Strange, Stranger", "Stranger, Strange"].map(|both| format!("its own or a directory’s: {both}."));
    assert!(told.iter().any(|told| page.contains(told)), "{page}");
    // One of them was the vault's own, the other turns out to be a directory's.
    vault.patch_group(groups[1], &json!({ "groupType": "Directory" })).unwrap();
    stage.both_approve().await;
    assert_eq!(stage.rest(&workflow).await, "needs_attention");
    let reason = stage.reason(&workflow).await;
    assert!(reason.contains("the group Stranger is its own or a directory's"), "{reason}");
    // What is known to be the vault's own has ended before.
    let left = stage.her_groups();
    assert!(left.iter().all(|group| group.starts_with("Strange")), "{left:?}");
    assert_eq!(stage.zobrien()["enableUser"], false);
    vault.take_member(groups[1], id).unwrap();
    assert_eq!(stage.retry(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    stage.check_proof(&[workflow]).await;
}

async fn the_first_request_links_and_the_next_needs_no_name(stage: Stage) {
    let id = stage.somebody();
    let first = stage.leaves("LEAVE-1", json!({ "leaver": { "remove_groups": false } })).await;
    stage.both_approve().await;
    assert_eq!(stage.rest(&first).await, "succeeded");
    let linked = stage.trail(&first).await;
    let linked = linked.iter().find(|event| event["kind"] == "person.linked").unwrap();
    assert_eq!(
        (&linked["facts"]["user_id"], &linked["facts"]["confirmed_by"]),
        (&json!(id), &json!("approval"))
    );
    let second = stage.leaves("LEAVE-2", json!({ "subject": {} })).await;
    let page = stage.get(&stage.link("ana@example.com")).await.body;
    assert!(!page.contains("This link is new") && page.contains("linked to this person already"), "{page}");
    stage.both_approve().await;
    assert_eq!(stage.rest(&second).await, "succeeded", "{}", stage.reason(&second).await);
    assert_eq!(stage.her_groups(), [""; 0]);
    // Another name for the same person, and another person for the same account, are for an operator.
    let renamed = stage.leaves("LEAVE-3", json!({ "subject": { "username": "mkeller" } })).await;
    assert_eq!(stage.state(&renamed).await, "needs_attention");
    assert!(stage.reason(&renamed).await.contains("this person is linked to zobrien"));
    let other = stage.leaves("LEAVE-4", json!({ "person_ref": "E2" })).await;
    assert_eq!(stage.state(&other).await, "needs_attention");
    assert!(stage.reason(&other).await.contains("is linked to another person"));
}

/// The request names no address, but the vault knows whose account it is.
async fn nobody_decides_about_an_account_of_their_own(stage: Stage) {
    let id = stage.somebody();
    let mail = json!({ "internet": { "businessEmail": "Ana+vault@example.com" } });
    stage.simulator.vault.patch_user(id, &mail).unwrap();
    let workflow = stage.leaves("LEAVE-1", json!({})).await;
    // Two must say yes, and one of the two who could is the account's owner: nobody is asked in vain.
    assert_eq!(stage.state(&workflow).await, "needs_attention");
    let reason = stage.reason(&workflow).await;
    assert!(reason.contains("fewer people to ask than must say yes"), "{reason}");
    for address in ["ana@example.com", "bo@example.com"] {
        assert_eq!(stage.simulator.mailbox.links_for(address), [""; 0], "{address}");
    }
}
