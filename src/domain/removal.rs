//! What a leaver's plan takes away, as far as a reading shows it.
//!
//! Must hold: the account is disabled before anything else is taken; every membership that the vault itself keeps
//! goes, unless the request leaves them; nothing is added, changed or deleted. What only a directory can take away
//! waits for a person.

use super::drift::identity;
use super::names::GroupName;
use super::plan::{Plan, PlannedAccount, PlannedGroup, PlannedStep};
use super::request::LeaverTerms;
use super::snapshot::{GroupKind, MemberOf, Snapshot, UserSeen, UserSource, VaultUser};

/// The steps of a leaver's plan for this account.
pub fn removal_steps(user: &VaultUser, terms: &LeaverTerms) -> Vec<PlannedStep> {
    let mut steps = vec![PlannedStep::FindUser, PlannedStep::RecordAccess];
    if user.source == UserSource::Vault {
        steps.push(PlannedStep::DisableUser);
    }
    if terms.remove_groups {
        let held = user.groups.iter().flatten();
        steps.extend(held.filter_map(own_group).map(PlannedStep::RemoveFromGroup));
    }
    if user.source == UserSource::Directory {
        steps.push(PlannedStep::DisableInDirectory);
    }
    steps.push(PlannedStep::VerifyUser);
    steps
}

/// A membership that the vault itself keeps, as a plan names it. Where the record does not tell the kind, the group
/// is taken for the vault's own; the vault refuses to change a directory's.
pub fn own_group(member: &MemberOf) -> Option<PlannedGroup> {
    let kind = member.kind.unwrap_or(GroupKind::Vault);
    let name = GroupName::parse(&member.name).ok()?;
    (kind == GroupKind::Vault).then_some(PlannedGroup { name, id: member.id, kind })
}

/// The same leaver's plan over a fresh reading, where the same account is in a group that the plan does not take it
/// out of. It removes more of the same person's access and does nothing else, so an approval covers it.
pub fn widened(plan: &Plan, snapshot: &Snapshot, terms: &LeaverTerms, salt: String) -> Option<Plan> {
    let account = plan.account.as_ref()?;
    let UserSeen::Present(user) = &snapshot.user else { return None };
    if !identity(plan, account, snapshot).is_empty() {
        return None;
    }
    let steps = removal_steps(user, terms);
    let wider = Plan {
        number: plan.number + 1,
        account: Some(PlannedAccount::of(user, account.owner)),
        steps,
        salt,
        ..plan.clone()
    };
    let is_new = |group: &PlannedGroup| plan.leaves().all(|known| known.id != group.id);
    let grows = wider.leaves().any(is_new);
    grows.then_some(wider)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::VaultGroupId;
    use crate::domain::request::LeaverMode;

    fn terms(remove_groups: bool) -> LeaverTerms {
        LeaverTerms { mode: LeaverMode::Disable, reason_code: None, remove_groups, revoke_sessions: false }
    }

    fn user(source: UserSource) -> VaultUser {
        let member = |id, name: &str, kind| MemberOf { id: VaultGroupId(id), name: name.to_owned(), kind };
        let groups = vec![
            member(3, "Ops", Some(GroupKind::Vault)),
            member(4, "AD-Ops", Some(GroupKind::Directory)),
            member(5, "Old", None),
        ];
        VaultUser { source, groups: Some(groups), ..VaultUser::default() }
    }

    fn kinds(user: &VaultUser, remove_groups: bool) -> Vec<String> {
        let word = |step: &PlannedStep| match step.group() {
            Some((_, group)) => format!("{} {}", step.kind(), group.id),
            None => step.kind().to_owned(),
        };
        removal_steps(user, &terms(remove_groups)).iter().map(word).collect()
    }

    #[test]
    fn the_account_is_disabled_first_and_a_directorys_groups_stay() {
        assert_eq!(
            kinds(&user(UserSource::Vault), true),
            [
                "find_user",
                "record_access",
                "disable_user",
                "remove_from_group 3",
                "remove_from_group 5",
                "verify_user"
            ]
        );
        assert_eq!(
            kinds(&user(UserSource::Vault), false),
            ["find_user", "record_access", "disable_user", "verify_user"]
        );
    }

    #[test]
    fn a_directory_user_waits_for_a_person_before_it_is_read_back() {
        assert_eq!(
            kinds(&user(UserSource::Directory), true),
            [
                "find_user",
                "record_access",
                "remove_from_group 3",
                "remove_from_group 5",
                "disable_in_directory",
                "verify_user"
            ]
        );
    }
}
