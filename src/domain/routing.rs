//! Who is asked about a request, in which order, and why just they.
//!
//! Must hold: a routing is a plain record that is kept with the plan it belongs to. Deliberately absent: finding it
//! (the rules) and judging answers by it (the decision rule).

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::kind::Kind;
use super::names::{EmailAddress, GroupName};
use super::seats::{Seats, are_met, outlasts};
use super::sign_in::Strength;
use super::time::Timestamp;

/// Who is asked for one request, and why just they.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Routing {
    /// The name of the rule that was taken.
    pub rule: String,
    /// Why it was taken.
    pub because: Because,
    /// Who is asked, stage after stage.
    pub stages: Vec<ResolvedStage>,
    /// How long the answer may take, in seconds.
    pub expire_after_seconds: i64,
    /// The weakest proof with which somebody may answer.
    #[serde(default)]
    pub sign_in: Strength,
    /// What else the rule says about time.
    #[serde(default)]
    pub timing: Timing,
    /// There exactly when the plan brings somebody into privileged groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privileged: Option<Privileged>,
}

/// The routing in the row is not the one of which the trail tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the record of who is asked about this plan, and of how many must agree, is not the one of which the audit trail \
     tells, so nothing is decided or begun by it; an operator must look (`countersign audit verify`)"
)]
pub struct AskedOtherwise;

/// What is asked besides the rule, because a plan brings somebody into privileged groups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Privileged {
    /// Those groups.
    pub groups: Vec<GroupName>,
    /// The stage that is asked because of them, counted from zero. Who has said yes before does not count in it.
    pub stage: u32,
}

/// What a rule says about time, besides the end of the asking. Absent in plans of earlier versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timing {
    /// An approval is void unless its run has begun so many seconds after it might have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_within_seconds: Option<i64>,
    /// Who has not answered is reminded each time so many seconds have passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remind_after_seconds: Option<i64>,
    /// So often in one stage.
    #[serde(default)]
    pub reminders: u32,
    /// How many seconds people have to answer about a leaver who is due already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leavers_wait_seconds: Option<i64>,
    /// There exactly when nobody is asked: so many leavers of the source may go in one hour, and the rest is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unasked_per_hour: Option<u32>,
    /// A leaver's access is to be gone within so many seconds, where the rule says something about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaver_within_seconds: Option<i64>,
}

/// Where a rule says nothing, as in plans of earlier versions.
const LEAVERS_WAIT_SECONDS: i64 = 3_600;

impl Routing {
    /// Is this the stage that is asked because of privileged groups?
    pub fn is_for_privileged(&self, stage: u32) -> bool {
        self.privileged.as_ref().is_some_and(|privileged| privileged.stage == stage)
    }

    /// Is somebody asked just because this group is privileged?
    pub fn asks_because_of(&self, group: &GroupName) -> bool {
        let groups = self.privileged.iter().flat_map(|privileged| &privileged.groups);
        groups.into_iter().any(|one| one.key() == group.key())
    }

    /// The end of the asking. For a leaver it is the moment from which operators may decide: when access ought to
    /// end, or a while from now where it ought to have ended already.
    pub fn asking_ends(&self, kind: Kind, not_before: Timestamp, now: Timestamp) -> Timestamp {
        match kind {
            Kind::Leaver if not_before > now => not_before,
            Kind::Leaver => {
                now.plus_seconds(self.timing.leavers_wait_seconds.unwrap_or(LEAVERS_WAIT_SECONDS))
            }
            Kind::Joiner | Kind::Mover | Kind::Rehire | Kind::ResetPassword | Kind::Unsuspend => {
                now.plus_seconds(self.expire_after_seconds)
            }
        }
    }

    /// The end of an approval that was given at `approved_at`, if it has one; a leaver's has none.
    pub fn approval_ends(
        &self,
        kind: Kind,
        not_before: Timestamp,
        approved_at: Timestamp,
    ) -> Option<Timestamp> {
        let within = self.timing.start_within_seconds.filter(|_| kind != Kind::Leaver)?;
        Some(not_before.max(approved_at).plus_seconds(within))
    }
}

/// Why a rule was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Because {
    /// It is the first that matches.
    FirstMatch,
    /// It is the default, and no other matches.
    NothingElseMatched,
    /// It is the first that matches but for one that asks nobody, which is for people whose account is known.
    AccountUnknown {
        /// The rule that asks nobody.
        rule: String,
    },
    /// It is the default, and the condition of another one failed.
    ConditionFailed {
        /// The rule whose condition failed.
        rule: String,
        /// What it ran into, in words.
        fault: String,
    },
    /// It is the default, and the manager whom another one asks is not known.
    ManagerUnknown {
        /// The rule that asks the manager.
        rule: String,
    },
    /// It is the default, and another one asks fewer people than must say yes.
    TooFewPeople {
        /// The rule that cannot be met.
        rule: String,
    },
}

impl fmt::Display for Because {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FirstMatch => out.write_str("it is the first rule that matches"),
            Self::NothingElseMatched => out.write_str("no other rule matches"),
            Self::AccountUnknown { rule } => {
                write!(
                    out,
                    "the rule \"{rule}\" asks nobody, and it is only for people whose account is known"
                )
            }
            Self::ConditionFailed { rule, fault } => {
                write!(out, "the condition of the rule \"{rule}\" {fault}")
            }
            Self::ManagerUnknown { rule } => {
                write!(
                    out,
                    "the rule \"{rule}\" asks the manager, and the request names none who may be asked"
                )
            }
            Self::TooFewPeople { rule } => {
                write!(
                    out,
                    "the rule \"{rule}\" has fewer people to ask than must say yes; nobody counts in two stages"
                )
            }
        }
    }
}

