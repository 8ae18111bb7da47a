//! `POST /webhooks/{source}`: signed messages.
//!
//! Must hold: a source that does not exist and a signature that does not fit look the same from outside; why is
//! told in our own log, without anything that was sent.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};

use super::body::{self, LIMITS};
use super::receive::{Message, receive};
use super::verify::{NotAuthentic, verify};
use crate::clock::guarded::Guarded;
use crate::config::Source;
use crate::domain::names::SourceName;
use crate::kit::Kit;
use crate::web::problem::Problem;

/// When a message may come again that cannot be judged while the time is in doubt.
const RETRY_AFTER_SECONDS: u16 = 60;

/// Takes one delivery.
pub async fn post(kit: web::Data<Kit>, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let body = match body::read(request.headers(), payload, LIMITS).await {
        Ok(body) => body,
        Err(problem) => return problem.into(),
    };
    let name = request.match_info().get("source").and_then(|name| SourceName::parse(name).ok());
    match authenticate(&kit, name.as_ref(), &request, &body) {
        Ok((source, key)) => receive(&kit, source, Message { key, body }).await,
        Err(reason @ NotAuthentic::OutsideWindow(_)) if in_doubt(&kit) => {
            // Whether it is too old cannot be told now; whoever sent it in good faith is to come again.
            tracing::warn!(%reason, "a delivery cannot be judged while the time is in doubt");
            metrics::counter!("countersign_deliveries_total", "outcome" => "time_in_doubt").increment(1);
            Problem::unavailable(RETRY_AFTER_SECONDS).into()
        }
        Err(reason) => {
            let source = name.as_ref().map_or("", SourceName::as_str);
            metrics::counter!("countersign_deliveries_total", "outcome" => "not_authentic").increment(1);
            tracing::warn!(source, outcome = "not_authentic", %reason, "a delivery was not authentic");
            let detail = "this message cannot be taken for authentic";
            Problem::new(StatusCode::UNAUTHORIZED, "not_authentic", detail).into()
        }
    }
}

fn in_doubt(kit: &Kit) -> bool {
    kit.world.clock.guarded().and_then(Guarded::doubt).is_some()
}

/// The source, and what makes a repeat of the message recognisable.
fn authenticate<'k>(
    kit: &'k Kit,
    name: Option<&SourceName>,
    request: &HttpRequest,
    body: &[u8],
) -> Result<(&'k Source, String), NotAuthentic> {
    let source = name.and_then(|name| kit.settings.source(name)).ok_or(NotAuthentic::NoSuchSource)?;
    let key = verify(&source.verify, request.headers(), body, kit.world.now())?;
    Ok((source, key))
}
