//! The gate before a personal link: who holds the link is shown nothing until they have signed in as its addressee.
//!
//! Must hold: the link is a locator and no more; somebody else who has signed in learns only that the link is for
//! another person. Deliberately absent: where links lead to; the stations know that and ask here.

use actix_web::http::{Method, StatusCode, header};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;

use super::asking::{self, Asked, Came, Wanted};
use super::pages::{AnotherPerson, SignInPage, Stage};
use super::session;
use crate::domain::ids::WorkflowId;
use crate::domain::names::EmailAddress;
use crate::kit::Kit;
use crate::store::ReadFault;
use crate::store::codes::{Sort, Whose};
use crate::store::sessions::Session;
use crate::web::csrf;
use crate::web::home::Home;
use crate::web::page::{self, Message};

/// A personal link that somebody has opened.
#[derive(Debug, Clone, Copy)]
pub struct Personal<'a> {
    /// Whom it was sent to.
    pub address: &'a EmailAddress,
    /// What it is about.
    pub workflow: WorkflowId,
    /// The path it leads to, such as `/approve/…`; asking for a code lies at `/code` below it, entering one at
    /// `/sign-in`.
    pub here: &'a str,
    /// Why a sign-in is wanted, in one sentence that tells nothing of the workflow.
    pub lead: &'static str,
}

/// May the sender of a request come in?
#[derive(Debug)]
pub enum Entry {
    /// Yes: it is the person.
    Open(Session),
    /// No, and this is the answer.
    Closed(HttpResponse),
    /// Somebody else has signed in; this is the answer.
    Another(Session, HttpResponse),
}

/// The form with the code.
#[derive(Default, Deserialize)]
pub struct Typed {
    #[serde(default)]
    code: String,
}

/// Looks who sends this request.
pub async fn admit(kit: &Kit, request: &HttpRequest, personal: Personal<'_>) -> Entry {
    let looks = request.method() == Method::GET || request.method() == Method::HEAD;
    let session = match session::of(kit, request).await {
        Ok(session) => session,
        Err(fault) => return Entry::Closed(unreadable(kit, &fault)),
    };
    match session {
        Some(session) if session.address.mailbox() == personal.address.mailbox() => Entry::Open(session),
        Some(session) => {
            let answer = AnotherPerson {
                home: Home::of(kit),
                you: session.address.to_string(),
                to: personal.here.to_owned(),
            };
            Entry::Another(session, page::html(StatusCode::FORBIDDEN, &answer))
        }
        None => Entry::Closed(match sign_in_page(kit, request, personal).await {
            Ok(page) if looks => page.answer(StatusCode::OK),
            Ok(page) => page
                .but("You are not signed in, so nothing was recorded. Sign in and answer once more.")
                .answer(StatusCode::FORBIDDEN),
            Err(fault) => unreadable(kit, &fault),
        }),
    }
}

/// The short answer to a part of a page, such as its live progress, whose reader is not signed in any more.
pub fn not_signed_in(kit: &Kit) -> HttpResponse {
    Message::new("Please sign in", "This part of the page is for somebody who has signed in.")
        .answer(&Home::of(kit), StatusCode::FORBIDDEN)
}

/// `POST …/code`: a code is mailed to the addressee of the link.
pub async fn ask(kit: &Kit, request: &HttpRequest, personal: Personal<'_>) -> HttpResponse {
    if let Some(foreign) = foreign(kit, request) {
        return foreign;
    }
    let wanted = Wanted { address: personal.address, workflow: Some(personal.workflow), sort: Sort::Mailed };
    match asking::ask(kit, request, wanted).await {
        Asked::Owed(cookie) => {
            let to = Home::of(kit).path(personal.here);
            HttpResponse::SeeOther().insert_header((header::LOCATION, to)).cookie(cookie).finish()
        }
        Asked::TooOften(often) => match sign_in_page(kit, request, personal).await {
            Ok(page) => page.too_often(kit, often),
            Err(fault) => unreadable(kit, &fault),
        },
        Asked::Unavailable => unavailable(kit),
    }
}

/// `POST …/sign-in`: the code comes back.
pub async fn enter(kit: &Kit, request: &HttpRequest, personal: Personal<'_>, typed: &Typed) -> HttpResponse {
    if let Some(foreign) = foreign(kit, request) {
        return foreign;
    }
    let came = asking::enter(kit, request, Whose::Of(personal.address, personal.workflow), &typed.code).await;
    if let Came::In(cookies) = came {
        let to = Home::of(kit).path(personal.here);
        return signed_in(to, *cookies);
    }
    match sign_in_page(kit, request, personal).await {
        Ok(page) => refused(kit, page, &came),
        Err(fault) => unreadable(kit, &fault),
    }
}

/// The answer to somebody who has just signed in.
pub(super) fn signed_in(to: String, cookies: [actix_web::cookie::Cookie<'static>; 2]) -> HttpResponse {
    let mut answer = HttpResponse::SeeOther();
    answer.insert_header((header::LOCATION, to));
    for cookie in cookies {
        answer.cookie(cookie);
    }
    answer.finish()
}

/// The answer to a code that did not open.
pub(super) fn refused(kit: &Kit, page: SignInPage, came: &Came) -> HttpResponse {
    let problem = match came {
        Came::NoCode => "A code has six digits. Look at the newest mail once more.".to_owned(),
        Came::Wrong(1) => "This is not the code. One more try is left.".to_owned(),
        Came::Wrong(left) => format!("This is not the code. {left} more tries are left."),
        Came::Over => {
            "No code holds in this browser any more: it was entered wrongly too often, came too late, or \
                       was asked for elsewhere. Ask for a new one."
                .to_owned()
        }
        Came::In(_) | Came::Unavailable => return unavailable(kit),
    };
    page.but(problem).answer(StatusCode::UNPROCESSABLE_ENTITY)
}

async fn sign_in_page(
    kit: &Kit,
    request: &HttpRequest,
    personal: Personal<'_>,
) -> Result<SignInPage, ReadFault> {
    let home = Home::of(kit);
    let code = asking::latest(kit, request, Whose::Of(personal.address, personal.workflow)).await?;
    let standing = code.filter(|code| code.expires_at > kit.world.now());
    Ok(SignInPage {
        lead: personal.lead,
        stage: standing.map_or(Stage::Ask, |code| Stage::Enter(code.expires_at.in_words())),
        typed: false,
        ask: home.path(&format!("{}/code", personal.here)),
        enter: home.path(&format!("{}/sign-in", personal.here)),
        to: None,
        problem: None,
        home,
    })
}

/// A form that did not come from a page of ours.
pub(super) fn foreign(kit: &Kit, request: &HttpRequest) -> Option<HttpResponse> {
    let foreign = csrf::from_own_page(request.headers(), &kit.settings.http.public_url).err()?;
    tracing::warn!(because = %foreign, "a sign-in form was refused: it is not ours");
    let message = Message::new(
        "This did not come from our page",
        "Nothing was done. Countersign takes a sign-in only from its own page, opened under its own address.",
    );
    Some(message.answer(&Home::of(kit), StatusCode::FORBIDDEN))
}

pub(super) fn unavailable(kit: &Kit) -> HttpResponse {
    page::unavailable(&Home::of(kit), "Countersign cannot write just now. Please try again.")
}

pub(super) fn unreadable(kit: &Kit, fault: &ReadFault) -> HttpResponse {
    tracing::error!(%fault, "a sign-in cannot be looked up");
    page::unavailable(
        &Home::of(kit),
        "Countersign cannot read its own records just now. Nothing was changed.",
    )
}
