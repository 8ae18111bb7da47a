//! An operator takes the initial password out by hand: once, with a reason.
//!
//! Must hold: what its recipient has seen is not shown to anybody else; the link of a hand-over that is overtaken opens
//! nothing any more; the sealed value is erased in the same transaction.

use async_trait::async_trait;

use super::deed::{Deed, Fault, Tx};
use super::secrets::{self, Sealed};
use super::{audit, hand_overs, workflows};
use crate::clock::Stamp;
use crate::domain::audit::{Actor, EventKind, NewEvent};
use crate::domain::ids::WorkflowId;
use crate::domain::workflow::State;

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
        let sealed =
            secrets::sealed(tx, self.workflow).await?.ok_or(Fault::Refused(NothingToShow::Nothing))?;
        if !hand_overs::overtaken(tx, self.workflow).await? {
            return Err(Fault::Refused(NothingToShow::Nothing));
        }
        secrets::shown(tx, sealed.id).await?;
        let event = NewEvent::new(EventKind::CredentialRevealed, Actor::Operator(self.by.clone()))
            .text("secret", sealed.id.to_string())
            .personal("reason", self.reason.clone());
        audit::append(tx, self.workflow.into(), event).await?;
        Ok(sealed)
    }
}
