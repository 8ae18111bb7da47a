//! Somebody moves: what the new work asks for comes, what the old one gave goes, and nothing else changes.

use countersign::simulator::faults::{Effect, Fault, Meanwhile, Moment};
use countersign::simulator::tenant::MembershipList;
use serde_json::json;

use crate::stage::{Choices, Database, Dialect, FOREIGN, FORMER, Product, Stage, differences};

told_of_both_products! {
    a_lost_answer_does_not_lose_the_comparison
    a_request_says_which_groups_come_and_go
    a_group_that_nobody_tells_any_more_is_left_all_the_same
    a_profile_with_another_licence_seat_leaves_it_as_it_is
    somebody_whom_we_hired_moves_without_a_name
}

async fn moving(product: Product, dialect: Dialect) -> (Stage, String) {
    let choices = Choices { product, ..Choices::with_former_group(dialect) };
    let stage = Stage::with(Database::sqlite(), choices).await;
    stage.somebody();
    let workflow = stage.moves("MOVE-1").await;
    assert_eq!(stage.state(&workflow).await, "pending_approval", "{}", stage.reason(&workflow).await);
    (stage, workflow)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_field_that_was_not_approved_to_change_stays() {
    for product in [Product::PrivilegeCloud, Product::SelfHosted] {
        every_other_field_stays(product).await;
    }
}

async fn every_other_field_stays(product: Product) {
    let (stage, workflow) = moving(product, Dialect::Product).await;
    let before = stage.zobrien();
    let page = stage.get(&stage.link("ana@example.com")).await.body;
    for told in [
        "Changed access for Zoë M O&#39;Brien",
        "“Administrator” becomes “Team Lead”",
        "“Platform” becomes “IT Ops”",
        "Take zobrien out of the group “Platform-Leads”",
        "Add zobrien to the group “Linux Admins”",
        "Ops-Readers, Given-By-Hand",
    ] {
        assert!(page.contains(told), "{told} in {page}");
    }
    stage.both_approve().await;
    assert_eq!(stage.rest(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    assert_eq!(stage.writes(), ["update_user", "add_member", "remove_member"]);
    let after = stage.zobrien();
    assert_eq!(
        differences(&before, &after),
        ["/groupsMembership", "/location", "/personalDetails/department", "/personalDetails/title"]
    );
    assert_eq!(after["location"], "\\Users\\Ops");
    assert_eq!(after["personalDetails"]["title"], "Team Lead");
    let mut groups = stage.her_groups();
    groups.sort();
    assert_eq!(groups, [FOREIGN, "Linux Admins", "Ops-Readers"]);
    stage.check(&workflow).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vault_that_keeps_fewer_fields_says_what_is_left_out() {
    for (product, dialect) in [
        (Product::PrivilegeCloud, Dialect::GuideAuto),
        (Product::PrivilegeCloud, Dialect::GuidePinned),
        (Product::SelfHosted, Dialect::GuideAuto),
        (Product::SelfHosted, Dialect::GuidePinned),
    ] {
        let (stage, workflow) = moving(product, dialect).await;
        let before = stage.zobrien();
        let page = stage.get(&stage.link("ana@example.com")).await.body;
        assert!(page.contains("The vault keeps no title"), "{dialect:?} {page}");
        stage.both_approve().await;
        assert_eq!(stage.rest(&workflow).await, "succeeded", "{dialect:?} {}", stage.reason(&workflow).await);
        assert_eq!(stage.writes(), ["update_user", "add_member", "remove_member"], "{dialect:?}");
        assert_eq!(differences(&before, &stage.zobrien()), ["/groupsMembership", "/location"], "{dialect:?}");
        stage.check(&workflow).await;
    }
}

/// The answer to the write is lost, and by the time somebody looks another field is different, too.
async fn a_lost_answer_does_not_lose_the_comparison(stage: Stage) {
    stage.somebody();
    let workflow = stage.moves("MOVE-1").await;
    stage.both_approve().await;
    let changes = json!({ "phones": { "homeNumber": "99" } });
    let meanwhile = Meanwhile::PatchUser { name: "zobrien".to_owned(), changes };
    stage.simulator.vault.add_fault(Fault::on("PUT", "/Users/", 1, Effect::DropAfter));
    assert_eq!(stage.rest(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    let looked = stage.attempts(&workflow).await;
    let looked: Vec<_> = looked.iter().filter(|attempt| attempt.step == "update_user").collect();
    assert_eq!((looked.len(), looked[0].outcome.as_str()), (2, "unknown"));
    assert!(looked[1].words.contains("nothing else has changed since before the write"), "{looked:?}");
    stage.check(&workflow).await;
    // The same with a change by another hand just before the look.
    let stage = Stage::with(stage.database.another(), stage.choices.clone()).await;
    stage.somebody();
    let workflow = stage.moves("MOVE-1").await;
    stage.both_approve().await;
    stage.simulator.vault.add_fault(Fault::on("PUT", "/Users/", 1, Effect::DropAfter));
    stage.settle().await;
    assert_eq!(stage.outcomes(&workflow, "update_user").await, ["unknown"]);
    stage.simulator.vault.add_fault(Fault::on("GET", "/Users/", 1, Effect::Meanwhile(meanwhile)));
    assert_eq!(stage.rest(&workflow).await, "needs_attention");
    let reason = stage.reason(&workflow).await;
    assert!(reason.contains("look at these fields: phones.homeNumber"), "{reason}");
    assert_eq!(stage.writes(), ["update_user"]);
    // A person has looked, and finds it right.
    assert_eq!(stage.retry(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    assert_eq!(stage.zobrien()["phones"]["homeNumber"], "99");
    assert_eq!(stage.writes(), ["update_user", "add_member"]);
}

async fn a_request_says_which_groups_come_and_go(stage: Stage) {
    stage.somebody();
    let parts = json!({
        "employment": { "department": "IT Ops" },
        "account": { "groups_add": ["Linux Admins"], "groups_remove": ["Ops-Readers"], "location": "\\Users\\Else" },
    });
    let answer = stage.told("mover", "MOVE-1", parts).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    stage.settle().await;
    stage.both_approve().await;
    let workflow = answer.workflow();
    assert_eq!(stage.rest(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    let mut groups = stage.her_groups();
    groups.sort();
    assert_eq!(groups, [FOREIGN, "Linux Admins", FORMER]);
    assert_eq!(stage.zobrien()["location"], "\\Users\\Else");
    stage.check(&workflow).await;
    // What a mover cannot do yet is refused, field by field.
    for (number, (field, value)) in [
        ("user_type", json!("BasicUser")),
        ("expires_at", json!("2027-06-30")),
        ("change_password_on_next_logon", json!(true)),
    ]
    .into_iter()
    .enumerate()
    {
        let answer =
            stage.told("mover", &format!("MOVE-9{number}"), json!({ "account": { field: value } })).await;
        assert_eq!(answer.status, 422, "{}", answer.body);
        assert!(answer.body.contains(&format!("/account/{field}")), "{}", answer.body);
    }
}

async fn a_profile_with_another_licence_seat_leaves_it_as_it_is(stage: Stage) {
    let id = stage.somebody();
    stage.simulator.vault.patch_user(id, &json!({ "userType": "BasicUser" })).unwrap();
    let workflow = stage.moves("MOVE-1").await;
    let page = stage.get(&stage.link("ana@example.com")).await.body;
    assert!(
        page.contains("has the licence seat EPVUser; the account holds BasicUser and keeps it"),
        "{page}"
    );
    stage.both_approve().await;
    assert_eq!(stage.rest(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    assert_eq!(stage.zobrien()["userType"], "BasicUser");
    stage.check(&workflow).await;
}

async fn somebody_whom_we_hired_moves_without_a_name(stage: Stage) {
    let hired = stage.hire_and_approve().await;
    assert_eq!(stage.state(&hired).await, "succeeded");
    let parts = json!({
        "subject": { "last_name": "Keller" },
        "employment": { "department": "IT Ops", "title": "Team Lead" },
    });
    let answer = stage.told("mover", "MOVE-1", parts).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    stage.settle().await;
    let page = stage.get(&stage.link("bo@example.com")).await.body;
    assert!(page.contains("linked to this person already"), "{page}");
    stage.both_approve().await;
    let workflow = answer.workflow();
    assert_eq!(stage.rest(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    assert_eq!(stage.writes().last().unwrap(), "update_user");
    assert_eq!(stage.zobrien()["personalDetails"]["lastName"], "Keller");
    assert_eq!(stage.zobrien()["personalDetails"]["firstName"], "Zoë");
}

/// The vault told her groups when the plan was made, and tells none when it is carried out: that is not the same as left.
async fn a_group_that_nobody_tells_any_more_is_left_all_the_same(stage: Stage) {
    stage.somebody();
    let parts = json!({ "employment": { "department": "IT Ops" },
        "account": { "groups_add": [], "groups_remove": ["Ops-Readers"] } });
    let answer = stage.told("mover", "MOVE-1", parts).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    stage.settle().await;
    stage.both_approve().await;
    let wait = Effect::Status { status: 429, body: None, retry_after: Some(5), moment: Moment::Before };
    stage.simulator.vault.add_fault(Fault::on("DELETE", "/Members", 1, wait));
    stage.settle().await;
    assert!(!stage.writes().contains(&"remove_member".to_owned()), "{:?}", stage.writes());
    stage.simulator.vault.configure(|options| options.membership_list = MembershipList::Unknown);
    let workflow = answer.workflow();
    assert_eq!(stage.rest(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    stage.simulator.vault.configure(|options| options.membership_list = MembershipList::Offered);
    assert!(!stage.her_groups().contains(&"Ops-Readers".to_owned()), "{:?}", stage.her_groups());
    assert_eq!(stage.outcomes(&workflow, "remove_from_group").await, ["retry", "done"]);
    stage.check(&workflow).await;
}
