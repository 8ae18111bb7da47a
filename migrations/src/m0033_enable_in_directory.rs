//! One more kind of step: a person enables a directory user in its directory. Nothing is written in the vault.

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
insert into step_kinds (name, effect) values ('enable_in_directory', 'reads')
";
