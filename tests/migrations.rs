//! The schema: every migration over the rows of the ones before it, and what the tables refuse.
//!
//! Must hold: a migration meets rows, as it will in the field; each table has a sample here, so that a new one cannot
//! be forgotten; the constraints refuse what the types do not know; all of it on both databases.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a trial that cannot go on has failed")]

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

use countersign::domain::kind::Kind;
use migrations::Migrator;
use sea_orm::{
    ConnectOptions, ConnectionTrait as _, Database, DatabaseBackend, DatabaseConnection, DbErr, Statement,
};
use sea_orm_migration::MigratorTrait as _;
use tempfile::TempDir;

/// A row in both spellings: `{n}` is its number, `{uuid}` an id and `{bytes}` a hash of that number, `{other}` an id that
/// is not its own.
struct Sample {
    /// The migration that makes the table, counted from 1.
    made_by: usize,
    table: &'static str,
    columns: &'static [(&'static str, &'static str)],
}

const TIME: &str = "'2026-12-01 08:00:00+00:00'";

/// In the order in which rows lean on one another.
const SAMPLES: &[Sample] = &[
    Sample { made_by: 1, table: "installation", columns: &[("name", "'fact {n}'"), ("value", "'v'")] },
    Sample {
        made_by: 2,
        table: "workflows",
        columns: &[
            ("source", "'hr'"),
            ("id", "{uuid}"),
            ("source_ref", "'RITM:{n}'"),
            ("namespace", "'corp'"),
            ("person_ref", "'E{n}'"),
            ("kind", "'joiner'"),
            ("state", "'needs_attention'"),
            ("stalled", "'running'"),
            ("target", "'vault'"),
            ("user_name", "'zobrien{n}'"),
            ("request", "{bytes}"),
            ("plan_number", "1"),
            ("due_at", "{time}"),
            ("created_at", "{time}"),
            ("updated_at", "{time}"),
        ],
    },
    Sample {
        made_by: 3,
        table: "deliveries",
        columns: &[
            ("source", "'hr'"),
            ("id", "{uuid}"),
            ("delivery_key", "'msg_{n}'"),
            ("body_hash", "{bytes}"),
            ("body", "{bytes}"),
            ("received_at", "{time}"),
            ("state", "'accepted'"),
            ("workflow_id", "{uuid}"),
        ],
    },
    Sample {
        made_by: 4,
        table: "plans",
        columns: &[
            ("workflow_id", "{uuid}"),
            ("number", "1"),
            ("bytes", "{bytes}"),
            ("digest", "{bytes}"),
            ("snapshot", "{bytes}"),
            ("routing", "{bytes}"),
            ("made_at", "{time}"),
        ],
    },
    Sample {
        made_by: 5,
        table: "steps",
        columns: &[
            ("workflow_id", "{uuid}"),
            ("plan_number", "1"),
            ("number", "0"),
            ("kind", "'create_user'"),
            ("state", "'begun'"),
            ("due_at", "{time}"),
            ("form", "'user-name'"),
            ("open_attempt", "{uuid}"),
        ],
    },
    Sample {
        made_by: 5,
        table: "attempts",
        columns: &[
            ("id", "{uuid}"),
            ("workflow_id", "{uuid}"),
            ("plan_number", "1"),
            ("step_number", "0"),
            ("number", "1"),
            ("purpose", "'act'"),
            ("fence", "1"),
            ("begun_at", "{time}"),
            ("ended_at", "{time}"),
            ("outcome", "'done'"),
            ("report", "{bytes}"),
        ],
    },
    Sample {
        made_by: 6,
        table: "asks",
        columns: &[
            ("id", "{uuid}"),
            ("workflow_id", "{uuid}"),
            ("plan_number", "1"),
            ("stage", "0"),
            ("approver", "'Ana@example.com'"),
            ("approver_key", "'ana@example.com'"),
            ("link_hash", "{bytes}"),
            ("asked_at", "{time}"),
        ],
    },
    Sample {
        made_by: 6,
        table: "decisions",
        columns: &[
            ("id", "{uuid}"),
            ("workflow_id", "{uuid}"),
            ("plan_number", "1"),
            ("stage", "0"),
            ("approver", "'Ana@example.com'"),
            ("approver_key", "'ana@example.com'"),
            ("verdict", "'reject'"),
            ("comment", "'no'"),
            ("digest", "{bytes}"),
            ("decided_at", "{time}"),
        ],
    },
    Sample {
        made_by: 7,
        table: "owed_messages",
        columns: &[
            ("due_at", "{time}"),
            ("id", "{uuid}"),
            ("workflow_id", "{uuid}"),
            ("ask_id", "{uuid}"),
            ("kind", "'approval_wanted'"),
            ("recipient", "'ana@example.com'"),
            ("state", "'sent'"),
            ("created_at", "{time}"),
            ("sent_at", "{time}"),
        ],
    },
    Sample {
        made_by: 8,
        table: "people",
        columns: &[("id", "{uuid}"), ("namespace", "'corp'"), ("person_ref", "'E{n}'")],
    },
    Sample {
        made_by: 8,
        table: "person_links",
        columns: &[
            ("person_id", "{uuid}"),
            ("target", "'vault'"),
            ("user_name", "'ZObrien'"),
            ("user_name_key", "'zobrien'"),
            ("vault_user_id", "{n}"),
            ("workflow_id", "{uuid}"),
            ("linked_at", "{time}"),
        ],
    },
    Sample {
        made_by: 9,
        table: "secrets",
        columns: &[
            ("id", "{uuid}"),
            ("workflow_id", "{uuid}"),
            ("purpose", "'initial_password'"),
            ("state", "'sealed'"),
            ("sealed", "{bytes}"),
            ("made_at", "{time}"),
        ],
    },
    Sample {
        made_by: 10,
        table: "leases",
        columns: &[
            ("holder", "{uuid}"),
            ("name", "'vault/zobrien{n}'"),
            ("fence", "1"),
            ("held_until", "{time}"),
        ],
    },
    Sample {
        made_by: 11,
        table: "audit_events",
        columns: &[
            ("id", "{uuid}"),
            ("chain", "{uuid}"),
            ("position", "1"),
            ("at", "{time}"),
            ("kind", "'workflow.received'"),
            ("bytes", "{bytes}"),
            ("hash", "{bytes}"),
        ],
    },
    Sample {
        made_by: 11,
        table: "audit_personal",
        columns: &[
            ("event_id", "{uuid}"),
            ("field", "'person_ref'"),
            ("salt", "{bytes}"),
            ("clear_text", "'E'"),
        ],
    },
    Sample { made_by: 11, table: "unsealed", columns: &[("event_id", "{uuid}")] },
    Sample {
        made_by: 11,
        table: "seals",
        columns: &[
            ("number", "{n}"),
            ("event_id", "{uuid}"),
            ("event_hash", "{bytes}"),
            ("seal_hash", "{bytes}"),
        ],
    },
    Sample {
        made_by: 11,
        table: "heads",
        columns: &[("number", "{n}"), ("hash", "{bytes}"), ("signature", "{bytes}"), ("signed_at", "{time}")],
    },
    Sample {
        made_by: 13,
        table: "reminders",
        columns: &[
            ("workflow_id", "{uuid}"),
            ("plan_number", "1"),
            ("stage", "0"),
            ("sent", "1"),
            ("most", "3"),
            ("every_seconds", "60"),
            ("due_at", "{time}"),
        ],
    },
    Sample { made_by: 13, table: "budgets", columns: &[("source", "'hr{n}'")] },
    Sample {
        made_by: 13,
        table: "unapproved_leavers",
        columns: &[("workflow_id", "{uuid}"), ("source", "'hr{n}'"), ("approved_at", "{time}")],
    },
    Sample {
        made_by: 13,
        table: "batches",
        columns: &[("id", "{uuid}"), ("source", "'hr{n}'"), ("opened_at", "{time}")],
    },
    Sample {
        made_by: 13,
        table: "held_leavers",
        columns: &[
            ("workflow_id", "{uuid}"),
            ("batch_id", "{uuid}"),
            ("held_at", "{time}"),
            ("state", "'released'"),
            ("settled_at", "{time}"),
        ],
    },
    Sample {
        made_by: 13,
        table: "held_proposals",
        columns: &[
            ("batch_id", "{uuid}"),
            ("id", "{uuid}"),
            ("verdict", "'release'"),
            ("digest", "{bytes}"),
            ("reason", "'checked'"),
            ("proposed_by", "'Ana@example.com'"),
            ("proposed_key", "'ana@example.com'"),
            ("proposed_at", "{time}"),
            ("confirmed_by", "'bo@example.com'"),
            ("confirmed_key", "'bo@example.com'"),
            ("confirmed_at", "{time}"),
        ],
    },
    Sample {
        made_by: 13,
        table: "held_selections",
        columns: &[("proposal_id", "{uuid}"), ("workflow_id", "{uuid}")],
    },
    Sample {
        made_by: 14,
        table: "sign_in_codes",
        columns: &[
            ("chain", "{uuid}"),
            ("id", "{uuid}"),
            ("workflow_id", "{uuid}"),
            ("address", "'Ana@example.com'"),
            ("address_key", "'ana@example.com'"),
            ("sort", "'mailed'"),
            ("browser_hash", "{bytes}"),
            ("code_hash", "{bytes}"),
            ("state", "'used'"),
            ("tries", "5"),
            ("asked_at", "{time}"),
            ("expires_at", "{time}"),
        ],
    },
    Sample {
        made_by: 14,
        table: "sessions",
        columns: &[
            ("id_hash", "{bytes}"),
            ("chain", "{uuid}"),
            ("address", "'Ana@example.com'"),
            ("address_key", "'ana@example.com'"),
            ("began_at", "{time}"),
            ("ends_at", "{time}"),
            ("ended_at", "{time}"),
            ("ended_because", "'revoked'"),
        ],
    },
    Sample {
        made_by: 15,
        table: "hand_overs",
        columns: &[
            ("secret_id", "{uuid}"),
            ("workflow_id", "{uuid}"),
            ("recipient", "'max@example.com'"),
            ("link_hash", "{bytes}"),
            ("state", "'destroyed'"),
            ("due_at", "{time}"),
            ("revealed_at", "{time}"),
            ("session_hash", "{bytes}"),
            ("ended_at", "{time}"),
        ],
    },
    Sample {
        made_by: 16,
        table: "workflow_words",
        columns: &[("word", "'zobrien{n}x'"), ("workflow_id", "{uuid}")],
    },
    Sample {
        made_by: 17,
        table: "steps",
        columns: &[
            ("workflow_id", "{uuid}"),
            ("plan_number", "1"),
            ("number", "1"),
            ("kind", "'disable_in_directory'"),
            ("state", "'manual'"),
            ("due_at", "{time}"),
        ],
    },
    Sample {
        made_by: 18,
        table: "steps",
        columns: &[
            ("workflow_id", "{uuid}"),
            ("plan_number", "1"),
            ("number", "2"),
            ("kind", "'disable_user'"),
            ("state", "'waiting'"),
            ("due_at", "{time}"),
            ("form", "'disable-put'"),
        ],
    },
    Sample {
        made_by: 19,
        table: "held_proposals",
        columns: &[
            ("batch_id", "{uuid}"),
            ("id", "{other}"),
            ("verdict", "'release'"),
            ("digest", "{bytes}"),
            ("reason", "'checked'"),
            ("proposed_by", "'Ana@example.com'"),
            ("proposed_key", "'ana@example.com'"),
            ("proposed_user", "'ana'"),
            ("proposed_number", "1000"),
            ("proposed_account", "'ana'"),
            ("proposed_at", "{time}"),
            ("confirmed_by", "'bo@example.com'"),
            ("confirmed_key", "'bo@example.com'"),
            ("confirmed_user", "'bo'"),
            ("confirmed_number", "1001"),
            ("confirmed_at", "{time}"),
        ],
    },
    Sample {
        made_by: 22,
        table: "leases",
        columns: &[
            ("holder", "{uuid}"),
            ("name", "'vault/of a run {n}'"),
            ("fence", "1"),
            ("held_until", "{time}"),
            ("workflow_id", "{uuid}"),
        ],
    },
    Sample {
        made_by: 23,
        table: "steps",
        columns: &[
            ("workflow_id", "{uuid}"),
            ("plan_number", "1"),
            ("number", "3"),
            ("kind", "'leave_groups_by_hand'"),
            ("state", "'manual'"),
            ("due_at", "{time}"),
        ],
    },
    Sample {
        made_by: 24,
        table: "batch_alarms",
        columns: &[("batch_id", "{uuid}"), ("leavers", "2"), ("told_at", "{time}")],
    },
    Sample {
        made_by: 25,
        table: "sign_in_codes",
        columns: &[
            ("chain", "{uuid}"),
            ("id", "{other}"),
            ("address", "'olga@example.com'"),
            ("address_key", "'olga@example.com'"),
            ("sort", "'decoy'"),
            ("browser_hash", "{bytes}"),
            ("client", "'2001:db8:0:1::/64'"),
            ("code_hash", "{bytes}"),
            ("state", "'open'"),
            ("tries", "0"),
            ("asked_at", "{time}"),
            ("expires_at", "{time}"),
        ],
    },
    Sample {
        made_by: 27,
        table: "watched_names",
        columns: &[
            ("workflow_id", "{uuid}"),
            ("target", "'vault'"),
            ("user_key", "'zobrien{n}'"),
            ("until_at", "{time}"),
            ("due_at", "{time}"),
        ],
    },
    Sample {
        made_by: 37,
        table: "state_counts",
        columns: &[("slot", "{n} % 256"), ("state", "'needs_attention'"), ("workflows", "1")],
    },
    Sample {
        made_by: 38,
        table: "leaver_clocks",
        columns: &[
            ("workflow_id", "{uuid}"),
            ("effective_at", "{time}"),
            ("received_at", "{time}"),
            ("starts_at", "{time}"),
            ("within_seconds", "86400"),
            ("told_percent", "50"),
            ("verified_at", "{time}"),
            ("ended_at", "{time}"),
            ("notice_lag_micros", "1"),
            ("own_lag_micros", "0"),
        ],
    },
    Sample {
        made_by: 28,
        table: "steps",
        columns: &[
            ("workflow_id", "{uuid}"),
            ("plan_number", "1"),
            ("number", "4"),
            ("kind", "'add_to_group'"),
            ("state", "'waiting'"),
            ("due_at", "{time}"),
            ("tried_since", "{time}"),
        ],
    },
    Sample {
        made_by: 29,
        table: "workflows",
        columns: &[
            ("source", "'hr'"),
            ("id", "{other}"),
            ("source_ref", "'RITM:{n}/onprem'"),
            ("namespace", "'corp'"),
            ("person_ref", "'E{n}'"),
            ("kind", "'leaver'"),
            ("state", "'planning'"),
            ("target", "'onprem'"),
            ("request", "{bytes}"),
            ("due_at", "{time}"),
            ("created_at", "{time}"),
            ("updated_at", "{time}"),
            ("part_of", "{uuid}"),
        ],
    },
    Sample {
        made_by: 30,
        table: "owed_messages",
        columns: &[
            ("due_at", "{time}"),
            ("id", "{other}"),
            ("kind", "'nobody_known'"),
            ("state", "'owed'"),
            ("created_at", "{time}"),
        ],
    },
    Sample {
        made_by: 31,
        table: "unlink_proposals",
        columns: &[
            ("person_id", "{uuid}"),
            ("id", "{uuid}"),
            ("target", "'vault'"),
            ("vault_user_id", "{n}"),
            ("linked_at", "{time}"),
            ("reason", "'another person'"),
            ("proposed_by", "'Ana@example.com'"),
            ("proposed_key", "'ana@example.com'"),
            ("proposed_user", "'ana'"),
            ("proposed_number", "1000"),
            ("proposed_account", "'ana'"),
            ("proposed_at", "{time}"),
            ("confirmed_by", "'bo@example.com'"),
            ("confirmed_key", "'bo@example.com'"),
            ("confirmed_user", "'bo'"),
            ("confirmed_number", "1001"),
            ("confirmed_at", "{time}"),
        ],
    },
    Sample {
        made_by: 33,
        table: "steps",
        columns: &[
            ("workflow_id", "{uuid}"),
            ("plan_number", "1"),
            ("number", "5"),
            ("kind", "'enable_in_directory'"),
            ("state", "'manual'"),
            ("due_at", "{time}"),
        ],
    },
    Sample {
        made_by: 34,
        table: "steps",
        columns: &[
            ("workflow_id", "{uuid}"),
            ("plan_number", "1"),
            ("number", "6"),
            ("kind", "'enable_user'"),
            ("state", "'waiting'"),
            ("due_at", "{time}"),
            ("form", "'enable-put'"),
        ],
    },
    Sample {
        made_by: 35,
        table: "corrections",
        columns: &[
            ("delivery_id", "{uuid}"),
            ("source", "'hr'"),
            ("source_ref", "'RITM:{n}'"),
            ("request", "{bytes}"),
            ("course", "'withdrawn'"),
            ("workflow_id", "{uuid}"),
        ],
    },
    Sample {
        made_by: 35,
        table: "newest_events",
        columns: &[
            ("namespace", "'corp'"),
            ("person_ref", "'E{n}'"),
            ("family", "'end'"),
            ("source", "'hr'"),
            ("sequence", "7"),
            ("occurred_at", "{time}"),
        ],
    },
    Sample {
        made_by: 36,
        table: "cancel_proposals",
        columns: &[
            ("id", "{uuid}"),
            ("workflow_id", "{uuid}"),
            ("reason", "'why'"),
            ("proposed_by", "'Ana@example.com'"),
            ("proposed_key", "'ana@example.com'"),
            ("proposed_at", "{time}"),
            ("confirmed_by", "'bo@example.com'"),
            ("confirmed_key", "'bo@example.com'"),
            ("confirmed_at", "{time}"),
        ],
    },
    Sample {
        made_by: 39,
        table: "clock_marks",
        columns: &[("replica", "{uuid}"), ("believed_at", "{time}")],
    },
    Sample {
        made_by: 39,
        table: "clock_doubts",
        columns: &[
            ("id", "{uuid}"),
            ("replica", "{uuid}"),
            ("why", "'stepped'"),
            ("believed_at", "{time}"),
            ("said_at", "{time}"),
            ("ended_at", "{time}"),
            ("ended_by", "'operator'"),
        ],
    },
    Sample {
        made_by: 40,
        table: "restores",
        columns: &[
            ("id", "{uuid}"),
            ("head_number", "7"),
            ("head_hash", "{bytes}"),
            ("reached", "3"),
            ("recognised_at", "{time}"),
            ("accepted_at", "null"),
        ],
    },
    Sample {
        made_by: 41,
        table: "deliveries",
        columns: &[
            ("source", "'hr'"),
            ("id", "{other}"),
            ("delivery_key", "'msg_{n}_again'"),
            ("body_hash", "{bytes}"),
            ("body", "{bytes}"),
            ("received_at", "{time}"),
            ("state", "'accepted'"),
            ("workflow_id", "{uuid}"),
            ("cleared_at", "{time}"),
        ],
    },
    // Two people under one account of the machine.
    Sample {
        made_by: 42,
        table: "unlink_proposals",
        columns: &[
            ("person_id", "{uuid}"),
            ("id", "{other}"),
            ("target", "'vault'"),
            ("vault_user_id", "{n}"),
            ("linked_at", "{time}"),
            ("reason", "'another person'"),
            ("proposed_by", "'Ana@example.com'"),
            ("proposed_key", "'ana@example.com'"),
            ("proposed_user", "'ana'"),
            ("proposed_number", "1000"),
            ("proposed_account", "'ana'"),
            ("proposed_at", "{time}"),
            ("confirmed_by", "'bo@example.com'"),
            ("confirmed_key", "'bo@example.com'"),
            ("confirmed_user", "'ana'"),
            ("confirmed_number", "1000"),
            ("confirmed_at", "{time}"),
        ],
    },
];

