//! The sweeper does what time asks for: it brings to rest what nobody decided, hands an undecided leaver to the
//! operators, ends approvals that have begun nothing, reminds who has not answered, tells the operators again of leavers
//! that are held and of leavers that are open for long, forgets sign-ins that are long over, and clears what has been
//! kept for long enough.
//!
//! While a write has failed last, it finds out whether writes go through again.
//!
//! Must hold: each is one deed that looks again in its transaction; a turn with nothing due writes nothing; while the
//! time is in doubt nothing is due.

use async_trait::async_trait;

use crate::clock::MayBegin;
use crate::domain::ids::WorkflowId;
use crate::domain::time::Timestamp;
use crate::kit::Kit;
use crate::store::batch_alarms::{self, TellBatch};
use crate::store::codes::{self, Forget};
use crate::store::decisions::Expire;
use crate::store::due;
use crate::store::health::Probe;
use crate::store::leaver_alarms::{self, LeaverTold, TellLeaver};
use crate::store::reminders::{self, Remind};
use crate::store::retention::{self, ClearBodies, ClearWorkflow, NothingToClear};
use crate::store::{Deed, WriteFault};
use crate::worker::{Did, TurnFailed, Worker};

/// So much is done in one turn.
const MOST: u64 = 50;
/// After so long it is tried again to clear what could not be cleared.
const AGAIN_AFTER_SECONDS: i64 = 3_600;

/// Does what time asks for.
pub struct Sweeper {
    kit: Kit,
}

impl Sweeper {
    /// A sweeper over the given kit.
    pub fn new(kit: Kit) -> Self {
        Self { kit }
    }

    async fn end(&self, workflow: WorkflowId) -> Result<(), TurnFailed> {
        let stamp = self.kit.world.stamp();
        match self.kit.store.write(Expire { stamp, workflow }).await {
            Ok(state) => {
                tracing::info!(workflow.id = %workflow, state, "the time for it is over");
                Ok(())
            }
            // Somebody decided, or began, in the last moment.
            Err(WriteFault::Refused(_)) => Ok(()),
            Err(fault) => Err(TurnFailed::doing("ending what is overdue")(&fault)),
        }
    }

    async fn tell_of_leaver(&self, workflow: WorkflowId) -> Result<(), TurnFailed> {
        let stamp = self.kit.world.stamp();
        let told = self.kit.store.write(TellLeaver { stamp, workflow }).await;
        let told = told.map_err(|fault| TurnFailed::doing("telling of an open leaver")(&fault))?;
        if let LeaverTold::Percent(percent) = told {
            tracing::warn!(workflow.id = %workflow, percent, "a leaver is open for long");
            metrics::counter!("countersign_leaver_alarms_total", "percent" => percent.to_string())
                .increment(1);
        }
        Ok(())
    }

    async fn remind(&self, workflow: WorkflowId) -> Result<(), TurnFailed> {
        let stamp = self.kit.world.stamp();
        let reminded = self.kit.store.write(Remind { stamp, workflow }).await;
        let reminded = reminded.map_err(|fault| TurnFailed::doing("reminding approvers")(&fault))?;
        tracing::info!(workflow.id = %workflow, ?reminded, "a reminder was due");
        Ok(())
    }
}

impl Sweeper {
    /// Clears a batch of what has been kept for long enough; says how much that was, and when there is more.
    async fn clear(&self, now: Timestamp) -> Result<(u64, Option<Timestamp>), TurnFailed> {
        let read = TurnFailed::doing("reading what has been kept for long enough");
        let (store, retention) = (&self.kit.store, self.kit.settings.retention);
        let (mut cleared, mut next) = (0, None);
        // What could not be cleared is tried again in a while.
        let due = |at: Timestamp| if at <= now { now.plus_seconds(AGAIN_AFTER_SECONDS) } else { at };
        // Of what became no workflow the bytes are all there is, so they go with everything else at the latest.
        if let Some(after) = retention.deliveries_after.or(retention.personal_after) {
            let before = now.plus(-after);
            for bodies in retention::bodies_due(store, before, MOST).await.map_err(|fault| read(&fault))? {
                let stamp = self.kit.world.stamp();
                cleared += self.written(ClearBodies { stamp, bodies, before }).await;
            }
            let oldest = retention::next_bodies(store).await.map_err(|fault| read(&fault))?;
            next = next.into_iter().chain(oldest.map(|came| due(came.plus(after)))).min();
        }
        if let Some(after) = retention.personal_after {
            let before = now.plus(-after);
            for workflow in retention::due(store, before, MOST).await.map_err(|fault| read(&fault))? {
                let stamp = self.kit.world.stamp();
                cleared += self.written(ClearWorkflow { stamp, workflow, before }).await;
            }
            let oldest = retention::next(store).await.map_err(|fault| read(&fault))?;
            next = next.into_iter().chain(oldest.map(|rested| due(rested.plus(after)))).min();
        }
        Ok((cleared, next))
    }

