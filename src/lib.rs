//! Countersign turns joiner, mover and leaver events into approved, verified, provable changes in CyberArk.

pub mod clock;
pub mod config;
pub mod domain;
pub mod key;
pub mod kit;
pub mod planning;
pub mod provision;
pub mod rules;
pub mod simulator;
pub mod store;
pub mod sweeper;
pub mod target;
pub mod worker;
