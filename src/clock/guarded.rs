//! The clock of a service that runs: the machine's, but only as far as it is believed.
//!
//! Must hold: reading it never waits for anything but a moment's lock; whoever corrects it, does so from outside.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::belief::{Belief, Bounds, Doubt, Look};
use super::{Clock, MayBegin};
use crate::domain::time::Timestamp;

/// A pair of clocks: one that tells the time and may be set, one that only goes on.
pub trait Pair: Send + Sync {
    /// Both at this moment.
    fn look(&self) -> Look;
}

/// The machine's clock, as far as it is believed.
pub struct Guarded {
    pair: Arc<dyn Pair>,
    belief: Mutex<Belief>,
}

impl Guarded {
    /// Believes what the pair says at its first look.
    pub fn new(pair: Arc<dyn Pair>) -> Self {
        Self { pair, belief: Mutex::new(Belief::new(Bounds::default())) }
    }

    /// Why the time is not believed, while it is not.
    pub fn doubt(&self) -> Option<Doubt> {
        let look = self.pair.look();
        let mut belief = self.belief();
        belief.tell(look);
        belief.doubt()
    }

    /// What may be begun at this moment.
    pub fn may_begin(&self) -> MayBegin {
        let look = self.pair.look();
        let mut belief = self.belief();
        let certainly = belief.certainly(look);
        if belief.doubt().is_none() { MayBegin::Anything } else { MayBegin::LeaversDueBy(certainly) }
    }

    /// Other bounds, from the settings.
    pub fn bind(&self, bounds: Bounds) {
        self.belief().bind(bounds);
    }

    /// How long the steady clock has been going.
    pub fn steady(&self) -> Duration {
        self.pair.look().steady
    }

    /// See [`Belief::has_written`].
    pub fn has_written(&self, highest: Timestamp) {
        let look = self.pair.look();
        self.belief().has_written(highest, look);
    }

    /// The database has told its time, at this moment. See [`Belief::database_says`].
    pub fn database_says(&self, said: Timestamp) {
        let look = self.pair.look();
        self.belief().database_says(said, look);
    }

    /// See [`Belief::still_doubts`].
    pub fn still_doubts(&self, before: Doubt) {
        let look = self.pair.look();
        self.belief().still_doubts(before, look);
    }

    /// A person says that the clock is right.
    pub fn confirm(&self) {
        let look = self.pair.look();
        self.belief().confirm(look);
    }

    fn belief(&self) -> MutexGuard<'_, Belief> {
        // Nothing under this lock can fail half-way.
        self.belief.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for Guarded {
    fn now(&self) -> Timestamp {
        let look = self.pair.look();
        self.belief().tell(look)
    }

    fn guarded(&self) -> Option<&Guarded> {
        Some(self)
    }
}

/// The machine's own two clocks.
#[derive(Debug)]
pub struct MachinePair {
    begun: Duration,
}

impl MachinePair {
    /// Begins to count.
    pub fn begin() -> Self {
        Self { begun: since_start() }
    }
}

impl Pair for MachinePair {
    #[expect(clippy::disallowed_methods, reason = "the one place where the machine is asked for the time")]
    fn look(&self) -> Look {
        Look {
            wall: Timestamp::from_utc(chrono::Utc::now()),
            steady: since_start().saturating_sub(self.begun),
        }
    }
}

/// The clock that nobody sets, and that goes on while the machine sleeps.
#[cfg(target_os = "linux")]
fn since_start() -> Duration {
    let told = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::new(u64::try_from(told.tv_sec).unwrap_or(0), u32::try_from(told.tv_nsec).unwrap_or(0))
}

/// The clock that nobody sets. Whether it goes on while the machine sleeps is the system's business.
#[cfg(not(target_os = "linux"))]
#[expect(
    clippy::disallowed_methods,
    reason = "with `look` the one place where the machine is asked for the time"
)]
fn since_start() -> Duration {
    use std::sync::OnceLock;
    use std::time::Instant;
    static BEGUN: OnceLock<Instant> = OnceLock::new();
    BEGUN.get_or_init(Instant::now).elapsed()
}