/// Tables of words: the migration that makes each, and its name. They come filled.
const WORDS: &[(usize, &str)] = &[
    (1, "kinds"),
    (1, "step_kinds"),
    (12, "step_outcomes"),
    (12, "step_forms"),
    (12, "message_kinds"),
    (12, "stalls"),
    (21, "slots"),
    (35, "held_states"),
];

/// What must be refused: the table, and what of its sample is changed.
const REFUSED: &[(&str, &[(&str, &str)])] = &[
    ("workflows", &[("kind", "'vanisher'")]),
    ("workflows", &[("state", "'almost'"), ("stalled", "null")]),
    ("workflows", &[("state", "'running'")]),
    ("workflows", &[("stalled", "null")]),
    ("workflows", &[("stalled", "'succeeded'")]),
    ("workflows", &[("plan_number", "-1")]),
    ("workflows", &[("fruitless", "-1")]),
    ("workflows", &[("source_ref", "'RITM:1'")]),
    ("workflows", &[("waits_for", "{other}")]),
    ("workflows", &[("part_of", "{other}")]),
    ("workflows", &[("part_of", "{uuid}"), ("target", "null")]),
    ("workflows", &[("ended_by", "{other}")]),
    ("workflows", &[("stop_as", "'paused'")]),
    ("deliveries", &[("state", "'lost'")]),
    ("deliveries", &[("state", "'refused'")]),
    ("deliveries", &[("workflow_id", "null")]),
    ("deliveries", &[("delivery_key", "null")]),
    ("deliveries", &[("delivery_key", "'msg_1'")]),
    ("plans", &[("number", "0")]),
    ("steps", &[("kind", "'delete_user'")]),
    ("steps", &[("state", "'over'"), ("open_attempt", "null")]),
    ("steps", &[("state", "'done'")]),
    ("steps", &[("open_attempt", "null")]),
    ("steps", &[("reason", "'why'")]),
    ("steps", &[("form", "'by-heart'")]),
    ("steps", &[("plan_number", "2")]),
    ("attempts", &[("purpose", "'hope'")]),
    ("attempts", &[("outcome", "'maybe'")]),
    ("attempts", &[("outcome", "null")]),
    ("attempts", &[("report", "null")]),
    ("attempts", &[("step_number", "7")]),
    ("asks", &[("plan_number", "2")]),
    ("decisions", &[("verdict", "'abstain'")]),
    ("decisions", &[("comment", "''")]),
    ("owed_messages", &[("kind", "'gossip'")]),
    ("owed_messages", &[("state", "'forgotten'"), ("sent_at", "null")]),
    ("owed_messages", &[("sent_at", "null")]),
    ("owed_messages", &[("goes_first", "2")]),
    ("person_links", &[("vault_user_id", "1")]),
    ("secrets", &[("purpose", "'curiosity'")]),
    ("secrets", &[("state", "'known'"), ("sealed", "null")]),
    ("secrets", &[("sealed", "null")]),
    ("secrets", &[("state", "'revealed'")]),
    ("leases", &[("fence", "0")]),
    ("leases", &[("workflow_id", "{other}")]),
    ("sign_in_codes", &[("sort", "'decoy'")]),
    ("sign_in_codes", &[("sort", "'guess'")]),
    ("sign_in_codes", &[("state", "'known'")]),
    ("sign_in_codes", &[("tries", "6")]),
    ("sign_in_codes", &[("client", "''")]),
    ("sessions", &[("ended_because", "'forgotten'")]),
    ("sessions", &[("ended_at", "null")]),
    ("hand_overs", &[("state", "'lost'")]),
    ("hand_overs", &[("state", "'waiting'")]),
    ("hand_overs", &[("ended_at", "null")]),
    ("hand_overs", &[("recipient", "null")]),
    ("hand_overs", &[("session_hash", "null")]),
    ("audit_events", &[("position", "0")]),
    ("seals", &[("number", "0")]),
    ("reminders", &[("sent", "-1")]),
    ("reminders", &[("every_seconds", "0")]),
    ("batches", &[("source", "'hr1'")]),
    ("held_leavers", &[("state", "'lost'")]),
    ("held_leavers", &[("state", "'held'")]),
    ("unlink_proposals", &[("reason", "''")]),
    ("unlink_proposals", &[("confirmed_key", "'ana@example.com'")]),
    ("unlink_proposals", &[("confirmed_at", "null")]),
    ("held_proposals", &[("verdict", "'wait'")]),
    ("held_proposals", &[("reason", "''")]),
    ("held_proposals", &[("confirmed_key", "'ana@example.com'")]),
    ("held_proposals", &[("confirmed_at", "null")]),
    ("batch_alarms", &[("leavers", "0")]),
    ("corrections", &[("course", "'guessed'")]),
    ("corrections", &[("course", "'ignored_as_stale'")]),
    ("corrections", &[("source_ref", "'RITM:1'")]),
    ("newest_events", &[("family", "'middle'")]),
    ("newest_events", &[("sequence", "-1")]),
    ("cancel_proposals", &[("reason", "''")]),
    ("cancel_proposals", &[("confirmed_key", "'ana@example.com'")]),
    ("cancel_proposals", &[("confirmed_at", "null")]),
    ("state_counts", &[("state", "'lost'")]),
    ("state_counts", &[("slot", "256")]),
    ("leaver_clocks", &[("within_seconds", "0")]),
    ("leaver_clocks", &[("within_seconds", "31536001")]),
    ("leaver_clocks", &[("told_percent", "60")]),
    ("leaver_clocks", &[("alarm_at", "{time}")]),
    ("leaver_clocks", &[("verified_at", "null")]),
    ("leaver_clocks", &[("ended_at", "null")]),
    ("leaver_clocks", &[("notice_lag_micros", "0")]),
    ("leaver_clocks", &[("own_lag_micros", "-1")]),
    ("clock_doubts", &[("why", "'dark'")]),
    ("clock_doubts", &[("ended_by", "'nobody'")]),
    ("clock_doubts", &[("ended_by", "null")]),
    ("restores", &[("head_number", "0")]),
    ("restores", &[("reached", "-1")]),
    ("workflow_words", &[("word", "''")]),
    ("workflow_words", &[("workflow_id", "null")]),
    ("watched_names", &[("tries", "-1")]),
];

