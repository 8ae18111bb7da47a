//! The simulator's own clock: real time plus an offset, or a moment that stands still.
//!
//! Must hold: this is the only place of the simulator that reads the machine's clock.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

#[derive(Debug, Clone, Copy)]
enum Mode {
    Following(TimeDelta),
    Frozen(DateTime<Utc>),
}

/// A clock that can be moved. Clones share one face.
#[derive(Debug, Clone)]
pub struct SimClock(Arc<Mutex<Mode>>);

impl SimClock {
    /// A clock that shows real time.
    pub fn following() -> Self {
        Self(Arc::new(Mutex::new(Mode::Following(TimeDelta::zero()))))
    }

    /// A clock that stands at `moment` until it is moved.
    pub fn frozen(moment: DateTime<Utc>) -> Self {
        Self(Arc::new(Mutex::new(Mode::Frozen(moment))))
    }

    /// What the clock shows.
    pub fn now(&self) -> DateTime<Utc> {
        match *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Mode::Following(offset) => real_now() + offset,
            Mode::Frozen(moment) => moment,
        }
    }

    /// Moves the clock forward (or back, with a negative number); a running clock keeps running.
    pub fn advance(&self, by: TimeDelta) {
        let mut mode = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *mode = match *mode {
            Mode::Following(offset) => Mode::Following(offset + by),
            Mode::Frozen(moment) => Mode::Frozen(moment + by),
        };
    }

    /// Sets the clock to `moment` and stops it there.
    pub fn set(&self, moment: DateTime<Utc>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Mode::Frozen(moment);
    }

    /// Back to real time.
    pub fn follow(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Mode::Following(TimeDelta::zero());
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the simulator is a world of its own and shares no clock with the service; this is its one reading"
)]
fn real_now() -> DateTime<Utc> {
    Utc::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frozen_clock_moves_only_when_told() {
        let start = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let clock = SimClock::frozen(start);
        let shared = clock.clone();
        assert_eq!(clock.now(), start);
        shared.advance(TimeDelta::seconds(90));
        assert_eq!(clock.now(), start + TimeDelta::seconds(90));
        clock.follow();
        assert!(clock.now() > start + TimeDelta::days(300));
    }
}
