//! Provisioning: carrying an approved plan out, step by step.
//!
//! Must hold: a run only obeys `next_move`; the intent of an attempt is committed before the call and its
//! outcome after it; before the first write, and before the first after a person has looked, the target is read
//! again and a drift that voids stops the run; the allow-lists are asked again; what a lost create brings about late is
//! disabled once nobody comes to it any more. Deliberately absent: knowing what a step
//! means on the wire (the target's room).

mod allowed;
mod begin;
mod claimed;
mod executor;
mod password;
mod run;
mod watcher;

pub use executor::Executor;
pub use watcher::Watcher;
