//! The budget of a source, the batch beyond it, and the two people who decide about that.

use futures_util::future::join_all;

use super::stage::{Stage, accept, operator, user};
use crate::domain::approval::Verdict;
use crate::domain::canon::{CanonicalBytes, Tag};
use crate::domain::ids::{BatchId, WorkflowId};
use crate::domain::kind::Kind;
use crate::domain::names::EmailAddress;
use crate::domain::operator::{MachineUser, Operator, TheirOwn};
use crate::domain::request::{Request, RequestContext};
use crate::domain::strict_json;
use crate::domain::workflow::{Stalled, State};
use crate::store::held::{NotSettled, Selection, SettleHeld, Settled};
use crate::store::operator::{Exit, NoExit, TakeExit};
use crate::store::outbox;
use crate::store::plans::{PlanningStopped, Telling};
use crate::store::retention::ClearWorkflow;
use crate::store::two_people::OneOfTwo;
use crate::store::{WriteFault, audit, batches, workflows};

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
    leavers_that_come_at_once_cannot_overrun_the_budget / the_budget_on_postgresql: at_once;
    an_hour_has_no_more_starts_than_the_budget / the_hour_of_the_start_on_postgresql: the_hour_of_the_start;
    the_budget_is_of_the_last_hour / the_last_hour_on_postgresql: the_last_hour;
    one_proposes_and_another_one_confirms_the_very_same / two_people_on_postgresql: two_people;
    two_mailboxes_are_two_people / by_command_on_postgresql: by_command;
    a_proposal_counts_while_its_author_is_an_operator / gone_on_postgresql: gone_from_the_operators;
    nobody_takes_a_way_out_of_their_own_request / ones_own_on_postgresql: ones_own;
    clearing_one_leaves_what_is_proposed_about_others / clearing_on_postgresql: cleared_beside_others;
    a_protected_account_alarms_once / a_protected_account_on_postgresql: protected;
}

async fn leaver(stage: &Stage, number: usize) -> WorkflowId {
    let reference = format!("L-{number}");
    let mut deed = accept(stage.stamp(), &reference, &reference);
    let text = format!(
        r#"{{"schema":"jml/1","kind":"leaver","source_ref":"{reference}","person_ref":"p-{reference}",
        "effective":{{"at":"2026-12-01","tz":"Europe/Berlin"}},"subject":{{"username":"user-{reference}",
        "email":"user{number}@example.com"}}}}"#
    );
    let request = strict_json::parse(text.as_bytes()).unwrap();
    let request = Request::parse(&request, &RequestContext { default_zone: None }).unwrap();
    deed.workflow.kind = Kind::Leaver;
    deed.workflow.request = CanonicalBytes::of(Tag::Request, &request).unwrap();
    stage.store.write(deed).await.unwrap().workflow.unwrap()
}

async fn leavers(stage: &Stage, numbers: std::ops::Range<usize>) -> Vec<WorkflowId> {
    let mut made = Vec::new();
    for number in numbers {
        made.push(leaver(stage, number).await);
    }
    made
}

async fn state(stage: &Stage, workflow: WorkflowId) -> State {
    workflows::find(&stage.store, workflow).await.unwrap().unwrap().state
}

async fn kinds(stage: &Stage, workflow: WorkflowId) -> Vec<String> {
    let told = audit::chain(&stage.store, workflow.into(), 0, 100).await.unwrap();
    told.into_iter().map(|told| told.event.kind).collect()
}

