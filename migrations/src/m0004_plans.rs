//! Plans with the snapshot they assume and the people who are asked; a voided plan keeps what voided it.

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
create table plans (
  workflow_id {uuid} not null references workflows (id),
  number {count} not null check (number > 0),
  bytes {bytes} not null,
  digest {bytes} not null unique,
  snapshot {bytes} not null,
  routing {bytes} not null,
  voided_by {bytes},
  made_at {time} not null,
  primary key (workflow_id, number)
) {strict}
";
