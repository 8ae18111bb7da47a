//! The loop that every background worker runs in: do what is due, then wait for the bell or the next due time.
//!
//! Must hold: a worker listens for the bell before it looks, so that no ring is missed, and looks again after a
//! while all the same, since another process may have written; one failing turn does not end the worker; a turn is
//! a plain function, so that a test can drive it by hand. Of a worker with several hands one looks at a time, however
//! many are idle.

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use tokio::sync::{Mutex, OwnedMutexGuard, watch};
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::clock::World;
use crate::domain::time::Timestamp;

mod hands;

pub use hands::{AtWork, FellOver, KeptHand, upright};

/// What a turn has brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Did {
    /// So many pieces of work; there may be more.
    Work(u64),
    /// Nothing was due; the next thing is due then.
    IdleUntil(Timestamp),
    /// Nothing was due, and nothing is in sight.
    Idle,
}

/// A turn that failed as a whole. What it was about stays in the database and will be met again.
#[derive(Debug, thiserror::Error)]
#[error("{doing}: {fault}")]
pub struct TurnFailed {
    /// What was being done.
    pub doing: &'static str,
    /// What went wrong.
    pub fault: String,
}

impl TurnFailed {
    /// Names the deed that failed.
    pub fn doing(doing: &'static str) -> impl Fn(&dyn std::fmt::Display) -> Self {
        move |fault| Self { doing, fault: fault.to_string() }
    }
}

/// Something that works in the background.
#[async_trait]
pub trait Worker: Send + Sync {
    /// For logs and metrics.
    fn name(&self) -> &'static str;

    /// Does what is due now.
    async fn turn(&self) -> Result<Did, TurnFailed>;

    /// How many turns may be under way at once.
    fn hands(&self) -> usize {
        1
    }

    /// The same, beside other hands, the next of which may look as soon as this one has found its work.
    async fn turn_beside_others(&self, _looking: &mut Looking) -> Result<Did, TurnFailed> {
        self.turn().await
    }
}

/// The right to look for work; the hands of one worker have it in turn.
#[derive(Debug)]
pub struct Looking(Option<OwnedMutexGuard<()>>);

impl Looking {
    /// For a hand that works alone.
    pub fn alone() -> Self {
        Self(None)
    }

    /// Work is found: the next hand may look.
    pub fn found(&mut self) {
        self.0 = None;
    }
}

/// What one hand of a worker runs with.
struct Hand {
    worker: Arc<dyn Worker>,
    world: World,
    bell: watch::Receiver<u64>,
    poll: Duration,
    stop: CancellationToken,
    /// Held by the hand that looks, and by none while it works.
    looks: Arc<Mutex<()>>,
}

/// Works until told to stop. A turn under way is finished first.
async fn run(hand: Hand) {
    let Hand { worker, world, mut bell, poll, stop, looks } = hand;
    while !stop.is_cancelled() {
        let mut looking = tokio::select! {
            held = Arc::clone(&looks).lock_owned() => Looking(Some(held)),
            () = stop.cancelled() => return,
        };
        bell.mark_unchanged();
        let turn = worker.turn_beside_others(&mut looking).await;
        if let Err(failed) = &turn {
            tracing::error!(worker = worker.name(), fault = %failed, "a turn failed");
            metrics::counter!("countersign_turns_failed_total", "worker" => worker.name()).increment(1);
        }
        let wait = wait_after(turn.ok(), world.now(), poll);
        if !wait.is_zero() {
            pause(wait, &mut bell, &stop).await;
        }
    }
}

/// How long to wait after a turn, or after one that failed.
fn wait_after(turn: Option<Did>, now: Timestamp, poll: Duration) -> Duration {
    match turn {
        // Work that came to nothing is no reason to look again at once.
        None | Some(Did::Work(0) | Did::Idle) => poll,
        Some(Did::Work(_)) => Duration::ZERO,
        Some(Did::IdleUntil(due)) => due.since(now).to_std().unwrap_or_default().min(poll),
    }
}

/// Workers at work, each hand in a task of its own.
pub struct Crew {
    working: JoinSet<()>,
    names: HashMap<Id, &'static str>,
    stop: CancellationToken,
    failed: bool,
}

/// A worker ended although nobody had asked it to, or in the middle of its last turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a worker ended by a fault of its own")]
pub struct EndedByItself;

