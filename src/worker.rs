//! The loop that every background worker runs in: do what is due, then wait for the bell or the next due time.
//!
//! Must hold: a worker listens for the bell before it looks, so that no ring is missed, and looks again after a
//! while all the same, since another process may have written; one failing turn does not end the worker; a turn is
//! a plain function, so that a test can drive it by hand.

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock::World;
use crate::domain::time::Timestamp;

/// What a turn has brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Did {
    /// So many pieces of work; there may be more.
    Work(u64),
    /// Nothing was due; the next thing is due then.
    IdleUntil(Timestamp),
    /// Nothing was due, and nothing is in sight.
    Idle,
}

/// A turn that failed as a whole. What it was about stays in the database and will be met again.
#[derive(Debug, thiserror::Error)]
#[error("{doing}: {fault}")]
pub struct TurnFailed {
    /// What was being done.
    pub doing: &'static str,
    /// What went wrong.
    pub fault: String,
}

impl TurnFailed {
    /// Names the deed that failed.
    pub fn doing(doing: &'static str) -> impl Fn(&dyn std::fmt::Display) -> Self {
        move |fault| Self { doing, fault: fault.to_string() }
    }
}

/// Something that works in the background.
#[async_trait]
pub trait Worker: Send + Sync {
    /// For logs and metrics.
    fn name(&self) -> &'static str;

    /// Does what is due now.
    async fn turn(&self) -> Result<Did, TurnFailed>;
}

/// Runs a worker until it is told to stop. A turn under way is finished first.
pub async fn run(
    worker: &dyn Worker,
    world: &World,
    mut bell: watch::Receiver<u64>,
    poll: Duration,
    stop: CancellationToken,
) {
    while !stop.is_cancelled() {
        bell.mark_unchanged();
        let wait = match worker.turn().await {
            // Work that came to nothing is no reason to look again at once.
            Ok(Did::Work(0) | Did::Idle) => poll,
            Ok(Did::Work(_)) => Duration::ZERO,
            Ok(Did::IdleUntil(due)) => due.since(world.now()).to_std().unwrap_or_default().min(poll),
            Err(failed) => {
                tracing::error!(worker = worker.name(), fault = %failed, "a turn failed");
                metrics::counter!("countersign_turns_failed_total", "worker" => worker.name()).increment(1);
                poll
            }
        };
        if !wait.is_zero() {
            pause(wait, &mut bell, &stop).await;
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that waits: between turns, interrupted by the bell"
)]
async fn pause(wait: Duration, bell: &mut watch::Receiver<u64>, stop: &CancellationToken) {
    tokio::select! {
        () = tokio::time::sleep(wait) => {}
        rung = bell.changed() => {
            // The store is gone: nothing rings any more, so wait to be stopped.
            if rung.is_err() {
                stop.cancelled().await;
            }
        }
        () = stop.cancelled() => {}
    }
}
