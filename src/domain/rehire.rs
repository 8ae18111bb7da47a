//! What the plan of somebody who comes back does, as far as a reading shows it.
//!
//! Must hold: the account comes out of every group that was not approved, and has a password that nobody has known,
//! before it is enabled; whatever was approved is a step of the plan, also where the account has it still, so that the
//! approvers see all that comes to life. A directory's account is enabled by a person, and its password is not ours.

use super::memberships::ends_here;
use super::plan::{PlannedGroup, PlannedStep, ResetOfDisabled};
use super::snapshot::{UserSource, VaultUser};

/// The steps for this account, which is to be in these groups and in no others.
///
/// Where a vault sets no password of a disabled user, the account must be enabled with its old one. So it is in no group
/// at that moment, not even in one that was approved, and the groups come after the new password.
pub fn rehire_steps(user: &VaultUser, wanted: Vec<PlannedGroup>, reset: ResetOfDisabled) -> Vec<PlannedStep> {
    let stays = |group: &PlannedGroup| match (user.source, reset) {
        (UserSource::Vault, ResetOfDisabled::Refused) => false,
        (UserSource::Vault, ResetOfDisabled::Works) | (UserSource::Directory, _) => {
            wanted.iter().any(|one| one.id == group.id)
        }
    };
    let mut ends: Vec<PlannedGroup> = user.groups.iter().flatten().filter_map(ends_here).collect();
    ends.retain(|group| !stays(group));
    // What may be refused comes last, so that the refusal holds nothing else up.
    ends.sort_by_key(|group| group.kind.is_none());
    let mut steps = vec![PlannedStep::FindUser, PlannedStep::RecordAccess];
    steps.extend(ends.into_iter().map(PlannedStep::RemoveFromGroup));
    if user.unnumbered_groups > 0 {
        steps.push(PlannedStep::LeaveGroupsByHand);
    }
    let comes = wanted.into_iter().map(PlannedStep::AddToGroup);
    let password = [PlannedStep::ResetPassword, PlannedStep::RequirePasswordChange];
    match (user.source, reset) {
        (UserSource::Vault, ResetOfDisabled::Works) => {
            steps.extend(password);
            steps.extend(comes);
            steps.push(PlannedStep::EnableUser);
        }
        (UserSource::Vault, ResetOfDisabled::Refused) => {
            steps.push(PlannedStep::EnableUser);
            steps.extend(password);
            steps.extend(comes);
        }
        (UserSource::Directory, _) => {
            steps.extend(comes);
            steps.push(PlannedStep::EnableInDirectory);
        }
    }
    steps.push(PlannedStep::VerifyUser);
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::VaultGroupId;
    use crate::domain::names::GroupName;
    use crate::domain::snapshot::{GroupKind, MemberOf};

    fn user(source: UserSource) -> VaultUser {
        let member = |id, name: &str, kind| MemberOf { id: VaultGroupId(id), name: name.to_owned(), kind };
        let groups = vec![
            member(5, "Old", None),
            member(4, "AD-Ops", Some(GroupKind::Directory)),
            member(3, "Ops", Some(GroupKind::Vault)),
            member(2, "Former", Some(GroupKind::Vault)),
        ];
        VaultUser { source, groups: Some(groups), ..VaultUser::default() }
    }

    fn told(user: &VaultUser, reset: ResetOfDisabled) -> Vec<String> {
        let group = |id, name: &str| PlannedGroup {
            id: VaultGroupId(id),
            name: GroupName::parse(name).unwrap(),
            kind: Some(GroupKind::Vault),
        };
        let steps = rehire_steps(user, vec![group(3, "Ops"), group(1, "New")], reset);
        let word = |step: &PlannedStep| match step.group() {
            Some((_, group)) => format!("{} {}", step.kind(), group.id),
            None => step.kind().to_owned(),
        };
        steps.iter().map(word).collect()
    }

    #[test]
    fn the_account_is_enabled_last_and_what_it_has_of_the_approved_groups_is_a_step_too() {
        assert_eq!(
            told(&user(UserSource::Vault), ResetOfDisabled::Works),
            [
                "find_user",
                "record_access",
                "remove_from_group 2",
                "remove_from_group 5",
                "reset_password",
                "require_password_change",
                "add_to_group 3",
                "add_to_group 1",
                "enable_user",
                "verify_user"
            ]
        );
    }

    #[test]
    fn who_must_be_enabled_with_an_old_password_is_in_no_group_then() {
        assert_eq!(
            told(&user(UserSource::Vault), ResetOfDisabled::Refused),
            [
                "find_user",
                "record_access",
                "remove_from_group 3",
                "remove_from_group 2",
                "remove_from_group 5",
                "enable_user",
                "reset_password",
                "require_password_change",
                "add_to_group 3",
                "add_to_group 1",
                "verify_user"
            ]
        );
    }

    #[test]
    fn a_directory_user_waits_for_a_person_and_gets_no_password() {
        for reset in [ResetOfDisabled::Works, ResetOfDisabled::Refused] {
            assert_eq!(
                told(&user(UserSource::Directory), reset),
                [
                    "find_user",
                    "record_access",
                    "remove_from_group 2",
                    "remove_from_group 5",
                    "add_to_group 3",
                    "add_to_group 1",
                    "enable_in_directory",
                    "verify_user"
                ]
            );
        }
    }

    #[test]
    fn a_group_without_a_number_is_ended_by_hand_before_anything_comes_to_life() {
        let unnumbered =
            VaultUser { unnumbered_groups: 1, groups: Some(Vec::new()), ..user(UserSource::Vault) };
        let steps = told(&unnumbered, ResetOfDisabled::Works);
        assert_eq!(steps[2], "leave_groups_by_hand");
    }
}
