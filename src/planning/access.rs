//! Which target and which access a request leads to: one profile, and what the request itself may add.

use super::NoPlan;
use crate::config::{HandOverTo, Profile, TargetSettings};
use crate::domain::names::{GroupName, Location, UserType};
use crate::domain::plan::HandOver;
use crate::domain::request::Request;
use crate::kit::Kit;
use crate::rules::profiles::{NoSingleProfile, choose_profile};

/// The access that will be planned.
pub(super) struct Granted<'a> {
    pub target: &'a TargetSettings,
    pub profile: String,
    pub user_type: UserType,
    pub location: Location,
    pub groups: Vec<GroupName>,
    pub hand_over: HandOver,
}

/// Chooses the one profile over all targets.
pub(super) async fn grant<'k>(
    kit: &'k Kit,
    request: &Request,
    words: &serde_json::Value,
) -> Result<Granted<'k>, NoPlan> {
    let mut chosen: Vec<(&TargetSettings, &Profile)> = Vec::new();
    let mut none = Vec::new();
    for target in &kit.settings.targets {
        match choose_profile(&kit.engine, &kit.policy.profiles, &target.name, words).await {
            Ok(profile) => chosen.push((target, profile)),
            Err(unmatched @ NoSingleProfile::NoneMatched { .. }) => none.push(unmatched.to_string()),
            Err(fault @ (NoSingleProfile::SeveralMatched { .. } | NoSingleProfile::Failed { .. })) => {
                return Err(NoPlan::NeedsPerson(fault.to_string()));
            }
        }
    }
    match chosen.as_slice() {
        [(target, profile)] => access(target, profile, request),
        [] => Err(NoPlan::NeedsPerson(none.join("; "))),
        several => {
            let names: Vec<&str> = several.iter().map(|(_, profile)| profile.name.as_str()).collect();
            let names = names.join(", ");
            Err(NoPlan::NeedsPerson(format!("profiles of several targets match this request: {names}")))
        }
    }
}

fn access<'k>(
    target: &'k TargetSettings,
    profile: &'k Profile,
    request: &Request,
) -> Result<Granted<'k>, NoPlan> {
    let joiner = request.new_joiner();
    let account = joiner.map(|joiner| &joiner.account);
    let traits = account.map(|account| &account.traits);
    let mut groups = profile.groups.clone();
    let asked = account.and_then(|account| account.groups.as_ref());
    for group in asked.into_iter().flat_map(|groups| groups.iter()) {
        if groups.iter().all(|known| known.key() != group.key()) {
            groups.push(group.clone());
        }
    }
    Ok(Granted {
        target,
        profile: profile.name.to_string(),
        user_type: traits
            .and_then(|traits| traits.user_type.clone())
            .unwrap_or_else(|| profile.user_type.clone()),
        location: traits
            .and_then(|traits| traits.location.clone())
            .unwrap_or_else(|| profile.location.clone()),
        groups,
        hand_over: hand_over(profile, request)?,
    })
}

fn hand_over(profile: &Profile, request: &Request) -> Result<HandOver, NoPlan> {
    let missing = |whose: &str| {
        NoPlan::NeedsPerson(format!(
            "the profile \"{}\" hands the password over to the {whose}, and the request gives no address of the {whose}",
            profile.name
        ))
    };
    match &profile.hand_over_to {
        HandOverTo::Nobody => Ok(HandOver::Nobody),
        HandOverTo::Address(address) => Ok(HandOver::Address(address.clone())),
        HandOverTo::Subject => {
            request.email().cloned().map(HandOver::Subject).ok_or_else(|| missing("new user"))
        }
        HandOverTo::Manager => {
            let manager = request.employment.manager.as_ref().and_then(|manager| manager.email.clone());
            manager.map(HandOver::Manager).ok_or_else(|| missing("manager"))
        }
    }
}
