//! Leases: who may write about one user of one target, and the number that ends a late writer.

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
create table leases (
  name text primary key not null,
  holder {uuid} not null,
  fence {count} not null check (fence > 0),
  held_until {time} not null
) {strict}
";
