//! A backup is taken while the service runs; put back, it is recognised by the head that was kept outside, and nothing
//! is carried out until an operator says so. What was done meanwhile is then found in the vault.
//!
//! Must hold: one user, never a second create; requests and pages go on all the while.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use chrono::TimeDelta;
use countersign::domain::canon::Digest;
use countersign::domain::ids::VaultUserId;
use countersign::simulator::faults::{Effect, Fault, Moment};
use countersign::store::operator::Exit;
use countersign::store::seals::Head;
use serde_json::{Value, json};

use crate::stage::{Choices, Database, Stage, command, until};
use crate::the_database_is_ill::joiner;

told_on_both! {
    a_log_that_lacks_the_last_head_is_held_until_an_operator_accepts_it
}

/// What `/readyz` says of the log, and the status as a whole.
async fn log(stage: &Stage) -> (u16, Value, Value) {
    let answer = stage.get(&format!("{}/readyz", stage.url)).await;
    let told = answer.json();
    (answer.status, told["status"].clone(), told["parts"]["log"]["state"].clone())
}

/// Mails to the operators about a database that was put back.
fn alarms(stage: &Stage) -> usize {
    let mails = stage.simulator.mailbox.mails_to("pam-team@example.com").into_iter();
    mails.filter(|mail| mail.text.as_deref().is_some_and(|text| text.contains("accept-restore"))).count()
}

async fn accept(stage: &Stage) {
    // Commands go by the machine's clock; what they leave may lie after the story's hour.
    stage.clock.be_real();
    let arguments = ["audit", "accept-restore", "--reason", "the disk broke"];
    let accepted = command(&arguments, &stage.settings_file()).await;
    assert!(accepted.status.success(), "{accepted:?}");
    let again = command(&arguments, &stage.settings_file()).await;
    assert!(!again.status.success() && String::from_utf8_lossy(&again.stderr).contains("nothing to accept"));
    stage.clock.be_real();
}

impl Stage {
    /// Takes a backup and answers the head that it prints.
    async fn back_up(&self, to: &Path) -> String {
        let taken = command(&["backup", "--to", to.to_str().unwrap()], &self.settings_file()).await;
        assert!(taken.status.success(), "{taken:?}");
        String::from_utf8(taken.stdout).unwrap().trim().to_owned()
    }

    /// The service is gone, its database is replaced by the backup, and it starts.
    async fn put_back(self, backup: &Path) -> Self {
        let (copy, database) = (backup.to_owned(), self.folder.path().join("story.db"));
        self.service.kit.store.close().await;
        for beside in ["story.db-wal", "story.db-shm"] {
            let _ = std::fs::remove_file(self.folder.path().join(beside));
        }
        std::fs::copy(&copy, &database).unwrap();
        self.restart().await
    }

    fn made(&self, name: &str) -> usize {
        let journal = self.simulator.vault.journal();
        journal
            .iter()
            .filter(|one| one.what == "create_user" && one.user_name.as_deref() == Some(name))
            .count()
    }
}

