//! Workflows: the life of one request, from intake to rest.

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
create table workflows (
  id {uuid} primary key not null,
  source text not null,
  source_ref text not null,
  namespace text not null,
  person_ref text not null,
  kind text not null references kinds (name),
  state text not null check (state in ('planning', 'pending_approval', 'approved', 'running', 'succeeded',
    'rejected', 'expired', 'cancelled', 'superseded', 'failed', 'needs_attention')),
  stalled text check (stalled in ('planning', 'approved', 'running')),
  reason text,
  stage {count} not null default 0 check (stage >= 0),
  target text,
  user_name text,
  request {bytes} not null,
  adopted_user_id {count},
  plan_number {count} not null default 0 check (plan_number >= 0),
  replans {count} not null default 0 check (replans >= 0),
  vault_awaited_since {time},
  vault_awaited_told {time},
  not_before {time},
  expires_at {time},
  due_at {time} not null,
  created_at {time} not null,
  updated_at {time} not null,
  check ((state = 'needs_attention') = (stalled is not null)),
  unique (source, source_ref)
) {strict}
--
create index workflows_due on workflows (state, due_at)
--
create index workflows_person on workflows (namespace, person_ref)
";
