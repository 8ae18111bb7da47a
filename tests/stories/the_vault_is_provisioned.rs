//! The run: what is written into the vault, in which order, and how the trail tells it.

use chrono::TimeDelta;
use countersign::domain::ids::WorkflowId;
use countersign::key::Purpose;
use countersign::simulator::chance::Chance;
use countersign::store::reveals::RevealPassword;
use serde_json::json;

use crate::stage::{Choices, Database, Dialect, Stage, olga};

told_of_both_products! {
    an_approved_joiner_is_carried_out_and_verified
    execution_waits_for_the_effective_day
    the_person_is_linked_to_the_account
    the_password_is_sealed_and_shown_once
    a_service_that_starts_again_remembers_the_run
    what_the_settings_no_longer_allow_is_not_carried_out
}

async fn an_approved_joiner_is_carried_out_and_verified(stage: Stage) {
    let workflow = stage.hire_and_approve().await;
    assert_eq!(stage.state(&workflow).await, "succeeded");
    // In the product's dialect a new user must change the password anyway, so no PUT is needed.
    assert_eq!(stage.writes(), ["create_user", "add_member", "add_member"]);
    let user = stage.simulator.vault.user("zobrien").unwrap();
    assert_eq!(user["personalDetails"]["lastName"], "O'Brien");
    assert_eq!(user["changePassOnNextLogon"], true);
    stage.check(&workflow).await;
}

