//! The plans about a person's log-on: a new password, an end to a suspension.
//!
//! Must hold: nobody's access grows by them. A disabled account stays disabled and is told apart from a suspended one; a
//! directory's account has its password and its suspensions there.

use super::NoPlan;
use super::access::{self, Chosen};
use super::account::{Held, held};
use super::leaver;
use crate::domain::plan::{HandOver, Plan, PlannedStep};
use crate::domain::request::Request;
use crate::domain::snapshot::{Snapshot, UserSource, VaultUser};
use crate::kit::Kit;
use crate::rules::access::permit;
use crate::store::workflows::Workflow;
use crate::target::Besides;

/// A new password, handed over as the profile of the person's work says.
pub(super) async fn new_password(
    kit: &Kit,
    workflow: &Workflow,
    request: &Request,
    chosen: Chosen<'_>,
) -> Result<(Plan, Snapshot), NoPlan> {
    let Chosen { target: settings, profile } = chosen;
    let found = held(kit, workflow, request, settings, Besides::Nothing).await?;
    is_the_vaults(&found.user, "its password is set there")?;
    if found.user.enabled == Some(false) {
        return Err(NoPlan::NeedsPerson(format!(
            "the user {} is disabled; a new password is set, and the user enabled, by a rehire",
            found.user.user_name
        )));
    }
    let steps = vec![
        PlannedStep::FindUser,
        PlannedStep::ResetPassword,
        PlannedStep::RequirePasswordChange,
        PlannedStep::VerifyUser,
    ];
    let hand_over = access::hand_over(profile, request)?;
    let plan = made(kit, workflow, &found, (profile.name.to_string(), steps, hand_over))?;
    permit(settings, &plan)?;
    Ok((plan, found.snapshot))
}

/// An end to a suspension.
pub(super) async fn unsuspended(
    kit: &Kit,
    workflow: &Workflow,
    request: &Request,
) -> Result<(Plan, Snapshot), NoPlan> {
    let settings = leaver::target(kit, workflow, request).await?;
    let found = held(kit, workflow, request, settings, Besides::Nothing).await?;
    is_the_vaults(&found.user, "it is let in again there")?;
    if found.user.enabled == Some(false) {
        return Err(NoPlan::NeedsPerson(format!(
            "the user {} is disabled, not suspended alone; lifting a suspension enables nobody, and a rehire does",
            found.user.user_name
        )));
    }
    let steps = vec![PlannedStep::FindUser, PlannedStep::ActivateUser, PlannedStep::VerifyUser];
    let plan = made(kit, workflow, &found, (String::new(), steps, HandOver::Nobody))?;
    permit(settings, &plan)?;
    Ok((plan, found.snapshot))
}

fn is_the_vaults(user: &VaultUser, where_else: &str) -> Result<(), NoPlan> {
    match user.source {
        UserSource::Vault => Ok(()),
        UserSource::Directory => Err(NoPlan::NeedsPerson(format!(
            "the user {} comes from a directory; {where_else}",
            user.user_name
        ))),
    }
}

fn made(
    kit: &Kit,
    workflow: &Workflow,
    found: &Held,
    (profile, steps, hand_over): (String, Vec<PlannedStep>, HandOver),
) -> Result<Plan, NoPlan> {
    let target = kit.target(&found.snapshot.target);
    let target = target.ok_or_else(|| NoPlan::NeedsPerson("the target is not configured".to_owned()))?;
    Ok(Plan {
        workflow: workflow.id,
        number: workflow.plan_number + 1,
        kind: workflow.kind,
        target: target.name().clone(),
        profile,
        user_name: found.user_name.clone(),
        account: Some(found.account.clone()),
        steps,
        dialect: target.dialect(),
        not_before: kit.world.now(),
        hand_over,
        salt: kit.world.salt(),
    })
}
