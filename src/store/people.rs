//! People, and the accounts known to be theirs.
//!
//! Must hold: one account belongs to one person; a link is made by our own joiner and by nobody's guess.

use sea_orm::{ColumnTrait as _, Condition, EntityTrait as _, QueryFilter as _, QuerySelect as _, Set};

use super::Store;
use super::deed::{Fault, Tx};
use super::fault::ReadFault;
use super::rows::{person, person_link};
use super::workflows::Workflow;
use crate::domain::ids::{PersonId, VaultUserId};
use crate::domain::names::{Namespace, PersonRef, TargetName, UserName};

/// An account that is known to be somebody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// As the vault spells it.
    pub user_name: String,
    /// The vault's number.
    pub id: VaultUserId,
}

/// The account of a person in a target, if one is known.
pub async fn account(
    store: &Store,
    namespace: &Namespace,
    person_ref: &PersonRef,
    target: &TargetName,
) -> Result<Option<Account>, ReadFault> {
    let known = person::Entity::find()
        .filter(person::Column::Namespace.eq(namespace.as_str()))
        .filter(person::Column::PersonRef.eq(person_ref.as_str()))
        .one(store.reads())
        .await?;
    let Some(known) = known else { return Ok(None) };
    let link =
        person_link::Entity::find_by_id((known.id, target.as_str().to_owned())).one(store.reads()).await?;
    Ok(link.map(|link| Account { user_name: link.user_name, id: VaultUserId(link.vault_user_id) }))
}

/// Why a run of a person must not begin.
pub(super) enum Barred {
    /// The person has an account in this target already.
    HasAccount(VaultUserId),
    /// Another run of the same person is under way, or stopped half-way.
    OtherRun(uuid::Uuid),
}

/// Looks whether a person's run may begin. Two runs of one person ask one after the other: the person's row is locked.
pub(super) async fn bar<No>(
    tx: &mut Tx,
    workflow: &Workflow,
    target: &TargetName,
) -> Result<Option<Barred>, Fault<No>> {
    use super::rows::workflow::{Column, Entity};
    let id = person(tx, workflow).await?;
    person::Entity::find_by_id(id.0).lock_exclusive().one(&tx.inner).await?;
    let link = person_link::Entity::find_by_id((id.0, target.as_str().to_owned())).one(&tx.inner).await?;
    if let Some(link) = link {
        return Ok(Some(Barred::HasAccount(VaultUserId(link.vault_user_id))));
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
    Ok(other.map(|row| Barred::OtherRun(row.id)))
}

/// Whether a link could be made.
pub(super) enum Linked {
    /// It stands, new or as before.
    Yes,
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
        (Some(link), _) if link.vault_user_id == id.0 => return Ok(Linked::Yes),
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
    Ok(Linked::Yes)
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
