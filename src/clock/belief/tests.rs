use super::*;

const BEGUN: i64 = 1_800_000_000;

/// Both clocks so many seconds after the beginning.
fn look(wall: i64, steady: u64) -> Look {
    Look { wall: at(wall), steady: Duration::from_secs(steady) }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(BEGUN + seconds).unwrap()
}

fn begun() -> Belief {
    let mut belief = Belief::new(Bounds::default());
    assert_eq!(belief.tell(look(0, 0)), at(0));
    belief
}

/// One whose database has told its time at the beginning.
fn with_database() -> Belief {
    let mut belief = begun();
    belief.database_says(at(0), look(0, 0));
    belief
}

#[test]
fn small_steps_are_followed_and_large_ones_are_not() {
    for (wall, believed, doubts) in [
        (10, 10, false),
        (310, 310, false),
        (-290, -290, false),
        (311, 10, true),
        (-291, 10, true),
        (86_410, 10, true),
        (-86_390, 10, true),
    ] {
        let mut belief = begun();
        assert_eq!(belief.tell(look(wall, 10)), at(believed), "{wall}");
        assert_eq!(belief.doubt().is_some(), doubts, "{wall}");
    }
}

#[test]
fn in_doubt_time_goes_on_steadily_and_nothing_is_certain_before_both_clocks_say_so() {
    let mut forward = begun();
    forward.tell(look(86_410, 10));
    assert_eq!(forward.tell(look(86_470, 70)), at(70));
    assert_eq!(forward.certainly(look(86_470, 70)), at(70));
    let mut back = begun();
    back.tell(look(-86_390, 10));
    assert_eq!(back.tell(look(-86_330, 70)), at(70));
    assert_eq!(back.certainly(look(-86_330, 70)), at(-86_330));
    // Set again while in doubt: the earliest of all that was said counts.
    assert_eq!(back.certainly(look(500_000, 80)), at(-86_320));
}

#[test]
fn doubt_ends_when_the_step_is_undone_or_by_a_persons_word() {
    let mut belief = begun();
    belief.tell(look(86_410, 10));
    assert_eq!(belief.tell(look(21, 20)), at(20), "undone");
    assert_eq!(belief.doubt(), None);
    belief.tell(look(86_430, 30));
    belief.confirm(look(86_440, 40));
    assert_eq!((belief.doubt(), belief.tell(look(86_450, 50))), (None, at(86_450)));
}

#[test]
fn a_clock_before_what_was_written_is_not_believed() {
    let mut belief = begun();
    belief.has_written(at(290), look(0, 0));
    assert_eq!(belief.doubt(), None, "replicas may differ a little");
    belief.has_written(at(86_400), look(0, 0));
    assert_eq!(belief.doubt().unwrap().why, Why::BeforeWritten);
    assert_eq!(belief.tell(look(10, 10)), at(86_410), "time does not go back");
    assert_eq!(belief.certainly(look(10, 10)), at(10));
    assert_eq!(belief.tell(look(86_425, 20)), at(86_420), "the clock was set right");
    assert_eq!(belief.doubt(), None);
}

#[test]
fn replicas_agree_by_the_database_however_wrong_their_machines_are() {
    let mut wrong = Belief::new(Bounds::default());
    assert_eq!(wrong.tell(look(90, 0)), at(90));
    wrong.database_says(at(1), look(91, 1));
    let mut right = Belief::new(Bounds::default());
    right.database_says(at(1), look(1, 1));
    for second in [2, 5, 60, 3_600] {
        let steady = u64::try_from(second).unwrap();
        assert_eq!(wrong.tell(look(second + 90, steady)), right.tell(look(second, steady)));
    }
    assert_eq!((wrong.doubt(), right.doubt()), (None, None));
    // A small step of the machine is not even seen.
    assert_eq!(wrong.tell(look(3_601 + 90 + 60, 3_601)), at(3_601));
}

#[test]
fn later_readings_are_approached_and_not_jumped_to() {
    let mut belief = with_database();
    // Ten seconds later the database says that two more have passed: one of them is made up for.
    belief.database_says(at(12), look(10, 10));
    assert_eq!(belief.tell(look(10, 10)), at(11));
    belief.database_says(at(22), look(20, 20));
    assert_eq!(belief.tell(look(20, 20)), at(22));
    belief.database_says(at(29), look(30, 30));
    assert_eq!(belief.tell(look(30, 30)), at(31));
    assert_eq!(belief.doubt(), None);
}

