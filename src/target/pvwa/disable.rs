//! Disabling the account, with the vault's own call or by writing its record.
//!
//! Must hold: whether it is disabled is read, never assumed; one attempt sends one form; the record is written only
//! where a vault does not know the call and a read shows that the account is there. A directory's account is never
//! disabled here, and never said to be.

use serde_json::json;

use super::act::Told;
use super::edit::{Edit, Place};
use super::put::Changed;
use super::talk::{Fault, Talk};
use super::users::Account;
use crate::domain::plan::DisableWith;
use crate::domain::step::{DisableForm, Form, Outcome};
use crate::target::StepCall;

impl Talk<'_> {
    pub(super) async fn disable_user(&mut self, call: &StepCall<'_>) -> Result<Told, Fault> {
        let account = self.our_record(call).await?;
        if !is_enabled(&account)? {
            let words = format!("user number {} is disabled already", account.user.id);
            return Ok(Told::new(Outcome::AlreadySo, words));
        }
        match form(call) {
            DisableForm::Call => self.disable_by_call(call, &account).await,
            DisableForm::Put => self.disable_by_record(&account).await,
        }
    }

    pub(super) async fn look_for_disabled(&mut self, call: &StepCall<'_>) -> Result<Told, Fault> {
        let account = self.our_record(call).await?;
        let id = account.user.id;
        Ok(if is_enabled(&account)? {
            Told::new(Outcome::NotThere, format!("user number {id} is still enabled"))
        } else {
            compared_when_disabled(call, &account)
        })
    }

    async fn disable_by_call(&mut self, call: &StepCall<'_>, account: &Account) -> Result<Told, Fault> {
        let id = account.user.id;
        match self.post_nothing(&format!("Users/{id}/disable/")).await {
            Ok(_) => {}
            Err(Fault::Refused(said)) if matches!(said.status, 404 | 405 | 501) => {
                // The same answers mean a user who has gone.
                self.our_record(call).await?;
                return match call.plan.dialect.disable_with {
                    DisableWith::Auto => Ok(Told::new(
                        Outcome::OtherForm { form: Form::Disable(DisableForm::Put) },
                        format!("{}; the user exists, so its record is written next", said.words),
                    )),
                    DisableWith::Call | DisableWith::Put => Err(Fault::Refused(said)),
                };
            }
            Err(fault) => return Err(fault),
        }
        let after = self.our_record(call).await.map_err(Fault::after_a_write)?;
        Ok(if is_enabled(&after)? {
            Told::new(Outcome::Unknown, "the vault accepted it, but the user's record does not show it yet")
        } else {
            Told::new(Outcome::Done, format!("user number {id} is disabled, and its record shows it"))
        })
    }

    async fn disable_by_record(&mut self, account: &Account) -> Result<Told, Fault> {
        Ok(match self.change(account, &[disabled()]).await? {
            Changed::Seen => Told::new(
                Outcome::Done,
                format!(
                    "user number {} is disabled, and its record shows it; nothing else changed",
                    account.user.id
                ),
            ),
            Changed::NotSeen(_) => Told::new(
                Outcome::Unknown,
                "the vault accepted it, but the user's record does not show it yet",
            ),
            Changed::Lost(names) => Told::lost(&names),
        })
    }
}

/// It is disabled. The vault's own call writes no record; after a record that was written and could not be compared
/// the end of access goes on all the same, and the trail says so.
fn compared_when_disabled(call: &StepCall<'_>, account: &Account) -> Told {
    let seen = format!("user number {} is disabled", account.user.id);
    match (form(call), &call.before) {
        (DisableForm::Call, _) => Told::new(Outcome::Done, seen),
        (DisableForm::Put, Some(_)) => Told::compared(call, account, &[disabled()], &seen),
        (DisableForm::Put, None) => {
            let words = format!(
                "{seen}; an attempt was interrupted, so whether anything else in the record has changed was not \
                 compared"
            );
            Told::new(Outcome::Done, words)
        }
    }
}

fn disabled() -> Edit {
    Edit { place: Place::top("enableUser"), value: json!(false) }
}

fn is_enabled(account: &Account) -> Result<bool, Fault> {
    account.user.enabled.ok_or_else(|| {
        let words = format!("the vault does not tell whether user number {} is enabled", account.user.id);
        Fault::NeedsPerson(words)
    })
}

/// The form to send: pinned, settled by an earlier attempt, or the call.
fn form(call: &StepCall<'_>) -> DisableForm {
    match (call.plan.dialect.disable_with, call.form) {
        (DisableWith::Put, _) | (DisableWith::Auto, Some(Form::Disable(DisableForm::Put))) => {
            DisableForm::Put
        }
        (DisableWith::Call | DisableWith::Auto, _) => DisableForm::Call,
    }
}
