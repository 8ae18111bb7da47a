//! What the trail tells of a workflow, held against the rows beside the trail.
//!
//! Must hold: each decision, delivery, plan and attempt has its event, and the reverse; who is asked about a plan is
//! whom its event tells, where events told that already; the state in the row is the one that the last event of a change
//! of state brought about.

use std::collections::BTreeMap;

use super::found::{Found, Record, What};
use crate::domain::audit::{EventKind, EventRead};
use crate::domain::canon::Digest;
use crate::domain::ids::ChainId;
use crate::domain::routing::ResolvedStage;
use crate::domain::time::Timestamp;
use crate::store::asked_as_told::ROUTING;
use crate::store::seals::Kept;
use crate::store::trail::{AttemptRow, Clearing, DecisionRow, EventRow, Told, WorkflowRow};

/// A decision as its event tells it.
struct SaidEvent {
    record: Record,
    plan: i64,
    stage: i64,
    verdict: String,
    digest: Option<Digest>,
    at: Timestamp,
    actor: Option<String>,
    comment: Option<String>,
}

/// A plan as its event tells it.
struct PlanEvent {
    digest: String,
    /// Was anybody asked about it? A wider plan takes the place of an approved one.
    asks: Asks,
    /// What stands for who is asked; absent in events of earlier versions, which do not cover it.
    routing: Option<String>,
}

/// Whom a plan asks when it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asks {
    /// The people of its first stage, if it has one.
    First,
    /// Nobody.
    Nobody,
}

/// An attempt as its events tell it.
#[derive(Default)]
struct AttemptEvents {
    begun: Option<(Timestamp, i64, String)>,
    ended: Option<(Timestamp, String)>,
}

/// What one chain tells.
pub(super) struct Replay {
    chain: ChainId,
    state: Option<&'static str>,
    stalled: Option<String>,
    stage: i64,
    plan: i64,
    request: Option<String>,
    deliveries: BTreeMap<String, String>,
    plans: BTreeMap<i64, PlanEvent>,
    said: Vec<SaidEvent>,
    attempts: BTreeMap<String, AttemptEvents>,
    steps: BTreeMap<i64, String>,
    cleared: Clearing,
    bodies_cleared: Clearing,
    /// Personal values that are committed to and not kept any more, with no clearing told since.
    gone: usize,
}

impl Replay {
    pub(super) fn of(chain: ChainId) -> Self {
        Self {
            chain,
            state: None,
            stalled: None,
            stage: 0,
            plan: 0,
            request: None,
            deliveries: BTreeMap::new(),
            plans: BTreeMap::new(),
            said: vec![],
            attempts: BTreeMap::new(),
            steps: BTreeMap::new(),
            cleared: Clearing::None,
            bodies_cleared: Clearing::None,
            gone: 0,
        }
    }

    pub(super) fn chain(&self) -> ChainId {
        self.chain
    }

    /// There is another plan, and nothing of it is done yet.
    fn planned(&mut self, read: &EventRead, asks: Asks) {
        self.plan = number(read, "plan");
        let routing = read.facts.get(ROUTING).and_then(serde_json::Value::as_str).map(str::to_owned);
        self.plans.insert(self.plan, PlanEvent { digest: text(read, "digest"), asks, routing });
        self.steps.clear();
    }

