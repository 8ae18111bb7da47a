//! One record changed, dropped, swapped or added behind the service's back.

use sea_orm::Value;

use super::*;
use crate::domain::audit::{Actor, EventKind, NewEvent, Place};
use crate::domain::canon::Digest;
use crate::domain::ids::{ChainId, EventId};
use crate::store::tests::stage::at;

fn is_last_of_chain(event: &RawEvent, events: &[RawEvent]) -> bool {
    !events.iter().any(|other| other.chain == event.chain && other.position > event.position)
}

#[tokio::test]
async fn an_untouched_trail_is_sound_sealed_or_not() {
    let (stage, _, events) = sealed().await;
    let verdict = against(&stage, &head(&stage).await).await;
    assert!(verdict.is_sound(), "{}", words(&verdict));
    assert_eq!((verdict.events, verdict.sealed_to, verdict.waiting), (36, 36, 0));
    assert!(events.iter().all(|event| event.number.is_some()));
    let old = head(&stage).await;
    stage.life("T-3", 43).await;
    stage.seal(10).await;
    let verdict = against(&stage, &old).await;
    assert!(verdict.is_sound(), "{}", words(&verdict));
    assert_eq!((verdict.events, verdict.sealed_to, verdict.waiting), (53, 46, 7));
}

#[tokio::test]
async fn a_flipped_bit_in_any_event_is_found_and_the_event_named() {
    let (stage, outsider, events) = sealed().await;
    for (turn, event) in events.iter().enumerate() {
        let place = turn * 31 % event.bytes.len();
        let bytes = flipped(&event.bytes, place);
        outsider.set_event(event.id, &bytes, &event.hash).await;
        let verdict = examined(&stage).await;
        let number = event.number.unwrap();
        assert_eq!(numbers(&verdict, What::Changed), [[number]], "{}", words(&verdict));
        // With the hash computed anew, as somebody would who knows how the trail is made.
        outsider.set_event(event.id, &bytes, &Digest::of_bytes(&bytes).0).await;
        let verdict = examined(&stage).await;
        assert_eq!(numbers(&verdict, What::Changed), [[number]], "{}", words(&verdict));
        outsider.set_event(event.id, &event.bytes, &event.hash).await;
    }
    assert!(examined(&stage).await.is_sound());
}

#[tokio::test]
async fn a_changed_column_beside_the_bytes_is_found() {
    let (stage, outsider, events) = sealed().await;
    let event = &events[7];
    outsider.set_event(event.id, &event.bytes, &flipped(&event.hash, 0)).await;
    one(&examined(&stage).await, What::Changed, &[event]);
    outsider.set_event(event.id, &event.bytes, &event.hash).await;
    for (column, value) in
        [("at", "'1999-01-01 00:00:00 +00:00'"), ("kind", "'alarm.raised'"), ("position", "77")]
    {
        let keep =
            format!("create temp table kept as select {column} as was from audit_events where id = $1");
        outsider.run(&keep.replace("$1", &format!("x'{}'", event.id.simple())), []).await.unwrap();
        let change = format!("update audit_events set {column} = {value} where id = $1");
        assert_eq!(outsider.run(&change, [event.id.into()]).await, Ok(1));
        let verdict = examined(&stage).await;
        assert_eq!(numbers(&verdict, What::Changed), [[event.number.unwrap()]], "{}", words(&verdict));
        let back = format!("update audit_events set {column} = (select was from kept) where id = $1");
        outsider.run(&back, [event.id.into()]).await.unwrap();
        outsider.run("drop table kept", []).await.unwrap();
    }
    assert!(examined(&stage).await.is_sound());
}

#[tokio::test]
async fn any_dropped_event_is_found_by_its_number() {
    let (stage, outsider, events) = sealed().await;
    for event in &events {
        outsider.run("begin", []).await.unwrap();
        outsider.run("create temp table kept as select * from audit_events", []).await.unwrap();
        outsider.run("delete from audit_events where id = $1", [event.id.into()]).await.unwrap();
        outsider.run("commit", []).await.unwrap();
        let verdict = examined(&stage).await;
        let lost = verdict
            .faults
            .iter()
            .find(|found| found.what == What::Dropped && found.records[0].event == Some(EventId(event.id)));
        let lost = lost.unwrap_or_else(|| panic!("{}", words(&verdict))).records[0];
        assert_eq!(lost.number, event.number);
        if !is_last_of_chain(event, &events) {
            assert_eq!((lost.chain, lost.position), (Some(ChainId(event.chain)), Some(event.position)));
        }
        outsider.run("insert or ignore into audit_events select * from kept", []).await.unwrap();
        outsider.run("drop table kept", []).await.unwrap();
    }
    assert!(examined(&stage).await.is_sound());
}

