//! A copy of a SQLite database while the service runs.
//!
//! Must hold: the copy is of one moment, whole, for its owner alone, and on the disk before it is said to be there; what
//! is not whole is not left behind. PostgreSQL has its own tools for that and is not copied here.

use std::path::Path;

use sea_orm::{
    ConnectOptions, ConnectionTrait as _, Database, DbBackend, DbErr, EntityTrait as _, QueryOrder as _,
    Statement,
};
use sqlx::sqlite::SqliteConnectOptions;

use super::fault::ReadFault;
use super::rows::head;
use super::seals::{self, Head};
use super::{Store, open};

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum BackupFault {
    /// Something is there already, or nothing can be made there.
    #[error("the file cannot be made; wanted: a path in a folder that is there, where nothing is yet: {0}")]
    Make(std::io::Error),
    /// The database does not let itself be copied, or there is no room.
    #[error("the copy was not made: {0}")]
    Copy(DbErr),
    /// The copy does not pass SQLite's own check.
    #[error("the copy is not whole: {0}")]
    NotWhole(String),
    /// The copy does not tell its head.
    #[error("the copy cannot be read: {0}")]
    Read(#[from] ReadFault),
    /// It may not be on the disk yet.
    #[error("the copy cannot be brought to the disk: {0}")]
    Sync(std::io::Error),
}

/// Copies the database to a file that is not there yet; answers the head that the copy ends at.
pub async fn take(store: &Store, to: &Path) -> Result<Option<Head>, BackupFault> {
    if to.exists() {
        return Err(BackupFault::Make(std::io::ErrorKind::AlreadyExists.into()));
    }
    let mut part = to.as_os_str().to_owned();
    part.push(".part");
    let part = std::path::PathBuf::from(part);
    open::make_new(&part).map_err(BackupFault::Make)?;
    let taken = copy(store, &part).await;
    // A second name for what is whole, which fails where something has come to be there.
    let taken = match taken {
        Ok(head) => std::fs::hard_link(&part, to).map(|()| head).map_err(BackupFault::Make),
        Err(fault) => Err(fault),
    };
    // What is not whole has no name that looks like a backup's; where it cannot be removed, the fault is told all the same.
    let _ = std::fs::remove_file(&part);
    let head = taken?;
    synced(to).map_err(BackupFault::Sync)?;
    Ok(head)
}

/// Brings a file and its name to the disk.
fn synced(file: &Path) -> std::io::Result<()> {
    std::fs::File::open(file)?.sync_all()?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(folder)?.sync_all()
}

async fn copy(store: &Store, to: &Path) -> Result<Option<Head>, BackupFault> {
    let path = to.to_string_lossy().into_owned();
    let copied = Statement::from_sql_and_values(DbBackend::Sqlite, "vacuum into ?", [path.into()]);
    // As large as the database is, so without the bound of an ordinary look.
    store.reads().pool().execute_raw(copied).await.map_err(BackupFault::Copy)?;
    let head = examine(to).await?;
    synced(to).map_err(BackupFault::Sync)?;
    Ok(head)
}

async fn examine(copy: &Path) -> Result<Option<Head>, BackupFault> {
    let mut options = ConnectOptions::new("sqlite::memory:");
    options.max_connections(1).sqlx_logging(false);
    let file = copy.to_owned();
    options.map_sqlx_sqlite_opts(move |_| {
        SqliteConnectOptions::new().filename(&file).create_if_missing(false).read_only(true).immutable(true)
    });
    let connection = Database::connect(options).await.map_err(BackupFault::Copy)?;
    let asked = Statement::from_string(DbBackend::Sqlite, "pragma integrity_check(1)");
    let said = connection.query_one_raw(asked).await.map_err(BackupFault::Copy)?;
    let said: String =
        said.map_or(Ok(String::new()), |row| row.try_get_by_index(0)).map_err(BackupFault::Copy)?;
    if said != "ok" {
        return Err(BackupFault::NotWhole(said));
    }
    let row = head::Entity::find().order_by_desc(head::Column::Number).one(&connection).await;
    let head = row.map_err(ReadFault::from)?.map(seals::head_of).transpose()?;
    connection.close().await.map_err(BackupFault::Copy)?;
    Ok(head)
}
