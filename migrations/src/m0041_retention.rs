//! What was cleared after its time, and when: bodies of deliveries, and what a finished workflow knew about people.
//!
//! Must hold: what is cleared keeps its digest, so that a repeat is still recognised and the trail still proves.

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
alter table workflows add column cleared_at {time}
--
alter table workflows add column request_digest {bytes}
--
alter table deliveries add column cleared_at {time}
--
alter table corrections add column request_digest {bytes}
--
create index workflows_to_clear on workflows (updated_at) where cleared_at is null
--
create index deliveries_to_clear on deliveries (received_at) where cleared_at is null
";
