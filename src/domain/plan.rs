//! The plan: ordered steps in domain words, the dialect they are spoken in, and the snapshot they assume.
//!
//! Must hold: the digest covers every byte of the plan, a random salt among them; approval is given to a digest.
//! Deliberately absent: calls and JSON of any vault; those are previews and belong to the target.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::canon::{CanonicalBytes, Corrupt, Digest, NotCanonical, Tag};
use super::ids::{VaultGroupId, VaultUserId, WorkflowId};
use super::kind::Kind;
use super::names::{EmailAddress, GroupName, Location, TargetName, UserName, UserType};
use super::snapshot::{GroupKind, ProfileField, UserSource, VaultUser};
use super::time::Timestamp;

/// What will be done, in full.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Whose plan.
    pub workflow: WorkflowId,
    /// The first plan of a workflow is number 1.
    pub number: u32,
    /// Joiner, mover, …
    pub kind: Kind,
    /// The system that is driven.
    pub target: TargetName,
    /// Which profile of the settings gave the access.
    pub profile: String,
    /// Whose account.
    pub user_name: UserName,
    /// The account as it stood when the plan was made, where there was one; a joiner has none yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<PlannedAccount>,
    /// In the order of execution.
    pub steps: Vec<PlannedStep>,
    /// How the target is spoken to.
    pub dialect: DialectSettings,
    /// When execution may begin.
    pub not_before: Timestamp,
    /// Who will receive the password that the plan sets.
    pub hand_over: HandOver,
    /// Random, so that nobody can guess a plan from its digest. Hexadecimal.
    pub salt: String,
}

impl Plan {
    /// Is it a change after which the account of a known owner is as it was? Whose the account is must be known: an
    /// approval that confirms it is something to ask for.
    pub fn changes_nothing(&self) -> bool {
        let reads = |step: &PlannedStep| matches!(step, PlannedStep::FindUser | PlannedStep::VerifyUser);
        let is_linked = self.account.as_ref().is_some_and(|account| account.owner == Owner::Linked);
        self.kind == Kind::Mover && is_linked && self.steps.iter().all(reads)
    }

    /// The groups whose identity the approval leans on, to be looked up again before anything is written. Taking
    /// access away leans on none.
    pub fn assumed_groups(&self) -> Vec<GroupName> {
        match self.kind {
            Kind::Leaver => Vec::new(),
            // What goes is known by its number; only what comes leans on a name.
            Kind::Rehire => self.joins().map(|group| group.name.clone()).collect(),
            Kind::Joiner | Kind::Mover | Kind::ResetPassword | Kind::Unsuspend => self.groups(),
        }
    }

    /// The groups that the account comes into and goes out of, in order.
    pub fn groups(&self) -> Vec<GroupName> {
        self.joins().chain(self.leaves()).map(|group| group.name.clone()).collect()
    }

    /// The groups that the account will be added to, in order.
    pub fn joins(&self) -> impl Iterator<Item = &PlannedGroup> {
        self.steps.iter().filter_map(|step| match step.group()? {
            (Membership::Comes, group) => Some(group),
            (Membership::Goes, _) => None,
        })
    }

    /// The groups that the account will be taken out of, in order.
    pub fn leaves(&self) -> impl Iterator<Item = &PlannedGroup> {
        self.steps.iter().filter_map(|step| match step.group()? {
            (Membership::Goes, group) => Some(group),
            (Membership::Comes, _) => None,
        })
    }
}

/// An account that a plan changes, as it stood when the plan was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedAccount {
    /// The vault's number.
    pub id: VaultUserId,
    /// As the vault spells it.
    pub user_name: String,
    /// Where the account is kept.
    pub source: UserSource,
    /// Could it log on? Absent where the vault does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// How it is known to be this person's.
    pub owner: Owner,
    /// The profile's licence seat, where the account holds another one. It is not changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_user_type: Option<UserType>,
}

impl PlannedAccount {
    /// The account as a reading shows it.
    pub fn of(user: &VaultUser, owner: Owner) -> Self {
        Self {
            id: user.id,
            user_name: user.user_name.clone(),
            source: user.source,
            enabled: user.enabled,
            owner,
            other_user_type: None,
        }
    }
}

/// How an account is known to be a person's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// It is linked to the person already.
    Linked,
    /// The request names it, and nothing more is known; who approves the plan confirms it.
    ToBeConfirmed,
    /// It is linked to the person under a name that the vault has changed since; who approves the plan confirms the new
    /// one.
    Renamed {
        /// The name that the link has.
        known_as: String,
    },
}

