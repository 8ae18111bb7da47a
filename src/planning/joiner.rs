//! A joiner's plan: find, create, capture the number, add groups, require a new password, verify.
//!
//! Must hold: a name that somebody holds or a group that is not there ends in a reason for a person, never in a plan; who
//! has an account already does not come here (see `existing`). Texts longer than the vault takes are cut at a character,
//! fields it has no room for are left out, and both are kept whole beside, so that the page can show them.

use std::collections::BTreeMap;

use super::NoPlan;
use super::access::{Chosen, Granted, granted};
use crate::domain::names::GroupName;
use crate::domain::plan::{GroupMember, NewUser, Plan, PlannedGroup, PlannedStep};
use crate::domain::request::{Joiner, Request};
use crate::domain::snapshot::{GroupKind, GroupSeen, ProfileField, Snapshot, UserSeen, VaultUser};
use crate::kit::Kit;
use crate::rules::access::{permit, permit_name};
use crate::store::workflows::Workflow;
use crate::target::{Besides, Mark, Subject};

/// Reads the target and makes the plan.
pub(super) async fn plan(
    kit: &Kit,
    workflow: &Workflow,
    request: &Request,
    joiner: &Joiner,
    chosen: Chosen<'_>,
) -> Result<(Plan, Snapshot), NoPlan> {
    let granted = granted(chosen, joiner, request)?;
    let user_name = &joiner.subject.username;
    permit_name(granted.target, user_name)?;
    let target = kit.target(&granted.target.name);
    let target = target.ok_or_else(|| NoPlan::NeedsPerson("the target is not configured".to_owned()))?;
    let subject = Subject { user_name, user_id: None };
    let snapshot =
        kit.snapshot(target.as_ref(), workflow.id, subject, Besides::Groups(&granted.groups)).await?;
    if let UserSeen::Present(user) = &snapshot.user {
        return Err(NoPlan::NeedsPerson(taken(user)));
    }
    user_type_is_licensed(&granted, &snapshot)?;
    let plan = Plan {
        workflow: workflow.id,
        number: workflow.plan_number + 1,
        kind: workflow.kind,
        target: target.name().clone(),
        profile: granted.profile.clone(),
        user_name: user_name.clone(),
        account: None,
        steps: steps(&granted, request, joiner, &snapshot)?,
        dialect: target.dialect(),
        not_before: joiner.effective.waits_until().unwrap_or_else(|| kit.world.now()),
        hand_over: granted.hand_over.clone(),
        salt: kit.world.salt(),
    };
    member_is_ambiguous(&plan)?;
    permit(granted.target, &plan)?;
    Ok((plan, snapshot))
}

/// A name of digits could be taken for somebody's number where the form is only found out by trying.
pub(super) fn member_is_ambiguous(plan: &Plan) -> Result<(), NoPlan> {
    let found_out = plan.dialect.group_member == GroupMember::Auto && !plan.groups().is_empty();
    if !(plan.user_name.is_digits() && found_out) {
        return Ok(());
    }
    Err(NoPlan::NeedsPerson(
        "the user name is made of digits alone, so the vault may take it for a number: group_member must be pinned in \
         the settings of the target"
            .to_owned(),
    ))
}

fn taken(user: &VaultUser) -> String {
    format!("the user name is taken: the vault has the user {} with number {}", user.user_name, user.id)
}

fn user_type_is_licensed(granted: &Granted<'_>, snapshot: &Snapshot) -> Result<(), NoPlan> {
    let Some(licensed) = &snapshot.user_types else { return Ok(()) };
    let known = licensed.iter().any(|one| one.as_str().eq_ignore_ascii_case(granted.user_type.as_str()));
    if known {
        return Ok(());
    }
    Err(NoPlan::NeedsPerson(format!("the user type {} is not licensed in the vault", granted.user_type)))
}

fn steps(
    granted: &Granted<'_>,
    request: &Request,
    joiner: &Joiner,
    snapshot: &Snapshot,
) -> Result<Vec<PlannedStep>, NoPlan> {
    let mut steps = vec![
        PlannedStep::FindUser,
        PlannedStep::CreateUser(new_user(granted, request, joiner, snapshot)),
        PlannedStep::CaptureUserId,
    ];
    for asked in &granted.groups {
        steps.push(PlannedStep::AddToGroup(planned_group(asked, snapshot)?));
    }
    steps.push(PlannedStep::RequirePasswordChange);
    steps.push(PlannedStep::VerifyUser);
    Ok(steps)
}

/// A group of the vault as it was read, which a plan may add somebody to or take somebody out of.
pub(super) fn planned_group(asked: &GroupName, snapshot: &Snapshot) -> Result<PlannedGroup, NoPlan> {
    let seen: Option<&GroupSeen> = snapshot.groups.iter().find(|seen| seen.asked.key() == asked.key());
    let Some(found) = seen.and_then(|seen| seen.found.as_ref()) else {
        return Err(NoPlan::NeedsPerson(format!("the vault has no group {asked}")));
    };
    match found.kind {
        GroupKind::Vault => Ok(PlannedGroup { name: asked.clone(), id: found.id, kind: Some(found.kind) }),
        GroupKind::Directory => Err(NoPlan::NeedsPerson(format!(
            "the group {asked} is kept in a directory; its members cannot be changed through the vault"
        ))),
    }
}

/// How many characters of the request a new account's field takes: our mark goes before the description.
const fn room(field: ProfileField) -> usize {
    match field {
        ProfileField::Description => field.most() - Mark::CHARACTERS - " ".len(),
        _ => field.most(),
    }
}

fn new_user(granted: &Granted<'_>, request: &Request, joiner: &Joiner, snapshot: &Snapshot) -> NewUser {
    let subject = &joiner.subject;
    let work = &request.employment;
    let wanted = [
        (ProfileField::FirstName, Some(subject.first_name.as_str())),
        (ProfileField::MiddleName, subject.middle_name.as_ref().map(|name| name.as_str())),
        (ProfileField::LastName, Some(subject.last_name.as_str())),
        (ProfileField::Email, subject.email.as_ref().map(|email| email.as_str())),
        (ProfileField::Title, work.title.as_ref().map(|title| title.as_str())),
        (ProfileField::Department, work.department.as_ref().map(|name| name.as_str())),
        (ProfileField::Organization, work.organization.as_ref().map(|name| name.as_str())),
        (ProfileField::Description, joiner.account.traits.description.as_ref().map(|text| text.as_str())),
    ];
    let mut profile = BTreeMap::new();
    let mut cut = BTreeMap::new();
    for (field, text) in wanted {
        let Some(text) = text else { continue };
        if snapshot.kept_fields.as_ref().is_some_and(|kept| !kept.contains(&field)) {
            cut.insert(field, text.to_owned());
            continue;
        }
        let kept: String = text.chars().take(room(field)).collect();
        if kept != text {
            cut.insert(field, text.to_owned());
        }
        profile.insert(field, kept);
    }
    NewUser {
        user_type: granted.user_type.clone(),
        location: granted.location.clone(),
        profile,
        cut,
        expires_at: joiner.account.traits.expires_at,
    }
}
