//! `privileged_groups` and `privileged_stage` of a target: the groups that are not granted on the word of a rule alone,
//! and who is asked besides.
//!
//! Must hold: a privileged group may be granted at all; where there is one, there are people to ask, all of them named
//! in these settings. Deliberately absent: the code that everybody asked then signs in with, which needs no setting.

use super::approvers::ManagerMail;
use super::reader::{Distinct, Gather, Section};
use super::stages::{Askable, Stage, asks_manager, has_others, read_stage};
use crate::domain::names::GroupName;
use crate::domain::seats::MOST_POOLS;

/// What a target says of privileged groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Privileged {
    /// Which they are; at least one.
    pub groups: Vec<GroupName>,
    /// Who is asked after the stages of the rule; nobody who has said yes there counts here.
    pub stage: Stage,
    /// The path of the stage's key, for faults found when it is held against the rules.
    pub key: String,
}

impl Privileged {
    /// Is this group one of them? Compared as the vault does, without case.
    pub fn names(&self, group: &GroupName) -> bool {
        self.groups.iter().any(|one| one.key() == group.key())
    }
}

/// Reads both keys of a target; `grantable` is what may be granted there.
pub(super) fn read_privileged(
    section: &Section<'_>,
    grantable: &[GroupName],
    askable: &Askable<'_>,
) -> Option<Privileged> {
    let groups =
        section.list("privileged_groups", "a group name of 1 to 128 characters on one line", |text| {
            GroupName::parse(text).ok()
        });
    let mut seen = Distinct::default();
    for group in &groups {
        seen.note(section, "privileged_groups", &group.key());
    }
    let granted = |group: &GroupName| grantable.iter().any(|one| one.key() == group.key());
    if !groups.iter().all(granted) {
        section.fault("privileged_groups", "wanted: only groups that stand in grantable_groups, too");
    }
    let none =
        section.value("privileged_groups").is_none_or(|value| value.as_array().is_some_and(Vec::is_empty));
    let stage = read_own_stage(section, none, askable)?;
    Some(Privileged { groups, stage, key: section.key("privileged_stage") })
}

fn read_own_stage(section: &Section<'_>, none: bool, askable: &Askable<'_>) -> Option<Stage> {
    let wanted = "wanted: who is asked besides those of the rule, such as { ask = [\"group:pam-admins\"], quorum = 1 }";
    match (section.value("privileged_stage"), none) {
        (None, true) => None,
        (None, false) => {
            let words = format!("missing; {wanted}, because privileged_groups is given");
            section.fault("privileged_stage", words);
            None
        }
        (Some(_), true) => {
            section.fault("privileged_stage", "wanted: only together with privileged_groups");
            None
        }
        (Some(value), false) if !value.is_table() => {
            section.fault("privileged_stage", wanted);
            None
        }
        (Some(_), false) => {
            // One fault is enough for a manager, whether or not one could be found.
            let askable = Askable { manager_mail: ManagerMail::Heard, ..*askable };
            let stage = read_stage(&section.section("privileged_stage"), &askable);
            if asks_manager(&stage) {
                let words = "wanted: people whom these settings name; a manager is named by the request";
                section.fault("privileged_stage", words);
            }
            if stage.pools.len() > MOST_POOLS {
                section.fault("privileged_stage", format!("wanted: at most {MOST_POOLS} pools"));
            }
            Some(stage)
        }
    }
}

/// The default rule is taken when another one cannot be met, so after it there must be people left.
pub(super) fn check_after_default(
    privileged: &Privileged,
    default: &[Stage],
    askable: &Askable<'_>,
    gather: &Gather<'_>,
) {
    let is_sound = privileged.stage.pools.len() <= MOST_POOLS && !default.is_empty();
    if is_sound && !has_others(&privileged.stage, default, askable) {
        let words = "wanted: enough people besides those who may have said yes under the default rule; nobody counts for two";
        gather.fault(&privileged.key, words);
    }
}
