//! The whole story, unattended: post, mail, link, page, approve, run, read back, compare.
//!
//! Must hold: it goes the way a person goes, over HTTP and through the mail; it succeeds only if the simulated vault
//! holds exactly what the approved plans say. Somebody joins, moves and leaves, one after the other.

use std::time::Duration;

use serde_json::Value;

use crate::domain::ids::{ChainId, WorkflowId};
use crate::domain::workflow::State;
use crate::kit::Kit;
use crate::pages::timeline::lost_create;
use crate::simulator::Simulator;
use crate::simulator::hr::{Answer, Joiner, Leaver, Mover};
use crate::simulator::mailbox::Mail;
use crate::store::audit::{self, Told};
use crate::store::{plans, steps, workflows};

use super::demo_compare::{compare_user, compare_writes};
use super::demo_settings::APPROVER;

/// Where the story went wrong.
#[derive(Debug, thiserror::Error)]
#[error("the story ended early: {0}")]
pub(super) struct Wrong(String);

fn wrong(words: impl std::fmt::Display) -> Wrong {
    Wrong(words.to_string())
}

/// What the story is played with.
pub(super) struct Story<'a> {
    pub kit: &'a Kit,
    pub simulator: &'a Simulator,
    pub joiner: Joiner,
}

/// One of the three things that happen to a person.
#[derive(Debug, Clone, Copy)]
enum Chapter {
    Joins,
    Moves,
    Leaves,
}

