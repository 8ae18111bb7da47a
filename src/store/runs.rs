//! Runs: claiming one that is due, beginning it or keeping it from beginning, and letting it go.
//!
//! Must hold: a run is claimed together with the lease on its user; every other write here proves that the lease still
//! stands. A plan that no longer fits when its run would begin is voided with what voids it.

use async_trait::async_trait;
use uuid::Uuid;

use super::deed::{Deed, Fault, Tx};
use super::lease::{self, Held, Lease, NotYours};
use super::people::{self, Barred};
use super::plans;
use super::workflows::{self, Also, Workflow};
use crate::clock::Stamp;
use crate::domain::ids::WorkflowId;
use crate::domain::plan::Difference;
use crate::domain::time::Timestamp;

/// Takes the next run that is due, with the lease on its user.
pub struct ClaimRun {
    /// Time and ids.
    pub stamp: Stamp,
    /// The worker.
    pub holder: Uuid,
    /// The lease ends then, unless it is extended.
    pub until: Timestamp,
}

#[async_trait]
impl Deed for ClaimRun {
    type Done = Option<(Workflow, Lease)>;
    type No = std::convert::Infallible;

    fn name(&self) -> &'static str {
        "claim_run"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    async fn perform(&self, tx: &mut Tx) -> Result<Self::Done, Fault<Self::No>> {
        let mut passed_over = Vec::new();
        while let Some(workflow) = workflows::lock_due_run(tx, &passed_over).await? {
            let (Some(target), Some(user)) = (&workflow.target, &workflow.user_name) else {
                return Err(Fault::Broken(format!(
                    "workflow {} is approved without target and user",
                    workflow.id
                )));
            };
            match lease::take(tx, &lease::name(target, user), self.holder, self.until).await? {
                Ok(lease) => {
                    workflows::postpone(tx, workflow.id, self.until).await?;
                    return Ok(Some((workflow, lease)));
                }
                Err(held_until) => {
                    workflows::postpone(tx, workflow.id, held_until).await?;
                    passed_over.push(workflow.id);
                }
            }
        }
        Ok(None)
    }
}

/// Begins execution, or keeps it from beginning.
pub struct StartRun {
    /// Time and ids.
    pub stamp: Stamp,
    /// Proof to be checked.
    pub lease: Lease,
    /// Which workflow.
    pub workflow: WorkflowId,
    /// Why it may not begin, if it may not.
    pub stopped: Option<Stopped>,
}

/// Did a run begin?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Started {
    /// Yes.
    Running,
    /// No: a person must look.
    Stopped,
}

/// Why a run may not begin.
#[derive(Debug, Clone)]
pub enum Stopped {
    /// The vault has changed: the approval is void, and another try makes a new plan.
    Voided(Vec<Difference>),
    /// Anything else; the approval stands.
    Because(String),
}

#[async_trait]
impl Deed for StartRun {
    type Done = Started;
    type No = NotYours;

    fn name(&self) -> &'static str {
        "start_run"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    async fn perform(&self, tx: &mut Tx) -> Result<Started, Fault<NotYours>> {
        let held = Held::prove(tx, &self.lease).await?;
        let workflow = workflows::locked(tx, self.workflow).await?;
        let barred = match (&self.stopped, &workflow.target) {
            (None, Some(target)) => people::bar(tx, &workflow, target).await?,
            (None, None) | (Some(_), _) => None,
        };
        let transition = match (&self.stopped, barred) {
            (None, None) => {
                let transition = workflow.state.started(tx.at)?;
                workflows::apply(tx, &workflow, transition, Also::default()).await?;
                return Ok(Started::Running);
            }
            (None, Some(barred)) => workflow.state.needs_attention(in_words(&barred))?,
            (Some(Stopped::Because(reason)), _) => workflow.state.needs_attention(reason.clone())?,
            (Some(Stopped::Voided(because)), _) => {
                plans::void(tx, workflow.id, workflow.plan_number, because).await?;
                workflow.state.voided_before_start(because)?
            }
        };
        workflows::apply(tx, &workflow, transition, Also::default()).await?;
        held.until(tx, tx.at).await?;
        Ok(Started::Stopped)
    }
}

fn in_words(barred: &Barred) -> String {
    match barred {
        Barred::HasAccount(id) => format!("this person has an account in the target already, number {id}"),
        Barred::OtherRun(id) => {
            format!("another request for this person, workflow {id}, is not at its end yet")
        }
    }
}

/// Lets a lease go without having done anything, and looks again later.
pub struct LetGo {
    /// Time and ids.
    pub stamp: Stamp,
    /// Proof to be checked.
    pub lease: Lease,
    /// Which workflow.
    pub workflow: WorkflowId,
    /// When to look again.
    pub due_at: Timestamp,
}

#[async_trait]
impl Deed for LetGo {
    type Done = ();
    type No = NotYours;

    fn name(&self) -> &'static str {
        "let_go"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    async fn perform(&self, tx: &mut Tx) -> Result<(), Fault<NotYours>> {
        let held = Held::prove(tx, &self.lease).await?;
        workflows::postpone(tx, self.workflow, self.due_at).await?;
        held.until(tx, tx.at).await
    }
}
