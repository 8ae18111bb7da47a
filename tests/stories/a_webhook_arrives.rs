//! A signed webhook arrives: what it becomes, what is refused and how, and what goes to a person.
//!
//! Must hold: a refusal names places and rules, never values; what is not authentic leaves no trace; what the
//! settings do not allow, or the vault cannot take, ends with a reason for an operator and nothing written.

use chrono::TimeDelta;
use countersign::simulator::faults::{Effect, Fault};
use countersign::simulator::hr::{self, Joiner};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::stage::{Answer, READER, Stage, WEBHOOK_SECRET, WRITER};

told_on_both! {
    a_signed_joiner_becomes_a_pending_workflow_and_both_approvers_are_asked
    what_is_not_authentic_is_refused_without_a_reason_and_without_a_trace
    what_breaks_rules_is_told_by_place_and_never_by_value
    what_is_not_there_yet_and_what_may_not_be_set_is_refused
    what_the_settings_or_the_vault_forbid_goes_to_a_person
    long_names_are_cut_at_a_character_and_shown_as_cut
    programs_send_requests_with_a_token_of_their_own
    the_api_pages_through_workflows_and_their_trail
    while_the_vault_is_down_requests_are_taken_and_people_are_told_once
}

impl Stage {
    /// A joiner like the usual one, but somebody else.
    fn newcomer(&self, number: u32) -> Joiner {
        let mut joiner = self.joiner();
        joiner.source_ref = format!("RITM0020000:{number}");
        joiner.person_ref = format!("E2{number:04}");
        joiner.username = format!("newcomer{number}");
        joiner
    }

    async fn post_json(&self, id: &str, body: &Value) -> Answer {
        self.post(id, body.to_string().as_bytes()).await
    }

    async fn post_with_token(&self, token: Option<&str>, body: &Value) -> Answer {
        let post = self.browser.post(format!("{}/api/v1/requests", self.url)).json(body);
        let post = match token {
            Some(token) => post.bearer_auth(token),
            None => post,
        };
        Answer::of(post.send().await.unwrap()).await
    }
}

/// What a refusal says: status, code, and (pointer, code) of each place.
fn told(answer: &Answer) -> (u16, String, Vec<(String, String)>) {
    let body = answer.json();
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let errors = body["errors"].as_array().cloned().unwrap_or_default();
    let places = errors.iter().map(|error| (word(&error["pointer"]), word(&error["code"]))).collect();
    (answer.status, word(&body["code"]), places)
}

fn place(pointer: &str, code: &str) -> (String, String) {
    (pointer.to_owned(), code.to_owned())
}

async fn a_signed_joiner_becomes_a_pending_workflow_and_both_approvers_are_asked(stage: Stage) {
    let answer = stage.post("msg_1", &stage.joiner().bytes()).await;
    let id = answer.workflow();
    let status_url = format!("{}/api/v1/workflows/{id}", stage.url);
    let expected =
        json!({ "workflow_id": id, "state": "planning", "duplicate": false, "status_url": status_url });
    assert_eq!((answer.status, answer.json()), (202, expected));
    stage.settle().await;
    let shown = stage.api(&format!("/{id}")).await;
    assert_eq!(shown["state"], "pending_approval");
    assert_eq!(shown["plan"]["profile"], "operations");
    assert_eq!(shown["plan"]["rule"], "joiners");
    let steps: Vec<&str> =
        shown["steps"].as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap()).collect();
    let groups = ["add_to_group", "add_to_group"];
    let (before, after) =
        (["find_user", "create_user", "capture_user_id"], ["require_password_change", "verify_user"]);
    assert_eq!(steps, [&before[..], &groups[..], &after[..]].concat());
    let links: Vec<_> = ["ana@example.com", "bo@example.com"].map(|who| stage.link(who)).to_vec();
    assert_ne!(links[0], links[1]);
    for link in links {
        assert!(link.starts_with(&format!("{}/approve/", stage.url)), "{link}");
        assert!(stage.form(&link).await.is_some());
    }
    assert_eq!(stage.simulator.mailbox.mails().len(), 2);
    assert!(stage.writes().is_empty());
}

