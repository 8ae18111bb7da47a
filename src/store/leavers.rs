//! Leavers that stand in the way of other runs of the same person.
//!
//! Must hold: what a leaver has taken, or is about to take, is given back by no request that came before it, neither by
//! one that begins nor by one that stopped half-way and is sent on. A leaver whose day has not come holds nothing up:
//! when it begins it reads the vault anew, and takes whatever has come meanwhile. One that was given up before it began has
//! taken nothing, but it has said that the person leaves: what came before it does not begin any more.

use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _};

use super::deed::{Fault, Tx};
use super::rows::{attempt, workflow};
use super::workflows::Workflow;
use crate::domain::canon::Tag;
use crate::domain::ids::WorkflowId;
use crate::domain::kind::Kind;
use crate::domain::request::{Request, What};
use crate::domain::time::Timestamp;
use crate::domain::workflow::State;

/// A leaver that stands in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InTheWay {
    /// Which workflow.
    pub leaver: WorkflowId,
    /// Why it does.
    pub how: How,
}

/// Why a leaver stands in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// It was received, or has begun, after what it stands in the way of.
    CameLater,
    /// It is due and has not come to its end.
    IsOpen,
}

impl std::fmt::Display for InTheWay {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let how = match self.how {
            How::CameLater => "came later",
            How::IsOpen => "is due and not at its end yet",
        };
        write!(out, "a leaver for this person, workflow {}, {how}; give this one up", self.leaver)
    }
}

/// Where a leaver never was, or is no more: nothing of it stands in anybody's way.
const VOID: [&str; 4] = ["rejected", "expired", "cancelled", "superseded"];

/// The leaver of the same person that forbids this run to begin or to go on, if there is one, whichever target each is
/// about: who leaves, leaves everything. The caller has locked the person, so that no leaver begins meanwhile.
pub(super) async fn in_the_way<No>(tx: &Tx, workflow: &Workflow) -> Result<Option<InTheWay>, Fault<No>> {
    use workflow::{Column, Entity};
    if workflow.kind == Kind::Leaver {
        return Ok(None);
    }
    let begun = first_attempt(tx, workflow.id).await?;
    let leavers = Entity::find()
        .filter(Column::Namespace.eq(workflow.namespace.as_str()))
        .filter(Column::PersonRef.eq(workflow.person_ref.as_str()))
        .filter(Column::Kind.eq(Kind::Leaver.as_str()))
        .filter(Column::State.is_not_in(VOID))
        .order_by_desc(Column::CreatedAt)
        .all(&tx.inner)
        .await?;
    for row in leavers {
        let leaver = Workflow::from_row(row)?;
        // One that found nothing to end has done what it came for without any attempt.
        let ended = matches!(leaver.state, State::Succeeded);
        let has_begun = ended || first_attempt(tx, leaver.id).await?.is_some();
        let over = leaver.state.is_final();
        // One that was made beside this very request is the disabling that the request waits for.
        let own = leaver.source == workflow.source && leaver.source_ref.is_made_beside(&workflow.source_ref);
        let received_later = !own && leaver.created_at >= workflow.created_at;
        let given_up_before = over && !received_later;
        if !has_begun && (given_up_before || !is_due(&leaver, tx.at)?) {
            continue;
        }
        let took_later = has_begun && begun.is_some_and(|begun| leaver.updated_at >= begun);
        let how = if received_later || took_later {
            How::CameLater
        } else if !over && !begins_anew(workflow.kind) {
            How::IsOpen
        } else {
            continue;
        };
        return Ok(Some(InTheWay { leaver: leaver.id, how }));
    }
    Ok(None)
}

/// Somebody who is hired after having left begins anew.
const fn begins_anew(kind: Kind) -> bool {
    match kind {
        Kind::Joiner | Kind::Rehire => true,
        Kind::Mover | Kind::Leaver | Kind::ResetPassword | Kind::Unsuspend => false,
    }
}

/// Has the day of this leaver come?
fn is_due<No>(leaver: &Workflow, now: Timestamp) -> Result<bool, Fault<No>> {
    let request: Request = leaver.request.open(Tag::Request)?;
    Ok(match request.what() {
        Some(What::Leaver(leaver)) => leaver.effective.waits_until().is_none_or(|day| day <= now),
        Some(_) | None => true,
    })
}

/// When the first attempt at a step of this workflow began.
async fn first_attempt<No>(tx: &Tx, workflow: WorkflowId) -> Result<Option<Timestamp>, Fault<No>> {
    let first = attempt::Entity::find()
        .filter(attempt::Column::WorkflowId.eq(workflow.0))
        .order_by_asc(attempt::Column::BegunAt)
        .one(&tx.inner)
        .await?;
    Ok(first.map(|row| Timestamp::from_utc(row.begun_at)))
}
