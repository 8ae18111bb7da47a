//! How long people who left keep access: both lags apart, alarms while it lasts, and a report about all of it.
//!
//! Must hold: our own clock begins when access was to end or when we were told, whichever is later, and stops at the read
//! that showed the end; the operators hear of each part of the target time once.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::a_browser_approves::look;
use crate::stage::{Browser, Choices, Database, READER, Screen, Scripts, Stage};

told_on_both! {
    both_lags_are_told_and_end_at_the_verified_read
    operators_are_alarmed_at_half_at_four_fifths_and_at_the_end_of_the_time
    a_rule_says_how_long_its_leavers_may_take
    a_leaver_that_is_given_up_has_no_lag_of_ours
    the_report_is_read_page_by_page
    a_leaver_whose_row_makes_no_sense_is_told_of_like_the_others
}

const ANA: &str = "ana@example.com";

impl Stage {
    async fn report(&self, query: &str) -> Value {
        let asked =
            self.browser.get(format!("{}/api/v1/reports/leavers{query}", self.url)).bearer_auth(READER);
        let answer = self.whole(asked).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        serde_json::from_str(&answer.body).unwrap()
    }

    /// The alarms about time that the operators have got.
    fn alarms_about_time(&self) -> Vec<String> {
        let mails = self.simulator.mailbox.mails_to("pam-team@example.com").into_iter();
        let texts = mails.filter_map(|mail| mail.text).filter(|text| text.contains("access is to be gone"));
        texts.collect()
    }
}

/// About so many seconds: the clock of a story moves by itself a little.
fn about(value: &Value, seconds: f64) -> bool {
    value.as_f64().is_some_and(|value| (seconds..seconds + 30.0).contains(&value))
}

