//! `countersign check`: before a start, after a change, or when something does not work.
//!
//! Must hold: it only looks; each thing that is wrong has a line that names it and says what to mend; success means
//! that all is well.

use std::path::Path;

use countersign::clock::World;
use countersign::key::KeyRing;
use sea_orm::ConnectionTrait as _;
use serde_json::json;

use crate::stage::{CLIENT_SECRET, Choices, Database, Outside, Stage, WEBHOOK_SECRET, command};

told_on_both! {
    when_all_is_well_it_says_so_and_leaves_no_trace
    each_thing_that_is_wrong_has_its_line
    another_key_is_noticed
    a_database_that_is_not_there_is_not_made
    a_new_database_is_to_be_migrated_first
    what_our_account_may_do_is_told_where_the_vault_tells_it
    a_password_that_would_reach_nobody_is_warned_of
}

/// What was printed, and the exit code.
struct Said {
    code: Option<i32>,
    lines: String,
}

impl Said {
    fn mends(&self) -> Vec<&str> {
        self.lines.lines().filter(|line| line.starts_with("MEND")).collect()
    }

    /// Exactly one thing is wrong, and its line says this.
    fn one(&self, what: &str, words: &str) {
        assert_eq!((self.code, self.mends().len()), (Some(1), 1), "{}", self.lines);
        let line = self.mends()[0];
        assert!(line.starts_with(&format!("MEND  {what}: ")) && line.contains(words), "{line}");
        assert!(self.lines.ends_with("One thing is to be mended.\n"), "{}", self.lines);
    }
}

async fn check(settings: &Path) -> Said {
    let output = command(&["check"], settings).await;
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    for secret in [CLIENT_SECRET, WEBHOOK_SECRET, &WEBHOOK_SECRET["whsec_".len()..]] {
        assert!(!lines.contains(secret), "{lines}");
    }
    Said { code: output.status.code(), lines }
}

impl Stage {
    /// Checks the story's settings with one line changed.
    async fn checked_with(&self, this: &str, by: &str) -> Said {
        let text = std::fs::read_to_string(self.settings_file()).unwrap();
        assert!(text.contains(this), "the settings have no {this}");
        let file = self.folder.path().join("changed.toml");
        std::fs::write(&file, text.replace(this, by)).unwrap();
        check(&file).await
    }
}

async fn when_all_is_well_it_says_so_and_leaves_no_trace(stage: Stage) {
    stage.hire_told(|_| ()).await;
    let (tables, mails) = (stage.tables().await, stage.simulator.mailbox.mails().len());
    let said = check(&stage.settings_file()).await;
    assert_eq!(said.code, Some(0), "{}", said.lines);
    for line in [
        "ok    settings: they can be read",
        "ok    database: it answers, and its schema is this version's",
        "ok    secrets.key_file: it is the key with which the database was begun",
        "ok    mail: 127.0.0.1:",
        "ok    target vault: signs in; users and groups can be listed; user records are nested",
        "ok    target vault: all 2 of grantable_groups are there",
        "ok    source hr: verified by standard-webhooks, one secret; it posts to /webhooks/hr",
        "ok    source script: verified by api-token; it posts to /api/v1/requests",
        "All is well: ",
    ] {
        assert!(said.lines.contains(line), "{line} is missing in {}", said.lines);
    }
    assert_eq!(stage.tables().await, tables);
    assert_eq!(stage.simulator.mailbox.mails().len(), mails);
    assert!(stage.writes().is_empty());
    // After the service has ended, too; and no file comes of it, not even one that a reader of the database may need.
    stage.service.kit.store.close().await;
    let files = || {
        let files = std::fs::read_dir(stage.folder.path()).unwrap().map(|entry| entry.unwrap());
        let told = files.map(|file| (file.file_name(), std::fs::read(file.path()).unwrap()));
        told.collect::<std::collections::BTreeMap<_, _>>()
    };
    let before = files();
    assert_eq!(check(&stage.settings_file()).await.code, Some(0));
    assert!(files() == before, "{:?} instead of {:?}", files().keys(), before.keys());
}

