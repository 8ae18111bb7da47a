//! The stage: a service on real sockets, the simulated outside world, and a clock that only moves by hand.

mod actors;
mod app;
mod approvers;
mod browser;
mod changes;
mod database;
mod process;
mod invariants;
mod operator;
mod relay;
mod server;
mod visitor;
mod wire;
mod world;

pub use actors::{Answer, hidden};
pub use app::{
    CLIENT_SECRET, Choices, Dialect, PASSWORD_FILE, Product, READER, SecondVault, Stage, WEBHOOK_SECRET,
    WRITER,
};
pub use approvers::{ONE_OF_THE_GROUP, Whole};
pub use browser::{Browser, Screen, Scripts};
pub use changes::{FOREIGN, FORMER, differences, return_to_operations};
pub use database::Database;
pub use invariants::steps;
pub use operator::olga;
pub use process::{Outside, Process, command, command_asked, machine_name, until, until_at_most};
pub use relay::{Relay, fixture};
pub use server::Server;
pub use visitor::{Visitor, another_code};
pub use wire::Wire;
pub use world::{HandClock, SteppedClock};
