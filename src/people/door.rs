//! The general way in and out: `/sign-in` for people with a role, `/sign-out` for everybody.
//!
//! Must hold: whoever types an address gets the same answer, known or not; the way back leads to a page of ours and
//! nowhere else.

use actix_web::http::{StatusCode, header};
use actix_web::web::{Data, Form, Query, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, guard, web};
use serde::Deserialize;
use url::Url;

use super::asking::{self, Asked, Came, Wanted};
use super::cookies::{self, Jar};
use super::gate::{foreign, refused, signed_in, unavailable, unreadable};
use super::pages::{SignInPage, SignedIn, Stage};
use super::roles::{holder, role_of};
use super::session;
use crate::domain::names::EmailAddress;
use crate::kit::Kit;
use crate::store::ReadFault;
use crate::store::codes::{Sort, Whose};
use crate::store::sessions::{Session, SignOut};
use crate::web::home::Home;
use crate::web::page::{self, Message};

const LEAD: &str = "Countersign mails a code to people who may look after it. Whoever is asked to approve something \
                    opens the link in their own mail instead.";

/// A form larger than this is not read.
const MOST_FORM_BYTES: usize = 4 * 1024;

/// `/sign-in` and `/sign-out`. Wants a `Data<Kit>`.
pub fn routes(config: &mut ServiceConfig) {
    let looks = || web::route().guard(guard::Any(guard::Get()).or(guard::Head()));
    let forms = || web::FormConfig::default().limit(MOST_FORM_BYTES);
    config
        .service(
            web::resource("/sign-in").app_data(forms()).route(looks().to(show)).route(web::post().to(enter)),
        )
        .service(
            web::resource("/sign-in/code")
                .app_data(forms())
                .route(looks().to(show))
                .route(web::post().to(ask)),
        )
        .service(
            web::resource("/sign-out").app_data(forms()).route(looks().to(show)).route(web::post().to(leave)),
        );
}

#[derive(Deserialize)]
struct Onward {
    to: Option<String>,
}

#[derive(Deserialize)]
struct Fields {
    #[serde(default)]
    address: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    to: String,
}

/// The path of the sign-in page that leads back to `to`.
pub(super) fn address(to: Option<&str>) -> String {
    match to.and_then(own_path) {
        Some(to) => {
            let query: String =
                url::form_urlencoded::Serializer::new(String::new()).append_pair("to", &to).finish();
            format!("/sign-in?{query}")
        }
        None => "/sign-in".to_owned(),
    }
}

/// A path of our own, or nothing: what a browser would take for another site's address, by whatever spelling, is
/// never led to.
fn own_path(text: &str) -> Option<String> {
    let plain =
        text.len() <= 512 && text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic());
    let plain = plain && !text.starts_with("//") && !text.contains('\\');
    let base = Url::parse("http://own.invalid/").ok()?;
    let joined = base.join(text).ok().filter(|joined| plain && joined.origin() == base.origin())?;
    let query = joined.query().map(|query| format!("?{query}")).unwrap_or_default();
    Some(format!("{}{query}", joined.path())).filter(|path| !path.starts_with("//"))
}

async fn show(
    request: HttpRequest,
    kit: Data<Kit>,
    onward: Result<Query<Onward>, actix_web::Error>,
) -> HttpResponse {
    let to = onward.ok().and_then(|onward| onward.into_inner().to);
    match session::of(&kit, &request).await {
        Ok(Some(session)) => page::html(StatusCode::OK, &signed_in_page(&kit, &session)),
        Ok(None) => match sign_in_page(&kit, &request, to.as_deref()).await {
            Ok(page) => page.answer(StatusCode::OK),
            Err(fault) => unreadable(&kit, &fault),
        },
        Err(fault) => unreadable(&kit, &fault),
    }
}

/// What somebody sees who is signed in already.
pub(super) fn signed_in_page(kit: &Kit, session: &Session) -> SignedIn {
    SignedIn {
        home: Home::of(kit),
        you: session.address.to_string(),
        role: role_of(&kit.settings, &session.address)
            .map_or("without a role on the console", |role| role.in_words()),
        until: session.ends_at.in_words(),
    }
}

async fn sign_in_page(kit: &Kit, request: &HttpRequest, to: Option<&str>) -> Result<SignInPage, ReadFault> {
    let home = Home::of(kit);
    let code = asking::latest(kit, request, Whose::Typed).await?;
    let standing = code.filter(|code| code.expires_at > kit.world.now());
    Ok(SignInPage {
        lead: LEAD,
        stage: standing.map_or(Stage::Ask, |code| Stage::Enter(code.expires_at.in_words())),
        typed: true,
        ask: home.path("/sign-in/code"),
        enter: home.path("/sign-in"),
        to: to.and_then(own_path),
        problem: None,
        home,
    })
}

