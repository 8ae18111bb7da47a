//! What may be granted, and to whom: the allow-lists of the settings, held against a plan.
//!
//! Must hold: asked when a plan is made and again before anything is written, with the settings of that moment; a
//! plan passes only if every part of it is allowed. Deliberately absent: profiles, which propose; this room refuses.

use crate::config::{self, TargetSettings};
use crate::domain::built_in::{is_built_in, is_same_account};
use crate::domain::drift::Difference;
use crate::domain::kind::Kind;
use crate::domain::names::{GroupName, Location, UserName};
use crate::domain::plan::{NewUser, Plan, PlannedGroup, PlannedStep, UserChange};
use crate::domain::routing::Routing;
use crate::domain::snapshot::{ComponentUser, ProfileField, Snapshot, UserSeen};

/// Why a plan is not allowed; the text is for the operator who must look.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAllowed {
    /// The account must never be touched.
    #[error("the user name {0} is protected by the settings of the target")]
    Protected(UserName),
    /// The account belongs to the product.
    #[error("the user name {0} belongs to the vault itself")]
    BuiltIn(UserName),
    /// The account is the one this service works with.
    #[error("the user name {0} is this service's own account")]
    OwnAccount(UserName),
    /// The account is a component of the vault, by what the vault itself says.
    #[error("the user {0} is a component of the vault")]
    Component(String),
    /// The licence seat is not on the list.
    #[error("the user type {0} is not among the allowed_user_types of the target")]
    UserType(String),
    /// The place is not below the root.
    #[error("the location {0} does not lie under the location_root of the target")]
    Location(String),
    /// The group is not on the list.
    #[error("the group {0} is not among the grantable_groups of the target")]
    Group(String),
    /// The group became privileged after the asking.
    #[error("the group {0} is privileged now, and the plan was approved without the stage that this wants")]
    Privileged(String),
}

impl NotAllowed {
    /// Is the account one that nobody may touch, whoever asks? Then the operators need to know that somebody did.
    pub const fn is_of_protected_account(&self) -> bool {
        match self {
            Self::Protected(_) | Self::BuiltIn(_) | Self::OwnAccount(_) | Self::Component(_) => true,
            Self::UserType(_) | Self::Location(_) | Self::Group(_) | Self::Privileged(_) => false,
        }
    }
}

/// May the account that was seen be touched, by what the vault says of it?
pub fn permit_seen(snapshot: &Snapshot) -> Result<(), NotAllowed> {
    match &snapshot.user {
        UserSeen::Present(user) if user.component == ComponentUser::Yes => {
            Err(NotAllowed::Component(user.user_name.clone()))
        }
        UserSeen::Present(_) | UserSeen::Absent => Ok(()),
    }
}

/// May this plan be carried out under these settings?
pub fn permit(target: &TargetSettings, plan: &Plan) -> Result<(), NotAllowed> {
    permit_name(target, &plan.user_name)?;
    for step in &plan.steps {
        match step {
            PlannedStep::CreateUser(user) => permit_user(target, user)?,
            PlannedStep::AddToGroup(group) => permit_group(target, group)?,
            PlannedStep::UpdateUser(change) => permit_change(target, change)?,
            PlannedStep::RemoveFromGroup(group) => permit_removal(target, plan.kind, group)?,
            PlannedStep::FindUser
            | PlannedStep::CaptureUserId
            | PlannedStep::RecordAccess
            | PlannedStep::DisableUser
            | PlannedStep::LeaveGroupsByHand
            | PlannedStep::DisableInDirectory
            | PlannedStep::ResetPassword
            | PlannedStep::RequirePasswordChange
            | PlannedStep::EnableUser
            | PlannedStep::EnableInDirectory
            | PlannedStep::ActivateUser
            | PlannedStep::VerifyUser => {}
        }
    }
    Ok(())
}

