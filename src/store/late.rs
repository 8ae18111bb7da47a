//! An account with our mark that came up after the run that had asked for it was over: it is disabled.
//!
//! Must hold: each try has an event before the call and one after it; the state of the workflow is asked again with the
//! intent, so that a run that goes on after all keeps its account; the operators are alarmed when it is disabled, when
//! the first try fails, and when a person must end it. Whoever the lost create was for is its owner: the account is
//! linked to that person, so that a leaver finds it.

use async_trait::async_trait;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, Set};

use super::deed::{Deed, Fault, Tx};
use super::lease::{Held, Lease, NotYours};
use super::people::{self, Linked};
use super::plans::MovedOn;
use super::rows::{self, watched_name};
use super::watches::{self, Watch};
use super::{audit, due, outbox, workflows};
use crate::clock::Stamp;
use crate::domain::audit::{Actor, EventKind, NewEvent};
use crate::domain::canon::Canon;
use crate::domain::ids::{AttemptId, VaultUserId, WorkflowId};
use crate::domain::late_create::{AfterTry, Course};
use crate::domain::plan::Plan;
use crate::domain::step::{Form, Report};
use crate::domain::time::Timestamp;
use crate::domain::workflow::{State, WrongMove};

/// The intent to disable an account that came up late.
pub struct BeginLate {
    /// Time and ids.
    pub stamp: Stamp,
    /// Proof to be checked.
    pub lease: Lease,
    /// The lease is held until then.
    pub until: Timestamp,
    /// The plan under which it was asked for.
    pub plan: Plan,
    /// The try.
    pub attempt: AttemptId,
    /// The account.
    pub user_id: VaultUserId,
    /// How it is disabled, where an earlier try has settled that.
    pub form: Option<Form>,
}

#[async_trait]
impl Deed for BeginLate {
    type Done = u32;
    type No = NotYours;

    fn name(&self) -> &'static str {
        "begin_late_account"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    fn concerns_others(&self) -> bool {
        false
    }

    /// Answers which try it is.
    async fn perform(&self, tx: &mut Tx) -> Result<u32, Fault<NotYours>> {
        let (held, workflow) = Held::prove::<NotYours>(tx, &self.lease, self.plan.workflow).await?;
        match Course::of(&workflow.state) {
            Course::Look => {}
            Course::LeaveToItsRun | Course::Over => {
                let wrong = WrongMove { from: workflow.state, wanted: "the end of a late account" };
                return Err(Fault::Refused(wrong.into()));
            }
        }
        let watch = watches::find(tx, workflow.id).await?.ok_or(Fault::Refused(NotYours::NotOpen))?;
        let tries = watch.tries.saturating_add(1);
        let row = watched_name::ActiveModel {
            workflow_id: Set(workflow.id.0),
            due_at: Set(self.until.as_utc()),
            tries: Set(i64::from(tries)),
            ..Default::default()
        };
        watched_name::Entity::update(row).exec(&tx.inner).await?;
        let event = event(EventKind::LateAccountFound, self.attempt, self.user_id)
            .number("try", i64::from(tries))
            .number("fence", held.fence());
        let event = match self.form {
            Some(form) => event.text("form", form.word()),
            None => event,
        };
        audit::append(tx, workflow.id.into(), event).await?;
        let account = (&self.plan.user_name, self.user_id);
        match people::link(tx, &workflow, &self.plan.target, account).await? {
            Linked::Now => {
                let event = people::linked_event(&workflow, &self.plan, self.user_id);
                audit::append(tx, workflow.id.into(), event).await?;
            }
            // Somebody else's by now, or the person has another one: it is disabled all the same.
            Linked::Before | Linked::Otherwise => {}
        }
        held.until(tx, self.until).await?;
        Ok(tries)
    }
}

/// What came of disabling an account that came up late.
pub struct EndLate {
    /// Time and ids.
    pub stamp: Stamp,
    /// Proof to be checked.
    pub lease: Lease,
    /// Which workflow had asked for it.
    pub workflow: WorkflowId,
    /// The try.
    pub attempt: AttemptId,
    /// The account.
    pub user_id: VaultUserId,
    /// What it brought.
    pub report: Report,
    /// What follows.
    pub then: AfterTry,
    /// If it is tried again later: when.
    pub again_at: Timestamp,
}