impl Crew {
    /// Sets workers to work until they are told to stop. Each gets a bell of its own.
    pub fn start(
        workers: &[Arc<dyn Worker>],
        world: &World,
        bell: impl Fn() -> watch::Receiver<u64>,
        poll: Duration,
        stop: &CancellationToken,
    ) -> Self {
        let (mut working, mut names) = (JoinSet::new(), HashMap::new());
        for worker in workers {
            let looks = Arc::new(Mutex::new(()));
            for _ in 0..worker.hands() {
                let hand = Hand {
                    worker: Arc::clone(worker),
                    world: world.clone(),
                    bell: bell(),
                    poll,
                    stop: stop.clone(),
                    looks: Arc::clone(&looks),
                };
                names.insert(working.spawn(run(hand)).id(), worker.name());
            }
        }
        Self { working, names, stop: stop.clone(), failed: false }
    }

    /// Waits until they are told to stop. One that ends by itself stops the others, too, so that it is seen.
    pub async fn watch(&mut self) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            Some(ended) = self.working.join_next_with_id() => {
                self.note(ended);
                self.failed |= !self.stop.is_cancelled();
                self.stop.cancel();
            }
        }
    }

    /// Waits for each to finish its turn, and says whether all of them ended well.
    pub async fn finish(mut self) -> Result<(), EndedByItself> {
        while let Some(ended) = self.working.join_next_with_id().await {
            self.note(ended);
        }
        if self.failed { Err(EndedByItself) } else { Ok(()) }
    }

    fn note(&mut self, ended: Result<(Id, ()), JoinError>) {
        if let Err(fault) = ended {
            self.failed = true;
            let worker = self.names.get(&fault.id()).copied().unwrap_or_default();
            tracing::error!(worker, fault = %fault, "a worker ended by a fault of its own");
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that waits: between turns, interrupted by the bell"
)]
async fn pause(wait: Duration, bell: &mut watch::Receiver<u64>, stop: &CancellationToken) {
    tokio::select! {
        () = tokio::time::sleep(wait) => {}
        rung = bell.changed() => {
            // The store is gone: nothing rings any more, so wait to be stopped.
            if rung.is_err() {
                stop.cancelled().await;
            }
        }
        () = stop.cancelled() => {}
    }
}

/// What came of a sign of life.
pub enum Shown {
    /// It is kept.
    Kept,
    /// It could not be kept now; another one is given soon.
    NotNow,
}

/// Waits for a call, and gives a sign of life whenever a third of the lease has passed: `extend` is told until when it
/// stood and until when it is to stand. A lease that is lost in spite of it ends the wait with that fault.
pub async fn holding<T, Lost, Told: Future<Output = Result<Shown, Lost>>>(
    world: &World,
    (lease, mut until): (TimeDelta, Timestamp),
    call: impl Future<Output = T>,
    mut extend: impl FnMut(Timestamp, Timestamp) -> Told,
) -> Result<T, Lost> {
    let mut call = pin!(call);
    let mut extended = world.now();
    loop {
        tokio::select! {
            said = &mut call => return Ok(said),
            () = pulse() => {}
        }
        let now = world.now();
        if now.since(extended) >= lease / 3
            && let Shown::Kept = extend(until, now.plus(lease)).await?
        {
            (extended, until) = (now, now.plus(lease));
        }
    }
}

