//! The past is provable: an administrator of the database changes it, and the auditor names what was changed.
//!
//! Must hold: heads come from mails, as an auditor would have them; the tampering is done with plain SQL, after the
//! guards of the tables were taken away.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::process::Output;

use chrono::TimeDelta;
use countersign::audit::{self, Verdict, What};
use countersign::domain::audit::{Place, log_origin, seal_hash};
use countersign::domain::canon::Digest;
use countersign::domain::ids::{ChainId, EventId};
use sea_orm::{ConnectOptions, ConnectionTrait as _, DatabaseConnection, DbErr, Statement};
use uuid::Uuid;

use crate::stage::{Database, Stage};

told_on_both! {
    a_whole_run_is_proved_by_library_and_command
    a_head_out_of_a_mail_is_confirmed_later
    a_changed_record_is_named
    a_dropped_record_is_named
    two_swapped_records_are_named
    an_added_record_is_named
    a_cut_tail_is_found_against_a_mailed_head
    a_wholesale_rewrite_is_found_against_a_mailed_head
    an_export_is_checked_without_the_database
    the_trail_is_only_ever_added_to
    who_clears_personal_values_unseen_is_found
}

/// Somebody with the database's password.
struct Administrator(DatabaseConnection);

/// An event as it stands in the table.
struct Row {
    id: Uuid,
    chain: Uuid,
    bytes: Vec<u8>,
}

impl Administrator {
    async fn of(stage: &Stage) -> Self {
        let options = match &stage.database {
            Database::Sqlite => {
                let file = stage.folder.path().join("story.db");
                let mut options = ConnectOptions::new(format!("sqlite://{}", file.display()));
                options.map_sqlx_sqlite_opts(|sqlite| sqlite.foreign_keys(false));
                options
            }
            Database::Postgres { url, schema } => {
                let mut options = ConnectOptions::new(url);
                options.set_schema_search_path(schema);
                options
            }
        };
        Self(sea_orm::Database::connect(options).await.unwrap())
    }

    async fn try_to(&self, sql: &str) -> Result<u64, DbErr> {
        Ok(self.0.execute_unprepared(sql).await?.rows_affected())
    }

    async fn run(&self, sql: &str) -> u64 {
        self.try_to(sql).await.unwrap_or_else(|fault| panic!("{sql}: {fault}"))
    }

    fn is_sqlite(&self) -> bool {
        self.0.get_database_backend() == sea_orm::DatabaseBackend::Sqlite
    }

    /// Takes the guards away, as only an administrator can.
    async fn disarm(&self) {
        for table in ["audit_events", "seals", "heads"] {
            let (guards, on) = if self.is_sqlite() {
                (&["no_update", "no_delete", "no_replace"][..], String::new())
            } else {
                (&["no_change", "no_truncate"][..], format!(" on {table}"))
            };
            for guard in guards {
                self.run(&format!("drop trigger {table}_{guard}{on}")).await;
            }
        }
        if !self.is_sqlite() {
            self.run("alter table seals drop constraint seals_event_id_fkey").await;
        }
    }

    fn bytes(&self, bytes: &[u8]) -> String {
        let mut hex = String::new();
        bytes.iter().try_for_each(|byte| write!(hex, "{byte:02x}")).unwrap();
        if self.is_sqlite() { format!("x'{hex}'") } else { format!("'\\x{hex}'::bytea") }
    }

    fn id(&self, id: Uuid) -> String {
        if self.is_sqlite() { self.bytes(id.as_bytes()) } else { format!("'{id}'::uuid") }
    }

    async fn events(&self) -> Vec<Row> {
        let sql = "select id, chain, bytes from audit_events order by chain, position";
        let rows =
            self.0.query_all_raw(Statement::from_string(self.0.get_database_backend(), sql)).await.unwrap();
        rows.iter()
            .map(|row| Row {
                id: row.try_get("", "id").unwrap(),
                chain: row.try_get("", "chain").unwrap(),
                bytes: row.try_get("", "bytes").unwrap(),
            })
            .collect()
    }

    /// The first event that says this.
    async fn event(&self, words: &str) -> Row {
        let says = |row: &Row| String::from_utf8_lossy(&row.bytes).contains(words);
        self.events().await.into_iter().find(says).expect("such an event")
    }

