//! What goes wrong on the wire, for machines: `application/problem+json` (RFC 9457).
//!
//! Must hold: a problem names the place and the rule, never a value; its words come from us alone, but for the
//! names of fields and parameters, which are the sender's. `type` is left out, so `title` is the status's own phrase.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpResponse, ResponseError, web};
use serde::Serialize;

use crate::domain::request::FieldFault;
use crate::domain::strict_json::BadJson;

/// So many faults are told at once; who has more mends these first.
const MOST_ERRORS: usize = 100;

/// A request that is answered with an error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{status}, {code}: {detail}")]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    errors: Vec<FieldProblem>,
    /// Boxed, because problems travel in results and most have none.
    header: Option<Box<(HeaderName, HeaderValue)>>,
}

/// One place that is at fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldProblem {
    #[serde(flatten)]
    place: Spot,
    /// A short stable word for programs.
    code: &'static str,
    /// The rule in words.
    wanted: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Spot {
    /// In the body (RFC 6901).
    Pointer(String),
    /// In the query.
    Parameter(String),
}

impl FieldProblem {
    /// At a query parameter of this name.
    pub fn parameter(name: &str, code: &'static str, wanted: impl Into<String>) -> Self {
        Self { place: Spot::Parameter(name.to_owned()), code, wanted: wanted.into() }
    }
}

impl From<&FieldFault> for FieldProblem {
    fn from(fault: &FieldFault) -> Self {
        let place = Spot::Pointer(fault.pointer.clone());
        Self { place, code: fault.code, wanted: fault.wanted.clone() }
    }
}

impl From<&BadJson> for FieldProblem {
    fn from(bad: &BadJson) -> Self {
        Self { place: Spot::Pointer(bad.pointer.clone()), code: bad.code, wanted: bad.wanted.clone() }
    }
}

impl Problem {
    /// A problem; `code` is a short stable word for programs, `detail` a sentence for people.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), errors: Vec::new(), header: None }
    }

    /// Names the places at fault.
    #[must_use]
    pub fn at(mut self, errors: impl IntoIterator<Item = FieldProblem>) -> Self {
        self.errors = errors.into_iter().take(MOST_ERRORS).collect();
        self
    }

    /// Sends a header along.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.header = Some(Box::new((name, value)));
        self
    }

    /// Nothing is here.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    /// The database does not answer now; the sender may come again after so many seconds.
    pub fn unavailable(after_seconds: u16) -> Self {
        let detail = "nothing can be stored or read now; please try again";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
            .with_header(header::RETRY_AFTER, HeaderValue::from(after_seconds))
    }

    /// A fault of ours that the sender cannot mend.
    pub fn internal() -> Self {
        let detail = "something is wrong here, not with the request; the operators find it in the log";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }

    /// This address knows other methods.
    pub fn wrong_method(allow: &'static str) -> Self {
        let detail = format!("this address knows {allow}");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "wrong_method", detail)
            .with_header(header::ALLOW, HeaderValue::from_static(allow))
    }
}

#[derive(Serialize)]
struct Body<'p> {
    title: &'static str,
    status: u16,
    code: &'static str,
    detail: &'p str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'p [FieldProblem],
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let body = Body {
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            code: self.code,
            detail: &self.detail,
            errors: &self.errors,
        };
        let mut answer = HttpResponse::build(self.status);
        answer.insert_header((header::CACHE_CONTROL, HeaderValue::from_static("no-store")));
        // Set first: `json` keeps a content type that is there.
        answer.insert_header((header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json")));
        if let Some(header) = &self.header {
            answer.insert_header(header.as_ref().clone());
        }
        answer.json(body)
    }
}

impl From<Problem> for HttpResponse {
    fn from(problem: Problem) -> Self {
        problem.error_response()
    }
}

/// Answers every other address for machines with a problem. To be configured after all routes, for it takes what
/// is left of these paths.
pub fn unmatched(config: &mut web::ServiceConfig) {
    for path in ["/api", "/api/{rest:.*}", "/webhooks", "/webhooks/{rest:.*}"] {
        config.service(web::resource(path).default_service(web::to(nothing_here)));
    }
}

async fn nothing_here() -> HttpResponse {
    Problem::not_found("there is no such address").into()
}
