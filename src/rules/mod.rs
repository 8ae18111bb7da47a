//! Conditions in CEL: who gets what, and who must approve.
//!
//! Must hold: conditions come from the settings alone and are compiled at start; whatever goes wrong with one never
//! counts as true. This folder is the only place that knows the interpreter.

pub mod access;
pub mod asked_for;
mod engine;
mod expression;
mod fault;
mod judged;
pub mod passed_over;
pub mod profiles;
pub mod routing;

#[cfg(test)]
mod tests;

pub use self::engine::{EVALUATION_LIMIT, Engine, Verdict};
pub use self::expression::Expression;
pub use self::fault::RuleFault;
pub use self::judged::Judged;

use self::profiles::CompiledProfile;
use self::routing::CompiledRules;
use crate::config::{Fault, Settings};

/// All compiled conditions of the settings.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Who gets what.
    pub profiles: Vec<CompiledProfile>,
    /// Who must approve.
    pub rules: CompiledRules,
}

impl Policy {
    /// Compiles everything; every fault at once, each at the key of its condition.
    pub fn compile(engine: &Engine, settings: &Settings) -> Result<Self, Vec<Fault>> {
        match (profiles::compile_profiles(engine, settings), routing::compile_rules(engine, settings)) {
            (Ok(profiles), Ok(rules)) => Ok(Self { profiles, rules }),
            (profiles, rules) => {
                let faults = profiles.err().into_iter().chain(rules.err());
                Err(faults.flatten().collect())
            }
        }
    }
}
