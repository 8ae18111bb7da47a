//! Sealed secrets of a workflow: the initial password of a new account.
//!
//! Must hold: clear text never comes here; at most one sealed value stands for a workflow; what was shown once is
//! destroyed in the same transaction that says so.

use async_trait::async_trait;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, Set};

use super::deed::{Deed, Fault, Tx};
use super::fault::ReadFault;
use super::rows::secret;
use super::{Store, audit, workflows};
use crate::clock::Stamp;
use crate::domain::audit::{Actor, EventKind, NewEvent};
use crate::domain::ids::{SecretId, WorkflowId};
use crate::domain::workflow::State;

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

/// Destroys the standing password: the vault refused it, so it is nobody's.
pub(super) async fn destroy<No>(tx: &mut Tx, workflow: WorkflowId) -> Result<(), Fault<No>> {
    if let Some(row) = standing(workflow).one(&tx.inner).await? {
        let gone = secret::ActiveModel {
            id: Set(row.id),
            state: Set("destroyed".to_owned()),
            sealed: Set(None),
            ..Default::default()
        };
        secret::Entity::update(gone).exec(&tx.inner).await?;
        let event = NewEvent::new(EventKind::CredentialDestroyed, Actor::Countersign)
            .text("secret", SecretId(row.id).to_string());
        audit::append(tx, workflow.into(), event).await?;
    }
    Ok(())
}

/// Takes the sealed password out for showing it once.
pub struct RevealPassword {
    /// Time and ids.
    pub stamp: Stamp,
    /// Whose password.
    pub workflow: WorkflowId,
    /// Who will see it.
    pub by: String,
    /// Why, in the person's words.
    pub reason: String,
}

/// There is nothing to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NothingToShow {
    /// None is sealed.
    #[error("there is no password to show: it was never made, was shown already, or was destroyed")]
    Nothing,
    /// While a run is under way every attempt at it uses the same sealed value.
    #[error("the password can be shown once the account is done and verified")]
    NotYet,
}

#[async_trait]
impl Deed for RevealPassword {
    type Done = Sealed;
    type No = NothingToShow;

    fn name(&self) -> &'static str {
        "reveal_password"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    async fn perform(&self, tx: &mut Tx) -> Result<Self::Done, Fault<Self::No>> {
        let workflow =
            workflows::lock(tx, self.workflow).await?.ok_or(Fault::Refused(NothingToShow::Nothing))?;
        if workflow.state != State::Succeeded {
            return Err(Fault::Refused(NothingToShow::NotYet));
        }
        let row = standing(self.workflow).one(&tx.inner).await?;
        let sealed = row.and_then(|row| Some(Sealed { id: SecretId(row.id), bytes: row.sealed? }));
        let sealed = sealed.ok_or(Fault::Refused(NothingToShow::Nothing))?;
        let shown = secret::ActiveModel {
            id: Set(sealed.id.0),
            state: Set("revealed".to_owned()),
            sealed: Set(None),
            revealed_at: Set(Some(tx.at.as_utc())),
            ..Default::default()
        };
        secret::Entity::update(shown).exec(&tx.inner).await?;
        let event = NewEvent::new(EventKind::CredentialRevealed, Actor::Operator(self.by.clone()))
            .text("secret", sealed.id.to_string())
            .personal("reason", self.reason.clone());
        audit::append(tx, self.workflow.into(), event).await?;
        Ok(sealed)
    }
}

fn standing(workflow: WorkflowId) -> sea_orm::Select<secret::Entity> {
    secret::Entity::find()
        .filter(secret::Column::WorkflowId.eq(workflow.0))
        .filter(secret::Column::Purpose.eq(PURPOSE))
        .filter(secret::Column::State.eq("sealed"))
}
