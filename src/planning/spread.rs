//! In which targets a leaver ends access: in every one where the person has an account, or may have one.
//!
//! Must hold: each configured target is asked, by link or by an exact match of a name that the person is known under; one
//! that cannot be read counts as one in which there may be an account; the workflow keeps the target it took first.
//! Deliberately absent: planning. Each target's own workflow reads it again and says what it finds.

use super::NoPlan;
use super::account::{Candidate, candidate, known_names, listed};
use crate::config::TargetSettings;
use crate::domain::ids::WorkflowId;
use crate::domain::names::{TargetName, UserName};
use crate::domain::request::Request;
use crate::kit::Kit;
use crate::store::people::{self, Account};
use crate::store::workflows::Workflow;
use crate::target::Besides;

/// Which target a leaver's workflow takes itself, and which are for others.
pub(super) struct Spread<'k> {
    pub(super) own: &'k TargetSettings,
    pub(super) further: Vec<TargetName>,
}

/// What is known of a person in one target, the surest first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Found {
    /// An account is linked.
    Linked,
    /// There is one of a name that the person is known under.
    Named,
    /// It cannot be told: the target cannot be read, for this reason.
    Untold(String),
    /// All that was found is another person's.
    Another,
    /// There is none.
    Nothing,
}

/// Asks every configured target, unless this is about one already.
pub(super) async fn spread<'k>(
    kit: &'k Kit,
    workflow: &Workflow,
    request: &Request,
) -> Result<Spread<'k>, NoPlan> {
    if let (Some(_), Some(target)) = (workflow.part_of, &workflow.target) {
        return Ok(Spread { own: configured(kit, target)?, further: Vec::new() });
    }
    if let [only] = kit.settings.targets.as_slice() {
        return Ok(Spread { own: only, further: Vec::new() });
    }
    let linked = people::accounts(&kit.store, &workflow.namespace, &workflow.person_ref).await?;
    let names = known_names(request, &linked);
    let mut found = Vec::new();
    for settings in &kit.settings.targets {
        found.push((ask(kit, workflow.id, settings, &linked, &names).await?, settings));
    }
    found.sort_by(|one, other| one.0.cmp(&other.0));
    let own = own(kit, workflow, &found, &names)?;
    let further = found
        .into_iter()
        .filter(|(found, settings)| reaches(found) && settings.name != own.name)
        .map(|(_, settings)| settings.name.clone())
        .collect();
    Ok(Spread { own, further })
}

/// Has the person an account there, or may they have one?
const fn reaches(found: &Found) -> bool {
    match found {
        Found::Linked | Found::Named | Found::Untold(_) => true,
        Found::Another | Found::Nothing => false,
    }
}

/// The target that the workflow has taken, else the one of which most is known.
fn own<'k>(
    kit: &'k Kit,
    workflow: &Workflow,
    found: &[(Found, &'k TargetSettings)],
    names: &[UserName],
) -> Result<&'k TargetSettings, NoPlan> {
    if let Some(target) = &workflow.target {
        return configured(kit, target);
    }
    match found.first() {
        // Another one's account is named with its number when the plan is made.
        Some((Found::Linked | Found::Named | Found::Another, settings)) => Ok(settings),
        Some((Found::Untold(words), _)) => Err(NoPlan::Later { words: words.clone(), after_seconds: None }),
        Some((Found::Nothing, _)) | None => Err(match names {
            [] => NoPlan::NobodyKnown(
                "this person is linked to no account, and the request names no user".to_owned(),
            ),
            names => NoPlan::NoAccount(format!("no target has a user {}", listed(names))),
        }),
    }
}

async fn ask(
    kit: &Kit,
    who: WorkflowId,
    settings: &TargetSettings,
    linked: &[(TargetName, Account)],
    names: &[UserName],
) -> Result<Found, NoPlan> {
    if linked.iter().any(|(target, _)| *target == settings.name) {
        return Ok(Found::Linked);
    }
    match candidate(kit, who, settings, names, Besides::Nothing).await {
        Ok(Candidate::Theirs(_) | Candidate::Several(_)) => Ok(Found::Named),
        Ok(Candidate::Another(_)) => Ok(Found::Another),
        Ok(Candidate::Nobody) => Ok(Found::Nothing),
        // Whatever it says, it does not say that there is no account; its own workflow tells why.
        Err(
            NoPlan::Later { words, .. }
            | NoPlan::NeedsPerson(words)
            | NoPlan::NoAccount(words)
            | NoPlan::NothingToEnd(words)
            | NoPlan::OutOfSight(words)
            | NoPlan::NothingToChange(words)
            | NoPlan::NobodyKnown(words),
        ) => Ok(Found::Untold(words)),
        Err(fault @ (NoPlan::NotAllowed(_) | NoPlan::Store(_))) => Err(fault),
    }
}

fn configured<'k>(kit: &'k Kit, target: &TargetName) -> Result<&'k TargetSettings, NoPlan> {
    let settings = kit.settings.target(target);
    settings.ok_or_else(|| NoPlan::NeedsPerson(format!("the target {target} is not configured any more")))
}
