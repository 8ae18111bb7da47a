//! A leaver whose account somebody else has deleted, and leavers that name nobody whom we know.

use chrono::TimeDelta;
use countersign::simulator::faults::{Effect, Fault, Moment};
use countersign::store::operator::Exit;
use serde_json::{Value, json};

use crate::stage::Stage;

told_on_both! {
    an_account_that_is_gone_is_the_end_of_access
    an_account_that_goes_after_the_approval_is_too
    who_vanished_from_the_vault_is_done_when_a_person_says_so
    an_account_that_may_be_out_of_our_sight_is_not_gone
    leavers_that_name_nobody_we_know_are_told_of_together
}

const GONE: &str = "the account is no longer in the vault; nothing to end";

/// The vault shows our own account with what it may do; answers its number.
fn with_our_account(stage: &Stage, rights: &[&str]) -> i64 {
    let own = json!({ "username": "svc-countersign@cyberark.cloud.1234", "vaultAuthorization": rights });
    stage.simulator.vault.add_user(&own).unwrap()
}

/// A first leaver, after which it is known whose account it is.
async fn linked(stage: &Stage) -> i64 {
    let id = stage.somebody();
    let first = stage.leaves("LEAVE-1", json!({ "leaver": { "remove_groups": false } })).await;
    stage.both_approve().await;
    assert_eq!(stage.rest(&first).await, "succeeded", "{}", stage.reason(&first).await);
    id
}

async fn ended(stage: &Stage, workflow: &str) -> Value {
    let trail = stage.trail(workflow).await;
    trail.into_iter().find(|event| event["kind"] == "workflow.succeeded").expect("it has succeeded")
}

async fn an_account_that_is_gone_is_the_end_of_access(stage: Stage) {
    let id = linked(&stage).await;
    with_our_account(&stage, &["AuditUsers"]);
    stage.simulator.vault.remove_user(id).unwrap();
    let (asked, help) = (stage.simulator.mailbox.links_for("ana@example.com").len(), stage.calls_for_help());
    let second = stage.leaves("LEAVE-2", json!({ "subject": {} })).await;
    assert_eq!(stage.state(&second).await, "succeeded", "{}", stage.reason(&second).await);
    assert_eq!(ended(&stage, &second).await["personal"]["because"], GONE);
    let console = stage.get(&format!("{}/workflows/{second}", stage.url)).await.body;
    assert!(console.contains(GONE), "{console}");
    // Nobody is asked and nobody is called.
    assert_eq!(stage.simulator.mailbox.links_for("ana@example.com").len(), asked);
    assert_eq!((stage.calls_for_help(), stage.writes()), (help, vec!["disable_user".to_owned()]));
    // One of the same name under another number may be hers or not.
    stage.simulator.vault.add_user(&json!({ "username": "zobrien" })).unwrap();
    let third = stage.leaves("LEAVE-3", json!({ "subject": {} })).await;
    assert_eq!(stage.state(&third).await, "needs_attention");
    let reason = stage.reason(&third).await;
    assert!(reason.contains(&format!("this person is linked to number {id}")), "{reason}");
    stage.check_proof(&[second, third]).await;
}

async fn an_account_that_goes_after_the_approval_is_too(stage: Stage) {
    let id = linked(&stage).await;
    with_our_account(&stage, &["AuditUsers"]);
    let second = stage.leaves("LEAVE-2", json!({ "subject": {} })).await;
    stage.both_approve().await;
    stage.simulator.vault.remove_user(id).unwrap();
    assert_eq!(stage.rest(&second).await, "succeeded", "{}", stage.reason(&second).await);
    assert_eq!(ended(&stage, &second).await["personal"]["because"], GONE);
    stage.check_proof(&[second]).await;
}

