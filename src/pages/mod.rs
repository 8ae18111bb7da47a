//! The plan in words and the run as it goes: what the approval page shows, and later the console.
//!
//! Must hold: everything shown comes out of the store as domain values and leaves as typed views; foreign text
//! passes through `visible`. Deliberately absent: who may see it (the stations decide that).

mod account_in_words;
pub mod differences;
mod line;
pub mod live;
pub mod plan_in_words;
pub mod progress;
pub mod routing_in_words;
#[cfg(test)]
pub(crate) mod sample;
pub mod steps_in_words;
pub mod summary_in_words;
pub mod time_in_words;
pub mod timeline;
mod unfit;
pub mod unusual;
pub mod whole_in_words;
mod unusual_account;
mod unusual_return;
