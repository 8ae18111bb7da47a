//! Lifting a suspension.
//!
//! Must hold: whether the account is suspended is read, never assumed. The vault's call lifts a suspension and enables
//! nobody, so a disabled account is left to a person.

use super::act::Told;
use super::talk::{Fault, Talk};
use super::users::Account;
use crate::domain::step::Outcome;
use crate::target::StepCall;

impl Talk<'_> {
    pub(super) async fn activate_user(&mut self, call: &StepCall<'_>) -> Result<Told, Fault> {
        let account = self.our_record(call).await?;
        let id = account.user.id;
        if account.user.enabled == Some(false) {
            return Err(Fault::NeedsPerson(format!(
                "user number {id} is disabled, and lifting a suspension enables nobody; ask for a rehire"
            )));
        }
        if !is_suspended(&account)? {
            return Ok(Told::new(Outcome::AlreadySo, format!("user number {id} is not suspended")));
        }
        self.post_nothing(&format!("Users/{id}/Activate")).await?;
        let after = self.our_record(call).await.map_err(Fault::after_a_write)?;
        Ok(if is_suspended(&after)? {
            Told::new(Outcome::Unknown, "the vault accepted it, but the user's record does not show it yet")
        } else {
            let words = format!("the suspension of user number {id} is lifted, and its record shows it");
            Told::new(Outcome::Done, words)
        })
    }

    pub(super) async fn look_for_activated(&mut self, call: &StepCall<'_>) -> Result<Told, Fault> {
        let account = self.our_record(call).await?;
        let id = account.user.id;
        Ok(if is_suspended(&account)? {
            Told::new(Outcome::NotThere, format!("user number {id} is still suspended"))
        } else {
            Told::new(Outcome::Done, format!("user number {id} is not suspended"))
        })
    }
}

fn is_suspended(account: &Account) -> Result<bool, Fault> {
    account.user.suspended.ok_or_else(|| {
        let words = format!("the vault does not tell whether user number {} is suspended", account.user.id);
        Fault::NeedsPerson(words)
    })
}
