//! Workflows as rows: reading them, locking one, and carrying a transition out.
//!
//! Must hold: [`apply`] is the only writer of a workflow's state; it writes the state, the event and the owed
//! messages together. A mix of columns that the states do not know is reported with the row's id.

use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _, Select, Set,
};

use super::deed::{Fault, Tx};
use super::fault::ReadFault;
use super::rows::workflow::{ActiveModel, Column, Entity, Model};
use super::unfit::Unfit;
use super::{Store, audit, leaver_clocks, outbox, state_counts};
use crate::domain::canon::{CanonicalBytes, Digest, Tag};
use crate::domain::effective::{Effective, EffectiveAt};
use crate::domain::ids::{VaultUserId, WorkflowId};
use crate::domain::kind::Kind;
use crate::domain::leaver_clock::ClockEnd;
use crate::domain::names::{Namespace, NotAName, PersonRef, SourceName, SourceRef, TargetName, UserName};
use crate::domain::request::{Request, What};
use crate::domain::retry::Awaited;
use crate::domain::time::Timestamp;
use crate::domain::workflow::{Ending, RestsAs, Stalled, State, Stop, Transition};
use crate::target::Adoption;

/// One workflow as it stands.
#[derive(Debug, Clone)]
pub struct Workflow {
    /// Its id.
    pub id: WorkflowId,
    /// Who asked.
    pub source: SourceName,
    /// The sender's own reference.
    pub source_ref: SourceRef,
    /// Where `person_ref` means one human.
    pub namespace: Namespace,
    /// The human.
    pub person_ref: PersonRef,
    /// What is asked for.
    pub kind: Kind,
    /// Where it stands.
    pub state: State,
    /// The system that will be driven, once planned.
    pub target: Option<TargetName>,
    /// The account's name, where the request names one.
    pub user_name: Option<UserName>,
    /// The request in canonical bytes.
    pub request: CanonicalBytes,
    /// May an account without our mark be taken for ours?
    pub adoption: Adoption,
    /// The number of the current plan; zero before the first.
    pub plan_number: u32,
    /// How often the plan was made again.
    pub replans: u32,
    /// Since when the target cannot be read.
    pub vault_awaited_since: Option<Timestamp>,
    /// When somebody was told so.
    pub vault_awaited_told: Option<Timestamp>,
    /// The run of the same person, or on the same user, that must come to rest before this one goes on.
    pub waits_for: Option<WorkflowId>,
    /// The workflow that stands for the whole request, where this is a part of it for one further target.
    pub part_of: Option<WorkflowId>,
    /// The workflow that took its place, or makes up for it.
    pub ended_by: Option<WorkflowId>,
    /// The source's own reference of the event that took it back, or is about to.
    pub cancelled_by: Option<String>,
    /// Its run is to begin nothing new.
    pub stop: Option<Stop>,
    /// Execution may begin at this moment; known once planned.
    pub not_before: Option<Timestamp>,
    /// For one that is approved: unless its run has begun by then, the approval is void.
    pub approval_ends: Option<Timestamp>,
    /// When it was taken in.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Where what it knew about people was cleared after its time.
    pub cleared: Option<Cleared>,
}

/// What is left of a request that was cleared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cleared {
    /// When.
    pub at: Timestamp,
    /// The digest of the request in canonical bytes, by which a repeat is recognised.
    pub request: Digest,
}

/// One workflow by id.
pub async fn find(store: &Store, id: WorkflowId) -> Result<Option<Workflow>, ReadFault> {
    Entity::find_by_id(id.0).one(store.reads()).await?.map(Workflow::from_row).transpose()
}

/// The workflow of a source's own reference.
pub async fn find_by_source_ref(
    store: &Store,
    source: &SourceName,
    reference: &SourceRef,
) -> Result<Option<Workflow>, ReadFault> {
    let row = of_source_ref(source, reference).one(store.reads()).await?;
    row.map(Workflow::from_row).transpose()
}

pub(super) fn of_source_ref(source: &SourceName, reference: &SourceRef) -> Select<Entity> {
    Entity::find().filter(Column::Source.eq(source.as_str())).filter(Column::SourceRef.eq(reference.as_str()))
}

/// One workflow, locked until the transaction ends.
pub(super) async fn lock<No>(tx: &Tx, id: WorkflowId) -> Result<Option<Workflow>, Fault<No>> {
    let row = Entity::find_by_id(id.0).lock_exclusive().one(&tx.inner).await?;
    Ok(row.map(Workflow::from_row).transpose()?)
}

