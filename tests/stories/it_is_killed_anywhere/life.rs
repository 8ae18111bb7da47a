//! One life: somebody is hired, approved and provisioned by a service that is killed once and started again.
//!
//! Must hold: the people do what people do, and again where they got no answer; nobody helps the service along. At the
//! end the vault holds one user with what was approved, each write was made once, and the trail is whole.

use std::time::Duration;

use countersign::clock::World;
use countersign::simulator::faults::Fault;
use countersign::simulator::hr::{self, Joiner};
use secrecy::SecretString;
use serde_json::json;

use super::commits::{Commits, Last};
use super::points::{Fatal, Points};
use crate::stage::{Choices, Database, Dialect, Outside, Process, WEBHOOK_SECRET, command, until_at_most};

/// A service, its people, and its end.
pub struct Life {
    outside: Outside,
    fatal: Fatal,
    commits: Option<Commits>,
    another: Option<Process>,
}

impl Life {
    pub async fn begin(database: Database, fatal: Fatal) -> Self {
        let last = match fatal {
            Fatal::BeforeCommit(nth) => Last::Unsent(nth),
            Fatal::AfterCommit(nth) => Last::Unanswered(nth),
            Fatal::Never
            | Fatal::BeforeSync(_)
            | Fatal::AfterSync(_)
            | Fatal::BeforeCall(_)
            | Fatal::AfterCall(_) => Last::Never,
        };
        let mut choices = Choices { dialect: Dialect::GuidePinned, ..Choices::default() };
        // A killed process leaves its lease behind, and these stories wait for the end of it.
        choices.edits =
            vec![("[worker]".to_owned(), "[worker]\nlease = \"3s\"\npoll_every = \"1s\"".to_owned())];
        let mut outside = Outside::with(database, choices).await;
        let commits = match &mut outside.database {
            Database::Sqlite => None,
            Database::Postgres { url, .. } => Some(Commits::to(url, last)),
        };
        let call = match fatal {
            Fatal::BeforeCall(nth) => Some((nth, "before")),
            Fatal::AfterCall(nth) => Some((nth, "after")),
            Fatal::Never
            | Fatal::BeforeSync(_)
            | Fatal::AfterSync(_)
            | Fatal::BeforeCommit(_)
            | Fatal::AfterCommit(_) => None,
        };
        if let Some((nth, moment)) = call {
            let held = json!({
                "match": { "nth": nth }, "effect": { "delay_ms": 3_600_000, "moment": moment }
            });
            outside.simulator.vault.add_fault(serde_json::from_value::<Fault>(held).unwrap());
        }
        Self { outside, fatal, commits, another: None }
    }

    /// A second replica stands beside the first; it goes straight to the database.
    pub fn beside_another(mut self) -> Self {
        self.another = Some(self.outside.launch("another"));
        self
    }

    /// Lives it to the end and tells how many points there were.
    pub async fn lives(self, place: &str) -> Points {
        let count = self.outside.folder.path().join("syncs");
        let mut process = self.start("first", &self.fatal.environment(&count));
        let (mut was_killed, mut people) = (false, People::default());
        let end = until_at_most("the end of the run", PATIENCE, async || {
            if !was_killed && self.is_time(&mut process) {
                process.kill();
                was_killed = true;
                self.outside.simulator.vault.clear_faults();
                if let Some(commits) = &self.commits {
                    commits.no_more();
                }
                if self.another.is_none() {
                    process = self.start("again", &[]);
                }
            }
            let service = if was_killed { self.another.as_ref().unwrap_or(&process) } else { &process };
            people.act(&self.outside, &service.url).await;
            let done = "select count(*) from workflows where state = 'succeeded'";
            (people.has_seen_it_begin() && self.outside.count(done).await == 1).then_some(())
        });
        end.await;
        if !was_killed && self.fatal != Fatal::Never {
            println!("{place}: {:?} → succeeded; the point was not reached", self.fatal);
        } else {
            println!("{place}: {:?} → succeeded", self.fatal);
        }
        self.is_as_approved().await;
        let syncs = std::fs::read(&count).unwrap_or_default();
        Points {
            syncs: syncs.first_chunk().map_or(0, |bytes| u64::from_ne_bytes(*bytes)),
            calls: u64::try_from(self.outside.simulator.vault.wire().len()).unwrap(),
            commits: self.commits.as_ref().map_or(0, Commits::seen),
            was_killed,
        }
    }

