//! Who waits for whose run: it is told once, and the end of that run wakes them.

use super::stage::{Stage, accept};
use crate::domain::approval::Verdict;
use crate::domain::plan::Plan;
use crate::store::runs::LetGo;
use crate::store::{audit, workflows};

#[tokio::test]
async fn a_user_whom_another_run_holds_is_waited_for() {
    story(&Stage::sqlite().await).await;
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server; tests/all runs it"]
async fn a_user_whom_another_run_holds_is_waited_for_on_postgresql() {
    story(&Stage::postgres().await).await;
}

/// Approved, for the one user whom both are about.
async fn approved(stage: &Stage, reference: &str) -> Plan {
    let mut deed = accept(stage.stamp(), reference, reference);
    deed.workflow.user_name = accept(stage.stamp(), "x", "both").workflow.user_name;
    let workflow = stage.store.write(deed).await.unwrap().workflow.unwrap();
    let plan = stage.plan(workflow).await;
    stage.decide(&plan, 0, Verdict::Approve).await.unwrap();
    plan
}

async fn story(stage: &Stage) {
    let first = approved(stage, "first").await.workflow;
    let second = approved(stage, "second").await.workflow;
    let (claimed, lease) = stage.claim(1).await.unwrap();
    assert_eq!(claimed.id, first);
    let waits_for = async || workflows::find(&stage.store, second).await.unwrap().unwrap().waits_for;
    let told = async || {
        let told = audit::chain(&stage.store, second.into(), 0, 100).await.unwrap();
        told.iter().filter(|told| told.event.kind == "workflow.waiting_for_run").count()
    };
    assert!(stage.claim(2).await.is_none(), "one user, one run");
    assert_eq!((waits_for().await, told().await), (Some(first), 1));
    // It looks again in vain, and has nothing new to say.
    stage.skip(30);
    let held = stage.claim(2).await;
    assert!(held.is_none() && told().await == 1);
    let until = stage.now().plus_seconds(20);
    let let_go = LetGo { stamp: stage.stamp(), lease, workflow: first, due_at: until };
    stage.store.write(let_go).await.unwrap();
    assert_eq!(waits_for().await, None);
    let (claimed, _) = stage.claim(2).await.expect("it was woken");
    assert_eq!(claimed.id, second);
}
