//! The log as a file, and what a reader can tell who has nothing else.

use serde_json::Value;

use super::*;
use crate::audit::{RereadFault, export, verify_export};

async fn exported(stage: &Stage) -> Vec<String> {
    let mut out = Vec::new();
    let told = export(&stage.store, &stage.keys, &mut out).await.unwrap();
    let lines: Vec<String> = String::from_utf8(out).unwrap().lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), usize::try_from(told.records).unwrap() + 1);
    lines
}

fn reread(lines: &[String], key: Option<[u8; 32]>) -> Result<Verdict, RereadFault> {
    verify_export(lines.join("\n").as_bytes(), key)
}

#[tokio::test]
async fn an_export_holds_every_sealed_record_and_ends_with_the_head() {
    let (stage, outsider, events) = sealed().await;
    stage.accept("T-3").await;
    outsider.run("update audit_personal set clear_text = null where field = 'comment'", []).await.unwrap();
    let lines = exported(&stage).await;
    assert_eq!(lines.len(), 37);
    for (line, event) in lines.iter().zip(&events) {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["number"].as_i64(), event.number);
        assert_eq!(line["bytes"].as_str().unwrap().as_bytes(), event.bytes);
        assert_eq!(line["event"]["position"].as_i64(), Some(event.position));
        assert!(line["personal"].get("comment").is_none());
    }
    let received: Value = serde_json::from_str(&lines[1]).unwrap();
    assert_eq!(received["personal"]["person_ref"]["text"], "p-T-1");
    let end: Value = serde_json::from_str(&lines[36]).unwrap();
    assert_eq!(end["head"], head(&stage).await);
    let verdict = reread(&lines, Some(stage.keys.signer().public())).unwrap();
    assert!(verdict.is_sound() && verdict.events == 36 && verdict.sealed_to == 36, "{}", words(&verdict));
    assert!(reread(&lines, None).unwrap().is_sound());
}

#[tokio::test]
async fn an_empty_log_is_exported_and_read_again() {
    let stage = Stage::sqlite().await;
    let lines = exported(&stage).await;
    assert_eq!(lines.len(), 1);
    assert!(reread(&lines, None).unwrap().is_sound());
}

#[tokio::test]
async fn whatever_is_done_to_an_export_is_found() {
    let (stage, ..) = sealed().await;
    let lines = exported(&stage).await;
    let key = Some(stage.keys.signer().public());
    let after = |change: &dyn Fn(&mut Vec<String>)| {
        let mut lines = lines.clone();
        change(&mut lines);
        reread(&lines, key).unwrap()
    };
    let changed = after(&|lines| lines[8] = lines[8].replace("credential.", "credentials."));
    assert_eq!(numbers(&changed, What::Changed)[0], [9], "{}", words(&changed));
    let shown = after(&|lines| lines[8] = lines[8].replacen("\"kind\":\"", "\"kind\":\"x", 1));
    assert_eq!(numbers(&shown, What::Changed), [[9]], "{}", words(&shown));
    let named = after(&|lines| lines[1] = lines[1].replace("p-T-1", "p-T-7"));
    assert_eq!(numbers(&named, What::Changed), [[2]], "{}", words(&named));
    let dropped = after(&|lines| {
        lines.remove(8);
    });
    assert!(numbers(&dropped, What::Dropped).contains(&vec![9]), "{}", words(&dropped));
    let swapped = after(&|lines| lines.swap(8, 9));
    assert!(!swapped.is_sound());
    let cut = after(&|lines| {
        lines.drain(30..36);
    });
    assert_eq!(numbers(&cut, What::Cut), [[31]], "{}", words(&cut));
    let other = reread(&lines, Some(crate::key::KeyRing::from_bytes([6; 32]).signer().public())).unwrap();
    assert_eq!(numbers(&other, What::ForeignHead), [[36]]);
    assert!(matches!(reread(&lines[..36], key), Err(RereadFault::NoHead)));
    let mut twice = lines.clone();
    twice.push(lines[36].clone());
    assert!(matches!(reread(&twice, key), Err(RereadFault::Line(38))));
}
