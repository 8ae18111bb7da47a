//! Names that stay watched: a create of which nobody knows what came may take effect later than the look for it.
//!
//! Must hold: the row comes in the deed that records the lost create, and goes when the account is found by its own run,
//! when one that came up late is settled (`late.rs`), or when a look after its time has shown none. A look is made under
//! the lease on the user, and one that shows nothing has no event.

use async_trait::async_trait;
use chrono::TimeDelta;
use sea_orm::sea_query::{LockBehavior, LockType, OnConflict, Query};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _, Set};
use uuid::Uuid;

use super::deed::{Deed, Fault, Tx};
use super::fault::ReadFault;
use super::lease::{self, Held, Lease, NotYours};
use super::restores::{self, HeadMissing, Leave};
use super::rows::{watched_name, workflow};
use super::seals::Head;
use super::workflows::Workflow;
use super::{Store, outbox, unfit};
use crate::clock::Stamp;
use crate::domain::ids::{VaultUserId, WorkflowId};
use crate::domain::late_create::{Course, GIVE_UP_AFTER, next_look};
use crate::domain::names::{Namespace, PersonRef, TargetName, UserName};
use crate::domain::plan::Plan;
use crate::domain::time::Timestamp;

/// A row that cannot be looked after now is taken up again after so long.
const LATER: TimeDelta = TimeDelta::seconds(30);

/// A watched name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watch {
    /// The workflow whose create was lost.
    pub workflow: WorkflowId,
    /// The create may take effect until then.
    pub until: Timestamp,
    /// The next look.
    pub due_at: Timestamp,
    /// How often a late account was tried to be disabled.
    pub tries: u32,
}

impl Watch {
    fn of(row: &watched_name::Model) -> Self {
        Self {
            workflow: WorkflowId(row.workflow_id),
            until: Timestamp::from_utc(row.until_at),
            due_at: Timestamp::from_utc(row.due_at),
            tries: u32::try_from(row.tries).unwrap_or(u32::MAX),
        }
    }
}

/// Watches the user name of a plan from now on; until when.
pub(super) async fn note<No>(tx: &Tx, plan: &Plan, delay: TimeDelta) -> Result<Timestamp, Fault<No>> {
    let until = tx.at.plus(delay);
    let row = watched_name::ActiveModel {
        workflow_id: Set(plan.workflow.0),
        target: Set(plan.target.as_str().to_owned()),
        user_key: Set(plan.user_name.key()),
        until_at: Set(until.as_utc()),
        due_at: Set(next_look(tx.at, until).unwrap_or(until).as_utc()),
        tries: Set(0),
    };
    let anew = [watched_name::Column::UntilAt, watched_name::Column::DueAt];
    let again = OnConflict::column(watched_name::Column::WorkflowId).update_columns(anew).to_owned();
    watched_name::Entity::insert(row).on_conflict(again).exec_without_returning(&tx.inner).await?;
    Ok(until)
}

/// Nothing is watched for this workflow any more.
pub(super) async fn over<No>(tx: &Tx, workflow: WorkflowId) -> Result<(), Fault<No>> {
    watched_name::Entity::delete_by_id(workflow.0).exec(&tx.inner).await?;
    Ok(())
}

/// The next look is not before this moment.
pub(super) async fn postpone<No>(tx: &Tx, workflow: WorkflowId, due: Timestamp) -> Result<(), Fault<No>> {
    let row = watched_name::ActiveModel {
        workflow_id: Set(workflow.0),
        due_at: Set(due.as_utc()),
        ..Default::default()
    };
    watched_name::Entity::update(row).exec(&tx.inner).await?;
    Ok(())
}

/// The watch of a workflow, if its name is still watched.
pub(super) async fn find<No>(tx: &Tx, workflow: WorkflowId) -> Result<Option<Watch>, Fault<No>> {
    let row = watched_name::Entity::find_by_id(workflow.0).one(&tx.inner).await?;
    Ok(row.as_ref().map(Watch::of))
}

/// When a name is looked at next.
pub async fn next_at(store: &Store) -> Result<Option<Timestamp>, ReadFault> {
    let next = watched_name::Entity::find().order_by_asc(watched_name::Column::DueAt);
    Ok(next.one(store.reads()).await?.map(|row| Timestamp::from_utc(row.due_at)))
}

/// The watched name of a person's lost create, if there is one.
pub async fn of_person(
    store: &Store,
    namespace: &Namespace,
    person_ref: &PersonRef,
) -> Result<Option<Watch>, ReadFault> {
    let theirs = Query::select()
        .column(workflow::Column::Id)
        .from(workflow::Entity)
        .and_where(workflow::Column::Namespace.eq(namespace.as_str()))
        .and_where(workflow::Column::PersonRef.eq(person_ref.as_str()))
        .to_owned();
    let row = watched_name::Entity::find()
        .filter(watched_name::Column::WorkflowId.in_subquery(theirs))
        .order_by_desc(watched_name::Column::UntilAt)
        .one(store.reads())
        .await?;
    Ok(row.as_ref().map(Watch::of))
}

/// Takes the next watched name that is to be looked at, with the lease on it.
pub struct ClaimWatch {
    /// Time and ids.
    pub stamp: Stamp,
    /// The worker.
    pub holder: Uuid,
    /// The lease ends then.
    pub until: Timestamp,
    /// The last head of the log that this process knows of; a log without it is another one.
    pub kept: Option<Head>,
}

#[async_trait]
impl Deed for ClaimWatch {
    type Done = Option<(Watch, Workflow, Lease)>;
    type No = HeadMissing;

    fn name(&self) -> &'static str {
        "claim_watch"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    fn concerns_others(&self) -> bool {
        false
    }

    fn rings(&self, done: &Self::Done) -> bool {
        done.is_some()
    }

