//! Corrections and order: what becomes of a request that comes in, given what stands for the same person.
//!
//! Must hold: a function of its arguments; where order is in doubt, taking access away wins; a stale event never gives
//! anything back; what has begun is compensated by a request of its own and never undone in silence. Deliberately
//! absent: carrying it out (the store does, in the transaction that takes the message in).

use chrono::TimeDelta;

use super::ids::WorkflowId;
use super::kind::{Family, Kind};
use super::time::Timestamp;

mod again;
mod made;
mod order;
#[cfg(test)]
mod tests;

use again::{comes_back_already, leave_later, start_anew, starts_before, stays_after_all};
pub use made::{leaver_instead, rehire_instead};
pub use order::{Age, Known, Placed, Sender, age};

/// What stands for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Which workflow.
    pub id: WorkflowId,
    /// What it asks for.
    pub kind: Kind,
    /// How far it has come.
    pub stand: Stand,
    /// When it takes effect; absent where it is to be done at once.
    pub takes_effect: Option<Timestamp>,
    /// Does it want the very same as what comes in?
    pub wish: Wish,
    /// How what comes in stands to it in the order of events.
    pub age: Age,
}

/// How far a workflow has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stand {
    /// Nothing of it was begun.
    Open,
    /// It is being carried out, or stopped half-way.
    Begun,
    /// It is done and verified.
    Done,
    /// It ended otherwise, and nothing of it counts.
    Over,
}

/// Do two requests want the same, whatever else they say?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// In every field.
    Same,
    /// Not in every field.
    Other,
}

/// Is an account known to be the person's?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HasAccount {
    /// Yes, in some target.
    Known,
    /// Not as far as is known.
    Unknown,
}

/// How what comes in relates to an earlier request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked<'a> {
    /// It stands alone.
    New,
    /// It takes the place of this one.
    Amend(&'a Standing),
    /// It takes this one back.
    Rescind(&'a Standing),
}

/// What comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Incoming<'a> {
    /// What it asks for.
    pub kind: Kind,
    /// How it relates to an earlier one.
    pub asked: Asked<'a>,
    /// When it takes effect; absent where it is to be done at once.
    pub takes_effect: Option<Timestamp>,
    /// Against the newest that was heard of this person.
    pub age: Age,
    /// Is an account known to be the person's?
    pub account: HasAccount,
    /// Now.
    pub now: Timestamp,
    /// What should have taken effect longer ago than this, a person looks at first.
    pub oldest: TimeDelta,
}

/// What becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Course {
    /// It becomes a workflow.
    TakeIn(TakenIn),
    /// It wants what this open request wants already.
    Repeat(WorkflowId),
    /// It becomes no workflow: this one ends, or is stopped.
    Withdraw(WorkflowId),
    /// Something else is asked for in its place, because what it takes back was carried out.
    AskInstead(Instead),
    /// It is older than what was heard before: recorded, and ignored.
    Stale,
    /// It changes nothing about this one, which has come to where it wants it.
    Noted(WorkflowId),
    /// It is recorded, and people are told: nothing is undone by itself.
    Tell(WorkflowId, Telling),
    /// It is refused.
    Refuse(Refusal),
}

/// What else happens when a request becomes a workflow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TakenIn {
    /// These end in its favour, or are stopped for it.
    pub ends: Vec<WorkflowId>,
    /// It is not planned before this one has come to rest.
    pub waits_for: Option<WorkflowId>,
    /// It should have taken effect so long ago that people are told, and that giving waits until one of them has looked.
    pub late_by: Option<TimeDelta>,
    /// What was begun or carried out is made up for by a request beside it. A leaver comes first: this one waits for it.
    pub beside: Option<Instead>,
    /// People are told of another request besides.
    pub tell: Option<(WorkflowId, Telling)>,
}

/// A request that is made in the place of another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instead {
    /// What is asked for.
    pub kind: Made,
    /// What was carried out, or is being carried out.
    pub of: WorkflowId,
    /// Is that one still under way, so that it is stopped first?
    pub stops: Vec<WorkflowId>,
    /// The made request waits for this one.
    pub waits_for: Option<WorkflowId>,
}

/// The kinds of request that are made here. Neither goes without people, unless a rule lets leavers go so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    /// Access ends.
    Leaver,
    /// Access comes back, once people have approved it.
    Rehire,
}

/// Why people are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Telling {
    /// What was begun or carried out is to be otherwise.
    HasBegun,
    /// A change that was carried out is taken back.
    ChangeIsDone,
    /// A leaver that is due is taken back or put off: it goes on all the same.
    LeaverIsDue,
    /// Somebody is said to come back whose leaver is due: it goes on all the same.
    ComesBackTooLate,
}

/// Why it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Nothing orders it and an open one of its family.
    StillOpen(WorkflowId),
    /// The earlier one is of another kind.
    OtherKind,
    /// The earlier one has ended without effect, so there is nothing to amend.
    NotOpen(WorkflowId),
}

