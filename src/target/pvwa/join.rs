//! Making the account a member of a group, and finding out whether an earlier attempt did.
//!
//! Must hold: the group is the approved one by number; after a write the membership is read by the user's number; a
//! form that could name somebody else is not sent; one attempt sends one form.

use super::act::Told;
use super::answer::{Said, Speaker};
use super::groups::{Members, Membership};
use super::talk::{Fault, Talk};
use crate::domain::ids::VaultUserId;
use crate::domain::plan::{GroupMember, PlannedGroup};
use crate::domain::snapshot::GroupKind;
use crate::domain::step::{MemberForm, Outcome};
use crate::target::StepCall;

/// The group itself was not found; another way of naming the user would not help.
const GROUP_UNKNOWN: [&str; 2] = ["PASWS199E", "CAWS00002E"];

impl Talk<'_> {
    pub(super) async fn add_to_group(
        &mut self,
        call: &StepCall<'_>,
        planned: &PlannedGroup,
    ) -> Result<Told, Fault> {
        let group = self.planned_group(planned, Members::Left).await?;
        match group.group.kind {
            GroupKind::Vault => {}
            GroupKind::Directory => {
                return Err(Fault::NeedsPerson(format!(
                    "the group {} comes from a directory; members can be added only there",
                    planned.name
                )));
            }
        }
        let account = self.our_account(call).await?;
        let before = match &account.user.groups {
            Some(told) if told.iter().any(|member| member.id == planned.id) => Membership::In,
            // A vault that tells no memberships at all is asked through the group.
            None => self.membership(&account, planned, None).await?,
            Some(_) => Membership::Out,
        };
        match before {
            Membership::In => return Ok(already(planned)),
            Membership::Wrong(words) => return Err(Fault::NeedsPerson(words)),
            Membership::Out => {}
        }
        let form = form(call)?;
        if form == MemberForm::NumericId {
            self.refuse_ambiguous_number(account.user.id).await?;
        }
        match self.add_member(planned.id, &account, form).await {
            Ok(_) => self.read_membership_back(call, planned, form).await.map_err(Fault::after_a_write),
            Err(Fault::AlreadySo(said)) => self.said_to_be_member(call, planned, &said).await,
            Err(Fault::Refused(said)) if said.status == 409 => {
                self.said_to_be_member(call, planned, &said).await
            }
            Err(Fault::Refused(said)) if may_try_number(call, form, &said) => Ok(Told::new(
                Outcome::OtherForm { form: MemberForm::NumericId },
                format!("{}; the user exists, so it is named by its number next", said.words),
            )),
            Err(fault) => Err(fault),
        }
    }

    pub(super) async fn look_for_member(
        &mut self,
        call: &StepCall<'_>,
        planned: &PlannedGroup,
    ) -> Result<Told, Fault> {
        let account = self.our_account(call).await?;
        Ok(match self.membership(&account, planned, form(call).ok()).await? {
            Membership::In => Told::new(Outcome::Done, format!("the user is in the group {}", planned.name)),
            Membership::Out => {
                Told::new(Outcome::NotThere, format!("the user is not in the group {}", planned.name))
            }
            Membership::Wrong(words) => Told::new(Outcome::NeedsPerson, words),
        })
    }

    async fn read_membership_back(
        &mut self,
        call: &StepCall<'_>,
        planned: &PlannedGroup,
        form: MemberForm,
    ) -> Result<Told, Fault> {
        let account = self.our_account(call).await?;
        Ok(match self.membership(&account, planned, Some(form)).await? {
            Membership::In => {
                Told::new(Outcome::Done, format!("added to the group {} and seen there", planned.name))
            }
            Membership::Out => Told::new(
                Outcome::Unknown,
                format!(
                    "the vault says it added the user to the group {}, but it is not seen there yet",
                    planned.name
                ),
            ),
            Membership::Wrong(words) => Told::new(Outcome::NeedsPerson, words),
        })
    }

    async fn said_to_be_member(
        &mut self,
        call: &StepCall<'_>,
        planned: &PlannedGroup,
        said: &Said,
    ) -> Result<Told, Fault> {
        let account = self.our_account(call).await?;
        match self.membership(&account, planned, form(call).ok()).await? {
            Membership::In => Ok(already(planned)),
            Membership::Out => Err(Fault::passing(format!(
                "{}; but the user is not seen in the group {}",
                said.words, planned.name
            ))),
            Membership::Wrong(words) => Err(Fault::NeedsPerson(words)),
        }
    }

    /// A vault that wants names would take the number for one.
    async fn refuse_ambiguous_number(&mut self, user: VaultUserId) -> Result<(), Fault> {
        match self.users_named(&user.to_string()).await?.first() {
            None => Ok(()),
            Some(other) => Err(Fault::NeedsPerson(format!(
                "user number {other} has the name {user}, so naming a member by number {user} could mean either; \
                 nothing was sent"
            ))),
        }
    }
}

fn already(planned: &PlannedGroup) -> Told {
    Told::new(Outcome::AlreadySo, format!("the user is already in the group {}", planned.name))
}

/// The form to send: pinned, settled by an earlier attempt, or the user name.
fn form(call: &StepCall<'_>) -> Result<MemberForm, Fault> {
    match call.plan.dialect.group_member {
        GroupMember::UserName => Ok(MemberForm::UserName),
        GroupMember::NumericId => Ok(MemberForm::NumericId),
        GroupMember::Auto if call.plan.user_name.is_digits() => Err(Fault::NeedsPerson(
            "the user name is made of digits alone and could be taken for a number; set group_member for this target"
                .to_owned(),
        )),
        GroupMember::Auto => Ok(call.form.unwrap_or(MemberForm::UserName)),
    }
}

/// Only the vault's own clear no to the name makes the number worth trying.
fn may_try_number(call: &StepCall<'_>, form: MemberForm, said: &Said) -> bool {
    let group_unknown = said
        .code
        .as_ref()
        .is_some_and(|code| GROUP_UNKNOWN.iter().any(|known| known.eq_ignore_ascii_case(code)));
    call.plan.dialect.group_member == GroupMember::Auto
        && form == MemberForm::UserName
        && matches!(said.status, 400 | 404)
        && said.speaker == Speaker::Vault
        && !group_unknown
}
