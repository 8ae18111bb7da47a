//! Two more forms of the next attempt: a user is enabled by the vault's own call, or by writing the whole record.

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
insert into step_forms (name) values ('enable-call'), ('enable-put')
";
