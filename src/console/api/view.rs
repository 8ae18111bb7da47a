//! What the operators' API shows, in its own stable words.
//!
//! Must hold: a field once shown keeps its name and meaning; what is not there is `null`, never left out; sealed
//! values, link hashes and raw deliveries are not shown. Deliberately absent: reading anything.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::unread::UNREADABLE;
use crate::domain::canon::{Digest, Tag};
use crate::domain::ids::{EventId, MessageId, VaultUserId, WorkflowId};
use crate::domain::kind::Kind;
use crate::domain::names::{EmailAddress, GroupName, PersonRef, SourceName, SourceRef, TargetName, UserName};
use crate::domain::plan::PlannedStep;
use crate::domain::step::{Ledger, StepRecord, StepState};
use crate::domain::time::Timestamp;
use crate::domain::workflow::State;
use crate::kit::Kit;
use crate::store::ReadFault;
use crate::store::audit::Told;
use crate::store::decisions::Recorded;
use crate::store::listed::Listed;
use crate::store::outbox::OwedMessage;
use crate::store::plans::KeptPlan;
use crate::store::workflows::Workflow;

/// One page of workflows, newest first.
#[derive(Serialize)]
pub(super) struct WorkflowPage {
    workflows: Vec<InList>,
    next_cursor: Option<String>,
}

impl WorkflowPage {
    pub(super) fn new(kit: &Kit, shown: &[Listed], next_cursor: Option<String>) -> Self {
        Self { workflows: shown.iter().map(|one| InList::new(kit, one)).collect(), next_cursor }
    }
}

/// One row of a page; one that is damaged is told in its place, so that the others are.
#[derive(Serialize)]
#[serde(untagged)]
enum InList {
    Whole(Box<WorkflowShown>),
    Unreadable(UnreadableShown),
}

#[derive(Serialize)]
struct UnreadableShown {
    id: WorkflowId,
    state: String,
    created_at: Timestamp,
    unreadable: &'static str,
    url: String,
}

impl InList {
    fn new(kit: &Kit, listed: &Listed) -> Self {
        match listed {
            Listed::Whole(workflow) => Self::Whole(Box::new(WorkflowShown::new(kit, workflow))),
            Listed::Unreadable(told) => Self::Unreadable(UnreadableShown {
                id: told.id,
                state: told.state.clone(),
                created_at: told.created_at,
                unreadable: UNREADABLE,
                url: url(kit, told.id),
            }),
        }
    }
}

#[derive(Serialize)]
struct WorkflowShown {
    id: WorkflowId,
    state: &'static str,
    reason: Option<String>,
    kind: Kind,
    source: SourceName,
    source_ref: SourceRef,
    person_ref: PersonRef,
    user_name: Option<UserName>,
    target: Option<TargetName>,
    plan_number: u32,
    replans: u32,
    created_at: Timestamp,
    updated_at: Timestamp,
    /// When what it knew about people was cleared.
    cleared_at: Option<Timestamp>,
    /// Execution begins not before this moment; known once planned.
    not_before: Option<Timestamp>,
    /// Until when an answer is awaited, while people are asked.
    expires_at: Option<Timestamp>,
    /// The run of the same person that must come to rest before this one goes on.
    waits_for: Option<WorkflowId>,
    /// The workflow that stands for the whole request, where this is a part of it for one further target.
    part_of: Option<WorkflowId>,
    /// The request that took its place; for one that is being stopped, the one that will.
    superseded_by: Option<WorkflowId>,
    /// The source's own reference of the event that took it back; for one that is being stopped, the one that will.
    cancelled_by: Option<String>,
    url: String,
}

impl WorkflowShown {
    fn new(kit: &Kit, workflow: &Workflow) -> Self {
        Self {
            id: workflow.id,
            state: workflow.state.word(),
            reason: reason(&workflow.state),
            kind: workflow.kind,
            source: workflow.source.clone(),
            source_ref: workflow.source_ref.clone(),
            person_ref: workflow.person_ref.clone(),
            user_name: workflow.user_name.clone(),
            target: workflow.target.clone(),
            plan_number: workflow.plan_number,
            replans: workflow.replans,
            created_at: workflow.created_at,
            updated_at: workflow.updated_at,
            cleared_at: workflow.cleared.as_ref().map(|cleared| cleared.at),
            not_before: workflow.not_before,
            expires_at: workflow.state.open_stage().and_then(|open| open.expires_at),
            waits_for: workflow.waits_for,
            part_of: workflow.part_of,
            superseded_by: workflow.ended_by.or_else(|| workflow.stop.and_then(|stop| stop.by)),
            cancelled_by: workflow.cancelled_by.clone(),
            url: url(kit, workflow.id),
        }
    }
}

