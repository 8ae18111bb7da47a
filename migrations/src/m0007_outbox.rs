//! Owed messages: committed with the change they tell of, sent afterwards. Ids only; no content, no token.

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
create table owed_messages (
  id {uuid} primary key not null,
  workflow_id {uuid} references workflows (id),
  ask_id {uuid} references asks (id),
  kind text not null check (kind in ('approval_wanted', 'decided', 'done', 'needs_attention', 'vault_awaited',
    'plan_replaced', 'alarm')),
  event_id {uuid},
  recipient text,
  state text not null check (state in ('owed', 'sent', 'parked')),
  due_at {time} not null,
  tries {count} not null default 0,
  claimed_until {time},
  last_fault text,
  created_at {time} not null,
  sent_at {time},
  check ((state = 'sent') = (sent_at is not null))
) {strict}
--
create index owed_messages_due on owed_messages (state, due_at)
";
