//! Taking a message in: delivery, workflow, what else follows for the same person, audit events; in one transaction.
//!
//! Must hold: (source, reference) is unique over workflows and corrections together; a repeat finds what became of the
//! first; another meaning under an old reference is refused; what a request brings about for others of the same person is
//! decided by the core, under the locks of all of them.

use std::collections::BTreeSet;

use async_trait::async_trait;
use chrono::TimeDelta;

use super::corrections::{self, Correction};
use super::deed::{Deed, Fault, Tx};
use super::deliveries::{self, Bytes, Delivery, Known, Taken};
use super::ends;
use super::workflows::{self, Also, Workflow};
use super::{ReadFault, Store, audit, board, leaver_clocks, outbox};
use crate::clock::Stamp;
use crate::domain::audit::{Actor, EventKind, NewEvent};
use crate::domain::canon::{Digest, Tag};
use crate::domain::correction::{Asked, Course, Incoming, Refusal, Standing, TakenIn, Telling, course};
use crate::domain::ids::WorkflowId;
use crate::domain::kind::{Kind, Op};
use crate::domain::request::Request;
use crate::domain::workflow::{Ending, RestsAs, State, Stop};

mod instead;

/// Takes a message in that means a new workflow, or an old one once more.
pub struct AcceptDelivery {
    /// Time and ids.
    pub stamp: Stamp,
    /// The message.
    pub delivery: Delivery,
    /// The workflow it would become.
    pub workflow: Workflow,
    /// The words that people will look it up by.
    pub found_by: BTreeSet<String>,
    /// What should have taken effect longer ago than this, a person looks at first.
    pub oldest: TimeDelta,
    /// A leaver's access is to be gone within this time.
    pub leaver_within: TimeDelta,
}

/// What a message became.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The workflow; none where it is older than what was heard before, and was ignored.
    pub workflow: Option<WorkflowId>,
    /// The word for its state.
    pub state: &'static str,
    /// Was it there before?
    pub repeat: Repeat,
}

/// Was a request there before?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// No: this message made the workflow.
    First,
    /// Yes.
    Again,
}

/// The word for the state of a message that was ignored.
const STALE: &str = "ignored_as_stale";

/// Something stands in the way: the name of this event means another request, or what stands for the person does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OtherMeaning {
    /// The same `source_ref`, another request.
    #[error("this source_ref stands for another request already")]
    SourceRef,
    /// The same signed delivery id, another request.
    #[error("this delivery id stands for another request already")]
    DeliveryKey,
    /// Another request of this kind for the same person has not come to rest, and there is no telling which holds.
    #[error("this person has an open request of the same kind, workflow {0}")]
    StillOpen(WorkflowId),
    /// What is to be amended or taken back is not known.
    #[error("the earlier request is not known")]
    UnknownReference,
    /// What is to be amended or taken back is about another person, or of another kind.
    #[error("the earlier request, workflow {0}, is about another person or of another kind")]
    OtherRequest(WorkflowId),
    /// What is to be amended has ended without effect.
    #[error("the earlier request, workflow {0}, has ended, so there is nothing to amend")]
    NotOpen(WorkflowId),
    /// What would have to be asked for instead is not asked for by this version.
    #[error("a {0} would have to be asked for instead, and this version asks for none by itself")]
    NotYet(Kind),
}

#[async_trait]
impl Deed for AcceptDelivery {
    type Done = Accepted;
    type No = OtherMeaning;

    fn name(&self) -> &'static str {
        "accept_delivery"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    async fn perform(&self, tx: &mut Tx) -> Result<Accepted, Fault<OtherMeaning>> {
        if let Some(known) = deliveries::by_key(tx, &self.delivery).await? {
            return self.same_delivery(tx, &known).await;
        }
        if let Some(known) = self.same_reference(tx).await? {
            return Ok(known);
        }
        let open = corrections::lock(tx, &self.workflow).await?;
        // Who was first with this very event may have committed while the person was waited for.
        if let Some(known) = self.same_reference(tx).await? {
            return Ok(known);
        }
        let request: Request = self.workflow.request.open(Tag::Request)?;
        let earlier = self.earlier(tx, &request).await?;
        let course = self.course(tx, &request, (&open, earlier.as_ref())).await?;
        match &course {
            Course::Stale | Course::Refuse(_) => {}
            Course::TakeIn(_)
            | Course::Repeat(_)
            | Course::Withdraw(_)
            | Course::AskInstead(_)
            | Course::Noted(_)
            | Course::Tell(..) => corrections::note_place(tx, &self.workflow, &request).await?,
        }
        // Of all courses one is taken, and the others need not have room in the future of every caller.
        Box::pin(self.follow(tx, &request, course)).await
    }
}

