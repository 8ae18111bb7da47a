//! `check` of one target: does it answer, how does it speak, what may our account do there, and is there what the settings
//! name?
//!
//! Must hold: only reads. Deliberately absent: trying a change, so that a right which the vault does not tell shows in the
//! first run alone.

use std::time::Duration;

use super::findings::Findings;
use crate::clock::World;
use crate::config::{Product, TargetSettings};
use crate::domain::names::{GroupName, UserName};
use crate::domain::plan::{DialectSettings, DisableWith, GroupMember, UserShape};
use crate::domain::snapshot::{ProfileField, Snapshot, UserSeen};
use crate::service;
use crate::target::{Besides, Subject};

/// So long one target may take.
const TARGET_LIMIT: Duration = Duration::from_secs(90);

/// What our account needs, by the vault's own word, and what fails without it.
const NEEDED: [(&str, &str); 2] = [
    ("AddUpdateUsers", "no user can be made, changed or disabled, and no group membership changed"),
    ("AuditUsers", "users and groups of other locations may not be seen, and so not found"),
];

/// What only some requests need, and which.
const SOMETIMES: [(&str, &str); 2] = [
    ("ResetUsersPasswords", "a request that sets a new password fails"),
    ("ActivateUsers", "a request that ends a suspension, or enables a user again, fails"),
];

/// Signs in and reads.
pub(super) async fn examine(target: &TargetSettings, world: &World, findings: &mut Findings) {
    let what = format!("target {}", target.name);
    let vault = match service::connect(target, world) {
        Ok(vault) => vault,
        Err(words) => return findings.mend(&what, &words),
    };
    // Our own account is one that we may look for without a question.
    let account = UserName::parse(target.product.account()).or_else(|_| UserName::parse("countersign"));
    let Ok(account) = account else {
        return findings.mend(&what, "its account has no name that can be looked for");
    };
    let subject = Subject { user_name: &account, user_id: None };
    let reading = vault.snapshot(subject, Besides::Groups(&target.grantable_groups));
    let read = tokio::time::timeout(TARGET_LIMIT, reading).await;
    vault.close().await;
    match read {
        Ok(Ok(snapshot)) => {
            told(target, &what, &snapshot, findings);
            findings.good(&what, &dialect(vault.dialect(), &snapshot));
            rights(&what, (&account, &snapshot), findings);
        }
        Ok(Err(fault)) => findings.mend(&what, &format!("{fault}; {}", what_to_see(&target.product))),
        Err(_) => findings.mend(&what, "it does not answer in time"),
    }
}

const fn what_to_see(product: &Product) -> &'static str {
    match product {
        Product::PrivilegeCloud(_) => {
            "see api_url, token_url, client_id and client_secret, and that the service user may list users and groups"
        }
        Product::SelfHosted(_) => {
            "see api_url, logon, username and password, and that the account may list users and groups"
        }
    }
}

/// How the target is spoken to, and what of it a reading has shown.
fn dialect(settings: DialectSettings, seen: &Snapshot) -> String {
    let shape = shape(seen);
    let shape = match settings.user_shape {
        UserShape::Auto => format!("{shape} (found)"),
        UserShape::Nested | UserShape::Flat => format!("{shape} (pinned)"),
    };
    let member = match settings.group_member {
        GroupMember::Auto => "auto (the user name first; its number where the vault refuses that)",
        GroupMember::UserName => "user-name (pinned)",
        GroupMember::NumericId => "numeric-id (pinned)",
    };
    let disable = match settings.disable_with {
        DisableWith::Auto => {
            "auto (the vault's own call first; the whole record where it does not know that call)"
        }
        DisableWith::Call => "call (pinned)",
        DisableWith::Put => "put (pinned)",
    };
    format!("its dialect: user_shape {shape}, group_member {member}, disable_with {disable}")
}

fn shape(seen: &Snapshot) -> &'static str {
    // What tells the two apart: a flat record has no place for a title.
    match &seen.kept_fields {
        Some(kept) if !kept.contains(&ProfileField::Title) => "flat",
        Some(_) | None => "nested",
    }
}

/// What our own account may do, where the vault tells it.
fn rights(what: &str, (account, seen): (&UserName, &Snapshot), findings: &mut Findings) {
    let told = match &seen.user {
        UserSeen::Present(user) => user.authorizations.as_ref(),
        UserSeen::Absent => None,
    };
    let Some(told) = told else {
        let words = format!(
            "it does not tell what our account {account} may do; see yourself that it has AddUpdateUsers and AuditUsers, \
             and for requests that need them ResetUsersPasswords and ActivateUsers"
        );
        return findings.left(what, &words);
    };
    let missing = |right: &str| !told.iter().any(|one| one.eq_ignore_ascii_case(right));
    for (right, fails) in NEEDED.into_iter().filter(|(right, _)| missing(right)) {
        findings.mend(what, &format!("our account {account} has no {right}: without it {fails}"));
    }
    for (right, fails) in SOMETIMES.into_iter().filter(|(right, _)| missing(right)) {
        findings.warn(what, &format!("our account {account} has no {right}: without it {fails}"));
    }
    if !NEEDED.iter().any(|(right, _)| missing(right)) {
        findings.good(what, &format!("our account {account} may make, change and see users"));
    }
}

fn told(target: &TargetSettings, what: &str, seen: &Snapshot, findings: &mut Findings) {
    let shape = shape(seen);
    findings.good(what, &format!("signs in; users and groups can be listed; user records are {shape}"));
    groups(target, what, seen, findings);
    user_types(target, what, seen, findings);
}

fn groups(target: &TargetSettings, what: &str, seen: &Snapshot, findings: &mut Findings) {
    let asked = seen.groups.len();
    let missing: Vec<&str> =
        seen.groups.iter().filter(|group| group.found.is_none()).map(|group| group.asked.as_str()).collect();
    let is_privileged = |name: &str| {
        let group = GroupName::parse(name).ok();
        target.privileged.as_ref().zip(group).is_some_and(|(privileged, group)| privileged.names(&group))
    };
    for group in &missing {
        let listed =
            if is_privileged(group) { "grantable_groups and privileged_groups" } else { "grantable_groups" };
        let words =
            format!("the group {group} of {listed} cannot be seen in it; make it, or let the account see it");
        findings.mend(what, &words);
    }
    if missing.is_empty() {
        findings.good(what, &format!("all {asked} of grantable_groups are there"));
    }
}

fn user_types(target: &TargetSettings, what: &str, seen: &Snapshot, findings: &mut Findings) {
    let Some(licensed) = &seen.user_types else {
        return findings.good(what, "it does not tell its user types, so allowed_user_types is not compared");
    };
    let known = |name: &str| licensed.iter().any(|one| one.as_str().eq_ignore_ascii_case(name));
    let unknown: Vec<&str> = target
        .allowed_user_types
        .iter()
        .map(crate::domain::names::UserType::as_str)
        .filter(|name| !known(name))
        .collect();
    if unknown.is_empty() {
        findings.good(what, "all of allowed_user_types are among its user types");
    }
    for name in unknown {
        findings.mend(what, &format!("{name} of allowed_user_types is not among its user types"));
    }
}
