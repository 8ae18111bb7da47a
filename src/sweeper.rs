//! The sweeper brings to rest what nobody decided in time, and forgets sign-ins that are long over.

use async_trait::async_trait;

use crate::domain::time::Timestamp;
use crate::kit::Kit;
use crate::store::WriteFault;
use crate::store::codes::{self, Forget};
use crate::store::decisions::Expire;
use crate::store::workflows;
use crate::worker::{Did, TurnFailed, Worker};

/// Brings overdue askings to rest.
pub struct Sweeper {
    kit: Kit,
}

impl Sweeper {
    /// A sweeper over the given kit.
    pub fn new(kit: Kit) -> Self {
        Self { kit }
    }
}

impl Sweeper {
    /// Nothing is overdue: is there something to forget, and when is there something to do next?
    async fn forget(&self, now: Timestamp) -> Result<Did, TurnFailed> {
        let read = TurnFailed::doing("reading what falls due");
        let forget = codes::next_to_forget(&self.kit.store).await.map_err(|fault| read(&fault))?;
        if forget.is_some_and(|due| due <= now) {
            let stamp = self.kit.world.stamp();
            let forgotten = self.kit.store.write(Forget { stamp }).await;
            forgotten.map_err(|fault| TurnFailed::doing("forgetting old sign-ins")(&fault))?;
            return Ok(Did::Work(1));
        }
        let next = workflows::next_due(&self.kit.store, &["pending_approval"]).await;
        let next = next.map_err(|fault| read(&fault))?;
        Ok(next.into_iter().chain(forget).min().map_or(Did::Idle, Did::IdleUntil))
    }
}

#[async_trait]
impl Worker for Sweeper {
    fn name(&self) -> &'static str {
        "sweeper"
    }

    async fn turn(&self) -> Result<Did, TurnFailed> {
        let read = TurnFailed::doing("reading what is overdue");
        let now = self.kit.world.now();
        let due = workflows::due(&self.kit.store, "pending_approval", now, 50)
            .await
            .map_err(|fault| read(&fault))?;
        if due.is_empty() {
            return self.forget(now).await;
        }
        let mut done = 0;
        for workflow in due {
            let stamp = self.kit.world.stamp();
            match self.kit.store.write(Expire { stamp, workflow: workflow.id }).await {
                Ok(()) => {
                    tracing::info!(workflow.id = %workflow.id, "expired: nobody decided in time");
                    done += 1;
                }
                // Somebody decided in the last moment.
                Err(WriteFault::Refused(_)) => {}
                Err(fault) => return Err(TurnFailed::doing("expiring a workflow")(&fault)),
            }
        }
        Ok(Did::Work(done))
    }
}
