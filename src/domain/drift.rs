//! What has changed in the target since a plan was made, and whether the approval survives it (contract, promise 5).
//!
//! Must hold: a drift either voids (the approver would have read something else) or is only named; which of the two
//! depends on the kind of the plan. Deliberately absent: what follows from a drift (the states of a workflow).

use serde::{Deserialize, Serialize};

use super::ids::{VaultGroupId, VaultUserId};
use super::kind::Kind;
use super::memberships::{ends_here, label};
use super::names::{GroupName, Location, UserType};
use super::plan::{FieldChange, Plan, PlannedAccount, PlannedGroup, PlannedStep};
use super::snapshot::{
    GroupKind, MemberOf, ProfileField, Snapshot, UserSeen, UserSource, VaultGroup, VaultUser,
};

/// What has changed in the target since the plan was made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Drift {
    /// Changes that void an approval.
    pub voids: Vec<Difference>,
    /// Changes that are shown and no more.
    pub named: Vec<Difference>,
}

/// One difference between what a plan assumed and what a read shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// What it is about, in words.
    pub what: String,
    /// As the plan assumed it.
    pub planned: String,
    /// As it is now.
    pub now: String,
}

impl Difference {
    fn new(what: impl Into<String>, planned: impl Into<String>, now: impl Into<String>) -> Self {
        Self { what: what.into(), planned: planned.into(), now: now.into() }
    }

    /// A group that the settings have made privileged since.
    pub fn privileged(group: &GroupName) -> Self {
        Self::new(
            format!("the group {group}, by our own settings"),
            "granted on the word of the rule alone",
            "privileged: one more stage is asked, and everybody signs in with a code",
        )
    }

    /// An account that was known to be the person's, and is not any more.
    pub fn unlinked(id: VaultUserId) -> Self {
        Self::new(
            format!("whose the account with number {id} is"),
            "this person's, as it was known",
            "not known any more: two operators have taken it back",
        )
    }
}

/// Compares a plan with a fresh reading, each kind by its own row of the table.
pub fn drift(plan: &Plan, snapshot: &Snapshot) -> Drift {
    match (&plan.account, plan.kind) {
        (None, _) => of_new_account(plan, snapshot),
        (Some(account), Kind::Leaver) => of_leaver(plan, account, snapshot),
        (Some(account), Kind::Rehire) => of_rehire(plan, account, snapshot),
        (Some(account), Kind::Joiner | Kind::Mover | Kind::ResetPassword | Kind::Unsuspend) => {
            of_mover(plan, account, snapshot)
        }
    }
}

fn of_new_account(plan: &Plan, snapshot: &Snapshot) -> Drift {
    let mut drift = Drift::default();
    drift.voids.extend(plan.joins().filter_map(|group| group_drift(group, snapshot)));
    for step in &plan.steps {
        if let PlannedStep::CreateUser(user) = step {
            drift.voids.extend(user_type_drift(&user.user_type, snapshot));
        }
    }
    if let UserSeen::Present(user) = &snapshot.user {
        drift.named.push(Difference::new(
            format!("the user name {}", plan.user_name),
            "free",
            format!("taken, by the user with number {}", user.id),
        ));
    }
    drift
}

fn of_mover(plan: &Plan, account: &PlannedAccount, snapshot: &Snapshot) -> Drift {
    let mut drift = Drift { voids: identity(plan, account, snapshot), named: Vec::new() };
    let UserSeen::Present(user) = &snapshot.user else { return drift };
    drift.voids.extend(enabled(plan, account, user));
    drift.voids.extend(plan.joins().chain(plan.leaves()).filter_map(|group| group_drift(group, snapshot)));
    for step in &plan.steps {
        if let PlannedStep::UpdateUser(change) = step {
            drift
                .named
                .extend(change.fields.iter().filter_map(|(field, change)| field_drift(*field, change, user)));
        }
    }
    drift.named.extend(membership_drift(plan, user));
    drift
}

fn of_leaver(plan: &Plan, account: &PlannedAccount, snapshot: &Snapshot) -> Drift {
    let mut drift = Drift { voids: identity(plan, account, snapshot), named: Vec::new() };
    if let UserSeen::Present(user) = &snapshot.user {
        drift.named.extend(enabled(plan, account, user));
        drift.named.extend(membership_drift(plan, user));
    }
    drift
}

/// Whether the account is enabled is only named: the plan ends with an enabled account either way, and before it is
/// enabled its groups and its password are those that were approved. A membership that the plan neither keeps nor ends
/// voids, because enabling the account would bring it to life.
fn of_rehire(plan: &Plan, account: &PlannedAccount, snapshot: &Snapshot) -> Drift {
    let mut drift = Drift { voids: identity(plan, account, snapshot), named: Vec::new() };
    drift.voids.extend(plan.joins().filter_map(|group| group_drift(group, snapshot)));
    let UserSeen::Present(user) = &snapshot.user else { return drift };
    drift.voids.extend(beyond_plan(plan, user));
    drift.named.extend(enabled(plan, account, user));
    drift
}

