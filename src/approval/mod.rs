//! Approval: the page that a personal link leads to, and the door that an answer comes in by.
//!
//! Must hold: looking changes nothing; a token is never logged, and an unknown one is answered like any unknown
//! address; whether an answer counts is decided by the core's rule, asked here for the page and asked again by the
//! store in its transaction. Read in this order: `answers`, `case`, `reader`, `screen`, `door`.

mod answers;
mod case;
mod door;
mod reader;
mod screen;
#[cfg(test)]
mod tests;

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, Query, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, guard, web};
use serde::Deserialize;

use self::answers::unreadable;
use self::screen::Shown;
use crate::kit::Kit;
use crate::pages::live;
use crate::web::home::Home;
use crate::web::page;

/// A form larger than this is not read.
const MOST_FORM_BYTES: usize = 16 * 1024;

/// `/approve/{token}` and what lies below it. Wants a `Data<Kit>`.
pub fn routes(config: &mut ServiceConfig) {
    let looks = || web::route().guard(guard::Any(guard::Get()).or(guard::Head()));
    config
        .service(web::resource("/approve/{token}").route(looks().to(show)))
        .service(web::resource("/approve/{token}/progress").route(looks().to(progress)))
        .service(web::resource("/approve/{token}/live").route(web::get().to(follow)))
        .service(
            web::resource("/approve/{token}/decision")
                .app_data(web::FormConfig::default().limit(MOST_FORM_BYTES))
                .route(looks().to(reader::back))
                .route(web::post().to(door::decide)),
        )
        .service(
            web::resource("/approve/{token}/code")
                .route(looks().to(reader::back))
                .route(web::post().to(reader::ask)),
        )
        .service(
            web::resource("/approve/{token}/sign-in")
                .app_data(web::FormConfig::default().limit(MOST_FORM_BYTES))
                .route(looks().to(reader::back))
                .route(web::post().to(reader::enter)),
        );
}

async fn show(request: HttpRequest, token: Path<String>, kit: Data<Kit>) -> HttpResponse {
    match reader::of(&kit, &request, &token).await {
        Ok(case) if case.is_replaced() => screen::replaced(&case).answer(&Home::of(&kit), StatusCode::OK),
        Ok(case) => screen::answer(&kit, &case, Shown::plain(&token)).await,
        Err(answer) => answer,
    }
}

async fn progress(request: HttpRequest, token: Path<String>, kit: Data<Kit>) -> HttpResponse {
    match reader::of_part(&kit, &request, &token).await {
        Ok(case) if case.is_outdated() => screen::replaced(&case).answer(&Home::of(&kit), StatusCode::GONE),
        Ok(case) => match case.progress(&kit).await {
            Ok(progress) => page::html(StatusCode::OK, &progress),
            Err(fault) => unreadable(&kit, &fault),
        },
        Err(answer) => answer,
    }
}

#[derive(Deserialize)]
struct After {
    after: Option<i64>,
}

async fn follow(
    request: HttpRequest,
    token: Path<String>,
    kit: Data<Kit>,
    page: Result<Query<After>, actix_web::Error>,
) -> HttpResponse {
    match reader::of_part(&kit, &request, &token).await {
        // A browser does not come back after 204.
        Ok(case) if case.is_outdated() => HttpResponse::NoContent().finish(),
        Ok(case) => {
            let after = live::position(&request, page.ok().and_then(|page| page.after));
            let reader = case.session.map_or(live::Reader::Anybody, live::Reader::InSession);
            live::answer(&request, &kit, reader, (case.workflow.id, after))
        }
        Err(answer) => answer,
    }
}
