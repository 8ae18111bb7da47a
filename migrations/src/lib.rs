//! The schema of Countersign, one deed a file, for SQLite and PostgreSQL alike.
//!
//! Must hold: constraints restate the words of the core, so that the database refuses what the types refuse; what
//! has been released is never edited, only followed by the next file.
//! Deliberately absent: queries. Those live in the service's `store`.

use sea_orm_migration::prelude::*;

mod m0001_words;
mod m0002_workflows;
mod m0003_deliveries;
mod m0004_plans;
mod m0005_steps;
mod m0006_approval;
mod m0007_outbox;
mod m0008_people;
mod m0009_secrets;
mod m0010_leases;
mod m0011_audit;
mod m0012_growing_words;
mod m0013_held_and_reminded;
mod m0014_sign_in;
mod m0015_hand_overs;
mod m0016_found_by;
mod m0017_disable_in_directory;
mod m0018_disable_forms;
mod m0019_users_of_the_machine;
mod m0020_when_leavers_begin;
mod m0021_slots;
mod m0022_leavers_first;
mod m0023_leave_groups_by_hand;
mod m0024_batch_alarms;
mod m0025_clients;
mod m0026_fruitless;
mod m0027_watched_names;
mod m0028_tried_since;
mod m0029_parts;
mod m0030_nobody_known;
mod m0031_unlinks;
mod m0032_sent_passwords;
mod m0033_enable_in_directory;
mod m0034_enable_forms;
mod m0035_corrections;
mod m0036_cancel_proposals;
mod m0037_state_counts;
mod m0038_leaver_clocks;
mod m0039_clock_watch;
mod m0040_restores;
mod m0041_retention;
mod m0042_two_mailboxes;
mod spelling;

/// All migrations in order.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_words::Migration),
            Box::new(m0002_workflows::Migration),
            Box::new(m0003_deliveries::Migration),
            Box::new(m0004_plans::Migration),
            Box::new(m0005_steps::Migration),
            Box::new(m0006_approval::Migration),
            Box::new(m0007_outbox::Migration),
            Box::new(m0008_people::Migration),
            Box::new(m0009_secrets::Migration),
            Box::new(m0010_leases::Migration),
            Box::new(m0011_audit::Migration),
            Box::new(m0012_growing_words::Migration),
            Box::new(m0013_held_and_reminded::Migration),
            Box::new(m0014_sign_in::Migration),
            Box::new(m0015_hand_overs::Migration),
            Box::new(m0016_found_by::Migration),
            Box::new(m0017_disable_in_directory::Migration),
            Box::new(m0018_disable_forms::Migration),
            Box::new(m0019_users_of_the_machine::Migration),
            Box::new(m0020_when_leavers_begin::Migration),
            Box::new(m0021_slots::Migration),
            Box::new(m0022_leavers_first::Migration),
            Box::new(m0023_leave_groups_by_hand::Migration),
            Box::new(m0024_batch_alarms::Migration),
            Box::new(m0025_clients::Migration),
            Box::new(m0026_fruitless::Migration),
            Box::new(m0027_watched_names::Migration),
            Box::new(m0028_tried_since::Migration),
            Box::new(m0029_parts::Migration),
            Box::new(m0030_nobody_known::Migration),
            Box::new(m0031_unlinks::Migration),
            Box::new(m0032_sent_passwords::Migration),
            Box::new(m0033_enable_in_directory::Migration),
            Box::new(m0034_enable_forms::Migration),
            Box::new(m0035_corrections::Migration),
            Box::new(m0036_cancel_proposals::Migration),
            Box::new(m0037_state_counts::Migration),
            Box::new(m0038_leaver_clocks::Migration),
            Box::new(m0039_clock_watch::Migration),
            Box::new(m0040_restores::Migration),
            Box::new(m0041_retention::Migration),
            Box::new(m0042_two_mailboxes::Migration),
        ]
    }
}
