//! What a worker has read for one plan decides nothing about the plan that has taken its place meanwhile.

use super::stage::Stage;
use crate::domain::approval::Verdict;
use crate::domain::drift::Difference;
use crate::domain::plan::Plan;
use crate::store::lease::{Lease, NotYours};
use crate::store::plans::VoidPlan;
use crate::store::recording::Next;
use crate::store::runs::{Started, Stopped};
use crate::store::{WriteFault, audit, plans, workflows};

#[tokio::test]
async fn a_worker_with_an_old_plan_begins_and_voids_nothing() {
    overtaken(&Stage::sqlite().await).await;
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server; tests/all runs it"]
async fn an_old_plan_on_postgresql() {
    overtaken(&Stage::postgres().await).await;
}

fn differences() -> Vec<Difference> {
    let [what, planned, now] = ["the group", "1", "2"].map(str::to_owned);
    vec![Difference { what, planned, now }]
}

/// Whatever the worker concludes from the old plan is refused and leaves no trace.
async fn concludes_nothing(stage: &Stage, old: &Plan, lease: &Lease) {
    let told = async || {
        let read = workflows::find(&stage.store, old.workflow).await.unwrap().unwrap();
        let events = audit::last_position(&stage.store, old.workflow.into()).await.unwrap();
        (read.state, read.plan_number, read.replans, events)
    };
    let before = told().await;
    for stopped in [
        None,
        Some(Stopped::Voided(differences())),
        Some(Stopped::Because("the vault refuses".to_owned())),
        Some(Stopped::Protected("nobody may touch it".to_owned())),
    ] {
        let refused = stage.store.write(stage.start(old, lease, stopped)).await;
        assert!(matches!(refused, Err(WriteFault::Refused(NotYours::OtherPlan))), "{refused:?}");
        assert_eq!(told().await, before);
    }
    assert!(plans::all(&stage.store, old.workflow).await.unwrap()[1].voided_by.is_empty());
}

async fn overtaken(stage: &Stage) {
    let workflow = stage.accept("T-1").await;
    let old = stage.plan(workflow).await;
    stage.decide(&old, 0, Verdict::Approve).await.unwrap();
    // A worker claims the run and reads a slow vault; meanwhile the plan is voided and made anew.
    let (_, lease) = stage.claim(1).await.unwrap();
    let void = VoidPlan { stamp: stage.stamp(), workflow, plan_number: 1, because: differences() };
    stage.store.write(void).await.unwrap();
    let new = stage.plan(workflow).await;
    concludes_nothing(stage, &old, &lease).await;
    stage.decide(&new, 0, Verdict::Approve).await.unwrap();
    concludes_nothing(stage, &old, &lease).await;
    // Once the new plan runs, no step of the old one is begun or told.
    let started = stage.store.write(stage.start(&new, &lease, None)).await.unwrap();
    assert_eq!(started, Started::Running);
    concludes_nothing(stage, &old, &lease).await;
    for next in [stage.intent(0, &old.steps[0]).0, Next::Wait(stage.now())] {
        let refused = stage.store.write(stage.record(&old, &lease, None, next)).await;
        assert!(matches!(refused, Err(WriteFault::Refused(NotYours::OtherPlan))), "{refused:?}");
    }
    let (intent, ..) = stage.intent(0, &new.steps[0]);
    stage.store.write(stage.record(&new, &lease, None, intent)).await.unwrap();
}
