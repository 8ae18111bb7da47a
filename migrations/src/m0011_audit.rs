//! The audit trail: events that are only ever added, personal values apart, and the sealed global order.
//!
//! Must hold: neither UPDATE, DELETE, REPLACE nor TRUNCATE passes, on either database.

use sea_orm_migration::prelude::*;

use crate::spelling::{is_sqlite, run};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, TABLES).await?;
        if !is_sqlite(manager) {
            run(manager, REFUSAL).await?;
        }
        for (table, same) in APPEND_ONLY {
            let guards = if is_sqlite(manager) { SQLITE_GUARDS } else { POSTGRES_GUARDS };
            run(manager, &guards.replace("{table}", table).replace("{same}", same)).await?;
        }
        Ok(())
    }
}

/// Each append-only table, and how a new row would collide with an old one.
const APPEND_ONLY: [(&str, &str); 3] = [
    ("audit_events", "id = new.id or hash = new.hash or (chain = new.chain and position = new.position)"),
    ("seals", "number = new.number or event_id = new.event_id"),
    ("heads", "number = new.number"),
];

const TABLES: &str = "
create table audit_events (
  id {uuid} primary key not null,
  chain {uuid} not null,
  position {count} not null check (position > 0),
  at {time} not null,
  kind text not null,
  bytes {bytes} not null,
  hash {bytes} not null unique,
  unique (chain, position)
) {strict}
--
create table audit_personal (
  event_id {uuid} not null references audit_events (id),
  field text not null,
  salt {bytes} not null,
  clear_text text,
  primary key (event_id, field)
) {strict}
--
create table unsealed (
  arrival {arrival},
  event_id {uuid} not null unique references audit_events (id)
) {strict}
--
create table seals (
  number {count} primary key not null check (number > 0),
  event_id {uuid} not null unique references audit_events (id),
  event_hash {bytes} not null,
  seal_hash {bytes} not null
) {strict}
--
create table heads (
  number {count} primary key not null,
  hash {bytes} not null,
  signature {bytes} not null,
  signed_at {time} not null
) {strict}
";

/// REPLACE removes the old row without firing a delete trigger unless a connection asks for it, so a row that
/// would collide is refused before it is inserted.
const SQLITE_GUARDS: &str = "
create trigger {table}_no_update before update on {table} begin select raise(abort, '{table} is append-only'); end
--
create trigger {table}_no_delete before delete on {table} begin select raise(abort, '{table} is append-only'); end
--
create trigger {table}_no_replace before insert on {table} when exists (select 1 from {table} where {same})
begin select raise(abort, '{table} is append-only'); end
";

const REFUSAL: &str = "
create function refuse_change() returns trigger language plpgsql as $$
begin raise exception '% is append-only', tg_table_name; end $$
";

const POSTGRES_GUARDS: &str = "
create trigger {table}_no_change before update or delete on {table} for each row execute function refuse_change()
--
create trigger {table}_no_truncate before truncate on {table} for each statement execute function refuse_change()
";
