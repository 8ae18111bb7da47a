//! Between approval and run the vault changes: what matters voids the approval, the rest does not.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::stage::{FOREIGN, FORMER, Stage};

told_of_both_products! {
    what_does_not_matter_does_not_stop_a_mover
    what_matters_voids_a_movers_approval
    a_leaver_goes_on_whatever_is_added_to_her
    whoever_came_into_a_directory_is_planned_anew
    an_account_that_was_made_anew_is_planned_anew
    an_account_of_somebody_known_that_was_made_anew_goes_to_a_person
    after_three_new_plans_before_the_run_an_operator_must_look
}

/// Approved for the day after tomorrow; nothing is carried out yet.
async fn approved(stage: &Stage, kind: &str) -> String {
    let parts = json!({
        "effective": { "at": "2026-12-03", "tz": "Europe/Berlin", "boundary": "start_of_day" },
        "employment": { "department": "IT Ops", "title": "Team Lead" },
    });
    let answer = stage.told(kind, "CHANGE-1", parts).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    stage.settle().await;
    stage.both_approve().await;
    stage.settle().await;
    assert_eq!(stage.state(&answer.workflow()).await, "approved");
    answer.workflow()
}

/// The day comes; answers the state in which the workflow rests.
async fn the_day_comes(stage: &Stage, workflow: &str) -> String {
    stage.clock.advance(TimeDelta::days(2));
    stage.rest(workflow).await
}

/// The approval is void: nothing was written, the old link is dead and says why, the new one shows what is new.
async fn voided(stage: &Stage, workflow: &str, link: &str, because: &str) {
    assert!(stage.writes().is_empty(), "{:?}", stage.writes());
    let told = stage.api(&format!("/{workflow}")).await;
    assert_eq!(told["plan_number"], 2);
    let page = stage.get(link).await.body;
    assert!(page.contains("This plan was replaced") && page.contains(because), "{page}");
    assert!(!page.contains("<form"), "{page}");
    let page = stage.get(&stage.link("ana@example.com")).await.body;
    assert!(page.contains("What is new since plan 1") && page.contains(because), "{page}");
    // Both who had said yes are asked again, about the new plan.
    for who in ["ana@example.com", "bo@example.com"] {
        assert!(stage.link(who) != link && stage.form(&stage.link(who)).await.is_some(), "{who}");
    }
    stage.check_proof(&[workflow.to_owned()]).await;
}