async fn who_vanished_from_the_vault_is_done_when_a_person_says_so(stage: Stage) {
    let id = stage.somebody();
    let directory = json!({ "source": "LDAP", "userDN": "CN=zobrien,DC=example,DC=com" });
    stage.simulator.vault.patch_user(id, &directory).unwrap();
    let workflow = stage.leaves("LEAVE-1", json!({})).await;
    stage.both_approve().await;
    assert_eq!(stage.rest(&workflow).await, "needs_attention");
    // Whoever removed it in the directory has let the vault forget it, too.
    stage.simulator.vault.remove_user(id).unwrap();
    with_our_account(&stage, &["AuditUsers"]);
    stage.take(&workflow, Exit::MarkDone).await.unwrap();
    assert_eq!(stage.rest(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    let verified = stage.attempts(&workflow).await.pop().unwrap();
    assert_eq!((verified.step.as_str(), verified.words.as_str()), ("verify_user", GONE));
    stage.check_proof(&[workflow]).await;
}

/// Whoever has lost the right to see an account does not know that it is gone.
async fn an_account_that_may_be_out_of_our_sight_is_not_gone(stage: Stage) {
    let id = linked(&stage).await;
    let ours = with_our_account(&stage, &["AddUpdateUsers"]);
    let vault = &stage.simulator.vault;
    vault.patch_user(id, &json!({ "enableUser": true, "location": "\\Elsewhere" })).unwrap();
    let answer =
        |status, body| Effect::Status { status, body: Some(body), retry_after: None, moment: Moment::Before };
    let none = json!({ "ErrorCode": "PASWS027E", "ErrorMessage": "not found" });
    vault.add_fault(Fault::on("GET", &format!("/Users/{id}"), u64::MAX, answer(404, none)));
    let nobody = json!({ "Users": [], "Total": 0 });
    vault.add_fault(Fault::on("GET", "search=zobrien", u64::MAX, answer(200, nobody)));
    let help = stage.calls_for_help();
    let second = stage.leaves("LEAVE-2", json!({ "subject": {} })).await;
    assert_eq!(stage.state(&second).await, "needs_attention");
    let reason = stage.reason(&second).await;
    assert!(reason.contains("gone, or out of our sight") && reason.contains("no AuditUsers"), "{reason}");
    let third = stage.leaves("LEAVE-3", json!({})).await;
    assert_eq!(stage.state(&third).await, "needs_attention");
    stage.later(TimeDelta::minutes(61)).await;
    let mails = stage.simulator.mailbox.mails_to("pam-team@example.com");
    let mails: Vec<_> = mails.iter().filter(|mail| mail.subject.contains("cannot be seen")).collect();
    assert_eq!((mails.len(), stage.calls_for_help()), (1, help));
    assert_eq!(mails[0].subject, "the accounts of 2 leavers cannot be seen");
    let text = mails[0].text.as_ref().unwrap();
    assert!(text.contains("- LEAVE-2, from hr") && text.contains("- LEAVE-3, from hr"), "{text}");
    // It sees only what is below its own location, and then everything again.
    let rights = json!({ "vaultAuthorization": ["AuditUsers"], "location": "\\Applications" });
    vault.patch_user(ours, &rights).unwrap();
    assert_eq!(stage.retry(&second).await, "needs_attention");
    assert!(stage.reason(&second).await.contains("own location"), "{}", stage.reason(&second).await);
    vault.patch_user(ours, &json!({ "location": "\\" })).unwrap();
    vault.clear_faults();
    assert_eq!(stage.retry(&second).await, "pending_approval", "{}", stage.reason(&second).await);
}

async fn leavers_that_name_nobody_we_know_are_told_of_together(stage: Stage) {
    let together = |stage: &Stage| {
        let mails = stage.simulator.mailbox.mails_to("pam-team@example.com");
        let about = mails.into_iter().filter(|mail| mail.subject.contains("nobody whom we know"));
        about.collect::<Vec<_>>()
    };
    let nobody = async |number: u32| {
        let parts = json!({ "person_ref": format!("N{number}"), "subject": {} });
        let workflow = stage.leaves(&format!("NOBODY-{number}"), parts).await;
        assert_eq!(stage.state(&workflow).await, "needs_attention");
        let reason = stage.reason(&workflow).await;
        assert!(reason.contains("linked to no account") && reason.contains("names no user"), "{reason}");
        workflow
    };
    for number in 1..=3 {
        nobody(number).await;
    }
    let fourth = nobody(4).await;
    assert_eq!(stage.take(&fourth, Exit::GiveUp).await.unwrap(), "failed");
    assert_eq!((stage.calls_for_help(), together(&stage).len()), (0, 0));
    stage.later(TimeDelta::minutes(61)).await;
    let mails = together(&stage);
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].subject, "3 leavers name nobody whom we know");
    let text = mails[0].text.as_ref().unwrap();
    assert!(text.contains("- NOBODY-1, from hr") && !text.contains("NOBODY-4"), "{text}");
    nobody(5).await;
    stage.later(TimeDelta::minutes(61)).await;
    assert_eq!(together(&stage).last().unwrap().subject, "1 leaver names nobody whom we know");
    assert_eq!((stage.calls_for_help(), together(&stage).len()), (0, 2));
}
