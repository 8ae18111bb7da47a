//! The canonical request: what every source's message becomes.
//!
//! Must hold: two messages that mean the same give equal values and equal JSON (defaults are written out, sets are
//! sorted, instants are in UTC); the JSON has no nulls and no floats and is itself valid `jml/1`, so that it reads
//! back through the same door as a foreign one. Deliberately absent: anything a source must not decide (passwords,
//! approvers, addresses to call).

use std::collections::BTreeMap;

use serde::Serialize;

use super::account::{Account, AccountChange};
use super::subject::{Employment, Newcomer, Subject};
use super::ticket::Ticket;
use super::words::{LeaverMode, LeaverReason, PasswordDelivery};
use crate::domain::effective::Effective;
use crate::domain::kind::{Kind, Op};
use crate::domain::names::{EmailAddress, PersonRef, Reason, ShortText, SourceRef, UserName};
use crate::domain::time::Timestamp;

/// What a source asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "schema", rename = "jml/1")]
pub struct Request {
    /// The sender's own id of the event.
    pub source_ref: SourceRef,
    /// The person at the source.
    pub person_ref: PersonRef,
    /// What is to happen.
    #[serde(flatten)]
    pub order: Order,
    /// When it happened at the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<Timestamp>,
    /// Grows with each event of the person, where the source counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// The person's work.
    #[serde(skip_serializing_if = "Employment::is_empty")]
    pub employment: Employment,
    /// The ticket it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket: Option<Ticket>,
    /// Why, in the requester's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The source's free texts, for policy and display.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
}

/// Whether the request begins, replaces or withdraws something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Order {
    /// It stands alone.
    New(What),
    /// It takes the place of an earlier one and says everything anew.
    Amend {
        /// The earlier one.
        amends: SourceRef,
        /// What is wanted now.
        #[serde(flatten)]
        what: What,
    },
    /// It withdraws an earlier one.
    Rescind {
        /// The earlier one.
        amends: SourceRef,
        /// The earlier one's kind.
        kind: Kind,
        /// The person once more.
        #[serde(skip_serializing_if = "Subject::is_empty")]
        subject: Subject,
    },
}

/// What is wanted, with all that this kind needs; boxed, because the kinds differ much in size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum What {
    /// A new user.
    Joiner(Box<Joiner>),
    /// Changed access.
    Mover(Box<Mover>),
    /// No more access.
    Leaver(Box<Leaver>),
    /// Access again.
    Rehire(Box<Rehire>),
    /// A new password.
    ResetPassword(Box<ResetPassword>),
    /// An end to a suspension.
    Unsuspend(Box<Unsuspend>),
}

/// Somebody new.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Joiner {
    /// From when on.
    pub effective: Effective,
    /// Who.
    pub subject: Newcomer,
    /// The user they are to get.
    pub account: Account,
}

/// Somebody whose work changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mover {
    /// From when on.
    pub effective: Effective,
    /// Who, and what of their names changed.
    #[serde(skip_serializing_if = "Subject::is_empty")]
    pub subject: Subject,
    /// What changes at the user.
    pub account: AccountChange,
}

/// Somebody who leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Leaver {
    /// From when on.
    pub effective: Effective,
    /// Who.
    #[serde(skip_serializing_if = "Subject::is_empty")]
    pub subject: Subject,
    /// What becomes of the user.
    #[serde(rename = "leaver")]
    pub terms: LeaverTerms,
}

/// What becomes of a leaver's user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeaverTerms {
    /// Disabled or deleted.
    pub mode: LeaverMode,
    /// Why they leave.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason_code: Option<LeaverReason>,
    /// Their group memberships end, too.
    pub remove_groups: bool,
    /// Their open sessions end, too.
    pub revoke_sessions: bool,
}

/// Somebody who came back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rehire {
    /// From when on.
    pub effective: Effective,
    /// Who.
    #[serde(skip_serializing_if = "Subject::is_empty")]
    pub subject: Subject,
    /// The user as it is to be now.
    pub account: Account,
}

/// Somebody who needs a new password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ResetPassword {
    /// Who.
    #[serde(skip_serializing_if = "Subject::is_empty")]
    pub subject: Subject,
    /// How it is done.
    #[serde(rename = "reset_password")]
    pub terms: ResetTerms,
}

/// How a new password reaches its owner, and who wants that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ResetTerms {
    /// The way it takes; never a mail's text.
    pub delivery: PasswordDelivery,
    /// Who asked, where that is not the subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requested_by: Option<ShortText>,
}

