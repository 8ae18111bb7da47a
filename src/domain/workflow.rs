//! The life of one request: its states, and the only ways from one to the next.
//!
//! Must hold: a state carries what exists in that state and nothing else; every change of state comes with its
//! audit event and with the messages that are owed because of it; a wrong move is refused, never bent.
//! Deliberately absent: rows and times of asking; the store turns these values into rows in one transaction.

use super::approval::Verdict;
use super::audit::{Actor, EventKind, NewEvent};
use super::canon::Digest;
use super::drift::Difference;
use super::ids::BatchId;
use super::names::{EmailAddress, SourceName};
use super::time::Timestamp;

mod ends;
mod state;

pub use ends::{Ending, Proposed, RestsAs, Stop};
pub use state::{OpenStage, Stalled, State};

/// A change of state: what comes next, what is recorded, what is owed. None exists without the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// The new state.
    pub next: State,
    /// Its record.
    pub event: NewEvent,
    /// Messages that are owed because of it.
    pub owed: Vec<Owed>,
}

/// A message that is owed, by kind and addressee; the store turns it into rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owed {
    /// To the people of a stage: please decide.
    ApprovalWanted {
        /// The stage that is open now.
        stage: u32,
    },
    /// To the people of a stage who have not answered: please decide.
    Reminder {
        /// The stage that is open.
        stage: u32,
    },
    /// To everybody who was asked about this plan: it is decided.
    Decided,
    /// To everybody who was asked about this plan: the plan was replaced.
    PlanReplaced,
    /// To everybody who was asked about this plan: it is done.
    Done,
    /// To everybody who was asked about this plan: another request took its place.
    Replaced,
    /// To everybody who was asked about this plan: it was taken back.
    Withdrawn,
    /// To the operators: a person must look.
    NeedsAttention,
}

impl Owed {
    /// The word in the outbox.
    pub const fn word(self) -> &'static str {
        match self {
            Self::ApprovalWanted { .. } => "approval_wanted",
            Self::Reminder { .. } => "reminder",
            Self::Decided => "decided",
            Self::PlanReplaced => "plan_replaced",
            Self::Done => "done",
            Self::Replaced => "replaced",
            Self::Withdrawn => "withdrawn",
            Self::NeedsAttention => "needs_attention",
        }
    }
}

/// A move that the state does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this workflow is {}; {wanted} is not possible now", from.in_words())]
pub struct WrongMove {
    /// Where it stands.
    pub from: State,
    /// What was wanted.
    pub wanted: &'static str,
}

/// After so many plans made again a person must look (contract, promise 5).
pub const MOST_REPLANS: u32 = 3;

fn event(kind: EventKind, actor: Actor) -> NewEvent {
    NewEvent::new(kind, actor)
}

impl State {
    fn wrong(&self, wanted: &'static str) -> WrongMove {
        WrongMove { from: self.clone(), wanted }
    }

    /// A plan was made: people are asked.
    pub fn planned(&self, plan: &PlanMade) -> Result<Transition, WrongMove> {
        match self {
            Self::Planning => Ok(Transition {
                next: Self::PendingApproval { stage: 0, expires_at: plan.expires_at },
                event: event(EventKind::WorkflowPlanned, Actor::Countersign)
                    .number("plan", i64::from(plan.number))
                    .text("digest", plan.digest.to_string())
                    .text("rule", plan.rule.clone())
                    .text("profile", plan.profile.clone())
                    .text("read_at", plan.read_at.to_string()),
                owed: vec![Owed::ApprovalWanted { stage: 0 }],
            }),
            _ => Err(self.wrong("a plan")),
        }
    }

    /// A plan was made about which nobody is asked: it is approved at once.
    pub fn unasked(&self, rule: &str, budget: u32, not_before: Timestamp) -> Result<Transition, WrongMove> {
        match self {
            Self::PendingApproval { stage: 0, .. } => Ok(Transition {
                next: Self::Approved { not_before },
                event: event(EventKind::WorkflowApproved, Actor::Countersign)
                    .text("asked", "nobody")
                    .text("rule", rule)
                    .text("because", "a leaver whose account is known, within the budget of the source")
                    .number("budget", i64::from(budget))
                    .text("not_before", not_before.to_string()),
                owed: vec![],
            }),
            _ => Err(self.wrong("an approval by nobody")),
        }
    }

