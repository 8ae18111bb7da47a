//! Sealed secrets of a workflow: the password of an account that is made, or gets a new one.
//!
//! Must hold: clear text never comes here; at most one sealed value stands for a workflow; what is over is erased in
//! the same transaction that says so. Who may see it, and when it is over: `hand_overs` and `reveals`.

use sea_orm::{ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _, Set};

use super::deed::{Fault, Tx};
use super::fault::ReadFault;
use super::rows::secret;
use super::{Store, audit};
use crate::domain::audit::{Actor, EventKind, NewEvent};
use crate::domain::ids::{SecretId, WorkflowId};
use crate::domain::time::Timestamp;

/// A sealed value and the row it is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The row; part of the seal.
    pub id: SecretId,
    /// The sealed bytes.
    pub bytes: Vec<u8>,
}

const PURPOSE: &str = "initial_password";

/// The sealed initial password of a workflow, if there is one.
pub async fn initial_password(store: &Store, workflow: WorkflowId) -> Result<Option<Sealed>, ReadFault> {
    let row = standing(workflow).one(store.reads()).await?;
    Ok(row.and_then(|row| Some(Sealed { id: SecretId(row.id), bytes: row.sealed? })))
}

/// Since when the password stands that is sealed now.
pub(super) async fn sealed_at(store: &Store, workflow: WorkflowId) -> Result<Option<Timestamp>, ReadFault> {
    let row = standing(workflow).one(store.reads()).await?;
    Ok(row.map(|row| Timestamp::from_utc(row.made_at)))
}

/// Keeps a sealed password.
pub(super) async fn keep<No>(tx: &mut Tx, workflow: WorkflowId, sealed: &Sealed) -> Result<(), Fault<No>> {
    let row = secret::ActiveModel {
        id: Set(sealed.id.0),
        workflow_id: Set(workflow.0),
        purpose: Set(PURPOSE.to_owned()),
        state: Set("sealed".to_owned()),
        sealed: Set(Some(sealed.bytes.clone())),
        made_at: Set(tx.at.as_utc()),
        revealed_at: Set(None),
    };
    secret::Entity::insert(row).exec_without_returning(&tx.inner).await?;
    let event =
        NewEvent::new(EventKind::CredentialSealed, Actor::Countersign).text("secret", sealed.id.to_string());
    audit::append(tx, workflow.into(), event).await?;
    Ok(())
}

/// The sealed password that stands for a workflow.
pub(super) async fn sealed<No>(tx: &Tx, workflow: WorkflowId) -> Result<Option<Sealed>, Fault<No>> {
    let row = standing(workflow).one(&tx.inner).await?;
    Ok(row.and_then(|row| Some(Sealed { id: SecretId(row.id), bytes: row.sealed? })))
}

/// An operator has taken it out: nothing of it stays.
pub(super) async fn shown<No>(tx: &Tx, id: SecretId) -> Result<(), Fault<No>> {
    let shown = secret::ActiveModel {
        id: Set(id.0),
        state: Set("revealed".to_owned()),
        sealed: Set(None),
        revealed_at: Set(Some(tx.at.as_utc())),
        ..Default::default()
    };
    secret::Entity::update(shown).exec(&tx.inner).await?;
    Ok(())
}

/// Erases one password, and says why.
pub(super) async fn erase<No>(
    tx: &mut Tx,
    id: SecretId,
    workflow: WorkflowId,
    because: &'static str,
) -> Result<(), Fault<No>> {
    let gone = secret::ActiveModel {
        id: Set(id.0),
        state: Set("destroyed".to_owned()),
        sealed: Set(None),
        ..Default::default()
    };
    secret::Entity::update(gone).exec(&tx.inner).await?;
    let event = NewEvent::new(EventKind::CredentialDestroyed, Actor::Countersign)
        .text("secret", id.to_string())
        .text("because", because);
    audit::append(tx, workflow.into(), event).await?;
    Ok(())
}

/// So many passwords this workflow has had, whatever became of them.
pub(super) async fn ever_made<No>(tx: &Tx, workflow: WorkflowId) -> Result<u64, Fault<No>> {
    let all = secret::Entity::find()
        .filter(secret::Column::WorkflowId.eq(workflow.0))
        .filter(secret::Column::Purpose.eq(PURPOSE));
    Ok(all.count(&tx.inner).await?)
}

/// Destroys the standing password: the vault refused it, so it is nobody's.
pub(super) async fn destroy<No>(tx: &mut Tx, workflow: WorkflowId) -> Result<(), Fault<No>> {
    match sealed(tx, workflow).await? {
        Some(standing) => erase(tx, standing.id, workflow, "the vault refused it").await,
        None => Ok(()),
    }
}

/// The workflow ends without success, and its password with it.
pub(super) async fn given_up<No>(tx: &mut Tx, workflow: WorkflowId) -> Result<(), Fault<No>> {
    match sealed(tx, workflow).await? {
        Some(standing) => erase(tx, standing.id, workflow, "the account was given up").await,
        None => Ok(()),
    }
}

fn standing(workflow: WorkflowId) -> sea_orm::Select<secret::Entity> {
    secret::Entity::find()
        .filter(secret::Column::WorkflowId.eq(workflow.0))
        .filter(secret::Column::Purpose.eq(PURPOSE))
        .filter(secret::Column::State.eq("sealed"))
}
