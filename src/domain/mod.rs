//! The core: what the words mean and what may happen next.
//!
//! Must hold: no async, no input or output, no clock and no randomness in here; every decision is a function of
//! its arguments. Deliberately absent: anything that knows a database, a socket or a file.

pub mod adoption;
pub mod approval;
pub mod audit;
pub mod built_in;
pub mod canon;
pub mod drift;
pub mod effective;
pub mod ids;
pub mod kind;
pub mod late_create;
pub mod leaver_clock;
pub mod memberships;
pub mod names;
pub mod operator;
pub mod pace;
pub mod plan;
pub mod rehire;
pub mod removal;
pub mod request;
pub mod resting;
pub mod correction;
pub mod retry;
pub mod routing;
pub mod seats;
pub mod sign_in;
pub mod snapshot;
pub mod seen;
pub mod step;
pub mod strict_json;
pub mod time;
pub mod workflow;