/// One stage: pools of people, each of which must come to its own number of yeses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StageForm", into = "StageForm")]
pub struct ResolvedStage {
    /// All of them must be met; at least one.
    pub pools: Vec<Pool>,
}

/// People of whom some must say yes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pool {
    /// Who is asked: sorted and each mailbox once.
    pub people: Vec<EmailAddress>,
    /// As what they are asked, in the order of the rule.
    pub asked_as: Vec<AskedAs>,
    /// How many must say yes.
    pub quorum: u32,
}

/// As stages are kept: a single pool stands for itself, as it always did.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum StageForm {
    One(Pool),
    All { all: Vec<Pool> },
}

impl From<StageForm> for ResolvedStage {
    fn from(form: StageForm) -> Self {
        match form {
            StageForm::One(pool) => Self::of(pool),
            StageForm::All { all } => Self { pools: all },
        }
    }
}

impl From<ResolvedStage> for StageForm {
    fn from(stage: ResolvedStage) -> Self {
        let mut pools = stage.pools;
        match (pools.pop(), pools.is_empty()) {
            (Some(only), true) => Self::One(only),
            (last, _) => {
                pools.extend(last);
                Self::All { all: pools }
            }
        }
    }
}

impl ResolvedStage {
    /// A stage of one pool.
    pub fn of(pool: Pool) -> Self {
        Self { pools: vec![pool] }
    }

    /// Everybody who is asked, each mailbox once.
    pub fn people(&self) -> Vec<EmailAddress> {
        let mut seen = BTreeSet::new();
        let all = self.pools.iter().flat_map(|pool| &pool.people);
        all.filter(|person| seen.insert(person.key())).cloned().collect()
    }

    /// As what they are asked, over all pools.
    pub fn asked_as(&self) -> impl Iterator<Item = &AskedAs> {
        self.pools.iter().flat_map(|pool| &pool.asked_as)
    }

    /// Are these people, by address key, enough for every pool at once? Nobody counts for two.
    pub fn is_met_by(&self, keys: &BTreeSet<String>) -> bool {
        are_met(&self.seats(), keys)
    }

    /// Are there always enough of these people, by address key, besides those who have said yes in the stages before?
    pub fn outlasts(&self, before: &[Self], able: &BTreeSet<String>) -> bool {
        outlasts(&self.seats(), &before.iter().map(Self::seats).collect::<Vec<_>>(), able)
    }

    fn seats(&self) -> Vec<Seats> {
        let members = |pool: &Pool| pool.people.iter().map(EmailAddress::key).collect();
        self.pools.iter().map(|pool| Seats { members: members(pool), quorum: pool.quorum }).collect()
    }
}

/// As what somebody is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "as", rename_all = "snake_case")]
pub enum AskedAs {
    /// Named in the rule.
    Person {
        /// The address in the rule.
        address: EmailAddress,
    },
    /// A member of a group.
    Group {
        /// The group's name.
        name: String,
    },
    /// The manager named in the request.
    Manager {
        /// The address in the request.
        address: EmailAddress,
    },
}

/// For people: `group pam-admins`, `the manager`, or the address.
impl fmt::Display for AskedAs {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person { address } => write!(out, "{address}"),
            Self::Group { name } => write!(out, "group {name}"),
            Self::Manager { .. } => out.write_str("the manager"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::canon::{CanonicalBytes, Tag};

    #[test]
    fn a_stage_of_one_pool_is_kept_as_it_always_was() {
        let ana = EmailAddress::parse("ana@example.com").unwrap();
        let asked_as = vec![AskedAs::Person { address: ana.clone() }];
        let pool = Pool { people: vec![ana], asked_as, quorum: 1 };
        let one = ResolvedStage::of(pool.clone());
        let old = serde_json::json!({
            "people": ["ana@example.com"], "asked_as": [{"as": "person", "address": "ana@example.com"}], "quorum": 1
        });
        assert_eq!(serde_json::to_value(&one).unwrap(), old);
        let two = ResolvedStage { pools: vec![pool.clone(), pool] };
        for stage in [one, two] {
            let bytes = CanonicalBytes::of(Tag::Routing, &stage).unwrap();
            assert_eq!(bytes.open::<ResolvedStage>(Tag::Routing).unwrap(), stage);
        }
        let earlier = serde_json::json!({
            "rule": "r", "because": {"why": "first_match"}, "stages": [old], "expire_after_seconds": 60
        });
        let earlier: Routing = serde_json::from_value(earlier).unwrap();
        assert_eq!((earlier.timing, earlier.privileged.clone()), (Timing::default(), None));
        // What is not said is not written either, so that an older version can still read it.
        assert!(serde_json::to_value(&earlier).unwrap().get("privileged").is_none());
        let groups = vec![GroupName::parse("Linux Admins").unwrap()];
        let privileged = Routing { privileged: Some(Privileged { groups, stage: 1 }), ..earlier };
        let bytes = CanonicalBytes::of(Tag::Routing, &privileged).unwrap();
        assert_eq!(bytes.open::<Routing>(Tag::Routing).unwrap(), privileged);
        let named = |name: &str| privileged.asks_because_of(&GroupName::parse(name).unwrap());
        assert_eq!((named("LINUX admins"), named("Ops-Readers")), (true, false));
        assert_eq!([0, 1, 2].map(|stage| privileged.is_for_privileged(stage)), [false, true, false]);
    }
}
