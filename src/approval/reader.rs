//! Who reads the page behind a personal link: in `link` mode whoever has it, else the person who was asked and nobody
//! else, freshly signed in.
//!
//! Must hold: everything below `/approve/{token}` comes through here, so that no part of a page is shown, and no answer
//! taken, around the sign-in.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Form, Path};
use actix_web::{HttpRequest, HttpResponse};

use super::answers::{see, unreadable};
use super::case::Case;
use crate::domain::sign_in::{Proof, Strength};
use crate::kit::Kit;
use crate::people::gate::{self, Entry, Personal, Typed};
use crate::web::home::Home;
use crate::web::page::{self, Message};

const LEAD: &str = "This link opens only for the person it was sent to. Countersign mails that person a code, to the \
                    address that the link was sent to.";

/// The case, for somebody who may see it; or the answer for everybody else.
pub(super) async fn of(kit: &Kit, request: &HttpRequest, token: &str) -> Result<Case, HttpResponse> {
    let case = find(kit, token).await?;
    match case.wants(kit) {
        Strength::Link => Ok(case),
        Strength::Code => match gate::admit(kit, request, personal(&case, &here(token))).await {
            Entry::Open(session) => {
                let proof = Proof::Code(session.began_at);
                Ok(Case { proof, session: Some(session.id_hash), ..case })
            }
            Entry::Closed(answer) => Err(answer),
            Entry::Another(_, answer) => {
                tracing::warn!(workflow.id = %case.workflow.id, "a link was opened by another person than it is for");
                Err(answer)
            }
        },
    }
}

/// The same for a part of the page that is fetched by itself: there is no place for a form in it.
pub(super) async fn of_part(kit: &Kit, request: &HttpRequest, token: &str) -> Result<Case, HttpResponse> {
    let refused = |answer: HttpResponse| {
        if answer.status() == StatusCode::OK { gate::not_signed_in(kit) } else { answer }
    };
    of(kit, request, token).await.map_err(refused)
}

/// `POST /approve/{token}/code`
pub(super) async fn ask(request: HttpRequest, token: Path<String>, kit: Data<Kit>) -> HttpResponse {
    match find(&kit, &token).await {
        Ok(case) if case.wants(&kit) == Strength::Link => needless(&kit),
        Ok(case) => gate::ask(&kit, &request, personal(&case, &here(&token))).await,
        Err(answer) => answer,
    }
}

/// `POST /approve/{token}/sign-in`
pub(super) async fn enter(
    request: HttpRequest,
    token: Path<String>,
    kit: Data<Kit>,
    form: Result<Form<Typed>, actix_web::Error>,
) -> HttpResponse {
    let typed = form.map_or_else(|_| Typed::default(), Form::into_inner);
    match find(&kit, &token).await {
        Ok(case) if case.wants(&kit) == Strength::Link => needless(&kit),
        Ok(case) => gate::enter(&kit, &request, personal(&case, &here(&token)), &typed).await,
        Err(answer) => answer,
    }
}

/// Somebody loads the address of a form anew: the page itself is meant.
pub(super) async fn back(token: Path<String>, kit: Data<Kit>) -> HttpResponse {
    match find(&kit, &token).await {
        Ok(_) => see(&kit, &token),
        Err(answer) => answer,
    }
}

async fn find(kit: &Kit, token: &str) -> Result<Case, HttpResponse> {
    match Case::find(kit, token).await {
        Ok(Some(case)) => Ok(case),
        Ok(None) => Err(page::unknown(&Home::of(kit))),
        Err(fault) => Err(unreadable(kit, &fault)),
    }
}

fn here(token: &str) -> String {
    format!("/approve/{token}")
}

fn personal<'a>(case: &'a Case, here: &'a str) -> Personal<'a> {
    Personal { address: &case.ask.approver, workflow: case.workflow.id, here, lead: LEAD }
}

fn needless(kit: &Kit) -> HttpResponse {
    Message::new(
        "No sign-in is wanted here",
        "This link opens without a code. Open it once more from the mail.",
    )
    .answer(&Home::of(kit), StatusCode::CONFLICT)
}
