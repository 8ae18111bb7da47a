//! What time does: people are reminded, an approval that begins nothing ends, and two groups may be needed at once.
//!
//! Must hold: reminders are bounded and go only to those who have not answered; nothing is begun on an approval that
//! has ended.

use chrono::TimeDelta;
use serde_json::json;

use crate::an_operator_releases::signed_in;
use crate::stage::{Choices, ONE_OF_THE_GROUP, Stage, Visitor, command};

told_on_both! {
    who_has_not_answered_is_reminded_and_nobody_else
    an_approval_that_begins_nothing_ends
    an_approval_counts_from_the_effective_time
    an_account_whose_end_has_passed_is_not_made
    both_groups_of_a_stage_must_say_yes
    a_leaver_does_not_end_in_silence
    an_operator_decides_an_overdue_leaver_on_the_console
    a_second_leaver_is_always_taken
}

const ANA: &str = "ana@example.com";
const BO: &str = "bo@example.com";

async fn with_rule(stage: &Stage, rule: &str, others: &[(&str, &str)]) -> Stage {
    let mut edits = vec![(ONE_OF_THE_GROUP, rule)];
    edits.extend(others);
    Stage::with(stage.database.another(), Choices::edited(&edits)).await
}

fn reminders(stage: &Stage, address: &str) -> usize {
    let mails = stage.simulator.mailbox.mails_to(address);
    mails.iter().filter(|mail| mail.subject.starts_with("Still waiting for your answer: ")).count()
}

async fn who_has_not_answered_is_reminded_and_nobody_else(stage: Stage) {
    let rule =
        "stages = [{ ask = [\"group:pam-admins\"], quorum = 2 }]\nremind_after = \"1d\"\nreminders = 2";
    let stage = with_rule(&stage, rule, &[]).await;
    let workflow = stage.hire_told(|body| body["effective"]["at"] = json!("2027-03-01")).await;
    assert_eq!(stage.decide(&stage.link(ANA), "approve", "").await.status, 303);
    stage.later(TimeDelta::hours(23)).await;
    assert_eq!((reminders(&stage, ANA), reminders(&stage, BO)), (0, 0));
    stage.later(TimeDelta::hours(2)).await;
    assert_eq!((reminders(&stage, ANA), reminders(&stage, BO)), (0, 1));
    // The reminder leads to the same page, and a look at it changes nothing.
    let links = stage.simulator.mailbox.links_for(BO);
    assert!(links.len() == 2 && links[0] == links[1], "{links:?}");
    for _ in 0..4 {
        stage.later(TimeDelta::days(1)).await;
    }
    assert_eq!((reminders(&stage, ANA), reminders(&stage, BO)), (0, 2));
    let trail = stage.api(&format!("/{workflow}/audit")).await;
    let told = trail["events"].as_array().unwrap().iter().filter(|event| event["kind"] == "stage.reminded");
    assert_eq!(told.count(), 2);
    assert_eq!(stage.decide(&stage.link(BO), "approve", "").await.status, 303);
    assert_eq!(stage.state(&workflow).await, "approved");
    stage.check_proof(&[workflow]).await;
}

/// Its last day passes while people think, or before the vault could be read.
async fn an_account_whose_end_has_passed_is_not_made(stage: Stage) {
    let ends = |number: u8, body: &mut serde_json::Value| {
        body["source_ref"] = json!(format!("ENDS-{number}"));
        body["person_ref"] = json!(format!("E{number}"));
        body["subject"]["username"] = json!(format!("zobrien{number}e"));
        body["account"] = json!({ "expires_at": "2026-12-03T00:00:00Z" });
    };
    let asked = stage.hire_told(|body| ends(1, body)).await;
    let mut body = stage.joiner().body();
    ends(2, &mut body);
    let unplanned = stage.post("msg_ends_2", body.to_string().as_bytes()).await.workflow();
    stage.clock.advance(TimeDelta::days(4));
    assert_eq!(stage.decide(&stage.link(ANA), "approve", "").await.status, 303);
    for workflow in [asked, unplanned] {
        assert_eq!(stage.rest(&workflow).await, "needs_attention");
        let reason = stage.reason(&workflow).await;
        assert!(reason.contains("the account was to end at") && reason.contains("has passed"), "{reason}");
    }
    assert!(stage.writes().is_empty());
}

