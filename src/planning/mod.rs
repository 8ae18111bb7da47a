//! Planning: from a stored request to a sealed plan that people can be asked about.
//!
//! Must hold: what is being planned is taken up by one hand alone, and a slow vault holds up no other plan; access comes
//! from the settings (one profile) and passes the allow-lists; the plan names what it
//! assumes; whatever cannot be planned goes to a person with a reason. The target is read outside any transaction.
//! Deliberately absent: writing to the target, and deciding anything about an approval.

mod access;
mod account;
mod existing;
mod joiner;
mod leaver;
mod mover;
mod rehire;
mod spread;

use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;

use self::spread::{Spread, spread};
use crate::config::TargetSettings;
use crate::domain::canon::{Corrupt, NotCanonical, Tag};
use crate::domain::kind::Kind;
use crate::domain::names::EmailAddress;
use crate::domain::plan::{Plan, SealedPlan};
use crate::domain::request::{Request, What};
use crate::domain::retry::{Tell, unreadable};
use crate::domain::routing::Routing;
use crate::domain::snapshot::{Snapshot, UserSeen};
use crate::domain::time::Timestamp;
use crate::kit::Kit;
use crate::rules::access::{NotAllowed, permit_seen, privileged_joins};
use crate::rules::asked_for::{permit_request, permit_time};
use crate::rules::routing::{Unasked, Wanted, route};
use crate::store::claims::{ClaimPlan, KeepTakenUp, TakenUpElsewhere};
use crate::store::concerned::{concerned, concerned_by};
use crate::store::due;
use crate::store::held_back::{Gate, LookAgain};
use crate::store::late::AwaitLate;
use crate::store::people;
use crate::store::plans::{AwaitVault, KeepPlan, MovedOn, NothingToEnd, PlanningStopped, Telling};
use crate::store::spread::SpreadLeaver;
use crate::store::watches::{self, Watch};
use crate::store::workflows::Workflow;
use crate::store::{ReadFault, WriteFault};
use crate::target::CallFault;
use crate::worker::{Did, KeptHand, Looking, Shown, TurnFailed, Worker, holding, upright};

/// No reading of a target takes longer than this.
const READING_LIMIT: Duration = Duration::from_mins(2);

/// What is said of a change that changes nothing.
const NOTHING_DIFFERS: &str = "a fresh read shows the account as this request wants it, so nobody is asked";

/// So many plans are made side by side at most.
const MOST_HANDS: usize = 8;

/// Makes plans.
pub struct Planner {
    kit: Kit,
    kept: KeptHand,
}

/// Why no plan was made.
#[derive(Debug, thiserror::Error)]
enum NoPlan {
    /// The target cannot be read now; try again.
    #[error("{words}")]
    Later { words: String, after_seconds: Option<u32> },
    /// A person must look.
    #[error("{0}")]
    NeedsPerson(String),
    /// The person has no account that could be found; a lost create may still bring one about.
    #[error("{0}")]
    NoAccount(String),
    /// A leaver names nobody whom we know.
    #[error("{0}")]
    NobodyKnown(String),
    /// There is no account whose access could be ended, as the reading has shown twice.
    #[error("{0}")]
    NothingToEnd(String),
    /// A leaver's account is not shown, and nobody can tell that it would be.
    #[error("{0}")]
    OutOfSight(String),
    /// The account is as the request wants it already, as the reading has shown.
    #[error("{0}")]
    NothingToChange(String),
    /// The settings forbid it.
    #[error(transparent)]
    NotAllowed(#[from] NotAllowed),
    /// Our own database cannot be read.
    #[error(transparent)]
    Store(ReadFault),
}

impl From<ReadFault> for NoPlan {
    fn from(fault: ReadFault) -> Self {
        match fault {
            ReadFault::Database(_) => Self::Store(fault),
            ReadFault::Inconsistent { .. } | ReadFault::Corrupt(_) | ReadFault::Cleared(_) => {
                Self::NeedsPerson(fault.to_string())
            }
        }
    }
}

impl From<CallFault> for NoPlan {
    fn from(fault: CallFault) -> Self {
        match fault {
            CallFault::Retry { words, after_seconds } => Self::Later { words, after_seconds },
            CallFault::Refused { words } | CallFault::NeedsPerson { words } => Self::NeedsPerson(words),
        }
    }
}

impl From<Corrupt> for NoPlan {
    fn from(fault: Corrupt) -> Self {
        Self::NeedsPerson(fault.to_string())
    }
}

impl From<NotCanonical> for NoPlan {
    fn from(fault: NotCanonical) -> Self {
        Self::NeedsPerson(fault.to_string())
    }
}

/// Everything that belongs to one plan.
struct Made {
    plan: Plan,
    sealed: SealedPlan,
    snapshot: Snapshot,
    routing: Routing,
}

#[async_trait]
impl Worker for Planner {
    fn name(&self) -> &'static str {
        "planner"
    }

