//! The sealer as a worker.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::audit::Sealer;
use crate::clock::World;
use crate::config::tests::{GOOD, load};
use crate::kit::Kit;
use crate::rules::{Engine, Policy};
use crate::witness::Witness;
use crate::worker::{Did, Worker};

fn kit(stage: &Stage) -> Kit {
    let settings = load(GOOD).unwrap();
    let engine = Engine::start(Duration::from_secs(30)).unwrap();
    let policy = Policy::compile(&engine, &settings).unwrap();
    Kit {
        store: stage.store.clone(),
        world: World::real(),
        witness: Arc::new(Witness::nowhere()),
        keys: stage.keys.clone(),
        settings: Arc::new(settings),
        engine,
        policy: Arc::new(policy),
        targets: Arc::default(),
    }
}

#[tokio::test]
async fn the_sealer_writes_only_when_something_waits() {
    let stage = Stage::sqlite().await;
    let sealer = Sealer::new(kit(&stage));
    let mut bell = stage.store.bell();
    bell.mark_unchanged();
    assert_eq!(sealer.turn().await.unwrap(), Did::Idle);
    assert!(!bell.has_changed().unwrap(), "an idle turn rang the bell");
    for number in 0..251 {
        stage.accept(&format!("T-{number}")).await;
    }
    assert_eq!(sealer.turn().await.unwrap(), Did::Work(500));
    assert_eq!(sealer.turn().await.unwrap(), Did::Work(2));
    bell.mark_unchanged();
    assert_eq!(sealer.turn().await.unwrap(), Did::Idle);
    assert!(!bell.has_changed().unwrap(), "an idle turn rang the bell");
    let verdict = against(&stage, &head(&stage).await).await;
    assert!(verdict.is_sound(), "{}", words(&verdict));
    assert_eq!((verdict.events, verdict.sealed_to, verdict.waiting), (502, 502, 0));
}
