//! Leavers that two people cancel: what one proposes, another one confirms.

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
create table cancel_proposals (
  id {uuid} primary key not null,
  workflow_id {uuid} not null references workflows (id),
  reason text not null check (length(reason) > 0),
  proposed_by text not null,
  proposed_key text not null,
  proposed_at {time} not null,
  proposed_user text,
  proposed_number {count},
  proposed_account text,
  confirmed_by text,
  confirmed_key text check (confirmed_key <> proposed_key),
  confirmed_at {time},
  check ((confirmed_by is null) = (confirmed_at is null)),
  check ((confirmed_key is null) = (confirmed_at is null))
) {strict}
--
create index cancel_proposals_of on cancel_proposals (workflow_id)
";
