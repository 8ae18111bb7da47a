//! The time that each replica has believed last, and where a replica came to doubt its clock.
//!
//! Must hold: a mark is written seldom and says how far time had come; a doubt is told of once and ends by a reason.

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
create table clock_marks (
  replica {uuid} primary key not null,
  believed_at {time} not null
) {strict}
--
create table clock_doubts (
  id {uuid} primary key not null,
  replica {uuid} not null,
  why text not null check (why in ('stepped', 'database', 'before_written')),
  believed_at {time} not null,
  said_at {time} not null,
  ended_at {time},
  ended_by text check (ended_by in ('itself', 'operator')),
  check ((ended_at is null) = (ended_by is null))
) {strict}
--
create index clock_doubts_open on clock_doubts (replica) where ended_at is null
";
