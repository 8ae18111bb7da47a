//! The few words in which the two databases differ.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DatabaseBackend;

/// Runs statements, separated by a line of `--`, in the spelling of the database at hand. Types are written
/// `{uuid}`, `{bytes}`, `{time}`, `{count}` and `{arrival}`; `{strict}` ends a table.
pub async fn run(manager: &SchemaManager<'_>, statements: &str) -> Result<(), DbErr> {
    let words: [(&str, &str); 6] = match manager.get_database_backend() {
        DatabaseBackend::Sqlite => [
            ("{uuid}", "blob"),
            ("{bytes}", "blob"),
            ("{time}", "text"),
            ("{count}", "integer"),
            ("{arrival}", "integer primary key autoincrement"),
            ("{strict}", "strict"),
        ],
        _ => [
            ("{uuid}", "uuid"),
            ("{bytes}", "bytea"),
            ("{time}", "timestamptz"),
            ("{count}", "bigint"),
            ("{arrival}", "bigint generated always as identity primary key"),
            ("{strict}", ""),
        ],
    };
    for statement in statements.split("\n--\n") {
        let spelled = words.iter().fold(statement.to_owned(), |text, (from, to)| text.replace(from, to));
        manager.get_connection().execute_unprepared(&spelled).await?;
    }
    Ok(())
}

/// Is this SQLite?
pub fn is_sqlite(manager: &SchemaManager<'_>) -> bool {
    manager.get_database_backend() == DatabaseBackend::Sqlite
}