struct Trial {
    connection: DatabaseConnection,
    _folder: TempDir,
}

impl Trial {
    async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}?mode=rwc", folder.path().join("trial.db").display());
        let mut options = ConnectOptions::new(url);
        options.max_connections(1).sqlx_logging(false);
        options.map_sqlx_sqlite_opts(|sqlite| sqlite.foreign_keys(true).pragma("recursive_triggers", "on"));
        Self { connection: Database::connect(options).await.unwrap(), _folder: folder }
    }

    async fn postgresql() -> Self {
        static TRIALS: AtomicU64 = AtomicU64::new(1);
        let url = std::env::var("COUNTERSIGN_TEST_POSTGRES").unwrap();
        let schema = format!("migrations_{}_{}", std::process::id(), TRIALS.fetch_add(1, Ordering::SeqCst));
        let plain = Database::connect(url.as_str()).await.unwrap();
        plain.execute_unprepared(&format!("create schema {schema}")).await.unwrap();
        plain.close().await.unwrap();
        let mut options = ConnectOptions::new(url);
        options.max_connections(1).sqlx_logging(false).set_schema_search_path(schema);
        let folder = tempfile::tempdir().unwrap();
        Self { connection: Database::connect(options).await.unwrap(), _folder: folder }
    }

    fn is_sqlite(&self) -> bool {
        self.connection.get_database_backend() == DatabaseBackend::Sqlite
    }

    fn spelled(&self, text: &str, number: usize) -> String {
        let other = number + 1_000_000;
        let (uuid, other, bytes) = if self.is_sqlite() {
            (format!("x'{number:032x}'"), format!("x'{other:032x}'"), format!("x'{number:064x}'"))
        } else {
            (format!("'{number:032x}'"), format!("'{other:032x}'"), format!("'\\x{number:064x}'"))
        };
        text.replace("{uuid}", &uuid)
            .replace("{other}", &other)
            .replace("{bytes}", &bytes)
            .replace("{time}", TIME)
            .replace("{n}", &number.to_string())
    }

    async fn insert(
        &self,
        sample: &Sample,
        number: usize,
        changes: &[(&'static str, &'static str)],
    ) -> Result<(), DbErr> {
        let mut columns = sample.columns.to_vec();
        for (name, value) in changes {
            columns.retain(|(known, _)| known != name);
            columns.push((name, value));
        }
        let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
        let values: Vec<String> = columns.iter().map(|(_, value)| self.spelled(value, number)).collect();
        let (names, values) = (names.join(", "), values.join(", "));
        let statement = format!("insert into {} ({names}) values ({values})", sample.table);
        self.connection.execute_unprepared(&statement).await.map(drop)
    }

    async fn texts(&self, question: &str) -> Vec<String> {
        let asked = Statement::from_string(self.connection.get_database_backend(), question);
        let rows = self.connection.query_all_raw(asked).await.unwrap();
        rows.iter().map(|row| row.try_get_by_index::<String>(0).unwrap()).collect()
    }

    async fn tables(&self) -> BTreeSet<String> {
        let question = if self.is_sqlite() {
            "select name from sqlite_master where type = 'table' and name not like 'sqlite_%'"
        } else {
            "select table_name::text from information_schema.tables where table_schema = current_schema()"
        };
        self.texts(question).await.into_iter().filter(|name| name != "seaql_migrations").collect()
    }

    /// One migration after the other, each table filled as soon as it is there.
    async fn migrate_over_rows(&self) {
        let steps = Migrator::migrations().len();
        for step in 1..=steps {
            Migrator::up(&self.connection, Some(1)).await.unwrap_or_else(|no| panic!("step {step}: {no}"));
            for sample in SAMPLES.iter().filter(|sample| sample.made_by == step) {
                self.insert(sample, 1, &[]).await.unwrap_or_else(|no| panic!("{}: {no}", sample.table));
            }
            let known: BTreeSet<String> = SAMPLES
                .iter()
                .filter(|sample| sample.made_by <= step)
                .map(|sample| sample.table.to_owned())
                .chain(
                    WORDS
                        .iter()
                        .filter(|(made_by, _)| *made_by <= step)
                        .map(|(_, table)| (*table).to_owned()),
                )
                .collect();
            assert_eq!(self.tables().await, known, "after step {step}: each table has a sample");
        }
        assert_eq!(
            SAMPLES
                .iter()
                .map(|sample| sample.made_by)
                .chain(WORDS.iter().map(|(made_by, _)| *made_by))
                .max(),
            Some(steps),
            "the last one has samples, or words"
        );
    }
}

