//! What an operator does and reads: waiting for rest, retry, adopt, give up, the trail.

use chrono::TimeDelta;
use countersign::domain::ids::{VaultUserId, WorkflowId};
use countersign::domain::names::EmailAddress;
use countersign::domain::operator::{MachineUser, Operator};
use countersign::domain::time::Timestamp;
use countersign::simulator::hr::Joiner;
use countersign::store::WriteFault;
use countersign::store::operator::{Exit, NoExit, TakeExit};
use countersign::worker::Did;
use serde_json::Value;

use super::app::Stage;

/// Who acts at the command line of these stories.
pub fn olga() -> Operator {
    let user = MachineUser { called: "olga".to_owned(), number: Some(1_000), account: None };
    let proven = EmailAddress::parse("olga@example.com").unwrap();
    Operator::AtTheMachine { user, proven: Some(proven) }
}

/// One recorded attempt, as the trail tells it.
#[derive(Debug, Clone)]
pub struct Attempt {
    pub step: String,
    pub number: i64,
    pub outcome: String,
    pub words: String,
    pub calls: Vec<String>,
}

impl Stage {
    /// Hired, planned and approved; nothing is carried out yet.
    pub async fn approved(&self) -> String {
        self.approved_as(&self.joiner()).await
    }

    pub async fn approved_as(&self, joiner: &Joiner) -> String {
        let workflow = self.hire_as(joiner).await;
        self.settle().await;
        assert_eq!(self.state(&workflow).await, "pending_approval", "{}", self.reason(&workflow).await);
        let answer = self.decide(&self.link("ana@example.com"), "approve", "").await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        workflow
    }

    /// Lets time pass from one due moment to the next until the workflow rests or waits for a person; says where.
    pub async fn rest(&self, workflow: &str) -> String {
        for _ in 0..5_000 {
            self.settle().await;
            let state = self.state(workflow).await;
            if !["planning", "approved", "running"].contains(&state.as_str()) {
                return state;
            }
            let due = self.next_due().await.expect("a workflow that is not at rest has a due time");
            self.clock
                .advance(due.since(Timestamp::from_utc(self.clock.read())).max(TimeDelta::milliseconds(1)));
        }
        panic!("the workflow does not come to rest");
    }

    /// Lets so much time pass, stopping wherever a planner or executor has something due.
    pub async fn pass(&self, by: TimeDelta) {
        let end = Timestamp::from_utc(self.clock.read()).plus(by);
        loop {
            self.settle().await;
            let now = Timestamp::from_utc(self.clock.read());
            if now >= end {
                return;
            }
            let next = self.next_due().await.map_or(end, |due| due.min(end));
            self.clock.advance(next.since(now).max(TimeDelta::milliseconds(1)));
        }
    }

    /// When planner or executor look again.
    async fn next_due(&self) -> Option<Timestamp> {
        let mut next: Option<Timestamp> = None;
        for worker in self.service.workers() {
            if !["planner", "executor"].contains(&worker.name()) {
                continue;
            }
            let due = match worker.turn().await.unwrap() {
                Did::IdleUntil(due) => due,
                // It fell due at this very moment, since the clock moves a little whenever it is asked.
                Did::Work(_) => Timestamp::from_utc(self.clock.read()),
                Did::Idle => continue,
            };
            next = Some(next.map_or(due, |next| next.min(due)));
        }
        next
    }

    /// What an operator decides about a workflow that needs attention.
    pub async fn take(&self, workflow: &str, exit: Exit) -> Result<&'static str, WriteFault<NoExit>> {
        let kit = &self.service.kit;
        let deed = TakeExit {
            stamp: kit.world.stamp(),
            workflow: WorkflowId::parse(workflow).unwrap(),
            exit,
            by: olga(),
            reason: "looked into it".to_owned(),
        };
        kit.store.write(deed).await
    }

    /// An operator declares whoever holds the name now to be the workflow's own.
    pub async fn adopt(&self, workflow: &str) -> Result<&'static str, WriteFault<NoExit>> {
        let holder = self.simulator.vault.id_of("zobrien").unwrap();
        self.take(workflow, Exit::Adopt(VaultUserId(holder))).await
    }

    /// Retry, and as far as it goes then.
    pub async fn retry(&self, workflow: &str) -> String {
        self.take(workflow, Exit::Retry).await.unwrap();
        self.rest(workflow).await
    }

    /// Why it rests where it rests.
    pub async fn reason(&self, workflow: &str) -> String {
        self.api(&format!("/{workflow}")).await["reason"].as_str().unwrap_or_default().to_owned()
    }

    /// The whole trail, oldest first.
    pub async fn trail(&self, workflow: &str) -> Vec<Value> {
        let mut events: Vec<Value> = vec![];
        let mut next = String::new();
        loop {
            let page = self.api(&format!("/{workflow}/audit?limit=100{next}")).await;
            events.extend(page["events"].as_array().unwrap().iter().cloned());
            match page["next_cursor"].as_str() {
                Some(cursor) => next = format!("&cursor={cursor}"),
                None => return events,
            }
        }
    }

    /// The attempts that ended, oldest first.
    pub async fn attempts(&self, workflow: &str) -> Vec<Attempt> {
        let ended =
            |event: &Value| ["step.ended", "step.looked_up"].contains(&event["kind"].as_str().unwrap());
        let told = |event: Value| Attempt {
            step: event["facts"]["step"].as_str().unwrap().to_owned(),
            number: event["facts"]["step_number"].as_i64().unwrap(),
            outcome: event["facts"]["outcome"].as_str().unwrap().to_owned(),
            words: event["personal"]["words"].as_str().unwrap().to_owned(),
            calls: event["facts"]["calls"]
                .as_array()
                .unwrap()
                .iter()
                .map(|call| call.as_str().unwrap().to_owned())
                .collect(),
        };
        self.trail(workflow).await.into_iter().filter(ended).map(told).collect()
    }

    /// The outcomes at one kind of step, in order.
    pub async fn outcomes(&self, workflow: &str, step: &str) -> Vec<String> {
        let attempts = self.attempts(workflow).await.into_iter();
        attempts.filter(|attempt| attempt.step == step).map(|attempt| attempt.outcome).collect()
    }

    /// How many mails the operators got that say a person must look.
    pub fn calls_for_help(&self) -> usize {
        let mails = self.simulator.mailbox.mails_to("pam-team@example.com");
        mails.iter().filter(|mail| mail.subject.starts_with("Needs attention: ")).count()
    }
}
