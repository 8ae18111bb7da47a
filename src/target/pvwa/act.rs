//! The steps of a plan, acted on and looked up.
//!
//! Must hold: an act looks, writes at most once, and reads back; a look never writes. What happened after a write is
//! never told as "without effect" unless the vault itself refused.
//! The longer steps have files of their own: `create.rs`, `existing.rs`, `update.rs`, `join.rs`, `leave.rs`, `access.rs`,
//! `switch.rs`, `reset.rs`, `verify.rs`.

use serde_json::json;

use super::edit::{Edit, Place};
use super::holder::{Holder, stranger};
use super::likeness::unlike_planned;
use super::put::Changed;
use super::seal::differences;
use super::talk::{Fault, Talk};
use super::users::Account;
use crate::domain::ids::{AttemptId, VaultUserId};
use crate::domain::plan::PlannedStep;
use crate::domain::step::{Outcome, Report};
use crate::target::StepCall;

/// What an account becomes when it is switched (`switch.rs`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Switch {
    Enabled,
    Disabled,
}

/// What an attempt found out, before the calls are added.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) outcome: Outcome,
    pub(super) words: String,
    pub(super) user_id: Option<VaultUserId>,
    pub(super) made_by: Option<AttemptId>,
}

impl Told {
    pub(super) fn new(outcome: Outcome, words: impl Into<String>) -> Self {
        Self { outcome, words: words.into(), user_id: None, made_by: None }
    }

    /// The approved values are there; is everything else as it was before the last write, which nobody has seen the end
    /// of? Where that cannot be told, a person decides, but not about an account that this very run has made: of that
    /// the last look compares every value that was approved.
    pub(super) fn compared(call: &StepCall<'_>, account: &Account, edits: &[Edit], seen: &str) -> Self {
        let Some(before) = &call.before else {
            let words = format!(
                "{seen}; an attempt was interrupted, so whether anything else in the record has changed was not compared"
            );
            return match call.plan.account {
                None => Self::new(Outcome::Done, words),
                Some(_) => Self::new(
                    Outcome::NeedsPerson,
                    format!("{words}: look at the record, and try again when it is right"),
                ),
            };
        };
        let lost = differences(before, &account.raw, edits);
        if lost.is_empty() {
            Self::new(Outcome::Done, format!("{seen}; nothing else has changed since before the write"))
        } else {
            Self::lost(&lost)
        }
    }

    /// A write changed more than was meant, or somebody else wrote at the same moment.
    pub(super) fn lost(names: &[String]) -> Self {
        let words = format!(
            "the record has changed in more than was meant, by this write or by somebody else at the same moment; look \
             at these fields: {}",
            names.join(", ")
        );
        Self::new(Outcome::NeedsPerson, words)
    }

    pub(super) fn about(outcome: Outcome, user: VaultUserId, words: impl Into<String>) -> Self {
        Self { outcome, words: words.into(), user_id: Some(user), made_by: None }
    }

    /// The same of an account that this attempt of ours has made.
    pub(super) fn made_by(self, attempt: Option<AttemptId>) -> Self {
        Self { made_by: attempt, ..self }
    }
}

