//! A request that means less, or more, than its kind says: a joiner for somebody whose account is known, and a rehire of
//! somebody who does not leave after all.
//!
//! Must hold: nobody gets a second user; the plan says what it is, a change of an enabled account or a return to a disabled
//! one, and the rules for that kind ask about it; another user name than the known one goes to a person.

use super::NoPlan;
use super::access::Chosen;
use super::{mover, rehire};
use crate::domain::kind::Kind;
use crate::domain::plan::Plan;
use crate::domain::request::{
    Account, AccountChange, AccountTraits, GroupChange, Joiner, Mover, Rehire, Request, Subject,
};
use crate::domain::snapshot::Snapshot;
use crate::kit::Kit;
use crate::store::people;
use crate::store::workflows::{self, Workflow};

/// The plan for a joiner whose account in the profile's target is known; none where the person has none there.
pub(super) async fn plan(
    kit: &Kit,
    workflow: &Workflow,
    request: &Request,
    joiner: &Joiner,
    chosen: Chosen<'_>,
) -> Result<Option<(Plan, Snapshot)>, NoPlan> {
    let target = &chosen.target.name;
    let known = people::account(&kit.store, &workflow.namespace, &workflow.person_ref, target).await?;
    let Some(known) = known else { return Ok(None) };
    let already = format!(
        "this person has an account in {target} already: {} with number {}",
        known.user_name, known.id
    );
    if !known.user_name.eq_ignore_ascii_case(joiner.subject.username.as_str()) {
        return Err(NoPlan::NeedsPerson(already));
    }
    if joiner.account.traits.expires_at.is_some() {
        let words = format!("{already}; another end for an account is not available yet");
        return Err(NoPlan::NeedsPerson(words));
    }
    let back = as_return(joiner);
    let (plan, snapshot) = mover::plan(kit, workflow, request, &as_change(&back), chosen).await?;
    match is_enabled(&plan) {
        Some(true) => Ok(Some((plan, snapshot))),
        Some(false) => Ok(Some(rehire::plan(kit, workflow, request, &back, chosen).await?)),
        None => {
            Err(NoPlan::NeedsPerson(format!("{already}, and the vault does not tell whether it is enabled")))
        }
    }
}

/// The plan for a rehire that took the place of a leaver which had not begun: the person has stayed, so that it is a
/// change. None where no leaver gave way to it, or where the account is disabled all the same.
pub(super) async fn plan_to_stay(
    kit: &Kit,
    workflow: &Workflow,
    request: &Request,
    rehire: &Rehire,
    chosen: Chosen<'_>,
) -> Result<Option<(Plan, Snapshot)>, NoPlan> {
    let replaced = workflows::ended_by(&kit.store, workflow.id).await?;
    if !replaced.iter().any(|one| one.kind == Kind::Leaver) {
        return Ok(None);
    }
    let (plan, snapshot) = mover::plan(kit, workflow, request, &as_change(rehire), chosen).await?;
    Ok((is_enabled(&plan) == Some(true)).then_some((plan, snapshot)))
}

fn is_enabled(plan: &Plan) -> Option<bool> {
    plan.account.as_ref().and_then(|account| account.enabled)
}

/// What a joiner asks for, of somebody who comes back.
fn as_return(joiner: &Joiner) -> Rehire {
    let subject = joiner.subject.clone();
    Rehire {
        effective: joiner.effective,
        subject: Subject {
            username: Some(subject.username),
            first_name: Some(subject.first_name),
            middle_name: subject.middle_name,
            last_name: Some(subject.last_name),
            email: subject.email,
            distinguished_name: subject.distinguished_name,
        },
        account: joiner.account.clone(),
    }
}

/// What a rehire asks for, as a change. The licence seat stays as it is.
fn as_change(rehire: &Rehire) -> Mover {
    let Account { traits, groups, .. } = rehire.account.clone();
    Mover {
        effective: rehire.effective,
        subject: rehire.subject.clone(),
        account: AccountChange {
            traits: AccountTraits { user_type: None, ..traits },
            groups: groups.map(|groups| GroupChange::Exactly { groups }),
            change_password_on_next_logon: None,
        },
    }
}
