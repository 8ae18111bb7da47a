//! Durable intake against the rate at which the database commits single rows, with as many clients.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::SecondsFormat;
use sea_orm::{ConnectOptions, ConnectionTrait as _};

use super::Size;
use super::figures::{Goal, Report, told};
use super::people::{joiner, post_all};
use super::stand::{Disk, Engine, Stand, Wish};
use super::watch::{many, median, now, p99, today, whole};

const CLIENTS: u32 = 32;

pub async fn against_single_rows(engine: Engine, disk: Disk, size: Size, report: &mut Report) {
    let (mut ratios, mut rates, mut limits, mut slowest) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..size.pairs {
        let mut stand = Stand::begin(Wish { engine, disk, latency_ms: 20, in_flight: 8 }).await;
        stand.serve().await;
        // Nothing is due, so that the intake is measured and not what comes after it.
        let far = today() + chrono::TimeDelta::days(300);
        let at = far.to_rfc3339_opts(SecondsFormat::Secs, true);
        let bodies = (0..size.webhooks).map(|number| joiner(number, &at)).collect();
        let begun = now();
        let posted = post_all(&stand, bodies, usize::try_from(CLIENTS).unwrap()).await;
        let rate = many(&posted) / begun.elapsed().as_secs_f64();
        stand.stop().await;
        let limit = single_rows(&stand);
        slowest.push(p99(posted.into_iter().map(|(_, took)| took).collect()));
        ratios.push(rate / limit);
        rates.push(rate);
        limits.push(limit);
    }
    let place = format!("{}, {}", engine.word(), disk.word());
    let beside = format!("{} accepted/s against {} rows/s", told(median(rates)), told(median(limits)));
    let name = format!("durable intake against single-row commits, {CLIENTS} clients, {place}");
    report.add(name, (median(ratios), "of them"), Goal::AtLeast(0.3), beside);
    let beside = "planning goes on beside it".to_owned();
    report.add(format!("intake, p99, {place}"), (median(slowest), "ms"), Goal::Told, beside);
}

/// Asks a process of its own, which is under the same disk.
fn single_rows(stand: &Stand) -> f64 {
    let url = match stand.wish.engine {
        Engine::Sqlite => format!("sqlite://{}", stand.folder.path().join("rows.db").display()),
        Engine::Postgres => stand.database_url(),
    };
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["commit-rate", &url, "3"]);
    if stand.wish.engine == Engine::Sqlite && stand.wish.disk == Disk::TwoMillisecondsMore {
        command.env("LD_PRELOAD", std::env::var("COUNTERSIGN_BENCH_PRELOAD").unwrap());
        command.env("COUNTERSIGN_FSYNC_DELAY_US", "2000");
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

/// Commits rows one by one, from as many clients, for so many seconds, and prints how many a second.
pub async fn commit_rate(url: &str, seconds: u64) {
    let mut options = ConnectOptions::new(url);
    // SQLite has one writer: its clients wait for one connection.
    let connections = if url.starts_with("sqlite") { 1 } else { CLIENTS };
    options.max_connections(connections).min_connections(connections).sqlx_logging(false);
    options.acquire_timeout(Duration::from_mins(1));
    options.map_sqlx_sqlite_opts(|sqlite| {
        sqlite
            .create_if_missing(true)
            .journal_mode(sqlx::sqlite::SqliteJournalMode::Wal)
            .synchronous(sqlx::sqlite::SqliteSynchronous::Full)
    });
    let database = sea_orm::Database::connect(options).await.unwrap();
    database.execute_unprepared("drop table if exists single_rows").await.unwrap();
    database.execute_unprepared("create table single_rows (id bigint primary key, body text)").await.unwrap();
    let (next, begun) = (Arc::new(AtomicU64::new(0)), now());
    let body = "x".repeat(1_000);
    let clients = (0..CLIENTS).map(|_| {
        let (database, next, body) = (database.clone(), Arc::clone(&next), body.clone());
        tokio::spawn(async move {
            while begun.elapsed().as_secs() < seconds {
                let id = next.fetch_add(1, Ordering::SeqCst);
                let row = format!("insert into single_rows (id, body) values ({id}, '{body}')");
                database.execute_unprepared(&row).await.unwrap();
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
    let rate = whole(next.load(Ordering::SeqCst)) / begun.elapsed().as_secs_f64();
    database.execute_unprepared("drop table single_rows").await.unwrap();
    println!("{rate}");
}
