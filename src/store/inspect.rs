//! A look at a database from outside: is it there, is its schema of this version, with which key was it begun?
//!
//! Must hold: nothing is made, migrated or written, not even beside it; a SQLite file is opened for reading only, and
//! only where it is.

use std::path::Path;

use migrations::Migrator;
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseBackend, DbErr, EntityTrait as _, Statement,
};
use sea_orm_migration::MigratorTrait as _;

use super::installation;
use super::open::{OpenFault, Place, postgres};
use super::rows::installation as rows;

/// What a look showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The schema.
    pub schema: Schema,
    /// The fingerprint of the key with which it was begun, once it was.
    pub key: Option<String>,
}

/// How the schema of a database compares with this version's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// There is none yet.
    None,
    /// It is this version's.
    Current,
    /// So many changes are still to be made.
    Behind(usize),
    /// A newer version has made so many changes that are not known here.
    Ahead(usize),
}

/// Looks at the database at this place.
pub async fn inspect(place: &Place) -> Result<Seen, OpenFault> {
    let connection = Database::connect(options(place)).await.map_err(OpenFault::Connect)?;
    let seen = look(&connection).await.map_err(OpenFault::Connect);
    connection.close().await.map_err(OpenFault::Connect)?;
    seen
}

fn options(place: &Place) -> ConnectOptions {
    match place {
        Place::Sqlite { url, .. } => {
            let mut options = ConnectOptions::new(url.as_str());
            options.max_connections(1).sqlx_logging(false);
            options.map_sqlx_sqlite_opts(|sqlite| {
                let sqlite = sqlite.create_if_missing(false).read_only(true);
                // A reader of a database in WAL mode makes the two files that go with it. Where there is no log, nobody
                // has the database open and the file alone is the whole of it.
                let is_at_rest = !has_log(sqlite.get_filename());
                sqlite.immutable(is_at_rest)
            });
            options
        }
        Place::Postgres { url, schema } => {
            let mut options = postgres(url, schema.as_deref());
            options.max_connections(1);
            options.map_sqlx_postgres_opts(|postgres| {
                postgres.options([("default_transaction_read_only", "on"), ("lock_timeout", "5s")])
            });
            options
        }
    }
}

/// Does a write-ahead log lie beside this database? In doubt it does.
fn has_log(database: &Path) -> bool {
    let mut log = database.as_os_str().to_owned();
    log.push("-wal");
    Path::new(&log).try_exists().unwrap_or(true)
}

async fn look(connection: &impl ConnectionTrait) -> Result<Seen, DbErr> {
    let made = names(
        connection,
        match connection.get_database_backend() {
            DatabaseBackend::Sqlite => "select name from sqlite_master where name = 'seaql_migrations'",
            _ => "select relname::text from pg_class where oid = to_regclass('seaql_migrations')",
        },
    );
    if made.await?.is_empty() {
        return Ok(Seen { schema: Schema::None, key: None });
    }
    let done = names(connection, "select version from seaql_migrations").await?;
    let known: Vec<String> = Migrator::migrations().iter().map(|one| one.name().to_owned()).collect();
    let missing = known.iter().filter(|name| !done.contains(name)).count();
    let unknown = done.iter().filter(|name| !known.contains(name)).count();
    let schema = match (unknown, missing) {
        (0, 0) => Schema::Current,
        (0, missing) => Schema::Behind(missing),
        (unknown, _) => Schema::Ahead(unknown),
    };
    // The first migration makes the table.
    let key = if done.is_empty() {
        None
    } else {
        rows::Entity::find_by_id(installation::NAME).one(connection).await?.map(|row| row.value)
    };
    Ok(Seen { schema, key })
}

async fn names(connection: &impl ConnectionTrait, question: &str) -> Result<Vec<String>, DbErr> {
    let asked = Statement::from_string(connection.get_database_backend(), question);
    let rows = connection.query_all_raw(asked).await?;
    rows.iter().map(|row| row.try_get_by_index(0)).collect()
}