/// One workflow that must be there, locked until the transaction ends.
pub(super) async fn locked<No>(tx: &Tx, id: WorkflowId) -> Result<Workflow, Fault<No>> {
    lock(tx, id).await?.ok_or_else(|| Fault::Broken(format!("workflow {id} is gone")))
}

/// The same for whoever must tell of it even where its row makes no sense.
pub(super) async fn locked_if_fit<No>(tx: &Tx, id: WorkflowId) -> Result<Result<Workflow, Unfit>, Fault<No>> {
    let row = Entity::find_by_id(id.0).lock_exclusive().one(&tx.inner).await?;
    row.map(Workflow::fit).ok_or_else(|| Fault::Broken(format!("workflow {id} is gone")))
}

/// So long a request that waits for another one is not looked at, should nothing wake it.
pub(super) const WAITS_SECONDS: i64 = 3_600;

/// The states in which nothing happens to a workflow any more.
const AT_REST: [&str; 6] = ["succeeded", "rejected", "expired", "cancelled", "superseded", "failed"];

/// Every request for the same person that has not come to rest, each locked, in the order of their ids.
pub(super) async fn open_of_person<No>(tx: &Tx, like: &Workflow) -> Result<Vec<Workflow>, Fault<No>> {
    let rows = open_query(like).order_by_asc(Column::Id).lock_exclusive().all(&tx.inner).await?;
    let read: Result<Vec<_>, ReadFault> = rows.into_iter().map(Workflow::from_row).collect();
    Ok(read?)
}

pub(super) fn open_query(like: &Workflow) -> Select<Entity> {
    Entity::find()
        .filter(Column::Namespace.eq(like.namespace.as_str()))
        .filter(Column::PersonRef.eq(like.person_ref.as_str()))
        .filter(Column::State.is_not_in(AT_REST))
}

/// The leavers of the same person that are done, the oldest first.
pub(super) async fn done_leavers<No>(tx: &Tx, like: &Workflow) -> Result<Vec<Workflow>, Fault<No>> {
    let rows = Entity::find()
        .filter(Column::Namespace.eq(like.namespace.as_str()))
        .filter(Column::PersonRef.eq(like.person_ref.as_str()))
        .filter(Column::Kind.eq(Kind::Leaver.as_str()))
        .filter(Column::State.eq("succeeded"))
        .order_by_asc(Column::Id)
        .all(&tx.inner)
        .await?;
    let read: Result<Vec<_>, ReadFault> = rows.into_iter().map(Workflow::from_row).collect();
    Ok(read?)
}

/// The newest request of the same person that gave access and was carried out.
pub(super) async fn last_given<No>(tx: &Tx, like: &Workflow) -> Result<Option<Workflow>, Fault<No>> {
    let giving = [Kind::Joiner, Kind::Mover, Kind::Rehire].map(Kind::as_str);
    let row = Entity::find()
        .filter(Column::Namespace.eq(like.namespace.as_str()))
        .filter(Column::PersonRef.eq(like.person_ref.as_str()))
        .filter(Column::Kind.is_in(giving))
        .filter(Column::State.eq("succeeded"))
        .order_by_desc(Column::Id)
        .one(&tx.inner)
        .await?;
    Ok(row.map(Workflow::from_row).transpose()?)
}

/// The requests whose place this one took, or which it makes up for; the oldest first.
pub async fn ended_by(store: &Store, id: WorkflowId) -> Result<Vec<Workflow>, ReadFault> {
    let rows =
        Entity::find().filter(Column::EndedBy.eq(id.0)).order_by_asc(Column::Id).all(store.reads()).await?;
    rows.into_iter().map(Workflow::from_row).collect()
}

/// What a transition changes in the row besides the state.
#[derive(Debug, Clone, Default)]
pub(super) struct Also {
    /// Look again at this moment.
    pub due_at: Option<Timestamp>,
    /// Execution may begin at this moment.
    pub not_before: Option<Timestamp>,
    /// An approval that has begun nothing by then is void.
    pub approval_ends: Option<Timestamp>,
    /// The target is chosen.
    pub target: Option<TargetName>,
    /// The account's name, where the request named none.
    pub user_name: Option<UserName>,
    /// The current plan.
    pub plan_number: Option<u32>,
    /// How often the plan was made again.
    pub replans: Option<u32>,
    /// Who may be taken for ours.
    pub adoption: Option<Adoption>,
    /// Who is not written to, by address key.
    pub not_to: Option<String>,
    /// It does not go on, or is to stop.
    pub ending: Option<Ending>,
}

