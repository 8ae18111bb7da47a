//! The small closed vocabularies of `jml/1`.
//!
//! Must hold: serde and [`as_str`](TicketSystem::as_str) spell alike, and the spellings never change.

use serde::{Deserialize, Serialize};

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$word_doc:meta])* $word:ident = $text:literal,)* })*) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$word_doc])* #[serde(rename = $text)] $word,)*
        }

        impl $name {
            /// Every word, in the order of `jml/1`.
            pub const ALL: &'static [Self] = &[$(Self::$word,)*];

            /// The stable spelling.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$word => $text,)* }
            }
        }
    )* };
}

words! {
    /// How somebody works for the organization.
    EmploymentType {
        /// On the payroll.
        Employee = "employee",
        /// For a time, by contract.
        Contractor = "contractor",
        /// To learn.
        Intern = "intern",
        /// Sent by a supplier.
        Vendor = "vendor",
        /// No person, but a service.
        Service = "service",
    }
    /// Where a ticket lives.
    TicketSystem {
        /// ServiceNow.
        ServiceNow = "servicenow",
        /// Jira Service Management.
        Jira = "jira",
        /// Zendesk.
        Zendesk = "zendesk",
        /// Freshservice.
        Freshservice = "freshservice",
        /// Any other system.
        Other = "other",
    }
    /// How a user proves who they are to the vault.
    AuthenticationMethod {
        /// By a password of the vault.
        Password = "AuthTypePass",
        /// By the directory.
        Ldap = "AuthTypeLDAP",
        /// By RADIUS.
        Radius = "AuthTypeRADIUS",
    }
    /// What becomes of a leaver's user.
    LeaverMode {
        /// It stays, disabled.
        Disable = "disable",
        /// It is removed for good.
        Delete = "delete",
    }
    /// Why somebody leaves.
    LeaverReason {
        /// Their own decision.
        Resignation = "resignation",
        /// The contract ran out.
        EndOfContract = "end_of_contract",
        /// The organization's decision.
        Dismissal = "dismissal",
        /// They died.
        Death = "death",
        /// They went to another part of the organization.
        Transfer = "transfer",
        /// Anything else.
        Other = "other",
    }
    /// How a new password reaches its owner.
    PasswordDelivery {
        /// It is kept in the vault.
        Vault = "vault",
        /// By a link that opens once.
        SealedLink = "sealed_link",
    }
}
