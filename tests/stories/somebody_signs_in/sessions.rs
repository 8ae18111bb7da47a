//! What a session is worth: one browser, an idle limit, an end, and somebody who can end it before.

use chrono::TimeDelta;

use crate::stage::{Choices, Database, Stage, command, machine_name};

told_on_both! {
    with crate::stage::Choices::with_codes();
    a_session_ends_when_nobody_uses_it
    a_session_ends_however_much_it_is_used
    who_signs_out_is_out_even_with_the_old_cookie
    signing_in_again_begins_a_new_session_and_ends_the_old
    an_operator_ends_the_sessions_of_somebody
    what_is_followed_live_ends_with_the_session
    a_cookie_that_was_tampered_with_is_nobody
}

const SESSION: &str = "countersign-session";

async fn signed_in(stage: &Stage) -> (String, crate::stage::Visitor<'_>) {
    signed_in_for(stage).await.1
}

/// The same, with the workflow.
async fn signed_in_for(stage: &Stage) -> (String, (String, crate::stage::Visitor<'_>)) {
    let workflow = stage.hire_told(|_| ()).await;
    let link = stage.link("ana@example.com");
    let ana = stage.visitor();
    ana.sign_in(&link, "ana@example.com").await;
    (workflow, (link, ana))
}

async fn a_session_ends_when_nobody_uses_it(stage: Stage) {
    let (link, ana) = signed_in(&stage).await;
    let first = ana.cookies.borrow()[SESSION].clone();
    // Each look within the limit carries it on.
    for _ in 0..4 {
        stage.clock.advance(TimeDelta::minutes(20));
        assert!(ana.open(&link).await.asks());
    }
    assert_ne!(ana.cookies.borrow()[SESSION], first);
    // A cookie that was put aside is not carried on.
    let aside = stage.visitor();
    aside.cookies.borrow_mut().insert(SESSION.to_owned(), first);
    assert!(!aside.open(&link).await.asks());
    stage.clock.advance(TimeDelta::minutes(31));
    let over = ana.open(&link).await;
    assert!(!over.asks() && over.body.contains("Mail me a code"), "{}", over.body);
}

async fn a_session_ends_however_much_it_is_used(stage: Stage) {
    let (link, ana) = signed_in(&stage).await;
    for _ in 0..23 {
        stage.clock.advance(TimeDelta::minutes(20));
        assert!(ana.open(&link).await.asks());
    }
    stage.clock.advance(TimeDelta::minutes(20));
    assert!(!ana.open(&link).await.asks(), "eight hours are over");
}

async fn who_signs_out_is_out_even_with_the_old_cookie(stage: Stage) {
    let (link, ana) = signed_in(&stage).await;
    let kept = ana.cookies.borrow().clone();
    let path = link.strip_prefix(&stage.origin()).unwrap();
    let out = ana.post(&format!("{}/sign-out", stage.url), &[("to", path)]).await;
    assert_eq!((out.status, out.header("location")), (303, path));
    assert!(ana.cookies.borrow().is_empty());
    let thief = stage.visitor();
    *thief.cookies.borrow_mut() = kept;
    let page = thief.open(&link).await;
    assert!(!page.asks() && page.body.contains("Mail me a code"), "{}", page.body);
    let elsewhere = stage.visitor();
    elsewhere.sign_in(&link, "ana@example.com").await;
    for foreign in ["//evil.example/", "https://evil.example/"] {
        let out = elsewhere.post(&format!("{}/sign-out", stage.url), &[("to", foreign)]).await;
        assert!([303, 403].contains(&out.status) && !out.header("location").contains("evil"));
    }
}

/// The request is undecided, so nothing else ends these streams for five minutes.
async fn what_is_followed_live_ends_with_the_session(stage: Stage) {
    let (workflow, (link, ana)) = signed_in_for(&stage).await;
    let follow = async |visitor: &crate::stage::Visitor<'_>, url: String| {
        let session = format!("{SESSION}={}", visitor.cookies.borrow()[SESSION]);
        let answer = stage.browser.get(url).header("Cookie", session).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        // The first look is over before the session ends.
        let mut answer = answer;
        let mut told = String::new();
        while !told.contains("event: audit") {
            told.push_str(
                std::str::from_utf8(&answer.chunk().await.unwrap().expect("the stream goes on")).unwrap(),
            );
        }
        answer
    };
    let page = format!("{}{}", stage.url, link.strip_prefix(&stage.origin()).unwrap());
    let followed = follow(&ana, format!("{page}/live")).await;
    ana.post(&format!("{}/sign-out", stage.url), &[]).await;
    let told = followed.text().await.expect("the stream ends with the sign-out");
    assert!(!told.contains("event: end"), "{told}");
    // On the console, too, and where an operator ends the session, by the machine's clock.
    stage.clock.be_real();
    let vic = stage.visitor();
    let url = format!("{}/sign-in", stage.url);
    vic.post(&format!("{url}/code"), &[("address", "vic@example.com")]).await;
    stage.settle().await;
    assert_eq!(vic.post(&url, &[("code", &stage.code("vic@example.com"))]).await.status, 303);
    let followed = follow(&vic, format!("{}/workflows/{workflow}/live", stage.url)).await;
    let out = ["sign-out", "vic@example.com", "--reason", "lost the phone"];
    assert!(command(&out, &stage.settings_file()).await.status.success());
    let told = followed.text().await.expect("the stream ends with the session");
    assert!(!told.contains("event: end"), "{told}");
}

