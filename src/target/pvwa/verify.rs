//! Reading everything again and comparing it with the plan.
//!
//! Must hold: only reads; "done" means that every approved value was seen in this reading. What is missing is told
//! by the names of the fields. A vault may be slow to show a value, so a difference is worth another look.

use super::act::Told;
use super::groups::Membership;
use super::pages::number;
use super::profile::shows;
use super::talk::{Fault, Talk};
use super::update::unchanged;
use super::users::{Account, description};
use crate::domain::plan::{Description, NewUser, PlannedGroup, PlannedStep};
use crate::domain::snapshot::ProfileField;
use crate::domain::step::Outcome;
use crate::target::{Adoption, StepCall};

impl Talk<'_> {
    pub(super) async fn verify_user(&mut self, call: &StepCall<'_>) -> Result<Told, Fault> {
        let account = self.our_account(call).await?;
        let mut missing = Vec::new();
        let (mut joined, mut left) = (0_usize, 0_usize);
        let mut seen = Vec::new();
        for step in &call.plan.steps {
            match step {
                PlannedStep::FindUser
                | PlannedStep::CaptureUserId
                | PlannedStep::RecordAccess
                // No read of the vault can show it; it is a person's word.
                | PlannedStep::DisableInDirectory
                | PlannedStep::VerifyUser => {}
                PlannedStep::CreateUser(user) => {
                    seen.push("the type, location and profile are as approved".to_owned());
                    missing.extend(unlike(call, user, &account));
                }
                PlannedStep::UpdateUser(change) => {
                    seen.push("the profile is as approved".to_owned());
                    missing.extend(unchanged(change, &account).into_iter().map(str::to_owned));
                }
                PlannedStep::AddToGroup(planned) => {
                    joined += 1;
                    missing.extend(self.not_member(&account, planned).await?);
                }
                PlannedStep::RemoveFromGroup(planned) => {
                    left += 1;
                    if self.is_in(&account, planned).await? {
                        missing.push(format!("out of group {}", planned.name));
                    }
                }
                PlannedStep::DisableUser => {
                    seen.push("it is disabled".to_owned());
                    if account.user.enabled != Some(false) {
                        missing.push("disabled".to_owned());
                    }
                }
                PlannedStep::RequirePasswordChange => {
                    seen.push("a new password is demanded".to_owned());
                    if account.user.change_password_on_next_logon != Some(true) {
                        missing.push("new password at the next log-on".to_owned());
                    }
                }
            }
        }
        let id = account.user.id;
        if missing.is_empty() {
            for (many, how) in [(joined, "in"), (left, "out of")] {
                match many {
                    0 => {}
                    1 => seen.push(format!("it is {how} 1 group as approved")),
                    many => seen.push(format!("it is {how} {many} groups as approved")),
                }
            }
            let words = format!("read user number {id} again: {}", seen.join(", "));
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
