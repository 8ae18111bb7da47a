//! A create that takes effect later than any look for it: how long its name is watched, and what becomes of an account
//! that comes up then.
//!
//! Must hold: while a run may still go on, its own look finds the account; once it is over without success, an account
//! with our mark is disabled, because nobody else will come to it. Deliberately absent: whose account it is (the
//! target's room), and calling anything.

use chrono::TimeDelta;

use super::step::Outcome;
use super::time::Timestamp;
use super::workflow::State;

/// The shortest wait between two looks at a watched name.
const SHORTEST_PAUSE: TimeDelta = TimeDelta::seconds(15);
/// The longest one.
const LONGEST_PAUSE: TimeDelta = TimeDelta::minutes(5);
/// A name that cannot be looked at for so long after its time goes to a person.
pub const GIVE_UP_AFTER: TimeDelta = TimeDelta::hours(24);

/// What is to be done about a watched name, as its workflow stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Course {
    /// Its own run looks first.
    LeaveToItsRun,
    /// Nobody comes to the account any more: it is looked for.
    Look,
    /// There is nothing to be watched any more.
    Over,
}

impl Course {
    /// The course for a workflow in this state.
    pub const fn of(state: &State) -> Self {
        match state {
            State::Planning | State::PendingApproval { .. } | State::Approved { .. } | State::Running => {
                Self::LeaveToItsRun
            }
            // An operator may send it on, and finds the account disabled then; nobody may ever do so.
            State::NeedsAttention { .. }
            | State::Rejected
            | State::Expired
            | State::Cancelled
            | State::Superseded
            | State::Failed { .. } => Self::Look,
            State::Succeeded => Self::Over,
        }
    }
}

/// When a watched name is looked at next; nothing once its time is over.
pub fn next_look(now: Timestamp, until: Timestamp) -> Option<Timestamp> {
    let left = until.since(now);
    if left <= TimeDelta::zero() {
        return None;
    }
    let pause = (left / 8).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
    Some(now.plus(pause).min(until))
}

/// What follows a try at disabling a late account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterTry {
    /// It is disabled.
    Disabled,
    /// Another form is tried at once.
    OtherForm,
    /// It is tried again later.
    Later,
    /// Only a person can end it.
    ByPerson,
}

impl AfterTry {
    /// What follows this outcome of the try of that number, of so many at most.
    pub const fn of(outcome: &Outcome, tries: u32, most: u32) -> Self {
        match outcome {
            Outcome::Done | Outcome::AlreadySo => Self::Disabled,
            Outcome::OtherForm { .. } => Self::OtherForm,
            Outcome::NotThere | Outcome::Retry { .. } | Outcome::Unknown => {
                if tries < most {
                    Self::Later
                } else {
                    Self::ByPerson
                }
            }
            Outcome::Misdirected { .. } | Outcome::TakenOut | Outcome::Refused | Outcome::NeedsPerson => {
                Self::ByPerson
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::workflow::Stalled;

    #[test]
    fn only_what_is_over_without_success_is_looked_after() {
        let at = Timestamp::from_unix_seconds(1_800_000_000).unwrap();
        let reason = String::new;
        let table = [
            (State::Planning, Course::LeaveToItsRun),
            (State::PendingApproval { stage: 0, expires_at: None }, Course::LeaveToItsRun),
            (State::Approved { not_before: at }, Course::LeaveToItsRun),
            (State::Running, Course::LeaveToItsRun),
            (State::Succeeded, Course::Over),
            (State::Rejected, Course::Look),
            (State::Expired, Course::Look),
            (State::Cancelled, Course::Look),
            (State::Superseded, Course::Look),
            (State::Failed { reason: reason() }, Course::Look),
            (State::NeedsAttention { reason: reason(), stalled: Stalled::Running }, Course::Look),
        ];
        for (state, course) in table {
            assert_eq!(Course::of(&state), course, "{state:?}");
        }
    }

    #[test]
    fn looks_grow_denser_and_the_last_one_is_at_the_end() {
        let begun = Timestamp::from_unix_seconds(1_800_000_000).unwrap();
        let until = begun.plus(TimeDelta::minutes(5));
        let (mut now, mut looks) = (begun, 0);
        while let Some(next) = next_look(now, until) {
            assert!(next > now && next <= until);
            (now, looks) = (next, looks + 1);
        }
        assert_eq!(now, until);
        assert!((8..30).contains(&looks), "{looks}");
        assert_eq!(next_look(until, until), None);
        let day = begun.plus(TimeDelta::hours(24));
        assert_eq!(next_look(begun, day), Some(begun.plus(LONGEST_PAUSE)));
    }

    #[test]
    fn tries_are_bounded_and_end_at_a_person() {
        let passing = Outcome::Retry { after_seconds: None };
        for (outcome, tries, then) in [
            (Outcome::Done, 9, AfterTry::Disabled),
            (Outcome::AlreadySo, 1, AfterTry::Disabled),
            (Outcome::Unknown, 3, AfterTry::Later),
            (Outcome::Unknown, 4, AfterTry::ByPerson),
            (passing.clone(), 3, AfterTry::Later),
            (passing, 4, AfterTry::ByPerson),
            (Outcome::Refused, 1, AfterTry::ByPerson),
            (Outcome::NeedsPerson, 1, AfterTry::ByPerson),
        ] {
            assert_eq!(AfterTry::of(&outcome, tries, 4), then, "{outcome:?} {tries}");
        }
    }
}
