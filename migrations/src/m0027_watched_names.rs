//! Names that stay watched after a create of which nobody knows what came: it may take effect later than any look.
//!
//! Must hold: one row a workflow, as long as it is watched.

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
create table watched_names (
  workflow_id {uuid} primary key not null references workflows (id),
  target text not null check (target <> ''),
  user_key text not null check (user_key <> ''),
  until_at {time} not null,
  due_at {time} not null,
  tries {count} not null default 0 check (tries >= 0)
) {strict}
--
create index watched_names_due on watched_names (due_at)
";
