//! Somebody who has accounts in two vaults leaves both: one workflow for each, and each says nothing about the other.

use chrono::TimeDelta;
use countersign::simulator::Simulator;
use countersign::simulator::faults::{Effect, Fault};
use countersign::simulator::hr::Leaver;
use serde_json::{Value, json};

use crate::stage::{Choices, SecondVault, Stage};

told_on_both! {
    with super::two_vaults();
    who_is_found_in_both_vaults_leaves_both
    who_is_known_in_both_leaves_both_and_counts_once
    who_is_known_in_one_is_asked_about_in_the_other
    a_vault_that_is_away_holds_up_nobody_but_its_own_part
    somebody_elses_account_of_the_same_name_stays
    a_joiner_for_another_vault_does_not_outlive_the_leaver
    nor_one_whose_old_account_was_gone_already
}

const BOTH: [&str; 2] = ["ana@example.com", "bo@example.com"];

fn two_vaults() -> Choices {
    Choices { second: SecondVault::Yes, ..Choices::default() }
}

fn onprem(stage: &Stage) -> &Simulator {
    stage.onprem.as_ref().expect("the story has a second vault")
}

fn enabled(vault: &Simulator, name: &str) -> bool {
    vault.vault.user(name).unwrap()["enableUser"] == true
}

fn add(vault: &Simulator, name: &str) -> i64 {
    vault.vault.add_user(&json!({ "username": name, "enableUser": true })).unwrap()
}

/// The parts of a request: target, state and id of each.
async fn parts(stage: &Stage, workflow: &str) -> Vec<(String, String, String)> {
    let shown = stage.api(&format!("/{workflow}")).await;
    let text = |part: &Value, name: &str| part[name].as_str().unwrap_or_default().to_owned();
    let parts = shown["parts"].as_array().unwrap();
    parts.iter().map(|part| (text(part, "target"), text(part, "state"), text(part, "id"))).collect()
}

/// The links of a person whose pages still ask something.
async fn open_links(stage: &Stage, who: &str) -> Vec<String> {
    let mut open = vec![];
    for link in stage.simulator.mailbox.links_for(who) {
        let link = stage.moved(&link);
        if stage.open(&link).await.asks() && !open.contains(&link) {
            open.push(link);
        }
    }
    open
}

/// Everybody says yes to everything that is asked.
async fn all_approve(stage: &Stage) {
    for who in BOTH {
        for link in open_links(stage, who).await {
            assert_eq!(stage.decide(&link, "approve", "").await.status, 303);
        }
    }
}