impl Story<'_> {
    pub(super) async fn play(&self) -> Result<(), Wrong> {
        for chapter in [Chapter::Joins, Chapter::Moves, Chapter::Leaves] {
            self.tell(chapter).await?;
        }
        Ok(())
    }

    async fn tell(&self, chapter: Chapter) -> Result<(), Wrong> {
        let vault = &self.simulator.vault;
        let before = Before {
            user: vault.user(&self.joiner.username),
            writes: vault.journal().len(),
            questions: self.questions().len(),
        };
        let (what, answer) = self.post(chapter).await?;
        let workflow = workflow_of(&answer)?;
        say!("HR posted {what}; it became workflow {workflow}.");
        let link = self.wait_for("the approver's mail", async || self.link(&before)).await?;
        say!("{APPROVER} got a mail with a link.");
        self.approve(&link).await?;
        say!("The page was opened and approved.");
        let state = self.wait_for("the run to come to rest", async || self.rest(workflow).await).await?;
        let trail = audit::chain(&self.kit.store, ChainId::from(workflow), 0, 1000).await.map_err(wrong)?;
        print_table(&trail);
        if state != State::Succeeded {
            return Err(wrong(format!("the workflow is {}", state.in_words())));
        }
        self.compare(workflow, &before).await?;
        say!("\nThe simulated vault holds exactly what was approved.\n");
        Ok(())
    }

    async fn post(&self, chapter: Chapter) -> Result<(&'static str, Answer), Wrong> {
        let hr = &self.simulator.hr;
        let (person, now) = (&self.joiner.person_ref, self.simulator.clock.now());
        let (what, answer) = match chapter {
            Chapter::Joins => ("a joiner", hr.hire(&self.joiner).await),
            Chapter::Moves => {
                let today = now.format("%Y-%m-%d").to_string();
                ("a mover", hr.transfer(&Mover::example(&hr.fresh_ref("RITM"), person, &today)).await)
            }
            Chapter::Leaves => {
                let today = now.format("%Y-%m-%d").to_string();
                ("a leaver", hr.dismiss(&Leaver::example(&hr.fresh_ref("RITM"), person, &today)).await)
            }
        };
        Ok((what, answer.map_err(wrong)?))
    }

    /// The links of mails that ask for a decision, the newest last.
    fn questions(&self) -> Vec<String> {
        let mails = self.simulator.mailbox.mails_to(APPROVER);
        mails
            .iter()
            .filter(|mail| mail.subject.starts_with("Your approval is wanted"))
            .flat_map(Mail::links)
            .collect()
    }

    /// The newest of them, once there is one more than before.
    fn link(&self, before: &Before) -> Option<String> {
        let links = self.questions();
        if links.len() > before.questions { links.into_iter().next_back() } else { None }
    }

    /// Opens the page as a browser does and presses the button.
    async fn approve(&self, link: &str) -> Result<(), Wrong> {
        let browser = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(30))
            .build()
            .map_err(wrong)?;
        let page = browser.get(link).send().await.map_err(wrong)?;
        let page = page.error_for_status().map_err(wrong)?.text().await.map_err(wrong)?;
        let hidden = |name: &str| {
            let field = format!("name=\"{name}\" value=\"");
            let (_, rest) = page.split_once(&field)?;
            rest.split_once('"').map(|(value, _)| value.to_owned())
        };
        let (Some(digest), Some(token)) = (hidden("digest"), hidden("form_token")) else {
            return Err(wrong("the page offers no decision"));
        };
        let form = [("decision", "approve"), ("comment", ""), ("digest", &digest), ("form_token", &token)];
        let public = self.kit.settings.http.public_url.origin().ascii_serialization();
        let url = format!("{link}/decision");
        let answer = browser.post(url).header("Origin", public).form(&form).send().await.map_err(wrong)?;
        match answer.status().as_u16() {
            303 => Ok(()),
            other => Err(wrong(format!("the decision was answered {other}"))),
        }
    }

    async fn rest(&self, workflow: WorkflowId) -> Option<State> {
        let found = workflows::find(&self.kit.store, workflow).await.ok().flatten()?;
        let rests = found.state.is_final() || matches!(found.state, State::NeedsAttention { .. });
        rests.then_some(found.state)
    }

    #[expect(clippy::disallowed_methods, reason = "an onlooker of a running service can only look again")]
    async fn wait_for<T>(&self, what: &str, look: impl AsyncFn() -> Option<T>) -> Result<T, Wrong> {
        for _ in 0..1200 {
            if let Some(seen) = look().await {
                return Ok(seen);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(wrong(format!("waited a minute for {what}")))
    }

    /// Holds the vault against the plan that was approved.
    async fn compare(&self, workflow: WorkflowId, before: &Before) -> Result<(), Wrong> {
        let found = workflows::find(&self.kit.store, workflow).await.map_err(wrong)?;
        let number = found.map_or(0, |workflow| workflow.plan_number);
        let kept = plans::find(&self.kit.store, workflow, number).await.map_err(wrong)?;
        let plan = kept.ok_or_else(|| wrong("the plan is gone"))?.sealed.open().map_err(wrong)?;
        let ledger = steps::ledger(&self.kit.store, workflow, number).await.map_err(wrong)?;
        let journal = self.simulator.vault.journal();
        let journal: Vec<&str> = journal.iter().skip(before.writes).map(|entry| entry.what).collect();
        compare_writes(&plan, &ledger, &journal).map_err(wrong)?;
        let user = self.simulator.vault.user(&self.joiner.username);
        let user = user.ok_or_else(|| wrong("the vault has no such user"))?;
        compare_user(&plan, before.user.as_ref(), &user).map_err(wrong)
    }
}

/// The outside world before a chapter.
struct Before {
    /// The user as the vault kept it.
    user: Option<Value>,
    /// How much had been written.
    writes: usize,
    /// How often the approver had been asked.
    questions: usize,
}

fn workflow_of(answer: &Answer) -> Result<WorkflowId, Wrong> {
    if answer.status != 202 {
        return Err(wrong(format!("the webhook was answered {}: {}", answer.status, answer.body)));
    }
    let body: Value = serde_json::from_str(&answer.body).map_err(wrong)?;
    let id = body.get("workflow_id").and_then(Value::as_str).and_then(WorkflowId::parse);
    id.ok_or_else(|| wrong("the webhook's answer names no workflow"))
}

fn print_table(trail: &[Told]) {
    say!("\n{:>3}  {:<8}  {:<26}  {:<24}  what", "#", "time", "event", "step");
    for told in trail {
        let event = &told.event;
        let step = told.text("step").unwrap_or_default();
        say!(
            "{:>3}  {:<8}  {:<26}  {:<24}  {}",
            event.position,
            event.at.clock_time(),
            event.kind,
            step,
            what(told)
        );
    }
}

fn what(told: &Told) -> String {
    if let Some(words) = lost_create(told) {
        return words;
    }
    let calls = told.event.facts.get("calls").and_then(Value::as_array);
    let calls: Vec<&str> = calls.into_iter().flatten().filter_map(Value::as_str).collect();
    let facts = ["outcome", "decision", "purpose", "rule", "kind", "how", "because"];
    let mut parts: Vec<String> = facts.iter().filter_map(|name| told.text(name)).map(str::to_owned).collect();
    parts.extend(["words", "because"].iter().filter_map(|name| told.personal(name)).map(str::to_owned));
    if !calls.is_empty() {
        parts.push(format!("[{}]", calls.join(", ")));
    }
    parts.join("; ")
}
