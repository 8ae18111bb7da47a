//! A link that was opened today and is used tomorrow: what has changed in between decides what it may still do.
//!
//! Must hold: what voids a plan is found before a yes is recorded and again before the first write; what does not void
//! it changes nothing. (Line 9 of the approval checklist: still pending, not expired, digest unchanged; and line 8.)

use chrono::TimeDelta;
use countersign::simulator::faults::{Effect, Fault, Moment};
use serde_json::json;

use crate::stage::{Stage, Whole};

told_on_both! {
    nobody_decides_and_the_request_expires
    a_group_made_anew_is_planned_again_and_approved_under_a_new_link
    a_group_that_became_another_stops_the_yes
    a_user_type_that_is_gone_stops_the_yes
    what_does_not_matter_does_not_stop_the_yes
    a_user_name_taken_meanwhile_is_named_and_stops_the_run_before_any_write
    a_group_made_anew_after_the_approval_voids_it_before_any_write
    after_three_new_plans_an_operator_must_look
    while_the_vault_cannot_be_read_the_digest_decides
}

/// A form as it was shown, kept in a tab until later.
struct Tab {
    link: String,
    digest: String,
    token: String,
}

async fn tab(stage: &Stage, address: &str) -> Tab {
    let link = stage.link(address);
    let (digest, token) = stage.form(&link).await.expect("the page offers a decision");
    Tab { link, digest, token }
}

async fn press(stage: &Stage, tab: &Tab, decision: &str) -> Whole {
    let fields = [
        ("decision", decision),
        ("comment", "as agreed"),
        ("digest", tab.digest.as_str()),
        ("form_token", tab.token.as_str()),
    ];
    stage.send(&format!("{}/decision", tab.link), Some(&stage.origin()), &fields).await
}

/// The usual joiner, to begin on a later day.
async fn hire_for(stage: &Stage, day: &str) -> String {
    stage.hire_told(|body| body["effective"]["at"] = json!(day)).await
}

async fn nobody_decides_and_the_request_expires(stage: Stage) {
    let workflow = stage.hire_told(|_| ()).await;
    let tab = tab(&stage, "ana@example.com").await;
    // One moment before the end the page still asks.
    stage.clock.advance(TimeDelta::days(7) - TimeDelta::minutes(1));
    assert!(stage.open(&tab.link).await.asks());
    // The end has come, and the sweeper has not: the clock alone closes the door.
    stage.clock.advance(TimeDelta::minutes(1));
    let page = stage.open(&tab.link).await;
    assert!(page.body.contains("The time for an answer ended at") && !page.asks(), "{}", page.body);
    let late = press(&stage, &tab, "approve").await;
    assert_eq!(late.status, 409);
    assert!(late.body.contains("The time for an answer ended at"), "{}", late.body);
    assert!(late.body.contains("Nothing of yours was recorded"), "{}", late.body);
    assert_eq!((stage.decisions().await, stage.state(&workflow).await.as_str()), (0, "pending_approval"));
    stage.settle().await;
    assert_eq!(stage.state(&workflow).await, "expired");
    let page = stage.open(&tab.link).await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("Nobody decided in time. Nothing was changed in the vault."), "{}", page.body);
    let late = press(&stage, &tab, "reject").await;
    assert_eq!((late.status, late.asks(), stage.decisions().await), (409, false, 0));
    assert!(late.body.contains("expired"), "{}", late.body);
    assert!(stage.writes().is_empty());
    // Both who were asked learn that it is over.
    for address in ["ana@example.com", "bo@example.com"] {
        let last = stage.simulator.mailbox.mails_to(address).pop().unwrap();
        assert_eq!(last.subject, "Expired: a new account for Zoë O'Brien");
    }
}