async fn what_is_not_authentic_is_refused_without_a_reason_and_without_a_trace(stage: Stage) {
    let now = stage.clock.read().timestamp();
    let right = SecretString::from(WEBHOOK_SECRET);
    let wrong = SecretString::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=");
    let body = stage.joiner().bytes();
    let mut answers = Vec::new();
    for (source, secret, at) in [
        ("hr", &wrong, now),
        ("hr", &right, now - 301),
        ("hr", &right, now + 302),
        ("nobody", &right, now),
        ("script", &right, now),
    ] {
        let url = format!("{}/webhooks/{source}", stage.url);
        answers.push(hr::post(&url, secret, "msg_1", at, body.clone()).await.unwrap());
    }
    let bare = stage.browser.post(format!("{}/webhooks/hr", stage.url)).body(body.clone());
    let bare = Answer::of(bare.header("content-type", "application/json").send().await.unwrap()).await;
    answers.push(hr::Answer { status: bare.status, body: bare.body });
    for answer in &answers {
        assert_eq!((answer.status, &answer.body), (401, &answers[0].body));
    }
    for reason in ["signature", "timestamp", "stale", "source", "secret", "window"] {
        assert!(!answers[0].body.to_lowercase().contains(reason), "{}", answers[0].body);
    }
    for table in ["deliveries", "workflows", "audit_events", "owed_messages"] {
        assert_eq!(stage.count(&format!("select count(*) from {table}")).await, 0, "{table}");
    }
    // The same message, signed in time, is welcome.
    assert_eq!(stage.post("msg_1", &body).await.status, 202);
}

async fn what_breaks_rules_is_told_by_place_and_never_by_value(stage: Stage) {
    let huge = format!("{{\"reason\":\"{}\"}}", "x".repeat(256 * 1024));
    assert_eq!(stage.post("msg_huge", huge.as_bytes()).await.status, 413);
    assert_eq!(stage.count("select count(*) from deliveries").await, 0);
    for (number, unreadable) in [
        &b"{\"schema\":\"jml/1\""[..],
        b"{\"kind\":\"joiner\",\"kind\":\"joiner\"}",
        b"{} {}",
        b"\xff\xfe",
        b"{\"a\":\"\\u0000\"}",
    ]
    .into_iter()
    .enumerate()
    {
        let answer = stage.post(&format!("msg_unreadable_{number}"), unreadable).await;
        assert_eq!((answer.status, told(&answer).1.as_str()), (400, "unreadable"), "{}", answer.body);
    }
    let mut body = stage.joiner().body();
    body["subject"]["frist_name"] = json!("Wilhelmina-who-must-not-be-told");
    body["effective"]["at"] = json!("the-day-after-tomorrow");
    let answer = stage.post_json("msg_fields", &body).await;
    assert_eq!((answer.status, told(&answer).1.as_str()), (422, "invalid"));
    let places = told(&answer).2;
    assert!(places.contains(&place("/subject/frist_name", "unknown_field")), "{places:?}");
    assert!(places.iter().any(|(pointer, _)| pointer == "/effective/at"), "{places:?}");
    assert!(!answer.body.contains("Wilhelmina") && !answer.body.contains("tomorrow"), "{}", answer.body);
    // What was refused is kept, once, and without a key, so that the mended message may use the same id.
    let refused = "select count(*) from deliveries where state = 'refused' and delivery_key is null";
    assert_eq!(stage.count(refused).await, 6);
    assert_eq!(stage.post_json("msg_again", &body).await.status, 422);
    assert_eq!(stage.count(refused).await, 6);
    assert_eq!(stage.post("msg_fields", &stage.joiner().bytes()).await.status, 202);
    stage.settle().await;
    assert!(stage.simulator.mailbox.mails_to("pam-team@example.com").is_empty());
}

