//! Retention: clearing what is known about people once a workflow has been at rest for long, without breaking proof.
//!
//! Must hold: events stay as they are, byte for byte, and so do their commitments; digests of bodies, requests and plans
//! stay, so that a repeat is recognised and the trail proves; nothing is cleared that somebody still waits for; each
//! clearing is one event. Kept on purpose: the references by which person and account are known, who decided and what.

use std::collections::BTreeSet;

use async_trait::async_trait;
use sea_orm::sea_query::{Condition, Expr, ExprTrait as _, Query, SelectStatement};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _, Select, Set,
};

use super::deed::{Deed, Fault, Tx};
use super::fault::ReadFault;
use super::held::PROPOSAL_HOLDS_SECONDS;
use super::rows::{
    attempt, cancel_proposal, correction, decision, delivery, event, found_by, hand_over, owed, personal,
    plan, proposal, secret, selection, step, unlink, watched_name, workflow,
};
use super::{Store, audit, corrections, workflows};
use crate::clock::Stamp;
use crate::domain::audit::{Actor, EventKind, NewEvent};
use crate::domain::ids::{ChainId, DeliveryId, WorkflowId};
use crate::domain::time::Timestamp;

/// What stands where words were.
const CLEARED: &str = "(cleared)";

/// States in which nothing happens any more.
const AT_REST: [&str; 6] = ["succeeded", "rejected", "expired", "cancelled", "superseded", "failed"];

/// Workflows that have been at rest since this moment or longer and are not cleared yet, the longest first.
pub async fn due(store: &Store, before: Timestamp, most: u64) -> Result<Vec<WorkflowId>, ReadFault> {
    let rows = to_clear().filter(workflow::Column::UpdatedAt.lte(before.as_utc())).limit(most);
    let rows: Vec<uuid::Uuid> =
        rows.select_only().column(workflow::Column::Id).into_tuple().all(store.reads()).await?;
    Ok(rows.into_iter().map(WorkflowId).collect())
}

/// Since when the workflow that is cleared next has been at rest.
pub async fn next(store: &Store) -> Result<Option<Timestamp>, ReadFault> {
    let row = to_clear().one(store.reads()).await?;
    Ok(row.map(|row| Timestamp::from_utc(row.updated_at)))
}

fn to_clear() -> Select<workflow::Entity> {
    workflow::Entity::find()
        .filter(workflow::Column::ClearedAt.is_null())
        .filter(workflow::Column::State.is_in(AT_REST))
        .filter(workflow::Column::Id.not_in_subquery(still_owed()))
        .filter(workflow::Column::Id.not_in_subquery(still_sealed()))
        .filter(workflow::Column::Id.not_in_subquery(still_watched()))
        .order_by_asc(workflow::Column::UpdatedAt)
}

/// Workflows of which somebody is to be told something yet.
fn still_owed() -> SelectStatement {
    Query::select()
        .column(owed::Column::WorkflowId)
        .from(owed::Entity)
        .and_where(owed::Column::State.eq("owed"))
        .and_where(owed::Column::WorkflowId.is_not_null())
        .to_owned()
}

/// Workflows whose password waits for somebody.
fn still_sealed() -> SelectStatement {
    Query::select()
        .column(secret::Column::WorkflowId)
        .from(secret::Entity)
        .and_where(secret::Column::State.eq("sealed"))
        .to_owned()
}

/// Workflows whose lost create may still bring an account about.
fn still_watched() -> SelectStatement {
    Query::select().column(watched_name::Column::WorkflowId).from(watched_name::Entity).to_owned()
}

/// A message whose bytes are cleared next: alone, or with the others of its workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bodies {
    /// Of a workflow.
    Of(WorkflowId),
    /// Of a delivery that became none.
    Alone(DeliveryId),
}

