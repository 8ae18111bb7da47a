//! An operator starts it, looks after it, and helps what got stuck, with the commands of the binary.
//!
//! Must hold: all faults of the settings are told at once, by file, key and expectation, without a value; a wrong
//! key, and nothing less, keeps the service down; what an operator does is audited; logs name workflows, not secrets.

use std::process::Output;

use chrono::TimeDelta;
use countersign::clock::World;
use countersign::domain::canon::Digest;
use countersign::key::KeyRing;
use countersign::simulator::faults::{Effect, Fault, Meanwhile};
use countersign::simulator::hr::{self, Joiner};
use countersign::simulator::mailbox::Mailbox;
use countersign::store::seals::Head;
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::stage::{
    Answer, CLIENT_SECRET, Choices, Database, Outside, READER, Stage, WEBHOOK_SECRET, WRITER, command,
    command_asked, machine_name, until,
};

told_on_both! {
    a_wrong_key_refuses_the_start
    the_database_is_brought_up_to_date_once
    operations_are_told_numbers_and_no_names
    what_our_lost_attempt_made_is_adopted_by_command
    a_stuck_workflow_is_sent_on_or_given_up
    a_password_is_shown_once
}

fn with_olga() -> Choices {
    let operators = "mail = [\"pam-team@example.com\"]";
    Choices::edited(&[(operators, &format!("{operators}\nmembers = [\"olga@example.com\"]"))])
}

fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

