//! What somebody proposes to take back: that an account is a person's. Another person confirms it.
//!
//! Must hold: a proposal is about one link and no later one; one person, or one user of a machine, is not two.

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
create table unlink_proposals (
  id {uuid} primary key not null,
  person_id {uuid} not null references people (id),
  target text not null,
  vault_user_id {count} not null,
  linked_at {time} not null,
  reason text not null check (length(reason) > 0),
  proposed_by text not null,
  proposed_key text not null,
  proposed_user text not null,
  proposed_number {count},
  proposed_account text,
  proposed_at {time} not null,
  confirmed_by text,
  confirmed_key text check (confirmed_key <> proposed_key),
  confirmed_user text check (confirmed_user <> proposed_user),
  confirmed_number {count} check (confirmed_number <> proposed_number),
  confirmed_at {time},
  check ((confirmed_by is null) = (confirmed_at is null)),
  check ((confirmed_key is null) = (confirmed_at is null)),
  check ((confirmed_user is null) = (confirmed_at is null))
) {strict}
--
create index unlink_proposals_of on unlink_proposals (person_id, target)
";
