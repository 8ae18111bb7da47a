//! Signing in: one flight, renewal, replay, refusal.

use super::script::{error, html};
use super::*;
use crate::domain::step::Outcome;

fn header_of(seen: &script::Seen) -> String {
    let line = seen.head.lines().find(|line| line.to_ascii_lowercase().starts_with("authorization:"));
    line.unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_token_serves_many_calls_and_is_fetched_once_by_many_at_once() {
    let bench = Bench::empty_vault(auto()).await;
    let attempts = (0..8).map(|_| bench.act(&PlannedStep::FindUser, |_| ()));
    for report in futures_util::future::join_all(attempts).await {
        assert_eq!(report.outcome, Outcome::Done);
    }
    let lines = bench.script.lines();
    assert_eq!(lines.iter().filter(|line| *line == "POST token").count(), 1);
    let calls = bench.script.seen();
    assert_eq!(
        calls[0].body,
        format!("grant_type=client_credentials&client_id=svc-countersign%40example&client_secret={SECRET}")
    );
    assert!(header_of(calls.last().unwrap()).ends_with("Bearer t0ken"));
}

#[tokio::test]
async fn a_token_is_renewed_a_minute_before_it_ends() {
    let bench = Bench::empty_vault(auto()).await;
    for (seconds, sign_ins) in [(0, 1), (1739, 1), (1, 2)] {
        let later = bench.clock.now().plus_seconds(seconds);
        *bench.clock.0.lock().unwrap() = later;
        bench.act(&PlannedStep::FindUser, |_| ()).await;
        let count = bench.script.lines().iter().filter(|line| *line == "POST token").count();
        assert_eq!(count, sign_ins, "after {seconds} more seconds");
    }
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_and_the_write_is_sent_again() {
    let bench = Bench::empty_vault(pinned_nested()).await;
    let over = error(401, "PASWS006E", "The session token is missing, invalid or expired");
    bench.script.on("POST Users", vec![over, script::Reply::Json(201, json!({"id": 42}))]);
    bench.script.on("GET Users/42", vec![ok(record(mark().as_str(), &json!([])))]);
    let report = bench.act(&PlannedStep::CreateUser(new_user()), |_| ()).await;
    assert_eq!((report.outcome, report.user_id), (Outcome::Done, Some(OURS)));
    assert_eq!(bench.script.writes(), ["POST Users", "POST Users"]);
    assert_eq!(report.calls[1].status, Some(401));
    assert_eq!(report.calls[2].status, Some(201));
}

#[tokio::test]
async fn a_token_refused_twice_is_not_asked_for_a_third_time() {
    let bench = Bench::new(auto()).await;
    bench.script.on("GET Users", vec![error(401, "PASWS006E", "no")]);
    let report = bench.act(&PlannedStep::FindUser, |_| ()).await;
    assert_eq!(report.outcome, Outcome::Refused);
    assert_eq!(bench.script.lines(), ["POST token", "GET Users", "POST token", "GET Users"]);
}

#[tokio::test]
async fn a_refused_sign_in_is_told_without_the_secret_and_a_passing_one_is_worth_another_try() {
    let bench = Bench::new(auto()).await;
    let said = format!("invalid client creds {SECRET}");
    let refusal = script::Reply::Json(400, json!({"error": "access_denied", "error_description": said}));
    bench.script.on("POST token", vec![refusal, html(503), script::Reply::Drop, error(429, "", "")]);
    let report = bench.act(&PlannedStep::FindUser, |_| ()).await;
    assert_eq!(report.outcome, Outcome::Refused);
    assert!(report.words.contains("access_denied: invalid client creds (secret)"), "{}", report.words);
    // A service user may be locked by refusals, so the next one waits for a person.
    assert_eq!(bench.act(&PlannedStep::FindUser, |_| ()).await.outcome, Outcome::Refused);
    assert_eq!(bench.script.lines(), ["POST token"]);
    bench.vault.try_again().await;
    for _ in 0..3 {
        let report = bench.act(&PlannedStep::FindUser, |_| ()).await;
        assert_eq!(report.outcome, Outcome::Retry { after_seconds: None }, "{}", report.words);
        assert!(report.calls.is_empty());
    }
}

#[tokio::test]
async fn a_vault_that_cannot_be_reached_has_felt_nothing() {
    let bench = Bench::empty_vault(pinned_nested()).await;
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let token = format!("{}/token", bench.script.listen().await);
    let world = World { clock: bench.clock.clone(), chance: Arc::new(MachineChance) };
    let vault =
        Pvwa::new(connection(&format!("{address}/PasswordVault/API"), &token, auto()), world).unwrap();
    let (plan, marks) = (plan(auto()), [mark()]);
    let report = vault.act(&call(&plan, &plan.steps[1], &marks)).await;
    assert_eq!(report.outcome, Outcome::Retry { after_seconds: None });
    assert!(report.words.contains("refused") && !report.words.contains("127.0.0.1"), "{}", report.words);
    assert_eq!(report.calls[0].status, None);
}

#[tokio::test]
async fn only_a_refusal_of_the_token_endpoint_itself_holds_the_sign_in() {
    let moved = script::Reply::Raw(302, "Location: https://login.example/\r\n".to_owned(), String::new());
    let unknown = script::Reply::Json(400, json!({"error": "temporarily_unavailable"}));
    let other = script::Reply::Json(401, json!({"message": "no route"}));
    let passing = [
        moved,
        html(404),
        html(401),
        html(403),
        error(408, "", ""),
        error(429, "", ""),
        unknown,
        other,
        script::Reply::Json(404, json!({"error": "invalid_client"})),
        ok(json!({"error": "invalid_client"})),
    ];
    let bench = Bench::new(auto()).await;
    bench.script.on("GET Users", vec![ok(json!({"Users": [], "Total": 0}))]);
    for (place, reply) in passing.into_iter().enumerate() {
        bench.script.on("POST token", vec![reply]);
        let report = bench.act(&PlannedStep::FindUser, |_| ()).await;
        assert_eq!(report.outcome, Outcome::Retry { after_seconds: None }, "{place}: {}", report.words);
        assert_eq!(bench.vault.held_back_since().await, None, "{place}");
    }
    for (status, error) in [(400, "invalid_grant"), (401, "invalid_client"), (403, "unauthorized_client")] {
        let bench = Bench::new(auto()).await;
        bench.script.on("POST token", vec![script::Reply::Json(status, json!({"error": error}))]);
        let report = bench.act(&PlannedStep::FindUser, |_| ()).await;
        assert_eq!(report.outcome, Outcome::Refused, "{status} {error}: {}", report.words);
        assert_eq!(bench.vault.held_back_since().await, Some(bench.clock.now()), "{status} {error}");
    }
}
