//! Runs: claiming one that is due, beginning it or keeping it from beginning, and letting it go.
//!
//! Must hold: a run is claimed together with the lease on its user; every other write here proves that the lease still
//! stands, and says which plan it is about: what was read for one plan decides nothing about another. A plan that no
//! longer fits when its run would begin is voided with what voids it.

use async_trait::async_trait;
use uuid::Uuid;

use super::asked_as_told;
use super::claims::Due;
use super::corrections;
use super::deed::{Deed, Fault, Tx};
use super::due::{self, Claimable};
use super::ends;
use super::lease::{self, Held, Lease, NotYours, Taken, standing};
use super::people::{self, Barred};
use super::plans;
use super::protected;
use super::restores::{self, HeadMissing, Leave};
use super::seals::Head;
use super::unfit;
use super::workflows::{self, Also, Workflow};
use crate::clock::Stamp;
use crate::domain::drift::Difference;
use crate::domain::ids::WorkflowId;
use crate::domain::time::Timestamp;
use crate::domain::workflow::{State, WrongMove};

/// So long a lease that is held for no run is waited for before it is looked at again.
const LOOK_AGAIN_SECONDS: i64 = 5;

/// Takes the next run that is due, with the lease on its user.
pub struct ClaimRun {
    /// Time and ids.
    pub stamp: Stamp,
    /// The worker.
    pub holder: Uuid,
    /// The lease ends then, unless it is extended.
    pub until: Timestamp,
    /// What may be taken.
    pub claimable: Claimable,
    /// The last head of the log that this process knows of; a log without it is another one.
    pub kept: Option<Head>,
}

