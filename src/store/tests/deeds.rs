//! Every deed once on each database, and the races between them.

use std::collections::BTreeSet;

use super::stage::{Stage, accept, anything, done, operator};
use crate::domain::approval::{Decided, Refused, Verdict};
use crate::domain::ids::ChainId;
use crate::domain::step::{Outcome, Purpose, Report, Rest, StepRecord};
use crate::domain::workflow::Stalled;
use crate::store::accept::{OtherMeaning, Repeat};
use crate::store::lease::NotYours;
use crate::store::operator::{Exit, NoExit, TakeExit};
use crate::store::outbox::{self, ClaimMessage, ReportMessage, Sent};
use crate::store::plans::{AwaitVault, VoidPlan};
use crate::store::recording::{Ended, Intent, Next};
use crate::store::reveals::RevealPassword;
use crate::store::runs::{self, LetGo};
use crate::store::secrets;
use crate::store::steps;
use crate::store::{WriteFault, audit, decisions, listed, people, plans, seals, state_counts, workflows};

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
    a_workflow_lives_from_delivery_to_success / a_workflow_lives_on_postgresql: whole_life;
    fifty_deliveries_of_one_event_make_one_workflow / fifty_deliveries_on_postgresql: many_deliveries;
    another_meaning_under_an_old_name_is_refused / another_meaning_on_postgresql: other_meanings;
    of_approve_and_reject_at_once_one_stays / approve_and_reject_on_postgresql: approve_against_reject;
    a_late_worker_writes_nothing / a_late_worker_on_postgresql: late_worker;
    two_workers_never_hold_one_user / two_workers_on_postgresql: two_claims;
    a_person_leads_a_stopped_run_out / a_stopped_run_on_postgresql: stopped_run;
    a_plan_is_voided_and_made_again / a_voided_plan_on_postgresql: voided_plan;
    each_message_is_claimed_by_one_courier / claimed_messages_on_postgresql: claimed_messages;
    many_chains_and_several_sealers_make_one_log / several_sealers_on_postgresql: several_sealers;
}

async fn whole_life(stage: &Stage) {
    let workflow = stage.life("T-1", 41).await;
    let read = workflows::find(&stage.store, workflow).await.unwrap().unwrap();
    assert_eq!(read.state.word(), "succeeded");
    assert_eq!(listed::page(&stage.store, None, 10).await.unwrap().len(), 1);
    let told = audit::chain(&stage.store, workflow.into(), 0, 100).await.unwrap();
    let kinds: Vec<&str> = told.iter().map(|told| told.event.kind.as_str()).collect();
    assert_eq!(
        kinds,
        [
            "delivery.accepted",
            "workflow.received",
            "workflow.planned",
            "decision.recorded",
            "workflow.approved",
            "workflow.started",
            "step.begun",
            "step.ended",
            "credential.sealed",
            "step.begun",
            "step.ended",
            "step.begun",
            "step.ended",
            "person.linked",
            "step.begun",
            "step.ended",
            "workflow.succeeded",
        ]
    );
    let account =
        people::account(&stage.store, &read.namespace, &read.person_ref, read.target.as_ref().unwrap());
    assert_eq!(account.await.unwrap().unwrap().id.0, 41);
    assert_eq!(plans::all(&stage.store, workflow).await.unwrap().len(), 1);
    assert_eq!(decisions::of_workflow(&stage.store, workflow).await.unwrap().len(), 1);
    let ledger = steps::ledger(&stage.store, workflow, 1).await.unwrap();
    assert!(ledger.steps.iter().all(|step| step.state.word() == "done"));
    assert_eq!(steps::attempts(&stage.store, workflow, 1).await.unwrap().len(), 4);
    assert_eq!(steps::acts_of_kind(&stage.store, workflow, "create_user").await.unwrap().len(), 1);
    let reveal = RevealPassword {
        stamp: stage.stamp(),
        workflow,
        by: operator("root"),
        reason: "hand-over".to_owned(),
    };
    assert_eq!(stage.store.write(reveal).await.unwrap().bytes, [1, 2, 3]);
    assert_eq!(secrets::initial_password(&stage.store, workflow).await.unwrap(), None);
    stage.refuse("{}").await;
    stage.refuse("{}").await;
    assert_eq!(stage.seal(500).await, 20);
    assert_eq!(seals::waiting(&stage.store).await.unwrap(), 0);
    assert_eq!(seals::latest_head(&stage.store).await.unwrap().unwrap().number, 20);
    let stand: Vec<_> = state_counts::by_state(&stage.store).await.unwrap();
    let stand: Vec<_> = stand.into_iter().filter(|(_, count)| *count != 0).collect();
    assert_eq!(stand, [("succeeded".to_owned(), 1)]);
}

