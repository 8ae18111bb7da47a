//! The whole story, unattended: post, mail, link, page, approve, run, read back, compare.
//!
//! Must hold: it goes the way a person goes, over HTTP and through the mail; it succeeds only if the simulated vault
//! holds exactly what the approved plan says, and its journal of writes exactly the plan's writing steps.

use std::time::Duration;

use serde_json::Value;

use crate::domain::ids::{ChainId, WorkflowId};
use crate::domain::plan::{Effect, Plan, PlannedStep};
use crate::domain::snapshot::ProfileField;
use crate::domain::step::StepState;
use crate::domain::workflow::State;
use crate::kit::Kit;
use crate::simulator::Simulator;
use crate::simulator::hr::Joiner;
use crate::store::audit::{self, Told};
use crate::store::{plans, steps, workflows};

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

impl Story<'_> {
    pub(super) async fn play(&self) -> Result<(), Wrong> {
        let workflow = self.post().await?;
        println!("HR posted a joiner; it became workflow {workflow}.");
        let link = self.wait_for("the approver's mail", async || self.link()).await?;
        println!("{APPROVER} got a mail with a link.");
        self.approve(&link).await?;
        println!("The page was opened and approved.");
        let state = self.wait_for("the run to come to rest", async || self.rest(workflow).await).await?;
        let trail = audit::chain(&self.kit.store, ChainId::from(workflow), 0, 1000).await.map_err(wrong)?;
        print_table(&trail);
        if state != State::Succeeded {
            return Err(wrong(format!("the workflow is {}", state.in_words())));
        }
        self.compare(workflow).await?;
        println!("\nThe simulated vault holds exactly what was approved.");
        Ok(())
    }

    async fn post(&self) -> Result<WorkflowId, Wrong> {
        let answer = self.simulator.hr.hire(&self.joiner).await.map_err(wrong)?;
        if answer.status != 202 {
            return Err(wrong(format!("the webhook was answered {}: {}", answer.status, answer.body)));
        }
        let body: Value = serde_json::from_str(&answer.body).map_err(wrong)?;
        let id = body.get("workflow_id").and_then(Value::as_str).and_then(WorkflowId::parse);
        id.ok_or_else(|| wrong("the webhook's answer names no workflow"))
    }

    fn link(&self) -> Option<String> {
        self.simulator.mailbox.links_for(APPROVER).into_iter().next()
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
    async fn compare(&self, workflow: WorkflowId) -> Result<(), Wrong> {
        let found = workflows::find(&self.kit.store, workflow).await.map_err(wrong)?;
        let number = found.map_or(0, |workflow| workflow.plan_number);
        let kept = plans::find(&self.kit.store, workflow, number).await.map_err(wrong)?;
        let plan = kept.ok_or_else(|| wrong("the plan is gone"))?.sealed.open().map_err(wrong)?;
        let ledger = steps::ledger(&self.kit.store, workflow, number).await.map_err(wrong)?;
        let done = plan.steps.iter().zip(&ledger.steps);
        let written: Vec<&str> = done
            .filter(|(step, record)| step.effect() == Effect::Writes && record.state == StepState::Done)
            .map(|(step, _)| in_journal(step))
            .collect();
        let journal: Vec<&str> = self.simulator.vault.journal().iter().map(|entry| entry.what).collect();
        if written != journal {
            return Err(wrong(format!("the vault's journal says {journal:?}, the ledger {written:?}")));
        }
        let user = self.simulator.vault.user(plan.user_name.as_str());
        compare_user(&plan, &user.ok_or_else(|| wrong("the vault has no such user"))?)
    }
}

/// The simulator's own word for the effect of a step.
fn in_journal(step: &PlannedStep) -> &'static str {
    match step {
        PlannedStep::CreateUser(_) => "create_user",
        PlannedStep::AddToGroup(_) => "add_member",
        PlannedStep::RemoveFromGroup(_) => "remove_member",
        PlannedStep::DisableUser => "disable_user",
        PlannedStep::UpdateUser(_) | PlannedStep::RequirePasswordChange => "update_user",
        PlannedStep::FindUser
        | PlannedStep::CaptureUserId
        | PlannedStep::RecordAccess
        | PlannedStep::DisableInDirectory
        | PlannedStep::VerifyUser => "nothing",
    }
}

fn compare_user(plan: &Plan, user: &Value) -> Result<(), Wrong> {
    let same = |what: &str, place: &str, wanted: &Value| {
        let is = user.pointer(place).unwrap_or(&Value::Null);
        if is == wanted {
            Ok(())
        } else {
            Err(wrong(format!("{what}: the vault has {is}, approved was {wanted}")))
        }
    };
    let mut groups: Vec<String> = Vec::new();
    for step in &plan.steps {
        match step {
            PlannedStep::CreateUser(new) => {
                same("user type", "/userType", &new.user_type.as_str().into())?;
                same("location", "/location", &new.location.as_str().into())?;
                let field = |field| new.profile.get(&field).map_or("", String::as_str).into();
                same("first name", "/personalDetails/firstName", &field(ProfileField::FirstName))?;
                same("last name", "/personalDetails/lastName", &field(ProfileField::LastName))?;
                same("mail", "/internet/businessEmail", &field(ProfileField::Email))?;
            }
            PlannedStep::AddToGroup(group) => groups.push(group.name.to_string()),
            PlannedStep::RequirePasswordChange => {
                same("new password", "/changePassOnNextLogon", &true.into())?;
            }
            // The demonstration is about a joiner, whose plan has none of these.
            PlannedStep::FindUser
            | PlannedStep::CaptureUserId
            | PlannedStep::UpdateUser(_)
            | PlannedStep::RemoveFromGroup(_)
            | PlannedStep::RecordAccess
            | PlannedStep::DisableUser
            | PlannedStep::DisableInDirectory
            | PlannedStep::VerifyUser => {}
        }
    }
    same("enabled", "/enableUser", &true.into())?;
    let memberships = user.get("groupsMembership").and_then(Value::as_array);
    let mut held: Vec<String> = memberships
        .into_iter()
        .flatten()
        .filter_map(|group| group.get("groupName").and_then(Value::as_str).map(str::to_owned))
        .collect();
    groups.sort();
    held.sort();
    if groups == held {
        Ok(())
    } else {
        Err(wrong(format!("groups: the vault has {held:?}, approved was {groups:?}")))
    }
}

fn print_table(trail: &[Told]) {
    println!("\n{:>3}  {:<8}  {:<26}  {:<24}  what", "#", "time", "event", "step");
    for told in trail {
        let event = &told.event;
        let step = told.text("step").unwrap_or_default();
        println!(
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
    let calls = told.event.facts.get("calls").and_then(Value::as_array);
    let calls: Vec<&str> = calls.into_iter().flatten().filter_map(Value::as_str).collect();
    let facts = ["outcome", "decision", "purpose", "rule", "kind", "because"];
    let mut parts: Vec<String> = facts.iter().filter_map(|name| told.text(name)).map(str::to_owned).collect();
    parts.extend(["words", "because"].iter().filter_map(|name| told.personal(name)).map(str::to_owned));
    if !calls.is_empty() {
        parts.push(format!("[{}]", calls.join(", ")));
    }
    parts.join("; ")
}
