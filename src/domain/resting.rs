//! A target that fails again and again is left to rest: when, for how long, and who tries it next.
//!
//! Must hold: one fault among good answers changes nothing; while a target rests nobody uses up a try on it; after a rest
//! one workflow tries it, and the others follow when that goes well; rests double up to a bound, with jitter. A function of
//! what was met, the time and the chance that are passed in. Deliberately absent: counting anything across processes.

use chrono::TimeDelta;

use super::ids::WorkflowId;
use super::time::Timestamp;

/// The first rest.
const FIRST_REST: TimeDelta = TimeDelta::seconds(5);
/// A trial of which nothing is heard for so long is nobody's any more.
const TRIAL_LIMIT: TimeDelta = TimeDelta::minutes(2);
/// While somebody tries it, others ask again after so long.
const ASK_AGAIN: TimeDelta = TimeDelta::seconds(5);

/// When a target is left to rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestPolicy {
    /// After so many faults in a row.
    pub after_faults: u32,
    /// No rest is longer.
    pub longest: TimeDelta,
}

/// How a target fares, as far as this process has seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// Calls are made.
    Awake {
        /// So many faults in a row were met.
        faults: u32,
    },
    /// None is made before the end.
    Resting(Rest),
    /// One workflow tries it again.
    OnTrial {
        /// Which one.
        by: WorkflowId,
        /// Since when.
        begun: Timestamp,
        /// The rest before it.
        rest: Rest,
    },
}

/// A rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rest {
    /// Since when the target fails.
    pub since: Timestamp,
    /// No call before that moment.
    pub until: Timestamp,
    /// How many rests there were since then.
    pub rests: u32,
    /// What was met last.
    pub last_words: String,
}

/// May a workflow make calls?
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// Yes.
    Go,
    /// Not before that moment.
    NotBefore(Timestamp, String),
}

impl Health {
    /// Nothing is known yet.
    pub const fn fresh() -> Self {
        Self::Awake { faults: 0 }
    }

    /// May this workflow make calls now? The first that asks after a rest tries the target for all.
    pub fn admit(&mut self, who: WorkflowId, now: Timestamp) -> Admission {
        if let Some(not_before) = self.passed_over_until(now) {
            return match self {
                Self::OnTrial { by, .. } if *by == who => Admission::Go,
                Self::Awake { .. } => Admission::Go,
                Self::Resting(rest) | Self::OnTrial { rest, .. } => {
                    Admission::NotBefore(not_before, rest.in_words())
                }
            };
        }
        if let Self::Resting(rest) | Self::OnTrial { rest, .. } = self {
            *self = Self::OnTrial { by: who, begun: now, rest: rest.clone() };
        }
        Admission::Go
    }

    /// Until when nobody takes up work with this target; nothing while anybody may.
    pub fn passed_over_until(&self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Awake { .. } => None,
            Self::Resting(rest) => (now < rest.until).then_some(rest.until),
            Self::OnTrial { begun, .. } => (now.since(*begun) < TRIAL_LIMIT).then(|| now.plus(ASK_AGAIN)),
        }
    }

    /// The target answered.
    pub fn answered(&mut self) {
        *self = Self::fresh();
    }

    /// It did not, or said that it cannot now. `asked` is how long it wants to be left alone; `chance` is uniform.
    pub fn failed(&mut self, met: Met<'_>, chance: u64, policy: &RestPolicy) {
        let Met { words, at, asked } = met;
        let (since, rests) = match self {
            Self::Awake { faults } => {
                *faults = faults.saturating_add(1);
                if *faults < policy.after_faults {
                    return;
                }
                (at, 0)
            }
            // Calls that were under way when it began to rest tell nothing new.
            Self::Resting(rest) if at < rest.until => return,
            Self::Resting(rest) | Self::OnTrial { rest, .. } => (rest.since, rest.rests),
        };
        let longest = policy.longest.num_milliseconds().max(2);
        let doubled = FIRST_REST.num_milliseconds().saturating_mul(1_i64 << rests.min(20)).min(longest);
        let half = (doubled / 2).max(1);
        let jitter = i64::try_from(chance % u64::try_from(half).unwrap_or(1)).unwrap_or(0);
        let asked = asked.map_or(0, |asked| asked.num_milliseconds().min(longest));
        let until = at.plus(TimeDelta::milliseconds((half + jitter).max(asked)));
        let last_words = words.to_owned();
        *self = Self::Resting(Rest { since, until, rests: rests.saturating_add(1), last_words });
    }

    /// In words, where it is not well.
    pub fn trouble(&self) -> Option<String> {
        match self {
            Self::Awake { .. } => None,
            Self::Resting(rest) => Some(rest.in_words()),
            Self::OnTrial { rest, .. } => Some(format!("{}; it is being tried again now", rest.in_words())),
        }
    }
}

