//! The decision rule: may this person say this about this plan, now?
//!
//! Must hold: a function of its arguments; the only place where the rule stands. Whoever was asked comes through it;
//! operators, who act without being asked, come through `operator`. Deliberately absent: reading targets (done before, passed in as drift) and writing anything.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::canon::Digest;
use super::names::EmailAddress;
use super::operator::{Concerned, Operator, TheirOwn, may_act};
use super::routing::{AskedOtherwise, ResolvedStage, Routing};
use super::sign_in::Proof;
use super::time::Timestamp;

/// Yes or no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Yes.
    Approve,
    /// No.
    Reject,
}

impl Verdict {
    /// The word on the wire and in the database.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject => "reject",
        }
    }

    /// The past tense, for people.
    pub const fn past(self) -> &'static str {
        match self {
            Self::Approve => "approved",
            Self::Reject => "rejected",
        }
    }

    /// Reads the word back.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Approve, Self::Reject].into_iter().find(|verdict| verdict.word() == text)
    }
}

/// An answer that was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// In which stage.
    pub stage: u32,
    /// By whom.
    pub by: EmailAddress,
    /// What.
    pub verdict: Verdict,
    /// When.
    pub at: Timestamp,
}

/// Where the asking stands when an answer comes in.
#[derive(Debug, Clone)]
pub struct Asking<'a> {
    /// Open, or over and how.
    pub standing: Standing,
    /// The plan that is asked about.
    pub digest: Digest,
    /// Who is asked.
    pub routing: &'a Routing,
    /// The open stage, counted from zero.
    pub stage: u32,
    /// The end of the asking.
    pub expires_at: Option<Timestamp>,
    /// What was said about this plan so far.
    pub said: &'a [Said],
    /// Who asked for it, and whom the plan is about.
    pub concerned: &'a Concerned,
}

/// Is a decision wanted?
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Yes.
    Open,
    /// No, and this is why.
    Over(String),
    /// The plan is being made again.
    Replanning,
    /// Not from those who were asked: a leaver was due and undecided, so any operator decides it now.
    WithOperators,
}

/// An answer that has come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// By whom.
    pub by: EmailAddress,
    /// In which stage that person was asked.
    pub stage: u32,
    /// Yes or no.
    pub verdict: Verdict,
    /// The plan that was read.
    pub digest: Digest,
    /// Does the person still belong to the pool, by the settings of now?
    pub eligible: Eligible,
    /// What proves that it is this person.
    pub proof: Proof,
    /// When it came in.
    pub at: Timestamp,
}

/// Does somebody still belong to a pool?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Eligible {
    /// Yes.
    Still,
    /// Not any more.
    NoLonger,
}

/// What an answer brings about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decided {
    /// The stage waits for more answers.
    Heard,
    /// The next stage opens.
    NextStage(u32),
    /// All is said: yes.
    Approved,
    /// All is said: no.
    Rejected,
}

