//! How the databases answer what is asked all day: from an index, in its order, without reading what is at rest.
//!
//! Must hold: the questions are the store's own; there are so many rows that a database which may read them all would
//! not choose to, and the statistics say so.

use sea_orm::{
    ConnectionTrait as _, DatabaseBackend, EntityTrait, QuerySelect as _, QueryTrait as _, Select,
};

use super::stage::{Stage, accept};
use crate::domain::ids::WorkflowId;
use crate::domain::kind::Kind;
use crate::store::board::{self, Place, Wanted};
use crate::store::leaver_report::{After, Span};
use crate::store::{due, leaver_alarms, leaver_report, listed, state_counts, workflows};

#[tokio::test]
async fn every_question_is_answered_from_an_index() {
    story(&Stage::sqlite().await).await;
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server; tests/all runs it"]
async fn every_question_is_answered_from_an_index_on_postgresql() {
    story(&Stage::postgres().await).await;
}

/// Twenty thousand workflows, nearly all of which have come to rest.
async fn fill(stage: &Stage) {
    let (id, bytes, time) = match stage.store.reads().get_database_backend() {
        DatabaseBackend::Sqlite => ("randomblob(16)", "x'00'", "'2026-12-01 08:00:00+00:00'"),
        _ => ("gen_random_uuid()", "'\\x00'::bytea", "timestamptz '2026-12-01 08:00:00+00:00'"),
    };
    let statement = format!(
        "insert into workflows (id, source, source_ref, namespace, person_ref, kind, state, target, user_name, request,
           not_before, expires_at, due_at, created_at, updated_at)
         with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < 20000)
         select {id}, 'hr', 'R' || n, 'corp', 'E' || n, case when n % 5 = 0 then 'leaver' else 'joiner' end,
           case n % 200 when 1 then 'planning' when 2 then 'pending_approval' when 3 then 'approved'
             when 4 then 'running' when 5 then 'approved' when 10 then 'planning' else 'succeeded' end,
           'vault', 'u' || n, {bytes}, {time}, {time}, {time}, {time}, {time} from numbers"
    );
    let outsider = stage.outsider().await;
    outsider.run(&statement, []).await.unwrap();
    let clocks = "insert into leaver_clocks (workflow_id, effective_at, received_at, starts_at, within_seconds, alarm_at,
           ended_at)
         select id, due_at, due_at, due_at, 86400, case when state = 'succeeded' then null else due_at end,
           case when state = 'succeeded' then due_at end from workflows where kind = 'leaver'";
    outsider.run(clocks, []).await.unwrap();
    outsider.run("analyze", []).await.unwrap();
}

/// What the database says it would do.
async fn explained<E: EntityTrait>(stage: &Stage, asked: Select<E>) -> String {
    let backend = stage.store.reads().get_database_backend();
    let explain = match backend {
        DatabaseBackend::Sqlite => "explain query plan",
        _ => "explain",
    };
    let asked = format!("{explain} {}", asked.build(backend));
    let column = if backend == DatabaseBackend::Sqlite { 3 } else { 0 };
    let rows = stage.store.reads().query_all_raw(sea_orm::Statement::from_string(backend, asked)).await;
    let lines =
        rows.unwrap().iter().map(|row| row.try_get_by_index::<String>(column).unwrap()).collect::<Vec<_>>();
    lines.join("\n")
}

fn reads_in_order(name: &str, plan: &str) {
    let (whole, sorts) = if plan.contains("Scan") {
        (plan.contains("Seq Scan"), plan.contains("Sort"))
    } else {
        // A scan along an index is in its order; whether it reads on for long is up to the limit.
        (
            plan.lines().any(|line| line.contains("SCAN") && !line.contains("INDEX")),
            plan.contains("TEMP B-TREE"),
        )
    };
    assert!(!whole && !sorts, "{name}:\n{plan}");
}

async fn story(stage: &Stage) {
    fill(stage).await;
    let now = super::stage::at(1_800_000_000);
    let like = accept(stage.stamp(), "R", "R").workflow;
    let some = WorkflowId(uuid::Uuid::from_u128(u128::MAX / 2));
    let ([leavers, all], [leaver_runs, runs]) = (due::looks(), due::run_looks());
    for (name, asked) in [
        ("a leaver is to be planned", due::to_plan(leavers, now)),
        ("anything is to be planned", due::to_plan(all, now)),
        ("a leaver's run is claimed", due::due_run(leaver_runs.clone(), now, &[some])),
        ("any run is claimed", due::due_run(runs.clone(), now, &[])),
        ("when the next run is due", due::next_run(runs).limit(1)),
        ("when the next run of a leaver is due", due::next_run(leaver_runs).limit(1)),
        ("what is overdue", due::over(now, 50)),
        ("when the next one is overdue", due::next_over(now).limit(1)),
        ("the first page for programs", listed::page_query(None, 20)),
        ("a later page for programs", listed::page_query(Some(some), 20)),
        ("a request of this reference", workflows::of_source_ref(&like.source, &like.source_ref)),
        ("an open request of this person", workflows::open_query(&like)),
    ] {
        reads_in_order(name, &explained(stage, asked).await);
    }
    let everything = Wanted::default();
    let failed = Wanted { state: Some("pending_approval"), kind: Some(Kind::Joiner), ..Wanted::default() };
    let person = Wanted { person: Some(like.person_ref.clone()), ..Wanted::default() };
    for wanted in [everything, failed, person] {
        for place in [Place::Top, Place::OlderThan(some), Place::NewerThan(some)] {
            let asked = board::page_query(&wanted, place, 26);
            reads_in_order(&format!("{wanted:?} {place:?}"), &explained(stage, asked).await);
        }
    }
    let span = Span { from: super::stage::at(1_700_000_000), to: now };
    let after = After { starts: now, workflow: some };
    for (name, asked) in [
        ("whose alarm is due", leaver_alarms::due_query(now, 50)),
        ("the first page of the report", leaver_report::page_query(span, None, 26)),
        ("a later page of the report", leaver_report::page_query(span, Some(after), 26)),
    ] {
        reads_in_order(name, &explained(stage, asked).await);
    }
    // The counts are read from as many rows as there are slots, however many workflows there are.
    let kept = state_counts::by_state(&stage.store).await.unwrap();
    assert!(kept.is_empty(), "none of these rows came in by a deed: {kept:?}");
}
