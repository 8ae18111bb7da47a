//! Which target and which access a request leads to: one profile, and what the request itself may add.

use super::NoPlan;
use crate::config::{HandOverTo, Profile, TargetSettings};
use crate::domain::names::{GroupName, Location, UserType};
use crate::domain::plan::HandOver;
use crate::domain::request::{Account, Joiner, Request};
use crate::kit::Kit;
use crate::rules::profiles::{NoSingleProfile, choose_profile};

/// The one profile that matches, and its target.
#[derive(Clone, Copy)]
pub(super) struct Chosen<'k> {
    pub target: &'k TargetSettings,
    pub profile: &'k Profile,
}

/// The access that a joiner is given.
pub(super) struct Granted<'k> {
    pub target: &'k TargetSettings,
    pub profile: String,
    pub user_type: UserType,
    pub location: Location,
    pub groups: Vec<GroupName>,
    pub hand_over: HandOver,
}

/// Chooses the one profile over all targets.
pub(super) async fn choose<'k>(kit: &'k Kit, words: &serde_json::Value) -> Result<Chosen<'k>, NoPlan> {
    let mut chosen: Vec<Chosen<'k>> = Vec::new();
    let mut none = Vec::new();
    for target in &kit.settings.targets {
        match choose_profile(&kit.engine, &kit.policy.profiles, &target.name, words).await {
            Ok(profile) => chosen.push(Chosen { target, profile }),
            Err(unmatched @ NoSingleProfile::NoneMatched { .. }) => none.push(unmatched.to_string()),
            Err(fault @ (NoSingleProfile::SeveralMatched { .. } | NoSingleProfile::Failed { .. })) => {
                return Err(NoPlan::NeedsPerson(fault.to_string()));
            }
        }
    }
    match chosen.as_slice() {
        [one] => Ok(*one),
        [] => Err(NoPlan::NeedsPerson(none.join("; "))),
        several => {
            let names: Vec<&str> = several.iter().map(|one| one.profile.name.as_str()).collect();
            let names = names.join(", ");
            Err(NoPlan::NeedsPerson(format!("profiles of several targets match this request: {names}")))
        }
    }
}

/// What the profile gives a joiner, and what the request itself may add.
pub(super) fn granted<'k>(
    chosen: Chosen<'k>,
    joiner: &Joiner,
    request: &Request,
) -> Result<Granted<'k>, NoPlan> {
    let Chosen { target, profile } = chosen;
    let traits = &joiner.account.traits;
    Ok(Granted {
        target,
        profile: profile.name.to_string(),
        user_type: traits.user_type.clone().unwrap_or_else(|| profile.user_type.clone()),
        location: traits.location.clone().unwrap_or_else(|| profile.location.clone()),
        groups: groups(profile, &joiner.account),
        hand_over: hand_over(profile, request)?,
    })
}

/// The groups of the profile, and those that the request itself adds.
pub(super) fn groups(profile: &Profile, account: &Account) -> Vec<GroupName> {
    let mut groups = profile.groups.clone();
    for group in account.groups.iter().flat_map(|groups| groups.iter()) {
        if groups.iter().all(|known| known.key() != group.key()) {
            groups.push(group.clone());
        }
    }
    groups
}

/// Who receives the password, by the profile.
pub(super) fn hand_over(profile: &Profile, request: &Request) -> Result<HandOver, NoPlan> {
    let missing = |whose: &str| {
        NoPlan::NeedsPerson(format!(
            "the profile \"{}\" hands the password over to the {whose}, and the request gives no address of the {whose}",
            profile.name
        ))
    };
    match &profile.hand_over_to {
        HandOverTo::Nobody => Ok(HandOver::Nobody),
        HandOverTo::Address(address) => Ok(HandOver::Address(address.clone())),
        HandOverTo::Subject => request.email().cloned().map(HandOver::Subject).ok_or_else(|| missing("user")),
        HandOverTo::Manager => {
            let manager = request.employment.manager.as_ref().and_then(|manager| manager.email.clone());
            manager.map(HandOver::Manager).ok_or_else(|| missing("manager"))
        }
    }
}
