//! Is it still asked as the trail tells: whom, in which stages, and how many of them must agree?
//!
//! Must hold: the routing of a plan stands in a row beside the trail, so whoever decides by it, or begins on an approval by
//! it, compares it in the same transaction with what was told when the plan was made. A plan of before that was told has
//! nothing to be compared with, which is not the same as a difference.

use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _};

use super::deed::{Fault, Tx};
use super::rows::event;
use crate::domain::audit::{EventKind, EventRead, NewEvent};
use crate::domain::canon::{CanonicalBytes, Digest, Tag};
use crate::domain::ids::{ChainId, WorkflowId};
use crate::domain::routing::{AskedOtherwise, Routing};

/// The name of the fact that stands for a routing.
pub const ROUTING: &str = "routing_sha256";

/// Tells in the event of a plan whom it asks: what stands for all of it, and in clear the people, stages and numbers.
pub(super) fn told<No>(event: NewEvent, routing: &Routing) -> Result<NewEvent, Fault<No>> {
    let digest = CanonicalBytes::of(Tag::Routing, routing)?.digest();
    // A value of our own types always has a JSON form.
    let stages = serde_json::to_string(&routing.stages).unwrap_or_default();
    Ok(event.text(ROUTING, digest.to_string()).personal("asked", stages))
}

/// Tells the same once more of a plan that takes the place of an approved one without asking anew: what the trail told
/// then, and not what the row says now.
pub(super) async fn told_again<No>(
    tx: &Tx,
    event: NewEvent,
    (workflow, before): (WorkflowId, u32),
) -> Result<NewEvent, Fault<No>> {
    Ok(match of_plan(tx, workflow, before).await? {
        Some(told) => event.text(ROUTING, told),
        None => event,
    })
}

/// Refuses a plan, by its number, whose routing is another one than the trail tells of, by what stands for it.
pub(super) async fn prove<No>(
    tx: &Tx,
    workflow: WorkflowId,
    plan: (u32, Digest),
    refuse: impl FnOnce(AskedOtherwise) -> No,
) -> Result<(), Fault<No>> {
    as_told(tx, workflow, plan).await?.map_err(|otherwise| Fault::Refused(refuse(otherwise)))
}

/// Is the routing of a plan the one that the trail tells of?
pub(super) async fn as_told<No>(
    tx: &Tx,
    workflow: WorkflowId,
    (number, routing): (u32, Digest),
) -> Result<Result<(), AskedOtherwise>, Fault<No>> {
    let told = of_plan(tx, workflow, number).await?;
    let same = told.is_none_or(|told| told == routing.to_string());
    Ok(if same { Ok(()) } else { Err(AskedOtherwise) })
}

/// What the trail tells of the routing of a plan; nothing for plans of earlier versions.
async fn of_plan<No>(tx: &Tx, workflow: WorkflowId, number: u32) -> Result<Option<String>, Fault<No>> {
    let kinds = [EventKind::WorkflowPlanned.as_str(), EventKind::PlanWidened.as_str()];
    let rows = event::Entity::find()
        .filter(event::Column::Chain.eq(ChainId::from(workflow).0))
        .filter(event::Column::Kind.is_in(kinds))
        .order_by_desc(event::Column::Position)
        .all(&tx.inner)
        .await?;
    for row in rows {
        let read: EventRead = CanonicalBytes::stored(row.bytes).open(Tag::Event)?;
        if read.facts.get("plan").and_then(serde_json::Value::as_i64) == Some(i64::from(number)) {
            let told = read.facts.get(ROUTING).and_then(serde_json::Value::as_str);
            return Ok(told.map(str::to_owned));
        }
    }
    Ok(None)
}
