//! Ending a membership of the account, and finding out whether an earlier attempt did.
//!
//! Must hold: the group is the approved one by number; whether the account is in it is read by the user's number, also
//! where the vault says that there is no such member; a form that could name somebody else in the group is not sent.

use super::act::Told;
use super::groups::could_mean_another;
use super::join::{form, may_try_number};
use super::talk::{Fault, Talk};
use super::users::Account;
use crate::domain::plan::PlannedGroup;
use crate::domain::snapshot::GroupKind;
use crate::domain::step::{Form, MemberForm, Outcome};
use crate::target::StepCall;

/// What no web server in front of the vault takes in a path (vendor's page "Add user").
const NOT_IN_A_PATH: [char; 3] = ['+', '&', '%'];

impl Talk<'_> {
    pub(super) async fn remove_from_group(
        &mut self,
        call: &StepCall<'_>,
        planned: &PlannedGroup,
    ) -> Result<Told, Fault> {
        let account = self.our_account(call).await?;
        if !self.is_in(&account, planned).await? {
            let words = format!("the user is not in the group {}", planned.name);
            return Ok(Told::new(Outcome::AlreadySo, words));
        }
        match planned.kind {
            Some(GroupKind::Directory) => {
                return Err(Fault::NeedsPerson(format!(
                    "the group {} comes from a directory; members can be removed only there",
                    planned.name
                )));
            }
            // Where nobody tells, the vault says no by itself if it has to.
            Some(GroupKind::Vault) | None => {}
        }
        let form = form(call)?;
        self.refuse_to_remove_another(&account, planned, form).await?;
        let said = match self.remove_member(planned.id, &account, form).await {
            Ok(_) => {
                let out = self.left(call, planned).await.map_err(Fault::after_a_write)?;
                return Ok(if out {
                    let words = format!("removed from the group {} and no longer seen there", planned.name);
                    Told::new(Outcome::Done, words)
                } else {
                    let words = format!(
                        "the vault says it removed the user from the group {}, but it is still seen there",
                        planned.name
                    );
                    Told::new(Outcome::Unknown, words)
                });
            }
            Err(Fault::Refused(said)) => said,
            Err(fault) => return Err(fault),
        };
        // "Not found" may mean the member, the user, the group or the form.
        if said.status == 404 && self.left(call, planned).await? {
            let words = format!("{}; the user is not seen in the group {}", said.words, planned.name);
            return Ok(Told::new(Outcome::AlreadySo, words));
        }
        // Where it may be a directory's group, the refusal says nothing about the form.
        if planned.kind.is_some() && may_try_number(call, form, &said) {
            let form = Form::Member(MemberForm::NumericId);
            let words =
                format!("{}; the user is in the group, so it is named by its number next", said.words);
            return Ok(Told::new(Outcome::OtherForm { form }, words));
        }
        Err(match planned.kind {
            Some(GroupKind::Vault | GroupKind::Directory) => Fault::Refused(said),
            None => Fault::NeedsPerson(format!(
                "{}; the vault does not tell whether the group {} is its own or a directory's, and a directory's \
                 members can be removed only there",
                said.words, planned.name
            )),
        })
    }

    pub(super) async fn look_for_removal(
        &mut self,
        call: &StepCall<'_>,
        planned: &PlannedGroup,
    ) -> Result<Told, Fault> {
        Ok(if self.left(call, planned).await? {
            Told::new(Outcome::Done, format!("the user is not in the group {}", planned.name))
        } else {
            Told::new(Outcome::NotThere, format!("the user is still in the group {}", planned.name))
        })
    }

    /// Reads the account again: is it out of the group?
    async fn left(&mut self, call: &StepCall<'_>, planned: &PlannedGroup) -> Result<bool, Fault> {
        let account = self.our_account(call).await?;
        Ok(!self.is_in(&account, planned).await?)
    }

    async fn refuse_to_remove_another(
        &mut self,
        account: &Account,
        planned: &PlannedGroup,
        form: MemberForm,
    ) -> Result<(), Fault> {
        match form {
            MemberForm::UserName if account.user.user_name.contains(NOT_IN_A_PATH) => {
                return Err(Fault::NeedsPerson(format!(
                    "the user name has a sign that the vault takes in no address, so nothing was sent; take the user \
                     out of the group {} by hand",
                    planned.name
                )));
            }
            MemberForm::UserName => {}
            MemberForm::NumericId => self.refuse_ambiguous_number(account.user.id).await?,
        }
        if could_mean_another(form, account)
            && let Some(group) = self.group_of_number(planned).await?
            && let Some(other) = group.mistakable(account, form)
        {
            return Err(Fault::NeedsPerson(format!(
                "{other} is in the group {} and could be taken for user number {}; nothing was sent",
                planned.name, account.user.id
            )));
        }
        Ok(())
    }
}
