//! What time does to a workflow: a leaver whom nobody decides, an approval that begins nothing, reminders.

use super::stage::{Stage, accept, operator};
use crate::domain::approval::{Refused, Verdict};
use crate::domain::canon::{CanonicalBytes, Tag};
use crate::domain::ids::WorkflowId;
use crate::domain::kind::Kind;
use crate::domain::request::{Request, RequestContext};
use crate::domain::strict_json;
use crate::domain::workflow::{Stalled, State};
use crate::store::accept::OtherMeaning;
use crate::store::decisions::Expire;
use crate::store::operator::{Exit, NoExit, Overrule, TakeExit};
use crate::store::{WriteFault, audit, outbox, workflows};

macro_rules! on_both {
    ($($name:ident / $on_postgres:ident: $story:path;)*) => { $(
        #[tokio::test]
        async fn $name() {
            $story(&Stage::sqlite().await).await;
        }

        #[tokio::test]
        #[ignore = "needs a PostgreSQL server; tests/all runs it"]
        async fn $on_postgres() {
            $story(&Stage::postgres().await).await;
        }
    )* };
}

on_both! {
    an_undecided_leaver_is_decided_by_an_operator / an_undecided_leaver_on_postgresql: undecided_leaver;
    an_undecided_leaver_may_be_asked_about_again / asking_again_on_postgresql: asking_again;
    a_person_has_one_open_joiner_and_any_number_of_leavers / open_requests_on_postgresql: open_requests;
}

const LEAVER: &str = r#"{"schema":"jml/1","kind":"leaver","source_ref":"L-1","person_ref":"E1",
  "effective":{"at":"2026-12-01","tz":"Europe/Berlin"},"subject":{"username":"zobrien"},
  "ticket":{"system":"other","id":"T1","requested_by":"ana@example.com"}}"#;

/// Takes a leaver in and asks about it; the stage's clock is far past the effective time of the request.
async fn leaver(stage: &Stage) -> WorkflowId {
    let mut deed = accept(stage.stamp(), "L-1", "L-1");
    let request = strict_json::parse(LEAVER.as_bytes()).unwrap();
    let request = Request::parse(&request, &RequestContext { default_zone: None }).unwrap();
    deed.workflow.kind = Kind::Leaver;
    deed.workflow.request = CanonicalBytes::of(Tag::Request, &request).unwrap();
    let workflow = stage.store.write(deed).await.unwrap().workflow.unwrap();
    stage.plan(workflow).await;
    workflow
}

async fn end(stage: &Stage, workflow: WorkflowId) -> Result<&'static str, WriteFault<Refused>> {
    stage.store.write(Expire { stamp: stage.stamp(), workflow }).await
}

async fn kinds(stage: &Stage, workflow: WorkflowId) -> Vec<String> {
    let told = audit::chain(&stage.store, workflow.into(), 0, 100).await.unwrap();
    told.into_iter().map(|told| told.event.kind).collect()
}

async fn undecided_leaver(stage: &Stage) {
    let workflow = leaver(stage).await;
    assert!(end(stage, workflow).await.is_err(), "people still have their hour");
    stage.skip(3_600);
    assert_eq!(end(stage, workflow).await.unwrap(), "needs_attention");
    let read = workflows::find(&stage.store, workflow).await.unwrap().unwrap();
    let State::NeedsAttention { stalled: Stalled::Undecided, .. } = read.state else { panic!("{read:?}") };
    let owed = outbox::of_workflow(&stage.store, workflow).await.unwrap();
    assert_eq!(owed.iter().filter(|owed| owed.kind == "alarm").count(), 1);
    let decide = |by: &str| Overrule {
        stamp: stage.stamp(),
        workflow,
        verdict: Verdict::Approve,
        by: operator(by),
        reason: "told by HR".to_owned(),
    };
    for by in ["ana@example.com", "user-l-1"] {
        let refused = stage.store.write(decide(by)).await.unwrap_err();
        assert!(matches!(refused, WriteFault::Refused(NoExit::NotYours(_))), "{by}: {refused:?}");
    }
    assert_eq!(stage.store.write(decide("op@example.com")).await.unwrap(), "approved");
    assert!(matches!(
        stage.store.write(decide("other@example.com")).await.unwrap_err(),
        WriteFault::Refused(NoExit::Wrong(_))
    ));
    // However long it waits from now on, it does not expire.
    let read = workflows::find(&stage.store, workflow).await.unwrap().unwrap();
    assert_eq!(read.approval_ends, None);
    stage.skip(400 * 86_400);
    assert!(end(stage, workflow).await.is_err());
    let told = kinds(stage, workflow).await;
    assert_eq!(told[told.len() - 3..], ["workflow.needs_attention", "alarm.raised", "workflow.approved"]);
}

async fn asking_again(stage: &Stage) {
    let workflow = leaver(stage).await;
    stage.skip(3_600);
    end(stage, workflow).await.unwrap();
    let take = |exit| TakeExit {
        stamp: stage.stamp(),
        workflow,
        exit,
        by: operator("op"),
        reason: "they are back".to_owned(),
    };
    assert_eq!(stage.store.write(take(Exit::Retry)).await.unwrap(), "planning");
    stage.plan(workflow).await;
    stage.skip(3_600);
    assert_eq!(end(stage, workflow).await.unwrap(), "needs_attention");
    assert_eq!(stage.store.write(take(Exit::GiveUp)).await.unwrap(), "failed");
}

async fn open_requests(stage: &Stage) {
    let of_one = |reference: &str, kind: Kind| {
        let mut deed = accept(stage.stamp(), reference, reference);
        deed.workflow.person_ref = accept(stage.stamp(), "x", "x").workflow.person_ref;
        deed.workflow.kind = kind;
        deed
    };
    for kind in [Kind::Joiner, Kind::Mover] {
        let first = stage.store.write(of_one(&format!("{kind}-1"), kind)).await.unwrap().workflow.unwrap();
        let second = stage.store.write(of_one(&format!("{kind}-2"), kind)).await.unwrap_err();
        let WriteFault::Refused(OtherMeaning::StillOpen(open)) = second else { panic!("{second:?}") };
        assert_eq!(open, first);
        // The very same request is known, and is no second one.
        assert_eq!(
            stage.store.write(of_one(&format!("{kind}-1"), kind)).await.unwrap().workflow,
            Some(first)
        );
    }
    for number in 1..=3 {
        stage.store.write(of_one(&format!("leaver-{number}"), Kind::Leaver)).await.unwrap();
    }
    let deeds = (0..8).map(|number| {
        let mut deed = accept(stage.stamp(), &format!("race-{number}"), &format!("race-{number}"));
        deed.workflow.person_ref = accept(stage.stamp(), "y", "y").workflow.person_ref;
        stage.store.write(deed)
    });
    let taken = futures_util::future::join_all(deeds).await;
    assert_eq!(taken.iter().filter(|taken| taken.is_ok()).count(), 1, "{taken:?}");
}
