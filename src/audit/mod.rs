//! The audit: giving every event its place in one log, proving the trail, taking it out.
//!
//! Must hold: verifying only reads, and reads one moment; it names the record that is wrong in words a person
//! understands; an export can be checked without the database.
//! What this proves and what not: a change, a loss, an exchange or an addition behind the service's back is found;
//! a cut end and a wholesale rewrite are found against a head that travelled outside before. A lie told at the time
//! of writing, or a loss before the first head went out, cannot be found by anybody.

mod chains;
mod export;
mod found;
mod ledger;
mod log;
mod reread;
mod sealer;
mod verify;

pub use export::{ExportFault, Exported, export};
pub use found::{Found, Record, Verdict, What};
pub use reread::{RereadFault, verify_export};
pub use sealer::Sealer;
pub use verify::{VerifyFault, verify};

#[cfg(test)]
mod tests;