/// Comes to its end about once a second, for whoever has to show during a long call that it is still there. What is
/// due then is asked of the clock that was passed in.
#[expect(clippy::disallowed_methods, reason = "a sign of life of a call under way; nothing is put off by it")]
async fn pulse() {
    tokio::time::sleep(Duration::from_secs(1)).await;
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Semaphore;

    use super::*;

    const POLL: Duration = Duration::from_secs(5);

    #[test]
    fn only_work_that_came_to_something_is_followed_at_once() {
        let now = Timestamp::from_unix_seconds(1_800_000_000).unwrap();
        let table = [
            (None, POLL),
            (Some(Did::Idle), POLL),
            (Some(Did::Work(0)), POLL),
            (Some(Did::Work(1)), Duration::ZERO),
            (Some(Did::IdleUntil(now.plus_seconds(-3))), Duration::ZERO),
            (Some(Did::IdleUntil(now.plus_seconds(3))), Duration::from_secs(3)),
            (Some(Did::IdleUntil(now.plus_seconds(300))), POLL),
        ];
        for (turn, wait) in table {
            assert_eq!(wait_after(turn, now, POLL), wait, "{turn:?}");
        }
    }

    /// Works as it is told.
    struct Told(fn() -> Did);

    #[async_trait]
    impl Worker for Told {
        fn name(&self) -> &'static str {
            "told"
        }

        async fn turn(&self) -> Result<Did, TurnFailed> {
            Ok((self.0)())
        }
    }

    fn crew(turns: [fn() -> Did; 2], stop: &CancellationToken) -> (Crew, watch::Sender<u64>) {
        let (ringer, bell) = watch::channel(0);
        let workers: Vec<Arc<dyn Worker>> =
            turns.into_iter().map(|turn| Arc::new(Told(turn)) as Arc<dyn Worker>).collect();
        // An hour, so that nobody gets anywhere by looking again.
        let hour = Duration::from_hours(1);
        (Crew::start(&workers, &World::real(), || bell.clone(), hour, stop), ringer)
    }

    #[tokio::test]
    async fn a_worker_that_ends_by_itself_takes_the_others_along() {
        let stop = CancellationToken::new();
        let (mut crew, _ringer) = crew([|| Did::Idle, || panic!("a fault of its own")], &stop);
        crew.watch().await;
        assert!(stop.is_cancelled());
        assert_eq!(crew.finish().await, Err(EndedByItself));
    }

    /// Has so many pieces of work, all of which wait for the same word.
    struct Busy {
        pieces: Semaphore,
        under_way: AtomicUsize,
        looks: AtomicUsize,
        end: Semaphore,
    }

    #[async_trait]
    impl Worker for Busy {
        fn name(&self) -> &'static str {
            "busy"
        }

        async fn turn(&self) -> Result<Did, TurnFailed> {
            self.turn_beside_others(&mut Looking::alone()).await
        }

        fn hands(&self) -> usize {
            3
        }

        async fn turn_beside_others(&self, looking: &mut Looking) -> Result<Did, TurnFailed> {
            self.looks.fetch_add(1, Ordering::SeqCst);
            let Ok(piece) = self.pieces.try_acquire() else { return Ok(Did::Idle) };
            piece.forget();
            looking.found();
            self.under_way.fetch_add(1, Ordering::SeqCst);
            self.end.acquire().await.unwrap().forget();
            self.under_way.fetch_sub(1, Ordering::SeqCst);
            Ok(Did::Work(1))
        }
    }

    #[tokio::test]
    async fn several_hands_work_at_once_and_one_idle_hand_looks() {
        let busy = Arc::new(Busy {
            pieces: Semaphore::new(2),
            under_way: AtomicUsize::new(0),
            looks: AtomicUsize::new(0),
            end: Semaphore::new(0),
        });
        let (stop, (ringer, bell)) = (CancellationToken::new(), watch::channel(0));
        let worker: Arc<dyn Worker> = Arc::clone(&busy) as Arc<dyn Worker>;
        let hour = Duration::from_hours(1);
        let crew = Crew::start(&[worker], &World::real(), || bell.clone(), hour, &stop);
        while busy.looks.load(Ordering::SeqCst) < 3 {
            tokio::task::yield_now().await;
        }
        assert_eq!(busy.under_way.load(Ordering::SeqCst), 2);
        // The third hand has looked in vain and waits; the others, done, find it looking and leave it that.
        busy.end.add_permits(2);
        while busy.under_way.load(Ordering::SeqCst) > 0 {
            tokio::task::yield_now().await;
        }
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(busy.looks.load(Ordering::SeqCst), 3);
        busy.pieces.add_permits(1);
        ringer.send_modify(|rung| *rung += 1);
        while busy.under_way.load(Ordering::SeqCst) < 1 {
            tokio::task::yield_now().await;
        }
        stop.cancel();
        busy.end.add_permits(1);
        assert_eq!(crew.finish().await, Ok(()));
    }

    #[tokio::test]
    async fn workers_that_are_asked_to_stop_end_well() {
        let stop = CancellationToken::new();
        let (mut crew, _ringer) = crew([|| Did::Idle, || Did::Idle], &stop);
        stop.cancel();
        crew.watch().await;
        assert_eq!(crew.finish().await, Ok(()));
    }
}
