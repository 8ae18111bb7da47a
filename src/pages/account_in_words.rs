//! The account as it will be: a new one, or one that changes or ends.
//!
//! Must hold: what is added, what is removed, what is kept and what cannot be touched are told apart; an account is
//! shown as the plan has it, memberships that stay as the reading shows them.

use super::line::{Line, line};
use crate::domain::kind::Kind;
use crate::domain::memberships::{ends_here, label};
use crate::domain::plan::{NewUser, Owner, Plan, PlannedAccount, PlannedGroup, PlannedStep, UserChange};
use crate::domain::snapshot::{MemberOf, Snapshot, UserSeen, UserSource, VaultUser};
use crate::domain::time::Timestamp;
use crate::web::visible::visible;

/// The account line by line.
pub(super) fn account(plan: &Plan, snapshot: &Snapshot) -> Vec<Line> {
    let mut lines = vec![line("User name", plan.user_name.as_str()), line("System", plan.target.as_str())];
    match (&plan.account, new_user(plan)) {
        (Some(account), _) => lines.extend(known(plan, account, snapshot)),
        (None, Some(new)) => lines.extend(made(new)),
        (None, None) => {}
    }
    if plan.account.is_none() {
        lines.push(line("Groups", &names(plan.joins())));
    }
    lines
}

/// The account that a plan makes.
pub(super) fn new_user(plan: &Plan) -> Option<&NewUser> {
    plan.steps.iter().find_map(|step| match step {
        PlannedStep::CreateUser(new) => Some(new),
        PlannedStep::FindUser
        | PlannedStep::CaptureUserId
        | PlannedStep::UpdateUser(_)
        | PlannedStep::AddToGroup(_)
        | PlannedStep::RemoveFromGroup(_)
        | PlannedStep::RecordAccess
        | PlannedStep::DisableUser
        | PlannedStep::LeaveGroupsByHand
        | PlannedStep::DisableInDirectory
        | PlannedStep::ResetPassword
        | PlannedStep::EnableUser
        | PlannedStep::EnableInDirectory
        | PlannedStep::ActivateUser
        | PlannedStep::RequirePasswordChange
        | PlannedStep::VerifyUser => None,
    })
}

/// What a plan changes in an account's record.
pub(super) fn change(plan: &Plan) -> Option<&UserChange> {
    plan.steps.iter().find_map(|step| match step {
        PlannedStep::UpdateUser(change) => Some(change),
        PlannedStep::FindUser
        | PlannedStep::CreateUser(_)
        | PlannedStep::CaptureUserId
        | PlannedStep::AddToGroup(_)
        | PlannedStep::RemoveFromGroup(_)
        | PlannedStep::RecordAccess
        | PlannedStep::DisableUser
        | PlannedStep::LeaveGroupsByHand
        | PlannedStep::DisableInDirectory
        | PlannedStep::ResetPassword
        | PlannedStep::EnableUser
        | PlannedStep::EnableInDirectory
        | PlannedStep::ActivateUser
        | PlannedStep::RequirePasswordChange
        | PlannedStep::VerifyUser => None,
    })
}

fn made(new: &NewUser) -> Vec<Line> {
    let mut lines =
        vec![line("Licence seat", new.user_type.as_str()), line("Location", new.location.as_str())];
    lines.extend(new.profile.iter().map(|(field, text)| line(capital(field.in_words()), text)));
    let ends = new.expires_at.map_or_else(|| "never by itself".to_owned(), Timestamp::in_words);
    lines.push(line("Stops working", &ends));
    lines
}