    async fn perform(&self, tx: &mut Tx) -> Result<Self::Done, Fault<Self::No>> {
        match restores::leave(tx, self.kept.as_ref()).await? {
            Leave::Granted => {}
            Leave::Held => return Ok(None),
        }
        let mut passed_over = Vec::new();
        loop {
            let due = watched_name::Entity::find()
                .filter(watched_name::Column::DueAt.lte(tx.at.as_utc()))
                .filter(watched_name::Column::WorkflowId.is_not_in(passed_over.iter().copied()))
                .order_by_asc(watched_name::Column::DueAt)
                .limit(1)
                .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
                .one(&tx.inner)
                .await?;
            let Some(row) = due else { return Ok(None) };
            passed_over.push(row.workflow_id);
            if let Some(claimed) = self.claim(tx, &row).await? {
                return Ok(Some(claimed));
            }
        }
    }
}

impl ClaimWatch {
    async fn claim(
        &self,
        tx: &mut Tx,
        row: &watched_name::Model,
    ) -> Result<Option<(Watch, Workflow, Lease)>, Fault<HeadMissing>> {
        let watch = Watch::of(row);
        // Not locked: what is done about it asks again under the lease.
        let found = workflow::Entity::find_by_id(row.workflow_id).one(&tx.inner).await?;
        let Some(found) = found else { return Err(Fault::Broken(format!("{} is gone", watch.workflow))) };
        let workflow = match Workflow::fit(found) {
            Ok(workflow) => workflow,
            Err(unfit) => {
                unfit::set_aside(tx, &unfit).await?;
                postpone(tx, watch.workflow, tx.at.plus(TimeDelta::hours(1))).await?;
                return Ok(None);
            }
        };
        match Course::of(&workflow.state) {
            Course::LeaveToItsRun => {
                postpone(tx, watch.workflow, tx.at.plus(LATER)).await?;
                return Ok(None);
            }
            Course::Over => {
                over(tx, watch.workflow).await?;
                return Ok(None);
            }
            Course::Look => {}
        }
        let (target, user) = named(row)?;
        match lease::take(tx, &lease::name(&target, &user), (watch.workflow, self.holder), self.until).await?
        {
            Ok(lease) => {
                postpone(tx, watch.workflow, self.until).await?;
                Ok(Some((watch, workflow, lease)))
            }
            Err(taken) => {
                postpone(tx, watch.workflow, taken.until).await?;
                Ok(None)
            }
        }
    }
}

fn named(row: &watched_name::Model) -> Result<(TargetName, UserName), ReadFault> {
    let wrong = |_| ReadFault::Inconsistent {
        table: "watched_names",
        row: row.workflow_id.to_string(),
        wrong: "a name breaks its own rule",
    };
    Ok((TargetName::parse(&row.target).map_err(wrong)?, UserName::parse(&row.user_key).map_err(wrong)?))
}

/// What a look at a watched name has shown, where that is no account with our mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    /// Nobody has the name, or somebody who is certainly not of our making.
    NotOurs,
    /// Somebody has the name, and the vault keeps no mark by which to tell whose making it is.
    Doubtful(VaultUserId),
    /// The vault, or what we keep ourselves, could not be read.
    Unreadable(String),
}

/// Ends a look that has shown no account with our mark.
pub struct EndLook {
    /// Time and ids.
    pub stamp: Stamp,
    /// Proof to be checked.
    pub lease: Lease,
    /// Whose name was looked at.
    pub workflow: WorkflowId,
    /// What was seen.
    pub sight: Sight,
}

#[async_trait]
impl Deed for EndLook {
    type Done = ();
    type No = NotYours;

    fn name(&self) -> &'static str {
        "end_watched_look"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    fn concerns_others(&self) -> bool {
        false
    }

    async fn perform(&self, tx: &mut Tx) -> Result<(), Fault<NotYours>> {
        let (held, workflow) = Held::prove::<NotYours>(tx, &self.lease, self.workflow).await?;
        if let Some(watch) = find(tx, self.workflow).await? {
            match &self.sight {
                // One that waits for an operator says so itself.
                Sight::Doubtful(id) if workflow.state.is_final() => {
                    let words = format!(
                        "user number {id} holds the name of a workflow that is over; a create of it got no answer, and \
                         this vault keeps no mark, so only a person can say whether it made that account: look at it, \
                         and disable it if nobody else has made it"
                    );
                    outbox::raise_alarm(tx, self.workflow.into(), Some(self.workflow), &words).await?;
                    over(tx, self.workflow).await?;
                }
                Sight::NotOurs | Sight::Doubtful(_) => self.again_or_over(tx, &watch).await?,
                Sight::Unreadable(words) => self.unread(tx, &watch, words).await?,
            }
        }
        held.until(tx, tx.at).await
    }
}

impl EndLook {
    async fn again_or_over(&self, tx: &Tx, watch: &Watch) -> Result<(), Fault<NotYours>> {
        match next_look(tx.at, watch.until) {
            Some(due) => postpone(tx, self.workflow, due).await,
            None => over(tx, self.workflow).await,
        }
    }

    async fn unread(&self, tx: &mut Tx, watch: &Watch, words: &str) -> Result<(), Fault<NotYours>> {
        if tx.at.since(watch.until) < GIVE_UP_AFTER {
            return postpone(tx, self.workflow, tx.at.plus(LATER * 2)).await;
        }
        let words = format!(
            "a create of this workflow got no answer, and whether its account came up late could not be seen for a day: \
             {words}; look in the vault for its user name, and disable the account if its description begins with our \
             mark"
        );
        outbox::raise_alarm(tx, self.workflow.into(), Some(self.workflow), &words).await?;
        over(tx, self.workflow).await
    }
}
