//! Corrections: what took the place of a workflow or took it back, for what a run is being stopped, messages that became
//! no workflow as they were sent, and the newest event of each person.
//!
//! Must hold: a message is kept once under its own reference, whatever became of it.

use sea_orm_migration::prelude::*;

use crate::spelling::{ListedWords, look_up_instead, run};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, STATEMENTS).await?;
        look_up_instead(manager, HELD).await
    }
}

const STATEMENTS: &str = "
alter table workflows add column ended_by {uuid} references workflows (id)
--
create index workflows_ended_by on workflows (ended_by) where ended_by is not null
--
alter table workflows add column cancelled_by text
--
alter table workflows add column stop_as text check (stop_as in ('superseded', 'cancelled'))
--
alter table workflows add column stop_for {uuid} references workflows (id)
--
insert into message_kinds (name) values ('replaced'), ('withdrawn')
--
create table held_states (name text primary key not null) {strict}
--
insert into held_states (name) values ('held'), ('released'), ('rejected'), ('withdrawn')
--
create table corrections (
  delivery_id {uuid} primary key not null references deliveries (id),
  source text not null,
  source_ref text not null,
  request {bytes} not null,
  course text not null check (course in ('ignored_as_stale', 'withdrawn', 'noted', 'told', 'asked_instead')),
  workflow_id {uuid} references workflows (id),
  unique (source, source_ref),
  check ((course = 'ignored_as_stale') = (workflow_id is null))
) {strict}
--
create table newest_events (
  namespace text not null,
  person_ref text not null,
  family text not null check (family in ('start', 'change', 'end', 'credential')),
  source text not null,
  sequence {count} check (sequence >= 0),
  occurred_at {time},
  primary key (namespace, person_ref, family, source)
) {strict}
";

/// As the migration wrote it that made the table.
const HELD: &ListedWords = &ListedWords {
    table: "held_leavers",
    column: "state",
    check: "check (state in ('held', 'released', 'rejected'))",
    known: "held_states",
};
