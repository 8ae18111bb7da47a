//! Examining the whole trail: the log, its heads, every chain, and the rows beside them.
//!
//! Must hold: reads one moment, in stretches, and writes nothing; goes on after a finding, so that all are told.

use super::chains::ChainWalk;
use super::found::{Found, Record, Verdict, What};
use super::ledger::Replay;
use super::log::{LogSeen, LogWalk, digest};
use crate::domain::canon::Digest;
use crate::domain::ids::{ChainId, EventId};
use crate::key::{KeyRing, is_signed_by};
use crate::store::seals::Head;
use crate::store::trail::{Trail, Waits};
use crate::store::{ReadFault, Store};

/// So many rows are read at a time.
const STRETCH: u64 = 500;

/// So many findings of one kind are asked of the database.
const MOST: u64 = 100;

/// The examination could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum VerifyFault {
    /// The head that was handed in is not spelled as a head.
    #[error(
        "this is no head: `countersign-head-1 NUMBER HASH SIGNATURE` is wanted, as in the foot of a mail"
    )]
    NoHead,
    /// The database cannot be read, or holds a value that is not of its column's kind.
    #[error("the trail cannot be read")]
    Unreadable(#[from] ReadFault),
}

/// Examines the trail; `head` is one that travelled outside before, if there is one.
pub async fn verify(store: &Store, keys: &KeyRing, head: Option<&str>) -> Result<Verdict, VerifyFault> {
    let head = head.map(|line| Head::parse(line).ok_or(VerifyFault::NoHead)).transpose()?;
    let public = keys.signer().public();
    let trail = Trail::of(store).await?;
    let mut verdict = Verdict::new();
    let log = walk_log(&trail).await?;
    verdict.sealed_to = log.last;
    if let Some(head) = &head {
        verdict.add_all(against(&trail, &log, &public, head).await?);
    }
    verdict.merge(heads(&trail, &log, &public).await?);
    verdict.add_all(log.found.iter().cloned());
    chains(&trail, &log, &mut verdict).await?;
    rows_without_events(&trail, &mut verdict).await?;
    trail.close().await?;
    Ok(verdict)
}

async fn walk_log(trail: &Trail) -> Result<LogSeen, ReadFault> {
    let mut walk = LogWalk::new();
    loop {
        let places = trail.places(walk.last(), STRETCH).await?;
        if places.is_empty() {
            return Ok(walk.finish());
        }
        for place in &places {
            walk.feed(place);
        }
    }
}

/// The head handed in: signed by us, its number still there, the same hash at it.
async fn against(
    trail: &Trail,
    log: &LogSeen,
    public: &[u8; 32],
    head: &Head,
) -> Result<Option<Found>, ReadFault> {
    let record = Record::at(head.number);
    let text = Head::signed_text(head.number, head.hash);
    if !is_signed_by(public, text.as_bytes(), &head.signature) {
        let words = "the head handed in is not signed by this installation's key";
        return Ok(Some(Found::new(What::ForeignHead, record, words)));
    }
    if head.number > log.last {
        let words = format!("the log was cut: it ends at {}, the head says {}", log.last, head.number);
        return Ok(Some(Found::new(What::Cut, Record::at(log.last + 1), words)));
    }
    let standing = trail.seal_hash(head.number).await?;
    Ok(match standing {
        Some(hash) if Digest::from_slice(&hash) == Some(head.hash) => None,
        Some(_) => {
            let words = format!("records up to {} were rewritten since this head was signed", head.number);
            Some(Found::new(What::Rewritten, record, words))
        }
        None => Some(Found::new(What::Dropped, record, "the place that the head names is missing")),
    })
}