/// Does a membership come or go?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Membership {
    /// It comes.
    Comes,
    /// It goes.
    Goes,
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "step")]
pub enum PlannedStep {
    /// Is the name free, ours, or a stranger's?
    FindUser,
    /// Make the account.
    CreateUser(NewUser),
    /// Learn the vault's number for the account, and link the person to it.
    CaptureUserId,
    /// Change fields of the account's record, and no others.
    UpdateUser(UserChange),
    /// Make the account a member.
    AddToGroup(PlannedGroup),
    /// End a membership of the account.
    RemoveFromGroup(PlannedGroup),
    /// Note what the account can reach, before it is taken away.
    RecordAccess,
    /// Make the account unable to log on.
    DisableUser,
    /// A person takes the account out of the groups that the vault does not tell, or cannot be told about.
    LeaveGroupsByHand,
    /// A person disables the account in its directory; no vault can.
    DisableInDirectory,
    /// Give the account a password that nobody has known before.
    ResetPassword,
    /// Make the vault ask for a new password at the next log-on.
    RequirePasswordChange,
    /// Make the account able to log on.
    EnableUser,
    /// A person enables the account in its directory; no vault can.
    EnableInDirectory,
    /// Read everything again and compare it with the plan.
    VerifyUser,
}

impl PlannedStep {
    /// The word used in the database and the audit trail.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::FindUser => "find_user",
            Self::CreateUser(_) => "create_user",
            Self::CaptureUserId => "capture_user_id",
            Self::UpdateUser(_) => "update_user",
            Self::AddToGroup(_) => "add_to_group",
            Self::RemoveFromGroup(_) => "remove_from_group",
            Self::RecordAccess => "record_access",
            Self::DisableUser => "disable_user",
            Self::LeaveGroupsByHand => "leave_groups_by_hand",
            Self::DisableInDirectory => "disable_in_directory",
            Self::ResetPassword => "reset_password",
            Self::RequirePasswordChange => "require_password_change",
            Self::EnableUser => "enable_user",
            Self::EnableInDirectory => "enable_in_directory",
            Self::VerifyUser => "verify_user",
        }
    }

    /// May this step write in the target?
    pub const fn effect(&self) -> Effect {
        match self {
            Self::FindUser
            | Self::CaptureUserId
            | Self::RecordAccess
            | Self::LeaveGroupsByHand
            | Self::DisableInDirectory
            | Self::EnableInDirectory
            | Self::VerifyUser => Effect::Reads,
            Self::CreateUser(_)
            | Self::UpdateUser(_)
            | Self::AddToGroup(_)
            | Self::RemoveFromGroup(_)
            | Self::DisableUser
            | Self::ResetPassword
            | Self::RequirePasswordChange
            | Self::EnableUser => Effect::Writes,
        }
    }

    /// Who carries this step out?
    pub const fn doer(&self) -> Doer {
        match self {
            Self::LeaveGroupsByHand | Self::DisableInDirectory | Self::EnableInDirectory => Doer::Person,
            Self::FindUser
            | Self::CreateUser(_)
            | Self::CaptureUserId
            | Self::UpdateUser(_)
            | Self::AddToGroup(_)
            | Self::RemoveFromGroup(_)
            | Self::RecordAccess
            | Self::DisableUser
            | Self::ResetPassword
            | Self::RequirePasswordChange
            | Self::EnableUser
            | Self::VerifyUser => Doer::Countersign,
        }
    }

    /// The group of a step that is about one.
    pub const fn group(&self) -> Option<(Membership, &PlannedGroup)> {
        match self {
            Self::AddToGroup(group) => Some((Membership::Comes, group)),
            Self::RemoveFromGroup(group) => Some((Membership::Goes, group)),
            Self::FindUser
            | Self::CreateUser(_)
            | Self::CaptureUserId
            | Self::UpdateUser(_)
            | Self::RecordAccess
            | Self::DisableUser
            | Self::LeaveGroupsByHand
            | Self::DisableInDirectory
            | Self::ResetPassword
            | Self::RequirePasswordChange
            | Self::EnableUser
            | Self::EnableInDirectory
            | Self::VerifyUser => None,
        }
    }
}

/// Does a step only look, or may it change something?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Looks only.
    Reads,
    /// May change the target.
    Writes,
}

/// Who carries a step out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doer {
    /// Countersign itself.
    Countersign,
    /// A person, elsewhere, who says so afterwards.
    Person,
}