    async fn places(&self) -> Vec<(i64, Uuid)> {
        let sql = "select number, event_id from seals order by number";
        let rows =
            self.0.query_all_raw(Statement::from_string(self.0.get_database_backend(), sql)).await.unwrap();
        rows.iter()
            .map(|row| (row.try_get("", "number").unwrap(), row.try_get("", "event_id").unwrap()))
            .collect()
    }

    async fn write_bytes(&self, id: Uuid, bytes: &[u8]) {
        let (id, bytes) = (self.id(id), self.bytes(bytes));
        assert_eq!(self.run(&format!("update audit_events set bytes = {bytes} where id = {id}")).await, 1);
    }

    async fn delete(&self, id: Uuid) {
        let id = self.id(id);
        self.run(&format!("delete from audit_personal where event_id = {id}")).await;
        assert_eq!(self.run(&format!("delete from audit_events where id = {id}")).await, 1);
    }
}

async fn examine(stage: &Stage, head: Option<&str>) -> Verdict {
    let kit = &stage.service.kit;
    audit::verify(&kit.store, &kit.keys, head).await.unwrap()
}

/// The findings of one kind that name this event.
fn names(verdict: &Verdict, what: What, id: Uuid) -> bool {
    let named = |found: &audit::Found| found.records.iter().any(|record| record.event == Some(EventId(id)));
    verdict.faults.iter().any(|found| found.what == what && named(found))
}

fn has(verdict: &Verdict, what: What) -> bool {
    verdict.faults.iter().any(|found| found.what == what)
}

/// The heads that travelled in mails, oldest first.
fn mailed_heads(stage: &Stage) -> Vec<String> {
    let mails = stage.simulator.mailbox.mails();
    let lines = mails.iter().flat_map(|mail| mail.text.as_deref().unwrap_or("").lines());
    lines.map(str::trim).filter(|line| line.starts_with("countersign-head-1 ")).map(str::to_owned).collect()
}

/// The real command, in a process of its own.
async fn command(stage: &Stage, arguments: &[&str]) -> Output {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_countersign"));
    command.args(arguments).arg("--config").arg(stage.folder.path().join("story.toml"));
    command.output().await.unwrap()
}

async fn a_run(stage: &Stage) -> String {
    let workflow = stage.hire_and_approve().await;
    assert_eq!(stage.state(&workflow).await, "succeeded");
    // The courier sends before the sealer seals; another turn brings the later heads into a mail.
    stage.later(TimeDelta::minutes(1)).await;
    workflow
}

async fn a_whole_run_is_proved_by_library_and_command(stage: Stage) {
    a_run(&stage).await;
    let verdict = examine(&stage, None).await;
    assert!(verdict.is_sound(), "{:#?}", verdict.faults);
    assert!(verdict.events > 20 && verdict.waiting == 0, "{verdict:?}");
    let said = command(&stage, &["audit", "verify"]).await;
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let words = String::from_utf8(said.stdout).unwrap();
    assert!(words.contains(&format!("{} events examined", verdict.events)), "{words}");
    assert!(words.contains("everything is as it was written"), "{words}");
    let administrator = Administrator::of(&stage).await;
    administrator.disarm().await;
    let event = administrator.event("workflow.approved").await;
    administrator.write_bytes(event.id, b"nothing of the kind").await;
    let said = command(&stage, &["audit", "verify"]).await;
    assert_eq!(said.status.code(), Some(1));
    let words = String::from_utf8(said.stdout).unwrap();
    assert!(words.contains(&event.id.to_string()), "{words}");
}

async fn a_head_out_of_a_mail_is_confirmed_later(stage: Stage) {
    a_run(&stage).await;
    let heads = mailed_heads(&stage);
    assert!(heads.len() >= 2, "{heads:?}");
    for head in &heads {
        assert!(examine(&stage, Some(head)).await.is_sound());
    }
    let said = command(&stage, &["audit", "verify", "--head", &heads[0]]).await;
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stdout));
    // One that this installation did not sign is told, too.
    let mut parts: Vec<&str> = heads[0].split(' ').collect();
    parts[1] = "1";
    assert!(has(&examine(&stage, Some(&parts.join(" "))).await, What::ForeignHead));
}

