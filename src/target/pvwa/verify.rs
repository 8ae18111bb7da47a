//! Reading everything again and comparing it with the plan.
//!
//! Must hold: only reads; "done" means that every approved value was seen in this reading. What is missing is told
//! by the names of the fields. A vault may be slow to show a value, so a difference is worth another look. Where nothing
//! may be left, all memberships are read, not only those that were planned. Where a vault has told memberships and tells
//! none now, only those have ended that a write of this run has ended.

use super::act::Told;
use super::groups::Membership;
use super::likeness::unlike;
use super::memberships::Standing;
use super::talk::{Fault, Talk};
use super::update::unchanged;
use super::users::Account;
use crate::domain::memberships::ends_here;
use crate::domain::plan::{PlannedGroup, PlannedStep};
use crate::domain::step::Outcome;
use crate::target::{LeftIn, StepCall};

impl Talk<'_> {
    pub(super) async fn verify_user(&mut self, call: &StepCall<'_>) -> Result<Told, Fault> {
        let account = self.our_account(call).await?;
        let mut missing = Vec::new();
        let (mut joined, mut left, mut by_word) = (0_usize, 0_usize, 0_usize);
        let mut seen = Vec::new();
        match call.left {
            LeftIn::OthersThanPlanned => {}
            LeftIn::NoneOfTheVault | LeftIn::OnlyJoined => {
                let (left, told) = self.left_in(call, &account).await?;
                missing.extend(left);
                seen.extend(told);
            }
        }
        for step in &call.plan.steps {
            match step {
                PlannedStep::FindUser
                | PlannedStep::CaptureUserId
                | PlannedStep::RecordAccess
                // No read of the vault can show it; it is a person's word.
                | PlannedStep::LeaveGroupsByHand
                | PlannedStep::DisableInDirectory
                | PlannedStep::EnableInDirectory
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
                // It was out of the group only until it had a new password.
                PlannedStep::RemoveFromGroup(planned) if comes_again(call, planned) => {}
                PlannedStep::RemoveFromGroup(planned) => match self.standing(&account, planned).await? {
                    Standing::Out => left += 1,
                    Standing::In => missing.push(format!("out of the group {}", planned.name)),
                    Standing::Untold if call.removed.contains(&planned.id) => by_word += 1,
                    Standing::Untold if is_by_hand(call) => {}
                    Standing::Untold => {
                        missing.push(format!("out of the group {}, as far as the vault tells", planned.name));
                    }
                },
                PlannedStep::DisableUser
                | PlannedStep::ResetPassword
                | PlannedStep::RequirePasswordChange
                | PlannedStep::EnableUser => {
                    let (told, lacks) = of_record(step, &account);
                    seen.push(told.to_owned());
                    missing.extend(lacks.map(str::to_owned));
                }
            }
        }
        let id = account.user.id;
        if missing.is_empty() {
            seen.extend(groups_in_words(joined, "in", "as approved"));
            seen.extend(groups_in_words(left, "out of", "as approved"));
            let answered = "as the vault has answered; it tells no memberships now";
            seen.extend(groups_in_words(by_word, "out of", answered));
            let words = format!("read user number {id} again: {}", seen.join(", "));
            return Ok(Told::about(Outcome::Done, id, words));
        }
        Err(Fault::passing(format!("user number {id} is not yet as approved: {}", missing.join(", "))))
    }

    /// Memberships that are left although the plan does not name them, and what else there is to say of them.
    async fn left_in(
        &mut self,
        call: &StepCall<'_>,
        account: &Account,
    ) -> Result<(Vec<String>, Option<String>), Fault> {
        let found = self.memberships(account).await?;
        let planned = |id| {
            let stays = call.left == LeftIn::OnlyJoined && call.plan.joins().any(|group| group.id == id);
            stays || call.plan.leaves().any(|group| group.id == id)
        };
        let ends = found.told.iter().flatten().filter_map(ends_here).filter(|group| !planned(group.id));
        let mut left: Vec<_> = ends
            .map(|group| format!("out of the group {}, which the plan does not name", group.name))
            .collect();
        if found.unnumbered > 0 {
            left.push("out of a group that the vault shows without its number".to_owned());
        }
        let mut leaves = call.plan.leaves().peekable();
        let told = match (&found.told, is_by_hand(call)) {
            (Some(_), true | false) => None,
            (None, true) => Some("that it left its groups is a person's word".to_owned()),
            // A vault that has told the planned memberships, and has answered that it ended each, has none to tell now.
            (None, false)
                if leaves.peek().is_some() && leaves.all(|group| call.removed.contains(&group.id)) =>
            {
                None
            }
            (None, false) => {
                left.push("out of all groups, as far as the vault tells".to_owned());
                None
            }
        };
        Ok((left, told))
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

fn groups_in_words(many: usize, how: &str, as_what: &str) -> Option<String> {
    match many {
        0 => None,
        1 => Some(format!("it is {how} 1 group {as_what}")),
        many => Some(format!("it is {how} {many} groups {as_what}")),
    }
}

/// Does a person say that the account has left its groups?
fn is_by_hand(call: &StepCall<'_>) -> bool {
    call.plan.steps.contains(&PlannedStep::LeaveGroupsByHand)
}

fn comes_again(call: &StepCall<'_>, left: &PlannedGroup) -> bool {
    call.plan.joins().any(|group| group.id == left.id)
}

/// What a step brings about in the record itself, and what is missing of it.
fn of_record(step: &PlannedStep, account: &Account) -> (&'static str, Option<&'static str>) {
    let user = &account.user;
    let (told, wanted, is_so) = match step {
        PlannedStep::DisableUser => ("it is disabled", "disabled", user.enabled == Some(false)),
        PlannedStep::EnableUser => ("it is enabled", "enabled", user.enabled == Some(true)),
        PlannedStep::RequirePasswordChange => (
            "a new password is demanded",
            "new password at the next log-on",
            user.change_password_on_next_logon == Some(true),
        ),
        // No vault tells a password.
        PlannedStep::ResetPassword => ("its password is new, as the vault has said", "", true),
        PlannedStep::FindUser
        | PlannedStep::CreateUser(_)
        | PlannedStep::CaptureUserId
        | PlannedStep::UpdateUser(_)
        | PlannedStep::AddToGroup(_)
        | PlannedStep::RemoveFromGroup(_)
        | PlannedStep::RecordAccess
        | PlannedStep::LeaveGroupsByHand
        | PlannedStep::DisableInDirectory
        | PlannedStep::EnableInDirectory
        | PlannedStep::VerifyUser => ("", "", true),
    };
    (told, (!is_so).then_some(wanted))
}
