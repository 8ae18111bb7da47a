//! Who is asked about a request, in which order, and why just they.
//!
//! Must hold: a routing is a plain record that is kept with the plan it belongs to. Deliberately absent: finding it
//! (the rules) and judging answers by it (the decision rule).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::names::EmailAddress;
use super::sign_in::Strength;

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
}

/// Why a rule was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Because {
    /// It is the first that matches.
    FirstMatch,
    /// It is the default, and no other matches.
    NothingElseMatched,
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
                write!(out, "the rule \"{rule}\" has fewer people to ask than must say yes")
            }
        }
    }
}

/// One stage with the people behind its words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResolvedStage {
    /// Who is asked: sorted and each mailbox once.
    pub people: Vec<EmailAddress>,
    /// As what they are asked, in the order of the rule.
    pub asked_as: Vec<AskedAs>,
    /// How many must say yes.
    pub quorum: u32,
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