/// Messages that came at this moment or before and are not cleared yet; the oldest first.
pub async fn bodies_due(store: &Store, before: Timestamp, most: u64) -> Result<Vec<Bodies>, ReadFault> {
    let rows = with_bodies().filter(delivery::Column::ReceivedAt.lte(before.as_utc())).limit(most);
    let rows: Vec<(uuid::Uuid, Option<uuid::Uuid>)> = rows
        .select_only()
        .column(delivery::Column::Id)
        .column(delivery::Column::WorkflowId)
        .into_tuple()
        .all(store.reads())
        .await?;
    let bodies = rows.into_iter().map(|(id, workflow)| match workflow {
        Some(workflow) => Bodies::Of(WorkflowId(workflow)),
        None => Bodies::Alone(DeliveryId(id)),
    });
    let bodies: BTreeSet<Bodies> = bodies.collect();
    Ok(bodies.into_iter().collect())
}

/// When the message came whose bytes are cleared next.
pub async fn next_bodies(store: &Store) -> Result<Option<Timestamp>, ReadFault> {
    let row = with_bodies()
        .select_only()
        .column(delivery::Column::ReceivedAt)
        .into_tuple::<sea_orm::prelude::ChronoDateTimeUtc>()
        .one(store.reads())
        .await?;
    Ok(row.map(Timestamp::from_utc))
}

fn with_bodies() -> Select<delivery::Entity> {
    let at_rest = Query::select()
        .column(workflow::Column::Id)
        .from(workflow::Entity)
        .and_where(
            Expr::col((workflow::Entity, workflow::Column::Id))
                .equals((delivery::Entity, delivery::Column::WorkflowId)),
        )
        .and_where(workflow::Column::State.is_in(AT_REST))
        .to_owned();
    let over = Condition::any().add(delivery::Column::WorkflowId.is_null()).add(Expr::exists(at_rest));
    delivery::Entity::find()
        .filter(delivery::Column::ClearedAt.is_null())
        .filter(over)
        .order_by_asc(delivery::Column::ReceivedAt)
}

/// What was cleared meanwhile, or has moved on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is nothing to clear here any more")]
pub struct NothingToClear;

/// Clears what a workflow at rest knows about people.
pub struct ClearWorkflow {
    /// Time and ids.
    pub stamp: Stamp,
    /// Which one.
    pub workflow: WorkflowId,
    /// It has been at rest at least since then.
    pub before: Timestamp,
}

#[async_trait]
impl Deed for ClearWorkflow {
    /// How many personal values were cleared.
    type Done = u64;
    type No = NothingToClear;

    fn name(&self) -> &'static str {
        "clear_workflow"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    fn concerns_others(&self) -> bool {
        false
    }

    async fn perform(&self, tx: &mut Tx) -> Result<u64, Fault<NothingToClear>> {
        let workflow = workflows::locked(tx, self.workflow).await?;
        if workflow.cleared.is_some() || !workflow.state.is_final() || workflow.updated_at > self.before {
            return Err(Fault::Refused(NothingToClear));
        }
        let id = self.workflow.0;
        let values = clear_values(tx, self.workflow.into()).await?;
        let plans = clear_plans(tx, id).await?;
        let bodies = clear_bodies(tx, delivery::Column::WorkflowId.eq(id)).await?;
        corrections::clear(tx, correction::Column::WorkflowId.eq(id)).await?;
        clear_words_of_people(tx, id).await?;
        clear_words_of_unlinks(tx, self.before).await?;
        clear_words(tx, id, &kept_words(&workflow)).await?;
        let row = workflow::ActiveModel {
            id: Set(id),
            request: Set(Vec::new()),
            request_digest: Set(Some(workflow.request.digest().0.to_vec())),
            cleared_at: Set(Some(tx.at.as_utc())),
            ..Default::default()
        };
        workflow::Entity::update(row).exec(&tx.inner).await?;
        let event = NewEvent::new(EventKind::PersonalCleared, Actor::Countersign)
            .number("values", whole(values))
            .number("plans", whole(plans))
            .number("bodies", whole(bodies));
        audit::append(tx, self.workflow.into(), event).await?;
        Ok(values)
    }
}

/// Clears the raw bytes of messages.
pub struct ClearBodies {
    /// Time and ids.
    pub stamp: Stamp,
    /// Whose.
    pub bodies: Bodies,
    /// They came at this moment or before.
    pub before: Timestamp,
}

