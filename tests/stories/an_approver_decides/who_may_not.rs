//! Who was asked and may not decide after all: sees why, gets no form, and cannot get past the door.
//!
//! Line 9 of the approval checklist: not the requester, not the subject, still eligible.

use serde_json::json;

use super::{Shown, assert_undecided};
use crate::stage::{Choices, Database, ONE_OF_THE_GROUP, Stage};

told_on_both! {
    who_asked_for_it_may_not_decide
    whom_it_is_about_may_not_decide
    who_is_called_like_the_account_may_not_decide
    who_left_the_group_since_may_not_decide
    nobody_is_asked_where_too_few_may_decide
}

/// Ana may not decide, for this reason; with the fields of Bo's page neither.
async fn ana_may_not(stage: &Stage, workflow: &str, why: &str) {
    let link = stage.moved(&stage.link("ana@example.com"));
    let page = stage.open(&link).await;
    assert_eq!((page.status, page.asks()), (200, false));
    assert!(page.body.contains(why), "{}", page.body);
    let bo = stage.moved(&stage.link("bo@example.com"));
    let (digest, token) = stage.form(&bo).await.expect("bo may decide");
    for decision in ["approve", "reject"] {
        let stolen = Shown { link: link.clone(), digest: digest.clone(), token: token.clone() };
        let refused = stolen.press(stage, decision, "because I say so").await;
        assert_eq!((refused.status, refused.asks()), (403, false), "{}", refused.body);
        assert!(refused.body.contains(why), "{}", refused.body);
        assert!(refused.body.contains("Nothing of yours was recorded"), "{}", refused.body);
    }
    assert_undecided(stage, workflow).await;
    let bo = Shown { link: bo, digest, token };
    assert_eq!(bo.press(stage, "approve", "").await.status, 303);
    assert_eq!(stage.state(workflow).await, "approved");
}

async fn who_asked_for_it_may_not_decide(stage: Stage) {
    for (round, requester) in ["ana@example.com", "Ana+vault@EXAMPLE.com"].into_iter().enumerate() {
        let workflow = stage
            .hire_told(|body| {
                body["source_ref"] = json!(format!("asked-{round}"));
                body["person_ref"] = json!(format!("E{round}"));
                body["subject"]["username"] = json!(format!("zobrien-{round}"));
                body["effective"]["at"] = json!("2027-03-01");
                body["ticket"] = json!({ "system": "servicenow", "id": "R1", "requested_by": requester });
            })
            .await;
        ana_may_not(&stage, &workflow, "You asked for this change, so somebody else must decide it").await;
    }
}

async fn whom_it_is_about_may_not_decide(stage: Stage) {
    for (round, subject) in ["ana@example.com", "ANA+new@example.COM"].into_iter().enumerate() {
        let workflow = stage
            .hire_told(|body| {
                body["source_ref"] = json!(format!("about-{round}"));
                body["person_ref"] = json!(format!("E{round}"));
                body["subject"]["username"] = json!(format!("zobrien-{round}"));
                body["subject"]["email"] = json!(subject);
                body["effective"]["at"] = json!("2027-03-01");
            })
            .await;
        let why = "This change is about your own account, so somebody else must decide it";
        ana_may_not(&stage, &workflow, why).await;
    }
}

/// Neither the request nor the vault gives an address; the account's name is all that tells whose it is.
async fn who_is_called_like_the_account_may_not_decide(stage: Stage) {
    let workflow = stage
        .hire_told(|body| {
            body["subject"]["username"] = json!("ANA");
            body["effective"]["at"] = json!("2027-03-01");
            body["subject"].as_object_mut().unwrap().remove("email");
        })
        .await;
    ana_may_not(&stage, &workflow, "This change is about your own account, so somebody else must decide it")
        .await;
}

async fn who_left_the_group_since_may_not_decide(mut stage: Stage) {
    let workflow = stage.hire_told(|_| ()).await;
    assert!(stage.open(&stage.link("ana@example.com")).await.asks());
    let members = ["ana@example.com", "cy@example.com"]
        .map(|first| format!("members = [\"{first}\", \"bo@example.com\"]"));
    let [before, after] = members;
    stage.choices.edits.push((before, after));
    let stage = stage.restart().await;
    ana_may_not(&stage, &workflow, "You no longer belong to the people who may answer this request").await;
}

/// Both of the group would have to say yes, and one of them is called like the account.
async fn nobody_is_asked_where_too_few_may_decide(stage: Stage) {
    let both = "stages = [{ ask = [\"group:pam-admins\"], quorum = 2 }]\n";
    let choices = Choices::edited(&[(&format!("{ONE_OF_THE_GROUP}\n"), both)]);
    let stage = Stage::with(stage.database.another(), choices).await;
    let workflow = stage
        .hire_told(|body| {
            body["subject"]["username"] = json!("bo");
            body["subject"]["email"] = json!("bo.other@example.org");
        })
        .await;
    assert_eq!(stage.state(&workflow).await, "needs_attention");
    let reason = stage.reason(&workflow).await;
    assert!(reason.contains("fewer people to ask than must say yes"), "{reason}");
    for address in ["ana@example.com", "bo@example.com"] {
        assert!(stage.simulator.mailbox.links_for(address).is_empty(), "{address} was asked");
    }
}

/// A link, a form token and a digest belong together; one of each from two workflows open no door.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_of_another_workflow_is_of_no_use() {
    let stage = Stage::with(Database::sqlite(), Choices::default()).await;
    let first = stage.hire_another(1).await;
    let one = Shown::to(&stage, "ana@example.com").await;
    let second = stage.hire_another(2).await;
    let two = Shown::to(&stage, "ana@example.com").await;
    // The form of one page under the link of the other.
    let mixed = Shown { link: one.link.clone(), digest: two.digest.clone(), token: two.token.clone() };
    assert_eq!(mixed.press(&stage, "approve", "").await.status, 409);
    let mixed = Shown { link: one.link.clone(), digest: one.digest.clone(), token: two.token };
    assert_eq!(mixed.press(&stage, "approve", "").await.status, 409);
    assert_undecided(&stage, &first).await;
    assert_undecided(&stage, &second).await;
}
