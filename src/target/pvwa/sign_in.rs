//! Signing in: where the `Authorization` header of a call comes from.
//!
//! Must hold: one sign-in at a time; a pass is renewed before it ends and once after the vault refused it; a refused
//! sign-in is never tried again by itself; the secret is in no word that leaves here.
//! Deliberately absent: replaying the refused call; that belongs to `talk.rs`.

use async_trait::async_trait;
use reqwest::Client;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::sync::Mutex;
use url::Url;

use super::answer::{Body, clean};
use super::wire::{Sent, received};
use crate::clock::World;
use crate::domain::time::Timestamp;
use crate::target::CallFault;

/// What a call carries to be let in.
#[derive(Debug, Clone)]
pub(super) struct Pass {
    /// The whole value of the `Authorization` header.
    pub(super) header: SecretString,
    /// Counts the sign-ins of this process.
    number: u64,
}

/// A way of getting a pass. Cloud tokens have one; the sessions of a self-hosted vault will be another.
#[async_trait]
pub(super) trait SignIn: Send + Sync {
    /// A pass that should be good for a call.
    async fn pass(&self) -> Result<Pass, CallFault>;

    /// A pass other than the refused one; signs in only if nobody else did since.
    async fn renewed(&self, refused: &Pass) -> Result<Pass, CallFault>;

    /// The name we sign in with.
    fn account(&self) -> &str;
}

/// OAuth 2.0 client credentials (RFC 6749, section 4.4) at the platform's token endpoint.
pub(super) struct ClientCredentials {
    http: Client,
    token_url: Url,
    client_id: String,
    client_secret: SecretString,
    world: World,
    held: Mutex<Option<Held>>,
}

struct Held {
    pass: Pass,
    renew_at: Timestamp,
}

/// The lifetime to assume when the answer names none, in seconds: the shortest one seen in the field.
const SHORT_LIFE: i64 = 900;
const DAY: i64 = 86_400;

impl ClientCredentials {
    pub(super) fn new(
        http: Client,
        token_url: Url,
        client_id: String,
        client_secret: SecretString,
        world: World,
    ) -> Self {
        Self { http, token_url, client_id, client_secret, world, held: Mutex::new(None) }
    }

    async fn sign_in(&self, number: u64) -> Result<Held, CallFault> {
        let asked_at = self.world.now();
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", self.client_id.as_str()),
            ("client_secret", self.client_secret.expose_secret()),
        ];
        let sent = self.http.post(self.token_url.clone()).form(&form).send().await;
        let answer = match received(sent, asked_at).await {
            Sent::Answer(answer) => answer,
            Sent::Unreached(why) => {
                return Err(passing(&format!("the token endpoint cannot be reached: {why}"), None));
            }
            Sent::Lost(_) => return Err(passing("the token endpoint gave no whole answer in time", None)),
        };
        let status = answer.status;
        let field = |name: &str| match &answer.body {
            Body::Json(value) => value.get(name),
            Body::Nothing | Body::Html | Body::Text | Body::TooLarge => None,
        };
        let token = field("access_token").and_then(Value::as_str).filter(|token| !token.is_empty());
        if let (200..=299, Some(token)) = (status, token) {
            let life = lifetime(field("expires_in"));
            let header = SecretString::from(format!("Bearer {token}"));
            return Ok(Held {
                pass: Pass { header, number },
                renew_at: asked_at.plus_seconds(life - margin(life)),
            });
        }
        let secret = self.client_secret.expose_secret();
        let shown = |text: &str| clean(&text.replace(secret, "(secret)"));
        let told =
            |name: &str| field(name).and_then(Value::as_str).map(shown).filter(|text| !text.is_empty());
        let reason = match (told("error"), told("error_description")) {
            (Some(error), Some(more)) => format!(" {error}: {more}"),
            (Some(one), None) | (None, Some(one)) => format!(" {one}"),
            (None, None) => String::new(),
        };
        let words = format!("the token endpoint answered {status}{}", reason.trim_end_matches('.'));
        match status {
            429 => Err(passing(&words, answer.retry_after)),
            200..=299 if told("error").is_none() => {
                Err(passing(&format!("{words} but gave no token"), answer.retry_after))
            }
            200..=499 => Err(CallFault::Refused { words: format!("signing in failed: {words}") }),
            _ => Err(passing(&words, answer.retry_after)),
        }
    }
}

#[async_trait]
impl SignIn for ClientCredentials {
    async fn pass(&self) -> Result<Pass, CallFault> {
        let mut held = self.held.lock().await;
        if let Some(held) = held.as_ref().filter(|held| self.world.now() < held.renew_at) {
            return Ok(held.pass.clone());
        }
        let number = held.as_ref().map_or(1, |held| held.pass.number + 1);
        Ok(held.insert(self.sign_in(number).await?).pass.clone())
    }

    async fn renewed(&self, refused: &Pass) -> Result<Pass, CallFault> {
        let mut held = self.held.lock().await;
        if let Some(held) = held.as_ref().filter(|held| held.pass.number > refused.number) {
            return Ok(held.pass.clone());
        }
        Ok(held.insert(self.sign_in(refused.number + 1).await?).pass.clone())
    }

    fn account(&self) -> &str {
        &self.client_id
    }
}

fn passing(words: &str, after_seconds: Option<u32>) -> CallFault {
    CallFault::Retry { words: format!("signing in failed for now: {words}"), after_seconds }
}

/// `expires_in` is a number by RFC 6749; some servers write it as text.
fn lifetime(expires_in: Option<&Value>) -> i64 {
    let seconds = expires_in.and_then(|value| value.as_i64().or_else(|| value.as_str()?.parse().ok()));
    seconds.filter(|seconds| *seconds > 0).map_or(SHORT_LIFE, |seconds| seconds.min(DAY))
}

/// How long before the end a token is renewed: a minute, or a fifth of a short life.
fn margin(life: i64) -> i64 {
    (life / 5).min(60)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_lifetime_is_the_one_told_or_a_short_one() {
        assert_eq!(lifetime(Some(&json!(1800))), 1800);
        assert_eq!(lifetime(Some(&json!("3600"))), 3600);
        assert_eq!(lifetime(Some(&json!(0))), 900);
        assert_eq!(lifetime(None), 900);
        assert_eq!(lifetime(Some(&json!(i64::MAX))), 86_400);
        assert_eq!((margin(3600), margin(60)), (60, 12));
    }
}
