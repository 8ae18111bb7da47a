//! The session of a self-hosted vault: the log-on, its renewal, its refusal, its end.

use std::path::Path;

use chrono::TimeDelta;

use super::script::{Reply, Seen, error, html};
use super::*;
use crate::config::{LogonMethod, Machine, SessionLogon, Sessions, Settings};
use crate::domain::step::Outcome;

const LOGON: &str = "POST auth/CyberArk/Logon";
const LOGOFF: &str = "POST auth/Logoff";

/// A connector for a self-hosted vault that knows nobody yet.
async fn bench(change: impl FnOnce(&mut SessionLogon)) -> Bench {
    let script = Script::default();
    let base = script.listen().await;
    script.on(LOGON, vec![opened("t0ken=")]).on("GET Users", vec![ok(json!({"Users": [], "Total": 0}))]);
    let mut logon = SessionLogon {
        method: LogonMethod::CyberArk,
        username: "svc-countersign".to_owned(),
        password: Secret::given(SecretString::from(SECRET)),
        sessions: Sessions::Concurrent,
        idle_limit: TimeDelta::minutes(20),
    };
    change(&mut logon);
    let clock = Arc::new(Standing(Mutex::new(Timestamp::from_unix_seconds(1_800_000_000).unwrap())));
    let world = World { clock: clock.clone(), chance: Arc::new(MachineChance) };
    let mut connection = connection(&format!("{base}/PasswordVault/API"), "https://unused.example", auto());
    connection.product = Product::SelfHosted(logon);
    let vault = Pvwa::new(connection, world).unwrap();
    Bench { script, clock, vault }
}

/// A log-on that worked: the bare token, and a balancer's cookie.
fn opened(token: &str) -> Reply {
    let headers = "Content-Type: application/json\r\nSet-Cookie: node=a; Path=/\r\n".to_owned();
    Reply::Raw(200, headers, format!("\"{token}\""))
}

fn over() -> Reply {
    error(401, "PASWS006E", "The session token is missing, invalid or expired")
}

fn wrong() -> Reply {
    error(403, "ITATS004E", "Authentication failure for User svc-countersign.")
}

fn header<'s>(seen: &'s Seen, name: &str) -> Option<&'s str> {
    seen.head.lines().find_map(|line| {
        let (key, value) = line.split_once(": ")?;
        key.eq_ignore_ascii_case(name).then_some(value)
    })
}

impl Bench {
    fn count(&self, line: &str) -> usize {
        self.script.lines().iter().filter(|seen| *seen == line).count()
    }

    async fn find(&self) -> Report {
        self.act(&PlannedStep::FindUser, |_| ()).await
    }

    fn later(&self, by: TimeDelta) {
        let later = self.clock.now().plus(by);
        *self.clock.0.lock().unwrap() = later;
    }
}

/// A password in a file, as the settings keep it.
fn in_file(path: &Path) -> Secret {
    fetched_by(&format!("{{ file = \"{}\" }}", path.display()))
}

