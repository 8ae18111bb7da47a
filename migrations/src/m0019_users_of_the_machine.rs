//! Who proposed or confirmed at a command line is a claim, so the user of the machine is kept beside it.
//!
//! Must hold: one user of a machine does not stand for both of the two people. Proposals of the console, and those made
//! before this, have none.

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
alter table held_proposals add column proposed_user text
--
alter table held_proposals add column proposed_number {count}
--
alter table held_proposals add column proposed_account text
--
alter table held_proposals add column confirmed_user text check (confirmed_user <> proposed_user)
--
alter table held_proposals add column confirmed_number {count} check (confirmed_number <> proposed_number)
";
