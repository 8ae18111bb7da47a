//! Countersign turns joiner, mover and leaver events into approved, verified, provable changes in CyberArk.
//!
//! Follow one webhook through the rooms; each station reads from the [`store`] what the one before it committed there,
//! and none calls another:
//!
//! 1. [`intake`] takes the raw bytes, verifies the signature, parses them once into a [`domain::request::Request`],
//!    and commits delivery, workflow and audit events in one deed. Only then does it answer 202.
//! 2. [`planning`] chooses the one profile and the rule ([`rules`]), reads the vault ([`target`]), seals a
//!    [`domain::plan::Plan`] under a digest, and asks the people of the first stage. Mails are owed in the same deed.
//! 3. [`notify`] sends what is owed: each approver gets one personal link, made anew from the [`key`].
//! 4. [`approval`] shows the plan in words ([`pages`]) and takes the decision. The rule is a pure function
//!    ([`domain::approval::decide`]), asked once more inside the one deed that writes decisions.
//! 5. [`provision`] waits for the effective time, reads the vault again, and obeys [`domain::step::next_move`]: intent,
//!    call, outcome, step after step, the last one a fresh read that must show what was approved.
//!    A create that got no answer keeps its name watched, so that an account that comes up late is left to nobody.
//! 6. [`hand_over`] shows the initial password to its one recipient, once.
//! 7. [`audit`] gives every committed event its place in one log and signs the head; [`sweeper`] brings to rest what
//!    nobody decided, [`timekeeper`] holds our clock against the database's; [`console`] shows all of it to operators
//!    and their tools.
//!
//! Who decides proves who they are in [`people`]: a code from the mailbox, then a session.
//!
//! Outside the database only the last head of that log is kept, in the [`witness`]: what tells a restored database.
//!
//! [`service`] puts the rooms together, [`commands`] is the command line, [`worker`] the loop that the background
//! stations run in. [`simulator`] is the outside world for demonstration and stories; it imports nothing of ours.
//! Modules stand in the order of their layers: each imports only what stands above it (`tests/layering.rs`).

pub mod domain;
pub mod config;
pub mod clock;
pub mod key;
pub mod rules;
pub mod target;
pub mod store;
pub mod witness;
pub mod worker;
pub mod kit;
pub mod web;
pub mod pages;
pub mod people;
pub mod intake;
pub mod planning;
pub mod approval;
pub mod provision;
pub mod hand_over;
pub mod notify;
pub mod console;
pub mod audit;
pub mod sweeper;
pub mod timekeeper;
pub mod service;
pub mod commands;
pub mod simulator;
