//! Owed messages: committed with the change they tell of, sent afterwards by the courier.
//!
//! Must hold: a row names the workflow and the asking, never a text or a token; a message that cannot be sent is
//! parked where it can be seen, with an alarm; sending is claimed, so that two couriers do not send one message.
//! Deliberately absent: audit events for tries at sending (contract, section 2).

use async_trait::async_trait;
use sea_orm::sea_query::{Expr, ExprTrait as _, LockBehavior, LockType};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, Condition, EntityTrait as _, PaginatorTrait as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _, Set,
};
use uuid::Uuid;

use super::deed::{Deed, Fault, Tx};
use super::fault::ReadFault;
use super::rows::{ask, decision, owed, personal, workflow};
use super::{Store, asks, audit};
use crate::clock::Stamp;
use crate::domain::audit::{Actor, EventKind, NewEvent};
use crate::domain::ids::{AskId, ChainId, MessageId, SignInId, WorkflowId};
use crate::domain::kind::Kind;
use crate::domain::names::EmailAddress;
use crate::domain::time::Timestamp;
use crate::domain::workflow::Owed;

/// A message to be sent.
#[derive(Debug, Clone)]
pub struct OwedMessage {
    /// Its id; also names the mail.
    pub id: MessageId,
    /// What it tells about.
    pub workflow: Option<WorkflowId>,
    /// The asking whose personal link it carries.
    pub ask: Option<AskId>,
    /// The sign-in code that it carries.
    pub code: Option<SignInId>,
    /// The word for what it says.
    pub kind: String,
    /// To whom; the operators when absent. An operator is named where all others have it already.
    pub recipient: Option<EmailAddress>,
    /// For a claimed alarm: what happened, as its event says.
    pub words: Option<String>,
    /// How often sending was tried.
    pub tries: u32,
    /// Where it stands: `owed`, `sent` or `parked`.
    pub state: String,
    /// What the last try met.
    pub last_fault: Option<String>,
    /// Since when it is owed.
    pub owed_since: Timestamp,
    /// When it is tried next, while it is owed.
    pub due_at: Timestamp,
    /// When the mail server took it.
    pub sent_at: Option<Timestamp>,
}

/// Do operators need to know?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alarm {
    /// Yes.
    Raise,
    /// No.
    Keep,
}

/// Turns an owed message into rows, one for each recipient.
pub(super) async fn owe<No>(
    tx: &mut Tx,
    workflow: WorkflowId,
    plan_number: u32,
    owed: Owed,
    not_to: Option<&str>,
) -> Result<(), Fault<No>> {
    match owed {
        Owed::NeedsAttention => insert(tx, workflow, owed.word(), None).await,
        Owed::ApprovalWanted { stage } => {
            for row in asks::asks_of(tx, workflow, plan_number, Some(stage)).await? {
                insert(tx, workflow, owed.word(), Some(&row)).await?;
            }
            Ok(())
        }
        Owed::Reminder { stage } => {
            let answered = answered(tx, workflow, (plan_number, stage)).await?;
            for row in asks::asks_of(tx, workflow, plan_number, Some(stage)).await? {
                if !answered.contains(&row.approver_key) {
                    insert(tx, workflow, owed.word(), Some(&row)).await?;
                }
            }
            Ok(())
        }
        Owed::Decided | Owed::PlanReplaced | Owed::Done | Owed::Replaced | Owed::Withdrawn => {
            let mut told: Vec<String> = not_to.map(str::to_owned).into_iter().collect();
            for row in asks::asks_behind(tx, workflow, plan_number).await? {
                if !told.contains(&row.approver_key) {
                    insert(tx, workflow, owed.word(), Some(&row)).await?;
                    told.push(row.approver_key);
                }
            }
            Ok(())
        }
    }
}

