//! Who acts or decides: by what names they are known, which requests are their own, and when two of them are one person.
//!
//! Must hold: nobody acts on a request of their own or on their own access, under none of their names; where two people
//! are needed, two mailboxes were proven by a code each, on the console or at a command line, and what a machine says of
//! whoever runs a command stands for nobody. Deliberately absent: who may sign in as an operator, which the settings say.

use super::audit::NewEvent;
use super::names::{EmailAddress, UserName};

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operator {
    /// Somebody who has signed in on the console.
    SignedIn(EmailAddress),
    /// Somebody at the command line.
    AtTheMachine {
        /// What the machine knows of them.
        user: MachineUser,
        /// The mailbox whose code they have just entered there, where the command asks for one.
        proven: Option<EmailAddress>,
    },
}

/// What a machine knows of whoever runs a command on it. Told beside their name, and no proof: where nobody has logged
/// in, any process may say that somebody has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineUser {
    /// The name in the environment, which its owner may change.
    pub called: String,
    /// The number of the account that logged in, as the kernel tells it; absent where it knows of no login, as in a
    /// container.
    pub number: Option<u32>,
    /// What the system calls that account, or else the one that the command runs as, where it has a name for it.
    pub account: Option<String>,
}

/// Whom a request concerns: who asked for it, and whose access it is about, by every name that is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Concerned {
    /// Who asked for it, when that is an address.
    pub requester: Option<EmailAddress>,
    /// Addresses of the person whom it is about.
    pub addresses: Vec<EmailAddress>,
    /// Accounts of the person whom it is about.
    pub accounts: Vec<UserName>,
}

impl Operator {
    /// The name in the audit trail.
    pub fn name(&self) -> &str {
        match self {
            Self::SignedIn(address) | Self::AtTheMachine { proven: Some(address), .. } => address.as_str(),
            Self::AtTheMachine { user, proven: None } => &user.called,
        }
    }

    /// For people to read.
    pub fn in_words(&self) -> String {
        match self {
            Self::SignedIn(address) => address.to_string(),
            Self::AtTheMachine { user, proven: None } => user.in_words(),
            Self::AtTheMachine { user, proven: Some(address) } => {
                at_the_machine(address.as_str(), &user.in_words())
            }
        }
    }

    /// The mailbox that this person has proven to be theirs.
    pub fn address(&self) -> Option<&EmailAddress> {
        match self {
            Self::SignedIn(address) => Some(address),
            Self::AtTheMachine { proven, .. } => proven.as_ref(),
        }
    }

    /// The user of the machine, for whoever acts at the command line.
    pub fn machine_user(&self) -> Option<&MachineUser> {
        match self {
            Self::SignedIn(_) => None,
            Self::AtTheMachine { user, .. } => Some(user),
        }
    }

    /// Do any of their names stand for one of these addresses? Whoever is called on the machine like an address is
    /// taken for its owner.
    pub fn is_one_of<'a>(&self, addresses: impl IntoIterator<Item = &'a EmailAddress>) -> bool {
        let key = self.address().map(EmailAddress::key);
        let bare = self.bare_names();
        addresses.into_iter().map(EmailAddress::key).any(|known| {
            key.as_ref() == Some(&known)
                || bare.iter().any(|name| *name == known || Some(name.as_str()) == local_part(&known))
        })
    }

    /// Notes beside the actor of an event which user of the machine it was.
    #[must_use]
    pub fn noted(&self, event: NewEvent) -> NewEvent {
        match self.machine_user() {
            Some(user) => event.personal("machine_user", user.in_words()),
            None => event,
        }
    }

    /// Are these the same person, as far as can be told? Two people are two mailboxes; whoever has proven none may be
    /// anybody.
    pub fn is_same_person(&self, other: &Self) -> bool {
        match (self.address(), other.address()) {
            (Some(one), Some(two)) => one.key() == two.key(),
            (None, _) | (_, None) => true,
        }
    }

    /// Names without a domain, folded; somebody may be called by their whole address there, too.
    fn bare_names(&self) -> Vec<String> {
        let Some(user) = self.machine_user() else { return Vec::new() };
        [Some(&user.called), user.account.as_ref()].into_iter().flatten().map(|name| folded(name)).collect()
    }
}