async fn an_approval_that_begins_nothing_ends(stage: Stage) {
    let rule = format!("{ONE_OF_THE_GROUP}\nstart_within = \"2d\"");
    let stage = with_rule(&stage, &rule, &[]).await;
    let workflow = stage.hire_told(|_| ()).await;
    assert_eq!(stage.decide(&stage.link(ANA), "approve", "").await.status, 303);
    // The service stands still for three days.
    stage.later(TimeDelta::days(3)).await;
    assert_eq!(stage.state(&workflow).await, "expired");
    assert!(stage.writes().is_empty(), "{:?}", stage.writes());
    let last = stage.simulator.mailbox.mails_to(BO).pop().unwrap();
    assert!(last.text.unwrap().contains("the approval has ended"));
    let alarms = stage.simulator.mailbox.mails_to("pam-team@example.com");
    assert!(alarms.iter().any(|mail| mail.subject.starts_with("Alarm")), "operators hear of it");
    let page = stage.open(&stage.link(ANA)).await;
    assert!(page.body.contains("its run did not begin in time") && !page.asks(), "{}", page.body);
    stage.later(TimeDelta::days(30)).await;
    assert_eq!(stage.state(&workflow).await, "expired");
    stage.check_proof(&[workflow]).await;
}

async fn an_approval_counts_from_the_effective_time(stage: Stage) {
    let rule = format!("{ONE_OF_THE_GROUP}\nstart_within = \"2d\"");
    let stage = with_rule(&stage, &rule, &[]).await;
    let workflow = stage.hire_told(|body| body["effective"]["at"] = json!("2027-02-01")).await;
    assert_eq!(stage.decide(&stage.link(ANA), "approve", "").await.status, 303);
    stage.later(TimeDelta::days(30)).await;
    assert_eq!(stage.state(&workflow).await, "approved");
    while stage.state(&workflow).await == "approved" {
        stage.later(TimeDelta::days(1)).await;
    }
    assert_eq!(stage.state(&workflow).await, "succeeded");
}

async fn both_groups_of_a_stage_must_say_yes(stage: Stage) {
    let rule = "stages = [{ all = [{ ask = [\"group:pam-admins\"], quorum = 1 }, \
                { ask = [\"group:owners\"], quorum = 1 }] }]";
    let owners = "[[approver_groups]]\nname = \"owners\"\nmembers = [\"bo@example.com\", \"di@example.com\"]\n\
                  [[approver_groups]]\nname = \"pam-admins\"";
    let stage = with_rule(&stage, rule, &[("[[approver_groups]]\nname = \"pam-admins\"", owners)]).await;
    let workflow = stage.hire_told(|_| ()).await;
    // Everybody of both groups is asked, and once.
    for address in [ANA, BO, "di@example.com"] {
        assert_eq!(stage.simulator.mailbox.mails_to(address).len(), 1, "{address}");
    }
    let page = stage.open(&stage.link(ANA)).await.body;
    assert!(page.contains("group pam-admins and group owners"), "{page}");
    assert!(page.contains("nobody counts for two"), "{page}");
    // Bo belongs to both groups and still is one person.
    assert_eq!(stage.decide(&stage.link(BO), "approve", "").await.status, 303);
    stage.settle().await;
    assert_eq!(stage.state(&workflow).await, "pending_approval");
    assert_eq!(stage.decide(&stage.link("di@example.com"), "approve", "").await.status, 303);
    stage.settle().await;
    assert_eq!(stage.state(&workflow).await, "succeeded");
}

