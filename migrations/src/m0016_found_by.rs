//! What operators look for: the words of each workflow, and the orders in which lists are read.
//!
//! Must hold: words are compared byte by byte on both databases, so that the beginning of a word is a range of the
//! index. Workflows that were there before are found by their references and user names.

use sea_orm_migration::prelude::*;

use crate::spelling::{is_sqlite, run};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let order = if is_sqlite(manager) { "binary" } else { "\"C\"" };
        run(manager, &STATEMENTS.replace("{bytewise}", order)).await
    }
}

const STATEMENTS: &str = "
create table workflow_words (
  word text collate {bytewise} not null check (word <> ''),
  workflow_id {uuid} not null references workflows (id),
  primary key (word, workflow_id)
) {strict}
--
create index workflow_words_of on workflow_words (workflow_id)
--
insert into workflow_words (word, workflow_id)
  select lower(source_ref), id from workflows
  union select lower(person_ref), id from workflows
  union select lower(user_name), id from workflows where user_name is not null
--
create index workflows_by_state on workflows (state, id)
--
create index workflows_by_kind on workflows (kind, id)
--
create index workflows_by_state_and_kind on workflows (state, kind, id)
--
create index workflows_by_person on workflows (person_ref, id)
";
