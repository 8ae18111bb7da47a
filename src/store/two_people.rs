//! What takes two people: who counts as one of them, and how a proposal tells who made it.
//!
//! Must hold: each of the two has proven a mailbox by a code, on the console or for a command; the mailboxes are not the
//! same; and both are operators by the settings of the moment in which the second one confirms.

use uuid::Uuid;

use super::fault::ReadFault;
use crate::domain::audit::Actor;
use crate::domain::names::EmailAddress;
use crate::domain::operator::{MachineUser, Operator};

/// One of two people, who has proven a mailbox.
#[derive(Debug, Clone)]
pub struct OneOfTwo {
    /// That mailbox.
    pub address: EmailAddress,
    /// The user of the machine, where it is done at a command line.
    pub user: Option<MachineUser>,
    /// Who may act as an operator, by the settings of this moment.
    pub operators: Vec<EmailAddress>,
}

/// Why somebody is not the second one of two.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} has proposed this already; somebody else must confirm it")]
pub struct SamePerson(pub EmailAddress);

impl OneOfTwo {
    pub(super) fn operator(&self) -> Operator {
        let address = self.address.clone();
        match &self.user {
            Some(user) => Operator::AtTheMachine { user: user.clone(), proven: Some(address) },
            None => Operator::SignedIn(address),
        }
    }

    pub(super) fn actor(&self) -> Actor {
        Actor::Operator(self.address.to_string())
    }

    /// Whether what this one has proposed still counts: not, once they are an operator no more.
    pub(super) fn counts(&self, proposer: &Operator) -> bool {
        proposer
            .address()
            .is_some_and(|address| self.operators.iter().any(|one| one.mailbox() == address.mailbox()))
    }

    /// Confirms what this one has proposed: the proposer's mailbox, if it is another one.
    pub(super) fn seconds(&self, proposer: &Operator) -> Result<EmailAddress, SamePerson> {
        match proposer.address() {
            Some(address) if !proposer.is_same_person(&self.operator()) => Ok(address.clone()),
            Some(address) => Err(SamePerson(address.clone())),
            None => Err(SamePerson(self.address.clone())),
        }
    }
}

/// How a row spells who has proposed something.
pub(super) struct Spelled<'r> {
    pub(super) table: &'static str,
    pub(super) row: Uuid,
    pub(super) address: &'r str,
    /// What the machine called them, where it was done at a command line.
    pub(super) user: Option<&'r String>,
    pub(super) number: Option<i64>,
    pub(super) account: Option<&'r String>,
}

impl Spelled<'_> {
    pub(super) fn operator(self) -> Result<Operator, ReadFault> {
        let (table, row) = (self.table, self.row);
        let wrong = |wrong| ReadFault::Inconsistent { table, row: row.to_string(), wrong };
        let address = EmailAddress::parse(self.address).map_err(|_| wrong("not a mail address"))?;
        let Some(called) = self.user.cloned() else { return Ok(Operator::SignedIn(address)) };
        let number = self.number.map(u32::try_from).transpose();
        let number = number.map_err(|_| wrong("not the number of an account"))?;
        let user = MachineUser { called, number, account: self.account.cloned() };
        Ok(Operator::AtTheMachine { user, proven: Some(address) })
    }
}
