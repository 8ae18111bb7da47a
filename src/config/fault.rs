//! One fault of the settings: where it is and what is wanted there.
//!
//! Must hold: a fault never carries the value that was found, secret or not; the texts speak of the rule.

use std::fmt;

/// One fault, with the place where a person mends it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// The settings file, as it was named on the command line.
    pub file: String,
    /// The path of the key, such as `sources[0].verify.kind`; empty when the whole file is meant.
    pub key: String,
    /// What is expected there, in words.
    pub wanted: String,
}

impl Fault {
    /// A fault at `key` of `file`.
    pub fn new(file: &str, key: &str, wanted: impl Into<String>) -> Self {
        Self { file: file.to_owned(), key: key.to_owned(), wanted: wanted.into() }
    }
}

/// One line: file, key, expectation.
impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key.as_str() {
            "" => write!(out, "{}: {}", self.file, self.wanted),
            key => write!(out, "{}: {key}: {}", self.file, self.wanted),
        }
    }
}

impl std::error::Error for Fault {}
