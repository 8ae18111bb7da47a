//! What was read in a target, and when.
//!
//! Must hold: a snapshot is only what a read showed; nothing in it is wished or assumed.

use serde::{Deserialize, Serialize};

use super::ids::{VaultGroupId, VaultUserId};
use super::names::{EmailAddress, GroupName, TargetName, UserType};
use super::time::Timestamp;

/// One reading of a target with one subject in mind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Where it was read.
    pub target: TargetName,
    /// When the reading ended.
    pub read_at: Timestamp,
    /// The user of the wanted name.
    pub user: UserSeen,
    /// The wanted groups, in the order they were asked for.
    pub groups: Vec<GroupSeen>,
    /// The user types the licence knows; absent where the target cannot list them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub user_types: Option<Vec<UserType>>,
    /// The profile fields this vault can keep; absent where it keeps them all.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub kept_fields: Option<Vec<ProfileField>>,
}

impl Snapshot {
    /// The mail address at work that the vault has of the user, where it has one.
    pub fn address(&self) -> Option<EmailAddress> {
        match &self.user {
            UserSeen::Present(user) => EmailAddress::parse(user.profile.get(&ProfileField::Email)?).ok(),
            UserSeen::Absent => None,
        }
    }
}

/// Is there a user of that name?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserSeen {
    /// No user of that name can be seen.
    Absent,
    /// Exactly this one.
    Present(Box<VaultUser>),
}

/// Where an account is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserSource {
    /// The vault itself.
    Vault,
    /// A directory; the vault can neither change nor disable it.
    Directory,
}

/// A vault user as a read by id shows it. A field the answer does not carry is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "snake_case")]
pub struct VaultUser {
    /// The vault's number.
    pub id: VaultUserId,
    /// The name as the vault spells it.
    pub user_name: String,
    /// Vault or directory.
    pub source: UserSource,
    /// The licence seat.
    pub user_type: String,
    /// Part of the product itself; never touched.
    pub component: ComponentUser,
    /// May it log on?
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Locked after failed log-ons?
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspended: Option<bool>,
    /// Must the password be changed at the next log-on?
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change_password_on_next_logon: Option<bool>,
    /// The profile fields that a plan may set, by the names of [`ProfileField`].
    pub profile: std::collections::BTreeMap<ProfileField, String>,
    /// Memberships; `None` where this version does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<MemberOf>>,
    /// Memberships that the vault shows without the number of the group, so that nothing can be done about them.
    #[serde(skip_serializing_if = "is_none")]
    pub unnumbered_groups: u32,
    /// What the account may do in the vault itself; `None` where this version does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorizations: Option<Vec<String>>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is serde's")]
const fn is_none(count: &u32) -> bool {
    *count == 0
}

impl Default for VaultUser {
    fn default() -> Self {
        Self {
            id: VaultUserId(0),
            user_name: String::new(),
            source: UserSource::Vault,
            user_type: String::new(),
            component: ComponentUser::No,
            enabled: None,
            suspended: None,
            change_password_on_next_logon: None,
            profile: std::collections::BTreeMap::new(),
            groups: None,
            unnumbered_groups: 0,
            authorizations: None,
        }
    }
}

/// Is this account part of the product?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ComponentUser {
    /// A person's or service's account.
    No,
    /// A component of the vault.
    Yes,
}

/// A field of the vault's user record that a plan may set. Length limits: vault API, "Add user".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProfileField {
    /// Given name.
    FirstName,
    /// Middle name.
    MiddleName,
    /// Family name.
    LastName,
    /// Business mail address.
    Email,
    /// Job title.
    Title,
    /// Organisation.
    Organization,
    /// Department.
    Department,
    /// Place in the vault's tree.
    Location,
    /// Free text; carries our mark while a user is being made.
    Description,
}

impl ProfileField {
    /// How many characters the vault takes.
    pub const fn most(self) -> usize {
        match self {
            Self::FirstName | Self::MiddleName | Self::LastName => 29,
            Self::Title | Self::Organization | Self::Department => 49,
            Self::Description => 99,
            Self::Email => 319,
            Self::Location => 512,
        }
    }

    /// The field in words.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::FirstName => "first name",
            Self::MiddleName => "middle name",
            Self::LastName => "last name",
            Self::Email => "business e-mail",
            Self::Title => "title",
            Self::Organization => "organisation",
            Self::Department => "department",
            Self::Location => "location",
            Self::Description => "description",
        }
    }
}

/// One membership as the user's record tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberOf {
    /// The group's number.
    pub id: VaultGroupId,
    /// The group's name as the vault spells it.
    pub name: String,
    /// Where the group is kept; `None` where the record does not tell.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub kind: Option<GroupKind>,
}

/// What a look for one group showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupSeen {
    /// The name that was looked for.
    pub asked: GroupName,
    /// The one group of exactly that name, if there is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub found: Option<VaultGroup>,
}

/// Where a group is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupKind {
    /// The vault itself.
    Vault,
    /// A directory; members cannot be added through the vault.
    Directory,
}

impl GroupKind {
    /// The kind in words.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Vault => "vault group",
            Self::Directory => "directory group",
        }
    }
}

/// A group as the vault lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VaultGroup {
    /// The vault's number; a group made anew under an old name has another one.
    pub id: VaultGroupId,
    /// The name as the vault spells it.
    pub name: String,
    /// Vault or directory.
    pub kind: GroupKind,
}
