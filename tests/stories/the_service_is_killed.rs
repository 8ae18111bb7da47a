//! The service is killed, or its disk is full, or it is asked to go: nothing that was promised is lost.
//!
//! Must hold: every 202 has its row, counted from outside; every other row belongs to a post that got no answer, and
//! repeating that post finds it; a step whose outcome nobody recorded is looked up before anything is repeated.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use countersign::clock::World;
use countersign::simulator::faults::{Effect, Fault, Moment};
use countersign::simulator::hr::{self, HrError, Joiner};
use secrecy::SecretString;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::stage::{Choices, Database, Dialect, Outside, Stage, WEBHOOK_SECRET, command, until};

told_on_both! {
    a_dead_executor_is_followed_by_one_that_looks_first
}

begun_on_both! {
    a_killed_service_has_kept_what_it_accepted
}

/// Joiner number so-and-so: nobody like the others.
fn joiner(number: u32) -> Joiner {
    let (event, person) = (format!("KILL:{number}"), format!("E3{number:05}"));
    let mut joiner = Joiner::example(&event, &person, "2026-12-01");
    joiner.username = format!("killed{number}");
    joiner
}

/// Posts as HR does, signed at this moment.
async fn post(url: &str, joiner: &Joiner) -> Result<hr::Answer, HrError> {
    let url = format!("{url}/webhooks/hr");
    let id = format!("msg_{}", joiner.source_ref);
    let now = World::real().now().unix_seconds();
    hr::post(&url, &SecretString::from(WEBHOOK_SECRET), &id, now, joiner.bytes()).await
}

fn workflow_of(answer: &hr::Answer) -> String {
    let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    body["workflow_id"].as_str().unwrap().to_owned()
}

async fn a_killed_service_has_kept_what_it_accepted(database: Database) {
    let outside = Outside::begin(database).await;
    let (next, mut accepted, mut unanswered) =
        (Arc::new(AtomicU32::new(0)), BTreeMap::new(), BTreeSet::new());
    for round in 0..3 {
        let mut process = outside.serve(&format!("killed{round}")).await;
        let answers = Arc::new(AtomicU32::new(0));
        let senders: Vec<_> = (0..6)
            .map(|_| {
                let (next, answers, url) = (Arc::clone(&next), Arc::clone(&answers), process.url.clone());
                tokio::spawn(async move {
                    let mut mine = Vec::new();
                    loop {
                        let number = next.fetch_add(1, Ordering::SeqCst);
                        let answer = post(&url, &joiner(number)).await.ok();
                        answers.fetch_add(1, Ordering::SeqCst);
                        let over = answer.is_none();
                        mine.push((number, answer));
                        if over {
                            return mine;
                        }
                    }
                })
            })
            .collect();
        let wanted = 40 + 7 * round;
        until("enough answers", async || (answers.load(Ordering::SeqCst) >= wanted).then_some(())).await;
        process.kill();
        for sender in senders {
            for (number, answer) in sender.await.unwrap() {
                match answer {
                    Some(answer) => {
                        assert_eq!(answer.status, 202, "{}", answer.body);
                        accepted.insert(number, workflow_of(&answer));
                    }
                    None => assert!(unanswered.insert(number)),
                }
            }
        }
        let refs = "select source_ref from workflows";
        let rows = outside.database.texts(outside.folder.path(), refs).await;
        let rows: BTreeSet<u32> = rows.iter().map(|name| name[5..].parse().unwrap()).collect();
        let promised: BTreeSet<u32> = accepted.keys().copied().collect();
        assert!(promised.is_subset(&rows), "accepted and lost: {:?}", promised.difference(&rows));
        let surplus: BTreeSet<u32> = rows.difference(&promised).copied().collect();
        assert!(surplus.is_subset(&unanswered), "{surplus:?} are nobody's; unanswered: {unanswered:?}");
        let accepted_rows = "select count(*) from deliveries where state = 'accepted'";
        assert_eq!(outside.count(accepted_rows).await, i64::try_from(rows.len()).unwrap());
        let torn = "select count(*) from workflows w where not exists
            (select 1 from audit_events e where e.chain = w.id and e.kind = 'workflow.received')";
        assert_eq!(outside.count(torn).await, 0);

        // Started again: a repeat of each unanswered post is answered, and finds its row if it has one.
        let process = outside.serve(&format!("again{round}")).await;
        for number in std::mem::take(&mut unanswered) {
            let answer = post(&process.url, &joiner(number)).await.unwrap();
            assert_eq!(answer.status, if surplus.contains(&number) { 200 } else { 202 });
            accepted.insert(number, workflow_of(&answer));
        }
        let sample: Vec<_> = accepted.iter().step_by(9).collect();
        for (number, workflow) in sample {
            let answer = post(&process.url, &joiner(*number)).await.unwrap();
            assert_eq!((answer.status, &workflow_of(&answer)), (200, workflow));
        }
    }
    let distinct: BTreeSet<&String> = accepted.values().collect();
    assert_eq!(distinct.len(), accepted.len());
    let workflows = outside.count("select count(*) from workflows").await;
    assert_eq!(workflows, i64::try_from(accepted.len()).unwrap());
    the_trail_is_whole(&outside).await;
}