    /// The same, but the budget of the source is used up: it waits for two people.
    pub fn held(&self, source: &SourceName, budget: u32, batch: BatchId) -> Result<Transition, WrongMove> {
        match self {
            Self::PendingApproval { stage: 0, .. } => {
                let reason = format!(
                    "the source {source} has sent more than the {budget} leavers an hour that go without anybody being \
                     asked, so it is held in batch {batch} until two people release it"
                );
                let mut stopped = stopped(reason, Stalled::Held);
                stopped.event =
                    stopped.event.text("batch", batch.to_string()).number("budget", i64::from(budget));
                // One alarm for the whole batch stands for a mail about each.
                stopped.owed.clear();
                Ok(stopped)
            }
            _ => Err(self.wrong("being held")),
        }
    }

    /// Two people have decided about one that is held.
    pub fn settled(&self, by: &TwoPeople<'_>, not_before: Timestamp) -> Result<Transition, WrongMove> {
        if !matches!(self, Self::NeedsAttention { stalled: Stalled::Held, .. }) {
            return Err(self.wrong("a release"));
        }
        let (next, kind) = match by.verdict {
            Verdict::Approve => (Self::Approved { not_before }, EventKind::WorkflowReleased),
            Verdict::Reject => (Self::Rejected, EventKind::WorkflowRejected),
        };
        Ok(Transition {
            next,
            event: event(kind, Actor::Operator(by.confirmed.to_string()))
                .text("batch", by.batch.to_string())
                .text("selection", by.selection.to_string())
                .personal("proposed_by", by.proposed.to_string())
                .personal("proposed_because", by.proposed_because)
                .personal("reason", by.reason),
            owed: vec![],
        })
    }

    /// The plan no longer fits the target.
    pub fn replanning(&self, replans: u32, voids: &[Difference]) -> Result<Transition, WrongMove> {
        if !matches!(self, Self::PendingApproval { .. } | Self::Approved { .. }) {
            return Err(self.wrong("a new plan"));
        }
        let words = in_words(voids);
        if replans >= MOST_REPLANS {
            let reason = format!("planned again {replans} times and still changing: {words}");
            return Ok(stopped(reason, Stalled::Planning));
        }
        Ok(Transition {
            next: Self::Planning,
            event: event(EventKind::WorkflowReplanning, Actor::Countersign).personal("because", words),
            owed: vec![Owed::PlanReplaced],
        })
    }

    /// An answer was heard and more are needed in this stage, or the next stage opens.
    pub fn next_stage(&self, stage: u32) -> Result<Transition, WrongMove> {
        match self {
            Self::PendingApproval { expires_at, .. } => Ok(Transition {
                next: Self::PendingApproval { stage, expires_at: *expires_at },
                event: event(EventKind::StageOpened, Actor::Countersign).number("stage", i64::from(stage)),
                owed: vec![Owed::ApprovalWanted { stage }],
            }),
            _ => Err(self.wrong("another stage")),
        }
    }

    /// The last needed answer.
    pub fn decided(
        &self,
        by: &EmailAddress,
        verdict: Verdict,
        not_before: Timestamp,
    ) -> Result<Transition, WrongMove> {
        if !matches!(self, Self::PendingApproval { .. }) {
            return Err(self.wrong("a decision"));
        }
        let (next, kind) = outcome(verdict, not_before);
        Ok(Transition {
            next,
            event: event(kind, Actor::Approver(by.clone())).text("not_before", not_before.to_string()),
            owed: vec![Owed::Decided],
        })
    }

    /// Nobody decided in time.
    pub fn expired(&self, now: Timestamp) -> Result<Transition, WrongMove> {
        match self {
            Self::PendingApproval { expires_at: Some(end), .. } if *end <= now => Ok(Transition {
                next: Self::Expired,
                event: event(EventKind::WorkflowExpired, Actor::Countersign)
                    .text("ended_at", end.to_string()),
                owed: vec![Owed::Decided],
            }),
            _ => Err(self.wrong("expiry")),
        }
    }

