//! What begins, changes or ends once more: where an earlier request for the same person was begun, or is said otherwise.
//!
//! Must hold: nobody who is to come later has access until then; whose end is put off leaves on the new day all the same;
//! a leaver whose day has come is ended by no event.

use super::{Age, Course, HasAccount, Incoming, Made, Stand, Standing, TakenIn};
use super::{instead, is_due, new, new_end, takes_before};
use crate::domain::ids::WorkflowId;
use crate::domain::kind::Family;

/// Who is said to come back by the day of a leaver does not leave at all. That it was said after the leaver must be
/// known, and the leaver's day must not have come: one that is due is cancelled by two people and by no event.
pub(super) fn stays_after_all(incoming: &Incoming<'_>, leaver: &Standing) -> bool {
    let from = incoming.takes_effect.unwrap_or(incoming.now);
    let without_a_gap = leaver.takes_effect.is_some_and(|day| from <= day);
    leaver.age == Age::Newer && !is_due(leaver, incoming.now) && without_a_gap
}

/// The beginning that a change waits for: of an account that nobody knows yet, or of one that begins before it.
pub(super) fn starts_before(incoming: &Incoming<'_>, others: &[Standing]) -> Option<WorkflowId> {
    let starts = |one: &&Standing| {
        let comes_first = takes_before(one, incoming.takes_effect, incoming.now);
        one.kind.family() == Family::Start
            && matches!(one.stand, Stand::Open | Stand::Begun)
            && (incoming.account == HasAccount::Unknown || comes_first)
    };
    others.iter().find(starts).map(|one| one.id)
}

/// A beginning that was begun or carried out is said anew. If it is to come later now, the account is disabled until
/// then, by a leaver of its own; else it is changed once that run has come to rest.
pub(super) fn start_anew(incoming: &Incoming<'_>, earlier: &Standing, others: &[Standing]) -> Course {
    let others: Vec<_> = others.iter().filter(|one| one.id != earlier.id).cloned().collect();
    let taken = match new(incoming, &others) {
        Course::TakeIn(taken) => taken,
        otherwise => return otherwise,
    };
    let later = incoming.takes_effect.is_some_and(|day| day > incoming.now);
    if later && taken.waits_for.is_none() {
        let mut beside = instead(Made::Leaver, earlier);
        if incoming.account == HasAccount::Known {
            beside.waits_for = None;
        }
        return Course::TakeIn(TakenIn { beside: Some(beside), ..taken });
    }
    let begun = (earlier.stand == Stand::Begun).then_some(earlier.id);
    Course::TakeIn(TakenIn { waits_for: taken.waits_for.or(begun), ..taken })
}

/// A leaver that was begun or carried out is to come later now: what it took is asked for again, and the new day stands.
pub(super) fn leave_later(incoming: &Incoming<'_>, earlier: &Standing, others: &[Standing]) -> Course {
    let beside = (!comes_back_already(others)).then(|| instead(Made::Rehire, earlier));
    match new_end(incoming, others) {
        Course::TakeIn(taken) => Course::TakeIn(TakenIn { beside, ..taken }),
        otherwise => otherwise,
    }
}

/// Is somebody asked already whether the person begins, or begins once more?
pub(super) fn comes_back_already(others: &[Standing]) -> bool {
    let starts = |one: &Standing| one.kind.family() == Family::Start;
    others.iter().any(|one| starts(one) && matches!(one.stand, Stand::Open | Stand::Begun))
}
