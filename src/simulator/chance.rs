//! The simulator's own seeded chance (splitmix64): same seed, same ids.
//!
//! Must hold: nothing in the simulator draws from the machine, so that a story can be told twice.
//! Deliberately not here: anything fit for real secrets.

/// A seeded stream of numbers that look random.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// A stream that depends on nothing but `seed`.
    pub fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number of the stream.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A vault id: positive, up to eight digits, like those of a tenant that has lived for a while.
    pub fn vault_id(&mut self) -> i64 {
        let spread = i64::try_from(self.draw() % 9_999_000).unwrap_or(0);
        1_000 + spread
    }

    /// A text of `length` letters and digits.
    pub fn letters(&mut self, length: usize) -> String {
        const ALPHABET: [char; 32] = [
            'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'j', 'k', 'm', 'n', 'p', 'q', 'r', 's', 't', 'u', 'v',
            'w', 'x', 'y', 'z', '2', '3', '4', '5', '6', '7', '8', '9', '1',
        ];
        (0..length).map(|_| usize::try_from(self.draw() % 32).map_or('a', |place| ALPHABET[place])).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_splitmix64() {
        // First outputs for seed 1234567, as published with the algorithm.
        let mut chance = Chance::seeded(1_234_567);
        assert_eq!(chance.draw(), 6_457_827_717_110_365_317);
        assert_eq!(chance.draw(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn another_seed_gives_other_ids() {
        assert_ne!(Chance::seeded(1).vault_id(), Chance::seeded(2).vault_id());
        assert_eq!(Chance::seeded(3).letters(12), Chance::seeded(3).letters(12));
    }
}
