//! Opening the database, with the settings that its promises rest on.
//!
//! Must hold: SQLite keeps every committed change through a power cut (WAL, synchronous FULL); PostgreSQL gives up a
//! statement or an idle transaction rather than hang; the schema is brought up to date under a lock. A SQLite file that
//! is made here is for its owner alone.

use std::path::{Path, PathBuf};
use std::time::Duration;

use migrations::Migrator;
use sea_orm::{
    ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, DatabaseTransaction, DbErr,
    SqliteTransactionMode, TransactionOptions, TransactionTrait as _,
};
use sea_orm_migration::MigratorTrait as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use tokio::sync::Mutex;

use super::writer::{Slot, Writer};

/// Where the database is.
#[derive(Debug, Clone)]
pub enum Place {
    /// A file on this machine.
    Sqlite {
        /// `sqlite://PATH`.
        url: String,
        /// The file is never let grow beyond so many pages.
        most_pages: Option<u32>,
    },
    /// A server.
    Postgres {
        /// `postgres://…`; the password is never printed.
        url: String,
        /// A schema of its own, for demonstrations and tests.
        schema: Option<String>,
    },
}

impl Place {
    /// Reads a URL; `None` when it names neither of the two databases.
    pub fn from_url(url: &str) -> Option<Self> {
        if url.starts_with("sqlite:") {
            Some(Self::Sqlite { url: url.to_owned(), most_pages: None })
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            Some(Self::Postgres { url: url.to_owned(), schema: None })
        } else {
            None
        }
    }

    /// The file of a SQLite database, there or not; `None` for a server, for a database in memory, and for a URL that
    /// cannot be read.
    pub fn file(&self) -> Option<PathBuf> {
        match self {
            Self::Sqlite { url, .. } => {
                let options: SqliteConnectOptions = url.parse().ok()?;
                let file = options.get_filename();
                let asked = url.split_once('?').map_or("", |(_, asked)| asked);
                // The driver gives `:memory:` the name of a URI.
                let in_memory = file.to_string_lossy().starts_with("file:")
                    || asked.split('&').any(|pair| pair == "mode=memory");
                (!in_memory).then(|| file.to_owned())
            }
            Self::Postgres { .. } => None,
        }
    }
}

/// The database cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenFault {
    /// There is no SQLite file, and none can be made.
    #[error("the database file cannot be made")]
    Make(#[source] std::io::Error),
    /// No connection.
    #[error("the database cannot be reached")]
    Connect(#[source] DbErr),
    /// The schema cannot be brought up to date.
    #[error("the database schema cannot be brought up to date")]
    Migrate(#[source] DbErr),
    /// Other replicas cannot be heard.
    #[error("the database cannot be listened to")]
    Listen(#[source] sqlx::Error),
}

/// Any number, the same in every replica: who migrates holds it.
const MIGRATION_LOCK: i64 = 0x636f_756e_7465;

pub(super) async fn connect(place: &Place) -> Result<(DatabaseConnection, Writer), OpenFault> {
    match place {
        Place::Sqlite { url, most_pages } => {
            if let Some(file) = place.file() {
                make_private(&file).map_err(OpenFault::Make)?;
            }
            let writing = sqlite(url, 1, *most_pages);
            let writer = Database::connect(writing.clone()).await.map_err(OpenFault::Connect)?;
            migrate(&writer).await.map_err(OpenFault::Migrate)?;
            let reads = Database::connect(sqlite(url, 4, None)).await.map_err(OpenFault::Connect)?;
            Ok((
                reads,
                Writer::Sqlite { options: Box::new(writing), connection: Mutex::new(Slot::Open(writer)) },
            ))
        }
        Place::Postgres { url, schema } => {
            if let Some(schema) = schema {
                make_schema(url, schema).await.map_err(OpenFault::Connect)?;
            }
            let pool =
                Database::connect(postgres(url, schema.as_deref())).await.map_err(OpenFault::Connect)?;
            migrate(&pool).await.map_err(OpenFault::Migrate)?;
            Ok((pool, Writer::Postgres))
        }
    }
}

/// Makes an empty file for its owner alone, if there is none. SQLite gives the files beside it the same mode.
fn make_private(file: &Path) -> std::io::Result<()> {
    match make_new(file) {
        Ok(()) => Ok(()),
        // The mode of a file that is there is its owner's decision.
        Err(fault) if fault.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(fault) => Err(fault),
    }
}

/// Makes an empty file for its owner alone, where nothing is yet.
pub(super) fn make_new(file: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file).map(drop)
}

/// So long a connection is waited for: then all of them are taken, or the database is away. Whoever asked is told so
/// while it still listens.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

fn sqlite(url: &str, connections: u32, most_pages: Option<u32>) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options.max_connections(connections).min_connections(1).sqlx_logging(false);
    options.idle_timeout(None::<Duration>).max_lifetime(None::<Duration>).acquire_timeout(LONGEST_WAIT * 2);
    options.map_sqlx_sqlite_opts(move |sqlite| {
        let sqlite = sqlite
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(5))
            .foreign_keys(true)
            .pragma("recursive_triggers", "on")
            .optimize_on_close(true, None);
        match most_pages {
            Some(pages) => sqlite.pragma("max_page_count", pages.to_string()),
            None => sqlite,
        }
    });
    options
}