    /// It was approved, and its run had not begun when the approval ended.
    pub fn lapsed(&self, ended_at: Timestamp, now: Timestamp) -> Result<Transition, WrongMove> {
        match self {
            Self::Approved { .. } if ended_at <= now => Ok(Transition {
                next: Self::Expired,
                event: event(EventKind::WorkflowExpired, Actor::Countersign)
                    .text("ended_at", ended_at.to_string())
                    .text("after", "approval"),
                owed: vec![Owed::Decided],
            }),
            _ => Err(self.wrong("the end of an approval")),
        }
    }

    /// A leaver is due and nobody has decided. It never expires: any operator may decide now.
    pub fn undecided(&self, now: Timestamp) -> Result<Transition, WrongMove> {
        match self {
            Self::PendingApproval { expires_at: Some(end), .. } if *end <= now => {
                let reason = format!(
                    "nobody has decided about this leaver by {}, when it was due; any operator may decide now",
                    end.in_words()
                );
                Ok(stopped(reason, Stalled::Undecided))
            }
            _ => Err(self.wrong("an operator's decision")),
        }
    }

    /// An operator decides what nobody who was asked has decided.
    pub fn overruled(
        &self,
        verdict: Verdict,
        (by, reason): (&str, &str),
        not_before: Timestamp,
    ) -> Result<Transition, WrongMove> {
        if !matches!(self, Self::NeedsAttention { stalled: Stalled::Undecided, .. }) {
            return Err(self.wrong("an operator's decision"));
        }
        let (next, kind) = outcome(verdict, not_before);
        Ok(Transition {
            next,
            event: event(kind, Actor::Operator(by.to_owned()))
                .text("not_before", not_before.to_string())
                .text("because", "undecided when due")
                .personal("reason", reason),
            owed: vec![Owed::Decided],
        })
    }

    /// The day that was asked for begins or ends at another instant, by newer zone data. The approval is of the day.
    pub fn rescheduled(
        &self,
        (from, to): (Timestamp, Timestamp),
        zone_data: &str,
    ) -> Result<Transition, WrongMove> {
        let next = match self {
            Self::Approved { .. } => Self::Approved { not_before: to },
            // People have until then to answer about a leaver.
            Self::PendingApproval { stage, expires_at: Some(end) } if *end == from => {
                Self::PendingApproval { stage: *stage, expires_at: Some(to) }
            }
            Self::PendingApproval { .. } | Self::NeedsAttention { .. } => self.clone(),
            Self::Planning
            | Self::Running
            | Self::Succeeded
            | Self::Rejected
            | Self::Expired
            | Self::Cancelled
            | Self::Superseded
            | Self::Failed { .. } => return Err(self.wrong("another instant")),
        };
        Ok(Transition {
            next,
            event: event(EventKind::WorkflowRescheduled, Actor::Countersign)
                .text("from", from.to_string())
                .text("to", to.to_string())
                .text("zone_data", zone_data),
            owed: vec![],
        })
    }

    /// Execution begins.
    pub fn started(&self, now: Timestamp) -> Result<Transition, WrongMove> {
        match self {
            Self::Approved { not_before } if *not_before <= now => Ok(Transition {
                next: Self::Running,
                event: event(EventKind::WorkflowStarted, Actor::Countersign),
                owed: vec![],
            }),
            _ => Err(self.wrong("a start")),
        }
    }

    /// A fresh read showed the wanted state.
    pub fn succeeded(&self) -> Result<Transition, WrongMove> {
        match self {
            Self::Running => Ok(Transition {
                next: Self::Succeeded,
                event: event(EventKind::WorkflowSucceeded, Actor::Countersign),
                owed: vec![Owed::Done],
            }),
            _ => Err(self.wrong("success")),
        }
    }

    /// There is no account whose access could be ended: that is the wanted state.
    pub fn nothing_to_end(&self, words: &str) -> Result<Transition, WrongMove> {
        match self {
            Self::Planning => Ok(Transition {
                next: Self::Succeeded,
                event: event(EventKind::WorkflowSucceeded, Actor::Countersign)
                    .text("how", "nothing_to_end")
                    .personal("because", words),
                owed: vec![Owed::Done],
            }),
            _ => Err(self.wrong("an end without a plan")),
        }
    }

