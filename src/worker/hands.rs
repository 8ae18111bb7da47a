//! The hands of a worker: one is kept for leavers, and work that falls over takes no other along.
//!
//! Must hold: however much there is to do for others, a leaver finds a hand where a worker has two or more; a fault of our
//! own ends the piece of work in which it stands, and nothing else.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt as _;

use crate::domain::kind::Kind;
use crate::store::due::Whose;

/// Of the hands of a worker one is kept for leavers, whatever else there is to do, where there are two or more.
#[derive(Debug)]
pub struct KeptHand {
    /// So many may be at work for others.
    most: usize,
    others: Arc<AtomicUsize>,
}

/// A hand that is at work for somebody who does not leave, until it is dropped.
#[derive(Debug)]
pub struct AtWork(Arc<AtomicUsize>);

impl KeptHand {
    /// Among so many hands.
    pub fn among(hands: usize) -> Self {
        Self { most: if hands < 2 { hands } else { hands - 1 }, others: Arc::new(AtomicUsize::new(0)) }
    }

    /// Whose work the next hand may take up.
    pub fn whose(&self) -> Whose {
        if self.others.load(Ordering::SeqCst) < self.most { Whose::Anybodys } else { Whose::Leavers }
    }

    /// A hand takes up work of this kind. Nothing to keep where that is a leaver's.
    pub fn takes(&self, kind: Kind) -> Option<AtWork> {
        if kind == Kind::Leaver {
            return None;
        }
        self.others.fetch_add(1, Ordering::SeqCst);
        Some(AtWork(Arc::clone(&self.others)))
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A piece of work ended in the middle by a fault of our own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it ended in the middle by a fault of our own, whose place the log of the service names")]
pub struct FellOver;

/// Does a piece of work in such a way that its fall takes nothing else along: neither the worker nor the others' work.
pub async fn upright<T>(work: impl Future<Output = T>) -> Result<T, FellOver> {
    AssertUnwindSafe(work).catch_unwind().await.map_err(|_| {
        metrics::counter!("countersign_falls_total").increment(1);
        FellOver
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_hand_of_several_is_kept_for_leavers() {
        for (hands, others) in [(1, 1), (2, 1), (32, 31)] {
            let kept = KeptHand::among(hands);
            let mut at_work = vec![];
            for _ in 0..others {
                assert_eq!(kept.whose(), Whose::Anybodys, "{hands}");
                at_work.extend(kept.takes(Kind::Joiner));
                assert!(kept.takes(Kind::Leaver).is_none(), "a leaver takes no hand from the others");
            }
            assert_eq!(kept.whose(), Whose::Leavers, "{hands}");
            at_work.pop();
            assert_eq!(kept.whose(), Whose::Anybodys, "{hands}");
        }
    }

    #[tokio::test]
    async fn work_that_falls_over_takes_nothing_along() {
        assert_eq!(upright(async { 7 }).await, Ok(7));
        assert_eq!(upright(async { panic!("a fault of our own") }).await, Err::<(), _>(FellOver));
    }
}
