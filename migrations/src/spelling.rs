//! The few words in which the two databases differ.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{DatabaseBackend, Statement};

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

/// A column whose words stand in a CHECK constraint, and the table in which they stand from now on.
pub struct ListedWords {
    pub table: &'static str,
    pub column: &'static str,
    /// The constraint as it was written when the table was made.
    pub check: &'static str,
    pub known: &'static str,
}

/// Takes the words of a column from a look-up table instead of a CHECK constraint.
///
/// SQLite cannot alter a constraint. The rows do not change by this, so its text in the schema is exchanged, in the
/// way that SQLite's page on ALTER TABLE describes for such changes.
pub async fn look_up_instead(manager: &SchemaManager<'_>, words: &ListedWords) -> Result<(), DbErr> {
    let ListedWords { table, column, check, known } = words;
    let connection = manager.get_connection();
    if !is_sqlite(manager) {
        let dropped = format!("alter table {table} drop constraint {table}_{column}_check");
        connection.execute_unprepared(&dropped).await?;
        let added = format!("alter table {table} add foreign key ({column}) references {known} (name)");
        connection.execute_unprepared(&added).await?;
        return Ok(());
    }
    connection.execute_unprepared("pragma writable_schema = on").await?;
    let quoted = check.replace('\'', "''");
    let exchanged = format!(
        "update sqlite_schema set sql = replace(sql, '{quoted}', 'references {known} (name)') \
         where type = 'table' and name = '{table}' and instr(sql, '{quoted}') > 0"
    );
    let changed = connection.execute_unprepared(&exchanged).await?.rows_affected();
    // Both this connection and all others are to read the schema anew.
    let backend = DatabaseBackend::Sqlite;
    let version =
        Statement::from_string(backend, "select schema_version as version from pragma_schema_version");
    let version = connection.query_one_raw(version).await?;
    let version: i64 = version.map_or(Ok(0), |row| row.try_get("", "version"))?;
    connection.execute_unprepared(&format!("pragma schema_version = {}", version + 1)).await?;
    connection.execute_unprepared("pragma writable_schema = reset").await?;
    if changed == 1 {
        return Ok(());
    }
    Err(DbErr::Migration(format!("the table {table} does not have the constraint that it was made with")))
}
