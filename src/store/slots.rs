//! Locks for what is counted by a name that has no row of its own, such as an address or a browser.
//!
//! Must hold: names are spread over a fixed number of rows, so that nothing is kept of them and nothing grows; two names
//! that share a row only wait for each other; rows are taken in ascending order, so that no two deeds wait in a circle.

use std::collections::BTreeSet;

use sea_orm::{EntityTrait as _, QuerySelect as _};

use super::deed::{Fault, Tx};
use super::rows::slot;
use crate::domain::canon::Digest;

/// As many rows as the migration made.
const SLOTS: u8 = 64;

/// Locks all these names until the transaction ends. What is counted by them is to be read afterwards.
pub(super) async fn lock<No>(tx: &Tx, names: &[String]) -> Result<(), Fault<No>> {
    let numbers: BTreeSet<i64> = names.iter().map(|name| number(name)).collect();
    for number in numbers {
        let row = slot::Entity::find_by_id(number).lock_exclusive().one(&tx.inner).await?;
        if row.is_none() {
            return Err(Fault::Broken(format!("the slot {number} is gone")));
        }
    }
    Ok(())
}

fn number(name: &str) -> i64 {
    let Digest(bytes) = Digest::of_bytes(name.as_bytes());
    i64::from(bytes[0] % SLOTS)
}