/// Decides.
pub fn course(incoming: &Incoming<'_>, others: &[Standing]) -> Course {
    if incoming.age == Age::Older {
        return Course::Stale;
    }
    match incoming.asked {
        Asked::Amend(earlier) | Asked::Rescind(earlier) if earlier.kind != incoming.kind => {
            Course::Refuse(Refusal::OtherKind)
        }
        Asked::New => new(incoming, others),
        Asked::Amend(earlier) => amend(incoming, earlier, others),
        Asked::Rescind(earlier) => rescind(incoming, earlier, others),
    }
}

fn new(incoming: &Incoming<'_>, others: &[Standing]) -> Course {
    match incoming.kind.family() {
        Family::End => new_end(incoming, others),
        Family::Start | Family::Change => new_giving(incoming, others),
        Family::Credential => take_in(incoming, vec![], None),
    }
}

/// Taking away is always taken in; one that is known to be newer takes the place of an open one.
fn new_end(incoming: &Incoming<'_>, others: &[Standing]) -> Course {
    let open = |one: &&Standing| one.kind == Kind::Leaver && one.stand == Stand::Open;
    let mut ends = give_way(incoming.takes_effect, incoming.now, others);
    if incoming.age == Age::Newer {
        for earlier in others.iter().filter(open) {
            if puts_off(incoming, earlier) {
                return Course::Tell(earlier.id, Telling::LeaverIsDue);
            }
            ends.push(earlier.id);
        }
    }
    take_in(incoming, ends, awaited_by_leaver(incoming, others))
}

/// Giving: one at a time, and nothing that a leaver takes.
fn new_giving(incoming: &Incoming<'_>, others: &[Standing]) -> Course {
    let family = incoming.kind.family();
    let mut ends = Vec::new();
    let mut waits_for = None;
    for earlier in others.iter().filter(|one| one.kind.family() == family) {
        match (earlier.stand, incoming.age) {
            (Stand::Open | Stand::Begun, _) if earlier.wish == Wish::Same => {
                return Course::Repeat(earlier.id);
            }
            (Stand::Open, Age::Newer) => ends.push(earlier.id),
            (Stand::Begun, Age::Newer) if family == Family::Change => waits_for = Some(earlier.id),
            (Stand::Begun, Age::Newer) => return start_anew(incoming, earlier, others),
            (Stand::Open | Stand::Begun, Age::Unknown) => {
                return Course::Refuse(Refusal::StillOpen(earlier.id));
            }
            (Stand::Open | Stand::Begun, Age::Older) | (Stand::Done | Stand::Over, _) => {}
        }
    }
    if family == Family::Change {
        waits_for = waits_for.or_else(|| starts_before(incoming, others));
    }
    let mut tell = None;
    for leaver in others.iter().filter(|one| one.kind == Kind::Leaver && one.stand != Stand::Over) {
        let comes_first = takes_before(leaver, incoming.takes_effect, incoming.now);
        if comes_first && leaver.age == Age::Older {
            // It was said before the leaver was, and has only come in after it.
            return Course::Stale;
        }
        match (incoming.kind, leaver.stand) {
            (Kind::Rehire, Stand::Open) if stays_after_all(incoming, leaver) => ends.push(leaver.id),
            (Kind::Rehire | Kind::Mover, Stand::Open | Stand::Begun) if comes_first => {
                waits_for = Some(leaver.id);
                if incoming.kind == Kind::Rehire
                    && leaver.stand == Stand::Open
                    && is_due(leaver, incoming.now)
                {
                    tell = Some((leaver.id, Telling::ComesBackTooLate));
                }
            }
            (Kind::Joiner, Stand::Open | Stand::Begun)
                if comes_first && incoming.account == HasAccount::Known =>
            {
                waits_for = Some(leaver.id);
            }
            (
                Kind::Joiner
                | Kind::Mover
                | Kind::Rehire
                | Kind::Leaver
                | Kind::ResetPassword
                | Kind::Unsuspend,
                _,
            ) => {}
        }
    }
    match take_in(incoming, ends, waits_for) {
        Course::TakeIn(taken) => Course::TakeIn(TakenIn { tell, ..taken }),
        otherwise => otherwise,
    }
}

fn amend(incoming: &Incoming<'_>, earlier: &Standing, others: &[Standing]) -> Course {
    let is_end = incoming.kind.family() == Family::End;
    match earlier.stand {
        Stand::Over if is_end => new_end(incoming, others),
        Stand::Over => Course::Refuse(Refusal::NotOpen(earlier.id)),
        Stand::Open if is_end && puts_off(incoming, earlier) => {
            Course::Tell(earlier.id, Telling::LeaverIsDue)
        }
        Stand::Open => {
            // What is said anew stands for itself beside all others, with the earlier one out of the way.
            let others: Vec<_> = others.iter().filter(|one| one.id != earlier.id).cloned().collect();
            match new(incoming, &others) {
                Course::TakeIn(mut taken) => {
                    taken.ends.insert(0, earlier.id);
                    Course::TakeIn(taken)
                }
                otherwise => otherwise,
            }
        }
        Stand::Begun | Stand::Done => match incoming.kind {
            Kind::Leaver if incoming.takes_effect.is_some_and(|day| day > incoming.now) => {
                leave_later(incoming, earlier, others)
            }
            Kind::Leaver => Course::Noted(earlier.id),
            Kind::Mover => {
                let begun = (earlier.stand == Stand::Begun).then_some(earlier.id);
                let others: Vec<_> = others.iter().filter(|one| one.id != earlier.id).cloned().collect();
                match new(incoming, &others) {
                    Course::TakeIn(taken) => {
                        Course::TakeIn(TakenIn { waits_for: taken.waits_for.or(begun), ..taken })
                    }
                    otherwise => otherwise,
                }
            }
            Kind::Joiner | Kind::Rehire => start_anew(incoming, earlier, others),
            Kind::ResetPassword | Kind::Unsuspend => Course::Tell(earlier.id, Telling::HasBegun),
        },
    }
}

