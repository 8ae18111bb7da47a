//! People, and the accounts known to be theirs.
//!
//! Must hold: one account belongs to one person; a link is made by our own joiner, or by an approval of a plan that
//! says so, and by nobody's guess.

use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, Set,
};

use super::Store;
use super::audit;
use super::deed::{Fault, Tx};
use super::fault::ReadFault;
use super::leavers::{self, InTheWay};
use super::rows::{person, person_link};
use super::workflows::Workflow;
use crate::domain::audit::{Actor, EventKind, NewEvent};
use crate::domain::ids::{PersonId, VaultUserId, WorkflowId};
use crate::domain::kind::Kind;
use crate::domain::names::{Namespace, PersonRef, TargetName, UserName};
use crate::domain::plan::{Owner, Plan, PlannedAccount};

/// An account that is known to be somebody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// As the vault spells it.
    pub user_name: String,
    /// The vault's number.
    pub id: VaultUserId,
}

/// All accounts of a person, by target.
pub async fn accounts(
    store: &Store,
    namespace: &Namespace,
    person_ref: &PersonRef,
) -> Result<Vec<(TargetName, Account)>, ReadFault> {
    let Some(known) = known(store.reads(), namespace, person_ref).await? else { return Ok(Vec::new()) };
    let links = person_link::Entity::find()
        .filter(person_link::Column::PersonId.eq(known.id))
        .order_by_asc(person_link::Column::Target)
        .all(store.reads())
        .await?;
    let read = |link: person_link::Model| {
        let wrong = |_| ReadFault::Inconsistent {
            table: "person_links",
            row: format!("{}/{}", link.person_id, link.target),
            wrong: "a target's name breaks its own rule",
        };
        let target = TargetName::parse(&link.target).map_err(wrong)?;
        Ok((target, Account { user_name: link.user_name, id: VaultUserId(link.vault_user_id) }))
    };
    links.into_iter().map(read).collect()
}

/// The person to whom an account is linked, if it is.
pub async fn owner(
    store: &Store,
    target: &TargetName,
    id: VaultUserId,
) -> Result<Option<PersonId>, ReadFault> {
    let link = person_link::Entity::find()
        .filter(person_link::Column::Target.eq(target.as_str()))
        .filter(person_link::Column::VaultUserId.eq(id.0))
        .one(store.reads())
        .await?;
    Ok(link.map(|link| PersonId(link.person_id)))
}

/// The account of a person in a target, if one is known.
pub async fn account(
    store: &Store,
    namespace: &Namespace,
    person_ref: &PersonRef,
    target: &TargetName,
) -> Result<Option<Account>, ReadFault> {
    let Some(known) = known(store.reads(), namespace, person_ref).await? else { return Ok(None) };
    let link =
        person_link::Entity::find_by_id((known.id, target.as_str().to_owned())).one(store.reads()).await?;
    Ok(link.map(|link| Account { user_name: link.user_name, id: VaultUserId(link.vault_user_id) }))
}

/// The person of this reference, if one is known.
pub(super) async fn known(
    connection: &impl ConnectionTrait,
    namespace: &Namespace,
    person_ref: &PersonRef,
) -> Result<Option<person::Model>, ReadFault> {
    Ok(person::Entity::find()
        .filter(person::Column::Namespace.eq(namespace.as_str()))
        .filter(person::Column::PersonRef.eq(person_ref.as_str()))
        .one(connection)
        .await?)
}

/// Why a run of a person must not begin.
pub(super) enum Barred {
    /// The person has an account in this target already.
    HasAccount(VaultUserId),
    /// The account that would be changed is not the one that is linked to the person.
    LinkedOtherwise(VaultUserId),
    /// The account was linked when the plan was made, and two people have taken that back since.
    Unlinked(VaultUserId),
    /// A leaver of the same person forbids it.
    Leaver(InTheWay),
    /// Another run of the same person is under way, or stopped half-way.
    OtherRun(WorkflowId),
    /// This other run of the same person is under way and is waited for: it must not give back what a leaver takes.
    NotYet(WorkflowId),
}