/// A password that is fetched in this way, as the settings write it.
fn fetched_by(way: &str) -> Secret {
    let text = crate::config::tests::GOOD
        .replace("{ file = \"/run/vault\" }", way)
        .replace("{ env = \"READER\" }", "\"reader-token-of-some-length\"")
        .replace("{ command = [\"print\", \"writer\"] }", "\"writer-token-of-some-length\"")
        .replace("{ env = \"HR_WEBHOOK\" }", "\"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"");
    let settings = Settings::from_toml(&text, "c.toml", &Machine).unwrap();
    let Product::PrivilegeCloud(cloud) = &settings.targets[0].product else { panic!() };
    cloud.client_secret.clone()
}

#[tokio::test]
async fn one_session_serves_many_calls_with_its_bare_token_and_its_cookies() {
    let bench = bench(|_| ()).await;
    let attempts = (0..8).map(|_| bench.find());
    for report in futures_util::future::join_all(attempts).await {
        assert_eq!(report.outcome, Outcome::Done, "{}", report.words);
    }
    assert_eq!(bench.count(LOGON), 1);
    let seen = bench.script.seen();
    assert_eq!(
        seen[0].json(),
        json!({ "username": "svc-countersign", "password": SECRET, "concurrentSession": true })
    );
    let last = seen.last().unwrap();
    assert_eq!((header(last, "authorization"), header(last, "cookie")), (Some("t0ken="), Some("node=a")));
    bench.script.on(LOGOFF, vec![ok(json!({}))]);
    bench.vault.close().await;
    bench.vault.close().await;
    assert_eq!(bench.count(LOGOFF), 1);
    let seen = bench.script.seen();
    let last = seen.last().unwrap();
    assert_eq!((header(last, "authorization"), header(last, "cookie")), (Some("t0ken="), Some("node=a")));
}

#[tokio::test]
async fn each_method_has_its_path_and_a_single_session_is_asked_for() {
    for method in [LogonMethod::Ldap, LogonMethod::Radius, LogonMethod::Windows] {
        let bench = bench(|logon| {
            logon.method = method;
            logon.sessions = Sessions::OneAtATime;
        })
        .await;
        let line = format!("POST auth/{}/Logon", method.word());
        bench.script.on(&line, vec![opened("t")]);
        assert_eq!(bench.find().await.outcome, Outcome::Done);
        assert_eq!(bench.script.bodies(&line)[0]["concurrentSession"], false);
    }
}

#[tokio::test]
async fn a_session_is_renewed_before_it_was_idle_for_too_long_and_lives_as_long_as_it_is_used() {
    let bench = bench(|logon| logon.idle_limit = TimeDelta::seconds(100)).await;
    for (seconds, logons) in [(0, 1), (79, 1), (79, 1), (79, 1), (80, 2), (79, 2)] {
        bench.later(TimeDelta::seconds(seconds));
        assert_eq!(bench.find().await.outcome, Outcome::Done);
        assert_eq!(bench.count(LOGON), logons, "after {seconds} more seconds");
    }
}

#[tokio::test]
async fn an_ended_session_is_renewed_once_the_write_is_sent_again_and_the_reason_is_told() {
    let bench = bench(|_| ()).await;
    bench.script.on("POST Users", vec![over(), Reply::Json(201, json!({"id": 42}))]);
    bench.script.on("GET Users/42", vec![ok(record(mark().as_str(), &json!([])))]);
    let report = bench.attempt(&PlannedStep::CreateUser(new_user()), |call| call.form = None, true).await;
    assert_eq!((report.outcome, report.user_id), (Outcome::Done, Some(OURS)), "{}", report.words);
    assert_eq!((bench.count(LOGON), bench.count("POST Users")), (2, 2));
    assert!(report.words.contains("somebody else logs on with the same account"), "{}", report.words);
}

#[tokio::test]
async fn a_session_that_is_ended_at_once_again_is_told() {
    let bench = bench(|_| ()).await;
    bench.script.on("GET Users", vec![over()]);
    let report = bench.find().await;
    assert_eq!(report.outcome, Outcome::Refused);
    assert!(report.words.contains("a session that was just opened"), "{}", report.words);
    assert_eq!(bench.count(LOGON), 2);
}

#[tokio::test]
async fn sessions_that_others_end_again_and_again_are_not_fought_for() {
    let bench = bench(|_| ()).await;
    let free = || ok(json!({"Users": [], "Total": 0}));
    for _ in 0..3 {
        bench.script.on("GET Users", vec![over(), free()]);
        assert_eq!(bench.find().await.outcome, Outcome::Done);
    }
    bench.script.on("GET Users", vec![over(), free()]);
    for _ in 0..3 {
        let report = bench.find().await;
        assert_eq!(report.outcome, Outcome::Refused);
        assert!(report.words.contains("4 times within 10 minutes"), "{}", report.words);
        assert!(report.words.contains("an account that nobody else logs on with"), "{}", report.words);
    }
    assert_eq!(bench.count(LOGON), 4, "the fifth would be a war");
    assert_eq!(bench.vault.held_back_since().await, Some(bench.clock.now()));
    // An operator's word, or ten minutes of peace, open the gate again.
    bench.vault.try_again().await;
    assert_eq!((bench.find().await.outcome, bench.count(LOGON)), (Outcome::Done, 5));
    for _ in 0..4 {
        bench.script.on("GET Users", vec![over(), free()]);
        bench.find().await;
    }
    assert_eq!(bench.find().await.outcome, Outcome::Refused);
    bench.later(TimeDelta::minutes(10));
    assert_eq!(bench.find().await.outcome, Outcome::Done);
}

#[tokio::test]
async fn ends_that_lie_far_apart_are_no_war() {
    let bench = bench(|_| ()).await;
    for _ in 0..12 {
        bench.script.on("GET Users", vec![over(), ok(json!({"Users": [], "Total": 0}))]);
        assert_eq!(bench.find().await.outcome, Outcome::Done);
        bench.later(TimeDelta::minutes(4));
    }
}

#[tokio::test]
async fn a_refused_log_on_is_remembered_and_told_without_the_password() {
    let bench = bench(|_| ()).await;
    let said = format!("Authentication failure for {SECRET}.");
    bench.script.on(LOGON, vec![error(403, "ITATS004E", &said), opened("late")]);
    let refused_at = bench.clock.now();
    for _ in 0..3 {
        let report = bench.find().await;
        assert_eq!(report.outcome, Outcome::Refused);
        assert!(
            report.words.contains("403 ITATS004E: Authentication failure for (secret)"),
            "{}",
            report.words
        );
        assert!(report.words.contains("not tried again until"), "{}", report.words);
        bench.later(TimeDelta::days(1));
    }
    assert_eq!(bench.count(LOGON), 1);
    assert_eq!(bench.vault.held_back_since().await, Some(refused_at));
    bench.vault.try_again().await;
    assert_eq!((bench.find().await.outcome, bench.count(LOGON)), (Outcome::Done, 2));
}

#[tokio::test]
async fn an_operators_word_has_the_same_password_tried_once_in_ten_minutes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    std::fs::write(&path, "first").unwrap();
    let bench = bench(|logon| logon.password = in_file(&path)).await;
    bench.script.on(LOGON, vec![wrong()]);
    assert_eq!(bench.find().await.outcome, Outcome::Refused);
    for logons in [2, 3] {
        bench.vault.try_again().await;
        assert_eq!((bench.find().await.outcome, bench.count(LOGON)), (Outcome::Refused, logons));
        for _ in 0..2 {
            bench.vault.try_again().await;
            let report = bench.find().await;
            assert_eq!((report.outcome, bench.count(LOGON)), (Outcome::Refused, logons));
            assert!(report.words.contains("less than 10 minutes ago"), "{}", report.words);
            bench.later(TimeDelta::minutes(5));
        }
    }
    assert_eq!((bench.find().await.outcome, bench.count(LOGON)), (Outcome::Refused, 3), "nobody has asked");
    bench.vault.try_again().await;
    assert_eq!((bench.find().await.outcome, bench.count(LOGON)), (Outcome::Refused, 4));
    bench.vault.try_again().await;
    // Another password is tried at once, and is a matter of its own.
    std::fs::write(&path, "second").unwrap();
    assert_eq!((bench.find().await.outcome, bench.count(LOGON)), (Outcome::Refused, 5));
    bench.vault.try_again().await;
    assert_eq!((bench.find().await.outcome, bench.count(LOGON)), (Outcome::Refused, 6));
}

