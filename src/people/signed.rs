//! Who sends a request to the console: an argument that a handler can simply ask for.
//!
//! Must hold: a handler that asks for it runs only for somebody who has signed in and has a role; everybody else is
//! led to the sign-in, or told that they have no role. What a role may do is for the handler to ask.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::{Method, StatusCode, header};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest, HttpResponse};

use super::gate::unreadable;
use super::roles::{Role, role_of};
use super::{door, session};
use crate::domain::canon::Digest;
use crate::domain::names::EmailAddress;
use crate::kit::Kit;
use crate::store::two_people::OneOfTwo;
use crate::web::home::Home;
use crate::web::page::{self, Message};

/// Somebody who has signed in and has a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// Who.
    pub address: EmailAddress,
    /// As what.
    pub role: Role,
    /// In which session.
    pub session: Digest,
}

impl Signed {
    /// As one of two people.
    pub fn one_of_two(&self, kit: &Kit) -> OneOfTwo {
        let operators = kit.settings.operators.members.clone();
        OneOfTwo { address: self.address.clone(), user: None, operators }
    }
}

impl FromRequest for Signed {
    type Error = actix_web::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self, actix_web::Error>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let answer = match request.app_data::<Data<Kit>>() {
                Some(kit) => match signed(kit, &request).await {
                    Ok(signed) => return Ok(signed),
                    Err(answer) => answer,
                },
                None => HttpResponse::InternalServerError().finish(),
            };
            Err(actix_web::error::InternalError::from_response("not signed in", answer).into())
        })
    }
}

async fn signed(kit: &Kit, request: &HttpRequest) -> Result<Signed, HttpResponse> {
    let session = session::of(kit, request).await.map_err(|fault| unreadable(kit, &fault))?;
    let Some(session) = session else { return Err(to_sign_in(kit, request)) };
    match role_of(&kit.settings, &session.address) {
        Some(role) => Ok(Signed { address: session.address, role, session: session.id_hash }),
        None => Err(page::html(StatusCode::FORBIDDEN, &door::signed_in_page(kit, &session))),
    }
}

/// A page leads to the sign-in and back; a form that comes without a session is not kept.
fn to_sign_in(kit: &Kit, request: &HttpRequest) -> HttpResponse {
    let home = Home::of(kit);
    if request.method() == Method::GET || request.method() == Method::HEAD {
        let here = request.uri().path_and_query().map_or("/", |here| here.as_str());
        let to = home.path(&door::address(Some(here)));
        return HttpResponse::SeeOther().insert_header((header::LOCATION, to)).finish();
    }
    Message::new("Please sign in", "You are not signed in, or not any more. Nothing was done.")
        .leading_to(home.path("/sign-in"), "Sign in")
        .answer(&home, StatusCode::FORBIDDEN)
}
