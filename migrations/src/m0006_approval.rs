//! Who is asked, and what they said.

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
create table asks (
  id {uuid} primary key not null,
  workflow_id {uuid} not null,
  plan_number {count} not null,
  stage {count} not null,
  approver text not null,
  approver_key text not null,
  link_hash {bytes} not null unique,
  asked_at {time} not null,
  unique (workflow_id, plan_number, stage, approver_key),
  foreign key (workflow_id, plan_number) references plans (workflow_id, number)
) {strict}
--
create table decisions (
  id {uuid} primary key not null,
  workflow_id {uuid} not null,
  plan_number {count} not null,
  stage {count} not null,
  approver text not null,
  approver_key text not null,
  verdict text not null check (verdict in ('approve', 'reject')),
  comment text not null,
  digest {bytes} not null,
  decided_at {time} not null,
  check (verdict = 'approve' or length(comment) > 0),
  unique (workflow_id, plan_number, stage, approver_key),
  foreign key (workflow_id, plan_number) references plans (workflow_id, number)
) {strict}
";
