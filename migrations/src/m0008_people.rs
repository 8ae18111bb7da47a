//! People: one human in one namespace, and the accounts that are known to be theirs.

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
create table people (
  id {uuid} primary key not null,
  namespace text not null,
  person_ref text not null,
  unique (namespace, person_ref)
) {strict}
--
create table person_links (
  person_id {uuid} not null references people (id),
  target text not null,
  user_name text not null,
  user_name_key text not null,
  vault_user_id {count} not null,
  workflow_id {uuid} not null references workflows (id),
  linked_at {time} not null,
  primary key (person_id, target),
  unique (target, vault_user_id)
) {strict}
";
