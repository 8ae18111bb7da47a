//! What is due: in which order work is taken up, and who waits for whose run.
//!
//! Must hold: among what is due, leavers come first, however long others have waited (contract, promise 10); who waits
//! for another run says so once, and is woken when that run has come to rest.

use sea_orm::sea_query::{Expr, ExprTrait as _, LockBehavior, LockType};
use sea_orm::{
    ColumnTrait as _, Condition, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    Select, Set,
};

use super::deed::{Fault, Tx};
use super::fault::ReadFault;
use super::rows::workflow::{ActiveModel, Column, Entity, Model};
use super::unfit::Unfit;
use super::workflows::{self, Workflow};
use super::{Store, audit};
use crate::clock::MayBegin;
use crate::domain::audit::{Actor, EventKind, NewEvent};
use crate::domain::ids::WorkflowId;
use crate::domain::kind::Kind;
use crate::domain::names::TargetName;
use crate::domain::time::Timestamp;

/// So long another run is waited for before it is looked at again, should nothing wake the one that waits.
const LOOK_AGAIN_SECONDS: i64 = 60;

/// Whose work is taken up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Whoever is due; leavers first.
    Anybodys,
    /// A leaver's, and nobody else's.
    Leavers,
}

/// What a claim may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimable {
    /// Whose work.
    pub whose: Whose,
    /// Targets that rest: their workflows keep their turn, and lose nothing by it.
    pub resting: Vec<TargetName>,
    /// What may begin, as far as the time is believed; what has begun goes on in any case.
    pub may_begin: MayBegin,
}

impl Whose {
    fn look(self, [leavers, all]: [Condition; 2]) -> Condition {
        match self {
            Self::Leavers => leavers,
            Self::Anybodys => all,
        }
    }
}

impl Claimable {
    /// The looks for work, in order: at the leavers alone, then at all.
    pub(super) fn looks(&self) -> Vec<Condition> {
        self.awake(looks())
    }

    fn run_looks(&self) -> Vec<Condition> {
        self.awake(run_looks())
    }

    fn awake(&self, [leavers, all]: [Condition; 2]) -> Vec<Condition> {
        let looks = match self.whose {
            Whose::Anybodys => vec![leavers, all],
            Whose::Leavers => vec![leavers],
        };
        if self.resting.is_empty() {
            return looks;
        }
        let resting = self.resting.iter().map(TargetName::as_str);
        let awake = Condition::any().add(Column::Target.is_null()).add(Column::Target.is_not_in(resting));
        looks.into_iter().map(|look| look.add(awake.clone())).collect()
    }
}

/// The two looks for what is due: at the leavers alone, then at all. Two, because each is read in the order of an
/// index, and one sorted by both would read everything that is due.
pub(super) fn looks() -> [Condition; 2] {
    // Spelled out, since an index over leavers alone serves only a question that names them.
    let leavers = Expr::col(Column::Kind).eq(Expr::cust("'leaver'"));
    [Condition::all().add(leavers), Condition::all()]
}

/// The same two at runs, spelled as the indexes over runs are.
pub(super) fn run_looks() -> [Condition; 2] {
    [Condition::all().add(Expr::cust("kind || '' = 'leaver'")), Condition::all()]
}

/// What waits to be carried out, or is being carried out; spelled as the indexes over it are.
fn runs() -> Condition {
    Condition::all().add(Expr::cust("state || '' in ('approved', 'running')"))
}

/// When the next workflow falls due that may be taken up to be planned.
pub async fn next_plan_at(store: &Store, whose: Whose) -> Result<Option<Timestamp>, ReadFault> {
    let row = planning().filter(whose.look(looks())).one(store.reads()).await?;
    Ok(row.map(|row| Timestamp::from_utc(row.due_at)))
}

/// Those that are due to be planned, the longest due first.
pub(super) fn to_plan(look: Condition, now: Timestamp) -> Select<Entity> {
    planning().filter(look).filter(Column::DueAt.lte(now.as_utc())).limit(1)
}

fn planning() -> Select<Entity> {
    Entity::find().filter(Column::State.eq("planning")).order_by_asc(Column::DueAt)
}

/// When the next run falls due that may be taken up.
pub async fn next_run_at(store: &Store, whose: Whose) -> Result<Option<Timestamp>, ReadFault> {
    let row = next_run(whose.look(run_looks())).one(store.reads()).await?;
    Ok(row.map(|row| Timestamp::from_utc(row.due_at)))
}

pub(super) fn next_run(look: Condition) -> Select<Entity> {
    Entity::find().filter(runs()).filter(look).order_by_asc(Column::DueAt)
}

/// Askings and approvals whose time is over, the longest over first.
pub async fn overdue(
    store: &Store,
    now: Timestamp,
    most: u64,
) -> Result<Vec<Result<Workflow, Unfit>>, ReadFault> {
    let rows = over(now, most).all(store.reads()).await?;
    let found = rows.into_iter().map(|row| (row.due_at > now.as_utc(), Workflow::fit(row)));
    // The time of a row that makes no sense stays over; once it is set aside, it is no work for a while.
    Ok(found.filter(|(later, found)| found.is_ok() || !later).map(|(_, found)| found).collect())
}

