//! Plans: keeping a sealed plan with its snapshot and routing, and voiding it.
//!
//! Must hold: a plan is kept only while its workflow is still being planned under the number that was read, so two
//! planners make one plan; a voided plan says what voided it, so that approvers can be shown the difference.

use async_trait::async_trait;
use chrono::TimeDelta;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, Set};

use super::asks::{self, NewAsk};
use super::budget::{self, Room};
use super::deed::{Deed, Fault, Tx};
use super::fault::ReadFault;
use super::lease::{Held, Lease, NotYours};
use super::rows::plan as rows;
use super::workflows::{self, Also, Workflow};
use super::{
    Store, asked_as_told, audit, by_hand, leaver_clocks, nobody_known, outbox, protected, reminders, steps,
};
use crate::clock::Stamp;
use crate::domain::audit::{Actor, EventKind, NewEvent};
use crate::domain::canon::{CanonicalBytes, Digest, Tag};
use crate::domain::drift::Difference;
use crate::domain::ids::WorkflowId;
use crate::domain::kind::Kind;
use crate::domain::names::{EmailAddress, GroupName};
use crate::domain::plan::{Plan, SealedPlan};
use crate::domain::routing::Routing;
use crate::domain::snapshot::Snapshot;
use crate::domain::time::Timestamp;
use crate::domain::workflow::{PlanMade, State, Transition, WrongMove};

/// A plan as it was kept.
#[derive(Debug, Clone)]
pub struct KeptPlan {
    /// Its number within the workflow.
    pub number: u32,
    /// The plan under its seal.
    pub sealed: SealedPlan,
    /// What was read when it was made.
    pub snapshot: Snapshot,
    /// Who is asked.
    pub routing: Routing,
    /// SHA-256 of that as it stands in its row.
    pub routing_digest: Digest,
    /// What voided it, if something did.
    pub voided_by: Vec<Difference>,
    /// When it was made.
    pub made_at: Timestamp,
}

/// Keeps a plan and asks the people of the first stage.
pub struct KeepPlan {
    /// Time and ids.
    pub stamp: Stamp,
    /// The workflow as the planner read it.
    pub workflow: WorkflowId,
    /// The number before this plan.
    pub after: u32,
    /// The plan.
    pub plan: Plan,
    /// The plan under its seal.
    pub sealed: SealedPlan,
    /// What was read.
    pub snapshot: Snapshot,
    /// Who is asked.
    pub routing: Routing,
    /// The first stage's people and the hashes of their links.
    pub asks: Vec<NewAsk>,
}

/// The workflow has moved on, so this plan is nobody's.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the workflow has moved on")]
pub struct MovedOn;

impl From<WrongMove> for MovedOn {
    fn from(_: WrongMove) -> Self {
        Self
    }
}

#[async_trait]
impl Deed for KeepPlan {
    type Done = ();
    type No = MovedOn;

    fn name(&self) -> &'static str {
        "keep_plan"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    async fn perform(&self, tx: &mut Tx) -> Result<(), Fault<MovedOn>> {
        let workflow = standing(tx, self.workflow, self.after).await?;
        let expires_at = Some(self.routing.asking_ends(workflow.kind, self.plan.not_before, tx.at));
        let made = PlanMade {
            number: self.plan.number,
            digest: self.sealed.digest(),
            rule: self.routing.rule.clone(),
            profile: self.plan.profile.clone(),
            read_at: self.snapshot.read_at,
            expires_at,
        };
        let mut transition = workflow.state.planned(&made)?;
        if let Some(privileged) = &self.routing.privileged {
            let groups: Vec<&str> = privileged.groups.iter().map(GroupName::as_str).collect();
            transition.event = transition
                .event
                .text("privileged_groups", groups.join(", "))
                .number("privileged_stage", i64::from(privileged.stage))
                .text("sign_in", self.routing.sign_in.word());
        }
        transition.event = asked_as_told::told(transition.event, &self.routing)?;
        insert(tx, (&self.plan, &self.sealed), &self.snapshot, &self.routing).await?;
        asks::ask(tx, self.workflow, self.plan.number, &self.asks).await?;
        reminders::begin(tx, self.workflow, (self.plan.number, 0), self.routing.timing).await?;
        if let Some(seconds) = self.routing.timing.leaver_within_seconds {
            leaver_clocks::within(tx, self.workflow, TimeDelta::seconds(seconds)).await?;
        }
        let also = Also {
            target: Some(self.plan.target.clone()),
            user_name: Some(self.plan.user_name.clone()),
            plan_number: Some(self.plan.number),
            not_before: Some(self.plan.not_before),
            ..Also::default()
        };
        match self.routing.timing.unasked_per_hour {
            None => workflows::apply(tx, &workflow, transition, also).await,
            Some(budget) => self.without_asking(tx, &workflow, (transition, also), budget).await,
        }
    }
}

