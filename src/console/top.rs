//! What stands at the head of every page of the console: where to go, and as whom.

use super::access::somebody_may_sign_in;
use crate::kit::Kit;
use crate::people::Signed;

/// The head of a page.
pub(super) struct Top {
    /// Who has signed in, and as what.
    pub(super) you: Option<String>,
    /// Can anybody sign in?
    pub(super) sign_in: bool,
}

impl Top {
    /// For this reader.
    pub(super) fn of(kit: &Kit, signed: Option<&Signed>) -> Self {
        let you = signed.map(|signed| format!("{}, {}", signed.address, signed.role.in_words()));
        Self { you, sign_in: somebody_may_sign_in(kit) }
    }
}
