//! A self-hosted vault: sessions that others end, passwords that are rotated, a private authority, a proxy.
//!
//! Must hold: an account is never locked by us; nobody is fought for a session; whatever happens to a session, every
//! workflow comes to rest with the reason in words. What a run looks like is told of both products elsewhere
//! (`the_vault_is_provisioned`, `the_vault_misbehaves`, `every_step_may_fail`).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::TimeDelta;
use countersign::clock::World;
use countersign::simulator::faults::{Effect, Fault, Meanwhile, Moment};
use countersign::simulator::hr::{self, Joiner};
use countersign::simulator::tenant::{Challenge, SessionKind};
use countersign::store::operator::Exit;
use secrecy::SecretString;
use serde_json::json;
use tokio::io::AsyncBufReadExt as _;

use crate::stage::{
    CLIENT_SECRET, Choices, Database, Dialect, Outside, PASSWORD_FILE, Product, Relay, Stage, WEBHOOK_SECRET,
    fixture, until,
};

begun_on_both! {
    sessions_are_short_and_another_process_uses_the_account
    whoever_moves_or_leaves_comes_to_rest_whatever_happens_to_the_session
    another_process_that_never_rests_is_not_fought
    a_rotated_password_is_fetched_again_once
    a_refused_log_on_is_not_repeated
    ten_retries_are_no_ten_wrong_passwords
    an_orderly_end_logs_off
}

const FOREVER: u64 = u64::MAX;
const SOMEBODY_ELSE: &str = "somebody else logs on with the same account";

/// A stage with a self-hosted vault, and these lines in its settings.
async fn stage(database: Database, lines: &str) -> Stage {
    Stage::with(database, Choices { edits: vec![above_username(lines)], ..self_hosted() }).await
}

fn self_hosted() -> Choices {
    Choices { product: Product::SelfHosted, ..Choices::default() }
}

fn above_username(lines: &str) -> (String, String) {
    ("username = \"svc".to_owned(), format!("{lines}\nusername = \"svc"))
}

/// The statuses that log-ons were answered with.
fn logons(stage: &Stage) -> Vec<u16> {
    let wire = stage.simulator.vault.wire();
    wire.iter().filter(|call| call.path.ends_with("/Logon")).filter_map(|call| call.status).collect()
}

fn another_logs_on_at(stage: &Stage, nth: u64, times: u64) {
    let effect = Effect::Meanwhile(Meanwhile::LogOn(SessionKind::Single));
    let mut fault = Fault::on("", "/PasswordVault/API/User", times, effect).from_nth(nth);
    fault.matching.method = None;
    stage.simulator.vault.add_fault(fault);
}

/// Joiner number so-and-so.
fn person(stage: &Stage, number: u32) -> Joiner {
    let mut joiner = stage.joiner();
    joiner.source_ref = format!("RITM{number:07}");
    joiner.person_ref = format!("E{number:05}");
    joiner.username = format!("person{number}x");
    joiner
}

async fn is_told(stage: &Stage, workflow: &str, words: &str) -> bool {
    stage.attempts(workflow).await.iter().any(|attempt| attempt.words.contains(words))
}

