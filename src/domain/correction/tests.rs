//! The table of corrections: every row, with what stands and what becomes of it.

use super::*;
use crate::domain::time::Timestamp;

const NOW: i64 = 1_000_000;

fn at(days: i64) -> Timestamp {
    Timestamp::from_unix_seconds(NOW + days * 86_400).unwrap()
}

fn id(number: u8) -> WorkflowId {
    WorkflowId::made(at(0), [number; 10])
}

fn standing(number: u8, kind: Kind, stand: Stand, days: i64) -> Standing {
    Standing {
        id: id(number),
        kind,
        stand,
        takes_effect: Some(at(days)),
        wish: Wish::Other,
        age: Age::Unknown,
    }
}

fn incoming(kind: Kind, asked: Asked<'_>, days: i64) -> Incoming<'_> {
    Incoming {
        kind,
        asked,
        takes_effect: Some(at(days)),
        age: Age::Unknown,
        account: HasAccount::Known,
        now: at(0),
        oldest: TimeDelta::days(30),
    }
}

fn taken(ends: &[u8], waits_for: Option<u8>) -> Course {
    let ends = ends.iter().map(|number| id(*number)).collect();
    Course::TakeIn(TakenIn { ends, waits_for: waits_for.map(id), ..TakenIn::default() })
}

fn beside(kind: Made, stops: &[u8], waits_for: Option<u8>) -> Course {
    let stops = stops.iter().map(|number| id(*number)).collect();
    let made = Instead { kind, of: id(1), stops, waits_for: waits_for.map(id) };
    Course::TakeIn(TakenIn { beside: Some(made), ..TakenIn::default() })
}

fn newer(incoming: Incoming<'_>) -> Incoming<'_> {
    Incoming { age: Age::Newer, ..incoming }
}

use Asked::{Amend, New, Rescind};
use Kind::{Joiner, Leaver, Mover, Rehire};
use Stand::{Begun, Done, Open, Over};

#[test]
fn a_leaver_takes_the_place_of_whatever_would_give() {
    for kind in [Joiner, Mover, Rehire] {
        for stand in [Open, Begun] {
            let others = [standing(1, kind, stand, 0)];
            assert_eq!(course(&incoming(Leaver, New, 0), &others), taken(&[1], None), "{kind} {stand:?}");
        }
        // Whoever begins tomorrow and leaves in a month does begin tomorrow; and who leaves tomorrow never begins later.
        let soon = [standing(1, kind, Open, 1)];
        assert_eq!(course(&incoming(Leaver, New, 30), &soon), taken(&[], None));
        let late = [standing(1, kind, Open, 30)];
        assert_eq!(course(&incoming(Leaver, New, 1), &late), taken(&[1], None));
        let done = [standing(1, kind, Done, 0), standing(2, kind, Over, 0)];
        assert_eq!(course(&incoming(Leaver, New, 0), &done), taken(&[], None));
    }
}

#[test]
fn a_leaver_whose_account_is_just_being_made_waits_for_that_run() {
    let others = [standing(1, Joiner, Begun, 0)];
    let unknown = Incoming { account: HasAccount::Unknown, ..incoming(Leaver, New, 0) };
    assert_eq!(course(&unknown, &others), taken(&[1], Some(1)));
    assert_eq!(course(&incoming(Leaver, New, 0), &others), taken(&[1], None));
    let open = [standing(1, Joiner, Open, 0)];
    assert_eq!(course(&unknown, &open), taken(&[1], None));
}

#[test]
fn a_second_leaver_is_always_taken_and_a_newer_one_takes_the_place_of_an_open_one() {
    let open = [standing(1, Leaver, Open, 10)];
    assert_eq!(course(&incoming(Leaver, New, 5), &open), taken(&[], None));
    assert_eq!(course(&newer(incoming(Leaver, New, 5)), &open), taken(&[1], None));
    assert_eq!(course(&newer(incoming(Leaver, New, 20)), &open), taken(&[1], None));
    let begun = [standing(1, Leaver, Begun, 0)];
    assert_eq!(course(&newer(incoming(Leaver, New, 0)), &begun), taken(&[], None));
    // One that is due is not put off by an event alone.
    let due = [standing(1, Leaver, Open, -1)];
    let told = Course::Tell(id(1), Telling::LeaverIsDue);
    assert_eq!(course(&newer(incoming(Leaver, New, 20)), &due), told);
    assert_eq!(course(&newer(incoming(Leaver, New, 0)), &due), taken(&[1], None));
}

#[test]
fn a_moved_date_takes_the_place_of_what_has_not_begun() {
    for kind in [Joiner, Mover, Leaver] {
        let open = standing(1, kind, Open, 10);
        for days in [5, 20] {
            let amended = course(&incoming(kind, Amend(&open), days), std::slice::from_ref(&open));
            assert_eq!(amended, taken(&[1], None), "{kind} {days}");
            let again = course(&newer(incoming(kind, New, days)), std::slice::from_ref(&open));
            assert_eq!(again, taken(&[1], None), "{kind} {days}");
        }
    }
    for stand in [Begun, Done] {
        let begun = (stand == Begun).then_some(1);
        for kind in [Joiner, Rehire] {
            let start = standing(1, kind, stand, 0);
            let disabled_until_then = beside(Made::Leaver, begun.as_slice(), None);
            assert_eq!(course(&incoming(kind, Amend(&start), 20), &[]), disabled_until_then);
            assert_eq!(course(&incoming(kind, Amend(&start), -1), &[]), taken(&[], begun));
        }
        let leaver = standing(1, Leaver, stand, 0);
        let amended = incoming(Leaver, Amend(&leaver), 20);
        assert_eq!(course(&amended, &[]), beside(Made::Rehire, &[], begun));
        assert_eq!(course(&amended, &[standing(2, Rehire, Open, 0)]), taken(&[], None));
        assert_eq!(course(&incoming(Leaver, Amend(&leaver), -1), &[]), Course::Noted(id(1)));
        let mover = standing(1, Mover, stand, 0);
        let waits_for = (stand == Begun).then_some(1);
        assert_eq!(course(&incoming(Mover, Amend(&mover), 20), &[]), taken(&[], waits_for));
    }
    let due = standing(1, Leaver, Open, -1);
    let told = Course::Tell(id(1), Telling::LeaverIsDue);
    assert_eq!(course(&incoming(Leaver, Amend(&due), 20), &[]), told);
    assert_eq!(course(&incoming(Leaver, Amend(&due), 0), &[]), taken(&[1], None));
}

#[test]
fn what_is_over_is_amended_only_by_a_leaver() {
    for kind in [Joiner, Mover, Rehire] {
        let over = standing(1, kind, Over, 0);
        let refused = Course::Refuse(Refusal::NotOpen(id(1)));
        assert_eq!(course(&incoming(kind, Amend(&over), 5), &[]), refused);
    }
    let over = standing(1, Leaver, Over, 0);
    assert_eq!(course(&incoming(Leaver, Amend(&over), 5), &[]), taken(&[], None));
    let joiner = standing(1, Joiner, Open, 0);
    assert_eq!(course(&incoming(Leaver, Amend(&joiner), 5), &[]), Course::Refuse(Refusal::OtherKind));
}

#[test]
fn what_is_taken_back_ends_or_is_compensated() {
    let rescind = |kind, earlier: &Standing| course(&incoming(kind, Rescind(earlier), 0), &[]);
    for kind in [Joiner, Mover, Leaver, Rehire] {
        assert_eq!(rescind(kind, &standing(1, kind, Open, 10)), Course::Withdraw(id(1)), "{kind}");
        assert_eq!(rescind(kind, &standing(1, kind, Over, 10)), Course::Noted(id(1)), "{kind}");
    }
    for kind in [Joiner, Rehire] {
        for (stand, stops) in [(Begun, vec![id(1)]), (Done, vec![])] {
            let instead = Instead { kind: Made::Leaver, of: id(1), stops, waits_for: None };
            assert_eq!(rescind(kind, &standing(1, kind, stand, 0)), Course::AskInstead(instead));
        }
    }
    // The account is not known yet, so the end of it waits until it is.
    let making = standing(1, Joiner, Begun, 0);
    let unknown = Incoming { account: HasAccount::Unknown, ..incoming(Joiner, Rescind(&making), 0) };
    let instead = Instead { kind: Made::Leaver, of: id(1), stops: vec![id(1)], waits_for: Some(id(1)) };
    assert_eq!(course(&unknown, &[]), Course::AskInstead(instead));
    for (stand, waits_for) in [(Begun, Some(id(1))), (Done, None)] {
        let instead = Instead { kind: Made::Rehire, of: id(1), stops: vec![], waits_for };
        assert_eq!(rescind(Leaver, &standing(1, Leaver, stand, 0)), Course::AskInstead(instead));
    }
    assert_eq!(rescind(Mover, &standing(1, Mover, Begun, 0)), Course::Withdraw(id(1)));
    let told = Course::Tell(id(1), Telling::ChangeIsDone);
    assert_eq!(rescind(Mover, &standing(1, Mover, Done, 0)), told);
    let told = Course::Tell(id(1), Telling::LeaverIsDue);
    assert_eq!(rescind(Leaver, &standing(1, Leaver, Open, -1)), told);
}

#[test]
fn a_mover_waits_for_a_leaver_that_comes_before_it() {
    for stand in [Open, Begun] {
        let due = [standing(1, Leaver, stand, -1)];
        assert_eq!(course(&incoming(Mover, New, 5), &due), taken(&[], Some(1)));
    }
    let before = [standing(1, Leaver, Open, 3)];
    assert_eq!(course(&incoming(Mover, New, 5), &before), taken(&[], Some(1)));
    let after = [standing(1, Leaver, Open, 30)];
    assert_eq!(course(&incoming(Mover, New, 5), &after), taken(&[], None));
    let done = [standing(1, Leaver, Done, -1)];
    assert_eq!(course(&incoming(Mover, New, 5), &done), taken(&[], None));
}

#[test]
fn who_comes_back_by_the_day_of_a_leaver_stays_and_whoever_comes_later_is_gone_in_between() {
    let leaver = |days| [Standing { age: Age::Newer, ..standing(1, Leaver, Open, days) }];
    for day in [0, 3, 5] {
        assert_eq!(course(&newer(incoming(Rehire, New, day)), &leaver(5)), taken(&[1], None), "{day}");
    }
    assert_eq!(course(&newer(incoming(Rehire, New, 30)), &leaver(5)), taken(&[], Some(1)));
    // One that is due is cancelled by two people, and by no event.
    let told = TakenIn {
        waits_for: Some(id(1)),
        tell: Some((id(1), Telling::ComesBackTooLate)),
        ..TakenIn::default()
    };
    assert_eq!(course(&newer(incoming(Rehire, New, 0)), &leaver(-1)), Course::TakeIn(told));
    // Nor is one that has begun, or one that was not said before.
    let begun = [Standing { age: Age::Newer, ..standing(1, Leaver, Begun, 5) }];
    assert_eq!(course(&newer(incoming(Rehire, New, 0)), &begun), taken(&[], None));
}

#[test]
fn a_change_waits_for_the_beginning_that_it_is_a_change_of() {
    for stand in [Open, Begun] {
        let joiner = [standing(1, Joiner, stand, 10)];
        let unknown = Incoming { account: HasAccount::Unknown, ..incoming(Mover, New, 0) };
        assert_eq!(course(&unknown, &joiner), taken(&[], Some(1)));
        assert_eq!(course(&incoming(Mover, New, 0), &joiner), taken(&[], None));
        assert_eq!(course(&incoming(Mover, New, 20), &joiner), taken(&[], Some(1)));
        // What a leaver takes comes before all else.
        let both = [standing(1, Joiner, stand, 10), standing(2, Leaver, Open, -1)];
        assert_eq!(course(&unknown, &both), taken(&[], Some(2)));
    }
}

#[test]
fn what_is_taken_back_twice_is_asked_for_once() {
    let done = standing(1, Leaver, Done, 0);
    let coming = [standing(2, Rehire, Open, 0)];
    assert_eq!(course(&incoming(Leaver, Rescind(&done), 0), &coming), Course::Noted(id(1)));
}

#[test]
fn who_comes_back_waits_for_the_leaver_that_comes_first_and_ends_none_where_nothing_orders_them() {
    let later = [standing(1, Leaver, Open, 30)];
    assert_eq!(course(&incoming(Rehire, New, 5), &later), taken(&[], None));
    let before = [standing(1, Leaver, Open, 3)];
    assert_eq!(course(&incoming(Rehire, New, 5), &before), taken(&[], Some(1)));
    // One that is due goes on all the same.
    let due = [standing(1, Leaver, Open, -1)];
    let back = course(&incoming(Rehire, New, 0), &due);
    let Course::TakeIn(back) = back else { panic!("{back:?}") };
    assert_eq!((back.waits_for, back.ends), (Some(id(1)), vec![]));
    assert_eq!(course(&incoming(Joiner, New, 0), &due), taken(&[], Some(1)));
    let stranger = Incoming { account: HasAccount::Unknown, ..incoming(Joiner, New, 0) };
    assert_eq!(course(&stranger, &due), taken(&[], None));
}

#[test]
fn a_second_one_that_nothing_orders_is_refused_unless_it_wants_the_same() {
    for kind in [Joiner, Mover] {
        for stand in [Open, Begun] {
            let one = standing(1, kind, stand, 0);
            let refused = Course::Refuse(Refusal::StillOpen(id(1)));
            assert_eq!(course(&incoming(kind, New, 0), std::slice::from_ref(&one)), refused);
            let same = [Standing { wish: Wish::Same, ..one }];
            assert_eq!(course(&incoming(kind, New, 0), &same), Course::Repeat(id(1)));
        }
    }
    let begun = [standing(1, Joiner, Begun, 0)];
    let later = newer(incoming(Joiner, New, 9));
    assert_eq!(course(&later, &begun), beside(Made::Leaver, &[1], None));
    let unknown = Incoming { account: HasAccount::Unknown, ..later };
    assert_eq!(course(&unknown, &begun), beside(Made::Leaver, &[1], Some(1)));
    assert_eq!(course(&newer(incoming(Joiner, New, 0)), &begun), taken(&[], Some(1)));
    let begun = [standing(1, Mover, Begun, 0)];
    assert_eq!(course(&newer(incoming(Mover, New, 9)), &begun), taken(&[], Some(1)));
}

#[test]
fn a_stale_event_changes_nothing() {
    let leaver = standing(1, Leaver, Open, 3);
    for asked in [New, Amend(&leaver), Rescind(&leaver)] {
        let stale = Incoming { age: Age::Older, ..incoming(Leaver, asked, 0) };
        assert_eq!(course(&stale, std::slice::from_ref(&leaver)), Course::Stale);
    }
}

#[test]
fn what_was_said_before_a_leaver_gives_nothing_after_it() {
    for kind in [Joiner, Mover, Rehire] {
        for stand in [Open, Begun, Done] {
            let newer = |days| [Standing { age: Age::Older, ..standing(1, Leaver, stand, days) }];
            assert_eq!(course(&incoming(kind, New, 5), &newer(-1)), Course::Stale, "{kind} {stand:?}");
            assert_eq!(course(&incoming(kind, New, 5), &newer(3)), Course::Stale, "{kind} {stand:?}");
        }
        // Whoever is hired for a time is hired all the same.
        let later = [Standing { age: Age::Older, ..standing(1, Leaver, Open, 30) }];
        assert_ne!(course(&incoming(kind, New, 5), &later), Course::Stale, "{kind}");
        let over = [Standing { age: Age::Older, ..standing(1, Leaver, Over, -1) }];
        assert_eq!(course(&incoming(kind, New, 5), &over), taken(&[], None));
    }
}

#[test]
fn what_is_late_is_done_at_once_and_what_is_very_late_is_looked_at_first() {
    assert_eq!(course(&incoming(Leaver, New, -29), &[]), taken(&[], None));
    let late = course(&incoming(Joiner, New, -31), &[]);
    let Course::TakeIn(late) = late else { panic!("{late:?}") };
    assert_eq!(late.late_by, Some(TimeDelta::days(31)));
    let at_once = Incoming { takes_effect: None, ..incoming(Leaver, New, 0) };
    assert_eq!(course(&at_once, &[]), taken(&[], None));
}

#[test]
fn events_are_ordered_by_number_and_else_by_time() {
    let placed = |sequence, days: Option<i64>| Placed { sequence, occurred_at: days.map(at) };
    let known = |sender, sequence, days| Known { sender, placed: placed(sequence, days) };
    let same = |sequence, days| known(Sender::Same, sequence, days);
    assert_eq!(age(placed(Some(7), None), &[same(Some(6), None)]), Age::Newer);
    assert_eq!(age(placed(Some(5), Some(9)), &[same(Some(6), Some(1))]), Age::Older);
    assert_eq!(age(placed(None, Some(2)), &[same(Some(6), Some(1))]), Age::Newer);
    assert_eq!(age(placed(Some(6), Some(1)), &[same(Some(6), Some(1))]), Age::Unknown);
    assert_eq!(age(placed(Some(6), None), &[]), Age::Unknown);
    assert_eq!(age(placed(None, None), &[same(Some(6), Some(1))]), Age::Unknown);
    // Another source counts for itself.
    assert_eq!(age(placed(Some(5), None), &[known(Sender::Other, Some(6), None)]), Age::Unknown);
    assert_eq!(age(placed(Some(5), Some(1)), &[known(Sender::Other, Some(2), Some(2))]), Age::Older);
    let both = [same(Some(1), None), known(Sender::Other, None, Some(5))];
    assert_eq!(age(placed(Some(2), Some(3)), &both), Age::Older);
}
