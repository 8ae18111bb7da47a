//! Checking an export without the database: what an auditor can do who has only the file.
//!
//! Must hold: trusts nothing in the file but what follows from the bytes; the public key is the reader's to bring,
//! and the file's own key proves no more than that the file belongs together.

use std::collections::HashMap;
use std::io::BufRead;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;

use super::chains::personal;
use super::found::{Found, Record, Verdict, What};
use super::log::{LogWalk, digest};
use crate::domain::audit::{EventRead, Place};
use crate::domain::canon::{CanonicalBytes, Digest, Tag};
use crate::domain::ids::ChainId;
use crate::key::is_signed_by;
use crate::store::seals::{Head, Kept};
use crate::store::trail::{PlaceRow, Presence};

/// The file is no export.
#[derive(Debug, thiserror::Error)]
pub enum RereadFault {
    /// It cannot be read.
    #[error("the export cannot be read")]
    Read(#[from] std::io::Error),
    /// A line is neither a record nor the head.
    #[error("line {0} of the export is neither a record nor the head")]
    Line(usize),
    /// It was cut: an export ends with its head.
    #[error("the export ends without its head")]
    NoHead,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Record(RecordLine),
    End(EndLine),
}

#[derive(Deserialize)]
struct RecordLine {
    number: i64,
    seal_hash: String,
    event_hash: String,
    bytes: Option<String>,
    event: Option<Value>,
    #[serde(default)]
    personal: HashMap<String, ClearLine>,
}

#[derive(Deserialize)]
struct ClearLine {
    salt: String,
    text: String,
}

#[derive(Deserialize)]
struct EndLine {
    head: Option<String>,
    public_key: String,
}

/// Walks along the lines.
struct Reread {
    log: LogWalk,
    chains: HashMap<ChainId, (i64, Digest)>,
    last_hash: Digest,
    verdict: Verdict,
}

/// Checks an export. `public_key` is the installation's, from elsewhere; without it the file's own is taken.
pub fn verify_export(file: impl BufRead, public_key: Option<[u8; 32]>) -> Result<Verdict, RereadFault> {
    let mut reread = Reread {
        log: LogWalk::new(),
        chains: HashMap::new(),
        last_hash: crate::domain::audit::log_origin(),
        verdict: Verdict::new(),
    };
    let mut end = None;
    for (place, line) in file.lines().enumerate() {
        let line = line?;
        match serde_json::from_str(&line).map_err(|_| RereadFault::Line(place + 1))? {
            Line::Record(record) if end.is_none() => reread.feed(record),
            Line::End(line) if end.is_none() => end = Some(line),
            Line::Record(_) | Line::End(_) => return Err(RereadFault::Line(place + 1)),
        }
    }
    reread.finish(&end.ok_or(RereadFault::NoHead)?, public_key)
}

impl Reread {
    fn feed(&mut self, line: RecordLine) {
        let hash = |text: &str| Digest::parse(text).map_or_else(Vec::new, |digest| digest.0.to_vec());
        let (event_hash, seal_hash) = (hash(&line.event_hash), hash(&line.seal_hash));
        let bytes = CanonicalBytes::stored(line.bytes.unwrap_or_default().into_bytes());
        let read: Option<EventRead> = bytes.open(Tag::Event).ok();
        let record = Record {
            number: Some(line.number),
            event: read.as_ref().map(|read| read.id),
            chain: read.as_ref().map(|read| read.chain),
            position: read.as_ref().map(|read| read.position),
        };
        let event = read.as_ref().map_or_else(uuid::Uuid::nil, |read| read.id.0);
        self.verdict.events += 1;
        self.last_hash = digest(&seal_hash);
        let sealed = digest(&event_hash);
        let presence = Presence::There;
        self.log.feed(&PlaceRow { number: line.number, event, event_hash, seal_hash, presence });
        let Some(read) = read.filter(|_| bytes.digest() == sealed) else {
            let words = "its bytes are gone or were changed after it was sealed";
            self.verdict.add(Found::new(What::Changed, record, words));
            return;
        };
        let fields: Option<Value> = bytes.open(Tag::Event).ok();
        if line.event != fields {
            let words = "the fields beside the bytes are not those in the bytes";
            self.verdict.add(Found::new(What::Changed, record, words));
        }
        self.link(&read, sealed, record);
        let kept: Vec<Kept> = line
            .personal
            .into_iter()
            .map(|(field, clear)| Kept { field, salt: unhex(&clear.salt), text: Some(clear.text) })
            .collect();
        self.verdict.add_all(personal(&read, &kept, record));
    }

    fn link(&mut self, read: &EventRead, hash: Digest, record: Record) {
        let before = self.chains.insert(read.chain, (read.position, hash));
        let (position, previous) = before.unwrap_or((0, Place::origin(read.chain)));
        if read.position != position + 1 {
            let record = Record { position: Some(position + 1), ..Record::of_chain(read.chain) };
            let words = "an event of this chain is missing or out of order";
            self.verdict.add(Found::new(What::Dropped, record, words));
        } else if read.previous != previous {
            let words = "it does not follow from the event before it in its chain";
            self.verdict.add(Found::new(What::Changed, record, words));
        }
    }

    fn finish(mut self, end: &EndLine, public_key: Option<[u8; 32]>) -> Result<Verdict, RereadFault> {
        let log = self.log.finish();
        self.verdict.sealed_to = log.last;
        self.verdict.add_all(log.gaps.iter().map(super::log::Gap::found));
        self.verdict.add_all(log.found);
        let own = STANDARD.decode(&end.public_key).ok().and_then(|bytes| bytes.try_into().ok());
        let key: [u8; 32] = public_key.or(own).ok_or(RereadFault::NoHead)?;
        let head = match &end.head {
            None if log.last == 0 => return Ok(self.verdict),
            None => None,
            Some(line) => Some(Head::parse(line).ok_or(RereadFault::NoHead)?),
        };
        let signed = head.filter(|head| {
            is_signed_by(&key, Head::signed_text(head.number, head.hash).as_bytes(), &head.signature)
        });
        match signed {
            None => {
                let words = "the head of the export is not signed by this installation's key";
                self.verdict.add(Found::new(What::ForeignHead, Record::at(log.last), words));
            }
            Some(head) if head.number != log.last => {
                let words = format!("the export ends at {}, its head says {}", log.last, head.number);
                self.verdict.add(Found::new(What::Cut, Record::at(log.last + 1), words));
            }
            Some(head) if head.hash != self.last_hash => {
                let words = "the log in the export is not the one that its head was signed for";
                self.verdict.add(Found::new(What::Rewritten, Record::at(log.last), words));
            }
            Some(_) => {}
        }
        Ok(self.verdict)
    }
}

fn unhex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks(2);
    let byte =
        |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
    pairs.map(byte).collect::<Option<Vec<u8>>>().unwrap_or_default()
}
