//! Enabling or disabling the account, with the vault's own call or by writing its record.
//!
//! Must hold: whether it is enabled is read, never assumed; one attempt sends one form; the record is written only
//! where a vault does not know the call and a read shows that the account is there. A directory's account is never
//! switched here, and never said to be. Nobody is enabled who is in a group that was not approved.

use serde_json::json;

use super::act::{Switch, Told};
use super::edit::{Edit, Place};
use super::put::Changed;
use super::talk::{Fault, Talk};
use super::users::Account;
use crate::domain::ids::VaultGroupId;
use crate::domain::memberships::{ends_here, label};
use crate::domain::plan::{DisableWith, Membership, PlannedStep};
use crate::domain::step::{Form, Outcome, SwitchForm};
use crate::target::StepCall;

impl Switch {
    const fn word(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
        }
    }

    /// The last part of the path of the vault's own call.
    const fn call(self) -> &'static str {
        match self {
            Self::Enabled => "enable",
            Self::Disabled => "disable",
        }
    }

    const fn form(self, form: SwitchForm) -> Form {
        match self {
            Self::Enabled => Form::Enable(form),
            Self::Disabled => Form::Disable(form),
        }
    }

    fn edit(self) -> Edit {
        Edit { place: Place::top("enableUser"), value: json!(self == Self::Enabled) }
    }
}

impl Talk<'_> {
    pub(super) async fn disable_user(&mut self, call: &StepCall<'_>) -> Result<Told, Fault> {
        let account = self.our_record(call).await?;
        self.switch(call, &account, Switch::Disabled).await
    }

    pub(super) async fn enable_user(&mut self, call: &StepCall<'_>) -> Result<Told, Fault> {
        let account = self.our_record(call).await?;
        self.refuse_what_was_not_approved(call, &account).await?;
        self.switch(call, &account, Switch::Enabled).await
    }

    pub(super) async fn look_for_switched(&mut self, call: &StepCall<'_>, to: Switch) -> Result<Told, Fault> {
        let account = self.our_record(call).await?;
        let id = account.user.id;
        let now = standing(&account)?;
        Ok(if now == to {
            compared(call, &account, to)
        } else {
            Told::new(Outcome::NotThere, format!("user number {id} is still {}", now.word()))
        })
    }

    async fn switch(&mut self, call: &StepCall<'_>, account: &Account, to: Switch) -> Result<Told, Fault> {
        if standing(account)? == to {
            let words = format!("user number {} is {} already", account.user.id, to.word());
            return Ok(Told::new(Outcome::AlreadySo, words));
        }
        match form(call) {
            SwitchForm::Call => self.switch_by_call(call, account, to).await,
            SwitchForm::Put => self.switch_by_record(account, to).await,
        }
    }

    async fn switch_by_call(
        &mut self,
        call: &StepCall<'_>,
        account: &Account,
        to: Switch,
    ) -> Result<Told, Fault> {
        let id = account.user.id;
        match self.post_nothing(&format!("Users/{id}/{}/", to.call())).await {
            Ok(_) => {}
            Err(Fault::Refused(said)) if matches!(said.status, 404 | 405 | 501) => {
                // The same answers mean a user who has gone.
                self.our_record(call).await?;
                return match call.plan.dialect.disable_with {
                    DisableWith::Auto => Ok(Told::new(
                        Outcome::OtherForm { form: to.form(SwitchForm::Put) },
                        format!("{}; the user exists, so its record is written next", said.words),
                    )),
                    DisableWith::Call | DisableWith::Put => Err(Fault::Refused(said)),
                };
            }
            Err(fault) => return Err(fault),
        }
        let after = self.our_record(call).await.map_err(Fault::after_a_write)?;
        Ok(if standing(&after)? == to {
            let words = format!("user number {id} is {}, and its record shows it", to.word());
            Told::new(Outcome::Done, words)
        } else {
            Told::new(Outcome::Unknown, "the vault accepted it, but the user's record does not show it yet")
        })
    }

    async fn switch_by_record(&mut self, account: &Account, to: Switch) -> Result<Told, Fault> {
        Ok(match self.change(account, &[to.edit()]).await? {
            Changed::Seen => Told::new(
                Outcome::Done,
                format!(
                    "user number {} is {}, and its record shows it; nothing else changed",
                    account.user.id,
                    to.word()
                ),
            ),
            Changed::NotSeen(_) => Told::new(
                Outcome::Unknown,
                "the vault accepted it, but the user's record does not show it yet",
            ),
            Changed::Lost(names) => Told::lost(&names),
        })
    }

    /// Enabling an account brings its memberships to life. The approved ones are those that the plan has brought about
    /// by now; whatever else the vault keeps stops the run before anything is sent.
    async fn refuse_what_was_not_approved(
        &mut self,
        call: &StepCall<'_>,
        account: &Account,
    ) -> Result<(), Fault> {
        let id = account.user.id;
        let found = self.memberships(account).await?;
        let Some(held) = &found.told else {
            return Err(Fault::NeedsPerson(format!(
                "the vault does not tell which groups user number {id} is in, so it is not enabled"
            )));
        };
        let approved = approved_by_now(call);
        let beyond = held.iter().find(|member| ends_here(member).is_some() && !approved.contains(&member.id));
        let beyond = match (beyond, found.unnumbered) {
            (Some(member), _) => label(member),
            (None, 0) => return Ok(()),
            (None, _) => "that the vault shows without its number".to_owned(),
        };
        Err(Fault::NeedsPerson(format!(
            "user number {id} is in a group that was not approved, so it is not enabled: the group {beyond}; take the \
             user out of it in the vault, and try again"
        )))
    }
}

