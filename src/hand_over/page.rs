//! The page of a hand-over: a sign-in first, then one button, then the password.
//!
//! Must hold: the password stands in the answer to a POST and nowhere else; it is opened before anything is recorded,
//! so that a value that does not open is not taken for shown.

use actix_web::http::{StatusCode, header};
use actix_web::web::{Data, Form, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, guard, web};
use askama::Template;
use zeroize::Zeroizing;

use crate::domain::ids::WorkflowId;
use crate::domain::names::EmailAddress;
use crate::key::{LinkToken, Purpose};
use crate::kit::Kit;
use crate::people::gate::{self, Entry, Personal, Typed};
use crate::store::foreign_attempts::ForeignAttempt;
use crate::store::hand_overs::{self, HandOver, Reveal, State};
use crate::store::sessions::Session;
use crate::store::{ReadFault, WriteFault, secrets, workflows};
use crate::web::csrf;
use crate::web::home::Home;
use crate::web::page::{self, Message};

const LEAD: &str = "This link opens only for the person it was sent to. Countersign mails that person a code, to the \
                    address that the link was sent to.";

/// `/credentials/{token}` and what lies below it. Wants a `Data<Kit>`.
pub fn routes(config: &mut ServiceConfig) {
    let looks = || web::route().guard(guard::Any(guard::Get()).or(guard::Head()));
    config
        .service(web::resource("/credentials/{token}").route(looks().to(show)).route(web::post().to(reveal)))
        .service(
            web::resource("/credentials/{token}/code").route(looks().to(back)).route(web::post().to(ask)),
        )
        .service(
            web::resource("/credentials/{token}/sign-in")
                .route(looks().to(back))
                .route(web::post().to(enter)),
        );
}

/// What the page offers its recipient.
#[derive(Template)]
#[template(path = "credential.html")]
struct CredentialPage {
    home: Home,
    you: String,
    /// The path of the page without the prefix, to come back to.
    here: String,
    /// The account's name in the vault.
    user_name: String,
    stage: Stage,
}

enum Stage {
    /// It can be shown, until this moment.
    Waiting(String),
    /// It was shown in this session and can be read again, until this moment.
    Again(String),
    /// Here it is; it can be read again until this moment.
    Shown(Zeroizing<String>, String),
}

/// A hand-over with its recipient.
struct Case {
    hand_over: HandOver,
    recipient: EmailAddress,
    here: String,
}

impl Case {
    async fn find(kit: &Kit, token: &str) -> Result<Self, HttpResponse> {
        let found = hand_overs::by_link(&kit.store, LinkToken::received(token).hash()).await;
        let found = found.map_err(|fault| unreadable(kit, &fault))?;
        let with_recipient = found.and_then(|found| Some((found.recipient.clone()?, found)));
        let (recipient, hand_over) = with_recipient.ok_or_else(|| page::unknown(&Home::of(kit)))?;
        Ok(Self { hand_over, recipient, here: format!("/credentials/{token}") })
    }

    fn personal(&self) -> Personal<'_> {
        Personal { address: &self.recipient, workflow: self.hand_over.workflow, here: &self.here, lead: LEAD }
    }
}

async fn show(request: HttpRequest, token: Path<String>, kit: Data<Kit>) -> HttpResponse {
    let case = match Case::find(&kit, &token).await {
        Ok(case) => case,
        Err(answer) => return answer,
    };
    match gate::admit(&kit, &request, case.personal()).await {
        Entry::Open(session) => standing(&kit, &case, &session).await,
        Entry::Closed(answer) | Entry::Another(_, answer) => answer,
    }
}

async fn standing(kit: &Kit, case: &Case, session: &Session) -> HttpResponse {
    let now = kit.world.now();
    let stage = match case.hand_over.state {
        State::Waiting(end) if now < end => Stage::Waiting(end.in_words()),
        State::Revealed(end) if now < end && case.hand_over.session == Some(session.id_hash) => {
            Stage::Again(end.in_words())
        }
        State::Waiting(_) | State::Revealed(_) | State::Destroyed | State::Expired => {
            return gone(kit, StatusCode::OK);
        }
    };
    answer(kit, case, stage).await
}

async fn answer(kit: &Kit, case: &Case, stage: Stage) -> HttpResponse {
    let user_name = match user_name(kit, case.hand_over.workflow).await {
        Ok(name) => name,
        Err(fault) => return unreadable(kit, &fault),
    };
    let shown = CredentialPage {
        home: Home::of(kit),
        you: case.recipient.to_string(),
        here: case.here.clone(),
        user_name,
        stage,
    };
    page::html(StatusCode::OK, &shown)
}

async fn user_name(kit: &Kit, workflow: WorkflowId) -> Result<String, ReadFault> {
    let found = workflows::find(&kit.store, workflow).await?;
    Ok(found.and_then(|workflow| workflow.user_name).map_or_else(String::new, |name| name.to_string()))
}

