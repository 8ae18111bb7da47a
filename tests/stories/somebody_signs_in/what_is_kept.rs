//! What is left of a sign-in: hashes and events, no code and no id of a session; and after two days no row at all.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use countersign::domain::canon::Digest;

use crate::stage::Stage;

told_on_both! {
    with crate::stage::Choices::with_codes();
    neither_code_nor_session_id_is_kept_in_clear
    old_codes_and_sessions_are_forgotten
}

/// Does a text hold these digits, and not as a part of longer ones or of hexadecimal?
fn holds(text: &str, code: &str) -> bool {
    text.match_indices(code).any(|(at, _)| {
        let (before, after) = (text[..at].chars().next_back(), text[at + code.len()..].chars().next());
        ![before, after].into_iter().flatten().any(|sign| sign.is_ascii_alphanumeric() || sign == '.')
    })
}

async fn neither_code_nor_session_id_is_kept_in_clear(stage: Stage) {
    let workflow = stage.hire_told(|_| ()).await;
    let link = stage.link("ana@example.com");
    let ana = stage.visitor();
    ana.ask(&link).await;
    let code = stage.code("ana@example.com");
    let browser = ana.cookies.borrow()["countersign-browser"].clone();
    ana.enter(&link, &code).await;
    let session = ana.cookies.borrow()["countersign-session"].clone();
    let id = session.split('.').next().unwrap().to_owned();
    assert!(browser.len() >= 43 && id.len() >= 43, "256 bits each");
    ana.decide(&link, "approve").await;
    stage.settle().await;
    let tables = format!("{:?}", stage.tables().await);
    let mut export = Vec::new();
    let kit = &stage.service.kit;
    countersign::audit::export(&kit.store, &kit.keys, &mut export).await.unwrap();
    let export = String::from_utf8(export).unwrap();
    let trail = stage.api(&format!("/{workflow}/audit")).await.to_string();
    let told = stage.api(&format!("/{workflow}")).await.to_string();
    let metrics = stage.open(&format!("{}/metrics", stage.url)).await.body;
    for (place, text) in [
        ("the tables", &tables),
        ("the export", &export),
        ("the trail", &trail),
        ("the API", &told),
        ("metrics", &metrics),
    ] {
        assert!(!holds(text, &code), "the code stands in {place}");
        for secret in [&browser, &id] {
            assert!(!text.contains(secret.as_str()), "a cookie stands in {place}");
        }
        let digits =
            |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().concat();
        for secret in [&browser, &id] {
            // Whoever has the bytes that a cookie spells has the cookie.
            for bytes in [secret.clone().into_bytes(), URL_SAFE_NO_PAD.decode(secret).unwrap()] {
                assert!(!text.to_uppercase().contains(&digits(&bytes)), "a cookie's bytes stand in {place}");
            }
        }
        // Six digits are tried out in a moment, so a hash of them alone is as good as the code.
        let hash = digits(&Digest::of_bytes(code.as_bytes()).0);
        assert!(!text.to_uppercase().contains(&hash), "a hash of the code alone stands in {place}");
    }
    let mails = stage.simulator.mailbox.mails();
    let with_code = mails.iter().filter(|mail| holds(mail.text.as_deref().unwrap_or_default(), &code));
    assert!(with_code.clone().all(|mail| mail.to == ["ana@example.com"]) && with_code.count() == 1);
    assert!(mails.iter().all(|mail| !holds(&mail.subject, &code)));
}

async fn old_codes_and_sessions_are_forgotten(stage: Stage) {
    stage.hire_told(|_| ()).await;
    let ana = stage.visitor();
    ana.sign_in(&stage.link("ana@example.com"), "ana@example.com").await;
    stage.later(TimeDelta::hours(47)).await;
    assert_eq!(stage.count("select count(*) from sign_in_codes").await, 1);
    stage.later(TimeDelta::hours(10)).await;
    assert_eq!(stage.count("select count(*) from sign_in_codes").await, 0);
    assert_eq!(stage.count("select count(*) from sessions").await, 0);
    assert_eq!(stage.count("select count(*) from audit_events where kind = 'sign_in.done'").await, 1);
    stage.check_proof(&[]).await;
}
