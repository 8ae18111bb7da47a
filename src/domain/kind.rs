//! The kinds of change that can be asked for, and whether a request begins, changes or withdraws one.
//!
//! Must hold: the spellings are those of `jml/1` and of the database's look-up tables, and never change.

use serde::{Deserialize, Serialize};

/// What is to happen to a person's access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Somebody new needs a user.
    Joiner,
    /// Somebody's work changed, and so their access.
    Mover,
    /// Somebody's access ends.
    Leaver,
    /// Somebody came back.
    Rehire,
    /// Somebody needs a new password.
    ResetPassword,
    /// Somebody locked themselves out.
    Unsuspend,
}

impl Kind {
    /// Every kind, in the order of `jml/1`.
    pub const ALL: [Self; 6] =
        [Self::Joiner, Self::Mover, Self::Leaver, Self::Rehire, Self::ResetPassword, Self::Unsuspend];

    /// The stable spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Joiner => "joiner",
            Self::Mover => "mover",
            Self::Leaver => "leaver",
            Self::Rehire => "rehire",
            Self::ResetPassword => "reset_password",
            Self::Unsuspend => "unsuspend",
        }
    }

    /// Reads the stable spelling.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// Which of the requests of one person it is held against.
    pub const fn family(self) -> Family {
        match self {
            Self::Joiner | Self::Rehire => Family::Start,
            Self::Mover => Family::Change,
            Self::Leaver => Family::End,
            Self::ResetPassword | Self::Unsuspend => Family::Credential,
        }
    }
}

/// Kinds of which the same person has one open at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Access begins, or begins once more.
    Start,
    /// Access changes.
    Change,
    /// Access ends.
    End,
    /// A password, or an end to a suspension.
    Credential,
}

impl Family {
    /// The word in the database.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Change => "change",
            Self::End => "end",
            Self::Credential => "credential",
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.as_str())
    }
}

/// How a request relates to an earlier one of the same source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// It stands alone.
    New,
    /// It takes the place of the earlier one.
    Amend,
    /// It withdraws the earlier one.
    Rescind,
}

impl Op {
    /// Every operation, in the order of `jml/1`.
    pub const ALL: [Self; 3] = [Self::New, Self::Amend, Self::Rescind];

    /// The stable spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Amend => "amend",
            Self::Rescind => "rescind",
        }
    }

    /// Reads the stable spelling.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|op| op.as_str() == text)
    }
}

impl std::fmt::Display for Op {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, Op};

    #[test]
    fn serde_and_the_stable_spelling_agree() {
        for kind in Kind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
            assert_eq!(Kind::parse(kind.as_str()), Some(kind));
        }
        for op in Op::ALL {
            assert_eq!(serde_json::to_value(op).unwrap(), op.as_str());
            assert_eq!(Op::parse(op.as_str()), Some(op));
        }
        assert_eq!(Kind::parse("Joiner"), None);
    }
}
