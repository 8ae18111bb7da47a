//! One type per kind of identifier, so that none is ever taken for another.
//!
//! Must hold: row ids are UUIDv7 made by the caller, so that a secret can be sealed to its row before the row exists.

use serde::{Deserialize, Serialize};
use uuid::{Builder, Uuid};

use super::time::Timestamp;

macro_rules! row_ids {
    ($($(#[$doc:meta])* $name:ident;)*) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id: the moment in milliseconds and ten bytes of chance (RFC 9562, section 5.7).
            pub fn made(at: Timestamp, chance: [u8; 10]) -> Self {
                Self(Builder::from_unix_timestamp_millis(at.unix_millis(), &chance).into_uuid())
            }

            /// Reads the usual hyphenated form.
            pub fn parse(text: &str) -> Option<Self> {
                Uuid::try_parse(text).ok().map(Self)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.hyphenated().fmt(out)
            }
        }
    )* };
}

row_ids! {
    /// One received message.
    DeliveryId;
    /// The life of one request.
    WorkflowId;
    /// One try at a step.
    AttemptId;
    /// One approver asked in one stage for one plan.
    AskId;
    /// One recorded answer of an approver.
    DecisionId;
    /// One mail (later: ticket update, event) that is owed.
    MessageId;
    /// One audit event.
    EventId;
    /// One chain of audit events: a workflow's; else a delivery's, or that of a sign-in that is about no workflow.
    ChainId;
    /// One sealed secret.
    SecretId;
    /// One human in one namespace.
    PersonId;
    /// One asking for a sign-in code.
    SignInId;
    /// Leavers of one source that are held together.
    BatchId;
    /// What somebody proposes for held leavers.
    ProposalId;
}

impl From<WorkflowId> for ChainId {
    fn from(id: WorkflowId) -> Self {
        Self(id.0)
    }
}

impl From<DeliveryId> for ChainId {
    fn from(id: DeliveryId) -> Self {
        Self(id.0)
    }
}

impl From<SignInId> for ChainId {
    fn from(id: SignInId) -> Self {
        Self(id.0)
    }
}

/// The number under which a vault keeps a user. Never the same thing as a SCIM id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VaultUserId(pub i64);

/// The number under which a vault keeps a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VaultGroupId(pub i64);

impl std::fmt::Display for VaultUserId {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(out)
    }
}

impl std::fmt::Display for VaultGroupId {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(out)
    }
}