async fn who_is_found_in_both_vaults_leaves_both(stage: Stage) {
    stage.somebody();
    add(onprem(&stage), "zobrien");
    let first = stage.leaves("LEAVE-1", json!({})).await;
    let told = parts(&stage, &first).await;
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(
        (told[0].0.as_str(), told[0].2.as_str(), told[1].0.as_str()),
        ("vault", first.as_str(), "onprem")
    );
    let part = told[1].2.clone();
    assert_eq!(parts(&stage, &part).await, told, "each of them shows the whole");
    let shown = stage.api(&format!("/{part}")).await;
    assert_eq!((&shown["part_of"], &shown["source_ref"]), (&json!(first), &json!("LEAVE-1/onprem")));
    // The clock of each began when the request came in, and not when it was found where else she has an account.
    for (question, count) in
        [("count(*)", 2), ("count(distinct received_at)", 1), ("count(distinct starts_at)", 1)]
    {
        assert_eq!(stage.count(&format!("select {question} from leaver_clocks")).await, count, "{question}");
    }

    // The receipt of a repeat names the first, and no sender's reference is that of a part.
    let again = stage.told("leaver", "LEAVE-1", json!({})).await;
    assert_eq!((again.status, again.workflow()), (200, first.clone()));
    assert_eq!(stage.told("leaver", "LEAVE-1/onprem", json!({})).await.status, 422);

    // Each has its own approval; mail and page say that there is another one.
    let links = open_links(&stage, "ana@example.com").await;
    assert_eq!(links.len(), 2);
    for (link, own, other) in [(&links[0], "vault", "onprem"), (&links[1], "onprem", "vault")] {
        let page = stage.get(link).await.body;
        assert!(
            page.contains(&format!("this one is about {own}; also in: {other} (waiting for approval)")),
            "{page}"
        );
    }
    let mails = stage.simulator.mailbox.mails_to("ana@example.com");
    let text = mails.iter().filter_map(|mail| mail.text.clone()).collect::<String>().replace('\n', " ");
    assert!(text.contains("in vault (part of one request; also in: onprem)"), "{text}");
    let console = stage.get(&format!("{}/workflows/{part}", stage.url)).await.body;
    assert!(console.contains("Other parts of the same request") && console.contains(&first), "{console}");

    // One of them is decided and done, which says nothing about the other.
    for who in BOTH {
        let link = open_links(&stage, who).await.remove(0);
        assert_eq!(stage.decide(&link, "approve", "").await.status, 303);
    }
    assert_eq!(stage.rest(&first).await, "succeeded", "{}", stage.reason(&first).await);
    assert_eq!(
        (stage.zobrien()["enableUser"].clone(), enabled(onprem(&stage), "zobrien")),
        (json!(false), true)
    );
    assert_eq!(parts(&stage, &first).await[1].1, "pending_approval");
    all_approve(&stage).await;
    assert_eq!(stage.rest(&part).await, "succeeded", "{}", stage.reason(&part).await);
    assert!(!enabled(onprem(&stage), "zobrien"));
    let trail = stage.trail(&first).await;
    let spread: Vec<_> = trail.iter().filter(|event| event["kind"] == "workflow.spread").collect();
    assert_eq!(spread.len(), 1);
    assert_eq!(spread[0]["facts"]["further"], json!(["onprem"]));
    stage.check_proof(&[first, part]).await;
}

/// The same stage, where nobody is asked about two leavers an hour.
async fn asking_nobody(mut stage: Stage) -> Stage {
    let edits = [
        (
            "[[rules]]\nname = \"joiners\"",
            "[[rules]]\nname = \"leavers\"\nkinds = [\"leaver\"]\napproval = \"none\"\n[[rules]]\nname = \"joiners\"",
        ),
        ("[[sources]]\nname = \"hr\"", "[[sources]]\nname = \"hr\"\nunapproved_leavers_per_hour = 2"),
    ];
    stage.choices.edits.extend(edits.map(|(this, by)| (this.to_owned(), by.to_owned())));
    stage.restart().await
}

/// Links somebody's accounts of this name in both vaults, and leaves them enabled.
async fn known_in_both(stage: &Stage, number: usize) -> String {
    let name = format!("known{number}");
    let ids = [&stage.simulator, onprem(stage)].map(|vault| (vault, add(vault, &name)));
    let parts = json!({ "person_ref": format!("K{number}"), "subject": { "username": name } });
    let first = stage.leaves(&format!("LINK-{number}"), parts).await;
    all_approve(stage).await;
    for (_, _, part) in self::parts(stage, &first).await {
        assert_eq!(stage.rest(&part).await, "succeeded", "{}", stage.reason(&part).await);
    }
    for (vault, id) in ids {
        vault.vault.patch_user(id, &json!({ "enableUser": true })).unwrap();
    }
    name
}

async fn leaves_again(stage: &Stage, number: usize) -> String {
    let mut leaver = Leaver::example(&format!("LEAVE-{number}"), &format!("K{number}"), "2026-11-30");
    leaver.username = None;
    let answer = stage.post(&format!("msg_{}", leaver.source_ref), &leaver.bytes()).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    stage.settle().await;
    answer.workflow()
}

