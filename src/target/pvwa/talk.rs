//! One conversation with the vault: calls in order, each signed in, recorded and judged.
//!
//! Must hold: a refused token is renewed once and the same call sent again, which is safe because the vault refuses
//! it before anything runs; otherwise nothing is sent twice. Records hold method, path and status, nothing else.
//! Sign-ins are not among the records: they go to another address and change nothing in the vault.

use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::Pvwa;
use super::answer::{Said, Verdict, classify};
use super::sign_in::Pass;
use super::wire::{Call, Sent};
use crate::domain::ids::VaultUserId;
use crate::domain::plan::Effect;
use crate::domain::step::{AccessSeen, CallSeen, Outcome, RecordSeal};
use crate::target::CallFault;

/// Why a call, or a conversation, did not come to its good end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// Certainly without effect, and worth another try.
    #[error("{words}")]
    Passing { words: String, after_seconds: Option<u32> },
    /// Certainly without effect, and for good; by the vault itself or something in between.
    #[error("{}", .0.words)]
    Refused(Said),
    /// We may not sign in.
    #[error("{0}")]
    NotSignedIn(String),
    /// The wanted state was there before.
    #[error("{}", .0.words)]
    AlreadySo(Said),
    /// A write of which nobody knows what came.
    #[error("{0}")]
    Unclear(String),
    /// Only a person can judge this.
    #[error("{0}")]
    NeedsPerson(String),
}

impl Fault {
    /// The decision that follows, where a step has no better one.
    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Self::Passing { after_seconds, .. } => Outcome::Retry { after_seconds: *after_seconds },
            Self::Refused(_) | Self::NotSignedIn(_) => Outcome::Refused,
            Self::AlreadySo(_) | Self::NeedsPerson(_) => Outcome::NeedsPerson,
            Self::Unclear(_) => Outcome::Unknown,
        }
    }

    /// Did the vault answer that there is nothing of that number? Its own answers carry a code; the page of a gateway,
    /// or of a server that does not know the way, says nothing about the user.
    pub(super) fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused(said) if said.status == 404 && said.code.is_some())
    }

    /// The same fault, met after a write went out: it no longer says that there was no effect.
    pub(super) fn after_a_write(self) -> Self {
        match self {
            Self::Passing { words, .. } | Self::NotSignedIn(words) | Self::Unclear(words) => {
                Self::Unclear(words)
            }
            Self::Refused(said) | Self::AlreadySo(said) => Self::Unclear(said.words),
            Self::NeedsPerson(words) => Self::NeedsPerson(words),
        }
    }

    /// The same fault, told after something that a person must know with it.
    pub(super) fn told_after(self, first: &str) -> Self {
        let both = |words: String| format!("{first}; {words}");
        match self {
            Self::Passing { words, after_seconds } => Self::Passing { words: both(words), after_seconds },
            Self::Refused(said) => Self::Refused(Said { words: both(said.words), ..said }),
            Self::NotSignedIn(words) => Self::NotSignedIn(both(words)),
            Self::AlreadySo(said) => Self::AlreadySo(Said { words: both(said.words), ..said }),
            Self::Unclear(words) => Self::Unclear(both(words)),
            Self::NeedsPerson(words) => Self::NeedsPerson(both(words)),
        }
    }

    /// A passing trouble that we see ourselves.
    pub(super) fn passing(words: impl Into<String>) -> Self {
        Self::Passing { words: words.into(), after_seconds: None }
    }
}

impl From<Fault> for CallFault {
    fn from(fault: Fault) -> Self {
        let words = fault.to_string();
        match fault {
            Fault::Passing { after_seconds, .. } => Self::Retry { words, after_seconds },
            Fault::Unclear(_) => Self::Retry { words, after_seconds: None },
            Fault::Refused(_) | Fault::NotSignedIn(_) => Self::Refused { words },
            Fault::AlreadySo(_) | Fault::NeedsPerson(_) => Self::NeedsPerson { words },
        }
    }
}

impl From<CallFault> for Fault {
    fn from(fault: CallFault) -> Self {
        match fault {
            CallFault::Retry { words, after_seconds } => Self::Passing { words, after_seconds },
            CallFault::Refused { words } => Self::NotSignedIn(words),
            CallFault::NeedsPerson { words } => Self::NeedsPerson(words),
        }
    }
}

/// One conversation.
pub(super) struct Talk<'a> {
    pub(super) pvwa: &'a Pvwa,
    /// The calls so far.
    pub(super) calls: Vec<CallSeen>,
    /// A secret of this conversation, blotted out of everything the vault says before anybody sees it.
    pub(super) hidden: Option<SecretString>,
    /// Who holds the plan's user name, if it is a stranger.
    pub(super) stranger: Option<VaultUserId>,
    /// The same, if it carries a mark of ours of which nothing is recorded.
    pub(super) lost: Option<VaultUserId>,
    /// The approved account was not to be seen by its number.
    pub(super) unseen: bool,
    /// What the account can reach, where this conversation was to note it.
    pub(super) access: Option<AccessSeen>,
    /// The record that this conversation was about to write, as it had read it.
    pub(super) before: Option<RecordSeal>,
    /// What else a person should know of this conversation.
    note: Option<&'static str>,
}

/// What a call came to.
enum Met {
    /// Its end, good or bad.
    End(Result<Value, Fault>),
    /// The pass was not taken, so the operation did not run.
    PassRefused(Said),
}

