//! Time and chance, as arguments.
//!
//! Must hold: nothing else in the product asks the machine for the time or for randomness. Stories pass their own.

use std::sync::Arc;

use crate::domain::time::Timestamp;

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Now, in whole microseconds.
    fn now(&self) -> Timestamp;
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
        Self { clock: Arc::new(MachineClock), chance: Arc::new(MachineChance) }
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// An array of unpredictable bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.chance.fill(&mut bytes);
        bytes
    }

    /// A uniform number.
    pub fn number(&self) -> u64 {
        u64::from_be_bytes(self.bytes())
    }
}

/// The machine's clock.
#[derive(Debug)]
pub struct MachineClock;

impl Clock for MachineClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where the machine is asked for the time")]
    fn now(&self) -> Timestamp {
        Timestamp::from_utc(chrono::Utc::now())
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
