//! What a request reaches for: fields a source needs leave to set, deeds this version does not do, times out of reach.
//!
//! Must hold: nothing is accepted and then ignored; what is not carried out is refused by name.

use super::account::{AccountChange, AccountTraits, GroupChange, GroupSet};
use super::canonical::{Order, Request, What};
use super::fields::FieldFault;
use super::words::{AuthenticationMethod, LeaverMode};
use crate::domain::effective::FARTHEST_DAYS;
use crate::domain::kind::Kind;
use crate::domain::names::GroupName;
use crate::domain::time::Timestamp;

fn not_yet(pointer: &str, what: &str) -> FieldFault {
    FieldFault {
        pointer: pointer.to_owned(),
        code: "not_available_yet",
        wanted: format!("not available yet: {what}"),
    }
}

impl Request {
    /// Each thing this request asks for that this version does not carry out.
    pub fn not_available_yet(&self) -> Vec<FieldFault> {
        let mut faults = Vec::new();
        match self.kind() {
            Kind::Joiner | Kind::Mover | Kind::Leaver | Kind::Rehire => {}
            Kind::ResetPassword | Kind::Unsuspend => {
                faults.push(not_yet("/kind", "kinds other than joiner, mover, leaver and rehire"));
            }
        }
        let names_directory_entry = match self.newcomer() {
            Some(newcomer) => newcomer.distinguished_name.is_some(),
            None => self.known_subject().is_some_and(|subject| subject.distinguished_name.is_some()),
        };
        if names_directory_entry {
            faults.push(not_yet("/subject/distinguished_name", "users of a directory"));
        }
        if let Some(traits) = self.account_traits() {
            faults.extend(unavailable_traits(traits));
        }
        if self.password_change_on_next_logon() == Some(false) {
            let what = "users who keep their first password";
            faults.push(not_yet("/account/change_password_on_next_logon", what));
        }
        if let Some(What::Mover(mover)) = self.what() {
            faults.extend(unavailable_to_movers(&mover.account));
        }
        if let Some(What::Rehire(rehire)) = self.what() {
            faults.extend(unavailable_to_rehires(&rehire.account.traits));
        }
        if let Some(What::Leaver(leaver)) = self.what() {
            if leaver.terms.mode == LeaverMode::Delete {
                faults.push(not_yet("/leaver/mode", "deleting a user"));
            }
            if leaver.terms.revoke_sessions {
                faults.push(not_yet("/leaver/revoke_sessions", "ending open sessions"));
            }
        }
        faults
    }

