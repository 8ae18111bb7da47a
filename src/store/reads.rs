//! The connections that readers look through, each look bounded in time.
//!
//! Must hold: a server that takes a question and never answers, as behind a network that swallows everything, holds
//! nobody up for longer than [`LONGEST_LOOK`]; the connection that it was asked on is given up by the pool.
//! Deliberately absent: writing. That is the writer's, and bounded there.

use std::future::Future;
use std::time::Duration;

use sea_orm::{
    ConnectionTrait, DatabaseBackend, DatabaseConnection, DbErr, ExecResult, QueryResult, RuntimeErr,
    Statement,
};

/// Longer than a connection is waited for, and than any look of ours takes.
pub(super) const LONGEST_LOOK: Duration = Duration::from_secs(20);

/// The readers' pool.
pub struct Reads {
    pool: DatabaseConnection,
}

impl Reads {
    pub(super) fn over(pool: DatabaseConnection) -> Self {
        Self { pool }
    }

    /// The pool itself, for what brings its own bounds.
    pub(super) fn pool(&self) -> &DatabaseConnection {
        &self.pool
    }
}

#[async_trait::async_trait]
impl ConnectionTrait for Reads {
    fn get_database_backend(&self) -> DatabaseBackend {
        self.pool.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        bounded(self.pool.execute_raw(statement)).await
    }

    async fn execute_unprepared(&self, statement: &str) -> Result<ExecResult, DbErr> {
        bounded(self.pool.execute_unprepared(statement)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        bounded(self.pool.query_one_raw(statement)).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        bounded(self.pool.query_all_raw(statement)).await
    }
}

async fn bounded<T>(asked: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
    tokio::time::timeout(LONGEST_LOOK, asked).await.unwrap_or_else(|_| Err(no_answer(LONGEST_LOOK)))
}

/// The fault of a database that took what was asked and said nothing.
pub(super) fn no_answer(after: Duration) -> DbErr {
    DbErr::Conn(RuntimeErr::Internal(format!("no answer within {} seconds", after.as_secs())))
}