/// Nobody decides about a leaver who is to go on 10 December.
async fn a_leaver_does_not_end_in_silence(stage: Stage) {
    let people =
        "mail = [\"pam-team@example.com\"]\nmembers = [\"olga@example.com\", \"zoe.obrien@example.com\"]";
    let choices = Choices::edited(&[("mail = [\"pam-team@example.com\"]", people)]);
    let stage = Stage::with(stage.database.another(), choices).await;
    stage.somebody();
    let parts = json!({
        "effective": { "at": "2026-12-10", "tz": "Europe/Berlin" },
        "subject": { "username": "zobrien", "email": "zoe.obrien@example.com" },
    });
    let workflow = stage.leaves("LEAVE-1", parts).await;
    assert_eq!(stage.state(&workflow).await, "pending_approval", "{}", stage.reason(&workflow).await);
    stage.later(TimeDelta::days(9)).await;
    assert_eq!(stage.state(&workflow).await, "pending_approval", "the day is not over in Berlin");
    stage.later(TimeDelta::days(1)).await;
    assert_eq!(stage.state(&workflow).await, "needs_attention");
    let told = stage.simulator.mailbox.mails_to("pam-team@example.com");
    assert!(told.iter().any(|mail| mail.subject.starts_with("Alarm")), "the operators are alarmed");
    stage.later(TimeDelta::days(60)).await;
    assert_eq!(stage.state(&workflow).await, "needs_attention", "and it waits, however long");
    assert!(stage.writes().is_empty(), "{:?}", stage.writes());

    let settings = stage.settings_file();
    for stranger in ["zoe.obrien+x@example.com", ANA, "nobody@example.com"] {
        let words = [
            "workflow",
            "decide",
            &workflow,
            "--approve",
            "--as",
            stranger,
            "--reason",
            "HR was asked again",
        ];
        let done = command(&words, &settings).await;
        let said = String::from_utf8(done.stderr).unwrap();
        assert!(!done.status.success() && said.contains("members of [operators]"), "{said}");
    }
    assert_eq!(stage.state(&workflow).await, "needs_attention");
    // In good time for the command, which goes by the clock of the machine.
    let words = ["workflow", "decide", &workflow, "--approve", "--reason", "HR was asked again"];
    let done = stage.command_as(&words, "olga@example.com").await;
    assert!(done.status.success(), "{done:?}");
    assert_eq!(stage.rest(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    assert_eq!(stage.zobrien()["enableUser"], false);
    stage.check_proof(&[workflow]).await;
}

/// What the command does, an operator does on the page of the workflow.
async fn an_operator_decides_an_overdue_leaver_on_the_console(stage: Stage) {
    let members =
        "mail = [\"pam-team@example.com\"]\nmembers = [\"olga@example.com\", \"zoe.obrien@example.com\"]";
    let mut stage = stage;
    stage.choices.edits.push(("mail = [\"pam-team@example.com\"]".to_owned(), members.to_owned()));
    let stage = stage.restart().await;
    stage.somebody();
    let workflow = stage.leaves("LEAVE-1", json!({})).await;
    let page = format!("{}/workflows/{workflow}", stage.url);
    let olga = signed_in(&stage, "olga@example.com").await;
    let before = olga.open(&page).await.body;
    assert!(!before.contains("value=\"approve\""), "{before}");
    let early = olga.post(&format!("{page}/act"), &[("exit", "approve"), ("reason", "Now")]).await;
    assert_eq!((early.status, stage.state(&workflow).await.as_str()), (409, "pending_approval"));
    stage.later(TimeDelta::hours(2)).await;
    assert_eq!(stage.state(&workflow).await, "needs_attention");
    // Whoever was asked learns who decides now.
    let asked = stage.open(&stage.link(ANA)).await;
    assert!(!asked.asks() && asked.body.contains("so the operators decide it now"), "{}", asked.body);
    let press = async |who: &Visitor<'_>, exit: &str| {
        let body = who.open(&page).await.body;
        let token = body.split_once("name=\"form_token\" value=\"").map_or("", |(_, rest)| rest);
        let token = token.split_once('"').map_or("1.x", |(token, _)| token).to_owned();
        let fields = [("exit", exit), ("reason", "HR was asked again"), ("form_token", token.as_str())];
        who.post(&format!("{page}/act"), &fields).await.status
    };
    // Not about oneself: the vault knows whose account it is.
    let zoe = signed_in(&stage, "zoe.obrien@example.com").await;
    assert_eq!(press(&zoe, "reject").await, 409);
    // Her session has ended meanwhile.
    let olga = signed_in(&stage, "olga@example.com").await;
    let shown = olga.open(&page).await.body;
    for button in [
        "class=\"approve\" name=\"exit\" value=\"approve\"",
        "class=\"reject\" name=\"exit\" value=\"reject\"",
    ] {
        assert!(shown.contains(button), "{button} in {shown}");
    }
    assert_eq!(press(&olga, "approve").await, 303);
    let done = olga.open(&page).await.body;
    assert!(done.contains("It is recorded: olga@example.com approved it as an operator"), "{done}");
    assert_eq!(stage.rest(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    assert_eq!(stage.zobrien()["enableUser"], false);
    stage.check_proof(&[workflow]).await;
}

async fn a_second_leaver_is_always_taken(stage: Stage) {
    stage.somebody();
    let first = stage.leaves("LEAVE-1", json!({})).await;
    let second = stage.leaves("LEAVE-2", json!({})).await;
    assert_ne!(first, second);
    for workflow in [&first, &second] {
        assert_eq!(stage.state(workflow).await, "pending_approval", "{}", stage.reason(workflow).await);
    }
}
