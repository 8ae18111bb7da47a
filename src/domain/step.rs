//! The step ledger: what was intended, what came of it, and what happens next.
//!
//! Must hold: an attempt is recorded before the call and after it; an attempt without outcome is looked up before
//! anything is repeated; attempts are bounded; what happens next is a function of plan, ledger and time alone.
//! Deliberately absent: calling anything. The executor obeys [`next_move`] and records through [`StepRecord::settle`].

use serde::{Deserialize, Serialize};

use super::ids::{AttemptId, VaultGroupId, VaultUserId};
use super::plan::{Doer, Effect, Plan, PlannedStep};
use super::retry::RetryPolicy;
pub use super::seen::{AccessSeen, CallSeen, RecordSeal, SafeSeen, ValueSeal};
use super::time::Timestamp;

/// Where a step stands. Words as in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepState {
    /// Not begun, or to be tried again when due.
    Waiting {
        /// Not before this moment.
        due: Timestamp,
    },
    /// The intent is recorded, the outcome is not.
    Begun,
    /// The wanted effect was brought about and seen.
    Done,
    /// A read showed the wanted state; no write was needed.
    AlreadySo,
    /// The call went out and nobody knows what came of it.
    Unknown {
        /// Look not before this moment.
        due: Timestamp,
    },
    /// A person must look.
    Failed {
        /// What a person needs to know.
        reason: String,
    },
    /// A person left it out, with a reason.
    Skipped,
    /// Waits for a person to do it elsewhere.
    Manual,
}

impl StepState {
    /// The word in the database.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Waiting { .. } => "waiting",
            Self::Begun => "begun",
            Self::Done => "done",
            Self::AlreadySo => "already_so",
            Self::Unknown { .. } => "unknown",
            Self::Failed { .. } => "failed",
            Self::Skipped => "skipped",
            Self::Manual => "manual",
        }
    }
}

/// Why an attempt is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// To bring the effect about.
    Act,
    /// To find out what an earlier attempt brought about.
    Look,
}

impl Purpose {
    /// The word in the database.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Act => "act",
            Self::Look => "look",
        }
    }
}

/// The way a member is named in one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemberForm {
    /// By user name.
    UserName,
    /// By numeric id.
    NumericId,
}

impl MemberForm {
    /// The form in words.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::UserName => "by its user name",
            Self::NumericId => "by its number",
        }
    }
}

/// The way a user is enabled or disabled in one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SwitchForm {
    /// By the vault's own call.
    Call,
    /// By writing the whole record.
    Put,
}

/// How the next attempt at a step is made, where an earlier one has settled that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Form {
    /// The member is named like this.
    Member(MemberForm),
    /// Somebody else got in when the member was named like this, and is taken out again.
    TakeOut(MemberForm),
    /// The user is disabled like this.
    Disable(SwitchForm),
    /// The user is enabled like this.
    Enable(SwitchForm),
}

impl Form {
    /// Every form.
    pub const ALL: [Self; 8] = [
        Self::Member(MemberForm::UserName),
        Self::Member(MemberForm::NumericId),
        Self::TakeOut(MemberForm::UserName),
        Self::TakeOut(MemberForm::NumericId),
        Self::Disable(SwitchForm::Call),
        Self::Disable(SwitchForm::Put),
        Self::Enable(SwitchForm::Call),
        Self::Enable(SwitchForm::Put),
    ];

    /// The word in the database.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Member(MemberForm::UserName) => "user-name",
            Self::Member(MemberForm::NumericId) => "numeric-id",
            Self::TakeOut(MemberForm::UserName) => "take-out-user-name",
            Self::TakeOut(MemberForm::NumericId) => "take-out-numeric-id",
            Self::Disable(SwitchForm::Call) => "disable-call",
            Self::Disable(SwitchForm::Put) => "disable-put",
            Self::Enable(SwitchForm::Call) => "enable-call",
            Self::Enable(SwitchForm::Put) => "enable-put",
        }
    }

    /// Reads the word back.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|form| form.word() == word)
    }
}

impl From<Form> for String {
    fn from(form: Form) -> Self {
        form.word().to_owned()
    }
}

impl TryFrom<String> for Form {
    type Error = &'static str;

    fn try_from(word: String) -> Result<Self, Self::Error> {
        Self::parse(&word).ok_or("wanted: a form in which a step is tried")
    }
}

