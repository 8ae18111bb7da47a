//! An operator looks: the list of all workflows, and the page of one.
//!
//! Must hold: looking changes nothing (that every address is looked at is told in `an_approver_decides::looking`); what
//! came in is found again by whatever people know of it; what has stopped says what can be done.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use countersign::simulator::faults::{Effect, Fault};
use serde_json::json;

use crate::stage::{Choices, Database, Stage};

told_on_both! {
    an_empty_list_says_how_a_workflow_begins
    what_came_in_is_found_by_whatever_people_know_of_it
    a_long_list_is_read_page_by_page_in_both_directions
    an_address_that_is_not_understood_is_told_so
    one_workflow_tells_its_whole_story
    a_workflow_without_a_plan_is_shown_by_its_request
    what_has_stopped_says_what_can_be_done
    mails_that_cannot_be_sent_are_seen
    a_page_follows_the_run_without_reloading
    foreign_text_can_do_nothing
    other_names_other_machines_and_proxies_are_shut_out
}

impl Stage {
    /// The body of a page of the console.
    async fn console(&self, rest: &str) -> String {
        let page = self.open(&format!("{}/workflows{rest}", self.url)).await;
        assert_eq!(page.status, 200, "{}", page.body);
        page.body
    }

    /// The workflows of a list, from top to bottom.
    pub async fn listed(&self, query: &str) -> Vec<String> {
        ids(&self.console(query).await)
    }

    /// Takes a joiner in, and lets no worker work.
    async fn takes_in(&self, number: usize) -> String {
        let mut joiner = self.joiner();
        joiner.source_ref = format!("RITM{number:07}");
        joiner.person_ref = format!("E{number}");
        joiner.username = format!("zobrien{number}x");
        self.hire_as(&joiner).await
    }
}

fn ids(page: &str) -> Vec<String> {
    let rows = page.split("class=\"who\"><a href=\"").skip(1);
    rows.map(|row| row.split('"').next().unwrap().rsplit('/').next().unwrap().to_owned()).collect()
}

/// The address behind a link with these words, as a browser would ask for it.
fn link_to(page: &str, words: &str) -> Option<String> {
    let (before, _) = page.split_once(&format!(">{words}</a>"))?;
    let (_, href) = before.rsplit_once("href=\"")?;
    let path = href.split('"').next()?.replace("&#38;", "&").replace("&amp;", "&");
    path.strip_prefix("/workflows").map(str::to_owned)
}

async fn an_empty_list_says_how_a_workflow_begins(stage: Stage) {
    let page = stage.console("").await;
    for words in ["No request has come in yet", "POST /webhooks/hr", "countersign demo", "<strong>0</strong>"]
    {
        assert!(page.contains(words), "{words} is missing in {page}");
    }
    let narrowed = stage.console("?q=nobody&state=running").await;
    assert!(narrowed.contains("Nothing matches") && !narrowed.contains("No request has come in yet"));
    assert_eq!(link_to(&narrowed, "Show all workflows").as_deref(), Some(""));
    assert!(
        narrowed.contains("value=\"nobody\"") && narrowed.contains("<option value=\"running\" selected>")
    );
}