impl<'a> Talk<'a> {
    pub(super) fn new(pvwa: &'a Pvwa) -> Self {
        Self {
            pvwa,
            calls: Vec::new(),
            hidden: None,
            stranger: None,
            lost: None,
            unseen: false,
            access: None,
            before: None,
            note: None,
        }
    }

    /// Reads.
    pub(super) async fn get(&mut self, path: &str, query: &[(&str, &str)]) -> Result<Value, Fault> {
        let query = query.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let call = Call { query, ..without_body(Method::GET, path) };
        self.exchange(&call, Effect::Reads).await
    }

    /// Makes something new below `path`.
    pub(super) async fn post(&mut self, path: &str, body: Value) -> Result<Value, Fault> {
        let call = Call { body: Some(body), ..without_body(Method::POST, path) };
        self.exchange(&call, Effect::Writes).await
    }

    /// Asks for something to be done at `path` that needs no words.
    pub(super) async fn post_nothing(&mut self, path: &str) -> Result<Value, Fault> {
        self.exchange(&without_body(Method::POST, path), Effect::Writes).await
    }

    /// Replaces what stands at `path`. Only `put.rs` may call this.
    pub(super) async fn put(&mut self, path: &str, body: Value) -> Result<Value, Fault> {
        let call = Call { body: Some(body), ..without_body(Method::PUT, path) };
        self.exchange(&call, Effect::Writes).await
    }

    /// Takes the one of this name out of the list at `path`. The name goes over the wire, not into the records.
    pub(super) async fn remove(&mut self, path: &str, name: &str) -> Result<Value, Fault> {
        let call = Call { name: Some(name.to_owned()), ..without_body(Method::DELETE, path) };
        self.exchange(&call, Effect::Writes).await
    }

    /// The words for a person, with whatever else this conversation met.
    pub(super) fn in_words(&self, words: String) -> String {
        match self.note {
            Some(note) => format!("{words}; {note}"),
            None => words,
        }
    }

    async fn exchange(&mut self, call: &Call, effect: Effect) -> Result<Value, Fault> {
        let pass = self.pvwa.gate.pass().await.inspect_err(|fault| self.pvwa.not_signed_in(fault))?;
        if let Met::End(end) = self.send(call, effect, &pass).await? {
            return end;
        }
        let renewed = self.pvwa.gate.renewed(&pass).await;
        let renewed = renewed.inspect_err(|fault| self.pvwa.not_signed_in(fault))?;
        if let Some(note) = renewed.note {
            tracing::warn!(vault = %self.pvwa.name, "{note}");
            self.note = Some(note);
        }
        match self.send(call, effect, &renewed.pass).await? {
            Met::End(end) => end,
            Met::PassRefused(said) => {
                Err(self.pvwa.gate.refused_again(&renewed.pass, &said.words).await.into())
            }
        }
    }

    async fn send(&mut self, call: &Call, effect: Effect, pass: &Pass) -> Result<Met, Fault> {
        let mut sent = self.pvwa.wire.send(call, pass, self.pvwa.world.now()).await;
        if let Sent::Answer(answer) = &mut sent {
            pass.blot(&mut answer.body);
            if let Some(secret) = &self.hidden {
                answer.body.blot(secret.expose_secret());
            }
        }
        let status = match &sent {
            Sent::Answer(answer) => Some(answer.status),
            Sent::Lost(status) => *status,
            Sent::Unreached(_) => None,
        };
        let path =
            call.name.as_ref().map_or_else(|| call.path.clone(), |_| format!("{}/{{name}}/", call.path));
        self.calls.push(CallSeen { method: call.method.to_string(), path, status });
        match &sent {
            Sent::Answer(_) => {}
            Sent::Unreached(why) => self.pvwa.failed(&format!("it cannot be reached: {why}"), None),
            Sent::Lost(_) => self.pvwa.failed("it gave no whole answer in time", None),
        }
        match (sent, effect) {
            (Sent::Answer(answer), Effect::Reads | Effect::Writes) => {
                let verdict = classify(answer, effect);
                self.pvwa.heard(&verdict);
                Ok(met(verdict))
            }
            (Sent::Unreached(why), Effect::Reads | Effect::Writes) => {
                Err(Fault::passing(format!("the vault cannot be reached: {why}")))
            }
            (Sent::Lost(_), Effect::Reads) => Err(Fault::passing("the vault gave no whole answer in time")),
            (Sent::Lost(_), Effect::Writes) => {
                Err(Fault::Unclear("the call went out, but no whole answer came back in time".to_owned()))
            }
        }
    }
}

fn without_body(method: Method, path: &str) -> Call {
    Call { method, path: path.to_owned(), name: None, query: Vec::new(), body: None }
}

fn met(verdict: Verdict) -> Met {
    Met::End(match verdict {
        Verdict::Success(value) => Ok(value),
        Verdict::RenewToken(said) => return Met::PassRefused(said),
        Verdict::AlreadySo(said) => Err(Fault::AlreadySo(said)),
        Verdict::Passing { said, after_seconds } => Err(Fault::Passing { words: said.words, after_seconds }),
        Verdict::Refused(said) => Err(Fault::Refused(said)),
        Verdict::Unclear(said) => Err(Fault::Unclear(said.words)),
    })
}