    /// Takes the next event of the chain.
    #[expect(
        clippy::too_many_lines,
        reason = "each word of the trail is named, so that a new one is not passed over"
    )]
    pub(super) fn feed(&mut self, row: &EventRow, read: &EventRead) {
        // A word of a later version says nothing to this one; its integrity was looked at all the same.
        // An event in another's place has that one's values beside it, and is told of elsewhere.
        if read.position == row.stored.position {
            let kept = row.personal.iter().filter(|kept| kept.text.is_some()).count();
            self.gone += read.personal.len().saturating_sub(kept);
        }
        let Some(kind) = EventKind::parse(&read.kind) else { return };
        self.change(kind, read);
        match kind {
            EventKind::DeliveryAccepted
            | EventKind::DeliveryRepeated
            | EventKind::DeliveryRefused
            | EventKind::DeliveryIgnored
            | EventKind::CorrectionReceived => {
                self.deliveries.insert(text(read, "delivery"), text(read, "body_sha256"));
            }
            EventKind::WorkflowReceived => self.request = Some(text(read, "request_sha256")),
            EventKind::WorkflowPlanned => self.planned(read, Asks::First),
            EventKind::PlanWidened => self.planned(read, Asks::Nobody),
            EventKind::DecisionRecorded => self.said.push(said(row, read)),
            EventKind::StepBegun => {
                let begun = (read.at, number(read, "step_number"), text(read, "purpose"));
                self.attempts.entry(text(read, "attempt")).or_default().begun = Some(begun);
            }
            EventKind::StepEnded | EventKind::StepLookedUp => {
                self.steps.insert(number(read, "step_number"), text(read, "state"));
                let ended = (read.at, text(read, "outcome"));
                self.attempts.entry(text(read, "attempt")).or_default().ended = Some(ended);
            }
            EventKind::StepMarkedDone => {
                self.steps.insert(number(read, "step_number"), "done".to_owned());
            }
            EventKind::PersonalCleared => {
                self.cleared = Clearing::Done;
                self.bodies_cleared = Clearing::Done;
                self.gone = 0;
            }
            EventKind::DeliveryCleared => {
                self.bodies_cleared = Clearing::Done;
                if self.state.is_none() {
                    // Of a message that became no workflow this is all there is to clear.
                    self.gone = 0;
                }
            }
            EventKind::WorkflowReplanning
            | EventKind::WorkflowSpread
            | EventKind::VaultAwaited
            | EventKind::RunAwaited
            | EventKind::LateAccountFound
            | EventKind::LateAccountTried
            | EventKind::LateAccountAwaited
            | EventKind::StageOpened
            | EventKind::StageReminded
            | EventKind::AccountProtected
            | EventKind::HeldProposed
            | EventKind::CancelProposed
            | EventKind::WorkflowReleased
            | EventKind::WorkflowApproved
            | EventKind::WorkflowRejected
            | EventKind::WorkflowExpired
            | EventKind::WorkflowStarted
            | EventKind::RunStopping
            | EventKind::WorkflowSuperseded
            | EventKind::WorkflowCancelled
            | EventKind::PersonLinked
            | EventKind::UnlinkProposed
            | EventKind::PersonUnlinked
            | EventKind::CredentialSealed
            | EventKind::CredentialRevealed
            | EventKind::CredentialOffered
            | EventKind::CredentialRefused
            | EventKind::CredentialDestroyed
            | EventKind::WorkflowSucceeded
            | EventKind::WorkflowNeedsAttention
            | EventKind::WorkflowResumed
            | EventKind::AccountAdopted
            | EventKind::WorkflowGivenUp
            | EventKind::AlarmRaised
            | EventKind::WorkflowRescheduled
            | EventKind::ClockTrusted
            | EventKind::SignInFailed
            | EventKind::SignedIn
            | EventKind::SignedOut
            | EventKind::RestoreRecognised
            | EventKind::RestoreAccepted => {}
        }
    }

    /// Follows the state.
    #[expect(
        clippy::too_many_lines,
        reason = "each word of the trail is named, so that a new one is not passed over"
    )]
    fn change(&mut self, kind: EventKind, read: &EventRead) {
        let next = match kind {
            EventKind::WorkflowReceived | EventKind::WorkflowReplanning => "planning",
            EventKind::WorkflowPlanned => {
                self.stage = 0;
                "pending_approval"
            }
            EventKind::StageOpened => {
                self.stage = number(read, "stage");
                "pending_approval"
            }
            EventKind::WorkflowApproved | EventKind::WorkflowReleased => "approved",
            EventKind::WorkflowRejected => "rejected",
            EventKind::WorkflowExpired => "expired",
            EventKind::WorkflowStarted | EventKind::RunStopping => "running",
            EventKind::WorkflowSuperseded => "superseded",
            EventKind::WorkflowCancelled => "cancelled",
            EventKind::WorkflowSucceeded => "succeeded",
            EventKind::WorkflowNeedsAttention => {
                self.stalled = Some(text(read, "stalled"));
                self.state = Some("needs_attention");
                return;
            }
            EventKind::WorkflowResumed => match self.stalled.as_deref() {
                Some("planning" | "undecided") => "planning",
                Some("approved") => "approved",
                Some("running") => "running",
                Some(_) | None => return,
            },
            EventKind::WorkflowGivenUp => "failed",
            // The approval stands, and so does what is being done under it.
            EventKind::PlanWidened
            | EventKind::DeliveryAccepted
            | EventKind::DeliveryRepeated
            | EventKind::DeliveryRefused
            | EventKind::WorkflowSpread
            | EventKind::DeliveryIgnored
            | EventKind::CorrectionReceived
            | EventKind::VaultAwaited
            | EventKind::RunAwaited
            | EventKind::LateAccountFound
            | EventKind::LateAccountTried
            | EventKind::LateAccountAwaited
            | EventKind::StageReminded
            | EventKind::AccountProtected
            | EventKind::HeldProposed
            | EventKind::CancelProposed
            | EventKind::DecisionRecorded
            | EventKind::StepBegun
            | EventKind::StepEnded
            | EventKind::StepLookedUp
            | EventKind::StepMarkedDone
            | EventKind::PersonLinked
            | EventKind::UnlinkProposed
            | EventKind::PersonUnlinked
            | EventKind::CredentialSealed
            | EventKind::CredentialRevealed
            | EventKind::CredentialOffered
            | EventKind::CredentialRefused
            | EventKind::CredentialDestroyed
            | EventKind::AccountAdopted
            | EventKind::AlarmRaised
            | EventKind::WorkflowRescheduled
            | EventKind::ClockTrusted
            | EventKind::SignInFailed
            | EventKind::SignedIn
            | EventKind::SignedOut
            | EventKind::RestoreRecognised
            | EventKind::RestoreAccepted
            | EventKind::PersonalCleared
            | EventKind::DeliveryCleared => return,
        };
        self.state = Some(next);
        self.stalled = None;
    }

    /// Holds what was told against the rows.
    pub(super) fn compare(&self, told: &Told) -> Vec<Found> {
        let mut found = Vec::new();
        match (&told.workflow, self.state) {
            (Some(row), Some(state)) => self.workflow(row, state, &mut found),
            (Some(_), None) => found.push(self.differs("no event tells of its being taken in")),
            (None, Some(_)) => found.push(self.differs("the trail tells of a workflow that is gone")),
            (None, None) => {}
        }
        if self.gone > 0 {
            let words =
                format!("{} personal values are gone, and no event tells of their clearing", self.gone);
            found.push(Found::new(What::Dropped, Record::of_chain(self.chain), words));
        }
        self.deliveries(told, &mut found);
        self.plans(told, &mut found);
        self.asks(told, &mut found);
        self.decisions(&told.decisions, &mut found);
        self.attempts(&told.attempts, &mut found);
        // What is said to need no more doing; no event tells of a step that was skipped, since none is.
        let over = ["done", "already_so", "skipped"];
        for row in told.steps.iter().filter(|row| over.contains(&row.state.as_str())) {
            if self.steps.get(&row.number) != Some(&row.state) {
                let words = format!("step {} is {} in its row and not in the trail", row.number, row.state);
                found.push(self.differs(words));
            }
        }
        found
    }

    fn differs(&self, words: impl Into<String>) -> Found {
        Found::new(What::RowDiffers, Record::of_chain(self.chain), words)
    }

    fn workflow(&self, row: &WorkflowRow, state: &str, found: &mut Vec<Found>) {
        if row.state != state {
            let words = format!("the row says {}, the trail says {state}", row.state);
            found.push(self.differs(words));
        } else if row.stalled != self.stalled || row.stage != self.stage || row.plan_number != self.plan {
            found.push(self.differs("its stage, its plan or what it waits for is not the one in the trail"));
        }
        if row.clearing != self.cleared {
            found.push(self.differs("its row and the trail do not agree on whether it was cleared"));
        }
        if self.request.as_deref() != Some(row.request.to_string().as_str()) {
            found.push(self.differs("its request is not the one in the trail"));
        }
    }

    fn deliveries(&self, told: &Told, found: &mut Vec<Found>) {
        for row in &told.deliveries {
            match self.deliveries.get(&row.id.to_string()) {
                Some(body) if *body == row.body.to_string() => {}
                Some(_) => found.push(self.differs(format!("the bytes of delivery {} were changed", row.id))),
                None => found.push(self.differs(format!("no event tells of delivery {}", row.id))),
            }
        }
        let alone = told.deliveries.iter().filter(|row| row.clearing == Clearing::Done);
        if self.bodies_cleared == Clearing::None {
            for row in alone {
                let words = format!("the bytes of delivery {} are gone, and no event tells that", row.id);
                found.push(self.differs(words));
            }
        }
        for id in self.deliveries.keys() {
            if !told.deliveries.iter().any(|row| row.id.to_string() == *id) {
                found.push(self.differs(format!("delivery {id} is gone")));
            }
        }
    }

    fn plans(&self, told: &Told, found: &mut Vec<Found>) {
        for row in &told.plans {
            let told = self.plans.get(&row.number);
            if told.map(|told| &told.digest) != Some(&row.bytes.to_string()) {
                found.push(self.differs(format!("plan {} is not the one in the trail", row.number)));
            }
            let routing = told.and_then(|told| told.routing.as_ref()).zip(row.routing);
            if routing.is_some_and(|(told, stands)| *told != stands.to_string()) {
                found.push(self.differs(format!(
                    "who is asked about plan {}, and how many of them must agree, is not what the trail tells",
                    row.number
                )));
            }
        }
        for number in self.plans.keys() {
            if !told.plans.iter().any(|row| row.number == *number) {
                found.push(self.differs(format!("plan {number} is gone")));
            }
        }
    }

    /// So many plans were made before the trail told who is asked; whether that was changed cannot be said.
    pub(super) fn not_covered(&self) -> u64 {
        let without = self.plans.values().filter(|told| told.routing.is_none()).count();
        u64::try_from(without).unwrap_or(u64::MAX)
    }

    /// Whoever has a link to a plan stands among those whom the plan asks, in that stage; and everybody of its first
    /// stage has one, unless it took the place of an approved plan.
    fn asks(&self, told: &Told, found: &mut Vec<Found>) {
        for plan in &told.plans {
            let Some(routing) = &plan.asked else { continue };
            let people = |stage: i64| {
                let stage = usize::try_from(stage).ok().and_then(|stage| routing.stages.get(stage));
                let people = stage.map(ResolvedStage::people).unwrap_or_default();
                people.iter().map(ToString::to_string).collect::<Vec<_>>()
            };
            let asked: Vec<_> = told.asks.iter().filter(|ask| ask.plan == plan.number).collect();
            if asked.iter().any(|ask| !people(ask.stage).contains(&ask.approver)) {
                let words =
                    format!("somebody has a link to plan {} whom that plan does not ask", plan.number);
                found.push(self.differs(words));
            }
            let first = asked.iter().filter(|ask| ask.stage == 0).count();
            let asks = self.plans.get(&plan.number).is_some_and(|told| told.asks == Asks::First);
            if asks && first != people(0).len() {
                let words =
                    format!("the links to plan {} are not those of the people whom it asks", plan.number);
                found.push(self.differs(words));
            }
        }
    }

    fn decisions(&self, rows: &[DecisionRow], found: &mut Vec<Found>) {
        let mut open: Vec<&SaidEvent> = self.said.iter().collect();
        for row in rows {
            if let Some(place) = open.iter().position(|said| said.is(row)) {
                open.remove(place);
            } else {
                let words = format!("no event tells of decision {} as its row does", row.id);
                found.push(self.differs(words));
            }
        }
        for said in open {
            let words = format!("the decision {} has no row that says the same", said.verdict);
            found.push(Found::new(What::RowDiffers, said.record, words));
        }
    }

    fn attempts(&self, rows: &[AttemptRow], found: &mut Vec<Found>) {
        for row in rows {
            let id = row.id.to_string();
            let events = self.attempts.get(&id);
            let begun = events.and_then(|events| events.begun.as_ref());
            let ended = events.and_then(|events| events.ended.as_ref());
            if begun != Some(&(row.begun_at, row.step, row.purpose.clone())) {
                found.push(
                    self.differs(format!("no event tells of the intent of attempt {id} as its row does")),
                );
            }
            if ended != row.ended.as_ref() {
                found.push(self.differs(format!("the outcome of attempt {id} is not the one in the trail")));
            }
        }
        for id in self.attempts.keys() {
            if !rows.iter().any(|row| row.id.to_string() == *id) {
                found.push(self.differs(format!("attempt {id} is gone")));
            }
        }
    }
}