async fn what_is_not_there_yet_and_what_may_not_be_set_is_refused(stage: Stage) {
    let base = |kind: &str| {
        json!({
            "schema": "jml/1", "kind": kind, "source_ref": format!("not-yet:{kind}"), "person_ref": "E1",
            "subject": { "username": "zobrien" }, "employment": { "department": "IT Ops" },
        })
    };
    for kind in ["reset_password", "unsuspend"] {
        let mut body = base(kind);
        if kind == "reset_password" {
            body["reset_password"] = json!({ "delivery": "vault" });
        }
        let answer = stage.post_json(&format!("msg_{kind}"), &body).await;
        let (status, _, places) = told(&answer);
        assert_eq!(status, 422, "{kind}: {}", answer.body);
        assert!(places.contains(&place("/kind", "not_available_yet")), "{kind}: {}", answer.body);
    }
    let mut leaver = base("leaver");
    leaver["source_ref"] = json!("not-yet:sessions");
    leaver["effective"] = json!({ "at": "2026-12-02" });
    leaver["leaver"] = json!({ "revoke_sessions": true });
    let places = told(&stage.post_json("msg_sessions", &leaver).await).2;
    assert!(places.contains(&place("/leaver/revoke_sessions", "not_available_yet")), "{places:?}");
    let mut amend = stage.joiner().body();
    (amend["op"], amend["amends"]) = (json!("amend"), json!("another"));
    let places = told(&stage.post_json("msg_amend", &amend).await).2;
    assert!(places.contains(&place("/amends", "unknown_reference")), "{places:?}");

    let mut body = stage.joiner().body();
    body["employment"]["manager"] = json!({ "name": "Ana Who-must-not-be-told" });
    body["account"] = json!({ "roles": ["AuditUsers"], "location": "\\Users\\Ops" });
    let answer = stage.post_json("msg_may_not", &body).await;
    let (status, _, mut places) = told(&answer);
    places.retain(|(_, code)| code == "may_not_set");
    let expected = ["/account/roles", "/employment/manager/name"].map(|at| place(at, "may_not_set"));
    places.sort();
    assert_eq!((status, places), (422, expected.to_vec()), "{}", answer.body);
    assert!(!answer.body.contains("must-not-be-told") && !answer.body.contains("AuditUsers"));
    assert_eq!(stage.count("select count(*) from workflows").await, 0);
}

async fn what_the_settings_or_the_vault_forbid_goes_to_a_person(stage: Stage) {
    let vault = &stage.simulator.vault;
    vault.add_group("Vault-Wide-Auditors").unwrap();
    // Grantable by name, but meanwhile kept in the directory; and grantable, but no longer there.
    let begun_with = vault.state();
    let id = |name: &str| {
        let groups = begun_with["groups"].as_array().unwrap();
        groups.iter().find(|group| group["groupName"] == name).unwrap()["id"].as_i64().unwrap()
    };
    let cases = [
        (Some("svc-backup"), Value::Null, "protected by the settings"),
        (Some("BreakGlass7"), Value::Null, "protected by the settings"),
        (Some("mkeller"), Value::Null, "the user name is taken"),
        (Some("MKeller"), Value::Null, "the user name is taken"),
        (None, json!({ "location": "\\Elsewhere" }), "location_root"),
        (None, json!({ "location": "\\UsersToo" }), "location_root"),
        (None, json!({ "user_type": "BizUser" }), "allowed_user_types"),
        (None, json!({ "groups": ["Vault-Wide-Auditors"] }), "grantable_groups"),
        (None, json!({ "groups": ["Never-Made"] }), "the vault has no group"),
    ];
    let mut built_in = stage.joiner();
    "administrator".clone_into(&mut built_in.username);
    let places = told(&stage.post("msg_built_in", &built_in.bytes()).await).2;
    assert_eq!(places, [place("/subject/username", "built_in_user")]);
    let mut waiting = Vec::new();
    for (number, (name, account, reason)) in cases.into_iter().enumerate() {
        let mut joiner = stage.newcomer(u32::try_from(number).unwrap());
        joiner.username = name.map_or(joiner.username, str::to_owned);
        joiner.account = Some(account).filter(|account| !account.is_null());
        waiting.push((stage.hire_as(&joiner).await, reason));
    }
    stage.settle().await;
    vault.remove_group(id("Linux Admins")).unwrap();
    vault.add_group_as(&json!({ "groupName": "Linux Admins", "groupType": "Directory" })).unwrap();
    waiting.push((stage.hire_as(&stage.newcomer(99)).await, "kept in a directory"));
    stage.settle().await;
    for (workflow, reason) in &waiting {
        let shown = stage.api(&format!("/{workflow}")).await;
        assert_eq!(shown["state"], "needs_attention", "{reason}");
        assert!(shown["reason"].as_str().unwrap().contains(reason), "{reason}: {}", shown["reason"]);
        assert!(shown["plan"].is_null());
        let mails = stage.simulator.mailbox.mails_to("pam-team@example.com");
        let told: Vec<_> =
            mails.iter().filter(|mail| mail.text.as_ref().unwrap().contains(workflow)).collect();
        assert_eq!(told.len(), 1, "{reason}");
        let text = told[0].text.as_ref().unwrap();
        for group in ["Vault-Wide-Auditors", "Never-Made", "Linux Admins", "Ops-Readers"] {
            assert!(!text.contains(group), "{reason}: {text}");
        }
        let names_a_group =
            ["grantable_groups", "no group", "directory"].iter().any(|it| reason.contains(it));
        assert!(names_a_group || text.contains(reason), "{reason}: {text}");
    }
    // One alarm tells of the vault's own user, who was refused at the door.
    assert_eq!(stage.simulator.mailbox.mails().len(), waiting.len() + 1, "nobody else is written to");
    assert!(stage.writes().is_empty());
}

