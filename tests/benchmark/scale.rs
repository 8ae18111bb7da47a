//! A small installation against a large one: start, memory, page, look-up, and the way of one leaver.
//!
//! Must hold: what is stored is made from a workflow that really ran, copied under new ids, references and persons with its
//! steps and the words it is found by. Its trail, mails and plan are not copied, which is said beside the figures.

use sea_orm::{ConnectionTrait as _, DatabaseConnection, Statement};

use super::Size;
use super::figures::{Goal, Report, told};
use super::people::{leaver, post, until};
use super::sequences::carried_out;
use super::stand::{Disk, Engine, Stand, Wish};
use super::watch::{median, now, pause, resident_mib};
use super::weight::first_acceptance;

/// What is measured at one size.
struct Seen {
    page_ms: f64,
    look_up_ms: f64,
    leaver_ms: f64,
    first_202_ms: f64,
    busy_mib: f64,
}

const WAYS: usize = 24;

pub async fn small_and_large(engine: Engine, size: Size, report: &mut Report) {
    let (few, most) = size.stored;
    let small = seen_with(engine, few).await;
    let large = seen_with(engine, most).await;
    let beside = |before: f64, after: f64| {
        format!(
            "{} ms at {few}, {} ms at {most}; rows copied with their steps, without trails",
            told(before),
            told(after)
        )
    };
    let grown = [
        ("a page of the console's list", small.page_ms, large.page_ms),
        ("a look-up by its words", small.look_up_ms, large.look_up_ms),
        ("claim and run of one leaver, no latency", small.leaver_ms, large.leaver_ms),
    ];
    for (what, before, after) in grown {
        let name = format!("{what}, {most} stored against {few}, {}", engine.word());
        report.add(name, (after / before, "times"), Goal::AtMost(1.5), beside(before, after));
    }
    let name = format!("start to first 202, {most} stored, {}", engine.word());
    report.add(name, (large.first_202_ms, "ms"), Goal::AtMost(1_000.0), "asked every 2 ms".to_owned());
    let name = format!("resident at most, 32 in flight, {most} stored, {}", engine.word());
    report.add(name, (large.busy_mib, "MiB"), Goal::AtMost(64.0), "VmHWM".to_owned());
    first_resumed_call(engine, size, report).await;
}

async fn seen_with(engine: Engine, stored: u64) -> Seen {
    let mut stand = Stand::begin(Wish { engine, disk: Disk::AsItIs, latency_ms: 0, in_flight: 32 }).await;
    stand.serve().await;
    carried_out(&stand, 0, 32).await;
    stand.stop().await;
    let database = stand.database().await;
    copy(&database, &stand, "succeeded", stored).await;
    tidy(&database, engine).await;
    let mut starts = Vec::new();
    for _ in 0..3 {
        starts.push(first_acceptance(&mut stand).await);
        stand.stop().await;
    }
    stand.serve().await;
    let page_ms = looked_at(&stand, "/workflows").await;
    let look_up_ms = looked_at(&stand, "/workflows?q=bench7x").await;
    let mut ways = Vec::new();
    for person in 0..WAYS {
        let begun = now();
        let (workflow, _) = post(&stand, &stand.client, &leaver(person)).await;
        let mark = workflow.to_string();
        let status = format!("{}/workflows/{mark}", stand.url);
        loop {
            let page = stand.client.get(&status).send().await.unwrap().text().await.unwrap();
            if page.contains("done and verified") || page.contains("Done and verified") {
                break;
            }
            assert!(begun.elapsed().as_secs() < 60, "leaver {mark} does not come to its end");
        }
        ways.push(begun.elapsed().as_secs_f64() * 1_000.0);
    }
    carried_out(&stand, 500_000, 64).await;
    let busy_mib = resident_mib(stand.pid(), "VmHWM");
    Seen { page_ms, look_up_ms, leaver_ms: median(ways), first_202_ms: median(starts), busy_mib }
}

/// The median time of a page, in milliseconds.
async fn looked_at(stand: &Stand, path: &str) -> f64 {
    let mut took = Vec::new();
    for _ in 0..41 {
        let begun = now();
        let answer = stand.client.get(format!("{}{path}", stand.url)).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.bytes().await.unwrap();
        took.push(begun.elapsed().as_secs_f64() * 1_000.0);
    }
    median(took)
}