async fn every_migration_runs_over_rows(trial: Trial) {
    trial.migrate_over_rows().await;
    for sample in SAMPLES {
        let (name, value) = sample.columns[0];
        let value = trial.spelled(value, 1);
        let question = format!("select '{}' from {} where {name} = {value}", sample.table, sample.table);
        let samples = SAMPLES.iter().filter(|other| other.table == sample.table).count();
        assert_eq!(trial.texts(&question).await, vec![sample.table; samples]);
    }
    // Whoever was let go before their hour counted begins at it, or began at once.
    let begins = trial.texts("select 'yes' from unapproved_leavers where starts_at = approved_at").await;
    assert_eq!(begins, ["yes"]);
    // What was there before the numbers were kept is in them.
    let kept =
        "select state from state_counts where state = 'needs_attention' and slot = 0 and workflows = 1";
    assert_eq!(trial.texts(kept).await, ["needs_attention"]);
    // Once more is nothing more.
    Migrator::up(&trial.connection, None).await.unwrap();
    let words: BTreeSet<String> = trial.texts("select name from kinds").await.into_iter().collect();
    assert_eq!(words, Kind::ALL.iter().map(|kind| kind.as_str().to_owned()).collect());
}

async fn the_tables_refuse_what_the_types_do_not_know(trial: Trial) {
    trial.migrate_over_rows().await;
    for (case, (table, changes)) in REFUSED.iter().enumerate() {
        let number = 100 + case;
        let place = SAMPLES.iter().position(|sample| sample.table == *table).unwrap();
        for sample in &SAMPLES[..place] {
            trial.insert(sample, number, &[]).await.unwrap();
        }
        let refused = trial.insert(&SAMPLES[place], number, changes).await;
        let Err(no) = refused else { panic!("{table} takes {changes:?}") };
        assert!(no.to_string().to_lowercase().contains("constraint"), "{table} {changes:?}: {no}");
        // The change alone is what is wrong with it.
        trial.insert(&SAMPLES[place], number, &[]).await.unwrap();
    }
}

