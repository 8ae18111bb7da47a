//! What groups an account is in.
//!
//! Must hold: the account's record is believed where it tells memberships; where it tells none, which older versions do
//! for everybody, the groups are asked. Where nothing in their answer shows that members are told, the memberships are
//! unknown, which is not the same as none. A group is known by its number, whatever it is called now.

use super::groups::Members;
use super::talk::{Fault, Talk};
use super::users::Account;
use crate::domain::plan::PlannedGroup;
use crate::domain::snapshot::MemberOf;

/// What a look at one membership that is to end has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// The account is in the group.
    In,
    /// The account is not in the group, as the vault tells.
    Out,
    /// The vault tells nobody's memberships.
    Untold,
}

/// The memberships of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Memberships {
    /// Those that are told; `None` where nobody tells.
    pub(super) told: Option<Vec<MemberOf>>,
    /// Those that are told without the number of their group.
    pub(super) unnumbered: u32,
}

impl Talk<'_> {
    /// All memberships of the account.
    pub(super) async fn memberships(&mut self, account: &Account) -> Result<Memberships, Fault> {
        let of_record = Memberships::of_record(account);
        if of_record.told.is_some() && of_record.unnumbered == 0 {
            return Ok(of_record);
        }
        Ok(match self.groups_of(account).await? {
            Some(found) => Memberships { told: Some(found), unnumbered: 0 },
            None => of_record,
        })
    }

    /// The same for a plan, which can do with what the record tells where the list of groups is refused.
    pub(super) async fn memberships_as_told(&mut self, account: &Account) -> Result<Memberships, Fault> {
        match self.memberships(account).await {
            Ok(found) => Ok(found),
            Err(
                fault @ (Fault::Refused(_) | Fault::AlreadySo(_) | Fault::Unclear(_) | Fault::NeedsPerson(_)),
            ) => {
                tracing::warn!(vault = %self.pvwa.name, %fault, "the groups of a user cannot be listed");
                Ok(Memberships::of_record(account))
            }
            Err(fault @ (Fault::Passing { .. } | Fault::NotSignedIn(_))) => Err(fault),
        }
    }

    /// The same memberships; where the account's record does not tell the kind of a group, the vault's list is asked.
    pub(super) async fn with_kinds(&mut self, mut held: Vec<MemberOf>) -> Result<Vec<MemberOf>, Fault> {
        if held.iter().all(|member| member.kind.is_some()) {
            return Ok(held);
        }
        let kinds = match self.kinds().await {
            Ok(kinds) => kinds,
            // Then nobody tells more than the record.
            Err(Fault::Refused(_) | Fault::AlreadySo(_) | Fault::Unclear(_) | Fault::NeedsPerson(_)) => {
                return Ok(held);
            }
            Err(fault @ (Fault::Passing { .. } | Fault::NotSignedIn(_))) => return Err(fault),
        };
        for member in &mut held {
            member.kind = member.kind.or_else(|| kinds.get(&member.id).copied());
        }
        Ok(held)
    }

    /// Is the account in the group of this number, whatever that is called now? A group that has gone has no members.
    pub(super) async fn standing(
        &mut self,
        account: &Account,
        planned: &PlannedGroup,
    ) -> Result<Standing, Fault> {
        let told = account.user.groups.as_deref().unwrap_or_default();
        if !told.is_empty() {
            return Ok(Standing::of(told.iter().any(|member| member.id == planned.id)));
        }
        // Older vaults leave the list empty or out; then only the group knows.
        // A group whose kind nobody tells is found by its number alone.
        let named = match planned.kind {
            Some(_) => self.group_named(planned.name.as_str(), Members::Told).await?,
            None => None,
        };
        match named {
            // A group that lists nobody may have no members, or may tell of none.
            Some(group) if group.group.id == planned.id && group.has_members() => {
                Ok(Standing::of(group.has(account.user.id)))
            }
            Some(_) | None => Ok(match self.groups_of(account).await? {
                Some(all) => Standing::of(all.iter().any(|member| member.id == planned.id)),
                None => Standing::Untold,
            }),
        }
    }
}

impl Standing {
    const fn of(is_in: bool) -> Self {
        if is_in { Self::In } else { Self::Out }
    }
}

impl Memberships {
    /// What the account's own record tells. An empty list tells nothing.
    fn of_record(account: &Account) -> Self {
        let told = account.user.groups.clone().filter(|told| !told.is_empty());
        Self { told, unnumbered: account.user.unnumbered_groups }
    }
}
