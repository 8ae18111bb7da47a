//! Where a workflow stands: its states, their words, and what each of them says without a move.

use crate::domain::time::Timestamp;

/// Where a workflow stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// The target is being read and the plan made.
    Planning,
    /// People are being asked.
    PendingApproval {
        /// The open stage, counted from zero.
        stage: u32,
        /// The end of the asking.
        expires_at: Option<Timestamp>,
    },
    /// Approved; waits for its effective time, or is ready.
    Approved {
        /// Execution may begin at this moment.
        not_before: Timestamp,
    },
    /// Steps are being carried out.
    Running,
    /// A fresh read showed the wanted state.
    Succeeded,
    /// Somebody asked said no.
    Rejected,
    /// Nobody decided in time.
    Expired,
    /// The source took it back.
    Cancelled,
    /// A later request took its place.
    Superseded,
    /// A person gave it up.
    Failed {
        /// Why.
        reason: String,
    },
    /// Waits for an operator.
    NeedsAttention {
        /// What a person needs to know.
        reason: String,
        /// Where it goes on from.
        stalled: Stalled,
    },
}

/// A stage in which people are being asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenStage {
    /// Counted from zero.
    pub number: u32,
    /// The end of the asking.
    pub expires_at: Option<Timestamp>,
}

/// Where a workflow that needs attention goes on from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stalled {
    /// No plan could be made, or the plan no longer fits.
    Planning,
    /// Approved, but it may not begin.
    Approved,
    /// In the middle of its steps.
    Running,
    /// Nobody has decided about a leaver who is due; any operator may.
    Undecided,
    /// A leaver whom nobody was asked about, over its source's budget; two people release it.
    Held,
}

impl Stalled {
    const ALL: [Self; 5] = [Self::Planning, Self::Approved, Self::Running, Self::Undecided, Self::Held];

    /// The word in the database.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Planning => "planning",
            Self::Approved => "approved",
            Self::Running => "running",
            Self::Undecided => "undecided",
            Self::Held => "held",
        }
    }

    /// Reads the word back.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stalled| stalled.word() == text)
    }
}

impl State {
    /// The word in the database and on the wire.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Planning => "planning",
            Self::PendingApproval { .. } => "pending_approval",
            Self::Approved { .. } => "approved",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::Superseded => "superseded",
            Self::Failed { .. } => "failed",
            Self::NeedsAttention { .. } => "needs_attention",
        }
    }

    /// May a worker be carrying it out at this moment, or be about to?
    pub const fn is_being_run(&self) -> bool {
        match self {
            Self::Approved { .. } | Self::Running => true,
            Self::Planning
            | Self::PendingApproval { .. }
            | Self::Succeeded
            | Self::Rejected
            | Self::Expired
            | Self::Cancelled
            | Self::Superseded
            | Self::Failed { .. }
            | Self::NeedsAttention { .. } => false,
        }
    }

    /// The state in words for a page.
    pub const fn in_words(&self) -> &'static str {
        match self {
            Self::Planning => "being planned",
            Self::PendingApproval { .. } => "waiting for approval",
            Self::Approved { .. } => "approved",
            Self::Running => "being carried out",
            Self::Succeeded => "done and verified",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::Superseded => "replaced by a later request",
            Self::Failed { .. } => "given up",
            Self::NeedsAttention { .. } => "waiting for an operator",
        }
    }

    /// The stage in which people are being asked, while they are.
    pub const fn open_stage(&self) -> Option<OpenStage> {
        match self {
            Self::PendingApproval { stage, expires_at } => {
                Some(OpenStage { number: *stage, expires_at: *expires_at })
            }
            Self::Planning
            | Self::Approved { .. }
            | Self::Running
            | Self::Succeeded
            | Self::Rejected
            | Self::Expired
            | Self::Cancelled
            | Self::Superseded
            | Self::Failed { .. }
            | Self::NeedsAttention { .. } => None,
        }
    }

    /// Will nothing happen any more by itself or by a person?
    pub const fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Succeeded
                | Self::Rejected
                | Self::Expired
                | Self::Cancelled
                | Self::Superseded
                | Self::Failed { .. }
        )
    }
}
