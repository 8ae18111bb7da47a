//! Movers and leavers against the simulated vault, driven by the step ledger as the executor drives them.
//!
//! Must hold: whatever a single fault does, the account ends as planned with exactly the writes of the plan, nothing
//! else in its record changes, and nobody else is touched, in both dialects.

use serde_json::{Value, json};

use super::simulated::{GROUPS, Trial};
use super::*;
use crate::domain::plan::{FieldChange, UserChange};
use crate::domain::removal::GONE;
use crate::domain::step::Rest;
use crate::simulator::faults::{Effect, Fault, Meanwhile, Moment};
use crate::simulator::tenant::{Dialect, DisableCall, SafeList};

fn zoe() -> Value {
    json!({
        "username": "zobrien", "location": "\\Users\\Ops", "description": "by hand", "groups": ["Ops-Readers"],
        "personalDetails": { "firstName": "Zoe", "lastName": "O'Brien", "city": "Bonn" },
        "internet": { "businessEmail": "zoe@example.com", "homePage": "https://zoe.example" },
        "phones": { "businessNumber": "1" }, "vaultAuthorization": ["AuditUsers"],
        "authenticationMethod": ["AuthTypeRADIUS"], "unAuthorizedInterfaces": ["PSM"], "expiryDate": 1_900_000_000
    })
}

fn married() -> PlannedStep {
    let fields = [
        (ProfileField::LastName, "O'Brien", "Meyer-O'Brien"),
        (ProfileField::Email, "zoe@example.com", "meyer@example.com"),
    ];
    let fields = fields
        .into_iter()
        .map(|(field, from, to)| (field, FieldChange { from: Some(from.to_owned()), to: to.to_owned() }));
    PlannedStep::UpdateUser(UserChange { fields: fields.collect(), cut: BTreeMap::new() })
}

/// A mover into the second group, or a leaver out of both.
async fn trial(kind: Kind, dialect: Dialect, settings: DialectSettings) -> Trial {
    trial_of(&zoe(), kind, dialect, settings).await
}

async fn trial_of(user: &Value, kind: Kind, dialect: Dialect, settings: DialectSettings) -> Trial {
    let mut trial = Trial::with(dialect, settings, user).await;
    let vault = &trial.simulator.vault;
    vault.add_safe(&json!({ "safeName": "Own", "members": ["zobrien", "Auditors"] })).unwrap();
    let names = GROUPS.map(|name| GroupName::parse(name).unwrap());
    let id = vault.id_of("zobrien").unwrap();
    let (ops, linux) = (group_id(&trial, GROUPS[0]), group_id(&trial, GROUPS[1]));
    if kind == Kind::Leaver {
        vault.put_member(linux, id).unwrap();
    }
    let group = |name: &GroupName, id| PlannedGroup {
        name: name.clone(),
        id: VaultGroupId(id),
        kind: Some(GroupKind::Vault),
    };
    let (ops, linux) = (group(&names[0], ops), group(&names[1], linux));
    let steps = match kind {
        Kind::Mover => vec![
            PlannedStep::FindUser,
            married(),
            PlannedStep::AddToGroup(linux),
            PlannedStep::RemoveFromGroup(ops),
            PlannedStep::VerifyUser,
        ],
        _ => vec![
            PlannedStep::FindUser,
            PlannedStep::RecordAccess,
            PlannedStep::DisableUser,
            PlannedStep::RemoveFromGroup(ops),
            PlannedStep::RemoveFromGroup(linux),
            PlannedStep::VerifyUser,
        ],
    };
    trial.plan = change_plan(kind, settings, steps);
    let account = trial.plan.account.as_mut().unwrap();
    account.id = VaultUserId(id);
    trial
}

fn group_id(trial: &Trial, name: &str) -> i64 {
    let state = trial.simulator.vault.state();
    let groups = state["groups"].as_array().unwrap();
    groups.iter().find(|group| group["groupName"] == name).unwrap()["id"].as_i64().unwrap()
}

/// The record without what the plan changes.
fn untouched(mut record: Value) -> Value {
    for key in ["enableUser", "groupsMembership"] {
        record[key].take();
    }
    record["personalDetails"]["lastName"].take();
    record["internet"]["businessEmail"].take();
    record
}

fn groups_of(record: &Value) -> Vec<&str> {
    let groups = record["groupsMembership"].as_array().unwrap();
    groups.iter().map(|group| group["groupName"].as_str().unwrap()).collect()
}