async fn many_deliveries(stage: &Stage) {
    let mut posts = tokio::task::JoinSet::new();
    for number in 0..50 {
        // The same event under one delivery key, and under others.
        let key = if number % 2 == 0 { "one".to_owned() } else { format!("key-{number}") };
        let (store, deed) = (stage.store.clone(), accept(stage.stamp(), &key, "T-1"));
        posts.spawn(async move { store.write(deed).await.unwrap() });
    }
    let accepted = posts.join_all().await;
    let ids: BTreeSet<_> = accepted.iter().map(|accepted| accepted.workflow).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(accepted.iter().filter(|accepted| accepted.repeat == Repeat::First).count(), 1);
    assert_eq!(listed::page(&stage.store, None, 10).await.unwrap().len(), 1);
    let outsider = stage.outsider().await;
    assert_eq!(outsider.count("select count(*) from deliveries").await, 26);
    assert_eq!(outsider.count("select count(*) from audit_events").await, 27);
}

async fn other_meanings(stage: &Stage) {
    stage.accept("T-1").await;
    let again = stage.store.write(accept(stage.stamp(), "T-1", "T-2")).await;
    assert!(matches!(again, Err(WriteFault::Refused(OtherMeaning::DeliveryKey))));
    let mut other = accept(stage.stamp(), "key", "T-3");
    other.workflow.source_ref = crate::domain::names::SourceRef::parse("T-1").unwrap();
    let again = stage.store.write(other).await;
    assert!(matches!(again, Err(WriteFault::Refused(OtherMeaning::SourceRef))));
    assert_eq!(stage.outsider().await.count("select count(*) from deliveries").await, 1);
}

async fn approve_against_reject(stage: &Stage) {
    let mut won = [0, 0];
    for round in 0..10 {
        let workflow = stage.accept(&format!("T-{round}")).await;
        let plan = stage.plan(workflow).await;
        let (yes, no) =
            (stage.answer(&plan, 0, Verdict::Approve).await, stage.answer(&plan, 1, Verdict::Reject).await);
        let stores = (stage.store.clone(), stage.store.clone());
        let yes = async move { stores.0.write(yes).await };
        let no = async move { stores.1.write(no).await };
        // Whoever sets out first has a head start.
        let (yes, no) = if round % 2 == 0 {
            let (yes, no) = (tokio::spawn(yes), tokio::spawn(no));
            (yes.await.unwrap(), no.await.unwrap())
        } else {
            let (no, yes) = (tokio::spawn(no), tokio::spawn(yes));
            (yes.await.unwrap(), no.await.unwrap())
        };
        let read = workflows::find(&stage.store, workflow).await.unwrap().unwrap();
        let loser = match (&yes, &no) {
            (Ok(Decided::Approved), Err(WriteFault::Refused(loser))) if read.state.word() == "approved" => {
                loser
            }
            (Err(WriteFault::Refused(loser)), Ok(Decided::Rejected)) if read.state.word() == "rejected" => {
                loser
            }
            other => panic!("{other:?} and the workflow is {:?}", read.state),
        };
        assert!(matches!(loser, Refused::AlreadyDecided { .. }), "{loser:?}");
        won[usize::from(no.is_ok())] += 1;
        assert_eq!(decisions::of_workflow(&stage.store, workflow).await.unwrap().len(), 1);
    }
    assert!(won[0] > 0 && won[1] > 0, "each of the two wins at times: {won:?}");
}

