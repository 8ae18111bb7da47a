//! An HR feed sends two hundred leavers in one minute, where a rule asks nobody about leavers.
//!
//! Must hold: the budget of the source goes at once, the rest of those who are known is held until two people have
//! released it; whoever is not known to own an account is asked about as ever; who is protected stays untouched; a
//! message that comes again makes nothing.

use std::collections::BTreeMap;

use countersign::service::Service;
use countersign::simulator::hr::{self, Leaver};
use countersign::simulator::mailbox::Mail;
use countersign::worker::{Did, Worker};
use futures_util::future::join;
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::an_operator_releases::{confirm, signed_in};
use crate::stage::{Stage, WEBHOOK_SECRET};

told_on_both! {
    two_hundred_leavers_in_one_minute_do_not_empty_the_vault
    two_replicas_share_the_budget_of_a_source
}

const KNOWN: usize = 12;
const BUDGET: usize = 5;
const STRANGERS: usize = 185;

fn leaver(person_ref: &str, username: Option<&str>) -> Leaver {
    let mut leaver = Leaver::example(&format!("LEAVE-{person_ref}"), person_ref, "2026-12-01");
    leaver.username = username.map(str::to_owned);
    leaver
}

/// The same stage, where nobody is asked about leavers within a budget.
async fn asking_nobody(mut stage: Stage) -> Stage {
    let people = "mail = [\"pam-team@example.com\"]\nmembers = [\"otto@example.com\", \"ana@example.com\"]";
    let edits = [
        (
            "[[rules]]\nname = \"joiners\"",
            "[[rules]]\nname = \"leavers\"\nkinds = [\"leaver\"]\napproval = \"none\"\n[[rules]]\nname = \"joiners\"",
        ),
        ("mail = [\"pam-team@example.com\"]", people),
        ("[[sources]]\nname = \"hr\"", "[[sources]]\nname = \"hr\"\nunapproved_leavers_per_hour = 5"),
    ];
    stage.choices.edits.extend(edits.map(|(this, by)| (this.to_owned(), by.to_owned())));
    stage.restart().await
}

