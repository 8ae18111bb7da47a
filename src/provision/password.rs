//! Generating a password for an account that is made, or gets a new one.
//!
//! Must hold: 24 characters from four classes, each character uniform over its set and each class present; the vault
//! takes at most 39. Characters that are easily taken for one another are left out, since people type this once.

use zeroize::Zeroizing;

use crate::clock::World;

const LOWER: &[u8] = b"abcdefghijkmnpqrstuvwxyz";
const UPPER: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZ";
const DIGITS: &[u8] = b"23456789";
const SIGNS: &[u8] = b"!#$*+-.:=?@_";
const LENGTH: usize = 24;

/// A fresh password.
pub(super) fn generate(world: &World) -> Zeroizing<String> {
    let every: Vec<u8> = [LOWER, UPPER, DIGITS, SIGNS].concat();
    loop {
        let drawn: Zeroizing<String> =
            Zeroizing::new((0..LENGTH).map(|_| char::from(pick(world, &every))).collect());
        let has = |class: &[u8]| drawn.bytes().any(|byte| class.contains(&byte));
        // Drawing again keeps every remaining password equally likely; putting a class in by hand would not.
        if [LOWER, UPPER, DIGITS, SIGNS].into_iter().all(has) {
            return drawn;
        }
    }
}

/// One byte of `set`, uniformly: values beyond the last whole multiple are drawn again.
fn pick(world: &World, set: &[u8]) -> u8 {
    let size = set.len();
    let usable = 256 - 256 % size;
    loop {
        let [byte] = world.bytes::<1>();
        let place = usize::from(byte);
        if let Some(found) =
            Some(place).filter(|place| *place < usable).and_then(|place| set.get(place % size))
        {
            return *found;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_has_four_classes_and_fits_the_vault() {
        let one = generate(&World::real());
        let other = generate(&World::real());
        assert_ne!(*one, *other);
        for class in [LOWER, UPPER, DIGITS, SIGNS] {
            assert!(one.bytes().any(|byte| class.contains(&byte)));
        }
        assert!((20..=32).contains(&one.len()));
    }
}
