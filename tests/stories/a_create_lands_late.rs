//! A create that got no answer takes effect late, when nobody comes to its account any more: it is disabled, and whoever
//! else has taken the name meanwhile is left alone.

use chrono::TimeDelta;
use countersign::simulator::faults::{Effect, Fault};
use countersign::store::operator::Exit;
use serde_json::{Value, json};

use crate::stage::{Choices, Dialect, Stage};

told_on_both! {
    whatever_comes_first_no_stranger_is_touched_and_nobody_is_left_enabled
    in_each_dialect_the_late_account_is_disabled_and_the_trail_tells_it
    a_leaver_waits_for_the_account_that_may_still_come_up
    where_no_mark_is_kept_nothing_is_touched_and_a_person_is_told
    a_late_account_that_cannot_be_disabled_is_tried_again_and_told
    a_run_that_goes_on_finds_its_own_late_account
}

/// What happens to the name while the create is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Happens {
    /// An administrator makes the same name.
    Administrator,
    /// The create takes effect.
    Landing,
    /// She leaves.
    Leaver,
    /// An operator gives the joiner up.
    GivenUp,
}

use Happens::{Administrator, GivenUp, Landing, Leaver};

/// A joiner all of whose creates are lost, and take effect after so long; it waits for an operator.
async fn lost(stage: &Stage, seconds: u32) -> String {
    let workflow = stage.approved().await;
    stage.simulator.vault.add_fault(Fault::on("POST", "/Users", 4, Effect::Late(seconds)));
    assert_eq!(stage.rest(&workflow).await, "needs_attention", "{}", stage.reason(&workflow).await);
    assert!(stage.reason(&workflow).await.contains("tried 4 times"), "{}", stage.reason(&workflow).await);
    assert_eq!(stage.simulator.vault.user("zobrien"), None, "nothing has landed yet");
    workflow
}

fn alarms(trail: &[Value], about: &str) -> usize {
    let is_alarm = |event: &&Value| event["kind"] == "alarm.raised";
    let says = |event: &&Value| event["personal"]["because"].as_str().unwrap().contains(about);
    trail.iter().filter(is_alarm).filter(says).count()
}

/// So long the name is watched, and longer: in steps, as time goes.
async fn watched_to_the_end(stage: &Stage) {
    for _ in 0..60 {
        stage.later(TimeDelta::seconds(20)).await;
    }
    assert_eq!(stage.count("select count(*) from watched_names").await, 0, "the watch has an end");
}

async fn whatever_comes_first_no_stranger_is_touched_and_nobody_is_left_enabled(stage: Stage) {
    let orders = [
        [Administrator, Landing, Leaver, GivenUp],
        [Administrator, Leaver, Landing, GivenUp],
        [Leaver, Administrator, Landing, GivenUp],
        [Landing, Administrator, Leaver, GivenUp],
        [Leaver, Landing, Administrator, GivenUp],
        [GivenUp, Leaver, Landing, Administrator],
        [GivenUp, Administrator, Landing, Leaver],
        [GivenUp, Landing, Administrator, Leaver],
    ];
    for order in orders {
        let stage = stage.another().await;
        let joiner = lost(&stage, 120).await;
        let (mut admins, mut left) = (None, false);
        for happens in order {
            match happens {
                Administrator => {
                    admins = stage.simulator.vault.add_user(&json!({ "username": "zobrien" })).ok();
                }
                Landing => stage.clock.advance(TimeDelta::seconds(130)),
                Leaver => {
                    let answer = stage.told("leaver", "LEAVE-1", json!({})).await;
                    assert_eq!(answer.status, 202, "{}", answer.body);
                    left = true;
                }
                // The leaver took its place, so that there is nothing to give up any more.
                GivenUp if left => assert_eq!(stage.state(&joiner).await, "superseded", "{order:?}"),
                GivenUp => assert_eq!(stage.take(&joiner, Exit::GiveUp).await.unwrap(), "failed"),
            }
            stage.settle().await;
        }
        watched_to_the_end(&stage).await;
        let user = stage.zobrien();
        assert_eq!(user["groupsMembership"], json!([]), "{order:?}");
        let journal = stage.simulator.vault.journal();
        if let Some(stranger) = admins {
            assert_eq!((&user["id"], &user["enableUser"]), (&json!(stranger), &json!(true)), "{order:?}");
            assert!(journal.is_empty(), "{order:?}: {journal:?}");
            assert_eq!(alarms(&stage.trail(&joiner).await, "took effect late"), 0, "{order:?}");
        } else {
            assert_eq!(user["enableUser"], json!(false), "{order:?}");
            assert_eq!(stage.writes(), ["create_user", "disable_user"], "{order:?}");
            assert_eq!(alarms(&stage.trail(&joiner).await, "is disabled"), 1, "{order:?}");
        }
        stage.check_proof(&[joiner]).await;
    }
}