    fn hands(&self) -> usize {
        hands(&self.kit)
    }

    async fn turn(&self) -> Result<Did, TurnFailed> {
        self.turn_beside_others(&mut Looking::alone()).await
    }

    async fn turn_beside_others(&self, looking: &mut Looking) -> Result<Did, TurnFailed> {
        let failed = TurnFailed::doing("taking up what is to be planned");
        let (store, now, whose) = (&self.kit.store, self.kit.world.now(), self.kept.whose());
        match due::next_plan_at(store, whose).await.map_err(|fault| failed(&fault))? {
            None => return Ok(Did::Idle),
            Some(due) if due > now => return Ok(Did::IdleUntil(due)),
            Some(_) => {}
        }
        let (claimable, resting_until) = self.kit.claimable(whose);
        let until = now.plus(self.kit.settings.worker.lease);
        let claim = ClaimPlan { stamp: self.kit.world.stamp(), until, claimable };
        let Some(workflow) = store.write(claim).await.map_err(|fault| failed(&fault))? else {
            return Ok(resting_until.map_or(Did::Idle, Did::IdleUntil));
        };
        let at_work = self.kept.takes(workflow.kind);
        looking.found();
        let planned = if workflow.waits_for.is_some() {
            self.look_again(&workflow, until).await
        } else {
            self.plan(&workflow, until).await
        };
        if at_work.is_some() {
            drop(at_work);
            // A hand that looked for leavers alone may look for others again.
            store.ring();
        }
        planned.map(|()| Did::Work(1))
    }
}

fn hands(kit: &Kit) -> usize {
    usize::try_from(kit.settings.worker.runs_at_once).unwrap_or(1).min(MOST_HANDS)
}

impl Planner {
    /// A planner over the given kit.
    pub fn new(kit: Kit) -> Self {
        let kept = KeptHand::among(hands(&kit));
        Self { kit, kept }
    }

    /// It waits for another request of the same person; once that one has come to rest, it is planned.
    async fn look_again(&self, workflow: &Workflow, until: Timestamp) -> Result<(), TurnFailed> {
        let deed = LookAgain { stamp: self.kit.world.stamp(), workflow: workflow.id };
        let gate = self.kit.store.write(deed).await;
        match gate.map_err(|fault| TurnFailed::doing("looking for another run")(&fault))? {
            Gate::Open => self.plan(workflow, until).await,
            Gate::Closed => Ok(()),
        }
    }

    /// Reads on while the target takes its time, as long as this planner has the workflow for itself.
    async fn reading<T>(
        &self,
        workflow: &Workflow,
        until: Timestamp,
        reading: impl Future<Output = T>,
    ) -> Result<T, TakenUpElsewhere> {
        let stands = (self.kit.settings.worker.lease, until);
        holding(&self.kit.world, stands, reading, |from, until| async move {
            let deed = KeepTakenUp { stamp: self.kit.world.stamp(), workflow: workflow.id, from, until };
            match self.kit.store.write(deed).await {
                Ok(()) => Ok(Shown::Kept),
                Err(WriteFault::Refused(no)) => Err(no),
                Err(WriteFault::Unavailable(words) | WriteFault::Unknown(words)) => {
                    tracing::warn!(workflow.id = %workflow.id, fault = %words, "what is being planned was not kept");
                    Ok(Shown::NotNow)
                }
            }
        })
        .await
    }

