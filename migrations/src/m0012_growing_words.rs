//! Words that grow with each feature become look-up tables, like the kinds before them: outcomes of attempts, forms of
//! the next attempt, kinds of messages, and where a workflow stalls. A later word is then an insert.

use sea_orm_migration::prelude::*;

use crate::spelling::{ListedWords, look_up_instead, run};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, WORDS).await?;
        for words in LISTED {
            look_up_instead(manager, words).await?;
        }
        Ok(())
    }
}

const WORDS: &str = "
create table step_outcomes (name text primary key not null) {strict}
--
insert into step_outcomes (name) values
  ('done'), ('already_so'), ('not_there'), ('retry'), ('other_form'), ('unknown'), ('refused'), ('needs_person'),
  ('misdirected'), ('taken_out')
--
create table step_forms (name text primary key not null) {strict}
--
insert into step_forms (name) values
  ('user-name'), ('numeric-id'), ('take-out-user-name'), ('take-out-numeric-id')
--
create table message_kinds (name text primary key not null) {strict}
--
insert into message_kinds (name) values
  ('approval_wanted'), ('decided'), ('done'), ('needs_attention'), ('vault_awaited'), ('plan_replaced'), ('alarm')
--
create table stalls (name text primary key not null) {strict}
--
insert into stalls (name) values ('planning'), ('approved'), ('running')
";

/// As the earlier migrations wrote them.
const LISTED: &[ListedWords] = &[
    ListedWords {
        table: "steps",
        column: "form",
        check: "check (form in ('user-name', 'numeric-id'))",
        known: "step_forms",
    },
    ListedWords {
        table: "attempts",
        column: "outcome",
        check: "check (outcome in ('done', 'already_so', 'not_there', 'retry', 'other_form', 'unknown', 'refused',
    'needs_person'))",
        known: "step_outcomes",
    },
    ListedWords {
        table: "owed_messages",
        column: "kind",
        check: "check (kind in ('approval_wanted', 'decided', 'done', 'needs_attention', 'vault_awaited',
    'plan_replaced', 'alarm'))",
        known: "message_kinds",
    },
    ListedWords {
        table: "workflows",
        column: "stalled",
        check: "check (stalled in ('planning', 'approved', 'running'))",
        known: "stalls",
    },
];
