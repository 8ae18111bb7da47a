//! Notify: telling people what has happened, by mail.
//!
//! Must hold: what is sent was owed in the transaction of the change it tells of; no transaction is open while a mail
//! server talks; a mail names no group and carries at most one link or one sign-in code, which is its reader's own.
//! Read in this order: `mail` (what each mail says), `letter` (what a message means now), `envelope` (headers and
//! threads), `smtp` (the way out), `courier` (the worker). Deliberately absent: deciding who is told what.

pub mod courier;
mod envelope;
mod letter;
pub mod mail;
pub mod smtp;

pub use courier::Courier;
pub use smtp::{NotSent, Post, Smtp};