async fn what_came_in_is_found_by_whatever_people_know_of_it(stage: Stage) {
    let zoe = stage
        .hire_told(|body| {
            body["ticket"] =
                json!({ "system": "servicenow", "id": "RITM0777", "requested_by": "rita@example.com" });
        })
        .await;
    let other = stage
        .hire_told(|body| {
            body["source_ref"] = json!("CHG-99");
            body["person_ref"] = json!("E20001");
            body["subject"] = json!({ "username": "akim", "first_name": "Ångela", "last_name": "Kim",
                "email": "Angela.Kim@example.com" });
            body["employment"]["department"] = json!("Nowhere");
        })
        .await;
    let both = vec![other.clone(), zoe.clone()];
    assert_eq!(stage.listed("").await, both, "newest first");
    for (query, wanted) in [
        ("?q=Zo%C3%AB", vec![&zoe]),
        ("?q=ZOE", vec![&zoe]),
        ("?q=o%27bri", vec![&zoe]),
        ("?q=angela+kim", vec![&other]),
        ("?q=kim+angela.kim%40example.com", vec![&other]),
        ("?q=akim", vec![&other]),
        ("?q=chg-9", vec![&other]),
        ("?q=ritm0777", vec![&zoe]),
        ("?q=rita%40", vec![&zoe]),
        ("?q=e20", vec![&other]),
        ("?q=zoe+kim", vec![]),
        ("?q=brien", vec![]),
        ("?person=E20001", vec![&other]),
        ("?person=E2000", vec![]),
        ("?state=needs_attention", vec![&other]),
        ("?state=pending_approval&kind=joiner", vec![&zoe]),
        ("?state=pending_approval&kind=leaver", vec![]),
        ("?kind=joiner&person=E10442&q=zoe", vec![&zoe]),
    ] {
        assert_eq!(stage.listed(query).await, wanted.into_iter().cloned().collect::<Vec<_>>(), "{query}");
    }
    assert_eq!(stage.listed(&format!("?q={zoe}")).await, std::slice::from_ref(&zoe));
    // A sign that means something to a database means nothing here.
    assert_eq!(stage.listed("?q=%25%25").await, Vec::<String>::new());
    assert_eq!(stage.listed("?q=__").await, Vec::<String>::new());
    let page = stage.console("").await;
    for words in [
        "Zoë O&#39;Brien",
        "zobrien in vault",
        "waiting for approval",
        "waiting for an operator",
        "no profile for the target",
        "<strong>1</strong> waiting for an operator",
        "CHG-99",
    ] {
        assert!(page.contains(words), "{words} is missing in {page}");
    }
}

async fn a_long_list_is_read_page_by_page_in_both_directions(stage: Stage) {
    let mut all = vec![];
    for number in 0..60 {
        stage.clock.advance(TimeDelta::milliseconds(5));
        all.insert(0, stage.takes_in(number).await);
    }
    let first = stage.console("?kind=joiner").await;
    assert_eq!(ids(&first), all[..25]);
    assert_eq!(link_to(&first, "Newer"), None);
    let second = stage.console(&link_to(&first, "Older").unwrap()).await;
    assert_eq!(ids(&second), all[25..50]);
    // What comes in meanwhile moves nothing.
    stage.clock.advance(TimeDelta::milliseconds(5));
    let late = stage.takes_in(60).await;
    let third = stage.console(&link_to(&second, "Older").unwrap()).await;
    assert_eq!((ids(&third), link_to(&third, "Older")), (all[50..].to_vec(), None));
    let back = stage.console(&link_to(&third, "Newer").unwrap()).await;
    assert_eq!(ids(&back), all[25..50]);
    let top = stage.console(&link_to(&back, "Newer").unwrap()).await;
    assert_eq!(ids(&top), all[..25], "the page before this one, and not the newest");
    let newest = stage.console(&link_to(&top, "Newer").unwrap()).await;
    assert_eq!((ids(&newest)[0].clone(), link_to(&newest, "Newer")), (late, None));
    assert_eq!(ids(&newest).len(), 25, "the first page is always whole");
    let last = all.last().unwrap();
    let nothing = stage.console(&format!("?older={last}")).await;
    assert!(nothing.contains("There is nothing older") && ids(&nothing).is_empty());
}

async fn an_address_that_is_not_understood_is_told_so(stage: Stage) {
    for query in ["state=almost", "kind=vanisher", "older=1", "limit=5", "q=a", "q=ab&q=cd", "person=%3Cb%3E"]
    {
        let page = stage.open(&format!("{}/workflows?{query}", stage.url)).await;
        assert_eq!(page.status, 400, "{query}");
        assert!(page.body.contains("This list cannot be shown"), "{}", page.body);
        assert!(!page.body.contains("vanisher") && !page.body.contains("&lt;b"), "{}", page.body);
    }
    for unknown in ["nothing", "0190f1e0-0000-7000-8000-000000000001"] {
        for rest in ["", "/progress", "/live"] {
            let page = stage.open(&format!("{}/workflows/{unknown}{rest}", stage.url)).await;
            assert_eq!(page.status, 404, "{unknown}{rest}");
        }
    }
}