fn assert_as_planned(trial: &Trial, before: Value, dialect: Dialect, told: &str) {
    let after = trial.simulator.vault.user("zobrien").unwrap();
    let guide = dialect == Dialect::Guide;
    if trial.plan.kind == Kind::Mover {
        assert_eq!(trial.writes(), ["update_user", "add_member", "remove_member"], "{told}");
        assert_eq!(groups_of(&after), ["Linux Admins"], "{told}");
        assert_eq!(after["personalDetails"]["lastName"], "Meyer-O'Brien");
        assert_eq!(after["internet"]["businessEmail"], "meyer@example.com");
        assert_eq!(after["enableUser"], true);
    } else {
        let disable = if guide { "update_user" } else { "disable_user" };
        assert_eq!(trial.writes(), [disable, "remove_member", "remove_member"], "{told}");
        assert_eq!(groups_of(&after), [""; 0], "{told}");
        assert_eq!(after["enableUser"], false, "{told}");
    }
    if guide {
        // The guide's record has no room for the rest, so that writing it whole loses what nobody could read.
        assert_eq!(after["vaultAuthorization"], json!(["AuditUsers"]));
        assert_eq!((&after["location"], &after["description"]), (&json!("\\Users\\Ops"), &json!("by hand")));
    } else {
        assert_eq!(untouched(after), untouched(before), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mover_and_a_leaver_are_carried_out_in_both_dialects_without_being_told_which() {
    for dialect in [Dialect::Product, Dialect::Guide] {
        for kind in [Kind::Mover, Kind::Leaver] {
            let trial = trial(kind, dialect, auto()).await;
            let before = trial.simulator.vault.user("zobrien").unwrap();
            let (story, rest) = trial.run().await;
            assert_eq!(rest, Rest::Succeeded, "{story:#?}");
            assert_as_planned(&trial, before, dialect, &format!("{story:#?}"));
            if dialect == Dialect::Guide {
                // One refused form for all memberships, one for disabling.
                let others = story.iter().filter(|line| line.contains("other_form")).count();
                assert_eq!(others, if kind == Kind::Mover { 1 } else { 2 }, "{story:#?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pinned_forms_of_removing_and_disabling_need_no_second_attempt() {
    let guide = DialectSettings {
        group_member: GroupMember::NumericId,
        user_shape: UserShape::Flat,
        disable_with: DisableWith::Put,
        ..auto()
    };
    for (dialect, settings) in [
        (Dialect::Guide, guide),
        (Dialect::Product, DialectSettings { disable_with: DisableWith::Call, ..auto() }),
    ] {
        for kind in [Kind::Mover, Kind::Leaver] {
            let trial = trial(kind, dialect, settings).await;
            let (story, rest) = trial.run().await;
            assert_eq!((rest, story.len()), (Rest::Succeeded, trial.plan.steps.len()), "{story:#?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_one_fault_at_any_call_leaves_exactly_the_planned_writes() {
    let status = |status, moment| Effect::Status { status, body: None, retry_after: None, moment };
    let faults = [
        Effect::DropBefore,
        Effect::DropAfter,
        Effect::Html503,
        Effect::StaleToken,
        status(500, Moment::Before),
        status(500, Moment::After),
        status(504, Moment::After),
        status(429, Moment::Before),
    ];
    let reads = [("GET", "/Users/"), ("GET", "/Users?"), ("GET", "/UserGroups")];
    let places = |kind| match kind {
        Kind::Mover => {
            [&reads[..], &[("PUT", "/Users/"), ("POST", "/Members"), ("DELETE", "/Members")]].concat()
        }
        _ => [
            &reads[..2],
            &[("GET", "/safes"), ("POST", "/disable"), ("PUT", "/Users/"), ("DELETE", "/Members")],
        ]
        .concat(),
    };
    for dialect in [Dialect::Product, Dialect::Guide] {
        for kind in [Kind::Mover, Kind::Leaver] {
            for (method, path) in places(kind) {
                for fault in &faults {
                    let trial = trial(kind, dialect, auto()).await;
                    let before = trial.simulator.vault.user("zobrien").unwrap();
                    trial.simulator.vault.add_fault(Fault::on(method, path, 1, fault.clone()));
                    let (story, rest) = trial.run().await;
                    let told = format!("{method} {path} {fault:?} {story:#?}");
                    assert_eq!(rest, Rest::Succeeded, "{told}");
                    assert_as_planned(&trial, before, dialect, &told);
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_version_disables_by_the_whole_record_and_loses_nothing() {
    for offered in [DisableCall::Unknown, DisableCall::NotAllowed] {
        let trial = trial(Kind::Leaver, Dialect::Product, auto()).await;
        trial.simulator.vault.configure(|options| options.disable_call = offered);
        let before = trial.simulator.vault.user("zobrien").unwrap();
        let (story, rest) = trial.run().await;
        assert_eq!(rest, Rest::Succeeded, "{story:#?}");
        assert_eq!(trial.writes(), ["update_user", "remove_member", "remove_member"]);
        assert_eq!(untouched(trial.simulator.vault.user("zobrien").unwrap()), untouched(before));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn safes_that_may_not_be_listed_hold_no_leaver_up() {
    for (list, words) in [(SafeList::Forbidden, "403 PASWS041E"), (SafeList::Unknown, "404")] {
        let trial = trial(Kind::Leaver, Dialect::Product, auto()).await;
        trial.simulator.vault.configure(|options| options.safe_list = list);
        let (story, rest) = trial.run().await;
        assert_eq!(rest, Rest::Succeeded, "{story:#?}");
        assert!(story[1].contains("its safes cannot be listed") && story[1].contains(words), "{}", story[1]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_user_is_taken_out_of_groups_and_never_said_to_be_disabled() {
    let mut user = zoe();
    user["source"] = json!("LDAP");
    user["userDN"] = json!("CN=zoe");
    let mut trial = trial_of(&user, Kind::Leaver, Dialect::Product, auto()).await;
    trial.plan.account.as_mut().unwrap().source = UserSource::Directory;
    let (story, rest) = trial.run().await;
    let Rest::NeedsPerson(words) = rest else { panic!("{story:#?}") };
    assert!(words.contains("comes from a directory"), "{words}");
    assert_eq!(trial.writes(), [""; 0]);
    trial.plan.steps.remove(2);
    let (story, rest) = trial.run().await;
    assert_eq!(rest, Rest::Succeeded, "{story:#?}");
    assert_eq!(trial.writes(), ["remove_member", "remove_member"]);
    assert!(!story.last().unwrap().contains("disabled"), "{story:#?}");
    let (marks, by_hand) = ([mark()], PlannedStep::DisableInDirectory);
    let report = trial.vault.act(&call(&trial.plan, &by_hand, &marks)).await;
    assert_eq!((report.outcome, report.calls.len()), (crate::domain::step::Outcome::NeedsPerson, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_writes_at_the_same_moment_is_noticed() {
    let trial = trial(Kind::Mover, Dialect::Product, auto()).await;
    let changes = json!({ "phones": { "businessNumber": "2" } });
    let meanwhile = Effect::Meanwhile(Meanwhile::PatchUser { name: "zobrien".to_owned(), changes });
    // After our write, before it is read back: the third read of the record in this run.
    trial.simulator.vault.add_fault(Fault::on("GET", "/Users/", 1, meanwhile).from_nth(3));
    let (story, rest) = trial.run().await;
    let Rest::NeedsPerson(words) = rest else { panic!("{story:#?}") };
    assert!(words.contains("phones.businessNumber") && words.contains("somebody else"), "{words}");
    assert_eq!(trial.writes(), ["update_user"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_another_one_now_is_left_alone() {
    let turned = |changes: Value| async move {
        let trial = trial(Kind::Leaver, Dialect::Product, auto()).await;
        let id = trial.simulator.vault.id_of("zobrien").unwrap();
        trial.simulator.vault.patch_user(id, &changes).unwrap();
        trial
    };
    let renamed = turned(json!({ "username": "zmeyer" })).await;
    let directory = turned(json!({ "source": "LDAP" })).await;
    let component = turned(json!({ "componentUser": true })).await;
    let anew = turned(json!({})).await;
    anew.simulator.vault.remove_user(anew.simulator.vault.id_of("zobrien").unwrap()).unwrap();
    anew.simulator.vault.add_user(&json!({ "username": "zobrien" })).unwrap();
    for (trial, words) in [
        (renamed, "has another name than the approved one"),
        (directory, "was kept by the vault itself when this was approved and is kept by a directory now"),
        (component, "is a component of the vault"),
        (anew, "the approved account is number"),
    ] {
        let (story, rest) = trial.run().await;
        let Rest::NeedsPerson(told) = rest else { panic!("{story:#?}") };
        assert!(told.contains(words), "{told}");
        assert_eq!((trial.writes(), story.len()), (vec![], 1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_gone_has_no_access_left() {
    let trial = trial(Kind::Leaver, Dialect::Product, auto()).await;
    let vault = &trial.simulator.vault;
    vault.remove_user(vault.id_of("zobrien").unwrap()).unwrap();
    // Gone, or out of our sight: only the vault can tell.
    let ours = json!({ "username": "svc-countersign@example", "vaultAuthorization": ["AuditUsers"] });
    let missing = async |why: &str| {
        let (story, rest) = trial.run().await;
        let Rest::NeedsPerson(told) = rest else { panic!("{story:#?}") };
        assert!(told.contains("gone, or out of our sight") && told.contains(why), "{told}");
    };
    missing("does not show our own account").await;
    let id = vault.add_user(&ours).unwrap();
    vault.patch_user(id, &json!({ "location": "\\Applications" })).unwrap();
    missing("sees only its own location").await;
    vault.patch_user(id, &json!({ "location": "\\", "vaultAuthorization": ["AddUpdateUsers"] })).unwrap();
    missing("has no AuditUsers").await;
    vault.patch_user(id, &json!({ "vaultAuthorization": ["AuditUsers"] })).unwrap();
    let (story, rest) = trial.run().await;
    assert_eq!(rest, Rest::Succeeded, "{story:#?}");
    assert!(story.iter().all(|told| told.ends_with(GONE)), "{story:#?}");
    assert!(trial.writes().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_made_anew_or_left_meanwhile_is_not_removed_from() {
    let trial = trial(Kind::Leaver, Dialect::Product, auto()).await;
    let vault = &trial.simulator.vault;
    let (ops, linux) = (group_id(&trial, GROUPS[0]), group_id(&trial, GROUPS[1]));
    let id = vault.id_of("zobrien").unwrap();
    let anew = vault.recreate_group(ops).unwrap();
    vault.put_member(anew, id).unwrap();
    let left = Effect::Meanwhile(Meanwhile::TakeMember { group_id: linux, name: "zobrien".to_owned() });
    vault.add_fault(Fault::on("DELETE", "/Members", 1, left));
    let (story, rest) = trial.run().await;
    assert_eq!(rest, Rest::Succeeded, "{story:#?}");
    assert_eq!(trial.writes(), ["disable_user"]);
    assert!(story[4].contains("404 CAWS00003E"), "{story:#?}");
    assert_eq!(groups_of(&vault.user("zobrien").unwrap()), ["Ops-Readers"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_is_removed_by_a_number_that_is_a_name() {
    let settings = DialectSettings { group_member: GroupMember::NumericId, ..auto() };
    let trial = trial(Kind::Leaver, Dialect::Product, settings).await;
    let vault = &trial.simulator.vault;
    let id = vault.id_of("zobrien").unwrap();
    let other = vault.add_user(&json!({ "username": id.to_string(), "groups": ["Ops-Readers"] })).unwrap();
    let (story, rest) = trial.run().await;
    let Rest::NeedsPerson(told) = rest else { panic!("{story:#?}") };
    assert!(told.contains(&format!("user number {other} has the name {id}")), "{told}");
    assert_eq!(trial.writes(), ["disable_user"]);
    assert_eq!(groups_of(&vault.user(&id.to_string()).unwrap()), ["Ops-Readers"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_snapshot_finds_an_account_by_its_number_and_tells_its_groups_and_authorisations() {
    let trial = trial(Kind::Leaver, Dialect::Product, auto()).await;
    let vault = &trial.simulator.vault;
    let id = vault.id_of("zobrien").unwrap();
    vault.patch_user(id, &json!({ "username": "zmeyer" })).unwrap();
    let name = UserName::parse("ZOBRIEN").unwrap();
    let seen = |user_id| Subject { user_name: &name, user_id };
    let absent = trial.vault.snapshot(seen(None), Besides::Nothing).await.unwrap();
    assert_eq!(absent.user, crate::domain::snapshot::UserSeen::Absent);
    let found = trial.vault.snapshot(seen(Some(VaultUserId(id))), Besides::Nothing).await.unwrap();
    let crate::domain::snapshot::UserSeen::Present(user) = found.user else { panic!("not seen") };
    assert_eq!((user.id.0, user.user_name.as_str(), user.groups.unwrap().len()), (id, "zmeyer", 2));
    assert_eq!(user.authorizations, Some(vec!["AuditUsers".to_owned()]));
    vault.patch_user(id, &json!({ "username": "zobrien" })).unwrap();
    let by_name = trial.vault.snapshot(seen(Some(VaultUserId(1))), Besides::Nothing).await.unwrap();
    let crate::domain::snapshot::UserSeen::Present(user) = by_name.user else { panic!("not seen") };
    assert_eq!(user.id.0, id);
}
