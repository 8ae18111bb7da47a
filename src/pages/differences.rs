//! How a plan differs from the one before it, for people who have read that one.
//!
//! Must hold: what voided the earlier plan is told as it was recorded; steps are compared as they are shown.

use std::collections::BTreeSet;

use super::steps_in_words::sentence;
use crate::domain::drift::Difference;
use crate::domain::plan::Plan;

/// What is new in a plan.
#[derive(Debug, Clone)]
pub struct SinceBefore {
    /// The number of the plan before.
    pub before: u32,
    /// What voided it.
    pub because: Vec<Difference>,
    /// Steps that were not in it.
    pub new_steps: Vec<String>,
    /// Steps that are gone.
    pub gone_steps: Vec<String>,
}

/// Compares a plan with the one before it.
pub fn since_before(before: &Plan, because: &[Difference], plan: &Plan) -> SinceBefore {
    let told = |plan: &Plan| plan.steps.iter().map(|step| sentence(plan, step)).collect::<Vec<_>>();
    let (old, new) = (told(before), told(plan));
    let missing_in = |from: &[String], other: &[String]| {
        let other: BTreeSet<&String> = other.iter().collect();
        from.iter().filter(|sentence| !other.contains(sentence)).cloned().collect()
    };
    SinceBefore {
        before: before.number,
        because: because.to_vec(),
        new_steps: missing_in(&new, &old),
        gone_steps: missing_in(&old, &new),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::VaultGroupId;
    use crate::domain::plan::PlannedStep;
    use crate::pages::sample;

    #[test]
    fn a_group_made_anew_is_shown_with_both_numbers() {
        let before = sample::plan();
        let mut plan = sample::plan();
        plan.number = 2;
        for step in &mut plan.steps {
            if let PlannedStep::AddToGroup(group) = step
                && group.id == VaultGroupId(7)
            {
                group.id = VaultGroupId(31);
            }
        }
        let since = since_before(&before, &[], &plan);
        assert_eq!((since.new_steps.len(), since.gone_steps.len()), (1, 1));
        assert!(since.new_steps[0].contains("number 31") && since.gone_steps[0].contains("number 7"));
    }
}