/// What has changed about the account itself: its number, its name and where it is kept.
pub fn identity(plan: &Plan, account: &PlannedAccount, snapshot: &Snapshot) -> Vec<Difference> {
    let UserSeen::Present(user) = &snapshot.user else {
        let planned = format!("user number {}", account.id);
        return vec![Difference::new(
            format!("the user {}", plan.user_name),
            planned,
            "no user of that name",
        )];
    };
    let mut found = Vec::new();
    if user.id != account.id {
        let (planned, now) = (format!("user number {}", account.id), format!("user number {}", user.id));
        found.push(Difference::new(format!("the user {}", plan.user_name), planned, now));
    }
    if !user.user_name.eq_ignore_ascii_case(&account.user_name) {
        let what = format!("the name of user number {}", account.id);
        found.push(Difference::new(what, account.user_name.clone(), user.user_name.clone()));
    }
    if user.source != account.source {
        let what = format!("where the user {} is kept", plan.user_name);
        found.push(Difference::new(what, kept_in(account.source), kept_in(user.source)));
    }
    found
}

const fn kept_in(source: UserSource) -> &'static str {
    match source {
        UserSource::Vault => "in the vault itself",
        UserSource::Directory => "in a directory",
    }
}

fn enabled(plan: &Plan, account: &PlannedAccount, user: &VaultUser) -> Option<Difference> {
    let words = |flag| match flag {
        Some(true) => "enabled",
        Some(false) => "disabled",
        None => "not told by the vault",
    };
    (user.enabled != account.enabled).then(|| {
        let what = format!("the user {}", plan.user_name);
        Difference::new(what, words(account.enabled), words(user.enabled))
    })
}

fn field_drift(field: ProfileField, change: &FieldChange, user: &VaultUser) -> Option<Difference> {
    let (planned, now) = (change.from.as_deref(), user.profile.get(&field).map(String::as_str));
    let told = |text: Option<&str>| text.filter(|text| !text.is_empty()).unwrap_or("nothing").to_owned();
    (!same_text(field, planned, now))
        .then(|| Difference::new(format!("the {}", field.in_words()), told(planned), told(now)))
}

/// Do two texts of a field say the same?
pub fn same_text(field: ProfileField, one: Option<&str>, other: Option<&str>) -> bool {
    let (one, other) = (one.unwrap_or_default().trim(), other.unwrap_or_default().trim());
    if one == other {
        return true;
    }
    let path =
        |text: &str| Location::parse(text).or_else(|_| Location::parse(text.trim_end_matches('\\'))).ok();
    match (field, path(one), path(other)) {
        (ProfileField::Location, Some(one), Some(other)) => one.lies_under(&other) && other.lies_under(&one),
        _ => false,
    }
}

/// Memberships that the plan takes for standing or for missing, and that are otherwise now.
fn membership_drift(plan: &Plan, user: &VaultUser) -> Vec<Difference> {
    let Some(held) = &user.groups else { return Vec::new() };
    let is_in = |group: &PlannedGroup| held.iter().any(|member| member.id == group.id);
    let words = |is_in: bool| if is_in { "a member" } else { "no member" };
    let differs = |(group, planned): (&PlannedGroup, bool)| {
        (is_in(group) != planned).then(|| {
            let what = format!("{} in the group {}", plan.user_name, group.name);
            Difference::new(what, words(planned), words(!planned))
        })
    };
    plan.joins()
        .map(|group| (group, false))
        .chain(plan.leaves().map(|group| (group, true)))
        .filter_map(differs)
        .collect()
}

/// Memberships that a plan which names all of them does not name, and what of them is no longer told.
fn beyond_plan(plan: &Plan, user: &VaultUser) -> Vec<Difference> {
    let of_user = format!("the groups of {}", plan.user_name);
    let Some(held) = &user.groups else {
        return vec![Difference::new(of_user, "told by the vault", "not told by the vault")];
    };
    let named = |member: &&MemberOf| plan.joins().chain(plan.leaves()).any(|group| group.id == member.id);
    let beyond = held.iter().filter(|member| ends_here(member).is_some() && !named(member));
    let mut found: Vec<_> = beyond
        .map(|member| {
            let what = format!("{} in the group {}", plan.user_name, label(member));
            Difference::new(what, "no member", "a member")
        })
        .collect();
    if user.unnumbered_groups > 0 && !plan.steps.contains(&PlannedStep::LeaveGroupsByHand) {
        found.push(Difference::new(of_user, "all shown with a number", "one is shown without a number"));
    }
    found
}

fn group_drift(planned: &PlannedGroup, snapshot: &Snapshot) -> Option<Difference> {
    let now = snapshot.groups.iter().find(|seen| seen.asked.key() == planned.name.key());
    let describe = |id: VaultGroupId, name: &str, kind: Option<GroupKind>| {
        let kind = kind.map_or("group", GroupKind::in_words);
        format!("{kind} \u{201c}{name}\u{201d} with number {id}")
    };
    let found = now.and_then(|seen| seen.found.as_ref());
    let same = |group: &VaultGroup| {
        group.id == planned.id
            && planned.kind.is_none_or(|kind| group.kind == kind)
            && group.name.to_lowercase() == planned.name.key()
    };
    if found.is_some_and(same) {
        return None;
    }
    Some(Difference::new(
        format!("the group {}", planned.name),
        describe(planned.id, planned.name.as_str(), planned.kind),
        found.map_or_else(
            || "no group of that name".to_owned(),
            |group| describe(group.id, &group.name, Some(group.kind)),
        ),
    ))
}

fn user_type_drift(planned: &UserType, snapshot: &Snapshot) -> Option<Difference> {
    let licensed = snapshot.user_types.as_ref()?;
    let known = licensed.iter().any(|kind| kind.as_str().eq_ignore_ascii_case(planned.as_str()));
    (!known).then(|| {
        let what = format!("the user type {planned}");
        Difference::new(what, "licensed", "not in the vault's list of user types")
    })
}

#[cfg(test)]
mod tests;