    /// A person must look.
    pub fn needs_attention(&self, reason: String) -> Result<Transition, WrongMove> {
        let stalled = match self {
            Self::Planning => Stalled::Planning,
            Self::Approved { .. } => Stalled::Approved,
            Self::Running => Stalled::Running,
            _ => return Err(self.wrong("attention")),
        };
        Ok(stopped(reason, stalled))
    }

    /// An approved plan that takes access away was made again and takes more of the same away; the approval stands, also
    /// half-way.
    pub fn widened(&self, number: u32, digest: Digest, because: &str) -> Result<Transition, WrongMove> {
        match self {
            Self::Approved { .. } | Self::Running => Ok(Transition {
                next: self.clone(),
                event: event(EventKind::PlanWidened, Actor::Countersign)
                    .number("plan", i64::from(number))
                    .text("digest", digest.to_string())
                    .text("because", because),
                owed: vec![],
            }),
            _ => Err(self.wrong("a wider plan")),
        }
    }

    /// A person sends it on.
    pub fn resumed(&self, by: &str, reason: &str, not_before: Timestamp) -> Result<Transition, WrongMove> {
        let next = match self {
            Self::NeedsAttention { stalled: Stalled::Planning | Stalled::Undecided, .. } => Self::Planning,
            Self::NeedsAttention { stalled: Stalled::Approved, .. } => Self::Approved { not_before },
            Self::NeedsAttention { stalled: Stalled::Running, .. } => Self::Running,
            _ => return Err(self.wrong("another try")),
        };
        Ok(Transition {
            next,
            event: event(EventKind::WorkflowResumed, Actor::Operator(by.to_owned()))
                .personal("reason", reason),
            owed: vec![],
        })
    }

    /// A person ends it.
    pub fn given_up(&self, by: &str, reason: &str) -> Result<Transition, WrongMove> {
        match self {
            Self::NeedsAttention { stalled: Stalled::Held, .. } => Err(self.wrong("giving up by one person")),
            Self::NeedsAttention { .. } => Ok(Transition {
                next: Self::Failed { reason: reason.to_owned() },
                event: event(EventKind::WorkflowGivenUp, Actor::Operator(by.to_owned()))
                    .personal("reason", reason),
                owed: vec![Owed::Decided],
            }),
            _ => Err(self.wrong("giving up")),
        }
    }
}

/// What a workflow learns when its plan is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanMade {
    /// The plan's number.
    pub number: u32,
    /// What stands for it.
    pub digest: Digest,
    /// The rule that asks.
    pub rule: String,
    /// The profile that gave the access.
    pub profile: String,
    /// When the target was read.
    pub read_at: Timestamp,
    /// The end of the asking.
    pub expires_at: Option<Timestamp>,
}

/// What two people have decided about held leavers.
#[derive(Debug, Clone, Copy)]
pub struct TwoPeople<'a> {
    /// Yes or no.
    pub verdict: Verdict,
    /// The batch in which they are held.
    pub batch: BatchId,
    /// What both have seen of the selection.
    pub selection: Digest,
    /// Who proposed it.
    pub proposed: &'a EmailAddress,
    /// Who confirmed it.
    pub confirmed: &'a EmailAddress,
    /// Why, in the words of the one who proposed it.
    pub proposed_because: &'a str,
    /// Why, in the words of the one who confirmed it.
    pub reason: &'a str,
}

/// Differences in one line of words.
pub fn in_words(differences: &[Difference]) -> String {
    let each: Vec<String> = differences
        .iter()
        .map(|difference| {
            format!("{}: planned {}, now {}", difference.what, difference.planned, difference.now)
        })
        .collect();
    each.join("; ")
}

fn outcome(verdict: Verdict, not_before: Timestamp) -> (State, EventKind) {
    match verdict {
        Verdict::Approve => (State::Approved { not_before }, EventKind::WorkflowApproved),
        Verdict::Reject => (State::Rejected, EventKind::WorkflowRejected),
    }
}

fn stopped(reason: String, stalled: Stalled) -> Transition {
    Transition {
        event: event(EventKind::WorkflowNeedsAttention, Actor::Countersign)
            .text("stalled", stalled.word())
            .personal("reason", reason.clone()),
        next: State::NeedsAttention { reason, stalled },
        owed: vec![Owed::NeedsAttention],
    }
}

#[cfg(test)]
mod tests;
