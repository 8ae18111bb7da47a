//! Where secrets must not turn up: log, database, audit export, metrics, mails and pages.
//!
//! Lines 2 and 20 of the approval checklist. The log is taken at its most talkative: as if `COUNTERSIGN_LOG=trace`
//! had been said, with the product's own filter.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::commands::logging;
use countersign::key::Purpose;
use countersign::store::secrets::initial_password;
use tracing_subscriber::filter::{FilterExt as _, LevelFilter, dynamic_filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, Registry, fmt};

use super::Shown;
use crate::stage::{CLIENT_SECRET, READER, Stage, WEBHOOK_SECRET, WRITER};

/// The log of this process while a story listens; other stories in it log into the same.
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());
static LISTENING: AtomicBool = AtomicBool::new(false);

struct Notes;

impl Write for Notes {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOG.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn listen() {
    static BEGUN: OnceLock<()> = OnceLock::new();
    BEGUN.get_or_init(|| {
        let wanted = logging::filter("trace", LevelFilter::TRACE);
        let now = dynamic_filter_fn(|_, _| LISTENING.load(Ordering::SeqCst));
        let lines = fmt::layer().with_ansi(false).with_writer(|| Notes);
        let lines = lines.with_span_events(fmt::format::FmtSpan::FULL);
        Registry::default().with(lines.with_filter(wanted.and(now))).init();
    });
    LISTENING.store(true, Ordering::SeqCst);
}

/// Both kinds of database take turns, since they share the log.
async fn turn() -> tokio::sync::MutexGuard<'static, ()> {
    static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    TURN.lock().await
}

told_on_both! {
    no_secret_turns_up_in_log_database_export_or_page
}

