//! What a form of the console is bound to: the person it was shown to, and the workflow, or the batch, as it stood.

use super::sight::Sight;
use crate::domain::canon::Digest;
use crate::domain::time::Timestamp;
use crate::kit::Kit;
use crate::people::Signed;
use crate::store::batches::Batch;

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

/// The same of a batch, as it stands at this moment. A leaver that joins it changes nothing about the others, so it
/// does not count; what is proposed does.
pub(super) fn bound_to_batch(signed: &Signed, batch: &Batch, now: Timestamp) -> (Digest, Digest) {
    let proposals = batch.proposals.iter().map(|proposal| {
        let how = match (&proposal.confirmed, proposal.holds_until > now) {
            (Some(_), _) => "confirmed",
            (None, true) => "stands",
            (None, false) => "over",
        };
        format!("{} {} {how}", proposal.selection, proposal.proposed_at)
    });
    let standing = format!("held\n{}\n{}", batch.id, proposals.collect::<Vec<_>>().join("\n"));
    (person(signed), Digest::of_bytes(standing.as_bytes()))
}

fn person(signed: &Signed) -> Digest {
    Digest::of_bytes(format!("console\n{}", signed.address.key()).as_bytes())
}
