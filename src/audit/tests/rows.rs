//! The trail untouched, and the rows beside it changed.

use super::*;

/// Each change, and what the finding must say.
const CHANGES: [(&str, &str); 20] = [
    ("update workflows set state = 'rejected'", "the row says rejected, the trail says succeeded"),
    ("update workflows set request = x'00'", "its request is not the one in the trail"),
    ("update workflows set plan_number = 0", "its stage, its plan or what it waits for"),
    ("update workflows set stage = 3", "its stage, its plan or what it waits for"),
    ("delete from workflows", "the trail tells of a workflow that is gone"),
    ("update deliveries set body = x'00'", "were changed"),
    ("delete from deliveries", "is gone"),
    ("update plans set bytes = x'00'", "plan 1 is not the one in the trail"),
    ("update decisions set verdict = 'reject'", "no event tells of decision"),
    ("update decisions set approver = 'eve@example.com'", "no event tells of decision"),
    ("update decisions set comment = 'other words'", "no event tells of decision"),
    ("delete from decisions", "the decision approve has no row that says the same"),
    (
        "insert into decisions select x'00000000000000000000000000000001', workflow_id, 1, 1, approver, approver_key, verdict, comment, digest, decided_at from decisions limit 1",
        "no event tells of decision",
    ),
    (
        "update plans set routing = cast(replace(cast(routing as text), '\"quorum\":', '\"quorum\":9') as blob)",
        "who is asked about plan 1",
    ),
    ("update asks set approver = 'eve@example.com'", "a link to plan 1 whom that plan does not ask"),
    ("delete from asks where stage = 0", "the links to plan 1 are not those of the people whom it asks"),
    ("delete from attempts", "is gone"),
    ("update attempts set outcome = 'already_so'", "the outcome of attempt"),
    ("update attempts set purpose = 'look'", "no event tells of the intent of attempt"),
    ("update steps set state = 'already_so'", "step 0 is already_so in its row and not in the trail"),
];

#[tokio::test]
async fn a_row_that_says_something_else_than_the_trail_is_found() {
    for (change, wanted) in CHANGES {
        let (stage, outsider, events) = sealed().await;
        outsider.run(change, []).await.unwrap();
        let verdict = examined(&stage).await;
        let told = verdict.faults.iter().find(|found| found.words.contains(wanted));
        let told = told.unwrap_or_else(|| panic!("{change}:\n{}", words(&verdict)));
        assert_eq!(told.what, What::RowDiffers);
        let chain = told.records[0].chain.unwrap();
        assert!(events.iter().any(|event| event.chain == chain.0), "{change}");
        assert!(verdict.faults.iter().all(|found| found.what == What::RowDiffers), "{}", words(&verdict));
    }
}

#[tokio::test]
async fn a_workflow_of_which_no_event_tells_is_found() {
    let (stage, outsider, _) = sealed().await;
    let columns = "namespace, person_ref, kind, state, stalled, reason, stage, target, user_name, request, adopted_user_id, \
                   plan_number, replans, vault_awaited_since, vault_awaited_told, not_before, expires_at, due_at, \
                   created_at, updated_at, waits_for, fruitless, part_of, ended_by, cancelled_by, stop_as, stop_for, cleared_at, \
                   request_digest";
    let insert = format!(
        "insert into workflows select x'00000000000000000000000000000009', 'hr', 'T-9', {columns} from workflows limit 1"
    );
    outsider.run(&insert, []).await.unwrap();
    let verdict = examined(&stage).await;
    let [found] = verdict.faults.as_slice() else { panic!("{}", words(&verdict)) };
    assert_eq!((found.what, found.records[0].chain.unwrap().0.as_u128()), (What::RowDiffers, 9));
}

#[tokio::test]
async fn every_state_that_a_person_can_lead_to_agrees_with_its_trail() {
    use crate::domain::approval::Verdict as Said;
    use crate::store::operator::{Exit, TakeExit};
    use crate::store::plans::PlanningStopped;
    let stage = Stage::sqlite().await;
    let exit = |workflow, exit| TakeExit {
        stamp: stage.stamp(),
        workflow,
        exit,
        by: crate::store::tests::stage::operator("root"),
        reason: "looked at it".to_owned(),
    };
    let rejected = stage.accept("T-1").await;
    let plan = stage.plan(rejected).await;
    stage.decide(&plan, 1, Said::Reject).await.unwrap();
    let stopped = stage.accept("T-2").await;
    let stop = PlanningStopped {
        stamp: stage.stamp(),
        workflow: stopped,
        after: 0,
        reason: "no profile".to_owned(),
        telling: crate::store::plans::Telling::Mail,
    };
    stage.store.write(stop).await.unwrap();
    assert!(examined(&stage).await.is_sound());
    stage.store.write(exit(stopped, Exit::Retry)).await.unwrap();
    assert!(examined(&stage).await.is_sound());
    let plan = stage.plan(stopped).await;
    stage.decide(&plan, 0, Said::Approve).await.unwrap();
    let (_, lease) = stage.claim(1).await.unwrap();
    let start = crate::store::runs::StartRun {
        stamp: stage.stamp(),
        lease,
        workflow: stopped,
        plan_number: plan.number,
        stopped: Some(crate::store::runs::Stopped::Because("drift".to_owned())),
    };
    stage.store.write(start).await.unwrap();
    assert!(examined(&stage).await.is_sound());
    stage.store.write(exit(stopped, Exit::GiveUp)).await.unwrap();
    let verdict = examined(&stage).await;
    assert!(verdict.is_sound(), "{}", words(&verdict));
}

#[tokio::test]
async fn an_examination_beside_a_service_at_work_sees_one_moment() {
    let stage = Stage::sqlite().await;
    let (store, keys) = (stage.store.clone(), stage.keys.clone());
    let examining = tokio::spawn(async move {
        for _ in 0..20 {
            let verdict = verify(&store, &keys, None).await.unwrap();
            assert!(verdict.is_sound(), "{}", words(&verdict));
        }
    });
    for number in 0..12 {
        stage.life(&format!("T-{number}"), 100 + number).await;
        stage.seal(9).await;
    }
    examining.await.unwrap();
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server; tests/all runs it"]
async fn on_postgresql_an_untouched_trail_is_sound_and_a_changed_one_is_not() {
    let stage = Stage::postgres().await;
    let (store, keys) = (stage.store.clone(), stage.keys.clone());
    let examining = tokio::spawn(async move {
        for _ in 0..20 {
            let verdict = verify(&store, &keys, None).await.unwrap();
            assert!(verdict.is_sound(), "{}", words(&verdict));
        }
    });
    for number in 0..5 {
        stage.life(&format!("T-{number}"), 100 + number).await;
        stage.seal(9).await;
    }
    examining.await.unwrap();
    stage.refuse("{}").await;
    while stage.seal(500).await > 0 {}
    let verdict = against(&stage, &head(&stage).await).await;
    assert!(verdict.is_sound() && verdict.events == 87 && verdict.waiting == 0, "{}", words(&verdict));
    let outsider = stage.outsider().await;
    outsider.run("alter table audit_events disable trigger all", []).await.unwrap();
    let event = outsider.events().await.swap_remove(8);
    outsider.set_event(event.id, &flipped(&event.bytes, 40), &event.hash).await;
    one(&examined(&stage).await, What::Changed, &[&event]);
}