impl KeepPlan {
    /// Nobody is asked: approved at once within the budget of the source, held beyond it.
    async fn without_asking(
        &self,
        tx: &mut Tx,
        workflow: &Workflow,
        (planned, also): (Transition, Also),
        per_hour: u32,
    ) -> Result<(), Fault<MovedOn>> {
        if workflow.kind != Kind::Leaver || !self.routing.stages.is_empty() {
            return Err(Fault::Broken(format!("workflow {} would be approved by nobody", workflow.id)));
        }
        let room = budget::take(tx, workflow, self.plan.not_before, per_hour).await?;
        audit::append(tx, workflow.id.into(), planned.event).await?;
        let transition = match room {
            Room::Within => planned.next.unasked(&self.routing.rule, per_hour, self.plan.not_before)?,
            Room::Held(batch) | Room::FirstHeld(batch) => {
                planned.next.held(&workflow.source, per_hour, batch)?
            }
        };
        workflows::apply(tx, workflow, transition, also).await?;
        if let Room::FirstHeld(batch) = room {
            let words = format!(
                "the source {} sends more leavers than its budget of {per_hour} an hour, or more that begin in the same \
                 hour; from now on they are held in batch {batch} until two people release or reject them on the console's \
                 page /held",
                workflow.source
            );
            outbox::raise_alarm(tx, workflow.id.into(), Some(workflow.id), &words).await?;
        }
        Ok(())
    }
}

/// Sends a workflow that is being planned to a person.
pub struct PlanningStopped {
    /// Time and ids.
    pub stamp: Stamp,
    /// Which workflow.
    pub workflow: WorkflowId,
    /// The number of the plan before.
    pub after: u32,
    /// What a person needs to know.
    pub reason: String,
    /// How the operators are told.
    pub telling: Telling,
}

/// How the operators are told that no plan can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Telling {
    /// By the mail that each stopped workflow has.
    Mail,
    /// By an alarm besides: it cannot wait.
    Alarm,
    /// It is about an account that nobody may touch.
    Protected,
    /// Together with others like it, in one mail an hour.
    Together,
}

#[async_trait]
impl Deed for PlanningStopped {
    type Done = ();
    type No = MovedOn;

    fn name(&self) -> &'static str {
        "stop_planning"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    async fn perform(&self, tx: &mut Tx) -> Result<(), Fault<MovedOn>> {
        let workflow = standing(tx, self.workflow, self.after).await?;
        let mut transition = workflow.state.needs_attention(self.reason.clone())?;
        match self.telling {
            Telling::Together => {
                transition.owed.clear();
                workflows::apply(tx, &workflow, transition, Also::default()).await?;
                return nobody_known::tell(tx).await;
            }
            Telling::Protected => return protected::stop(tx, &workflow, transition, &self.reason).await,
            Telling::Mail | Telling::Alarm => {
                workflows::apply(tx, &workflow, transition, Also::default()).await?;
            }
        }
        if self.telling == Telling::Alarm {
            let words = format!("a {} cannot be planned: {}", workflow.kind, self.reason);
            outbox::raise_alarm(tx, workflow.id.into(), Some(workflow.id), &words).await?;
        }
        Ok(())
    }
}

/// Ends a leaver for whom there is no account.
pub struct NothingToEnd {
    /// Time and ids.
    pub stamp: Stamp,
    /// Which workflow.
    pub workflow: WorkflowId,
    /// The number of the plan before.
    pub after: u32,
    /// What the reading has shown.
    pub words: String,
}

#[async_trait]
impl Deed for NothingToEnd {
    type Done = ();
    type No = MovedOn;

    fn name(&self) -> &'static str {
        "nothing_to_end"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    async fn perform(&self, tx: &mut Tx) -> Result<(), Fault<MovedOn>> {
        let workflow = standing(tx, self.workflow, self.after).await?;
        let transition = workflow.state.nothing_to_end(&self.words)?;
        workflows::apply(tx, &workflow, transition, Also::default()).await
    }
}