async fn both_lags_are_told_and_end_at_the_verified_read(stage: Stage) {
    stage.somebody();
    // Her last day ended in Berlin nine hours before anybody said so.
    let workflow = stage.leaves("LEAVE-1", json!({})).await;
    let open = stage.report("").await;
    assert_eq!((&open["sums"]["leavers"], &open["sums"]["open"]), (&json!(1), &json!(1)));
    assert_eq!(open["leavers"][0]["own_lag_seconds"], Value::Null);
    stage.later(TimeDelta::minutes(50)).await;
    stage.both_approve().await;
    assert_eq!(stage.rest(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    stage.later(TimeDelta::days(2)).await;
    let report = stage.report("").await;
    let line = &report["leavers"][0];
    assert_eq!((&line["workflow_id"], &line["state"]), (&json!(workflow), &json!("succeeded")));
    assert!(about(&line["notice_lag_seconds"], 9.0 * 3_600.0), "{line}");
    assert!(about(&line["own_lag_seconds"], 50.0 * 60.0), "{line}");
    assert_eq!((&line["target_seconds"], &line["alarms_passed"]), (&json!(86_400), &json!([])));
    assert_eq!(line["effective_at"], "2026-11-30T23:00:00.000000Z");
    assert_eq!(line["received_at"], line["clock_began_at"]);
    assert_eq!(line["verified_at"], line["rested_at"]);
    let read = stage.trail(&workflow).await;
    let read = read.iter().find(|event| event["facts"]["step"] == "verify_user").unwrap();
    assert!(line["verified_at"].as_str().unwrap() >= read["at"].as_str().unwrap(), "{line} {read}");
    let sums = &report["sums"];
    assert!(about(&sums["own_lag_seconds"]["max"], 3_000.0) && sums["open"] == 0, "{sums}");
    assert_eq!(
        (&sums["own_lag_seconds"]["count"], &sums["notice_lag_seconds"]["count"]),
        (&json!(1), &json!(1))
    );
    assert!(stage.alarms_about_time().is_empty());
    let metrics = stage.get(&format!("{}/metrics", stage.url)).await.body;
    for name in ["countersign_leaver_own_lag_seconds_bucket", "countersign_leaver_notice_lag_seconds_bucket"]
    {
        assert!(metrics.contains(name), "{metrics}");
    }
    let page = stage.get(&format!("{}/reports/leavers", stage.url)).await.body;
    for words in ["1 in all, 0 still open", "9 hours late", "50 minutes, target 24 hours", "E10442"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    stage.check(&workflow).await;
}

async fn operators_are_alarmed_at_half_at_four_fifths_and_at_the_end_of_the_time(stage: Stage) {
    let edits = [("name = \"hr\"\n", "name = \"hr\"\nleaver_within = \"10h\"\n")];
    let stage = Stage::with(stage.database.another(), Choices::edited(&edits)).await;
    stage.somebody();
    // Announced two days ahead: the clock has not begun.
    let later = json!({ "effective": { "at": "2026-12-02", "tz": "Europe/Berlin" } });
    let workflow = stage.leaves("LEAVE-1", later).await;
    assert_eq!(stage.report("").await["leavers"], json!([]), "its clock begins later");
    let begin = TimeDelta::hours(15 + 24);
    let mut passed = TimeDelta::zero();
    for (minutes, alarms) in [
        (0, 0),
        (4 * 60 + 59, 0),
        (5 * 60 + 1, 1),
        (7 * 60 + 59, 1),
        (8 * 60 + 1, 2),
        (9 * 60 + 59, 2),
        (10 * 60 + 1, 3),
        (96 * 60, 3),
    ] {
        let moment = begin + TimeDelta::minutes(minutes);
        stage.later(moment - passed).await;
        passed = moment;
        let told = stage.alarms_about_time();
        assert_eq!(told.len(), alarms, "after {minutes} minutes: {told:#?}");
    }
    let told = stage.alarms_about_time();
    for (text, words) in told.iter().zip(["50 percent", "80 percent", "has passed"]) {
        assert!(text.contains(words) && text.contains(&workflow), "{text}");
    }
    let report = stage.report("").await;
    assert_eq!(report["leavers"][0]["alarms_passed"], json!([50, 80, 100]));
    assert_eq!(report["sums"]["open_over_target"], 1);
    let raised = stage.trail(&workflow).await;
    let raised = raised.iter().filter(|event| event["kind"] == "alarm.raised").count();
    // The fourth says that nobody has decided.
    assert_eq!(raised, 4);
    let page = stage.get(&format!("{}/reports/leavers", stage.url)).await.body;
    assert!(page.contains("1 open past the target time") && page.contains("alarm at 100 percent"), "{page}");
    stage.check_proof(&[workflow]).await;
}

async fn a_rule_says_how_long_its_leavers_may_take(stage: Stage) {
    let edits = [
        ("name = \"hr\"\n", "name = \"hr\"\nleaver_within = \"10h\"\n"),
        ("default = true\n", "default = true\nleaver_within = \"2h\"\n"),
    ];
    let stage = Stage::with(stage.database.another(), Choices::edited(&edits)).await;
    stage.somebody();
    let workflow = stage.leaves("LEAVE-1", json!({})).await;
    stage.later(TimeDelta::minutes(61)).await;
    assert_eq!(stage.alarms_about_time().len(), 1);
    // The service stands still, and what it has missed is one alarm.
    stage.later(TimeDelta::hours(5)).await;
    assert_eq!(stage.alarms_about_time().len(), 2);
    let report = stage.report("").await;
    let line = &report["leavers"][0];
    assert_eq!((&line["target_seconds"], &line["alarms_passed"]), (&json!(7_200), &json!([50, 80, 100])));
    stage.check_proof(&[workflow]).await;
}

async fn a_leaver_that_is_given_up_has_no_lag_of_ours(stage: Stage) {
    stage.somebody();
    let workflow = stage.leaves("LEAVE-1", json!({})).await;
    assert_eq!(stage.decide(&stage.link(ANA), "reject", "she stays").await.status, 303);
    stage.later(TimeDelta::days(3)).await;
    let report = stage.report("").await;
    let line = &report["leavers"][0];
    assert_eq!((&line["state"], &line["own_lag_seconds"]), (&json!("rejected"), &Value::Null));
    assert!(line["verified_at"].is_null() && line["rested_at"].is_string(), "{line}");
    assert_eq!(
        (&report["sums"]["open"], &report["sums"]["own_lag_seconds"]["count"]),
        (&json!(0), &json!(0))
    );
    assert!(stage.alarms_about_time().is_empty(), "nobody is alarmed about what has come to rest");
    stage.check_proof(&[workflow]).await;
}

async fn the_report_is_read_page_by_page(stage: Stage) {
    for number in 0..7 {
        let answer = stage.told("leaver", &format!("LEAVE-{number}"), json!({})).await;
        assert_eq!(answer.status, 202, "{}", answer.body);
        stage.clock.advance(TimeDelta::seconds(1));
    }
    let (mut walked, mut cursor) = (vec![], String::new());
    loop {
        let page = stage.report(&format!("?limit=3&from=2026-12-01&to=2026-12-02{cursor}")).await;
        assert_eq!(page["sums"]["leavers"], 7);
        let lines = page["leavers"].as_array().unwrap().iter();
        walked.extend(lines.map(|line| line["source_ref"].as_str().unwrap().to_owned()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    let wanted: Vec<String> = (0..7).rev().map(|number| format!("LEAVE-{number}")).collect();
    assert_eq!(walked, wanted);
    assert_eq!(stage.report("?from=2026-11-01&to=2026-12-01").await["leavers"], json!([]));
    let page = stage.get(&format!("{}/reports/leavers?from=2026-12-01&to=", stage.url)).await.body;
    assert!(page.contains("value=\"2026-12-01\"") && page.contains("LEAVE-6"), "{page}");
    let wrong = stage.open(&format!("{}/reports/leavers?from=soon", stage.url)).await;
    assert_eq!(wrong.status, 400);
    assert!(wrong.body.contains("“from” wants a date"), "{}", wrong.body);
}

async fn a_leaver_whose_row_makes_no_sense_is_told_of_like_the_others(stage: Stage) {
    stage.somebody();
    let broken = stage.leaves("LEAVE-1", json!({})).await;
    stage.clock.advance(TimeDelta::seconds(1));
    let healthy = stage.leaves("LEAVE-2", json!({})).await;
    let lost = "update workflows set namespace = '' where source_ref = 'LEAVE-1'";
    stage.database.change(stage.folder.path(), lost).await;
    stage.later(TimeDelta::hours(13)).await;
    let told = stage.alarms_about_time();
    assert_eq!(told.len(), 2, "{told:#?}");
    for workflow in [&broken, &healthy] {
        assert!(told.iter().any(|text| text.contains(workflow)), "{workflow}: {told:#?}");
    }
    assert!(told.iter().any(|text| text.contains("must be mended in the database")), "{told:#?}");
    let report = stage.report("").await;
    let [newer, older] = &report["leavers"].as_array().unwrap()[..] else { panic!("{report}") };
    assert_eq!((&newer["workflow_id"], &newer["unreadable"]), (&json!(healthy), &Value::Null));
    assert_eq!((&older["workflow_id"], &older["person_ref"]), (&json!(broken), &Value::Null));
    assert!(older["unreadable"].is_string() && older["alarms_passed"] == json!([50]), "{older}");
    let page = stage.open(&format!("{}/reports/leavers", stage.url)).await;
    assert_eq!(page.status, 200);
    assert!(
        page.body.contains("this record cannot be read") && page.body.contains("E10442"),
        "{}",
        page.body
    );
    stage.later(TimeDelta::hours(12)).await;
    assert_eq!(stage.alarms_about_time().len(), 4, "each of them once more");
}

/// One that was given up, one whose access is gone, late, and two that are open, one of which cannot be read.
async fn read_on(screen: Screen) {
    let edits = [("name = \"hr\"\n", "name = \"hr\"\nleaver_within = \"30m\"\n")];
    let stage = Stage::with(Database::sqlite(), Choices::edited(&edits)).await;
    let browser = Browser::begin(Scripts::Run, screen).await;
    let report = format!("{}/reports/leavers", stage.url);
    browser.open(&report).await;
    look(&browser, screen, "leavers-none").await;
    stage.somebody();
    stage.leaves("LEAVE-1", json!({})).await;
    assert_eq!(stage.decide(&stage.link(ANA), "reject", "she stays").await.status, 303);
    stage.later(TimeDelta::minutes(1)).await;
    let late = stage.leaves("LEAVE-2", json!({})).await;
    stage.later(TimeDelta::minutes(50)).await;
    stage.both_approve().await;
    assert_eq!(stage.rest(&late).await, "succeeded", "{}", stage.reason(&late).await);
    stage.clock.advance(TimeDelta::minutes(1));
    stage.leaves("LEAVE-3", json!({})).await;
    stage.clock.advance(TimeDelta::minutes(1));
    stage.leaves("LEAVE-4", json!({})).await;
    let lost = "update workflows set namespace = '' where source_ref = 'LEAVE-3'";
    stage.database.change(stage.folder.path(), lost).await;
    stage.later(TimeDelta::minutes(16)).await;
    browser.open(&report).await;
    browser.shows("h2", "4 in all, 2 still open").await;
    look(&browser, screen, "leavers").await;
    browser.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs chromium and chromedriver; tests/all runs it"]
async fn people_read_the_report_on_a_phone() {
    read_on(Screen::Phone).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs chromium and chromedriver; tests/all runs it"]
async fn people_read_the_report_at_a_desk() {
    read_on(Screen::Desk).await;
}
