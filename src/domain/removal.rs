//! What a leaver's plan takes away, as far as a reading shows it.
//!
//! Must hold: the account is disabled before anything else is taken; every membership that a directory does not
//! keep goes, unless the request leaves them; nothing is added, changed or deleted. What only a directory can take away
//! waits for a person, and so does what nobody tells: unknown groups are not no groups.

use super::drift::identity;
use super::memberships::ends_here;
use super::plan::{Plan, PlannedAccount, PlannedGroup, PlannedStep};
use super::request::LeaverTerms;
use super::snapshot::{Snapshot, UserSeen, UserSource, VaultUser};
use super::step::Ledger;

/// Of an account that neither its number nor its name leads to any more.
pub const GONE: &str = "the account is no longer in the vault; nothing to end";

/// Of an account that neither its number nor its name leads to, where nobody can tell that it would be seen.
pub const OUT_OF_SIGHT: &str = "the account cannot be seen: it is gone, or out of our sight";

/// The same, with what is missing for a proof that it is gone.
pub fn out_of_sight(why: &str) -> String {
    format!("{OUT_OF_SIGHT}; {why}")
}

/// How the removals of a plan stand. It matters where a vault has told the memberships and tells none now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removals {
    /// They are still to come: each is sent, whatever the vault tells.
    ToCome,
    /// A write has ended each, with a good answer of the vault.
    Answered,
    /// The run is through with them, and at least one was not ended by a write.
    NotAllAnswered,
}

impl Removals {
    /// At the end of a run.
    pub fn of(plan: &Plan, ledger: &Ledger) -> Self {
        let removed = ledger.removed(plan);
        if plan.leaves().all(|group| removed.contains(&group.id)) {
            Self::Answered
        } else {
            Self::NotAllAnswered
        }
    }
}

/// The steps of a leaver's plan for this account.
pub fn removal_steps(user: &VaultUser, terms: &LeaverTerms) -> Vec<PlannedStep> {
    let mut steps = vec![PlannedStep::FindUser, PlannedStep::RecordAccess];
    if user.source == UserSource::Vault {
        steps.push(PlannedStep::DisableUser);
    }
    if terms.remove_groups {
        let mut ends: Vec<PlannedGroup> = user.groups.iter().flatten().filter_map(ends_here).collect();
        // What may be refused comes last, so that the refusal holds nothing else up.
        ends.sort_by_key(|group| group.kind.is_none());
        steps.extend(ends.into_iter().map(PlannedStep::RemoveFromGroup));
        if user.groups.is_none() || user.unnumbered_groups > 0 {
            steps.push(PlannedStep::LeaveGroupsByHand);
        }
    }
    if user.source == UserSource::Directory {
        steps.push(PlannedStep::DisableInDirectory);
    }
    steps.push(PlannedStep::VerifyUser);
    steps
}

/// The same leaver's plan over a fresh reading, where the same account is in a group that the plan does not take it
/// out of. It removes more of the same person's access and does nothing else, so an approval covers it. Where nobody
/// tells any more what is left, a person says so.
pub fn widened(
    plan: &Plan,
    (snapshot, removals): (&Snapshot, Removals),
    terms: &LeaverTerms,
    salt: String,
) -> Option<Plan> {
    let account = plan.account.as_ref()?;
    let UserSeen::Present(user) = &snapshot.user else { return None };
    if !identity(plan, account, snapshot).is_empty() {
        return None;
    }
    let mut steps = removal_steps(user, terms);
    if user.groups.is_none() && plan.leaves().next().is_some() {
        match removals {
            // A vault that has told these memberships, and has answered that it ended each, has none to tell now.
            Removals::ToCome | Removals::Answered => {
                steps.retain(|step| *step != PlannedStep::LeaveGroupsByHand);
            }
            Removals::NotAllAnswered => {}
        }
    }
    let wider = Plan {
        number: plan.number + 1,
        account: Some(PlannedAccount::of(user, account.owner.clone())),
        steps,
        salt,
        ..plan.clone()
    };
    let is_new = |group: &PlannedGroup| plan.leaves().all(|known| known.id != group.id);
    let is_new_to_a_person = |step: &PlannedStep| {
        *step == PlannedStep::LeaveGroupsByHand && !plan.steps.contains(&PlannedStep::LeaveGroupsByHand)
    };
    let grows = wider.leaves().any(is_new) || wider.steps.iter().any(is_new_to_a_person);
    grows.then_some(wider)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::VaultGroupId;
    use crate::domain::request::LeaverMode;
    use crate::domain::snapshot::{GroupKind, MemberOf};

    fn terms(remove_groups: bool) -> LeaverTerms {
        LeaverTerms { mode: LeaverMode::Disable, reason_code: None, remove_groups, revoke_sessions: false }
    }

    fn user(source: UserSource) -> VaultUser {
        let member = |id, name: &str, kind| MemberOf { id: VaultGroupId(id), name: name.to_owned(), kind };
        let groups = vec![
            member(5, "Old", None),
            member(4, "AD-Ops", Some(GroupKind::Directory)),
            member(3, "Ops", Some(GroupKind::Vault)),
        ];
        VaultUser { source, groups: Some(groups), ..VaultUser::default() }
    }

    #[test]
    fn what_the_vault_did_not_tell_is_planned_as_not_told_and_comes_last() {
        let steps = removal_steps(&user(UserSource::Vault), &terms(true));
        let groups = steps.iter().filter_map(PlannedStep::group).map(|(_, group)| (group.id.0, group.kind));
        assert_eq!(groups.collect::<Vec<_>>(), [(3, Some(GroupKind::Vault)), (5, None)]);
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
    fn unknown_groups_and_groups_without_a_number_are_for_a_person() {
        let by_hand = ["find_user", "record_access", "disable_user", "leave_groups_by_hand", "verify_user"];
        let unknown = VaultUser { groups: None, ..user(UserSource::Vault) };
        assert_eq!(kinds(&unknown, true), by_hand);
        assert_eq!(kinds(&unknown, false), ["find_user", "record_access", "disable_user", "verify_user"]);
        let none = VaultUser { groups: Some(Vec::new()), ..user(UserSource::Vault) };
        assert_eq!(kinds(&none, true), ["find_user", "record_access", "disable_user", "verify_user"]);
        let unnumbered = VaultUser { unnumbered_groups: 1, ..none };
        assert_eq!(kinds(&unnumbered, true), by_hand);
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
