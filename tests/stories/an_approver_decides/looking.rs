//! Looking changes nothing; and what every answer carries, whoever asks and for whatever.
//!
//! Lines 4, 11, 17, 18 and 21 of the approval checklist. (Where line 18 wants `no-referrer`, the contract says
//! `same-origin`, since browsers otherwise send our own form with `Origin: null`.)

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;

use super::{Shown, assert_undecided};
use crate::stage::{READER, Stage, Whole};

told_on_both! {
    fifty_looks_at_every_address_change_nothing
    there_is_one_door_for_decisions
    every_answer_carries_the_security_headers
    the_host_header_ends_up_nowhere
}

/// Every route there is, by the source. Who adds one adds it here and thereby to the stories below.
pub(crate) const ROUTES: [&str; 37] = [
    "/api",
    "/api/docs",
    "/api/v1/reports/leavers",
    "/api/v1/requests",
    "/api/v1/workflows",
    "/api/v1/workflows/{id}",
    "/api/v1/workflows/{id}/audit",
    "/api/{rest:.*}",
    "/approve/{token}",
    "/approve/{token}/code",
    "/approve/{token}/decision",
    "/approve/{token}/live",
    "/approve/{token}/progress",
    "/approve/{token}/sign-in",
    "/credentials/{token}",
    "/credentials/{token}/code",
    "/credentials/{token}/sign-in",
    "/healthz",
    "/held",
    "/held/{id}",
    "/metrics",
    "/openapi.json",
    "/readyz",
    "/reports/leavers",
    "/sign-in",
    "/sign-in/code",
    "/sign-out",
    "/static/countersign.css",
    "/static/countersign.svg",
    "/static/live.js",
    "/webhooks/{rest:.*}",
    "/webhooks/{source}",
    "/workflows",
    "/workflows/{id}",
    "/workflows/{id}/act",
    "/workflows/{id}/live",
    "/workflows/{id}/progress",
];

/// The addresses of all routes, for this link and this workflow.
fn addresses(stage: &Stage, link: &str, workflow: &str) -> Vec<String> {
    let (_, token) = link.split_once("/approve/").unwrap();
    let filled = |route: &&str| {
        let path = route.replace("{token}", token).replace("{id}", workflow);
        format!("{}{}", stage.url, path.replace("{source}", "hr").replace("{rest:.*}", "nothing/here"))
    };
    ROUTES.iter().map(filled).chain([format!("{}/", stage.url), format!("{link}/nothing")]).collect()
}

#[test]
fn the_list_of_routes_is_whole() {
    let mut found = BTreeSet::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if name != "simulator" && name != "tests" {
                    folders.push(path);
                }
            } else if name != "tests.rs" {
                let text = std::fs::read_to_string(&path).unwrap();
                let before_tests = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
                found.extend(routes_in(before_tests));
            }
        }
    }
    let known: BTreeSet<String> = ROUTES.iter().map(|route| (*route).to_owned()).collect();
    // The static files' routes are made from a list, and two more in a loop over literals.
    let said: BTreeSet<String> = known
        .iter()
        .filter(|route| {
            !route.starts_with("/static/")
                && !["/api", "/api/{rest:.*}", "/webhooks/{rest:.*}"].contains(&route.as_str())
        })
        .cloned()
        .collect();
    assert_eq!(found, said);
}

fn routes_in(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for opening in ["resource(\"", "route(\"", "scope(\""] {
        for piece in text.split(opening).skip(1) {
            found.insert(piece.split('"').next().unwrap().to_owned());
        }
    }
    found
}

async fn fifty_looks_at_every_address_change_nothing(stage: Stage) {
    let workflow = stage.hire_told(|_| ()).await;
    let shown = Shown::to(&stage, "ana@example.com").await;
    let before = stage.tables().await;
    assert!(
        before["asks"].len() == 2 && before["audit_events"].len() >= 3,
        "the tables are read: {before:?}"
    );
    let mut urls = addresses(&stage, &shown.link, &workflow);
    let query = format!("decision=approve&digest={}&form_token={}", shown.digest, shown.token);
    urls.push(format!("{}?{query}", shown.link));
    urls.push(format!("{}/decision?{query}", shown.link));
    for _ in 0..50 {
        for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
            let looks = urls.iter().map(|url| {
                let request = stage.browser.request(method.clone(), url).bearer_auth(READER);
                // A live stream is only begun; the others are read.
                async move {
                    let answer = request.send().await.unwrap();
                    if !url.ends_with("/live") {
                        answer.bytes().await.unwrap();
                    }
                }
            });
            join_all(looks).await;
        }
    }
    assert_eq!(stage.tables().await, before);
    // And when the workers had their turn, nothing has come of it either.
    stage.settle().await;
    assert_undecided(&stage, &workflow).await;
    assert!(stage.writes().is_empty());
}