/// A fault that was met.
#[derive(Debug, Clone, Copy)]
pub struct Met<'a> {
    /// For a person.
    pub words: &'a str,
    /// When.
    pub at: Timestamp,
    /// What the target asked us to wait.
    pub asked: Option<TimeDelta>,
}

impl Rest {
    /// For a person.
    pub fn in_words(&self) -> String {
        format!(
            "it has failed again and again since {}, so it is left to rest until {}; the last time: {}",
            self.since.in_words(),
            self.until.clock_time(),
            self.last_words
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: RestPolicy = RestPolicy { after_faults: 3, longest: TimeDelta::seconds(60) };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(1_800_000_000 + seconds).unwrap()
    }

    fn who(number: u8) -> WorkflowId {
        WorkflowId::made(at(0), [number; 10])
    }

    fn fail(health: &mut Health, seconds: i64) {
        health.failed(Met { words: "it answered 503", at: at(seconds), asked: None }, u64::MAX - 1, &POLICY);
    }

    fn rested(health: &Health) -> (i64, u32) {
        let Health::Resting(rest) = health else { panic!("{health:?}") };
        (rest.until.since(at(0)).num_milliseconds(), rest.rests)
    }

    #[test]
    fn faults_in_a_row_put_it_to_rest_and_one_answer_between_them_does_not() {
        let mut health = Health::fresh();
        for second in 0..20 {
            fail(&mut health, second);
            fail(&mut health, second);
            assert_eq!(health.passed_over_until(at(second)), None);
            health.answered();
        }
        for second in 0..3 {
            fail(&mut health, second);
        }
        let (until, _) = rested(&health);
        assert!((4_500..=7_000).contains(&until), "{until}");
        assert!(health.trouble().unwrap().contains("it answered 503"));
        // Whoever was under way changes nothing.
        let before = health.clone();
        fail(&mut health, 3);
        assert_eq!(health, before);
    }

    #[test]
    fn after_a_rest_one_tries_for_all_and_rests_double_up_to_a_bound() {
        let mut health = Health::fresh();
        (0..3).for_each(|second| fail(&mut health, second));
        let (mut now, mut waits) = (2_i64, vec![]);
        for _ in 0..7 {
            let (until, _) = rested(&health);
            assert!(matches!(health.admit(who(1), at(now)), Admission::NotBefore(..)));
            waits.push(until - now * 1000);
            now = until / 1000 + 1;
            assert_eq!(health.admit(who(1), at(now)), Admission::Go);
            assert_eq!(health.admit(who(1), at(now)), Admission::Go, "the same one goes on");
            assert!(matches!(health.admit(who(2), at(now)), Admission::NotBefore(..)));
            fail(&mut health, now);
        }
        assert!(waits.iter().all(|wait| *wait <= 60_000), "{waits:?}");
        assert!(waits[1] > waits[0] && waits[2] > waits[1] && *waits.last().unwrap() > 29_000, "{waits:?}");
        let (until, _) = rested(&health);
        assert_eq!(health.admit(who(3), at(until / 1000 + 1)), Admission::Go);
        health.answered();
        assert_eq!(health, Health::fresh());
        assert_eq!(health.admit(who(2), at(0)), Admission::Go);
    }

    #[test]
    fn a_trial_of_which_nothing_is_heard_does_not_last_for_ever() {
        let mut health = Health::fresh();
        (0..3).for_each(|second| fail(&mut health, second));
        assert_eq!(health.admit(who(1), at(30)), Admission::Go);
        assert!(matches!(health.admit(who(2), at(100)), Admission::NotBefore(..)));
        assert_eq!(health.admit(who(2), at(151)), Admission::Go);
    }

    #[test]
    fn what_the_target_asks_for_is_believed_up_to_the_bound() {
        for (asked, wait) in [(30, 30_000), (3_600, 60_000)] {
            let mut health = Health::fresh();
            for _ in 0..3 {
                let asked = Some(TimeDelta::seconds(asked));
                health.failed(Met { words: "it answered 429", at: at(0), asked }, 0, &POLICY);
            }
            assert_eq!(rested(&health).0, wait);
        }
    }
}
