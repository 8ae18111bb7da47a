//! The gate to a vault: one pass for all calls, got once for many callers at once, whatever the way of getting it.
//!
//! Must hold: a pass is renewed before it gets old, and once after the vault refused it. A refused sign-in is
//! repeated only with another secret, which is fetched again once; a refusal after that is remembered, so that no
//! account is locked by us, until the secret has changed or an operator acts; however many retries there are, an
//! unchanged secret is tried once in [`WINDOW`] at most. A session that others end again and again is not fought for:
//! after a few ends in a short time nothing is opened for a while, and the reason is told.
//! Deliberately absent: sending the refused call again; that belongs to `talk.rs`.

use std::sync::Arc;

use chrono::TimeDelta;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;

use super::sign_in::{Life, NotOpened, Pass, SignIn};
use crate::clock::World;
use crate::config::{Machine, Secret};
use crate::domain::time::Timestamp;
use crate::target::CallFault;

/// So many sessions may be ended by somebody else within [`WINDOW`]; after one more none is opened.
const MOST_ENDED: usize = 3;
/// Within this time ends are counted, and so long no session is opened after too many. An operator's word has a
/// refused secret tried once in this time.
const WINDOW: TimeDelta = TimeDelta::minutes(10);
/// While the sign-in is held, the secret is looked for so seldom: it may be the output of a command.
const FETCH_AGAIN: TimeDelta = TimeDelta::minutes(1);

/// What is said of a session that ended before its time.
const ENDED_EARLY: &str = "the vault had ended our session before its time, as it does when somebody else logs on with \
                           the same account";
const NOT_AGAIN: &str = "it is not tried again until the secret has changed where the settings fetch it, or an \
                         operator retries a workflow (once in 10 minutes)";

/// One pass for all calls.
pub(super) struct Gate {
    way: Box<dyn SignIn>,
    secret: Arc<Secret>,
    world: World,
    /// Held while a pass is got, so that all who need one wait for the same.
    state: Mutex<State>,
}

struct State {
    /// The secret as it was fetched last.
    secret: SecretString,
    standing: Option<Standing>,
    hold: Option<Hold>,
    /// When the secret was last fetched again, while a hold lasts.
    fetched_at: Option<Timestamp>,
    /// When this secret was tried last because an operator asked for it. A good sign-in and another secret wipe it out.
    tried_at: Option<Timestamp>,
    /// When sessions of ours were found ended, lately.
    ended_early: Vec<Timestamp>,
    opened: u64,
}

struct Standing {
    pass: Pass,
    life: Life,
    used_at: Timestamp,
}

/// Why nothing is opened at present.
struct Hold {
    since: Timestamp,
    why: Why,
    words: String,
    /// Before this moment an operator's word does not have a refused secret tried once more.
    not_before: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// The secret was refused.
    Refused,
    /// Others end our sessions.
    Ended,
}

/// A pass in the place of a refused one.
#[derive(Debug)]
pub(super) struct Renewed {
    pub(super) pass: Pass,
    /// What is to be told about it.
    pub(super) note: Option<&'static str>,
}

impl Gate {
    pub(super) fn new(way: Box<dyn SignIn>, secret: Secret, world: World) -> Self {
        let state = State {
            secret: secret.value().clone(),
            standing: None,
            hold: None,
            fetched_at: None,
            tried_at: None,
            ended_early: Vec::new(),
            opened: 0,
        };
        Self { way, secret: Arc::new(secret), world, state: Mutex::new(state) }
    }

    /// A pass that should be good for a call.
    pub(super) async fn pass(&self) -> Result<Pass, CallFault> {
        let mut state = self.state.lock().await;
        let now = self.world.now();
        if let Some(standing) = state.standing.as_mut().filter(|standing| standing.is_fresh(now)) {
            standing.used_at = now;
            return Ok(standing.pass.clone());
        }
        self.open(&mut state).await
    }

    /// A pass other than the refused one; gets one only if nobody else did since.
    pub(super) async fn renewed(&self, refused: &Pass) -> Result<Renewed, CallFault> {
        let mut state = self.state.lock().await;
        if let Some(standing) = state.standing.as_mut()
            && standing.pass.number > refused.number
        {
            standing.used_at = self.world.now();
            return Ok(Renewed { pass: standing.pass.clone(), note: note(standing.life) });
        }
        let note = self.dropped(&mut state, refused);
        Ok(Renewed { pass: self.open(&mut state).await?, note })
    }

    /// What is to be told when a pass that was just got is refused, too.
    pub(super) async fn refused_again(&self, refused: &Pass, said: &str) -> CallFault {
        let mut state = self.state.lock().await;
        let words = match self.dropped(&mut state, refused) {
            Some(_) => format!(
                "the vault does not take a session that was just opened: {said}; it ends one when somebody else logs \
                 on with the same account"
            ),
            None => format!("the vault does not take a token that was just made: {said}"),
        };
        CallFault::Refused { words }
    }

    /// Since when nothing is opened any more.
    pub(super) async fn held_since(&self) -> Option<Timestamp> {
        self.state.lock().await.hold.as_ref().map(|hold| hold.since)
    }

    /// Somebody has looked after it: what was held against us counts no more, unless a secret that is still the same
    /// was tried for somebody's sake a moment ago.
    pub(super) async fn try_again(&self) {
        let mut state = self.state.lock().await;
        let now = self.world.now();
        let State { hold, tried_at, fetched_at, ended_early, .. } = &mut *state;
        if let Some(held) = hold.as_mut().filter(|held| held.why == Why::Refused) {
            held.not_before = tried_at.map(|last| last.plus(WINDOW)).filter(|end| now < *end);
            if held.not_before.is_some() {
                // The secret may be another one by now, and that one is tried at once.
                *fetched_at = None;
                return;
            }
            *tried_at = Some(now);
        }
        *hold = None;
        ended_early.clear();
    }

