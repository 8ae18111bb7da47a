//! Whom a workflow concerns: who asked for it, and whose access it is about, by every name that is kept here.
//!
//! Must hold: the request, the vault as the current plan saw it, and the accounts linked to the person all count. What
//! cannot be opened names nobody: a workflow whose record is broken must still come to rest by somebody's hand.

use sea_orm::{ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _};

use super::Store;
use super::deed::{Fault, Tx};
use super::fault::ReadFault;
use super::people;
use super::rows::{person_link, plan};
use super::workflows::Workflow;
use crate::domain::canon::{CanonicalBytes, Tag};
use crate::domain::names::{EmailAddress, UserName};
use crate::domain::operator::{Concerned, Operator, TheirOwn, may_act};
use crate::domain::request::Request;
use crate::domain::snapshot::Snapshot;

/// Whom it concerns, for showing.
pub async fn concerned(store: &Store, workflow: &Workflow) -> Result<Concerned, ReadFault> {
    read(store.reads(), workflow).await
}

/// Whom it will concern once there is a plan for this account, made of what was seen.
pub async fn concerned_by(
    store: &Store,
    workflow: &Workflow,
    (account, seen): (&UserName, &Snapshot),
) -> Result<Concerned, ReadFault> {
    let mut concerned = by_names(store.reads(), workflow, Some(seen)).await?;
    concerned.accounts.push(account.clone());
    Ok(concerned)
}

/// Whom it concerns, in the transaction that decides.
pub(super) async fn of<No>(tx: &Tx, workflow: &Workflow) -> Result<Concerned, Fault<No>> {
    Ok(read(&tx.inner, workflow).await?)
}

/// Refuses an operator whose own request this is, or whose own access. To be asked in the transaction that acts.
pub(super) async fn forbid_ones_own<No>(
    tx: &Tx,
    workflow: &Workflow,
    by: &Operator,
    refuse: impl FnOnce(TheirOwn) -> No,
) -> Result<(), Fault<No>> {
    let concerned = of(tx, workflow).await?;
    may_act(by, &concerned).map_err(|refused| Fault::Refused(refuse(refused)))
}

async fn read(connection: &impl ConnectionTrait, workflow: &Workflow) -> Result<Concerned, ReadFault> {
    let number = i64::from(workflow.plan_number);
    let plan = plan::Entity::find_by_id((workflow.id.0, number)).one(connection).await?;
    let seen = plan.and_then(|row| CanonicalBytes::stored(row.snapshot).open::<Snapshot>(Tag::Snapshot).ok());
    by_names(connection, workflow, seen.as_ref()).await
}

async fn by_names(
    connection: &impl ConnectionTrait,
    workflow: &Workflow,
    seen: Option<&Snapshot>,
) -> Result<Concerned, ReadFault> {
    let request: Option<Request> = workflow.request.open(Tag::Request).ok();
    let said = request.as_ref();
    let mut accounts: Vec<UserName> = workflow.user_name.clone().into_iter().collect();
    accounts.extend(said.and_then(|request| request.username()).cloned());
    accounts.extend(linked(connection, workflow).await?);
    let addresses: [Option<EmailAddress>; 2] =
        [said.and_then(|request| request.email()).cloned(), seen.and_then(Snapshot::address)];
    Ok(Concerned {
        requester: said.and_then(Request::requester),
        addresses: addresses.into_iter().flatten().collect(),
        accounts,
    })
}

/// The accounts that are known to be this person's, in whatever target.
async fn linked(connection: &impl ConnectionTrait, workflow: &Workflow) -> Result<Vec<UserName>, ReadFault> {
    let Some(person) = people::known(connection, &workflow.namespace, &workflow.person_ref).await? else {
        return Ok(Vec::new());
    };
    let links = person_link::Entity::find()
        .filter(person_link::Column::PersonId.eq(person.id))
        .all(connection)
        .await?;
    Ok(links.iter().filter_map(|link| UserName::parse(&link.user_name).ok()).collect())
}