async fn late_worker(stage: &Stage) {
    let workflow = stage.accept("T-1").await;
    let plan = stage.plan(workflow).await;
    stage.decide(&plan, 0, Verdict::Approve).await.unwrap();
    let (_, lease) = stage.claim(1).await.unwrap();
    stage.store.write(stage.start(&plan, &lease, None)).await.unwrap();
    let (intent, attempt, record) = stage.intent(0, &plan.steps[0]);
    stage.store.write(stage.record(&plan, &lease, None, intent)).await.unwrap();
    // The first worker sleeps past its lease; another one takes over.
    for _ in 0..70 {
        stage.stamp();
    }
    let (taken, newer) = stage.claim(2).await.expect("the lease has run out");
    assert_eq!((taken.id, newer.fence), (workflow, lease.fence + 1));
    let report = done(&plan.steps[0], 0);
    let record = record.settle(Purpose::Act, &report, &stage.waits());
    let ended = Ended { step: 0, attempt, purpose: Purpose::Act, report, record };
    let (next, ..) = stage.intent(1, &plan.steps[1]);
    let before = audit::last_position(&stage.store, ChainId::from(workflow)).await.unwrap();
    let late = stage.store.write(stage.record(&plan, &lease, Some(ended.clone()), next)).await;
    assert!(matches!(late, Err(WriteFault::Refused(NotYours::Lease(_)))), "{late:?}");
    let letting = LetGo { stamp: stage.stamp(), lease: lease.clone(), workflow, due_at: stage.now() };
    let late = stage.store.write(letting).await;
    assert!(matches!(late, Err(WriteFault::Refused(NotYours::Lease(_)))), "{late:?}");
    assert_eq!(audit::last_position(&stage.store, ChainId::from(workflow)).await.unwrap(), before);
    assert_eq!(secrets::initial_password(&stage.store, workflow).await.unwrap(), None);
    // The newer worker may record what the open attempt brought, once.
    let due = stage.now();
    stage.store.write(stage.record(&plan, &newer, Some(ended.clone()), Next::Wait(due))).await.unwrap();
    let (_, newest) = stage.claim(2).await.unwrap();
    let twice = stage.store.write(stage.record(&plan, &newest, Some(ended), Next::Wait(due))).await;
    assert!(matches!(twice, Err(WriteFault::Refused(NotYours::NotOpen))), "{twice:?}");
}

async fn two_claims(stage: &Stage) {
    for number in 0..4 {
        let mut deed = accept(stage.stamp(), &format!("T-{number}"), &format!("T-{number}"));
        // Two names, each in two spellings: two users, four workflows.
        let name = ["zobrien", "ZOBrien", "other", "OTHER"][number];
        deed.workflow.user_name = Some(crate::domain::names::UserName::parse(name).unwrap());
        let workflow = stage.store.write(deed).await.unwrap().workflow.unwrap();
        let plan = stage.plan(workflow).await;
        stage.decide(&plan, 0, Verdict::Approve).await.unwrap();
    }
    let mut claims = tokio::task::JoinSet::new();
    for holder in 1..=6 {
        let stamp = stage.stamp();
        let until = stamp.at.plus_seconds(60);
        let deed = runs::ClaimRun {
            stamp,
            holder: uuid::Uuid::from_u128(holder),
            until,
            claimable: anything(),
            kept: None,
        };
        let store = stage.store.clone();
        claims.spawn(async move { store.write(deed).await.unwrap() });
    }
    let claimed: Vec<_> = claims.join_all().await.into_iter().flatten().collect();
    let users: BTreeSet<String> =
        claimed.iter().map(|(workflow, _)| workflow.user_name.as_ref().unwrap().key()).collect();
    assert_eq!((claimed.len(), users.len()), (2, 2));
}

