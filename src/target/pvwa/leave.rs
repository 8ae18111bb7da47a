//! Ending a membership of the account, and finding out whether an earlier attempt did.
//!
//! Must hold: the group is the approved one by number; whether the account is in it is read by the user's number, also
//! where the vault says that there is no such member; a form that could name somebody else in the group is not sent. A
//! membership that nobody tells is not one that has ended: the approved call is sent, and only its good answer counts.

use super::act::Told;
use super::groups::could_mean_another;
use super::join::{form, may_try_number};
use super::memberships::Standing;
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
        let before = self.standing(&account, planned).await?;
        if before == Standing::Out {
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
        self.refuse_to_remove_another((&account, before), planned, form).await?;
        let said = match self.remove_member(planned.id, &account, form).await {
            Ok(_) => {
                let after = self.standing_now(call, planned).await.map_err(Fault::after_a_write)?;
                return Ok(removed(after, planned));
            }
            Err(Fault::Refused(said)) => said,
            Err(fault) => return Err(fault),
        };
        // "Not found" may mean the member, the user, the group or the form.
        let after = if said.status == 404 { self.standing_now(call, planned).await? } else { before };
        match after {
            Standing::Out => {
                let words = format!("{}; the user is not seen in the group {}", said.words, planned.name);
                return Ok(Told::new(Outcome::AlreadySo, words));
            }
            Standing::Untold => {
                return Err(Fault::NeedsPerson(format!(
                    "{}; the vault does not tell who is in the group {}, so a person must see whether the user is",
                    said.words, planned.name
                )));
            }
            Standing::In => {}
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
        let group = &planned.name;
        Ok(match self.standing_now(call, planned).await? {
            Standing::Out => Told::new(Outcome::Done, format!("the user is not in the group {group}")),
            Standing::In => Told::new(Outcome::NotThere, format!("the user is still in the group {group}")),
            // Removing twice harms nobody.
            Standing::Untold => Told::new(
                Outcome::NotThere,
                format!("the vault does not tell who is in the group {group}, so the user may still be"),
            ),
        })
    }

    /// Reads the account again: is it in the group?
    async fn standing_now(&mut self, call: &StepCall<'_>, planned: &PlannedGroup) -> Result<Standing, Fault> {
        let account = self.our_account(call).await?;
        self.standing(&account, planned).await
    }

    async fn refuse_to_remove_another(
        &mut self,
        (account, seen): (&Account, Standing),
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
            MemberForm::UserName if seen == Standing::Untold && could_mean_another(form, account) => {
                return Err(Fault::NeedsPerson(format!(
                    "the vault does not tell who is in the group {}, and the user name is of digits alone and could be \
                     taken for somebody else's number; nothing was sent",
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

/// What a good answer to the removal comes to, after another look.
fn removed(after: Standing, planned: &PlannedGroup) -> Told {
    let group = &planned.name;
    match after {
        Standing::Out => {
            Told::new(Outcome::Done, format!("removed from the group {group} and no longer seen there"))
        }
        Standing::In => Told::new(
            Outcome::Unknown,
            format!("the vault says it removed the user from the group {group}, but it is still seen there"),
        ),
        // An older vault tells none when the last one has ended.
        Standing::Untold => Told::new(
            Outcome::Done,
            format!(
                "the vault says it removed the user from the group {group}, and tells no memberships now"
            ),
        ),
    }
}
