//! What stands for a person when a request comes in or a leaver begins, and messages that became no workflow.
//!
//! Must hold: everything here happens under the locks of the person and of their open workflows, so that nothing begins
//! meanwhile. Deliberately absent: the decision (see `domain::correction`) and taking the message in (`accept`).

use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, Set};

use super::deed::{Fault, Tx};
use super::ends;
use super::fault::ReadFault;
use super::rows::{correction, newest_event, person_link};
use super::workflows::{self, Workflow};
use super::{parts, people};
use crate::domain::audit::Actor;
use crate::domain::canon::{CanonicalBytes, Digest, Tag};
use crate::domain::correction::{Age, HasAccount, Known, Placed, Sender, Stand, Standing, Wish, age};
use crate::domain::ids::{DeliveryId, WorkflowId};
use crate::domain::kind::Kind;
use crate::domain::names::{SourceName, SourceRef};
use crate::domain::request::Request;
use crate::domain::time::Timestamp;
use crate::domain::workflow::{Ending, Stalled, State};

/// Locks whatever is open for a person, and then the person. What came in while the person was waited for is there, too.
pub(super) async fn lock<No>(tx: &mut Tx, like: &Workflow) -> Result<Vec<Workflow>, Fault<No>> {
    // The workflows first, as in every deed, so that no two of them wait for one another.
    workflows::open_of_person(tx, like).await?;
    people::lock(tx, like).await?;
    workflows::open_of_person(tx, like).await
}

/// What comes in, as far as its order is concerned.
pub(super) fn placed(request: &Request) -> Placed {
    Placed { sequence: request.sequence, occurred_at: request.occurred_at }
}

/// A workflow as the decision sees it, beside what comes in.
pub(super) fn standing<No>(one: &Workflow, incoming: (&Workflow, &Request)) -> Result<Standing, Fault<No>> {
    let (like, request) = incoming;
    let sender = if one.source == like.source { Sender::Same } else { Sender::Other };
    if one.cleared.is_some() {
        // Long over. Its place in the order of events is kept elsewhere.
        let nowhere = Known { sender, placed: Placed { sequence: None, occurred_at: None } };
        return Ok(Standing {
            id: one.id,
            kind: one.kind,
            stand: stand(&one.state),
            takes_effect: None,
            wish: Wish::Other,
            age: age(placed(request), &[nowhere]),
        });
    }
    let theirs: Request = one.request.open(Tag::Request)?;
    let known = Known { sender, placed: placed(&theirs) };
    Ok(Standing {
        id: one.id,
        kind: one.kind,
        stand: stand(&one.state),
        takes_effect: theirs.effective().and_then(|effective| effective.waits_until()),
        wish: if theirs.wants_the_same(request) { Wish::Same } else { Wish::Other },
        age: age(placed(request), &[known]),
    })
}

/// The same for a request that may have parts: what has come furthest counts, since what one part has taken comes back
/// by no end of the others.
pub(super) async fn standing_as_a_whole<No>(
    tx: &Tx,
    one: &Workflow,
    incoming: (&Workflow, &Request),
) -> Result<Standing, Fault<No>> {
    let parts = parts::siblings(tx, one).await?;
    let stands: Vec<Stand> = parts.iter().map(|part| stand(&part.state)).collect();
    let furthest = [Stand::Begun, Stand::Done, Stand::Open].into_iter().find(|one| stands.contains(one));
    Ok(Standing { stand: furthest.unwrap_or(Stand::Over), ..standing(one, incoming)? })
}

/// Ends a request together with its other parts of which nothing has begun. The caller has locked whatever is open for
/// the person.
pub(super) async fn end_as_a_whole<No>(
    tx: &mut Tx,
    one: &Workflow,
    ending: Ending,
) -> Result<ends::Ended, Fault<No>> {
    for part in parts::siblings(tx, one).await? {
        if part.id != one.id && stand(&part.state) == Stand::Open {
            ends::end(tx, &part, ending.clone()).await?;
        }
    }
    ends::end(tx, one, ending).await
}

const fn stand(state: &State) -> Stand {
    match state {
        State::Planning
        | State::PendingApproval { .. }
        | State::Approved { .. }
        | State::NeedsAttention {
            stalled: Stalled::Planning | Stalled::Approved | Stalled::Undecided | Stalled::Held,
            ..
        } => Stand::Open,
        State::Running | State::NeedsAttention { stalled: Stalled::Running, .. } => Stand::Begun,
        State::Succeeded => Stand::Done,
        State::Rejected | State::Expired | State::Cancelled | State::Superseded | State::Failed { .. } => {
            Stand::Over
        }
    }
}

