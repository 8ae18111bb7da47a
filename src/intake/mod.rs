//! Intake: what sources send becomes workflows.
//!
//! Must hold: a message is proven authentic over its raw bytes before anything reads them; a 2xx is sent only after
//! the commit; a refusal names places and rules, never values. Read `body`, `verify`, then `receive`.
//! Deliberately absent: planning, and anything that asks a target; the sender waits for the database alone.

pub mod api;
pub mod body;
pub mod receive;
mod refusal;
#[cfg(test)]
mod tests;
pub mod verify;
pub mod webhook;

use actix_web::{HttpResponse, web};

use crate::web::problem::Problem;

/// The addresses to which requests are sent; [`crate::kit::Kit`] must be there as `web::Data`.
pub fn routes(config: &mut web::ServiceConfig) {
    let webhook = web::resource("/webhooks/{source}").route(web::post().to(webhook::post));
    let api = web::resource("/api/v1/requests").route(web::post().to(api::post));
    for resource in [webhook, api] {
        config.service(resource.default_service(web::to(wrong_method)));
    }
}

async fn wrong_method() -> HttpResponse {
    Problem::wrong_method("POST").into()
}
