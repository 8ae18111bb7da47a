//! A claimed run: waiting for its target under the lease, recording, stopping at a person.
//!
//! Must hold: between two deeds it holds nothing but a lease, which is extended while a call lasts. A worker whose lease
//! is gone writes nothing more.

use std::future::Future;

use crate::domain::ids::WorkflowId;
use crate::domain::plan::Plan;
use crate::domain::request::LeaverTerms;
use crate::domain::step::Going;
use crate::domain::time::Timestamp;
use crate::key::KeyFault;
use crate::kit::Kit;
use crate::store::lease::{Lease, NotYours};
use crate::store::recording::{Ended, Next, Record, Recorded};
use crate::store::runs::{Extend, LetGo, StartRun, Stopped};
use crate::store::workflows::{self, Workflow};
use crate::store::{ReadFault, WriteFault};
use crate::target::Target;
use crate::worker::{FellOver, Shown, holding};

/// Why a run is left where it is.
#[derive(Debug, thiserror::Error)]
pub(super) enum Left {
    /// Somebody else has it now.
    #[error("another worker has taken this run over")]
    Lost,
    /// The database cannot be read.
    #[error("reading the run: {0}")]
    Read(#[from] ReadFault),
    /// The plan and its ledger do not belong together.
    #[error("the plan and its ledger do not belong together")]
    Mismatch,
    /// The database cannot be written.
    #[error("writing the run: {0}")]
    Write(String),
    /// A secret cannot be sealed or opened.
    #[error(transparent)]
    Key(#[from] KeyFault),
    /// Our own code gave up in the middle.
    #[error(transparent)]
    FellOver(#[from] FellOver),
}

impl Left {
    /// Is something broken that only a person can mend?
    pub(super) fn is_broken(&self) -> bool {
        match self {
            Self::Read(ReadFault::Inconsistent { .. } | ReadFault::Corrupt(_) | ReadFault::Cleared(_))
            | Self::Key(_)
            | Self::FellOver(_)
            | Self::Mismatch => true,
            Self::Read(ReadFault::Database(_)) | Self::Lost | Self::Write(_) => false,
        }
    }
}

impl From<WriteFault<NotYours>> for Left {
    fn from(fault: WriteFault<NotYours>) -> Self {
        match fault {
            WriteFault::Refused(_) => Self::Lost,
            WriteFault::Unavailable(words) | WriteFault::Unknown(words) => Self::Write(words),
        }
    }
}

/// Carries claimed runs out.
pub(super) struct Runner<'a> {
    pub(super) kit: &'a Kit,
}

/// One claimed run.
pub(super) struct Run<'a> {
    pub(super) workflow: Workflow,
    pub(super) lease: Lease,
    pub(super) plan: Plan,
    pub(super) target: &'a dyn Target,
    /// What a leaver's request says; absent for every other kind.
    pub(super) leaver: Option<LeaverTerms>,
}

impl Run<'_> {
    /// Does it go on, as far as this worker knows?
    pub(super) fn going(&self) -> Going {
        if self.workflow.stop.is_some() { Going::Stopping } else { Going::On }
    }
}

impl<'k> Runner<'k> {
    pub(super) fn new(kit: &'k Kit) -> Self {
        Self { kit }
    }

    /// Waits for the target, and extends the lease as long as that lasts. A lease that is lost in spite of it ends the
    /// wait: whoever has it now looks up what the call brought about.
    pub(super) async fn holding<T>(&self, run: &Run<'_>, call: impl Future<Output = T>) -> Result<T, Left> {
        let stands = (self.kit.settings.worker.lease, self.until());
        holding(&self.kit.world, stands, call, |_, until| async move {
            let (stamp, lease) = (self.kit.world.stamp(), run.lease.clone());
            match self.kit.store.write(Extend { stamp, lease, workflow: run.workflow.id, until }).await {
                Ok(()) => Ok(Shown::Kept),
                Err(WriteFault::Refused(_)) => Err(Left::Lost),
                Err(WriteFault::Unavailable(words) | WriteFault::Unknown(words)) => {
                    tracing::warn!(workflow.id = %run.workflow.id, fault = %words, "a lease was not extended");
                    Ok(Shown::NotNow)
                }
            }
        })
        .await
    }

    pub(super) async fn record(
        &self,
        run: &Run<'_>,
        ended: Option<Ended>,
        next: Next,
    ) -> Result<Recorded, Left> {
        let deed = Record {
            stamp: self.kit.world.stamp(),
            lease: run.lease.clone(),
            until: self.until(),
            workflow: run.workflow.id,
            plan: run.plan.clone(),
            ended,
            next,
            server_delay: self.kit.server_delay(&run.plan.target),
            going: run.going(),
        };
        Ok(self.kit.store.write(deed).await?)
    }

    /// Sends a claimed run to a person, whichever of its states it is in.
    pub(super) async fn stop(&self, workflow: &Workflow, lease: &Lease, reason: String) -> Result<(), Left> {
        self.stop_because(workflow, lease, Stopped::Because(reason)).await
    }

    pub(super) async fn stop_because(
        &self,
        workflow: &Workflow,
        lease: &Lease,
        stopped: Stopped,
    ) -> Result<(), Left> {
        tracing::warn!(workflow.id = %workflow.id, because = ?stopped, "a run is stopped");
        let (stamp, lease, stopped) = (self.kit.world.stamp(), lease.clone(), Some(stopped));
        let (workflow, plan_number) = (workflow.id, workflow.plan_number);
        self.kit.store.write(StartRun { stamp, lease, workflow, plan_number, stopped }).await?;
        Ok(())
    }

    /// The workflow was brought to rest while this worker was looking at it: the lease is let go, since whoever took its
    /// place may be waiting for it.
    pub(super) async fn let_go_of_ended(&self, workflow: WorkflowId, lease: Lease) -> Result<(), Left> {
        let now = workflows::find(&self.kit.store, workflow).await?;
        if !now.is_some_and(|now| now.state.is_final()) {
            return Ok(());
        }
        let stamp = self.kit.world.stamp();
        let due_at = stamp.at;
        Ok(self.kit.store.write(LetGo { stamp, lease, workflow, due_at }).await?)
    }

    pub(super) fn until(&self) -> Timestamp {
        self.kit.world.now().plus(self.kit.settings.worker.lease)
    }
}
