//! Accounts that nobody may touch: who asks for one is recorded, and the operators are alarmed, once for each request.

use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};

use super::deed::{Fault, Tx};
use super::rows::event;
use super::workflows::{self, Also, Workflow};
use super::{audit, outbox};
use crate::domain::audit::{Actor, EventKind, NewEvent};
use crate::domain::workflow::Transition;

/// Stops a workflow and alarms, unless this request has raised this alarm already. The alarm is then the only mail.
pub(super) async fn stop<No>(
    tx: &mut Tx,
    workflow: &Workflow,
    mut transition: Transition,
    because: &str,
) -> Result<(), Fault<No>> {
    let known = event::Entity::find()
        .filter(event::Column::Chain.eq(workflow.id.0))
        .filter(event::Column::Kind.eq(EventKind::AccountProtected.as_str()))
        .one(&tx.inner)
        .await?;
    if known.is_some() {
        return workflows::apply(tx, workflow, transition, Also::default()).await;
    }
    transition.owed.clear();
    workflows::apply(tx, workflow, transition, Also::default()).await?;
    let event = NewEvent::new(EventKind::AccountProtected, Actor::Countersign).personal("because", because);
    audit::append(tx, workflow.id.into(), event).await?;
    let words = format!("a request for an account that nobody may touch was refused: {because}");
    outbox::raise_alarm(tx, workflow.id.into(), Some(workflow.id), &words).await
}