/// What came of an attempt, with what it showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The decision that follows from it.
    pub outcome: Outcome,
    /// One sentence for a person.
    pub words: String,
    /// The calls that were made, in order; no query strings, no bodies.
    pub calls: Vec<CallSeen>,
    /// The account's number, where the attempt learnt it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<VaultUserId>,
    /// The attempt that made the account, where its mark or its answer tells: not always the attempt at hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_by: Option<AttemptId>,
    /// Who holds the wanted name, where that is somebody whom this workflow did not make.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stranger: Option<VaultUserId>,
    /// The same, where that account carries a mark of this request of which no attempt is recorded here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<VaultUserId>,
    /// What the account could reach; told by `record_access` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<AccessSeen>,
    /// The record before it was written; told where nobody knows yet what came of that, so that a later look can say
    /// whether anything else in it has changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<RecordSeal>,
}

/// What an attempt decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Outcome {
    /// The effect is there and was seen; a write of this workflow brought it about.
    Done,
    /// The wanted state was there; no write was made.
    AlreadySo,
    /// A look showed that the effect is not there.
    NotThere,
    /// Certainly without effect; worth another try.
    Retry {
        /// What the other side asked us to wait, in seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after_seconds: Option<u32>,
    },
    /// Certainly without effect; another way may be taken.
    OtherForm {
        /// The form to try next.
        form: Form,
    },
    /// It had an effect on somebody who was not meant, which is undone next.
    Misdirected {
        /// The form that undoes it.
        undo: Form,
    },
    /// What a misdirected attempt had done is undone; a person must look before anything else is tried.
    TakenOut,
    /// Nobody knows whether there was an effect.
    Unknown,
    /// Refused for good.
    Refused,
    /// Only a person can decide.
    NeedsPerson,
}

impl Outcome {
    /// The word in the database.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::AlreadySo => "already_so",
            Self::NotThere => "not_there",
            Self::Retry { .. } => "retry",
            Self::OtherForm { .. } => "other_form",
            Self::Misdirected { .. } => "misdirected",
            Self::TakenOut => "taken_out",
            Self::Unknown => "unknown",
            Self::Refused => "refused",
            Self::NeedsPerson => "needs_person",
        }
    }
}

/// One step with the sums of its attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepRecord {
    /// Where it stands.
    pub state: StepState,
    /// How often it was acted on since a person last sent it on.
    pub acts: u32,
    /// How often it was looked up since the last act.
    pub looks: u32,
    /// When it was tried first since a person last sent it on.
    pub since: Option<Timestamp>,
    /// The attempt whose outcome is still open.
    pub open: Option<AttemptId>,
    /// How it is tried from now on, once one form was refused or had to be undone.
    pub form: Option<Form>,
}

/// All steps of one plan, in order, and what they have shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ledger {
    /// One record for each planned step.
    pub steps: Vec<StepRecord>,
    /// The account's number, once learnt.
    pub user_id: Option<VaultUserId>,
}

/// What the executor does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Move {
    /// Record the intent and act on this step.
    Begin(usize),
    /// Record the intent and look this step up.
    Look(usize),
    /// Nothing before this moment.
    Wait(Timestamp),
    /// The run has come to rest.
    Rest(Rest),
}

/// How a run ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rest {
    /// The last read showed the wanted state.
    Succeeded,
    /// A person must look.
    NeedsPerson(String),
    /// It was to stop, and nothing of it is unclear any more.
    Stopped,
}

/// Does a run go on, or is it to stop?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Going {
    /// It goes on.
    On,
    /// It begins nothing new, because another request takes its place or it was taken back.
    Stopping,
}

