//! Who holds a link is shown nothing until a code from the mailbox says who they are.
//!
//! Lines 3, 12, 16, 19, 29 and 30 of the approval checklist, as far as they are about signing in. Read in this order: this file, `codes`,
//! `sessions`, `the_console`, `what_is_kept`.

mod codes;
mod sessions;
mod the_console;
mod what_is_kept;

use crate::stage::{Stage, Visitor};

told_on_both! {
    with crate::stage::Choices::with_codes();
    a_link_opens_with_a_code_from_the_mailbox
    a_forwarded_link_shows_nothing_and_decides_nothing
    looking_at_every_page_of_the_sign_in_changes_nothing
    a_form_from_elsewhere_begins_no_sign_in
}

/// What only those who were asked may read.
const PRIVATE: [&str; 10] = [
    "Zoë",
    "O'Brien",
    "O&#39;Brien",
    "zobrien",
    "ana@example.com",
    "bo@example.com",
    "max@example.com",
    "Ops-Readers",
    "IT Ops",
    "RITM0010001",
];

pub(crate) fn assert_tells_nothing(body: &str, workflow: &str) {
    for private in PRIVATE.into_iter().chain([workflow]) {
        assert!(!body.contains(private), "{private} in {body}");
    }
}

async fn a_link_opens_with_a_code_from_the_mailbox(stage: Stage) {
    let workflow = stage.hire_told(|_| ()).await;
    let link = stage.link("ana@example.com");
    let ana = stage.visitor();
    let closed = ana.open(&link).await;
    assert_eq!((closed.status, closed.asks()), (200, false));
    assert!(closed.body.contains("Mail me a code"), "{}", closed.body);
    assert_tells_nothing(&closed.body, &workflow);
    assert!(closed.headers.get("set-cookie").is_none() && stage.codes("ana@example.com") == 0);
    for part in ["progress", "live"] {
        let part = ana.open(&format!("{link}/{part}")).await;
        assert_eq!(part.status, 403);
        assert_tells_nothing(&part.body, &workflow);
    }

    let asked = ana.ask(&link).await;
    assert_eq!((asked.status, asked.header("location")), (303, link.strip_prefix(&stage.origin()).unwrap()));
    assert_eq!(stage.codes("ana@example.com"), 1);
    let page = ana.open(&link).await.body;
    for said in [
        "inputmode=\"numeric\"",
        "autocomplete=\"one-time-code\"",
        "label for=\"code\"",
        "Mail me a new code",
    ] {
        assert!(page.contains(said), "{said} in {page}");
    }
    assert_tells_nothing(&page, &workflow);
    // People type codes as they read them.
    let code = stage.code("ana@example.com");
    let entered = ana.enter(&link, &format!(" {} {}", &code[..3], &code[3..])).await;
    assert_eq!(
        (entered.status, entered.header("location")),
        (303, link.strip_prefix(&stage.origin()).unwrap())
    );
    let open = ana.open(&link).await;
    assert!(open.asks() && open.body.contains("Zoë") && open.body.contains("Sign out"), "{}", open.body);
    assert_eq!(ana.decide(&link, "approve").await.status, 303);
    assert_eq!(stage.state(&workflow).await, "approved");
    stage.settle().await;
    assert_eq!(stage.state(&workflow).await, "succeeded");

    let trail = stage.trail(&workflow).await;
    let of_kind = |kind: &str| trail.iter().find(|event| event["kind"] == kind).unwrap();
    let (signed_in, decided) = (of_kind("sign_in.done"), of_kind("decision.recorded"));
    assert_eq!(
        (&signed_in["actor"], &signed_in["personal"]["actor"]),
        (&"person".into(), &"ana@example.com".into())
    );
    assert_eq!(
        (&decided["facts"]["sign_in"], &decided["facts"]["signed_in_at"]),
        (&"code".into(), &signed_in["at"])
    );
    stage.check_proof(&[workflow]).await;
}