/// Notes that the target cannot be read now.
pub struct AwaitVault {
    /// Time and ids.
    pub stamp: Stamp,
    /// Which workflow.
    pub workflow: WorkflowId,
    /// The plan it had then.
    pub plan_number: u32,
    /// Look again at this moment.
    pub due_at: Timestamp,
    /// It is time to tell these people, and the operators.
    pub tell: Option<Vec<EmailAddress>>,
    /// What the target said, for the operators.
    pub words: String,
}

#[async_trait]
impl Deed for AwaitVault {
    type Done = ();
    type No = MovedOn;

    fn name(&self) -> &'static str {
        "await_vault"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    async fn perform(&self, tx: &mut Tx) -> Result<(), Fault<MovedOn>> {
        let workflow = standing(tx, self.workflow, self.plan_number).await?;
        if !matches!(workflow.state, State::Planning | State::Approved { .. }) {
            return Err(Fault::Refused(MovedOn));
        }
        let since = workflow.vault_awaited_since.unwrap_or(tx.at);
        let telling = self.tell.as_ref().filter(|_| workflow.vault_awaited_told.is_none());
        let told = if telling.is_some() { Some(tx.at) } else { workflow.vault_awaited_told };
        workflows::await_vault(tx, self.workflow, since, told, self.due_at).await?;
        if let Some(people) = telling {
            for to in people {
                outbox::owe_waiting(tx, self.workflow, to).await?;
            }
            let event = NewEvent::new(EventKind::VaultAwaited, Actor::Countersign)
                .text("since", since.to_string())
                .personal("because", self.words.clone());
            audit::append(tx, self.workflow.into(), event).await?;
            outbox::raise_alarm(tx, self.workflow.into(), Some(self.workflow), &self.words).await?;
        }
        Ok(())
    }
}

/// Voids the plan that people are being asked about; it is made again.
pub struct VoidPlan {
    /// Time and ids.
    pub stamp: Stamp,
    /// Which workflow.
    pub workflow: WorkflowId,
    /// The plan that was compared.
    pub plan_number: u32,
    /// What voids it.
    pub because: Vec<Difference>,
}

#[async_trait]
impl Deed for VoidPlan {
    type Done = ();
    type No = MovedOn;

    fn name(&self) -> &'static str {
        "void_plan"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    async fn perform(&self, tx: &mut Tx) -> Result<(), Fault<MovedOn>> {
        let workflow = standing(tx, self.workflow, self.plan_number).await?;
        let transition = workflow.state.replanning(workflow.replans, &self.because)?;
        void(tx, self.workflow, self.plan_number, &self.because).await?;
        let also = Also { replans: Some(workflow.replans + 1), ..Also::default() };
        workflows::apply(tx, &workflow, transition, also).await
    }
}

/// Puts a plan that takes more of the same person's access away in the place of the approved one.
pub struct WidenPlan {
    /// Time and ids.
    pub stamp: Stamp,
    /// Proof to be checked.
    pub lease: Lease,
    /// The wider plan; its number follows that of the approved one.
    pub plan: Plan,
    /// The plan under its seal.
    pub sealed: SealedPlan,
    /// What was read.
    pub snapshot: Snapshot,
    /// What has come since, in words.
    pub because: String,
}

#[async_trait]
impl Deed for WidenPlan {
    type Done = ();
    type No = NotYours;

    fn name(&self) -> &'static str {
        "widen_plan"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    async fn perform(&self, tx: &mut Tx) -> Result<(), Fault<NotYours>> {
        let (_, workflow) = Held::prove::<NotYours>(tx, &self.lease, self.plan.workflow).await?;
        let mut transition = workflow.state.widened(self.plan.number, self.sealed.digest(), &self.because)?;
        let before = current(tx, &workflow).await?;
        let Some(before) = before.filter(|before| before.number + 1 == self.plan.number) else {
            return Err(Fault::Refused(WrongMove { from: workflow.state, wanted: "this plan" }.into()));
        };
        transition.event =
            asked_as_told::told_again(tx, transition.event, (workflow.id, before.number)).await?;
        insert(tx, (&self.plan, &self.sealed), &self.snapshot, &before.routing).await?;
        let mut also = Also { plan_number: Some(self.plan.number), ..Also::default() };
        let half_way = matches!(workflow.state, State::Running);
        if half_way {
            also.replans = Some(workflow.replans + 1);
        }
        workflows::apply(tx, &workflow, transition, also).await?;
        if half_way {
            // All of it is looked at again, but a person has done their part once and for all.
            by_hand::carry_over(tx, &workflow, self.plan.number).await?;
        }
        Ok(())
    }
}

