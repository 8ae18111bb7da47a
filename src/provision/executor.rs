//! The executor: claims runs that are due, several at once, and has each carried out.
//!
//! Must hold: of one user at most one run is under way, whoever claims; what cannot be carried out because of what we
//! keep ourselves goes to a person, for trying again changes nothing about it.

use async_trait::async_trait;
use uuid::Uuid;

use super::claimed::{LEASE, Left, Runner};
use crate::kit::Kit;
use crate::store::due;
use crate::store::runs::ClaimRun;
use crate::worker::{Did, Looking, TurnFailed, Worker};

/// Carries plans out.
pub struct Executor {
    kit: Kit,
    holder: Uuid,
}

impl Executor {
    /// An executor over the given kit.
    pub fn new(kit: Kit) -> Self {
        let holder = Uuid::from_bytes(kit.world.bytes());
        Self { kit, holder }
    }
}

#[async_trait]
impl Worker for Executor {
    fn name(&self) -> &'static str {
        "executor"
    }

    fn hands(&self) -> usize {
        usize::try_from(self.kit.settings.worker.runs_at_once).unwrap_or(1)
    }

    async fn turn(&self) -> Result<Did, TurnFailed> {
        self.turn_beside_others(&mut Looking::alone()).await
    }

    async fn turn_beside_others(&self, looking: &mut Looking) -> Result<Did, TurnFailed> {
        let failed = TurnFailed::doing("claiming a run");
        let now = self.kit.world.now();
        let next = due::next_at(&self.kit.store, &["approved", "running"]).await;
        match next.map_err(|fault| failed(&fault))? {
            None => return Ok(Did::Idle),
            Some(due) if due > now => return Ok(Did::IdleUntil(due)),
            Some(_) => {}
        }
        let stamp = self.kit.world.stamp();
        let claim = ClaimRun { stamp, holder: self.holder, until: now.plus(LEASE) };
        let Some((workflow, lease)) = self.kit.store.write(claim).await.map_err(|fault| failed(&fault))?
        else {
            return Ok(Did::Idle);
        };
        looking.found();
        let (id, runner) = (workflow.id, Runner::new(&self.kit));
        let mut carried = runner.carry_out(workflow.clone(), lease.clone()).await;
        if let Err(left) = &carried
            && left.is_broken()
        {
            carried = runner.stop(&workflow, &lease, left.to_string()).await;
        }
        match carried {
            Ok(()) => {}
            Err(Left::Lost) => tracing::warn!(workflow.id = %id, "this run was taken over by another worker"),
            Err(left) => return Err(TurnFailed::doing("carrying a plan out")(&left)),
        }
        Ok(Did::Work(1))
    }
}
