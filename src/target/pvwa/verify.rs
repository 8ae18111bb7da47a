//! Reading everything again and comparing it with the plan.
//!
//! Must hold: only reads; "done" means that every approved value was seen in this reading. What is missing is told
//! by the names of the fields. A vault may be slow to show a value, so a difference is worth another look.

use super::act::{Told, not_ours};
use super::groups::Membership;
use super::pages::number;
use super::talk::{Fault, Talk};
use super::users::{Account, description};
use crate::domain::names::Location;
use crate::domain::plan::{Description, NewUser, PlannedGroup, PlannedStep};
use crate::domain::snapshot::ProfileField;
use crate::domain::step::Outcome;
use crate::target::{Adoption, StepCall};

impl Talk<'_> {
    pub(super) async fn verify_user(&mut self, call: &StepCall<'_>) -> Result<Told, Fault> {
        let account = self.our_account(call).await?;
        let mut missing = Vec::new();
        let mut groups = 0_usize;
        for step in &call.plan.steps {
            match step {
                PlannedStep::FindUser | PlannedStep::CaptureUserId | PlannedStep::VerifyUser => {}
                PlannedStep::UpdateUser(_)
                | PlannedStep::RemoveFromGroup(_)
                | PlannedStep::RecordAccess
                | PlannedStep::DisableUser
                | PlannedStep::DisableInDirectory => return Err(not_ours(step)),
                PlannedStep::CreateUser(user) => missing.extend(unlike(call, user, &account)),
                PlannedStep::AddToGroup(planned) => {
                    groups += 1;
                    missing.extend(self.not_member(&account, planned).await?);
                }
                PlannedStep::RequirePasswordChange => {
                    if account.user.change_password_on_next_logon != Some(true) {
                        missing.push("new password at the next log-on".to_owned());
                    }
                }
            }
        }
        let id = account.user.id;
        if missing.is_empty() {
            let words = format!(
                "read user number {id} again: type, location, profile, the demand for a new password and {groups} \
                 {} are as approved",
                if groups == 1 { "group" } else { "groups" }
            );
            return Ok(Told::about(Outcome::Done, id, words));
        }
        Err(Fault::passing(format!("user number {id} is not yet as approved: {}", missing.join(", "))))
    }

    async fn not_member(
        &mut self,
        account: &Account,
        planned: &PlannedGroup,
    ) -> Result<Option<String>, Fault> {
        match self.membership(account, planned, None).await? {
            Membership::In => Ok(None),
            Membership::Out => Ok(Some(format!("group {}", planned.name))),
            Membership::Wrong(words) => Err(Fault::NeedsPerson(words)),
        }
    }
}

/// What of the approved account is not seen, in words.
fn unlike(call: &StepCall<'_>, user: &NewUser, account: &Account) -> Vec<String> {
    let seen = &account.user;
    let mut missing = Vec::new();
    let mut want = |as_planned: bool, what: &str| {
        if !as_planned {
            missing.push(what.to_owned());
        }
    };
    want(seen.user_type.eq_ignore_ascii_case(user.user_type.as_str()), "user type");
    want(at(seen.profile.get(&ProfileField::Location), &user.location), "location");
    want(seen.enabled == Some(true), "enabled");
    if let Some(end) = user.expires_at {
        want(number(&account.raw, "expiryDate") == Some(end.unix_seconds()), "expiry date");
    }
    for (field, value) in &user.profile {
        let is = seen.profile.get(field);
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
                want(is.map_or(value.is_empty(), |is| is.trim() == value.trim()), field.in_words());
            }
        }
    }
    want(described(call, user, account), ProfileField::Description.in_words());
    missing
}

fn at(seen: Option<&String>, planned: &Location) -> bool {
    let seen = seen.and_then(|path| {
        Location::parse(path).ok().or_else(|| Location::parse(path.trim_end_matches('\\')).ok())
    });
    seen.is_some_and(|seen| seen.lies_under(planned) && planned.lies_under(&seen))
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
