//! The database is away, locked, full or forgets to say yes: nobody is promised what is not kept, nothing is done twice,
//! and all goes on by itself.
//!
//! Must hold: what cannot be stored is answered with 503 and a time to come again; `/readyz` names the part; pages say
//! so in words; a step whose outcome could not be written is looked up. Only what is about a server or a lock waits in
//! real time, each time for seconds.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::TimeDelta;
use countersign::clock::World;
use countersign::simulator::faults::{Effect, Fault, Moment};
use countersign::simulator::hr::{self, Joiner};
use countersign::worker::Did;
use futures_util::future::join_all;
use sea_orm::{ConnectionTrait as _, DatabaseConnection, TransactionTrait as _};
use secrecy::SecretString;
use serde_json::json;

use crate::an_approver_decides::looking::ROUTES;
use crate::stage::{Database, READER, Stage, WEBHOOK_SECRET, Whole, Wire, command};

/// Joiner number so-and-so: nobody like the others.
pub(crate) fn joiner(number: u32) -> Joiner {
    let mut joiner = Joiner::example(&format!("ILL:{number}"), &format!("E6{number:05}"), "2026-12-01");
    joiner.username = format!("ill{number}");
    joiner
}

/// Posts as HR does, and keeps the headers of the answer.
async fn posted(stage: &Stage, number: u32) -> Whole {
    let (id, body, now) = (format!("msg_{number}"), joiner(number).bytes(), stage.clock.read().timestamp());
    let signature = hr::sign(&SecretString::from(WEBHOOK_SECRET), &id, now, &body).unwrap();
    let post = stage.browser.post(format!("{}/webhooks/hr", stage.url)).header("webhook-id", id);
    let post = post.header("webhook-timestamp", now.to_string()).header("webhook-signature", signature);
    stage.whole(post.header("content-type", "application/json").body(body)).await
}

fn assert_come_again(answer: &Whole) {
    assert_eq!(answer.status, 503, "{}", answer.body);
    let seconds: u32 = answer.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
}

/// What `/readyz` says: the status, the whole, and the state of each part.
async fn readiness(stage: &Stage) -> (u16, String, BTreeMap<String, String>) {
    let answer = stage.open(&format!("{}/readyz", stage.url)).await;
    let told: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    let parts = told["parts"].as_object().unwrap().iter();
    let parts = parts.map(|(part, said)| (part.clone(), said["state"].as_str().unwrap().to_owned()));
    (answer.status, told["status"].as_str().unwrap().to_owned(), parts.collect())
}

impl Stage {
    /// Lets every worker do what it can; what fails is met again.
    async fn settle_in_spite_of_faults(&self) {
        for _ in 0..20 {
            let mut moved = false;
            for worker in self.service.workers() {
                loop {
                    match worker.turn().await {
                        Ok(Did::Work(_)) => moved = true,
                        Ok(Did::Idle | Did::IdleUntil(_)) => break,
                        Err(_) => {
                            moved = true;
                            break;
                        }
                    }
                }
            }
            if !moved {
                return;
            }
        }
    }

    /// How often the vault has made a user of this name.
    fn times_made(&self, name: &str) -> usize {
        let journal = self.simulator.vault.journal();
        let made = |entry: &&_| {
            let entry: &countersign::simulator::tenant::JournalEntry = entry;
            entry.what == "create_user" && entry.user_name.as_deref() == Some(name)
        };
        journal.iter().filter(made).count()
    }

    async fn is_proven(&self) {
        let verified = command(&["audit", "verify"], &self.settings_file()).await;
        assert!(verified.status.success(), "{verified:?}");
    }
}

/// The one that COMMIT is sent to has done it, and its yes is lost with the connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a PostgreSQL server; tests/all starts one and runs this"]
async fn a_commit_whose_acknowledgement_is_lost_is_found_and_nothing_is_done_twice() {
    let (wire, database) = Wire::to_postgres();
    let stage = Stage::begin(database).await;
    // Taken in: the second run of the same deed finds its own rows.
    wire.lose_acknowledgement(1);
    let first = posted(&stage, 0).await;
    assert!(wire.has_lost());
    assert_eq!(first.status, 202, "{}", first.body);
    assert_eq!(stage.count("select count(*) from workflows").await, 1);
    assert_eq!(posted(&stage, 0).await.status, 200);
    // Decided: the answer counts once, whatever its sender was told.
    stage.settle_in_spite_of_faults().await;
    let link = stage.link("ana@example.com");
    wire.lose_acknowledgement(1);
    assert_eq!(stage.decide(&link, "approve", "").await.status, 303);
    assert!(wire.has_lost());
    assert_eq!(stage.count("select count(*) from decisions").await, 1);
    stage.settle_in_spite_of_faults().await;
    // Carried out: each commit of a run in turn.
    let mut nth = 1;
    loop {
        let workflow = stage.hire_as(&joiner(nth)).await;
        stage.settle_in_spite_of_faults().await;
        let answer = stage.decide(&stage.link("ana@example.com"), "approve", "").await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        wire.lose_acknowledgement(nth);
        stage.settle_in_spite_of_faults().await;
        let has_lost = wire.has_lost();
        for _ in 0..3 {
            // A lease whose holder does not know that it has it runs out.
            stage.clock.advance(TimeDelta::seconds(61));
            stage.settle_in_spite_of_faults().await;
        }
        assert_eq!(
            stage.state(&workflow).await,
            "succeeded",
            "commit {nth}: {}",
            stage.reason(&workflow).await
        );
        assert_eq!(stage.times_made(&format!("ill{nth}")), 1, "commit {nth}");
        if !has_lost {
            break;
        }
        nth += 1;
    }
    assert!(nth > 8, "a run commits more often than {nth} times");
    stage.is_proven().await;
}