    async fn plan(&self, workflow: &Workflow, until: Timestamp) -> Result<(), TurnFailed> {
        self.kit.heed_operator(workflow.id).await.map_err(|fault| TurnFailed::doing("planning")(&fault))?;
        let limit = Box::pin(tokio::time::timeout(READING_LIMIT, upright(self.make(workflow))));
        let Ok(read) = self.reading(workflow, until, limit).await else {
            tracing::warn!(workflow.id = %workflow.id, "another planner has taken it up meanwhile");
            return Ok(());
        };
        let made = match read {
            Ok(Ok(made)) => made,
            Ok(Err(fell)) => Err(NoPlan::NeedsPerson(format!("the plan could not be made: {fell}"))),
            Err(_) => {
                let words = "reading the target took too long".to_owned();
                Err(NoPlan::Later { words, after_seconds: None })
            }
        };
        let written = match made {
            Ok(made) => self.keep(workflow, made).await,
            Err(NoPlan::Later { words, .. }) if workflow.awaited().is_over(self.kit.world.now()) => {
                // Somebody keeps access that is to be taken away.
                let telling = if workflow.kind == Kind::Leaver { Telling::Alarm } else { Telling::Mail };
                self.stop(workflow, unreadable(&words), telling).await
            }
            Err(NoPlan::Later { words, after_seconds }) => self.wait(workflow, words, after_seconds).await,
            Err(NoPlan::NeedsPerson(reason)) => self.stop(workflow, reason, Telling::Mail).await,
            Err(
                none @ (NoPlan::NoAccount(_)
                | NoPlan::NobodyKnown(_)
                | NoPlan::NothingToEnd(_)
                | NoPlan::OutOfSight(_)),
            ) => {
                match self.watched(workflow).await.map_err(|fault| TurnFailed::doing("planning")(&fault))? {
                    Some(watch) => self.await_late(workflow, watch).await,
                    None => self.without_account(workflow, none).await,
                }
            }
            Err(NoPlan::NothingToChange(words)) => self.end(workflow, words).await,
            Err(NoPlan::NotAllowed(why)) => {
                let protected = why.is_of_protected_account();
                let telling = if protected { Telling::Protected } else { Telling::Mail };
                self.stop(workflow, why.to_string(), telling).await
            }
            Err(NoPlan::Store(fault)) => return Err(TurnFailed::doing("planning")(&fault)),
        };
        match written {
            // Refused: another replica was faster, or somebody decided otherwise meanwhile.
            Ok(()) | Err(WriteFault::Refused(MovedOn)) => Ok(()),
            Err(fault) => Err(TurnFailed::doing("keeping a plan")(&fault)),
        }
    }

    /// No account was found, and none is expected.
    async fn without_account(&self, workflow: &Workflow, none: NoPlan) -> Result<(), WriteFault<MovedOn>> {
        match none {
            NoPlan::NothingToEnd(words) => self.end(workflow, words).await,
            NoPlan::NobodyKnown(reason) | NoPlan::OutOfSight(reason) => {
                self.stop(workflow, reason, Telling::Together).await
            }
            NoPlan::NoAccount(_)
            | NoPlan::NeedsPerson(_)
            | NoPlan::NotAllowed(_)
            | NoPlan::NothingToChange(_)
            | NoPlan::Later { .. }
            | NoPlan::Store(_) => self.stop(workflow, none.to_string(), Telling::Mail).await,
        }
    }

    async fn end(&self, workflow: &Workflow, words: String) -> Result<(), WriteFault<MovedOn>> {
        tracing::info!(workflow.id = %workflow.id, words, "there is nothing to do");
        let (stamp, after) = (self.kit.world.stamp(), workflow.plan_number);
        self.kit.store.write(NothingToEnd { stamp, workflow: workflow.id, after, words }).await
    }

