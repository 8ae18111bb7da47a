//! The canonical request, `jml/1`: what every source's message becomes before anything else looks at it.
//!
//! Must hold: past this door nobody sees a raw string. Read in this order: `words` and `fields` (how one object is
//! read), `subject`, `account` and `ticket` (the parts), `canonical` (the whole), `parse` (the way in), `place`
//! (where a fault is, for the record), `scope` (what it reaches for), `findable` (how people look it up). Deliberately absent: signatures, bytes and what a source is allowed to ask for.

mod account;
mod canonical;
mod fields;
mod findable;
mod parse;
mod place;
mod scope;
mod subject;
#[cfg(test)]
mod tests;
mod ticket;
mod words;

pub use account::{Account, AccountChange, AccountTraits, GroupChange, GroupSet};
pub use canonical::{
    Joiner, Leaver, LeaverTerms, Mover, Order, Rehire, Request, ResetPassword, ResetTerms, Unsuspend, What,
};
pub use fields::FieldFault;
pub use findable::folded;
pub use parse::RequestContext;
pub use subject::{Employment, Manager, Newcomer, Subject};
pub use ticket::Ticket;
pub use words::{
    AuthenticationMethod, EmploymentType, LeaverMode, LeaverReason, PasswordDelivery, TicketSystem,
};