async fn execution_waits_for_the_effective_day(stage: Stage) {
    let mut joiner = stage.joiner();
    "2026-12-03".clone_into(&mut joiner.effective_at);
    let workflow = stage.hire_as(&joiner).await;
    stage.settle().await;
    assert_eq!(stage.decide(&stage.link("ana@example.com"), "approve", "").await.status, 303);
    stage.settle().await;
    assert_eq!(stage.state(&workflow).await, "approved");
    // The day begins in Berlin at 23:00 UTC; the story began on 1 December at 08:00.
    stage.later(TimeDelta::hours(38)).await;
    assert_eq!((stage.state(&workflow).await.as_str(), stage.writes().len()), ("approved", 0));
    stage.later(TimeDelta::hours(1)).await;
    assert_eq!(stage.state(&workflow).await, "succeeded");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_guides_dialect_is_found_out() {
    let choices = Choices { dialect: Dialect::GuideAuto, ..Choices::default() };
    let stage = Stage::with(Database::sqlite(), choices).await;
    let workflow = stage.hire_and_approve().await;
    assert_eq!(stage.state(&workflow).await, "succeeded");
    assert_eq!(stage.writes(), ["create_user", "add_member", "add_member", "update_user"]);
    // The name is refused once; from then on the number is sent, for every further group as well.
    assert_eq!(stage.outcomes(&workflow, "add_to_group").await, ["other_form", "done", "done"]);
    stage.check(&workflow).await;
}

/// Names that are near one another, so that a careless comparison mixes them up.
const GROUPS: [&str; 10] = [
    "Ops",
    "Ops-Readers",
    "ops-readers-2",
    "Linux Admins",
    "Linux Admins (old)",
    "DBA & Co",
    "Größe",
    "Vault-Users",
    "100%",
    "Safe+Owners",
];

/// A set of groups that follows from the seed: none to eight, in any order.
fn drawn(chance: &mut Chance) -> Vec<String> {
    let mut pool = GROUPS.map(str::to_owned).to_vec();
    let wanted = usize::try_from(chance.draw() % 9).unwrap();
    let mut groups = vec![];
    while groups.len() < wanted {
        let place = usize::try_from(chance.draw()).unwrap() % pool.len();
        groups.push(pool.swap_remove(place));
    }
    groups
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_journal_is_what_the_ledger_calls_done_whatever_the_ids_and_groups() {
    for dialect in [Dialect::Product, Dialect::GuideAuto, Dialect::GuidePinned] {
        for seed in [11, 12, 13, 14] {
            let mut chance = Chance::seeded(seed);
            let groups = drawn(&mut chance);
            let choices =
                Choices { dialect, seed: chance.draw(), groups: groups.clone(), ..Choices::default() };
            let stage = Stage::with(Database::sqlite(), choices).await;
            // Groups that nobody asked for stand beside.
            for other in GROUPS.iter().filter(|name| !groups.contains(&(**name).to_owned())) {
                stage.simulator.vault.add_group(other).unwrap();
            }
            let workflow = stage.hire_and_approve().await;
            assert_eq!(stage.state(&workflow).await, "succeeded", "{dialect:?} {groups:?}");
            stage.check(&workflow).await;
            let journal = stage.simulator.vault.journal();
            let joined: Vec<String> = journal
                .iter()
                .filter(|entry| entry.what == "add_member")
                .map(|e| e.group_name.clone().unwrap())
                .collect();
            assert_eq!(joined, groups, "in the order of the plan");
            let put = usize::from(dialect != Dialect::Product);
            assert_eq!(journal.len(), 1 + groups.len() + put, "{dialect:?}: {journal:#?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_trail_tells_each_step_and_its_calls() {
    let choices = Choices { dialect: Dialect::GuidePinned, ..Choices::default() };
    let stage = Stage::with(Database::sqlite(), choices).await;
    let workflow = stage.hire_and_approve().await;
    let id = stage.simulator.vault.id_of("zobrien").unwrap();
    let vault = stage.simulator.vault.state();
    let group = |name: &str| {
        let groups = vault["groups"].as_array().unwrap();
        groups.iter().find(|group| group["groupName"] == name).unwrap()["id"].as_i64().unwrap()
    };
    let writes = |step: &str| match step {
        "create_user" => vec!["POST Users 201".to_owned()],
        "require_password_change" => vec![format!("PUT Users/{id} 200")],
        _ => vec![],
    };
    let attempts = stage.attempts(&workflow).await;
    let steps: Vec<&str> = attempts.iter().map(|attempt| attempt.step.as_str()).collect();
    let mut wanted = vec!["find_user", "create_user", "capture_user_id", "add_to_group", "add_to_group"];
    wanted.extend(["require_password_change", "verify_user"]);
    assert_eq!(steps, wanted);
    for (place, attempt) in attempts.iter().enumerate() {
        assert_eq!((attempt.number, attempt.outcome.as_str()), (i64::try_from(place).unwrap(), "done"));
        let sent: Vec<String> =
            attempt.calls.iter().filter(|call| !call.starts_with("GET ")).cloned().collect();
        match place {
            3 => assert_eq!(sent, [format!("POST UserGroups/{}/Members 201", group("Ops-Readers"))]),
            4 => assert_eq!(sent, [format!("POST UserGroups/{}/Members 201", group("Linux Admins"))]),
            _ => assert_eq!(sent, writes(&attempt.step)),
        }
    }
    // The number is told where it is learnt, and the last word is a read of it.
    assert!(attempts[2].words.contains(&id.to_string()));
    assert!(attempts[6].calls.contains(&format!("GET Users/{id} 200")));
    let kinds: Vec<String> =
        stage.trail(&workflow).await.iter().map(|event| event["kind"].as_str().unwrap().to_owned()).collect();
    let place =
        |kind: &str| kinds.iter().position(|seen| seen == kind).unwrap_or_else(|| panic!("no {kind}"));
    assert!(place("decision.recorded") < place("workflow.approved"));
    assert!(place("workflow.approved") < place("workflow.started"));
    assert!(place("credential.sealed") < place("person.linked"));
    assert_eq!(kinds[kinds.len() - 2..], ["workflow.succeeded", "credential.offered"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn done_is_said_only_after_a_read_that_shows_it() {
    for changes in [
        json!({ "enableUser": false }),
        json!({ "changePassOnNextLogon": false }),
        json!({ "location": "\\Users" }),
        json!({ "description": "somebody else's" }),
        json!({ "personalDetails": { "lastName": "Other" } }),
    ] {
        let stage = Stage::with(Database::sqlite(), Choices { groups: vec![], ..Choices::default() }).await;
        let workflow = stage.approved().await;
        // Reads of the one user: after the create, to capture, whether a password change is asked for, to verify.
        let edit =
            countersign::simulator::faults::Meanwhile::PatchUser { name: "zobrien".to_owned(), changes };
        let effect = countersign::simulator::faults::Effect::Meanwhile(edit);
        let fault =
            countersign::simulator::faults::Fault::on("GET", "/Users/", 1, effect.clone()).from_nth(4);
        stage.simulator.vault.add_fault(fault);
        assert_eq!(stage.rest(&workflow).await, "needs_attention", "{effect:?}");
        assert!(stage.reason(&workflow).await.contains("is not yet as approved"));
        stage.check(&workflow).await;
    }
}

async fn the_person_is_linked_to_the_account(stage: Stage) {
    let workflow = stage.hire_and_approve().await;
    let id = stage.simulator.vault.id_of("zobrien").unwrap();
    let trail = stage.trail(&workflow).await;
    let linked = trail.iter().find(|event| event["kind"] == "person.linked").unwrap();
    assert_eq!(linked["facts"]["user_id"], id);
    assert_eq!(linked["personal"], json!({ "person_ref": "E10442", "user_name": "zobrien" }));
    // So the same person gets no second account, under whatever name.
    let mut again = stage.joiner();
    "RITM0010009:1".clone_into(&mut again.source_ref);
    "zobrien9".clone_into(&mut again.username);
    let again = stage.hire_as(&again).await;
    assert_eq!(stage.rest(&again).await, "needs_attention");
    assert!(stage.reason(&again).await.contains(&format!("zobrien with number {id}")));
    assert_eq!(stage.writes(), ["create_user", "add_member", "add_member"]);
}

async fn the_password_is_sealed_and_shown_once(stage: Stage) {
    let workflow = stage.hire_and_approve().await;
    let kit = &stage.service.kit;
    let reveal = || RevealPassword {
        stamp: kit.world.stamp(),
        workflow: WorkflowId::parse(&workflow).unwrap(),
        by: olga(),
        reason: "handed over by telephone".to_owned(),
    };
    let sealed = kit.store.write(reveal()).await.unwrap();
    let clear = kit.keys.open(Purpose::InitialPassword, sealed.id.0, &sealed.bytes).unwrap();
    let clear = String::from_utf8(clear.to_vec()).unwrap();
    let id = stage.simulator.vault.id_of("zobrien").unwrap();
    assert!(stage.simulator.vault.password_is(id, &clear));
    assert!((20..=32).contains(&clear.len()));
    assert!(kit.store.write(reveal()).await.is_err(), "it is shown once");
    for file in ["story.db", "story.db-wal"] {
        let bytes = std::fs::read(stage.folder.path().join(file)).unwrap_or_default();
        assert!(
            !bytes.windows(clear.len()).any(|window| window == clear.as_bytes()),
            "{file} holds the password"
        );
    }
    let told = serde_json::to_string(&stage.trail(&workflow).await).unwrap();
    assert!(!told.contains(&clear) && told.contains("credential.revealed"));
    let mails = stage.simulator.mailbox.mails();
    assert!(mails.iter().all(|mail| !mail.everything().contains(&clear)));
}

async fn a_service_that_starts_again_remembers_the_run(stage: Stage) {
    let workflow = stage.approved().await;
    let stage = stage.restart().await;
    assert_eq!(stage.rest(&workflow).await, "succeeded");
    let stage = stage.restart().await;
    stage.settle().await;
    assert_eq!(stage.writes(), ["create_user", "add_member", "add_member"]);
    stage.check(&workflow).await;
}

async fn what_the_settings_no_longer_allow_is_not_carried_out(mut stage: Stage) {
    let workflow = stage.approved().await;
    let (before, after) = ("\"breakglass*\"]", "\"breakglass*\", \"ZO*\"]");
    stage.choices.edits.push((before.to_owned(), after.to_owned()));
    let mut stage = stage.restart().await;
    assert_eq!(stage.rest(&workflow).await, "needs_attention");
    assert!(stage.writes().is_empty());
    assert_eq!(stage.retry(&workflow).await, "needs_attention");
    assert!(stage.writes().is_empty());
    stage.choices.edits.clear();
    let stage = stage.restart().await;
    assert_eq!(stage.retry(&workflow).await, "succeeded");
    stage.check(&workflow).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_texts_are_cut_to_what_the_vault_takes() {
    let stage = Stage::with(Database::sqlite(), Choices { groups: vec![], ..Choices::default() }).await;
    let mut joiner = stage.joiner();
    joiner.first_name = "Zoë".repeat(15);
    joiner.last_name = "O'Brien-".repeat(6);
    let words = "Joins the operations desk in Dublin and takes over the night shift from the second week on";
    joiner.account = Some(json!({ "description": words, "expires_at": "2027-06-30T12:00:00Z" }));
    let workflow = stage.hire_as(&joiner).await;
    stage.settle().await;
    // Our mark stands before the words, and takes its share of the 99 characters; the page says what is left of them.
    let kept: String = words.chars().take(99 - 36).collect();
    let page = stage.open(&stage.link("ana@example.com")).await.body;
    assert!(page.contains("takes 63 characters beside our mark"), "{page}");
    assert!(page.contains(&format!("Kept: \u{201c}{kept}\u{201d}")), "{page}");
    assert_eq!(stage.decide(&stage.link("ana@example.com"), "approve", "").await.status, 303);
    assert_eq!(stage.rest(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    let user = stage.simulator.vault.user("zobrien").unwrap();
    let person = &user["personalDetails"];
    assert_eq!(person["firstName"], joiner.first_name.chars().take(29).collect::<String>());
    assert_eq!(person["lastName"], joiner.last_name.chars().take(29).collect::<String>());
    assert_eq!(user["expiryDate"], 1_814_356_800);
    let trail = stage.trail(&workflow).await;
    let begun = trail
        .iter()
        .find(|event| event["kind"] == "step.begun" && event["facts"]["step"] == "create_user")
        .unwrap();
    let mark = format!("cs-{}", begun["facts"]["attempt"].as_str().unwrap().replace('-', ""));
    assert_eq!(user["description"], format!("{mark} {kept}").trim_end());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vault_without_descriptions_says_what_is_left_out() {
    let choices = Choices { keeps_description: false, groups: vec![], ..Choices::default() };
    let stage = Stage::with(Database::sqlite(), choices).await;
    let mut joiner = stage.joiner();
    joiner.account = Some(json!({ "description": "Night shift" }));
    let workflow = stage.hire_as(&joiner).await;
    stage.settle().await;
    let page = stage.open(&stage.link("ana@example.com")).await.body;
    let left_out = "The vault keeps no description, so this is left out: \u{201c}Night shift\u{201d}.";
    assert!(page.contains(left_out), "{page}");
    assert_eq!(page.matches("Night shift").count(), 1, "it is told nowhere as what will be: {page}");
    assert_eq!(stage.decide(&stage.link("ana@example.com"), "approve", "").await.status, 303);
    assert_eq!(stage.rest(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    stage.check(&workflow).await;
}
