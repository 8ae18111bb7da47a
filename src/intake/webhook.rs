//! `POST /webhooks/{source}`: signed messages.
//!
//! Must hold: a source that does not exist and a signature that does not fit look the same from outside; why is
//! told in our own log, without anything that was sent.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};

use super::body::{self, LIMITS};
use super::receive::{Message, receive};
use super::verify::{NotAuthentic, verify};
use crate::config::Source;
use crate::domain::names::SourceName;
use crate::kit::Kit;
use crate::web::problem::Problem;

/// Takes one delivery.
pub async fn post(kit: web::Data<Kit>, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let body = match body::read(request.headers(), payload, LIMITS).await {
        Ok(body) => body,
        Err(problem) => return problem.into(),
    };
    let name = request.match_info().get("source").and_then(|name| SourceName::parse(name).ok());
    match authenticate(&kit, name.as_ref(), &request, &body) {
        Ok((source, key)) => receive(&kit, source, Message { key, body }).await,
        Err(reason) => {
            let source = name.as_ref().map_or("", SourceName::as_str);
            metrics::counter!("countersign_deliveries_total", "outcome" => "not_authentic").increment(1);
            tracing::warn!(source, outcome = "not_authentic", %reason, "a delivery was not authentic");
            let detail = "this message cannot be taken for authentic";
            Problem::new(StatusCode::UNAUTHORIZED, "not_authentic", detail).into()
        }
    }
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
