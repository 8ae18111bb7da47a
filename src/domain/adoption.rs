//! Which account may a person declare to be a workflow's own? One that a lost create of this workflow may have made.
//!
//! Must hold: without an attempt at making the account of which nobody knows what came, and without a mark of ours on it,
//! whoever holds the name is somebody else, and no word of a person makes the account ours.

use super::ids::VaultUserId;
use super::step::{Outcome, Purpose, Report};

/// One attempt at making the account, as it was recorded.
#[derive(Debug, Clone, Copy)]
pub struct Tried<'a> {
    /// The word of its purpose.
    pub purpose: &'a str,
    /// What it brought; absent where it never ended.
    pub report: Option<&'a Report>,
}

impl Tried<'_> {
    /// May this attempt have made an account of which nobody has heard, now or later?
    pub fn is_unresolved(&self) -> bool {
        if self.purpose != Purpose::Act.word() {
            return false;
        }
        let Some(report) = self.report else { return true };
        match report.outcome {
            Outcome::Unknown => true,
            // The vault said yes, or nothing, and what was found then is for a person to judge.
            Outcome::NeedsPerson => report.calls.iter().any(|call| {
                call.method != "GET" && !call.status.is_some_and(|status| (400..500).contains(&status))
            }),
            Outcome::Done
            | Outcome::AlreadySo
            | Outcome::NotThere
            | Outcome::Retry { .. }
            | Outcome::OtherForm { .. }
            | Outcome::Misdirected { .. }
            | Outcome::TakenOut
            | Outcome::Refused => false,
        }
    }
}

/// The account that may be adopted: who holds the name by the last of these attempts, if one of them is unresolved.
/// They are all those of one workflow, oldest first.
pub fn adoptable(tries: &[Tried<'_>]) -> Option<VaultUserId> {
    let last = tries.last()?.report?;
    if last.lost.is_some() {
        // It carries our mark, and the attempt that left it was lost with the database that knew of it.
        return last.lost;
    }
    let found = last.stranger?;
    tries.iter().any(Tried::is_unresolved).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::step::CallSeen;

    fn report(outcome: Outcome, posted: &[Option<u16>], stranger: Option<i64>) -> Report {
        let call = |status| CallSeen { method: "POST".to_owned(), path: "Users".to_owned(), status };
        let calls = posted.iter().copied().map(call).collect();
        let stranger = stranger.map(VaultUserId);
        Report {
            outcome,
            words: "w".to_owned(),
            calls,
            user_id: None,
            made_by: None,
            stranger,
            lost: None,
            access: None,
            before: None,
        }
    }

    fn found(tries: &[(&str, Option<&Report>)]) -> Option<i64> {
        let tries: Vec<_> =
            tries.iter().map(|(purpose, report)| Tried { purpose, report: *report }).collect();
        adoptable(&tries).map(|id| id.0)
    }

    #[test]
    fn only_what_a_lost_create_may_have_made_is_adopted() {
        let lost = report(Outcome::Unknown, &[None], None);
        let nobody = report(Outcome::NotThere, &[], None);
        let somebody = report(Outcome::NeedsPerson, &[], Some(7));
        let taken = report(Outcome::NeedsPerson, &[Some(409)], Some(7));
        let refused = report(Outcome::Refused, &[Some(403)], None);
        let unnamed = report(Outcome::NeedsPerson, &[Some(201)], Some(7));
        // A stranger, whether met before anything was sent or by the name being taken.
        assert_eq!(found(&[("act", Some(&somebody))]), None);
        assert_eq!(found(&[("act", Some(&taken))]), None);
        assert_eq!(found(&[("act", Some(&refused)), ("act", Some(&somebody))]), None);
        // After a lost create, at once or when the first look found nothing, and after one that was interrupted.
        assert_eq!(found(&[("act", Some(&lost)), ("look", Some(&somebody))]), Some(7));
        assert_eq!(found(&[("act", Some(&lost)), ("look", Some(&nobody)), ("act", Some(&taken))]), Some(7));
        assert_eq!(found(&[("act", None), ("look", Some(&somebody))]), Some(7));
        // The vault said yes without a number, and the one that is found carries no mark.
        assert_eq!(found(&[("act", Some(&unnamed))]), Some(7));
        // A look that never ended made nothing, and where nobody was seen there is nobody to adopt.
        assert_eq!(found(&[("look", None), ("look", Some(&somebody))]), None);
        assert_eq!(found(&[("act", Some(&lost)), ("look", Some(&nobody))]), None);
        assert_eq!(found(&[("act", None)]), None);
        assert_eq!(found(&[]), None);
        // One with our mark, made by an attempt that this database has lost.
        let lost = Report { lost: Some(VaultUserId(7)), ..somebody.clone() };
        assert_eq!(found(&[("act", Some(&lost))]), Some(7));
    }
}