    async fn stop(
        &self,
        workflow: &Workflow,
        reason: String,
        telling: Telling,
    ) -> Result<(), WriteFault<MovedOn>> {
        tracing::warn!(workflow.id = %workflow.id, reason = %reason, "no plan can be made");
        let (stamp, after) = (self.kit.world.stamp(), workflow.plan_number);
        self.kit.store.write(PlanningStopped { stamp, workflow: workflow.id, after, reason, telling }).await
    }

    /// The name of this person's lost create, while it is watched and a leaver asks for it.
    async fn watched(&self, workflow: &Workflow) -> Result<Option<Watch>, ReadFault> {
        match workflow.kind {
            Kind::Leaver => {
                watches::of_person(&self.kit.store, &workflow.namespace, &workflow.person_ref).await
            }
            Kind::Joiner | Kind::Mover | Kind::Rehire | Kind::ResetPassword | Kind::Unsuspend => Ok(None),
        }
    }

    async fn await_late(&self, workflow: &Workflow, watch: Watch) -> Result<(), WriteFault<MovedOn>> {
        tracing::info!(workflow.id = %workflow.id, run = %watch.workflow, "a leaver waits for a lost create");
        let (stamp, plan_number) = (self.kit.world.stamp(), workflow.plan_number);
        self.kit.store.write(AwaitLate { stamp, leaver: workflow.id, plan_number, watch }).await
    }

    async fn make(&self, workflow: &Workflow) -> Result<Made, NoPlan> {
        let request: Request = workflow.request.open(Tag::Request)?;
        let words = serde_json::to_value(&request).map_err(|fault| NoPlan::NeedsPerson(fault.to_string()))?;
        let kit = &self.kit;
        permit_request(&kit.settings, &workflow.source, &request)?;
        permit_time(&request, kit.world.now())?;
        let (plan, snapshot) = match request.what() {
            Some(What::Joiner(joiner)) => {
                let chosen = access::choose(kit, &words).await?;
                match existing::plan(kit, workflow, &request, joiner, chosen).await? {
                    Some(change) => change,
                    None => joiner::plan(kit, workflow, &request, joiner, chosen).await?,
                }
            }
            Some(What::Mover(mover)) => {
                let chosen = access::choose(kit, &words).await?;
                mover::plan(kit, workflow, &request, mover, chosen).await?
            }
            Some(What::Leaver(leaver)) => {
                let own = self.spread(workflow, &request).await?;
                leaver::plan(kit, workflow, &request, leaver, own).await?
            }
            Some(What::Rehire(rehire)) => {
                let chosen = access::choose(kit, &words).await?;
                match existing::plan_to_stay(kit, workflow, &request, rehire, chosen).await? {
                    Some(change) => change,
                    None => rehire::plan(kit, workflow, &request, rehire, chosen).await?,
                }
            }
            Some(What::ResetPassword(_) | What::Unsuspend(_)) | None => {
                let kind = workflow.kind;
                return Err(NoPlan::NeedsPerson(format!("a {kind} is not carried out by this version")));
            }
        };
        permit_seen(&snapshot)?;
        if plan.changes_nothing() && plan.not_before <= kit.world.now() {
            return Err(NoPlan::NothingToChange(NOTHING_DIFFERS.to_owned()));
        }
        let policy = &self.kit.policy.rules;
        let unasked = self.unasked(workflow, &plan, &snapshot).await?;
        let target = kit.settings.target(&plan.target);
        let privileged = target.and_then(|target| privileged_joins(target, &plan));
        let concerned = concerned_by(&kit.store, workflow, (&plan.user_name, &snapshot)).await?;
        let privileged = privileged.as_ref();
        let wanted = Wanted { kind: plan.kind, req: &words, unasked, privileged, concerned: &concerned };
        let routing = route(&self.kit.engine, policy, &self.kit.settings, &wanted).await;
        let routing = routing.map_err(|fault| NoPlan::NeedsPerson(fault.to_string()))?;
        let sealed = SealedPlan::seal(&plan)?;
        Ok(Made { plan, sealed, snapshot, routing })
    }

