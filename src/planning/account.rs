//! Whose account a mover or a leaver is about.
//!
//! Must hold: a person who is linked to an account is that account's owner and nobody else's; where nothing is linked
//! yet, only the name that the request gives is looked for, and the plan says that this link is new. An account that the
//! vault has renamed is still the person's, by its number, and the plan says so. An account that must never be touched,
//! or that is somebody else's, ends in a reason for a person.

use super::NoPlan;
use crate::config::TargetSettings;
use crate::domain::ids::WorkflowId;
use crate::domain::kind::Kind;
use crate::domain::names::{TargetName, UserName};
use crate::domain::plan::{Owner, PlannedAccount};
use crate::domain::removal::{GONE, out_of_sight};
use crate::domain::request::Request;
use crate::domain::snapshot::{Snapshot, UserSeen, VaultUser};
use crate::kit::Kit;
use crate::rules::access::{permit_name, permit_seen};
use crate::store::people::{self, Account};
use crate::store::workflows::Workflow;
use crate::target::{Besides, Sight, Subject, Target};

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
    let accounts = people::accounts(&kit.store, &workflow.namespace, &workflow.person_ref).await?;
    let linked = accounts.iter().find(|(target, _)| *target == settings.name).map(|(_, account)| account);
    let (known_name, snapshot, owner) = if let Some(linked) = linked {
        let read = by_link(kit, request, settings, (workflow, linked), besides).await;
        if let Err(NoPlan::NothingToEnd(_) | NoPlan::OutOfSight(_)) = read {
            one_name(request, (&accounts, linked), None, settings)?;
        }
        read?
    } else {
        let names = match workflow.kind {
            Kind::Leaver => known_names(request, &accounts),
            Kind::Joiner | Kind::Mover | Kind::Rehire | Kind::ResetPassword | Kind::Unsuspend => {
                request.username().cloned().into_iter().collect()
            }
        };
        by_name(kit, workflow, settings, &names, besides).await?
    };
    let UserSeen::Present(user) = &snapshot.user else {
        return Err(NoPlan::NoAccount(format!("{} has no user {known_name}", settings.name)));
    };
    let user = VaultUser::clone(user);
    let user_name = match &owner {
        Owner::Linked | Owner::ToBeConfirmed => known_name,
        Owner::Renamed { .. } => UserName::parse(&user.user_name).map_err(|_| {
            NoPlan::NeedsPerson(format!("the vault calls user number {} by a name that is none", user.id))
        })?,
    };
    permit_name(settings, &user_name)?;
    if let Some(linked) = linked {
        one_name(request, (&accounts, linked), Some(&user_name), settings)?;
    }
    Ok(Held { user_name, account: PlannedAccount::of(&user, owner), user, snapshot })
}

/// The account that is linked, by its number. For a leaver it may be gone, and then there is nothing to end; or it may be
/// out of our sight, and then a person must look.
async fn by_link(
    kit: &Kit,
    request: &Request,
    settings: &TargetSettings,
    (workflow, linked): (&Workflow, &Account),
    besides: Besides<'_>,
) -> Result<(UserName, Snapshot, Owner), NoPlan> {
    let target = driven(kit, settings)?;
    let name = UserName::parse(&linked.user_name)
        .map_err(|_| NoPlan::NeedsPerson("the linked user name breaks its own rule".to_owned()))?;
    for name in request.username().into_iter().chain([&name]) {
        permit_name(settings, name)?;
    }
    let subject = Subject { user_name: &name, user_id: Some(linked.id) };
    let snapshot = kit.snapshot(target, workflow.id, subject, besides).await?;
    permit_seen(&snapshot)?;
    let UserSeen::Present(user) = &snapshot.user else {
        if workflow.kind != Kind::Leaver {
            return Err(NoPlan::NoAccount(format!("{} has no user {name}", settings.name)));
        }
        return Err(match kit.snapshot(target, workflow.id, subject, besides).await?.user {
            UserSeen::Absent => match target.sight().await? {
                Sight::Whole => NoPlan::NothingToEnd(GONE.to_owned()),
                Sight::NotProven { why } => NoPlan::OutOfSight(out_of_sight(&why)),
            },
            UserSeen::Present(_) => flickers(settings),
        });
    };
    if linked.id != user.id {
        return Err(NoPlan::NeedsPerson(format!(
            "the user {} has number {} now, but this person is linked to number {}",
            user.user_name, user.id, linked.id
        )));
    }
    let owner = if linked.user_name.eq_ignore_ascii_case(&user.user_name) {
        Owner::Linked
    } else {
        Owner::Renamed { known_as: linked.user_name.clone() }
    };
    Ok((name, snapshot, owner))
}

