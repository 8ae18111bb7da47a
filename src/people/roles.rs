//! What somebody who has signed in may do on the console.
//!
//! Must hold: a role comes from the settings of this moment and from nowhere else, so that a name taken out of them
//! is worth nothing at the next start; who has none may still answer what their own links ask.

use crate::config::Settings;
use crate::domain::names::EmailAddress;

/// A role; the later one may do more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// May look at everything.
    Viewer,
    /// May also retry, adopt, give up and whatever else an operator does.
    Operator,
}

impl Role {
    /// For people.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Viewer => "a viewer",
            Self::Operator => "an operator",
        }
    }
}

/// The role of an address, if it has one.
pub fn role_of(settings: &Settings, address: &EmailAddress) -> Option<Role> {
    let key = address.key();
    let holds = |people: &[EmailAddress]| people.iter().any(|one| one.key() == key);
    if holds(&settings.operators.members) {
        Some(Role::Operator)
    } else if holds(&settings.operators.viewers) {
        Some(Role::Viewer)
    } else {
        None
    }
}