    fn start(&self, name: &str, environment: &[(&str, String)]) -> Process {
        // What is under the counting disk also goes through the counting relay.
        let through = self.commits.as_ref().filter(|_| !environment.is_empty());
        match (through, &self.outside.database) {
            (Some(commits), Database::Postgres { url, .. }) => {
                self.outside.launch_told(name, environment, (url, commits.url()))
            }
            _ => self.outside.launch_under(name, environment),
        }
    }

    /// Is the process where it is to be killed, or has its disk killed it?
    fn is_time(&self, process: &mut Process) -> bool {
        match self.fatal {
            Fatal::Never => false,
            Fatal::BeforeSync(_) | Fatal::AfterSync(_) => process.is_over(),
            Fatal::BeforeCall(_) | Fatal::AfterCall(_) => self.outside.simulator.vault.delayed() > 0,
            Fatal::BeforeCommit(_) | Fatal::AfterCommit(_) => {
                self.commits.as_ref().is_some_and(Commits::is_reached)
            }
        }
    }

    async fn is_as_approved(&self) {
        let vault = &self.outside.simulator.vault;
        let (fatal, journal) = (self.fatal, vault.journal());
        let writes: Vec<&str> = journal.iter().map(|entry| entry.what).collect();
        assert_eq!(writes, ["create_user", "add_member", "add_member", "update_user"], "{fatal:?}");
        let user = vault.user(USER).unwrap();
        assert_eq!(user["changePassOnNextLogon"], true, "{fatal:?}");
        assert_eq!(user["groupsMembership"].as_array().unwrap().len(), 2, "{fatal:?}");
        let workflows = "select count(*) from workflows";
        assert_eq!(self.outside.count(workflows).await, 1, "{fatal:?}");
        let settings = self.outside.settings_file("verify.toml", "127.0.0.1:1");
        let verified = command(&["audit", "verify"], &settings).await;
        assert!(verified.status.success(), "{fatal:?}: {verified:?}");
    }
}

/// A life has starts, leases and retries in it, on a machine that does other things besides.
const PATIENCE: Duration = Duration::from_mins(4);

const USER: &str = "killedx";

/// HR and the approver, who try again until they have an answer.
#[derive(Default)]
struct People {
    posted: bool,
    approved: bool,
}

impl People {
    fn has_seen_it_begin(&self) -> bool {
        self.posted && self.approved
    }

    async fn act(&mut self, outside: &Outside, service: &str) {
        if !self.posted {
            self.posted = post(service).await.is_some();
        } else if !self.approved {
            self.approved = approve(outside, service).await.is_some();
        }
    }
}

/// A day so far from today, as a request writes it.
fn in_days(days: i64) -> String {
    World::real().now().plus_seconds(days * 86_400).as_utc().format("%Y-%m-%d").to_string()
}

async fn post(service: &str) -> Option<()> {
    // Long due, by the machine's clock, and not so long that it counts as a slip.
    let mut joiner = Joiner::example("KILL:1", "E1", &in_days(-7));
    USER.clone_into(&mut joiner.username);
    let (url, now) = (format!("{service}/webhooks/hr"), World::real().now().unix_seconds());
    let answer =
        hr::post(&url, &SecretString::from(WEBHOOK_SECRET), "msg_1", now, joiner.bytes()).await.ok()?;
    [200, 202].contains(&answer.status).then_some(())
}

/// Opens the last link that was mailed, where the service listens now.
async fn approve(outside: &Outside, service: &str) -> Option<()> {
    let link = outside.simulator.mailbox.links_for("ana@example.com").pop()?;
    let (_, path) = link.split_once("/approve/")?;
    say_yes(&format!("{service}/approve/{path}"), service).await
}

/// Opens a link and says yes, unless that has been said; nothing where there was no answer.
pub async fn say_yes(link: &str, service: &str) -> Option<()> {
    let browser = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let page = browser.get(link).send().await.ok()?;
    if page.status() != 200 {
        return None;
    }
    let page = page.text().await.ok()?;
    let hidden = |name: &str| {
        let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\""))?;
        Some(rest.split_once('"')?.0.to_owned())
    };
    let (Some(digest), Some(token)) = (hidden("digest"), hidden("form_token")) else { return Some(()) };
    let fields = [("decision", "approve"), ("comment", ""), ("digest", &digest), ("form_token", &token)];
    let answer = browser.post(format!("{link}/decision")).form(&fields).header("Origin", service).send();
    (answer.await.ok()?.status() == 303).then_some(())
}
