//! Reading everything again and comparing it with the plan.
//!
//! Must hold: only reads; "done" means that every approved value was seen in this reading. What is missing is told
//! by the names of the fields. A vault may be slow to show a value, so a difference is worth another look.

use super::act::Told;
use super::groups::Membership;
use super::likeness::unlike;
use super::talk::{Fault, Talk};
use super::update::unchanged;
use super::users::Account;
use crate::domain::plan::{PlannedGroup, PlannedStep};
use crate::domain::step::Outcome;
use crate::target::StepCall;

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