/// Every address says so in words, none hangs, and the workers go on by themselves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a PostgreSQL server; tests/all starts one and runs this"]
async fn while_the_server_is_away_every_address_says_so_in_words() {
    let (wire, database) = Wire::to_postgres();
    let stage = Stage::begin(database).await;
    let workflow = stage.hire_as(&joiner(1)).await;
    stage.settle().await;
    let link = stage.link("ana@example.com");
    assert_eq!(readiness(&stage).await.0, 200);
    wire.cut();
    let (_, token) = link.split_once("/approve/").unwrap();
    let answers = join_all(ROUTES.iter().map(async |route| {
        let path = route.replace("{token}", token).replace("{id}", &workflow);
        let path = path.replace("{source}", "hr").replace("{rest:.*}", "nothing");
        (route, stage.whole(stage.browser.get(format!("{}{path}", stage.url)).bearer_auth(READER)).await)
    }))
    .await;
    let reads = [
        "/api/v1/workflows",
        "/api/v1/workflows/{id}",
        "/api/v1/workflows/{id}/audit",
        "/approve/{token}",
        "/approve/{token}/live",
        "/approve/{token}/progress",
        "/credentials/{token}",
        "/held",
        "/held/{id}",
        "/readyz",
        "/workflows",
        "/workflows/{id}",
        "/workflows/{id}/live",
        "/workflows/{id}/progress",
    ];
    for (route, answer) in answers {
        assert!(!reads.contains(route) || answer.status == 503, "{route}: {} {}", answer.status, answer.body);
        if answer.status < 500 {
            continue;
        }
        assert!(answer.body.split_whitespace().count() > 4, "{route} says nothing: {}", answer.body);
        if *route != "/readyz" {
            assert_come_again(&answer);
        }
    }
    let (status, whole, parts) = readiness(&stage).await;
    assert_eq!((status, whole.as_str(), parts["database"].as_str()), (503, "not_ready", "failing"));
    assert_come_again(&posted(&stage, 2).await);
    let metrics = stage.open(&format!("{}/metrics", stage.url)).await;
    assert!(metrics.body.contains("countersign_database_answers 0"), "{}", metrics.body);
    wire.mend();
    stage.settle_in_spite_of_faults().await;
    assert_eq!(readiness(&stage).await.0, 200);
    assert_eq!(posted(&stage, 2).await.status, 202);
    assert_eq!(stage.decide(&link, "approve", "").await.status, 303);
    stage.settle().await;
    assert_eq!(stage.state(&workflow).await, "succeeded");
}

/// A network that swallows everything: no error comes, only silence.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a PostgreSQL server; tests/all starts one and runs this"]
async fn a_server_that_never_answers_holds_nobody_up_without_end() {
    let (wire, database) = Wire::to_postgres();
    let stage = Stage::begin(database).await;
    posted(&stage, 1).await;
    wire.fall_silent();
    let page = async { stage.open(&format!("{}/workflows", stage.url)).await };
    let ready = async { readiness(&stage).await };
    // The browser of the stories gives up after a minute.
    let (post, page, ready) = tokio::join!(posted(&stage, 2), page, ready);
    assert_come_again(&post);
    assert_come_again(&page);
    assert_eq!((ready.0, ready.2["database"].as_str()), (503, "failing"));
    wire.mend();
    stage.settle_in_spite_of_faults().await;
    assert_eq!(posted(&stage, 2).await.status, 202);
    assert_eq!(stage.count("select count(*) from workflows").await, 2);
}

/// Somebody holds a lock on which every deed waits, so that all connections are taken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a PostgreSQL server; tests/all starts one and runs this"]
async fn when_every_connection_is_taken_senders_are_asked_to_come_again() {
    let stage = Stage::begin(Database::postgres()).await;
    let outsider = stage.database.writing_connection(stage.folder.path()).await;
    let lock = outsider.begin().await.unwrap();
    lock.execute_unprepared("lock table deliveries in access exclusive mode").await.unwrap();
    for answer in join_all((0..25).map(|number| posted(&stage, number))).await {
        assert_come_again(&answer);
    }
    lock.rollback().await.unwrap();
    for answer in join_all((0..25).map(|number| posted(&stage, number))).await {
        assert_eq!(answer.status, 202, "{}", answer.body);
    }
    assert_eq!(stage.count("select count(*) from deliveries").await, 25);
    stage.settle().await;
    assert_eq!(readiness(&stage).await.0, 200);
}