    /// Gives the standing pass back.
    pub(super) async fn close(&self) {
        let standing = self.state.lock().await.standing.take();
        if let Some(standing) = standing {
            self.way.close(&standing.pass).await;
        }
    }

    /// Forgets a refused pass; says what is to be told about it.
    fn dropped(&self, state: &mut State, refused: &Pass) -> Option<&'static str> {
        let standing = state.standing.take_if(|standing| standing.pass.number == refused.number)?;
        let note = note(standing.life)?;
        let now = self.world.now();
        state.ended_early.retain(|then| now.since(*then) < WINDOW);
        state.ended_early.push(now);
        let ends = state.ended_early.len();
        if ends > MOST_ENDED {
            let words = format!(
                "{ENDED_EARLY}, {ends} times within {} minutes; for as long no session is opened unless an operator \
                 retries a workflow. Give this service an account that nobody else logs on with; if it has one, see \
                 whether session_idle_limit is longer than the vault's own limit",
                WINDOW.num_minutes()
            );
            tracing::error!(reason = %words, "no session is opened for a while");
            state.hold = Some(Hold { since: now, why: Why::Ended, words, not_before: None });
        }
        Some(note)
    }

    async fn open(&self, state: &mut State) -> Result<Pass, CallFault> {
        self.heed_hold(state).await?;
        let mut answer = self.way.open(&state.secret).await;
        if matches!(answer, Err(NotOpened::Refused(_)))
            && let Some(other) = self.exchanged(&state.secret).await
        {
            tracing::info!(
                "the sign-in was refused and its secret has changed; it is tried once with the new one"
            );
            state.exchange(other);
            answer = self.way.open(&state.secret).await;
        }
        match answer {
            Ok(opened) => {
                state.opened += 1;
                state.tried_at = None;
                let pass = Pass { header: opened.header, cookies: opened.cookies, number: state.opened };
                let used_at = self.world.now();
                state.standing = Some(Standing { pass: pass.clone(), life: opened.life, used_at });
                Ok(pass)
            }
            Err(NotOpened::Passing { words, after_seconds }) => {
                let words = format!("signing in failed for now: {words}");
                Err(CallFault::Retry { words, after_seconds })
            }
            Err(NotOpened::Refused(words)) => {
                let words = format!("signing in failed: {words}");
                tracing::error!(reason = %words, "the sign-in was refused");
                let hold = Hold { since: self.world.now(), why: Why::Refused, words, not_before: None };
                let words = hold.refused();
                // The secret was fetched again just now.
                state.fetched_at = Some(hold.since);
                state.hold = Some(hold);
                Err(CallFault::Refused { words })
            }
        }
    }

    /// Lifts a hold whose time has come; else it is the answer.
    async fn heed_hold(&self, state: &mut State) -> Result<(), CallFault> {
        let Some(hold) = &state.hold else { return Ok(()) };
        match hold.why {
            Why::Refused => {
                let words = hold.refused();
                match self.looked_for(state).await {
                    Some(other) => state.exchange(other),
                    None => return Err(CallFault::Refused { words }),
                }
            }
            Why::Ended if self.world.now().since(hold.since) < WINDOW => {
                return Err(CallFault::Refused { words: hold.words.clone() });
            }
            Why::Ended => state.ended_early.clear(),
        }
        state.hold = None;
        Ok(())
    }

    /// The secret as it can be fetched now, if it is another one; looked for once in a while, however many calls ask.
    async fn looked_for(&self, state: &mut State) -> Option<SecretString> {
        let now = self.world.now();
        if state.fetched_at.is_some_and(|then| now.since(then) < FETCH_AGAIN) {
            return None;
        }
        state.fetched_at = Some(now);
        self.exchanged(&state.secret).await
    }

    /// The secret as it can be fetched now, if it is another one.
    async fn exchanged(&self, known: &SecretString) -> Option<SecretString> {
        let secret = Arc::clone(&self.secret);
        // A task that may block, since a secret may be the output of a command.
        let fetched = tokio::task::spawn_blocking(move || secret.fetched_again(&Machine)).await;
        match fetched {
            Ok(Ok(found)) => (found.expose_secret() != known.expose_secret()).then_some(found),
            Ok(Err(why)) => {
                tracing::warn!(reason = %why, "the secret of a target cannot be fetched again");
                None
            }
            Err(_) => None,
        }
    }
}

impl State {
    /// What was held against one secret does not count against another.
    fn exchange(&mut self, other: SecretString) {
        self.secret = other;
        self.tried_at = None;
    }
}

impl Hold {
    fn refused(&self) -> String {
        let Self { words, not_before, .. } = self;
        match not_before {
            None => format!("{words}; {NOT_AGAIN}"),
            Some(at) => format!(
                "{words}; an operator had the same secret tried less than {} minutes ago, and more tries would lock the \
                 account: retry from {} on, or as soon as the secret has changed where the settings fetch it",
                WINDOW.num_minutes(),
                at.in_words()
            ),
        }
    }
}

impl Standing {
    fn is_fresh(&self, now: Timestamp) -> bool {
        match self.life {
            Life::Until(end) => now < end,
            Life::Unused(limit) => now.since(self.used_at) < limit,
        }
    }
}

/// A token ends by the clock or by an administrator's hand; a session also by another log-on, which is told.
fn note(life: Life) -> Option<&'static str> {
    match life {
        Life::Until(_) => None,
        Life::Unused(_) => Some(ENDED_EARLY),
    }
}
