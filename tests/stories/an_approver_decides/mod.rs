//! An approver gets one mail, reads one page, and decides.
//!
//! Must hold: an answer counts once, from the person who was asked, from our own page, about the plan that was read.
//! Read in this order: `the_mail`, `the_page`, `looking`, this file, `who_may_not`, `behind_a_proxy`, `nothing_leaks`.

mod behind_a_proxy;
pub(crate) mod looking;
mod nothing_leaks;
mod the_mail;
mod the_page;
mod who_may_not;

use std::collections::BTreeSet;

use chrono::TimeDelta;
use serde_json::json;

use crate::stage::{Choices, Database, ONE_OF_THE_GROUP, Stage, Whole};

told_on_both! {
    a_yes_leads_back_to_the_page_which_follows_the_run_to_its_end
    a_no_without_words_is_refused_and_keeps_what_was_typed
    a_no_with_words_ends_it_and_the_other_approver_is_told
    an_answer_in_the_address_decides_nothing
    a_form_from_elsewhere_is_refused
    a_form_token_that_is_missing_foreign_or_stale_is_not_enough
    an_answer_about_another_plan_is_refused
    a_second_answer_of_the_same_person_meets_the_first
    an_unknown_link_looks_like_any_unknown_address
}

/// The fields of a form as the page shows it.
pub(crate) struct Shown {
    pub link: String,
    pub digest: String,
    pub token: String,
}

impl Shown {
    pub async fn to(stage: &Stage, address: &str) -> Self {
        let link = stage.link(address);
        let (digest, token) = stage.form(&link).await.expect("the page offers a decision");
        Self { link, digest, token }
    }

    pub fn fields<'a>(&'a self, decision: &'a str, comment: &'a str) -> [(&'a str, &'a str); 4] {
        [("decision", decision), ("comment", comment), ("digest", &self.digest), ("form_token", &self.token)]
    }

    pub async fn press(&self, stage: &Stage, decision: &str, comment: &str) -> Whole {
        let url = format!("{}/decision", self.link);
        stage.send(&url, Some(&stage.origin()), &self.fields(decision, comment)).await
    }
}

/// Nothing was decided, and everybody is still being asked.
pub(crate) async fn assert_undecided(stage: &Stage, workflow: &str) {
    let told = stage.api(&format!("/{workflow}")).await;
    assert_eq!((&told["decisions"], &told["state"]), (&json!([]), &json!("pending_approval")));
}

async fn a_yes_leads_back_to_the_page_which_follows_the_run_to_its_end(stage: Stage) {
    let workflow = stage.hire_told(|_| ()).await;
    let shown = Shown::to(&stage, "ana@example.com").await;
    let said = shown.press(&stage, "approve", "Welcome, Zoë").await;
    assert_eq!(said.status, 303);
    let path = shown.link.strip_prefix(&stage.origin()).unwrap();
    assert_eq!(said.header("location"), path);
    let waiting = stage.open(&shown.link).await;
    assert!(waiting.body.contains("You approved this plan at"), "{}", waiting.body);
    assert!(waiting.body.contains("data-state=\"approved\"") && !waiting.asks());
    assert!(waiting.body.contains("http-equiv=\"refresh\""), "without a script the page reloads itself");
    // The stream tells each event as it comes, and ends with the run.
    let live = stage.browser.get(format!("{}/live", shown.link)).send().await.unwrap();
    let (stream, ()) = tokio::join!(live.text(), stage.settle());
    let stream = stream.unwrap();
    for told in ["The run began.", "make the user", "add to a group", "a fresh read showed", "event: end"] {
        assert!(stream.contains(told), "{told} is missing in {stream}");
    }
    assert_eq!(stage.state(&workflow).await, "succeeded");
    let done = stage.open(&shown.link).await;
    assert!(done.body.contains("Done and verified") && done.body.contains("Read back and compare"));
    assert!(done.body.contains("“Welcome, Zoë”"), "{}", done.body);
    assert!(!done.body.contains("http-equiv=\"refresh\""), "nothing more will come");
    let fragment = stage.open(&format!("{}/progress", shown.link)).await;
    assert!(fragment.body.contains("data-state=\"succeeded\"") && !fragment.body.contains("<html"));
}

async fn a_no_without_words_is_refused_and_keeps_what_was_typed(stage: Stage) {
    let workflow = stage.hire_told(|_| ()).await;
    let shown = Shown::to(&stage, "ana@example.com").await;
    for nothing in ["", "   ", "\n\t"] {
        let refused = shown.press(&stage, "reject", nothing).await;
        assert_eq!(refused.status, 422);
        assert!(refused.body.contains("Please say in a few words why you reject"), "{}", refused.body);
        assert!(refused.asks() && refused.body.contains("role=\"alert\""));
        assert!(refused.body.contains("aria-invalid=\"true\""));
    }
    // Words that cannot be kept come back for mending, too.
    let long = format!("because <b>{}", "x".repeat(2_100));
    let refused = shown.press(&stage, "reject", &long).await;
    assert_eq!(refused.status, 422);
    assert!(refused.body.contains(">because &#60;b&#62;xxx"), "{}", refused.body);
    assert_undecided(&stage, &workflow).await;
}

