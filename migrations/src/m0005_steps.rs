//! The step ledger: one row a planned step, one row an attempt.

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
create table steps (
  workflow_id {uuid} not null,
  plan_number {count} not null,
  number {count} not null check (number >= 0),
  kind text not null references step_kinds (name),
  state text not null check (state in ('waiting', 'begun', 'done', 'already_so', 'unknown', 'failed', 'skipped',
    'manual')),
  reason text,
  due_at {time} not null,
  acts {count} not null default 0,
  looks {count} not null default 0,
  form text check (form in ('user-name', 'numeric-id')),
  open_attempt {uuid},
  user_id {count},
  check ((state = 'begun') = (open_attempt is not null)),
  check ((state = 'failed') = (reason is not null)),
  primary key (workflow_id, plan_number, number),
  foreign key (workflow_id, plan_number) references plans (workflow_id, number)
) {strict}
--
create table attempts (
  id {uuid} primary key not null,
  workflow_id {uuid} not null,
  plan_number {count} not null,
  step_number {count} not null,
  number {count} not null check (number > 0),
  purpose text not null check (purpose in ('act', 'look')),
  fence {count} not null,
  begun_at {time} not null,
  ended_at {time},
  outcome text check (outcome in ('done', 'already_so', 'not_there', 'retry', 'other_form', 'unknown', 'refused',
    'needs_person')),
  report {bytes},
  check ((outcome is null) = (ended_at is null) and (outcome is null) = (report is null)),
  unique (workflow_id, plan_number, step_number, number),
  foreign key (workflow_id, plan_number, step_number) references steps (workflow_id, plan_number, number)
) {strict}
";
