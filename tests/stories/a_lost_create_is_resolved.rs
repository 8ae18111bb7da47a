//! What a lost create may have made is found again, or adopted by a person who has looked; a stranger's account never is.

use countersign::domain::ids::VaultUserId;
use countersign::simulator::faults::{Effect, Fault, Meanwhile, Moment};
use countersign::store::WriteFault;
use countersign::store::operator::{Exit, NoExit};
use serde_json::{Value, json};

use crate::stage::{Choices, Dialect, Stage};

told_on_both! {
    a_stranger_is_nobodys_to_adopt_however_it_was_met
    what_is_adopted_is_compared_with_the_plan_before_anything_is_written
    who_holds_the_name_by_then_is_not_the_one_that_was_adopted
    a_create_that_lands_late_has_the_password_that_is_kept
    a_create_that_was_refused_and_carried_out_has_the_password_that_is_kept
    a_password_that_was_refused_is_replaced_once_the_name_is_seen_free
    a_password_that_the_account_was_not_made_with_is_offered_to_nobody
}

fn says(status: u16, body: Value) -> Effect {
    Effect::Status { status, body: Some(body), retry_after: None, moment: Moment::Before }
}

fn fault(stage: &Stage, method: &str, path: &str, effect: Effect) {
    stage.simulator.vault.add_fault(Fault::on(method, path, 1, effect));
}

async fn a_stranger_is_nobodys_to_adopt_however_it_was_met(stage: Stage) {
    let zobrien = json!({ "username": "zobrien" });
    for met in ["by the search", "just before the create", "after a refused create"] {
        let stage = Stage::with(stage.database.another(), Choices::default()).await;
        let workflow = stage.approved().await;
        match met {
            "by the search" => {
                stage.simulator.vault.add_user(&zobrien).unwrap();
            }
            "just before the create" => {
                fault(&stage, "POST", "/Users", Effect::Meanwhile(Meanwhile::AddUser(zobrien.clone())));
            }
            _ => {
                fault(&stage, "POST", "/Users", says(403, json!({ "ErrorCode": "PASWS041E" })));
                assert_eq!(stage.rest(&workflow).await, "needs_attention");
                stage.simulator.vault.add_user(&zobrien).unwrap();
                stage.take(&workflow, Exit::Retry).await.unwrap();
            }
        }
        assert_eq!(stage.rest(&workflow).await, "needs_attention", "{met}");
        let reason = stage.reason(&workflow).await;
        assert!(reason.contains("which this workflow did not make"), "{met}: {reason}");
        let page = stage.open(&format!("{}/workflows/{workflow}", stage.url)).await.body;
        assert!(page.contains("workflow retry") && !page.contains("workflow adopt"), "{met}: {page}");
        let refused = stage.adopt(&workflow).await;
        assert!(matches!(refused, Err(WriteFault::Refused(NoExit::NothingToAdopt))), "{met}: {refused:?}");
        assert_eq!(stage.rest(&workflow).await, "needs_attention", "{met}");
        assert_eq!(stage.writes(), [""; 0], "{met}");
    }
}

/// A workflow whose create was carried out and not answered, in a vault that keeps no mark.
async fn unmarked(stage: &Stage) -> (Stage, String) {
    let choices = Choices { keeps_description: false, ..Choices::default() };
    let stage = Stage::with(stage.database.another(), choices).await;
    let workflow = stage.approved().await;
    fault(&stage, "POST", "/Users", Effect::DropAfter);
    assert_eq!(stage.rest(&workflow).await, "needs_attention");
    (stage, workflow)
}

