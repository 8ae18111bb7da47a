//! Anything may happen, in any order: what HR says and says again, people who decide, operators, a vault that fails, a
//! service that dies in the middle of a run, days that pass. A seed draws it all and brings it back.
//!
//! Must hold: wherever it went, everything comes to rest once people see to it; then each write in the vault has an
//! intent, each step called done its write, nobody has two users, whoever left last is out, nobody else was touched, and
//! the trail is whole. What is drawn is printed as it happens; `COUNTERSIGN_SEED` draws it again and
//! `COUNTERSIGN_PROOF=whole` draws many. Ids and delays are drawn elsewhere, and a death strikes at a call, not between two
//! instructions: those are the business of `it_is_killed_anywhere`.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use countersign::domain::ids::VaultUserId;
use countersign::simulator::faults::{Effect, Fault, Matching, Moment};
use countersign::simulator::hr::Joiner;
use countersign::simulator::tenant::SessionKind;
use countersign::store::operator::Exit;
use serde_json::{Value, json};

use crate::corrections::{ANA, BO};
use crate::stage::{Answer, Choices, Database, Dialect, Product, Stage, until};

begun_on_both! {
    on_a_cloud_vault
    on_a_vault_of_ones_own
}

/// So much happens before people see to the end of it.
const EVENTS: usize = 60;
const PEOPLE: u64 = 3;

async fn on_a_cloud_vault(database: Database) {
    every_seed(&database, Product::PrivilegeCloud).await;
}

async fn on_a_vault_of_ones_own(database: Database) {
    every_seed(&database, Product::SelfHosted).await;
}

async fn every_seed(database: &Database, product: Product) {
    let seed = |text: String| text.parse().expect("COUNTERSIGN_SEED is a number");
    let first: u64 = std::env::var("COUNTERSIGN_SEED").map_or(11, seed);
    let whole = std::env::var("COUNTERSIGN_PROOF").is_ok_and(|how| how == "whole");
    let mut written = 0;
    for seed in first..first + if whole { 12 } else { 2 } {
        println!("COUNTERSIGN_SEED={seed}");
        let choices = Choices { product, dialect: Dialect::Product, ..Choices::default() };
        let stage = Stage::with(database.another(), choices).await;
        let mut world = Anything { stage, draw: Draw(seed), sent: vec![], told: 0 };
        Box::pin(world.some_are_there_already()).await;
        for _ in 0..EVENTS {
            world = Box::pin(world.something_happens()).await;
        }
        Box::pin(world.comes_to_rest()).await;
        Box::pin(world.check()).await;
        let writes = world.stage.writes().len();
        println!("  {} messages, {writes} writes", world.sent.len());
        written += writes;
    }
    assert!(written > 20, "nothing much has happened: {written} writes");
}

/// What a seed draws.
struct Draw(u64);

impl Draw {
    /// One of so many, from 0.
    fn of(&mut self, many: u64) -> u64 {
        // Splitmix64: seeds beside each other have nothing in common.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % many
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.of(of.len() as u64)).unwrap()].clone()
    }
}

/// What HR sent, and what it was answered.
struct Sent {
    id: String,
    body: Vec<u8>,
    kind: &'static str,
    source_ref: String,
    person: u64,
    status: u16,
    workflow: Option<String>,
}

struct Anything {
    stage: Stage,
    draw: Draw,
    sent: Vec<Sent>,
    told: usize,
}

fn name(person: u64) -> String {
    format!("person{person}x")
}

impl Anything {
    async fn something_happens(mut self) -> Self {
        match self.draw.of(24) {
            0..=2 => self.hr_says("joiner").await,
            3..=4 => self.hr_says("leaver").await,
            5 => self.hr_says("mover").await,
            6 => self.hr_says("rehire").await,
            7 => self.hr_corrects().await,
            8 => self.hr_repeats().await,
            9..=14 => self.somebody_decides().await,
            15 => self.an_operator_acts().await,
            16..=17 => self.the_vault_will_fail(),
            18..=19 => self.time_passes().await,
            20..=22 => {
                println!("  the workers work");
                self.stage.settle().await;
            }
            _ => return self.the_service_dies().await,
        }
        self
    }

    /// All but one of them have been hired, so that there is somebody to move and to leave.
    async fn some_are_there_already(&mut self) {
        for person in 1..PEOPLE {
            let body = self.body("joiner", person, "2026-12-01");
            self.send("joiner", person, body).await;
        }
        self.stage.settle().await;
        for link in self.stage.simulator.mailbox.links_for(ANA) {
            self.decides(&link, "approve").await;
        }
        self.stage.settle().await;
        assert_eq!(self.stage.count("select count(*) from workflows where state = 'succeeded'").await, 2);
    }

