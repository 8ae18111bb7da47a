//! The watcher: looks at the names of lost creates, and disables an account that came up when nobody comes to it any more.
//!
//! Must hold: a look is made under the lease on the user, and an account is touched only if it carries the mark of an
//! attempt of that very workflow; of a stranger nothing is read but whose name it is. A name that cannot be looked at
//! holds up no other.

use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use uuid::Uuid;

use super::claimed::Left;
use crate::domain::ids::{AttemptId, VaultUserId};
use crate::domain::late_create::AfterTry;
use crate::domain::plan::{Description, Plan, PlannedStep};
use crate::domain::resting::Admission;
use crate::domain::step::{Form, Outcome, Report};
use crate::kit::Kit;
use crate::store::late::{BeginLate, EndLate};
use crate::store::lease::Lease;
use crate::store::restores::HeadMissing;
use crate::store::watches::{self, ClaimWatch, EndLook, Sight, Watch};
use crate::store::workflows::Workflow;
use crate::store::{ReadFault, WriteFault, plans, steps};
use crate::target::{Adoption, Again, LeftIn, Mark, SentBefore, StepCall, Target};
use crate::worker::{Did, TurnFailed, Worker, upright};

/// So long a look, or a try, may hold the lease.
const LEASE: TimeDelta = TimeDelta::seconds(150);
/// No conversation with the target takes longer.
const LIMIT: Duration = Duration::from_mins(2);

/// Looks after watched names.
pub struct Watcher {
    kit: Kit,
    holder: Uuid,
}

/// What is needed to look at one name.
struct Watched<'a> {
    workflow: Workflow,
    lease: Lease,
    plan: Plan,
    target: &'a dyn Target,
    marks: Vec<Mark>,
    user_id: Option<VaultUserId>,
}

#[async_trait]
impl Worker for Watcher {
    fn name(&self) -> &'static str {
        "watcher"
    }

    async fn turn(&self) -> Result<Did, TurnFailed> {
        let failed = TurnFailed::doing("claiming a watched name");
        let now = self.kit.world.now();
        match watches::next_at(&self.kit.store).await.map_err(|fault| failed(&fault))? {
            None => return Ok(Did::Idle),
            Some(due) if due > now => return Ok(Did::IdleUntil(due)),
            Some(_) => {}
        }
        let (stamp, kept) = (self.kit.world.stamp(), self.kit.witness.kept());
        let claim = ClaimWatch { stamp, holder: self.holder, until: now.plus(LEASE), kept };
        let claimed = match self.kit.store.write(claim).await {
            Err(WriteFault::Refused(HeadMissing)) => {
                self.kit.compare_log().await?;
                return Ok(Did::Idle);
            }
            written => written.map_err(|fault| failed(&fault))?,
        };
        let Some((watch, workflow, lease)) = claimed else {
            // Whatever was due is put off by now.
            return Ok(Did::Idle);
        };
        let id = workflow.id;
        let looked = match upright(self.look_after(&watch, workflow.clone(), lease.clone())).await {
            Ok(looked) => looked,
            Err(fell) => self.seen(&workflow, &lease, Sight::Unreadable(fell.to_string())).await,
        };
        match looked {
            Ok(()) => Ok(Did::Work(1)),
            Err(Left::Lost) => {
                tracing::warn!(workflow.id = %id, "a watched name is another worker's by now");
                Ok(Did::Work(1))
            }
            Err(left) => Err(TurnFailed::doing("looking after a watched name")(&left)),
        }
    }
}

impl Watcher {
    /// A watcher over the given kit.
    pub fn new(kit: Kit) -> Self {
        let holder = Uuid::from_bytes(kit.world.bytes());
        Self { kit, holder }
    }

    async fn look_after(&self, watch: &Watch, workflow: Workflow, lease: Lease) -> Result<(), Left> {
        let watched = match self.prepare(workflow.clone(), lease.clone()).await? {
            Ok(watched) => watched,
            Err(words) => return self.seen(&workflow, &lease, Sight::Unreadable(words)).await,
        };
        let step = watched.plan.steps.iter().find(|step| matches!(step, PlannedStep::CreateUser(_)));
        let Some(step) = step else { return Err(Left::Mismatch) };
        if let Admission::NotBefore(_, words) = watched.target.admit(workflow.id) {
            return self.seen(&workflow, &lease, Sight::Unreadable(words)).await;
        }
        let attempt = AttemptId::made(self.kit.world.now(), self.kit.world.bytes());
        let call = watched.call(attempt, step, None);
        let report = bounded(watched.target.look(&call)).await;
        match (&report.outcome, report.user_id, report.stranger) {
            (Outcome::Done, Some(id), _) => self.disable(watch, &watched, id).await,
            (Outcome::NotThere | Outcome::AlreadySo, _, _) => {
                self.seen(&workflow, &lease, Sight::NotOurs).await
            }
            (_, _, Some(stranger)) => {
                let sight = match watched.plan.dialect.description {
                    Description::Kept => Sight::NotOurs,
                    Description::NotKept => Sight::Doubtful(stranger),
                };
                self.seen(&workflow, &lease, sight).await
            }
            _ => self.seen(&workflow, &lease, Sight::Unreadable(report.words)).await,
        }
    }

