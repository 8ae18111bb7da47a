//! What crosses the wire, without a server: a call, an answer, a refusal.
//!
//! Must hold: refusals have the product's shape (`ErrorCode`, `ErrorMessage`, `Details`). Codes beginning with `SIM`
//! are our own, for situations whose real code is not public; a client that decides by them decides wrongly.

use serde_json::{Value, json};

/// One HTTP request as the tenant sees it.
#[derive(Debug, Clone, Default)]
pub struct Call {
    /// The method in capitals.
    pub method: String,
    /// The path as sent, still percent-encoded.
    pub path: String,
    /// The query as sent, without the question mark.
    pub query: String,
    /// The `Authorization` header as sent.
    pub authorization: Option<String>,
    /// The `Cookie` header as sent.
    pub cookies: Option<String>,
    /// The raw body.
    pub body: Vec<u8>,
}

impl Call {
    /// The decoded parts of the path, empty ones left out.
    pub fn segments(&self) -> Vec<String> {
        self.path.split('/').filter(|part| !part.is_empty()).map(percent_decoded).collect()
    }

    /// Path and query as one text.
    pub fn target(&self) -> String {
        if self.query.is_empty() { self.path.clone() } else { format!("{}?{}", self.path, self.query) }
    }

    /// The body as JSON, or the refusal of a body that is none.
    pub fn json(&self) -> Result<Value, Refusal> {
        serde_json::from_slice(&self.body).map_err(|_| Refusal::invalid("the body is not JSON"))
    }
}

/// What an answer carries.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// Nothing.
    Empty,
    /// `application/json`.
    Json(Value),
    /// `text/html`, as a gateway sends it.
    Html(String),
}

/// One HTTP answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Body,
    /// Seconds for a `Retry-After` header.
    pub retry_after: Option<u64>,
    /// The `Set-Cookie` header.
    pub cookie: Option<String>,
}

impl Answer {
    /// An answer with a JSON body.
    pub fn json(status: u16, body: Value) -> Self {
        Self { status, body: Body::Json(body), retry_after: None, cookie: None }
    }

    /// An answer without a body.
    pub fn empty(status: u16) -> Self {
        Self { status, body: Body::Empty, retry_after: None, cookie: None }
    }

    /// An answer in the voice of a gateway.
    pub fn html(status: u16, title: &str) -> Self {
        let page = format!("<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>");
        Self { status, body: Body::Html(page), retry_after: None, cookie: None }
    }
}

/// The tenant says no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{status} {code}: {message}")]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The `ErrorCode`.
    pub code: &'static str,
    /// The `ErrorMessage`.
    pub message: String,
    /// The text of the one `Details` entry, if there is one.
    pub detail: Option<String>,
}

impl Refusal {
    pub(super) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), detail: None }
    }

    /// 400 with the reason among the details.
    pub fn invalid(detail: impl Into<String>) -> Self {
        let message = "There are some invalid parameters".to_owned();
        Self { status: 400, code: "SIM400E", message, detail: Some(detail.into()) }
    }

    pub(super) fn no_such_user(name: &str) -> Self {
        Self::new(404, "ITATS003E", format!("User [{name}] was not found."))
    }

    pub(super) fn no_such_group(name: &str) -> Self {
        Self::new(404, "PASWS199E", format!("Group [{name}] was not found."))
    }

    pub(super) fn name_taken() -> Self {
        Self::new(409, "SIM409E", "An object of this name already exists.")
    }

    pub(super) fn external_user() -> Self {
        Self::new(
            500,
            "ITATS692E",
            "Update of the requested user property is not allowed for an external user.",
        )
    }

    pub(super) fn not_authorised() -> Self {
        Self::new(403, "PASWS041E", "You are not authorized to perform this action.")
    }

    pub(super) fn bad_token() -> Self {
        Self::new(401, "PASWS006E", "The session token is missing, invalid or has expired.")
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        let mut body = json!({ "ErrorCode": refusal.code, "ErrorMessage": refusal.message });
        if let Some(detail) = refusal.detail {
            body["Details"] = json!([{ "ErrorCode": refusal.code, "ErrorMessage": detail }]);
        }
        Self::json(refusal.status, body)
    }
}

/// Decodes `%xx`; anything that is no such triple stays as it is. A plus sign in a path is a plus sign.
fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut place = 0;
    while place < bytes.len() {
        let hex = text.get(place + 1..place + 3).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (bytes[place], hex) {
            (b'%', Some(byte)) => {
                decoded.push(byte);
                place += 3;
            }
            (byte, _) => {
                decoded.push(byte);
                place += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_cut_and_decoded() {
        let call = Call { path: "//PasswordVault/API/x/a%40b%5Cc%2/".to_owned(), ..Call::default() };
        assert_eq!(call.segments(), ["PasswordVault", "API", "x", "a@b\\c%2"]);
    }
}
