//! Pages for people: rendering, and the plain page that says one thing.
//!
//! Must hold: a page that people meet by a wrong turn says what they can do next, and never repeats what they sent.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;

use super::home::Home;
use crate::domain::drift::Difference;
use crate::domain::time::Timestamp;
use crate::kit::Kit;

/// A page that says one thing.
#[derive(Debug, Clone)]
pub struct Message {
    /// The headline.
    pub title: String,
    /// What happened, and what can be done next; one paragraph each.
    pub paragraphs: Vec<String>,
    /// What has changed in the target, where that is the point.
    pub differences: Vec<Difference>,
    /// Where to go on.
    pub onward: Option<Onward>,
}

#[derive(Template)]
#[template(path = "message.html")]
struct MessagePage<'m> {
    home: &'m Home,
    message: &'m Message,
}

/// A link that leads on.
#[derive(Debug, Clone)]
pub struct Onward {
    /// Where to.
    pub href: String,
    /// In words.
    pub words: &'static str,
}

impl Message {
    /// A headline and one paragraph.
    pub fn new(title: impl Into<String>, words: impl Into<String>) -> Self {
        Self { title: title.into(), paragraphs: vec![words.into()], differences: Vec::new(), onward: None }
    }

    /// One more paragraph.
    #[must_use]
    pub fn and(mut self, words: impl Into<String>) -> Self {
        self.paragraphs.push(words.into());
        self
    }

    /// What has changed.
    #[must_use]
    pub fn with_differences(mut self, differences: Vec<Difference>) -> Self {
        self.differences = differences;
        self
    }

    /// A way on.
    #[must_use]
    pub fn leading_to(mut self, href: String, words: &'static str) -> Self {
        self.onward = Some(Onward { href, words });
        self
    }

    /// The page as an answer.
    pub fn answer(&self, home: &Home, status: StatusCode) -> HttpResponse {
        html(status, &MessagePage { home, message: self })
    }
}

/// A rendered page as an answer.
pub fn html(status: StatusCode, template: &impl Template) -> HttpResponse {
    match template.render() {
        Ok(html) => HttpResponse::build(status).content_type("text/html; charset=utf-8").body(html),
        Err(fault) => {
            tracing::error!(%fault, "a page could not be rendered");
            HttpResponse::InternalServerError().body("This page could not be made. Please try again later.")
        }
    }
}

/// The answer to every address that leads nowhere. An unknown link looks the same.
pub fn unknown(home: &Home) -> HttpResponse {
    Message::new(
        "There is nothing here",
        "This address leads nowhere. If you came by a link in a mail, open it again from the mail itself: \
         some programs cut long links at the end of a line.",
    )
    .and("If it still leads nowhere, ask the people who run Countersign in your organisation.")
    .answer(home, StatusCode::NOT_FOUND)
}

/// Every address that no route knows.
pub async fn nowhere(kit: Data<Kit>) -> HttpResponse {
    unknown(&Home::of(&kit))
}

/// The answer about a workflow whose content was cleared after its time.
pub fn cleared(home: &Home, at: Timestamp) -> HttpResponse {
    Message::new(
        format!("Cleared on {}", at.in_words()),
        "What was asked for here, what was planned and what was reported is not kept any more: its time was over, as the \
         settings of this installation say.",
    )
    .and("That it happened, when, and that nobody has changed the record since can still be proven from the audit trail.")
    .answer(home, StatusCode::GONE)
}

/// The answer while our own database cannot be read or written.
pub fn unavailable(home: &Home, words: &'static str) -> HttpResponse {
    let message = Message::new("Please try again in a moment", words);
    let mut answer = message.answer(home, StatusCode::SERVICE_UNAVAILABLE);
    let soon = actix_web::http::header::HeaderValue::from_static("10");
    answer.headers_mut().insert(actix_web::http::header::RETRY_AFTER, soon);
    answer
}