async fn what_is_written_into_the_trail_stays(trial: Trial) {
    trial.migrate_over_rows().await;
    for (table, column) in [("audit_events", "position"), ("seals", "number"), ("heads", "number")] {
        let mut deeds = vec![format!("update {table} set {column} = 77"), format!("delete from {table}")];
        if trial.is_sqlite() {
            deeds.push(format!("insert or replace into {table} select * from {table}"));
        } else {
            deeds.push(format!("truncate {table} cascade"));
        }
        for deed in deeds {
            let Err(no) = trial.connection.execute_unprepared(&deed).await else { panic!("{deed}") };
            assert!(no.to_string().contains("append-only"), "{deed}: {no}");
        }
        assert_eq!(trial.texts(&format!("select 'one' from {table}")).await.len(), 1);
    }
}

macro_rules! tried_on_both {
    ($($trial:ident)*) => { $(
        mod $trial {
            #[tokio::test]
            async fn on_sqlite() {
                super::$trial(super::Trial::sqlite().await).await;
            }

            #[tokio::test]
            #[ignore = "needs a PostgreSQL server; tests/all starts one and runs this"]
            async fn on_postgresql() {
                super::$trial(super::Trial::postgresql().await).await;
            }
        }
    )* };
}

tried_on_both! {
    every_migration_runs_over_rows
    the_tables_refuse_what_the_types_do_not_know
    what_is_written_into_the_trail_stays
}
