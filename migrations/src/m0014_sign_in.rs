//! Signing in: codes that were asked for, and the sessions that began with one. Hashes only; no code, no session id.

use sea_orm_migration::prelude::*;

use crate::spelling::run;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, STATEMENTS).await
    }
}

/// A `decoy` was asked for with an address that nobody here knows: it is counted like any other and never mailed.
const STATEMENTS: &str = "
create table sign_in_codes (
  id {uuid} primary key not null,
  chain {uuid} not null,
  workflow_id {uuid} references workflows (id),
  address text not null,
  address_key text not null,
  sort text not null check (sort in ('mailed', 'decoy')),
  browser_hash {bytes} not null,
  code_hash {bytes} not null,
  state text not null check (state in ('open', 'used', 'spent', 'replaced')),
  tries {count} not null default 0 check (tries between 0 and 5),
  asked_at {time} not null,
  expires_at {time} not null,
  check (sort = 'mailed' or state <> 'used')
) {strict}
--
create index sign_in_codes_address on sign_in_codes (address_key, asked_at)
--
create index sign_in_codes_browser on sign_in_codes (browser_hash, asked_at)
--
create index sign_in_codes_asked on sign_in_codes (asked_at)
--
create table sessions (
  id_hash {bytes} primary key not null,
  chain {uuid} not null,
  address text not null,
  address_key text not null,
  began_at {time} not null,
  ends_at {time} not null,
  ended_at {time},
  ended_because text check (ended_because in ('signed_out', 'signed_in_anew', 'revoked')),
  check ((ended_at is null) = (ended_because is null))
) {strict}
--
create index sessions_address on sessions (address_key, ends_at)
--
create index sessions_end on sessions (ends_at)
--
alter table owed_messages add column code_id {uuid}
--
insert into message_kinds (name) values ('sign_in_code')
";