    /// A day around this one, as HR writes it.
    fn day(&mut self) -> String {
        let days = i64::try_from(self.draw.of(6)).unwrap() - 1;
        (self.stage.clock.read() + TimeDelta::days(days)).format("%Y-%m-%d").to_string()
    }

    async fn hr_says(&mut self, kind: &'static str) {
        let (person, day) = (self.draw.of(PEOPLE), self.day());
        let body = self.body(kind, person, &day);
        self.send(kind, person, body).await;
    }

    fn body(&mut self, kind: &str, person: u64, day: &str) -> Value {
        self.told += 1;
        let (source_ref, person_ref) = (format!("EVENT-{}", self.told), format!("E5{person:04}"));
        if kind == "joiner" {
            let mut joiner = Joiner::example(&source_ref, &person_ref, day);
            joiner.username = name(person);
            joiner.email = format!("{}@example.com", name(person));
            return joiner.body();
        }
        let mut body = json!({
            "schema": "jml/1", "kind": kind, "source_ref": source_ref, "person_ref": person_ref,
            "effective": { "at": day, "tz": "Europe/Berlin" }, "subject": { "username": name(person) },
        });
        match kind {
            "mover" => {
                body["employment"] =
                    json!({ "department": "IT Ops", "title": format!("Lead {}", self.told) });
            }
            "rehire" => {
                body["employment"] =
                    json!({ "department": "IT Ops", "manager": { "email": "max@example.com" } });
            }
            _ => {}
        }
        body
    }

    /// Takes back what was sent earlier, or says it anew with another day.
    async fn hr_corrects(&mut self) {
        let earlier: Vec<_> = self.sent.iter().filter(|sent| sent.status == 202).collect();
        if earlier.is_empty() {
            return;
        }
        let earlier = earlier[usize::try_from(self.draw.of(earlier.len() as u64)).unwrap()];
        let (kind, person, amends) = (earlier.kind, earlier.person, earlier.source_ref.clone());
        let body = if self.draw.of(2) == 0 {
            self.told += 1;
            json!({
                "schema": "jml/1", "kind": kind, "op": "rescind", "amends": amends,
                "source_ref": format!("EVENT-{}", self.told), "person_ref": format!("E5{person:04}"),
            })
        } else {
            let day = self.day();
            let mut body = self.body(kind, person, &day);
            body["op"] = json!("amend");
            body["amends"] = json!(amends);
            body
        };
        self.send(kind, person, body).await;
    }

    async fn send(&mut self, kind: &'static str, person: u64, body: Value) {
        let source_ref = body["source_ref"].as_str().unwrap().to_owned();
        let (id, bytes) = (format!("msg_{source_ref}"), body.to_string().into_bytes());
        let answer = self.stage.post(&id, &bytes).await;
        let how = body["op"].as_str().unwrap_or("new");
        println!(
            "  {source_ref}: {how} {kind} of {} at {}: {}",
            name(person),
            body["effective"]["at"],
            answer.status
        );
        assert!([200, 202, 422].contains(&answer.status), "{}: {}", answer.status, answer.body);
        let (status, workflow) = (answer.status, workflow_of(&answer));
        self.sent.push(Sent { id, body: bytes, kind, source_ref, person, status, workflow });
    }

    /// An answer may have been lost: the same once more.
    async fn hr_repeats(&mut self) {
        if self.sent.is_empty() {
            return;
        }
        let place = usize::try_from(self.draw.of(self.sent.len() as u64)).unwrap();
        let sent = &self.sent[place];
        let answer = self.stage.post(&sent.id, &sent.body).await;
        println!("  {} again: {}", sent.source_ref, answer.status);
        match sent.status {
            200 | 202 => {
                assert!([200, 202].contains(&answer.status), "{}: {}", answer.status, answer.body);
                assert_eq!(workflow_of(&answer), sent.workflow, "{}", sent.source_ref);
            }
            refused => assert_eq!(answer.status, refused, "{}", answer.body),
        }
    }

    /// Some link of some mail, old or new.
    async fn somebody_decides(&mut self) {
        let who = self.draw.one(&[ANA, BO]);
        let links = self.stage.simulator.mailbox.links_for(who);
        if links.is_empty() {
            return;
        }
        // Mostly one of the latest.
        let place = links.len() - 1 - usize::try_from(self.draw.of(links.len().min(4) as u64)).unwrap();
        let verdict = if self.draw.of(6) == 0 { "reject" } else { "approve" };
        println!("  {who} opens a link: {verdict}");
        self.decides(&links[place], verdict).await;
    }