impl Talk<'_> {
    /// Brings the step's effect about.
    pub(super) async fn act(mut self, call: &StepCall<'_>) -> Report {
        self.hidden.clone_from(&call.password);
        let told = match call.step {
            PlannedStep::FindUser => self.find_user(call).await,
            PlannedStep::CreateUser(user) => self.create_user(call, user).await,
            PlannedStep::CaptureUserId => self.capture_user_id(call).await,
            PlannedStep::AddToGroup(group) => self.add_to_group(call, group).await,
            PlannedStep::RequirePasswordChange => self.require_password_change(call).await,
            PlannedStep::VerifyUser => self.verify_user(call).await,
            PlannedStep::UpdateUser(change) => self.update_user(call, change).await,
            PlannedStep::RemoveFromGroup(group) => self.remove_from_group(call, group).await,
            PlannedStep::RecordAccess => self.record_access(call).await,
            PlannedStep::DisableUser => self.disable_user(call).await,
            PlannedStep::LeaveGroupsByHand => Err(groups_by_hand()),
            PlannedStep::DisableInDirectory => Err(by_hand("disabled")),
            PlannedStep::ResetPassword => self.reset_password(call).await,
            PlannedStep::EnableUser => self.enable_user(call).await,
            PlannedStep::EnableInDirectory => Err(by_hand("enabled")),
        };
        let told = self.unless_gone(call, told).await;
        self.report(told)
    }

    /// Finds out what an earlier attempt at the step brought about.
    pub(super) async fn look(mut self, call: &StepCall<'_>) -> Report {
        let told = match call.step {
            PlannedStep::FindUser => self.find_user(call).await,
            PlannedStep::CreateUser(_) => self.look_for_created(call).await,
            PlannedStep::CaptureUserId => self.capture_user_id(call).await,
            PlannedStep::AddToGroup(group) => self.look_for_member(call, group).await,
            PlannedStep::RequirePasswordChange => self.look_for_password_change(call).await,
            PlannedStep::VerifyUser => self.verify_user(call).await,
            PlannedStep::UpdateUser(change) => self.look_for_update(call, change).await,
            PlannedStep::RemoveFromGroup(group) => self.look_for_removal(call, group).await,
            PlannedStep::RecordAccess => self.record_access(call).await,
            PlannedStep::DisableUser => self.look_for_switched(call, Switch::Disabled).await,
            PlannedStep::LeaveGroupsByHand => Err(groups_by_hand()),
            PlannedStep::DisableInDirectory => Err(by_hand("disabled")),
            PlannedStep::ResetPassword => self.look_for_reset(call).await,
            PlannedStep::EnableUser => self.look_for_switched(call, Switch::Enabled).await,
            PlannedStep::EnableInDirectory => Err(by_hand("enabled")),
        };
        let told = self.unless_gone(call, told).await;
        self.report(told)
    }

    fn report(self, told: Result<Told, Fault>) -> Report {
        let told = told.unwrap_or_else(|fault| Told::new(fault.outcome(), fault.to_string()));
        let words = self.in_words(told.words);
        let before = self.before.filter(|_| told.outcome == Outcome::Unknown);
        Report {
            before,
            made_by: told.made_by,
            outcome: told.outcome,
            words,
            calls: self.calls,
            user_id: told.user_id,
            stranger: self.stranger,
            lost: self.lost,
            access: self.access,
        }
    }

    async fn find_user(&mut self, call: &StepCall<'_>) -> Result<Told, Fault> {
        if let Some(planned) = &call.plan.account {
            return self.find_existing(call, planned).await;
        }
        Ok(match self.holder(call).await? {
            Holder::Nobody => Told::new(Outcome::Done, "the name is free"),
            Holder::Ours(account) => {
                let id = account.user.id;
                Told::about(Outcome::Done, id, format!("found our own user, number {id}"))
            }
            Holder::Adopted(account) => {
                let id = account.user.id;
                Told::about(
                    Outcome::Done,
                    id,
                    format!("found user number {id}, which a person declared ours"),
                )
            }
            Holder::Stranger(id) => Told::new(Outcome::NeedsPerson, stranger(id)),
        })
    }

    async fn capture_user_id(&mut self, call: &StepCall<'_>) -> Result<Told, Fault> {
        let id = self.our_account(call).await?.user.id;
        Ok(Told::about(Outcome::Done, id, format!("the vault keeps the account under number {id}")))
    }

    async fn require_password_change(&mut self, call: &StepCall<'_>) -> Result<Told, Fault> {
        let account = self.our_record(call).await?;
        if account.user.change_password_on_next_logon == Some(true) {
            return Ok(Told::new(
                Outcome::AlreadySo,
                "the vault already asks for a new password at the next log-on",
            ));
        }
        Ok(match self.change(&account, &[demanded()]).await? {
            Changed::Seen => Told::new(
                Outcome::Done,
                "the vault asks for a new password at the next log-on; nothing else changed",
            ),
            Changed::NotSeen(_) => Told::new(
                Outcome::Unknown,
                "the vault accepted the change, but the user's record does not show it yet",
            ),
            Changed::Lost(names) => Told::lost(&names),
        })
    }

    async fn look_for_password_change(&mut self, call: &StepCall<'_>) -> Result<Told, Fault> {
        let account = self.our_account(call).await?;
        if account.user.change_password_on_next_logon != Some(true) {
            return Ok(Told::new(Outcome::NotThere, "the vault does not ask for a new password yet"));
        }
        // What the plan says of a new account holds whether or not the record was seen before the write.
        let differs = unlike_planned(call, &account);
        let seen = "the vault asks for a new password at the next log-on";
        Ok(if differs.is_empty() {
            Told::compared(call, &account, &[demanded()], seen)
        } else {
            Told::lost(&differs)
        })
    }
}

fn demanded() -> Edit {
    Edit { place: Place::top("changePassOnNextLogon"), value: json!(true) }
}

/// Nobody but a person knows which groups these are.
fn groups_by_hand() -> Fault {
    Fault::NeedsPerson(
        "the vault does not tell all groups of the user, so a person takes it out of them by hand".to_owned(),
    )
}

/// Only a person can do it, and only there.
fn by_hand(how: &str) -> Fault {
    Fault::NeedsPerson(format!("the account comes from a directory and is {how} there, by a person"))
}
