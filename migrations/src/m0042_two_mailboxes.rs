//! Two people are two mailboxes: they may use one account of a machine, as in a container.
//!
//! Must hold: what was proposed and confirmed before stays; a mailbox never confirms what it has proposed; what was proposed at
//! a command line and waits for a second person goes, for nobody had proven who proposed it.

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

// A column goes with its own rule; where a rule of the table names it, the table is made anew.
const STATEMENTS: &str = "
delete from held_selections where proposal_id in
  (select id from held_proposals where confirmed_at is null and proposed_user is not null)
--
delete from held_proposals where confirmed_at is null and proposed_user is not null
--
delete from cancel_proposals where confirmed_at is null and proposed_user is not null
--
delete from unlink_proposals where confirmed_at is null
--
alter table held_proposals add column by_user text
--
update held_proposals set by_user = confirmed_user
--
alter table held_proposals drop column confirmed_user
--
alter table held_proposals rename column by_user to confirmed_user
--
alter table held_proposals add column by_number {count}
--
update held_proposals set by_number = confirmed_number
--
alter table held_proposals drop column confirmed_number
--
alter table held_proposals rename column by_number to confirmed_number
--
create table unlink_proposals_anew (
  id {uuid} primary key not null,
  person_id {uuid} not null references people (id),
  target text not null,
  vault_user_id {count} not null,
  linked_at {time} not null,
  reason text not null check (length(reason) > 0),
  proposed_by text not null,
  proposed_key text not null,
  proposed_user text not null,
  proposed_number {count},
  proposed_account text,
  proposed_at {time} not null,
  confirmed_by text,
  confirmed_key text check (confirmed_key <> proposed_key),
  confirmed_user text,
  confirmed_number {count},
  confirmed_at {time},
  check ((confirmed_by is null) = (confirmed_at is null)),
  check ((confirmed_key is null) = (confirmed_at is null)),
  check ((confirmed_user is null) = (confirmed_at is null))
) {strict}
--
insert into unlink_proposals_anew
  (id, person_id, target, vault_user_id, linked_at, reason, proposed_by, proposed_key, proposed_user, proposed_number,
   proposed_account, proposed_at, confirmed_by, confirmed_key, confirmed_user, confirmed_number, confirmed_at)
select id, person_id, target, vault_user_id, linked_at, reason, proposed_by, proposed_key, proposed_user, proposed_number,
  proposed_account, proposed_at, confirmed_by, confirmed_key, confirmed_user, confirmed_number, confirmed_at
from unlink_proposals
--
drop table unlink_proposals
--
alter table unlink_proposals_anew rename to unlink_proposals
--
create index unlink_proposals_of on unlink_proposals (person_id, target)
";
