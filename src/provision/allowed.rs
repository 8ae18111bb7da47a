//! What the settings of now say of a request and a plan that were taken in and approved under those of then.
//!
//! Must hold: asked whenever a run is claimed, before anything is written.

use crate::config::Settings;
use crate::domain::plan::Plan;
use crate::domain::request::Request;
use crate::domain::routing::Routing;
use crate::domain::workflow::State;
use crate::kit::Kit;
use crate::rules::access::{NotAllowed, permit, permit_asked, void_by_settings};
use crate::rules::asked_for::{permit_request, permit_time};
use crate::store::runs::Stopped;
use crate::store::workflows::Workflow;

/// Why a request may not be carried out, or not further, whatever its plan says.
pub(super) fn forbidden_request(kit: &Kit, workflow: &Workflow, request: &Request) -> Option<Stopped> {
    let asked_for = permit_request(&kit.settings, &workflow.source, request);
    let allowed = asked_for.and_then(|()| permit_time(request, kit.world.now()));
    allowed.err().map(|why| not_allowed(&why))
}

/// Why this plan may not be carried out, or not further; `asked` is how people were asked about it. A group that became
/// privileged since voids an approval. Once steps were carried out no plan can take its place, so a person must look.
pub(super) fn forbidden(settings: &Settings, state: &State, plan: &Plan, asked: &Routing) -> Option<Stopped> {
    let target = settings.target(&plan.target)?;
    if let Err(why) = permit(target, plan) {
        return Some(not_allowed(&why));
    }
    if !matches!(state, State::Approved { .. }) {
        return permit_asked(target, plan, asked).err().map(|why| not_allowed(&why));
    }
    let because = void_by_settings(target, plan, asked);
    (!because.is_empty()).then_some(Stopped::Voided(because))
}

/// How a run is stopped for this reason.
pub(super) fn not_allowed(why: &NotAllowed) -> Stopped {
    if why.is_of_protected_account() {
        Stopped::Protected(why.to_string())
    } else {
        Stopped::Because(why.to_string())
    }
}
