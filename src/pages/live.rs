//! The live stream of one workflow: each audit event as it is committed, by its position in the chain.
//!
//! Must hold: only reads; what another replica writes is seen, too, since the database is asked and the bell only
//! shortens the wait; the stream ends when nothing more will come by itself, when its reader's session has ended, when
//! the service ends, and after a while in any case (a browser comes back with the last id it saw).

use std::convert::Infallible;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::{HttpRequest, Responder};
use actix_web_lab::sse::{Data, Event, Sse};
use futures_util::{Stream, StreamExt as _, stream};
use serde_json::json;
use tokio::sync::watch;

use super::timeline::event_in_words;
use crate::domain::canon::Digest;
use crate::domain::ids::WorkflowId;
use crate::domain::workflow::State;
use crate::kit::Kit;
use crate::store::audit::{Told, chain};
use crate::store::{ReadFault, sessions, workflows};

/// How long the database is left alone when no bell rings.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// After so many looks the stream ends and the browser comes back.
const MOST_LOOKS: u32 = 300;
/// At most so many events are read at a time.
const BATCH: u64 = 200;

/// Who follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// Whoever has the address, where no sign-in is wanted.
    Anybody,
    /// Somebody who has signed in, for as long as this session holds.
    InSession(Digest),
}

/// Where the stream goes on.
struct Following {
    kit: Kit,
    reader: Reader,
    bell: watch::Receiver<u64>,
    workflow: WorkflowId,
    after: i64,
    looks: u32,
    over: bool,
}

/// The events of a workflow after a position, as they come.
pub fn answer(
    request: &HttpRequest,
    kit: &Kit,
    reader: Reader,
    (workflow, after): (WorkflowId, i64),
) -> HttpResponse {
    let (kit, bell) = (kit.clone(), kit.store.bell());
    let start = Following { kit, reader, bell, workflow, after, looks: 0, over: false };
    let stream = events(start).map(Ok::<_, Infallible>);
    let sse = Sse::from_stream(stream)
        .with_keep_alive(Duration::from_secs(15))
        .with_retry_duration(Duration::from_secs(2));
    let mut answer = sse.respond_to(request);
    // The responder says no-cache; like every page of ours this is not to be kept at all.
    answer.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    answer.map_into_boxed_body()
}

/// The position after which a reader wants to go on: `Last-Event-ID`, else what the page says.
pub fn position(request: &HttpRequest, of_page: Option<i64>) -> i64 {
    let last =
        request.headers().get("last-event-id").and_then(|value| value.to_str().ok()?.trim().parse().ok());
    last.or(of_page).unwrap_or(0).max(0)
}

fn events(start: Following) -> impl Stream<Item = Event> {
    stream::unfold(start, next_batch).map(stream::iter).flatten()
}

async fn next_batch(mut following: Following) -> Option<(Vec<Event>, Following)> {
    while !following.over && following.looks < MOST_LOOKS && !following.kit.store.is_ending() {
        following.bell.mark_unchanged();
        following.looks += 1;
        match look(&following).await {
            // The browser comes back, and is led to the sign-in.
            Ok(None) => return None,
            Ok(Some((told, rests))) => {
                let mut batch: Vec<Event> = told.iter().map(message).collect();
                following.after = told.last().map_or(following.after, |told| told.event.position);
                if rests {
                    following.over = true;
                    batch.push(Data::new("{}").event("end").into());
                }
                if !batch.is_empty() {
                    return Some((batch, following));
                }
            }
            Err(fault) => {
                tracing::error!(%fault, workflow.id = %following.workflow, "a live stream ends: no reading");
                return None;
            }
        }
        // Nothing happens when the wait is over: the database is asked either way.
        let _ = tokio::time::timeout(LOOK_AGAIN, following.bell.changed()).await;
    }
    None
}

/// Nothing for a reader whose session has ended. The state is read first: what it rests on is then among the events.
async fn look(following: &Following) -> Result<Option<(Vec<Told>, bool)>, ReadFault> {
    let store = &following.kit.store;
    if let Reader::InSession(id_hash) = following.reader
        && sessions::standing(store, id_hash, following.kit.world.now()).await?.is_none()
    {
        return Ok(None);
    }
    let workflow = workflows::find(store, following.workflow).await?;
    let told = chain(store, following.workflow.into(), following.after, BATCH).await?;
    let all = u64::try_from(told.len()).is_ok_and(|count| count < BATCH);
    let rests = workflow.is_none_or(|workflow| {
        workflow.state.is_final() || matches!(workflow.state, State::NeedsAttention { .. })
    });
    Ok(Some((told, rests && all)))
}

fn message(told: &Told) -> Event {
    let line = event_in_words(told);
    let data = json!({ "kind": told.event.kind, "at": line.at, "words": line.words });
    Data::new(data.to_string()).id(told.event.position.to_string()).event("audit").into()
}