impl AcceptDelivery {
    /// The same delivery once more. The same bytes mean what they meant, whatever today's settings make of them.
    async fn same_delivery(&self, tx: &mut Tx, known: &Known) -> Result<Accepted, Fault<OtherMeaning>> {
        if known.bytes == Bytes::Same {
            let repeat = if known.id == self.delivery.id { Repeat::First } else { Repeat::Again };
            return match known.about {
                Some(id) => self.standing(tx, id, repeat).await,
                None => Ok(Accepted { workflow: None, state: STALE, repeat }),
            };
        }
        let (source, reference) = (&self.workflow.source, &self.workflow.source_ref);
        let kept = corrections::by_source_ref(tx, source, reference).await?;
        if let Some(kept) = kept.filter(|kept| kept.delivery == known.id) {
            return self.kept_before(tx, &kept, OtherMeaning::DeliveryKey).await;
        }
        let Some(id) = known.about else { return Err(Fault::Refused(OtherMeaning::DeliveryKey)) };
        let standing = workflows::locked(tx, id).await?;
        self.repeat_of(&standing, OtherMeaning::DeliveryKey)
    }

    /// The same reference under another delivery id.
    async fn same_reference(&self, tx: &mut Tx) -> Result<Option<Accepted>, Fault<OtherMeaning>> {
        let (source, reference) = (&self.workflow.source, &self.workflow.source_ref);
        if let Some(kept) = corrections::by_source_ref(tx, source, reference).await? {
            let accepted = self.kept_before(tx, &kept, OtherMeaning::SourceRef).await?;
            if let Some(workflow) = kept.workflow {
                deliveries::insert(tx, &self.delivery, Taken::Accepted, Some(workflow)).await?;
                let event = self.event(EventKind::DeliveryRepeated);
                audit::append(tx, workflow.into(), event).await?;
            }
            return Ok(Some(accepted));
        }
        let Some(standing) = workflows::by_source_ref(tx, source, reference).await? else { return Ok(None) };
        // Its chain gets one event after the other, however many repeats come at once.
        let standing = workflows::locked(tx, standing.id).await?;
        let accepted = self.repeat_of(&standing, OtherMeaning::SourceRef)?;
        deliveries::insert(tx, &self.delivery, Taken::Accepted, Some(standing.id)).await?;
        let event = self.event(EventKind::DeliveryRepeated);
        audit::append(tx, standing.id.into(), event).await?;
        Ok(Some(accepted))
    }

    /// Canonical requests are compared, not bytes. A deed that is run again after an unknown outcome meets its own
    /// workflow here, and that is no repeat.
    fn repeat_of(&self, standing: &Workflow, other: OtherMeaning) -> Result<Accepted, Fault<OtherMeaning>> {
        if !standing.asks_for(&self.workflow.request) {
            return Err(Fault::Refused(other));
        }
        let repeat = if standing.id == self.workflow.id { Repeat::First } else { Repeat::Again };
        Ok(Accepted { workflow: Some(standing.id), state: standing.state.word(), repeat })
    }

    async fn kept_before(
        &self,
        tx: &Tx,
        kept: &Correction,
        other: OtherMeaning,
    ) -> Result<Accepted, Fault<OtherMeaning>> {
        if kept.request != self.workflow.request.digest() {
            return Err(Fault::Refused(other));
        }
        let state = match kept.workflow {
            Some(id) => workflows::locked(tx, id).await?.state.word(),
            None => STALE,
        };
        let repeat = if kept.delivery == self.delivery.id { Repeat::First } else { Repeat::Again };
        Ok(Accepted { workflow: kept.workflow, state, repeat })
    }

