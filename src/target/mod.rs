//! Target: a system that Countersign drives, in domain words.
//!
//! Must hold: `snapshot` and `look` only read; one `act` sends at most one write, and looks before and after it.
//! Every answer is classified before it leaves this room; nobody outside sees a status code and decides.
//! Deliberately absent: the order of steps, retries and records; those belong to the executor and the ledger.

pub mod pvwa;

use async_trait::async_trait;
use secrecy::SecretString;

use crate::domain::ids::{AttemptId, VaultGroupId, VaultUserId, WorkflowId};
use crate::domain::kind::Kind;
use crate::domain::names::{GroupName, TargetName, UserName};
use crate::domain::plan::{DialectSettings, Plan, PlannedStep};
use crate::domain::resting::Admission;
use crate::domain::snapshot::Snapshot;
use crate::domain::step::{Form, RecordSeal, Report};
use crate::domain::time::Timestamp;

/// A system that is driven.
#[async_trait]
pub trait Target: Send + Sync {
    /// The configured name.
    fn name(&self) -> &TargetName;

    /// How this target is spoken to, as configured.
    fn dialect(&self) -> DialectSettings;

    /// The calls that each step of a plan would make when nothing goes wrong, for people who want to see them.
    fn preview(&self, plan: &Plan) -> Vec<Vec<PreviewCall>>;

    /// Reads the account, and what else a plan would assume.
    async fn snapshot(&self, subject: Subject<'_>, besides: Besides<'_>) -> Result<Snapshot, CallFault>;

    /// Brings the effect of a step about: looks, writes once if needed, reads back.
    async fn act(&self, call: &StepCall<'_>) -> Report;

    /// Finds out what an earlier attempt at a step brought about. Never writes.
    async fn look(&self, call: &StepCall<'_>) -> Report;

    /// Does our account see every user there? Then one who is not shown is not there. Never writes.
    async fn sight(&self) -> Result<Sight, CallFault> {
        Ok(Sight::NotProven { why: "the target does not tell what our own account sees".to_owned() })
    }

    /// Since when the target makes no calls by its own choice, because each would do harm: its sign-in was refused, or
    /// others end its sessions. An operator's act after that moment is a reason to [`Self::try_again`].
    async fn held_back_since(&self) -> Option<Timestamp> {
        None
    }

    /// Calls are made again: a person has looked after what held them back. A target may bound how often it heeds
    /// that, and says so in the words of its refusal.
    async fn try_again(&self) {}

    /// May calls be made for this workflow now? A target that fails again and again is left to rest, and is then tried by
    /// one workflow for all. Whoever does not ask is served all the same.
    fn admit(&self, _who: WorkflowId) -> Admission {
        Admission::Go
    }

    /// Until when nobody takes up work with this target; nothing while anybody may.
    fn passed_over_until(&self) -> Option<Timestamp> {
        None
    }

    /// What is wrong with it at present, as far as this process has seen, in words.
    fn trouble(&self) -> Option<String> {
        None
    }

    /// Leaves the target in order, at the end of the service. Bounded in time.
    async fn close(&self) {}
}

/// Whom our account sees in a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    /// Everybody, as the target tells.
    Whole,
    /// Perhaps not everybody.
    NotProven {
        /// What is missing for a proof, for a person.
        why: String,
    },
}

/// Whose account is read.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The name that was asked for.
    pub user_name: &'a UserName,
    /// The account's number, where it is known. Then the account of this number is read, whatever its name is now; the
    /// name is looked up only if there is none.
    pub user_id: Option<VaultUserId>,
}

impl<'a> Subject<'a> {
    /// Whose account a plan is about.
    pub fn of(plan: &'a Plan) -> Self {
        Self { user_name: &plan.user_name, user_id: plan.account.as_ref().map(|account| account.id) }
    }
}

/// What a plan assumes besides the account, and what is therefore read with it. A vault that refuses to tell it stops
/// the plan, so nobody's access is left standing for the want of something that its end does not need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Besides<'a> {
    /// Nothing: access is only taken away.
    Nothing,
    /// These groups, the licence's user types, and the fields that a record has room for.
    Groups(&'a [GroupName]),
}