/// The account that is to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// A licence seat.
    pub user_type: UserType,
    /// Place in the vault's tree.
    pub location: Location,
    /// Names, mail and the like, as the vault will keep them.
    pub profile: BTreeMap<ProfileField, String>,
    /// What had to be cut to fit the vault, or left out because the vault keeps no such field: the field and the
    /// text as requested.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub cut: BTreeMap<ProfileField, String>,
    /// When the account stops working by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// What changes in an account's record. Everything that is not named here stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserChange {
    /// The fields that change; never none.
    pub fields: BTreeMap<ProfileField, FieldChange>,
    /// What had to be cut to fit the vault, or left out because the vault keeps no such field: the field and the
    /// text as requested.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub cut: BTreeMap<ProfileField, String>,
}

/// How one field changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldChange {
    /// What the vault had when the plan was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What it is to have, cut to fit.
    pub to: String,
}

/// A group with the identity it had when the plan was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedGroup {
    /// The configured name.
    pub name: GroupName,
    /// The number it stood for.
    pub id: VaultGroupId,
    /// Where it was kept; absent where the vault did not tell, which a plan that takes access away may meet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<GroupKind>,
}

/// How a target is spoken to: `auto` finds out, the rest is pinned by settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DialectSettings {
    /// How a user is named when it becomes a group member.
    pub group_member: GroupMember,
    /// How names and mail stand in a user record.
    pub user_shape: UserShape,
    /// Does this target keep descriptions?
    pub description: Description,
    /// How a user is disabled, and enabled again.
    #[serde(default)]
    pub disable_with: DisableWith,
    /// Does this target set the password of a user who is disabled?
    #[serde(default)]
    pub reset_of_disabled: ResetOfDisabled,
}

/// Does a target set the password of a user who is disabled?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResetOfDisabled {
    /// Yes, so that nobody is enabled before everything else is done.
    #[default]
    Works,
    /// No: the user is enabled first, without any group, and gets the password at once.
    Refused,
}

/// How a user is disabled, and enabled again: both calls came with the same version.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DisableWith {
    /// The vault's own call first; the whole record only where the vault does not know that call.
    #[default]
    Auto,
    /// The vault's own call for it.
    Call,
    /// The whole record, written back disabled.
    Put,
}

/// How a user is named when it becomes a group member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GroupMember {
    /// The user name first; the number only after a definite refusal.
    Auto,
    /// `memberId` is the user name, `memberType` is `vault`.
    UserName,
    /// `memberId` is the number, `memberType` is `User`.
    NumericId,
}

/// How names and mail stand in a user record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UserShape {
    /// Nested when a user read from the target is nested, else flat.
    Auto,
    /// Under `personalDetails` and `internet`.
    Nested,
    /// `firstName`, `lastName`, `email` at the top.
    Flat,
}

/// Does a target keep the description it is given?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Description {
    /// Yes: our mark goes there.
    Kept,
    /// No: a user found after a lost create is never taken for ours without a person.
    NotKept,
}

/// Who receives the password that a plan sets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "to", content = "address")]
pub enum HandOver {
    /// The new user.
    Subject(EmailAddress),
    /// The new user's manager.
    Manager(EmailAddress),
    /// A fixed address of the settings.
    Address(EmailAddress),
    /// Nobody: the account logs on in another way.
    Nobody,
}

impl HandOver {
    /// Whom it is meant for, if for anybody.
    pub const fn address(&self) -> Option<&EmailAddress> {
        match self {
            Self::Subject(address) | Self::Manager(address) | Self::Address(address) => Some(address),
            Self::Nobody => None,
        }
    }
}

/// A plan together with the digest that stands for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedPlan {
    bytes: CanonicalBytes,
    digest: Digest,
}

impl SealedPlan {
    /// Seals a plan.
    pub fn seal(plan: &Plan) -> Result<Self, NotCanonical> {
        let bytes = CanonicalBytes::of(Tag::Plan, plan)?;
        let digest = bytes.digest();
        Ok(Self { bytes, digest })
    }

    /// Takes a plan from the store; refused when bytes and digest do not belong together.
    pub fn stored(bytes: Vec<u8>, digest: Digest) -> Result<Self, Corrupt> {
        let bytes = CanonicalBytes::stored(bytes);
        if bytes.digest() == digest {
            Ok(Self { bytes, digest })
        } else {
            Err(Corrupt { tag: Tag::Plan.line(), source: None })
        }
    }

    /// Reads the plan.
    pub fn open(&self) -> Result<Plan, Corrupt> {
        self.bytes.open(Tag::Plan)
    }

    /// What stands for the plan.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// What the digest was taken over.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.as_slice()
    }
}

#[cfg(test)]
pub(in crate::domain) mod tests;
