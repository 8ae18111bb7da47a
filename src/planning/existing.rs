//! A joiner for somebody whose account is known: nobody gets a second user, so what is asked for becomes a change of the
//! account that is there.
//!
//! Must hold: the plan says what it is, a change, and the rules for changes ask about it; an account that is disabled is
//! not enabled by a joiner; another user name than the known one goes to a person.

use super::NoPlan;
use super::access::Chosen;
use super::mover;
use crate::domain::plan::Plan;
use crate::domain::request::{
    Account, AccountChange, AccountTraits, GroupChange, Joiner, Mover, Request, Subject,
};
use crate::domain::snapshot::Snapshot;
use crate::kit::Kit;
use crate::store::people;
use crate::store::workflows::Workflow;

/// The plan of a change, where the account in the profile's target is known; none where the person has none there.
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
    let (plan, snapshot) = mover::plan(kit, workflow, request, &change(joiner), chosen).await?;
    match plan.account.as_ref().and_then(|account| account.enabled) {
        Some(true) => Ok(Some((plan, snapshot))),
        Some(false) | None => Err(NoPlan::NeedsPerson(format!(
            "{already}, and it is not enabled; a joiner enables nobody, so ask for a rehire, or enable it by hand and try \
             again"
        ))),
    }
}

/// What a joiner asks for, as a change.
fn change(joiner: &Joiner) -> Mover {
    let subject = joiner.subject.clone();
    let Account { traits, groups, .. } = joiner.account.clone();
    Mover {
        effective: joiner.effective,
        subject: Subject {
            username: Some(subject.username),
            first_name: Some(subject.first_name),
            middle_name: subject.middle_name,
            last_name: Some(subject.last_name),
            email: subject.email,
            distinguished_name: subject.distinguished_name,
        },
        account: AccountChange {
            traits: AccountTraits { user_type: None, ..traits },
            groups: groups.map(|groups| GroupChange::Exactly { groups }),
            change_password_on_next_logon: None,
        },
    }
}
