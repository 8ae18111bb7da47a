use super::*;
use crate::domain::audit::{Actor, NewEvent, Place};
use crate::domain::canon::Tag;
use crate::domain::ids::EventId;
use crate::store::seals::StoredEvent;
use crate::store::trail::{PlanRow, Waits};

/// A trail that tells of plan 1, and a row whose routing is of other bytes.
fn compared(event: NewEvent) -> (u64, Vec<String>) {
    let (chain, id) = (ChainId(uuid::Uuid::from_u128(7)), EventId(uuid::Uuid::from_u128(8)));
    let at = Timestamp::parse("2026-12-01T08:00:00Z").unwrap();
    let place = Place { id, chain, position: 1, previous: Place::origin(chain), at };
    let event = event.number("plan", 1).text("digest", Digest::of_bytes(b"plan").to_string());
    let written = event.write(&place, &mut || [0; 16]);
    let read: EventRead = written.bytes.open(Tag::Event).unwrap();
    let (kind, bytes) = (written.kind.as_str().to_owned(), written.bytes.as_slice().to_vec());
    let hash = written.hash.0.to_vec();
    let stored = StoredEvent { id: id.0, chain: chain.0, position: 1, at, kind, bytes, hash };
    let mut replay = Replay::of(chain);
    replay.feed(&EventRow { stored, sealed: None, waits: Waits::No, personal: vec![] }, &read);
    let (bytes, routing) = (Digest::of_bytes(b"plan"), Some(Digest::of_bytes(b"routing")));
    let told = Told { plans: vec![PlanRow { number: 1, bytes, routing, asked: None }], ..Told::default() };
    let mut found = Vec::new();
    replay.plans(&told, &mut found);
    (replay.not_covered(), found.into_iter().map(|found| found.words).collect())
}

#[test]
fn a_plan_of_an_earlier_version_is_not_covered_and_not_called_tampered_with() {
    let event = || NewEvent::new(EventKind::WorkflowPlanned, Actor::Countersign);
    let told = |routing: &[u8]| event().text(ROUTING, Digest::of_bytes(routing).to_string());
    assert_eq!(compared(event()), (1, vec![]));
    assert_eq!(compared(told(b"routing")), (0, vec![]));
    let (not_covered, found) = compared(told(b"another"));
    assert_eq!((not_covered, found.len()), (0, 1), "{found:?}");
}
