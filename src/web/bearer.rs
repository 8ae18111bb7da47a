//! Programs that show an API token (RFC 6750, in the `Authorization` header alone).
//!
//! Must hold: a token is compared in constant time over hashes, so that neither its bytes nor its length show; why a
//! token is not taken is not told; an address asks for one scope.

use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

use super::problem::Problem;
use crate::config::{ApiClient, Scope};

/// The client whose token came with the request, if it has the scope: else 401 or 403.
pub fn client<'c>(
    clients: &'c [ApiClient],
    headers: &HeaderMap,
    scope: Scope,
) -> Result<&'c ApiClient, Problem> {
    let known = token(headers).and_then(|token| by_token(clients, token));
    let Some(client) = known else {
        tracing::warn!(scope = word(scope), "a request without a known API token was refused");
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", "a known API token is needed")
            .with_header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
    };
    if client.scopes.contains(&scope) {
        Ok(client)
    } else {
        tracing::warn!(client = %client.name, scope = word(scope), "an API token without the scope was refused");
        let detail = format!("this API token lacks the scope {}", word(scope));
        Err(Problem::new(StatusCode::FORBIDDEN, "insufficient_scope", detail))
    }
}

fn token(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(AUTHORIZATION);
    let (Some(only), None) = (all.next(), all.next()) else { return None };
    let (scheme, token) = only.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_matches(' '))
}

/// Looks at every client, whether one was found or not.
fn by_token<'c>(clients: &'c [ApiClient], token: &str) -> Option<&'c ApiClient> {
    let shown = Sha256::digest(token.as_bytes());
    let mut found = None;
    for client in clients {
        let same: Choice = Sha256::digest(client.token.expose_secret().as_bytes()).ct_eq(&shown);
        if bool::from(same) {
            found = Some(client);
        }
    }
    found
}

const fn word(scope: Scope) -> &'static str {
    match scope {
        Scope::WorkflowsRead => "workflows:read",
        Scope::AuditRead => "audit:read",
        Scope::RequestsWrite => "requests:write",
    }
}
