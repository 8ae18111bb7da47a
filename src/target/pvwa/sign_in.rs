//! Signing in: what a call carries to be let in, and what every way of getting it has to offer.
//!
//! Must hold: a way asks once and judges the answer; the secret is in no word that leaves it. The ways are
//! `client_credentials.rs` and `session_logon.rs`. Deliberately absent: when to ask, how often, and for whom; that is
//! the same for all ways and belongs to `gate.rs`.

use async_trait::async_trait;
use chrono::TimeDelta;
use secrecy::SecretString;

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