#[async_trait]
impl Deed for EndLate {
    type Done = ();
    type No = NotYours;

    fn name(&self) -> &'static str {
        "end_late_account"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    async fn perform(&self, tx: &mut Tx) -> Result<(), Fault<NotYours>> {
        let (held, _) = Held::prove::<NotYours>(tx, &self.lease, self.workflow).await?;
        let watch = watches::find(tx, self.workflow).await?.ok_or(Fault::Refused(NotYours::NotOpen))?;
        let calls = self.report.calls.iter().map(|call| {
            let status = call.status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
            Canon::Text(format!("{} {} {status}", call.method, call.path))
        });
        let event = event(EventKind::LateAccountTried, self.attempt, self.user_id)
            .text("outcome", self.report.outcome.word())
            .fact("calls", Canon::List(calls.collect()))
            .personal("words", self.report.words.clone());
        audit::append(tx, self.workflow.into(), event).await?;
        let (id, words) = (self.user_id, &self.report.words);
        let came_up = format!(
            "a create that got no answer took effect late: user number {id}, which carries our mark, came up when its \
             run had stopped"
        );
        match self.then {
            AfterTry::OtherForm => return Ok(()),
            AfterTry::Disabled => {
                self.alarm(
                    tx,
                    &format!("{came_up}; {words}; nobody has its password, and it was given no group"),
                )
                .await?;
                watches::over(tx, self.workflow).await?;
            }
            AfterTry::Later => {
                if watch.tries <= 1 {
                    self.alarm(tx, &format!("{came_up}; it is not disabled yet and is tried again: {words}"))
                        .await?;
                }
                watches::postpone(tx, self.workflow, self.again_at).await?;
            }
            AfterTry::ByPerson => {
                let by_hand =
                    format!("{came_up}; it could not be disabled: {words}; disable it in the vault by hand");
                self.alarm(tx, &by_hand).await?;
                watches::over(tx, self.workflow).await?;
            }
        }
        held.until(tx, tx.at).await
    }
}

impl EndLate {
    async fn alarm(&self, tx: &mut Tx, words: &str) -> Result<(), Fault<NotYours>> {
        outbox::raise_alarm(tx, self.workflow.into(), Some(self.workflow), words).await
    }
}

fn event(kind: EventKind, attempt: AttemptId, user: VaultUserId) -> NewEvent {
    NewEvent::new(kind, Actor::Countersign)
        .text("watch_attempt", attempt.to_string())
        .number("user_id", user.0)
}

/// Lets a leaver who has no account yet wait for the one that a lost create may still bring about.
pub struct AwaitLate {
    /// Time and ids.
    pub stamp: Stamp,
    /// The leaver.
    pub leaver: WorkflowId,
    /// The plan it had then.
    pub plan_number: u32,
    /// Whose create was lost.
    pub watch: Watch,
}

#[async_trait]
impl Deed for AwaitLate {
    type Done = ();
    type No = MovedOn;

    fn name(&self) -> &'static str {
        "await_late_account"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    async fn perform(&self, tx: &mut Tx) -> Result<(), Fault<Self::No>> {
        let moved_on = || Fault::Refused(MovedOn);
        let leaver = workflows::lock(tx, self.leaver).await?.ok_or_else(moved_on)?;
        if !matches!(leaver.state, State::Planning) || leaver.plan_number != self.plan_number {
            return Err(moved_on());
        }
        let told = rows::event::Entity::find()
            .filter(rows::event::Column::Chain.eq(self.leaver.0))
            .filter(rows::event::Column::Kind.eq(EventKind::LateAccountAwaited.as_str()))
            .one(&tx.inner)
            .await?;
        if told.is_some() {
            let due = self.watch.due_at.max(tx.at).plus_seconds(2);
            return due::postpone(tx, self.leaver, due).await;
        }
        // Somebody who leaves is a reason to look at once.
        if watches::find(tx, self.watch.workflow).await?.is_some() {
            watches::postpone(tx, self.watch.workflow, tx.at).await?;
        }
        due::postpone(tx, self.leaver, tx.at.plus_seconds(2)).await?;
        let event = NewEvent::new(EventKind::LateAccountAwaited, Actor::Countersign)
            .text("run", self.watch.workflow.to_string())
            .text("until", self.watch.until.to_string());
        audit::append(tx, self.leaver.into(), event).await?;
        Ok(())
    }
}
