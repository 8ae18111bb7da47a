//! The plan of somebody who comes back: nothing of the old access is restored, and what the new work asks for comes.
//!
//! Must hold: the account is the person's own, by its link or by an approval that confirms it; the one profile says which
//! groups it is to be in, and it leaves all others that the vault keeps; its record and its licence seat stay as they
//! are. Where the vault does not tell the groups, nobody knows what enabling the account would bring to life.

use super::NoPlan;
use super::access::{self, Chosen};
use super::account::{Held, held};
use super::joiner::{member_is_ambiguous, planned_group};
use crate::domain::kind::Kind;
use crate::domain::plan::{HandOver, Plan, PlannedGroup};
use crate::domain::rehire::rehire_steps;
use crate::domain::request::{Rehire, Request};
use crate::domain::snapshot::{Snapshot, UserSource};
use crate::kit::Kit;
use crate::rules::access::permit;
use crate::store::workflows::Workflow;
use crate::target::Besides;

/// Reads the target and makes the plan.
pub(super) async fn plan(
    kit: &Kit,
    workflow: &Workflow,
    request: &Request,
    rehire: &Rehire,
    chosen: Chosen<'_>,
) -> Result<(Plan, Snapshot), NoPlan> {
    let Chosen { target: settings, profile } = chosen;
    let wanted = access::groups(profile, &rehire.account);
    let Held { user_name, user, mut account, snapshot } =
        held(kit, workflow, request, settings, Besides::Groups(&wanted)).await?;
    if user.groups.is_none() {
        return Err(NoPlan::NeedsPerson(format!(
            "the vault does not tell which groups the user {} is in, so nobody knows what enabling it would bring back",
            user.user_name
        )));
    }
    if !user.user_type.eq_ignore_ascii_case(profile.user_type.as_str()) {
        account.other_user_type = Some(profile.user_type.clone());
    }
    let target = kit.target(&settings.name);
    let target = target.ok_or_else(|| NoPlan::NeedsPerson("the target is not configured".to_owned()))?;
    let dialect = target.dialect();
    let wanted: Result<Vec<PlannedGroup>, NoPlan> =
        wanted.iter().map(|group| planned_group(group, &snapshot)).collect();
    let plan = Plan {
        workflow: workflow.id,
        number: workflow.plan_number + 1,
        kind: Kind::Rehire,
        target: settings.name.clone(),
        profile: profile.name.to_string(),
        user_name,
        account: Some(account),
        steps: rehire_steps(&user, wanted?, dialect.reset_of_disabled),
        dialect,
        not_before: rehire.effective.waits_until().unwrap_or_else(|| kit.world.now()),
        hand_over: match user.source {
            UserSource::Vault => access::hand_over(profile, request)?,
            UserSource::Directory => HandOver::Nobody,
        },
        salt: kit.world.salt(),
    };
    member_is_ambiguous(&plan)?;
    permit(settings, &plan)?;
    Ok((plan, snapshot))
}