fn url(kit: &Kit, workflow: WorkflowId) -> String {
    let base = kit.settings.http.public_url.as_str().trim_end_matches('/');
    format!("{base}/api/v1/workflows/{workflow}")
}

fn reason(state: &State) -> Option<String> {
    match state {
        State::Failed { reason } | State::NeedsAttention { reason, .. } => Some(reason.clone()),
        State::Planning
        | State::PendingApproval { .. }
        | State::Approved { .. }
        | State::Running
        | State::Succeeded
        | State::Rejected
        | State::Expired
        | State::Cancelled
        | State::Superseded => None,
    }
}

/// One workflow with its plan, steps, decisions and messages.
#[derive(Serialize)]
pub(super) struct WorkflowInFull {
    #[serde(flatten)]
    workflow: WorkflowShown,
    /// The request as it was understood; `null` once it was cleared.
    request: Value,
    /// All parts of the request, this one among them; empty where it is the only one.
    parts: Vec<PartShown>,
    /// The requests whose place this one took.
    supersedes: Vec<WorkflowId>,
    plan: Option<PlanShown>,
    user_id: Option<VaultUserId>,
    steps: Vec<StepShown>,
    decisions: Vec<DecisionShown>,
    messages: Vec<MessageShown>,
}

/// One workflow of a request that reaches several targets.
#[derive(Serialize)]
struct PartShown {
    id: WorkflowId,
    target: Option<TargetName>,
    state: &'static str,
    reason: Option<String>,
    url: String,
}

#[derive(Serialize)]
struct PlanShown {
    number: u32,
    digest: Digest,
    profile: String,
    rule: String,
    because: String,
    made_at: Timestamp,
    /// When the target was read for it.
    read_at: Timestamp,
}

#[derive(Serialize)]
struct StepShown {
    number: usize,
    step: &'static str,
    group: Option<GroupName>,
    state: &'static str,
    reason: Option<String>,
    /// Tries at the effect.
    acts: u32,
    /// Looks at what a try brought about.
    looks: u32,
    /// When it goes on, where it waits.
    due_at: Option<Timestamp>,
}

#[derive(Serialize)]
struct DecisionShown {
    plan_number: u32,
    stage: u32,
    by: EmailAddress,
    decision: &'static str,
    comment: String,
    at: Timestamp,
}

#[derive(Serialize)]
struct MessageShown {
    id: MessageId,
    kind: String,
    /// The operators, where there is none.
    recipient: Option<EmailAddress>,
    /// `owed`, `sent` or `parked`.
    state: String,
    tries: u32,
    last_fault: Option<String>,
}

impl WorkflowInFull {
    pub(super) fn new(
        kit: &Kit,
        workflow: &Workflow,
        plan: Option<&KeptPlan>,
        ledger: &Ledger,
    ) -> Result<Self, ReadFault> {
        let planned = plan.map(|kept| kept.sealed.open()).transpose()?;
        let steps = planned.as_ref().map_or(&[][..], |plan| &plan.steps);
        let steps = steps.iter().zip(&ledger.steps).enumerate();
        Ok(Self {
            workflow: WorkflowShown::new(kit, workflow),
            request: workflow.request.open(Tag::Request)?,
            parts: Vec::new(),
            supersedes: Vec::new(),
            plan: plan.zip(planned.as_ref()).map(|(kept, plan)| PlanShown {
                number: kept.number,
                digest: kept.sealed.digest(),
                profile: plan.profile.clone(),
                rule: kept.routing.rule.clone(),
                because: kept.routing.because.to_string(),
                made_at: kept.made_at,
                read_at: kept.snapshot.read_at,
            }),
            user_id: ledger.user_id,
            steps: steps.map(|(number, (planned, record))| StepShown::new(number, planned, record)).collect(),
            decisions: Vec::new(),
            messages: Vec::new(),
        })
    }