/// The account of one of these names, where none is linked.
async fn by_name(
    kit: &Kit,
    workflow: &Workflow,
    settings: &TargetSettings,
    names: &[UserName],
    besides: Besides<'_>,
) -> Result<(UserName, Snapshot, Owner), NoPlan> {
    let target = &settings.name;
    if names.is_empty() {
        let words = format!("this person is linked to no account in {target}, and the request names no user");
        return Err(match workflow.kind {
            Kind::Leaver => NoPlan::NobodyKnown(words),
            Kind::Joiner | Kind::Mover | Kind::Rehire | Kind::ResetPassword | Kind::Unsuspend => {
                NoPlan::NoAccount(words)
            }
        });
    }
    for name in names {
        permit_name(settings, name)?;
    }
    let found = candidate(kit, workflow.id, settings, names, besides).await?;
    let none = |words: String| match workflow.part_of {
        Some(_) => NoPlan::NothingToEnd(words),
        None => NoPlan::NoAccount(words),
    };
    match found {
        Candidate::Theirs(found) => {
            let (name, snapshot) = *found;
            permit_seen(&snapshot)?;
            Ok((name, snapshot, Owner::ToBeConfirmed))
        }
        Candidate::Several(which) => Err(NoPlan::NeedsPerson(format!(
            "several users of {target} have a name that this person is known under, and none is linked: {which}"
        ))),
        Candidate::Another(words) => Err(match workflow.part_of {
            Some(_) => NoPlan::NothingToEnd(words),
            None => NoPlan::NeedsPerson(words),
        }),
        Candidate::Nobody => {
            let again = candidate(kit, workflow.id, settings, names, besides).await?;
            Err(match again {
                Candidate::Nobody => none(format!("{target} has no user {}", listed(names))),
                Candidate::Theirs(_) | Candidate::Several(_) | Candidate::Another(_) => flickers(settings),
            })
        }
    }
}

/// What was found of a person who is not linked.
pub(super) enum Candidate {
    /// One account that is nobody else's, with the name that led to it.
    Theirs(Box<(UserName, Snapshot)>),
    /// More than one.
    Several(String),
    /// One that is linked to another person.
    Another(String),
    /// None.
    Nobody,
}

/// Looks for an account of one of these names.
pub(super) async fn candidate(
    kit: &Kit,
    who: WorkflowId,
    settings: &TargetSettings,
    names: &[UserName],
    besides: Besides<'_>,
) -> Result<Candidate, NoPlan> {
    let target = driven(kit, settings)?;
    let (mut theirs, mut another) = (Vec::new(), None);
    for name in names {
        let subject = Subject { user_name: name, user_id: None };
        let snapshot = kit.snapshot(target, who, subject, besides).await?;
        let UserSeen::Present(user) = &snapshot.user else { continue };
        if people::owner(&kit.store, &settings.name, user.id).await?.is_some() {
            another = Some(format!(
                "the user {} with number {} is linked to another person",
                user.user_name, user.id
            ));
        } else {
            theirs.push((name.clone(), snapshot));
        }
    }
    if theirs.len() > 1 {
        let names: Vec<UserName> = theirs.into_iter().map(|(name, _)| name).collect();
        return Ok(Candidate::Several(listed(&names)));
    }
    Ok(match (theirs.pop(), another) {
        (Some(found), _) => Candidate::Theirs(Box::new(found)),
        (None, Some(words)) => Candidate::Another(words),
        (None, None) => Candidate::Nobody,
    })
}

/// The names under which a person is known: the one that the request gives, and those of all linked accounts.
pub(super) fn known_names(request: &Request, accounts: &[(TargetName, Account)]) -> Vec<UserName> {
    let linked = accounts.iter().filter_map(|(_, account)| UserName::parse(&account.user_name).ok());
    let mut names: Vec<UserName> = Vec::new();
    for name in request.username().cloned().into_iter().chain(linked) {
        if names.iter().all(|known| known.key() != name.key()) {
            names.push(name);
        }
    }
    names
}

/// Names in one line.
pub(super) fn listed(names: &[UserName]) -> String {
    let names: Vec<&str> = names.iter().map(UserName::as_str).collect();
    names.join(" or ")
}

fn driven<'k>(kit: &'k Kit, settings: &TargetSettings) -> Result<&'k dyn Target, NoPlan> {
    let target = kit.target(&settings.name).map(AsRef::as_ref);
    target.ok_or_else(|| NoPlan::NeedsPerson("the target is not configured".to_owned()))
}

fn flickers(settings: &TargetSettings) -> NoPlan {
    let words = format!("{} showed the account in one of two readings only", settings.name);
    NoPlan::Later { words, after_seconds: None }
}

/// A request that names somebody whose account is known must name that account, as it is called now or was before, or
/// another account that is known to be this person's.
fn one_name(
    request: &Request,
    (accounts, linked): (&[(TargetName, Account)], &Account),
    now: Option<&UserName>,
    settings: &TargetSettings,
) -> Result<(), NoPlan> {
    let Some(asked) = request.username() else { return Ok(()) };
    let is_known = accounts.iter().any(|(_, account)| asked.key() == account.user_name.to_ascii_lowercase());
    if is_known || now.is_some_and(|now| asked.key() == now.key()) {
        return Ok(());
    }
    Err(NoPlan::NeedsPerson(format!(
        "the request names the user {asked}, but this person is linked to {} with number {} in {}",
        linked.user_name, linked.id, settings.name
    )))
}