/// Looks whether a person's run may begin. Two runs of one person ask one after the other: the person's row is locked.
pub(super) async fn bar<No>(
    tx: &mut Tx,
    workflow: &Workflow,
    plan: &Plan,
) -> Result<Option<Barred>, Fault<No>> {
    use super::rows::workflow::{Column, Entity};
    let target = &plan.target;
    let id = lock(tx, workflow).await?;
    if let Some(found) = leavers::in_the_way(tx, workflow).await? {
        return Ok(Some(Barred::Leaver(found)));
    }
    let link = person_link::Entity::find_by_id((id.0, target.as_str().to_owned())).one(&tx.inner).await?;
    let linked = link.map(|link| VaultUserId(link.vault_user_id));
    match (linked, &plan.account) {
        (Some(linked), None) => return Ok(Some(Barred::HasAccount(linked))),
        (Some(linked), Some(account)) if account.id != linked => {
            return Ok(Some(Barred::LinkedOtherwise(linked)));
        }
        (None, Some(PlannedAccount { id, owner: Owner::Linked | Owner::Renamed { .. }, .. })) => {
            return Ok(Some(Barred::Unlinked(*id)));
        }
        (Some(_) | None, Some(_)) | (None, None) => {}
    }
    let stopped_midway =
        Condition::all().add(Column::State.eq("needs_attention")).add(Column::Stalled.eq("running"));
    let other = Entity::find()
        .filter(Column::Namespace.eq(workflow.namespace.as_str()))
        .filter(Column::PersonRef.eq(workflow.person_ref.as_str()))
        .filter(Column::Target.eq(target.as_str()))
        .filter(Column::Id.ne(workflow.id.0))
        .filter(Condition::any().add(Column::State.eq("running")).add(stopped_midway))
        .one(&tx.inner)
        .await?;
    Ok(other.and_then(|row| match (plan.kind, row.state.as_str()) {
        (Kind::Leaver, "running") => Some(Barred::NotYet(WorkflowId(row.id))),
        // Removal is not held up by what waits for a person.
        (Kind::Leaver, _) => None,
        (Kind::Joiner | Kind::Mover | Kind::Rehire | Kind::ResetPassword | Kind::Unsuspend, _) => {
            Some(Barred::OtherRun(WorkflowId(row.id)))
        }
    }))
}

/// Links the account that a plan changes to its person, or remembers its new name, where the plan has told the
/// approvers that this is new. False where either is linked otherwise.
pub(super) async fn confirm<No>(tx: &mut Tx, workflow: &Workflow, plan: &Plan) -> Result<bool, Fault<No>> {
    let Some(PlannedAccount { id, owner, .. }) = &plan.account else { return Ok(true) };
    match owner {
        Owner::Linked => return Ok(true),
        Owner::ToBeConfirmed => {}
        Owner::Renamed { known_as } => return rename(tx, workflow, plan, (*id, known_as)).await,
    }
    match link(tx, workflow, &plan.target, (&plan.user_name, *id)).await? {
        Linked::Now => {
            let event = linked_event(workflow, plan, *id).text("confirmed_by", "approval");
            audit::append(tx, workflow.id.into(), event).await?;
            Ok(true)
        }
        Linked::Before => Ok(true),
        Linked::Otherwise => Ok(false),
    }
}