/// `POST /credentials/{token}`
async fn reveal(request: HttpRequest, token: Path<String>, kit: Data<Kit>) -> HttpResponse {
    if let Err(foreign) = csrf::from_own_page(request.headers(), &kit.settings.http.public_url) {
        tracing::warn!(because = %foreign, "a form of the hand-over was refused: it is not ours");
        let message = Message::new(
            "This did not come from our page",
            "Nothing was shown. Countersign takes this only from its own page, opened under its own address.",
        );
        return message.answer(&Home::of(&kit), StatusCode::FORBIDDEN);
    }
    let case = match Case::find(&kit, &token).await {
        Ok(case) => case,
        Err(answer) => return answer,
    };
    match gate::admit(&kit, &request, case.personal()).await {
        Entry::Open(session) => hand_out(&kit, &case, &session).await,
        Entry::Closed(answer) => answer,
        Entry::Another(session, answer) => {
            let attempt = ForeignAttempt {
                stamp: kit.world.stamp(),
                hand_over: case.hand_over.clone(),
                by: session.address,
            };
            metrics::counter!("countersign_credentials_refused_total").increment(1);
            tracing::warn!(workflow.id = %case.hand_over.workflow, "somebody else reached for a password");
            match kit.store.write(attempt).await {
                Ok(()) => answer,
                Err(_) => page::unavailable(&Home::of(&kit), NOT_NOW),
            }
        }
    }
}

async fn hand_out(kit: &Kit, case: &Case, session: &Session) -> HttpResponse {
    let sealed = match secrets::initial_password(&kit.store, case.hand_over.workflow).await {
        Ok(Some(sealed)) if sealed.id == case.hand_over.secret => sealed,
        Ok(_) => return gone(kit, StatusCode::GONE),
        Err(fault) => return unreadable(kit, &fault),
    };
    let clear = match kit.keys.open(Purpose::InitialPassword, sealed.id.0, &sealed.bytes) {
        Ok(clear) => Zeroizing::new(String::from_utf8_lossy(&clear).into_owned()),
        Err(fault) => {
            tracing::error!(workflow.id = %case.hand_over.workflow, %fault, "a password does not open");
            return page::unavailable(
                &Home::of(kit),
                "The password does not open just now. Nothing was shown.",
            );
        }
    };
    let stamp = kit.world.stamp();
    let deed = || Reveal {
        stamp: stamp.clone(),
        hand_over: case.hand_over.clone(),
        by: session.address.clone(),
        session: session.id_hash,
    };
    let mut written = kit.store.write(deed()).await;
    if matches!(written, Err(WriteFault::Unknown(_))) {
        // If the first run was written after all, this is a second reading in the same session.
        written = kit.store.write(deed()).await;
    }
    match written {
        Ok((_, until)) => {
            tracing::info!(workflow.id = %case.hand_over.workflow, "a password was shown to its recipient");
            answer(kit, case, Stage::Shown(clear, until.in_words())).await
        }
        Err(WriteFault::Refused(_)) => gone(kit, StatusCode::GONE),
        Err(WriteFault::Unavailable(_) | WriteFault::Unknown(_)) => {
            page::unavailable(&Home::of(kit), NOT_NOW)
        }
    }
}

const NOT_NOW: &str = "Countersign cannot write just now, so nothing was shown. Please try again.";

fn gone(kit: &Kit, status: StatusCode) -> HttpResponse {
    Message::new(
        "The password is not to be had any more",
        "It was shown already, or nobody fetched it in time, or an operator has handed it over. It is erased here.",
    )
    .and("If you do not have it, or did not see it yourself, tell the people who run Countersign: the account then \
          gets a new one.")
    .answer(&Home::of(kit), status)
}

async fn ask(request: HttpRequest, token: Path<String>, kit: Data<Kit>) -> HttpResponse {
    match Case::find(&kit, &token).await {
        Ok(case) => gate::ask(&kit, &request, case.personal()).await,
        Err(answer) => answer,
    }
}

async fn enter(
    request: HttpRequest,
    token: Path<String>,
    kit: Data<Kit>,
    form: Result<Form<Typed>, actix_web::Error>,
) -> HttpResponse {
    let typed = form.map_or_else(|_| Typed::default(), Form::into_inner);
    match Case::find(&kit, &token).await {
        Ok(case) => gate::enter(&kit, &request, case.personal(), &typed).await,
        Err(answer) => answer,
    }
}

/// Somebody loads the address of a form anew: the page itself is meant.
async fn back(token: Path<String>, kit: Data<Kit>) -> HttpResponse {
    match Case::find(&kit, &token).await {
        Ok(case) => HttpResponse::SeeOther()
            .insert_header((header::LOCATION, Home::of(&kit).path(&case.here)))
            .finish(),
        Err(answer) => answer,
    }
}

fn unreadable(kit: &Kit, fault: &ReadFault) -> HttpResponse {
    tracing::error!(%fault, "a hand-over cannot be shown");
    page::unavailable(
        &Home::of(kit),
        "Countersign cannot read its own records just now. Nothing was changed.",
    )
}