async fn what_is_adopted_is_compared_with_the_plan_before_anything_is_written(stage: Stage) {
    let (stage, workflow) = unmarked(&stage).await;
    let id = stage.simulator.vault.id_of("zobrien").unwrap();
    let made = stage.simulator.vault.user("zobrien").unwrap();
    // Somebody has made use of the account since, or it never was ours.
    let other = json!({
        "userType": "BasicUser",
        "location": "\\Elsewhere",
        "internet": { "businessEmail": "secret-liaison@example.com" },
        "personalDetails": { "lastName": "Somebody" },
    });
    stage.simulator.vault.patch_user(id, &other).unwrap();
    stage.adopt(&workflow).await.unwrap();
    assert_eq!(stage.rest(&workflow).await, "needs_attention");
    let reason = stage.reason(&workflow).await;
    for field in ["user type", "location", "business e-mail", "last name", &format!("user number {id}")] {
        assert!(reason.contains(field), "{field} is missing in {reason}");
    }
    for value in ["BasicUser", "Elsewhere", "liaison", "Somebody"] {
        assert!(!reason.contains(value), "{value} is told in {reason}");
    }
    assert_eq!(stage.writes(), ["create_user"]);
    // Once it is as planned, the same word holds.
    let planned = json!({
        "userType": made["userType"],
        "location": made["location"],
        "internet": { "businessEmail": made["internet"]["businessEmail"] },
        "personalDetails": { "lastName": made["personalDetails"]["lastName"] },
    });
    stage.simulator.vault.patch_user(id, &planned).unwrap();
    assert_eq!(stage.retry(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    assert_eq!(stage.writes(), ["create_user", "add_member", "add_member"]);
}

async fn who_holds_the_name_by_then_is_not_the_one_that_was_adopted(stage: Stage) {
    let (stage, workflow) = unmarked(&stage).await;
    let seen = stage.simulator.vault.id_of("zobrien").unwrap();
    let refused = stage.take(&workflow, Exit::Adopt(VaultUserId(seen + 1))).await;
    assert!(matches!(refused, Err(WriteFault::Refused(NoExit::OtherAccount { .. }))), "{refused:?}");
    stage.take(&workflow, Exit::Adopt(VaultUserId(seen))).await.unwrap();
    stage.simulator.vault.remove_user(seen).unwrap();
    stage.simulator.vault.add_user(&json!({ "username": "zobrien" })).unwrap();
    assert_eq!(stage.rest(&workflow).await, "needs_attention");
    assert_eq!(stage.writes(), ["create_user"]);
}

/// The vault carries the first create out and shows it late: the look misses it, and the second create is refused.
async fn a_create_that_lands_late_has_the_password_that_is_kept(stage: Stage) {
    let workflow = stage.approved().await;
    fault(&stage, "POST", "/Users", Effect::DropAfter);
    // The look after the lost create, and the search of the second one: the fourth and the fifth of this run.
    let nobody = Fault::on("GET", "/Users?search", 2, says(200, json!({ "Users": [], "Total": 0 })));
    stage.simulator.vault.add_fault(nobody.from_nth(4));
    let refused = says(403, json!({ "ErrorCode": "PASWS041E", "ErrorMessage": "not authorised" }));
    stage.simulator.vault.add_fault(Fault::on("POST", "/Users", 1, refused).from_nth(2));
    assert_eq!(stage.rest(&workflow).await, "needs_attention");
    assert_eq!(stage.outcomes(&workflow, "create_user").await, ["unknown", "not_there", "refused"]);
    assert!(stage.sealed_password(&workflow).await.is_some(), "the first create may still have landed");
    assert_eq!(stage.retry(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    // Among other things: the password that is handed over is the one in the vault.
    stage.check(&workflow).await;
}

/// What a vault may say that means no, with the status it says it with.
fn refusals() -> [(u16, Value); 2] {
    [
        (403, json!({ "ErrorCode": "PASWS041E", "ErrorMessage": "You are not authorized." })),
        (500, json!({ "ErrorCode": "ITATS013E", "ErrorMessage": "The vault says no." })),
    ]
}

/// The vault makes the account and says no all the same.
async fn a_create_that_was_refused_and_carried_out_has_the_password_that_is_kept(stage: Stage) {
    for dialect in [Dialect::Product, Dialect::GuideAuto] {
        for (status, body) in refusals() {
            let choices = Choices { dialect, ..Choices::default() };
            let stage = Stage::with(stage.database.another(), choices).await;
            let workflow = stage.approved().await;
            let after = Effect::Status { status, body: Some(body), retry_after: None, moment: Moment::After };
            fault(&stage, "POST", "/Users", after);
            assert_eq!(stage.rest(&workflow).await, "needs_attention");
            assert_eq!(stage.writes(), ["create_user"]);
            assert_eq!(stage.retry(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
            let clear = stage.sealed_password(&workflow).await.expect("a password is kept");
            let id = stage.simulator.vault.id_of("zobrien").unwrap();
            assert!(stage.simulator.vault.password_is(id, &clear), "{status}: another password is kept");
            stage.check(&workflow).await;
        }
    }
}

async fn a_password_that_was_refused_is_replaced_once_the_name_is_seen_free(stage: Stage) {
    let workflow = stage.approved().await;
    let (status, body) = refusals()[0].clone();
    fault(&stage, "POST", "/Users", says(status, body));
    assert_eq!(stage.rest(&workflow).await, "needs_attention");
    let refused = stage.sealed_password(&workflow).await;
    assert!(refused.is_some(), "the vault may have made the account all the same");
    assert_eq!(stage.retry(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    assert_eq!(stage.outcomes(&workflow, "create_user").await, ["refused", "not_there", "done"]);
    assert_ne!(
        stage.sealed_password(&workflow).await,
        refused,
        "a password that was refused is not sent again"
    );
    stage.check(&workflow).await;
}

/// The look finds the name free, and the account comes up later: with a password that is gone.
async fn a_password_that_the_account_was_not_made_with_is_offered_to_nobody(stage: Stage) {
    let workflow = stage.approved().await;
    let (status, body) = refusals()[0].clone();
    let after = Effect::Status { status, body: Some(body), retry_after: None, moment: Moment::After };
    fault(&stage, "POST", "/Users", after);
    assert_eq!(stage.rest(&workflow).await, "needs_attention");
    // The look after the refused create misses the account: the second search after the retry, which reads all anew.
    let nobody = Fault::on("GET", "/Users?search", 1, says(200, json!({ "Users": [], "Total": 0 })));
    stage.simulator.vault.add_fault(nobody.from_nth(2));
    assert_eq!(stage.retry(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    assert_eq!(stage.outcomes(&workflow, "create_user").await, ["refused", "not_there", "done"]);
    assert_eq!(stage.writes(), ["create_user", "add_member", "add_member"]);
    assert_eq!(stage.sealed_password(&workflow).await, None, "the account has another password");
    stage.settle().await;
    let told = stage.simulator.mailbox.mails_to("pam-team@example.com");
    let says = |text: &String| text.contains("with a password that is not kept any more");
    assert_eq!(told.iter().filter(|mail| mail.text.as_ref().is_some_and(says)).count(), 1);
    assert!(stage.simulator.mailbox.mails().iter().all(|mail| !mail.everything().contains("/credentials/")));
    stage.check_proof(&[workflow]).await;
}