async fn stopped_run(stage: &Stage) {
    use crate::domain::ids::VaultUserId;
    let workflow = stage.accept("T-1").await;
    let plan = stage.plan(workflow).await;
    stage.decide(&plan, 0, Verdict::Approve).await.unwrap();
    let (_, lease) = stage.claim(1).await.unwrap();
    stage.store.write(stage.start(&plan, &lease, None)).await.unwrap();
    let told = |outcome, stranger: Option<i64>| Report {
        outcome,
        words: "a user of that name is there".to_owned(),
        calls: vec![],
        user_id: None,
        made_by: None,
        stranger: stranger.map(VaultUserId),
        access: None,
        lost: None,
        before: None,
    };
    let stops = |step, (attempt, record): (_, StepRecord), purpose| {
        let report = told(Outcome::NeedsPerson, Some(7));
        let record = record.settle(purpose, &report, &stage.waits());
        let rest = Next::Rest(Rest::NeedsPerson(report.words.clone()));
        (Ended { step, attempt, purpose, report, record }, rest)
    };
    let exit = |exit| TakeExit {
        stamp: stage.stamp(),
        workflow,
        exit,
        by: super::stage::operator("root"),
        reason: "looked at it".to_owned(),
    };
    // The search has met somebody who holds the name, and nothing was sent: nobody of ours can be among them.
    let (intent, attempt, record) = stage.intent(0, &plan.steps[0]);
    stage.store.write(stage.record(&plan, &lease, None, intent)).await.unwrap();
    let (ended, rest) = stops(0, (attempt, record), Purpose::Act);
    stage.store.write(stage.record(&plan, &lease, Some(ended), rest)).await.unwrap();
    let refused = stage.store.write(exit(Exit::Adopt(VaultUserId(7)))).await;
    assert!(matches!(refused, Err(WriteFault::Refused(NoExit::NothingToAdopt))), "{refused:?}");
    assert_eq!(stage.store.write(exit(Exit::Retry)).await.unwrap(), "running");
    assert_eq!(steps::ledger(&stage.store, workflow, 1).await.unwrap().steps[0].state.word(), "waiting");
    // The answer to the create was lost, and the look after it finds somebody.
    let (_, lease) = stage.claim(1).await.unwrap();
    let (intent, attempt, record) = stage.intent(1, &plan.steps[1]);
    stage.store.write(stage.record(&plan, &lease, None, intent)).await.unwrap();
    let report = told(Outcome::Unknown, None);
    let record = record.settle(Purpose::Act, &report, &stage.waits());
    let lost = Ended { step: 1, attempt, purpose: Purpose::Act, report, record: record.clone() };
    let attempt = stage.stamp().draw().id(crate::domain::ids::AttemptId::made);
    let record = record.begin(attempt, Purpose::Look, stage.now());
    let (purpose, record) = (Purpose::Look, record.clone());
    let look = Intent { step: 1, attempt, purpose, record: record.clone(), sealed: None, secret: None };
    let next = Next::Begin(Box::new(look));
    stage.store.write(stage.record(&plan, &lease, Some(lost), next)).await.unwrap();
    let (ended, rest) = stops(1, (attempt, record), Purpose::Look);
    stage.store.write(stage.record(&plan, &lease, Some(ended), rest)).await.unwrap();
    let refused = stage.store.write(exit(Exit::Adopt(VaultUserId(8)))).await;
    let Err(WriteFault::Refused(NoExit::OtherAccount { meant, now })) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!((meant.0, now.0), (8, 7));
    assert_eq!(stage.store.write(exit(Exit::Adopt(VaultUserId(7)))).await.unwrap(), "running");
    let (again, _) = stage.claim(1).await.unwrap();
    assert_eq!(again.adoption, crate::target::Adoption::ByPerson(VaultUserId(7)));
    assert_eq!(steps::ledger(&stage.store, workflow, 1).await.unwrap().steps[1].state.word(), "unknown");
    assert!(stage.store.write(exit(Exit::GiveUp)).await.is_err());
}

