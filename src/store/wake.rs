//! Waking other replicas: what this process has committed is told through PostgreSQL, and what others tell rings the
//! bell here.
//!
//! Must hold: it is told after the commit and apart from it, so that no deed waits for it and none fails by it; many
//! commits in a short time are told once; nothing depends on being heard, since every worker also looks again after a
//! while. Source: <https://www.postgresql.org/docs/current/sql-notify.html>.

use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// One channel for all installations of a database; a message names the schema that it is about.
const CHANNEL: &str = "countersign";
/// Commits within this time are told together.
const TOGETHER: Duration = Duration::from_millis(20);
/// After a fault of the connection.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// The two tasks; they end with it.
pub(super) struct Wake {
    tasks: [AbortHandle; 2],
}

impl Wake {
    /// Begins to tell and to listen. `committed` changes after each commit that may concern others, `bell` is rung.
    pub(super) async fn begin(
        pool: PgPool,
        committed: watch::Receiver<u64>,
        bell: watch::Sender<u64>,
    ) -> Result<Self, sqlx::Error> {
        let schema: String =
            sqlx::query_scalar("select coalesce(current_schema(), '')").fetch_one(&pool).await?;
        // The connection that listens tells nothing, so its process is a name for this one among the others.
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.listen(CHANNEL).await?;
        // Together with when it began, for a server that was started again gives its numbers anew.
        let process: String = sqlx::query_scalar(
            "select pid || '/' || extract(epoch from backend_start)::text from pg_stat_activity \
             where pid = pg_backend_pid()",
        )
        .fetch_one(&mut listener)
        .await?;
        let (about, own) = (format!("{schema}/"), format!("{schema}/{process}"));
        let heard_in = bell;
        let listening = tokio::spawn(listen(pool.clone(), listener, (about, own.clone()), heard_in));
        let telling = tokio::spawn(tell(pool, own, committed));
        Ok(Self { tasks: [listening.abort_handle(), telling.abort_handle()] })
    }
}

impl Drop for Wake {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

async fn tell(pool: PgPool, own: String, mut committed: watch::Receiver<u64>) {
    while committed.changed().await.is_ok() {
        let told = sqlx::query("select pg_notify($1, $2)").bind(CHANNEL).bind(&own).execute(&pool).await;
        if let Err(fault) = told {
            tracing::debug!(%fault, "other replicas were not told; they look again by themselves");
        }
        pause(TOGETHER).await;
    }
}

/// Hears the others for good. `names` are what messages about this schema begin with, and the one that is our own.
async fn listen(pool: PgPool, mut listener: PgListener, names: (String, String), bell: watch::Sender<u64>) {
    let (about, own) = names;
    let ring = || bell.send_modify(|rung| *rung += 1);
    loop {
        match listener.try_recv().await {
            Ok(Some(message)) if message.payload() == own || !message.payload().starts_with(&about) => {}
            // Where there is no message the connection was lost and is back, and nobody heard what was told meanwhile.
            Ok(Some(_) | None) => ring(),
            Err(fault) => {
                tracing::warn!(%fault, "other replicas are not heard; workers look again by themselves");
                listener = heard_again(&pool).await;
                tracing::info!("other replicas are heard again");
                ring();
            }
        }
    }
}

/// A listener on a connection of its own: the driver keeps one that was reset, and would hear its fault for ever.
async fn heard_again(pool: &PgPool) -> PgListener {
    loop {
        pause(AGAIN_AFTER).await;
        let Ok(mut fresh) = PgListener::connect_with(pool).await else { continue };
        if fresh.listen(CHANNEL).await.is_ok() {
            return fresh;
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "nothing is put off by it: who is not told looks again by itself"
)]
async fn pause(so_long: Duration) {
    tokio::time::sleep(so_long).await;
}