async fn a_group_made_anew_is_planned_again_and_approved_under_a_new_link(stage: Stage) {
    let workflow = stage.hire_told(|_| ()).await;
    let old = tab(&stage, "ana@example.com").await;
    let (before, after) = stage.make_group_anew("Ops-Readers");
    let stopped = press(&stage, &old, "approve").await;
    assert_eq!(stopped.status, 409);
    assert!(stopped.body.contains("The vault has changed"), "{}", stopped.body);
    assert!(stopped.body.contains("the group Ops-Readers"), "{}", stopped.body);
    assert!(stopped.body.contains(&format!("with number {before}")), "{}", stopped.body);
    assert!(stopped.body.contains(&format!("with number {after}")), "{}", stopped.body);
    assert_eq!((stage.decisions().await, stage.state(&workflow).await.as_str()), (0, "planning"));
    // While the new plan is made, the old link is of no use and says so.
    let waiting = stage.open(&old.link).await;
    assert!(waiting.body.contains("being made again") && !waiting.asks(), "{}", waiting.body);
    stage.settle().await;
    assert_eq!(stage.state(&workflow).await, "pending_approval");
    let dead = stage.open(&old.link).await;
    assert_eq!((dead.status, dead.asks()), (200, false));
    assert!(dead.body.contains("This plan was replaced"), "{}", dead.body);
    assert!(dead.body.contains("Plan 2 took its place"), "{}", dead.body);
    assert!(dead.body.contains(&format!("with number {after}")), "{}", dead.body);
    assert_eq!((press(&stage, &old, "approve").await.status, stage.decisions().await), (409, 0));
    // A new mail brings a new link, in the old thread.
    let subjects: Vec<String> =
        stage.simulator.mailbox.mails_to("ana@example.com").into_iter().map(|mail| mail.subject).collect();
    assert_eq!(
        subjects,
        [
            "Your approval is wanted: a new account for Zoë O'Brien",
            "The plan has changed: a new account for Zoë O'Brien",
            "Your approval is wanted: a new account for Zoë O'Brien",
        ]
    );
    let new = tab(&stage, "ana@example.com").await;
    assert!(new.link != old.link && new.digest != old.digest);
    let page = stage.open(&new.link).await;
    assert!(page.body.contains("What is new since plan 1"), "{}", page.body);
    assert!(page.body.contains(&format!("with number {before}")), "{}", page.body);
    // The answer to the old plan does not pass for one to the new.
    let mixed = Tab { link: new.link.clone(), ..old };
    assert_eq!((press(&stage, &mixed, "approve").await.status, stage.decisions().await), (409, 0));
    assert_eq!(press(&stage, &new, "approve").await.status, 303);
    stage.settle().await;
    assert_eq!(stage.state(&workflow).await, "succeeded");
    let user = stage.simulator.vault.user("zobrien").unwrap();
    let groups = user["groupsMembership"].as_array().unwrap();
    assert!(groups.iter().any(|group| group["groupID"] == after), "{groups:?}");
}

async fn a_group_that_became_another_stops_the_yes(stage: Stage) {
    let vault = &stage.simulator.vault;
    let renamed = |name: &str| json!({ "groupName": name });
    for (round, now) in
        ["no group of that name", "directory group", "no group of that name"].iter().enumerate()
    {
        let id = stage.group_id("Ops-Readers");
        let workflow = stage.hire_another(round).await;
        let tab = tab(&stage, "ana@example.com").await;
        match round {
            0 => vault.patch_group(id, &renamed("Ops-Readers-Old")).unwrap(),
            1 => vault.patch_group(id, &json!({ "groupType": "Directory" })).unwrap(),
            _ => vault.remove_group(id).unwrap(),
        }
        let stopped = press(&stage, &tab, "approve").await;
        assert_eq!(stopped.status, 409, "round {round}: {}", stopped.body);
        assert!(stopped.body.contains("the group Ops-Readers"), "{}", stopped.body);
        assert!(stopped.body.contains(now), "round {round}: {}", stopped.body);
        assert_eq!((stage.decisions().await, stage.state(&workflow).await.as_str()), (0, "planning"));
        match round {
            0 => vault.patch_group(id, &renamed("Ops-Readers")).unwrap(),
            1 => vault.patch_group(id, &json!({ "groupType": "Vault" })).unwrap(),
            _ => drop(vault.add_group("Ops-Readers").unwrap()),
        }
    }
    assert!(stage.writes().is_empty());
}

async fn a_user_type_that_is_gone_stops_the_yes(stage: Stage) {
    let workflow = stage.hire_told(|_| ()).await;
    let tab = tab(&stage, "ana@example.com").await;
    stage.simulator.vault.configure(|options| options.user_types.retain(|kind| kind.name != "EPVUser"));
    let stopped = press(&stage, &tab, "approve").await;
    assert_eq!(stopped.status, 409);
    assert!(stopped.body.contains("the user type EPVUser"), "{}", stopped.body);
    assert_eq!((stage.decisions().await, stage.state(&workflow).await.as_str()), (0, "planning"));
    // A plan for a type that cannot be had is not made: an operator is called.
    stage.settle().await;
    assert_eq!(stage.state(&workflow).await, "needs_attention");
}

async fn what_does_not_matter_does_not_stop_the_yes(stage: Stage) {
    let workflow = stage.hire_told(|_| ()).await;
    let tab = tab(&stage, "ana@example.com").await;
    let vault = &stage.simulator.vault;
    let other = vault.id_of("mkeller").unwrap();
    vault.put_member(stage.group_id("Ops-Readers"), other).unwrap();
    vault.patch_user(other, &json!({ "phones": { "businessNumber": "+49 30 123" } })).unwrap();
    vault.add_group("Quite-Another").unwrap();
    vault.add_user(&json!({ "username": "zobrien3" })).unwrap();
    assert_eq!(press(&stage, &tab, "approve").await.status, 303);
    stage.settle().await;
    assert_eq!(stage.state(&workflow).await, "succeeded");
}