    /// The `account.*` and `employment.manager.*` fields this request sets, as dotted names for a source's `may_set`.
    /// A field that only spells out its default asks for nothing and is not among them.
    pub fn set_fields(&self) -> Vec<&'static str> {
        let mut set = Vec::new();
        if let Some(traits) = self.account_traits() {
            set.extend(set_traits(traits));
        }
        set.extend(self.set_groups());
        let sets_password_change = match self.what() {
            Some(What::Joiner(joiner)) => !joiner.account.change_password_on_next_logon,
            Some(What::Rehire(rehire)) => !rehire.account.change_password_on_next_logon,
            Some(What::Mover(mover)) => mover.account.change_password_on_next_logon.is_some(),
            Some(What::Leaver(_) | What::ResetPassword(_) | What::Unsuspend(_)) | None => false,
        };
        if sets_password_change {
            set.push("account.change_password_on_next_logon");
        }
        if let Some(manager) = &self.employment.manager {
            let given = [
                (manager.person_ref.is_some(), "employment.manager.person_ref"),
                (manager.email.is_some(), "employment.manager.email"),
                (manager.name.is_some(), "employment.manager.name"),
            ];
            set.extend(given.into_iter().filter_map(|(is_set, name)| is_set.then_some(name)));
        }
        set
    }

    /// Every group that it names.
    pub fn named_groups(&self) -> Vec<&GroupName> {
        let sets: Vec<&GroupSet> = match self.what() {
            Some(What::Joiner(joiner)) => joiner.account.groups.iter().collect(),
            Some(What::Rehire(rehire)) => rehire.account.groups.iter().collect(),
            Some(What::Mover(mover)) => match &mover.account.groups {
                None => vec![],
                Some(GroupChange::Exactly { groups }) => vec![groups],
                Some(GroupChange::Difference { groups_add, groups_remove }) => {
                    vec![groups_add, groups_remove]
                }
            },
            Some(What::Leaver(_) | What::ResetPassword(_) | What::Unsuspend(_)) | None => vec![],
        };
        sets.into_iter().flat_map(GroupSet::iter).collect()
    }

    /// What only a clock can tell: a time too far ahead, an expiry that is past.
    pub fn faults_at(&self, now: Timestamp) -> Vec<FieldFault> {
        let mut faults = Vec::new();
        if self.effective().is_some_and(|effective| effective.too_far(now)) {
            faults.push(FieldFault {
                pointer: "/effective/at".to_owned(),
                code: "too_far",
                wanted: format!("a time at most {FARTHEST_DAYS} days ahead"),
            });
        }
        if self.account_ends().is_some_and(|expires_at| expires_at <= now) {
            faults.push(FieldFault {
                pointer: "/account/expires_at".to_owned(),
                code: "past",
                wanted: "a time in the future".to_owned(),
            });
        }
        faults
    }

    /// When the account that is asked for would cease to work, where the request says so.
    pub fn account_ends(&self) -> Option<Timestamp> {
        self.account_traits().and_then(|traits| traits.expires_at)
    }

    fn account_traits(&self) -> Option<&AccountTraits> {
        match self.what()? {
            What::Joiner(joiner) => Some(&joiner.account.traits),
            What::Mover(mover) => Some(&mover.account.traits),
            What::Rehire(rehire) => Some(&rehire.account.traits),
            What::Leaver(_) | What::ResetPassword(_) | What::Unsuspend(_) => None,
        }
    }

    fn password_change_on_next_logon(&self) -> Option<bool> {
        match self.what()? {
            What::Joiner(joiner) => Some(joiner.account.change_password_on_next_logon),
            What::Mover(mover) => mover.account.change_password_on_next_logon,
            What::Rehire(rehire) => Some(rehire.account.change_password_on_next_logon),
            What::Leaver(_) | What::ResetPassword(_) | What::Unsuspend(_) => None,
        }
    }

    fn set_groups(&self) -> Vec<&'static str> {
        let full = "account.groups";
        match &self.order {
            Order::Rescind { .. } => vec![],
            Order::New(what) | Order::Amend { what, .. } => match what {
                What::Joiner(joiner) if joiner.account.groups.is_some() => vec![full],
                What::Rehire(rehire) if rehire.account.groups.is_some() => vec![full],
                What::Mover(mover) => match &mover.account.groups {
                    None => vec![],
                    Some(GroupChange::Exactly { .. }) => vec![full],
                    Some(GroupChange::Difference { groups_add, groups_remove }) => {
                        let add = (!groups_add.is_empty()).then_some("account.groups_add");
                        let remove = (!groups_remove.is_empty()).then_some("account.groups_remove");
                        add.into_iter().chain(remove).collect()
                    }
                },
                What::Joiner(_)
                | What::Rehire(_)
                | What::Leaver(_)
                | What::ResetPassword(_)
                | What::Unsuspend(_) => vec![],
            },
        }
    }
}

fn unavailable_traits(traits: &AccountTraits) -> Vec<FieldFault> {
    let mut faults = Vec::new();
    if traits.authentication_methods.iter().any(|method| *method != AuthenticationMethod::Password) {
        let what = "authentication methods other than AuthTypePass";
        faults.push(not_yet("/account/authentication_methods", what));
    }
    if !traits.roles.is_empty() {
        faults.push(not_yet("/account/roles", "business roles"));
    }
    faults
}

/// What a mover cannot change yet. The licence seat and the end of an account stay as they are.
fn unavailable_to_movers(account: &AccountChange) -> Vec<FieldFault> {
    [
        (account.traits.user_type.is_some(), "/account/user_type", "another licence seat for a user"),
        (account.traits.expires_at.is_some(), "/account/expires_at", "another end for a user"),
        (
            account.change_password_on_next_logon == Some(true),
            "/account/change_password_on_next_logon",
            "a new password for a user who moves",
        ),
    ]
    .into_iter()
    .filter(|(is_set, _, _)| *is_set)
    .map(|(_, pointer, what)| not_yet(pointer, what))
    .collect()
}

/// What a rehire cannot change yet: the record of the account stays as it is.
fn unavailable_to_rehires(traits: &AccountTraits) -> Vec<FieldFault> {
    [
        (traits.user_type.is_some(), "/account/user_type", "another licence seat for a user"),
        (
            traits.location.is_some(),
            "/account/location",
            "another location for a user who comes back; ask for a mover",
        ),
        (traits.expires_at.is_some(), "/account/expires_at", "another end for a user"),
        (
            traits.description.is_some(),
            "/account/description",
            "another description for a user who comes back; ask for a mover",
        ),
    ]
    .into_iter()
    .filter(|(is_set, _, _)| *is_set)
    .map(|(_, pointer, what)| not_yet(pointer, what))
    .collect()
}

fn set_traits(traits: &AccountTraits) -> impl Iterator<Item = &'static str> {
    [
        (traits.user_type.is_some(), "account.user_type"),
        (traits.location.is_some(), "account.location"),
        (!traits.roles.is_empty(), "account.roles"),
        (!traits.authentication_methods.is_empty(), "account.authentication_methods"),
        (traits.expires_at.is_some(), "account.expires_at"),
        (traits.description.is_some(), "account.description"),
    ]
    .into_iter()
    .filter_map(|(is_set, name)| is_set.then_some(name))
}
