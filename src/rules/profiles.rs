//! Who gets what: the one profile that matches a request in a target.
//!
//! Must hold: exactly one profile matches, or nobody gets anything. A condition that fails might have matched, so it
//! counts as neither; the choice is then left to a person.

use serde_json::Value;

use super::engine::{Engine, Verdict};
use super::expression::Expression;
use super::fault::RuleFault;
use crate::config::{Fault, Profile, Settings};
use crate::domain::names::TargetName;

/// A profile and its compiled condition.
#[derive(Debug, Clone)]
pub struct CompiledProfile {
    /// As it stands in the settings.
    pub profile: Profile,
    /// Its `when`.
    pub when: Expression,
}

/// Why there is no single profile; the text is for the operator who must look.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoSingleProfile {
    /// No condition holds.
    #[error("no profile for the target \"{target}\" matches this request")]
    NoneMatched {
        /// The target that was asked for.
        target: TargetName,
    },
    /// Several conditions hold.
    #[error("several profiles match this request: {}", .profiles.join(", "))]
    SeveralMatched {
        /// Their names, in the order of the settings.
        profiles: Vec<String>,
    },
    /// A condition failed, so that nobody knows what it would have said.
    #[error("the condition of the profile \"{profile}\" {fault}")]
    Failed {
        /// The first profile whose condition failed.
        profile: String,
        /// What it ran into.
        fault: RuleFault,
    },
}

/// Compiles the conditions of all profiles; every fault at once.
pub fn compile_profiles(engine: &Engine, settings: &Settings) -> Result<Vec<CompiledProfile>, Vec<Fault>> {
    let mut compiled = Vec::new();
    let mut faults = Vec::new();
    for profile in &settings.profiles {
        match engine.compile(&profile.when.text) {
            Ok(when) => compiled.push(CompiledProfile { profile: profile.clone(), when }),
            Err(fault) => faults.push(Fault::new(&settings.file, &profile.when.key, fault.to_string())),
        }
    }
    if faults.is_empty() { Ok(compiled) } else { Err(faults) }
}

/// The profile of this request in `target`. Every condition is asked, so that a second match is seen.
pub async fn choose_profile<'p>(
    engine: &Engine,
    profiles: &'p [CompiledProfile],
    target: &TargetName,
    req: &Value,
) -> Result<&'p Profile, NoSingleProfile> {
    let mut matched: Vec<&Profile> = Vec::new();
    for one in profiles.iter().filter(|one| one.profile.target == *target) {
        match engine.holds(&one.when, req).await {
            Ok(Verdict::Holds) => matched.push(&one.profile),
            Ok(Verdict::DoesNot) => {}
            Err(fault) => {
                return Err(NoSingleProfile::Failed { profile: one.profile.name.to_string(), fault });
            }
        }
    }
    match matched.as_slice() {
        [one] => Ok(one),
        [] => Err(NoSingleProfile::NoneMatched { target: target.clone() }),
        several => {
            let profiles = several.iter().map(|profile| profile.name.to_string()).collect();
            Err(NoSingleProfile::SeveralMatched { profiles })
        }
    }
}