async fn each_thing_that_is_wrong_has_its_line(stage: Stage) {
    let smtp = stage.simulator.smtp_address().to_string();
    let vault = stage.simulator.vault_url();
    // Nobody listens on a port that was just let go.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let target = "target vault";
    stage
        .checked_with(CLIENT_SECRET, "another-secret-for-stories")
        .await
        .one(target, "see api_url, token_url");
    stage
        .checked_with(&format!("smtp://{smtp}"), &format!("smtp://{free}"))
        .await
        .one("mail", "cannot be reached");
    let down = stage.checked_with(&vault, &format!("http://{free}")).await;
    down.one(target, "see api_url");
    assert!(!down.lines.contains("grantable_groups are there"), "{}", down.lines);
    let missing = "grantable_groups = [\"Ops-Readers\", \"Linux Admins\"";
    let changed = format!("{missing}, \"Nobody's\"");
    stage.checked_with(missing, &changed).await.one(target, "the group Nobody's of grantable_groups");
    let asked = "privileged_stage = { ask = [\"cy@example.com\"], quorum = 1 }\n";
    let privileged = format!("privileged_groups = [\"NOBODY'S\"]\n{asked}{changed}");
    let said = stage.checked_with(missing, &privileged).await;
    said.one(target, "the group Nobody's of grantable_groups and privileged_groups cannot be seen");
    let types = "allowed_user_types = [\"EPVUser\", \"BasicUser\"]";
    let said = stage.checked_with(types, "allowed_user_types = [\"EPVUser\", \"Dragon\"]").await;
    said.one(target, "Dragon of allowed_user_types is not among its user types");
    stage.checked_with("stages = [", "stages = \"[").await.one("settings", "changed.toml");
    let short = stage.checked_with(WEBHOOK_SECRET, "whsec_c2hvcnQ=").await;
    short.one("settings", "sources[0].verify");
    // Several at once are all told.
    let text = std::fs::read_to_string(stage.settings_file()).unwrap();
    let file = stage.folder.path().join("changed.toml");
    let worse = text
        .replace(&format!("smtp://{smtp}"), &format!("smtp://{free}"))
        .replace(CLIENT_SECRET, "other-secret");
    std::fs::write(&file, worse).unwrap();
    let said = check(&file).await;
    assert_eq!((said.code, said.mends().len()), (Some(1), 2), "{}", said.lines);
    assert!(said.lines.ends_with("2 things are to be mended.\n"), "{}", said.lines);
}

async fn another_key_is_noticed(stage: Stage) {
    let key = stage.folder.path().join("other.key");
    KeyRing::read_or_make(&key, &World::real()).unwrap();
    let said = stage.checked_with("story.key", "other.key").await;
    said.one("secrets.key_file", "the database was begun with another key");
    std::fs::write(&key, "not a key").unwrap();
    stage.checked_with("story.key", "other.key").await.one("secrets.key_file", "not of the form");
    // A database that is not there, or a server that does not answer.
    match &stage.database {
        Database::Sqlite => {
            let said = stage.checked_with("story.db", "nowhere.db").await;
            said.one("database", "there is no such file");
            assert!(!stage.folder.path().join("nowhere.db").exists());
            std::fs::write(stage.folder.path().join("broken.db"), "not a database".repeat(99)).unwrap();
            stage.checked_with("story.db", "broken.db").await.one("database", "cannot be reached");
        }
        Database::Postgres { url, .. } => {
            let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            let (_, server) = url.rsplit_once('@').unwrap_or_else(|| url.split_once("//").unwrap());
            let server = server.split('/').next().unwrap();
            let said = stage.checked_with(url, &url.replace(server, &free.to_string())).await;
            said.one("database", "the database cannot be reached");
        }
    }
}

