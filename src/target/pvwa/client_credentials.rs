//! OAuth 2.0 client credentials (RFC 6749, section 4.4) at the platform's token endpoint: Privilege Cloud.
//!
//! Must hold: a token is renewed before it ends; nothing that the endpoint says can carry the secret on.

use async_trait::async_trait;
use chrono::TimeDelta;
use reqwest::Client;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::Url;

use super::answer::{Body, clean};
use super::sign_in::{Life, NotOpened, Opened, SignIn, margin};
use super::wire::{Sent, received};
use crate::clock::World;

/// The way of a service user of the platform.
pub(super) struct ClientCredentials {
    http: Client,
    token_url: Url,
    client_id: String,
    world: World,
}

/// The lifetime to assume when the answer names none, in seconds: the shortest one seen in the field.
const SHORT_LIFE: i64 = 900;
const DAY: i64 = 86_400;
/// The errors of RFC 6749, section 5.2, and `access_denied` of section 4.1.2.1, which token endpoints use as well: the
/// endpoint itself has looked at what was asked, and refuses it for good. Whatever else comes back, such as the page of
/// a gateway or a redirection, says nothing about the secret.
const REFUSALS: [&str; 7] = [
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
    "access_denied",
];

impl ClientCredentials {
    pub(super) fn new(http: Client, token_url: Url, client_id: String, world: World) -> Self {
        Self { http, token_url, client_id, world }
    }
}

#[async_trait]
impl SignIn for ClientCredentials {
    async fn open(&self, secret: &SecretString) -> Result<Opened, NotOpened> {
        let asked_at = self.world.now();
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", self.client_id.as_str()),
            ("client_secret", secret.expose_secret()),
        ];
        let sent = self.http.post(self.token_url.clone()).form(&form).send().await;
        let answer = match received(sent, asked_at).await {
            Sent::Answer(answer) => answer,
            Sent::Unreached(why) => {
                return Err(NotOpened::passing(format!("the token endpoint cannot be reached: {why}")));
            }
            Sent::Lost(_) => {
                return Err(NotOpened::passing("the token endpoint gave no whole answer in time"));
            }
        };
        let status = answer.status;
        let field = |name: &str| match &answer.body {
            Body::Json(value) => value.get(name),
            Body::Nothing | Body::Html | Body::Text | Body::TooLarge => None,
        };
        let token = field("access_token").and_then(Value::as_str).filter(|token| !token.is_empty());
        if let (200..=299, Some(token)) = (status, token) {
            let life = lifetime(field("expires_in"));
            return Ok(Opened {
                header: SecretString::from(format!("Bearer {token}")),
                cookies: None,
                life: Life::Until(asked_at.plus(life - margin(life))),
            });
        }
        let shown = |text: &str| clean(&text.replace(secret.expose_secret(), "(secret)"));
        let told =
            |name: &str| field(name).and_then(Value::as_str).map(shown).filter(|text| !text.is_empty());
        let reason = match (told("error"), told("error_description")) {
            (Some(error), Some(more)) => format!(" {error}: {more}"),
            (Some(one), None) | (None, Some(one)) => format!(" {one}"),
            (None, None) => String::new(),
        };
        let words = format!("the token endpoint answered {status}{}", reason.trim_end_matches('.'));
        let after_seconds = answer.retry_after;
        let is_refusal = told("error").is_some_and(|error| REFUSALS.contains(&error.as_str()));
        match status {
            400 | 401 | 403 if is_refusal => Err(NotOpened::Refused(words)),
            200..=299 => {
                Err(NotOpened::Passing { words: format!("{words} but gave no token"), after_seconds })
            }
            _ => Err(NotOpened::Passing { words, after_seconds }),
        }
    }
}

/// `expires_in` is a number by RFC 6749; some servers write it as text.
fn lifetime(expires_in: Option<&Value>) -> TimeDelta {
    let seconds = expires_in.and_then(|value| value.as_i64().or_else(|| value.as_str()?.parse().ok()));
    let seconds = seconds.filter(|seconds| *seconds > 0).map_or(SHORT_LIFE, |seconds| seconds.min(DAY));
    TimeDelta::seconds(seconds)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_lifetime_is_the_one_told_or_a_short_one() {
        let seconds = |told: Option<Value>| lifetime(told.as_ref()).num_seconds();
        assert_eq!(seconds(Some(json!(1800))), 1800);
        assert_eq!(seconds(Some(json!("3600"))), 3600);
        assert_eq!(seconds(Some(json!(0))), 900);
        assert_eq!(seconds(None), 900);
        assert_eq!(seconds(Some(json!(i64::MAX))), 86_400);
    }
}