/// Why an answer does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Somebody was first.
    #[error("{} {} this request at {}", by, verdict.past(), at.in_words())]
    AlreadyDecided {
        /// Who was first.
        by: EmailAddress,
        /// With what.
        verdict: Verdict,
        /// When.
        at: Timestamp,
    },
    /// Nothing is open.
    #[error("{0}")]
    Over(String),
    /// Operators decide.
    #[error(
        "nobody had decided about this leaver when it was due, so the operators decide it now, and your answer is not \
         needed any more"
    )]
    WithOperators,
    /// The plan has changed.
    #[error("the plan has changed since this page was made")]
    PlanChanged,
    /// Too late.
    #[error("the time for an answer ended at {}", .0.in_words())]
    Expired(Timestamp),
    /// Not of this stage.
    #[error("another stage is being asked now")]
    OtherStage,
    /// Never asked.
    #[error("you were not asked about this request")]
    NotAsked,
    /// Left the pool.
    #[error("you no longer belong to the people who may answer this request")]
    NoLongerEligible,
    /// Each stage wants the yes of people who have not said it before.
    #[error("you have said yes to this plan already, and this stage wants the yes of somebody else")]
    SaidYesBefore,
    /// The proof of the person is too weak for this plan.
    #[error("this plan can only be decided by somebody who has signed in with a code")]
    ProofTooWeak,
    /// Who is asked was changed in the database.
    #[error(transparent)]
    AskedOtherwise(#[from] AskedOtherwise),
    /// Nobody approves what is his own.
    #[error(transparent)]
    TheirOwn(#[from] TheirOwn),
}

/// May the person named say anything at all about this? The page asks before it shows a form that would fail.
pub fn may_answer(asking: &Asking<'_>, by: &EmailAddress, eligible: Eligible) -> Result<(), Refused> {
    // Whoever answers a link is known by their address, as somebody is who has signed in.
    may_act(&Operator::SignedIn(by.clone()), asking.concerned)?;
    if eligible == Eligible::NoLonger {
        return Err(Refused::NoLongerEligible);
    }
    Ok(())
}

/// The rule (contract, promise 4). `Ok` says what the answer brings about.
pub fn decide(asking: &Asking<'_>, answer: &Answer) -> Result<Decided, Refused> {
    match &asking.standing {
        Standing::Open => {}
        Standing::Replanning => return Err(Refused::PlanChanged),
        Standing::WithOperators => return Err(Refused::WithOperators),
        Standing::Over(words) => return Err(first_of(asking).unwrap_or_else(|| Refused::Over(words.clone()))),
    }
    if answer.digest != asking.digest {
        return Err(Refused::PlanChanged);
    }
    if let Some(end) = asking.expires_at.filter(|end| answer.at >= *end) {
        return Err(Refused::Expired(end));
    }
    may_answer(asking, &answer.by, answer.eligible)?;
    if answer.proof.strength() < asking.routing.sign_in {
        return Err(Refused::ProofTooWeak);
    }
    let place = usize::try_from(asking.stage).unwrap_or(usize::MAX);
    let Some(stage) = asking.routing.stages.get(place) else { return Err(Refused::OtherStage) };
    let key = answer.by.key();
    let earlier = asking.said.iter().find(|said| said.by.key() == key && said.stage == answer.stage);
    if let Some(said) = earlier {
        return Err(Refused::AlreadyDecided { by: said.by.clone(), verdict: said.verdict, at: said.at });
    }
    if answer.stage != asking.stage {
        return Err(Refused::OtherStage);
    }
    let mailbox = answer.by.mailbox();
    if !stage.people().iter().any(|person| person.mailbox() == mailbox) {
        return Err(Refused::NotAsked);
    }
    if counts_already(asking.stage, asking.said, &key) {
        return Err(Refused::SaidYesBefore);
    }
    Ok(match answer.verdict {
        Verdict::Reject => Decided::Rejected,
        Verdict::Approve => after_yes(asking, stage, &key),
    })
}

/// Has this person said yes in a stage before this one, which wants the yes of somebody else?
pub fn counts_already(stage: u32, said: &[Said], key: &str) -> bool {
    let yes = |said: &Said| said.stage < stage && said.verdict == Verdict::Approve && said.by.key() == key;
    said.iter().any(yes)
}

fn after_yes(asking: &Asking<'_>, stage: &ResolvedStage, key: &str) -> Decided {
    let mut yes: BTreeSet<String> = asking
        .said
        .iter()
        .filter(|said| said.stage == asking.stage && said.verdict == Verdict::Approve)
        .map(|said| said.by.key())
        .collect();
    yes.insert(key.to_owned());
    if !stage.is_met_by(&yes) {
        return Decided::Heard;
    }
    let next = asking.stage + 1;
    if usize::try_from(next).is_ok_and(|next| next < asking.routing.stages.len()) {
        Decided::NextStage(next)
    } else {
        Decided::Approved
    }
}

/// Who ended it: the no, or else the last yes.
fn first_of(asking: &Asking<'_>) -> Option<Refused> {
    let no = asking.said.iter().find(|said| said.verdict == Verdict::Reject);
    let last = no.or_else(|| asking.said.iter().max_by_key(|said| said.at))?;
    Some(Refused::AlreadyDecided { by: last.by.clone(), verdict: last.verdict, at: last.at })
}

#[cfg(test)]
mod tests;