    async fn decides(&self, link: &str, verdict: &str) {
        // It listens elsewhere after each start.
        let link = &self.stage.moved(link);
        if self.stage.form(link).await.is_some() {
            let answer = self.stage.decide(link, verdict, "so it is").await;
            assert!([303, 409].contains(&answer.status), "{}: {}", answer.status, answer.body);
        }
    }

    async fn an_operator_acts(&mut self) {
        let waiting = self.stage.listed("?state=needs_attention").await;
        if waiting.is_empty() {
            return;
        }
        let workflow = self.draw.one(&waiting);
        let exit = match self.draw.of(4) {
            0 => Exit::GiveUp,
            1 => Exit::MarkDone,
            2 => {
                let shown = self.stage.api(&format!("/{workflow}")).await;
                let holder =
                    shown["user_name"].as_str().and_then(|name| self.stage.simulator.vault.id_of(name).ok());
                holder.map_or(Exit::Retry, |id| Exit::Adopt(VaultUserId(id)))
            }
            _ => Exit::Retry,
        };
        let done = self.stage.take(&workflow, exit).await;
        println!("  an operator: {exit:?} of {workflow}: {done:?}");
    }

    fn the_vault_will_fail(&mut self) {
        let status = |status, moment| Effect::Status { status, body: None, retry_after: None, moment };
        let effects = [
            status(500, Moment::Before),
            status(500, Moment::After),
            status(429, Moment::Before),
            status(401, Moment::Before),
            Effect::DropBefore,
            Effect::DropAfter,
            Effect::Html503,
            Effect::StaleToken,
            Effect::Late(45),
        ];
        let (effect, nth) = (self.draw.one(&effects), self.draw.of(12) + 1);
        println!("  call {nth} from now meets {effect:?}");
        let mut fault = Fault::on("", "", 1, effect);
        fault.matching = Matching { method: None, path_contains: None, nth };
        self.stage.simulator.vault.add_fault(fault);
        if self.draw.of(4) == 0 && self.stage.choices.product == Product::SelfHosted {
            let kind = self.draw.one(&[SessionKind::Concurrent, SessionKind::Single]);
            println!("  and another process logs on with our account: {kind:?}");
            self.stage.simulator.vault.log_on_elsewhere(kind).unwrap();
        }
    }

    async fn time_passes(&mut self) {
        let minutes = self.draw.one(&[1, 7, 65, 60 * 11, 60 * 26, 60 * 24 * 4]);
        println!("  {minutes} minutes pass");
        self.stage.later(TimeDelta::minutes(minutes)).await;
    }

    /// It dies at some call of a run, and is started again when its lease is over.
    async fn the_service_dies(mut self) -> Self {
        let calls = usize::try_from(self.draw.of(8)).unwrap();
        let executor =
            self.stage.service.workers().iter().find(|worker| worker.name() == "executor").cloned();
        let (executor, wire) = (executor.unwrap(), self.stage.simulator.vault.wire().len());
        let turn =
            tokio::spawn(async move { executor.turn().await.map(drop).map_err(|fault| fault.to_string()) });
        until("the call at which it dies", async || {
            (turn.is_finished() || self.stage.simulator.vault.wire().len() >= wire + calls).then_some(())
        })
        .await;
        println!("  it dies {}", if turn.is_finished() { "at rest" } else { "in the middle of a run" });
        turn.abort();
        let _ended = turn.await;
        self.stage = self.stage.restart().await;
        self.stage.later(TimeDelta::minutes(6)).await;
        self
    }

    /// The vault is well, people answer everything, and operators see to what has stopped: once more, and then it ends.
    async fn comes_to_rest(&mut self) {
        self.stage.simulator.vault.clear_faults();
        for round in 0..30 {
            self.stage.pass(TimeDelta::days(1)).await;
            for who in [ANA, BO] {
                for link in self.stage.simulator.mailbox.links_for(who) {
                    self.decides(&link, "approve").await;
                }
            }
            for workflow in self.stage.listed("?state=needs_attention").await {
                let exit = if round < 4 { Exit::Retry } else { Exit::GiveUp };
                if self.stage.take(&workflow, exit).await.is_err() {
                    // What a leaver stands in the way of does not go on.
                    self.stage.take(&workflow, Exit::GiveUp).await.unwrap();
                }
            }
            if self.stage.count(UNFINISHED).await == 0 {
                return;
            }
        }
        let left = self
            .stage
            .database
            .texts(self.stage.folder.path(), "select kind || ' ' || state from workflows")
            .await;
        panic!("something does not come to rest: {left:?}");
    }