impl MachineUser {
    /// For the audit trail.
    pub fn in_words(&self) -> String {
        match (&self.number, &self.account) {
            (Some(number), Some(account)) if *account == self.called => {
                format!("{}, account {number}", self.called)
            }
            (Some(number), Some(account)) => format!("{}, account {account} ({number})", self.called),
            (Some(number), None) => format!("{}, account {number}", self.called),
            (None, _) => format!("{}, no login known", self.called),
        }
    }
}

/// Why somebody neither acts nor decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TheirOwn {
    /// Nobody decides what he asked for himself.
    #[error("you asked for this change, so somebody else must decide it")]
    Request,
    /// Nobody decides about his own access.
    #[error("this change is about your own account, so somebody else must decide it")]
    Access,
}

/// May this person act on a request, by answering it, by releasing or ending it, or by deciding it in place of those who
/// were asked? Every name of theirs is held against the requester and the person whom it is about.
pub fn may_act(by: &Operator, concerned: &Concerned) -> Result<(), TheirOwn> {
    let key = by.address().map(EmailAddress::key);
    let bare = by.bare_names();
    if by.is_one_of(&concerned.requester) {
        return Err(TheirOwn::Request);
    }
    // A leaver's message often gives no address; who is called like the account is taken for its owner.
    let called = |name: &UserName| {
        let name = name.key();
        bare.iter().any(|bare| *bare == name || local_part(bare) == Some(name.as_str()))
            || key.as_deref().and_then(local_part) == Some(name.as_str())
    };
    if by.is_one_of(&concerned.addresses) || concerned.accounts.iter().any(called) {
        return Err(TheirOwn::Access);
    }
    Ok(())
}

/// Why a password is not shown to somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotTheirs {
    /// Who asks for an account does not learn its password.
    #[error("you asked for this account, so its password is for somebody else to hand over")]
    Requested,
    /// It would be handed over past its own way.
    #[error(
        "this is your own account: its password comes to whom the settings name, or by somebody else's hand"
    )]
    Access,
    /// Who lets somebody in does not hold the key, too.
    #[error("you approved this account, so its password is for somebody else to hand over")]
    Approved,
}

/// May this person see the password of a new account, for handing it over? Nobody who asked for it, whose it is, or who
/// approved it.
pub fn may_reveal(by: &Operator, concerned: &Concerned, approved: &[EmailAddress]) -> Result<(), NotTheirs> {
    match may_act(by, concerned) {
        Err(TheirOwn::Request) => Err(NotTheirs::Requested),
        Err(TheirOwn::Access) => Err(NotTheirs::Access),
        Ok(()) if by.is_one_of(approved) => Err(NotTheirs::Approved),
        Ok(()) => Ok(()),
    }
}

/// Somebody at a command line, and who that is for the machine.
pub fn at_the_machine(name: &str, machine_user: &str) -> String {
    format!("{name} (at the command line, by {machine_user})")
}

/// Some machines call people by their whole address; that is then compared as an address is.
fn folded(name: &str) -> String {
    let name = name.trim();
    EmailAddress::parse(name).map_or_else(|_| name.to_lowercase(), |address| address.key())
}

