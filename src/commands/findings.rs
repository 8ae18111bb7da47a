//! The lines of `check`, as they are found, and what they come to.
//!
//! Must hold: one line for each thing; a warning is no fault, but is not lost among what is well either.

use std::process::ExitCode;

/// What was found so far.
#[derive(Default)]
pub(super) struct Findings {
    good: usize,
    left: usize,
    warned: usize,
    faults: usize,
}

impl Findings {
    pub(super) fn good(&mut self, what: &str, words: &str) {
        self.good += 1;
        say!("ok    {what}: {words}");
    }

    pub(super) fn left(&mut self, what: &str, words: &str) {
        self.left += 1;
        say!("left  {what}: {words}");
    }

    /// It works, and may not do what was meant.
    pub(super) fn warn(&mut self, what: &str, words: &str) {
        self.warned += 1;
        say!("warn  {what}: {words}");
    }

    pub(super) fn mend(&mut self, what: &str, words: &str) {
        self.faults += 1;
        say!("MEND  {what}: {words}");
    }

    pub(super) fn end(&self) -> ExitCode {
        match self.faults {
            0 => {
                say!("All is well: {} things were looked at, and nothing was changed.", self.good);
                if self.warned > 0 {
                    say!("Warned of: {}, as said above.", self.warned);
                }
                if self.left > 0 {
                    say!("Left out: {}, as said above.", self.left);
                }
                ExitCode::SUCCESS
            }
            1 => {
                say!("One thing is to be mended.");
                ExitCode::FAILURE
            }
            several => {
                say!("{several} things are to be mended.");
                ExitCode::FAILURE
            }
        }
    }
}