/// What happens next. The caller holds the lease, so an attempt without outcome is nobody's any more.
///
/// Attempts that never ended count like any other: a run in which each of them ends the process stops at a person.
pub fn next_move(plan: &Plan, ledger: &Ledger, policy: &RetryPolicy, now: Timestamp, going: Going) -> Move {
    match going {
        Going::On => {}
        Going::Stopping => return stopping_move(plan, ledger, policy, now),
    }
    for (place, (step, record)) in plan.steps.iter().zip(&ledger.steps).enumerate() {
        return match &record.state {
            StepState::Done | StepState::AlreadySo => continue,
            // Nothing in here skips a step, so somebody else has written this.
            StepState::Skipped => Move::Rest(Rest::NeedsPerson(format!(
                "{} is marked as skipped, and was not done",
                step.kind()
            ))),
            StepState::Waiting { due } | StepState::Unknown { due } if *due > now => Move::Wait(*due),
            StepState::Waiting { .. } => Move::Begin(place),
            StepState::Begun if record.open_tries() >= policy.most_tries => {
                Move::Rest(Rest::NeedsPerson(format!(
                    "the attempts at {} were interrupted again and again, and what came of the last one is not known",
                    step.kind()
                )))
            }
            StepState::Begun => match step.effect() {
                // Reading twice harms nobody.
                Effect::Reads => Move::Begin(place),
                Effect::Writes => Move::Look(place),
            },
            StepState::Unknown { .. } => Move::Look(place),
            StepState::Failed { reason } => Move::Rest(Rest::NeedsPerson(reason.clone())),
            StepState::Manual => Move::Rest(Rest::NeedsPerson(
                "the next step is done by hand and elsewhere; once it is done, it is marked done here"
                    .to_owned(),
            )),
        };
    }
    if ledger.steps.len() == plan.steps.len() && matches!(plan.steps.last(), Some(PlannedStep::VerifyUser)) {
        Move::Rest(Rest::Succeeded)
    } else {
        Move::Rest(Rest::NeedsPerson("the plan and its ledger do not belong together".to_owned()))
    }
}

/// What a run does that is to stop: what may have had an effect is looked up, what went to somebody else is undone, an
/// account that was made is learnt by its number, so that whoever takes it away knows it; and nothing else is begun.
fn stopping_move(plan: &Plan, ledger: &Ledger, policy: &RetryPolicy, now: Timestamp) -> Move {
    for (place, (step, record)) in plan.steps.iter().zip(&ledger.steps).enumerate() {
        return match &record.state {
            StepState::Done | StepState::AlreadySo | StepState::Skipped => continue,
            StepState::Unknown { due } if *due > now => Move::Wait(*due),
            StepState::Unknown { .. } => Move::Look(place),
            StepState::Begun if record.open_tries() >= policy.most_tries => Move::Rest(Rest::Stopped),
            StepState::Begun => match step.effect() {
                Effect::Reads if is_finished_in_any_case(step, record) => Move::Begin(place),
                Effect::Reads => Move::Rest(Rest::Stopped),
                Effect::Writes => Move::Look(place),
            },
            StepState::Waiting { due } if is_finished_in_any_case(step, record) => {
                if *due > now {
                    Move::Wait(*due)
                } else {
                    Move::Begin(place)
                }
            }
            StepState::Waiting { .. } | StepState::Failed { .. } | StepState::Manual => {
                Move::Rest(Rest::Stopped)
            }
        };
    }
    Move::Rest(Rest::Stopped)
}

/// Would somebody be left with what is not theirs, or an account be known to nobody, if this were left as it is?
fn is_finished_in_any_case(step: &PlannedStep, record: &StepRecord) -> bool {
    matches!(step, PlannedStep::CaptureUserId) || matches!(record.form, Some(Form::TakeOut(_)))
}

impl Ledger {
    /// How a step of this plan is tried: as its own attempts have settled, or, for a membership, as another
    /// membership of the same account was brought about.
    pub fn form(&self, plan: &Plan, place: usize) -> Option<Form> {
        let own = self.steps.get(place)?.form;
        own.or_else(|| {
            plan.steps.get(place)?.group()?;
            plan.steps.iter().zip(&self.steps).rev().find_map(|(step, record)| {
                match (step.group(), &record.state, record.form) {
                    (Some(_), StepState::Done, Some(form @ Form::Member(_))) => Some(form),
                    _ => None,
                }
            })
        })
    }
}

impl Ledger {
    /// The memberships of this plan that a write has ended, with a good answer. One that was found ended is not among
    /// them.
    pub fn removed(&self, plan: &Plan) -> Vec<VaultGroupId> {
        let both = plan.steps.iter().zip(&self.steps);
        both.filter_map(|(step, record)| match (step, &record.state) {
            (PlannedStep::RemoveFromGroup(group), StepState::Done) => Some(group.id),
            _ => None,
        })
        .collect()
    }
}

impl StepRecord {
    /// A step that nobody has touched.
    pub fn fresh(due: Timestamp) -> Self {
        Self { state: StepState::Waiting { due }, acts: 0, looks: 0, since: None, open: None, form: None }
    }

