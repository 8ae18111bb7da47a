//! Is a message from whom it says? One file for each way of proving it.
//!
//! Must hold: the bytes are judged before anything parses them; comparing takes the same time whatever is wrong; what
//! makes a repeat recognisable is either covered by the signature or made from the bytes themselves, so that an old
//! body under a new unsigned name is still the old one. Deliberately absent: what the sender is told, which is always
//! the same.

mod not_authentic;
mod recipe;
mod shown;
mod standard;

use actix_web::http::header::HeaderMap;

pub use self::not_authentic::NotAuthentic;
use crate::config::Verify;
use crate::domain::canon::Digest;
use crate::domain::time::Timestamp;

/// Proves that a message is its source's own, and answers what makes a repeat of it recognisable.
pub fn verify(
    verify: &Verify,
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<String, NotAuthentic> {
    match verify {
        Verify::StandardWebhooks(secrets) => standard::verify(headers, body, secrets, now),
        Verify::Hmac(recipe) => recipe::verify(recipe, headers, body, now),
        Verify::Token(token) => shown::verify_token(token, headers).map(|()| of_bytes(body)),
        Verify::Basic(basic) => shown::verify_basic(basic, headers).map(|()| of_bytes(body)),
        Verify::ApiToken => Err(NotAuthentic::NoSuchSource),
    }
}

fn of_bytes(body: &[u8]) -> String {
    Digest::of_bytes(body).to_string()
}
