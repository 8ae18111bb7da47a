//! Trials of the trail: an administrator's hand on every kind of record, and what the examination says.

mod exports;
mod rows;
mod sealing;
mod tampering;
mod whole_log;

use super::{Found, Record, Verdict, What, verify};
use crate::store::seals;
use crate::store::tests::stage::{Outsider, RawEvent, Stage};

/// Two lives and a refused delivery, sealed in batches.
async fn sealed() -> (Stage, Outsider, Vec<RawEvent>) {
    let stage = Stage::sqlite().await;
    stage.life("T-1", 41).await;
    stage.life("T-2", 42).await;
    stage.refuse("{}").await;
    while stage.seal(15).await > 0 {}
    let outsider = stage.outsider().await;
    outsider.unguard().await;
    let events = outsider.events().await;
    assert_eq!(events.len(), 36);
    (stage, outsider, events)
}

async fn examined(stage: &Stage) -> Verdict {
    verify(&stage.store, &stage.keys, None).await.unwrap()
}

async fn against(stage: &Stage, head: &str) -> Verdict {
    verify(&stage.store, &stage.keys, Some(head)).await.unwrap()
}

async fn head(stage: &Stage) -> String {
    seals::latest_head(&stage.store).await.unwrap().unwrap().line()
}

/// Every finding of one kind, each with the numbers it names.
fn numbers(verdict: &Verdict, what: What) -> Vec<Vec<i64>> {
    let of_kind = verdict.faults.iter().filter(|found| found.what == what);
    of_kind.map(|found| found.records.iter().filter_map(|record| record.number).collect()).collect()
}

/// The findings in words, for a failed trial.
fn words(verdict: &Verdict) -> String {
    let lines: Vec<String> = verdict.faults.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// Exactly one finding, of this kind, that names exactly these events.
#[track_caller]
fn one(verdict: &Verdict, what: What, events: &[&RawEvent]) {
    let [Found { what: seen, records, .. }] = verdict.faults.as_slice() else {
        panic!("one finding is wanted:\n{}", words(verdict));
    };
    assert_eq!(*seen, what, "{}", words(verdict));
    let mut named: Vec<_> = records.iter().map(|record| record.event.map(|id| id.0)).collect();
    let mut wanted: Vec<_> = events.iter().map(|event| Some(event.id)).collect();
    named.sort();
    wanted.sort();
    assert_eq!(named, wanted, "{}", words(verdict));
    for event in events {
        let record = records.iter().find(|record| record.event.is_some_and(|id| id.0 == event.id)).unwrap();
        assert_eq!(record.number, event.number, "{}", words(verdict));
    }
}

fn flipped(bytes: &[u8], place: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[place] ^= 1;
    bytes
}
