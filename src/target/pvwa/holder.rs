//! Whose account is it? Ours, one that a person gave us, or a stranger's.
//!
//! Must hold: an account is ours only by our mark in its description, by a number that we learnt from our own
//! create, or by a person's word about one that is as planned; components, directory users and our own account are
//! never touched.

use super::likeness::fits_adoption;
use super::talk::{Fault, Talk};
use super::touch::{as_approved, own_record};
use super::users::Account;
use crate::domain::built_in::is_same_account;
use crate::domain::ids::{AttemptId, VaultUserId};
use crate::domain::plan::Description;
use crate::domain::snapshot::ProfileField;
use crate::target::{Adoption, Mark, StepCall};

/// Who holds the plan's user name.
#[derive(Debug)]
pub(super) enum Holder {
    /// The name is free.
    Nobody,
    /// This workflow made it.
    Ours(Account),
    /// A person said that it is this workflow's.
    Adopted(Account),
    /// Somebody else.
    Stranger(VaultUserId),
}

impl Talk<'_> {
    /// Looks the plan's user name up.
    pub(super) async fn holder(&mut self, call: &StepCall<'_>) -> Result<Holder, Fault> {
        let name = call.plan.user_name.as_str();
        self.refuse_own_account(name)?;
        let found = self.users_named(name).await?;
        let id = match found.as_slice() {
            [] => return Ok(Holder::Nobody),
            [id] => *id,
            [first, second, ..] => {
                return Err(Fault::NeedsPerson(format!(
                    "the vault shows more than one user with this name, numbers {first} and {second}"
                )));
            }
        };
        let Some(account) = self.account(id).await? else {
            return Err(Fault::passing(format!("user number {id} is listed but cannot be read")));
        };
        self.named_as_planned(call, &account)?;
        own_record(&account)?;
        Ok(if call.user_id == Some(id) || is_marked(call, &account) {
            Holder::Ours(account)
        } else {
            match call.adoption {
                Adoption::ByPerson(ours) if ours == id => {
                    fits_adoption(call, &account)?;
                    Holder::Adopted(account)
                }
                Adoption::ByPerson(_) | Adoption::OnlyByMark => {
                    self.stranger = Some(id);
                    if carried(call, &account, call.lost_marks).is_some() {
                        self.lost = Some(id);
                        return Err(Fault::NeedsPerson(lost(id)));
                    }
                    Holder::Stranger(id)
                }
            }
        })
    }

    /// The account of this workflow, read by its number where that is known.
    pub(super) async fn our_account(&mut self, call: &StepCall<'_>) -> Result<Account, Fault> {
        let planned = call.plan.account.as_ref();
        let Some(id) = call.user_id.or(planned.map(|planned| planned.id)) else {
            return match self.holder(call).await? {
                Holder::Ours(account) | Holder::Adopted(account) => Ok(account),
                Holder::Stranger(id) => Err(Fault::NeedsPerson(stranger(id))),
                Holder::Nobody => Err(Fault::passing("no user of this name can be seen in the vault")),
            };
        };
        self.refuse_own_account(call.plan.user_name.as_str())?;
        let Some(account) = self.account(id).await? else {
            self.unseen = true;
            return Err(Fault::passing(format!("user number {id} cannot be seen in the vault")));
        };
        self.named_as_planned(call, &account)?;
        match planned {
            Some(planned) => as_approved(planned, &account)?,
            None => own_record(&account)?,
        }
        Ok(account)
    }

    /// The account of this workflow, where its record is the vault's to change.
    pub(super) async fn our_record(&mut self, call: &StepCall<'_>) -> Result<Account, Fault> {
        let account = self.our_account(call).await?;
        own_record(&account)?;
        Ok(account)
    }

    pub(super) fn named_as_planned(&self, call: &StepCall<'_>, account: &Account) -> Result<(), Fault> {
        if account.user.user_name.eq_ignore_ascii_case(call.plan.user_name.as_str()) {
            self.refuse_own_account(&account.user.user_name)
        } else {
            let id = account.user.id;
            Err(Fault::NeedsPerson(format!("user number {id} has another name than the approved one")))
        }
    }

    pub(super) fn refuse_own_account(&self, name: &str) -> Result<(), Fault> {
        if is_same_account(&self.pvwa.account, name) {
            return Err(Fault::NeedsPerson(
                "this is the account with which we sign in ourselves; it is never touched".to_owned(),
            ));
        }
        Ok(())
    }
}

/// The words for a name that somebody else holds.
pub(super) fn stranger(id: VaultUserId) -> String {
    format!("the name is held by user number {id}, which this workflow did not make")
}

/// The words for an account of which this database knows nothing any more.
fn lost(id: VaultUserId) -> String {
    format!(
        "user number {id} carries the mark of this very request, from an attempt that this database does not know: it was \
         restored since; nothing more was made. The initial password of that account is known to nobody here: adopt the \
         account, and set a new password in the vault"
    )
}

/// Does the description open with a mark of ours, in a vault that keeps descriptions?
pub(super) fn is_marked(call: &StepCall<'_>, account: &Account) -> bool {
    made_by(call, account).is_some()
}

/// Which of our attempts made this account, by its mark.
pub(super) fn made_by(call: &StepCall<'_>, account: &Account) -> Option<AttemptId> {
    carried(call, account, call.our_marks).map(Mark::attempt)
}

/// Which of these marks the account carries, in a vault that keeps descriptions.
fn carried<'m>(call: &StepCall<'_>, account: &Account, marks: &'m [Mark]) -> Option<&'m Mark> {
    match call.plan.dialect.description {
        Description::NotKept => None,
        Description::Kept => {
            let text = account.user.profile.get(&ProfileField::Description)?;
            marks.iter().find(|mark| mark.opens(text))
        }
    }
}
