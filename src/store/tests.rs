//! Trials of the store, on SQLite and on PostgreSQL.

mod deeds;
mod full_disk;
mod guards;
pub(crate) mod stage;