    /// The request that this one amends or takes back.
    async fn earlier(&self, tx: &mut Tx, request: &Request) -> Result<Option<Workflow>, Fault<OtherMeaning>> {
        let Some(reference) = request.amends() else { return Ok(None) };
        let found = corrections::earlier(tx, &self.workflow.source, reference).await?;
        let earlier = found.ok_or(Fault::Refused(OtherMeaning::UnknownReference))?;
        if earlier.person_ref != self.workflow.person_ref || earlier.kind != self.workflow.kind {
            return Err(Fault::Refused(OtherMeaning::OtherRequest(earlier.id)));
        }
        Ok(Some(earlier))
    }

    async fn course(
        &self,
        tx: &Tx,
        request: &Request,
        (open, earlier): (&[Workflow], Option<&Workflow>),
    ) -> Result<Course, Fault<OtherMeaning>> {
        let beside = (&self.workflow, request);
        let done = workflows::done_leavers(tx, &self.workflow).await?;
        let others = open.iter().chain(&done).map(|one| corrections::standing(one, beside));
        let others: Vec<Standing> = others.collect::<Result<_, Fault<OtherMeaning>>>()?;
        let earlier = match earlier {
            Some(earlier) => {
                Some(corrections::standing_as_a_whole::<OtherMeaning>(tx, earlier, beside).await?)
            }
            None => None,
        };
        let asked = match (request.op(), &earlier) {
            (Op::New, _) | (_, None) => Asked::New,
            (Op::Amend, Some(earlier)) => Asked::Amend(earlier),
            (Op::Rescind, Some(earlier)) => Asked::Rescind(earlier),
        };
        let incoming = Incoming {
            kind: self.workflow.kind,
            asked,
            takes_effect: request.effective().and_then(|effective| effective.waits_until()),
            age: corrections::age_of(tx, &self.workflow, request).await?,
            account: corrections::account(tx, &self.workflow).await?,
            now: tx.at,
            oldest: self.oldest,
        };
        Ok(course(&incoming, &others))
    }

    async fn follow(
        &self,
        tx: &mut Tx,
        request: &Request,
        course: Course,
    ) -> Result<Accepted, Fault<OtherMeaning>> {
        match course {
            Course::TakeIn(taken) => Box::pin(self.take_in(tx, request, &taken)).await,
            Course::Repeat(open) => {
                deliveries::insert(tx, &self.delivery, Taken::Accepted, Some(open)).await?;
                self.keep(tx, "noted", Some(open)).await?;
                let event = self.event(EventKind::DeliveryRepeated);
                audit::append(tx, open.into(), event).await?;
                self.standing(tx, open, Repeat::Again).await
            }
            Course::Withdraw(earlier) => Box::pin(self.withdraw(tx, earlier)).await,
            Course::AskInstead(instead) => Box::pin(self.ask_instead(tx, request, &instead)).await,
            Course::Stale => self.ignore(tx, request).await,
            Course::Noted(about) => {
                self.receive_about(tx, request, ("noted", about)).await?;
                self.standing(tx, about, Repeat::First).await
            }
            Course::Tell(about, telling) => {
                self.receive_about(tx, request, ("told", about)).await?;
                outbox::raise_alarm(tx, about.into(), Some(about), &self.in_words(telling)).await?;
                self.standing(tx, about, Repeat::First).await
            }
            Course::Refuse(refusal) => Err(Fault::Refused(match refusal {
                Refusal::StillOpen(open) => OtherMeaning::StillOpen(open),
                Refusal::OtherKind => OtherMeaning::UnknownReference,
                Refusal::NotOpen(earlier) => OtherMeaning::NotOpen(earlier),
            })),
        }
    }

    async fn take_in(
        &self,
        tx: &mut Tx,
        request: &Request,
        taken: &TakenIn,
    ) -> Result<Accepted, Fault<OtherMeaning>> {
        let made = match &taken.beside {
            Some(beside) => Some(Box::pin(self.make_beside(tx, request, beside)).await?),
            None => None,
        };
        // Who is to have access later is disabled first.
        let first = made.filter(|made| made.kind == Kind::Leaver).map(|made| made.id);
        let workflow = Workflow { waits_for: first.or(taken.waits_for), ..self.workflow.clone() };
        self.begin(tx, &workflow, &self.found_by, self.received(&workflow)).await?;
        if let Some((about, telling)) = taken.tell {
            outbox::raise_alarm(tx, about.into(), Some(about), &self.in_words(telling)).await?;
        }
        for id in &taken.ends {
            let one = workflows::locked(tx, *id).await?;
            if one.kind == Kind::Leaver && workflow.kind == Kind::Leaver {
                let ends_at = workflows::wanted_end(&workflow);
                leaver_clocks::in_place_of(tx, (workflow.id, &ends_at), one.id).await?;
            }
            let ending = Ending::replaced_by(self.actor(), workflow.id, workflow.kind);
            corrections::end_as_a_whole(tx, &one, ending).await?;
        }
        if let Some(late_by) = taken.late_by {
            self.tell_late(tx, &workflow, late_by).await?;
        }
        self.standing(tx, workflow.id, Repeat::First).await
    }