async fn sessions_are_short_and_another_process_uses_the_account(database: Database) {
    let stage = stage(database, "concurrent_sessions = false\nsession_idle_limit = \"3s\"").await;
    stage.simulator.vault.configure(|tenant| tenant.session_idle_seconds = 3);
    for number in 1..=3 {
        stage.later(TimeDelta::hours(1)).await;
        let workflow = stage.approved_as(&person(&stage, number)).await;
        // Two waits in the middle of the run are longer than a session lives.
        let wait = Effect::Status { status: 429, body: None, retry_after: Some(5), moment: Moment::Before };
        stage.simulator.vault.add_fault(Fault::on("POST", "Members", 2, wait));
        let before = stage.simulator.vault.wire().len();
        if number == 2 {
            another_logs_on_at(&stage, 4, 1);
            another_logs_on_at(&stage, 12, 1);
        }
        assert_eq!(stage.rest(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
        stage.check(&workflow).await;
        let wire = stage.simulator.vault.wire();
        let refused = wire[before..].iter().filter(|call| call.status == Some(401)).count();
        // Nothing is sent with a session that has grown old; one that was taken is noticed and told.
        let taken = if number == 2 { 2 } else { 0 };
        assert_eq!((refused, is_told(&stage, &workflow, SOMEBODY_ELSE).await), (taken, taken > 0));
    }
}

async fn whoever_moves_or_leaves_comes_to_rest_whatever_happens_to_the_session(database: Database) {
    for kind in ["mover", "leaver"] {
        let lines = "concurrent_sessions = false\nsession_idle_limit = \"3s\"";
        let stage = stage(database.another(), lines).await;
        stage.simulator.vault.configure(|tenant| tenant.session_idle_seconds = 3);
        stage.somebody();
        let parts = json!({ "employment": { "department": "IT Ops", "title": "Team Lead" } });
        let workflow = stage.told(kind, "CHANGE-1", parts).await.workflow();
        stage.settle().await;
        stage.both_approve().await;
        // Two waits in the middle of the run are longer than a session lives.
        let wait = Effect::Status { status: 429, body: None, retry_after: Some(5), moment: Moment::Before };
        let (first, second) = match kind {
            "mover" => (Fault::on("PUT", "/Users", 1, wait.clone()), Fault::on("POST", "Members", 1, wait)),
            _ => (Fault::on("POST", "disable", 1, wait.clone()), Fault::on("DELETE", "Members", 1, wait)),
        };
        stage.simulator.vault.add_fault(first);
        stage.simulator.vault.add_fault(second);
        another_logs_on_at(&stage, 4, 1);
        another_logs_on_at(&stage, 9, 1);
        let before = stage.simulator.vault.wire().len();
        assert_eq!(stage.rest(&workflow).await, "succeeded", "{kind}: {}", stage.reason(&workflow).await);
        stage.check_run(&workflow).await;
        let wire = stage.simulator.vault.wire().split_off(before);
        assert_eq!(wire.iter().filter(|call| call.status == Some(401)).count(), 2, "{kind}: {wire:#?}");
        assert!(wire.iter().filter(|call| call.path.ends_with("/Logon")).count() >= 4, "{kind}: {wire:#?}");
        assert!(is_told(&stage, &workflow, SOMEBODY_ELSE).await, "{kind}");
        assert_eq!(stage.zobrien()["enableUser"], json!(kind == "mover"));

        // Another process that never rests: the next request comes to rest where it is, with the reason in words.
        stage.later(TimeDelta::hours(1)).await;
        let leaver = stage.leaves("LEAVE-2", json!({ "subject": {} })).await;
        let writes = stage.writes();
        stage.both_approve().await;
        another_logs_on_at(&stage, 1, FOREVER);
        assert_eq!(stage.rest(&leaver).await, "needs_attention", "{kind}");
        assert!(stage.reason(&leaver).await.contains(SOMEBODY_ELSE), "{}", stage.reason(&leaver).await);
        assert_eq!((stage.writes(), stage.calls_for_help()), (writes, 1), "{kind}");
        stage.simulator.vault.clear_faults();
        assert_eq!(stage.retry(&leaver).await, "succeeded", "{kind}: {}", stage.reason(&leaver).await);
        assert_eq!((&stage.zobrien()["enableUser"], stage.her_groups().len()), (&json!(false), 0));
        stage.check_proof(&[workflow, leaver]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_that_is_set_too_high_costs_a_call_and_no_workflow() {
    let stage = stage(Database::sqlite(), "").await;
    stage.simulator.vault.configure(|tenant| tenant.session_idle_seconds = 3);
    let workflow = stage.approved().await;
    stage.clock.advance(TimeDelta::minutes(5));
    assert_eq!(stage.rest(&workflow).await, "succeeded");
    assert_eq!(logons(&stage), [200, 200]);
    stage.check(&workflow).await;
}

async fn another_process_that_never_rests_is_not_fought(database: Database) {
    let stage = stage(database, "").await;
    let workflow = stage.approved().await;
    for nth in (2..60).step_by(2) {
        another_logs_on_at(&stage, nth, 1);
    }
    assert_eq!(stage.rest(&workflow).await, "needs_attention");
    let reason = stage.reason(&workflow).await;
    assert!(reason.contains("4 times within 10 minutes") && reason.contains(SOMEBODY_ELSE), "{reason}");
    assert!(reason.contains("an account that nobody else logs on with"), "{reason}");
    assert_eq!(stage.calls_for_help(), 1);
    assert_eq!(logons(&stage).len(), 4);
    // For a while nobody else fights either; what comes in meanwhile comes to rest with the same reason.
    let second = stage.hire_as(&person(&stage, 2)).await;
    assert_eq!(stage.rest(&second).await, "needs_attention");
    assert!(stage.reason(&second).await.contains(SOMEBODY_ELSE));
    assert_eq!(logons(&stage).len(), 4);
    // One that strikes at each single call is told at the first of them.
    stage.simulator.vault.clear_faults();
    another_logs_on_at(&stage, 1, FOREVER);
    assert_eq!(stage.retry(&workflow).await, "needs_attention");
    let reason = stage.reason(&workflow).await;
    assert!(reason.contains("a session that was just opened") && reason.contains(SOMEBODY_ELSE), "{reason}");
    assert!(logons(&stage).len() <= 6, "{:?}", logons(&stage));
    stage.simulator.vault.clear_faults();
    assert_eq!(stage.retry(&workflow).await, "succeeded");
    stage.check(&workflow).await;
}

async fn a_rotated_password_is_fetched_again_once(database: Database) {
    let stage = stage(database, "").await;
    let workflow = stage.approved().await;
    stage.simulator.vault.set_service_password(SecretString::from("Rotated-by-the-CPM-1"));
    std::fs::write(stage.folder.path().join(PASSWORD_FILE), "Rotated-by-the-CPM-1\n").unwrap();
    stage.simulator.vault.revoke_tokens();
    assert_eq!(stage.rest(&workflow).await, "succeeded");
    assert_eq!(logons(&stage), [200, 403, 200]);
    stage.check(&workflow).await;
}

async fn a_refused_log_on_is_not_repeated(database: Database) {
    let stage = stage(database, "").await;
    let workflow = stage.approved().await;
    stage.simulator.vault.set_service_password(SecretString::from("Rotated-by-hand-1"));
    stage.simulator.vault.revoke_tokens();
    assert_eq!(stage.rest(&workflow).await, "needs_attention");
    let reason = stage.reason(&workflow).await;
    assert!(reason.contains("ITATS004E") && reason.contains("not tried again until"), "{reason}");
    assert!(!reason.contains(CLIENT_SECRET));
    for number in 2..9 {
        let other = stage.hire_as(&person(&stage, number)).await;
        assert_eq!(stage.rest(&other).await, "needs_attention");
        assert!(stage.reason(&other).await.contains("ITATS004E"));
    }
    assert_eq!(logons(&stage), [200, 403], "an account is locked by less");
    // An operator's retry is worth one more try, and no more.
    assert_eq!(stage.retry(&workflow).await, "needs_attention");
    assert_eq!(logons(&stage), [200, 403, 403]);
    assert_eq!(stage.simulator.vault.user("svc-countersign").unwrap()["suspended"], false);
    // The right password in the file is enough for whoever comes next.
    std::fs::write(stage.folder.path().join(PASSWORD_FILE), "Rotated-by-hand-1").unwrap();
    stage.clock.advance(TimeDelta::minutes(1));
    stage.approved_as(&person(&stage, 9)).await;
    assert_eq!(stage.retry(&workflow).await, "succeeded");
    assert_eq!(logons(&stage), [200, 403, 403, 200]);
    stage.check(&workflow).await;
}

async fn ten_retries_are_no_ten_wrong_passwords(database: Database) {
    let stage = stage(database, "").await;
    stage.simulator.vault.set_service_password(SecretString::from("Rotated-by-hand-1"));
    let mut parked = vec![];
    for number in 1..=10 {
        parked.push(stage.hire_as(&person(&stage, number)).await);
    }
    stage.settle().await;
    assert_eq!((logons(&stage).len(), stage.calls_for_help()), (1, 10));
    for workflow in &parked {
        stage.take(workflow, Exit::Retry).await.unwrap();
        stage.settle().await;
    }
    assert_eq!(logons(&stage), [403, 403], "ten retries are worth one more log-on");
    assert_eq!(stage.simulator.vault.user("svc-countersign").unwrap()["suspended"], false);
    // The other nine say until when it is no use.
    assert!(!stage.reason(&parked[0]).await.contains("retry from"));
    for workflow in &parked[1..] {
        let reason = stage.reason(workflow).await;
        assert!(reason.contains("less than 10 minutes ago") && reason.contains("retry from"), "{reason}");
    }
    stage.later(TimeDelta::minutes(10)).await;
    for workflow in &parked {
        stage.take(workflow, Exit::Retry).await.unwrap();
        stage.settle().await;
    }
    assert_eq!(logons(&stage), [403, 403, 403]);
    // The right password is tried at once, however recent the last wrong one was.
    std::fs::write(stage.folder.path().join(PASSWORD_FILE), "Rotated-by-hand-1").unwrap();
    for workflow in &parked {
        assert_eq!(stage.retry(workflow).await, "pending_approval");
    }
    assert_eq!(logons(&stage), [403, 403, 403, 200]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_challenge_is_told_and_not_answered() {
    let edits = vec![("logon = \"CyberArk\"".to_owned(), "logon = \"RADIUS\"".to_owned())];
    let stage = Stage::with(Database::sqlite(), Choices { edits, ..self_hosted() }).await;
    stage.simulator.vault.configure(|tenant| tenant.challenge = Challenge::Asked);
    let workflow = stage.hire().await;
    assert_eq!(stage.rest(&workflow).await, "needs_attention");
    assert!(stage.reason(&workflow).await.contains("the account must be exempt from it"));
    assert_eq!(logons(&stage), [500]);
    stage.simulator.vault.configure(|tenant| tenant.challenge = Challenge::None);
    assert_eq!(stage.retry(&workflow).await, "pending_approval");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_own_account_is_protected_like_the_vaults_own() {
    let edits = vec![("[\"svc-*\", \"breakglass*\"]".to_owned(), "[]".to_owned())];
    for product in [Product::PrivilegeCloud, Product::SelfHosted] {
        let choices = Choices { product, edits: edits.clone(), ..Choices::default() };
        let stage = Stage::with(Database::sqlite(), choices).await;
        let mut joiner = stage.joiner();
        "SVC-Countersign".clone_into(&mut joiner.username);
        let workflow = stage.hire_as(&joiner).await;
        assert_eq!(stage.rest(&workflow).await, "needs_attention");
        assert!(stage.reason(&workflow).await.contains("own account"), "{product:?}");
        assert!(stage.simulator.vault.wire().is_empty());
    }
}

async fn an_orderly_end_logs_off(database: Database) {
    let outside = Outside::with(database, self_hosted()).await;
    let vault = &outside.simulator.vault;
    let mut process = outside.serve("cellar").await;
    let joiner = Joiner::example("CELLAR:1", "E10442", "2026-12-01");
    let (url, secret) = (format!("{}/webhooks/hr", process.url), SecretString::from(WEBHOOK_SECRET));
    let now = World::real().now().unix_seconds();
    let answer = hr::post(&url, &secret, "msg_1", now, joiner.bytes()).await.unwrap();
    assert_eq!(answer.status, 202, "{}", answer.body);
    until("a session", async || (vault.open_sessions() == 1).then_some(())).await;
    process.terminate();
    assert!(process.ended().await.success());
    assert_eq!(vault.open_sessions(), 0);
    let wire = vault.wire();
    let last = wire.last().unwrap();
    assert_eq!((last.path.as_str(), last.status), ("/PasswordVault/API/auth/Logoff", Some(200)));
    assert!(!process.log().contains(CLIENT_SECRET) && !process.log().contains("AAEAAAD"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vault_that_does_not_answer_a_log_off_does_not_hold_the_end_up() {
    let stage = stage(Database::sqlite(), "").await;
    stage.approved().await;
    stage.simulator.vault.add_fault(Fault::on("POST", "Logoff", FOREVER, Effect::DropBefore));
    stage.service.close().await;
    assert_eq!(stage.simulator.vault.wire().last().unwrap().fault, Some("drop_before"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_dialect_of_a_self_hosted_vault_is_spoken() {
    for dialect in [Dialect::Product, Dialect::GuideAuto, Dialect::GuidePinned] {
        let stage = Stage::with(Database::sqlite(), Choices { dialect, ..self_hosted() }).await;
        let workflow = stage.hire_and_approve().await;
        assert_eq!(stage.state(&workflow).await, "succeeded", "{dialect:?}");
        stage.check(&workflow).await;
        assert_eq!(logons(&stage), [200], "one session serves planning and execution");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demonstration_plays_on_a_self_hosted_vault_in_both_dialects() {
    for dialect in ["guide", "product"] {
        let mut demo = tokio::process::Command::new(env!("CARGO_BIN_EXE_countersign"));
        demo.args(["demo", "--once", "--product", "self-hosted", "--dialect", dialect]).kill_on_drop(true);
        let output = demo.output().await.unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{dialect}: {out}{err}");
        assert_eq!(out.matches("holds exactly what was approved").count(), 3, "{dialect}: {out}");
    }
}

/// Without `--once` it goes on until it is told to stop, and whatever it says can be opened.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demonstration_waits_for_whoever_wants_to_look() {
    let mut demo = tokio::process::Command::new(env!("CARGO_BIN_EXE_countersign"));
    demo.args(["demo", "--listen", "127.0.0.1:0"]).kill_on_drop(true);
    let mut demo =
        demo.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null()).spawn().unwrap();
    let mut lines = tokio::io::BufReader::new(demo.stdout.take().unwrap()).lines();
    let mut addresses = vec![];
    let read = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            addresses
                .extend(line.split_whitespace().filter(|word| word.starts_with("http")).map(str::to_owned));
            if line.starts_with("Stop it") {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_mins(1), read).await.expect("it says what can be done");
    assert_eq!(addresses.len(), 4, "{addresses:?}");
    for address in &addresses {
        assert_eq!(reqwest::get(address).await.unwrap().status(), 200, "{address}");
    }
    until("a mail to the approver", async || {
        let inbox = reqwest::get(&addresses[0]).await.unwrap().text().await.unwrap();
        inbox.contains("Your approval is wanted").then_some(())
    })
    .await;
    let id = demo.id().unwrap();
    let told = std::process::Command::new("sh").args(["-c", &format!("kill -INT {id}")]).status();
    assert!(told.unwrap().success());
    let ended = tokio::time::timeout(Duration::from_mins(1), demo.wait()).await.expect("it stops");
    assert_eq!(ended.unwrap().code(), Some(0));
}

/// The target at this address, with these lines in front of it.
fn at(address: &str, lines: &str) -> Vec<(String, String)> {
    // What stood behind becomes a comment.
    vec![("api_url = \"".to_owned(), format!("{lines}\napi_url = \"{address}\" # \""))]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_private_authority_is_trusted_only_where_it_is_named() {
    let relay = Relay::encrypted();
    let address = format!("https://localhost:{}/PasswordVault/API", relay.address().port());
    let authority = format!("ca_file = \"{}\"", fixture("authority.pem").display());
    let choices = Choices { edits: at(&address, &authority), ..self_hosted() };
    let stage = Stage::with(Database::sqlite(), choices).await;
    relay.leads_to(stage.simulator.vault_url().strip_prefix("http://").unwrap());
    let workflow = stage.hire_and_approve().await;
    assert_eq!(stage.state(&workflow).await, "succeeded");
    stage.check(&workflow).await;
    assert_eq!(relay.seen().len(), stage.simulator.vault.wire().len());

    let choices = Choices { edits: at(&address, ""), ..self_hosted() };
    let stage = Stage::with(Database::sqlite(), choices).await;
    relay.leads_to(stage.simulator.vault_url().strip_prefix("http://").unwrap());
    let workflow = stage.hire().await;
    stage.settle().await;
    assert_eq!(stage.state(&workflow).await, "planning", "the vault is awaited");
    assert!(stage.simulator.vault.wire().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_is_gone_through_and_told_who_we_are() {
    for product in [Product::SelfHosted, Product::PrivilegeCloud] {
        let relay = Relay::proxy();
        let lines = format!(
            "proxy = \"http://{}\"\nproxy_username = \"countersign\"\nproxy_password = \"let me through\"",
            relay.address()
        );
        let edits = vec![("api_url = ".to_owned(), format!("{lines}\napi_url = "))];
        let stage = Stage::with(Database::sqlite(), Choices { product, edits, ..Choices::default() }).await;
        let workflow = stage.hire_and_approve().await;
        assert_eq!(stage.state(&workflow).await, "succeeded");
        stage.check(&workflow).await;
        let (seen, wire) = (relay.seen(), stage.simulator.vault.wire());
        assert_eq!(seen.len(), wire.len(), "nothing goes past the proxy");
        let login = format!("basic {}", STANDARD.encode("countersign:let me through")).to_lowercase();
        for (head, call) in seen.iter().zip(&wire) {
            let whole = format!("{} {}{} HTTP/1.1", call.method, stage.simulator.vault_url(), call.path);
            assert_eq!(head.lines().next(), Some(whole.as_str()));
            assert!(head.to_lowercase().contains(&format!("proxy-authorization: {login}")), "{head}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_encrypted_vault_is_reached_through_a_proxy_that_sees_no_more_than_its_name() {
    for product in [Product::SelfHosted, Product::PrivilegeCloud] {
        let (vault, proxy) = (Relay::encrypted(), Relay::tunnel());
        let host = format!("localhost:{}", vault.address().port());
        let lines = format!(
            "ca_file = \"{}\"\nproxy = \"http://{}\"\nproxy_username = \"countersign\"\nproxy_password = \"let me through\"",
            fixture("authority.pem").display(),
            proxy.address()
        );
        let mut edits = at(&format!("https://{host}/PasswordVault/API"), &lines);
        if product == Product::PrivilegeCloud {
            let token = format!("token_url = \"https://{host}/oauth2/platformtoken\" # \"");
            edits.push(("token_url = \"".to_owned(), token));
        }
        let stage = Stage::with(Database::sqlite(), Choices { product, edits, ..Choices::default() }).await;
        vault.leads_to(stage.simulator.vault_url().strip_prefix("http://").unwrap());
        // A proxy that lets nobody through is waited for, like a vault that cannot be reached.
        proxy.refuse(true);
        let workflow = stage.hire().await;
        stage.settle().await;
        assert_eq!((stage.state(&workflow).await.as_str(), vault.seen().len()), ("planning", 0));
        let refused = proxy.seen().len();
        assert!(refused > 0);
        proxy.refuse(false);
        assert_eq!(stage.rest(&workflow).await, "pending_approval");
        assert_eq!(stage.decide(&stage.link("ana@example.com"), "approve", "").await.status, 303);
        assert_eq!(stage.rest(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
        stage.check(&workflow).await;
        let (asked, calls) = (proxy.seen(), stage.simulator.vault.wire());
        assert_eq!(vault.seen().len(), calls.len());
        assert_eq!(asked.len() - refused, calls.len(), "nothing goes past the proxy");
        let login = format!("basic {}", STANDARD.encode("countersign:let me through")).to_lowercase();
        for head in &asked {
            assert_eq!(head.lines().next(), Some(format!("CONNECT {host} HTTP/1.1").as_str()));
            let head = head.to_lowercase();
            assert!(head.contains(&format!("proxy-authorization: {login}")), "{head}");
            assert!(!head.contains("\r\nauthorization:") && !head.contains("cookie"), "{head}");
        }
        // And who we are to the proxy is nothing to the vault.
        assert!(vault.seen().iter().all(|head| !head.to_lowercase().contains("proxy-authorization")));
    }
}