async fn a_changed_record_is_named(stage: Stage) {
    a_run(&stage).await;
    let administrator = Administrator::of(&stage).await;
    administrator.disarm().await;
    let event = administrator.event("decision.recorded").await;
    let forged = String::from_utf8(event.bytes).unwrap().replace("approve", "reject");
    administrator.write_bytes(event.id, forged.as_bytes()).await;
    assert!(names(&examine(&stage, None).await, What::Changed, event.id));
    // A hash that fits the new bytes does not help.
    let hash = administrator.bytes(&Digest::of_bytes(forged.as_bytes()).0);
    let id = administrator.id(event.id);
    administrator.run(&format!("update audit_events set hash = {hash} where id = {id}")).await;
    assert!(names(&examine(&stage, None).await, What::Changed, event.id));
}

async fn a_dropped_record_is_named(stage: Stage) {
    a_run(&stage).await;
    let administrator = Administrator::of(&stage).await;
    administrator.disarm().await;
    let event = administrator.event("credential.sealed").await;
    administrator.delete(event.id).await;
    assert!(names(&examine(&stage, None).await, What::Dropped, event.id));
}

async fn two_swapped_records_are_named(stage: Stage) {
    a_run(&stage).await;
    let administrator = Administrator::of(&stage).await;
    administrator.disarm().await;
    let one = administrator.event("workflow.planned").await;
    let other = administrator.event("workflow.approved").await;
    administrator.write_bytes(one.id, &other.bytes).await;
    administrator.write_bytes(other.id, &one.bytes).await;
    let verdict = examine(&stage, None).await;
    assert!(
        names(&verdict, What::Swapped, one.id) && names(&verdict, What::Swapped, other.id),
        "{verdict:#?}"
    );
}

async fn an_added_record_is_named(stage: Stage) {
    a_run(&stage).await;
    let administrator = Administrator::of(&stage).await;
    administrator.disarm().await;
    let last = administrator.events().await.pop().unwrap();
    let (id, forged) = (Uuid::from_bytes([7; 16]), b"countersign/event/1\n{}");
    let columns = [
        administrator.id(id),
        administrator.id(last.chain),
        "999".to_owned(),
        "(select max(at) from audit_events)".to_owned(),
        "'decision.recorded'".to_owned(),
        administrator.bytes(forged),
        administrator.bytes(&Digest::of_bytes(forged).0),
    ];
    administrator.run(&format!("insert into audit_events values ({})", columns.join(", "))).await;
    assert!(names(&examine(&stage, None).await, What::Added, id));
}

async fn a_cut_tail_is_found_against_a_mailed_head(stage: Stage) {
    a_run(&stage).await;
    let head = mailed_heads(&stage).pop().unwrap();
    let number: i64 = head.split(' ').nth(1).unwrap().parse().unwrap();
    let administrator = Administrator::of(&stage).await;
    administrator.disarm().await;
    let end = number - 3;
    for (place, event) in administrator.places().await {
        if place > end {
            administrator.run(&format!("delete from seals where number = {place}")).await;
            administrator.delete(event).await;
        }
    }
    administrator.run(&format!("delete from heads where number > {end}")).await;
    let verdict = examine(&stage, Some(&head)).await;
    assert!(has(&verdict, What::Cut), "{:#?}", verdict.faults);
    let without = examine(&stage, None).await;
    assert!(!has(&without, What::Cut), "only a head that travelled outside knows where the log ended");
}

async fn a_wholesale_rewrite_is_found_against_a_mailed_head(stage: Stage) {
    a_run(&stage).await;
    let head = mailed_heads(&stage).pop().unwrap();
    let administrator = Administrator::of(&stage).await;
    administrator.disarm().await;
    rewrite(&administrator, "\"rule\":\"joiners\"", "\"rule\":\"nobody\"").await;
    let verdict = examine(&stage, Some(&head)).await;
    let since =
        |found: &audit::Found| found.what == What::Rewritten && found.words.contains("since this head");
    assert!(verdict.faults.iter().any(since), "{:#?}", verdict.faults);
    // The rewriting itself is flawless: nothing else is wrong but that no head of ours covers it.
    let without = examine(&stage, None).await;
    let words: Vec<String> = without.faults.iter().map(ToString::to_string).collect();
    assert!(words.len() == 1 && words[0].contains("no head signed by"), "{words:#?}");
}

