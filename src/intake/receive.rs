//! An authentic message becomes a workflow, or is refused and kept.
//!
//! Must hold: one deed takes it in, and nothing is answered before its commit; where the outcome of that deed is
//! unknown, the same deed runs once more and finds its own rows; what was taken in before is never refused on a
//! repeat, although time has passed or settings have changed since.

use std::collections::BTreeSet;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use chrono::TimeDelta;
use serde::Serialize;

use super::refusal::Refusal;
use crate::clock::Stamp;
use crate::config::{Format, Source};
use crate::domain::canon::{CanonicalBytes, Tag};
use crate::domain::ids::{DeliveryId, WorkflowId};
use crate::domain::request::{FieldFault, Request, RequestContext};
use crate::domain::strict_json;
use crate::domain::time::Timestamp;
use crate::domain::workflow::State;
use crate::kit::Kit;
use crate::rules::asked_for::set_without_leave;
use crate::store::accept::{self, AcceptDelivery, Accepted, Repeat};
use crate::store::deliveries::{Delivery, RefuseDelivery};
use crate::store::workflows::{self, Workflow};
use crate::store::{Deed, WriteFault};
use crate::target::Adoption;
use crate::web::json;
use crate::web::problem::Problem;

/// A message that is proven to be from its source.
pub struct Message {
    /// What makes a repeat recognisable.
    pub key: String,
    /// The raw bytes.
    pub body: Vec<u8>,
}

/// Takes a message in and says what became of it.
pub async fn receive(kit: &Kit, source: &Source, message: Message) -> HttpResponse {
    let stamp = kit.world.stamp();
    let id = DeliveryId::made(stamp.at, kit.world.bytes());
    let delivery = Delivery { id, source: source.name.clone(), key: message.key, body: message.body };
    let taken = match understand(kit, source, &stamp, &delivery).await {
        Ok(meant) => accept(kit, &stamp, &delivery, &meant).await,
        Err(refusal) => taken_before(kit, &delivery, refusal).await,
    };
    let outcome = match taken {
        Ok(accepted) => Ok(accepted),
        Err(refusal) => Err(keep(kit, &stamp, &delivery, refusal).await),
    };
    note(&delivery, &outcome);
    match outcome {
        Ok(accepted) => answer(kit, &accepted),
        Err(refusal) => Problem::from(&refusal).into(),
    }
}

/// What a message means.
struct Meant {
    /// The workflow it would become.
    workflow: Workflow,
    /// The words that people will look it up by.
    found_by: BTreeSet<String>,
    /// What should have taken effect longer ago than this, a person looks at first.
    oldest: TimeDelta,
    /// A leaver's access is to be gone within this time.
    leaver_within: TimeDelta,
}

/// From bytes to what they mean.
async fn understand(
    kit: &Kit,
    source: &Source,
    stamp: &Stamp,
    delivery: &Delivery,
) -> Result<Meant, Refusal> {
    let Format::Jml1 = source.format;
    let json = strict_json::parse(&delivery.body).map_err(|bad| {
        Refusal::Unreadable(FieldFault { pointer: bad.pointer, code: bad.code, wanted: bad.wanted })
    })?;
    let context = RequestContext { default_zone: source.timezone };
    let request = Request::parse(&json, &context).map_err(Refusal::Invalid)?;
    let canonical = CanonicalBytes::of(Tag::Request, &request).map_err(|_| {
        let wanted = "a request that has a canonical form".to_owned();
        Refusal::Invalid(vec![FieldFault { pointer: String::new(), code: "not_canonical", wanted }])
    })?;
    let faults = out_of_reach(&request, source, stamp.at);
    if !faults.is_empty() && !known(kit, source, &request, &canonical).await? {
        return Err(Refusal::Invalid(faults));
    }
    let workflow = Workflow {
        id: WorkflowId::made(stamp.at, kit.world.bytes()),
        source: source.name.clone(),
        source_ref: request.source_ref.clone(),
        namespace: source.people.clone(),
        person_ref: request.person_ref.clone(),
        kind: request.kind(),
        state: State::Planning,
        target: None,
        user_name: request.username().cloned(),
        request: canonical,
        adoption: Adoption::OnlyByMark,
        plan_number: 0,
        replans: 0,
        vault_awaited_since: None,
        vault_awaited_told: None,
        waits_for: None,
        part_of: None,
        ended_by: None,
        cancelled_by: None,
        stop: None,
        not_before: None,
        approval_ends: None,
        created_at: stamp.at,
        updated_at: stamp.at,
        cleared: None,
    };
    let leaver_within = source.leaver_within;
    let oldest = source.oldest_effective;
    Ok(Meant { workflow, found_by: request.found_by(), oldest, leaver_within })
}

/// What this source may not ask for, what nobody can ask for yet, and what only the clock can tell.
fn out_of_reach(request: &Request, source: &Source, now: Timestamp) -> Vec<FieldFault> {
    let mut faults = request.faults_at(now);
    faults.extend(request.not_available_yet());
    faults.extend(set_without_leave(source, request).into_iter().map(|field| FieldFault {
        pointer: format!("/{}", field.replace('.', "/")),
        code: "may_not_set",
        wanted: "left out: this source may not set it".to_owned(),
    }));
    faults
}

/// The same bytes under the same key are a repeat, whatever today's settings make of them.
async fn taken_before(kit: &Kit, delivery: &Delivery, refusal: Refusal) -> Result<Accepted, Refusal> {
    match accept::taken_before(&kit.store, delivery).await {
        Ok(Some(accepted)) => Ok(accepted),
        Ok(None) => Err(refusal),
        Err(fault) => {
            tracing::error!(source = %delivery.source, %fault, "a repeated delivery could not be looked up");
            Err(Refusal::Unavailable)
        }
    }
}

