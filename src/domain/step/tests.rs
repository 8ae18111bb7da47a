use chrono::TimeDelta;

use super::*;

const POLICY: RetryPolicy = RetryPolicy {
    most_tries: 2,
    most_time: TimeDelta::hours(24),
    first_wait: TimeDelta::seconds(1),
    longest_wait: TimeDelta::seconds(60),
};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds).unwrap()
}

fn waits(seconds: i64) -> Waits<'static> {
    Waits { policy: &POLICY, now: at(seconds), chance: 7 }
}

fn report(outcome: Outcome) -> Report {
    Report {
        outcome,
        words: "words".to_owned(),
        calls: vec![],
        user_id: None,
        made_by: None,
        stranger: None,
        access: None,
        lost: None,
        before: None,
    }
}

fn attempt() -> AttemptId {
    AttemptId::made(at(1), [1; 10])
}

#[test]
fn every_outcome_of_an_act_leads_to_one_state() {
    let begun = StepRecord::fresh(at(0)).begin(attempt(), Purpose::Act, at(0));
    let word = |outcome| begun.clone().settle(Purpose::Act, &report(outcome), &waits(10)).state.word();
    assert_eq!(word(Outcome::Done), "done");
    assert_eq!(word(Outcome::AlreadySo), "already_so");
    assert_eq!(word(Outcome::NotThere), "waiting");
    assert_eq!(word(Outcome::Retry { after_seconds: None }), "waiting");
    assert_eq!(word(Outcome::OtherForm { form: Form::Member(MemberForm::NumericId) }), "waiting");
    assert_eq!(word(Outcome::Misdirected { undo: Form::TakeOut(MemberForm::NumericId) }), "waiting");
    assert_eq!(word(Outcome::TakenOut), "failed");
    assert_eq!(word(Outcome::Unknown), "unknown");
    assert_eq!(word(Outcome::Refused), "failed");
    assert_eq!(word(Outcome::NeedsPerson), "failed");
}

#[test]
fn an_unknown_outcome_is_looked_up_and_never_acted_on() {
    let begun = StepRecord::fresh(at(0)).begin(attempt(), Purpose::Act, at(0));
    let unknown = begun.settle(Purpose::Act, &report(Outcome::Unknown), &waits(10));
    let looked = unknown.clone().begin(attempt(), Purpose::Look, at(0));
    assert_eq!(looked.acts, 1);
    let unreadable =
        looked.clone().settle(Purpose::Look, &report(Outcome::Retry { after_seconds: None }), &waits(11));
    assert_eq!(unreadable.state.word(), "unknown");
    let absent = looked.settle(Purpose::Look, &report(Outcome::NotThere), &waits(11));
    assert_eq!(absent.state.word(), "waiting");
}

#[test]
fn tries_and_looks_are_bounded() {
    let mut record = StepRecord::fresh(at(0));
    for _ in 0..POLICY.most_tries {
        record = record.begin(attempt(), Purpose::Act, at(0));
        record = record.settle(Purpose::Act, &report(Outcome::Retry { after_seconds: None }), &waits(10));
    }
    assert_eq!(record.state.word(), "failed");
    let mut record = StepRecord::fresh(at(0)).begin(attempt(), Purpose::Act, at(0));
    record = record.settle(Purpose::Act, &report(Outcome::Unknown), &waits(10));
    for _ in 0..POLICY.most_tries {
        record = record.begin(attempt(), Purpose::Look, at(0));
        record = record.settle(Purpose::Look, &report(Outcome::Unknown), &waits(10));
    }
    assert_eq!(record.state.word(), "failed");
}

#[test]
fn tries_and_looks_are_bounded_in_time_as_well() {
    let day = 24 * 3_600;
    let (busy, lost) = (Outcome::Retry { after_seconds: None }, Outcome::Unknown);
    for (outcome, purpose, ended, state) in [
        (&busy, Purpose::Act, 100 + day - 1, "waiting"),
        (&busy, Purpose::Act, 100 + day, "failed"),
        (&lost, Purpose::Act, 100 + day, "failed"),
        (&busy, Purpose::Look, 100 + day - 1, "unknown"),
        (&busy, Purpose::Look, 100 + day, "failed"),
        (&Outcome::NotThere, Purpose::Look, 100 + day, "failed"),
        (&Outcome::Done, Purpose::Look, 100 + day, "done"),
    ] {
        // The first try is what counts, however long ago the last one was begun.
        let begun = StepRecord::fresh(at(0)).begin(attempt(), purpose, at(100));
        let settled = begun.settle(purpose, &report(outcome.clone()), &waits(ended));
        assert_eq!(settled.state.word(), state, "{outcome:?} {purpose:?} {ended}");
        assert_eq!(settled.begin(attempt(), purpose, at(900)).since, Some(at(100)));
    }
}