    async fn check(&self) {
        let stage = &self.stage;
        for sent in self.sent.iter().filter(|sent| sent.status == 202) {
            if let Some(workflow) = &sent.workflow {
                let shown = stage.api(&format!("/{workflow}")).await;
                assert_eq!(
                    shown["workflow_id"].as_str().or(shown["id"].as_str()),
                    Some(workflow.as_str()),
                    "{shown}"
                );
            }
        }
        let journal = stage.simulator.vault.journal();
        let names: BTreeSet<String> = (0..PEOPLE).map(name).collect();
        for entry in &journal {
            let name = entry.user_name.clone().unwrap_or_default();
            assert!(names.contains(&name), "nobody asked for this: {entry:?}");
        }
        for name in &names {
            let made = journal
                .iter()
                .filter(|one| one.what == "create_user" && one.user_name.as_ref() == Some(name));
            assert!(made.count() <= 1, "{name} was made twice");
            let mut written: BTreeMap<&str, i64> = BTreeMap::new();
            for entry in journal.iter().filter(|one| one.user_name.as_ref() == Some(name)) {
                *written.entry(entry.what).or_default() += 1;
            }
            for (what, kinds) in WRITES {
                let written = written.get(what).copied().unwrap_or_default();
                let (intents, done) = (self.intents(name, kinds).await, self.done(name, kinds).await);
                assert!(
                    done <= written && written <= intents,
                    "{name} {what}: {done} done, {written} written, {intents} begun"
                );
            }
            self.last_of_them_holds(name).await;
        }
        // Each looks through the whole trail for its secrets.
        let workflows: Vec<String> =
            self.sent.iter().filter_map(|sent| sent.workflow.clone()).take(3).collect();
        stage.check_proof(&workflows).await;
    }

    async fn intents(&self, name: &str, kinds: &str) -> i64 {
        let question = format!(
            "select count(*) from attempts a join steps s on s.workflow_id = a.workflow_id and s.plan_number = a.plan_number
             and s.number = a.step_number join workflows w on w.id = a.workflow_id
             where a.purpose = 'act' and s.kind in ({kinds}) and w.user_name = '{name}'"
        );
        self.stage.count(&question).await
    }

    /// Steps that are done, and that this very plan has tried.
    async fn done(&self, name: &str, kinds: &str) -> i64 {
        let question = format!(
            "select count(*) from steps s join workflows w on w.id = s.workflow_id
             where s.state = 'done' and s.kind in ({kinds}) and w.user_name = '{name}' and exists (select 1 from attempts a
             where a.workflow_id = s.workflow_id and a.plan_number = s.plan_number and a.step_number = s.number and a.purpose = 'act')"
        );
        self.stage.count(&question).await
    }

    /// Whoever left last, and did not come back, is out.
    async fn last_of_them_holds(&self, name: &str) {
        let question = format!(
            "select kind from workflows where user_name = '{name}' and state = 'succeeded'
             and kind in ('joiner', 'leaver', 'rehire') order by updated_at desc limit 1"
        );
        let last = self.stage.database.texts(self.stage.folder.path(), &question).await;
        let Some(user) = self.stage.simulator.vault.user(name) else { return };
        let groups = user["groupsMembership"].as_array().unwrap().len();
        match last.first().map(String::as_str) {
            Some("leaver") => {
                assert_eq!((&user["enableUser"], groups), (&json!(false), 0), "{name} left: {user}");
            }
            Some(_) => assert_eq!(user["enableUser"], true, "{name} is there: {user}"),
            None => {}
        }
    }
}

fn workflow_of(answer: &Answer) -> Option<String> {
    answer.json()["workflow_id"].as_str().map(str::to_owned)
}

const UNFINISHED: &str = "select count(*) from workflows
    where state in ('planning', 'pending_approval', 'approved', 'running', 'needs_attention')";

/// What the vault's journal calls a write, and the steps that make it.
const WRITES: [(&str, &str); 6] = [
    ("create_user", "'create_user'"),
    ("add_member", "'add_to_group'"),
    ("remove_member", "'remove_from_group'"),
    ("disable_user", "'disable_user'"),
    ("enable_user", "'enable_user'"),
    ("reset_password", "'reset_password'"),
];
