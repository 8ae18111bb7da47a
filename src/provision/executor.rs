//! The executor: claims runs that are due, several at once, and has each carried out.
//!
//! Must hold: of one user at most one run is under way, whoever claims; one hand of several is kept for leavers; what
//! cannot be carried out because of what we keep ourselves, or because of a fault of our own, goes to a person, for trying
//! again changes nothing about it.

use async_trait::async_trait;
use uuid::Uuid;

use super::claimed::{Left, Runner};
use crate::domain::resting::Admission;
use crate::kit::Kit;
use crate::store::WriteFault;
use crate::store::due;
use crate::store::lease::Lease;
use crate::store::runs::{ClaimRun, LetGo, NotClaimed};
use crate::store::workflows::Workflow;
use crate::worker::{Did, KeptHand, Looking, TurnFailed, Worker, upright};

/// Carries plans out.
pub struct Executor {
    kit: Kit,
    holder: Uuid,
    kept: KeptHand,
}

impl Executor {
    /// An executor over the given kit.
    pub fn new(kit: Kit) -> Self {
        let holder = Uuid::from_bytes(kit.world.bytes());
        let kept = KeptHand::among(hands(&kit));
        Self { kit, holder, kept }
    }
}

fn hands(kit: &Kit) -> usize {
    usize::try_from(kit.settings.worker.runs_at_once).unwrap_or(1)
}

#[async_trait]
impl Worker for Executor {
    fn name(&self) -> &'static str {
        "executor"
    }

    fn hands(&self) -> usize {
        hands(&self.kit)
    }

    async fn turn(&self) -> Result<Did, TurnFailed> {
        self.turn_beside_others(&mut Looking::alone()).await
    }

    async fn turn_beside_others(&self, looking: &mut Looking) -> Result<Did, TurnFailed> {
        if self.kit.store.ailment().is_some() {
            // What came of a call could not be recorded. The sweeper finds out when writes go through again, and rings.
            return Ok(Did::Idle);
        }
        let failed = TurnFailed::doing("claiming a run");
        let (now, whose) = (self.kit.world.now(), self.kept.whose());
        let next = due::next_run_at(&self.kit.store, whose).await;
        match next.map_err(|fault| failed(&fault))? {
            None => return Ok(Did::Idle),
            Some(due) if due > now => return Ok(Did::IdleUntil(due)),
            Some(_) => {}
        }
        let (claimable, resting_until) = self.kit.claimable(whose);
        let stamp = self.kit.world.stamp();
        let kept = self.kit.witness.kept();
        let until = now.plus(self.kit.settings.worker.lease);
        let claim = ClaimRun { stamp, holder: self.holder, until, claimable, kept };
        let (workflow, lease) = match self.kit.store.write(claim).await {
            Ok(Some(claimed)) => claimed,
            Ok(None) => return Ok(resting_until.map_or(Did::Idle, Did::IdleUntil)),
            Err(WriteFault::Refused(NotClaimed::HeadMissing(_))) => {
                self.kit.compare_log().await?;
                return Ok(Did::Idle);
            }
            Err(fault) => return Err(failed(&fault)),
        };
        // Asked before the next hand may look, so that one alone tries a target that has rested.
        let admission = workflow.target.as_ref().and_then(|name| self.kit.target(name));
        let admission = admission.map_or(Admission::Go, |target| target.admit(workflow.id));
        let at_work = self.kept.takes(workflow.kind);
        looking.found();
        let carried = match admission {
            Admission::Go => self.carry_out(workflow, lease).await,
            Admission::NotBefore(due_at, _) => {
                let let_go = LetGo { stamp: self.kit.world.stamp(), lease, workflow: workflow.id, due_at };
                self.kit.store.write(let_go).await.map(|()| Did::Work(1)).map_err(|fault| failed(&fault))
            }
        };
        if at_work.is_some() {
            drop(at_work);
            // A hand that looked for leavers alone may look for others again.
            self.kit.store.ring();
        }
        carried
    }
}

impl Executor {
    async fn carry_out(&self, workflow: Workflow, lease: Lease) -> Result<Did, TurnFailed> {
        let (id, runner) = (workflow.id, Runner::new(&self.kit));
        let carried = upright(runner.carry_out(workflow.clone(), lease.clone())).await;
        let mut carried = carried.unwrap_or_else(|fell| Err(fell.into()));
        if let Err(left) = &carried
            && left.is_broken()
        {
            carried = runner.stop(&workflow, &lease, left.to_string()).await;
        }
        match carried {
            Ok(()) => {}
            Err(Left::Lost) => {
                tracing::warn!(workflow.id = %id, "this run was taken over by another worker, or has ended");
                if let Err(left) = runner.let_go_of_ended(id, lease).await {
                    tracing::debug!(workflow.id = %id, %left, "its lease is not held any more");
                }
            }
            Err(left) => return Err(TurnFailed::doing("carrying a plan out")(&left)),
        }
        Ok(Did::Work(1))
    }
}