impl SaidEvent {
    /// A personal value that was cleared can be anything.
    fn is(&self, row: &DecisionRow) -> bool {
        self.plan == row.plan
            && self.stage == row.stage
            && self.verdict == row.verdict
            && self.at == row.at
            && self.digest == Digest::from_slice(&row.digest)
            && self.actor.as_ref().is_none_or(|actor| *actor == row.approver)
            && self.comment.as_ref().is_none_or(|comment| *comment == row.comment)
    }
}

fn said(row: &EventRow, read: &EventRead) -> SaidEvent {
    let clear = |field: &str| {
        row.personal.iter().find(|kept: &&Kept| kept.field == field).and_then(|kept| kept.text.clone())
    };
    let nothing = || Some(String::new());
    SaidEvent {
        record: Record {
            number: row.sealed.as_ref().map(|(number, _)| *number),
            event: Some(read.id),
            chain: Some(read.chain),
            position: Some(read.position),
        },
        plan: number(read, "plan"),
        stage: number(read, "stage"),
        verdict: text(read, "decision"),
        digest: Digest::parse(&text(read, "digest")),
        at: read.at,
        actor: clear("actor"),
        comment: if read.personal.contains_key("comment") { clear("comment") } else { nothing() },
    }
}

fn text(read: &EventRead, fact: &str) -> String {
    read.facts.get(fact).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
}

fn number(read: &EventRead, fact: &str) -> i64 {
    read.facts.get(fact).and_then(serde_json::Value::as_i64).unwrap_or(-1)
}

#[cfg(test)]
mod tests;