#[tokio::test]
async fn a_dropped_seal_is_found_with_the_event_it_was_for() {
    for number in [1, 14, 35] {
        let (stage, outsider, events) = sealed().await;
        let event = events.iter().find(|event| event.number == Some(number)).unwrap();
        outsider.run("delete from seals where number = $1", [number.into()]).await.unwrap();
        one(&examined(&stage).await, What::Dropped, &[event]);
    }
}

#[tokio::test]
async fn an_event_dropped_with_its_seal_leaves_a_gap_in_both_orders() {
    let (stage, outsider, events) = sealed().await;
    let event = events.iter().find(|event| event.position == 4).unwrap();
    outsider.run("delete from audit_events where id = $1", [event.id.into()]).await.unwrap();
    outsider.run("delete from seals where event_id = $1", [event.id.into()]).await.unwrap();
    let verdict = examined(&stage).await;
    assert!(numbers(&verdict, What::Dropped).contains(&vec![event.number.unwrap()]), "{}", words(&verdict));
    let place = |record: &Record| (record.chain, record.position);
    let wanted = (Some(ChainId(event.chain)), Some(event.position));
    assert!(
        verdict.faults.iter().any(|found| found.what == What::Dropped && place(&found.records[0]) == wanted),
        "{}",
        words(&verdict)
    );
}

#[tokio::test]
async fn what_follows_an_event_rewritten_before_it_was_sealed_tells_of_it() {
    let stage = Stage::sqlite().await;
    stage.accept("T-1").await;
    let outsider = stage.outsider().await;
    outsider.unguard().await;
    let events = outsider.events().await;
    let [first, second] =
        [1, 2].map(|position| events.iter().find(|event| event.position == position).unwrap());
    // As somebody would who knows how the trail is made: it reads as before, and its hash is computed anew.
    let text = String::from_utf8(first.bytes.clone()).unwrap();
    let (before, digest) = text.split_once("\"body_sha256\":\"").unwrap();
    let digit = if digest.starts_with('0') { '1' } else { '0' };
    let bytes = format!("{before}\"body_sha256\":\"{digit}{}", &digest[1..]).into_bytes();
    outsider.set_event(first.id, &bytes, &Digest::of_bytes(&bytes).0).await;
    let verdict = examined(&stage).await;
    let changed = verdict.faults.iter().find(|found| found.what == What::Changed);
    let changed = changed.unwrap_or_else(|| panic!("{}", words(&verdict)));
    let named: Vec<_> = changed.records.iter().map(|record| record.event).collect();
    assert_eq!(named, [Some(EventId(first.id)), Some(EventId(second.id))]);
}

#[tokio::test]
async fn an_event_dropped_before_it_was_sealed_is_found() {
    let stage = Stage::sqlite().await;
    stage.accept("T-1").await;
    let outsider = stage.outsider().await;
    outsider.unguard().await;
    let events = outsider.events().await;
    let last = events.iter().find(|event| event.position == 2).unwrap();
    outsider.run("delete from audit_events where id = $1", [last.id.into()]).await.unwrap();
    let verdict = examined(&stage).await;
    let dropped = verdict.faults.iter().filter(|found| found.what == What::Dropped);
    let named: Vec<_> = dropped.map(|found| found.records[0].event).collect();
    assert!(named.contains(&Some(EventId(last.id))), "{}", words(&verdict));
    // Without what waits and without its personal values, the row beside the trail still tells.
    outsider.run("delete from unsealed where event_id = $1", [last.id.into()]).await.unwrap();
    outsider.run("delete from audit_personal where event_id = $1", [last.id.into()]).await.unwrap();
    let verdict = examined(&stage).await;
    assert_eq!(verdict.faults[0].what, What::RowDiffers, "{}", words(&verdict));
    assert_eq!(verdict.faults[0].records, [Record::of_chain(ChainId(last.chain))]);
}

