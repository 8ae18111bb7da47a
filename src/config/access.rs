//! `[[profiles]]`: what a matching request is given.
//!
//! Must hold: a profile stays within the allow-lists of its target. Deliberately absent: compiling the conditions,
//! which the rules room does.

use super::approvers::{ManagerMail, NO_MANAGER};
use super::reader::{Distinct, Section};
use super::targets::TargetSettings;
use crate::domain::names::{EmailAddress, GroupName, Location, ShortText, TargetName, UserType};

/// A condition in CEL, as written, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// The expression.
    pub text: String,
    /// The path of its key, for faults found when it is compiled.
    pub key: String,
}

/// What a matching request is given in one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Its name, for people.
    pub name: ShortText,
    /// When it matches.
    pub when: Condition,
    /// Where it grants.
    pub target: TargetName,
    /// The licence seat it takes.
    pub user_type: UserType,
    /// Where the user is made.
    pub location: Location,
    /// The groups it grants.
    pub groups: Vec<GroupName>,
    /// Who receives the first password.
    pub hand_over_to: HandOverTo,
}

/// Who receives the first password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HandOverTo {
    /// The person the user is for.
    Subject,
    /// The manager named in the request.
    Manager,
    /// Nobody.
    Nobody,
    /// Always this address.
    Address(EmailAddress),
}

/// Reads a condition that must be there.
pub(super) fn needed_condition(section: &Section<'_>) -> Option<Condition> {
    section.needed("when", "a condition in CEL; \"true\" matches always", |text| condition(section, text))
}

/// Reads a condition that may be absent.
pub(super) fn condition_if_any(section: &Section<'_>) -> Option<Condition> {
    section.read("when", "a condition in CEL", |text| condition(section, text))
}

fn condition(section: &Section<'_>, text: &str) -> Option<Condition> {
    if text.trim().is_empty() {
        return None;
    }
    if let Some(words) = section.gather().world.fault_of_condition(text) {
        section.fault("when", words);
    }
    Some(Condition { text: text.to_owned(), key: section.key("when") })
}

/// What profiles are measured against.
pub(super) struct Around<'a> {
    /// The targets that were read without a fault.
    pub targets: &'a [TargetSettings],
    /// The names of all targets that stand in the file, faulty or not.
    pub declared: &'a [String],
    /// Can a manager be found?
    pub manager_mail: ManagerMail,
}

/// Reads `[[profiles]]`.
pub(super) fn read_profiles(sections: Vec<Section<'_>>, around: &Around<'_>) -> Vec<Profile> {
    let mut names = Distinct::default();
    let profiles = sections.into_iter().filter_map(|section| {
        let name =
            section.needed("name", "a name of 1 to 128 characters", |text| ShortText::parse(text).ok());
        if let Some(name) = &name {
            names.note(&section, "name", name.as_str());
        }
        let when = needed_condition(&section);
        let target = section.needed("target", "the name of one of the targets", |text| {
            let known = around.declared.iter().any(|name| name == text);
            TargetName::parse(text).ok().filter(|_| known)
        });
        let user_type =
            section.needed("user_type", "a user type such as \"EPVUser\"", |text| UserType::parse(text).ok());
        let location = section
            .needed("location", "a path such as \"\\\\Users\\\\Ops\"", |text| Location::parse(text).ok());
        let groups = section.list("groups", "a group name of 1 to 128 characters on one line", |text| {
            GroupName::parse(text).ok()
        });
        let hand_over_to = read_hand_over(&section, around.manager_mail);
        section.refuse_unknown();
        let (user_type, location, target) = (user_type?, location?, target?);
        let profile = Profile { name: name?, when: when?, target, user_type, location, groups, hand_over_to };
        check_within(&profile, &section, around.targets);
        Some(profile)
    });
    profiles.collect()
}

fn read_hand_over(section: &Section<'_>, manager_mail: ManagerMail) -> HandOverTo {
    let wanted = "\"subject\", \"manager\", \"none\" or a mail address";
    let to = section.read("hand_over_to", wanted, |text| match text {
        "subject" => Some(HandOverTo::Subject),
        "manager" => Some(HandOverTo::Manager),
        "none" => Some(HandOverTo::Nobody),
        _ => EmailAddress::parse(text).ok().map(HandOverTo::Address),
    });
    if to == Some(HandOverTo::Manager) && manager_mail == ManagerMail::NeverHeard {
        section.fault("hand_over_to", NO_MANAGER);
    }
    to.unwrap_or(HandOverTo::Nobody)
}

fn check_within(profile: &Profile, section: &Section<'_>, targets: &[TargetSettings]) {
    let Some(target) = targets.iter().find(|target| target.name == profile.target) else { return };
    if !target.allowed_user_types.contains(&profile.user_type) {
        section.fault("user_type", "wanted: one of the target's allowed_user_types");
    }
    if !profile.location.lies_under(&target.location_root) {
        section.fault("location", "wanted: a path at or under the target's location_root");
    }
    let mut seen = Distinct::default();
    for group in &profile.groups {
        seen.note(section, "groups", &group.key());
    }
    let is_grantable =
        |group: &GroupName| target.grantable_groups.iter().any(|grantable| grantable.key() == group.key());
    if !profile.groups.iter().all(is_grantable) {
        section.fault("groups", "wanted: only groups of the target's grantable_groups");
    }
}
