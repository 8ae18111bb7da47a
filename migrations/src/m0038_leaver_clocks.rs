//! How long leavers keep access that is to end: one clock for each of them, the alarms that were told, and both lags.
//!
//! Must hold: a clock that has ended is told of no more; an own lag is there exactly when a read has shown the end of
//! access. Leavers that were open before get a clock from what is known of them, with the target time of a day.

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
create table leaver_clocks (
  workflow_id {uuid} primary key not null references workflows (id),
  effective_at {time} not null,
  received_at {time} not null,
  starts_at {time} not null,
  within_seconds {count} not null check (within_seconds between 1 and 31536000),
  told_percent {count} not null default 0 check (told_percent in (0, 50, 80, 100)),
  alarm_at {time},
  verified_at {time},
  ended_at {time},
  notice_lag_micros {count} check (notice_lag_micros > 0),
  own_lag_micros {count} check (own_lag_micros >= 0),
  check ((verified_at is null) = (own_lag_micros is null)),
  check (verified_at is null or ended_at is not null),
  check (ended_at is null or alarm_at is null)
) {strict}
--
create index leaver_clocks_by_start on leaver_clocks (starts_at, workflow_id)
--
create index leaver_clocks_alarms on leaver_clocks (alarm_at) where alarm_at is not null
--
insert into leaver_clocks (workflow_id, effective_at, received_at, starts_at, within_seconds, alarm_at)
  select id, coalesce(not_before, created_at), created_at,
    case when not_before > created_at then not_before else created_at end, 86400,
    case when not_before > created_at then not_before else created_at end
  from workflows where kind = 'leaver'
    and state not in ('succeeded', 'rejected', 'expired', 'cancelled', 'superseded', 'failed')
";