/// Dead in the middle of a create whose answer nobody heard.
async fn dies_while_the_account_is_made(stage: &Stage) -> String {
    let open = stage.approved_as(&joiner(1)).await;
    let slow = Effect::Delay { millis: 25_000, moment: Moment::After };
    stage.simulator.vault.add_fault(Fault::on("POST", "/Users", 1, slow));
    let executor = stage.service.workers().iter().find(|worker| worker.name() == "executor").cloned();
    let executor = executor.unwrap();
    let turn =
        tokio::spawn(async move { executor.turn().await.map(drop).map_err(|fault| fault.to_string()) });
    until("the write", async || (stage.made("ill1") == 1).then_some(())).await;
    turn.abort();
    let _ = turn.await;
    open
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_done_since_the_backup_is_found_in_the_vault() {
    let stage = Stage::begin(Database::sqlite()).await;
    let open = dies_while_the_account_is_made(&stage).await;
    // Asked for, and not decided yet.
    let pending = stage.hire_as(&joiner(2)).await;
    stage.settle().await;
    let link = stage.link("ana@example.com");
    let backup = stage.folder.path().join("yesterday.db");
    let head = stage.back_up(&backup).await;
    assert_eq!(std::fs::metadata(&backup).unwrap().permissions().mode() & 0o777, 0o600);
    let proven = command(&["audit", "verify", "--head", &head], &stage.settings_file()).await;
    assert!(proven.status.success(), "{proven:?}");
    let over = command(&["backup", "--to", backup.to_str().unwrap()], &stage.settings_file()).await;
    assert!(!over.status.success(), "nothing is written over");

    // A day goes by.
    assert_eq!(stage.decide(&link, "approve", "").await.status, 303);
    stage.later(TimeDelta::seconds(61)).await;
    let lost = stage.hire_as(&joiner(3)).await;
    stage.settle().await;
    assert_eq!(stage.decide(&stage.link("ana@example.com"), "approve", "").await.status, 303);
    stage.settle().await;
    for workflow in [&open, &pending, &lost] {
        assert_eq!(stage.state(workflow).await, "succeeded", "{}", stage.reason(workflow).await);
    }
    let done = stage.writes();

    let stage = stage.put_back(&backup).await;
    stage.later(TimeDelta::seconds(61)).await;
    assert_eq!(log(&stage).await, (200, json!("degraded"), json!("failing")));
    assert_eq!(alarms(&stage), 1);
    // Requests come in, also the one that the backup does not know; people decide; nothing is carried out.
    let again = stage.hire_as(&joiner(3)).await;
    stage.settle().await;
    assert_eq!(stage.state(&again).await, "needs_attention");
    assert!(stage.reason(&again).await.contains("the user name is taken"), "{}", stage.reason(&again).await);
    let page = stage.moved(&link);
    assert_eq!(stage.decide(&page, "approve", "").await.status, 303);
    stage.later(TimeDelta::seconds(61)).await;
    let stage = stage.restart().await;
    stage.later(TimeDelta::seconds(61)).await;
    assert_eq!(stage.state(&open).await, "running");
    assert_eq!(
        (stage.state(&pending).await, stage.state(&again).await),
        ("approved".into(), "needs_attention".into())
    );
    assert_eq!(stage.writes(), done);
    assert_eq!(alarms(&stage), 1, "told once");

    accept(&stage).await;
    stage.settle().await;
    assert_eq!(log(&stage).await, (200, json!("ready"), json!("ok")));
    // An attempt that the backup knows: looked up, and gone on with.
    assert_eq!(stage.rest(&open).await, "succeeded", "{}", stage.reason(&open).await);
    // An attempt that it does not know: the mark says whose the account is, and a person takes it over.
    assert_eq!(stage.rest(&pending).await, "needs_attention");
    let reason = stage.reason(&pending).await;
    assert!(reason.contains("carries the mark of this very request"), "{reason}");
    let id = stage.simulator.vault.id_of("ill2").unwrap();
    stage.take(&pending, Exit::Adopt(VaultUserId(id))).await.unwrap();
    assert_eq!(stage.rest(&pending).await, "succeeded", "{}", stage.reason(&pending).await);
    assert!(stage.sealed_password(&pending).await.is_none(), "a password that opens nothing is kept");
    for name in ["ill1", "ill2", "ill3"] {
        assert_eq!(stage.made(name), 1, "{name}");
    }
    assert_eq!(stage.writes(), done, "everything had been done");
    let verified = command(&["audit", "verify"], &stage.settings_file()).await;
    assert!(verified.status.success(), "{verified:?}");
    // Accepted is accepted: the next start is an ordinary one.
    let stage = stage.restart().await;
    stage.later(TimeDelta::seconds(61)).await;
    assert_eq!(log(&stage).await.1, json!("ready"));
    assert_eq!(alarms(&stage), 1);
}

async fn a_log_that_lacks_the_last_head_is_held_until_an_operator_accepts_it(stage: Stage) {
    let workflow = stage.approved().await;
    stage.settle_the_log().await;
    let (unaware, _socket) = stage.second_service().await;
    // As another service on this key would have left it, had it worked on a later state of this database.
    let kit = &stage.service.kit;
    let kept = kit.witness.kept().unwrap();
    let (number, hash) = (kept.number + 3, Digest::of_bytes(b"what came after the backup"));
    let signature = kit.keys.signer().sign(Head::signed_text(number, hash).as_bytes()).to_vec();
    let file = stage.folder.path().join("story.head");
    assert_eq!(std::fs::read_to_string(&file).unwrap().trim(), kept.line());
    std::fs::write(&file, Head { number, hash, signature }.line()).unwrap();
    let stage = stage.restart().await;
    stage.settle().await;
    assert_eq!((stage.state(&workflow).await.as_str(), stage.writes().len()), ("approved", 0));
    assert_eq!(log(&stage).await, (200, json!("degraded"), json!("failing")));
    assert_eq!(alarms(&stage), 1);
    // A replica whose own head the log contains is held, too.
    for worker in unaware.workers().iter().filter(|worker| worker.name() == "executor") {
        worker.turn().await.unwrap();
    }
    assert_eq!(stage.writes().len(), 0);
    accept(&stage).await;
    assert_eq!(stage.rest(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    assert_eq!(log(&stage).await.1, json!("ready"));
    let line = std::fs::read_to_string(&file).unwrap();
    let proven = command(&["audit", "verify", "--head", line.trim()], &stage.settings_file()).await;
    assert!(proven.status.success(), "{proven:?}");
    unaware.kit.store.close().await;
    // Put back once more: what is missing now came after the first restore, under a number which that one had cut off.
    let hash = Digest::of_bytes(b"what came after the first restore");
    let signer = stage.service.kit.keys.signer();
    let signature = signer.sign(Head::signed_text(number - 1, hash).as_bytes()).to_vec();
    std::fs::write(&file, Head { number: number - 1, hash, signature }.line()).unwrap();
    let stage = stage.restart().await;
    stage.settle().await;
    assert_eq!(log(&stage).await, (200, json!("degraded"), json!("failing")));
    assert_eq!(alarms(&stage), 2);
}

impl Stage {
    /// Every event has its place, and the head is kept.
    async fn settle_the_log(&self) {
        for worker in self.service.workers().iter().filter(|worker| worker.name() == "sealer") {
            while let countersign::worker::Did::Work(_) = worker.turn().await.unwrap() {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_no_head_of_ours_is_told_at_the_start() {
    let stage = Stage::with(Database::sqlite(), Choices::default()).await;
    std::fs::write(stage.folder.path().join("story.head"), "countersign-head-1 something else").unwrap();
    let told = command(&["audit", "verify"], &stage.settings_file()).await;
    let words = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(!told.status.success() && words.contains("audit.head_file"), "{words}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a PostgreSQL server; tests/all starts one and runs this"]
async fn for_a_postgresql_the_command_is_said() {
    let stage = Stage::begin(Database::postgres()).await;
    let told = command(&["backup", "--to", "/backup/c.dump"], &stage.settings_file()).await;
    let words = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(!told.status.success() && words.contains("pg_dump --format=custom --schema=story_"), "{words}");
}
