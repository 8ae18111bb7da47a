//! Countersign turns joiner, mover and leaver events into approved, verified, provable changes in CyberArk.

pub mod domain;
pub mod config;
pub mod clock;
pub mod key;
pub mod rules;
pub mod target;
pub mod store;
pub mod simulator;
