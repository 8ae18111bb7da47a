//! A full disk, as a page limit makes it: what was answered is durable, everything else is not there.

use std::collections::BTreeSet;

use super::stage::{Stage, accept};
use crate::store::listed::{self, Listed};
use crate::store::{Place, Store, WriteFault};

/// The references of all workflows that a second process sees.
async fn durable(url: &str) -> BTreeSet<String> {
    let second = Store::open(&Place::Sqlite { url: url.to_owned(), most_pages: None }).await.unwrap();
    let rows = listed::page(&second, None, 100_000).await.unwrap();
    second.close().await;
    let whole = rows.into_iter().filter_map(|row| match row {
        Listed::Whole(workflow) => Some(workflow.source_ref.as_str().to_owned()),
        Listed::Unreadable(_) => None,
    });
    whole.collect()
}

#[tokio::test]
async fn on_a_full_disk_every_yes_is_durable_and_everything_else_is_not_there() {
    let stage = Stage::sqlite().await;
    let Place::Sqlite { url, .. } = &stage.place else { panic!("not SQLite") };
    stage.store.close().await;
    let pages = stage.outsider().await.count("pragma page_count").await;
    let limit = u32::try_from(pages).unwrap() + 30;
    let small = Place::Sqlite { url: url.clone(), most_pages: Some(limit) };
    let store = Store::open(&small).await.unwrap();
    let (mut yes, mut no) = (BTreeSet::new(), Vec::new());
    for number in 0..400 {
        let reference = format!("T-{number}");
        let mut deed = accept(stage.stamp(), &reference, &reference);
        // Bodies of several sizes, so that a small one may still fit after a large one did not.
        deed.delivery.body = vec![b'x'; (number % 7) * 2_400];
        match store.write(deed).await {
            Ok(_) => {
                yes.insert(reference);
            }
            Err(WriteFault::Unavailable(_)) => no.push(reference),
            Err(other) => panic!("{other:?}"),
        }
        if number % 50 == 0 {
            assert_eq!(durable(url).await, yes, "after {number}");
        }
    }
    assert!(!yes.is_empty() && no.len() > 100, "{} and {}", yes.len(), no.len());
    let first_no: usize = no[0].trim_start_matches("T-").parse().unwrap();
    let later = |reference: &&String| reference.trim_start_matches("T-").parse::<usize>().unwrap() > first_no;
    assert!(yes.iter().any(|reference| later(&reference)), "the store never went on after the first no");
    assert_eq!(durable(url).await, yes);
    store.close().await;
    // Room again: everything that was refused goes through, and nothing is there twice.
    let store = Store::open(&Place::Sqlite { url: url.clone(), most_pages: None }).await.unwrap();
    for reference in &no {
        store.write(accept(stage.stamp(), reference, reference)).await.unwrap();
    }
    assert_eq!(durable(url).await.len(), 400);
    let verdict = crate::audit::verify(&store, &stage.keys, None).await.unwrap();
    assert!(verdict.is_sound(), "{:?}", verdict.faults);
}

#[tokio::test]
async fn callers_that_come_all_at_once_are_told_the_truth_too() {
    let stage = Stage::sqlite().await;
    let Place::Sqlite { url, .. } = &stage.place else { panic!("not SQLite") };
    stage.store.close().await;
    let pages = stage.outsider().await.count("pragma page_count").await;
    let limit = u32::try_from(pages).unwrap() + 40;
    let store = Store::open(&Place::Sqlite { url: url.clone(), most_pages: Some(limit) }).await.unwrap();
    let mut posts = tokio::task::JoinSet::new();
    for number in 0..200 {
        let reference = format!("T-{number}");
        let (store, deed) = (store.clone(), accept(stage.stamp(), &reference, &reference));
        posts.spawn(async move { (reference, store.write(deed).await) });
    }
    let (mut yes, mut no) = (BTreeSet::new(), 0);
    for (reference, answer) in posts.join_all().await {
        match answer {
            Ok(_) => {
                yes.insert(reference);
            }
            Err(WriteFault::Unavailable(_)) => no += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert!(!yes.is_empty() && no > 50, "{} and {no}", yes.len());
    assert_eq!(durable(url).await, yes);
    assert!(store.is_reachable().await.is_ok());
}