fn known(plan: &Plan, account: &PlannedAccount, snapshot: &Snapshot) -> Vec<Line> {
    let owner = match &account.owner {
        Owner::Linked => "linked to this person already".to_owned(),
        Owner::ToBeConfirmed => {
            "not linked to this person yet; approving confirms that it is theirs".to_owned()
        }
        Owner::Renamed { known_as } => format!(
            "linked to this person, known as {known_as}, now called {}; approving confirms the new name",
            account.user_name
        ),
    };
    let mut lines = vec![
        line("Number in the vault", &account.id.to_string()),
        line("Whose it is", &owner),
        line("Log-on", log_on(plan, account)),
    ];
    if let Some(change) = change(plan) {
        for (field, change) in &change.fields {
            let from = change.from.as_deref().filter(|text| !text.is_empty());
            let from = from.map_or_else(|| "nothing".to_owned(), |text| format!("\u{201c}{text}\u{201d}"));
            lines.push(line(
                capital(field.in_words()),
                &format!("{from} becomes \u{201c}{}\u{201d}", change.to),
            ));
        }
    }
    let UserSeen::Present(user) = &snapshot.user else { return lines };
    if plan.kind != Kind::Leaver {
        lines.push(line("Licence seat", &format!("{}, as it is", user.user_type)));
        let label = if plan.kind == Kind::Rehire { "Will be in" } else { "Comes into" };
        lines.push(line(label, &names(plan.joins())));
    }
    lines.push(line("Goes out of", &goes_out_of(plan)));
    let Stays { kept, directory } = stays(plan, user);
    if !kept.is_empty() {
        lines.push(line("Stays in", &kept.join(", ")));
    }
    if !directory.is_empty() {
        let text = format!("{}; only the directory can end these", directory.join(", "));
        lines.push(line("Stays in groups of a directory", &text));
    }
    lines
}

fn log_on(plan: &Plan, account: &PlannedAccount) -> &'static str {
    let has = |wanted: &PlannedStep| plan.steps.contains(wanted);
    if has(&PlannedStep::EnableInDirectory) {
        return "for a person to enable in the directory; the vault cannot";
    }
    if has(&PlannedStep::EnableUser) {
        return match account.enabled {
            Some(true) => "enabled, as it is",
            Some(false) | None => "enabled, with a new password",
        };
    }
    match (has(&PlannedStep::DisableUser), account.source, account.enabled) {
        (true, _, _) => "disabled",
        (false, UserSource::Directory, _) if plan.kind == Kind::Leaver => {
            "for a person to disable in the directory; the vault cannot"
        }
        (false, _, Some(true)) => "enabled, as it is",
        (false, _, Some(false)) => "disabled, as it is",
        (false, _, None) => "as it is; the vault does not tell",
    }
}

/// Memberships that stay, by who could end them.
#[derive(Default)]
pub(super) struct Stays {
    /// This service, were it asked to.
    pub(super) kept: Vec<String>,
    /// Only the directory.
    pub(super) directory: Vec<String>,
}

/// The memberships that a plan leaves.
pub(super) fn stays(plan: &Plan, user: &VaultUser) -> Stays {
    let stays = |member: &&MemberOf| plan.leaves().all(|group| group.id != member.id);
    let mut found = Stays::default();
    for member in user.groups.iter().flatten().filter(stays) {
        let list = if ends_here(member).is_some() { &mut found.kept } else { &mut found.directory };
        list.push(visible(&label(member)));
    }
    found
}

/// The memberships that end, and that a person ends others by hand.
fn goes_out_of(plan: &Plan) -> String {
    let by_hand = plan.steps.contains(&PlannedStep::LeaveGroupsByHand);
    match (by_hand, plan.leaves().next()) {
        (false, _) => names(plan.leaves()),
        (true, None) => "whatever a person finds in the vault, which does not tell us".to_owned(),
        (true, Some(_)) => format!("{}; and others, by hand", names(plan.leaves())),
    }
}

/// Groups by name, or that there are none.
fn names<'p>(groups: impl Iterator<Item = &'p PlannedGroup>) -> String {
    let names: Vec<String> = groups.map(|group| visible(group.name.as_str())).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn capital(words: &str) -> String {
    let mut signs = words.chars();
    signs.next().into_iter().flat_map(char::to_uppercase).chain(signs).collect()
}
