//! What the vault user should look like, as far as the request says it.
//!
//! Must hold: what is left out is `None` and so is never mistaken for "none wanted": an empty `groups` is a wish, a
//! missing one is not. Whether the source may wish at all, and for what, is decided by settings, not here.

use std::collections::{BTreeMap, BTreeSet};

use chrono_tz::Tz;
use serde::{Serialize, Serializer};

use super::fields::{Fields, choose};
use super::words::AuthenticationMethod;
use crate::domain::effective::{AsGiven, Boundary};
use crate::domain::names::{Description, GroupName, Location, NotAName, ShortText, UserType, is_invisible};
use crate::domain::time::Timestamp;

/// Most groups of one list.
const MOST_GROUPS: usize = 50;
/// Most business roles.
const MOST_ROLES: usize = 20;

/// Groups without order; two spellings of one group are one group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupSet(BTreeMap<String, GroupName>);

impl GroupSet {
    /// Of two spellings of one group the first by code points stays, whatever their order was.
    pub fn new(groups: impl IntoIterator<Item = GroupName>) -> Self {
        let sorted: BTreeSet<GroupName> = groups.into_iter().collect();
        let mut by_key = BTreeMap::new();
        for group in sorted {
            by_key.entry(group.key()).or_insert(group);
        }
        Self(by_key)
    }

    /// In the order of their case-folded names.
    pub fn iter(&self) -> impl Iterator<Item = &GroupName> {
        self.0.values()
    }

    /// Compared as the vault compares: without case.
    pub fn contains(&self, group: &GroupName) -> bool {
        self.0.contains_key(&group.key())
    }

    /// How many different groups.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// No group at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for GroupSet {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_seq(self.iter())
    }
}

/// What joiner, rehire and mover may all say of the user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct AccountTraits {
    /// The licence seat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_type: Option<UserType>,
    /// The folder of the vault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    /// Business roles, which policy turns into type, location and groups.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub roles: BTreeSet<ShortText>,
    /// Ways to sign in; empty when the request does not choose.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub authentication_methods: BTreeSet<AuthenticationMethod>,
    /// When the user ceases to work. A bare date is the last day of use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// What the vault shows beside the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<Description>,
}

/// The user of a joiner or a rehire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Account {
    /// What all kinds may say.
    #[serde(flatten)]
    pub traits: AccountTraits,
    /// The groups wanted; `None` leaves them to policy, an empty set asks for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<GroupSet>,
    /// The first password must be changed at the first sign-in.
    pub change_password_on_next_logon: bool,
}

/// The changes a mover asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccountChange {
    /// What all kinds may say.
    #[serde(flatten)]
    pub traits: AccountTraits,
    /// Groups to come and go; `None` leaves them as they are.
    #[serde(flatten)]
    pub groups: Option<GroupChange>,
    /// A change of password at the next sign-in; left alone when the request says nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change_password_on_next_logon: Option<bool>,
}

/// How a mover's groups change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum GroupChange {
    /// The full wanted set.
    Exactly {
        /// Every group the user is to have.
        groups: GroupSet,
    },
    /// Some to come and some to go; no group is in both, and one of them is not empty.
    Difference {
        /// Groups to come.
        #[serde(skip_serializing_if = "GroupSet::is_empty")]
        groups_add: GroupSet,
        /// Groups to go.
        #[serde(skip_serializing_if = "GroupSet::is_empty")]
        groups_remove: GroupSet,
    },
}

/// `account` in its widest form, before it is known for which kind it is meant.
#[derive(Default)]
pub(super) struct AsSent {
    traits: AccountTraits,
    groups: Option<GroupSet>,
    groups_add: GroupSet,
    groups_remove: GroupSet,
    change_password_on_next_logon: Option<bool>,
}

impl AsSent {
    /// Reads `account`; `zone` is where a bare `expires_at` is lived.
    pub(super) fn read(fields: &Fields<'_>, zone: Option<Tz>) -> Self {
        let expiry = |text: &str| AsGiven::parse(text)?.located(zone, Boundary::EndOfDay);
        let method = |text: &str| choose(text, AuthenticationMethod::ALL, AuthenticationMethod::as_str);
        let groups = |key| fields.texts(key, MOST_GROUPS, group).map(GroupSet::new);
        let sent = Self {
            traits: AccountTraits {
                user_type: fields.text("user_type", UserType::parse),
                location: fields.text("location", Location::parse),
                roles: fields.texts("roles", MOST_ROLES, role).into_iter().flatten().collect(),
                authentication_methods: fields
                    .texts("authentication_methods", AuthenticationMethod::ALL.len(), method)
                    .into_iter()
                    .flatten()
                    .collect(),
                expires_at: fields.text("expires_at", expiry).map(|at| at.instant()),
                description: fields.text("description", Description::parse),
            },
            groups: groups("groups"),
            groups_add: groups("groups_add").unwrap_or_default(),
            groups_remove: groups("groups_remove").unwrap_or_default(),
            change_password_on_next_logon: fields.flag("change_password_on_next_logon"),
        };
        if fields.has("groups") && (fields.has("groups_add") || fields.has("groups_remove")) {
            fields.fault("groups", "exclusive", "either groups, or groups_add and groups_remove");
        }
        if sent.groups_add.iter().any(|group| sent.groups_remove.contains(group)) {
            fields.fault("groups_remove", "not_disjoint", "no group that groups_add names, too");
        }
        sent
    }

    /// The fields of `jml/1`.
    pub(super) const KNOWN: &'static [&'static str] = &[
        "user_type",
        "location",
        "groups",
        "groups_add",
        "groups_remove",
        "roles",
        "authentication_methods",
        "expires_at",
        "change_password_on_next_logon",
        "description",
    ];

    pub(super) fn expires_at(&self) -> Option<Timestamp> {
        self.traits.expires_at
    }

    pub(super) fn into_account(self) -> Account {
        Account {
            traits: self.traits,
            groups: self.groups,
            change_password_on_next_logon: self.change_password_on_next_logon.unwrap_or(true),
        }
    }

    pub(super) fn into_change(self) -> AccountChange {
        let Self { traits, groups, groups_add, groups_remove, change_password_on_next_logon } = self;
        let groups = match groups {
            Some(groups) => Some(GroupChange::Exactly { groups }),
            None if groups_add.is_empty() && groups_remove.is_empty() => None,
            None => Some(GroupChange::Difference { groups_add, groups_remove }),
        };
        AccountChange { traits, groups, change_password_on_next_logon }
    }
}

fn group(text: &str) -> Result<GroupName, NotAName> {
    visible(text, "bad_group")?;
    GroupName::parse(text)
}

fn role(text: &str) -> Result<ShortText, NotAName> {
    visible(text, "bad_role")?;
    ShortText::parse(text)
}

fn visible(text: &str, code: &'static str) -> Result<(), NotAName> {
    if text.chars().any(is_invisible) {
        return Err(NotAName { code, wanted: "no invisible characters in a name that grants access" });
    }
    Ok(())
}
