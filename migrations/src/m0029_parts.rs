//! A leaver who has accounts in several targets: one workflow for each, and the further ones are parts of the first.
//!
//! Must hold: a part has its target from the beginning, and each target stands in one request once.

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
alter table workflows add column part_of {uuid} references workflows (id)
  check (part_of is null or target is not null)
--
create unique index workflows_parts on workflows (part_of, target) where part_of is not null
";
