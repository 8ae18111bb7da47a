//! Console: what operators and their tools see.
//!
//! Must hold: looking changes nothing; whoever acts has signed in. Read in this order: `access`, `top`, `asked`, `list`,
//! `sight`, `ways`, `bound`, `act`, `detail`, `held`, `settle`, `leavers`;
//! `contract` tells programs what they may ask, `ready` and `operations` tell how the service is.

mod access;
mod top;
pub mod api;
mod asked;
mod contract;
mod list;
mod ready;
pub mod operations;
mod sight;
mod span;
mod ways;
mod bound;
mod detail;
mod act;
mod held;
mod settle;
mod leavers;

use actix_web::guard;
use actix_web::web;

/// A form larger than this is not read.
const MOST_FORM_BYTES: usize = 16 * 1024;
/// The same of the form of a batch: it names each of some ten thousand leavers.
const MOST_BATCH_FORM_BYTES: usize = 512 * 1024;

/// The console, the operators' JSON API, and what their tools ask.
pub fn routes(config: &mut web::ServiceConfig) {
    let looks = || web::route().guard(guard::Any(guard::Get()).or(guard::Head()));
    config
        .service(web::resource("/workflows").route(looks().to(list::show)))
        .service(web::resource("/workflows/{id}").route(looks().to(detail::show)))
        .service(web::resource("/workflows/{id}/progress").route(looks().to(detail::progress)))
        .service(
            web::resource("/workflows/{id}/act")
                .app_data(web::FormConfig::default().limit(MOST_FORM_BYTES))
                .route(looks().to(act::back))
                .route(web::post().to(act::act)),
        )
        .service(web::resource("/workflows/{id}/live").route(web::get().to(detail::follow)))
        .service(web::resource("/held").route(looks().to(held::show)))
        .service(
            web::resource("/held/{id}")
                .app_data(web::FormConfig::default().limit(MOST_BATCH_FORM_BYTES))
                .route(looks().to(held::show_one))
                .route(web::post().to(settle::settle)),
        )
        .service(web::resource("/reports/leavers").route(looks().to(leavers::show)))
        .service(web::resource("/openapi.json").route(looks().to(contract::document)))
        .service(web::resource("/api/docs").route(looks().to(contract::show)))
        .configure(api::routes)
        .configure(operations::routes);
}
