//! An operator takes the initial password out by hand: once, with a reason.
//!
//! Must hold: it is shown to nobody who asked for the account, whose it is, or who approved it; what its recipient has seen is not shown to anybody else; the link of a hand-over that is overtaken opens
//! nothing any more; the sealed value is erased in the same transaction.

use async_trait::async_trait;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};

use super::deed::{Deed, Fault, Tx};
use super::fault::ReadFault;
use super::rows::decision;
use super::secrets::{self, Sealed};
use super::{audit, concerned, hand_overs, workflows};
use crate::clock::Stamp;
use crate::domain::approval::Verdict;
use crate::domain::audit::{Actor, EventKind, NewEvent};
use crate::domain::ids::WorkflowId;
use crate::domain::names::EmailAddress;
use crate::domain::operator::{NotTheirs, Operator, may_reveal};
use crate::domain::workflow::State;

/// Takes the sealed password out for showing it once.
pub struct RevealPassword {
    /// Time and ids.
    pub stamp: Stamp,
    /// Whose password.
    pub workflow: WorkflowId,
    /// Who will see it.
    pub by: Operator,
    /// Why, in the person's words.
    pub reason: String,
}

/// Why nothing is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotShown {
    /// None is sealed.
    #[error("there is no password to show: it was never made, was shown already, or was destroyed")]
    Nothing,
    /// While a run is under way every attempt at it uses the same sealed value.
    #[error("the password can be shown once the account is done and verified")]
    NotYet,
    /// Not to this person.
    #[error(transparent)]
    NotTheirs(#[from] NotTheirs),
}

#[async_trait]
impl Deed for RevealPassword {
    type Done = Sealed;
    type No = NotShown;

    fn name(&self) -> &'static str {
        "reveal_password"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    async fn perform(&self, tx: &mut Tx) -> Result<Self::Done, Fault<Self::No>> {
        let workflow = workflows::lock(tx, self.workflow).await?.ok_or(Fault::Refused(NotShown::Nothing))?;
        if workflow.state != State::Succeeded {
            return Err(Fault::Refused(NotShown::NotYet));
        }
        let concerned = concerned::of(tx, &workflow).await?;
        let approved = approved(tx, self.workflow).await?;
        may_reveal(&self.by, &concerned, &approved).map_err(|no| Fault::Refused(no.into()))?;
        let sealed = secrets::sealed(tx, self.workflow).await?.ok_or(Fault::Refused(NotShown::Nothing))?;
        if !hand_overs::overtaken(tx, self.workflow).await? {
            return Err(Fault::Refused(NotShown::Nothing));
        }
        secrets::shown(tx, sealed.id).await?;
        let event = NewEvent::new(EventKind::CredentialRevealed, Actor::Operator(self.by.name().to_owned()))
            .text("secret", sealed.id.to_string())
            .personal("reason", self.reason.clone());
        audit::append(tx, self.workflow.into(), self.by.noted(event)).await?;
        Ok(sealed)
    }
}

/// Everybody who has said yes to any plan of this workflow.
async fn approved<No>(tx: &Tx, workflow: WorkflowId) -> Result<Vec<EmailAddress>, Fault<No>> {
    let rows = decision::Entity::find()
        .filter(decision::Column::WorkflowId.eq(workflow.0))
        .filter(decision::Column::Verdict.eq(Verdict::Approve.word()))
        .all(&tx.inner)
        .await?;
    let read = |row: decision::Model| {
        EmailAddress::parse(&row.approver).map_err(|_| ReadFault::Inconsistent {
            table: "decisions",
            row: row.id.to_string(),
            wrong: "not a mail address",
        })
    };
    Ok(rows.into_iter().map(read).collect::<Result<_, _>>()?)
}