async fn a_user_name_taken_meanwhile_is_named_and_stops_the_run_before_any_write(stage: Stage) {
    let workflow = stage.hire_told(|_| ()).await;
    let tab = tab(&stage, "ana@example.com").await;
    let stranger = stage.simulator.vault.add_user(&json!({ "username": "ZOBrien" })).unwrap();
    assert_eq!(press(&stage, &tab, "approve").await.status, 303);
    let page = stage.open(&tab.link).await;
    let named = format!("taken, by the user with number {stranger}");
    assert!(page.body.contains(&named), "the page names the drift: {}", page.body);
    stage.settle().await;
    assert_eq!(stage.state(&workflow).await, "needs_attention");
    let told = stage.api(&format!("/{workflow}")).await;
    assert_eq!(
        (told["steps"][0]["step"].as_str(), told["steps"][0]["state"].as_str()),
        (Some("find_user"), Some("failed"))
    );
    assert!(told["steps"].as_array().unwrap()[1..].iter().all(|step| step["state"] == "waiting"), "{told}");
    assert!(stage.writes().is_empty(), "{:?}", stage.writes());
    let audit = stage.api(&format!("/{workflow}/audit")).await.to_string();
    assert!(audit.contains("named_drift") && audit.contains(&named), "{audit}");
}

async fn a_group_made_anew_after_the_approval_voids_it_before_any_write(stage: Stage) {
    let workflow = hire_for(&stage, "2026-12-04").await;
    let tab = tab(&stage, "ana@example.com").await;
    assert_eq!(press(&stage, &tab, "approve").await.status, 303);
    stage.settle().await;
    assert_eq!(stage.state(&workflow).await, "approved");
    let (before, after) = stage.make_group_anew("Linux Admins");
    stage.later(TimeDelta::days(3)).await;
    assert!(stage.writes().is_empty(), "{:?}", stage.writes());
    let told = stage.api(&format!("/{workflow}")).await;
    assert_eq!((told["state"].as_str(), told["plan_number"].as_i64()), (Some("pending_approval"), Some(2)));
    // The old link is dead and says why; the new one shows what is new.
    let page = stage.open(&tab.link).await;
    assert!(!page.asks() && page.body.contains("This plan was replaced"), "{}", page.body);
    assert!(page.body.contains("Linux Admins") && page.body.contains(&after.to_string()), "{}", page.body);
    let link = stage.link("ana@example.com");
    assert_ne!(link, tab.link);
    let page = stage.open(&link).await;
    assert!(page.asks() && page.body.contains("What is new since plan 1"), "{}", page.body);
    assert!(page.body.contains(&before.to_string()) && page.body.contains(&after.to_string()));
    assert_eq!(stage.decide(&link, "approve", "").await.status, 303);
    stage.settle().await;
    assert_eq!(stage.state(&workflow).await, "succeeded");
    stage.check(&workflow).await;
}

async fn after_three_new_plans_an_operator_must_look(stage: Stage) {
    let workflow = stage.hire_told(|_| ()).await;
    for plan in 2..=4 {
        let tab = tab(&stage, "ana@example.com").await;
        stage.make_group_anew("Ops-Readers");
        assert_eq!(press(&stage, &tab, "approve").await.status, 409);
        stage.settle().await;
        let told = stage.api(&format!("/{workflow}")).await;
        assert_eq!(
            (told["state"].as_str(), told["plan_number"].as_i64()),
            (Some("pending_approval"), Some(plan))
        );
    }
    let tab = tab(&stage, "ana@example.com").await;
    stage.make_group_anew("Ops-Readers");
    let stopped = press(&stage, &tab, "approve").await;
    assert_eq!(stopped.status, 409);
    assert!(stopped.body.contains("an operator looks at it first"), "{}", stopped.body);
    stage.settle().await;
    assert_eq!((stage.state(&workflow).await.as_str(), stage.decisions().await), ("needs_attention", 0));
    assert!(!stage.simulator.mailbox.mails_to("pam-team@example.com").is_empty());
    assert!(stage.writes().is_empty());
}

async fn while_the_vault_cannot_be_read_the_digest_decides(stage: Stage) {
    let workflow = hire_for(&stage, "2026-12-04").await;
    let tab = tab(&stage, "ana@example.com").await;
    let down = Effect::Status { status: 503, body: None, retry_after: None, moment: Moment::Before };
    stage.simulator.vault.add_fault(Fault::on("GET", "/API/", 1_000, down));
    // The wrong digest does not count, whatever the vault says.
    let forged = Tab { digest: "0".repeat(64), link: tab.link.clone(), token: tab.token.clone() };
    assert_eq!((press(&stage, &forged, "approve").await.status, stage.decisions().await), (409, 0));
    assert_eq!(press(&stage, &tab, "approve").await.status, 303);
    assert_eq!((stage.state(&workflow).await.as_str(), stage.decisions().await), ("approved", 1));
    let audit = stage.api(&format!("/{workflow}/audit")).await.to_string();
    assert!(audit.contains("not readable in time"), "{audit}");
    // Before the first write the vault must be read after all.
    stage.later(TimeDelta::days(3)).await;
    assert_eq!((stage.state(&workflow).await.as_str(), stage.writes().len()), ("approved", 0));
    stage.simulator.vault.clear_faults();
    stage.later(TimeDelta::hours(1)).await;
    assert_eq!(stage.state(&workflow).await, "succeeded");
}
