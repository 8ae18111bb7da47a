//! A database of a story's own.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use sea_orm::{ConnectOptions, ConnectionTrait as _, DatabaseConnection, Statement};

/// Which database a story is told on.
#[derive(Debug, Clone)]
pub enum Database {
    Sqlite,
    Postgres { url: String, schema: String },
}

impl Database {
    pub fn sqlite() -> Self {
        Self::Sqlite
    }

    /// A schema of its own in the server that `COUNTERSIGN_TEST_POSTGRES` names.
    pub fn postgres() -> Self {
        static STORIES: AtomicU64 = AtomicU64::new(1);
        let url =
            std::env::var("COUNTERSIGN_TEST_POSTGRES").expect("COUNTERSIGN_TEST_POSTGRES names a server");
        let story = STORIES.fetch_add(1, Ordering::SeqCst);
        Self::Postgres { url, schema: format!("story_{}_{story}", std::process::id()) }
    }

    /// The lines of `[database]`.
    pub fn settings(&self, folder: &Path) -> String {
        match self {
            Self::Sqlite => format!("url = \"sqlite://{}\"", folder.join("story.db").display()),
            Self::Postgres { url, schema } => format!("url = \"{url}\"\nschema = \"{schema}\""),
        }
    }

    /// A fresh database on the same engine.
    pub fn another(&self) -> Self {
        match self {
            Self::Sqlite => Self::sqlite(),
            Self::Postgres { .. } => Self::postgres(),
        }
    }

    /// A second connection, of no interest to the service. On SQLite it can only read.
    pub async fn second_connection(&self, folder: &Path) -> DatabaseConnection {
        self.connection(folder, "ro").await
    }

    /// Somebody changes rows behind the service's back.
    pub async fn change(&self, folder: &Path, statement: &str) {
        let connection = self.connection(folder, "rw").await;
        let changed = connection.execute_unprepared(statement).await.unwrap();
        connection.close().await.unwrap();
        assert!(changed.rows_affected() > 0, "{statement} changes nothing");
    }

    async fn connection(&self, folder: &Path, mode: &str) -> DatabaseConnection {
        let mut options = match self {
            Self::Sqlite => {
                ConnectOptions::new(format!("sqlite://{}?mode={mode}", folder.join("story.db").display()))
            }
            Self::Postgres { url, .. } => ConnectOptions::new(url),
        };
        if let Self::Postgres { schema, .. } = self {
            options.set_schema_search_path(schema);
        }
        options.max_connections(1).sqlx_logging(false);
        sea_orm::Database::connect(options).await.unwrap()
    }

    /// A connection that may write past the service, as another version of it would have.
    pub async fn writing_connection(&self, folder: &Path) -> DatabaseConnection {
        let mut options = match self {
            Self::Sqlite => ConnectOptions::new(format!("sqlite://{}", folder.join("story.db").display())),
            Self::Postgres { url, .. } => ConnectOptions::new(url),
        };
        if let Self::Postgres { schema, .. } = self {
            options.set_schema_search_path(schema);
        }
        options.max_connections(1).sqlx_logging(false);
        sea_orm::Database::connect(options).await.unwrap()
    }

    /// The first column of what a question brings, each value as text, read over a second connection.
    pub async fn texts(&self, folder: &Path, question: &str) -> Vec<String> {
        let connection = self.second_connection(folder).await;
        let asked = Statement::from_string(connection.get_database_backend(), question);
        let rows = connection.query_all_raw(asked).await.unwrap();
        connection.close().await.unwrap();
        rows.iter().map(|row| row.try_get_by_index::<String>(0).unwrap()).collect()
    }

    /// What a question that counts brings, read over a second connection.
    pub async fn count(&self, folder: &Path, question: &str) -> i64 {
        let connection = self.second_connection(folder).await;
        let asked = Statement::from_string(connection.get_database_backend(), question);
        let row = connection.query_one_raw(asked).await.unwrap().unwrap();
        connection.close().await.unwrap();
        row.try_get_by_index(0).unwrap()
    }
}
