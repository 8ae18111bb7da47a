//! PostgreSQL is stopped for twenty seconds in the middle of intake and execution, with the unmodified program.
//!
//! Must hold: everything that was accepted is there; no step is repeated blindly; all goes on by itself. This story waits
//! in real time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use countersign::clock::World;
use countersign::simulator::faults::{Effect, Fault, Moment};
use countersign::simulator::hr::{self, Joiner};
use reqwest::Client;
use secrecy::SecretString;
use serde_json::Value;

use crate::stage::{Choices, Outside, READER, Server, WEBHOOK_SECRET, command, hidden, until, until_at_most};
use crate::the_database_is_ill::{let_pass, today};

/// So many runs are in the middle of it.
const APPROVED: u32 = 10;

fn joiner(number: u32) -> Joiner {
    let mut joiner = Joiner::example(&format!("STOP:{number}"), &format!("E7{number:05}"), &today());
    // Whatever the hour here, the day has begun on Kiritimati.
    "Pacific/Kiritimati".clone_into(&mut joiner.zone);
    joiner.username = format!("stopped{number}");
    joiner
}

async fn post(url: &str, number: u32) -> hr::Answer {
    let (url, id) = (format!("{url}/webhooks/hr"), format!("msg_{number}"));
    let now = World::real().now().unix_seconds();
    let secret = SecretString::from(WEBHOOK_SECRET);
    hr::post(&url, &secret, &id, now, joiner(number).bytes()).await.unwrap()
}

/// Opens the page and says yes.
async fn approve(browser: &Client, url: &str, link: &str) {
    let page = browser.get(link).send().await.unwrap().text().await.unwrap();
    let fields = [
        ("decision", "approve".to_owned()),
        ("comment", String::new()),
        ("digest", hidden(&page, "digest").unwrap()),
        ("form_token", hidden(&page, "form_token").unwrap()),
    ];
    let post = browser.post(format!("{link}/decision")).header("Origin", url).form(&fields);
    assert_eq!(post.send().await.unwrap().status(), 303);
}

/// Posts one joiner after the other, each until it is taken in; answers what became of each.
async fn feed(url: String, next: Arc<AtomicU32>, over: Arc<AtomicBool>) -> (BTreeMap<u32, String>, u32) {
    let (mut accepted, mut refused) = (BTreeMap::new(), 0);
    while !over.load(Ordering::SeqCst) {
        let number = next.fetch_add(1, Ordering::SeqCst);
        loop {
            let answer = post(&url, number).await;
            if answer.status == 503 {
                refused += 1;
                assert!(answer.body.contains("unavailable"), "{}", answer.body);
                let_pass(Duration::from_millis(500)).await;
                continue;
            }
            assert!([200, 202].contains(&answer.status), "{}: {}", answer.status, answer.body);
            let body: Value = serde_json::from_str(&answer.body).unwrap();
            accepted.insert(number, body["workflow_id"].as_str().unwrap().to_owned());
            break;
        }
        let_pass(Duration::from_millis(50)).await;
    }
    (accepted, refused)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL's programs; tests/all installs them and runs this"]
async fn for_twenty_seconds_and_nothing_is_lost_or_done_twice() {
    let mut server = Server::begin().await;
    let choices = Choices::edited(&[("max_attempts = 4", "max_attempts = 4\npoll_every = \"1s\"")]);
    let outside = Outside::with(server.database(), choices).await;
    let process = outside.serve("stopped").await;
    let browser = Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .pool_max_idle_per_host(0)
        .timeout(Duration::from_mins(1))
        .build()
        .unwrap();
    for number in 0..APPROVED {
        assert_eq!(post(&process.url, number).await.status, 202);
    }
    let links = || outside.simulator.mailbox.links_for("ana@example.com");
    let links = until("the mails", async || (links().len() == APPROVED as usize).then(links)).await;
    let slow = Effect::Delay { millis: 400, moment: Moment::After };
    outside.simulator.vault.add_fault(Fault::on("POST", "/", u64::MAX, slow));
    for link in links {
        approve(&browser, &process.url, &link).await;
    }
    let (next, over) = (Arc::new(AtomicU32::new(APPROVED)), Arc::new(AtomicBool::new(false)));
    let feeds: Vec<_> = (0..3)
        .map(|_| tokio::spawn(feed(process.url.clone(), Arc::clone(&next), Arc::clone(&over))))
        .collect();
    until("runs under way", async || (outside.simulator.vault.journal().len() > 3).then_some(())).await;
    server.stop();
    let asked = async |path: &str| {
        let asked = browser.get(format!("{}{path}", process.url)).bearer_auth(READER).send().await.unwrap();
        (asked.status().as_u16(), asked.headers().contains_key("retry-after"))
    };
    until("the word that it is away", async || (asked("/readyz").await.0 == 503).then_some(())).await;
    let_pass(Duration::from_secs(20)).await;
    assert_eq!(asked("/healthz").await.0, 200);
    assert_eq!(asked("/workflows").await, (503, true));
    assert_eq!(asked("/api/v1/workflows").await, (503, true));
    server.start().await;
    process.ready().await;
    over.store(true, Ordering::SeqCst);
    let (mut accepted, mut refused) = (BTreeMap::new(), 0);
    for feed in feeds {
        let (taken_in, sent_away) = feed.await.unwrap();
        accepted.extend(taken_in);
        refused += sent_away;
    }
    assert!(refused > 0 && !accepted.is_empty(), "{refused} refused, {} accepted", accepted.len());
    let done = "select count(*) from workflows where state = 'succeeded'";
    let patience = Duration::from_mins(4);
    until_at_most("every run's end", patience, async || {
        (outside.count(done).await == i64::from(APPROVED)).then_some(())
    })
    .await;
    let rows = outside.count("select count(*) from workflows").await;
    assert_eq!(rows, i64::from(APPROVED) + i64::try_from(accepted.len()).unwrap());
    let known = outside.database.texts(outside.folder.path(), "select id::text from workflows").await;
    assert!(accepted.values().all(|workflow| known.contains(workflow)), "accepted and lost");
    let journal = outside.simulator.vault.journal();
    for number in 0..APPROVED {
        let name = format!("stopped{number}");
        let of = |what: &str| {
            let fits = |entry: &&_| {
                let entry: &countersign::simulator::tenant::JournalEntry = entry;
                entry.what == what && entry.user_name.as_deref() == Some(name.as_str())
            };
            journal.iter().filter(fits).count()
        };
        assert_eq!((of("create_user"), of("add_member")), (1, 2), "{name}");
    }
    let settings = outside.settings_file("verify.toml", "127.0.0.1:1");
    let verified = command(&["audit", "verify"], &settings).await;
    assert!(verified.status.success(), "{verified:?}");
}