#[async_trait]
impl Deed for ClearBodies {
    type Done = u64;
    type No = NothingToClear;

    fn name(&self) -> &'static str {
        "clear_bodies"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    fn concerns_others(&self) -> bool {
        false
    }

    async fn perform(&self, tx: &mut Tx) -> Result<u64, Fault<NothingToClear>> {
        let (whose, chain): (_, ChainId) = match self.bodies {
            Bodies::Of(workflow) => {
                if !workflows::locked(tx, workflow).await?.state.is_final() {
                    return Err(Fault::Refused(NothingToClear));
                }
                (delivery::Column::WorkflowId.eq(workflow.0), workflow.into())
            }
            Bodies::Alone(delivery) => {
                corrections::clear(tx, correction::Column::DeliveryId.eq(delivery.0)).await?;
                clear_values(tx, delivery.into()).await?;
                (delivery::Column::Id.eq(delivery.0), delivery.into())
            }
        };
        let old = delivery::Column::ReceivedAt.lte(self.before.as_utc());
        let cleared = clear_bodies(tx, whose.and(old)).await?;
        if cleared == 0 {
            return Err(Fault::Refused(NothingToClear));
        }
        let event =
            NewEvent::new(EventKind::DeliveryCleared, Actor::Countersign).number("bodies", whole(cleared));
        audit::append(tx, chain, event).await?;
        Ok(cleared)
    }
}

async fn clear_values<No>(tx: &Tx, chain: ChainId) -> Result<u64, Fault<No>> {
    let events = Query::select()
        .column(event::Column::Id)
        .from(event::Entity)
        .and_where(event::Column::Chain.eq(chain.0))
        .to_owned();
    // With its salt, without which nobody can find out by trying what a commitment was made of.
    let cleared = personal::Entity::delete_many()
        .filter(personal::Column::EventId.in_subquery(events))
        .exec(&tx.inner)
        .await?;
    Ok(cleared.rows_affected)
}

/// Plans with what was read for them, what attempts reported, and what approvers wrote beside their answers.
async fn clear_plans<No>(tx: &Tx, workflow: uuid::Uuid) -> Result<u64, Fault<No>> {
    let nothing = || Expr::value(Vec::<u8>::new());
    let plans = plan::Entity::update_many()
        .col_expr(plan::Column::Bytes, nothing())
        .col_expr(plan::Column::Snapshot, nothing())
        .col_expr(plan::Column::Routing, nothing())
        .col_expr(plan::Column::VoidedBy, Expr::value(Option::<Vec<u8>>::None))
        .filter(plan::Column::WorkflowId.eq(workflow))
        .exec(&tx.inner)
        .await?;
    attempt::Entity::update_many()
        .col_expr(attempt::Column::Report, nothing())
        .filter(attempt::Column::WorkflowId.eq(workflow))
        .filter(attempt::Column::Report.is_not_null())
        .exec(&tx.inner)
        .await?;
    step::Entity::update_many()
        .col_expr(step::Column::Reason, Expr::value(CLEARED))
        .filter(step::Column::WorkflowId.eq(workflow))
        .filter(step::Column::Reason.is_not_null())
        .exec(&tx.inner)
        .await?;
    workflow::Entity::update_many()
        .col_expr(workflow::Column::Reason, Expr::value("its reason was cleared"))
        .filter(workflow::Column::Id.eq(workflow))
        .filter(workflow::Column::Reason.is_not_null())
        .exec(&tx.inner)
        .await?;
    // A reject needs a comment, by a rule of the table; and nothing is put where nothing was said.
    decision::Entity::update_many()
        .col_expr(decision::Column::Comment, Expr::value(CLEARED))
        .filter(decision::Column::WorkflowId.eq(workflow))
        .filter(decision::Column::Comment.ne(""))
        .exec(&tx.inner)
        .await?;
    Ok(plans.rows_affected)
}

