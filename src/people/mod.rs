//! People: how somebody proves who they are, the session that follows, and what a role lets them do.
//!
//! Must hold: a session begins only with a code that was mailed to the address it is for, entered in the browser that
//! asked; before that nothing is shown but that a sign-in is wanted, whoever holds a link; looking never writes; no
//! answer tells whether an address is known; a role is looked up in the settings at each request.
//! Read in this order: `cookies`, `session`, `pages`, `asking`, `gate` (personal links), `roles`, `signed`, `door`
//! (the general way in). Deliberately absent: passwords of our own, and deciding anything about a workflow.

mod asking;
mod cookies;
mod door;
pub mod gate;
mod pages;
mod roles;
mod session;
mod signed;

pub use door::routes;
pub use roles::{Role, holder, role_of};
pub use session::renew;
pub use signed::Signed;
