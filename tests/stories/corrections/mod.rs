//! Corrections and order: leavers against what is open or under way, dates that move, requests that are taken back, events
//! that come in too late.

mod dates_move;
mod in_order;
mod leavers_win;
mod taken_back;
mod two_people;
mod who_comes_back;
mod who_is_known;

use countersign::domain::approval::Verdict;
use countersign::domain::ids::WorkflowId;
use countersign::domain::names::EmailAddress;
use countersign::domain::operator::Operator;
use countersign::store::operator::Overrule;
use serde_json::{Value, json};

use crate::stage::{Answer, Choices, Stage};

pub const ANA: &str = "ana@example.com";
pub const BO: &str = "bo@example.com";

/// With the wish of the usual mover.
pub fn team_lead() -> Value {
    json!({ "title": "Team Lead", "department": "IT Ops" })
}

/// From this day on.
pub fn from(day: &str) -> Value {
    json!({ "at": day, "tz": "Europe/Berlin", "boundary": "start_of_day" })
}

/// Whatever is to be tried or looked up again waits, so that a story can do something before.
pub fn patient() -> Choices {
    let waits = "max_attempts = 4\nfirst_retry_after = \"1h\"\nlongest_retry_after = \"2h\"";
    Choices::edited(&[("max_attempts = 4", waits)])
}

impl Stage {
    /// What HR says of the usual joiner, with these parts besides.
    pub async fn joins(&self, source_ref: &str, parts: Value) -> Answer {
        let mut body = self.joiner().body();
        body["source_ref"] = json!(source_ref);
        let Value::Object(parts) = parts else { panic!("parts are an object") };
        for (key, value) in parts {
            body[key.as_str()] = value;
        }
        self.post(&format!("msg_{source_ref}"), body.to_string().as_bytes()).await
    }

    /// HR takes an earlier request back.
    pub async fn rescinds(&self, kind: &str, source_ref: &str, amends: &str) -> Answer {
        let body = json!({
            "schema": "jml/1", "kind": kind, "op": "rescind", "amends": amends, "source_ref": source_ref,
            "person_ref": "E10442",
        });
        self.post(&format!("msg_{source_ref}"), body.to_string().as_bytes()).await
    }

    /// The one workflow of a kind.
    pub async fn only_of(&self, kind: &str) -> String {
        let mut found = self.listed(&format!("?kind={kind}")).await;
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0)
    }

    /// Both approvers say yes to whatever they were ever asked; what is over answers that it is.
    pub async fn everything_is_approved(&self) {
        for who in [ANA, BO] {
            for mail in self.simulator.mailbox.mails_to(who) {
                if mail.subject.starts_with("Your approval is wanted")
                    && self.form(&mail.links()[0]).await.is_some()
                {
                    let answer = self.decide(&mail.links()[0], "approve", "").await;
                    assert_eq!(answer.status, 303, "{}", answer.body);
                }
            }
        }
    }

    /// An operator decides about a leaver whom nobody has decided in time.
    pub async fn overrule(&self, workflow: &str, verdict: Verdict) {
        let deed = Overrule {
            stamp: self.service.kit.world.stamp(),
            workflow: WorkflowId::parse(workflow).unwrap(),
            verdict,
            by: Operator::SignedIn(EmailAddress::parse("olga@example.com").unwrap()),
            reason: "Nobody else is there".to_owned(),
        };
        self.service.kit.store.write(deed).await.unwrap();
    }

    /// Taken in under an id of its own.
    pub async fn taken(&self, answer: Answer) -> String {
        assert_eq!(answer.status, 202, "{}", answer.body);
        self.settle().await;
        answer.workflow()
    }

    /// Mails to somebody whose subject begins so.
    pub fn mails_like(&self, to: &str, begin: &str) -> usize {
        let mails = self.simulator.mailbox.mails_to(to);
        mails.iter().filter(|mail| mail.subject.starts_with(begin)).count()
    }

    /// The old link is dead, and says kindly why.
    pub async fn is_dead(&self, link: &str, form: &(String, String), words: &str) {
        let page = self.get(link).await;
        assert_eq!(page.status, 200);
        assert!(page.body.contains(words), "{words} is not on {}", page.body);
        assert!(self.form(link).await.is_none(), "it offers no decision any more");
        let pressed = self.press(link, "approve", "", (&form.0, &form.1)).await;
        assert_eq!(pressed.status, 409, "{}", pressed.body);
    }

    /// Nothing of her is left that could be used.
    pub fn has_nothing_left(&self) {
        let Some(user) = self.simulator.vault.user("zobrien") else { return };
        assert_eq!(user["enableUser"], json!(false), "{user}");
        assert_eq!(self.her_groups(), [""; 0]);
    }
}
