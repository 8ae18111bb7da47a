//! Whose account a mover or a leaver is about.
//!
//! Must hold: a person who is linked to an account is that account's owner and nobody else's; where nothing is linked
//! yet, only the name that the request gives is looked for, and the plan says that this link is new. An account that the
//! vault has renamed is still the person's, by its number, and the plan says so. An account that must never be touched,
//! or that is somebody else's, ends in a reason for a person.

use super::NoPlan;
use crate::config::TargetSettings;
use crate::domain::names::UserName;
use crate::domain::plan::{Owner, PlannedAccount};
use crate::domain::request::Request;
use crate::domain::snapshot::{Snapshot, UserSeen, VaultUser};
use crate::kit::Kit;
use crate::rules::access::{permit_name, permit_seen};
use crate::store::people::{self, Account};
use crate::store::workflows::Workflow;
use crate::target::{Besides, Subject};

/// An account as it was read, and how it is known to be this person's.
pub(super) struct Held {
    pub user_name: UserName,
    pub user: VaultUser,
    pub account: PlannedAccount,
    pub snapshot: Snapshot,
}

/// Finds the person's account in a target and reads it together with what the plan needs besides.
pub(super) async fn held(
    kit: &Kit,
    workflow: &Workflow,
    request: &Request,
    settings: &TargetSettings,
    besides: Besides<'_>,
) -> Result<Held, NoPlan> {
    let target = kit.target(&settings.name);
    let target = target.ok_or_else(|| NoPlan::NeedsPerson("the target is not configured".to_owned()))?;
    let linked =
        people::account(&kit.store, &workflow.namespace, &workflow.person_ref, target.name()).await?;
    let known_name = name(request, linked.as_ref(), settings)?;
    for name in request.username().into_iter().chain([&known_name]) {
        permit_name(settings, name)?;
    }
    let subject = Subject { user_name: &known_name, user_id: linked.as_ref().map(|linked| linked.id) };
    let snapshot = kit.snapshot(target.as_ref(), workflow.id, subject, besides).await?;
    permit_seen(&snapshot)?;
    let UserSeen::Present(user) = &snapshot.user else {
        return Err(NoPlan::NoAccount(format!("{} has no user {known_name}", settings.name)));
    };
    let user = VaultUser::clone(user);
    let owner = owner(kit, settings, linked.as_ref(), &user).await?;
    let user_name = match &owner {
        Owner::Linked | Owner::ToBeConfirmed => known_name,
        Owner::Renamed { .. } => UserName::parse(&user.user_name).map_err(|_| {
            NoPlan::NeedsPerson(format!("the vault calls user number {} by a name that is none", user.id))
        })?,
    };
    permit_name(settings, &user_name)?;
    one_name(request, linked.as_ref(), &user_name, settings)?;
    Ok(Held { user_name, account: PlannedAccount::of(&user, owner), user, snapshot })
}

/// A request that names somebody whose account is known must name that account, as it is called now or was before.
fn one_name(
    request: &Request,
    linked: Option<&Account>,
    now: &UserName,
    settings: &TargetSettings,
) -> Result<(), NoPlan> {
    let (Some(linked), Some(asked)) = (linked, request.username()) else { return Ok(()) };
    if asked.key() == now.key() || asked.key() == linked.user_name.to_ascii_lowercase() {
        return Ok(());
    }
    Err(NoPlan::NeedsPerson(format!(
        "the request names the user {asked}, but this person is linked to {} with number {} in {}",
        linked.user_name, linked.id, settings.name
    )))
}

fn name(request: &Request, linked: Option<&Account>, settings: &TargetSettings) -> Result<UserName, NoPlan> {
    let target = &settings.name;
    match (linked, request.username()) {
        (Some(linked), _) => UserName::parse(&linked.user_name)
            .map_err(|_| NoPlan::NeedsPerson("the linked user name breaks its own rule".to_owned())),
        (None, Some(asked)) => Ok(asked.clone()),
        (None, None) => Err(NoPlan::NoAccount(format!(
            "this person is linked to no account in {target}, and the request names no user"
        ))),
    }
}

async fn owner(
    kit: &Kit,
    settings: &TargetSettings,
    linked: Option<&Account>,
    user: &VaultUser,
) -> Result<Owner, NoPlan> {
    match linked {
        Some(linked) if linked.id != user.id => Err(NoPlan::NeedsPerson(format!(
            "the user {} has number {} now, but this person is linked to number {}",
            user.user_name, user.id, linked.id
        ))),
        Some(linked) if !linked.user_name.eq_ignore_ascii_case(&user.user_name) => {
            Ok(Owner::Renamed { known_as: linked.user_name.clone() })
        }
        Some(_) => Ok(Owner::Linked),
        None => match people::owner(&kit.store, &settings.name, user.id).await? {
            None => Ok(Owner::ToBeConfirmed),
            Some(_) => Err(NoPlan::NeedsPerson(format!(
                "the user {} with number {} is linked to another person",
                user.user_name, user.id
            ))),
        },
    }
}