#[test]
fn what_went_to_somebody_else_is_undone_with_tries_of_its_own() {
    let undo = Form::TakeOut(MemberForm::NumericId);
    let mut record = StepRecord::fresh(at(0));
    for _ in 0..POLICY.most_tries {
        record = record.begin(attempt(), Purpose::Act, at(0));
    }
    let wrong = record.settle(Purpose::Act, &report(Outcome::Misdirected { undo }), &waits(10));
    assert_eq!((wrong.form, wrong.acts, &wrong.state), (Some(undo), 0, &StepState::Waiting { due: at(10) }));
    let undone = wrong.begin(attempt(), Purpose::Act, at(0)).settle(
        Purpose::Act,
        &report(Outcome::TakenOut),
        &waits(11),
    );
    assert_eq!((undone.form, undone.state.word()), (Some(Form::Member(MemberForm::UserName)), "failed"));
}

#[test]
fn every_form_has_its_word() {
    for form in Form::ALL {
        assert_eq!(Form::parse(form.word()), Some(form));
        assert_eq!(serde_json::to_value(form).unwrap(), form.word());
        assert_eq!(serde_json::from_value::<Form>(form.word().into()).unwrap(), form);
    }
    assert_eq!(Form::parse("by-heart"), None);
}

fn a_plan() -> Plan {
    serde_json::from_value(serde_json::json!({
        "workflow": crate::domain::ids::WorkflowId::made(at(0), [7; 10]).to_string(), "number": 1, "kind": "joiner",
        "target": "vault", "profile": "dba", "user_name": "zobrien",
        "steps": [
            { "step": "find_user" },
            { "step": "create_user", "user_type": "EPVUser", "location": "\\Users", "profile": {}, "cut": {} },
            { "step": "capture_user_id" },
            { "step": "add_to_group", "name": "Ops-Readers", "id": 7, "kind": "vault" },
            { "step": "require_password_change" },
            { "step": "verify_user" },
        ],
        "dialect": { "group_member": "auto", "user_shape": "auto", "description": "kept", "disable_with": "auto" },
        "not_before": "2026-12-01T00:00:00.000000Z", "hand_over": { "to": "nobody" }, "salt": "00",
    }))
    .unwrap()
}

#[test]
fn a_run_that_is_to_stop_looks_and_begins_nothing_new() {
    let plan = a_plan();
    let stop = |ledger: &Ledger| next_move(&plan, ledger, &POLICY, at(10), Going::Stopping);
    let fresh = |place: usize, state: StepState| {
        let steps = plan.steps.iter().enumerate().map(|(number, _)| match number.cmp(&place) {
            std::cmp::Ordering::Less => StepRecord { state: StepState::Done, ..StepRecord::fresh(at(0)) },
            std::cmp::Ordering::Equal => StepRecord { state: state.clone(), ..StepRecord::fresh(at(0)) },
            std::cmp::Ordering::Greater => StepRecord::fresh(at(0)),
        });
        Ledger { steps: steps.collect(), user_id: None }
    };
    let rests = Move::Rest(Rest::Stopped);
    let waiting = || StepState::Waiting { due: at(0) };
    let of = |step: &str| plan.steps.iter().position(|planned| planned.kind() == step).unwrap();
    for step in ["find_user", "create_user", "add_to_group", "require_password_change", "verify_user"] {
        assert_eq!(stop(&fresh(of(step), waiting())), rests, "{step}");
        let failed = StepState::Failed { reason: "r".to_owned() };
        assert_eq!(stop(&fresh(of(step), failed)), rests, "{step}");
    }
    for step in ["create_user", "add_to_group", "require_password_change"] {
        let place = of(step);
        assert_eq!(stop(&fresh(place, StepState::Begun)), Move::Look(place), "{step}");
        assert_eq!(stop(&fresh(place, StepState::Unknown { due: at(0) })), Move::Look(place), "{step}");
        assert_eq!(stop(&fresh(place, StepState::Unknown { due: at(20) })), Move::Wait(at(20)), "{step}");
    }
    assert_eq!(stop(&fresh(of("verify_user"), StepState::Begun)), rests);
    // Whoever takes the account away must know it.
    let captures = of("capture_user_id");
    assert_eq!(stop(&fresh(captures, waiting())), Move::Begin(captures));
    assert_eq!(stop(&fresh(captures, StepState::Begun)), Move::Begin(captures));
    // And nobody is left in a group that was meant for somebody else.
    let mut misdirected = fresh(of("add_to_group"), waiting());
    misdirected.steps[of("add_to_group")].form = Some(Form::TakeOut(MemberForm::NumericId));
    assert_eq!(stop(&misdirected), Move::Begin(of("add_to_group")));
    assert_eq!(stop(&fresh(plan.steps.len(), waiting())), rests);
}
