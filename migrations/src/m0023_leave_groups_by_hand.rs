//! One more kind of step: a person takes a user out of groups that the vault does not tell. Nothing is
//! written in the vault by us.

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
insert into step_kinds (name, effect) values ('leave_groups_by_hand', 'reads')
";