/// Another process holds the one lock that SQLite has for writers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_somebody_else_locks_is_told_and_used_again_afterwards() {
    let stage = Stage::begin(Database::sqlite()).await;
    let workflow = stage.hire_as(&joiner(1)).await;
    let outsider = stage.database.writing_connection(stage.folder.path()).await;
    outsider.execute_unprepared("begin immediate").await.unwrap();
    for answer in join_all((2..5).map(|number| posted(&stage, number))).await {
        assert_come_again(&answer);
    }
    let (status, whole, parts) = readiness(&stage).await;
    assert_eq!((status, whole.as_str(), parts["database"].as_str()), (503, "not_ready", "failing"));
    // Reading goes on.
    assert_eq!(stage.state(&workflow).await, "planning");
    let sweeper = stage.service.workers().iter().find(|worker| worker.name() == "sweeper").unwrap();
    assert!(sweeper.turn().await.is_err(), "a probe of a locked file fails");
    outsider.execute_unprepared("rollback").await.unwrap();
    // Nobody has posted: the sweeper finds out.
    sweeper.turn().await.unwrap();
    assert_eq!(readiness(&stage).await.0, 200);
    assert_eq!(posted(&stage, 2).await.status, 202);
    stage.settle().await;
    assert_eq!(stage.count("select count(*) from workflows where state = 'pending_approval'").await, 2);
}

/// A stranger's rows take up all the room there is, and more; and each outcome wants more room than its page has left.
async fn fill(outsider: &DatabaseConnection) {
    for statement in [
        "create table junk (bytes blob)",
        "insert into junk values (randomblob(4000000))",
        "create trigger more_room after update on attempts when new.outcome is not null
         begin insert into junk values (randomblob(100000)); end",
    ] {
        outsider.execute_unprepared(statement).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outcome_for_which_there_is_no_room_is_looked_up_when_there_is() {
    let mut stage = Stage::begin(Database::sqlite()).await;
    let pages = stage.count("select page_count from pragma_page_count").await;
    let limit = format!("sqlite_max_pages = {}\n[secrets]", pages + 400);
    stage.choices.edits = vec![("[secrets]".to_owned(), limit)];
    let stage = stage.restart().await;
    let workflow = stage.approved().await;
    let slow = Effect::Delay { millis: 1_500, moment: Moment::After };
    stage.simulator.vault.add_fault(Fault::on("POST", "/Users", 1, slow));
    let executor = stage.service.workers().iter().find(|worker| worker.name() == "executor").cloned();
    let executor = executor.unwrap();
    let turn =
        tokio::spawn(async move { executor.turn().await.map(drop).map_err(|fault| fault.to_string()) });
    crate::stage::until("the write", async || (stage.writes().len() == 1).then_some(())).await;
    let outsider = stage.database.writing_connection(stage.folder.path()).await;
    fill(&outsider).await;
    let left = turn.await.unwrap().unwrap_err();
    assert!(left.contains("full"), "{left}");
    assert_eq!(stage.writes(), ["create_user"]);
    let (status, whole, parts) = readiness(&stage).await;
    assert_eq!((status, whole.as_str(), parts["disk"].as_str()), (503, "not_ready", "failing"));
    assert_eq!(parts["database"], "ok");
    // Time goes by, the disk is as full as before, and nothing is sent to the vault again.
    for _ in 0..3 {
        stage.clock.advance(TimeDelta::seconds(61));
        stage.settle_in_spite_of_faults().await;
    }
    assert_eq!(stage.writes(), ["create_user"]);
    outsider.execute_unprepared("drop trigger more_room").await.unwrap();
    outsider.execute_unprepared("drop table junk").await.unwrap();
    outsider.close().await.unwrap();
    for _ in 0..3 {
        stage.clock.advance(TimeDelta::seconds(61));
        stage.settle_in_spite_of_faults().await;
    }
    assert_eq!(stage.state(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    assert_eq!(readiness(&stage).await.0, 200);
    assert_eq!(stage.times_made("zobrien"), 1);
    let trail = stage.api(&format!("/{workflow}/audit?limit=100")).await;
    let looked: Vec<_> = trail["events"].as_array().unwrap().iter().collect();
    let looked = looked.iter().filter(|event| event["kind"] == "step.looked_up");
    assert!(looked.clone().any(|event| event["facts"]["outcome"] == json!("done")), "{trail}");
    stage.is_proven().await;
}

/// The time of day by the machine, for what is not told by the story's clock.
pub(crate) fn today() -> String {
    World::real().now().as_utc().date_naive().to_string()
}

/// Real time passes; for what a server does while it is away.
pub(crate) async fn let_pass(so_long: Duration) {
    let _ = tokio::time::timeout(so_long, std::future::pending::<()>()).await;
}