/// Who has answered in a stage, by address key.
async fn answered<No>(
    tx: &Tx,
    workflow: WorkflowId,
    (plan_number, stage): (u32, u32),
) -> Result<Vec<String>, Fault<No>> {
    let rows = decision::Entity::find()
        .filter(decision::Column::WorkflowId.eq(workflow.0))
        .filter(decision::Column::PlanNumber.eq(i64::from(plan_number)))
        .filter(decision::Column::Stage.eq(i64::from(stage)))
        .all(&tx.inner)
        .await?;
    Ok(rows.into_iter().map(|row| row.approver_key).collect())
}

/// An alarm: an audit event, a count, and a mail owed to the operators that will say what the event says.
pub(super) async fn raise_alarm<No>(
    tx: &mut Tx,
    chain: ChainId,
    workflow: Option<WorkflowId>,
    because: &str,
) -> Result<(), Fault<No>> {
    // What the vault said may name people, so the words must be such as can be cleared.
    let event = NewEvent::new(EventKind::AlarmRaised, Actor::Countersign).personal("because", because);
    let event = audit::append(tx, chain, event).await?;
    metrics::counter!("countersign_alarms_total").increment(1);
    let row = owed::ActiveModel { event_id: Set(Some(event.0)), ..blank(tx, workflow, "alarm").await? };
    owed::Entity::insert(row).exec_without_returning(&tx.inner).await?;
    Ok(())
}

/// Owes the operators a mail that is about no workflow in particular, at this moment.
pub(super) async fn owe_operators<No>(tx: &mut Tx, kind: &str, due_at: Timestamp) -> Result<(), Fault<No>> {
    let row = owed::ActiveModel { due_at: Set(due_at.as_utc()), ..blank(tx, None, kind).await? };
    owed::Entity::insert(row).exec_without_returning(&tx.inner).await?;
    Ok(())
}

/// Owes somebody who is not asked yet a word that the target cannot be read.
pub(super) async fn owe_waiting<No>(
    tx: &mut Tx,
    workflow: WorkflowId,
    to: &EmailAddress,
) -> Result<(), Fault<No>> {
    let row = blank(tx, Some(workflow), "vault_awaited").await?;
    let row = owed::ActiveModel { recipient: Set(Some(to.as_str().to_owned())), ..row };
    owed::Entity::insert(row).exec_without_returning(&tx.inner).await?;
    Ok(())
}

/// Owes somebody a sign-in code.
pub(super) async fn owe_code<No>(
    tx: &mut Tx,
    code: SignInId,
    workflow: Option<WorkflowId>,
    to: &EmailAddress,
) -> Result<(), Fault<No>> {
    let row = owed::ActiveModel {
        code_id: Set(Some(code.0)),
        recipient: Set(Some(to.as_str().to_owned())),
        // Somebody waits for it in front of a page.
        goes_first: Set(1),
        ..blank(tx, workflow, "sign_in_code").await?
    };
    owed::Entity::insert(row).exec_without_returning(&tx.inner).await?;
    Ok(())
}

/// Owes the recipient of a password the link to it.
pub(super) async fn owe_hand_over<No>(
    tx: &mut Tx,
    workflow: WorkflowId,
    to: &EmailAddress,
) -> Result<(), Fault<No>> {
    let row = blank(tx, Some(workflow), "hand_over").await?;
    let row = owed::ActiveModel { recipient: Set(Some(to.as_str().to_owned())), ..row };
    owed::Entity::insert(row).exec_without_returning(&tx.inner).await?;
    Ok(())
}

async fn insert<No>(
    tx: &mut Tx,
    workflow: WorkflowId,
    kind: &str,
    ask: Option<&ask::Model>,
) -> Result<(), Fault<No>> {
    let row = owed::ActiveModel {
        ask_id: Set(ask.map(|row| row.id)),
        recipient: Set(ask.map(|row| row.approver.clone())),
        ..blank(tx, Some(workflow), kind).await?
    };
    owed::Entity::insert(row).exec_without_returning(&tx.inner).await?;
    Ok(())
}

