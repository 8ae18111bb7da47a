//! A mover's plan: what the person has against what the new work asks for.
//!
//! Must hold: only what differs is planned; a group goes only if it is among the grantable ones, so that what was
//! given by somebody else stays; the licence seat stays as it is and the plan says where the profile has another.
//! A directory's record is not changed, because a vault cannot.

use std::collections::BTreeMap;

use super::NoPlan;
use super::access::Chosen;
use super::account::{Held, held};
use super::joiner::{member_is_ambiguous, planned_group};
use crate::config::TargetSettings;
use crate::domain::drift::same_text;
use crate::domain::kind::Kind;
use crate::domain::memberships::removable;
use crate::domain::names::{GroupName, Location};
use crate::domain::plan::{FieldChange, HandOver, Plan, PlannedGroup, PlannedStep, UserChange};
use crate::domain::request::{GroupChange, GroupSet, Mover, Request};
use crate::domain::snapshot::{ProfileField, Snapshot, UserSource, VaultUser};
use crate::kit::Kit;
use crate::rules::access::permit;
use crate::store::workflows::Workflow;
use crate::target::Besides;

/// Reads the target and makes the plan.
pub(super) async fn plan(
    kit: &Kit,
    workflow: &Workflow,
    request: &Request,
    mover: &Mover,
    chosen: Chosen<'_>,
) -> Result<(Plan, Snapshot), NoPlan> {
    let Chosen { target: settings, profile } = chosen;
    let asked = asked(mover, &profile.groups);
    let Held { user_name, user, mut account, snapshot } =
        held(kit, workflow, request, settings, Besides::Groups(&asked.look_up(settings))).await?;
    if !user.user_type.eq_ignore_ascii_case(profile.user_type.as_str()) {
        account.other_user_type = Some(profile.user_type.clone());
    }
    let location = mover.account.traits.location.as_ref().unwrap_or(&profile.location);
    let target = kit.target(&settings.name);
    let target = target.ok_or_else(|| NoPlan::NeedsPerson("the target is not configured".to_owned()))?;
    let mut steps = vec![PlannedStep::FindUser];
    steps.extend(change(request, mover, location, (&user, &snapshot)).map(PlannedStep::UpdateUser));
    let (comes, goes) = groups(&asked, settings, &user, &snapshot)?;
    steps.extend(comes.into_iter().map(PlannedStep::AddToGroup));
    steps.extend(goes.into_iter().map(PlannedStep::RemoveFromGroup));
    steps.push(PlannedStep::VerifyUser);
    let plan = Plan {
        workflow: workflow.id,
        number: workflow.plan_number + 1,
        kind: Kind::Mover,
        target: settings.name.clone(),
        profile: profile.name.to_string(),
        user_name,
        account: Some(account),
        steps,
        dialect: target.dialect(),
        not_before: mover.effective.waits_until().unwrap_or_else(|| kit.world.now()),
        hand_over: HandOver::Nobody,
        salt: kit.world.salt(),
    };
    member_is_ambiguous(&plan)?;
    permit(settings, &plan)?;
    Ok((plan, snapshot))
}

/// Which memberships are wanted.
enum Asked {
    /// These, and of the grantable ones no others.
    Exactly(Vec<GroupName>),
    /// These to come and these to go.
    Difference { come: Vec<GroupName>, go: Vec<GroupName> },
}

fn asked(mover: &Mover, profile: &[GroupName]) -> Asked {
    let list = |groups: &GroupSet| groups.iter().cloned().collect();
    match &mover.account.groups {
        None => Asked::Exactly(profile.to_vec()),
        Some(GroupChange::Exactly { groups }) => Asked::Exactly(list(groups)),
        Some(GroupChange::Difference { groups_add, groups_remove }) => {
            Asked::Difference { come: list(groups_add), go: list(groups_remove) }
        }
    }
}