/// Remembers under which name the vault has the account now. False where it is not linked as the plan says.
async fn rename<No>(
    tx: &mut Tx,
    workflow: &Workflow,
    plan: &Plan,
    (id, known_as): (VaultUserId, &str),
) -> Result<bool, Fault<No>> {
    let person = person(tx, workflow).await?;
    let key = (person.0, plan.target.as_str().to_owned());
    let standing = person_link::Entity::find_by_id(key).one(&tx.inner).await?;
    let Some(standing) = standing.filter(|link| link.vault_user_id == id.0) else { return Ok(false) };
    if standing.user_name_key == plan.user_name.key() {
        return Ok(true);
    }
    if !standing.user_name.eq_ignore_ascii_case(known_as) {
        return Ok(false);
    }
    let row = person_link::ActiveModel {
        person_id: Set(standing.person_id),
        target: Set(standing.target),
        user_name: Set(plan.user_name.as_str().to_owned()),
        user_name_key: Set(plan.user_name.key()),
        ..Default::default()
    };
    person_link::Entity::update(row).exec(&tx.inner).await?;
    let event =
        linked_event(workflow, plan, id).text("confirmed_by", "approval").personal("known_as", known_as);
    audit::append(tx, workflow.id.into(), event).await?;
    Ok(true)
}

/// What the trail says of a new link.
pub(super) fn linked_event(workflow: &Workflow, plan: &Plan, id: VaultUserId) -> NewEvent {
    NewEvent::new(EventKind::PersonLinked, Actor::Countersign)
        .text("target", plan.target.as_str())
        .number("user_id", id.0)
        .personal("person_ref", workflow.person_ref.as_str())
        .personal("user_name", plan.user_name.as_str())
}

/// Locks the person of a workflow until the transaction ends, so that what is asked for one person is looked at one
/// after the other.
pub(super) async fn lock<No>(tx: &mut Tx, workflow: &Workflow) -> Result<PersonId, Fault<No>> {
    let id = person(tx, workflow).await?;
    person::Entity::find_by_id(id.0).lock_exclusive().one(&tx.inner).await?;
    Ok(id)
}

/// Whether a link could be made.
pub(super) enum Linked {
    /// It is new.
    Now,
    /// It stood already.
    Before,
    /// The account, or the person, is linked otherwise already.
    Otherwise,
}

/// Links a workflow's person to an account.
pub(super) async fn link<No>(
    tx: &mut Tx,
    workflow: &Workflow,
    target: &TargetName,
    account: (&UserName, VaultUserId),
) -> Result<Linked, Fault<No>> {
    let (user_name, id) = account;
    let person = person(tx, workflow).await?;
    let standing =
        person_link::Entity::find_by_id((person.0, target.as_str().to_owned())).one(&tx.inner).await?;
    let taken = person_link::Entity::find()
        .filter(person_link::Column::Target.eq(target.as_str()))
        .filter(person_link::Column::VaultUserId.eq(id.0))
        .one(&tx.inner)
        .await?;
    match (standing, taken) {
        (Some(link), _) if link.vault_user_id == id.0 => return Ok(Linked::Before),
        (None, None) => {}
        (Some(_), _) | (None, Some(_)) => return Ok(Linked::Otherwise),
    }
    let row = person_link::ActiveModel {
        person_id: Set(person.0),
        target: Set(target.as_str().to_owned()),
        user_name: Set(user_name.as_str().to_owned()),
        user_name_key: Set(user_name.key()),
        vault_user_id: Set(id.0),
        workflow_id: Set(workflow.id.0),
        linked_at: Set(tx.at.as_utc()),
    };
    person_link::Entity::insert(row).exec_without_returning(&tx.inner).await?;
    Ok(Linked::Now)
}

async fn person<No>(tx: &mut Tx, workflow: &Workflow) -> Result<PersonId, Fault<No>> {
    let known = person::Entity::find()
        .filter(person::Column::Namespace.eq(workflow.namespace.as_str()))
        .filter(person::Column::PersonRef.eq(workflow.person_ref.as_str()))
        .one(&tx.inner)
        .await?;
    if let Some(known) = known {
        return Ok(PersonId(known.id));
    }
    let id = tx.id(PersonId::made);
    let row = person::ActiveModel {
        id: Set(id.0),
        namespace: Set(workflow.namespace.as_str().to_owned()),
        person_ref: Set(workflow.person_ref.as_str().to_owned()),
    };
    person::Entity::insert(row).exec_without_returning(&tx.inner).await?;
    Ok(id)
}
