//! How a workflow ends in favour of another one, or is taken back; and how a run that has begun is stopped for that.
//!
//! Must hold: what has begun no step ends at once; a run is stopped first, and its end tells what it had done by then.

use super::{Owed, State, Transition, WrongMove, event};
use crate::domain::audit::{Actor, EventKind, NewEvent};
use crate::domain::ids::WorkflowId;
use crate::domain::kind::Kind;

use super::state::Stalled;

/// How a workflow rests that does not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestsAs {
    /// Another one takes its place.
    Superseded,
    /// It is taken back.
    Cancelled,
}

impl RestsAs {
    /// The word in the database.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Superseded => "superseded",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads the word back.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Superseded, Self::Cancelled].into_iter().find(|rests| rests.word() == text)
    }
}

/// A run is to stop: it begins nothing new, and then rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop {
    /// How it rests.
    pub rests: RestsAs,
    /// The workflow that takes its place or makes up for it, where there is one.
    pub by: Option<WorkflowId>,
}

/// Why a workflow does not go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// Who brings it about.
    pub actor: Actor,
    /// How it rests, and what takes its place.
    pub stop: Stop,
    /// What kind of request that is.
    pub kind: Option<Kind>,
    /// The source's own reference of the event that takes it back.
    pub withdrawn_by: Option<String>,
    /// Where two people cancel it: what the first of them said.
    pub proposed: Option<Proposed>,
}

/// What somebody proposed, and somebody else has confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposed {
    /// Who proposed it, by address.
    pub by: String,
    /// Why.
    pub because: String,
    /// Why the one who confirmed it did so.
    pub reason: String,
    /// The user of the machine who confirmed it, where it was done at a command line.
    pub machine_user: Option<String>,
}

impl Ending {
    /// Another request takes its place.
    pub fn replaced_by(actor: Actor, by: WorkflowId, kind: Kind) -> Self {
        let stop = Stop { rests: RestsAs::Superseded, by: Some(by) };
        Self { actor, stop, kind: Some(kind), withdrawn_by: None, proposed: None }
    }

    fn told(&self, kind: EventKind) -> NewEvent {
        let mut told = event(kind, self.actor.clone());
        if let Some(by) = self.stop.by {
            told = told.text("by", by.to_string());
        }
        if let Some(kind) = self.kind {
            told = told.text("by_kind", kind.as_str());
        }
        if let Some(proposed) = &self.proposed {
            told = told
                .personal("proposed_by", proposed.by.clone())
                .personal("proposed_because", proposed.because.clone());
            told = told.personal("reason", proposed.reason.clone());
            if let Some(user) = &proposed.machine_user {
                told = told.personal("machine_user", user.clone());
            }
        }
        match &self.withdrawn_by {
            Some(reference) => told.text("withdrawn_by", reference.clone()),
            None => told,
        }
    }
}

impl State {
    /// Nothing of it has begun, or nothing of it is unclear: it rests.
    pub fn ended(&self, ending: &Ending, done: &[String]) -> Result<Transition, WrongMove> {
        match self {
            Self::Planning
            | Self::PendingApproval { .. }
            | Self::Approved { .. }
            | Self::NeedsAttention { .. } => Ok(at_rest(ending, done)),
            Self::Running
            | Self::Succeeded
            | Self::Rejected
            | Self::Expired
            | Self::Cancelled
            | Self::Superseded
            | Self::Failed { .. } => Err(self.wrong("this end")),
        }
    }

    /// It is being carried out, or stopped at something unclear: it is to begin nothing new.
    pub fn stopping(&self, ending: &Ending) -> Result<Transition, WrongMove> {
        match self {
            Self::Running | Self::NeedsAttention { stalled: Stalled::Running, .. } => Ok(Transition {
                next: Self::Running,
                event: ending.told(EventKind::RunStopping).text("rests_as", ending.stop.rests.word()),
                owed: vec![],
            }),
            Self::Planning
            | Self::PendingApproval { .. }
            | Self::Approved { .. }
            | Self::NeedsAttention { .. }
            | Self::Succeeded
            | Self::Rejected
            | Self::Expired
            | Self::Cancelled
            | Self::Superseded
            | Self::Failed { .. } => Err(self.wrong("a stop")),
        }
    }

    /// A run that was to stop has come to a safe point.
    pub fn stopped(&self, ending: &Ending, done: &[String]) -> Result<Transition, WrongMove> {
        match self {
            Self::Running => Ok(at_rest(ending, done)),
            Self::Planning
            | Self::PendingApproval { .. }
            | Self::Approved { .. }
            | Self::NeedsAttention { .. }
            | Self::Succeeded
            | Self::Rejected
            | Self::Expired
            | Self::Cancelled
            | Self::Superseded
            | Self::Failed { .. } => Err(self.wrong("the end of a stop")),
        }
    }
}

fn at_rest(ending: &Ending, done: &[String]) -> Transition {
    let (next, kind, owed) = match ending.stop.rests {
        RestsAs::Superseded => (State::Superseded, EventKind::WorkflowSuperseded, Owed::Replaced),
        RestsAs::Cancelled => (State::Cancelled, EventKind::WorkflowCancelled, Owed::Withdrawn),
    };
    let told = ending.told(kind);
    let told = if done.is_empty() { told } else { told.text("done", done.join(", ")) };
    Transition { next, event: told, owed: vec![owed] }
}