/// The heads in the database: each signed by us, each the hash at its number, the last one at the end of the log.
async fn heads(trail: &Trail, log: &LogSeen, public: &[u8; 32]) -> Result<Verdict, ReadFault> {
    let mut told = Verdict::new();
    let (mut after, mut fits_to, mut unfit, mut signed_to) = (i64::MIN, 0, None, 0);
    loop {
        let heads = trail.heads(after, STRETCH).await?;
        let Some(last) = heads.last() else { break };
        after = last.number;
        for head in heads {
            let hash = digest(&head.hash);
            let text = Head::signed_text(head.number, hash);
            if !is_signed_by(public, text.as_bytes(), &head.signature) {
                let words = "a head of this number is not signed by this installation's key";
                told.add(Found::new(What::ForeignHead, Record::at(head.number), words));
                continue;
            }
            signed_to = signed_to.max(head.number);
            match head.standing {
                Some(standing) if digest(&standing) == hash => fits_to = head.number,
                Some(_) => unfit = unfit.or(Some((fits_to, head.number))),
                None if head.number > log.last => {
                    let words = format!(
                        "the log was cut: it ends at {}, a signed head says {}",
                        log.last, head.number
                    );
                    told.add(Found::new(What::Cut, Record::at(log.last + 1), words));
                }
                // The missing place is told by the walk along the log.
                None => {}
            }
        }
    }
    if let Some((good, bad)) = unfit {
        let words =
            format!("records between {} and {bad} were rewritten: a signed head says otherwise", good + 1);
        told.add(Found::new(What::Rewritten, Record::at(bad), words));
    }
    if signed_to < log.last {
        let (what, words) = if signed_to == 0 {
            (What::Rewritten, "no head signed by this installation's key covers the log".to_owned())
        } else {
            let words = format!(
                "the records from here to {} stand in the log, but no signed head covers them",
                log.last
            );
            (What::Added, words)
        };
        told.add(Found::new(what, Record::at(signed_to + 1), words));
    }
    Ok(told)
}

async fn chains(trail: &Trail, log: &LogSeen, verdict: &mut Verdict) -> Result<(), ReadFault> {
    let mut walk = ChainWalk::over(log);
    let mut replay: Option<Replay> = None;
    let mut after = None;
    loop {
        let stretch = trail.events(after, STRETCH).await?;
        let Some(last) = stretch.last() else { break };
        after = Some((last.stored.chain, last.stored.position));
        for row in &stretch {
            verdict.events += 1;
            if row.waits == Waits::Yes {
                verdict.waiting += 1;
            }
            let chain = ChainId(row.stored.chain);
            let read = walk.feed(row);
            if let Some(ended) = replay.take_if(|replay| replay.chain() != chain) {
                compare(trail, &ended, verdict).await?;
            }
            let replay = replay.get_or_insert_with(|| Replay::of(chain));
            if let Some(read) = &read {
                replay.feed(row, read);
            }
        }
    }
    if let Some(ended) = replay {
        compare(trail, &ended, verdict).await?;
    }
    let rows = std::mem::take(&mut verdict.faults);
    let more = std::mem::take(&mut verdict.more);
    verdict.merge(walk.finish());
    verdict.add_all(rows);
    verdict.more += more;
    Ok(())
}

async fn compare(trail: &Trail, replay: &Replay, verdict: &mut Verdict) -> Result<(), ReadFault> {
    let told = trail.told(replay.chain()).await?;
    verdict.not_covered += replay.not_covered();
    verdict.add_all(replay.compare(&told));
    Ok(())
}

async fn rows_without_events(trail: &Trail, verdict: &mut Verdict) -> Result<(), ReadFault> {
    for id in trail.waiting_for_nothing(MOST).await? {
        let record = Record { event: Some(EventId(id)), ..Record::default() };
        let words = "it waited for its place in the log, and is gone";
        verdict.add(Found::new(What::Dropped, record, words));
    }
    for id in trail.personal_of_nothing(MOST).await? {
        let record = Record { event: Some(EventId(id)), ..Record::default() };
        let words = "personal values are kept for it, and the event is gone";
        verdict.add(Found::new(What::Dropped, record, words));
    }
    for id in trail.untold_workflows(MOST).await? {
        let words = "a workflow of which no event tells";
        verdict.add(Found::new(What::RowDiffers, Record::of_chain(ChainId(id)), words));
    }
    for id in trail.untold_deliveries(MOST).await? {
        let words = "a delivery of which no event tells";
        verdict.add(Found::new(What::RowDiffers, Record::of_chain(ChainId(id)), words));
    }
    Ok(())
}