    /// What is very late: taking away is not held up by that, and giving waits until a person has looked.
    async fn tell_late(
        &self,
        tx: &mut Tx,
        workflow: &Workflow,
        late_by: TimeDelta,
    ) -> Result<(), Fault<OtherMeaning>> {
        let (days, source) = (late_by.num_days(), &workflow.source);
        if workflow.kind == Kind::Leaver {
            let words = format!(
                "a leaver of the source {source} should have taken effect {days} days ago; it goes on at once, and \
                 somebody may have had access all that time"
            );
            return outbox::raise_alarm(tx, workflow.id.into(), Some(workflow.id), &words).await;
        }
        let reason = format!(
            "this should have taken effect {days} days ago, which is longer than requests of the source {source} are \
             carried out without a look; try again if it is meant so"
        );
        let transition = workflow.state.needs_attention(reason);
        let transition = transition.map_err(|wrong| Fault::Broken(wrong.to_string()))?;
        workflows::apply(tx, workflow, transition, Also::default()).await
    }

    /// A workflow with its delivery and its first events.
    async fn begin(
        &self,
        tx: &mut Tx,
        workflow: &Workflow,
        found_by: &BTreeSet<String>,
        received: NewEvent,
    ) -> Result<(), Fault<OtherMeaning>> {
        workflows::insert(tx, workflow).await?;
        leaver_clocks::within(tx, workflow.id, self.leaver_within).await?;
        board::keep_words(tx, workflow.id, found_by).await?;
        deliveries::insert(tx, &self.delivery, Taken::Accepted, Some(workflow.id)).await?;
        let mut events = vec![self.event(EventKind::DeliveryAccepted), received];
        events.extend(awaits(workflow));
        audit::append_all(tx, workflow.id.into(), events).await
    }

    async fn withdraw(&self, tx: &mut Tx, earlier: WorkflowId) -> Result<Accepted, Fault<OtherMeaning>> {
        let request: Request = self.workflow.request.open(Tag::Request)?;
        self.receive_about(tx, &request, ("withdrawn", earlier)).await?;
        let one = workflows::locked(tx, earlier).await?;
        let stop = Stop { rests: RestsAs::Cancelled, by: None };
        let ended = corrections::end_as_a_whole(tx, &one, self.taken_back(stop, None)).await?;
        if ended == ends::Ended::Stopping {
            let words = format!(
                "a {} was taken back by its source while it was being carried out: it is stopped, and what it had done by \
                 then stays until somebody undoes it",
                one.kind
            );
            outbox::raise_alarm(tx, earlier.into(), Some(earlier), &words).await?;
        }
        self.standing(tx, earlier, Repeat::First).await
    }

    async fn ignore(&self, tx: &mut Tx, request: &Request) -> Result<Accepted, Fault<OtherMeaning>> {
        deliveries::insert(tx, &self.delivery, Taken::Parked, None).await?;
        self.keep(tx, STALE, None).await?;
        let event = self.described(EventKind::DeliveryIgnored, request);
        let event = event.personal("person_ref", self.workflow.person_ref.as_str());
        audit::append(tx, self.delivery.id.into(), event).await?;
        Ok(Accepted { workflow: None, state: STALE, repeat: Repeat::First })
    }

    /// The message goes into the record of the workflow that it is about.
    async fn receive_about(
        &self,
        tx: &mut Tx,
        request: &Request,
        (course, about): (&str, WorkflowId),
    ) -> Result<(), Fault<OtherMeaning>> {
        deliveries::insert(tx, &self.delivery, Taken::Accepted, Some(about)).await?;
        self.keep(tx, course, Some(about)).await?;
        let event = self.described(EventKind::CorrectionReceived, request).text("course", course);
        audit::append(tx, about.into(), event).await?;
        Ok(())
    }

