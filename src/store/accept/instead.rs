//! Asking for something in the place of, or beside, what a message takes back or puts off.
//!
//! Must hold: what was begun is stopped in the very transaction that asks for the making up, and people are told; a request
//! that is made beside another one has a reference that no sender can have. Nobody's access comes back without people:
//! what is made here is planned and asked about like any other request.

use super::{AcceptDelivery, Accepted, OtherMeaning, Repeat, awaits};
use crate::domain::canon::{CanonicalBytes, Tag};
use crate::domain::correction::{Instead, Made, leaver_instead, rehire_instead};
use crate::domain::ids::WorkflowId;
use crate::domain::names::SourceRef;
use crate::domain::request::Request;
use crate::domain::workflow::{RestsAs, Stop};
use crate::store::deed::{Fault, Tx};
use crate::store::workflows::{self, Workflow};
use crate::store::{audit, board, ends, leaver_clocks, outbox};

impl AcceptDelivery {
    /// What was carried out is made up for by a request of its own.
    pub(super) async fn ask_instead(
        &self,
        tx: &mut Tx,
        request: &Request,
        instead: &Instead,
    ) -> Result<Accepted, Fault<OtherMeaning>> {
        let of = workflows::locked(tx, instead.of).await?;
        let made = self.made(tx, request, (instead, &of)).await?;
        let workflow = self.made_workflow(&made, instead)?;
        let received = self.received(&workflow).text("makes_up_for", of.id.to_string());
        self.begin(tx, &workflow, &made.found_by(), received).await?;
        self.keep(tx, "asked_instead", Some(workflow.id)).await?;
        self.make_room(tx, (instead, &of), &workflow).await?;
        self.standing(tx, workflow.id, Repeat::First).await
    }

    /// The same beside what the message itself asks for, under a reference of its own.
    pub(super) async fn make_beside(
        &self,
        tx: &mut Tx,
        request: &Request,
        instead: &Instead,
    ) -> Result<Workflow, Fault<OtherMeaning>> {
        let of = workflows::locked(tx, instead.of).await?;
        let made = self.made(tx, request, (instead, &of)).await?;
        let workflow = Workflow {
            id: tx.id(WorkflowId::made),
            source_ref: SourceRef::of_made(&self.workflow.source_ref, made.kind()),
            ..self.made_workflow(&made, instead)?
        };
        workflows::insert(tx, &workflow).await?;
        leaver_clocks::within(tx, workflow.id, self.leaver_within).await?;
        board::keep_words(tx, workflow.id, &made.found_by()).await?;
        let received = self.received(&workflow).text("makes_up_for", of.id.to_string());
        let events = [Some(received), awaits(&workflow)].into_iter().flatten().collect::<Vec<_>>();
        audit::append_all(tx, workflow.id.into(), events).await?;
        self.make_room(tx, (instead, &of), &workflow).await?;
        Ok(workflow)
    }

    /// The request that makes up for what was carried out.
    async fn made(
        &self,
        tx: &Tx,
        request: &Request,
        (instead, of): (&Instead, &Workflow),
    ) -> Result<Request, Fault<OtherMeaning>> {
        let given = match instead.kind {
            Made::Leaver => None,
            Made::Rehire => workflows::last_given(tx, &self.workflow).await?,
        };
        if let Some(cleared) =
            [Some(of), given.as_ref()].into_iter().flatten().find(|one| one.cleared.is_some())
        {
            // What would have to be asked for is not known any more.
            return Err(Fault::Refused(OtherMeaning::NotOpen(cleared.id)));
        }
        let carried_out: Request = of.request.open(Tag::Request)?;
        let made = match instead.kind {
            Made::Leaver => leaver_instead(request, &carried_out, tx.at),
            Made::Rehire => {
                let given: Option<Request> = given.map(|one| one.request.open(Tag::Request)).transpose()?;
                rehire_instead(request, &carried_out, given.as_ref(), tx.at)
            }
        };
        if !made.not_available_yet().is_empty() {
            return Err(Fault::Refused(OtherMeaning::NotYet(made.kind())));
        }
        Ok(made)
    }

    fn made_workflow(&self, made: &Request, instead: &Instead) -> Result<Workflow, Fault<OtherMeaning>> {
        Ok(Workflow {
            kind: made.kind(),
            user_name: made.username().cloned(),
            request: CanonicalBytes::of(Tag::Request, made)?,
            waits_for: instead.waits_for,
            ..self.workflow.clone()
        })
    }

    /// Stops what is still under way, and tells people what is asked for.
    async fn make_room(
        &self,
        tx: &mut Tx,
        (instead, of): (&Instead, &Workflow),
        workflow: &Workflow,
    ) -> Result<(), Fault<OtherMeaning>> {
        for id in &instead.stops {
            let one = workflows::locked(tx, *id).await?;
            let stop = Stop { rests: RestsAs::Cancelled, by: Some(workflow.id) };
            ends::end(tx, &one, self.taken_back(stop, Some(workflow.kind))).await?;
        }
        let words = format!(
            "the {} of workflow {} was taken back or put off by its source after it had been begun or carried out, so a {} \
             is asked for",
            of.kind, of.id, workflow.kind
        );
        outbox::raise_alarm(tx, workflow.id.into(), Some(workflow.id), &words).await
    }
}