    /// The same, for a step of a plan: what a person does elsewhere waits for that person from the beginning.
    pub fn untouched(step: &PlannedStep, due: Timestamp) -> Self {
        match step.doer() {
            Doer::Countersign => Self::fresh(due),
            Doer::Person => Self { state: StepState::Manual, ..Self::fresh(due) },
        }
    }

    /// How often the kind of attempt that is open was begun: looks, if it was looked up since the last act.
    fn open_tries(&self) -> u32 {
        if self.looks > 0 { self.looks } else { self.acts }
    }

    /// Is the act that is open the last one?
    pub fn is_last_act(&self, policy: &RetryPolicy) -> bool {
        self.acts >= policy.most_tries
    }

    /// The intent of an attempt.
    #[must_use]
    pub fn begin(mut self, attempt: AttemptId, purpose: Purpose, now: Timestamp) -> Self {
        self.since.get_or_insert(now);
        match purpose {
            Purpose::Act => {
                self.acts += 1;
                self.looks = 0;
            }
            Purpose::Look => self.looks += 1,
        }
        self.state = StepState::Begun;
        self.open = Some(attempt);
        self
    }

    /// The outcome of the open attempt.
    #[must_use]
    pub fn settle(mut self, purpose: Purpose, report: &Report, waits: &Waits<'_>) -> Self {
        self.open = None;
        self.state = match &report.outcome {
            Outcome::Done => StepState::Done,
            Outcome::AlreadySo => StepState::AlreadySo,
            Outcome::NotThere => self.again(report, waits, None),
            Outcome::OtherForm { form } => {
                self.form = Some(*form);
                StepState::Waiting { due: waits.now }
            }
            Outcome::Misdirected { undo } => {
                // Undoing has its own tries, however many it took to come here.
                (self.form, self.acts) = (Some(*undo), 0);
                StepState::Waiting { due: waits.now }
            }
            Outcome::TakenOut => {
                // Another membership may have settled the form that went wrong here; the name is tried first again.
                self.form = Some(Form::Member(MemberForm::UserName));
                StepState::Failed { reason: report.words.clone() }
            }
            Outcome::Retry { after_seconds } => match purpose {
                Purpose::Act => self.again(report, waits, *after_seconds),
                Purpose::Look => self.look_again(report, waits, *after_seconds),
            },
            Outcome::Unknown => self.look_again(report, waits, None),
            Outcome::Refused | Outcome::NeedsPerson => StepState::Failed { reason: report.words.clone() },
        };
        self
    }

    fn again(&self, report: &Report, waits: &Waits<'_>, after: Option<u32>) -> StepState {
        if self.is_last_act(waits.policy) {
            return StepState::Failed {
                reason: format!("tried {} times; the last time: {}", self.acts, report.words),
            };
        }
        if let Some(over) = self.over(report, waits) {
            return over;
        }
        StepState::Waiting { due: waits.due(self.acts, after) }
    }

    fn look_again(&self, report: &Report, waits: &Waits<'_>, after: Option<u32>) -> StepState {
        if self.looks >= waits.policy.most_tries {
            let looks = self.looks;
            return StepState::Failed {
                reason: format!("looked {looks} times for what came of it; the last time: {}", report.words),
            };
        }
        if let Some(over) = self.over(report, waits) {
            return over;
        }
        StepState::Unknown { due: waits.due(self.looks + 1, after) }
    }

    /// Tried for as long as it may be, however few tries that were.
    fn over(&self, report: &Report, waits: &Waits<'_>) -> Option<StepState> {
        let since = self.since.filter(|_| waits.policy.is_over(self.since, waits.now))?;
        let reason = format!("tried since {}; the last time: {}", since.in_words(), report.words);
        Some(StepState::Failed { reason })
    }
}

/// What settling needs besides the report.
#[derive(Debug)]
pub struct Waits<'a> {
    /// Bounds and waits.
    pub policy: &'a RetryPolicy,
    /// The moment of the outcome.
    pub now: Timestamp,
    /// Uniform chance for the jitter.
    pub chance: u64,
}

impl Waits<'_> {
    fn due(&self, done: u32, after: Option<u32>) -> Timestamp {
        let asked = after.map(|seconds| chrono::TimeDelta::seconds(i64::from(seconds)));
        self.policy.due(done, self.now, self.chance, asked)
    }
}

#[cfg(test)]
mod tests;