pub(super) fn postgres(url: &str, schema: Option<&str>) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options.max_connections(10).min_connections(1).sqlx_logging(false);
    options.acquire_timeout(LONGEST_WAIT).connect_timeout(LONGEST_WAIT);
    options.set_application_name("countersign").statement_timeout(Duration::from_secs(30));
    options.map_sqlx_postgres_opts(|postgres| {
        postgres.options([("lock_timeout", "5s"), ("idle_in_transaction_session_timeout", "60s")])
    });
    if let Some(schema) = schema {
        options.set_schema_search_path(schema);
    }
    options
}

async fn make_schema(url: &str, schema: &str) -> Result<(), DbErr> {
    let connection = Database::connect(postgres(url, None)).await?;
    let tx = connection.begin().await?;
    // Two processes that make one schema at once collide in spite of "if not exists".
    take_turn(&tx).await?;
    // The name comes from ourselves, letters and digits only; it is quoted all the same.
    tx.execute_unprepared(&format!("create schema if not exists \"{}\"", schema.replace('"', ""))).await?;
    tx.commit().await?;
    connection.close().await
}

async fn migrate(connection: &DatabaseConnection) -> Result<(), DbErr> {
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    let tx = connection.begin_with_options(options).await?;
    if tx.get_database_backend() == sea_orm::DatabaseBackend::Postgres {
        take_turn(&tx).await?;
    }
    Migrator::up(&tx, None).await?;
    tx.commit().await
}

/// Waits until no other process changes the schema; holds until the transaction ends.
async fn take_turn(tx: &DatabaseTransaction) -> Result<(), DbErr> {
    tx.execute_unprepared("set local lock_timeout = '120s'").await?;
    // The wait counts as one statement, which must not be given up before its lock.
    tx.execute_unprepared("set local statement_timeout = '120s'").await?;
    tx.execute_unprepared(&format!("select pg_advisory_xact_lock({MIGRATION_LOCK})")).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(url: &str) -> Place {
        Place::from_url(url).unwrap()
    }

    #[test]
    fn the_file_of_a_url_is_known() {
        let file = |url: &str| place(url).file();
        assert_eq!(file("sqlite:///var/lib/c.db"), Some(PathBuf::from("/var/lib/c.db")));
        assert_eq!(file("sqlite://c.db?mode=rwc"), Some(PathBuf::from("c.db")));
        assert_eq!(file("sqlite:a%20b.db"), Some(PathBuf::from("a b.db")));
        assert_eq!(file("sqlite::memory:"), None);
        assert_eq!(file("sqlite://c.db?mode=memory"), None);
        assert_eq!(file("sqlite://c.db?mode=nonsense"), None);
        assert_eq!(file("postgres://localhost/c"), None);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_new_database_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let modes = || {
            let files = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap());
            let mode = |file: &std::fs::DirEntry| file.metadata().unwrap().permissions().mode() & 0o777;
            let mut modes: Vec<_> =
                files.map(|file| (file.file_name().into_string().unwrap(), mode(&file))).collect();
            modes.sort();
            modes
        };
        let url = format!("sqlite://{}", folder.path().join("c.db").display());
        let store = crate::store::Store::open(&place(&url)).await.unwrap();
        let names = ["c.db", "c.db-shm", "c.db-wal"].map(str::to_owned);
        assert_eq!(modes(), names.map(|name| (name, 0o600)));
        store.close().await;
        // One that is there keeps the mode that its owner gave it.
        let wider = std::fs::Permissions::from_mode(0o640);
        std::fs::set_permissions(folder.path().join("c.db"), wider).unwrap();
        crate::store::Store::open(&place(&url)).await.unwrap().close().await;
        assert_eq!(modes()[0], ("c.db".to_owned(), 0o640));
    }
}