#[test]
fn a_step_is_judged_by_a_database_that_goes_on_steadily() {
    let mut belief = with_database();
    assert_eq!(belief.tell(look(86_410, 10)), at(10));
    assert_eq!(belief.doubt().unwrap().why, Why::Stepped);
    for steady in [20, 320, 619] {
        let said = i64::try_from(steady).unwrap();
        belief.database_says(at(said), look(said + 86_400, steady));
        assert!(belief.doubt().is_some(), "{steady}");
    }
    belief.database_says(at(620), look(87_020, 620));
    assert_eq!((belief.doubt(), belief.tell(look(87_030, 630))), (None, at(630)));
}

#[test]
fn a_step_that_the_database_makes_as_well_is_not_borne_out_by_the_clock_that_stepped() {
    let mut belief = with_database();
    // Both stand on one machine, and read one clock.
    for steady in [10_u64, 20, 700, 100_000] {
        let said = 86_400 + i64::try_from(steady).unwrap();
        belief.tell(look(said, steady));
        belief.database_says(at(said), look(said, steady));
        assert!(belief.doubt().is_some(), "{steady}");
        assert_eq!(belief.tell(look(said, steady)), at(said - 86_400));
    }
    belief.confirm(look(186_410, 100_010));
    assert_eq!((belief.doubt(), belief.tell(look(186_420, 100_020))), (None, at(186_420)));
}

#[test]
fn a_database_whose_clock_jumps_is_not_believed_before_it_goes_steadily() {
    let mut belief = with_database();
    belief.database_says(at(86_410), look(10, 10));
    assert_eq!(belief.doubt().unwrap().why, Why::Database);
    assert_eq!(belief.tell(look(20, 20)), at(20));
    belief.database_says(at(86_420), look(20, 20));
    belief.database_says(at(700), look(600, 600));
    assert!(belief.doubt().is_some(), "it jumped again");
    belief.database_says(at(1_300), look(1_200, 1_200));
    assert_eq!((belief.doubt(), belief.tell(look(1_200, 1_200))), (None, at(1_300)));
}

#[test]
fn a_database_that_nobody_bears_out_is_not_believed_however_steadily_it_goes() {
    let mut belief = with_database();
    for steady in [10, 20, 700, 100_000] {
        let said = i64::try_from(steady).unwrap();
        belief.database_says(at(said + 86_400), look(said, steady));
        assert_eq!(belief.doubt().map(|doubt| doubt.why), Some(Why::Database), "{steady}");
        assert_eq!(belief.tell(look(said, steady)), at(said));
    }
    // Somebody sets the machine, too, or the database right.
    let mut set = belief.clone();
    set.database_says(at(186_410), look(186_410, 100_010));
    assert_eq!((set.doubt(), set.tell(look(186_410, 100_010))), (None, at(186_410)));
    belief.database_says(at(100_010), look(100_010, 100_010));
    belief.database_says(at(100_610), look(100_610, 100_610));
    assert_eq!((belief.doubt(), belief.tell(look(100_620, 100_620))), (None, at(100_620)));
}

#[test]
fn a_machine_that_is_far_off_from_the_beginning_goes_by_the_database_and_begins_nothing_yet() {
    let mut belief = Belief::new(Bounds::default());
    belief.database_says(at(0), look(86_400, 0));
    assert_eq!(belief.doubt().unwrap().why, Why::Database);
    assert_eq!(belief.tell(look(86_410, 10)), at(10));
    assert_eq!(belief.certainly(look(86_410, 10)), at(10));
    belief.database_says(at(10), look(86_410, 10));
    belief.database_says(at(610), look(87_010, 610));
    assert!(belief.doubt().is_some(), "one of the two is wrong, and nothing tells which");
    // The machine is set right.
    belief.database_says(at(620), look(620, 620));
    assert_eq!((belief.doubt(), belief.tell(look(630, 630))), (None, at(630)));
}

#[test]
fn a_clock_that_was_ahead_before_a_start_is_ahead_after_it_unless_it_was_set_right() {
    let mut before = begun();
    before.tell(look(86_410, 10));
    let doubt = before.doubt().unwrap();
    let mut again = Belief::new(Bounds::default());
    again.still_doubts(doubt, look(90_010, 0));
    assert!(again.doubt().is_some());
    assert_eq!(again.tell(look(90_020, 10)), at(3_620), "an hour has passed, and no day");
    assert_eq!(again.certainly(look(90_020, 10)), at(3_620));
    let mut right = Belief::new(Bounds::default());
    right.still_doubts(doubt, look(3_610, 0));
    assert_eq!((right.doubt(), right.tell(look(3_620, 10))), (None, at(3_620)));
}
