//! Whom `--as` names: somebody who may act as an operator by the settings of this moment.
//!
//! Must hold: one check for every command that takes `--as`, the same that the console makes of whoever signed in. What
//! is said is a claim all the same; whoever acts on it keeps the user of the machine beside it.

use std::process::ExitCode;

use super::failed;
use crate::domain::names::EmailAddress;
use crate::kit::Kit;
use crate::people::{Role, role_of};

/// An address that somebody claims, before the settings are read.
#[derive(Debug, Clone)]
pub(super) struct Claim(EmailAddress);

impl Claim {
    /// Reads what stands behind `--as`.
    pub(super) fn parse(text: &str) -> Result<Self, ExitCode> {
        EmailAddress::parse(text).map(Self).map_err(|_| failed(&"--as: wanted: a mail address"))
    }

    /// The address, if it stands in `[operators] members` now; else the store is closed and the command ends.
    pub(super) async fn checked(self, kit: &Kit) -> Result<EmailAddress, ExitCode> {
        if role_of(&kit.settings, &self.0) == Some(Role::Operator) {
            return Ok(self.0);
        }
        kit.store.close().await;
        Err(failed(&"--as: wanted: an address that stands in members of [operators] in the settings"))
    }
}