#[tokio::test]
async fn a_password_that_was_rotated_is_fetched_again_and_tried_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    std::fs::write(&path, "first\n").unwrap();
    let bench = bench(|logon| logon.password = in_file(&path)).await;
    std::fs::write(&path, "second\n").unwrap();
    bench.script.on(LOGON, vec![wrong(), opened("t")]);
    assert_eq!(bench.find().await.outcome, Outcome::Done);
    let passwords = |from: usize| {
        let bodies = bench.script.bodies(LOGON).into_iter().skip(from);
        bodies.map(|body| body["password"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(passwords(0), ["first", "second"]);
    // Refused with both: nothing more until the file holds a third, and a file that is gone changes nothing.
    bench.vault.close().await;
    bench.script.on(LOGON, vec![wrong()]);
    std::fs::write(&path, "third\n").unwrap();
    assert_eq!(bench.find().await.outcome, Outcome::Refused);
    assert_eq!(bench.find().await.outcome, Outcome::Refused);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(bench.find().await.outcome, Outcome::Refused);
    assert_eq!(passwords(2), ["second", "third"]);
    std::fs::write(&path, "fourth").unwrap();
    bench.later(TimeDelta::minutes(1));
    bench.script.on(LOGON, vec![opened("t")]);
    assert_eq!(bench.find().await.outcome, Outcome::Done);
    assert_eq!(passwords(4), ["fourth"]);
}

#[tokio::test]
async fn what_else_a_log_on_may_meet() {
    let challenge = error(500, "ITATS542I", "Enter the code of your token");
    for (reply, outcome, words) in [
        (challenge, Outcome::Refused, "the account must be exempt from it"),
        (error(403, "ITATS002E", "User is suspended"), Outcome::Refused, "ITATS002E"),
        (error(409, "ITATS006E", "The password has expired"), Outcome::Refused, "expired"),
        (error(401, "PASWS013E", "Authentication failure"), Outcome::Refused, "PASWS013E"),
        (html(401), Outcome::Refused, "401"),
        (html(503), Outcome::Retry { after_seconds: None }, "503"),
        (error(429, "", ""), Outcome::Retry { after_seconds: None }, "429"),
        (Reply::Drop, Outcome::Retry { after_seconds: None }, "no whole answer"),
        (html(200), Outcome::Retry { after_seconds: None }, "200"),
        (ok(json!({"CyberArkLogonResult": "x"})), Outcome::Retry { after_seconds: None }, "without a token"),
        (ok(json!("with a space")), Outcome::Retry { after_seconds: None }, "without a token"),
    ] {
        let bench = bench(|_| ()).await;
        bench.script.on(LOGON, vec![reply]);
        let report = bench.find().await;
        assert_eq!(report.outcome, outcome, "{}", report.words);
        assert!(report.words.contains(words), "{words}: {}", report.words);
        assert_eq!((bench.count(LOGON), bench.count("GET Users")), (1, 0), "{words}");
    }
}

#[tokio::test]
async fn our_own_account_is_never_touched_under_any_of_its_names() {
    for account in ["ZOBRIEN", "CORP\\zobrien", "zobrien@corp.example"] {
        let bench = bench(|logon| account.clone_into(&mut logon.username)).await;
        let report = bench.find().await;
        assert_eq!(report.outcome, Outcome::NeedsPerson, "{account}");
        assert!(bench.script.seen().is_empty());
    }
}

#[tokio::test]
async fn while_the_sign_in_is_held_its_secret_is_looked_for_once_a_minute() {
    let folder = tempfile::tempdir().unwrap();
    let counted = folder.path().join("counted");
    let command =
        format!("{{ command = [\"sh\", \"-c\", \"echo once >> {}; echo wrong\"] }}", counted.display());
    let bench = bench(|logon| logon.password = fetched_by(&command)).await;
    let runs = || std::fs::read_to_string(&counted).unwrap().lines().count();
    assert_eq!(runs(), 1, "at the start");
    bench.script.on(LOGON, vec![wrong()]);
    for _ in 0..20 {
        assert_eq!(bench.find().await.outcome, Outcome::Refused);
    }
    assert_eq!(runs(), 2, "once more after the refusal");
    bench.later(TimeDelta::seconds(59));
    assert_eq!((bench.find().await.outcome, runs()), (Outcome::Refused, 2));
    for minutes in 1..4 {
        bench.later(TimeDelta::minutes(1));
        for _ in 0..5 {
            assert_eq!(bench.find().await.outcome, Outcome::Refused);
        }
        assert_eq!(runs(), 2 + minutes);
    }
    assert_eq!(bench.count(LOGON), 1);
}

#[tokio::test]
async fn a_refused_log_on_is_one_whatever_code_it_carries() {
    for (status, code) in [(403, "ITADM111E"), (403, "SRAPIE0006"), (401, "ITADM111E")] {
        let bench = bench(|_| ()).await;
        bench.script.on(LOGON, vec![error(status, code, "busy")]);
        for _ in 0..3 {
            let report = bench.find().await;
            assert_eq!(report.outcome, Outcome::Refused, "{}", report.words);
            assert!(report.words.contains(code), "{}", report.words);
        }
        assert_eq!(bench.count(LOGON), 1, "{status} {code}: an account is locked by repeating");
    }
    // Without a refusal the same codes are what they are for every call.
    let bench = bench(|_| ()).await;
    bench.script.on(LOGON, vec![error(500, "ITADM111E", "busy"), opened("t")]);
    assert_eq!(bench.find().await.outcome, Outcome::Retry { after_seconds: None });
    assert_eq!(bench.find().await.outcome, Outcome::Done);
}

#[tokio::test]
async fn a_page_in_the_place_of_a_session_holds_no_sign_in() {
    let moved = Reply::Raw(302, "Location: https://elsewhere.example/\r\n".to_owned(), String::new());
    let unknown = Reply::Raw(404, String::new(), "no such path".to_owned());
    for (reply, words) in [
        (html(404), "answered with a page, not with a session"),
        (html(403), "answered with a page, not with a session"),
        (html(200), "answered with a page, not with a session"),
        (moved, "answered with a redirection, not with a session"),
        (unknown, "404"),
    ] {
        let bench = bench(|_| ()).await;
        bench.script.on(LOGON, vec![reply, opened("t")]);
        let report = bench.find().await;
        assert_eq!(report.outcome, Outcome::Retry { after_seconds: None }, "{}", report.words);
        assert!(report.words.contains(words) && report.words.contains("api_url"), "{}", report.words);
        assert_eq!(bench.vault.held_back_since().await, None, "{words}");
        assert_eq!((bench.find().await.outcome, bench.count(LOGON)), (Outcome::Done, 2), "{words}");
    }
    // A refusal of the vault's own is one under these numbers, too.
    let bench = bench(|_| ()).await;
    bench.script.on(LOGON, vec![error(404, "ITATS004E", "Authentication failure"), opened("t")]);
    assert_eq!(bench.find().await.outcome, Outcome::Refused);
    assert!(bench.vault.held_back_since().await.is_some());
}