/// Replaces words in every event and computes every hash, chain link and seal anew. Signing heads takes the key, so
/// they are removed.
async fn rewrite(administrator: &Administrator, this: &str, by: &str) {
    let mut hashes = HashMap::new();
    let mut before: Option<(Uuid, Digest, Digest)> = None;
    let mut changed = 0;
    for row in administrator.events().await {
        let (was, is) = before.filter(|(chain, ..)| *chain == row.chain).map_or_else(
            || (Place::origin(ChainId(row.chain)), Place::origin(ChainId(row.chain))),
            |(_, was, is)| (was, is),
        );
        let text = String::from_utf8(row.bytes.clone()).unwrap();
        let forged = text.replace(this, by);
        changed += usize::from(forged != text);
        let forged = forged.replace(&format!("\"previous\":\"{was}\""), &format!("\"previous\":\"{is}\""));
        let hash = Digest::of_bytes(forged.as_bytes());
        administrator.write_bytes(row.id, forged.as_bytes()).await;
        let (id, column) = (administrator.id(row.id), administrator.bytes(&hash.0));
        administrator.run(&format!("update audit_events set hash = {column} where id = {id}")).await;
        before = Some((row.chain, Digest::of_bytes(&row.bytes), hash));
        hashes.insert(row.id, hash);
    }
    assert!(changed > 0, "nothing says {this}");
    let mut sum = log_origin();
    for (number, event) in administrator.places().await {
        sum = seal_hash(sum, number, hashes[&event]);
        let (event_hash, place_hash) = (administrator.bytes(&hashes[&event].0), administrator.bytes(&sum.0));
        let columns = format!("event_hash = {event_hash}, seal_hash = {place_hash}");
        administrator.run(&format!("update seals set {columns} where number = {number}")).await;
    }
    administrator.run("delete from heads").await;
}

async fn an_export_is_checked_without_the_database(stage: Stage) {
    a_run(&stage).await;
    let said = command(&stage, &["audit", "export"]).await;
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let public = stage.service.kit.keys.signer().public();
    let verdict = audit::verify_export(said.stdout.as_slice(), Some(public)).unwrap();
    assert!(verdict.is_sound(), "{:#?}", verdict.faults);
    assert_eq!(verdict.events, examine(&stage, None).await.events);
    for line in said.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        assert!(serde_json::from_slice::<serde_json::Value>(line).unwrap().is_object());
    }
    let forged =
        String::from_utf8(said.stdout).unwrap().replacen("workflow.approved", "workflow.rejected", 1);
    assert!(!audit::verify_export(forged.as_bytes(), Some(public)).unwrap().is_sound());
}

async fn the_trail_is_only_ever_added_to(stage: Stage) {
    a_run(&stage).await;
    let administrator = Administrator::of(&stage).await;
    let before = examine(&stage, None).await;
    for (table, column) in [("audit_events", "kind"), ("seals", "number"), ("heads", "number")] {
        let mut attempts =
            vec![format!("update {table} set {column} = {column}"), format!("delete from {table}")];
        if administrator.is_sqlite() {
            attempts.push(format!("replace into {table} select * from {table} limit 1"));
        } else {
            attempts.push(format!("truncate {table} cascade"));
        }
        for attempt in attempts {
            let fault = administrator.try_to(&attempt).await.expect_err(&attempt).to_string();
            assert!(fault.contains("append-only"), "{attempt}: {fault}");
        }
    }
    assert_eq!(examine(&stage, None).await, before);
}

async fn who_clears_personal_values_unseen_is_found(stage: Stage) {
    let workflow = a_run(&stage).await;
    let told = |trail: &[serde_json::Value]| {
        trail
            .iter()
            .filter(|event| event["personal"].as_object().unwrap().values().any(|text| !text.is_null()))
            .count()
    };
    assert!(told(&stage.trail(&workflow).await) > 5);
    let administrator = Administrator::of(&stage).await;
    assert!(administrator.run("update audit_personal set clear_text = null").await > 5);
    // The events and their order stand, as a mailed head proves; that nobody has told of the clearing is found.
    let verdict = examine(&stage, mailed_heads(&stage).pop().as_deref()).await;
    let unseen = |found: &audit::Found| {
        found.what == What::Dropped && found.words.contains("no event tells of their clearing")
    };
    assert!(!verdict.is_sound() && verdict.faults.iter().all(unseen), "{:#?}", verdict.faults);
    assert_eq!(told(&stage.trail(&workflow).await), 0);
    // A value that never was is still found.
    administrator
        .run("update audit_personal set clear_text = 'somebody else' where field = 'user_name'")
        .await;
    assert!(has(&examine(&stage, None).await, What::Changed));
}
