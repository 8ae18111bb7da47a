use chrono::TimeDelta;

use super::*;

const POLICY: RetryPolicy =
    RetryPolicy { most_tries: 2, first_wait: TimeDelta::seconds(1), longest_wait: TimeDelta::seconds(60) };

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds).unwrap()
}

fn waits(seconds: i64) -> Waits<'static> {
    Waits { policy: &POLICY, now: at(seconds), chance: 7 }
}

fn report(outcome: Outcome) -> Report {
    Report { outcome, words: "words".to_owned(), calls: vec![], user_id: None, stranger: None, access: None }
}

fn attempt() -> AttemptId {
    AttemptId::made(at(1), [1; 10])
}

#[test]
fn every_outcome_of_an_act_leads_to_one_state() {
    let begun = StepRecord::fresh(at(0)).begin(attempt(), Purpose::Act);
    let word = |outcome| begun.clone().settle(Purpose::Act, &report(outcome), &waits(10)).state.word();
    assert_eq!(word(Outcome::Done), "done");
    assert_eq!(word(Outcome::AlreadySo), "already_so");
    assert_eq!(word(Outcome::NotThere), "waiting");
    assert_eq!(word(Outcome::Retry { after_seconds: None }), "waiting");
    assert_eq!(word(Outcome::OtherForm { form: MemberForm::NumericId }), "waiting");
    assert_eq!(word(Outcome::Unknown), "unknown");
    assert_eq!(word(Outcome::Refused), "failed");
    assert_eq!(word(Outcome::NeedsPerson), "failed");
}

#[test]
fn an_unknown_outcome_is_looked_up_and_never_acted_on() {
    let begun = StepRecord::fresh(at(0)).begin(attempt(), Purpose::Act);
    let unknown = begun.settle(Purpose::Act, &report(Outcome::Unknown), &waits(10));
    let looked = unknown.clone().begin(attempt(), Purpose::Look);
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
        record = record.begin(attempt(), Purpose::Act);
        record = record.settle(Purpose::Act, &report(Outcome::Retry { after_seconds: None }), &waits(10));
    }
    assert_eq!(record.state.word(), "failed");
    let mut record = StepRecord::fresh(at(0)).begin(attempt(), Purpose::Act);
    record = record.settle(Purpose::Act, &report(Outcome::Unknown), &waits(10));
    for _ in 0..POLICY.most_tries {
        record = record.begin(attempt(), Purpose::Look);
        record = record.settle(Purpose::Look, &report(Outcome::Unknown), &waits(10));
    }
    assert_eq!(record.state.word(), "failed");
}
