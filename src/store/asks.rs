//! Asking: who was asked about which plan, and by which link each of them is recognised.
//!
//! Must hold: a link's token never comes here, only its hash.

use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, Set};

use super::deed::{Fault, Tx};
use super::fault::ReadFault;
use super::rows::ask as ask_rows;
use super::{Store, audit};
use crate::domain::canon::Digest;
use crate::domain::ids::{AskId, WorkflowId};
use crate::domain::names::EmailAddress;

/// Somebody to be asked.
#[derive(Debug, Clone)]
pub struct NewAsk {
    /// In which stage.
    pub stage: u32,
    /// Who.
    pub approver: EmailAddress,
    /// What the personal link will be found by.
    pub link_hash: Digest,
}

/// Somebody who was asked.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Its id.
    pub id: AskId,
    /// About which workflow.
    pub workflow: WorkflowId,
    /// About which plan.
    pub plan_number: u32,
    /// In which stage.
    pub stage: u32,
    /// Who.
    pub approver: EmailAddress,
    /// What the link is found by.
    pub link_hash: Digest,
}

/// Writes down whom a stage asks.
pub(super) async fn ask<No>(
    tx: &mut Tx,
    workflow: WorkflowId,
    plan_number: u32,
    asks: &[NewAsk],
) -> Result<(), Fault<No>> {
    for new in asks {
        let id = tx.id(AskId::made);
        let row = ask_rows::ActiveModel {
            id: Set(id.0),
            workflow_id: Set(workflow.0),
            plan_number: Set(i64::from(plan_number)),
            stage: Set(i64::from(new.stage)),
            approver: Set(new.approver.as_str().to_owned()),
            approver_key: Set(new.approver.key()),
            link_hash: Set(new.link_hash.0.to_vec()),
            asked_at: Set(tx.at.as_utc()),
        };
        ask_rows::Entity::insert(row).exec_without_returning(&tx.inner).await?;
    }
    Ok(())
}

/// Who was asked about a plan, in one stage or all.
pub(super) async fn asks_of<No>(
    tx: &Tx,
    workflow: WorkflowId,
    plan_number: u32,
    stage: Option<u32>,
) -> Result<Vec<ask_rows::Model>, Fault<No>> {
    let mut query = ask_rows::Entity::find()
        .filter(ask_rows::Column::WorkflowId.eq(workflow.0))
        .filter(ask_rows::Column::PlanNumber.eq(i64::from(plan_number)));
    if let Some(stage) = stage {
        query = query.filter(ask_rows::Column::Stage.eq(i64::from(stage)));
    }
    Ok(query.order_by_asc(ask_rows::Column::Id).all(&tx.inner).await?)
}

/// Everybody who was ever asked to approve a workflow, by address key.
pub(super) async fn approver_keys<No>(tx: &Tx, workflow: WorkflowId) -> Result<Vec<String>, Fault<No>> {
    let rows =
        ask_rows::Entity::find().filter(ask_rows::Column::WorkflowId.eq(workflow.0)).all(&tx.inner).await?;
    Ok(rows.into_iter().map(|row| row.approver_key).collect())
}

/// Everybody who was asked about a plan, or, where that one took the place of an approved plan without asking anew,
/// about the approved one.
pub(super) async fn asks_behind<No>(
    tx: &Tx,
    workflow: WorkflowId,
    plan_number: u32,
) -> Result<Vec<ask_rows::Model>, Fault<No>> {
    let mut rows = ask_rows::Entity::find()
        .filter(ask_rows::Column::WorkflowId.eq(workflow.0))
        .filter(ask_rows::Column::PlanNumber.lte(i64::from(plan_number)))
        .order_by_asc(ask_rows::Column::Id)
        .all(&tx.inner)
        .await?;
    let last = rows.iter().map(|row| row.plan_number).max();
    rows.retain(|row| Some(row.plan_number) == last);
    Ok(rows)
}

/// The asking that a link belongs to.
pub async fn ask_by_link(store: &Store, link_hash: Digest) -> Result<Option<Ask>, ReadFault> {
    let row = ask_rows::Entity::find()
        .filter(ask_rows::Column::LinkHash.eq(link_hash.0.to_vec()))
        .one(store.reads())
        .await?;
    row.map(Ask::from_row).transpose()
}

/// One asking by id.
pub async fn ask_by_id(store: &Store, id: AskId) -> Result<Option<Ask>, ReadFault> {
    ask_rows::Entity::find_by_id(id.0).one(store.reads()).await?.map(Ask::from_row).transpose()
}

/// Everybody who was asked about a plan.
pub async fn asks(store: &Store, workflow: WorkflowId, plan_number: u32) -> Result<Vec<Ask>, ReadFault> {
    let rows = ask_rows::Entity::find()
        .filter(ask_rows::Column::WorkflowId.eq(workflow.0))
        .filter(ask_rows::Column::PlanNumber.eq(i64::from(plan_number)))
        .order_by_asc(ask_rows::Column::Id)
        .all(store.reads())
        .await?;
    rows.into_iter().map(Ask::from_row).collect()
}

impl Ask {
    fn from_row(row: ask_rows::Model) -> Result<Self, ReadFault> {
        let wrong = |wrong| ReadFault::Inconsistent { table: "asks", row: row.id.to_string(), wrong };
        Ok(Self {
            id: AskId(row.id),
            workflow: WorkflowId(row.workflow_id),
            plan_number: u32::try_from(row.plan_number).map_err(|_| wrong("a count is negative"))?,
            stage: u32::try_from(row.stage).map_err(|_| wrong("a stage is negative"))?,
            approver: EmailAddress::parse(&row.approver).map_err(|_| wrong("not a mail address"))?,
            link_hash: audit::digest("asks", row.id, &row.link_hash)?,
        })
    }
}
