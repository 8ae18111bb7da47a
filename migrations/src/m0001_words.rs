//! Look-up tables for the words that later versions add to: kinds of request, kinds of step.

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
create table kinds (name text primary key not null) {strict}
--
insert into kinds (name) values
  ('joiner'), ('mover'), ('leaver'), ('rehire'), ('reset_password'), ('unsuspend')
--
create table step_kinds (
  name text primary key not null,
  effect text not null check (effect in ('reads', 'writes'))
) {strict}
--
insert into step_kinds (name, effect) values
  ('find_user', 'reads'), ('record_access', 'reads'), ('capture_user_id', 'reads'), ('verify_user', 'reads'),
  ('create_user', 'writes'), ('update_user', 'writes'), ('add_to_group', 'writes'), ('remove_from_group', 'writes'),
  ('require_password_change', 'writes'), ('reset_password', 'writes'), ('disable_user', 'writes'),
  ('enable_user', 'writes'), ('activate_user', 'writes')
--
create table installation (name text primary key not null, value text not null) {strict}
";