async fn who_is_known_in_both_leaves_both_and_counts_once(stage: Stage) {
    let mut names = vec![];
    for number in 1..=3 {
        names.push(known_in_both(&stage, number).await);
    }
    let stage = asking_nobody(stage).await;
    stage.clock.advance(TimeDelta::hours(2));
    let mut firsts = vec![];
    for number in 1..=3 {
        firsts.push(leaves_again(&stage, number).await);
    }
    // Two people go, with both of their accounts; both parts of the third are held.
    for (first, name) in firsts.iter().zip(&names).take(2) {
        for (_, _, part) in parts(&stage, first).await {
            assert_eq!(stage.rest(&part).await, "succeeded", "{}", stage.reason(&part).await);
        }
        assert!(!enabled(&stage.simulator, name) && !enabled(onprem(&stage), name));
    }
    let third = parts(&stage, &firsts[2]).await;
    assert_eq!(third.len(), 2);
    for (_, state, part) in &third {
        assert_eq!(state, "needs_attention");
        assert!(stage.reason(part).await.contains("held in batch"), "{}", stage.reason(part).await);
    }
    assert!(enabled(&stage.simulator, &names[2]) && enabled(onprem(&stage), &names[2]));
}

async fn who_is_known_in_one_is_asked_about_in_the_other(stage: Stage) {
    let hired = stage.hire_and_approve().await;
    assert_eq!(stage.rest(&hired).await, "succeeded", "{}", stage.reason(&hired).await);
    add(onprem(&stage), "zobrien");
    let stage = asking_nobody(stage).await;
    let leaver = stage.told("leaver", "LEAVE-1", json!({ "subject": {} })).await;
    assert_eq!(leaver.status, 202, "{}", leaver.body);
    let first = leaver.workflow();
    // Where it is known to be hers it goes at once; a match of the name alone is never unapproved.
    assert_eq!(stage.rest(&first).await, "succeeded", "{}", stage.reason(&first).await);
    assert_eq!(stage.zobrien()["enableUser"], false);
    let told = parts(&stage, &first).await;
    assert_eq!((told[0].0.as_str(), told[1].0.as_str()), ("vault", "onprem"));
    assert_eq!(told[1].1, "pending_approval");
    let page = stage.get(&open_links(&stage, "ana@example.com").await[0]).await.body;
    assert!(
        page.contains("This link is new") && page.contains("also in: vault (done and verified)"),
        "{page}"
    );
    assert!(enabled(onprem(&stage), "zobrien"));
    all_approve(&stage).await;
    assert_eq!(stage.rest(&told[1].2).await, "succeeded", "{}", stage.reason(&told[1].2).await);
    assert!(!enabled(onprem(&stage), "zobrien"));
}

async fn a_vault_that_is_away_holds_up_nobody_but_its_own_part(stage: Stage) {
    stage.somebody();
    add(onprem(&stage), "zobrien");
    let away = || Fault::on("GET", "/API/Users", u64::MAX, Effect::Html503);
    onprem(&stage).vault.add_fault(away());
    let first = stage.leaves("LEAVE-1", json!({})).await;
    let told = parts(&stage, &first).await;
    assert_eq!((told[1].0.as_str(), told[1].1.as_str()), ("onprem", "planning"), "{told:?}");
    all_approve(&stage).await;
    assert_eq!(stage.state(&first).await, "approved");
    stage.settle().await;
    assert_eq!(stage.state(&first).await, "succeeded", "{}", stage.reason(&first).await);
    assert_eq!(stage.zobrien()["enableUser"], false);
    let part = told[1].2.clone();
    assert_eq!(stage.state(&part).await, "planning");
    // It comes back, and the part goes on by itself.
    onprem(&stage).vault.clear_faults();
    stage.pass(TimeDelta::hours(1)).await;
    assert_eq!(stage.state(&part).await, "pending_approval", "{}", stage.reason(&part).await);
    all_approve(&stage).await;
    assert_eq!(stage.rest(&part).await, "succeeded", "{}", stage.reason(&part).await);
    assert!(!enabled(onprem(&stage), "zobrien"));

    // Where it turns out that there was no account, there is nothing to end.
    onprem(&stage).vault.add_fault(away());
    stage.simulator.vault.add_user(&json!({ "username": "only1" })).unwrap();
    let only = json!({ "person_ref": "E2", "subject": { "username": "only1" } });
    let only = stage.leaves("LEAVE-2", only).await;
    let part = parts(&stage, &only).await[1].2.clone();
    assert_eq!(stage.state(&part).await, "planning");
    onprem(&stage).vault.clear_faults();
    // Less than what leads an undecided leaver to the operators.
    stage.pass(TimeDelta::minutes(50)).await;
    assert_eq!(stage.state(&part).await, "succeeded", "{}", stage.reason(&part).await);
    let ended = stage.trail(&part).await.pop().unwrap();
    assert_eq!(ended["personal"]["because"], "onprem has no user only1");
    assert_eq!(stage.state(&only).await, "pending_approval");
    stage.check_proof(&[first, only, part]).await;
}

