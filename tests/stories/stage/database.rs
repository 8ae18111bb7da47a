//! A database of a story's own.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

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
}