/// Carries a transition out: state, event, owed messages.
pub(super) async fn apply<No>(
    tx: &mut Tx,
    workflow: &Workflow,
    transition: Transition,
    also: Also,
) -> Result<(), Fault<No>> {
    let mut row = columns(&transition.next);
    row.id = Set(workflow.id.0);
    row.updated_at = Set(tx.at.as_utc());
    row.due_at = Set(also.due_at.or_else(|| due_of(&transition.next)).unwrap_or(tx.at).as_utc());
    if let Some(target) = also.target {
        row.target = Set(Some(target.as_str().to_owned()));
    }
    if let Some(user_name) = also.user_name {
        row.user_name = Set(Some(user_name.as_str().to_owned()));
    }
    if let Some(not_before) = also.not_before {
        row.not_before = Set(Some(not_before.as_utc()));
    }
    if let (State::Approved { .. }, Some(ends)) = (&transition.next, also.approval_ends) {
        row.expires_at = Set(Some(ends.as_utc()));
    }
    if let Some(number) = also.plan_number {
        row.plan_number = Set(i64::from(number));
    }
    if let Some(replans) = also.replans {
        row.replans = Set(i64::from(replans));
    }
    if let Some(adoption) = also.adoption {
        row.adopted_user_id = Set(adopted(adoption));
    }
    if let Some(ending) = also.ending {
        if transition.next.is_final() {
            row.ended_by = Set(ending.stop.by.map(|by| by.0));
        } else {
            row.stop_as = Set(Some(ending.stop.rests.word().to_owned()));
            row.stop_for = Set(ending.stop.by.map(|by| by.0));
        }
        row.cancelled_by = Set(ending.withdrawn_by);
    }
    row.vault_awaited_since = Set(None);
    row.vault_awaited_told = Set(None);
    row.waits_for = Set(None);
    row.fruitless = Set(0);
    Entity::update(row).exec(&tx.inner).await?;
    state_counts::moved(tx, workflow.id, workflow.state.word(), transition.next.word()).await?;
    if workflow.kind == Kind::Leaver && transition.next.is_final() {
        leaver_clocks::stop(tx, workflow.id, clock_end(&transition.next, tx.at)).await?;
    }
    if transition.next.is_final() {
        wake(tx, workflow.id).await?;
    }
    audit::append(tx, workflow.id.into(), transition.event).await?;
    let plan_number = also.plan_number.unwrap_or(workflow.plan_number);
    for owed in transition.owed {
        outbox::owe(tx, workflow.id, plan_number, owed, also.not_to.as_deref()).await?;
    }
    Ok(())
}

/// A run has come to rest, or has not begun: whoever waits for it is due now. One that is to be planned looks first at
/// what became of it.
pub(super) async fn wake<No>(tx: &Tx, rested: WorkflowId) -> Result<(), Fault<No>> {
    Entity::update_many()
        .col_expr(Column::DueAt, Expr::value(tx.at.as_utc()))
        .col_expr(Column::WaitsFor, Expr::cust("case when state = 'planning' then waits_for end"))
        .filter(Column::WaitsFor.eq(rested.0))
        .exec(&tx.inner)
        .await?;
    Ok(())
}

/// Notes since when the target cannot be read, and when somebody was told.
pub(super) async fn await_vault<No>(
    tx: &Tx,
    id: WorkflowId,
    since: Timestamp,
    told: Option<Timestamp>,
    due_at: Timestamp,
) -> Result<(), Fault<No>> {
    let row = ActiveModel {
        id: Set(id.0),
        vault_awaited_since: Set(Some(since.as_utc())),
        vault_awaited_told: Set(told.map(Timestamp::as_utc)),
        due_at: Set(due_at.as_utc()),
        updated_at: Set(tx.at.as_utc()),
        fruitless: Set(0),
        ..Default::default()
    };
    Entity::update(row).exec(&tx.inner).await?;
    Ok(())
}

/// A new workflow in `planning`.
pub(super) async fn insert<No>(tx: &Tx, new: &Workflow) -> Result<(), Fault<No>> {
    let mut row = columns(&new.state);
    row.id = Set(new.id.0);
    row.source = Set(new.source.as_str().to_owned());
    row.source_ref = Set(new.source_ref.as_str().to_owned());
    row.namespace = Set(new.namespace.as_str().to_owned());
    row.person_ref = Set(new.person_ref.as_str().to_owned());
    row.kind = Set(new.kind.as_str().to_owned());
    row.target = Set(new.target.as_ref().map(|target| target.as_str().to_owned()));
    row.user_name = Set(new.user_name.as_ref().map(|name| name.as_str().to_owned()));
    row.request = Set(new.request.as_slice().to_vec());
    row.adopted_user_id = Set(adopted(new.adoption));
    row.part_of = Set(new.part_of.map(|whole| whole.0));
    row.plan_number = Set(0);
    row.replans = Set(0);
    // Whoever waits for another one is woken by it.
    let waits = new.waits_for.map_or(0, |_| WAITS_SECONDS);
    row.due_at = Set(new.created_at.plus_seconds(waits).as_utc());
    row.created_at = Set(new.created_at.as_utc());
    row.updated_at = Set(new.created_at.as_utc());
    row.waits_for = Set(new.waits_for.map(|other| other.0));
    Entity::insert(row).exec_without_returning(&tx.inner).await?;
    state_counts::came(tx, new.id, new.state.word()).await?;
    if new.kind == Kind::Leaver {
        leaver_clocks::begin(tx, new.id, wanted_end(new), new.created_at).await?;
    }
    Ok(())
}