/// Why no run is claimed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NotClaimed {
    /// The log is another one than this process has worked on.
    #[error(transparent)]
    HeadMissing(#[from] HeadMissing),
    /// A run that is to be parked is not where it was.
    #[error(transparent)]
    Moved(#[from] WrongMove),
}

#[async_trait]
impl Deed for ClaimRun {
    type Done = Option<(Workflow, Lease)>;
    type No = NotClaimed;

    fn name(&self) -> &'static str {
        "claim_run"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    fn concerns_others(&self) -> bool {
        false
    }

    fn rings(&self, done: &Self::Done) -> bool {
        done.is_some()
    }

    async fn perform(&self, tx: &mut Tx) -> Result<Self::Done, Fault<Self::No>> {
        match restores::leave(tx, self.kept.as_ref()).await? {
            Leave::Granted => {}
            Leave::Held => return Ok(None),
        }
        let mut passed_over = Vec::new();
        while let Some(row) = due::lock_run(tx, &passed_over, &self.claimable).await? {
            let due = match Due::of(row) {
                Ok(due) => due,
                Err(unfit) => {
                    unfit::set_aside(tx, &unfit).await?;
                    passed_over.push(unfit.id);
                    continue;
                }
            };
            let workflow = &due.workflow;
            let (Some(target), Some(user)) = (&workflow.target, &workflow.user_name) else {
                return Err(Fault::Broken(format!(
                    "workflow {} is approved without target and user",
                    workflow.id
                )));
            };
            let whose = (workflow.id, self.holder);
            match lease::take(tx, &lease::name(target, user), whose, self.until).await? {
                Ok(lease) => {
                    if due.take_up(tx, self.until).await? {
                        return Ok(Some((due.workflow, lease)));
                    }
                    lease::let_go(tx, &lease).await?;
                    passed_over.push(workflow.id);
                }
                Err(Taken { until, by }) => {
                    // Who waits already has said for whom, and is woken by that one.
                    let other = by.filter(|run| *run != workflow.id && workflow.waits_for.is_none());
                    let waits = match other {
                        Some(run) => due::wait_for(tx, workflow, run, Some(until)).await?,
                        None => false,
                    };
                    if !waits {
                        // Held for no run that would wake this one when it ends: it may be free at any moment.
                        due::hold(tx, workflow.id, until.min(tx.at.plus_seconds(LOOK_AGAIN_SECONDS))).await?;
                    }
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
    /// The plan that was compared with the target, by its number; another one is none of this worker's business.
    pub plan_number: u32,
    /// Why it may not begin, if it may not.
    pub stopped: Option<Stopped>,
}

/// Did a run begin?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Started {
    /// Yes.
    Running,
    /// No: a person must look, the plan is made again, or another run comes first.
    Stopped,
}

/// Why a run may not begin.
#[derive(Debug, Clone)]
pub enum Stopped {
    /// The vault has changed, or what the settings want: the approval is void, and the plan is made again.
    Voided(Vec<Difference>),
    /// The account is one that nobody may touch; operators are alarmed.
    Protected(String),
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
        let (held, workflow) = Held::prove(tx, &self.lease, self.workflow).await?;
        standing(&workflow, self.plan_number)?;
        if workflow.stop.is_some() && matches!(workflow.state, State::Running) && self.stopped.is_some() {
            // It was to stop anyhow, so that nobody has to look.
            ends::stopped(tx, &workflow).await?;
            held.until(tx, tx.at).await?;
            return Ok(Started::Stopped);
        }
        match &self.stopped {
            None => match self.enter(tx, &workflow).await? {
                Entry::Free => {
                    let transition = workflow.state.started(tx.at)?;
                    workflows::apply(tx, &workflow, transition, Also::default()).await?;
                    return Ok(Started::Running);
                }
                Entry::NotYet(run) => {
                    if !due::wait_for(tx, &workflow, run, None).await? {
                        // It has come to rest in this very moment.
                        due::postpone(tx, workflow.id, tx.at).await?;
                    }
                }
                Entry::Void(because) => void(tx, &workflow, &because).await?,
                Entry::Closed(reason) => {
                    let transition = workflow.state.needs_attention(reason)?;
                    workflows::apply(tx, &workflow, transition, Also::default()).await?;
                }
            },
            Some(Stopped::Because(reason)) => {
                let transition = workflow.state.needs_attention(reason.clone())?;
                workflows::apply(tx, &workflow, transition, Also::default()).await?;
            }
            Some(Stopped::Protected(reason)) => {
                let transition = workflow.state.needs_attention(reason.clone())?;
                protected::stop(tx, &workflow, transition, reason).await?;
            }
            Some(Stopped::Voided(because)) => void(tx, &workflow, because).await?,
        }
        workflows::wake(tx, workflow.id).await?;
        held.until(tx, tx.at).await?;
        Ok(Started::Stopped)
    }
}

impl StartRun {
    /// Looks at the person, and links the account that the approval has confirmed.
    async fn enter(&self, tx: &mut Tx, workflow: &Workflow) -> Result<Entry, Fault<NotYours>> {
        let Some(kept) = plans::current(tx, workflow).await? else {
            return Ok(Entry::Closed("the plan of this run is gone".to_owned()));
        };
        if let Err(otherwise) = asked_as_told::as_told(tx, workflow.id, kept.asked()).await? {
            return Ok(Entry::Closed(otherwise.to_string()));
        }
        let plan = kept.sealed.open().map_err(super::ReadFault::from)?;
        corrections::clear_the_way(tx, workflow).await?;
        match people::bar(tx, workflow, &plan).await? {
            Some(Barred::NotYet(run)) => return Ok(Entry::NotYet(run)),
            Some(Barred::Unlinked(id)) => return Ok(Entry::Void(vec![Difference::unlinked(id)])),
            Some(barred) => return Ok(Entry::Closed(in_words(&barred))),
            None => {}
        }
        Ok(if people::confirm(tx, workflow, &plan).await? {
            Entry::Free
        } else {
            Entry::Closed(format!("the user {} is linked to another person already", plan.user_name))
        })
    }
}

/// The approval is void, and the plan is made again.
async fn void(tx: &mut Tx, workflow: &Workflow, because: &[Difference]) -> Result<(), Fault<NotYours>> {
    plans::void(tx, workflow.id, workflow.plan_number, because).await?;
    let transition = workflow.state.replanning(workflow.replans, because)?;
    let also = Also { replans: Some(workflow.replans + 1), ..Also::default() };
    workflows::apply(tx, workflow, transition, also).await
}

/// May a run begin, as far as the person is concerned?
enum Entry {
    Free,
    NotYet(WorkflowId),
    Void(Vec<Difference>),
    Closed(String),
}

fn in_words(barred: &Barred) -> String {
    match barred {
        Barred::HasAccount(id) => format!("this person has an account in the target already, number {id}"),
        Barred::LinkedOtherwise(id) => {
            format!("this person is linked to another account in the target, number {id}")
        }
        Barred::Unlinked(id) => format!("this person was unlinked from the account with number {id}"),
        Barred::Leaver(found) => found.to_string(),
        Barred::OtherRun(id) => {
            format!("another request for this person, workflow {id}, is not at its end yet")
        }
        Barred::NotYet(id) => {
            format!("another request for this person, workflow {id}, is being carried out")
        }
    }
}

/// Keeps a run for longer, while a call lasts. Like the claim no change of the workflow: no event.
pub struct Extend {
    /// Time and ids.
    pub stamp: Stamp,
    /// Proof to be checked.
    pub lease: Lease,
    /// Which workflow.
    pub workflow: WorkflowId,
    /// The lease ends then, unless it is extended again.
    pub until: Timestamp,
}

#[async_trait]
impl Deed for Extend {
    type Done = ();
    type No = NotYours;

    fn name(&self) -> &'static str {
        "extend_lease"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    fn concerns_others(&self) -> bool {
        false
    }

    async fn perform(&self, tx: &mut Tx) -> Result<(), Fault<NotYours>> {
        let (held, _) = Held::prove(tx, &self.lease, self.workflow).await?;
        due::hold(tx, self.workflow, self.until).await?;
        held.until(tx, self.until).await
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
        let (held, _) = Held::prove(tx, &self.lease, self.workflow).await?;
        due::postpone(tx, self.workflow, self.due_at).await?;
        workflows::wake(tx, self.workflow).await?;
        held.until(tx, tx.at).await
    }
}
