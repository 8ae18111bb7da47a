//! What a program is told when our own records cannot be read.
//!
//! Must hold: nothing of the database is in it; what may pass says when to come again.

use crate::store::ReadFault;
use crate::web::problem::Problem;

/// When a reader may come again while the database does not answer.
const RETRY_AFTER_SECONDS: u16 = 10;

/// What stands in the place of a record that makes no sense.
pub(super) const UNREADABLE: &str = "this record cannot be read; it must be mended in the database";

/// The answer, and a line in the log.
pub(super) fn unread(fault: &ReadFault) -> Problem {
    tracing::error!(%fault, "a question of the operators' API could not be answered");
    match fault {
        ReadFault::Database(_) => Problem::unavailable(RETRY_AFTER_SECONDS),
        ReadFault::Inconsistent { .. } | ReadFault::Corrupt(_) | ReadFault::Cleared(_) => Problem::internal(),
    }
}