/// A message that is owed from now on.
async fn blank<No>(
    tx: &mut Tx,
    workflow: Option<WorkflowId>,
    kind: &str,
) -> Result<owed::ActiveModel, Fault<No>> {
    let is_first = match workflow {
        Some(id) => is_of_leaver(tx, id).await?,
        None => false,
    };
    Ok(owed::ActiveModel {
        id: Set(tx.id(MessageId::made).0),
        workflow_id: Set(workflow.map(|id| id.0)),
        ask_id: Set(None),
        kind: Set(kind.to_owned()),
        recipient: Set(None),
        event_id: Set(None),
        code_id: Set(None),
        state: Set("owed".to_owned()),
        due_at: Set(tx.at.as_utc()),
        tries: Set(0),
        claimed_until: Set(None),
        last_fault: Set(None),
        created_at: Set(tx.at.as_utc()),
        sent_at: Set(None),
        goes_first: Set(is_first.into()),
    })
}

/// Removal is not held up by a full queue, and people have to hear of it first.
async fn is_of_leaver<No>(tx: &Tx, id: WorkflowId) -> Result<bool, Fault<No>> {
    let found = workflow::Entity::find_by_id(id.0)
        .filter(workflow::Column::Kind.eq(Kind::Leaver.as_str()))
        .one(&tx.inner)
        .await?;
    Ok(found.is_some())
}

/// Takes the next due message for sending: what is about a leaver and what somebody waits for at a page, then the rest.
pub struct ClaimMessage {
    /// Time and ids.
    pub stamp: Stamp,
    /// If the courier has not reported by then, another may try.
    pub until: Timestamp,
}

#[async_trait]
impl Deed for ClaimMessage {
    type Done = Option<OwedMessage>;
    type No = std::convert::Infallible;

    fn name(&self) -> &'static str {
        "claim_message"
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
        let now = tx.at.as_utc();
        let unclaimed = Condition::any()
            .add(owed::Column::ClaimedUntil.is_null())
            .add(owed::Column::ClaimedUntil.lte(now));
        // Two looks, each in the order of an index; spelled out, so that the index over the first ones serves.
        let first = Expr::col(owed::Column::GoesFirst).eq(Expr::cust("1"));
        let mut found = None;
        for look in [Condition::all().add(first), Condition::all()] {
            found = owed::Entity::find()
                .filter(owed::Column::State.eq("owed"))
                .filter(look)
                .filter(owed::Column::DueAt.lte(now))
                .filter(unclaimed.clone())
                .order_by_asc(owed::Column::DueAt)
                .order_by_asc(owed::Column::Id)
                .limit(1)
                .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
                .one(&tx.inner)
                .await?;
            if found.is_some() {
                break;
            }
        }
        let Some(row) = found else { return Ok(None) };
        let claimed = owed::ActiveModel {
            id: Set(row.id),
            claimed_until: Set(Some(self.until.as_utc())),
            tries: Set(row.tries + 1),
            ..Default::default()
        };
        let row = owed::Entity::update(claimed).exec(&tx.inner).await?;
        let because = match row.event_id {
            Some(id) => because(tx, id).await?,
            None => None,
        };
        Ok(Some(OwedMessage { words: because, ..OwedMessage::from_row(row)? }))
    }
}

/// What came of sending.
#[derive(Debug, Clone)]
pub enum Sent {
    /// The mail server took it.
    Taken,
    /// Taken, but not for these: to each of them it is owed on, and tried again then.
    ToSome {
        /// Who has not got it.
        still: Vec<EmailAddress>,
        /// When to try again.
        due: Timestamp,
        /// What was met.
        words: String,
    },
    /// Not taken; try again then.
    Later(Timestamp, String),
    /// Not taken, and not tried again by itself; the operators hear of it.
    Parked(String),
    /// Not sent, because what it would have said is no longer so. Parked without an alarm.
    NotNeeded(String),
}

