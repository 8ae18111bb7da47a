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

/// The role of an address, if it has one. It is the very address of the settings that has it: one with another tag may
/// be somebody else's.
pub fn role_of(settings: &Settings, address: &EmailAddress) -> Option<Role> {
    holder(settings, address).map(|(role, _)| role)
}

/// The role of an address, and the address as the settings spell it, to which a code is mailed.
pub fn holder<'s>(settings: &'s Settings, address: &EmailAddress) -> Option<(Role, &'s EmailAddress)> {
    let mailbox = address.mailbox();
    let found = |people: &'s [EmailAddress]| people.iter().find(|one| one.mailbox() == mailbox);
    let operators = &settings.operators;
    let operator = found(&operators.members).map(|one| (Role::Operator, one));
    operator.or_else(|| found(&operators.viewers).map(|one| (Role::Viewer, one)))
}