async fn the_trail_is_whole(outside: &Outside) {
    let settings = outside.settings_file("verify.toml", "127.0.0.1:1");
    let verified = command(&["audit", "verify"], &settings).await;
    assert!(verified.status.success(), "{verified:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_told_and_nothing_is_promised_on_it() {
    let mut outside = Outside::begin(Database::sqlite()).await;
    let mut process = outside.serve("roomy").await;
    process.terminate();
    assert_eq!(process.ended().await.code(), Some(0));
    let pages = outside.count("select page_count from pragma_page_count").await;
    let limit = format!("sqlite_max_pages = {}\n[secrets]", pages + 150);
    outside.choices.edits = vec![("[secrets]".to_owned(), limit)];
    let mut process = outside.serve("full").await;
    let (mut accepted, mut refused) = (BTreeMap::new(), Vec::new());
    let mut number = 0;
    while refused.len() < 20 {
        assert!(number < 2_000, "the disk does not fill");
        let mut one = joiner(number);
        // Long and short ones in turn, so that some find room where others do not.
        one.reason = "because ".repeat(if number % 2 == 0 { 200 } else { 1 });
        let answer = post(&process.url, &one).await.unwrap();
        match answer.status {
            202 => drop(accepted.insert(number, (one, workflow_of(&answer)))),
            503 => refused.push(one),
            other => panic!("{other}: {}", answer.body),
        }
        let rows = outside.count("select count(*) from workflows").await;
        assert_eq!(rows, i64::try_from(accepted.len()).unwrap(), "after post {number}");
        number += 1;
    }
    assert!(accepted.len() > 5, "the disk was full from the beginning");
    for table in ["deliveries", "workflows"] {
        let rows = outside.count(&format!("select count(*) from {table}")).await;
        assert_eq!(rows, i64::try_from(accepted.len()).unwrap(), "{table}");
    }
    // It is told, and the service goes on.
    let browser = reqwest::Client::builder().timeout(Duration::from_secs(5)).build().unwrap();
    let asked = async |path: &str| browser.get(format!("{}{path}", process.url)).send().await.unwrap();
    assert_eq!(asked("/healthz").await.status(), 200);
    let ready = asked("/readyz").await;
    assert_eq!(ready.status(), 503);
    assert!(ready.text().await.unwrap().contains("disk"));
    process.kill();

    outside.choices.edits.clear();
    let mut process = outside.serve("roomy again").await;
    for (one, workflow) in accepted.values() {
        let answer = post(&process.url, one).await.unwrap();
        assert_eq!((answer.status, &workflow_of(&answer)), (200, workflow));
    }
    for one in &refused {
        assert_eq!(post(&process.url, one).await.unwrap().status, 202);
    }
    let all = i64::try_from(accepted.len() + refused.len()).unwrap();
    until("a plan for everybody", async || {
        let planned = "select count(*) from workflows where state = 'pending_approval'";
        (outside.count(planned).await == all).then_some(())
    })
    .await;
    process.terminate();
    assert_eq!(process.ended().await.code(), Some(0));
    the_trail_is_whole(&outside).await;
}

/// The writing steps of the usual joiner in the guide's dialect: method, part of the path, which of them.
const WRITES: [(&str, &str, u64, &str); 4] = [
    ("POST", "/Users", 1, "create_user"),
    ("POST", "/members", 1, "add_to_group"),
    ("POST", "/members", 2, "add_to_group"),
    ("PUT", "/Users/", 1, "require_password_change"),
];

async fn a_dead_executor_is_followed_by_one_that_looks_first(stage: Stage) {
    let database = stage.database.clone();
    drop(stage);
    for (place, write) in WRITES.into_iter().enumerate() {
        let choices = Choices { dialect: Dialect::GuidePinned, ..Choices::default() };
        let stage = Stage::with(database.another(), choices).await;
        Box::pin(die_after(stage, place, write)).await;
    }
}

async fn die_after(stage: Stage, place: usize, write: (&str, &str, u64, &str)) {
    let (method, path, nth, step) = write;
    let workflow = stage.hire().await;
    stage.settle().await;
    assert_eq!(stage.decide(&stage.link("ana@example.com"), "approve", "").await.status, 303);
    let slow = Effect::Delay { millis: 25_000, moment: Moment::After };
    stage.simulator.vault.add_fault(Fault::on(method, path, 1, slow).from_nth(nth));
    let executor = stage.service.workers().iter().find(|worker| worker.name() == "executor").cloned();
    let executor = executor.unwrap();
    let turn =
        tokio::spawn(async move { executor.turn().await.map(drop).map_err(|fault| fault.to_string()) });
    until("the write", async || (stage.writes().len() == place + 1).then_some(())).await;
    assert!(!turn.is_finished(), "{step}: the answer was not awaited");
    turn.abort();
    assert!(turn.await.unwrap_err().is_cancelled());
    let stage = stage.restart().await;
    // Somebody else's lease is not broken into.
    stage.settle().await;
    assert_eq!((stage.writes().len(), stage.state(&workflow).await.as_str()), (place + 1, "running"));
    stage.later(TimeDelta::seconds(61)).await;
    assert_eq!(stage.state(&workflow).await, "succeeded", "{step}");
    assert_eq!(stage.writes(), ["create_user", "add_member", "add_member", "update_user"], "{step}");
    let vault = stage.simulator.vault.state();
    let named = vault["users"].as_array().unwrap().iter().filter(|user| user["username"] == "zobrien");
    assert_eq!(named.count(), 1);
    let user = stage.simulator.vault.user("zobrien").unwrap();
    assert_eq!(user["changePassOnNextLogon"], true);
    assert_eq!(user["groupsMembership"].as_array().unwrap().len(), 2);

    let trail = stage.api(&format!("/{workflow}/audit?limit=100")).await;
    let events = trail["events"].as_array().unwrap();
    let of_kind = |kind: &str| events.iter().filter(|event| event["kind"] == kind).collect::<Vec<_>>();
    let looks = stage.count("select count(*) from attempts where purpose = 'look'").await;
    assert_eq!(looks, 1, "{step}");
    let acts = format!(
        "select count(*) from attempts a join steps s on s.workflow_id = a.workflow_id
         and s.plan_number = a.plan_number and s.number = a.step_number
         where a.purpose = 'act' and s.kind = '{step}'"
    );
    assert_eq!(stage.count(&acts).await, if step == "add_to_group" { 2 } else { 1 }, "{step}");
    // Intents and outcomes pair up, but for the one whose outcome nobody could record: a look told it.
    let looked = of_kind("step.looked_up");
    assert_eq!(looked.len(), 1, "{step}");
    assert_eq!((&looked[0]["facts"]["outcome"], &looked[0]["facts"]["step"]), (&json!("done"), &json!(step)));
    if step == "create_user" {
        let words = looked[0]["personal"]["words"].as_str().unwrap();
        assert!(words.contains("an earlier attempt of this workflow made user"), "{words}");
    }
    let (intents, outcomes) = (of_kind("step.begun").len(), of_kind("step.ended").len());
    assert_eq!(outcomes + looked.len(), intents - 1, "{step}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_is_asked_to_go_finishes_first() {
    let outside = Outside::begin(Database::sqlite()).await;
    let mut process = outside.serve("asked").await;
    let body = joiner(1).bytes();
    let now = World::real().now().unix_seconds();
    let signature = hr::sign(&SecretString::from(WEBHOOK_SECRET), "msg_1", now, &body).unwrap();
    let address = process.url.strip_prefix("http://").unwrap().to_owned();
    let mut wire = tokio::net::TcpStream::connect(&address).await.unwrap();
    let head = format!(
        "POST /webhooks/hr HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nwebhook-id: msg_1\r\nwebhook-timestamp: {now}\r\n\
         webhook-signature: {signature}\r\n\r\n",
        body.len()
    );
    wire.write_all(head.as_bytes()).await.unwrap();
    wire.write_all(&body[..10]).await.unwrap();
    // A second request on another connection shows that the first one has reached its handler by now.
    post(&process.url, &joiner(2)).await.unwrap();
    process.terminate();
    until("the sign of stopping", async || process.log().contains("stopping").then_some(())).await;
    until("a closed door", async || tokio::net::TcpStream::connect(&address).await.err()).await;
    wire.write_all(&body[10..]).await.unwrap();
    let mut answer = vec![0; 4096];
    let read = wire.read(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    drop(wire);
    assert_eq!(process.ended().await.code(), Some(0));
    assert!(process.log().contains("stopped"));
    assert!(!process.log().contains('\u{1b}'), "colours are for a terminal: {}", process.log());
    assert_eq!(outside.count("select count(*) from workflows").await, 2);
}

/// The server of the database takes the connection and says nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_is_asked_to_go_while_its_database_is_silent_goes() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://countersign:none@{}/countersign", silent.local_addr().unwrap());
    let outside = Outside::begin(Database::Postgres { url, schema: "silent".to_owned() }).await;
    let mut process = outside.launch("early");
    let _held = silent.accept().await.unwrap();
    process.terminate();
    assert_eq!(process.ended().await.code(), Some(0), "{}", process.log());
    assert!(process.log().contains("stopped before it began to serve"), "{}", process.log());
}

/// The first write is slow; the request to go comes meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_is_asked_to_go_in_the_middle_of_a_run_stops_between_two_steps() {
    let stage = Stage::begin(Database::sqlite()).await;
    let workflow = stage.approved().await;
    let slow = Effect::Delay { millis: 1_500, moment: Moment::After };
    stage.simulator.vault.add_fault(Fault::on("POST", "/Users", 1, slow));
    let executor = stage.service.workers().iter().find(|worker| worker.name() == "executor").cloned();
    let executor = executor.unwrap();
    let turn =
        tokio::spawn(async move { executor.turn().await.map(drop).map_err(|fault| fault.to_string()) });
    until("the write", async || (stage.writes().len() == 1).then_some(())).await;
    stage.service.kit.store.announce_end();
    turn.await.unwrap().unwrap();
    assert_eq!(stage.writes(), ["create_user"], "nothing is begun after the request to go");
    assert_eq!(stage.outcomes(&workflow, "create_user").await, ["done"], "what was known is recorded");
    let stage = stage.restart().await;
    // The lease was let go, so that nobody has to wait for its end.
    stage.settle().await;
    assert_eq!(stage.state(&workflow).await, "succeeded");
    stage.check(&workflow).await;
}
