//! Finding the account that a plan changes.
//!
//! Must hold: it is known by its number; the name must still lead to it and to nobody else.

use super::act::Told;
use super::talk::{Fault, Talk};
use super::touch::as_approved;
use crate::domain::plan::PlannedAccount;
use crate::domain::step::Outcome;
use crate::target::StepCall;

impl Talk<'_> {
    pub(super) async fn find_existing(
        &mut self,
        call: &StepCall<'_>,
        planned: &PlannedAccount,
    ) -> Result<Told, Fault> {
        let id = planned.id;
        let name = call.plan.user_name.as_str();
        self.refuse_own_account(name)?;
        let account = self.account(id).await?;
        self.unseen = account.is_none();
        let named = self.users_named(name).await?;
        let wrong = match (named.as_slice(), &account) {
            ([found], Some(account)) if *found == id => {
                self.named_as_planned(call, account)?;
                as_approved(planned, account)?;
                return Ok(Told::about(
                    Outcome::Done,
                    id,
                    format!("found the approved account, number {id}"),
                ));
            }
            ([first, second, ..], _) => {
                format!("the vault shows more than one user with this name, numbers {first} and {second}")
            }
            ([other], _) if *other != id => {
                format!("the name is held by user number {other} now; the approved account is number {id}")
            }
            ([], Some(account)) => {
                self.named_as_planned(call, account)?;
                return Err(Fault::passing(format!("user number {id} can be read, but is not listed")));
            }
            ([_], None) => {
                return Err(Fault::passing(format!("user number {id} is listed but cannot be read")));
            }
            ([] | [_], _) => format!("user number {id} is no longer in the vault, or cannot be seen"),
        };
        Err(Fault::NeedsPerson(wrong))
    }
}
