//! What a form of the console is bound to: the person it was shown to, and the workflow as it stood.

use super::sight::Sight;
use crate::domain::canon::Digest;
use crate::domain::time::Timestamp;
use crate::kit::Kit;
use crate::people::Signed;

/// A form that was shown longer ago must be looked at again.
pub(super) const FORM_HOLDS_SECONDS: i64 = 30 * 60;

/// The token of a form that is shown to this person about this workflow as it stands.
pub(super) fn form_token(kit: &Kit, signed: &Signed, sight: &Sight, now: Timestamp) -> String {
    let (person, standing) = bound_to(signed, sight);
    kit.keys.form_token(person, standing, now)
}

/// The person and the standing that a token must hold for.
pub(super) fn bound_to(signed: &Signed, sight: &Sight) -> (Digest, Digest) {
    let workflow = &sight.workflow;
    let position = sight.told.last().map_or(0, |told| told.event.position);
    let standing =
        format!("{}\n{}\n{}\n{position}", workflow.id, workflow.state.word(), workflow.plan_number);
    (person(signed), Digest::of_bytes(standing.as_bytes()))
}

fn person(signed: &Signed) -> Digest {
    Digest::of_bytes(format!("console\n{}", signed.address.key()).as_bytes())
}
