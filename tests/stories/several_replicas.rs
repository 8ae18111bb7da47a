//! Several processes on one PostgreSQL share the work and wake each other.
//!
//! Must hold: whichever replica a request comes to, any other may carry it on, and it need not wait until that one
//! happens to look.

use std::time::Duration;

use countersign::clock::World;
use countersign::worker::Crew;
use tokio_util::sync::CancellationToken;

use crate::stage::{Database, Stage, until};

/// The service that is told works with nobody; the other one, which nobody has told, never looks by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a PostgreSQL server; tests/all starts one and runs this"]
async fn what_one_replica_takes_in_another_one_plans_at_once() {
    let stage = Stage::begin(Database::postgres()).await;
    let (other, _socket) = stage.second_service().await;
    let world = World { clock: stage.clock.clone(), chance: World::real().chance };
    let (stop, hour) = (CancellationToken::new(), Duration::from_hours(1));
    let crew = Crew::start(other.workers(), &world, || other.kit.store.bell(), hour, &stop);
    // Everything that is due at the beginning is done once nobody writes any more.
    let events = async || {
        stage.count("select count(*) from audit_events where id not in (select event_id from seals)").await
    };
    until("a quiet beginning", async || (events().await == 0).then_some(())).await;

    let first = stage.hire().await;
    until("the asking", async || (stage.state(&first).await == "pending_approval").then_some(())).await;
    let links = || stage.simulator.mailbox.links_for("ana@example.com");
    let link = stage.moved(&until("the mail", async || links().pop()).await);
    assert_eq!(stage.decide(&link, "approve", "").await.status, 303);
    until("the end", async || (stage.state(&first).await == "succeeded").then_some(())).await;
    stop.cancel();
    assert_eq!(crew.finish().await, Ok(()));
    stage.check(&first).await;
}