/// Line 11: whatever is posted to whichever other address, with whatever method, decides nothing.
async fn there_is_one_door_for_decisions(stage: Stage) {
    let workflow = stage.hire_told(|_| ()).await;
    let shown = Shown::to(&stage, "ana@example.com").await;
    let door = format!("{}/decision", shown.link);
    let origin = stage.origin();
    let mut tried = 0;
    for url in addresses(&stage, &shown.link, &workflow) {
        for method in ["POST", "PUT", "PATCH", "DELETE", "APPROVE"] {
            if url == door.replace(&origin, &stage.url) && method == "POST" {
                continue;
            }
            let request = stage.browser.request(Method::from_bytes(method.as_bytes()).unwrap(), &url);
            let request = request.header("Origin", &origin).bearer_auth(READER);
            let answer = stage.whole(request.form(&shown.fields("approve", ""))).await;
            assert!(answer.status >= 400, "{method} {url}: {}", answer.status);
            tried += 1;
        }
    }
    assert!(tried > 90, "{tried}");
    assert_undecided(&stage, &workflow).await;
    assert_eq!(shown.press(&stage, "approve", "").await.status, 303);
}

fn assert_headers(answer: &Whole, what: &str) {
    let policy = answer.header("content-security-policy");
    let wanted = [
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ];
    let said: Vec<&str> = policy.split(';').map(str::trim).collect();
    assert_eq!(said, wanted, "{what}");
    for (name, value) in [
        ("x-frame-options", "DENY"),
        ("referrer-policy", "same-origin"),
        ("x-robots-tag", "noindex"),
        ("x-content-type-options", "nosniff"),
        ("cross-origin-opener-policy", "same-origin"),
    ] {
        assert_eq!(answer.header(name), value, "{name} of {what}");
    }
    // Static files are named by their content; everything else is never kept.
    let kept = answer.header("cache-control");
    let may_be_kept = what.contains("/static/") && answer.status == 200;
    assert!(if may_be_kept { kept.contains("immutable") } else { kept == "no-store" }, "{kept} of {what}");
    assert!(answer.headers.get("set-cookie").is_none() && answer.headers.get("server").is_none());
}

async fn every_answer_carries_the_security_headers(stage: Stage) {
    let workflow = stage.hire_told(|_| ()).await;
    let shown = Shown::to(&stage, "ana@example.com").await;
    let (url, origin) = (format!("{}/decision", shown.link), stage.origin());
    let fields = shown.fields("reject", "");
    let mut statuses = BTreeSet::new();
    let mut note = |answer: Whole, what: &str| {
        assert_headers(&answer, what);
        statuses.insert(answer.status);
    };
    note(stage.send(&url, Some("https://evil.example"), &fields).await, "a foreign form");
    note(stage.send(&url, Some(&origin), &fields).await, "a no without words");
    note(stage.send(&url, Some(&origin), &[]).await, "an empty form");
    let large = "x".repeat(40_000);
    note(stage.send(&url, Some(&origin), &[("comment", &large)]).await, "a form that is too large");
    note(stage.whole(stage.browser.put(&url)).await, "a wrong method");
    note(
        stage.send(&url, Some(&origin), &[("decision", "approve"), ("digest", &shown.digest)]).await,
        "no token",
    );
    let mut ended = addresses(&stage, &shown.link, &workflow);
    note(shown.press(&stage, "approve", "").await, "a yes");
    stage.settle().await;
    ended.push(format!("{}/static/unknown.css", stage.url));
    for address in ended {
        note(stage.open(&address).await, &address);
        note(
            stage.whole(stage.browser.request(Method::OPTIONS, &address)).await,
            &format!("OPTIONS {address}").replace("/static/", ""),
        );
    }
    for status in [200, 303, 400, 401, 403, 404, 405, 409, 413, 422] {
        assert!(statuses.contains(&status), "no answer had {status}: {statuses:?}");
    }
}

/// Line 21: addresses come from the settings.
async fn the_host_header_ends_up_nowhere(stage: Stage) {
    let workflow = stage.hire_told(|_| ()).await;
    let shown = Shown::to(&stage, "ana@example.com").await;
    let evil = |request: reqwest::RequestBuilder| {
        let request = request.header("Host", "evil.example").header("X-Forwarded-Host", "evil.example");
        let request = request.header("Forwarded", "host=evil.example").header("X-Forwarded-Proto", "https");
        stage.whole(request.timeout(Duration::from_secs(20)))
    };
    let url = format!("{}/decision", shown.link);
    let posted =
        evil(stage.browser.post(&url).header("Origin", stage.origin()).form(&shown.fields("approve", "")))
            .await;
    assert_eq!(posted.status, 303);
    let mut answers = vec![posted];
    // An origin that fits the forged host is still foreign.
    let forged = stage.browser.post(&url).header("Origin", "http://evil.example");
    let forged = evil(forged.form(&shown.fields("approve", ""))).await;
    assert_eq!(forged.status, 403);
    answers.push(forged);
    stage.settle().await;
    for address in addresses(&stage, &shown.link, &workflow) {
        answers.push(evil(stage.browser.get(&address).bearer_auth(READER)).await);
    }
    for answer in &answers {
        assert!(!answer.body.contains("evil.example"), "{}", answer.body);
        assert!(!format!("{:?}", answer.headers).contains("evil.example"));
    }
    for mail in stage.simulator.mailbox.mails() {
        assert!(!mail.everything().contains("evil.example"));
    }
}
