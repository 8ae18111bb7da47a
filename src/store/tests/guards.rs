//! The audit tables take additions only, whoever asks.

use super::stage::{Outsider, Stage};
use crate::store::{Place, Store};

const TABLES: [(&str, &str); 3] = [("audit_events", "kind"), ("seals", "event_hash"), ("heads", "signature")];

async fn refused(outsider: &Outsider, sql: &str) {
    let said = outsider.run(sql, []).await.unwrap_err();
    assert!(said.contains("is append-only"), "{sql}: {said}");
}

async fn trail(stage: &Stage) -> Outsider {
    stage.accept("T-1").await;
    stage.seal(500).await;
    stage.outsider().await
}

#[tokio::test]
async fn sqlite_refuses_update_delete_and_replace_with_and_without_recursive_triggers() {
    let stage = Stage::sqlite().await;
    let outsider = trail(&stage).await;
    for recursive in ["on", "off"] {
        outsider.run(&format!("pragma recursive_triggers = {recursive}"), []).await.unwrap();
        outsider.run("pragma foreign_keys = off", []).await.unwrap();
        for (table, column) in TABLES {
            refused(&outsider, &format!("update {table} set {column} = {column}")).await;
            refused(&outsider, &format!("update or replace {table} set {column} = {column}")).await;
            refused(&outsider, &format!("delete from {table}")).await;
            refused(&outsider, &format!("insert or replace into {table} select * from {table}")).await;
            refused(&outsider, &format!("replace into {table} select * from {table}")).await;
            let upsert = format!(
                "insert into {table} select * from {table} where true on conflict do update set {column} = {column}"
            );
            refused(&outsider, &upsert).await;
        }
        // Under another key, but in the place of an old row all the same.
        let elsewhere = "select x'00', chain, position, at, kind, bytes, x'00' from audit_events";
        refused(&outsider, &format!("replace into audit_events {elsewhere}")).await;
        let elsewhere = "select number + 100, event_id, event_hash, seal_hash from seals";
        refused(&outsider, &format!("replace into seals {elsewhere}")).await;
    }
    assert_eq!(outsider.count("select count(*) from audit_events").await, 2);
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server; tests/all runs it"]
async fn postgresql_refuses_update_delete_and_truncate() {
    let stage = Stage::postgres().await;
    let outsider = trail(&stage).await;
    for (table, column) in TABLES {
        refused(&outsider, &format!("update {table} set {column} = {column}")).await;
        refused(&outsider, &format!("delete from {table}")).await;
        refused(&outsider, &format!("truncate {table} cascade")).await;
        let upsert = format!("insert into {table} select * from {table} on conflict do nothing");
        assert_eq!(outsider.run(&upsert, []).await, Ok(0));
    }
    let upsert = "insert into heads select * from heads on conflict (number) do update set signature = 'x'";
    refused(&outsider, upsert).await;
    assert_eq!(outsider.count("select count(*) from audit_events").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a PostgreSQL server; tests/all runs it"]
async fn several_processes_may_bring_one_schema_up_to_date_at_once() {
    let stage = Stage::postgres().await;
    let Place::Postgres { url, schema: Some(schema) } = &stage.place else { panic!("not PostgreSQL") };
    for round in 0..5 {
        let place = Place::Postgres { url: url.clone(), schema: Some(format!("{schema}_{round}")) };
        let opened = futures_util::future::join_all((0..6).map(|_| Store::open(&place))).await;
        for store in opened {
            store.unwrap().close().await;
        }
    }
}