fn rescind(incoming: &Incoming<'_>, earlier: &Standing, others: &[Standing]) -> Course {
    match (incoming.kind, earlier.stand) {
        (_, Stand::Over) => Course::Noted(earlier.id),
        (Kind::Leaver, Stand::Open) if is_due(earlier, incoming.now) => {
            Course::Tell(earlier.id, Telling::LeaverIsDue)
        }
        (_, Stand::Open) | (Kind::Mover | Kind::ResetPassword | Kind::Unsuspend, Stand::Begun) => {
            Course::Withdraw(earlier.id)
        }
        (Kind::Leaver, Stand::Begun | Stand::Done) if comes_back_already(others) => Course::Noted(earlier.id),
        (Kind::Leaver, Stand::Begun | Stand::Done) => Course::AskInstead(instead(Made::Rehire, earlier)),
        (Kind::Joiner | Kind::Rehire, Stand::Begun | Stand::Done) => {
            let mut made = instead(Made::Leaver, earlier);
            made.stops
                .extend(give_way(None, incoming.now, others).into_iter().filter(|id| *id != earlier.id));
            if made.waits_for.is_some() && incoming.account == HasAccount::Known {
                made.waits_for = None;
            }
            Course::AskInstead(made)
        }
        (Kind::Mover | Kind::ResetPassword | Kind::Unsuspend, Stand::Done) => {
            Course::Tell(earlier.id, Telling::ChangeIsDone)
        }
    }
}

fn instead(kind: Made, of: &Standing) -> Instead {
    let begun = (of.stand == Stand::Begun).then_some(of.id);
    let stops = match kind {
        Made::Leaver => begun.into_iter().collect(),
        // Taking away is not stopped half-way: what it has taken is given back as a whole, or not at all.
        Made::Rehire => vec![],
    };
    Instead { kind, of: of.id, stops, waits_for: begun }
}

/// The open and begun requests that give what a leaver takes: those that would give it once its day has come.
pub fn give_way(leaver: Option<Timestamp>, now: Timestamp, others: &[Standing]) -> Vec<WorkflowId> {
    let day = leaver.filter(|day| *day > now);
    let after = |one: &Standing| match (day, one.takes_effect) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(day), Some(theirs)) => theirs >= day,
    };
    let gives = |one: &Standing| match one.kind {
        Kind::Joiner | Kind::Mover | Kind::Rehire => true,
        Kind::Leaver | Kind::ResetPassword | Kind::Unsuspend => false,
    };
    let stands = |one: &Standing| matches!(one.stand, Stand::Open | Stand::Begun);
    others.iter().filter(|one| gives(one) && stands(one) && after(one)).map(|one| one.id).collect()
}

/// An account that is just being made, and that nobody knows yet, is not to be missed: its leaver is planned once that
/// run has come to rest.
fn awaited_by_leaver(incoming: &Incoming<'_>, others: &[Standing]) -> Option<WorkflowId> {
    let ends = give_way(incoming.takes_effect, incoming.now, others);
    let making =
        |one: &&Standing| one.kind == Kind::Joiner && one.stand == Stand::Begun && ends.contains(&one.id);
    match incoming.account {
        HasAccount::Known => None,
        HasAccount::Unknown => others.iter().find(making).map(|one| one.id),
    }
}

fn take_in(incoming: &Incoming<'_>, ends: Vec<WorkflowId>, waits_for: Option<WorkflowId>) -> Course {
    let late_by = incoming.takes_effect.map(|day| incoming.now.since(day));
    let late_by = late_by.filter(|late| *late > incoming.oldest);
    Course::TakeIn(TakenIn { ends, waits_for, late_by, beside: None, tell: None })
}

/// Has the day of a request come?
fn is_due(one: &Standing, now: Timestamp) -> bool {
    one.takes_effect.is_none_or(|day| day <= now)
}

/// Would this put a leaver off whose day has come?
fn puts_off(incoming: &Incoming<'_>, leaver: &Standing) -> bool {
    is_due(leaver, incoming.now) && incoming.takes_effect.is_some_and(|day| day > incoming.now)
}

/// Does a leaver take effect before this moment, or no later?
fn takes_before(leaver: &Standing, theirs: Option<Timestamp>, now: Timestamp) -> bool {
    is_due(leaver, now) || matches!((leaver.takes_effect, theirs), (Some(day), Some(theirs)) if day <= theirs)
}