async fn one_workflow_tells_its_whole_story(stage: Stage) {
    let workflow = stage.hire_told(|_| ()).await;
    let asked = stage.console(&format!("/{workflow}")).await;
    for words in [
        "Waiting for approval",
        "Nobody has answered.",
        "Please decide",
        "sent at 2026-12-01",
        "has not answered yet",
        "http-equiv=\"refresh\"",
    ] {
        assert!(asked.contains(words), "{words} is missing in {asked}");
    }
    assert!(!asked.contains("<form") && !asked.contains("<button"), "it can only be looked at");
    assert_eq!(stage.decide(&stage.link("ana@example.com"), "approve", "Welcome <b>").await.status, 303);
    stage.settle().await;
    let done = stage.console(&format!("/{workflow}")).await;
    for words in [
        "<bdi>Zoë O&#39;Brien</bdi>",
        "Done and verified",
        // The steps of the run, and the audit trail, in words.
        "Read back and compare",
        "A message of source hr was taken in.",
        "ana@example.com said yes",
        "Step 2, make the user",
        "Done: a fresh read showed what was approved.",
        // The plan in words, with its calls.
        "Make the user zobrien in vault, of type EPVUser",
        "UserGroups/",
        "ask for a leaver for E10442",
        // Answers and messages.
        "to plan 1, in stage 1",
        "“<bdi>Welcome &#60;b&#62;</bdi>”",
        "It is done",
        // At a glance.
        "RITM0010001:3",
        "href=\"/workflows?person=E10442\"",
        &workflow,
    ] {
        assert!(done.contains(words), "{words} is missing in {done}");
    }
    assert!(!done.contains("http-equiv=\"refresh\""), "nothing more will come");
    assert!(!done.contains("What can be done") && !done.contains("/approve/"), "{done}");
    assert_eq!((done.matches("<h1").count(), done.matches("<main").count()), (1, 1));
}

async fn a_workflow_without_a_plan_is_shown_by_its_request(stage: Stage) {
    let workflow = stage.hire().await;
    let page = stage.console(&format!("/{workflow}")).await;
    for words in
        ["There is no plan yet", "Database Administrator", "E10442 in corp", "Nothing was owed to anybody"]
    {
        assert!(page.contains(words), "{words} is missing in {page}");
    }
    assert!(page.contains("data-state=\"planning\""), "{page}");
}

async fn what_has_stopped_says_what_can_be_done(stage: Stage) {
    let workflow = stage.approved().await;
    // The answer to the create is lost, and the mark with it.
    stage.simulator.vault.add_fault(Fault::on("POST", "/Users", 1, Effect::DropAfter));
    stage.settle().await;
    let made = stage.simulator.vault.id_of("zobrien").unwrap();
    stage.simulator.vault.patch_user(made, &json!({ "description": "" })).unwrap();
    assert_eq!(stage.rest(&workflow).await, "needs_attention");
    stage.settle().await;
    let page = stage.console(&format!("/{workflow}")).await;
    let id = stage.simulator.vault.id_of("zobrien").unwrap();
    for words in [
        "An operator must look".to_owned(),
        "What can be done".to_owned(),
        format!("countersign workflow retry {workflow} --reason"),
        format!("countersign workflow adopt {workflow} --user-id {id} --reason"),
        format!("countersign workflow give-up {workflow} --reason"),
        format!("The account with number {id}"),
        "to <bdi>the operators</bdi>".to_owned(),
    ] {
        assert!(page.contains(&words), "{words} is missing in {page}");
    }
    let reason = stage.reason(&workflow).await;
    let start: String = reason.chars().take(30).collect();
    assert!(page.contains(&start.replace('\'', "&#39;")), "{reason} is missing in {page}");
    assert!(stage.console("?state=needs_attention").await.contains(&workflow));
}

