//! The mailbox in a browser: a list, one mail, and the same as JSON.
//!
//! Must hold: a mail's HTML runs in a sandboxed frame without scripts or origin; everything else is escaped by the
//! template. A page loads nothing from elsewhere.

use actix_web::http::header;
use actix_web::web::{self, Data, Json, Path, ServiceConfig};
use actix_web::{HttpResponse, Responder};
use askama::Template;
use serde::Deserialize;

use super::{Mail, Mailbox};

/// What the simulator's pages may do: no scripts, nothing from elsewhere.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; base-uri 'none'";

/// Routes of the mailbox.
pub(super) fn routes(mailbox: &Mailbox) -> impl Fn(&mut ServiceConfig) + Clone + Send + 'static + use<> {
    let mailbox = mailbox.clone();
    move |config| {
        config
            .app_data(Data::new(mailbox.clone()))
            .route("/", web::get().to(list))
            .route("/mail/{number}", web::get().to(show))
            .route("/mail/{number}/raw", web::get().to(raw))
            .route("/api/mails", web::get().to(mails))
            .route("/api/mails", web::delete().to(clear))
            .route("/_sim/mail/refuse", web::post().to(refuse));
    }
}

#[derive(Template)]
#[template(path = "simulator/mailbox.html")]
struct MailboxPage<'a> {
    mails: &'a [Mail],
}

#[derive(Template)]
#[template(path = "simulator/mail.html")]
struct MailPage<'a> {
    mail: &'a Mail,
    /// The HTML part with a `base` in front, so that its links open outside of the frame.
    framed: Option<String>,
    text: Vec<Piece<'a>>,
}

/// A stretch of plain text.
enum Piece<'a> {
    Text(&'a str),
    Link(&'a str),
}

async fn list(mailbox: Data<Mailbox>) -> HttpResponse {
    let mut mails = mailbox.mails();
    mails.reverse();
    page(&MailboxPage { mails: &mails })
}

async fn show(mailbox: Data<Mailbox>, number: Path<usize>) -> HttpResponse {
    let Some(mail) = mailbox.mails().into_iter().find(|mail| mail.number == *number) else {
        return HttpResponse::NotFound().body("There is no such mail.");
    };
    let framed = mail.html.as_ref().map(|html| format!("<base target=\"_blank\">{html}"));
    let text = pieces(mail.text.as_deref().unwrap_or(""));
    page(&MailPage { mail: &mail, framed, text })
}

async fn raw(mailbox: Data<Mailbox>, number: Path<usize>) -> HttpResponse {
    match mailbox.mails().into_iter().find(|mail| mail.number == *number) {
        Some(mail) => HttpResponse::Ok().content_type("text/plain; charset=utf-8").body(mail.raw),
        None => HttpResponse::NotFound().body("There is no such mail."),
    }
}

async fn mails(mailbox: Data<Mailbox>) -> impl Responder {
    Json(mailbox.mails())
}

async fn clear(mailbox: Data<Mailbox>) -> impl Responder {
    mailbox.clear();
    HttpResponse::NoContent()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refuse {
    code: u16,
    #[serde(default = "once")]
    times: u64,
}

fn once() -> u64 {
    1
}

async fn refuse(mailbox: Data<Mailbox>, wanted: Json<Refuse>) -> HttpResponse {
    if !(400..600).contains(&wanted.code) {
        return HttpResponse::BadRequest().body("code must be from 400 to 599");
    }
    mailbox.refuse(wanted.code, wanted.times);
    HttpResponse::NoContent().finish()
}

/// A rendered page with the simulator's policy.
pub(in crate::simulator) fn page(template: &impl Template) -> HttpResponse {
    match template.render() {
        Ok(html) => HttpResponse::Ok()
            .content_type("text/html; charset=utf-8")
            .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
            .insert_header((header::REFERRER_POLICY, "no-referrer"))
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .body(html),
        Err(error) => {
            tracing::error!(%error, "a page of the simulator could not be rendered");
            HttpResponse::InternalServerError().finish()
        }
    }
}

/// The web addresses in a text.
pub(super) fn links_in(text: &str) -> impl Iterator<Item = &str> {
    pieces(text).into_iter().filter_map(|piece| match piece {
        Piece::Text(_) => None,
        Piece::Link(link) => Some(link),
    })
}

/// Cuts a text into links and what lies between. A full stop or bracket after a link is not part of it.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(place) = ["https://", "http://"].iter().filter_map(|scheme| rest.find(scheme)).min() {
        let (before, link) = rest.split_at(place);
        let ends = |c: char| c.is_whitespace() || c.is_control() || "<>\"'`\\^{}|".contains(c);
        let link = &link[..link.find(ends).unwrap_or(link.len())];
        let link = link.trim_end_matches(['.', ',', ';', ':', '!', '?', ')', ']']);
        if !before.is_empty() {
            pieces.push(Piece::Text(before));
        }
        pieces.push(Piece::Link(link));
        rest = &rest[place + link.len()..];
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    pieces
}