fn local_part(key: &str) -> Option<&str> {
    key.split('@').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(text: &str) -> EmailAddress {
        EmailAddress::parse(text).unwrap()
    }

    fn signed_in(address: &str) -> Operator {
        Operator::SignedIn(mail(address))
    }

    fn shell(called: &str, number: u32, proven: Option<&str>) -> Operator {
        let user = MachineUser { called: called.to_owned(), number: Some(number), account: None };
        Operator::AtTheMachine { user, proven: proven.map(mail) }
    }

    #[test]
    fn an_operator_acts_neither_on_his_own_request_nor_on_his_own_access() {
        let concerned = Concerned {
            requester: Some(mail("ana@example.com")),
            addresses: vec![mail("zoe.obrien@example.com")],
            accounts: vec![UserName::parse("zobrien").unwrap()],
        };
        let judge = |by: &Operator| may_act(by, &concerned);
        for by in [
            signed_in("ana@example.com"),
            signed_in("ANA+x@example.com"),
            shell("Ana", 7, None),
            // Whichever mailbox is read, the machine knows her.
            shell("ana", 7, Some("bo@example.com")),
            shell("bo", 7, Some("ana@example.com")),
        ] {
            assert_eq!(judge(&by), Err(TheirOwn::Request), "{by:?}");
        }
        for by in [
            signed_in("zoe.obrien@example.com"),
            signed_in("zobrien@example.com"),
            signed_in("ZOBrien+x@example.org"),
            shell("ZObrien", 7, None),
            shell("zoe.obrien", 7, None),
            shell("zobrien@example.com", 7, None),
            shell("zobrien", 7, Some("bo@example.com")),
        ] {
            assert_eq!(judge(&by), Err(TheirOwn::Access), "{by:?}");
        }
        let user =
            MachineUser { called: "bo".to_owned(), number: Some(7), account: Some("zobrien".to_owned()) };
        let renamed = Operator::AtTheMachine { user, proven: None };
        assert_eq!(judge(&renamed), Err(TheirOwn::Access), "another name in the environment hides nobody");
        for by in [signed_in("bo@example.com"), shell("root", 0, None), shell("anna", 7, None)] {
            assert_eq!(judge(&by), Ok(()), "{by:?}");
        }
    }

    #[test]
    fn a_password_is_shown_to_nobody_who_asked_for_it_whose_it_is_or_who_approved_it() {
        let concerned = Concerned {
            requester: Some(mail("max@example.com")),
            addresses: vec![mail("zoe.obrien@example.com")],
            accounts: Vec::new(),
        };
        let approved = [mail("ana@example.com")];
        let judge = |by: &Operator| may_reveal(by, &concerned, &approved);
        assert_eq!(judge(&shell("bo", 7, Some("max@example.com"))), Err(NotTheirs::Requested));
        assert_eq!(judge(&shell("zoe.obrien", 7, None)), Err(NotTheirs::Access));
        for by in [shell("bo", 7, Some("Ana+x@example.com")), shell("ANA", 7, Some("olga@example.com"))] {
            assert_eq!(judge(&by), Err(NotTheirs::Approved), "{by:?}");
        }
        assert_eq!(judge(&shell("olga", 7, None)), Ok(()));
    }

    #[test]
    fn two_people_are_two_mailboxes() {
        let (ana, bo) = (signed_in("ana@example.com"), signed_in("bo@example.com"));
        let same = |one: &Operator, two: &Operator| {
            assert_eq!(one.is_same_person(two), two.is_same_person(one), "{one:?} {two:?}");
            one.is_same_person(two)
        };
        assert!(same(&ana, &signed_in("Ana+2@example.com")) && !same(&ana, &bo));
        // Two may use one account of a machine, as in a container, and one may use two.
        let first = shell("root", 0, Some("ana@example.com"));
        assert!(same(&first, &ana) && same(&first, &shell("olga", 7, Some("ANA@example.com"))));
        assert!(!same(&first, &bo) && !same(&first, &shell("root", 0, Some("bo@example.com"))));
        // Whoever has proven nothing is nobody else, whatever the machine calls them.
        let unproven = shell("olga", 7, None);
        assert!(same(&unproven, &bo) && same(&unproven, &shell("otto", 8, None)));
    }

    #[test]
    fn the_trail_names_the_user_of_the_machine() {
        let by = shell("olga", 7, Some("ana@example.com"));
        assert_eq!((by.name(), shell("olga", 7, None).name()), ("ana@example.com", "olga"));
        assert_eq!(by.machine_user().unwrap().in_words(), "olga, account 7");
        let untold = MachineUser { number: None, ..by.machine_user().unwrap().clone() };
        assert_eq!(untold.in_words(), "olga, no login known");
        let known = MachineUser { account: Some("root".to_owned()), ..by.machine_user().unwrap().clone() };
        assert_eq!(known.in_words(), "olga, account root (7)");
    }
}