/// `POST /sign-in/code`
async fn ask(
    request: HttpRequest,
    kit: Data<Kit>,
    form: Result<Form<Fields>, actix_web::Error>,
) -> HttpResponse {
    let fields = match own_form(&kit, &request, form) {
        Ok(fields) => fields,
        Err(refused) => return *refused,
    };
    let page = match sign_in_page(&kit, &request, Some(&fields.to)).await {
        Ok(page) => page,
        Err(fault) => return unreadable(&kit, &fault),
    };
    let typed = match asking::latest(&kit, &request, Whose::Typed).await {
        // Once more for the address that was typed before.
        Ok(Some(code)) if fields.address.is_empty() => Ok(code.address),
        Ok(_) => EmailAddress::parse(fields.address.trim()),
        Err(fault) => return unreadable(&kit, &fault),
    };
    let Ok(address) = typed else {
        return page.but("This is not a mail address.").answer(StatusCode::UNPROCESSABLE_ENTITY);
    };
    let (sort, address) = match holder(&kit.settings, &address) {
        Some((_, spelled)) => (Sort::Mailed, spelled),
        None => (Sort::Decoy, &address),
    };
    match asking::ask(&kit, &request, Wanted { address, workflow: None, sort }).await {
        Asked::Owed(cookie) => {
            let to = Home::of(&kit).path(&self::address(page.to.as_deref()));
            HttpResponse::SeeOther().insert_header((header::LOCATION, to)).cookie(cookie).finish()
        }
        Asked::TooOften(often) => page.too_often(&kit, often),
        Asked::Unavailable => unavailable(&kit),
    }
}

/// `POST /sign-in`
async fn enter(
    request: HttpRequest,
    kit: Data<Kit>,
    form: Result<Form<Fields>, actix_web::Error>,
) -> HttpResponse {
    let fields = match own_form(&kit, &request, form) {
        Ok(fields) => fields,
        Err(refused) => return *refused,
    };
    let came = asking::enter(&kit, &request, Whose::Typed, &fields.code).await;
    if let Came::In(cookies) = came {
        let to = own_path(&fields.to).unwrap_or_else(|| "/sign-in".to_owned());
        return signed_in(Home::of(&kit).path(&to), *cookies);
    }
    match sign_in_page(&kit, &request, Some(&fields.to)).await {
        Ok(page) => refused(&kit, page, &came),
        Err(fault) => unreadable(&kit, &fault),
    }
}

/// `POST /sign-out`
async fn leave(
    request: HttpRequest,
    kit: Data<Kit>,
    form: Result<Form<Fields>, actix_web::Error>,
) -> HttpResponse {
    if let Some(foreign) = foreign(&kit, &request) {
        return foreign;
    }
    let session = match session::of(&kit, &request).await {
        Ok(Some(session)) => session,
        Ok(None) => {
            return Message::new("You are signed out", "Nobody is signed in here.")
                .answer(&Home::of(&kit), StatusCode::FORBIDDEN);
        }
        Err(fault) => return unreadable(&kit, &fault),
    };
    if kit.store.write(SignOut { stamp: kit.world.stamp(), session }).await.is_err() {
        return unavailable(&kit);
    }
    let to = form.ok().and_then(|form| own_path(&form.to)).unwrap_or_else(|| "/sign-in".to_owned());
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, Home::of(&kit).path(&to)))
        .cookie(cookies::gone(&kit, Jar::Session))
        .finish()
}

/// What a form says that came from our own page and can be read; else what its sender is told.
fn own_form(
    kit: &Kit,
    request: &HttpRequest,
    form: Result<Form<Fields>, actix_web::Error>,
) -> Result<Fields, Box<HttpResponse>> {
    if let Some(foreign) = foreign(kit, request) {
        return Err(Box::new(foreign));
    }
    form.map(Form::into_inner)
        .map_err(|fault| Box::new(unreadable_form(kit, fault.as_response_error().status_code())))
}

fn unreadable_form(kit: &Kit, status: StatusCode) -> HttpResponse {
    Message::new(
        "This form cannot be read",
        "Nothing was done. The form came in incomplete, or was much too large.",
    )
    .answer(&Home::of(kit), status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_leads_to_a_page_of_ours() {
        for own in ["/workflows", "/workflows/1?after=2", "/approve/abc_-def"] {
            assert_eq!(own_path(own).as_deref(), Some(own));
        }
        assert_eq!(own_path("/a/../b").as_deref(), Some("/b"));
        for foreign in [
            "",
            "workflows",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example/",
            "javascript:alert(1)",
            "/\t/evil.example",
            "/x\r\nLocation: y",
            "/.//evil.example",
            "/a/..//evil.example",
        ] {
            assert_eq!(own_path(foreign), None, "{foreign}");
        }
        assert!(own_path(&format!("/{}", "x".repeat(600))).is_none());
        assert_eq!(address(Some("/workflows?x=1")), "/sign-in?to=%2Fworkflows%3Fx%3D1");
        assert_eq!(address(Some("//evil.example")), "/sign-in");
    }
}