/// Was this very request taken in before?
async fn known(
    kit: &Kit,
    source: &Source,
    request: &Request,
    canonical: &CanonicalBytes,
) -> Result<bool, Refusal> {
    let standing = workflows::find_by_source_ref(&kit.store, &source.name, &request.source_ref).await;
    match standing {
        Ok(standing) => Ok(standing.is_some_and(|standing| standing.asks_for(canonical))),
        Err(fault) => {
            tracing::error!(source = %source.name, %fault, "a repeated request could not be looked up");
            Err(Refusal::Unavailable)
        }
    }
}

async fn accept(kit: &Kit, stamp: &Stamp, delivery: &Delivery, meant: &Meant) -> Result<Accepted, Refusal> {
    let deed = || AcceptDelivery {
        stamp: stamp.clone(),
        delivery: delivery.clone(),
        workflow: meant.workflow.clone(),
        found_by: meant.found_by.clone(),
        oldest: meant.oldest,
        leaver_within: meant.leaver_within,
    };
    match write(kit, deed).await {
        Ok(accepted) => Ok(accepted),
        Err(WriteFault::Refused(other)) => Err(Refusal::Taken(other)),
        Err(WriteFault::Unavailable(_) | WriteFault::Unknown(_)) => Err(Refusal::Unavailable),
    }
}

/// Keeps what is refused for good. When it cannot be kept the sender is asked to come again.
async fn keep(kit: &Kit, stamp: &Stamp, delivery: &Delivery, refusal: Refusal) -> Refusal {
    if refusal == Refusal::Unavailable {
        return refusal;
    }
    let deed = || RefuseDelivery {
        stamp: stamp.clone(),
        delivery: delivery.clone(),
        reason: refusal.recorded(),
        alarm: refusal.alarm(),
    };
    match write(kit, deed).await {
        Ok(()) => refusal,
        Err(WriteFault::Refused(never)) => match never {},
        Err(WriteFault::Unavailable(_) | WriteFault::Unknown(_)) => Refusal::Unavailable,
    }
}

/// Runs a deed, and the same deed once more where nobody knows what became of it.
async fn write<D: Deed>(kit: &Kit, deed: impl Fn() -> D) -> Result<D::Done, WriteFault<D::No>> {
    match kit.store.write(deed()).await {
        Err(WriteFault::Unknown(_)) => kit.store.write(deed()).await,
        known => known,
    }
}

/// One line for each delivery; nothing of what was sent stands in it.
fn note(delivery: &Delivery, outcome: &Result<Accepted, Refusal>) {
    let (word, workflow) = match outcome {
        Ok(accepted) => {
            let word = match accepted.repeat {
                Repeat::First if accepted.workflow.is_none() => "ignored",
                Repeat::First => "accepted",
                Repeat::Again => "repeated",
            };
            (word, accepted.workflow.map(tracing::field::display))
        }
        Err(refusal) => (refusal.word(), None),
    };
    metrics::counter!("countersign_deliveries_total", "outcome" => word).increment(1);
    tracing::info!(
        source = %delivery.source,
        delivery.id = %delivery.id,
        workflow.id = workflow,
        outcome = word,
        "a delivery was received"
    );
}

#[derive(Serialize)]
struct Receipt {
    workflow_id: Option<WorkflowId>,
    state: &'static str,
    duplicate: bool,
    status_url: Option<String>,
}

fn answer(kit: &Kit, accepted: &Accepted) -> HttpResponse {
    let base = kit.settings.http.public_url.as_str().trim_end_matches('/');
    let (status, duplicate) = match accepted.repeat {
        Repeat::First => (StatusCode::ACCEPTED, false),
        Repeat::Again => (StatusCode::OK, true),
    };
    let receipt = Receipt {
        workflow_id: accepted.workflow,
        state: accepted.state,
        duplicate,
        status_url: accepted.workflow.map(|id| format!("{base}/api/v1/workflows/{id}")),
    };
    json::answer(status, &receipt)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use async_trait::async_trait;

    use super::*;
    use crate::store::{Fault, Tx};
    use crate::web::tests::Stage;

    /// Leaves its outcome unknown as often as it is told to.
    struct Shaky {
        stamp: Stamp,
        failures: u32,
        runs: Arc<AtomicU32>,
    }

    #[async_trait]
    impl Deed for Shaky {
        type Done = ();
        type No = Infallible;

        fn name(&self) -> &'static str {
            "shaky"
        }

        fn stamp(&self) -> &Stamp {
            &self.stamp
        }

        async fn perform(&self, _tx: &mut Tx) -> Result<(), Fault<Infallible>> {
            // A task that ends early tells as little as a connection that breaks in the commit.
            assert!(self.runs.fetch_add(1, Ordering::SeqCst) >= self.failures, "as wanted by the test");
            Ok(())
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_unknown_outcome_is_asked_for_once_more_and_no_further() {
        let stage = Stage::start(crate::intake::routes).await;
        for (failures, known, most_runs) in [(0, true, 1), (1, true, 2), (2, false, 2)] {
            let (stamp, runs) = (stage.kit.world.stamp(), Arc::new(AtomicU32::new(0)));
            let deed = || Shaky { stamp: stamp.clone(), failures, runs: Arc::clone(&runs) };
            assert_eq!(write(&stage.kit, deed).await.is_ok(), known, "{failures}");
            assert_eq!(runs.load(Ordering::SeqCst), most_runs);
        }
    }
}