impl Asked {
    /// The groups whose identity the plan may lean on.
    fn look_up(&self, settings: &TargetSettings) -> Vec<GroupName> {
        let (first, second) = match self {
            Self::Exactly(wanted) => (wanted, &settings.grantable_groups),
            Self::Difference { come, go } => (come, go),
        };
        let mut names = first.clone();
        for name in second {
            if names.iter().all(|known| known.key() != name.key()) {
                names.push(name.clone());
            }
        }
        names
    }
}

/// The groups to come and the groups to go.
fn groups(
    asked: &Asked,
    settings: &TargetSettings,
    user: &VaultUser,
    snapshot: &Snapshot,
) -> Result<(Vec<PlannedGroup>, Vec<PlannedGroup>), NoPlan> {
    let Some(held) = &user.groups else {
        return Err(NoPlan::NeedsPerson(format!(
            "the vault does not tell which groups the user {} is in",
            user.user_name
        )));
    };
    let holds = |name: &GroupName| held.iter().any(|member| member.name.to_lowercase() == name.key());
    let grantable = |name: &GroupName| settings.grantable_groups.iter().any(|one| one.key() == name.key());
    let listed = |list: &[GroupName], name: &GroupName| list.iter().any(|one| one.key() == name.key());
    let own = held.iter().filter_map(removable);
    let (come, go): (&Vec<GroupName>, Vec<PlannedGroup>) = match asked {
        Asked::Exactly(wanted) => {
            let goes = |group: &PlannedGroup| grantable(&group.name) && !listed(wanted, &group.name);
            (wanted, own.filter(goes).collect())
        }
        Asked::Difference { come, go } => (come, own.filter(|group| listed(go, &group.name)).collect()),
    };
    let come: Result<Vec<_>, NoPlan> =
        come.iter().filter(|name| !holds(name)).map(|name| planned_group(name, snapshot)).collect();
    Ok((come?, go))
}

/// The fields that change; nothing where none does.
fn change(
    request: &Request,
    mover: &Mover,
    location: &Location,
    seen: (&VaultUser, &Snapshot),
) -> Option<UserChange> {
    let (user, snapshot) = seen;
    match user.source {
        UserSource::Directory => return None,
        UserSource::Vault => {}
    }
    let mut change = UserChange { fields: BTreeMap::new(), cut: BTreeMap::new() };
    for (field, text) in wanted(request, mover, location) {
        let is_kept = snapshot.kept_fields.as_ref().is_none_or(|kept| kept.contains(&field));
        if !is_kept && field != ProfileField::Location {
            change.cut.insert(field, text.to_owned());
            continue;
        }
        let to: String = text.chars().take(field.most()).collect();
        let from = user.profile.get(&field).cloned();
        if same_text(field, from.as_deref(), Some(&to)) {
            continue;
        }
        if to != text {
            change.cut.insert(field, text.to_owned());
        }
        change.fields.insert(field, FieldChange { from, to });
    }
    (!change.fields.is_empty()).then_some(change)
}

/// What the request says of the person, and where the account belongs.
fn wanted<'r>(
    request: &'r Request,
    mover: &'r Mover,
    location: &'r Location,
) -> impl Iterator<Item = (ProfileField, &'r str)> {
    let (subject, work) = (&mover.subject, &request.employment);
    [
        (ProfileField::FirstName, subject.first_name.as_ref().map(|text| text.as_str())),
        (ProfileField::MiddleName, subject.middle_name.as_ref().map(|text| text.as_str())),
        (ProfileField::LastName, subject.last_name.as_ref().map(|text| text.as_str())),
        (ProfileField::Email, subject.email.as_ref().map(|text| text.as_str())),
        (ProfileField::Title, work.title.as_ref().map(|text| text.as_str())),
        (ProfileField::Department, work.department.as_ref().map(|text| text.as_str())),
        (ProfileField::Organization, work.organization.as_ref().map(|text| text.as_str())),
        (ProfileField::Location, Some(location.as_str())),
        (ProfileField::Description, mover.account.traits.description.as_ref().map(|text| text.as_str())),
    ]
    .into_iter()
    .filter_map(|(field, text)| Some((field, text?)))
}