    /// The target in which this leaver ends access. Each further one gets a workflow of its own before anything is planned,
    /// so that no target has to wait for another one to be readable.
    async fn spread(&self, workflow: &Workflow, request: &Request) -> Result<&TargetSettings, NoPlan> {
        let Spread { own, further } = spread(&self.kit, workflow, request).await?;
        if further.is_empty() {
            return Ok(own);
        }
        let (stamp, after) = (self.kit.world.stamp(), workflow.plan_number);
        let deed = SpreadLeaver { stamp, workflow: workflow.id, after, own: own.name.clone(), further };
        match self.kit.store.write(deed).await {
            Ok(()) => Ok(own),
            Err(fault) => Err(NoPlan::Later { words: fault.to_string(), after_seconds: None }),
        }
    }

    /// A rule may ask nobody only where the account that was seen is the one known to be this person's.
    async fn unasked(
        &self,
        workflow: &Workflow,
        plan: &Plan,
        snapshot: &Snapshot,
    ) -> Result<Unasked, ReadFault> {
        let known =
            people::account(&self.kit.store, &workflow.namespace, &workflow.person_ref, &plan.target).await?;
        let same = match (&known, &snapshot.user) {
            // A new name is confirmed by an approval, so somebody is asked.
            (Some(known), UserSeen::Present(seen)) => {
                known.id == seen.id && known.user_name.eq_ignore_ascii_case(&seen.user_name)
            }
            (None, _) | (_, UserSeen::Absent) => false,
        };
        let source = self.kit.settings.source(&workflow.source);
        let budget = source.map_or(0, |source| source.unapproved_leavers_per_hour);
        Ok(if same { Unasked::PerHour(budget) } else { Unasked::No })
    }

    async fn keep(&self, workflow: &Workflow, made: Made) -> Result<(), WriteFault<MovedOn>> {
        let asks = self.kit.asks(workflow.id, made.plan.number, &made.routing, 0);
        tracing::info!(
            workflow.id = %workflow.id, plan = made.plan.number, rule = made.routing.rule, "planned"
        );
        let deed = KeepPlan {
            stamp: self.kit.world.stamp(),
            workflow: workflow.id,
            after: workflow.plan_number,
            plan: made.plan,
            sealed: made.sealed,
            snapshot: made.snapshot,
            routing: made.routing,
            asks,
        };
        self.kit.store.write(deed).await
    }

    async fn wait(
        &self,
        workflow: &Workflow,
        words: String,
        after_seconds: Option<u32>,
    ) -> Result<(), WriteFault<MovedOn>> {
        let now = self.kit.world.now();
        tracing::warn!(workflow.id = %workflow.id, fault = %words, "the target cannot be read; planning waits");
        let asked = after_seconds.map(|seconds| TimeDelta::seconds(i64::from(seconds)));
        let (due_at, tell) =
            self.kit.retry_policy().await_target(workflow.awaited(), now, self.kit.world.number(), asked);
        let tell = match tell {
            Tell::Now => Some(self.first_people(workflow).await),
            Tell::NotNow => None,
        };
        let stamp = self.kit.world.stamp();
        self.kit
            .store
            .write(AwaitVault {
                stamp,
                workflow: workflow.id,
                plan_number: workflow.plan_number,
                due_at,
                tell,
                words,
            })
            .await
    }

    /// Who will be asked first once there is a plan; nobody when that cannot be told.
    async fn first_people(&self, workflow: &Workflow) -> Vec<EmailAddress> {
        let Ok(request) = workflow.request.open::<serde_json::Value>(Tag::Request) else { return Vec::new() };
        let rules = &self.kit.policy.rules;
        let Ok(concerned) = concerned(&self.kit.store, workflow).await else { return Vec::new() };
        let (kind, unasked) = (workflow.kind, Unasked::No);
        let wanted = Wanted { kind, req: &request, unasked, privileged: None, concerned: &concerned };
        let routing = route(&self.kit.engine, rules, &self.kit.settings, &wanted).await;
        routing
            .ok()
            .and_then(|routing| routing.stages.into_iter().next())
            .map_or_else(Vec::new, |stage| stage.people())
    }
}
