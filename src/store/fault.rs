//! What can go wrong with the database, sorted by what the caller may do about it.

use sea_orm::{DbErr, RuntimeErr};

use crate::domain::canon::Corrupt;
use crate::domain::time::Timestamp;

/// A read that failed.
#[derive(Debug, thiserror::Error)]
pub enum ReadFault {
    /// The database does not answer, or refuses. What the driver says stands in the words, as it does for writes, for
    /// they are logged where the fault is handled; an address or a password is in none of the driver's words.
    #[error("the database cannot be read: {0}")]
    Database(DbErr),
    /// A row makes no sense: damage, or a hand that bypassed the service.
    #[error("table {table}, row {row}: {wrong}")]
    Inconsistent {
        /// Where.
        table: &'static str,
        /// Which row.
        row: String,
        /// What is wrong with it.
        wrong: &'static str,
    },
    /// Stored bytes that do not open.
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
    /// It was there, and was cleared after its time.
    #[error("it was cleared at {}", .0.in_words())]
    Cleared(Timestamp),
}

impl From<DbErr> for ReadFault {
    fn from(fault: DbErr) -> Self {
        Self::Database(fault)
    }
}

/// A deed that was not done.
#[derive(Debug, thiserror::Error)]
pub enum WriteFault<No> {
    /// The deed's own rule says no. Nothing was written.
    #[error("refused")]
    Refused(No),
    /// The database could not take it. Nothing was written; another try may succeed.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// Nobody knows whether it was written: look, or run the same deed again.
    #[error("the outcome of a write is unknown: {0}")]
    Unknown(String),
}

impl<No: std::fmt::Display> WriteFault<No> {
    /// The same, with a refusal in the words in which people are told it.
    pub fn in_words(self) -> WriteFault<String> {
        match self {
            Self::Refused(no) => WriteFault::Refused(no.to_string()),
            Self::Unavailable(why) => WriteFault::Unavailable(why),
            Self::Unknown(why) => WriteFault::Unknown(why),
        }
    }
}

/// What a database error means for the transaction it came up in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Lost a race against another transaction; run the deed again.
    Again,
    /// The connection can no longer be trusted (SQLite: out of memory, input/output error, disk full).
    Poison,
    /// Anything else.
    Other,
}

pub(super) fn meaning(fault: &DbErr) -> Meaning {
    let (DbErr::Conn(RuntimeErr::SqlxError(inner))
    | DbErr::Exec(RuntimeErr::SqlxError(inner))
    | DbErr::Query(RuntimeErr::SqlxError(inner))) = fault
    else {
        return Meaning::Other;
    };
    let Some(told) = inner.as_database_error() else { return Meaning::Other };
    let unique = told.is_unique_violation();
    match told.code().as_deref() {
        // PostgreSQL: serialisation failure, deadlock.
        Some("40001" | "40P01") => Meaning::Again,
        Some(code) => match code.parse::<u32>() {
            // An extended SQLite result code keeps the primary one in its low byte (sqlite.org/rescode.html).
            Ok(number) if code.len() < 5 && [7, 10, 13].contains(&(number & 0xff)) => Meaning::Poison,
            _ if unique => Meaning::Again,
            _ => Meaning::Other,
        },
        None if unique => Meaning::Again,
        None => Meaning::Other,
    }
}

#[cfg(test)]
mod tests {
    use crate::store::listed;
    use crate::store::tests::stage::Stage;

    #[tokio::test]
    async fn a_read_that_fails_says_why() {
        let stage = Stage::sqlite().await;
        stage.outsider().await.run("alter table workflows rename to mislaid", []).await.unwrap();
        let fault = listed::page(&stage.store, None, 1).await.unwrap_err();
        let words = fault.to_string();
        assert!(words.starts_with("the database cannot be read: "), "{words}");
        assert!(words.contains("no such table: workflows"), "{words}");
        assert!(std::error::Error::source(&fault).is_none(), "a chain that is told says it once");
    }
}