async fn in_each_dialect_the_late_account_is_disabled_and_the_trail_tells_it(stage: Stage) {
    for dialect in [Dialect::Product, Dialect::GuideAuto, Dialect::GuidePinned] {
        let choices = Choices { dialect, ..Choices::default() };
        let stage = Stage::with(stage.database.another(), choices).await;
        let joiner = lost(&stage, 40).await;
        assert_eq!(stage.take(&joiner, Exit::GiveUp).await.unwrap(), "failed");
        watched_to_the_end(&stage).await;
        let user = stage.zobrien();
        assert_eq!(user["enableUser"], json!(false), "{dialect:?}");
        let written = if dialect == Dialect::Product { "disable_user" } else { "update_user" };
        assert_eq!(stage.writes(), ["create_user", written], "{dialect:?}");
        let trail = stage.trail(&joiner).await;
        let of_kind = |kind: &str| trail.iter().filter(|event| event["kind"] == kind).collect::<Vec<_>>();
        let (intents, outcomes) = (of_kind("late_account.found"), of_kind("late_account.tried"));
        // Where the vault does not know the call, the record is written in a second try.
        let tries = if dialect == Dialect::GuideAuto { 2 } else { 1 };
        assert_eq!((intents.len(), outcomes.len()), (tries, tries), "{dialect:?}");
        assert_eq!(intents[tries - 1]["facts"]["user_id"], user["id"]);
        assert_eq!(outcomes[tries - 1]["facts"]["outcome"], json!("done"));
        assert_eq!(alarms(&trail, "took effect late"), 1, "{dialect:?}");
        let mails = stage.simulator.mailbox.mails_to("pam-team@example.com");
        assert!(
            mails.iter().any(|mail| mail.text.as_ref().is_some_and(|text| text.contains("took effect late")))
        );
        let page = stage.open(&format!("{}/workflows/{joiner}", stage.url)).await.body;
        for words in [
            "the create call got no answer at ",
            "no user of that name is there; the name stays watched until ",
            "which carries our mark, came up when its run had stopped; disabling it is begun.",
            "is disabled, and its record shows it",
        ] {
            assert!(page.contains(words), "{dialect:?}: {words} is missing in {page}");
        }
        stage.check_proof(&[joiner]).await;
    }
}

async fn a_leaver_waits_for_the_account_that_may_still_come_up(stage: Stage) {
    for lands in ["in time", "never"] {
        let stage = stage.another().await;
        let joiner = lost(&stage, if lands == "never" { 86_400 } else { 100 }).await;
        let leaver = stage.leaves("LEAVE-1", json!({})).await;
        assert_eq!(stage.state(&leaver).await, "planning", "{}", stage.reason(&leaver).await);
        stage.later(TimeDelta::seconds(50)).await;
        assert_eq!(stage.state(&leaver).await, "planning", "{}", stage.reason(&leaver).await);
        let trail = stage.trail(&leaver).await;
        let told = trail.iter().filter(|event| event["kind"] == "late_account.awaited").collect::<Vec<_>>();
        assert_eq!((told.len(), &told[0]["facts"]["run"]), (1, &json!(joiner)));
        watched_to_the_end(&stage).await;
        if lands == "never" {
            assert_eq!(stage.state(&leaver).await, "needs_attention");
            assert!(stage.reason(&leaver).await.contains("has no user zobrien"));
            continue;
        }
        assert_eq!(stage.state(&leaver).await, "pending_approval", "{}", stage.reason(&leaver).await);
        assert_eq!(stage.zobrien()["enableUser"], json!(false), "nobody was asked for that");
        stage.both_approve().await;
        assert_eq!(stage.rest(&leaver).await, "succeeded", "{}", stage.reason(&leaver).await);
        assert_eq!(stage.writes(), ["create_user", "disable_user"]);
        stage.check_proof(&[joiner, leaver]).await;
    }
}

async fn where_no_mark_is_kept_nothing_is_touched_and_a_person_is_told(stage: Stage) {
    let choices = Choices { keeps_description: false, ..Choices::default() };
    let stage = Stage::with(stage.database.another(), choices).await;
    let joiner = lost(&stage, 60).await;
    assert_eq!(stage.take(&joiner, Exit::GiveUp).await.unwrap(), "failed");
    watched_to_the_end(&stage).await;
    assert_eq!(stage.writes(), ["create_user"]);
    assert_eq!(alarms(&stage.trail(&joiner).await, "only a person can say whether it made that account"), 1);
}

async fn a_late_account_that_cannot_be_disabled_is_tried_again_and_told(stage: Stage) {
    for strikes in [2, u64::MAX] {
        let stage = stage.another().await;
        let joiner = lost(&stage, 40).await;
        assert_eq!(stage.take(&joiner, Exit::GiveUp).await.unwrap(), "failed");
        stage.simulator.vault.add_fault(Fault::on("POST", "/disable", strikes, Effect::Html503));
        watched_to_the_end(&stage).await;
        let trail = stage.trail(&joiner).await;
        assert_eq!(alarms(&trail, "it is not disabled yet and is tried again"), 1, "{trail:#?}");
        let tries = trail.iter().filter(|event| event["kind"] == "late_account.found").count();
        if strikes == 2 {
            assert_eq!((tries, &stage.zobrien()["enableUser"]), (3, &json!(false)));
            assert_eq!(alarms(&trail, "is disabled"), 1);
        } else {
            assert_eq!((tries, &stage.zobrien()["enableUser"]), (4, &json!(true)));
            assert_eq!(alarms(&trail, "disable it in the vault by hand"), 1);
        }
    }
}

async fn a_run_that_goes_on_finds_its_own_late_account(stage: Stage) {
    let joiner = lost(&stage, 30).await;
    // An operator sends it on before anybody looks.
    stage.take(&joiner, Exit::Retry).await.unwrap();
    stage.clock.advance(TimeDelta::seconds(31));
    assert_eq!(stage.rest(&joiner).await, "succeeded", "{}", stage.reason(&joiner).await);
    assert_eq!(stage.zobrien()["enableUser"], json!(true));
    let page = stage.open(&format!("{}/workflows/{joiner}", stage.url)).await.body;
    let id = stage.zobrien()["id"].clone();
    let words = format!("found id {id} with our mark; adopted; no second user made.");
    assert!(page.contains("the create call got no answer at ") && page.contains(&words), "{page}");
    watched_to_the_end(&stage).await;
    stage.check(&joiner).await;
}
