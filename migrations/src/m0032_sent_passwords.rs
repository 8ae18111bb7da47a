//! Which sealed password an attempt at making an account has sent. Attempts of before tell nothing of it.

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
alter table attempts add column secret_id {uuid} references secrets (id)
";