/// The privileged groups that a plan brings somebody into, and who is asked because of them. Who has such a group
/// already needs nobody to keep it or to lose it.
#[derive(Debug, Clone)]
pub struct PrivilegedJoins<'a> {
    /// The groups; at least one.
    pub groups: Vec<GroupName>,
    /// Who is asked besides those of the rule.
    pub stage: &'a config::Stage,
}

/// The privileged groups that this plan brings somebody into, by these settings.
pub fn privileged_joins<'a>(target: &'a TargetSettings, plan: &Plan) -> Option<PrivilegedJoins<'a>> {
    let privileged = target.privileged.as_ref()?;
    let names = plan.joins().map(|group| &group.name).filter(|name| privileged.names(name));
    let groups: Vec<GroupName> = names.cloned().collect();
    (!groups.is_empty()).then_some(PrivilegedJoins { groups, stage: &privileged.stage })
}

/// The groups that are privileged by these settings, and were not when people began to be asked about this plan.
fn privileged_since(target: &TargetSettings, plan: &Plan, asked: &Routing) -> Vec<GroupName> {
    let mut groups = privileged_joins(target, plan).map(|joins| joins.groups).unwrap_or_default();
    groups.retain(|group| !asked.asks_because_of(group));
    groups
}

/// Was the asking about this plan what these settings want of it?
pub fn permit_asked(target: &TargetSettings, plan: &Plan, asked: &Routing) -> Result<(), NotAllowed> {
    match privileged_since(target, plan, asked).first() {
        None => Ok(()),
        Some(group) => Err(NotAllowed::Privileged(group.to_string())),
    }
}

/// What voids an approval because the settings have changed since people were asked.
pub fn void_by_settings(target: &TargetSettings, plan: &Plan, asked: &Routing) -> Vec<Difference> {
    privileged_since(target, plan, asked).iter().map(Difference::privileged).collect()
}

/// May an account of this name be touched at all?
pub fn permit_name(target: &TargetSettings, name: &UserName) -> Result<(), NotAllowed> {
    if is_built_in(name) {
        return Err(NotAllowed::BuiltIn(name.clone()));
    }
    if is_same_account(target.product.account(), name.as_str()) {
        return Err(NotAllowed::OwnAccount(name.clone()));
    }
    if target.protected_users.iter().any(|pattern| pattern.covers(name)) {
        return Err(NotAllowed::Protected(name.clone()));
    }
    Ok(())
}

fn permit_group(target: &TargetSettings, group: &PlannedGroup) -> Result<(), NotAllowed> {
    let listed = target.grantable_groups.iter().any(|one| one.key() == group.name.key());
    if listed { Ok(()) } else { Err(NotAllowed::Group(group.name.to_string())) }
}

/// Who leaves or comes back loses every membership that the plan does not name; a mover only such as could be given back.
fn permit_removal(target: &TargetSettings, kind: Kind, group: &PlannedGroup) -> Result<(), NotAllowed> {
    match kind {
        Kind::Leaver | Kind::Rehire => Ok(()),
        Kind::Joiner | Kind::Mover | Kind::ResetPassword | Kind::Unsuspend => permit_group(target, group),
    }
}

fn permit_change(target: &TargetSettings, change: &UserChange) -> Result<(), NotAllowed> {
    let Some(place) = change.fields.get(&ProfileField::Location) else { return Ok(()) };
    let lies = Location::parse(&place.to).is_ok_and(|place| place.lies_under(&target.location_root));
    if lies { Ok(()) } else { Err(NotAllowed::Location(place.to.clone())) }
}

fn permit_user(target: &TargetSettings, user: &NewUser) -> Result<(), NotAllowed> {
    let type_listed = target
        .allowed_user_types
        .iter()
        .any(|one| one.as_str().eq_ignore_ascii_case(user.user_type.as_str()));
    if !type_listed {
        return Err(NotAllowed::UserType(user.user_type.to_string()));
    }
    if !user.location.lies_under(&target.location_root) {
        return Err(NotAllowed::Location(user.location.to_string()));
    }
    Ok(())
}
