//! Taking the log out: one line of JSON for each record, the signed head at the end.
//!
//! Must hold: what is written is what was hashed, byte for byte; memory stays flat. What is sealed never changes,
//! so no transaction is held open while somebody reads slowly: the head is taken first, and the log up to it after.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use crate::key::KeyRing;
use crate::store::seals::{self, Head, Sealed};
use crate::store::{ReadFault, Store};

const STRETCH: u64 = 500;

/// What was taken out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// So many records.
    pub records: u64,
    /// The head they end at; absent while the log is empty.
    pub head: Option<Head>,
}

/// The log could not be taken out whole.
#[derive(Debug, thiserror::Error)]
pub enum ExportFault {
    /// The database cannot be read.
    #[error("the log cannot be read")]
    Read(#[from] ReadFault),
    /// The reader went away, or the disk is full.
    #[error("the export cannot be written")]
    Write(#[from] std::io::Error),
}

/// Writes the log up to its latest head as JSON Lines.
pub async fn export(
    store: &Store,
    keys: &KeyRing,
    out: &mut (impl AsyncWrite + Unpin + Send),
) -> Result<Exported, ExportFault> {
    let head = seals::latest_head(store).await?;
    let last = head.as_ref().map_or(0, |head| head.number);
    let (mut after, mut records) = (0, 0);
    while after < last {
        let stretch = seals::stretch(store, after, STRETCH).await?;
        let Some(end) = stretch.last().map(|sealed| sealed.number) else { break };
        for sealed in stretch.iter().filter(|sealed| sealed.number <= last) {
            put(out, &record(sealed)).await?;
            records += 1;
        }
        after = end;
    }
    let public = STANDARD.encode(keys.signer().public());
    put(out, &json!({ "head": head.as_ref().map(Head::line), "public_key": public })).await?;
    out.flush().await?;
    Ok(Exported { records, head })
}

async fn put(out: &mut (impl AsyncWrite + Unpin + Send), line: &Value) -> std::io::Result<()> {
    let mut text = line.to_string();
    text.push('\n');
    out.write_all(text.as_bytes()).await
}

/// One record. An event that is gone leaves its place with the hashes alone.
fn record(sealed: &Sealed) -> Value {
    let mut line = Map::new();
    line.insert("number".to_owned(), json!(sealed.number));
    line.insert("seal_hash".to_owned(), json!(hex(&sealed.seal_hash)));
    line.insert("event_hash".to_owned(), json!(hex(&sealed.event_hash)));
    if let Some(event) = &sealed.event {
        let (name, bytes) = match std::str::from_utf8(&event.bytes) {
            Ok(text) => ("bytes", text.to_owned()),
            Err(_) => ("bytes_base64", STANDARD.encode(&event.bytes)),
        };
        let body =
            event.bytes.iter().position(|byte| *byte == b'\n').and_then(|end| event.bytes.get(end + 1..));
        let fields: Option<Value> = body.and_then(|body| serde_json::from_slice(body).ok());
        line.insert(name.to_owned(), json!(bytes));
        line.insert("event".to_owned(), fields.unwrap_or(Value::Null));
    }
    let kept = sealed.personal.iter().filter_map(|kept| {
        let text = kept.text.as_ref()?;
        Some((kept.field.clone(), json!({ "salt": hex(&kept.salt), "text": text })))
    });
    let kept: Map<String, Value> = kept.collect();
    if !kept.is_empty() {
        line.insert("personal".to_owned(), Value::Object(kept));
    }
    Value::Object(line)
}

/// Bytes in hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
