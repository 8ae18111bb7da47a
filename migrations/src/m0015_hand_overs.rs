//! Handing the initial password over: to whom, by which link, and where that stands. The sealed value stays in its own
//! table and is gone from there once a hand-over has ended.

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

/// Without a recipient only an operator can show the password.
const STATEMENTS: &str = "
create table hand_overs (
  secret_id {uuid} primary key not null references secrets (id),
  workflow_id {uuid} not null unique references workflows (id),
  recipient text,
  link_hash {bytes} unique,
  state text not null check (state in ('waiting', 'revealed', 'destroyed', 'expired')),
  due_at {time} not null,
  revealed_at {time},
  session_hash {bytes},
  ended_at {time},
  check ((recipient is null) = (link_hash is null)),
  check ((revealed_at is null) = (session_hash is null)),
  check (state <> 'revealed' or revealed_at is not null),
  check ((ended_at is null) = (state in ('waiting', 'revealed')))
) {strict}
--
create index hand_overs_due on hand_overs (state, due_at)
--
insert into message_kinds (name) values ('hand_over')
";
