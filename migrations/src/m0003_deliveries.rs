//! Deliveries: every authentic message, with its raw bytes.

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
create table deliveries (
  id {uuid} primary key not null,
  source text not null,
  delivery_key text,
  body_hash {bytes} not null,
  body {bytes} not null,
  received_at {time} not null,
  state text not null check (state in ('accepted', 'parked', 'refused')),
  workflow_id {uuid} references workflows (id),
  reason text,
  check ((state = 'refused') = (delivery_key is null)),
  check ((state = 'accepted') = (workflow_id is not null)),
  unique (source, delivery_key)
) {strict}
--
create unique index deliveries_refused_once on deliveries (source, body_hash) where state = 'refused'
--
create index deliveries_workflow on deliveries (workflow_id)
";