async fn a_no_with_words_ends_it_and_the_other_approver_is_told(stage: Stage) {
    let workflow = stage.hire_told(|_| ()).await;
    let (ana, bo) = (stage.link("ana@example.com"), Shown::to(&stage, "bo@example.com").await);
    assert_eq!(stage.decide(&ana, "reject", "wrong <department>").await.status, 303);
    assert_eq!(stage.state(&workflow).await, "rejected");
    stage.settle().await;
    assert_eq!(stage.state(&workflow).await, "rejected");
    assert!(stage.writes().is_empty());
    let told = stage.simulator.mailbox.mails_to("bo@example.com").pop().unwrap();
    assert_eq!(told.subject, "Rejected: a new account for Zoë O'Brien");
    assert!(told.text.unwrap().contains("It was rejected by ana@example.com at"));
    assert_eq!(stage.simulator.mailbox.mails_to("ana@example.com").len(), 1, "who decided knows it already");
    // Bo's tab is still open; a yes comes too late and learns why.
    let late = bo.press(&stage, "approve", "").await;
    assert_eq!((late.status, late.asks()), (409, false));
    assert!(late.body.contains("ana@example.com rejected this request at"), "{}", late.body);
    assert!(late.body.contains("wrong &#60;department&#62;"), "{}", late.body);
    assert_eq!(stage.decisions().await, 1);
}

/// Line 5 of the checklist: no decision in the query string. Line 1: yes and no are choices on the page.
async fn an_answer_in_the_address_decides_nothing(stage: Stage) {
    let workflow = stage.hire_told(|_| ()).await;
    let shown = Shown::to(&stage, "ana@example.com").await;
    let origin = stage.origin();
    for decision in ["approve", "reject"] {
        let query =
            format!("decision={decision}&comment=x&digest={}&form_token={}", shown.digest, shown.token);
        for url in [format!("{}?{query}", shown.link), format!("{}/decision?{query}", shown.link)] {
            stage.open(&url).await;
            // A POST whose body is empty takes nothing from its address either.
            let posted = stage.send(&url, Some(&origin), &[]).await;
            assert!(posted.status >= 400, "{} {}", posted.status, posted.body);
        }
    }
    assert_undecided(&stage, &workflow).await;
}

/// Line 16: where a form comes from is checked, and not by a token alone.
async fn a_form_from_elsewhere_is_refused(stage: Stage) {
    let workflow = stage.hire_told(|_| ()).await;
    let shown = Shown::to(&stage, "ana@example.com").await;
    let url = format!("{}/decision", shown.link);
    let foreign = [None, Some("null"), Some("https://evil.example"), Some("http://127.0.0.1:1")];
    for origin in foreign {
        let refused = stage.send(&url, origin, &shown.fields("approve", "")).await;
        assert_eq!(refused.status, 403, "{origin:?}");
        assert!(refused.body.contains("This answer did not come from our page"), "{}", refused.body);
    }
    for site in ["cross-site", "same-site"] {
        let request = stage.browser.post(&url).header("Sec-Fetch-Site", site);
        let refused = stage.whole(request.form(&shown.fields("approve", ""))).await;
        assert_eq!(refused.status, 403, "{site}");
    }
    assert_undecided(&stage, &workflow).await;
}

/// Line 16: the token in the form is bound to link, plan and time.
async fn a_form_token_that_is_missing_foreign_or_stale_is_not_enough(stage: Stage) {
    let workflow = stage.hire_told(|_| ()).await;
    let (ana, bo) = (Shown::to(&stage, "ana@example.com").await, Shown::to(&stage, "bo@example.com").await);
    let url = format!("{}/decision", ana.link);
    for token in ["", "1.AAAA", bo.token.as_str()] {
        let fields =
            [("decision", "approve"), ("comment", "kept"), ("digest", &ana.digest), ("form_token", token)];
        let refused = stage.send(&url, Some(&stage.origin()), &fields).await;
        assert_eq!(refused.status, 409, "{}", refused.body);
        assert!(refused.asks() && refused.body.contains(">kept</textarea>"), "{}", refused.body);
    }
    let fields = [("decision", "approve"), ("comment", ""), ("digest", ana.digest.as_str())];
    assert_eq!(stage.send(&url, Some(&stage.origin()), &fields).await.status, 409, "no token at all");
    stage.clock.advance(TimeDelta::minutes(31));
    let aged = ana.press(&stage, "approve", "typed & kept").await;
    assert_eq!(aged.status, 409);
    assert!(aged.body.contains("confirm again"), "{}", aged.body);
    assert!(aged.body.contains(">typed &#38; kept</textarea>"), "{}", aged.body);
    assert_undecided(&stage, &workflow).await;
    // The page that came back has a fresh token.
    let again = Shown::to(&stage, "ana@example.com").await;
    assert_eq!(again.press(&stage, "approve", "").await.status, 303);
}

