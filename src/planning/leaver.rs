//! A leaver's plan: note what the account can reach, disable it, end its memberships, read it back.
//!
//! Must hold: the target is the one in which the person has an account; no profile is asked, because nothing is
//! granted; nothing is deleted.

use super::NoPlan;
use super::account::{Held, held};
use crate::config::TargetSettings;
use crate::domain::ids::WorkflowId;
use crate::domain::plan::{HandOver, Plan};
use crate::domain::removal::removal_steps;
use crate::domain::request::{Leaver, Request};
use crate::domain::snapshot::{Snapshot, UserSeen};
use crate::kit::Kit;
use crate::rules::access::permit;
use crate::store::people;
use crate::store::workflows::Workflow;
use crate::target::{Besides, Subject};

/// Reads the target and makes the plan.
pub(super) async fn plan(
    kit: &Kit,
    workflow: &Workflow,
    request: &Request,
    leaver: &Leaver,
) -> Result<(Plan, Snapshot), NoPlan> {
    let settings = target(kit, workflow, request).await?;
    let Held { user_name, user, account, snapshot } =
        held(kit, workflow, request, settings, Besides::Nothing).await?;
    let target = kit.target(&settings.name);
    let target = target.ok_or_else(|| NoPlan::NeedsPerson("the target is not configured".to_owned()))?;
    let plan = Plan {
        workflow: workflow.id,
        number: workflow.plan_number + 1,
        kind: workflow.kind,
        target: settings.name.clone(),
        profile: String::new(),
        user_name,
        account: Some(account),
        steps: removal_steps(&user, &leaver.terms),
        dialect: target.dialect(),
        not_before: leaver.effective.waits_until().unwrap_or_else(|| kit.world.now()),
        hand_over: HandOver::Nobody,
        salt: kit.world.salt(),
    };
    permit(settings, &plan)?;
    Ok((plan, snapshot))
}

/// The target in which the person has an account: by link, else by the name that the request gives.
pub(super) async fn target<'k>(
    kit: &'k Kit,
    workflow: &Workflow,
    request: &Request,
) -> Result<&'k TargetSettings, NoPlan> {
    let links = people::accounts(&kit.store, &workflow.namespace, &workflow.person_ref).await?;
    let linked: Vec<_> = links.iter().filter_map(|(target, _)| kit.settings.target(target)).collect();
    match (linked.as_slice(), kit.settings.targets.as_slice()) {
        ([one], _) => Ok(one),
        ([], [only]) => Ok(only),
        ([], several) => by_name(kit, workflow.id, request, several).await,
        (several, _) => Err(NoPlan::NeedsPerson(format!(
            "this person has accounts in several targets, and one request ends access in one: {}",
            names(several)
        ))),
    }
}

async fn by_name<'k>(
    kit: &Kit,
    who: WorkflowId,
    request: &Request,
    targets: &'k [TargetSettings],
) -> Result<&'k TargetSettings, NoPlan> {
    let Some(user_name) = request.username() else {
        return Err(NoPlan::NoAccount(
            "this person is linked to no account, and the request names no user".to_owned(),
        ));
    };
    let mut found = Vec::new();
    for settings in targets {
        let Some(target) = kit.target(&settings.name) else { continue };
        let subject = Subject { user_name, user_id: None };
        let reading = kit.snapshot(target.as_ref(), who, subject, Besides::Nothing);
        if let UserSeen::Present(_) = reading.await?.user {
            found.push(settings);
        }
    }
    match found.as_slice() {
        [one] => Ok(one),
        [] => Err(NoPlan::NoAccount(format!("no target has a user {user_name}"))),
        several => Err(NoPlan::NeedsPerson(format!(
            "several targets have a user {user_name}, and this person is linked to none of them: {}",
            names(several)
        ))),
    }
}

fn names(targets: &[&TargetSettings]) -> String {
    let names: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
    names.join(", ")
}