    /// Everything that a look needs, or in words why there can be none now.
    async fn prepare(&self, workflow: Workflow, lease: Lease) -> Result<Result<Watched<'_>, String>, Left> {
        let store = &self.kit.store;
        let Some(kept) = plans::find(store, workflow.id, workflow.plan_number).await? else {
            return Ok(Err("the plan of this run is gone".to_owned()));
        };
        let plan = kept.sealed.open().map_err(ReadFault::from)?;
        let Some(target) = self.kit.target(&plan.target).map(AsRef::as_ref) else {
            return Ok(Err(format!("the target {} is no longer configured", plan.target)));
        };
        let made = steps::acts_of_kind(store, workflow.id, "create_user").await?;
        let marks = made.into_iter().map(Mark::of).collect();
        let user_id = steps::ledger(store, workflow.id, plan.number).await?.user_id;
        Ok(Ok(Watched { workflow, lease, plan, target, marks, user_id }))
    }

    async fn seen(&self, workflow: &Workflow, lease: &Lease, sight: Sight) -> Result<(), Left> {
        let stamp = self.kit.world.stamp();
        let deed = EndLook { stamp, lease: lease.clone(), workflow: workflow.id, sight };
        Ok(self.kit.store.write(deed).await?)
    }

    /// Disables the account, in another form where the vault does not know the first one.
    async fn disable(&self, watch: &Watch, watched: &Watched<'_>, id: VaultUserId) -> Result<(), Left> {
        tracing::warn!(
            workflow.id = %watched.workflow.id, user.id = %id, "an account came up after its run had stopped"
        );
        let (world, policy) = (&self.kit.world, self.kit.retry_policy());
        let mut form = None;
        loop {
            let attempt = AttemptId::made(world.now(), world.bytes());
            let begin = BeginLate {
                stamp: world.stamp(),
                lease: watched.lease.clone(),
                until: world.now().plus(LEASE),
                plan: watched.plan.clone(),
                attempt,
                user_id: id,
                form,
            };
            let tries = self.kit.store.write(begin).await?;
            let call =
                StepCall { user_id: Some(id), ..watched.call(attempt, &PlannedStep::DisableUser, form) };
            let report = bounded(watched.target.act(&call)).await;
            let then = AfterTry::of(&report.outcome, tries, policy.most_tries);
            if let Outcome::OtherForm { form: other } = &report.outcome {
                form = Some(*other);
            }
            tracing::warn!(
                workflow.id = %watch.workflow, user.id = %id, outcome = report.outcome.word(),
                "an account that came up late was to be disabled"
            );
            let again_at = policy.due(tries, world.now(), world.number(), None);
            let end = EndLate {
                stamp: world.stamp(),
                lease: watched.lease.clone(),
                workflow: watched.workflow.id,
                attempt,
                user_id: id,
                report,
                then,
                again_at,
            };
            self.kit.store.write(end).await?;
            if then != AfterTry::OtherForm {
                return Ok(());
            }
        }
    }
}

impl Watched<'_> {
    fn call<'c>(&'c self, attempt: AttemptId, step: &'c PlannedStep, form: Option<Form>) -> StepCall<'c> {
        StepCall {
            plan: &self.plan,
            step,
            user_id: self.user_id,
            mark: Mark::of(attempt),
            our_marks: &self.marks,
            lost_marks: &[],
            adoption: Adoption::OnlyByMark,
            form,
            password: None,
            again: Again::Yes,
            before: None,
            left: LeftIn::OthersThanPlanned,
            removed: &[],
            sent_before: SentBefore::No,
        }
    }
}

/// Waits for a conversation, but not for ever.
async fn bounded(conversation: impl Future<Output = Report> + Send) -> Report {
    tokio::time::timeout(LIMIT, conversation).await.unwrap_or_else(|_| Report {
        outcome: Outcome::Unknown,
        words: "the vault took too long".to_owned(),
        calls: vec![],
        user_id: None,
        stranger: None,
        lost: None,
        access: None,
        before: None,
        made_by: None,
    })
}