async fn long_names_are_cut_at_a_character_and_shown_as_cut(stage: Stage) {
    let mut joiner = stage.joiner();
    // Each character takes two bytes or four, so a cut that counts bytes would show.
    joiner.first_name = "\u{e9}".repeat(30);
    joiner.last_name = "\u{1f600}".repeat(31);
    let workflow = stage.hire_as(&joiner).await;
    stage.settle().await;
    let page = stage.get(&stage.link("ana@example.com")).await.body;
    for (whole, kept) in
        [("\u{e9}", 30), ("\u{1f600}", 31)].map(|(one, many)| (one.repeat(many), one.repeat(29)))
    {
        assert!(page.contains(&format!("Requested: \u{201c}{whole}\u{201d}")), "{page}");
        assert!(page.contains(&format!("Kept: \u{201c}{kept}\u{201d}")), "{page}");
    }
    assert_eq!(stage.decide(&stage.link("ana@example.com"), "approve", "").await.status, 303);
    stage.settle().await;
    assert_eq!(stage.state(&workflow).await, "succeeded");
    let details = stage.simulator.vault.user("zobrien").unwrap()["personalDetails"].clone();
    assert_eq!(details["firstName"], "\u{e9}".repeat(29));
    assert_eq!(details["lastName"], "\u{1f600}".repeat(29));
}

async fn programs_send_requests_with_a_token_of_their_own(stage: Stage) {
    let body = stage.joiner().body();
    assert_eq!(stage.post_with_token(None, &body).await.status, 401);
    assert_eq!(stage.post_with_token(Some("nobody's"), &body).await.status, 401);
    let refused = stage.post_with_token(Some(READER), &body).await;
    assert_eq!((refused.status, told(&refused).1.as_str()), (403, "insufficient_scope"));
    let list = stage.browser.get(format!("{}/api/v1/workflows", stage.url)).bearer_auth(WRITER);
    assert_eq!(list.send().await.unwrap().status(), 403);
    assert_eq!(stage.count("select count(*) from deliveries").await, 0);
    let first = stage.post_with_token(Some(WRITER), &body).await;
    let again = stage.post_with_token(Some(WRITER), &body).await;
    assert_eq!((first.status, again.status), (202, 200));
    assert_eq!(first.workflow(), again.workflow());
    assert_eq!(again.json()["duplicate"], true);
    // This source may set less than the other one.
    let mut more = stage.newcomer(1).body();
    more["account"] = json!({ "user_type": "EPVUser" });
    let places = told(&stage.post_with_token(Some(WRITER), &more).await).2;
    assert_eq!(places, [place("/account/user_type", "may_not_set")]);
    stage.settle().await;
    let shown = stage.api(&format!("/{}", first.workflow())).await;
    assert_eq!((&shown["source"], &shown["state"]), (&json!("script"), &json!("pending_approval")));
}