async fn what_does_not_matter_does_not_stop_a_mover(stage: Stage) {
    let id = stage.somebody();
    let workflow = approved(&stage, "mover").await;
    let changes = json!({ "phones": { "homeNumber": "99" }, "lastSuccessfulLoginDate": 1_764_000_000 });
    stage.simulator.vault.patch_user(id, &changes).unwrap();
    let foreign = stage.simulator.vault.add_group("Newly given").unwrap();
    stage.simulator.vault.put_member(foreign, id).unwrap();
    assert_eq!(the_day_comes(&stage, &workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    assert_eq!(stage.zobrien()["phones"]["homeNumber"], "99");
    assert!(stage.her_groups().contains(&"Newly given".to_owned()));
    assert_eq!(stage.api(&format!("/{workflow}")).await["plan_number"], 1);
}

async fn what_matters_voids_a_movers_approval(stage: Stage) {
    let id = stage.somebody();
    let workflow = approved(&stage, "mover").await;
    let link = stage.link("ana@example.com");
    stage.make_group_anew("Linux Admins");
    stage.simulator.vault.patch_user(id, &json!({ "enableUser": false })).unwrap();
    assert_eq!(the_day_comes(&stage, &workflow).await, "pending_approval");
    voided(&stage, &workflow, &link, "Linux Admins").await;
    let page = stage.get(&stage.link("ana@example.com")).await.body;
    assert!(page.contains("The user is disabled, and it stays disabled"), "{page}");
    stage.both_approve().await;
    assert_eq!(stage.rest(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    assert_eq!(stage.zobrien()["enableUser"], false);
}

async fn a_leaver_goes_on_whatever_is_added_to_her(stage: Stage) {
    let id = stage.somebody();
    let workflow = approved(&stage, "leaver").await;
    let link = stage.link("ana@example.com");
    let late = stage.simulator.vault.add_group("Given too late").unwrap();
    stage.simulator.vault.put_member(late, id).unwrap();
    let (old, _) = stage.make_group_anew(FORMER);
    stage.simulator.vault.patch_user(id, &json!({ "phones": { "homeNumber": "99" } })).unwrap();
    assert_eq!(the_day_comes(&stage, &workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    assert_eq!(stage.her_groups(), [""; 0], "group {old} is gone, and what came late is taken, too");
    assert_eq!(stage.zobrien()["enableUser"], false);
    let trail = stage.trail(&workflow).await;
    let widened = trail.iter().find(|event| event["kind"] == "plan.widened").unwrap();
    assert_eq!(widened["facts"]["because"], "the group Given too late");
    // The link that led to the approved plan shows the one that took its place, and whoever was asked hears the end.
    let page = stage.get(&link).await.body;
    assert!(page.contains("Done and verified") && page.contains("Given too late"), "{page}");
    let done = |mail: &&countersign::simulator::mailbox::Mail| mail.subject.contains("Done");
    assert_eq!(stage.simulator.mailbox.mails_to("ana@example.com").iter().filter(done).count(), 1);
    stage.check(&workflow).await;
}

async fn whoever_came_into_a_directory_is_planned_anew(stage: Stage) {
    for kind in ["mover", "leaver"] {
        let stage = stage.another().await;
        let id = stage.somebody();
        let workflow = approved(&stage, kind).await;
        let link = stage.link("ana@example.com");
        let directory: Value = json!({ "source": "LDAP", "userDN": "CN=zobrien,DC=example,DC=com" });
        stage.simulator.vault.patch_user(id, &directory).unwrap();
        assert_eq!(the_day_comes(&stage, &workflow).await, "pending_approval", "{kind}");
        voided(&stage, &workflow, &link, "in a directory").await;
        // What the vault cannot do any more is not in the new plan.
        let page = stage.get(&stage.link("ana@example.com")).await.body;
        let told = match kind {
            "mover" => "keeps its record",
            _ => "Wait for a person to disable zobrien in its directory",
        };
        assert!(page.contains(told), "{kind}: {page}");
    }
}

/// Nobody knows whose the account is but by its name, which is the same.
async fn an_account_that_was_made_anew_is_planned_anew(stage: Stage) {
    for kind in ["mover", "leaver"] {
        let stage = stage.another().await;
        let id = stage.somebody();
        let workflow = approved(&stage, kind).await;
        let link = stage.link("ana@example.com");
        let anew = stage.make_her_anew(id);
        assert_eq!(the_day_comes(&stage, &workflow).await, "pending_approval", "{kind}");
        voided(&stage, &workflow, &link, &format!("user number {anew}")).await;
        assert!(stage.get(&link).await.body.contains(&format!("user number {id}")), "{kind}");
        let linked = stage.trail(&workflow).await;
        assert!(linked.iter().all(|event| event["kind"] != "person.linked"), "nobody has confirmed it");
        stage.both_approve().await;
        assert_eq!(stage.rest(&workflow).await, "succeeded", "{kind}: {}", stage.reason(&workflow).await);
        assert_eq!(stage.zobrien()["id"], anew);
    }
}

/// The service itself has made the account, so it knows whose it is; the new one is nobody's until a person says so.
async fn an_account_of_somebody_known_that_was_made_anew_goes_to_a_person(stage: Stage) {
    for kind in ["mover", "leaver"] {
        let stage = stage.another().await;
        let hired = stage.hire_and_approve().await;
        assert_eq!(stage.state(&hired).await, "succeeded");
        let id = stage.zobrien()["id"].as_i64().unwrap();
        let (workflow, before) = (approved(&stage, kind).await, stage.writes());
        let link = stage.link("ana@example.com");
        for group in [FORMER, FOREIGN] {
            stage.simulator.vault.add_group(group).unwrap();
        }
        let anew = stage.make_her_anew(id);
        let record = stage.zobrien();
        assert_eq!(the_day_comes(&stage, &workflow).await, "needs_attention", "{kind}");
        let reason = stage.reason(&workflow).await;
        let told = format!("has number {anew} now, but this person is linked to number {id}");
        assert!(reason.contains(&told), "{kind}: {reason}");
        assert_eq!((stage.writes(), stage.zobrien()), (before, record), "{kind}");
        let page = stage.get(&link).await.body;
        assert!(page.contains(&format!("user number {anew}")) && !page.contains("<form"), "{kind}: {page}");
        assert_eq!(stage.calls_for_help(), 1);
        stage.check_proof(&[workflow]).await;
    }
}

async fn after_three_new_plans_before_the_run_an_operator_must_look(stage: Stage) {
    stage.somebody();
    let workflow = approved(&stage, "mover").await;
    stage.clock.advance(TimeDelta::days(2));
    for _ in 0..3 {
        stage.make_group_anew("Linux Admins");
        assert_eq!(stage.rest(&workflow).await, "pending_approval", "{}", stage.reason(&workflow).await);
        stage.both_approve().await;
    }
    stage.make_group_anew("Linux Admins");
    assert_eq!(stage.rest(&workflow).await, "needs_attention");
    assert!(
        stage.reason(&workflow).await.contains("planned again 3 times"),
        "{}",
        stage.reason(&workflow).await
    );
    assert!(stage.writes().is_empty(), "{:?}", stage.writes());
}
