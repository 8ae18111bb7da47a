//! Two replicas on one PostgreSQL, one of which is killed every two seconds and started again, before a slow vault that
//! loses one answer in twenty.
//!
//! Must hold: as many users as were approved, none twice, nobody else touched, every workflow done, every chain whole.

use std::collections::BTreeMap;
use std::time::Duration;

use countersign::clock::World;
use countersign::domain::ids::WorkflowId;
use countersign::domain::names::EmailAddress;
use countersign::domain::time::Timestamp;
use countersign::key::KeyRing;
use countersign::simulator::faults::Fault;
use countersign::simulator::hr::{self, Joiner};
use futures_util::StreamExt as _;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::life::say_yes;
use crate::stage::{Choices, Database, Outside, Process, WEBHOOK_SECRET, command, until_at_most};

/// How many are hired, and how often somebody is killed at least.
struct Size {
    joiners: usize,
    kills: usize,
}

fn size() -> Size {
    if std::env::var("COUNTERSIGN_PROOF").is_ok_and(|how| how == "whole") {
        Size { joiners: 500, kills: 10 }
    } else {
        Size { joiners: 24, kills: 3 }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a PostgreSQL server; tests/all starts one and runs this"]
async fn two_replicas_are_killed_again_and_again() {
    let size = size();
    let choices = Choices::edited(&[
        ("[worker]", "[worker]\nlease = \"5s\"\npoll_every = \"1s\"\nfirst_retry_after = \"1s\""),
        ("max_attempts = 4", "max_attempts = 12"),
        ("[[targets]]", "[[targets]]\nmax_concurrent_calls = 32"),
    ]);
    let outside = Outside::with(Database::postgres(), choices).await;
    let mut replicas = [outside.serve("replica-0").await, outside.serve("replica-1").await];
    // Long enough to plan and approve all of them; then they fall due in one moment.
    let lead = 30 + i64::try_from(size.joiners).unwrap() * 8 / 10;
    let begin = World::real().now().plus_seconds(lead);
    let workflows = hired_and_approved(&outside, &replicas[0], (size.joiners, begin)).await;
    assert_eq!(workflows.len(), size.joiners);
    assert_eq!(
        outside.count("select count(*) from attempts").await,
        0,
        "approving took longer than there was time"
    );
    loses_one_answer_in_twenty(&outside, size.joiners);
    let (mut kills, mut beat) = (0, tokio::time::interval(Duration::from_secs(2)));
    let at_rest = format!("select count(*) from workflows where state = '{}'", "succeeded");
    let done = until_at_most("the end of all runs", Duration::from_mins(20), async || {
        let done = outside.count(&at_rest).await;
        if done == i64::try_from(size.joiners).unwrap() && kills >= size.kills {
            return Some(done);
        }
        beat.tick().await;
        let which = kills % 2;
        replicas[which].kill();
        replicas[which] = outside.launch(&format!("replica-{which}-{kills}"));
        kills += 1;
        None
    });
    done.await;
    println!("{} joiners, {kills} kills", size.joiners);
    everybody_is_there_once(&outside, size.joiners);
    let settings = outside.settings_file("verify.toml", "127.0.0.1:1");
    let verified = command(&["audit", "verify"], &settings).await;
    assert!(verified.status.success(), "{verified:?}");
}

/// All are approved before their time.
async fn hired_and_approved(
    outside: &Outside,
    process: &Process,
    (joiners, begin): (usize, Timestamp),
) -> Vec<WorkflowId> {
    let begin = begin.to_string();
    let (url, secret) = (format!("{}/webhooks/hr", process.url), SecretString::from(WEBHOOK_SECRET));
    let posts = (0..joiners).map(|number| {
        let (url, secret, begin) = (url.clone(), secret.clone(), begin.clone());
        async move {
            let mut joiner = Joiner::example(&format!("AGAIN:{number}"), &format!("E4{number:05}"), &begin);
            joiner.username = format!("again{number}x");
            let now = World::real().now().unix_seconds();
            let answer =
                hr::post(&url, &secret, &format!("msg_{number}"), now, joiner.bytes()).await.unwrap();
            assert_eq!(answer.status, 202, "{}", answer.body);
            let told: Value = serde_json::from_str(&answer.body).unwrap();
            WorkflowId::parse(told["workflow_id"].as_str().unwrap()).unwrap()
        }
    });
    let workflows: Vec<WorkflowId> = futures_util::stream::iter(posts).buffered(8).collect().await;
    let asked = "select count(*) from workflows where state = 'pending_approval'";
    let all = i64::try_from(joiners).unwrap();
    let patience = Duration::from_mins(10);
    until_at_most("the askings", patience, async || (outside.count(asked).await == all).then_some(())).await;
    let keys = KeyRing::read_or_make(&outside.folder.path().join("story.key"), &World::real()).unwrap();
    let approver = EmailAddress::parse("ana@example.com").unwrap();
    let answers = workflows.iter().map(|workflow| {
        let token = keys.link_token(*workflow, &approver, 0, 1);
        let link = format!("{}/approve/{}", process.url, token.reveal());
        async move { say_yes(&link, &process.url).await }
    });
    let answers: Vec<Option<()>> = futures_util::stream::iter(answers).buffered(8).collect().await;
    assert!(answers.iter().all(Option::is_some));
    workflows
}

fn loses_one_answer_in_twenty(outside: &Outside, joiners: usize) {
    let vault = &outside.simulator.vault;
    for lost in 1..=joiners * 2 {
        let fault = json!({ "match": { "nth": lost * 20 }, "effect": "drop_after" });
        vault.add_fault(serde_json::from_value::<Fault>(fault).unwrap());
    }
    let slow = json!({ "times": u64::MAX, "effect": { "delay_ms": 200 } });
    vault.add_fault(serde_json::from_value::<Fault>(slow).unwrap());
}

fn everybody_is_there_once(outside: &Outside, joiners: usize) {
    let mut made: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let journal = outside.simulator.vault.journal();
    for entry in &journal {
        made.entry(entry.user_name.clone().unwrap_or_default()).or_default().push(entry.what);
    }
    assert_eq!(made.len(), joiners, "{:?}", made.keys());
    for (name, writes) in made {
        assert!(name.starts_with("again"), "a stranger was touched: {name}");
        assert_eq!(writes.iter().filter(|what| **what == "create_user").count(), 1, "{name}: {writes:?}");
        let user = outside.simulator.vault.user(&name).unwrap();
        assert_eq!(user["groupsMembership"].as_array().unwrap().len(), 2, "{name}");
        assert_eq!(user["changePassOnNextLogon"], true, "{name}");
    }
}
