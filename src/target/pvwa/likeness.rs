//! Is an account the one that was planned? What differs is told by the names of the fields, never by their values.

use super::pages::number;
use super::profile::shows;
use super::talk::Fault;
use super::users::{Account, description};
use crate::domain::plan::{Description, NewUser, PlannedStep};
use crate::domain::snapshot::ProfileField;
use crate::target::{Adoption, StepCall};

/// An account that a person declared ours is one that a lost create of ours has made, so it is in everything what was
/// sent. Anything else is somebody else's, whatever was said, and nothing is written to it.
pub(super) fn fits_adoption(call: &StepCall<'_>, account: &Account) -> Result<(), Fault> {
    let unlike = unlike_planned(call, account);
    if unlike.is_empty() {
        return Ok(());
    }
    Err(Fault::NeedsPerson(format!(
        "user number {}, which a person declared ours, is not the account that was planned, so nothing was written to \
         it; these differ: {}",
        account.user.id,
        unlike.join(", ")
    )))
}

/// What of a new account is not as its plan says; nothing where the plan makes none.
pub(super) fn unlike_planned(call: &StepCall<'_>, account: &Account) -> Vec<String> {
    let planned = call.plan.steps.iter().find_map(|step| match step {
        PlannedStep::CreateUser(user) => Some(user),
        PlannedStep::FindUser
        | PlannedStep::CaptureUserId
        | PlannedStep::AddToGroup(_)
        | PlannedStep::RequirePasswordChange
        | PlannedStep::UpdateUser(_)
        | PlannedStep::RemoveFromGroup(_)
        | PlannedStep::RecordAccess
        | PlannedStep::DisableUser
        | PlannedStep::LeaveGroupsByHand
        | PlannedStep::DisableInDirectory
        | PlannedStep::ResetPassword
        | PlannedStep::EnableUser
        | PlannedStep::EnableInDirectory
        | PlannedStep::ActivateUser
        | PlannedStep::VerifyUser => None,
    });
    planned.map(|user| unlike(call, user, account)).unwrap_or_default()
}

/// What of the approved account is not seen, in words.
pub(super) fn unlike(call: &StepCall<'_>, user: &NewUser, account: &Account) -> Vec<String> {
    let seen = &account.user;
    let mut missing = Vec::new();
    let mut want = |as_planned: bool, what: &str| {
        if !as_planned {
            missing.push(what.to_owned());
        }
    };
    want(seen.user_type.eq_ignore_ascii_case(user.user_type.as_str()), "user type");
    want(shows(account, ProfileField::Location, user.location.as_str()), "location");
    want(seen.enabled == Some(true), "enabled");
    if let Some(end) = user.expires_at {
        want(number(&account.raw, "expiryDate") == Some(end.unix_seconds()), "expiry date");
    }
    for (field, value) in &user.profile {
        match field {
            // Both are looked at in their own way.
            ProfileField::Location | ProfileField::Description => {}
            ProfileField::FirstName
            | ProfileField::MiddleName
            | ProfileField::LastName
            | ProfileField::Email
            | ProfileField::Title
            | ProfileField::Organization
            | ProfileField::Department => {
                want(shows(account, *field, value), field.in_words());
            }
        }
    }
    want(described(call, user, account), ProfileField::Description.in_words());
    missing
}

/// The description is ours: a mark and the request's words. An account that a person adopted keeps its own; a vault
/// that turns out to keep none may lose the mark, but not words that were approved.
fn described(call: &StepCall<'_>, user: &NewUser, account: &Account) -> bool {
    let request = user.profile.get(&ProfileField::Description).map(String::as_str);
    let request = request.filter(|text| !text.is_empty());
    match (call.plan.dialect.description, call.adoption) {
        (Description::NotKept, Adoption::OnlyByMark | Adoption::ByPerson(_))
        | (Description::Kept, Adoption::ByPerson(_)) => true,
        (Description::Kept, Adoption::OnlyByMark) => {
            match account.user.profile.get(&ProfileField::Description) {
                Some(seen) => call.our_marks.iter().any(|mark| *seen == description(mark, request)),
                None => request.is_none(),
            }
        }
    }
}
