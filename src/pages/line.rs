//! One line of a list: what it is, and how it reads.

use crate::web::visible::visible;

/// A line of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What it is.
    pub label: String,
    /// How it reads.
    pub text: String,
}

/// A line whose text may be foreign.
pub(super) fn line(label: impl Into<String>, text: &str) -> Line {
    Line { label: label.into(), text: visible(text) }
}