/// People whose accounts were made by this service, so that it knows whose they are.
async fn hired(stage: &Stage, number: usize) {
    let mut joiner = stage.joiner();
    joiner.source_ref = format!("HIRE-{number}");
    joiner.person_ref = format!("K{number:04}");
    joiner.username = format!("known{number}");
    let workflow = stage.approved_as(&joiner).await;
    assert_eq!(stage.rest(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
}

fn enabled(stage: &Stage, name: &str) -> bool {
    stage.simulator.vault.user(name).unwrap()["enableUser"] == true
}

/// What HR sends.
fn wave() -> Vec<Leaver> {
    let mut wave: Vec<Leaver> = (0..KNOWN).map(|number| leaver(&format!("K{number:04}"), None)).collect();
    wave.extend(
        (0..STRANGERS).map(|number| leaver(&format!("S{number:04}"), Some(&format!("stranger{number}")))),
    );
    wave.push(leaver("B0001", Some("breakglass1")));
    wave.push(leaver("B0002", Some("svc-countersign@cyberark.cloud.1234")));
    // Somebody whose account is known is named with an account that is not theirs.
    wave.push(Leaver { source_ref: "LEAVE-AGAIN".to_owned(), ..leaver("K0000", Some("breakglass1")) });
    wave
}

/// How many of those who are known can no longer log on.
fn gone(stage: &Stage) -> usize {
    (0..KNOWN).filter(|number| !enabled(stage, &format!("known{number}"))).count()
}

/// Where the leavers stand, and how many of them.
async fn states(stage: &Stage) -> BTreeMap<String, usize> {
    let question = "select state || ' ' || coalesce(stalled, '') from workflows where kind = 'leaver'";
    let mut states = BTreeMap::new();
    for state in stage.database.texts(stage.folder.path(), question).await {
        *states.entry(state.trim().to_owned()).or_default() += 1;
    }
    states
}

async fn two_hundred_leavers_in_one_minute_do_not_empty_the_vault(stage: Stage) {
    let stage = asking_nobody(stage).await;
    for number in 0..KNOWN {
        hired(&stage, number).await;
    }
    let vault = &stage.simulator.vault;
    for name in (0..STRANGERS).map(|number| format!("stranger{number}")).chain(["breakglass1".to_owned()]) {
        vault.add_user(&json!({ "username": name })).unwrap();
    }
    let wave = wave();
    assert_eq!(wave.len(), 200);

    let writes = vault.journal().len();
    let sent = stage.clock.read().timestamp();
    let mut workflows = Vec::new();
    for one in &wave {
        let answer = stage.post(&format!("msg_{}", one.source_ref), &one.bytes()).await;
        assert_eq!(answer.status, 202, "{}", answer.body);
        workflows.push(answer.workflow());
    }
    // The whole wave once more: the same messages, and one of them under a name that its signature does not cover.
    for one in wave.iter().take(20) {
        assert_eq!(stage.post(&format!("msg_{}", one.source_ref), &one.bytes()).await.status, 200);
    }
    let body = wave[0].bytes();
    let secret = SecretString::from(WEBHOOK_SECRET);
    let signature = hr::sign(&secret, &format!("msg_{}", wave[0].source_ref), sent, &body).unwrap();
    let posted = stage.browser.post(format!("{}/webhooks/hr", stage.url)).body(body);
    let posted = posted.header("content-type", "application/json").header("webhook-id", "msg_new");
    let posted = posted.header("webhook-timestamp", sent.to_string()).header("webhook-signature", signature);
    assert_eq!(posted.send().await.unwrap().status(), 401);
    assert_eq!(stage.count("select count(*) from workflows").await, 200 + 12);
    assert!(stage.clock.read().timestamp() - sent < 60, "all of it within one minute");
    stage.settle().await;

    // The budget has gone, and nobody else.
    assert_eq!(gone(&stage), BUDGET);
    let written: Vec<String> =
        vault.journal()[writes..].iter().filter_map(|entry| entry.user_name.clone()).collect();
    assert!(written.iter().all(|name| name.starts_with("known")), "{written:?}");
    assert!((0..STRANGERS).all(|number| enabled(&stage, &format!("stranger{number}"))));
    assert!(enabled(&stage, "breakglass1"));
    let wanted = [
        ("needs_attention held", KNOWN - BUDGET),
        // The break-glass account, our own, and the one that is not theirs.
        ("needs_attention planning", 3),
        ("pending_approval", STRANGERS),
        ("succeeded", BUDGET),
    ];
    assert_eq!(states(&stage).await, wanted.map(|(state, count)| (state.to_owned(), count)).into());
    the_operators_are_alarmed(&stage);
    // Each request for one of the protected accounts has its own alarm, which says why.
    for (one, why) in workflows[KNOWN + STRANGERS..].iter().zip([
        "the user name breakglass1 is protected by the settings",
        "the user name svc-countersign@cyberark.cloud.1234 is this service's own account",
        "the user name breakglass1 is protected by the settings",
    ]) {
        stage.is_told_as_protected(one, why).await;
    }

    a_part_is_released_by_two(&stage).await;
}

/// Once about the batch, with the way to it, and once about each account that nobody may touch.
fn the_operators_are_alarmed(stage: &Stage) {
    let mails = stage.simulator.mailbox.mails_to("pam-team@example.com");
    let about = |words: &str| -> Vec<&Mail> {
        let told = |mail: &&Mail| mail.text.as_ref().is_some_and(|text| text.contains(words));
        mails.iter().filter(|mail| mail.subject.starts_with("Alarm: ")).filter(told).collect()
    };
    let of_batch = about("the source hr sends more leavers than its budget of 5 an hour");
    let [alarm] = of_batch.as_slice() else { panic!("{} alarms about the batch", of_batch.len()) };
    let text = alarm.text.as_ref().unwrap();
    assert!(text.contains("held in batch ") && text.contains("two people release or reject them"), "{text}");
    assert!(!text.contains("workflow retry"), "no single person sends it on: {text}");
    assert_eq!(alarm.links(), [format!("{}/held", stage.origin())]);
    let html = alarm.html.as_ref().unwrap();
    assert!(html.contains(&format!("href=\"{}/held\"", stage.origin())), "{html}");
    let untouchable = "a request for an account that nobody may touch was refused: the user name ";
    for name in ["breakglass1", "svc-countersign@cyberark"] {
        assert!(!about(&format!("{untouchable}{name}")).is_empty(), "{name}");
    }
    let pages = format!("{}/workflows/", stage.origin());
    let leads = |mail: &&Mail| mail.links().iter().all(|link| link.starts_with(&pages));
    assert!(about(untouchable).iter().all(leads));
}

/// Two people release a part of what is held.
async fn a_part_is_released_by_two(stage: &Stage) {
    let batch = stage.database.texts(stage.folder.path(), &id_of(stage, "batches", "")).await;
    assert_eq!(batch.len(), 1, "one batch");
    let held = stage.database.texts(stage.folder.path(), &held_ids(stage)).await;
    assert_eq!(held.len(), KNOWN - BUDGET);
    let words =
        ["held", "release", &batch[0], &held[0], &held[1], "--reason", "HR says that these are right"];
    assert!(stage.command_as(&words, "ana@example.com").await.status.success());
    let again = stage.command_as(&words, "ana@example.com").await;
    assert!(!again.status.success(), "the same person twice is one person");
    stage.settle().await;
    assert_eq!(gone(stage), BUDGET);
    let otto = signed_in(stage, "otto@example.com").await;
    let page = format!("{}/held/{}", stage.url, batch[0]);
    assert_eq!(confirm(&otto, &page).await.status, 303);
    for workflow in &held[..2] {
        assert_eq!(stage.rest(workflow).await, "succeeded", "{}", stage.reason(workflow).await);
    }
    assert_eq!(gone(stage), BUDGET + 2);
    for workflow in &held[2..] {
        assert_eq!(stage.state(workflow).await, "needs_attention");
    }
    let trail: Vec<Value> = stage.trail(&held[0]).await;
    let told = serde_json::to_string(&trail).unwrap();
    assert!(told.contains("ana@example.com") && told.contains("otto@example.com"), "the trail names both");
    stage.check_proof(&[held[0].clone()]).await;
}

fn planner(service: &Service) -> &dyn Worker {
    service.workers().iter().find(|worker| worker.name() == "planner").unwrap().as_ref()
}

/// HR posts to two services at once, and both plan at once.
async fn two_replicas_share_the_budget_of_a_source(stage: Stage) {
    let stage = asking_nobody(stage).await;
    for number in 0..KNOWN {
        hired(&stage, number).await;
    }
    let (other, url) = stage.second().await;
    let mut leavers = Vec::new();
    for number in (0..KNOWN).step_by(2) {
        let (here, there) = (format!("K{number:04}"), format!("K{:04}", number + 1));
        let (one, two) = (leaver(&here, None), leaver(&there, None));
        let (one, two) = (one.bytes(), two.bytes());
        let (name, other_name) = (format!("msg_{here}"), format!("msg_{there}"));
        let (one, two) = join(stage.post(&name, &one), stage.post_to(&url, &other_name, &two)).await;
        assert_eq!((one.status, two.status), (202, 202), "{} {}", one.body, two.body);
        leavers.extend([one.workflow(), two.workflow()]);
    }
    let (one, two) = (planner(&stage.service), planner(&other));
    while let (Ok(Did::Work(_)), _) | (_, Ok(Did::Work(_))) = join(one.turn(), two.turn()).await {}
    stage.settle().await;
    let wanted = [("needs_attention held", KNOWN - BUDGET), ("succeeded", BUDGET)];
    assert_eq!(states(&stage).await, wanted.map(|(state, count)| (state.to_owned(), count)).into());
    assert_eq!(gone(&stage), BUDGET);
    let batches = stage.count("select count(distinct batch_id) from held_leavers").await;
    assert_eq!((batches, stage.count("select count(*) from batches").await), (1, 1));
    stage.check_proof(&leavers).await;
}

/// Ids as the API spells them.
fn id_of(stage: &Stage, table: &str, which: &str) -> String {
    column(stage, "id", table, which)
}

fn held_ids(stage: &Stage) -> String {
    column(stage, "workflow_id", "held_leavers", "where state = 'held'")
}

fn column(stage: &Stage, name: &str, table: &str, which: &str) -> String {
    match stage.database {
        crate::stage::Database::Sqlite => format!(
            "select lower(substr(hex({name}), 1, 8) || '-' || substr(hex({name}), 9, 4) || '-' || \
             substr(hex({name}), 13, 4) || '-' || substr(hex({name}), 17, 4) || '-' || \
             substr(hex({name}), 21)) from {table} {which} order by {name}"
        ),
        crate::stage::Database::Postgres { .. } => {
            format!("select {name}::text from {table} {which} order by {name}")
        }
    }
}
