//! The two short answers that page and door share.
//!
//! Must hold: neither says anything about a token or about what was sent.

use actix_web::HttpResponse;
use actix_web::http::header;

use crate::kit::Kit;
use crate::store::ReadFault;
use crate::web::home::Home;
use crate::web::page;

/// Sends the browser to the page. The token was found, so it is one of ours and safe in an address.
pub(super) fn see(kit: &Kit, token: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, Home::of(kit).path(&format!("/approve/{token}"))))
        .finish()
}

/// Our own records cannot be read.
pub(super) fn unreadable(kit: &Kit, fault: &ReadFault) -> HttpResponse {
    if let ReadFault::Cleared(at) = fault {
        return page::cleared(&Home::of(kit), *at);
    }
    tracing::error!(%fault, "an approval page cannot be shown");
    page::unavailable(
        &Home::of(kit),
        "Countersign cannot read its own records just now. Nothing was changed.",
    )
}