async fn faults_of(text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("faulty.toml");
    std::fs::write(&file, text).unwrap();
    let (code, out, errors) = said(&command(&["serve"], &file).await);
    assert_eq!((code, out.as_str()), (Some(1), ""), "{errors}");
    for line in errors.lines() {
        assert!(line.starts_with(&format!("{}: ", file.display())), "{line}");
    }
    errors.replace(&format!("{}: ", file.display()), "")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_faults_of_the_settings_are_told_at_once() {
    let outside = Outside::begin(Database::sqlite()).await;
    let good = std::fs::read_to_string(outside.settings_file("good.toml", "127.0.0.1:8080")).unwrap();
    let mut text = good.replace("[worker]\nmax_attempts = 4", "[worker]\nmax_atempts = 4");
    for (this, by) in [
        ("smtp_url = \"smtp://", "smtp_url = \"smtp://user:mail-password-31@mail.example.com/?x="),
        ("timezone = \"Europe/Berlin\"\nmay_set", "timezone = \"Europe/Atlantis\"\nmay_set"),
        (WEBHOOK_SECRET, "whsec_tooshort"),
        ("quorum = 1", "quorum = 9"),
        ("target = \"vault\"", "target = \"voult-31\""),
        ("approver_groups", "aprover_groups"),
        (&format!("token = \"{READER}\""), "token = { env = \"NO_SUCH_TOKEN_31\" }"),
        ("[operators]\nmail", "trusted = 1\n[operators]\nmail"),
        (
            "[[rules]]\nname = \"the rest\"",
            "[[rules]]\nname = \"odd\"\nwhen = \"req.secret-31 ==\"\n[[rules]]\nname = \"the rest\"",
        ),
    ] {
        assert!(text.contains(this), "{this}");
        text = text.replace(this, by);
    }
    let told = faults_of(&text).await;
    for (key, wanted) in [
        ("worker.max_atempts", "did you mean \"max_attempts\""),
        ("aprover_groups", "did you mean \"approver_groups\""),
        ("mail.trusted", "unknown key"),
        ("mail.smtp_url", ""),
        ("sources[0].timezone", "Europe/Berlin"),
        ("sources[0].verify.secrets[0]", ""),
        ("api_clients[0].token", ""),
        ("profiles[0].target", ""),
        ("rules[0].stages[0]", ""),
        ("rules[1].when", ""),
    ] {
        let line = told.lines().find(|line| line.starts_with(key));
        let line = line.unwrap_or_else(|| panic!("nothing is said about {key}:\n{told}"));
        assert!(line.contains(wanted), "{line}");
    }
    for secret in ["mail-password-31", "tooshort", "Atlantis", "voult-31", "secret-31", WRITER, CLIENT_SECRET]
    {
        assert!(!told.contains(secret), "{secret} is told:\n{told}");
    }
    // What is not TOML may hold a secret on the very line.
    let told = faults_of(&format!("[http]\ntoken = \"{WRITER}\n")).await;
    assert!(told.contains("line 2") && !told.contains(WRITER), "{told}");
    assert!(faults_of("").await.lines().count() >= 6);
}

async fn a_wrong_key_refuses_the_start(stage: Stage) {
    let settings = stage.settings_file();
    assert_eq!(said(&command(&["migrate"], &settings).await).0, Some(0));
    let key = stage.folder.path().join("story.key");
    std::fs::remove_file(&key).unwrap();
    KeyRing::read_or_make(&key, &World::real()).unwrap();
    for verb in ["migrate", "serve"] {
        let (code, _, errors) = said(&command(&[verb], &settings).await);
        assert_eq!(code, Some(1));
        assert!(errors.contains("secrets.key_file: the database was begun with another key"), "{errors}");
        assert!(!errors.contains(std::fs::read_to_string(&key).unwrap().trim()));
    }
    std::fs::write(&key, "no key at all").unwrap();
    let (code, _, errors) = said(&command(&["migrate"], &settings).await);
    assert_eq!(code, Some(1));
    assert!(errors.contains("secrets.key_file") && !errors.contains("no key at all"), "{errors}");
}

async fn the_database_is_brought_up_to_date_once(stage: Stage) {
    let database = stage.database.another();
    drop(stage);
    let outside = Outside::begin(database).await;
    let settings = outside.settings_file("migrate.toml", "127.0.0.1:1");
    for _ in 0..2 {
        let (code, out, errors) = said(&command(&["migrate"], &settings).await);
        assert_eq!((code, out.as_str(), errors.as_str()), (Some(0), "the database is up to date\n", ""));
    }
    let steps = outside.count("select count(*) from seaql_migrations").await;
    let all = <migrations::Migrator as sea_orm_migration::MigratorTrait>::migrations().len();
    assert_eq!(usize::try_from(steps).unwrap(), all);
    // And several processes at once on one that nobody has touched.
    let outside = Outside::begin(outside.database.another()).await;
    let (one, two) = (outside.launch("one"), outside.launch("two"));
    one.ready().await;
    two.ready().await;
    assert_eq!(outside.count("select count(*) from seaql_migrations").await, steps);
    let sent = hire(&one.url, 1).await;
    assert_eq!(sent.status, 202, "{}", sent.body);
    assert_eq!(hire(&two.url, 1).await.status, 200);
}

const NOBODY: &str = "00000000-0000-7000-8000-000000000000";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_makes_nothing_where_nothing_is() {
    let outside = Outside::begin(Database::sqlite()).await;
    let key = outside.folder.path().join("story.key");
    std::fs::remove_file(&key).unwrap();
    let settings = outside.settings_file("empty.toml", "127.0.0.1:1");
    let files = || {
        let entries = std::fs::read_dir(outside.folder.path()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let not_there = |key: &str| {
        format!("{}: {key}: there is no such file; serve or migrate makes it\n", settings.display())
    };
    let both = [not_there("database.url"), not_there("secrets.key_file")].concat();
    let commands: [&[&str]; 6] = [
        &["audit", "verify"],
        &["audit", "export"],
        &["workflow", "retry", NOBODY, "--reason", "why not"],
        &["workflow", "adopt", NOBODY, "--user-id", "7", "--reason", "why not"],
        &["workflow", "give-up", NOBODY, "--reason", "why not"],
        &["credential", "reveal", NOBODY, "--as", "olga@example.com", "--reason", "why not"],
    ];
    let before = files();
    for arguments in commands {
        let told = said(&command(arguments, &settings).await);
        assert_eq!(told, (Some(1), String::new(), both.clone()), "{arguments:?}");
        assert_eq!(files(), before, "{arguments:?}");
    }
    // What was begun can be examined, and is told to be empty; a head says that it was not.
    assert_eq!(said(&command(&["migrate"], &settings).await).0, Some(0));
    let (code, out, errors) = said(&command(&["audit", "verify"], &settings).await);
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    assert!(out.ends_with("\nthere is nothing to prove yet\n"), "{out}");
    let (number, hash) = (1, Digest::of_bytes(b"gone"));
    let signer = KeyRing::read(&key).unwrap().signer();
    let signature = signer.sign(Head::signed_text(number, hash).as_bytes()).to_vec();
    let head = Head { number, hash, signature }.line();
    let (code, out, errors) = said(&command(&["audit", "verify", "--head", &head], &settings).await);
    assert_eq!((code, out.contains("the log was cut")), (Some(1), true), "{out}{errors}");
    assert!(!out.contains("nothing to prove"), "{out}");
    // Another version's schema is left as it is: whoever only looks does not change what running replicas stand on.
    let schema = async |changed: &str| outside.database.change(outside.folder.path(), changed).await;
    schema("insert into seaql_migrations (version, applied_at) values ('m9999_of_tomorrow', 0)").await;
    for arguments in commands {
        let (code, out, errors) = said(&command(arguments, &settings).await);
        assert_eq!((code, out.as_str()), (Some(1), ""), "{arguments:?}");
        assert!(errors.contains("database.url: a newer version has run 1 migration(s)"), "{errors}");
    }
    schema("delete from seaql_migrations where version = 'm9999_of_tomorrow'").await;
    schema("delete from seaql_migrations where version = (select max(version) from seaql_migrations)").await;
    for arguments in commands {
        let (code, out, errors) = said(&command(arguments, &settings).await);
        assert_eq!((code, out.as_str()), (Some(1), ""), "{arguments:?}");
        let said = "database.url: 1 migration(s) of this version are to be run first: countersign migrate";
        assert!(errors.contains(said), "{errors}");
    }
    // A key that is gone is not made anew.
    std::fs::remove_file(&key).unwrap();
    let told = said(&command(&["audit", "verify"], &settings).await);
    assert_eq!(told, (Some(1), String::new(), not_there("secrets.key_file")));
    assert!(!key.exists());
}

/// A joiner of today, by the machine's clock, posted to a real process.
async fn hire(url: &str, number: u32) -> hr::Answer {
    let now = World::real().now();
    let today = now.as_utc().date_naive().to_string();
    let mut joiner = Joiner::example(&format!("START:{number}"), &format!("E4{number:03}"), &today);
    // Whatever the hour here, the day has begun on Kiritimati.
    "Pacific/Kiritimati".clone_into(&mut joiner.zone);
    let secret = SecretString::from(WEBHOOK_SECRET);
    let url = format!("{url}/webhooks/hr");
    hr::post(&url, &secret, &format!("msg_{number}"), now.unix_seconds(), joiner.bytes()).await.unwrap()
}

async fn operations_are_told_numbers_and_no_names(stage: Stage) {
    assert_eq!(stage.get(&format!("{}/healthz", stage.url)).await.status, 200);
    assert_eq!(stage.get(&format!("{}/readyz", stage.url)).await.status, 200);
    let workflow = stage.hire_and_approve().await;
    assert_eq!(stage.state(&workflow).await, "succeeded");
    let metrics = stage.get(&format!("{}/metrics", stage.url)).await;
    assert_eq!(metrics.status, 200);
    let client = reqwest::Client::builder().timeout(std::time::Duration::from_secs(5)).build().unwrap();
    let head = client.head(format!("{}/metrics", stage.url)).send().await.unwrap();
    assert_eq!(head.status(), 200);
    assert_eq!(head.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(head.text().await.unwrap(), "");
    for series in [
        "countersign_deliveries_total{outcome=\"accepted\"}",
        "countersign_workflows{state=\"succeeded\"} 1",
        "countersign_attempts_total{",
        "countersign_http_answers_total{",
        "countersign_deeds_total{",
        "countersign_unsealed_events 0",
    ] {
        assert!(metrics.body.contains(series), "{series}:\n{}", metrics.body);
    }
    for name in ["zobrien", "E10442", "example.com", "Ops-Readers", "RITM", &workflow, "O'Brien", "approve/"]
    {
        let told = metrics.body.lines().find(|line| line.contains(name) && !line.contains("{token}"));
        assert_eq!(told, None, "{name}");
    }
    stage.service.kit.store.close().await;
    assert_eq!(stage.get(&format!("{}/readyz", stage.url)).await.status, 503);
    assert_eq!(stage.get(&format!("{}/healthz", stage.url)).await.status, 200);
}

impl Stage {
    /// A joiner whose name somebody else takes just before it is created.
    async fn stuck(&self) -> String {
        let workflow = self.hire().await;
        self.settle().await;
        let stranger = Effect::Meanwhile(Meanwhile::AddUser(json!({ "username": "zobrien" })));
        self.simulator.vault.add_fault(Fault::on("POST", "/Users", 1, stranger));
        assert_eq!(self.decide(&self.link("ana@example.com"), "approve", "").await.status, 303);
        self.settle().await;
        assert_eq!(self.state(&workflow).await, "needs_attention");
        workflow
    }

    async fn operate(&self, verbs: [&str; 2], workflow: &str, reason: &str) -> (Option<i32>, String, String) {
        let arguments = [verbs[0], verbs[1], workflow, "--reason", reason];
        said(&command(&arguments, &self.settings_file()).await)
    }

    async fn reveal(&self, workflow: &str, reason: &str) -> (Option<i32>, String, String) {
        let arguments = ["credential", "reveal", workflow, "--reason", reason];
        said(&self.command_as(&arguments, "olga@example.com").await)
    }

    /// A command runs on the machine's clock; the story's own must reach what it wrote.
    async fn catch_up(&self) {
        let gap = World::real().now().as_utc() - self.clock.read();
        self.later(gap.max(TimeDelta::zero()) + TimeDelta::minutes(10)).await;
    }

    async fn events(&self, workflow: &str, kind: &str) -> Vec<Value> {
        let trail = self.api(&format!("/{workflow}/audit?limit=100")).await;
        let events = trail["events"].as_array().unwrap().iter();
        events.filter(|event| event["kind"] == kind).cloned().collect()
    }
}

async fn what_our_lost_attempt_made_is_adopted_by_command(stage: Stage) {
    // Without descriptions there is no mark, so only a person can say whose account it is.
    let choices = Choices { keeps_description: false, ..Choices::default() };
    let stage = Stage::with(stage.database.another(), choices).await;
    let workflow = stage.hire().await;
    stage.settle().await;
    let adopt = async |number: &str, reason: &str| {
        let arguments = ["workflow", "adopt", &workflow, "--user-id", number, "--reason", reason];
        said(&command(&arguments, &stage.settings_file()).await)
    };
    let (code, _, errors) = adopt("4711", "Too early").await;
    assert_eq!((code, errors.contains("is waiting for approval")), (Some(1), true), "{errors}");
    assert_eq!(stage.operate(["workflow", "adopt"], &workflow, "Whoever it is").await.0, Some(2));
    stage.simulator.vault.add_fault(Fault::on("POST", "/Users", 1, Effect::DropAfter));
    assert_eq!(stage.decide(&stage.link("ana@example.com"), "approve", "").await.status, 303);
    stage.settle().await;
    stage.later(TimeDelta::hours(2)).await;
    assert_eq!(stage.state(&workflow).await, "needs_attention");
    assert_eq!(stage.writes(), ["create_user"]);
    let holder = stage.simulator.vault.id_of("zobrien").unwrap();
    let (code, _, errors) = adopt(&(holder + 1).to_string(), "Another one").await;
    assert_eq!((code, errors.contains("look at it again")), (Some(1), true), "{errors}");
    let (code, out, errors) = adopt(&holder.to_string(), "Ours: I asked Bo").await;
    assert_eq!(code, Some(0), "{errors}");
    assert!(out.contains(&workflow), "{out}");
    let adopted = stage.events(&workflow, "account.adopted").await;
    assert_eq!(adopted.len(), 1);
    assert_eq!(adopted[0]["personal"]["reason"], "Ours: I asked Bo");
    assert!(adopted[0].to_string().contains(&machine_name()), "{}", adopted[0]);
    stage.catch_up().await;
    assert_eq!(stage.state(&workflow).await, "succeeded");
    assert_eq!(stage.writes(), ["create_user", "add_member", "add_member"]);
}

async fn a_stuck_workflow_is_sent_on_or_given_up(stage: Stage) {
    let workflow = stage.stuck().await;
    let (code, _, errors) = stage.operate(["workflow", "retry"], "not-an-id", "why not").await;
    assert_eq!((code, errors.contains("wanted: the id of a workflow")), (Some(1), true), "{errors}");
    assert_eq!(stage.operate(["workflow", "retry"], &workflow, "").await.0, Some(2), "a reason is needed");
    // The stranger goes; then it can be tried again.
    let stranger = stage.simulator.vault.id_of("zobrien").unwrap();
    stage.simulator.vault.remove_user(stranger).unwrap();
    let (code, _, errors) = stage.operate(["workflow", "retry"], &workflow, "The name is free now").await;
    assert_eq!(code, Some(0), "{errors}");
    stage.catch_up().await;
    assert_eq!(stage.state(&workflow).await, "succeeded");
    let resumed = stage.events(&workflow, "workflow.resumed").await;
    assert_eq!(resumed.len(), 1);
    assert!(resumed[0].to_string().contains("The name is free now"));
    let (code, _, errors) = stage.operate(["workflow", "give-up"], &workflow, "Too late").await;
    assert_eq!(code, Some(1));
    assert!(!errors.is_empty());

    let mut other = stage.joiner();
    (other.source_ref, other.person_ref) = ("RITM0010009:1".to_owned(), "E10499".to_owned());
    "mkeller".clone_into(&mut other.username);
    let hopeless = stage.hire_as(&other).await;
    stage.settle().await;
    let (code, out, errors) = stage.operate(["workflow", "give-up"], &hopeless, "Has one already").await;
    assert_eq!((code, out.contains("failed")), (Some(0), true), "{out}{errors}");
    assert_eq!(stage.events(&hopeless, "workflow.given_up").await.len(), 1);
    assert_eq!(stage.state(&hopeless).await, "failed");
}

async fn a_password_is_shown_once(stage: Stage) {
    let stage = Stage::with(stage.database.another(), with_olga()).await;
    let workflow = stage.hire_and_approve().await;
    let id = stage.simulator.vault.id_of("zobrien").unwrap();
    let (code, out, errors) = stage.reveal(&workflow, "Hand-over in person").await;
    assert_eq!(code, Some(0), "{errors}");
    assert_eq!(out.lines().count(), 1);
    assert!(stage.simulator.vault.password_is(id, out.trim_end()));
    assert!(!stage.simulator.vault.password_is(id, "something else"));
    let (code, again, errors) = stage.reveal(&workflow, "Once more").await;
    assert_eq!((code, again.as_str()), (Some(1), ""));
    assert!(errors.contains("shown already"), "{errors}");
    let revealed = stage.events(&workflow, "credential.revealed").await;
    assert_eq!(revealed.len(), 1);
    assert_eq!(revealed[0]["personal"]["reason"], "Hand-over in person");
    assert!(
        revealed[0].to_string().contains(&machine_name())
            && !revealed[0].to_string().contains(out.trim_end())
    );
    assert_eq!(stage.count("select count(*) from secrets where sealed is not null").await, 0);
}

/// Approves on the page, and answers the form token that was used.
async fn approve(browser: &reqwest::Client, link: &str, origin: &str) -> String {
    let page = browser.get(link).send().await.unwrap().text().await.unwrap();
    let hidden = |name: &str| {
        let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\"")).unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    };
    let (digest, form_token) = (hidden("digest"), hidden("form_token"));
    let form = [
        ("decision", "approve"),
        ("comment", "fine-by-me-31"),
        ("digest", &digest),
        ("form_token", &form_token),
    ];
    let post = browser.post(format!("{link}/decision")).header("Origin", origin).form(&form);
    assert_eq!(Answer::of(post.send().await.unwrap()).await.status, 303);
    form_token
}

/// The code that an operator is mailed.
async fn sign_in_code(browser: &reqwest::Client, url: &str, mailbox: &Mailbox) -> String {
    let asked = browser.post(format!("{url}/sign-in/code")).header("Origin", url);
    let asked = asked.form(&[("address", "olga@example.com")]).send().await.unwrap();
    assert_eq!(asked.status(), 303);
    mailed_code(mailbox, 1).await
}

/// The code in this mail to her, counted from one.
async fn mailed_code(mailbox: &Mailbox, number: usize) -> String {
    let six = |line: &&str| line.len() == 6 && line.bytes().all(|byte| byte.is_ascii_digit());
    until("the code", async || {
        let mail = mailbox.mails_to("olga@example.com").get(number - 1)?.text.clone()?;
        mail.lines().map(str::trim).find(six).map(str::to_owned)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logs_name_requests_and_workflows_and_no_secret() {
    let mut outside = Outside::begin(Database::sqlite()).await;
    let operators = "mail = [\"pam-team@example.com\"]";
    outside.choices.edits = vec![
        ("[worker]".to_owned(), "[logs]\nformat = \"json\"\n[worker]\npoll_every = \"1s\"".to_owned()),
        (operators.to_owned(), format!("{operators}\nmembers = [\"olga@example.com\"]")),
    ];
    let mut process = outside.serve("logged").await;
    let sent = hire(&process.url, 1).await;
    assert_eq!(sent.status, 202, "{}", sent.body);
    let workflow =
        serde_json::from_str::<Value>(&sent.body).unwrap()["workflow_id"].as_str().unwrap().to_owned();
    let mailbox = &outside.simulator.mailbox;
    let link = until("the link", async || mailbox.links_for("ana@example.com").pop()).await;
    let browser = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let form_token = approve(&browser, &link, &process.url).await;
    let ask = async |path: &str| {
        let url = format!("{}/api/v1/workflows{path}", process.url);
        browser.get(url).bearer_auth(READER).send().await.unwrap().json::<Value>().await.unwrap()
    };
    let state = format!("/{workflow}");
    until("success", async || (ask(&state).await["state"] == "succeeded").then_some(())).await;
    assert_eq!(
        browser.get(format!("{}/approve/made-up-token-31", process.url)).send().await.unwrap().status(),
        404
    );
    let digits = sign_in_code(&browser, &process.url, mailbox).await;
    let settings = outside.settings_file("reveal.toml", "127.0.0.1:1");
    let arguments =
        ["credential", "reveal", &workflow, "--as", "olga@example.com", "--reason", "to look for it"];
    let revealed = command_asked(&arguments, &settings, async || Some(mailed_code(mailbox, 2).await)).await;
    let (code, password, errors) = said(&revealed);
    assert_eq!(code, Some(0), "{errors}");
    process.terminate();
    assert_eq!(process.ended().await.code(), Some(0));
    let log = process.log();
    assert!(log.contains("a sign-in code was asked for"), "{log}");
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let about = lines.iter().filter(|line| line["workflow.id"] == workflow.as_str()).count();
    assert!(about >= 5, "{log}");
    let received = lines.iter().find(|line| line["message"] == "a delivery was received").unwrap();
    assert!(received["span"]["request.id"].as_str().is_some_and(|id| id.len() > 30), "{received}");

    let id = outside.simulator.vault.id_of("zobrien").unwrap();
    assert!(outside.simulator.vault.password_is(id, password.trim_end()));
    let token = link.rsplit('/').next().unwrap();
    let key = std::fs::read_to_string(outside.folder.path().join("story.key")).unwrap();
    let key = key.split_whitespace().last().unwrap().to_owned();
    for secret in [
        WEBHOOK_SECRET,
        &WEBHOOK_SECRET[6..],
        CLIENT_SECRET,
        READER,
        WRITER,
        token,
        &form_token,
        password.trim_end(),
        &key,
        "made-up-token-31",
        "fine-by-me-31",
        "Bearer ",
    ] {
        assert!(!log.contains(secret), "{secret} stands in the log");
    }
    // Six digits turn up by chance in the parts of a second and in ids, so whole words are looked for.
    let words = |sign: char| !sign.is_ascii_alphanumeric() && sign != '.';
    assert!(!log.split(words).any(|word| word == digits), "the code stands in the log");
    for personal in ["O'Brien", "zoe.obrien@example.com", "ana@example.com", "olga@example.com"] {
        assert!(!log.contains(personal), "{personal} stands in the log");
    }
}