async fn an_answer_about_another_plan_is_refused(stage: Stage) {
    let workflow = stage.hire_told(|_| ()).await;
    let shown = Shown::to(&stage, "ana@example.com").await;
    let wrong = Shown { digest: "ab".repeat(32), link: shown.link.clone(), token: shown.token.clone() };
    let refused = wrong.press(&stage, "approve", "").await;
    assert_eq!(refused.status, 409);
    assert!(refused.body.contains("The plan has changed since this page was made"), "{}", refused.body);
    assert!(refused.body.contains("Nothing of yours was recorded"), "{}", refused.body);
    for broken in ["", "zz", "ab"] {
        let wrong = Shown { digest: broken.to_owned(), link: shown.link.clone(), token: shown.token.clone() };
        assert_eq!(wrong.press(&stage, "approve", "").await.status, 400);
    }
    for unknown in ["", "maybe", "Approve"] {
        assert_eq!(shown.press(&stage, unknown, "").await.status, 400, "{unknown}");
    }
    assert_undecided(&stage, &workflow).await;
}

/// Line 8: a second answer is told what was recorded, and changes nothing.
async fn a_second_answer_of_the_same_person_meets_the_first(stage: Stage) {
    let workflow = stage.hire_told(|_| ()).await;
    let shown = Shown::to(&stage, "ana@example.com").await;
    assert_eq!(shown.press(&stage, "approve", "").await.status, 303);
    for (decision, comment) in [("approve", ""), ("reject", "I have thought again")] {
        let again = shown.press(&stage, decision, comment).await;
        assert_eq!(again.status, 200);
        assert!(again.body.contains("You approved this plan at"), "{}", again.body);
        assert!(again.body.contains("Your answer stands") && !again.asks());
    }
    assert_eq!((stage.decisions().await, stage.state(&workflow).await.as_str()), (1, "approved"));
    stage.settle().await;
    let again = shown.press(&stage, "reject", "too late").await;
    assert_eq!((again.status, stage.state(&workflow).await.as_str()), (200, "succeeded"));
}

fn header_names(answer: &Whole) -> BTreeSet<&str> {
    answer.headers.keys().map(|name| name.as_str()).collect()
}

async fn an_unknown_link_looks_like_any_unknown_address(stage: Stage) {
    stage.hire_told(|_| ()).await;
    let shown = Shown::to(&stage, "ana@example.com").await;
    let nowhere = stage.open(&format!("{}/no/such/page", stage.url)).await;
    assert_eq!(nowhere.status, 404);
    let (real, last) = shown.link.split_at(shown.link.len() - 1);
    let near = format!("{real}{}", if last == "A" { "B" } else { "A" });
    let origin = stage.origin();
    for link in
        [near, format!("{}/approve/x", stage.url), format!("{}/approve/{}", stage.url, "A".repeat(43))]
    {
        for below in ["", "/progress", "/live", "/decision"] {
            let page = stage.open(&format!("{link}{below}")).await;
            assert_eq!((page.status, &page.body), (404, &nowhere.body), "{below}");
            assert_eq!(header_names(&page), header_names(&nowhere));
        }
        let posted =
            stage.send(&format!("{link}/decision"), Some(&origin), &shown.fields("approve", "")).await;
        assert_eq!((posted.status, &posted.body), (404, &nowhere.body));
    }
    assert_eq!(stage.decisions().await, 0);
}

