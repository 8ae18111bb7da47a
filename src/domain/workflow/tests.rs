//! Which move is possible from which state.

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds).unwrap()
}

fn all() -> Vec<State> {
    vec![
        State::Planning,
        State::PendingApproval { stage: 0, expires_at: Some(at(5)) },
        State::Approved { not_before: at(5) },
        State::Running,
        State::Succeeded,
        State::Rejected,
        State::Expired,
        State::Cancelled,
        State::Superseded,
        State::Failed { reason: "r".to_owned() },
        State::NeedsAttention { reason: "r".to_owned(), stalled: Stalled::Running },
    ]
}

#[test]
fn each_move_is_possible_from_exactly_its_own_states() {
    let by = EmailAddress::parse("ana@example.com").unwrap();
    let from = |possible: &dyn Fn(&State) -> bool| {
        all().iter().filter(|state| possible(state)).map(State::word).collect::<Vec<_>>()
    };
    assert_eq!(from(&|state| state.replanning(0, &[]).is_ok()), ["pending_approval", "approved"]);
    assert_eq!(from(&|state| state.next_stage(1).is_ok()), ["pending_approval"]);
    assert_eq!(from(&|state| state.decided(&by, Verdict::Approve, at(1)).is_ok()), ["pending_approval"]);
    assert_eq!(from(&|state| state.expired(at(5)).is_ok()), ["pending_approval"]);
    assert_eq!(from(&|state| state.expired(at(4)).is_ok()), [""; 0]);
    assert_eq!(from(&|state| state.started(at(5)).is_ok()), ["approved"]);
    assert_eq!(from(&|state| state.started(at(4)).is_ok()), [""; 0]);
    assert_eq!(from(&|state| state.widened(2, Digest([0; 32]), "").is_ok()), ["approved", "running"]);
    assert_eq!(from(&|state| state.succeeded().is_ok()), ["running"]);
    assert_eq!(
        from(&|state| state.needs_attention(String::new()).is_ok()),
        ["planning", "approved", "running"]
    );
    assert_eq!(from(&|state| state.resumed("op", "r", at(1)).is_ok()), ["needs_attention"]);
    assert_eq!(from(&|state| state.given_up("op", "r").is_ok()), ["needs_attention"]);
    assert_eq!(from(&|state| state.lapsed(at(5), at(5)).is_ok()), ["approved"]);
    assert_eq!(from(&|state| state.lapsed(at(5), at(4)).is_ok()), [""; 0]);
    assert_eq!(from(&|state| state.undecided(at(5)).is_ok()), ["pending_approval"]);
    assert_eq!(from(&|state| state.undecided(at(4)).is_ok()), [""; 0]);
}

#[test]
fn newer_zone_data_move_what_waits_and_nothing_else() {
    let moved =
        |state: &State, from: i64| state.rescheduled((at(from), at(9)), "2026z").map(|moved| moved.next);
    for state in all() {
        let waits = match &state {
            State::Approved { .. } => Some(State::Approved { not_before: at(9) }),
            // The asking about a leaver ends at that instant, and moves with it.
            State::PendingApproval { .. } => {
                Some(State::PendingApproval { stage: 0, expires_at: Some(at(9)) })
            }
            State::NeedsAttention { .. } => Some(state.clone()),
            _ => None,
        };
        assert_eq!(moved(&state, 5).ok(), waits, "{state:?}");
    }
    let asked = State::PendingApproval { stage: 0, expires_at: Some(at(5)) };
    assert_eq!(moved(&asked, 4).unwrap(), asked, "an asking that ends otherwise stays as it is");
}

#[test]
fn each_way_of_standing_still_has_its_own_ways_on() {
    let decided = |state: &State| state.overruled(Verdict::Approve, ("op", "r"), at(1)).is_ok();
    for (stalled, resumes, gives_up, decides) in [
        (Stalled::Planning, true, true, false),
        (Stalled::Approved, true, true, false),
        (Stalled::Running, true, true, false),
        (Stalled::Undecided, true, true, true),
        (Stalled::Held, false, false, false),
    ] {
        let state = State::NeedsAttention { reason: "r".to_owned(), stalled };
        let ways =
            (state.resumed("op", "r", at(1)).is_ok(), state.given_up("op", "r").is_ok(), decided(&state));
        assert_eq!(ways, (resumes, gives_up, decides), "{stalled:?}");
        assert_eq!(Stalled::parse(stalled.word()), Some(stalled));
    }
}

#[test]
fn after_three_new_plans_a_person_must_look() {
    let asked = State::PendingApproval { stage: 0, expires_at: None };
    assert_eq!(asked.replanning(2, &[]).unwrap().next, State::Planning);
    assert_eq!(asked.replanning(3, &[]).unwrap().next.word(), "needs_attention");
}
