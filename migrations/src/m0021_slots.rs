//! Rows to lock while something is counted by a name that has no row of its own. They say nothing.

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
create table slots (number {count} primary key not null) {strict}
--
insert into slots (number)
with recursive numbers (number) as (select 0 union all select number + 1 from numbers where number < 63)
select number from numbers
";