/// When a leaver's access is to end. Planning stops one whose request makes no sense; its clock runs from now on.
pub(super) fn wanted_end(new: &Workflow) -> Effective {
    let request: Option<Request> = new.request.open(Tag::Request).ok();
    match request.as_ref().and_then(Request::what) {
        Some(What::Leaver(leaver)) => leaver.effective,
        Some(_) | None => Effective { at: EffectiveAt::Instant(new.created_at), immediate: true },
    }
}

/// Only a fresh read that showed the wanted state stops a leaver's clock as it should.
fn clock_end(next: &State, now: Timestamp) -> ClockEnd {
    match next {
        State::Succeeded => ClockEnd::Verified(now),
        State::Planning
        | State::PendingApproval { .. }
        | State::Approved { .. }
        | State::Running
        | State::Rejected
        | State::Expired
        | State::Cancelled
        | State::Superseded
        | State::Failed { .. }
        | State::NeedsAttention { .. } => ClockEnd::Unverified(now),
    }
}

/// The workflow of a source's own reference.
pub(super) async fn by_source_ref<No>(
    tx: &Tx,
    source: &SourceName,
    reference: &SourceRef,
) -> Result<Option<Workflow>, Fault<No>> {
    let row = of_source_ref(source, reference).one(&tx.inner).await?;
    Ok(row.map(Workflow::from_row).transpose()?)
}

/// The columns that a state consists of.
fn columns(state: &State) -> ActiveModel {
    let mut row = ActiveModel {
        state: Set(state.word().to_owned()),
        stalled: Set(None),
        reason: Set(None),
        expires_at: Set(None),
        ..Default::default()
    };
    match state {
        State::PendingApproval { stage, expires_at } => {
            row.stage = Set(i64::from(*stage));
            row.expires_at = Set(expires_at.map(Timestamp::as_utc));
        }
        State::Approved { not_before } => row.not_before = Set(Some(not_before.as_utc())),
        State::Failed { reason } => row.reason = Set(Some(reason.clone())),
        State::NeedsAttention { reason, stalled } => {
            row.reason = Set(Some(reason.clone()));
            row.stalled = Set(Some(stalled.word().to_owned()));
        }
        State::Planning
        | State::Running
        | State::Succeeded
        | State::Rejected
        | State::Expired
        | State::Cancelled
        | State::Superseded => {}
    }
    row
}

/// When a worker should look at a state by itself.
fn due_of(state: &State) -> Option<Timestamp> {
    match state {
        State::PendingApproval { expires_at, .. } => *expires_at,
        State::Approved { not_before } => Some(*not_before),
        State::Planning
        | State::Running
        | State::Succeeded
        | State::Rejected
        | State::Expired
        | State::Cancelled
        | State::Superseded
        | State::Failed { .. }
        | State::NeedsAttention { .. } => None,
    }
}

fn adopted(adoption: Adoption) -> Option<i64> {
    match adoption {
        Adoption::OnlyByMark => None,
        Adoption::ByPerson(id) => Some(id.0),
    }
}

impl Workflow {
    /// Does it ask for this very thing?
    pub fn asks_for(&self, request: &CanonicalBytes) -> bool {
        match &self.cleared {
            None => self.request == *request,
            Some(cleared) => cleared.request == request.digest(),
        }
    }

    /// Is it still there in full? Whoever shows it asks first.
    pub fn in_full(&self) -> Result<(), ReadFault> {
        match &self.cleared {
            None => Ok(()),
            Some(cleared) => Err(ReadFault::Cleared(cleared.at)),
        }
    }

    /// How long its target is awaited already.
    pub fn awaited(&self) -> Awaited {
        Awaited { since: self.vault_awaited_since, told: self.vault_awaited_told }
    }

