//! `POST /api/v1/requests`: the same requests, from programs with an API token.
//!
//! Must hold: nothing but the body itself names an event, since no header is signed: the delivery key is its hash.

use actix_web::{HttpRequest, HttpResponse, web};

use super::body::{self, LIMITS};
use super::receive::{Message, receive};
use crate::config::{Scope, Source, Verify};
use crate::domain::canon::Digest;
use crate::kit::Kit;
use crate::web::bearer;
use crate::web::problem::Problem;

/// Takes one request.
pub async fn post(kit: web::Data<Kit>, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let source = match sender(&kit, &request) {
        Ok(source) => source,
        Err(problem) => return problem.into(),
    };
    match body::read(request.headers(), payload, LIMITS).await {
        Ok(body) => {
            let key = Digest::of_bytes(&body).to_string();
            receive(&kit, source, Message { key, body }).await
        }
        Err(problem) => problem.into(),
    }
}

fn sender<'k>(kit: &'k Kit, request: &HttpRequest) -> Result<&'k Source, Problem> {
    let client = bearer::client(&kit.settings.api_clients, request.headers(), Scope::RequestsWrite)?;
    let source = client.source.as_ref().and_then(|name| kit.settings.source(name));
    // The settings are checked for this; a slip there must not open a door here.
    source.filter(|source| matches!(source.verify, Verify::ApiToken)).ok_or_else(|| {
        tracing::error!(client = %client.name, "an API client has no source that takes API tokens");
        Problem::internal()
    })
}
