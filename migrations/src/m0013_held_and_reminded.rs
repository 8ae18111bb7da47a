//! Time and safety: reminders that fall due, approvals that end, leavers whom nobody was asked about, and leavers that
//! are held until two people have released them.
//!
//! Must hold: a source has at most one open batch; what one person proposes another one confirms.

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

const STATEMENTS: &str = "
insert into stalls (name) values ('undecided'), ('held')
--
insert into message_kinds (name) values ('reminder')
--
create index workflows_expiry on workflows (state, expires_at)
--
create table reminders (
  workflow_id {uuid} primary key not null references workflows (id),
  plan_number {count} not null,
  stage {count} not null check (stage >= 0),
  sent {count} not null default 0 check (sent >= 0),
  most {count} not null,
  every_seconds {count} not null check (every_seconds > 0),
  due_at {time} not null
) {strict}
--
create index reminders_due on reminders (due_at)
--
create table budgets (source text primary key not null) {strict}
--
create table unapproved_leavers (
  workflow_id {uuid} primary key not null references workflows (id),
  source text not null references budgets (source),
  approved_at {time} not null
) {strict}
--
create index unapproved_leavers_of on unapproved_leavers (source, approved_at)
--
create table batches (
  id {uuid} primary key not null,
  source text not null references budgets (source),
  opened_at {time} not null,
  closed_at {time}
) {strict}
--
create unique index batches_open on batches (source) where closed_at is null
--
create table held_leavers (
  workflow_id {uuid} primary key not null references workflows (id),
  batch_id {uuid} not null references batches (id),
  held_at {time} not null,
  state text not null check (state in ('held', 'released', 'rejected')),
  settled_at {time},
  check ((state = 'held') = (settled_at is null))
) {strict}
--
create index held_leavers_of on held_leavers (batch_id)
--
create table held_proposals (
  id {uuid} primary key not null,
  batch_id {uuid} not null references batches (id),
  verdict text not null check (verdict in ('release', 'reject')),
  digest {bytes} not null,
  reason text not null check (length(reason) > 0),
  proposed_by text not null,
  proposed_key text not null,
  proposed_at {time} not null,
  confirmed_by text,
  confirmed_key text check (confirmed_key <> proposed_key),
  confirmed_at {time},
  check ((confirmed_by is null) = (confirmed_at is null)),
  check ((confirmed_key is null) = (confirmed_at is null))
) {strict}
--
create index held_proposals_of on held_proposals (batch_id)
--
create table held_selections (
  proposal_id {uuid} not null references held_proposals (id),
  workflow_id {uuid} not null references held_leavers (workflow_id),
  primary key (proposal_id, workflow_id)
) {strict}
";
