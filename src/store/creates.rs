//! The attempts at making a workflow's account, over all its plans: what is still unresolved, who may be adopted, and
//! which password the account has.
//!
//! Must hold: a password is on offer only if it was sent in the very attempt that made the account. A vault may make it
//! although it said no, so a password that was refused is kept until a look has found the name free.

use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _};

use super::deed::{Fault, Tx};
use super::rows::{attempt, step};
use super::{outbox, secrets};
use crate::domain::adoption::{Tried, adoptable};
use crate::domain::canon::{CanonicalBytes, Tag};
use crate::domain::ids::{AttemptId, VaultUserId, WorkflowId};
use crate::domain::step::{Outcome, Purpose, Report};
use crate::domain::time::Timestamp;

/// One attempt as it was recorded.
struct Recorded {
    purpose: String,
    report: Option<Report>,
    begun_at: Timestamp,
    ended_at: Option<Timestamp>,
}

/// The last call to make an account of which nobody knows what came.
#[derive(Debug, Clone, Copy)]
pub(super) enum Lost {
    /// No answer, or no clear one, had come by then.
    Unanswered(Timestamp),
    /// It was begun then, and whoever had begun it recorded nothing more.
    Interrupted(Timestamp),
}

impl Recorded {
    fn tried(&self) -> Tried<'_> {
        Tried { purpose: &self.purpose, report: self.report.as_ref() }
    }
}

/// The account that an operator may declare to be this workflow's own.
pub(super) async fn may_be_adopted<No>(
    tx: &Tx,
    workflow: WorkflowId,
) -> Result<Option<VaultUserId>, Fault<No>> {
    let recorded = of_workflow(tx, workflow, &["find_user", "create_user"]).await?;
    if let Some(last) = recorded.last().and_then(|last| last.report.as_ref())
        && last.lost.is_some()
    {
        return Ok(last.lost);
    }
    let recorded = of_workflow(tx, workflow, &["create_user"]).await?;
    Ok(adoptable(&recorded.iter().map(Recorded::tried).collect::<Vec<_>>()))
}

/// Settles what becomes of the sealed password when an attempt at making the account has ended.
pub(super) async fn ended<No>(
    tx: &mut Tx,
    workflow: WorkflowId,
    purpose: Purpose,
    report: &Report,
) -> Result<(), Fault<No>> {
    match report.outcome {
        Outcome::Done | Outcome::AlreadySo => only_what_was_sent(tx, workflow, report.made_by).await,
        // The name is free, so a password that was refused is nobody's. An attempt that was lost may still be carried
        // out as late as it likes, with the password it was given.
        Outcome::NotThere if purpose == Purpose::Look && last_lost(tx, workflow).await?.is_none() => {
            secrets::destroy(tx, workflow).await
        }
        Outcome::NotThere
        | Outcome::Retry { .. }
        | Outcome::OtherForm { .. }
        | Outcome::Misdirected { .. }
        | Outcome::TakenOut
        | Outcome::Unknown
        | Outcome::Refused
        | Outcome::NeedsPerson => Ok(()),
    }
}

/// The account is there. Keeps the sealed password only if it is the account's: the one that the attempt has sent which
/// made it or, where nothing tells which attempt that was, the only one that this workflow ever had. An account that an
/// attempt has made which a restored database does not know has none of these.
async fn only_what_was_sent<No>(
    tx: &mut Tx,
    workflow: WorkflowId,
    made_by: Option<AttemptId>,
) -> Result<(), Fault<No>> {
    let Some(standing) = secrets::sealed(tx, workflow).await? else { return Ok(()) };
    let sent = match made_by {
        Some(attempt) => {
            let made = attempt::Entity::find_by_id(attempt.0).one(&tx.inner).await?;
            made.and_then(|row| row.secret_id)
        }
        None => None,
    };
    let is_its = match sent {
        Some(secret) => secret == standing.id.0,
        None => !was_lost(tx, workflow).await? && secrets::ever_made(tx, workflow).await? == 1,
    };
    if is_its {
        return Ok(());
    }
    secrets::erase(tx, standing.id, workflow, "the account was made with another one").await?;
    let because = "the account was made by an earlier attempt, with a password that is not kept any more, so none is \
                   handed over; it needs a new one in the vault";
    outbox::raise_alarm(tx, workflow.into(), Some(workflow), because).await
}

/// Was an account found that carries a mark of this request, of which no attempt is recorded?
async fn was_lost<No>(tx: &Tx, workflow: WorkflowId) -> Result<bool, Fault<No>> {
    let recorded = of_workflow(tx, workflow, &["find_user", "create_user"]).await?;
    Ok(recorded.iter().filter_map(|one| one.report.as_ref()).any(|report| report.lost.is_some()))
}

/// The last attempt that may have made an account of which nobody has heard, now or later, with the password that is
/// sealed.
pub(super) async fn last_lost<No>(tx: &Tx, workflow: WorkflowId) -> Result<Option<Lost>, Fault<No>> {
    let recorded = of_workflow(tx, workflow, &["create_user"]).await?;
    let lost = recorded.iter().rfind(|recorded| recorded.tried().is_unresolved());
    Ok(lost.map(|lost| match lost.ended_at {
        Some(at) => Lost::Unanswered(at),
        None => Lost::Interrupted(lost.begun_at),
    }))
}

async fn of_workflow<No>(tx: &Tx, workflow: WorkflowId, kinds: &[&str]) -> Result<Vec<Recorded>, Fault<No>> {
    let steps = step::Entity::find()
        .filter(step::Column::WorkflowId.eq(workflow.0))
        .filter(step::Column::Kind.is_in(kinds.iter().copied()))
        .all(&tx.inner)
        .await?;
    let attempts = attempt::Entity::find()
        .filter(attempt::Column::WorkflowId.eq(workflow.0))
        .order_by_asc(attempt::Column::PlanNumber)
        .order_by_asc(attempt::Column::StepNumber)
        .order_by_asc(attempt::Column::Number)
        .all(&tx.inner)
        .await?;
    let at_making_it = |row: &attempt::Model| {
        steps.iter().any(|step| step.plan_number == row.plan_number && step.number == row.step_number)
    };
    attempts
        .into_iter()
        .filter(at_making_it)
        .map(|row| {
            let opened = row.report.map(|bytes| CanonicalBytes::stored(bytes).open(Tag::Report));
            Ok(Recorded {
                purpose: row.purpose,
                report: opened.transpose()?,
                begun_at: Timestamp::from_utc(row.begun_at),
                ended_at: row.ended_at.map(Timestamp::from_utc),
            })
        })
        .collect()
}