async fn a_database_that_is_not_there_is_not_made(stage: Stage) {
    let outside = Outside::begin(stage.database.another()).await;
    let settings = outside.settings_file("fresh.toml", "127.0.0.1:8080");
    let files = || {
        let names = std::fs::read_dir(outside.folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        names.collect::<std::collections::BTreeSet<_>>()
    };
    let before = files();
    let said = check(&settings).await;
    assert_eq!((said.code, said.mends().len()), (Some(1), 1), "{}", said.lines);
    let wanted = match &outside.database {
        Database::Sqlite => "there is no such file; serve or migrate makes it",
        Database::Postgres { .. } => "run countersign migrate",
    };
    assert!(said.mends()[0].contains(wanted), "{}", said.lines);
    assert_eq!(files(), before);
    // Nothing was made on the server either: it is asked to be migrated a second time, too.
    assert_eq!(check(&settings).await.mends(), said.mends());
    // Then it is made, and all is well.
    let migrated = command(&["migrate"], &settings).await;
    assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
    let said = check(&settings).await;
    assert_eq!(said.code, Some(0), "{}", said.lines);
}

async fn a_new_database_is_to_be_migrated_first(stage: Stage) {
    // As a version would leave it that has one change less, or one more.
    let connection = stage.database.writing_connection(stage.folder.path()).await;
    let said = check(&stage.settings_file()).await;
    assert_eq!(said.code, Some(0), "{}", said.lines);
    connection
        .execute_unprepared("delete from seaql_migrations where version = 'm0016_found_by'")
        .await
        .unwrap();
    check(&stage.settings_file()).await.one("database", "1 migration(s) are to be run");
    let added =
        "insert into seaql_migrations (version, applied_at) values ('m0016_found_by', 1), ('m9999_later', 1)";
    connection.execute_unprepared(added).await.unwrap();
    check(&stage.settings_file()).await.one("database", "use that version");
    connection.close().await.unwrap();
}

async fn what_our_account_may_do_is_told_where_the_vault_tells_it(stage: Stage) {
    let settings = stage.settings_file();
    let dialect = "ok    target vault: its dialect: user_shape nested (found), group_member auto (the user name first; its \
                   number where the vault refuses that), disable_with auto (the vault's own call first;";
    let said = check(&settings).await;
    assert!(said.lines.contains(dialect), "{}", said.lines);
    let untold =
        "left  target vault: it does not tell what our account svc-countersign@cyberark.cloud.1234 may do";
    assert!(said.lines.contains(untold) && said.lines.contains("Left out: 1"), "{}", said.lines);
    // The vault shows the account and what it may do.
    let own =
        json!({ "username": "svc-countersign@cyberark.cloud.1234", "vaultAuthorization": ["AuditUsers"] });
    let id = stage.simulator.vault.add_user(&own).unwrap();
    let said = check(&settings).await;
    let words = "has no AddUpdateUsers: without it no user can be made, changed or disabled";
    said.one("target vault", words);
    for (right, fails) in
        [("ResetUsersPasswords", "sets a new password"), ("ActivateUsers", "ends a suspension")]
    {
        let line = format!(
            "warn  target vault: our account svc-countersign@cyberark.cloud.1234 has no {right}: without it a request that {fails}"
        );
        assert!(said.lines.contains(&line), "{}", said.lines);
    }
    let all = ["AddUpdateUsers", "AuditUsers", "ResetUsersPasswords", "ActivateUsers"];
    stage.simulator.vault.patch_user(id, &json!({ "vaultAuthorization": all })).unwrap();
    let said = check(&settings).await;
    assert_eq!(said.code, Some(0), "{}", said.lines);
    let line =
        "ok    target vault: our account svc-countersign@cyberark.cloud.1234 may make, change and see users";
    assert!(said.lines.contains(line) && !said.lines.contains("warn"), "{}", said.lines);
    assert!(stage.writes().is_empty());
}

/// Whoever is asked to approve is passed over when the password is handed over.
async fn a_password_that_would_reach_nobody_is_warned_of(stage: Stage) {
    assert!(!check(&stage.settings_file()).await.lines.contains("warn"));
    let rule = "stages = [{ ask = [\"group:pam-admins\"], quorum = 1 }]";
    let asks_manager = "stages = [{ ask = [\"manager\"], quorum = 1 }]";
    let said = stage.checked_with(rule, asks_manager).await;
    assert_eq!(said.code, Some(0), "{}", said.lines);
    let line = "warn  settings: the profile \"operations\" hands the initial password over to the manager, whom the rule \
                \"joiners\" asks to approve";
    assert!(
        said.lines.contains(line) && said.lines.contains("Warned of: 1, as said above."),
        "{}",
        said.lines
    );
}

/// A log-on would end the session of the service that is running.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_one_session_is_all_there_is_it_is_left_alone_unless_asked_for() {
    let edits =
        vec![("username = \"svc".to_owned(), "concurrent_sessions = false\nusername = \"svc".to_owned())];
    let choices = Choices { product: crate::stage::Product::SelfHosted, edits, ..Choices::default() };
    let stage = Stage::with(Database::sqlite(), choices).await;
    stage.hire_told(|_| ()).await;
    let calls = stage.simulator.vault.wire().len();
    let said = check(&stage.settings_file()).await;
    assert_eq!((said.code, stage.simulator.vault.wire().len()), (Some(0), calls), "{}", said.lines);
    assert!(said.lines.contains("left  target vault: not logged on to"), "{}", said.lines);
    assert!(said.lines.ends_with("Left out: 1, as said above.\n"), "{}", said.lines);
    assert_eq!(stage.simulator.vault.open_sessions(), 1);
    let output = command(&["check", "--log-on"], &stage.settings_file()).await;
    let lines = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && lines.contains("ok    target vault: signs in"), "{lines}");
    assert_eq!(stage.simulator.vault.open_sessions(), 0, "the service's session has gone with it");
}

/// The settings of a story that wants its vault otherwise.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vault_of_the_guide_is_told_by_its_flat_records() {
    let choices = Choices { dialect: crate::stage::Dialect::GuideAuto, ..Choices::default() };
    let stage = Stage::with(Database::sqlite(), choices).await;
    let said = check(&stage.settings_file()).await;
    assert_eq!(said.code, Some(0), "{}", said.lines);
    assert!(said.lines.contains("user records are flat"), "{}", said.lines);
    assert!(said.lines.contains("user_shape flat (found)"), "{}", said.lines);
    let choices = Choices { dialect: crate::stage::Dialect::GuidePinned, ..Choices::default() };
    let stage = Stage::with(Database::sqlite(), choices).await;
    let said = check(&stage.settings_file()).await;
    let pinned = "user_shape flat (pinned), group_member numeric-id (pinned), disable_with put (pinned)";
    assert!(said.lines.contains(pinned), "{}", said.lines);
}
