//! Signing in: what a call carries to be let in, and what every way of getting it has to offer.
//!
//! Must hold: a way asks once and judges the answer; the secret is in no word that leaves it. The ways are
//! `client_credentials.rs` and `session_logon.rs`. Deliberately absent: when to ask, how often, and for whom; that is
//! the same for all ways and belongs to `gate.rs`.

use async_trait::async_trait;
use chrono::TimeDelta;
use secrecy::{ExposeSecret as _, SecretString};

use super::answer::Body;
use super::cookies::Cookies;
use crate::domain::time::Timestamp;

/// What a call carries to be let in.
#[derive(Debug, Clone)]
pub(super) struct Pass {
    /// The whole value of the `Authorization` header.
    pub(super) header: SecretString,
    /// The cookies that go along, where the pass is a session.
    pub(super) cookies: Option<Cookies>,
    /// Counts the passes of this process.
    pub(super) number: u64,
}

/// What is shorter than this opens nothing, and stands in many a harmless word.
const SHORTEST_SECRET: usize = 8;

impl Pass {
    /// Blots everything of it out of an answer that repeats what it was sent.
    pub(super) fn blot(&self, body: &mut Body) {
        let header = self.header.expose_secret();
        let token = header.strip_prefix("Bearer ").unwrap_or(header);
        let cookies = self.cookies.as_ref().map(Cookies::values).unwrap_or_default();
        for secret in cookies.iter().map(String::as_str).chain([token]) {
            if secret.len() >= SHORTEST_SECRET {
                body.blot(secret);
            }
        }
    }
}

/// A pass that was given out.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) header: SecretString,
    pub(super) cookies: Option<Cookies>,
    pub(super) life: Life,
}

/// How long a pass is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    /// To be renewed at this moment, however much it is used.
    Until(Timestamp),
    /// To be renewed when it was not used for so long. Somebody else may end it at any time.
    Unused(TimeDelta),
}

/// Why no pass was given out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NotOpened {
    /// For now; worth another try.
    Passing { words: String, after_seconds: Option<u32> },
    /// For good, as long as it is asked with the same secret.
    Refused(String),
}

impl NotOpened {
    /// A passing trouble that asks for no certain wait.
    pub(super) fn passing(words: impl Into<String>) -> Self {
        Self::Passing { words: words.into(), after_seconds: None }
    }
}

/// A way of getting a pass.
#[async_trait]
pub(super) trait SignIn: Send + Sync {
    /// Asks once.
    async fn open(&self, secret: &SecretString) -> Result<Opened, NotOpened>;

    /// Gives a pass back, where that means anything to the other side.
    async fn close(&self, _pass: &Pass) {}
}

/// How long before its end a pass is renewed: a minute, or a fifth of a short life.
pub(super) fn margin(life: TimeDelta) -> TimeDelta {
    (life / 5).min(TimeDelta::minutes(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_life_has_a_short_margin() {
        let margins = [3600, 60, 3].map(|seconds| margin(TimeDelta::seconds(seconds)).num_milliseconds());
        assert_eq!(margins, [60_000, 12_000, 600]);
    }
}
