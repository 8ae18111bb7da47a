//! Time and chance, as arguments.
//!
//! Must hold: nothing else in the product asks the machine for the time or for randomness. Stories pass their own. The
//! machine's time is told as far as it is believed (`belief`, `guarded`), because a clock that is set wrong must not bring
//! anything about early.

pub mod belief;
pub mod guarded;

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::domain::time::Timestamp;

use self::guarded::{Guarded, MachinePair};

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Now, in whole microseconds.
    fn now(&self) -> Timestamp;

    /// The clock that may come to doubt its time; absent where time is made up.
    fn guarded(&self) -> Option<&Guarded> {
        None
    }
}

/// What may be begun, as far as the time is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MayBegin {
    /// Whatever is due.
    Anything,
    /// The time is in doubt: only leavers that were due by then, which is no later than the true time. Removal is not held
    /// up by a clock where every clock says that it is due.
    LeaversDueBy(Timestamp),
}

/// Gives unpredictable bytes.
pub trait Chance: Send + Sync {
    /// Fills the whole buffer.
    fn fill(&self, buffer: &mut [u8]);
}

/// Both, as every room takes them.
#[derive(Clone)]
pub struct World {
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Gives unpredictable bytes.
    pub chance: Arc<dyn Chance>,
}

impl World {
    /// The machine's own clock and randomness.
    pub fn real() -> Self {
        Self {
            clock: Arc::new(Guarded::new(Arc::new(MachinePair::begin()))),
            chance: Arc::new(MachineChance),
        }
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// What may be begun at this moment.
    pub fn may_begin(&self) -> MayBegin {
        self.clock.guarded().map_or(MayBegin::Anything, Guarded::may_begin)
    }

    /// An array of unpredictable bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.chance.fill(&mut bytes);
        bytes
    }

    /// 16 bytes of chance, in hexadecimal: the salt of a plan.
    pub fn salt(&self) -> String {
        format!("{:032x}", u128::from_be_bytes(self.bytes()))
    }

    /// The moment and the chance of one deed.
    pub fn stamp(&self) -> Stamp {
        Stamp { at: self.now(), seed: self.bytes() }
    }

    /// A uniform number.
    pub fn number(&self) -> u64 {
        u64::from_be_bytes(self.bytes())
    }
}

/// The moment of a deed and the seed of every id and salt in it. A deed that is run again makes the same rows.
#[derive(Clone)]
pub struct Stamp {
    /// When.
    pub at: Timestamp,
    seed: [u8; 32],
}

/// Draws ids and salts from a [`Stamp`], the same ones each time.
pub struct Draw {
    at: Timestamp,
    seed: [u8; 32],
    drawn: u64,
}

impl Stamp {
    /// Begins to draw.
    pub fn draw(&self) -> Draw {
        Draw { at: self.at, seed: self.seed, drawn: 0 }
    }
}

impl Draw {
    /// The next salt.
    pub fn salt(&mut self) -> [u8; 16] {
        self.bytes(b"salt")
    }

    /// At most 32 bytes. Ids are seen by everybody and salts by nobody, so neither may tell of the other, even if
    /// both are drawn from one seed.
    fn bytes<const N: usize>(&mut self, purpose: &[u8]) -> [u8; N] {
        self.drawn += 1;
        let mut hash = Sha256::new();
        hash.update(self.seed);
        hash.update(purpose);
        hash.update(self.drawn.to_be_bytes());
        let block: [u8; 32] = hash.finalize().into();
        let mut bytes = [0; N];
        bytes.iter_mut().zip(block).for_each(|(to, from)| *to = from);
        bytes
    }

    /// The next row id, made by the `made` of its type.
    pub fn id<T>(&mut self, made: fn(Timestamp, [u8; 10]) -> T) -> T {
        made(self.at, self.bytes(b"id"))
    }
}

/// The operating system's randomness.
#[derive(Debug)]
pub struct MachineChance;

impl Chance for MachineChance {
    #[expect(clippy::disallowed_methods, reason = "the one place where the machine is asked for randomness")]
    fn fill(&self, buffer: &mut [u8]) {
        // Without randomness no token, salt or password can be made; going on would be worse than stopping.
        if getrandom::fill(buffer).is_err() {
            std::process::abort();
        }
    }
}