/// To whom a password went, why a mail did not go, and why operators wanted something cancelled or released.
async fn clear_words_of_people<No>(tx: &Tx, workflow: uuid::Uuid) -> Result<(), Fault<No>> {
    hand_over::Entity::update_many()
        .col_expr(hand_over::Column::Recipient, Expr::value(Option::<String>::None))
        .col_expr(hand_over::Column::LinkHash, Expr::value(Option::<Vec<u8>>::None))
        .filter(hand_over::Column::WorkflowId.eq(workflow))
        .exec(&tx.inner)
        .await?;
    // Whoever else was written to decided about it, and that is kept.
    owed::Entity::update_many()
        .col_expr(owed::Column::Recipient, Expr::value(Option::<String>::None))
        .filter(owed::Column::WorkflowId.eq(workflow))
        .filter(owed::Column::Kind.eq("hand_over"))
        .exec(&tx.inner)
        .await?;
    owed::Entity::update_many()
        .col_expr(owed::Column::LastFault, Expr::value(CLEARED))
        .filter(owed::Column::WorkflowId.eq(workflow))
        .filter(owed::Column::LastFault.is_not_null())
        .exec(&tx.inner)
        .await?;
    cancel_proposal::Entity::update_many()
        .col_expr(cancel_proposal::Column::Reason, Expr::value(CLEARED))
        .filter(cancel_proposal::Column::WorkflowId.eq(workflow))
        .exec(&tx.inner)
        .await?;
    // Not what was proposed about others of the same batch, and not what still waits for a second person.
    let about = Query::select()
        .column(selection::Column::ProposalId)
        .from(selection::Entity)
        .and_where(selection::Column::WorkflowId.eq(workflow))
        .to_owned();
    let lapsed = tx.at.plus_seconds(-PROPOSAL_HOLDS_SECONDS).as_utc();
    proposal::Entity::update_many()
        .col_expr(proposal::Column::Reason, Expr::value(CLEARED))
        .filter(proposal::Column::Id.in_subquery(about))
        .filter(
            Condition::any()
                .add(proposal::Column::ConfirmedAt.is_not_null())
                .add(proposal::Column::ProposedAt.lte(lapsed)),
        )
        .exec(&tx.inner)
        .await?;
    Ok(())
}

/// Why somebody said that an account is not a person's; whoever's it is, by the age of the proposal alone.
async fn clear_words_of_unlinks<No>(tx: &Tx, before: Timestamp) -> Result<(), Fault<No>> {
    unlink::Entity::update_many()
        .col_expr(unlink::Column::Reason, Expr::value(CLEARED))
        .filter(unlink::Column::ProposedAt.lte(before.as_utc()))
        .filter(unlink::Column::Reason.ne(CLEARED))
        .exec(&tx.inner)
        .await?;
    Ok(())
}

async fn clear_bodies<No>(tx: &Tx, whose: Expr) -> Result<u64, Fault<No>> {
    let cleared = delivery::Entity::update_many()
        .col_expr(delivery::Column::Body, Expr::value(Vec::<u8>::new()))
        .col_expr(delivery::Column::ClearedAt, Expr::value(Some(tx.at.as_utc())))
        .filter(whose)
        .filter(delivery::Column::ClearedAt.is_null())
        .exec(&tx.inner)
        .await?;
    Ok(cleared.rows_affected)
}

/// By these it is still found.
fn kept_words(workflow: &workflows::Workflow) -> Vec<String> {
    let user_name = workflow.user_name.as_ref().map(|name| name.as_str().to_lowercase());
    let references =
        [workflow.source_ref.of_whole().to_lowercase(), workflow.person_ref.as_str().to_lowercase()];
    references.into_iter().chain(user_name).collect()
}

async fn clear_words<No>(tx: &Tx, workflow: uuid::Uuid, kept: &[String]) -> Result<(), Fault<No>> {
    found_by::Entity::delete_many()
        .filter(found_by::Column::WorkflowId.eq(workflow))
        .filter(found_by::Column::Word.is_not_in(kept.iter().map(String::as_str)))
        .exec(&tx.inner)
        .await?;
    Ok(())
}

fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
