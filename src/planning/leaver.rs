//! A leaver's plan: note what the account can reach, disable it, end its memberships, read it back.
//!
//! Must hold: one plan is for one target (see `spread`); no profile is asked, because nothing is granted; nothing is
//! deleted.

use super::NoPlan;
use super::account::{Held, held};
use crate::config::TargetSettings;
use crate::domain::plan::{HandOver, Plan};
use crate::domain::removal::removal_steps;
use crate::domain::request::{Leaver, Request};
use crate::domain::snapshot::Snapshot;
use crate::kit::Kit;
use crate::rules::access::permit;
use crate::store::workflows::Workflow;
use crate::target::Besides;

/// Reads the target and makes the plan.
pub(super) async fn plan(
    kit: &Kit,
    workflow: &Workflow,
    request: &Request,
    leaver: &Leaver,
    settings: &TargetSettings,
) -> Result<(Plan, Snapshot), NoPlan> {
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