async fn at_once(stage: &Stage) {
    let all = leavers(stage, 0..20).await;
    join_all(all.iter().map(|workflow| stage.plan_unasked(*workflow, 5))).await;
    let mut gone = Vec::new();
    let mut kept = Vec::new();
    for workflow in all {
        match state(stage, workflow).await {
            State::Approved { .. } => gone.push(workflow),
            State::NeedsAttention { stalled: Stalled::Held, .. } => kept.push(workflow),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((gone.len(), kept.len()), (5, 15));
    let told = kinds(stage, gone[0]).await;
    assert_eq!(told[told.len() - 2..], ["workflow.planned", "workflow.approved"]);
    let batches = batches::open_batches(&stage.store).await.unwrap();
    assert_eq!((batches.len(), batches[0].leavers.len()), (1, 15));
    let mut alarms = 0;
    for workflow in kept {
        let owed = outbox::of_workflow(&stage.store, workflow).await.unwrap();
        alarms += owed.iter().filter(|owed| owed.kind == "alarm").count();
        assert!(owed.iter().all(|owed| owed.kind == "alarm"), "one alarm stands for all: {owed:?}");
    }
    assert_eq!(alarms, 1);
}

async fn the_last_hour(stage: &Stage) {
    let all = leavers(stage, 0..4).await;
    for workflow in &all[..2] {
        stage.plan_unasked(*workflow, 1).await;
    }
    assert_eq!(state(stage, all[0]).await.word(), "approved");
    assert_eq!(state(stage, all[1]).await.word(), "needs_attention");
    stage.skip(3_600);
    stage.plan_unasked(all[2], 1).await;
    assert_eq!(state(stage, all[2]).await.word(), "approved");
    // A source without a budget holds everything.
    stage.skip(3_600);
    stage.plan_unasked(all[3], 0).await;
    assert_eq!(state(stage, all[3]).await.word(), "needs_attention");
    let batches = batches::open_batches(&stage.store).await.unwrap();
    assert_eq!((batches.len(), batches[0].leavers.len()), (1, 2));
}

/// Let go hour by hour, and to begin on the same morning.
async fn the_hour_of_the_start(stage: &Stage) {
    let morning = stage.now().plus_seconds(5 * 86_400);
    let planned = async |number: usize, begins: i64| {
        stage.skip(3_600);
        let workflow = leaver(stage, number).await;
        stage.plan_unasked_for(workflow, 2, Some(morning.plus_seconds(begins))).await;
        state(stage, workflow).await.word()
    };
    assert_eq!((planned(1, 0).await, planned(2, 0).await), ("approved", "approved"));
    for (number, begins) in [(3, 0), (4, 3_599), (5, -3_599)] {
        assert_eq!(planned(number, begins).await, "needs_attention", "{begins}");
    }
    assert_eq!((planned(6, 3_600).await, planned(7, -3_600).await), ("approved", "approved"));
    // Those who wait for that morning do not stand in the way of one who goes now, and the hour of now counts for all.
    stage.skip(3_600);
    let now = leavers(stage, 8..11).await;
    for workflow in &now[..2] {
        stage.plan_unasked(*workflow, 2).await;
        assert_eq!(state(stage, *workflow).await.word(), "approved");
    }
    stage.plan_unasked_for(now[2], 2, Some(morning.plus_seconds(20 * 86_400))).await;
    assert_eq!(state(stage, now[2]).await.word(), "needs_attention");
}

async fn settle(
    stage: &Stage,
    batch: BatchId,
    verdict: Verdict,
    selection: &Selection,
    by: &str,
) -> Result<Settled, NotSettled> {
    settle_as(stage, (batch, verdict, selection), by, None).await
}

async fn settle_as(
    stage: &Stage,
    (batch, verdict, selection): (BatchId, Verdict, &Selection),
    by: &str,
    user: Option<MachineUser>,
) -> Result<Settled, NotSettled> {
    let deed = deed(stage, (batch, verdict, selection), by, user);
    stage.store.write(deed).await.map_err(|fault| match fault {
        WriteFault::Refused(no) => no,
        other => panic!("{other:?}"),
    })
}

fn deed(
    stage: &Stage,
    (batch, verdict, selection): (BatchId, Verdict, &Selection),
    by: &str,
    user: Option<MachineUser>,
) -> SettleHeld {
    let operators = [ANA, BO, "user1@example.com"].map(|one| EmailAddress::parse(one).unwrap()).to_vec();
    let by = OneOfTwo { address: EmailAddress::parse(by).unwrap(), user, operators };
    let (selection, reason) = (selection.clone(), "the list of HR was checked".to_owned());
    SettleHeld { stamp: stage.stamp(), batch, verdict, selection, by, reason }
}

const ANA: &str = "ana@example.com";
const BO: &str = "bo@example.com";

async fn two_people(stage: &Stage) {
    let all = leavers(stage, 0..4).await;
    for workflow in &all {
        stage.plan_unasked(*workflow, 0).await;
    }
    let batch = batches::open_batches(&stage.store).await.unwrap()[0].id;
    let some = Selection::These(all[..3].iter().copied().collect());
    let one = Selection::These([all[3]].into());
    // One person alone moves nothing, not even by the ways out of other stops.
    for exit in [Exit::Retry, Exit::GiveUp] {
        let (by, reason) = (operator("op"), "hurry".to_owned());
        let alone = TakeExit { stamp: stage.stamp(), workflow: all[0], exit, by, reason };
        let refused = stage.store.write(alone).await.unwrap_err();
        assert!(matches!(refused, WriteFault::Refused(NoExit::Wrong(_))), "{refused:?}");
    }
    let first = settle(stage, batch, Verdict::Approve, &some, ANA).await.unwrap();
    assert!(matches!(first, Settled::Proposed { leavers: 3, .. }), "{first:?}");
    let again = settle(stage, batch, Verdict::Approve, &some, "Ana+again@example.com").await;
    assert!(matches!(again, Err(NotSettled::SamePerson(_))), "{again:?}");
    // Another selection, or the opposite, is a proposal of its own.
    for (verdict, selection) in [(Verdict::Approve, &Selection::All), (Verdict::Reject, &some)] {
        let other = settle(stage, batch, verdict, selection, BO).await.unwrap();
        assert!(matches!(other, Settled::Proposed { .. }), "{other:?}");
    }
    let own = settle(stage, batch, Verdict::Approve, &some, "user1@example.com").await;
    assert_eq!(own, Err(NotSettled::NotYours(all[1], TheirOwn::Access)));
    for workflow in &all {
        assert_eq!(state(stage, *workflow).await.word(), "needs_attention");
    }
    assert_eq!(settle(stage, batch, Verdict::Approve, &some, BO).await, Ok(Settled::Done { leavers: 3 }));
    for workflow in &all[..3] {
        assert_eq!(state(stage, *workflow).await.word(), "approved");
        assert_eq!(kinds(stage, *workflow).await.last().unwrap(), "workflow.released");
    }
    let stranger = settle(stage, batch, Verdict::Reject, &some, BO).await;
    assert!(matches!(stranger, Err(NotSettled::NotHeldHere(_))), "{stranger:?}");
    // A proposal holds for a day.
    settle(stage, batch, Verdict::Reject, &one, ANA).await.unwrap();
    stage.skip(86_401);
    let anew = settle(stage, batch, Verdict::Reject, &one, BO).await.unwrap();
    assert!(matches!(anew, Settled::Proposed { leavers: 1, .. }), "{anew:?}");
    assert_eq!(settle(stage, batch, Verdict::Reject, &one, ANA).await, Ok(Settled::Done { leavers: 1 }));
    assert_eq!(state(stage, all[3]).await.word(), "rejected");
    assert!(batches::open_batches(&stage.store).await.unwrap().is_empty());
    let closed = batches::find(&stage.store, batch).await.unwrap().unwrap();
    assert!(
        closed.closed_at.is_some()
            && closed.proposals.iter().filter(|one| one.confirmed.is_some()).count() == 2
    );
    assert_eq!(
        settle(stage, batch, Verdict::Reject, &Selection::All, ANA).await,
        Err(NotSettled::NothingHeld)
    );
    assert_eq!(
        settle(stage, BatchId(uuid::Uuid::nil()), Verdict::Reject, &one, ANA).await,
        Err(NotSettled::UnknownBatch)
    );
}

/// Two people may give their commands under one user of a machine; one person is one under two.
async fn by_command(stage: &Stage) {
    let all = leavers(stage, 0..1).await;
    stage.plan_unasked(all[0], 0).await;
    let batch = batches::open_batches(&stage.store).await.unwrap()[0].id;
    let what = (batch, Verdict::Approve, &Selection::All);
    let first = settle_as(stage, what, ANA, Some(user("ana", 1_000))).await.unwrap();
    assert!(matches!(first, Settled::Proposed { .. }), "{first:?}");
    for user in [None, Some(user("ana", 1_000)), Some(user("bo", 1_001))] {
        let refused = settle_as(stage, what, ANA, user).await;
        assert!(matches!(refused, Err(NotSettled::SamePerson(_))), "{refused:?}");
    }
    assert_eq!(state(stage, all[0]).await.word(), "needs_attention");
    let root = MachineUser { number: None, ..user("root", 0) };
    assert_eq!(settle_as(stage, what, BO, Some(root)).await, Ok(Settled::Done { leavers: 1 }));
    let told = audit::chain(&stage.store, all[0].into(), 0, 100).await.unwrap();
    let named = |kind: &str| {
        let told = told.iter().find(|told| told.event.kind == kind).unwrap();
        told.personal("machine_user").unwrap().to_owned()
    };
    assert_eq!(named("held.proposed"), "ana, account 1000");
    assert_eq!(named("workflow.released"), "root, no login known");
}

/// What somebody proposed who is no operator any more is confirmed by nobody.
async fn gone_from_the_operators(stage: &Stage) {
    let all = leavers(stage, 0..1).await;
    stage.plan_unasked(all[0], 0).await;
    let batch = batches::open_batches(&stage.store).await.unwrap()[0].id;
    let release = async |by: &str, operators: &[&str]| {
        let mut deed = deed(stage, (batch, Verdict::Approve, &Selection::All), by, None);
        deed.by.operators = operators.iter().map(|one| EmailAddress::parse(one).unwrap()).collect();
        stage.store.write(deed).await.unwrap()
    };
    assert!(matches!(release(ANA, &[ANA, BO]).await, Settled::Proposed { .. }));
    assert!(matches!(release(BO, &[BO, "cy@example.com"]).await, Settled::Proposed { .. }));
    assert_eq!(state(stage, all[0]).await.word(), "needs_attention");
    let done = release("cy@example.com", &[BO, "cy@example.com"]).await;
    assert_eq!(done, Settled::Done { leavers: 1 });
}

/// One of a batch is rejected and cleared after its time; what was proposed about another one keeps its words.
async fn cleared_beside_others(stage: &Stage) {
    let all = leavers(stage, 0..2).await;
    for workflow in &all {
        stage.plan_unasked(*workflow, 0).await;
    }
    let batch = batches::open_batches(&stage.store).await.unwrap()[0].id;
    let [gone, stays] = [0, 1].map(|number| Selection::These([all[number]].into()));
    settle(stage, batch, Verdict::Reject, &gone, ANA).await.unwrap();
    settle(stage, batch, Verdict::Reject, &gone, BO).await.unwrap();
    stage.skip(2 * 86_400);
    settle(stage, batch, Verdict::Approve, &stays, ANA).await.unwrap();
    let (stamp, before) = (stage.stamp(), stage.now().plus_seconds(-86_400));
    stage.store.write(ClearWorkflow { stamp, workflow: all[0], before }).await.unwrap();
    let told = batches::find(&stage.store, batch).await.unwrap().unwrap().proposals;
    let reason = |verdict: &str| told.iter().find(|one| one.verdict == verdict).unwrap().reason.clone();
    assert_eq!(reason("reject"), "(cleared)");
    assert_eq!(reason("release"), "the list of HR was checked");
    assert_eq!(settle(stage, batch, Verdict::Approve, &stays, BO).await, Ok(Settled::Done { leavers: 1 }));
}

/// None of the ways out is taken by the person whose access it is about, or who asked for it.
async fn ones_own(stage: &Stage) {
    let workflow = leaver(stage, 1).await;
    let reason = "two profiles match".to_owned();
    let stop = PlanningStopped { stamp: stage.stamp(), workflow, after: 0, reason, telling: Telling::Mail };
    stage.store.write(stop).await.unwrap();
    for exit in [Exit::Retry, Exit::Adopt(crate::domain::ids::VaultUserId(7)), Exit::MarkDone, Exit::GiveUp] {
        let signed_in = |address: &str| Operator::SignedIn(EmailAddress::parse(address).unwrap());
        for by in [signed_in("User1+x@example.com"), signed_in("user-L-1@example.com"), operator("user-l-1")]
        {
            let reason = "mine".to_owned();
            let own = TakeExit { stamp: stage.stamp(), workflow, exit, by: by.clone(), reason };
            let refused = stage.store.write(own).await.unwrap_err();
            let expected = matches!(refused, WriteFault::Refused(NoExit::NotYours(TheirOwn::Access)));
            assert!(expected, "{exit:?} {by:?}: {refused:?}");
        }
    }
    assert_eq!(state(stage, workflow).await.word(), "needs_attention");
    let (by, reason) = (operator("op"), "not ours".to_owned());
    // Nor by whoever it is that has a shell.
    let unproven = Operator::AtTheMachine { user: user("op", 1_000), proven: None };
    for exit in [Exit::GiveUp, Exit::MarkDone] {
        let (by, reason) = (unproven.clone(), reason.clone());
        let refused = stage.store.write(TakeExit { stamp: stage.stamp(), workflow, exit, by, reason }).await;
        assert!(matches!(refused, Err(WriteFault::Refused(NoExit::Unproven))), "{exit:?}: {refused:?}");
    }
    let other = TakeExit { stamp: stage.stamp(), workflow, exit: Exit::GiveUp, by, reason };
    assert_eq!(stage.store.write(other).await.unwrap(), "failed");
}

async fn protected(stage: &Stage) {
    let workflow = leaver(stage, 1).await;
    for _ in 0..3 {
        let reason = "the user name svc-backup is protected by the settings of the target".to_owned();
        let stop =
            PlanningStopped { stamp: stage.stamp(), workflow, after: 0, reason, telling: Telling::Protected };
        stage.store.write(stop).await.unwrap();
        let (exit, by, reason) = (Exit::Retry, operator("op"), "again".to_owned());
        stage.store.write(TakeExit { stamp: stage.stamp(), workflow, exit, by, reason }).await.unwrap();
    }
    let told = kinds(stage, workflow).await;
    let count = |kind: &str| told.iter().filter(|told| *told == kind).count();
    assert_eq!((count("account.protected"), count("alarm.raised")), (1, 1));
    let owed = outbox::of_workflow(&stage.store, workflow).await.unwrap();
    assert_eq!(owed.iter().filter(|owed| owed.kind == "alarm").count(), 1);
}