async fn mails_that_cannot_be_sent_are_seen(stage: Stage) {
    stage.simulator.mailbox.refuse(451, 2);
    let workflow = stage.hire_told(|_| ()).await;
    let page = stage.console(&format!("/{workflow}")).await;
    assert_eq!(page.matches("owed after one try, the next one ").count(), 2, "{page}");
    stage.simulator.mailbox.refuse(550, 2);
    stage.later(TimeDelta::hours(1)).await;
    let page = stage.console(&format!("/{workflow}")).await;
    assert_eq!(page.matches("not sent, and not tried again by itself").count(), 2, "{page}");
    assert!(page.contains("<strong>Alarm</strong> to <bdi>the operators</bdi>"), "{page}");
}

async fn a_page_follows_the_run_without_reloading(stage: Stage) {
    let workflow = stage.approved().await;
    let here = format!("{}/workflows/{workflow}", stage.url);
    let page = stage.open(&here).await.body;
    assert!(page.contains(&format!("data-live=\"/workflows/{workflow}/live\"")), "{page}");
    let live = stage.browser.get(format!("{here}/live")).send().await.unwrap();
    let (stream, ()) = tokio::join!(live.text(), stage.settle());
    let stream = stream.unwrap();
    for told in ["The run began.", "a fresh read showed", "event: end"] {
        assert!(stream.contains(told), "{told} is missing in {stream}");
    }
    let fragment = stage.open(&format!("{here}/progress")).await.body;
    assert!(fragment.contains("data-state=\"succeeded\"") && !fragment.contains("<html"), "{fragment}");
}

async fn foreign_text_can_do_nothing(stage: Stage) {
    let workflow = stage
        .hire_told(|body| {
            body["subject"]["first_name"] = json!("<script>alert(1)</script>\u{202e}eoZ");
            body["reason"] = json!("</p><script>alert(2)</script>");
        })
        .await;
    for page in [stage.console("").await, stage.console(&format!("/{workflow}")).await] {
        assert!(!page.contains("<script>alert") && !page.contains('\u{202e}'), "{page}");
        assert!(page.contains("‹U+202E›"), "{page}");
    }
    // What is typed comes back as text, too.
    let page = stage.console("?q=%22%3E%3Cscript%3Ealert(3)").await;
    assert!(!page.contains("<script>alert"), "{page}");
}

async fn other_names_other_machines_and_proxies_are_shut_out(stage: Stage) {
    let workflow = stage.hire_told(|_| ()).await;
    let port = stage.url.rsplit(':').next().unwrap().to_owned();
    for rest in [
        "",
        "?q=zoe",
        "?state=almost",
        &format!("/{workflow}"),
        &format!("/{workflow}/progress"),
        &format!("/{workflow}/live"),
    ] {
        let url = format!("{}/workflows{rest}", stage.url);
        for (name, value) in [
            ("Host", format!("evil.example:{port}")),
            ("Host", "127.0.0.1".to_owned()),
            ("X-Forwarded-For", "10.0.0.9".to_owned()),
            ("Forwarded", "for=10.0.0.9".to_owned()),
            ("Via", "1.1 proxy".to_owned()),
        ] {
            let page = stage.whole(stage.browser.get(&url).header(name, &value)).await;
            assert_eq!(page.status, 403, "{url} {name}: {value}");
            assert!(page.body.contains("The console is closed here"), "{}", page.body);
            assert!(!page.body.contains("E10442") && !page.body.contains("Zoë"), "{}", page.body);
        }
    }
    // Where others can reach the service, there is no console without a sign-in.
    let choices = Choices::edited(&[("listen = \"127.0.0.1", "listen = \"0.0.0.0")]);
    let database: Database = stage.database.another();
    let open = Stage::with(database, choices).await;
    let statuses: BTreeSet<u16> = [
        open.open(&format!("{}/workflows", open.url)).await.status,
        open.open(&format!("{}/workflows/{workflow}", open.url)).await.status,
    ]
    .into();
    assert_eq!(statuses, BTreeSet::from([403]));
}
