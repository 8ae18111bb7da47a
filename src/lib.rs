//! Countersign turns joiner, mover and leaver events into approved, verified, provable changes in CyberArk.

pub mod clock;
pub mod domain;
pub mod key;
pub mod store;
pub mod target;
