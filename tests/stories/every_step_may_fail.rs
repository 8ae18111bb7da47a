//! Every call of every step meets every mishap, one at a time, and nothing that must hold is broken.
//!
//! Must hold: the calls are not listed here but counted as they are made, so a new call is tried without a new line;
//! sign-ins are among them. One stage serves many people, since a stage costs more than a run.

use chrono::TimeDelta;
use countersign::simulator::faults::{Effect, Fault, Matching, Moment};
use serde_json::json;

use crate::stage::{Choices, Database, Dialect, Product, Stage};

macro_rules! each_call_meets {
    ($product:ident: $($mishap:ident)*) => { $(
        mod $mishap {
            use crate::stage::{Dialect, Product};

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn in_the_products_dialect() {
                let effect = crate::every_step_may_fail::$mishap();
                crate::every_step_may_fail::every_call_meets(Product::$product, Dialect::Product, effect).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn in_the_guides_dialect() {
                let effect = crate::every_step_may_fail::$mishap();
                crate::every_step_may_fail::every_call_meets(Product::$product, Dialect::GuideAuto, effect).await;
            }
        }
    )* };
}

mod of_a_self_hosted_vault {
    each_call_meets! {
        SelfHosted:
        a_500_after_the_effect
        a_lost_answer
        a_stale_token
        a_401_out_of_the_blue
        a_403_out_of_the_blue
    }
}

each_call_meets! {
    PrivilegeCloud:
    a_500_without_effect
    a_500_after_the_effect
    a_gateways_page
    too_many_requests
    a_lost_request
    a_lost_answer
    a_stale_token
    a_401_out_of_the_blue
    a_403_out_of_the_blue
}

fn status(status: u16, moment: Moment) -> Effect {
    Effect::Status { status, body: None, retry_after: None, moment }
}

fn a_500_without_effect() -> Effect {
    status(500, Moment::Before)
}

fn a_500_after_the_effect() -> Effect {
    status(500, Moment::After)
}

fn a_gateways_page() -> Effect {
    Effect::Html503
}

fn too_many_requests() -> Effect {
    status(429, Moment::Before)
}

fn a_lost_request() -> Effect {
    Effect::DropBefore
}

fn a_lost_answer() -> Effect {
    Effect::DropAfter
}

fn a_stale_token() -> Effect {
    Effect::StaleToken
}

fn a_401_out_of_the_blue() -> Effect {
    status(401, Moment::Before)
}

fn a_403_out_of_the_blue() -> Effect {
    let body =
        json!({ "ErrorCode": "PASWS041E", "ErrorMessage": "You are not authorized to perform this action." });
    Effect::Status { status: 403, body: Some(body), retry_after: None, moment: Moment::Before }
}

/// One person after the other is hired; for the n-th of them the n-th call of the run meets the mishap.
async fn every_call_meets(product: Product, dialect: Dialect, effect: Effect) {
    let groups = vec!["Ops-Readers".to_owned()];
    // One approver is enough here, and saves half of the mails.
    let edits =
        [("\"ana@example.com\", \"bo@example.com\"", "\"ana@example.com\""), ("quorum = 2", "quorum = 1")];
    let edits = edits.map(|(this, by)| (this.to_owned(), by.to_owned())).to_vec();
    let choices = Choices { product, dialect, edits, groups, ..Choices::default() };
    let stage = Stage::with(Database::sqlite(), choices).await;
    let mut calls = 0;
    let mut workflows = vec![];
    loop {
        // Sessions are ended below; that they end so often is no part of this story.
        stage.later(TimeDelta::minutes(11)).await;
        let workflow = stage.approved_as(&person(&stage, calls + 1)).await;
        let before = stage.simulator.vault.wire().len();
        stage.simulator.vault.revoke_tokens();
        let mut fault = Fault::on("", "", 1, effect.clone());
        fault.matching = Matching { method: None, path_contains: None, nth: calls + 1 };
        stage.simulator.vault.add_fault(fault);
        comes_to_its_end(&stage, &workflow).await;
        stage.simulator.vault.clear_faults();
        workflows.push(workflow);
        let wire = stage.simulator.vault.wire();
        let struck = wire[before..].iter().any(|call| call.fault.is_some());
        if !struck {
            break;
        }
        calls += 1;
    }
    stage.check_proof(&workflows).await;
    assert!(calls > 14, "only {calls} calls were made");
}

async fn comes_to_its_end(stage: &Stage, workflow: &str) {
    let mut now = stage.rest(workflow).await;
    stage.check_run(workflow).await;
    let before = stage.calls_for_help();
    for _ in 0..2 {
        if now == "needs_attention" {
            assert!(before > 0, "nobody was called");
            assert!(!stage.reason(workflow).await.is_empty());
            now = stage.retry(workflow).await;
            stage.check_run(workflow).await;
        }
    }
    assert_eq!(now, "succeeded", "{}", stage.reason(workflow).await);
}

fn person(stage: &Stage, number: u64) -> countersign::simulator::hr::Joiner {
    let mut joiner = stage.joiner();
    joiner.source_ref = format!("RITM{number:07}");
    joiner.person_ref = format!("E{number:05}");
    joiner.username = format!("person{number}x");
    joiner
}