/// Keeps a message that is being sent, for longer.
pub struct KeepMessage {
    /// Time and ids.
    pub stamp: Stamp,
    /// Which one.
    pub message: MessageId,
    /// It was this courier's until then.
    pub from: Timestamp,
    /// It is from now on until then.
    pub until: Timestamp,
}

/// Somebody else sends it by now, or it is not owed any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is another courier's by now")]
pub struct SentElsewhere;

#[async_trait]
impl Deed for KeepMessage {
    type Done = ();
    type No = SentElsewhere;

    fn name(&self) -> &'static str {
        "keep_message"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    fn concerns_others(&self) -> bool {
        false
    }

    async fn perform(&self, tx: &mut Tx) -> Result<(), Fault<SentElsewhere>> {
        let kept = owed::Entity::update_many()
            .col_expr(owed::Column::ClaimedUntil, Expr::value(Some(self.until.as_utc())))
            .filter(owed::Column::Id.eq(self.message.0))
            .filter(owed::Column::State.eq("owed"))
            .filter(owed::Column::ClaimedUntil.eq(self.from.as_utc()))
            .exec(&tx.inner)
            .await?;
        if kept.rows_affected == 1 { Ok(()) } else { Err(Fault::Refused(SentElsewhere)) }
    }
}

/// Records what came of sending.
pub struct ReportMessage {
    /// Time and ids.
    pub stamp: Stamp,
    /// Which message.
    pub message: MessageId,
    /// What came of it.
    pub sent: Sent,
}

#[async_trait]
impl Deed for ReportMessage {
    type Done = ();
    type No = std::convert::Infallible;

    fn name(&self) -> &'static str {
        "report_message"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    async fn perform(&self, tx: &mut Tx) -> Result<Self::Done, Fault<Self::No>> {
        let standing = owed::Entity::find_by_id(self.message.0)
            .filter(owed::Column::State.eq("owed"))
            .lock_exclusive()
            .one(&tx.inner)
            .await?;
        // Another courier, to whom the claim had fallen, has reported: what it said stays.
        let Some(standing) = standing else { return Ok(()) };
        let mut row =
            owed::ActiveModel { id: Set(self.message.0), claimed_until: Set(None), ..Default::default() };
        match &self.sent {
            Sent::Taken | Sent::ToSome { .. } => {
                row.state = Set("sent".to_owned());
                row.sent_at = Set(Some(tx.at.as_utc()));
                row.last_fault = Set(None);
            }
            Sent::Later(due, words) => {
                row.due_at = Set(due.as_utc());
                row.last_fault = Set(Some(words.clone()));
            }
            Sent::Parked(words) | Sent::NotNeeded(words) => {
                row.state = Set("parked".to_owned());
                row.last_fault = Set(Some(words.clone()));
            }
        }
        owed::Entity::update(row).exec(&tx.inner).await?;
        match &self.sent {
            Sent::Parked(words) => alarm_parked(tx, &standing, words).await,
            Sent::ToSome { still, due, words } => {
                for to in still {
                    let alone = owed::ActiveModel {
                        id: Set(tx.id(MessageId::made).0),
                        recipient: Set(Some(to.as_str().to_owned())),
                        due_at: Set(due.as_utc()),
                        last_fault: Set(Some(words.clone())),
                        claimed_until: Set(None),
                        ..owed::ActiveModel::from(standing.clone()).reset_all()
                    };
                    owed::Entity::insert(alone).exec_without_returning(&tx.inner).await?;
                }
                Ok(())
            }
            Sent::Taken | Sent::Later(..) | Sent::NotNeeded(_) => Ok(()),
        }
    }
}

/// A message that nobody got is told to the operators; an alarm that nobody got is not, or there were no end.
async fn alarm_parked<No>(tx: &mut Tx, row: &owed::Model, words: &str) -> Result<(), Fault<No>> {
    let Some(workflow) = row.workflow_id.map(WorkflowId).filter(|_| row.kind != "alarm") else {
        return Ok(());
    };
    let words = format!("a mail of the kind {} could not be sent: {words}", row.kind);
    raise_alarm(tx, workflow.into(), Some(workflow), &words).await
}

