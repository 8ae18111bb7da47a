//! What all pages and interfaces share on the wire: headers, problems, the guard of forms, static files.
//!
//! Must hold: nothing in here knows a station; a rejected value never stands in an answer.

pub mod headers;
pub mod home;
pub mod trace;
pub mod problem;
pub mod json;
pub mod bearer;
pub mod client;
pub mod csrf;
pub mod visible;
pub mod page;
pub mod assets;
#[cfg(test)]
pub(crate) mod tests;
