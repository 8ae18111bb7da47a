//! Leavers first: the order in which work and messages are taken up, and who waits for whose run.
//!
//! Must hold: the few leavers among many others are found without reading the others. Who waits can be found from the
//! run that is waited for, so that its end wakes them.

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
create index workflows_leavers_due on workflows (state, due_at) where kind = 'leaver'
--
alter table workflows add column waits_for {uuid} references workflows (id)
--
create index workflows_waiting on workflows (waits_for) where waits_for is not null
--
alter table leases add column workflow_id {uuid} references workflows (id)
--
alter table owed_messages add column goes_first {count} not null default 0 check (goes_first in (0, 1))
--
update owed_messages set goes_first = 1 where state = 'owed'
  and (code_id is not null or workflow_id in (select id from workflows where kind = 'leaver'))
--
create index owed_messages_first on owed_messages (state, due_at) where goes_first = 1
";
