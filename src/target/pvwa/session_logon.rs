//! The log-on to a self-hosted vault: a user of the vault opens a session, and logs off at an orderly end.
//!
//! Must hold: the token goes on as it came, without `Bearer`; the cookies of the log-on go with it; a log-on that the
//! vault refused counts against the account, so nothing in here asks twice. No word that leaves here holds the
//! password. Deliberately absent: answering a challenge, for which a person would have to be there.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::Client;
use reqwest::header::{ACCEPT, AUTHORIZATION, COOKIE, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use url::Url;

use super::answer::{Answer, Body, Said, Speaker, Verdict, classify};
use super::cookies::Cookies;
use super::sign_in::{Life, NotOpened, Opened, Pass, SignIn, margin};
use super::wire::{Sent, below, received};
use crate::clock::World;
use crate::config::{SessionLogon as Settings, Sessions};
use crate::domain::plan::Effect;

/// The vault wants a second answer, as a RADIUS server asks for one.
const CHALLENGE: &str = "ITATS542I";
/// The end of the service does not wait longer for a log-off.
const LOG_OFF: Duration = Duration::from_secs(5);

/// The way of a user of the vault.
pub(super) struct SessionLogon {
    http: Client,
    api_url: Url,
    settings: Settings,
    world: World,
}

impl SessionLogon {
    pub(super) fn new(http: Client, api_url: Url, settings: Settings, world: World) -> Self {
        Self { http, api_url, settings, world }
    }
}

#[async_trait]
impl SignIn for SessionLogon {
    async fn open(&self, secret: &SecretString) -> Result<Opened, NotOpened> {
        let asked_at = self.world.now();
        let body = json!({
            "username": self.settings.username,
            "password": secret.expose_secret(),
            "concurrentSession": self.settings.sessions == Sessions::Concurrent,
        });
        let address = below(&self.api_url, &format!("auth/{}/Logon", self.settings.method.word()));
        let sent = self.http.post(address).header(ACCEPT, "application/json").json(&body).send().await;
        let cookies = Cookies::default();
        if let Ok(response) = &sent {
            cookies.take_in(response.headers());
        }
        let mut answer = match received(sent, asked_at).await {
            Sent::Answer(answer) => answer,
            Sent::Unreached(why) => {
                return Err(NotOpened::passing(format!("the vault cannot be reached: {why}")));
            }
            Sent::Lost(_) => return Err(NotOpened::passing("the vault gave no whole answer in time")),
        };
        answer.body.blot(secret.expose_secret());
        let page = is_page(&answer);
        // Nothing of the vault changes by a log-on, so its answer is judged as that of a read.
        match classify(answer, Effect::Reads) {
            Verdict::Success(Value::String(token)) if is_token(&token) => Ok(Opened {
                header: SecretString::from(token),
                cookies: Some(cookies),
                life: Life::Unused(self.settings.idle_limit - margin(self.settings.idle_limit)),
            }),
            Verdict::Success(_) => Err(NotOpened::passing("the vault answered a log-on without a token")),
            // Whatever code it carries, such a refusal counts against the account; asking again would lock it.
            Verdict::Passing { said, .. } if matches!(said.status, 401 | 403) => {
                Err(NotOpened::Refused(refusal(&said)))
            }
            Verdict::Passing { said, after_seconds } => {
                let words = if page { no_session(&said) } else { said.words };
                Err(NotOpened::Passing { words, after_seconds })
            }
            Verdict::Refused(said) if page || is_elsewhere(&said) => {
                Err(NotOpened::passing(no_session(&said)))
            }
            Verdict::Refused(said)
            | Verdict::RenewToken(said)
            | Verdict::AlreadySo(said)
            | Verdict::Unclear(said) => Err(NotOpened::Refused(refusal(&said))),
        }
    }

    async fn close(&self, pass: &Pass) {
        let Ok(mut credential) = HeaderValue::from_str(pass.header.expose_secret()) else { return };
        credential.set_sensitive(true);
        let address = below(&self.api_url, "auth/Logoff");
        let mut sending =
            self.http.post(address).timeout(LOG_OFF).header(AUTHORIZATION, credential).json(&json!({}));
        if let Some(cookies) = pass.cookies.as_ref().and_then(Cookies::header) {
            sending = sending.header(COOKIE, cookies);
        }
        // A session that is not logged off ends by itself when it was not used for a while.
        match received(sending.send().await, self.world.now()).await {
            Sent::Answer(answer) => tracing::info!(status = answer.status, "logged off from the vault"),
            Sent::Unreached(_) | Sent::Lost(_) => tracing::warn!("the vault did not answer the log-off"),
        }
    }
}

/// A page is written by something in front of the vault, which has judged no password. What says "unauthorised" is a
/// refusal all the same: a web server may check the account of a Windows log-on by itself.
fn is_page(answer: &Answer) -> bool {
    answer.body == Body::Html && answer.status != 401
}

/// Nobody who answers to this address has judged the password: it points elsewhere, or knows no log-on there.
fn is_elsewhere(said: &Said) -> bool {
    said.speaker == Speaker::Somebody && matches!(said.status, 300..=399 | 404)
}

fn no_session(said: &Said) -> String {
    let kind = if matches!(said.status, 300..=399) { "a redirection" } else { "a page" };
    format!(
        "{}: the log-on was answered with {kind}, not with a session; look at api_url, and at any proxy or gateway in \
         front of the vault",
        said.words
    )
}

/// Fit to stand in a header as it came.
fn is_token(text: &str) -> bool {
    (1..=16_384).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn refusal(said: &Said) -> String {
    if said.code.as_deref().is_some_and(|code| code.eq_ignore_ascii_case(CHALLENGE)) {
        format!(
            "{}; a second answer is asked for, which a service cannot give: the account must be exempt from it",
            said.words
        )
    } else {
        said.words.clone()
    }
}
