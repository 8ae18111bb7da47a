//! The page: all that an approver needs, in plain words, and nothing that others wrote as if it were ours.
//!
//! Lines 22 and 23 of the approval checklist.

use chrono::TimeDelta;
use serde_json::json;

use crate::stage::Stage;

told_on_both! {
    the_page_says_who_what_why_when_and_how_to_undo_it
    what_others_wrote_is_shown_as_theirs_and_can_do_nothing
    what_is_unusual_is_said_so
}

async fn the_page_says_who_what_why_when_and_how_to_undo_it(stage: Stage) {
    stage
        .hire_told(|body| {
            body["effective"]["at"] = json!("2026-12-04");
            body["reason"] = json!("Replaces a colleague who leaves");
            body["ticket"] =
                json!({ "system": "servicenow", "id": "RITM0010001", "requested_by": "rita@example.com" });
        })
        .await;
    stage.clock.advance(TimeDelta::minutes(3));
    let page = stage.open(&stage.link("ana@example.com")).await.body;
    let group = |name: &str| stage.group_id(name).to_string();
    for words in [
        // Who asks, for whom, and why, each as a claim.
        "New vault user for Zoë O&#39;Brien",
        "rita@example.com",
        "Requester, as the ticket claims",
        "RITM0010001",
        "For whom, as the source says",
        "Why, as claimed by the requester",
        "Replaces a colleague who leaves",
        "Database Administrator",
        "E10442 in corp",
        // Each step, with the calls behind it.
        "Look in vault whether the user name zobrien is free",
        "Make the user zobrien in vault, of type EPVUser",
        "Note the number that vault gives zobrien",
        &format!("Add zobrien to the group “Ops-Readers” (number {})", group("Ops-Readers")),
        &format!("Add zobrien to the group “Linux Admins” (number {})", group("Linux Admins")),
        "Make vault ask zobrien for a new password",
        "compare everything with this plan",
        &format!("UserGroups/{}/Members", group("Ops-Readers")),
        // The licence seat, and what the vault looks like.
        "one licence seat of type EPVUser",
        "User name zobrien",
        "free",
        &format!("vault group with number {}", group("Linux Admins")),
        "Read at 2026-12-01 08:00 UTC, 3 minutes ago",
        // Which rule asked and why, who else decides.
        "The rule <strong><bdi>joiners</bdi></strong> asks: <bdi>it is the first rule that matches",
        "1 of 2 must say yes",
        "bo@example.com",
        "has not answered yet",
        "operations",
        // When it runs, the password, how to undo it.
        "Not before the start of 4 December 2026 in Europe/Berlin",
        "no mail and no page of this request ever shows it",
        "ask for a leaver for E10442",
        "Nobody decides what they asked for themselves",
    ] {
        assert!(page.contains(words), "{words} is missing in {page}");
    }
    // One form, with yes and no as its two buttons (line 1), and a comment of its own label.
    assert_eq!((page.matches("<form").count(), page.matches("<button").count()), (1, 2));
    assert!(page.contains("<label for=\"comment\"") && page.contains("id=\"comment\""));
    assert!(!page.contains("http-equiv=\"refresh\""), "a page with a form does not reload itself");
    assert_eq!(page.matches("<h1").count(), 1);
}

async fn what_others_wrote_is_shown_as_theirs_and_can_do_nothing(stage: Stage) {
    let workflow = stage
        .hire_told(|body| {
            body["reason"] = json!("<script>alert('x')</script> all good \u{202e}dab lla\u{200b}");
            body["subject"]["first_name"] = json!("Zo\u{202e}ë<img src=x onerror=alert(1)>");
            body["employment"]["title"] = json!("\"><form action=//evil.example><button>Approve");
            body["attributes"] = json!({ "note": "</dl><script src=//evil.example/x.js></script>" });
            body["ticket"] =
                json!({ "system": "jira", "id": "JML-1", "requested_by": "<i>Rita</i>\u{2066}" });
        })
        .await;
    let link = stage.link("ana@example.com");
    assert_eq!(
        stage.decide(&stage.link("bo@example.com"), "approve", "<b>fine</b> \u{202e}").await.status,
        303
    );
    for url in [link.clone(), format!("{link}/progress")] {
        let page = stage.open(&url).await.body;
        for harm in
            ["<script>", "<script src=/", "<img src=x", "<i>", "<form action=/", "<b>fine", "<button>Approve"]
        {
            assert!(!page.contains(harm), "{harm} stands in {page}");
        }
        for unseen in ['\u{202e}', '\u{200b}', '\u{2066}'] {
            assert!(!page.contains(unseen), "{unseen:?} stands in {page}");
        }
    }
    let page = stage.open(&link).await.body;
    for shown in [
        "&#60;script&#62;alert(&#39;x&#39;)&#60;/script&#62; all good ‹U+202E›dab lla‹U+200B›",
        "Zo‹U+202E›ë&#60;img src=x",
        "&#60;i&#62;Rita&#60;/i&#62;‹U+2066›",
        "&#60;b&#62;fine&#60;/b&#62; ‹U+202E›",
    ] {
        assert!(page.contains(shown), "{shown} is missing in {page}");
    }
    // In the stream of events, too.
    stage.settle().await;
    let live = stage.open(&format!("{link}/live")).await.body;
    assert!(live.contains("‹U+202E›") && !live.contains('\u{202e}'), "{live}");
    assert!(["succeeded", "needs_attention"].contains(&stage.state(&workflow).await.as_str()));
}

async fn what_is_unusual_is_said_so(stage: Stage) {
    stage
        .hire_told(|body| {
            body["effective"]["at"] = json!("2026-11-10");
            body["employment"]["type"] = json!("contractor");
            body["reason"] = json!("hidden \u{202e}");
        })
        .await;
    stage.clock.advance(TimeDelta::hours(3));
    let page = stage.open(&stage.link("ana@example.com")).await.body;
    let (_, twice) = page.split_once("Look at this twice").expect("there is something to look at twice");
    let (twice, _) = twice.split_once("</section>").unwrap();
    for words in ["cannot be seen", "a contractor", "The vault was read 3 hours ago"] {
        assert!(twice.contains(words), "{words} is missing in {twice}");
    }
    assert!(twice.matches("<li>").count() >= 4, "the late day is said, too: {twice}");
}
