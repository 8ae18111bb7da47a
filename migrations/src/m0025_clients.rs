//! Where sign-in codes are asked for from, so that whoever types the address of somebody else uses up only what is meant
//! for one client.
//!
//! Must hold: codes that were asked for before this have none, and are forgotten after two days.

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
alter table sign_in_codes add column client text check (length(client) > 0)
--
create index sign_in_codes_client on sign_in_codes (client, asked_at)
";
