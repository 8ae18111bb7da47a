//! When a leaver about whom nobody was asked may begin: the budget of its source counts that hour, too.

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

/// Those of before begin at the effective time of their workflow, or began when they were let go.
const STATEMENTS: &str = "
alter table unapproved_leavers add column starts_at {time} not null default '1970-01-01 00:00:00+00:00'
--
update unapproved_leavers set starts_at = (
  select case when workflows.not_before > unapproved_leavers.approved_at then workflows.not_before
    else unapproved_leavers.approved_at end
  from workflows where workflows.id = unapproved_leavers.workflow_id)
--
create index unapproved_leavers_by_start on unapproved_leavers (source, starts_at)
";