async fn signing_in_again_begins_a_new_session_and_ends_the_old(stage: Stage) {
    let (link, ana) = signed_in(&stage).await;
    let old = ana.cookies.borrow().clone();
    stage.clock.advance(TimeDelta::seconds(31));
    ana.sign_in(&link, "ana@example.com").await;
    assert_ne!(ana.cookies.borrow()[SESSION], old[SESSION]);
    assert!(ana.open(&link).await.asks());
    let before = stage.visitor();
    *before.cookies.borrow_mut() = old;
    assert!(!before.open(&link).await.asks());
}

async fn an_operator_ends_the_sessions_of_somebody(stage: Stage) {
    let workflow = stage.hire_told(|_| ()).await;
    let link = stage.link("ana@example.com");
    // The command goes by the machine's clock, and a session of another day is over for it.
    stage.clock.be_real();
    let (desk, phone) = (stage.visitor(), stage.visitor());
    desk.sign_in(&link, "ana@example.com").await;
    phone.sign_in(&link, "ana@example.com").await;
    let elsewhere = stage.visitor();
    elsewhere.sign_in(&stage.link("bo@example.com"), "bo@example.com").await;
    let said =
        command(&["sign-out", "Ana@example.com", "--reason", "Lost phone"], &stage.settings_file()).await;
    assert_eq!(String::from_utf8_lossy(&said.stdout), "2 ended\n", "{said:?}");
    assert!(!desk.open(&link).await.asks() && !phone.open(&link).await.asks());
    assert!(elsewhere.open(&stage.link("bo@example.com")).await.asks());
    let trail = stage.trail(&workflow).await;
    let ended: Vec<_> = trail.iter().filter(|event| event["kind"] == "sign_in.ended").collect();
    assert_eq!(ended.len(), 2);
    assert_eq!(ended[0]["personal"]["reason"], "Lost phone");
    // The environment of the command says mallory; the machine knows better.
    let actor = (&ended[0]["actor"], &ended[0]["personal"]["actor"]);
    assert_eq!(actor, (&"operator".into(), &machine_name().into()));
    stage.check_proof(&[workflow]).await;
}

async fn a_cookie_that_was_tampered_with_is_nobody(stage: Stage) {
    let (link, ana) = signed_in(&stage).await;
    let good = ana.cookies.borrow()[SESSION].clone();
    let parts: Vec<&str> = good.split('.').collect();
    let later = parts[1].parse::<i64>().unwrap() + 60;
    for bad in [
        String::new(),
        parts[0].to_owned(),
        format!("{}.{later}.{}", parts[0], parts[2]),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{good}.{}", parts[2]),
        format!("x{good}"),
    ] {
        let thief = stage.visitor();
        thief.cookies.borrow_mut().insert(SESSION.to_owned(), bad.clone());
        assert!(!thief.open(&link).await.asks(), "{bad}");
    }
    assert!(ana.open(&link).await.asks());
}

/// Line 12: off loopback the cookies are for this host alone and travel over TLS alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn off_loopback_cookies_are_for_this_host_and_over_tls() {
    let mut choices = Choices::with_codes();
    choices
        .edits
        .push(("public_url = \"http://".to_owned(), "public_url = \"https://cs.example.com\" # ".to_owned()));
    let stage = Stage::with(Database::sqlite(), choices).await;
    stage.hire_told(|_| ()).await;
    let link = stage.link("ana@example.com");
    assert!(link.starts_with("https://cs.example.com/approve/"), "{link}");
    let ana = stage.visitor();
    let asked = ana.ask(&link).await;
    let entered = ana.enter(&link, &stage.code("ana@example.com")).await;
    for (answer, name) in [(asked, "__Host-countersign-browser"), (entered, "__Host-countersign-session")] {
        assert_eq!(answer.status, 303);
        let set = answer.header("set-cookie");
        assert!(set.starts_with(&format!("{name}=")), "{set}");
        for word in ["HttpOnly", "Secure", "SameSite=Lax", "Path=/", "Max-Age="] {
            assert!(set.split("; ").any(|part| part.starts_with(word)), "{word} in {set}");
        }
        assert!(!set.contains("Domain"), "{set}");
    }
    assert!(ana.open(&link).await.asks());
}
