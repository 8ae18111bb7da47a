//! What a request asks for.

use serde::{Deserialize, Serialize};

/// The six kinds of `jml/1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Somebody begins.
    Joiner,
    /// Somebody changes role.
    Mover,
    /// Somebody leaves.
    Leaver,
    /// Somebody comes back.
    Rehire,
    /// A new password is wanted.
    ResetPassword,
    /// A suspension after failed log-ons is to be lifted.
    Unsuspend,
}

impl Kind {
    /// Every kind, in the order of the contract.
    pub const ALL: [Self; 6] =
        [Self::Joiner, Self::Mover, Self::Leaver, Self::Rehire, Self::ResetPassword, Self::Unsuspend];

    /// The word used on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Joiner => "joiner",
            Self::Mover => "mover",
            Self::Leaver => "leaver",
            Self::Rehire => "rehire",
            Self::ResetPassword => "reset_password",
            Self::Unsuspend => "unsuspend",
        }
    }

    /// Reads the word back.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}
