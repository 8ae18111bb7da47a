//! Each step of a plan in one plain sentence, with the calls behind it.
//!
//! Must hold: a sentence names the system, the account and the thing; no step is left out or told twice.

use crate::domain::plan::{Doer, Effect, NewUser, Plan, PlannedStep, UserChange};
use crate::domain::snapshot::GroupKind;
use crate::target::PreviewCall;
use crate::web::visible::visible;

/// One step, to be shown.
#[derive(Debug, Clone)]
pub struct StepInWords {
    /// Counted from one.
    pub number: usize,
    /// What is done, to which system.
    pub sentence: String,
    /// Does it only look, or may it write?
    pub effect: &'static str,
    /// What it will probably send.
    pub calls: Vec<PreviewCall>,
}

/// All steps of a plan, with the calls that its target foresees for them.
pub fn steps(plan: &Plan, previews: &[Vec<PreviewCall>]) -> Vec<StepInWords> {
    plan.steps
        .iter()
        .enumerate()
        .map(|(place, step)| StepInWords {
            number: place + 1,
            sentence: sentence(plan, step),
            effect: match (step.doer(), step.effect()) {
                (Doer::Person, _) => "done by a person",
                (Doer::Countersign, Effect::Reads) => "looks only",
                (Doer::Countersign, Effect::Writes) => "changes something",
            },
            calls: previews.get(place).cloned().unwrap_or_default(),
        })
        .collect()
}

/// One step in a sentence.
pub fn sentence(plan: &Plan, step: &PlannedStep) -> String {
    let (user, target) = (&plan.user_name, &plan.target);
    match step {
        PlannedStep::FindUser => find(plan),
        PlannedStep::CreateUser(new) => create(plan, new),
        PlannedStep::CaptureUserId => {
            format!("Note the number that {target} gives {user}, and link the person to it.")
        }
        PlannedStep::AddToGroup(group) => {
            let kind = match group.kind {
                Some(GroupKind::Vault) | None => "group",
                Some(GroupKind::Directory) => "directory group",
            };
            let name = visible(group.name.as_str());
            format!("Add {user} to the {kind} \u{201c}{name}\u{201d} (number {}) in {target}.", group.id)
        }
        PlannedStep::UpdateUser(change) => {
            format!(
                "Change the record of {user} in {target}: {}. Everything else stays as it is.",
                fields(change)
            )
        }
        PlannedStep::RemoveFromGroup(group) => {
            let name = visible(group.name.as_str());
            format!("Take {user} out of the group \u{201c}{name}\u{201d} (number {}) in {target}.", group.id)
        }
        PlannedStep::RecordAccess => {
            format!(
                "Note in the audit trail what {user} can reach in {target}: groups, safes and authorisations."
            )
        }
        PlannedStep::DisableUser => {
            format!("Disable {user} in {target}, so that it cannot log on any more. It is not deleted.")
        }
        PlannedStep::LeaveGroupsByHand => format!(
            "Wait for a person to take {user} out of the groups that {target} does not tell us of, or cannot be told \
             to end. An operator marks it done."
        ),
        PlannedStep::DisableInDirectory => format!(
            "Wait for a person to disable {user} in its directory. {target} cannot do that; an operator marks it done."
        ),
        PlannedStep::ResetPassword => {
            format!("Give {user} in {target} a new password, so that the old one opens nothing any more.")
        }
        PlannedStep::EnableUser => format!("Enable {user} in {target}, so that it can log on again."),
        PlannedStep::ActivateUser => {
            format!("Lift the suspension of {user} in {target}, which failed log-ons have brought.")
        }
        PlannedStep::EnableInDirectory => format!(
            "Wait for a person to enable {user} in its directory. {target} cannot do that; an operator marks it done."
        ),
        PlannedStep::RequirePasswordChange => {
            format!("Make {target} ask {user} for a new password at the next log-on.")
        }
        PlannedStep::VerifyUser => {
            format!("Read {user} in {target} once more and compare everything with this plan.")
        }
    }
}

fn find(plan: &Plan) -> String {
    let (user, target) = (&plan.user_name, &plan.target);
    match &plan.account {
        None => format!("Look in {target} whether the user name {user} is free. If somebody holds it, stop."),
        Some(account) => {
            format!("Read user number {} in {target}. If it no longer has the name {user}, stop.", account.id)
        }
    }
}

fn fields(change: &UserChange) -> String {
    let each: Vec<String> = change
        .fields
        .iter()
        .map(|(field, change)| {
            let from = change.from.as_deref().filter(|text| !text.is_empty());
            let from = from
                .map_or_else(|| "nothing".to_owned(), |text| format!("\u{201c}{}\u{201d}", visible(text)));
            format!("{} from {from} to \u{201c}{}\u{201d}", field.in_words(), visible(&change.to))
        })
        .collect();
    each.join("; ")
}

fn create(plan: &Plan, new: &NewUser) -> String {
    let (user, target) = (&plan.user_name, &plan.target);
    let location = visible(new.location.as_str());
    format!("Make the user {user} in {target}, of type {}, at {location}.", new.user_type)
}

/// A step in two or three words, for the list of a run.
pub fn title(step: &PlannedStep) -> String {
    match step {
        PlannedStep::FindUser => "Look for the user name".to_owned(),
        PlannedStep::CreateUser(_) => "Make the user".to_owned(),
        PlannedStep::CaptureUserId => "Note the user\u{2019}s number".to_owned(),
        PlannedStep::AddToGroup(group) => {
            format!("Add to the group \u{201c}{}\u{201d}", visible(group.name.as_str()))
        }
        PlannedStep::UpdateUser(_) => "Change the record".to_owned(),
        PlannedStep::RemoveFromGroup(group) => {
            format!("Take out of the group \u{201c}{}\u{201d}", visible(group.name.as_str()))
        }
        PlannedStep::RecordAccess => "Note what the user can reach".to_owned(),
        PlannedStep::DisableUser => "Disable the user".to_owned(),
        PlannedStep::LeaveGroupsByHand => "Take out of its groups, by hand".to_owned(),
        PlannedStep::DisableInDirectory => "Disable in the directory, by hand".to_owned(),
        PlannedStep::ResetPassword => "Set a new password".to_owned(),
        PlannedStep::EnableUser => "Enable the user".to_owned(),
        PlannedStep::ActivateUser => "Lift the suspension".to_owned(),
        PlannedStep::EnableInDirectory => "Enable in the directory, by hand".to_owned(),
        PlannedStep::RequirePasswordChange => "Require a new password".to_owned(),
        PlannedStep::VerifyUser => "Read back and compare".to_owned(),
    }
}

/// A step's persisted word in two or three words, for the audit trail.
pub fn title_of_word(word: &str) -> &str {
    match word {
        "find_user" => "Look for the user name",
        "create_user" => "Make the user",
        "capture_user_id" => "Note the user\u{2019}s number",
        "add_to_group" => "Add to a group",
        "update_user" => "Change the record",
        "remove_from_group" => "Take out of a group",
        "record_access" => "Note what the user can reach",
        "disable_user" => "Disable the user",
        "leave_groups_by_hand" => "Take out of its groups, by hand",
        "disable_in_directory" => "Disable in the directory, by hand",
        "reset_password" => "Set a new password",
        "enable_user" => "Enable the user",
        "activate_user" => "Lift the suspension",
        "enable_in_directory" => "Enable in the directory, by hand",
        "require_password_change" => "Require a new password",
        "verify_user" => "Read back and compare",
        other => other,
    }
}