    async fn keep(
        &self,
        tx: &Tx,
        course: &str,
        workflow: Option<WorkflowId>,
    ) -> Result<(), Fault<OtherMeaning>> {
        let kept = Correction {
            delivery: self.delivery.id,
            source: self.workflow.source.clone(),
            source_ref: self.workflow.source_ref.clone(),
            request: self.workflow.request.digest(),
            course: course.to_owned(),
            workflow,
        };
        corrections::keep(tx, &kept, &self.workflow.request).await
    }

    async fn standing(
        &self,
        tx: &Tx,
        id: WorkflowId,
        repeat: Repeat,
    ) -> Result<Accepted, Fault<OtherMeaning>> {
        let state: State = workflows::locked(tx, id).await?.state;
        Ok(Accepted { workflow: Some(id), state: state.word(), repeat })
    }

    fn taken_back(&self, stop: Stop, kind: Option<Kind>) -> Ending {
        let withdrawn_by = Some(self.workflow.source_ref.as_str().to_owned());
        Ending { actor: self.actor(), stop, kind, withdrawn_by, proposed: None }
    }

    fn actor(&self) -> Actor {
        Actor::Source(self.delivery.source.clone())
    }

    fn event(&self, kind: EventKind) -> NewEvent {
        NewEvent::new(kind, self.actor())
            .text("delivery", self.delivery.id.to_string())
            .text("body_sha256", Digest::of_bytes(&self.delivery.body).to_string())
    }

    fn described(&self, kind: EventKind, request: &Request) -> NewEvent {
        self.event(kind)
            .text("kind", request.kind().as_str())
            .text("op", request.op().as_str())
            .text("source_ref", self.workflow.source_ref.as_str())
            .text("request_sha256", self.workflow.request.digest().to_string())
    }

    fn received(&self, workflow: &Workflow) -> NewEvent {
        let event = NewEvent::new(EventKind::WorkflowReceived, self.actor())
            .text("kind", workflow.kind.as_str())
            .text("source_ref", workflow.source_ref.as_str())
            .text("request_sha256", workflow.request.digest().to_string())
            .personal("person_ref", workflow.person_ref.as_str());
        match &workflow.user_name {
            Some(name) => event.personal("user_name", name.as_str()),
            None => event,
        }
    }

    fn in_words(&self, telling: Telling) -> String {
        let (source, kind) = (&self.workflow.source, self.workflow.kind);
        match telling {
            Telling::HasBegun => format!(
                "the source {source} has moved or changed a {kind} that is being carried out, or is done; nothing is undone \
                 by itself"
            ),
            Telling::ChangeIsDone => format!(
                "the source {source} has taken back a {kind} that is done; nothing is undone by itself"
            ),
            Telling::ComesBackTooLate => format!(
                "the source {source} says that somebody comes back whose leaver is due; the leaver goes on and the {kind} \
                 waits for it, unless two people cancel the leaver"
            ),
            Telling::LeaverIsDue => format!(
                "the source {source} has taken back or put off a leaver that is due; it goes on unless \
                 two people cancel it"
            ),
        }
    }
}

/// That it waits for another one.
fn awaits(workflow: &Workflow) -> Option<NewEvent> {
    let other = workflow.waits_for?;
    Some(NewEvent::new(EventKind::RunAwaited, Actor::Countersign).text("run", other.to_string()))
}

/// What became of these very bytes under this key, if they were taken in before. Settings that have changed since may
/// read them otherwise, or not at all; that makes no other event of them.
pub async fn taken_before(store: &Store, delivery: &Delivery) -> Result<Option<Accepted>, ReadFault> {
    let known = deliveries::find_by_key(store, delivery).await?;
    let Some(known) = known.filter(|known| known.bytes == Bytes::Same) else { return Ok(None) };
    let Some(about) = known.about else {
        return Ok(Some(Accepted { workflow: None, state: STALE, repeat: Repeat::Again }));
    };
    let standing = workflows::find(store, about).await?;
    Ok(standing.map(|workflow| Accepted {
        workflow: Some(workflow.id),
        state: workflow.state.word(),
        repeat: Repeat::Again,
    }))
}