#[tokio::test]
async fn two_events_in_each_others_place_are_named_both() {
    let (stage, outsider, events) = sealed().await;
    for (one_at, other_at) in [(3, 4), (2, 20), (0, 35)] {
        let (first, second) = (&events[one_at], &events[other_at]);
        // The hash is unique, so the exchange goes by way of a third value, as an administrator would do it.
        outsider.set_event(first.id, &second.bytes, &[0; 32]).await;
        outsider.set_event(second.id, &first.bytes, &first.hash).await;
        outsider.set_event(first.id, &second.bytes, &second.hash).await;
        let verdict = examined(&stage).await;
        let swapped = Verdict {
            faults: verdict.faults.iter().filter(|found| found.what != What::RowDiffers).cloned().collect(),
            ..verdict
        };
        one(&swapped, What::Swapped, &[first, second]);
        outsider.set_event(first.id, &first.bytes, &[0; 32]).await;
        outsider.set_event(second.id, &second.bytes, &second.hash).await;
        outsider.set_event(first.id, &first.bytes, &first.hash).await;
    }
    assert!(examined(&stage).await.is_sound());
}

#[tokio::test]
async fn exchanged_positions_of_a_chain_are_named_both() {
    let (stage, outsider, events) = sealed().await;
    let chain: Vec<_> = events.iter().filter(|event| event.chain == events[0].chain).collect();
    let set = "update audit_events set position = $1 where id = $2";
    for (id, position) in [(chain[4].id, 999), (chain[9].id, 5), (chain[4].id, 10)] {
        outsider.run(set, [Value::from(position), id.into()]).await.unwrap();
    }
    one(&examined(&stage).await, What::Swapped, &[chain[4], chain[9]]);
}

#[tokio::test]
async fn exchanged_events_that_still_wait_are_named_both() {
    let stage = Stage::sqlite().await;
    stage.accept("T-1").await;
    stage.accept("T-2").await;
    let outsider = stage.outsider().await;
    outsider.unguard().await;
    let events = outsider.events().await;
    let (first, second) = (&events[0], &events[2]);
    outsider.set_event(first.id, &second.bytes, &[0; 32]).await;
    outsider.set_event(second.id, &first.bytes, &first.hash).await;
    outsider.set_event(first.id, &second.bytes, &second.hash).await;
    let verdict = examined(&stage).await;
    assert_eq!(numbers(&verdict, What::Swapped).len(), 1, "{}", words(&verdict));
    let swapped = verdict.faults.iter().find(|found| found.what == What::Swapped).unwrap();
    let named: Vec<_> = swapped.records.iter().filter_map(|record| record.event).collect();
    assert!(named.contains(&EventId(first.id)) && named.contains(&EventId(second.id)));
}

#[tokio::test]
async fn exchanged_places_of_the_log_are_named_both() {
    for (one_at, other_at) in [(5, 6), (3, 30), (1, 36)] {
        for whole_rows in [false, true] {
            let (stage, outsider, events) = sealed().await;
            let seals = outsider.seals().await;
            let (low, high) = (&seals[one_at - 1], &seals[other_at - 1]);
            let set = "update seals set event_id = $1, event_hash = $2, seal_hash = $3 where number = $4";
            let third = uuid::Uuid::nil();
            for (number, from) in [(low.0, None), (high.0, Some(low)), (low.0, Some(high))] {
                let own = &seals[usize::try_from(number).unwrap() - 1];
                let (event, hash) = from.map_or((third, &own.2), |from| (from.1, &from.2));
                let seal = if whole_rows { from.map_or(&own.3, |from| &from.3) } else { &own.3 };
                let values = [event.into(), hash.clone().into(), seal.clone().into(), number.into()];
                outsider.run(set, values).await.unwrap();
            }
            let verdict = examined(&stage).await;
            let wanted = vec![i64::try_from(one_at).unwrap(), i64::try_from(other_at).unwrap()];
            assert_eq!(numbers(&verdict, What::Swapped), [wanted], "{}", words(&verdict));
            assert_eq!(numbers(&verdict, What::Changed).len(), 0, "{}", words(&verdict));
            assert_eq!(events.len(), 36);
        }
    }
}

#[tokio::test]
async fn a_changed_seal_is_found_at_its_number_and_nowhere_else() {
    for column in ["event_hash", "seal_hash"] {
        let (stage, outsider, _) = sealed().await;
        let set = format!("update seals set {column} = $1 where number = 9");
        outsider.run(&set, [vec![7_u8; 32].into()]).await.unwrap();
        let verdict = examined(&stage).await;
        let changed = numbers(&verdict, What::Changed);
        assert!(!changed.is_empty() && changed.iter().all(|named| *named == [9]), "{}", words(&verdict));
    }
}