async fn somebody_elses_account_of_the_same_name_stays(stage: Stage) {
    stage.somebody();
    add(onprem(&stage), "zobrien");
    // The one in the second vault is known to be another person's.
    let other = json!({ "person_ref": "E2" });
    stage.simulator.vault.add_fault(Fault::on("GET", "/API/Users", 1, Effect::Html503));
    let both = stage.leaves("LINK-1", other).await;
    let of_onprem = parts(&stage, &both).await.into_iter().find(|part| part.0 == "onprem").unwrap();
    for who in BOTH {
        for link in open_links(&stage, who).await {
            let about = stage.get(&link).await.body;
            let verdict = if about.contains("this one is about onprem") { "approve" } else { "reject" };
            stage.decide(&link, verdict, "not hers").await;
        }
    }
    assert_eq!(stage.rest(&of_onprem.2).await, "succeeded", "{}", stage.reason(&of_onprem.2).await);
    let leaver = stage.leaves("LEAVE-1", json!({})).await;
    assert!(parts(&stage, &leaver).await.is_empty(), "{:?}", parts(&stage, &leaver).await);
    assert_eq!(stage.api(&format!("/{leaver}")).await["target"], "vault");
}

/// Approved for one vault before she left; she had an account in the other one only.
async fn a_joiner_for_another_vault_does_not_outlive_the_leaver(stage: Stage) {
    add(onprem(&stage), "zoe.old");
    let mut joiner = stage.joiner();
    "2026-12-03".clone_into(&mut joiner.effective_at);
    let joiner = stage.approved_as(&joiner).await;
    assert_eq!(stage.state(&joiner).await, "approved");
    let leaver = stage.leaves("LEAVE-1", json!({ "subject": { "username": "zoe.old" } })).await;
    assert_eq!(stage.api(&format!("/{leaver}")).await["target"], "onprem");
    all_approve(&stage).await;
    assert_eq!(stage.rest(&leaver).await, "succeeded", "{}", stage.reason(&leaver).await);
    assert_eq!(stage.rest(&joiner).await, "superseded");
    assert_eq!(stage.api(&format!("/{joiner}")).await["superseded_by"], json!(leaver));
    stage.later(TimeDelta::days(4)).await;
    assert!(stage.writes().is_empty());
}

/// The same, but somebody has deleted the account in the other vault before she left once more.
async fn nor_one_whose_old_account_was_gone_already(stage: Stage) {
    let old = add(onprem(&stage), "zoe.old");
    let first = stage.leaves("LEAVE-1", json!({ "subject": { "username": "zoe.old" } })).await;
    all_approve(&stage).await;
    assert_eq!(stage.rest(&first).await, "succeeded", "{}", stage.reason(&first).await);
    let mut joiner = stage.joiner();
    "2026-12-03".clone_into(&mut joiner.effective_at);
    let joiner = stage.approved_as(&joiner).await;
    onprem(&stage).vault.remove_user(old).unwrap();
    let leaver = stage.leaves("LEAVE-2", json!({ "subject": {} })).await;
    assert_eq!(stage.state(&leaver).await, "succeeded", "{}", stage.reason(&leaver).await);
    assert_eq!(stage.rest(&joiner).await, "superseded");
    assert_eq!(stage.api(&format!("/{joiner}")).await["superseded_by"], json!(leaver));
    stage.later(TimeDelta::days(4)).await;
    assert!(stage.writes().is_empty());
}