/// What only its owner may know, and by what name a failure calls it.
struct Secrets(Vec<(&'static str, String)>);

impl Secrets {
    fn assert_absent(&self, place: &str, bytes: &[u8]) {
        for (name, secret) in &self.0 {
            assert!(secret.len() >= 16, "{name} is long enough to be looked for");
            let found = bytes.windows(secret.len()).position(|window| window == secret.as_bytes());
            if let Some(at) = found {
                let near = String::from_utf8_lossy(&bytes[at.saturating_sub(200)..at]).into_owned();
                panic!("{name} stands in {place}, after: {near}");
            }
        }
    }
}

fn token_of(link: &str) -> String {
    link.rsplit_once('/').unwrap().1.to_owned()
}

async fn password(stage: &Stage, workflow: &str) -> String {
    let kit = &stage.service.kit;
    let id = countersign::domain::ids::WorkflowId::parse(workflow).unwrap();
    let sealed = initial_password(&kit.store, id).await.unwrap().expect("a password was sealed");
    let clear = kit.keys.open(Purpose::InitialPassword, sealed.id.0, &sealed.bytes).unwrap();
    let clear = String::from_utf8(clear.to_vec()).unwrap();
    let vault = &stage.simulator.vault;
    assert!(vault.password_is(vault.id_of("zobrien").unwrap(), &clear), "it is the password indeed");
    clear
}

async fn no_secret_turns_up_in_log_database_export_or_page(stage: Stage) {
    let _turn = turn().await;
    listen();
    let workflow = stage.hire_told(|_| ()).await;
    let (ana, bo) = (Shown::to(&stage, "ana@example.com").await, Shown::to(&stage, "bo@example.com").await);
    let url = format!("{}/decision", ana.link);
    let mut pages = Vec::new();
    // Wrong turns first: each is an error page, and each is logged.
    pages.push(stage.send(&url, Some("https://evil.example"), &ana.fields("approve", "")).await);
    pages.push(stage.send(&url, Some(&stage.origin()), &[("form_token", &ana.token)]).await);
    pages.push(stage.open(&format!("{}x?again={}", ana.link, ana.token)).await);
    pages.push(stage.open(&format!("{}/nothing", ana.link)).await);
    assert!(pages.iter().all(|page| page.status >= 400));
    assert_eq!(ana.press(&stage, "approve", "").await.status, 303);
    let live = stage.browser.get(format!("{}/live", ana.link)).send().await.unwrap();
    let (stream, ()) = tokio::join!(live.text(), stage.settle());
    assert_eq!(stage.state(&workflow).await, "succeeded");
    LISTENING.store(false, Ordering::SeqCst);
    let log = std::mem::take(&mut *LOG.lock().unwrap());

    let password = password(&stage, &workflow).await;
    let mut secrets = Secrets(vec![
        ("a form token", ana.token.clone()),
        ("another form token", bo.token.clone()),
        ("the vault's client secret", CLIENT_SECRET.to_owned()),
        ("the webhook's secret", WEBHOOK_SECRET.trim_start_matches("whsec_").to_owned()),
        ("a reader's token", READER.to_owned()),
        ("a writer's token", WRITER.to_owned()),
        // How every access token of the simulated vault begins.
        ("an access token", "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.".to_owned()),
        ("the initial password", password),
    ]);
    // A page of one's own holds one's own tokens; nothing else may hold any.
    let own = stage.open(&ana.link).await.body;
    secrets.assert_absent("the page", own.as_bytes());
    for mail in stage.simulator.mailbox.mails() {
        secrets.assert_absent("a mail", mail.everything().as_bytes());
    }
    secrets.0.push(("a link's token", token_of(&ana.link)));
    secrets.0.push(("another link's token", token_of(&bo.link)));

    let words = String::from_utf8_lossy(&log);
    for said in [
        "a mail was sent",
        "an attempt ended",
        "an answer was recorded",
        "the form is not ours",
        "/approve/{token}",
    ] {
        assert!(words.contains(said), "the log is listened to: {said} is missing");
    }
    assert!(words.contains(" TRACE ") || words.contains(" DEBUG "), "libraries are listened to, too");
    secrets.assert_absent("the log", &log);
    for page in &pages {
        secrets.assert_absent("an error page", page.body.as_bytes());
    }
    secrets.assert_absent("the stream", stream.unwrap().as_bytes());
    let mut export = Vec::new();
    countersign::audit::export(&stage.service.kit.store, &stage.service.kit.keys, &mut export).await.unwrap();
    assert!(String::from_utf8_lossy(&export).contains("public_key"));
    secrets.assert_absent("the audit export", &export);
    for path in ["/metrics", "/healthz", "/readyz"] {
        secrets.assert_absent(path, stage.open(&format!("{}{path}", stage.url)).await.body.as_bytes());
    }
    for path in [format!("/{workflow}"), format!("/{workflow}/audit")] {
        secrets.assert_absent("the operators' API", stage.api(&path).await.to_string().as_bytes());
    }
    in_the_database(&stage, &secrets).await;
}

/// The bytes on disk, and each value as the database tells it (bytes are told in hexadecimal digits).
async fn in_the_database(stage: &Stage, secrets: &Secrets) {
    let mut files = 0;
    for entry in std::fs::read_dir(stage.folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_string_lossy().starts_with("story.db") {
            files += 1;
            secrets.assert_absent(&path.display().to_string(), &std::fs::read(&path).unwrap());
        }
    }
    assert_eq!(files > 0, stage.service.kit.store.engine() == "SQLite");
    let told = format!("{:?}", stage.tables().await);
    assert!(told.contains("succeeded"));
    secrets.assert_absent("the tables", told.as_bytes());
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap();
    let in_digits =
        |bytes: &[u8]| bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect::<String>();
    // Whoever has the bytes that a token spells has the token.
    let behind = |secret: &str| URL_SAFE_NO_PAD.decode(secret).ok().filter(|bytes| bytes.len() >= 16);
    let spelled = secrets.0.iter().map(|(name, secret)| (*name, in_digits(secret.as_bytes())));
    let meant = secrets.0.iter().filter_map(|(name, secret)| Some((*name, in_digits(&behind(secret)?))));
    Secrets(spelled.chain(meant).collect())
        .assert_absent("the tables' bytes", told.to_lowercase().as_bytes());
}