    pub(super) fn with_parts(mut self, kit: &Kit, whole: &[Workflow]) -> Self {
        if whole.len() > 1 {
            self.parts = whole.iter().map(|one| PartShown::new(kit, one)).collect();
        }
        self
    }

    /// With the requests whose place this one took.
    pub(super) fn in_place_of(mut self, others: &[Workflow]) -> Self {
        self.supersedes = others.iter().map(|other| other.id).collect();
        self
    }

    /// One of which only the frame is left.
    pub(super) fn cleared(kit: &Kit, workflow: &Workflow) -> Self {
        Self {
            workflow: WorkflowShown::new(kit, workflow),
            request: Value::Null,
            parts: Vec::new(),
            supersedes: Vec::new(),
            plan: None,
            user_id: None,
            steps: Vec::new(),
            decisions: Vec::new(),
            messages: Vec::new(),
        }
    }

    pub(super) fn with_people(mut self, said: Vec<Recorded>, messages: Vec<OwedMessage>) -> Self {
        self.decisions = said.into_iter().map(DecisionShown::from).collect();
        self.messages = messages.into_iter().map(MessageShown::from).collect();
        self
    }
}

impl PartShown {
    fn new(kit: &Kit, workflow: &Workflow) -> Self {
        Self {
            id: workflow.id,
            target: workflow.target.clone(),
            state: workflow.state.word(),
            reason: reason(&workflow.state),
            url: url(kit, workflow.id),
        }
    }
}

impl StepShown {
    fn new(number: usize, planned: &PlannedStep, record: &StepRecord) -> Self {
        let group = planned.group().map(|(_, group)| group.name.clone());
        let (due_at, reason) = match &record.state {
            StepState::Waiting { due } | StepState::Unknown { due } => (Some(*due), None),
            StepState::Failed { reason } => (None, Some(reason.clone())),
            StepState::Begun
            | StepState::Done
            | StepState::AlreadySo
            | StepState::Skipped
            | StepState::Manual => (None, None),
        };
        Self {
            number,
            step: planned.kind(),
            group,
            state: record.state.word(),
            reason,
            acts: record.acts,
            looks: record.looks,
            due_at,
        }
    }
}

impl From<Recorded> for DecisionShown {
    fn from(recorded: Recorded) -> Self {
        Self {
            plan_number: recorded.plan_number,
            stage: recorded.said.stage,
            by: recorded.said.by,
            decision: recorded.said.verdict.word(),
            comment: recorded.comment,
            at: recorded.said.at,
        }
    }
}

impl From<OwedMessage> for MessageShown {
    fn from(message: OwedMessage) -> Self {
        Self {
            id: message.id,
            kind: message.kind,
            recipient: message.recipient,
            state: message.state,
            tries: message.tries,
            last_fault: message.last_fault,
        }
    }
}

/// One page of an audit trail, oldest first.
#[derive(Serialize)]
pub(super) struct AuditPage {
    workflow_id: WorkflowId,
    events: Vec<EventShown>,
    next_cursor: Option<String>,
}

#[derive(Serialize)]
struct EventShown {
    id: EventId,
    position: i64,
    at: Timestamp,
    kind: String,
    actor: String,
    facts: BTreeMap<String, Value>,
    /// Clear text by field; `null` once it was cleared.
    personal: BTreeMap<String, Option<String>>,
    previous: Digest,
    hash: Digest,
}

impl AuditPage {
    pub(super) fn new(workflow_id: WorkflowId, told: Vec<Told>, next_cursor: Option<String>) -> Self {
        Self { workflow_id, events: told.into_iter().map(EventShown::from).collect(), next_cursor }
    }
}

impl From<Told> for EventShown {
    fn from(told: Told) -> Self {
        let personal =
            told.event.personal.keys().map(|field| (field.clone(), told.personal(field).map(str::to_owned)));
        Self {
            id: told.event.id,
            position: told.event.position,
            at: told.event.at,
            personal: personal.collect(),
            kind: told.event.kind,
            actor: told.event.actor,
            facts: told.event.facts,
            previous: told.event.previous,
            hash: told.hash,
        }
    }
}