/// The groups that the plan brings the account into before this step.
fn approved_by_now(call: &StepCall<'_>) -> Vec<VaultGroupId> {
    let before = call.plan.steps.iter().take_while(|step| **step != PlannedStep::EnableUser);
    before
        .filter_map(|step| match step.group()? {
            (Membership::Comes, group) => Some(group.id),
            (Membership::Goes, _) => None,
        })
        .collect()
}

/// It is as wanted. The vault's own call writes no record. After a record that was written and could not be compared,
/// the end of access goes on all the same, and the trail says so; its beginning waits for a person.
fn compared(call: &StepCall<'_>, account: &Account, to: Switch) -> Told {
    let seen = format!("user number {} is {}", account.user.id, to.word());
    match (form(call), &call.before, to) {
        (SwitchForm::Call, _, _) => Told::new(Outcome::Done, seen),
        (SwitchForm::Put, Some(_), _) | (SwitchForm::Put, None, Switch::Enabled) => {
            Told::compared(call, account, &[to.edit()], &seen)
        }
        (SwitchForm::Put, None, Switch::Disabled) => {
            let words = format!(
                "{seen}; an attempt was interrupted, so whether anything else in the record has changed was not \
                 compared"
            );
            Told::new(Outcome::Done, words)
        }
    }
}

fn standing(account: &Account) -> Result<Switch, Fault> {
    match account.user.enabled {
        Some(true) => Ok(Switch::Enabled),
        Some(false) => Ok(Switch::Disabled),
        None => Err(Fault::NeedsPerson(format!(
            "the vault does not tell whether user number {} is enabled",
            account.user.id
        ))),
    }
}

/// The form to send: pinned, settled by an earlier attempt, or the call.
fn form(call: &StepCall<'_>) -> SwitchForm {
    match (call.plan.dialect.disable_with, call.form) {
        (DisableWith::Put, _)
        | (DisableWith::Auto, Some(Form::Disable(SwitchForm::Put) | Form::Enable(SwitchForm::Put))) => {
            SwitchForm::Put
        }
        (DisableWith::Call | DisableWith::Auto, _) => SwitchForm::Call,
    }
}
