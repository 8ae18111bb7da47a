//! What the calls of this process tell of the vault: whether it answers, or is left to rest.
//!
//! Must hold: an answer of the vault itself, be it a refusal, says that it is well; no connection, no answer, a gateway's
//! page and a plea for patience say that it is not. Deliberately absent: what follows from it (`domain::resting`).

use std::sync::{MutexGuard, PoisonError};

use chrono::TimeDelta;

use super::Pvwa;
use super::answer::Verdict;
use crate::domain::resting::{Health, Met};
use crate::target::CallFault;

impl Pvwa {
    pub(super) fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of what an answer says.
    pub(super) fn heard(&self, verdict: &Verdict) {
        match verdict {
            Verdict::Success(_) | Verdict::RenewToken(_) | Verdict::AlreadySo(_) | Verdict::Refused(_) => {
                self.answered();
            }
            Verdict::Passing { said, after_seconds } => self.failed(&said.words, *after_seconds),
            Verdict::Unclear(said) => self.failed(&said.words, None),
        }
    }

    /// Takes note of a sign-in that did not come about; one that was refused was answered.
    pub(super) fn not_signed_in(&self, fault: &CallFault) {
        match fault {
            CallFault::Retry { words, after_seconds } => self.failed(words, *after_seconds),
            CallFault::Refused { .. } | CallFault::NeedsPerson { .. } => {}
        }
    }

    pub(super) fn failed(&self, words: &str, after_seconds: Option<u32>) {
        let asked = after_seconds.map(|seconds| TimeDelta::seconds(i64::from(seconds)));
        let met = Met { words, at: self.world.now(), asked };
        let chance = self.world.number();
        let mut health = self.health();
        health.failed(met, chance, &self.rest);
        if let Health::Resting(rest) = &*health
            && rest.last_words == words
        {
            tracing::error!(vault = %self.name, until = %rest.until, reason = words, "a vault is left to rest");
            self.measure(1.0);
        }
    }

    fn answered(&self) {
        let mut health = self.health();
        if !matches!(*health, Health::Awake { .. }) {
            tracing::info!(vault = %self.name, "a vault answers again");
            self.measure(0.0);
        }
        health.answered();
    }

    fn measure(&self, rests: f64) {
        metrics::gauge!("countersign_target_rests", "target" => self.name.to_string()).set(rests);
    }
}