    /// One clearing; none, where it was done or has moved on meanwhile, or cannot be done. The store has told why, and
    /// what cannot be cleared keeps nothing else.
    async fn written<D: Deed<No = NothingToClear>>(&self, deed: D) -> u64 {
        match self.kit.store.write(deed).await {
            Ok(_) => 1,
            Err(WriteFault::Refused(NothingToClear)) => 0,
            Err(fault @ (WriteFault::Unavailable(_) | WriteFault::Unknown(_))) => {
                tracing::error!(%fault, "something could not be cleared after its time");
                0
            }
        }
    }

    /// Nothing is overdue: is there something to tell or to forget, and when is there something to do next?
    async fn forget(&self, now: Timestamp) -> Result<Did, TurnFailed> {
        let read = TurnFailed::doing("reading what falls due");
        let batch = batch_alarms::next_due(&self.kit.store).await.map_err(|fault| read(&fault))?;
        if let Some((batch, _)) = batch.filter(|(_, due)| *due <= now) {
            let stamp = self.kit.world.stamp();
            let told = self.kit.store.write(TellBatch { stamp, batch }).await;
            let told = told.map_err(|fault| TurnFailed::doing("telling of held leavers")(&fault))?;
            tracing::warn!(%batch, ?told, "leavers are held");
            return Ok(Did::Work(1));
        }
        let forget = codes::next_to_forget(&self.kit.store).await.map_err(|fault| read(&fault))?;
        if forget.is_some_and(|due| due <= now) {
            let stamp = self.kit.world.stamp();
            let forgotten = self.kit.store.write(Forget { stamp }).await;
            forgotten.map_err(|fault| TurnFailed::doing("forgetting old sign-ins")(&fault))?;
            return Ok(Did::Work(1));
        }
        let (cleared, clears) = self.clear(now).await?;
        if cleared > 0 {
            return Ok(Did::Work(cleared));
        }
        let end = due::next_overdue(&self.kit.store, now).await.map_err(|fault| read(&fault))?;
        let reminder = reminders::next_due(&self.kit.store).await.map_err(|fault| read(&fault))?;
        let batch = batch.map(|(_, due)| due);
        let leaver = leaver_alarms::next_due(&self.kit.store).await.map_err(|fault| read(&fault))?;
        let next = [end, reminder, forget, batch, leaver, clears].into_iter().flatten().min();
        Ok(next.map_or(Did::Idle, Did::IdleUntil))
    }
}

#[async_trait]
impl Worker for Sweeper {
    fn name(&self) -> &'static str {
        "sweeper"
    }

    async fn turn(&self) -> Result<Did, TurnFailed> {
        if self.kit.store.ailment().is_some() {
            let stamp = self.kit.world.stamp();
            let probed = self.kit.store.write(Probe { stamp }).await;
            probed
                .map_err(|fault| TurnFailed::doing("finding out whether writes go through again")(&fault))?;
            tracing::info!("writes go through again");
        }
        if self.kit.world.may_begin() != MayBegin::Anything {
            // The time is in doubt: nothing ends and nobody is reminded by it.
            return Ok(Did::Idle);
        }
        let read = TurnFailed::doing("reading what is overdue");
        let (store, now) = (&self.kit.store, self.kit.world.now());
        let mut overdue = Vec::new();
        for found in due::overdue(store, now, MOST).await.map_err(|fault| read(&fault))? {
            match found {
                Ok(workflow) => overdue.push(workflow),
                Err(unfit) => self.kit.set_aside(unfit).await?,
            }
        }
        let unanswered = reminders::due(store, now, MOST).await.map_err(|fault| read(&fault))?;
        let late = leaver_alarms::due(store, now, MOST).await.map_err(|fault| read(&fault))?;
        let found = overdue.len() + unanswered.len() + late.len();
        if found == 0 {
            return self.forget(now).await;
        }
        let done = u64::try_from(found).unwrap_or(u64::MAX);
        // What fails for one must not keep the others.
        let mut failed = None;
        for workflow in overdue {
            failed = self.end(workflow.id).await.err().or(failed);
        }
        for workflow in late {
            failed = self.tell_of_leaver(workflow).await.err().or(failed);
        }
        for workflow in unanswered {
            failed = self.remind(workflow).await.err().or(failed);
        }
        failed.map_or(Ok(Did::Work(done)), Err)
    }
}