/// Manager first, then two of the group: each stage is asked when it is its turn, and the last yes ends it.
async fn the_manager_first_and_then_two_of_the_group(database: Database) {
    let stages = "stages = [{ ask = [\"manager\"], quorum = 1 }, { ask = [\"group:pam-admins\"], quorum = 2 }]\nexpire_after";
    let edit = format!("{ONE_OF_THE_GROUP}\nexpire_after");
    let members = "members = [\"ana@example.com\", \"bo@example.com\"]";
    let three = "members = [\"ana@example.com\", \"bo@example.com\", \"cy@example.com\"]";
    let stage = Stage::with(database, Choices::edited(&[(&edit, stages), (members, three)])).await;
    let workflow =
        stage.hire_told(|body| body["employment"]["manager"]["email"] = "max@example.com".into()).await;
    for early in ["ana@example.com", "bo@example.com", "cy@example.com"] {
        assert!(stage.simulator.mailbox.mails_to(early).is_empty(), "{early} is not asked yet");
    }
    let max = Shown::to(&stage, "max@example.com").await;
    let page = stage.open(&max.link).await.body;
    assert!(
        page.contains("the next stage is asked: ana@example.com, bo@example.com, cy@example.com"),
        "{page}"
    );
    assert!(page.contains("2 of 3 must say yes") && page.contains("is asked afterwards"), "{page}");
    assert_eq!(max.press(&stage, "approve", "She is mine").await.status, 303);
    assert_eq!(stage.state(&workflow).await, "pending_approval");
    stage.settle().await;
    let ana = Shown::to(&stage, "ana@example.com").await;
    let page = stage.open(&ana.link).await.body;
    assert!(
        page.contains("more people of this stage must say yes") && page.contains("She is mine"),
        "{page}"
    );
    assert_eq!(ana.press(&stage, "approve", "").await.status, 303);
    stage.settle().await;
    assert_eq!((stage.state(&workflow).await.as_str(), stage.writes().len()), ("pending_approval", 0));
    // Neither the manager nor Ana can stand in for the second yes.
    for shown in [&max, &ana] {
        assert_eq!(shown.press(&stage, "approve", "").await.status, 200);
    }
    assert_eq!((stage.decisions().await, stage.writes().len()), (2, 0));
    let cy = Shown::to(&stage, "cy@example.com").await;
    assert!(stage.open(&cy.link).await.body.contains("Yours is the last yes that is needed"));
    assert_eq!(cy.press(&stage, "approve", "").await.status, 303);
    stage.settle().await;
    assert_eq!((stage.state(&workflow).await.as_str(), stage.decisions().await), ("succeeded", 3));
    let bo = stage.simulator.mailbox.mails_to("bo@example.com");
    assert!(bo.iter().any(|mail| mail.subject.starts_with("Approved: ")), "bo learns that it is over");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_manager_first_and_then_two_of_the_group_on_sqlite() {
    the_manager_first_and_then_two_of_the_group(Database::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a PostgreSQL server; tests/all starts one and runs this"]
async fn the_manager_first_and_then_two_of_the_group_on_postgresql() {
    the_manager_first_and_then_two_of_the_group(Database::postgres()).await;
}

begun_on_both! {
    nobody_fills_two_stages
}

/// HR names somebody as the manager who is in the group that is asked afterwards, too.
async fn nobody_fills_two_stages(database: Database) {
    let stages = |quorum: u32| {
        format!(
            "stages = [{{ ask = [\"manager\"], quorum = 1 }}, {{ ask = [\"group:pam-admins\"], quorum = {quorum} }}]\nexpire_after"
        )
    };
    let edit = format!("{ONE_OF_THE_GROUP}\nexpire_after");
    let stage = Stage::with(database, Choices::edited(&[(&edit, &stages(1))])).await;
    let by_ana =
        |body: &mut serde_json::Value| body["employment"]["manager"]["email"] = "ana@example.com".into();
    let workflow = stage.hire_told(by_ana).await;
    let ana = Shown::to(&stage, "ana@example.com").await;
    let page = stage.open(&ana.link).await.body;
    assert!(page.contains("the next stage is asked: bo@example.com.<"), "{page}");
    assert!(page.contains("It wants the yes of people who have not said it before."), "{page}");
    assert_eq!(ana.press(&stage, "approve", "").await.status, 303);
    stage.settle().await;
    assert_eq!(stage.state(&workflow).await, "pending_approval");
    assert_eq!(stage.simulator.mailbox.links_for("ana@example.com").len(), 1, "she is not asked twice");
    let page = stage.open(&ana.link).await.body;
    assert!(page.contains("said yes in an earlier stage"), "{page}");
    let bo = Shown::to(&stage, "bo@example.com").await;
    assert_eq!(bo.press(&stage, "approve", "").await.status, 303);
    stage.settle().await;
    assert_eq!((stage.state(&workflow).await.as_str(), stage.decisions().await), ("succeeded", 2));

    // Where too few are left because of it, the default rule asks, and says why.
    let mut stage = stage;
    stage.choices.edits[0].1 = stages(2);
    let stage = stage.restart().await;
    let second = stage
        .hire_told(|body| {
            by_ana(body);
            body["source_ref"] = "SECOND".into();
            body["person_ref"] = "E2".into();
            body["subject"]["username"] = "second".into();
        })
        .await;
    let bo = stage.simulator.mailbox.links_for("bo@example.com").pop().unwrap();
    let page = stage.open(&bo).await.body;
    assert!(page.contains("The default rule \u{201c}the rest\u{201d} asks you"), "{page}");
    assert!(page.contains("nobody counts in two stages"), "{page}");
    assert_eq!(stage.state(&second).await, "pending_approval");
}
