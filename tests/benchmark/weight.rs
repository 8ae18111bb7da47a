//! What the service weighs: memory at rest, start on an empty database, what a finished workflow takes on disk.

use super::Size;
use super::figures::{Goal, Report};
use super::people::{joiner, post};
use super::sequences::carried_out;
use super::stand::{Disk, Engine, Stand, Wish, number};
use super::watch::{median, now, pause, resident_mib, today, whole};

pub async fn empty_and_busy(engine: Engine, size: Size, report: &mut Report) {
    let mut starts = Vec::new();
    for _ in 0..size.pairs {
        let mut stand = Stand::begin(Wish { engine, disk: Disk::AsItIs, latency_ms: 0, in_flight: 32 }).await;
        // The schema is there, as it is at any start but the first.
        stand.serve().await;
        stand.stop().await;
        starts.push(first_acceptance(&mut stand).await);
    }
    let name = format!("start to first 202, empty, {}", engine.word());
    report.add(name, (median(starts), "ms"), Goal::AtMost(150.0), "asked every 2 ms".to_owned());

    let mut stand = Stand::begin(Wish { engine, disk: Disk::AsItIs, latency_ms: 20, in_flight: 32 }).await;
    stand.serve().await;
    pause(3_000).await;
    let idle = resident_mib(stand.pid(), "VmRSS");
    report.add(
        format!("resident, idle, {}", engine.word()),
        (idle, "MiB"),
        Goal::AtMost(30.0),
        String::new(),
    );
    let before = stored(&stand).await;
    carried_out(&stand, 0, size.joiners).await;
    // Mails and the sealing of the trail belong to what a workflow leaves behind.
    pause(3_000).await;
    let each = (stored(&stand).await - before) / whole(u64::try_from(size.joiners).unwrap()) / 1024.0;
    let name =
        format!("stored for a finished six-step workflow with audit and a 1 KiB body, {}", engine.word());
    report.add(name, (each, "KiB"), Goal::AtMost(16.0), "indexes included".to_owned());
}

/// Milliseconds from the start of the process to the first request accepted.
pub async fn first_acceptance(stand: &mut Stand) -> f64 {
    static POSTED: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(5_000_000);
    let at = (today() + chrono::TimeDelta::days(200)).to_rfc3339();
    let begun = now();
    stand.launch();
    loop {
        if stand.client.get(format!("{}/healthz", stand.url)).send().await.is_ok() {
            let number = POSTED.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            post(stand, &stand.client, &joiner(number, &at)).await;
            return begun.elapsed().as_secs_f64() * 1_000.0;
        }
        assert!(begun.elapsed().as_secs() < 120, "the service does not start");
        pause(2).await;
    }
}

/// Bytes in the database.
async fn stored(stand: &Stand) -> f64 {
    let database = stand.database().await;
    let question = match stand.wish.engine {
        Engine::Sqlite => {
            "select (select page_count from pragma_page_count) * (select page_size from pragma_page_size)"
                .to_owned()
        }
        Engine::Postgres => format!(
            "select coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint from pg_class c \
             join pg_namespace n on n.oid = c.relnamespace where n.nspname = '{}' and c.relkind = 'r'",
            stand.schema()
        ),
    };
    whole(u64::try_from(number(&database, &question).await).unwrap())
}