async fn insert<No>(
    tx: &Tx,
    plan: (&Plan, &SealedPlan),
    snapshot: &Snapshot,
    routing: &Routing,
) -> Result<(), Fault<No>> {
    let (plan, sealed) = plan;
    let row = rows::ActiveModel {
        workflow_id: Set(plan.workflow.0),
        number: Set(i64::from(plan.number)),
        bytes: Set(sealed.bytes().to_vec()),
        digest: Set(sealed.digest().0.to_vec()),
        snapshot: Set(CanonicalBytes::of(Tag::Snapshot, snapshot)?.as_slice().to_vec()),
        routing: Set(CanonicalBytes::of(Tag::Routing, routing)?.as_slice().to_vec()),
        voided_by: Set(None),
        made_at: Set(tx.at.as_utc()),
    };
    rows::Entity::insert(row).exec_without_returning(&tx.inner).await?;
    steps::insert(tx, plan).await
}

/// Writes down what voids a plan.
pub(super) async fn void<No>(
    tx: &Tx,
    workflow: WorkflowId,
    number: u32,
    because: &[Difference],
) -> Result<(), Fault<No>> {
    let row = rows::ActiveModel {
        workflow_id: Set(workflow.0),
        number: Set(i64::from(number)),
        voided_by: Set(Some(CanonicalBytes::of(Tag::Report, &because)?.as_slice().to_vec())),
        ..Default::default()
    };
    rows::Entity::update(row).exec(&tx.inner).await?;
    Ok(())
}

async fn standing(tx: &Tx, id: WorkflowId, plan_number: u32) -> Result<Workflow, Fault<MovedOn>> {
    let workflow = workflows::lock(tx, id).await?;
    workflow.filter(|workflow| workflow.plan_number == plan_number).ok_or(Fault::Refused(MovedOn))
}

/// One plan of a workflow.
pub async fn find(store: &Store, workflow: WorkflowId, number: u32) -> Result<Option<KeptPlan>, ReadFault> {
    let row = rows::Entity::find_by_id((workflow.0, i64::from(number))).one(store.reads()).await?;
    row.map(KeptPlan::from_row).transpose()
}

/// All plans of a workflow, oldest first.
pub async fn all(store: &Store, workflow: WorkflowId) -> Result<Vec<KeptPlan>, ReadFault> {
    let rows = rows::Entity::find()
        .filter(rows::Column::WorkflowId.eq(workflow.0))
        .order_by_asc(rows::Column::Number)
        .all(store.reads())
        .await?;
    rows.into_iter().map(KeptPlan::from_row).collect()
}

/// The current plan, inside a transaction.
pub(super) async fn current<No>(tx: &Tx, workflow: &Workflow) -> Result<Option<KeptPlan>, Fault<No>> {
    let key = (workflow.id.0, i64::from(workflow.plan_number));
    let row = rows::Entity::find_by_id(key).one(&tx.inner).await?;
    Ok(row.map(KeptPlan::from_row).transpose()?)
}

/// The same, opened, where it can still be read.
pub(super) async fn readable<No>(tx: &Tx, workflow: &Workflow) -> Result<Option<Plan>, Fault<No>> {
    let key = (workflow.id.0, i64::from(workflow.plan_number));
    let row = rows::Entity::find_by_id(key).one(&tx.inner).await?;
    Ok(row.and_then(|row| KeptPlan::from_row(row).ok()).and_then(|kept| kept.sealed.open().ok()))
}

impl KeptPlan {
    /// Its number and what stands for its routing, to be held against the trail.
    pub(super) fn asked(&self) -> (u32, Digest) {
        (self.number, self.routing_digest)
    }

    fn from_row(row: rows::Model) -> Result<Self, ReadFault> {
        let name = format!("{}/{}", row.workflow_id, row.number);
        let digest = audit::digest("plans", &name, &row.digest)?;
        let voided_by =
            row.voided_by.map(|bytes| CanonicalBytes::stored(bytes).open(Tag::Report)).transpose()?;
        Ok(Self {
            number: u32::try_from(row.number).unwrap_or(u32::MAX),
            sealed: SealedPlan::stored(row.bytes, digest)?,
            snapshot: CanonicalBytes::stored(row.snapshot).open(Tag::Snapshot)?,
            routing_digest: Digest::of_bytes(&row.routing),
            routing: CanonicalBytes::stored(row.routing).open(Tag::Routing)?,
            voided_by: voided_by.unwrap_or_default(),
            made_at: Timestamp::from_utc(row.made_at),
        })
    }
}
