//! The pages of signing in.
//!
//! Must hold: nothing on them tells of a workflow, of a person or of whether an address is known; they work without a
//! script; every form says where it goes from the settings alone.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, RETRY_AFTER};
use askama::Template;

use crate::domain::sign_in::TooOften;
use crate::domain::time::Timestamp;
use crate::kit::Kit;
use crate::web::home::Home;
use crate::web::page;

/// What the page wants next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stage {
    /// That a code is asked for.
    Ask,
    /// That it is entered, before this moment in words.
    Enter(String),
}

/// The page.
#[derive(Template)]
#[template(path = "sign_in.html")]
pub(super) struct SignInPage {
    /// Where people find us.
    pub(super) home: Home,
    /// Why a sign-in is wanted.
    pub(super) lead: &'static str,
    /// What is wanted next.
    pub(super) stage: Stage,
    /// Is an address typed? A personal link knows its own.
    pub(super) typed: bool,
    /// Where the forms go; asking for a code lies at `/code` below it.
    pub(super) ask: String,
    /// Where an entered code goes.
    pub(super) enter: String,
    /// The page that is meant, to come back to.
    pub(super) to: Option<String>,
    /// What must be mended.
    pub(super) problem: Option<String>,
}

impl SignInPage {
    /// The page as an answer.
    pub(super) fn answer(&self, status: StatusCode) -> HttpResponse {
        page::html(status, self)
    }

    /// The same page with what must be mended.
    pub(super) fn but(mut self, problem: impl Into<String>) -> Self {
        self.problem = Some(problem.into());
        self
    }

    /// The answer to an asking that came too soon.
    pub(super) fn too_often(self, kit: &Kit, often: TooOften) -> HttpResponse {
        let wait = often.until.since(kit.world.now()).num_seconds().max(0) + 1;
        let mut answer = self.but(too_often(often.until, wait)).answer(StatusCode::TOO_MANY_REQUESTS);
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait));
        answer
    }
}

fn too_often(until: Timestamp, wait: i64) -> String {
    if wait <= 60 {
        "A code was asked for a moment ago. A mail may take its time; another code can be asked for in a minute."
            .to_owned()
    } else {
        format!("Too many codes were asked for. Another one can be asked for after {}.", until.in_words())
    }
}

/// Somebody else is signed in than the link is for.
#[derive(Template)]
#[template(path = "another_person.html")]
pub(super) struct AnotherPerson {
    /// Where people find us.
    pub(super) home: Home,
    /// Who is signed in.
    pub(super) you: String,
    /// The page to come back to.
    pub(super) to: String,
}

/// Somebody is signed in, and nothing else is asked for.
#[derive(Template)]
#[template(path = "signed_in.html")]
pub(super) struct SignedIn {
    /// Where people find us.
    pub(super) home: Home,
    /// Who.
    pub(super) you: String,
    /// As what, in words.
    pub(super) role: &'static str,
    /// Until when, in words.
    pub(super) until: String,
}