    /// The workflow of a row, where the others must go on without it.
    pub(super) fn fit(row: Model) -> Result<Self, Unfit> {
        let id = WorkflowId(row.id);
        let nowhere = row.state == "approved" && (row.target.is_none() || row.user_name.is_none());
        let read = Self::from_row(row);
        match read {
            Ok(_) if nowhere => Err(Unfit::new(id, &wrong(id.0, "it is approved without target and user"))),
            Ok(workflow) => Ok(workflow),
            Err(fault) => Err(Unfit::new(id, &fault)),
        }
    }

    pub(super) fn from_row(row: Model) -> Result<Self, ReadFault> {
        let (state, stop) = (state_of(&row)?, stop_of(&row)?);
        let id = row.id;
        let name = |_: NotAName| wrong(id, "a name breaks its own rule");
        Ok(Self {
            id: WorkflowId(row.id),
            source: SourceName::parse(&row.source).map_err(name)?,
            source_ref: SourceRef::kept(&row.source_ref).map_err(name)?,
            namespace: Namespace::parse(&row.namespace).map_err(name)?,
            person_ref: PersonRef::parse(&row.person_ref).map_err(name)?,
            kind: Kind::parse(&row.kind).ok_or_else(|| wrong(id, "an unknown kind"))?,
            state,
            target: row.target.as_deref().map(TargetName::parse).transpose().map_err(name)?,
            user_name: row.user_name.as_deref().map(UserName::parse).transpose().map_err(name)?,
            request: CanonicalBytes::stored(row.request),
            adoption: match row.adopted_user_id {
                None => Adoption::OnlyByMark,
                Some(id) => Adoption::ByPerson(VaultUserId(id)),
            },
            plan_number: whole(id, row.plan_number)?,
            replans: whole(id, row.replans)?,
            vault_awaited_since: row.vault_awaited_since.map(Timestamp::from_utc),
            vault_awaited_told: row.vault_awaited_told.map(Timestamp::from_utc),
            waits_for: row.waits_for.map(WorkflowId),
            part_of: row.part_of.map(WorkflowId),
            ended_by: row.ended_by.map(WorkflowId),
            stop,
            cancelled_by: row.cancelled_by,
            not_before: row.not_before.map(Timestamp::from_utc),
            approval_ends: row.expires_at.filter(|_| row.state == "approved").map(Timestamp::from_utc),
            created_at: Timestamp::from_utc(row.created_at),
            updated_at: Timestamp::from_utc(row.updated_at),
            cleared: match (row.cleared_at, row.request_digest) {
                (None, None) => None,
                (Some(at), Some(digest)) => Some(Cleared {
                    at: Timestamp::from_utc(at),
                    request: audit::digest("workflows", id, &digest)?,
                }),
                (None, Some(_)) | (Some(_), None) => return Err(wrong(id, "it is cleared by half")),
            },
        })
    }
}

fn stop_of(row: &Model) -> Result<Option<Stop>, ReadFault> {
    let Some(word) = &row.stop_as else { return Ok(None) };
    let rests = RestsAs::parse(word).ok_or_else(|| wrong(row.id, "it is to stop in an unknown way"))?;
    Ok(Some(Stop { rests, by: row.stop_for.map(WorkflowId) }))
}

fn state_of(row: &Model) -> Result<State, ReadFault> {
    let stalled = row.stalled.as_deref().and_then(Stalled::parse);
    Ok(match (row.state.as_str(), row.not_before, row.reason.clone(), stalled) {
        ("planning", ..) => State::Planning,
        ("pending_approval", ..) => State::PendingApproval {
            stage: whole(row.id, row.stage)?,
            expires_at: row.expires_at.map(Timestamp::from_utc),
        },
        ("approved", Some(not_before), ..) => State::Approved { not_before: Timestamp::from_utc(not_before) },
        ("running", ..) => State::Running,
        ("succeeded", ..) => State::Succeeded,
        ("rejected", ..) => State::Rejected,
        ("expired", ..) => State::Expired,
        ("cancelled", ..) => State::Cancelled,
        ("superseded", ..) => State::Superseded,
        ("failed", _, Some(reason), _) => State::Failed { reason },
        ("needs_attention", _, Some(reason), Some(stalled)) => State::NeedsAttention { reason, stalled },
        _ => return Err(wrong(row.id, "its columns make up no state")),
    })
}

fn whole(id: uuid::Uuid, number: i64) -> Result<u32, ReadFault> {
    u32::try_from(number).map_err(|_| wrong(id, "a count is negative or too large"))
}

fn wrong(id: uuid::Uuid, wrong: &'static str) -> ReadFault {
    ReadFault::Inconsistent { table: "workflows", row: id.to_string(), wrong }
}