/// A well-made event at the end of a chain, as a forger would write it who knows the source code.
async fn forged(outsider: &Outsider, last: &RawEvent, kind: EventKind) -> EventId {
    let id = EventId(uuid::Uuid::from_u128(7));
    let place = Place {
        id,
        chain: ChainId(last.chain),
        position: last.position + 1,
        previous: Digest::from_slice(&last.hash).unwrap(),
        at: at(9_999),
    };
    let written = NewEvent::new(kind, Actor::Countersign).write(&place, &mut || [1; 16]);
    let insert = "insert into audit_events (id, chain, position, at, kind, bytes, hash) \
                  values ($1, $2, $3, $4, $5, $6, $7)";
    let values = [
        id.0.into(),
        last.chain.into(),
        place.position.into(),
        place.at.as_utc().into(),
        kind.as_str().into(),
        written.bytes.as_slice().to_vec().into(),
        written.hash.0.to_vec().into(),
    ];
    outsider.run(insert, values).await.unwrap();
    id
}

#[tokio::test]
async fn an_added_event_is_found_without_a_place_and_with_one() {
    let (stage, outsider, events) = sealed().await;
    let last = events.iter().find(|event| is_last_of_chain(event, &events)).unwrap();
    let id = forged(&outsider, last, EventKind::AlarmRaised).await;
    let verdict = examined(&stage).await;
    let [found] = verdict.faults.as_slice() else { panic!("{}", words(&verdict)) };
    assert_eq!((found.what, found.records[0].event), (What::Added, Some(id)), "{}", words(&verdict));
    // Given a place at the end of the log, with hashes as they should be: no signed head covers it.
    let seals = outsider.seals().await;
    let hash: Vec<u8> = outsider.events().await.iter().find(|event| event.id == id.0).unwrap().hash.clone();
    let before = Digest::from_slice(&seals.last().unwrap().3).unwrap();
    let seal = crate::domain::audit::seal_hash(before, 37, Digest::from_slice(&hash).unwrap());
    let insert = "insert into seals values (37, $1, $2, $3)";
    outsider.run(insert, [id.0.into(), hash.into(), seal.0.to_vec().into()]).await.unwrap();
    let verdict = examined(&stage).await;
    assert_eq!(numbers(&verdict, What::Added), [[37]], "{}", words(&verdict));
}

#[tokio::test]
async fn a_forged_decision_that_waits_for_its_place_has_no_row() {
    let (stage, outsider, events) = sealed().await;
    let last = events.iter().find(|event| is_last_of_chain(event, &events)).unwrap();
    let id = forged(&outsider, last, EventKind::DecisionRecorded).await;
    outsider.run("insert into unsealed (event_id) values ($1)", [id.0.into()]).await.unwrap();
    let verdict = examined(&stage).await;
    let [found] = verdict.faults.as_slice() else { panic!("{}", words(&verdict)) };
    assert_eq!((found.what, found.records[0].event), (What::RowDiffers, Some(id)));
}

#[tokio::test]
async fn personal_values_are_neither_changed_nor_added_nor_cleared_by_others() {
    let (stage, outsider, events) = sealed().await;
    let named = |verdict: &Verdict| verdict.faults[0].records[0].event.unwrap().0;
    let person =
        "field = 'person_ref' and event_id in (select id from audit_events where kind = 'workflow.received')";
    let change = format!("update audit_personal set clear_text = 'p-other' where {person}");
    assert_eq!(outsider.run(&change, []).await, Ok(2));
    let verdict = examined(&stage).await;
    assert_eq!(numbers(&verdict, What::Changed).len(), 2, "{}", words(&verdict));
    assert!(events.iter().any(|event| event.id == named(&verdict) && event.position == 2));
    assert!(!words(&verdict).contains("p-other"));
    let event = &events[11];
    let insert = "insert into audit_personal values ($1, 'comment_of_nobody', x'00', 'yes')";
    outsider.run(insert, [event.id.into()]).await.unwrap();
    assert!(words(&examined(&stage).await).contains("that it does not commit to"));
    outsider.run("delete from audit_personal where field = 'comment_of_nobody'", []).await.unwrap();
    for gone in [
        format!("update audit_personal set clear_text = null where {person}"),
        "delete from audit_personal".to_owned(),
    ] {
        outsider.run(&gone, []).await.unwrap();
        let verdict = examined(&stage).await;
        let told = |found: &Found| {
            found.what == What::Dropped && found.words.contains("no event tells of their clearing")
        };
        assert!(!verdict.faults.is_empty() && verdict.faults.iter().all(told), "{gone}: {}", words(&verdict));
    }
}
