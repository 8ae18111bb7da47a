//! The hand-over: the initial password of a finished account reaches one person, once.
//!
//! Must hold: a link is a locator here, whatever `[sign_in]` says: the recipient proves the mailbox with a code; looking
//! shows nothing secret and changes nothing; showing is a POST, recorded before the password leaves; the operators
//! hear of whoever else reaches for it. Deliberately absent: how the value is kept (the store) and sealed (the key).

mod clerk;
mod page;

pub use clerk::Clerk;
pub use page::routes;