async fn voided_plan(stage: &Stage) {
    let workflow = stage.accept("T-1").await;
    let waiting = AwaitVault {
        stamp: stage.stamp(),
        workflow,
        plan_number: 0,
        due_at: stage.now(),
        tell: Some(vec![crate::domain::names::EmailAddress::parse("ana@example.com").unwrap()]),
        words: "no answer".to_owned(),
    };
    stage.store.write(waiting).await.unwrap();
    for number in 1..=4 {
        stage.plan(workflow).await;
        // A planner that was overtaken writes nothing, neither about its own plan nor about a state that is over.
        for plan_number in [number - 1, number] {
            let before = workflows::find(&stage.store, workflow).await.unwrap().unwrap();
            let late = AwaitVault {
                stamp: stage.stamp(),
                workflow,
                plan_number,
                due_at: stage.now(),
                tell: None,
                words: "no answer".to_owned(),
            };
            let refused = stage.store.write(late).await;
            assert!(matches!(refused, Err(WriteFault::Refused(plans::MovedOn))), "{refused:?}");
            let after = workflows::find(&stage.store, workflow).await.unwrap().unwrap();
            assert_eq!((after.vault_awaited_since, after.state), (None, before.state));
        }
        let because = vec![crate::domain::drift::Difference {
            what: "the group".to_owned(),
            planned: "1".to_owned(),
            now: "2".to_owned(),
        }];
        let void = VoidPlan { stamp: stage.stamp(), workflow, plan_number: number, because };
        stage.store.write(void).await.unwrap();
    }
    let read = workflows::find(&stage.store, workflow).await.unwrap().unwrap();
    assert!(matches!(
        read.state,
        crate::domain::workflow::State::NeedsAttention { stalled: Stalled::Planning, .. }
    ));
    let kept = plans::all(&stage.store, workflow).await.unwrap();
    assert!(kept.len() == 4 && kept.iter().all(|plan| plan.voided_by.len() == 1));
}

async fn claimed_messages(stage: &Stage) {
    for reference in ["T-1", "T-2"] {
        let workflow = stage.accept(reference).await;
        stage.plan(workflow).await;
    }
    let mut claims = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let stamp = stage.stamp();
        let deed = ClaimMessage { until: stamp.at.plus_seconds(60), stamp };
        let store = stage.store.clone();
        claims.spawn(async move { store.write(deed).await.unwrap() });
    }
    let claimed: Vec<_> = claims.join_all().await.into_iter().flatten().collect();
    let ids: BTreeSet<_> = claimed.iter().map(|message| message.id).collect();
    assert_eq!((claimed.len(), ids.len()), (4, 4));
    for (message, sent) in claimed.into_iter().zip([
        Sent::Taken,
        Sent::Parked("550".to_owned()),
        Sent::Later(stage.now().plus_seconds(900), "421".to_owned()),
        Sent::Taken,
    ]) {
        let report = ReportMessage { stamp: stage.stamp(), message: message.id, sent };
        stage.store.write(report).await.unwrap();
    }
    // The parked one is told to the operators; the one for later is not due.
    assert_eq!(outbox::not_sent_by_state(&stage.store).await.unwrap(), [("owed", 2), ("parked", 1)]);
    let claim = || {
        let stamp = stage.stamp();
        stage.store.write(ClaimMessage { until: stamp.at.plus_seconds(60), stamp })
    };
    assert_eq!(claim().await.unwrap().unwrap().kind, "alarm");
    assert!(claim().await.unwrap().is_none());
}

async fn several_sealers(stage: &Stage) {
    let mut works = tokio::task::JoinSet::new();
    for writer in 0..4 {
        let store = stage.store.clone();
        let deeds: Vec<_> = (0..10)
            .map(|n| format!("T-{writer}-{n}"))
            .map(|name| accept(stage.stamp(), &name, &name))
            .collect();
        works.spawn(async move {
            for deed in deeds {
                store.write(deed).await.unwrap();
            }
        });
    }
    for _ in 0..3 {
        let store = stage.store.clone();
        let batches: Vec<_> = (0..10)
            .map(|_| seals::SealBatch { stamp: stage.stamp(), keys: stage.keys.clone(), most: 5 })
            .collect();
        works.spawn(async move {
            for batch in batches {
                store.write(batch).await.unwrap();
            }
        });
    }
    works.join_all().await;
    while stage.seal(7).await > 0 {}
    let log = seals::stretch(&stage.store, 0, 1_000).await.unwrap();
    assert_eq!(log.len(), 80);
    assert!(log.iter().zip(1..).all(|(sealed, number)| sealed.number == number));
    let mut positions = std::collections::HashMap::new();
    for sealed in log {
        let event = sealed.event.unwrap();
        let last = positions.insert(event.chain, event.position);
        assert_eq!(event.position, last.unwrap_or(0) + 1);
    }
}