/// What the event of an alarm says, if that is still kept.
async fn because<No>(tx: &Tx, id: Uuid) -> Result<Option<String>, Fault<No>> {
    let kept = personal::Entity::find_by_id((id, "because".to_owned())).one(&tx.inner).await?;
    Ok(kept.and_then(|value| value.clear_text))
}

/// When the next message can be claimed: at its due time, or when somebody else's claim on it ends.
pub async fn next_due(store: &Store) -> Result<Option<Timestamp>, ReadFault> {
    let claimed = Expr::col(owed::Column::ClaimedUntil).gt(Expr::col(owed::Column::DueAt));
    let free = Condition::any().add(owed::Column::ClaimedUntil.is_null()).add(claimed.clone().not());
    let due = owed::Entity::find()
        .filter(owed::Column::State.eq("owed"))
        .filter(free)
        .order_by_asc(owed::Column::DueAt)
        .one(store.reads())
        .await?
        .map(|row| row.due_at);
    let falls_back = owed::Entity::find()
        .filter(owed::Column::State.eq("owed"))
        .filter(claimed)
        .order_by_asc(owed::Column::ClaimedUntil)
        .one(store.reads())
        .await?
        .and_then(|row| row.claimed_until);
    Ok(due.into_iter().chain(falls_back).min().map(Timestamp::from_utc))
}

/// The messages of one workflow, oldest first.
pub async fn of_workflow(store: &Store, workflow: WorkflowId) -> Result<Vec<OwedMessage>, ReadFault> {
    let rows = owed::Entity::find()
        .filter(owed::Column::WorkflowId.eq(workflow.0))
        .order_by_asc(owed::Column::Id)
        .all(store.reads())
        .await?;
    rows.into_iter().map(OwedMessage::from_row).collect()
}

/// Does a mail wait that was tried and not taken?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stuck {
    /// Yes.
    Yes,
    /// No.
    No,
}

/// Is mail being taken, as far as what is owed tells?
pub async fn is_stuck(store: &Store) -> Result<Stuck, ReadFault> {
    let tried = owed::Entity::find()
        .filter(owed::Column::State.eq("owed"))
        .filter(owed::Column::LastFault.is_not_null())
        .one(store.reads())
        .await?;
    Ok(if tried.is_some() { Stuck::Yes } else { Stuck::No })
}

/// How many messages are owed, and how many are parked. What was sent is not counted: it only grows.
pub async fn not_sent_by_state(store: &Store) -> Result<[(&'static str, i64); 2], ReadFault> {
    let mut counts = [("owed", 0), ("parked", 0)];
    for (state, count) in &mut counts {
        let many = owed::Entity::find().filter(owed::Column::State.eq(*state)).count(store.reads()).await?;
        *count = i64::try_from(many).unwrap_or(i64::MAX);
    }
    Ok(counts)
}

impl OwedMessage {
    fn from_row(row: owed::Model) -> Result<Self, ReadFault> {
        let wrong = || ReadFault::Inconsistent {
            table: "owed_messages",
            row: row.id.to_string(),
            wrong: "not a mail address",
        };
        Ok(Self {
            id: MessageId(row.id),
            workflow: row.workflow_id.map(WorkflowId),
            ask: row.ask_id.map(AskId),
            code: row.code_id.map(SignInId),
            kind: row.kind.clone(),
            recipient: row.recipient.as_deref().map(EmailAddress::parse).transpose().map_err(|_| wrong())?,
            words: None,
            tries: u32::try_from(row.tries).unwrap_or(u32::MAX),
            state: row.state.clone(),
            last_fault: row.last_fault.clone(),
            owed_since: Timestamp::from_utc(row.created_at),
            due_at: Timestamp::from_utc(row.due_at),
            sent_at: row.sent_at.map(Timestamp::from_utc),
        })
    }
}
