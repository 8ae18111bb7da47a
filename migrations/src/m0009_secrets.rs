//! Sealed secrets: generated passwords, never in clear text.

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
create table secrets (
  id {uuid} primary key not null,
  workflow_id {uuid} not null references workflows (id),
  purpose text not null check (purpose in ('initial_password')),
  state text not null check (state in ('sealed', 'revealed', 'destroyed')),
  sealed {bytes},
  made_at {time} not null,
  revealed_at {time},
  check ((state = 'sealed') = (sealed is not null))
) {strict}
--
create unique index secrets_one_sealed on secrets (workflow_id, purpose) where state = 'sealed'
";
