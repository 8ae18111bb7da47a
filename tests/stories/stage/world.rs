//! Time and chance of a story.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use countersign::clock::belief::Look;
use countersign::clock::guarded::{Guarded, Pair};
use countersign::clock::{Chance, Clock, World};
use countersign::domain::time::Timestamp;
use countersign::simulator::clock::SimClock;

/// A clock that moves by a millisecond whenever it is asked, and otherwise only by hand. The simulated world's clock
/// moves along.
pub struct HandClock {
    begun: DateTime<Utc>,
    millis: AtomicI64,
    simulated: SimClock,
}

impl HandClock {
    pub fn begin() -> Self {
        let begun = DateTime::parse_from_rfc3339("2026-12-01T08:00:00Z").unwrap().to_utc();
        Self { begun, millis: AtomicI64::new(0), simulated: SimClock::frozen(begun) }
    }

    pub fn simulated(&self) -> SimClock {
        self.simulated.clone()
    }

    pub fn read(&self) -> DateTime<Utc> {
        self.begun + TimeDelta::milliseconds(self.millis.load(Ordering::SeqCst))
    }

    /// Goes to the time of the machine, by which commands go.
    pub fn be_real(&self) {
        let real = World::real().now().as_utc();
        self.advance(real - self.read());
    }

    pub fn advance(&self, by: TimeDelta) {
        self.millis.fetch_add(by.num_milliseconds(), Ordering::SeqCst);
        self.simulated.set(self.read());
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        let millis = self.millis.fetch_add(1, Ordering::SeqCst);
        Timestamp::from_utc(self.begun + TimeDelta::milliseconds(millis))
    }
}

/// A pair of clocks that a story sets: the one that tells the time, and the one that only goes on. Both go on by a
/// millisecond whenever they are looked at.
pub struct SteppedClock(Mutex<Look>);

impl SteppedClock {
    /// As the machine's own, so that a database's clock agrees.
    pub fn real() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Look { wall: World::real().now(), steady: Duration::ZERO })))
    }

    /// The same time, with a steady clock that begins anew, as after a start of the machine.
    pub fn anew(&self) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Look { wall: self.wall(), steady: Duration::ZERO })))
    }

    /// What the clock on the wall says.
    pub fn wall(&self) -> Timestamp {
        self.0.lock().unwrap().wall
    }

    /// Somebody sets the clock on the wall.
    pub fn step(&self, by: TimeDelta) {
        let mut look = self.0.lock().unwrap();
        look.wall = look.wall.plus(by);
    }

    /// Time passes.
    pub fn pass(&self, so_long: Duration) {
        let mut look = self.0.lock().unwrap();
        look.wall = look.wall.plus(TimeDelta::from_std(so_long).unwrap());
        look.steady += so_long;
    }

    /// A clock for a service, as far as this pair is to be believed.
    pub fn guarded(self: &Arc<Self>) -> Arc<dyn Clock> {
        let pair: Arc<dyn Pair> = self.clone();
        Arc::new(Guarded::new(pair))
    }
}

impl Pair for SteppedClock {
    fn look(&self) -> Look {
        self.pass(Duration::from_millis(1));
        *self.0.lock().unwrap()
    }
}

/// Chance that can be told again: splitmix64 from a seed.
pub struct SeededChance(Mutex<u64>);

impl SeededChance {
    pub fn fresh() -> Self {
        static STORIES: AtomicU64 = AtomicU64::new(1);
        Self(Mutex::new(STORIES.fetch_add(1, Ordering::SeqCst) << 32 | u64::from(std::process::id())))
    }
}

impl Chance for SeededChance {
    fn fill(&self, buffer: &mut [u8]) {
        let mut state = self.0.lock().unwrap();
        for chunk in buffer.chunks_mut(8) {
            *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = *state;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^= mixed >> 31;
            chunk.copy_from_slice(&mixed.to_be_bytes()[..chunk.len()]);
        }
    }
}
