//! This machine, as the settings see it, with somebody who knows whether a condition is one.
//!
//! Must hold: a condition that does not compile is told together with every other fault of the file.

use std::path::Path;
use std::time::Duration;

use super::{EVALUATION_LIMIT, Engine};
use crate::config::{Machine, Unfetched, World};

/// [`Machine`], and a judge of conditions.
#[derive(Debug)]
pub struct Judged(Option<Engine>);

impl Judged {
    /// Without an interpreter nothing is judged here; the start of the service says why it has none.
    pub fn here() -> Self {
        Self(Engine::start(EVALUATION_LIMIT).ok())
    }
}

impl World for Judged {
    fn env(&self, name: &str) -> Result<String, Unfetched> {
        Machine.env(name)
    }

    fn file(&self, path: &Path) -> Result<String, Unfetched> {
        Machine.file(path)
    }

    fn output(&self, program: &str, arguments: &[String], limit: Duration) -> Result<String, Unfetched> {
        Machine.output(program, arguments, limit)
    }

    fn fault_of_condition(&self, text: &str) -> Option<String> {
        self.0.as_ref()?.compile(text).err().map(|fault| fault.to_string())
    }
}
