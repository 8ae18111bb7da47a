//! The headline of a plan, what it does in one sentence, and how it is undone.
//!
//! Must hold: the sentence says what is taken away as plainly as what is given.

use super::account_in_words::{change, new_user};
use crate::domain::kind::Kind;
use crate::domain::names::ShortText;
use crate::domain::plan::{Plan, PlannedGroup, ResetOfDisabled};
use crate::domain::request::Request;
use crate::domain::snapshot::{ProfileField, Snapshot, UserSeen, UserSource};
use crate::store::workflows::Workflow;
use crate::web::visible::visible;

/// The headline.
pub(super) fn title(plan: &Plan, whom: &str) -> String {
    match plan.kind {
        Kind::Joiner => format!("New vault user for {whom}"),
        Kind::Mover => format!("Changed access for {whom}"),
        Kind::Leaver => format!("End of access for {whom}"),
        Kind::Rehire => format!("Access once more for {whom}"),
        Kind::ResetPassword => format!("New password for {whom}"),
        Kind::Unsuspend => format!("End of a suspension for {whom}"),
    }
}

/// The person's name as the request gives it, else the source's own reference.
pub fn full_name(request: &Request) -> String {
    claimed_name(request).unwrap_or_else(|| visible(request.person_ref.as_str()))
}

/// The same; where the request gives no name, the one that the vault has.
pub(super) fn known_name(request: &Request, snapshot: &Snapshot) -> String {
    let seen = || {
        let UserSeen::Present(user) = &snapshot.user else { return None };
        let fields = [ProfileField::FirstName, ProfileField::MiddleName, ProfileField::LastName];
        joined(fields.map(|field| user.profile.get(&field).map(String::as_str)))
    };
    claimed_name(request).or_else(seen).unwrap_or_else(|| full_name(request))
}

fn claimed_name(request: &Request) -> Option<String> {
    let text = |name: &ShortText| name.as_str().to_owned();
    let names = match (request.newcomer(), request.known_subject()) {
        (Some(who), _) => {
            [Some(text(&who.first_name)), who.middle_name.as_ref().map(text), Some(text(&who.last_name))]
        }
        (None, Some(who)) => {
            [&who.first_name, &who.middle_name, &who.last_name].map(|name| name.as_ref().map(text))
        }
        (None, None) => return None,
    };
    joined(names.each_ref().map(Option::as_deref))
}

fn joined(names: [Option<&str>; 3]) -> Option<String> {
    let names: Vec<String> =
        names.into_iter().flatten().filter(|name| !name.is_empty()).map(visible).collect();
    (!names.is_empty()).then(|| names.join(" "))
}

/// What is done, in one sentence.
pub(super) fn summary(plan: &Plan) -> String {
    let (user, target) = (&plan.user_name, &plan.target);
    match &plan.account {
        None => {
            let seat = new_user(plan).map_or_else(String::new, |new| {
                format!(" It takes one licence seat of type {}.", new.user_type)
            });
            format!(
                "Countersign makes the user {user} in {target} and adds it to {}.{seat}",
                groups(plan.joins())
            )
        }
        Some(account) if plan.kind == Kind::Leaver => match account.source {
            UserSource::Vault => format!(
                "Countersign disables the user {user} in {target} and takes it out of {}. Nothing is deleted.",
                groups(plan.leaves())
            ),
            UserSource::Directory => format!(
                "Countersign takes the user {user} in {target} out of {}. The user comes from a directory, so a \
                 person disables it there.",
                groups(plan.leaves())
            ),
        },
        Some(_) if plan.kind == Kind::ResetPassword => format!(
            "Countersign gives the user {user} in {target} a new password, so that the old one opens nothing any more. \
             Nothing else changes."
        ),
        Some(_) if plan.kind == Kind::Unsuspend => format!(
            "Countersign lifts the suspension of the user {user} in {target}. Its password and everything else stay as \
             they are."
        ),
        Some(account) if plan.kind == Kind::Rehire => comes_back(plan, account.source),
        Some(_) => {
            let fields = match change(plan).map_or(0, |change| change.fields.len()) {
                0 => "leaves its record as it is".to_owned(),
                1 => "changes one field of its record".to_owned(),
                several => format!("changes {several} fields of its record"),
            };
            format!(
                "Countersign goes to the user {user} in {target}, {fields}, adds it to {} and takes it out of {}.",
                groups(plan.joins()),
                groups(plan.leaves())
            )
        }
    }
}

fn comes_back(plan: &Plan, source: UserSource) -> String {
    let (user, target) = (&plan.user_name, &plan.target);
    let (goes, comes) = (groups(plan.leaves()), groups(plan.joins()));
    match source {
        UserSource::Vault => {
            let order = match plan.dialect.reset_of_disabled {
                ResetOfDisabled::Works => {
                    format!("gives it a new password, adds it to {comes}, and enables it at the end")
                }
                ResetOfDisabled::Refused => {
                    format!("enables it, gives it a new password at once, and adds it to {comes}")
                }
            };
            format!(
                "Countersign takes the user {user} in {target} out of {goes}, {order}. Its record stays as it is."
            )
        }
        UserSource::Directory => format!(
            "Countersign takes the user {user} in {target} out of {goes} and adds it to {comes}. The user comes from a \
             directory, so a person enables it there."
        ),
    }
}

fn groups<'p>(groups: impl Iterator<Item = &'p PlannedGroup>) -> String {
    let quoted: Vec<String> =
        groups.map(|group| format!("\u{201c}{}\u{201d}", visible(group.name.as_str()))).collect();
    match quoted.as_slice() {
        [] => "no groups".to_owned(),
        [one] => format!("the group {one}"),
        several => format!("the groups {}", several.join(", ")),
    }
}

/// How it is undone.
pub(super) fn undo(plan: &Plan, workflow: &Workflow) -> String {
    match (&plan.account, plan.kind) {
        (None, _) | (Some(_), Kind::Rehire) => format!(
            "Disable the account: ask for a leaver for {}. Countersign deletes no user, so that the past of an \
             account stays readable.",
            workflow.person_ref
        ),
        (Some(_), Kind::ResetPassword) => "No vault tells a password, so the old one cannot be given back; ask for another \
                                           new one."
            .to_owned(),
        (Some(_), Kind::Unsuspend) => "The vault suspends the user again after as many failed log-ons as it allows.".to_owned(),
        (Some(_), Kind::Leaver) => "The account stays in the vault, disabled, and the audit trail keeps what it \
                                    could reach. Giving access back needs a request and an approval of its own."
            .to_owned(),
        (Some(_), _) => format!(
            "Ask for another mover for {} that says the old work: this plan shows each field and group as it was.",
            workflow.person_ref
        ),
    }
}
