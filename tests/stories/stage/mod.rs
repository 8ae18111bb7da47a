//! The stage: a service on real sockets, the simulated outside world, and a clock that only moves by hand.

mod actors;
mod app;
mod database;
mod world;

pub use app::{Choices, Dialect, Stage};
pub use database::Database;
