//! How often a workflow was taken up in a row without anything being recorded of it.
//!
//! Must hold: whoever takes it up adds one, and whatever is recorded of it begins anew at none.

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
alter table workflows add column fruitless {count} not null default 0 check (fruitless >= 0)
";