async fn a_forwarded_link_shows_nothing_and_decides_nothing(stage: Stage) {
    let workflow = stage.hire_told(|_| ()).await;
    let (to_ana, to_bo) = (stage.link("ana@example.com"), stage.link("bo@example.com"));
    let ana = stage.visitor();
    ana.sign_in(&to_ana, "ana@example.com").await;
    let page = ana.open(&to_ana).await.body;
    let hidden = |name: &str| {
        page.split_once(&format!("name=\"{name}\" value=\"")).unwrap().1.split_once('"').unwrap().0.to_owned()
    };
    let (digest, token) = (hidden("digest"), hidden("form_token"));
    let fields = [
        ("decision", "approve"),
        ("comment", ""),
        ("digest", digest.as_str()),
        ("form_token", token.as_str()),
    ];
    let door = format!("{to_ana}/decision");

    // Somebody who has the link, and even the form, but is not signed in.
    let stranger = stage.visitor();
    let refused = stranger.post(&door, &fields).await;
    assert_eq!(refused.status, 403);
    assert!(refused.body.contains("nothing was recorded"), "{}", refused.body);
    assert_tells_nothing(&refused.body, &workflow);
    // Bo is asked as well, and has signed in as Bo.
    let bo = stage.visitor();
    bo.sign_in(&to_bo, "bo@example.com").await;
    for refused in [
        bo.open(&to_ana).await,
        bo.open(&format!("{to_ana}/progress")).await,
        bo.open(&format!("{to_ana}/live")).await,
        bo.post(&door, &fields).await,
    ] {
        assert_eq!(refused.status, 403);
        assert!(refused.body.contains("This link is for another person"), "{}", refused.body);
        assert_tells_nothing(&refused.body.replace("bo@example.com", "(Bo)"), &workflow);
    }
    // Bo's own code does not open Ana's link either.
    bo.ask(&to_bo).await;
    let refused = bo.enter(&to_ana, &stage.code("bo@example.com")).await;
    assert_eq!(refused.status, 422);
    crate::an_approver_decides::assert_undecided(&stage, &workflow).await;
    assert!(stage.writes().is_empty());
    assert_eq!(ana.post(&door, &fields).await.status, 303);
}

async fn look_everywhere(visitor: &Visitor<'_>, link: &str) {
    for url in [
        link.to_owned(),
        format!("{link}/code"),
        format!("{link}/sign-in"),
        format!("{link}/sign-in?code=123456"),
        format!("{link}/decision"),
        format!("{link}/progress"),
        format!("{}/sign-in?to=/workflows", visitor.stage.url),
        format!("{}/sign-in/code?address=olga@example.com", visitor.stage.url),
        format!("{}/sign-out", visitor.stage.url),
    ] {
        let seen = visitor.open(&url).await;
        assert!([200, 303, 403].contains(&seen.status), "{url}: {}", seen.status);
    }
}

/// Line 4: with a code pending, signed in, and as a stranger.
async fn looking_at_every_page_of_the_sign_in_changes_nothing(stage: Stage) {
    let workflow = stage.hire_told(|_| ()).await;
    let link = stage.link("ana@example.com");
    let ana = stage.visitor();
    let before = stage.tables().await;
    look_everywhere(&ana, &link).await;
    stage.settle().await;
    assert_eq!(stage.tables().await, before);
    ana.ask(&link).await;
    let before = stage.tables().await;
    look_everywhere(&ana, &link).await;
    stage.settle().await;
    assert_eq!(stage.tables().await, before);
    ana.enter(&link, &stage.code("ana@example.com")).await;
    stage.settle().await;
    let before = stage.tables().await;
    stage.clock.advance(chrono::TimeDelta::minutes(2));
    look_everywhere(&ana, &link).await;
    stage.settle().await;
    assert_eq!(stage.tables().await, before);
    assert!(ana.open(&link).await.asks(), "still signed in");
    crate::an_approver_decides::assert_undecided(&stage, &workflow).await;
}

/// Line 16.
async fn a_form_from_elsewhere_begins_no_sign_in(stage: Stage) {
    stage.hire_told(|_| ()).await;
    let link = stage.link("ana@example.com").replace(&stage.origin(), &stage.url);
    let before = stage.tables().await;
    for path in [
        format!("{link}/code"),
        format!("{link}/sign-in"),
        format!("{}/sign-in", stage.url),
        format!("{}/sign-in/code", stage.url),
        format!("{}/sign-out", stage.url),
    ] {
        for origin in [None, Some("https://evil.example")] {
            let fields = [("code", "123456"), ("address", "olga@example.com")];
            let refused = stage.send(&path, origin, &fields).await;
            assert_eq!(refused.status, 403, "{path}");
            assert!(refused.body.contains("did not come from our page"), "{}", refused.body);
        }
    }
    stage.settle().await;
    assert_eq!(stage.tables().await, before);
}