/// Somebody who locked themselves out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unsuspend {
    /// Who.
    #[serde(skip_serializing_if = "Subject::is_empty")]
    pub subject: Subject,
}

impl Request {
    /// What kind of change this is about.
    pub fn kind(&self) -> Kind {
        match &self.order {
            Order::New(what) | Order::Amend { what, .. } => what.kind(),
            Order::Rescind { kind, .. } => *kind,
        }
    }

    /// Whether it begins, replaces or withdraws.
    pub fn op(&self) -> Op {
        match self.order {
            Order::New(_) => Op::New,
            Order::Amend { .. } => Op::Amend,
            Order::Rescind { .. } => Op::Rescind,
        }
    }

    /// The earlier request that this one replaces or withdraws.
    pub fn amends(&self) -> Option<&SourceRef> {
        match &self.order {
            Order::New(_) => None,
            Order::Amend { amends, .. } | Order::Rescind { amends, .. } => Some(amends),
        }
    }

    /// What is wanted; a withdrawal wants nothing of its own.
    pub fn what(&self) -> Option<&What> {
        match &self.order {
            Order::New(what) | Order::Amend { what, .. } => Some(what),
            Order::Rescind { .. } => None,
        }
    }

    /// When it takes effect, where the kind has such a time.
    pub fn effective(&self) -> Option<&Effective> {
        match self.what()? {
            What::Joiner(joiner) => Some(&joiner.effective),
            What::Mover(mover) => Some(&mover.effective),
            What::Leaver(leaver) => Some(&leaver.effective),
            What::Rehire(rehire) => Some(&rehire.effective),
            What::ResetPassword(_) | What::Unsuspend(_) => None,
        }
    }

    /// Does another request want the same? Its reference, its ticket and the words for it do not count.
    pub fn wants_the_same(&self, other: &Self) -> bool {
        let wish = |request: &Self| {
            (request.person_ref.clone(), request.employment.clone(), request.attributes.clone())
        };
        self.what().is_some() && self.what() == other.what() && wish(self) == wish(other)
    }

    /// The vault user name, where the request says it.
    pub fn username(&self) -> Option<&UserName> {
        match self.newcomer() {
            Some(newcomer) => Some(&newcomer.username),
            None => self.known_subject()?.username.as_ref(),
        }
    }

    /// The subject's mail address, where the request says it.
    pub fn email(&self) -> Option<&EmailAddress> {
        match self.newcomer() {
            Some(newcomer) => newcomer.email.as_ref(),
            None => self.known_subject()?.email.as_ref(),
        }
    }

    /// Who asked for it, when that is an address.
    pub fn requester(&self) -> Option<EmailAddress> {
        EmailAddress::parse(self.ticket.as_ref()?.requested_by.as_ref()?.as_str()).ok()
    }

    /// The joiner, where this is a new one.
    pub fn new_joiner(&self) -> Option<&Joiner> {
        match &self.order {
            Order::New(What::Joiner(joiner)) => Some(joiner),
            Order::New(_) | Order::Amend { .. } | Order::Rescind { .. } => None,
        }
    }

    /// The subject of a joiner.
    pub fn newcomer(&self) -> Option<&Newcomer> {
        match self.what()? {
            What::Joiner(joiner) => Some(&joiner.subject),
            What::Mover(_)
            | What::Leaver(_)
            | What::Rehire(_)
            | What::ResetPassword(_)
            | What::Unsuspend(_) => None,
        }
    }

    /// The subject of everything but a joiner.
    pub fn known_subject(&self) -> Option<&Subject> {
        match &self.order {
            Order::Rescind { subject, .. } => Some(subject),
            Order::New(what) | Order::Amend { what, .. } => match what {
                What::Joiner(_) => None,
                What::Mover(mover) => Some(&mover.subject),
                What::Leaver(leaver) => Some(&leaver.subject),
                What::Rehire(rehire) => Some(&rehire.subject),
                What::ResetPassword(reset) => Some(&reset.subject),
                What::Unsuspend(unsuspend) => Some(&unsuspend.subject),
            },
        }
    }
}

impl What {
    /// Which kind this is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Joiner(_) => Kind::Joiner,
            Self::Mover(_) => Kind::Mover,
            Self::Leaver(_) => Kind::Leaver,
            Self::Rehire(_) => Kind::Rehire,
            Self::ResetPassword(_) => Kind::ResetPassword,
            Self::Unsuspend(_) => Kind::Unsuspend,
        }
    }
}
