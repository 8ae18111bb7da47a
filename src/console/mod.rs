//! Console: what operators and their tools see.
//!
//! Must hold: looking changes nothing.

pub mod api;
pub mod operations;

use actix_web::web;

/// The operators' JSON API, and what their tools ask.
pub fn routes(config: &mut web::ServiceConfig) {
    config.configure(api::routes).configure(operations::routes);
}
