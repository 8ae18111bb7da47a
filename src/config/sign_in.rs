//! `[sign_in]`: how people prove who they are, and for how long that holds.
//!
//! Must hold: off loopback a link alone is not enough unless the operator says in so many words that a forwarded link
//! may decide. Deliberately absent: who may do what once signed in (`[operators]`, approver groups, rules).

use chrono::TimeDelta;

use super::http::{Http, is_loopback};
use super::reader::{NOT_YET, Section};
use crate::domain::sign_in::Strength;

/// How people prove who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignIn {
    /// What an approver needs beside the link.
    pub mode: SignInMode,
    /// A session that nobody uses ends after so long.
    pub idle_after: TimeDelta,
    /// No session lasts longer.
    pub lifetime: TimeDelta,
}

/// What an approver needs beside the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignInMode {
    /// Nothing: who has the link may decide.
    Link,
    /// A session, begun with a code that was mailed to the very person.
    Code,
}

impl SignInMode {
    /// How strong the proof is that an approver gives.
    pub const fn strength(self) -> Strength {
        match self {
            Self::Link => Strength::Link,
            Self::Code => Strength::Code,
        }
    }
}

/// Reads `[sign_in]`; needs to know how the service is reached.
pub(super) fn read_sign_in(section: &Section<'_>, http: Option<&Http>) -> SignIn {
    let accepted = section.yes_or_no("accept_forwarded_links") == Some(true);
    let mode = match section.value("mode").map(toml::Value::as_str) {
        None | Some(Some("link")) => {
            if !accepted && http.is_some_and(|http| !is_loopback(&http.public_url)) {
                section.fault(
                    "mode",
                    "\"link\" lets whoever has a mail decide, so it needs an http.public_url on loopback; wanted: \
                     \"code\", or accept_forwarded_links = true",
                );
            }
            SignInMode::Link
        }
        Some(Some("code")) => {
            if accepted {
                section
                    .fault("accept_forwarded_links", "only with mode = \"link\"; a code cannot be forwarded");
            }
            SignInMode::Code
        }
        Some(Some("oidc")) => {
            section.fault("mode", NOT_YET);
            SignInMode::Code
        }
        Some(Some(_) | None) => {
            section.fault("mode", "wanted: \"link\" or \"code\"");
            SignInMode::Code
        }
    };
    let (minutes, hours) = (TimeDelta::minutes, TimeDelta::hours);
    let idle_after = section.span("idle_after", minutes(1)..=hours(24), minutes(30));
    let lifetime = section.span("lifetime", minutes(1)..=hours(24), hours(8));
    if idle_after > lifetime {
        section.fault("idle_after", "wanted: at most lifetime");
    }
    section.refuse_unknown();
    SignIn { mode, idle_after, lifetime }
}
