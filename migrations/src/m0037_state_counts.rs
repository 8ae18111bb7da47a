//! How many workflows stand in each state, kept instead of counted, and the order in which runs and ends fall due.
//!
//! Must hold: the numbers of one state are spread over slots, so that two changes seldom wait for one another; only the
//! sum of a state says anything, for what stood before lies in one slot and may leave from another. What has come to rest
//! stands in none of the indexes by due time. Their conditions are spelled so that only a question spelled alike is answered
//! from them, and from them alone: by the plain columns a database would rather look up two states and sort what it finds.

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
create table state_counts (
  state text not null check (state in ('planning', 'pending_approval', 'approved', 'running', 'succeeded',
    'rejected', 'expired', 'cancelled', 'superseded', 'failed', 'needs_attention')),
  slot {count} not null check (slot between 0 and 255),
  workflows {count} not null,
  primary key (state, slot)
) {strict}
--
insert into state_counts (state, slot, workflows) select state, 0, count(*) from workflows group by state
--
create index workflows_runs_due on workflows (due_at) where state || '' in ('approved', 'running')
--
create index workflows_leaver_runs_due on workflows (due_at)
  where state || '' in ('approved', 'running') and kind || '' = 'leaver'
--
create index workflows_ending on workflows (expires_at)
  where state || '' in ('pending_approval', 'approved') and expires_at is not null
--
drop index workflows_expiry
";
