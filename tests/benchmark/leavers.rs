//! From the webhook to the verified leaver, where a rule asks nobody.

use super::Size;
use super::figures::{Goal, Report, told};
use super::people::{leaver, post};
use super::sequences::carried_out;
use super::stand::{Disk, Engine, Stand, Wish, number};
use super::watch::{now, p99, pause, whole};

const LATENCY_MS: u64 = 20;

pub async fn from_webhook_to_verified(engine: Engine, size: Size, report: &mut Report) {
    let wish = Wish { engine, disk: Disk::AsItIs, latency_ms: LATENCY_MS, in_flight: 32 };
    let mut stand = Stand::begin(wish).await;
    stand.serve().await;
    carried_out(&stand, 0, size.leavers).await;
    let calls_before = calls(&stand).await;
    let mut took = Vec::new();
    let database = stand.database().await;
    for person in 0..size.leavers {
        let begun = now();
        let (workflow, _) = post(&stand, &stand.client, &leaver(person)).await;
        let done = match engine {
            Engine::Sqlite => format!("hex(id) = upper('{}')", workflow.0.simple()),
            Engine::Postgres => format!("id = '{workflow}'"),
        };
        let question = format!("select count(*) from workflows where state = 'succeeded' and {done}");
        let mut looks = 0;
        while number(&database, &question).await == 0 {
            looks += 1;
            assert!(looks < 10_000, "leaver {workflow} does not come to its end");
            pause(2).await;
        }
        took.push(begun.elapsed().as_secs_f64() * 1_000.0);
    }
    let each = whole(calls(&stand).await - calls_before) / whole(u64::try_from(size.leavers).unwrap());
    let limit = each * whole(LATENCY_MS) + 50.0;
    let name = format!("webhook to verified leaver, p99, one after the other, {}", engine.word());
    let beside = format!("{} calls of {LATENCY_MS} ms each; looked for every 2 ms", told(each));
    report.add(name, (p99(took), "ms"), Goal::AtMost(limit), beside);
}

async fn calls(stand: &Stand) -> u64 {
    stand.asked("/_sim/wire").await.as_array().map_or(0, |calls| u64::try_from(calls.len()).unwrap())
}
