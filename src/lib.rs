//! Countersign turns joiner, mover and leaver events into approved, verified, provable changes in CyberArk.

pub mod domain;
pub mod config;
pub mod clock;
pub mod key;
pub mod rules;
pub mod target;
pub mod store;
pub mod worker;
pub mod kit;
pub mod web;
pub mod pages;
pub mod intake;
pub mod planning;
pub mod approval;
pub mod provision;
pub mod notify;
pub mod console;
pub mod audit;
pub mod sweeper;
pub mod service;
pub mod commands;
pub mod simulator;