impl<'a> Besides<'a> {
    /// What a plan assumes; `groups` are those that it leans on.
    pub fn of(plan: &Plan, groups: &'a [GroupName]) -> Self {
        match plan.kind {
            Kind::Leaver => Self::Nothing,
            Kind::Joiner | Kind::Mover | Kind::Rehire | Kind::ResetPassword | Kind::Unsuspend => {
                Self::Groups(groups)
            }
        }
    }
}

/// One call as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviewCall {
    /// `GET`, `POST`, `PUT`.
    pub method: &'static str,
    /// The path below the interface's address.
    pub path: String,
    /// What it is for, or what it carries.
    pub note: String,
}

/// One step with everything an attempt at it may use.
pub struct StepCall<'a> {
    /// The approved plan.
    pub plan: &'a Plan,
    /// The step at hand, one of the plan's.
    pub step: &'a PlannedStep,
    /// The account's number, once learnt.
    pub user_id: Option<VaultUserId>,
    /// The mark that this attempt leaves.
    pub mark: Mark,
    /// The marks of all recorded attempts at making the account, this one included.
    pub our_marks: &'a [Mark],
    /// Marks that attempts of this very request would have left of which nothing is recorded, as after a database was
    /// restored. Whose they are is certain; what password the account has is not.
    pub lost_marks: &'a [Mark],
    /// Whether a person declared a found account to be this workflow's own.
    pub adoption: Adoption,
    /// How to go about it, where an earlier attempt has settled that.
    pub form: Option<Form>,
    /// The password that this attempt sets; present for acts at `create_user` and `reset_password` alone.
    pub password: Option<SecretString>,
    /// Has an earlier attempt perhaps set this very password?
    pub sent_before: SentBefore,
    /// Does a passing fault of this attempt lead to another one?
    pub again: Again,
    /// For a look: the account's record as the last act at this step had read it, where that act has told.
    pub before: Option<RecordSeal>,
    /// Which memberships may be left when everything is read again?
    pub left: LeftIn,
    /// The planned memberships that a write of this run has ended, with a good answer of the target.
    pub removed: &'a [VaultGroupId],
}

/// Has an earlier attempt perhaps set the password of this one?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SentBefore {
    /// No: it goes out for the first time, or came back refused before.
    No,
    /// It went out, and nobody knows what came of it.
    Perhaps,
}

/// Which memberships may be left at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeftIn {
    /// Whichever the plan does not name.
    OthersThanPlanned,
    /// None that the vault can end, whenever it came.
    NoneOfTheVault,
    /// Of those that the vault can end, the ones that the plan brings about and no others.
    OnlyJoined,
}

/// Is there another attempt after one that met a passing fault?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// Yes.
    Yes,
    /// No: it is the last one.
    No,
}

/// May an account without our mark be taken for ours?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adoption {
    /// Only our mark proves that an account is ours.
    OnlyByMark,
    /// A person has said that the account with this number is ours.
    ByPerson(VaultUserId),
}

/// What an attempt at making an account writes in front of its description, so that it is recognised later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    text: String,
    attempt: AttemptId,
}

impl Mark {
    /// How long every mark is.
    pub const CHARACTERS: usize = "cs-".len() + 32;

    /// The mark of one attempt: `cs-` and 32 hexadecimal digits.
    pub fn of(attempt: AttemptId) -> Self {
        Self { text: format!("cs-{}", attempt.0.simple()), attempt }
    }

    /// The mark as it is written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whose mark it is.
    pub fn attempt(&self) -> AttemptId {
        self.attempt
    }

    /// Does a description open with this mark?
    pub fn opens(&self, description: &str) -> bool {
        description.strip_prefix(self.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    }
}

/// Why a target could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallFault {
    /// Passing: no answer, overload, a gateway in between. Worth another try.
    #[error("{words}")]
    Retry {
        /// What happened, for a person.
        words: String,
        /// What the other side asked us to wait, in seconds.
        after_seconds: Option<u32>,
    },
    /// The target refuses for good: credentials, rights, a request it does not take.
    #[error("{words}")]
    Refused {
        /// What happened, for a person.
        words: String,
    },
    /// The target answers something that only a person can judge, such as two users of one name.
    #[error("{words}")]
    NeedsPerson {
        /// What happened, for a person.
        words: String,
    },
}
