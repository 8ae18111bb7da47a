//! The unmodified binary is killed at points that are chosen from outside, and started again: whoever was hired is
//! provisioned once, and the trail is whole.
//!
//! Must hold: a dry run counts the points, so that none is made up; a point that is not reached in a later run is told,
//! not passed over in silence. Points: each sync of the disk, each call to the vault before and after its effect, each
//! COMMIT before and after the server has it. A sample of them, drawn from a seed that is printed, is tried;
//! `COUNTERSIGN_PROOF=whole` tries them all, `COUNTERSIGN_SEED` draws the same ones again.
//! Only these stories wait in real time.

mod commits;
mod life;
mod points;

use self::life::Life;
use self::points::{Fatal, Points, sample};
use crate::stage::Database;

begun_on_both! {
    killed_at_any_call_to_the_vault
}

/// How many points are tried where only a sample is.
const SAMPLE: usize = 5;

async fn killed_at_any_call_to_the_vault(database: Database) {
    let points = counted(&database, |points| points.calls).await;
    let place = word(&database);
    for nth in sample(&format!("calls, {place}"), points, SAMPLE) {
        for fatal in [Fatal::BeforeCall(nth), Fatal::AfterCall(nth)] {
            Life::begin(database.another(), fatal).await.lives(place).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_sync_of_the_disk() {
    let database = Database::sqlite();
    let points = counted(&database, |points| points.syncs).await;
    for nth in sample("syncs, SQLite", points, SAMPLE) {
        for fatal in [Fatal::BeforeSync(nth), Fatal::AfterSync(nth)] {
            Life::begin(database.another(), fatal).await.lives("SQLite").await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a PostgreSQL server; tests/all starts one and runs this"]
async fn killed_at_any_commit() {
    let database = Database::postgres();
    let points = counted(&database, |points| points.commits).await;
    for nth in sample("commits, PostgreSQL", points, SAMPLE) {
        for fatal in [Fatal::BeforeCommit(nth), Fatal::AfterCommit(nth)] {
            Life::begin(database.another(), fatal).await.lives("PostgreSQL").await;
        }
    }
}

/// The same with a second replica, which goes on where the first one was killed; nobody starts that one again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a PostgreSQL server; tests/all starts one and runs this"]
async fn one_of_two_is_killed_at_any_commit() {
    let (database, place) = (Database::postgres(), "PostgreSQL, two replicas");
    // Of all commits only the share of the first one goes through the relay, and how large it is changes from life to life.
    let shared = Life::begin(database.another(), Fatal::Never).await.beside_another().lives(place).await;
    assert!(shared.commits > 5, "{shared:?}");
    let mut killed = 0;
    for nth in sample("commits, two replicas", shared.commits, SAMPLE) {
        let life = Life::begin(database.another(), Fatal::AfterCommit(nth)).await;
        killed += usize::from(life.beside_another().lives(place).await.was_killed);
    }
    assert!(killed > 0, "no point was reached");
}

/// A life in which nobody is killed, to learn how many points there are.
async fn counted(database: &Database, which: impl Fn(&Points) -> u64) -> u64 {
    let points = Life::begin(database.another(), Fatal::Never).await.lives(word(database)).await;
    let many = which(&points);
    assert!(many > 5, "{points:?}");
    many
}

fn word(database: &Database) -> &'static str {
    match database {
        Database::Sqlite => "SQLite",
        Database::Postgres { .. } => "PostgreSQL",
    }
}
