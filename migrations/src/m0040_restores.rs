//! Databases that were put back from a backup, as recognised by a head that the log lacks.
//!
//! Must hold: each missing head is noted once; one that no operator has accepted holds every run.

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
create table restores (
  id {uuid} primary key not null,
  head_number {count} not null check (head_number > 0),
  head_hash {bytes} not null unique,
  reached {count} not null check (reached >= 0),
  recognised_at {time} not null,
  accepted_at {time}
) {strict}
";
