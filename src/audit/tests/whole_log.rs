//! The end of the log cut off, and the whole of it written anew.

use super::*;
use crate::domain::audit::{log_origin, seal_hash};
use crate::domain::canon::Digest;
use crate::key::KeyRing;
use crate::store::seals::Head;

async fn cut(outsider: &Outsider, last: i64) {
    let gone = "select event_id from seals where number > $1";
    for sql in [
        format!("delete from audit_personal where event_id in ({gone})"),
        format!("delete from audit_events where id in ({gone})"),
        "delete from heads where number > $1".to_owned(),
        "delete from seals where number > $1".to_owned(),
    ] {
        outsider.run(&sql, [last.into()]).await.unwrap();
    }
}

#[tokio::test]
async fn a_cut_end_is_found_against_a_head_from_before() {
    let (stage, outsider, _) = sealed().await;
    let before = head(&stage).await;
    // A whole workflow is cut off, rows beside the trail included, where a batch ended.
    cut(&outsider, 30).await;
    for table in [
        "owed_messages",
        "asks",
        "decisions",
        "attempts",
        "steps",
        "person_links",
        "secrets",
        "plans",
        "deliveries",
        "workflows",
    ] {
        outsider.run(&format!("delete from {table}"), []).await.unwrap();
    }
    cut(&outsider, 0).await;
    let verdict = examined(&stage).await;
    assert!(verdict.is_sound(), "nothing is left that could tell: {}", words(&verdict));
    let verdict = against(&stage, &before).await;
    assert_eq!(numbers(&verdict, What::Cut), [[1]], "{}", words(&verdict));
    assert!(words(&verdict).contains("the log was cut: it ends at 0, the head says 36"));
}

#[tokio::test]
async fn a_cut_end_differs_from_the_rows_beside_it() {
    let (stage, outsider, events) = sealed().await;
    let before = head(&stage).await;
    cut(&outsider, 30).await;
    let verdict = against(&stage, &before).await;
    assert_eq!(numbers(&verdict, What::Cut), [[31]], "{}", words(&verdict));
    let second = events.iter().find(|event| event.number == Some(31)).unwrap().chain;
    let differs = verdict.faults.iter().filter(|found| found.what == What::RowDiffers);
    let chains: Vec<_> = differs.filter_map(|found| found.records[0].chain).collect();
    assert!(chains.iter().any(|chain| chain.0 == second), "{}", words(&verdict));
    // A head left standing tells of the cut by itself.
    let (stage, outsider, _) = sealed().await;
    outsider
        .run("delete from audit_events where id in (select event_id from seals where number > 30)", [])
        .await
        .unwrap();
    outsider.run("delete from seals where number > 30", []).await.unwrap();
    let verdict = examined(&stage).await;
    assert_eq!(numbers(&verdict, What::Cut), [[31]], "{}", words(&verdict));
}

/// Another word in the fourth event of a chain, and every hash after it computed anew.
async fn rewrite(outsider: &Outsider, events: &[RawEvent]) {
    let chain = events[0].chain;
    let mut previous: Option<(Digest, Digest)> = None;
    let mut of_chain: Vec<_> = events.iter().filter(|event| event.chain == chain).collect();
    of_chain.sort_by_key(|event| event.position);
    for event in of_chain.into_iter().filter(|event| event.position >= 4) {
        let mut text = String::from_utf8(event.bytes.clone()).unwrap();
        if let Some((old, new)) = previous {
            assert!(text.contains(&old.to_string()));
            text = text.replace(&old.to_string(), &new.to_string());
        } else {
            assert!(text.contains("\"sign_in\":\"link\""));
            text = text.replace("\"sign_in\":\"link\"", "\"sign_in\":\"code\"");
        }
        let new = Digest::of_bytes(text.as_bytes());
        previous = Some((Digest::from_slice(&event.hash).unwrap(), new));
        outsider.set_event(event.id, text.as_bytes(), &new.0).await;
    }
    let now = outsider.events().await;
    let mut before = log_origin();
    for (number, event, ..) in outsider.seals().await {
        let hash = Digest::from_slice(&now.iter().find(|raw| raw.id == event).unwrap().hash).unwrap();
        before = seal_hash(before, number, hash);
        let set = "update seals set event_hash = $1, seal_hash = $2 where number = $3";
        outsider.run(set, [hash.0.to_vec().into(), before.0.to_vec().into(), number.into()]).await.unwrap();
    }
}

#[tokio::test]
async fn a_rewritten_log_is_found_against_a_head_from_before() {
    let (stage, outsider, events) = sealed().await;
    let before = head(&stage).await;
    rewrite(&outsider, &events).await;
    // The heads that stand already say otherwise: none of them covers what was changed.
    let verdict = examined(&stage).await;
    let [found] = verdict.faults.as_slice() else { panic!("{}", words(&verdict)) };
    assert_eq!((found.what, found.records[0].number), (What::Rewritten, Some(15)));
    // Without heads.
    outsider.run("delete from heads", []).await.unwrap();
    let verdict = against(&stage, &before).await;
    assert_eq!(numbers(&verdict, What::Rewritten), [[36], [1]], "{}", words(&verdict));
    assert!(words(&verdict).contains("records up to 36 were rewritten"));
    // With heads under another key.
    let forger = KeyRing::from_bytes([6; 32]);
    let last = outsider.seals().await.pop().unwrap();
    let hash = Digest::from_slice(&last.3).unwrap();
    let signature = forger.signer().sign(Head::signed_text(36, hash).as_bytes()).to_vec();
    let insert = "insert into heads values (36, $1, $2, '2026-01-01 00:00:00 +00:00')";
    outsider.run(insert, [last.3.clone().into(), signature.clone().into()]).await.unwrap();
    let verdict = examined(&stage).await;
    assert_eq!(numbers(&verdict, What::ForeignHead), [[36]], "{}", words(&verdict));
    assert_eq!(numbers(&verdict, What::Rewritten), [[1]], "{}", words(&verdict));
    let foreign = Head { number: 36, hash, signature }.line();
    let verdict = against(&stage, &foreign).await;
    assert_eq!(numbers(&verdict, What::ForeignHead), [[36], [36]]);
    assert!(words(&verdict).contains("not signed by this installation's key"));
}

#[tokio::test]
async fn what_is_no_head_is_not_taken_for_one() {
    let (stage, ..) = sealed().await;
    for text in ["", "countersign-head-1 36", "countersign-head-2 1 00 00"] {
        assert!(verify(&stage.store, &stage.keys, Some(text)).await.is_err(), "{text}");
    }
}