/// From the start of the process to its first call at the vault, with many approved and one in the midst of its run.
async fn first_resumed_call(engine: Engine, size: Size, report: &mut Report) {
    let mut stand = Stand::begin(Wish { engine, disk: Disk::AsItIs, latency_ms: 0, in_flight: 32 }).await;
    stand.serve().await;
    let slow = serde_json::json!({
        "match": { "method": "post", "path_contains": "/Members" }, "times": 1, "effect": { "delay_ms": 600_000 }
    });
    stand.told(reqwest::Method::POST, "/_sim/faults", &slow).await;
    tokio::select! {
        _ = carried_out(&stand, 0, 1) => panic!("it was to be held up"),
        () = until(&stand, "running", 1) => {}
    }
    pause(500).await;
    std::process::Command::new("kill").args(["-KILL", &stand.pid().to_string()]).status().unwrap();
    stand.stop().await;
    let database = stand.database().await;
    copy(&database, &stand, "running", size.unfinished).await;
    let later = "update workflows set state = 'approved', due_at = not_before where state = 'running' and source_ref like 'copy%'";
    database.execute_unprepared(later).await.unwrap();
    // The lease of the process that was killed is over by the time anybody starts it again.
    let over = match engine {
        Engine::Sqlite => "update leases set held_until = '2026-01-01T00:00:00.000000+00:00'",
        Engine::Postgres => "update leases set held_until = '2026-01-01T00:00:00Z'",
    };
    database.execute_unprepared(over).await.unwrap();
    let due = "update workflows set due_at = created_at where state = 'running'";
    database.execute_unprepared(due).await.unwrap();
    tidy(&database, engine).await;
    let before = calls(&stand).await;
    let begun = now();
    stand.launch();
    while calls(&stand).await == before {
        assert!(begun.elapsed().as_secs() < 120, "nothing is resumed");
        pause(2).await;
    }
    let took = begun.elapsed().as_secs_f64() * 1_000.0;
    let name = format!("start to first resumed call, {} unfinished, {}", size.unfinished, engine.word());
    report.add(
        name,
        (took, "ms"),
        Goal::AtMost(1_000.0),
        "one in the midst of its run, the others approved for later".to_owned(),
    );
}

async fn calls(stand: &Stand) -> usize {
    stand.asked("/_sim/wire").await.as_array().map_or(0, Vec::len)
}

/// Copies one workflow of this state so many times, with its steps and words.
async fn copy(database: &DatabaseConnection, stand: &Stand, state: &str, times: u64) {
    let engine = stand.wish.engine;
    let numbers = match engine {
        Engine::Sqlite => format!(
            "with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < {times})"
        ),
        Engine::Postgres => format!("with numbers as (select n from generate_series(1, {times}) n)"),
    };
    let new_id = match engine {
        Engine::Sqlite => "randomblob(16)",
        Engine::Postgres => "gen_random_uuid()",
    };
    let ids = format!("create table copies as {numbers} select n, {new_id} as id from numbers");
    database.execute_unprepared(&ids).await.unwrap();
    let one = format!("(select id from workflows where state = '{state}' limit 1)");
    let columns = columns(database, stand, "workflows").await;
    let values = columns.iter().map(|column| match column.as_str() {
        "id" => "copies.id".to_owned(),
        "source_ref" | "person_ref" => "'copy' || copies.n".to_owned(),
        "user_name" => "'copy' || copies.n || 'x'".to_owned(),
        column => format!("w.{column}"),
    });
    let values: Vec<String> = values.collect();
    let statement = format!(
        "insert into workflows ({}) select {} from copies, workflows w where w.id = {one}",
        columns.join(", "),
        values.join(", ")
    );
    database.execute_unprepared(&statement).await.unwrap();
    for table in ["steps", "workflow_words"] {
        let columns = self::columns(database, stand, table).await;
        let values = columns.iter().map(|column| match column.as_str() {
            "workflow_id" => "copies.id".to_owned(),
            // Another word for each, or the look-up would find them all.
            "word" => "'c' || copies.n || t.word".to_owned(),
            column => format!("t.{column}"),
        });
        let values: Vec<String> = values.collect();
        let statement = format!(
            "insert into {table} ({}) select {} from copies, {table} t where t.workflow_id = {one}",
            columns.join(", "),
            values.join(", ")
        );
        database.execute_unprepared(&statement).await.unwrap();
    }
    database.execute_unprepared("drop table copies").await.unwrap();
}

async fn columns(database: &DatabaseConnection, stand: &Stand, table: &str) -> Vec<String> {
    let question = match stand.wish.engine {
        Engine::Sqlite => format!("select name from pragma_table_info('{table}') order by cid"),
        Engine::Postgres => format!(
            "select column_name::text from information_schema.columns where table_schema = '{}' and \
             table_name = '{table}' order by ordinal_position",
            stand.schema()
        ),
    };
    let asked = Statement::from_string(database.get_database_backend(), question);
    let rows = database.query_all_raw(asked).await.unwrap();
    rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}

/// What a database does by itself over the days in which so many rows come.
async fn tidy(database: &DatabaseConnection, engine: Engine) {
    let statement = match engine {
        Engine::Sqlite => "analyze",
        Engine::Postgres => "vacuum analyze",
    };
    database.execute_unprepared(statement).await.unwrap();
}
