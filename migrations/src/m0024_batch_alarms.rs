//! How large a batch of held leavers was when the operators were alarmed last, and when that was.
//!
//! Must hold: one row a batch. A batch without one was told of when its first leaver was held.

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
create table batch_alarms (
  batch_id {uuid} primary key not null references batches (id),
  leavers {count} not null check (leavers > 0),
  told_at {time} not null
) {strict}
";