pub(super) fn over(now: Timestamp, most: u64) -> Select<Entity> {
    timed().filter(Column::ExpiresAt.lte(now.as_utc())).limit(most)
}

/// When the next asking or approval ends after this moment.
pub async fn next_overdue(store: &Store, now: Timestamp) -> Result<Option<Timestamp>, ReadFault> {
    let row = next_over(now).one(store.reads()).await?;
    Ok(row.and_then(|row| row.expires_at).map(Timestamp::from_utc))
}

pub(super) fn next_over(now: Timestamp) -> Select<Entity> {
    timed().filter(Column::ExpiresAt.gt(now.as_utc()))
}

fn timed() -> Select<Entity> {
    // Spelled as the index over what ends is.
    let ends = Expr::cust("state || '' in ('pending_approval', 'approved') and expires_at is not null");
    Entity::find().filter(ends).order_by_asc(Column::ExpiresAt)
}

/// The approved or running workflow that is due and comes next, of those that nobody else is looking at; locked.
pub(super) async fn lock_run<No>(
    tx: &Tx,
    passed_over: &[WorkflowId],
    claimable: &Claimable,
) -> Result<Option<Model>, Fault<No>> {
    for look in claimable.run_looks() {
        let due = due_run(look, tx.at, passed_over).filter(within(claimable.may_begin));
        let row = due.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked).one(&tx.inner).await?;
        if row.is_some() {
            return Ok(row);
        }
    }
    Ok(None)
}

pub(super) fn due_run(look: Condition, now: Timestamp, passed_over: &[WorkflowId]) -> Select<Entity> {
    // An approval that has ended begins nothing any more; the sweeper brings it to rest.
    let may_begin = Condition::any()
        .add(Column::State.eq("running"))
        .add(Column::ExpiresAt.is_null())
        .add(Column::ExpiresAt.gt(now.as_utc()));
    next_run(look)
        .filter(may_begin)
        .filter(Column::DueAt.lte(now.as_utc()))
        .filter(Column::Id.is_not_in(passed_over.iter().map(|id| id.0)))
        .limit(1)
}

/// What goes on, and what may begin while the time is in doubt.
fn within(may_begin: MayBegin) -> Condition {
    match may_begin {
        MayBegin::Anything => Condition::all(),
        MayBegin::LeaversDueBy(certainly) => Condition::any().add(Column::State.eq("running")).add(
            Condition::all()
                .add(Column::Kind.eq(Kind::Leaver.as_str()))
                .add(Column::NotBefore.lte(certainly.as_utc())),
        ),
    }
}

/// Moves the moment at which a workflow is looked at again, by whoever has got somewhere with it. Not a change of the
/// workflow: no event.
pub(super) async fn postpone<No>(tx: &Tx, id: WorkflowId, due_at: Timestamp) -> Result<(), Fault<No>> {
    let row =
        ActiveModel { id: Set(id.0), due_at: Set(due_at.as_utc()), fruitless: Set(0), ..Default::default() };
    Entity::update(row).exec(&tx.inner).await?;
    Ok(())
}

/// The same, by whoever is still at it or has passed it over.
pub(super) async fn hold<No>(tx: &Tx, id: WorkflowId, due_at: Timestamp) -> Result<(), Fault<No>> {
    let row = ActiveModel { id: Set(id.0), due_at: Set(due_at.as_utc()), ..Default::default() };
    Entity::update(row).exec(&tx.inner).await?;
    Ok(())
}

/// Lets a workflow wait for the end of another run, at most until that moment; told once for each run. Both are
/// locked, so that the other one cannot come to rest unseen: false where it has done so already.
pub(super) async fn wait_for<No>(
    tx: &mut Tx,
    workflow: &Workflow,
    other: WorkflowId,
    until: Option<Timestamp>,
) -> Result<bool, Fault<No>> {
    let until = until.unwrap_or_else(|| tx.at.plus_seconds(LOOK_AGAIN_SECONDS));
    if workflow.waits_for == Some(other) {
        postpone(tx, workflow.id, until).await?;
        return Ok(true);
    }
    if !workflows::locked(tx, other).await?.state.is_being_run() {
        return Ok(false);
    }
    let row = ActiveModel {
        id: Set(workflow.id.0),
        due_at: Set(until.as_utc()),
        waits_for: Set(Some(other.0)),
        updated_at: Set(tx.at.as_utc()),
        ..Default::default()
    };
    Entity::update(row).exec(&tx.inner).await?;
    let event = NewEvent::new(EventKind::RunAwaited, Actor::Countersign).text("run", other.to_string());
    audit::append(tx, workflow.id.into(), event).await?;
    Ok(true)
}