/// Is any account known to be the person's?
pub(super) async fn account<No>(tx: &Tx, like: &Workflow) -> Result<HasAccount, Fault<No>> {
    let Some(person) = people::known(&tx.inner, &like.namespace, &like.person_ref).await? else {
        return Ok(HasAccount::Unknown);
    };
    let linked = person_link::Entity::find()
        .filter(person_link::Column::PersonId.eq(person.id))
        .one(&tx.inner)
        .await?;
    Ok(if linked.is_some() { HasAccount::Known } else { HasAccount::Unknown })
}

/// The request that this reference stands for now: the one that was taken in under it, or what took its place since.
pub(super) async fn earlier<No>(
    tx: &Tx,
    source: &SourceName,
    reference: &SourceRef,
) -> Result<Option<Workflow>, Fault<No>> {
    let mut found = workflows::by_source_ref(tx, source, reference).await?;
    while let Some(one) = &found {
        let next = match (&one.state, one.ended_by) {
            (State::Superseded, Some(next)) => workflows::lock(tx, next).await?,
            (_, None | Some(_)) => None,
        };
        match next {
            Some(next) if next.kind == one.kind => found = Some(next),
            Some(_) | None => break,
        }
    }
    match found {
        Some(one) => workflows::lock(tx, one.id).await,
        None => Ok(None),
    }
}

/// How an event stands to the newest ones of its family that were heard of its person.
pub(super) async fn age_of<No>(tx: &Tx, like: &Workflow, request: &Request) -> Result<Age, Fault<No>> {
    let rows = newest_event::Entity::find()
        .filter(newest_event::Column::Namespace.eq(like.namespace.as_str()))
        .filter(newest_event::Column::PersonRef.eq(like.person_ref.as_str()))
        .filter(newest_event::Column::Family.eq(like.kind.family().word()))
        .all(&tx.inner)
        .await?;
    let known: Vec<Known> = rows
        .into_iter()
        .map(|row| Known {
            sender: if row.source == like.source.as_str() { Sender::Same } else { Sender::Other },
            placed: Placed {
                sequence: row.sequence.and_then(|number| u64::try_from(number).ok()),
                occurred_at: row.occurred_at.map(Timestamp::from_utc),
            },
        })
        .collect();
    Ok(age(placed(request), &known))
}

/// Notes the place of an event that has been heard; it is older than none.
pub(super) async fn note_place<No>(tx: &Tx, like: &Workflow, request: &Request) -> Result<(), Fault<No>> {
    if request.sequence.is_none() && request.occurred_at.is_none() {
        return Ok(());
    }
    let key = (
        like.namespace.as_str().to_owned(),
        like.person_ref.as_str().to_owned(),
        like.kind.family().word().to_owned(),
        like.source.as_str().to_owned(),
    );
    let before = newest_event::Entity::find_by_id(key.clone()).one(&tx.inner).await?;
    let (namespace, person_ref, family, source) = key;
    let sequence = request.sequence.and_then(|number| i64::try_from(number).ok());
    let occurred_at = request.occurred_at.map(Timestamp::as_utc);
    let row = newest_event::ActiveModel {
        namespace: Set(namespace),
        person_ref: Set(person_ref),
        family: Set(family),
        source: Set(source),
        sequence: Set(sequence.max(before.as_ref().and_then(|row| row.sequence))),
        occurred_at: Set(occurred_at.max(before.and_then(|row| row.occurred_at))),
    };
    let anew = [newest_event::Column::Sequence, newest_event::Column::OccurredAt];
    let place = [
        newest_event::Column::Namespace,
        newest_event::Column::PersonRef,
        newest_event::Column::Family,
        newest_event::Column::Source,
    ];
    let replacing = OnConflict::columns(place).update_columns(anew).to_owned();
    newest_event::Entity::insert(row).on_conflict(replacing).exec_without_returning(&tx.inner).await?;
    Ok(())
}

