//! Somebody is locked out: a new password, or an end to a suspension, and nobody's access grows by it.

use countersign::simulator::faults::{Effect, Fault};
use serde_json::{Value, json};

use crate::stage::{Choices, Database, Product, Stage, differences};

told_of_both_products! {
    a_new_password_is_set_and_handed_over
    a_lost_answer_to_a_new_password_sets_the_same_once_more
    a_suspension_is_lifted_and_nothing_else
    who_is_disabled_is_neither_enabled_nor_given_a_password
    what_is_not_there_yet_is_refused_by_name
}

const MAX: &str = "max@example.com";

impl Stage {
    /// HR, or a help desk, says that she is locked out: taken in and planned.
    async fn locked_out(&self, kind: &str, source_ref: &str) -> String {
        let answer = self
            .post(&format!("msg_{source_ref}"), locked_out(kind, source_ref).to_string().as_bytes())
            .await;
        assert_eq!(answer.status, 202, "{}", answer.body);
        self.settle().await;
        answer.workflow()
    }
}

fn locked_out(kind: &str, source_ref: &str) -> Value {
    let mut body = json!({
        "schema": "jml/1", "kind": kind, "source_ref": source_ref, "person_ref": "E10442",
        "subject": { "username": "zobrien" },
        "employment": { "department": "IT Ops", "manager": { "email": MAX } },
    });
    if kind == "reset_password" {
        body["reset_password"] = json!({ "delivery": "sealed_link" });
    }
    body
}

async fn a_new_password_is_set_and_handed_over(stage: Stage) {
    stage.somebody();
    let before = stage.zobrien();
    let workflow = stage.locked_out("reset_password", "LOCKED-1").await;
    let page = stage.get(&stage.link("ana@example.com")).await.body;
    for told in [
        "New password for Zoë M O&#39;Brien",
        "Give zobrien in vault a new password",
        "A new password is generated and kept sealed",
        "It is meant for the manager, max@example.com.",
    ] {
        assert!(page.contains(told), "{told} in {page}");
    }
    stage.both_approve().await;
    assert_eq!(stage.rest(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    assert_eq!(stage.writes(), ["reset_password", "update_user"]);
    assert_eq!(differences(&before, &stage.zobrien()), ["/changePassOnNextLogon"]);
    assert!(stage.link(MAX).contains("/credentials/"));
    stage.check(&workflow).await;
}

async fn a_lost_answer_to_a_new_password_sets_the_same_once_more(stage: Stage) {
    stage.somebody();
    let workflow = stage.locked_out("reset_password", "LOCKED-1").await;
    stage.both_approve().await;
    stage.simulator.vault.add_fault(Fault::on("POST", "/ResetPassword", 1, Effect::DropAfter));
    assert_eq!(stage.rest(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    assert_eq!(stage.outcomes(&workflow, "reset_password").await, ["unknown", "not_there", "done"]);
    assert_eq!(stage.count("select count(*) from secrets").await, 1);
    stage.check(&workflow).await;
}

async fn a_suspension_is_lifted_and_nothing_else(stage: Stage) {
    let mut stage = stage;
    for (effect, outcomes) in [(None, vec!["done"]), (Some(Effect::DropAfter), vec!["unknown", "done"])] {
        let id = stage.somebody();
        stage.simulator.vault.patch_user(id, &json!({ "suspended": true })).unwrap();
        let before = stage.zobrien();
        let workflow = stage.locked_out("unsuspend", "LOCKED-1").await;
        let page = stage.get(&stage.link("ana@example.com")).await.body;
        assert!(page.contains("Lift the suspension of zobrien in vault"), "{page}");
        stage.both_approve().await;
        for effect in effect {
            stage.simulator.vault.add_fault(Fault::on("POST", "/Activate", 1, effect));
        }
        assert_eq!(stage.rest(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
        assert_eq!(stage.outcomes(&workflow, "activate_user").await, outcomes);
        assert_eq!(stage.writes(), ["activate_user"]);
        assert_eq!(differences(&before, &stage.zobrien()), ["/suspended"]);
        stage.check(&workflow).await;
        // Once more: there is nothing to lift.
        let again = stage.locked_out("unsuspend", "LOCKED-2").await;
        stage.both_approve().await;
        assert_eq!(stage.rest(&again).await, "succeeded", "{}", stage.reason(&again).await);
        assert_eq!(stage.outcomes(&again, "activate_user").await, ["already_so"]);
        stage = stage.another().await;
    }
}

async fn who_is_disabled_is_neither_enabled_nor_given_a_password(stage: Stage) {
    let mut stage = stage;
    for kind in ["unsuspend", "reset_password"] {
        let id = stage.somebody_who_left();
        stage.simulator.vault.patch_user(id, &json!({ "suspended": true })).unwrap();
        let workflow = stage.locked_out(kind, "LOCKED-1").await;
        assert_eq!(stage.state(&workflow).await, "needs_attention");
        let reason = stage.reason(&workflow).await;
        assert!(reason.contains("is disabled") && reason.contains("rehire"), "{reason}");
        assert!(stage.writes().is_empty());
        // Disabled after the approval: the plan is void, and none takes its place.
        let stage_two = stage.another().await;
        let id = stage_two.somebody();
        let workflow = stage_two.locked_out(kind, "LOCKED-1").await;
        stage_two.both_approve().await;
        stage_two.simulator.vault.patch_user(id, &json!({ "enableUser": false })).unwrap();
        assert_eq!(stage_two.rest(&workflow).await, "needs_attention");
        assert!(stage_two.reason(&workflow).await.contains("is disabled"));
        assert!(stage_two.writes().is_empty());
        stage = stage_two.another().await;
    }
}

async fn what_is_not_there_yet_is_refused_by_name(stage: Stage) {
    stage.somebody();
    for (number, (field, value)) in
        [("delivery", json!("vault")), ("requested_by", json!("zoe"))].into_iter().enumerate()
    {
        let mut body = locked_out("reset_password", &format!("LOCKED-9{number}"));
        body["reset_password"][field] = value;
        let answer = stage.post(&format!("msg_9{number}"), body.to_string().as_bytes()).await;
        assert_eq!(answer.status, 422, "{}", answer.body);
        assert!(answer.body.contains(&format!("/reset_password/{field}")), "{}", answer.body);
    }
    let open = stage.locked_out("reset_password", "LOCKED-1").await;
    let second =
        stage.post("msg_second", locked_out("reset_password", "LOCKED-2").to_string().as_bytes()).await;
    assert_eq!(second.status, 422);
    assert!(second.body.contains(&open), "{}", second.body);
}