async fn the_api_pages_through_workflows_and_their_trail(stage: Stage) {
    let mut made = Vec::new();
    for number in 0..5 {
        made.push(stage.hire_as(&stage.newcomer(number)).await);
    }
    made.reverse();
    let (mut seen, mut path) = (Vec::new(), "?limit=2".to_owned());
    loop {
        let page = stage.api(&path).await;
        let shown = page["workflows"].as_array().unwrap();
        assert!((1..=2).contains(&shown.len()));
        seen.extend(shown.iter().map(|one| one["id"].as_str().unwrap().to_owned()));
        // What comes in meanwhile moves nothing.
        if seen.len() == 2 {
            stage.hire_as(&stage.newcomer(50)).await;
        }
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("?limit=2&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen, made);
    stage.settle().await;
    let (mut kinds, mut path) = (Vec::new(), format!("/{}/audit?limit=1", made[0]));
    loop {
        let page = stage.api(&path).await;
        let shown = page["events"].as_array().unwrap();
        assert_eq!(shown.len(), 1);
        kinds.push(shown[0]["kind"].as_str().unwrap().to_owned());
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/{}/audit?limit=1&cursor={cursor}", made[0]),
            None => break,
        }
    }
    assert_eq!(kinds[..3], ["delivery.accepted", "workflow.received", "workflow.planned"]);
    for bad in ["?cursor=made-up", "?limit=0", "?limit=101", "?page=2"] {
        let url = format!("{}/api/v1/workflows{bad}", stage.url);
        assert_eq!(stage.browser.get(url).bearer_auth(READER).send().await.unwrap().status(), 400, "{bad}");
    }
}

async fn while_the_vault_is_down_requests_are_taken_and_people_are_told_once(stage: Stage) {
    let vault = &stage.simulator.vault;
    for method in ["GET", "POST"] {
        vault.add_fault(Fault::on(method, "/", u64::MAX, Effect::Html503));
    }
    let workflow = stage.hire().await;
    stage.settle().await;
    stage.later(TimeDelta::minutes(14)).await;
    assert_eq!(stage.state(&workflow).await, "planning");
    assert!(stage.simulator.mailbox.mails().is_empty());
    stage.later(TimeDelta::seconds(62)).await;
    for minutes in [15, 60, 600] {
        stage.later(TimeDelta::minutes(minutes)).await;
    }
    let mailbox = &stage.simulator.mailbox;
    for who in ["ana@example.com", "bo@example.com", "pam-team@example.com"] {
        let mails = mailbox.mails_to(who);
        assert_eq!(mails.len(), 1, "{who}: {:?}", mails.iter().map(|mail| &mail.subject).collect::<Vec<_>>());
        let waited = mails[0].at - countersign_began();
        assert!(waited < TimeDelta::minutes(16), "{who} was told after {waited}");
        assert!(!mails[0].links().iter().any(|link| link.contains("/approve/")));
    }
    for who in ["ana@example.com", "bo@example.com"] {
        let mail = mailbox.mails_to(who).remove(0);
        assert!(mail.subject.to_lowercase().contains("waiting for the vault"), "{}", mail.subject);
    }
    assert_eq!(stage.state(&workflow).await, "planning");
    vault.clear_faults();
    stage.later(TimeDelta::minutes(16)).await;
    assert_eq!(stage.state(&workflow).await, "pending_approval");
    for who in ["ana@example.com", "bo@example.com"] {
        assert_eq!(mailbox.mails_to(who).len(), 2);
        assert!(stage.form(&stage.link(who)).await.is_some());
    }
    assert_eq!(mailbox.mails_to("pam-team@example.com").len(), 1);
}

/// When each story begins.
fn countersign_began() -> chrono::DateTime<chrono::Utc> {
    crate::stage::HandClock::begin().read()
}
