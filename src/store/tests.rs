//! Trials of the store, on SQLite and on PostgreSQL.

mod codes;
mod deeds;
mod full_disk;
mod guards;
mod held;
mod other_plan;
mod questions;
pub(crate) mod stage;
mod time;
mod waiting;