/// A message that became no workflow as it was sent.
#[derive(Debug, Clone)]
pub(super) struct Correction {
    pub(super) delivery: DeliveryId,
    pub(super) source: SourceName,
    pub(super) source_ref: SourceRef,
    pub(super) request: Digest,
    /// The word for what became of it.
    pub(super) course: String,
    /// The workflow that it is about, or that was made in its place.
    pub(super) workflow: Option<WorkflowId>,
}

/// Keeps such a message, with its request until that is cleared.
pub(super) async fn keep<No>(tx: &Tx, kept: &Correction, request: &CanonicalBytes) -> Result<(), Fault<No>> {
    let row = correction::ActiveModel {
        delivery_id: Set(kept.delivery.0),
        source: Set(kept.source.as_str().to_owned()),
        source_ref: Set(kept.source_ref.as_str().to_owned()),
        request: Set(request.as_slice().to_vec()),
        request_digest: Set(None),
        course: Set(kept.course.clone()),
        workflow_id: Set(kept.workflow.map(|id| id.0)),
    };
    correction::Entity::insert(row).exec_without_returning(&tx.inner).await?;
    Ok(())
}

/// Clears what such messages asked for; the digest stays, so that a repeat is still recognised.
pub(super) async fn clear<No>(tx: &Tx, which: Expr) -> Result<(), Fault<No>> {
    let kept = correction::Entity::find().filter(which).filter(correction::Column::RequestDigest.is_null());
    for row in kept.all(&tx.inner).await? {
        let cleared = correction::ActiveModel {
            delivery_id: Set(row.delivery_id),
            request_digest: Set(Some(CanonicalBytes::stored(row.request).digest().0.to_vec())),
            request: Set(Vec::new()),
            ..Default::default()
        };
        correction::Entity::update(cleared).exec(&tx.inner).await?;
    }
    Ok(())
}

/// The one of a source's own reference.
pub(super) async fn by_source_ref<No>(
    tx: &Tx,
    source: &SourceName,
    reference: &SourceRef,
) -> Result<Option<Correction>, Fault<No>> {
    let row = correction::Entity::find()
        .filter(correction::Column::Source.eq(source.as_str()))
        .filter(correction::Column::SourceRef.eq(reference.as_str()))
        .one(&tx.inner)
        .await?;
    Ok(row.map(Correction::from_row).transpose()?)
}

impl Correction {
    fn from_row(row: correction::Model) -> Result<Self, ReadFault> {
        let broken =
            |wrong| ReadFault::Inconsistent { table: "corrections", row: row.delivery_id.to_string(), wrong };
        let wrong = |_| broken("a name breaks its own rule");
        Ok(Self {
            delivery: DeliveryId(row.delivery_id),
            source: SourceName::parse(&row.source).map_err(wrong)?,
            source_ref: SourceRef::parse(&row.source_ref).map_err(wrong)?,
            request: match row.request_digest {
                None => CanonicalBytes::stored(row.request).digest(),
                Some(digest) => Digest(digest.try_into().map_err(|_| broken("no digest"))?),
            },
            course: row.course,
            workflow: row.workflow_id.map(WorkflowId),
        })
    }
}

/// A leaver begins: what would give what it takes, and does not come after it, ends or is stopped.
pub(super) async fn clear_the_way<No>(tx: &mut Tx, leaver: &Workflow) -> Result<(), Fault<No>> {
    if leaver.kind != Kind::Leaver {
        return Ok(());
    }
    let day = takes_effect(leaver)?;
    for one in lock(tx, leaver).await? {
        let gives = match one.kind {
            Kind::Joiner | Kind::Mover | Kind::Rehire => true,
            Kind::Leaver | Kind::ResetPassword | Kind::Unsuspend => false,
        };
        let elsewhere = matches!((&one.target, &leaver.target), (Some(one), Some(ours)) if one != ours);
        if !gives || elsewhere || one.waits_for == Some(leaver.id) {
            continue;
        }
        if one.created_at <= leaver.created_at || takes_effect(&one)? < day {
            let ending = Ending::replaced_by(Actor::Countersign, leaver.id, leaver.kind);
            ends::end(tx, &one, ending).await?;
        }
    }
    Ok(())
}

/// When a request takes effect: on its day, or when it came in.
fn takes_effect<No>(workflow: &Workflow) -> Result<Timestamp, Fault<No>> {
    let request: Request = workflow.request.open(Tag::Request)?;
    let day = request.effective().and_then(|effective| effective.waits_until());
    Ok(day.unwrap_or(workflow.created_at))
}
