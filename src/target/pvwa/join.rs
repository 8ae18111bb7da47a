//! Making the account a member of a group, and finding out whether an earlier attempt did.
//!
//! Must hold: the group is the approved one by number; after a write the membership is read by the user's number; a
//! form that could name somebody else is not sent where that can be seen beforehand; who got in wrongly all the same
//! is taken out again, in an attempt of its own; one attempt sends one form.

use super::act::Told;
use super::answer::{Said, Speaker};
use super::groups::{Members, Membership, could_mean_another};
use super::talk::{Fault, Talk};
use super::users::Account;
use crate::domain::ids::VaultUserId;
use crate::domain::plan::{GroupMember, PlannedGroup};
use crate::domain::snapshot::GroupKind;
use crate::domain::step::{Form, MemberForm, Outcome};
use crate::target::StepCall;

/// The group itself was not found; another way of naming the user would not help.
const GROUP_UNKNOWN: [&str; 2] = ["PASWS199E", "CAWS00002E"];

impl Talk<'_> {
    pub(super) async fn add_to_group(
        &mut self,
        call: &StepCall<'_>,
        planned: &PlannedGroup,
    ) -> Result<Told, Fault> {
        if let Some(Form::TakeOut(sent)) = call.form {
            return self.take_out(call, planned, sent).await;
        }
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
        if could_mean_another(form, &account) {
            // Who is in the group by now was not put there by this attempt, and is not taken out for a mistake of its.
            let group = self.planned_group(planned, Members::Told).await?;
            if let Some(words) = group.misplaced(&account, form) {
                return Err(Fault::NeedsPerson(format!("{words}; nothing was sent in this attempt")));
            }
        }
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
                Outcome::OtherForm { form: Form::Member(MemberForm::NumericId) },
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
        if let Some(Form::TakeOut(sent)) = call.form {
            return self.look_whether_out(call, planned, sent).await;
        }
        let account = self.our_account(call).await?;
        Ok(match self.membership(&account, planned, form(call).ok()).await? {
            Membership::In => Told::new(Outcome::Done, format!("the user is in the group {}", planned.name)),
            Membership::Out => {
                Told::new(Outcome::NotThere, format!("the user is not in the group {}", planned.name))
            }
            // The attempt may have ended before its call went out, so nobody knows whose doing this is.
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
            Membership::Wrong(words) => Told::new(Outcome::Misdirected { undo: Form::TakeOut(form) }, words),
        })
    }

    /// Undoes what an attempt did to somebody who was not meant.
    async fn take_out(
        &mut self,
        call: &StepCall<'_>,
        planned: &PlannedGroup,
        sent: MemberForm,
    ) -> Result<Told, Fault> {
        let account = self.our_account(call).await?;
        let group = self.planned_group(planned, Members::Told).await?;
        let Some(wrong) = group.misplaced(&account, sent) else { return Ok(taken_out(planned, sent)) };
        match self.membership(&account, planned, None).await? {
            Membership::Out => {}
            // A late effect, or somebody's hand: the same word could mean our own user by now.
            Membership::In | Membership::Wrong(_) => {
                return Err(Fault::NeedsPerson(format!(
                    "{wrong}; our user is in the group as well by now, so nothing was sent"
                )));
            }
        }
        match self.remove_member(planned.id, &account, sent).await {
            Ok(_) => {}
            // Whoever is not there any more needs no taking out; the read below tells.
            Err(Fault::Refused(said)) if said.status == 404 => {}
            Err(fault) => return Err(fault.told_after(&wrong)),
        }
        self.whether_out(&account, planned, sent, Outcome::Unknown).await.map_err(Fault::after_a_write)
    }

    async fn look_whether_out(
        &mut self,
        call: &StepCall<'_>,
        planned: &PlannedGroup,
        sent: MemberForm,
    ) -> Result<Told, Fault> {
        let account = self.our_account(call).await?;
        self.whether_out(&account, planned, sent, Outcome::NotThere).await
    }

    /// Reads whether the one who was not meant is out of the group; says what it comes to if not.
    async fn whether_out(
        &mut self,
        account: &Account,
        planned: &PlannedGroup,
        sent: MemberForm,
        if_not: Outcome,
    ) -> Result<Told, Fault> {
        let group = self.planned_group(planned, Members::Told).await?;
        Ok(match group.misplaced(account, sent) {
            None => taken_out(planned, sent),
            Some(words) => Told::new(if_not, format!("{words}; it is still to be taken out")),
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
    pub(super) async fn refuse_ambiguous_number(&mut self, user: VaultUserId) -> Result<(), Fault> {
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

fn taken_out(planned: &PlannedGroup, sent: MemberForm) -> Told {
    Told::new(
        Outcome::TakenOut,
        format!(
            "the vault put somebody else into the group {} when the member was named {}; that one is out again; set group_member for this target to the form that it takes, for later workflows",
            planned.name,
            sent.in_words()
        ),
    )
}

/// The form to send: pinned, settled by an earlier attempt, or the user name.
pub(super) fn form(call: &StepCall<'_>) -> Result<MemberForm, Fault> {
    match call.plan.dialect.group_member {
        GroupMember::UserName => Ok(MemberForm::UserName),
        GroupMember::NumericId => Ok(MemberForm::NumericId),
        GroupMember::Auto if call.plan.user_name.is_digits() => Err(Fault::NeedsPerson(
            "the user name is made of digits alone and could be taken for a number; set group_member for this target"
                .to_owned(),
        )),
        GroupMember::Auto => match call.form {
            Some(Form::Member(form) | Form::TakeOut(form)) => Ok(form),
            Some(Form::Disable(_) | Form::Enable(_)) | None => Ok(MemberForm::UserName),
        },
    }
}

/// Only the vault's own clear no to the name makes the number worth trying.
pub(super) fn may_try_number(call: &StepCall<'_>, form: MemberForm, said: &Said) -> bool {
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
