//! What groups an account is in.
//!
//! Must hold: the account's record is believed where it tells memberships; where it tells none, which older versions do
//! for everybody, the groups are asked. A group is known by its number, whatever it is called now.

use super::groups::Members;
use super::talk::{Fault, Talk};
use super::users::Account;
use crate::domain::plan::PlannedGroup;
use crate::domain::snapshot::MemberOf;

impl Talk<'_> {
    /// All memberships of the account; `None` where nobody tells.
    pub(super) async fn memberships(&mut self, account: &Account) -> Result<Option<Vec<MemberOf>>, Fault> {
        let told = account.user.groups.clone();
        if told.as_ref().is_some_and(|told| !told.is_empty()) {
            return Ok(told);
        }
        match self.groups_of(account).await {
            Ok(found) => Ok(Some(found)),
            // Then nobody tells more than the record.
            Err(Fault::Refused(said)) if matches!(said.status, 400 | 403 | 404 | 405 | 501) => Ok(told),
            Err(fault) => Err(fault),
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
            Err(Fault::Refused(said)) if matches!(said.status, 400 | 403 | 404 | 405 | 501) => {
                return Ok(held);
            }
            Err(fault) => return Err(fault),
        };
        for member in &mut held {
            member.kind = member.kind.or_else(|| kinds.get(&member.id).copied());
        }
        Ok(held)
    }

    /// Is the account in the group of this number, whatever that is called now? A group that has gone has no members.
    pub(super) async fn is_in(&mut self, account: &Account, planned: &PlannedGroup) -> Result<bool, Fault> {
        let told = account.user.groups.as_deref().unwrap_or_default();
        if !told.is_empty() {
            return Ok(told.iter().any(|member| member.id == planned.id));
        }
        // Older vaults leave the list empty or out; then only the group knows.
        // A group whose kind nobody tells is found by its number alone.
        let named = match planned.kind {
            Some(_) => self.group_named(planned.name.as_str(), Members::Told).await?,
            None => None,
        };
        match named {
            Some(group) if group.group.id == planned.id => Ok(group.has(account.user.id)),
            Some(_) | None => {
                let all = self.groups_of(account).await?;
                Ok(all.iter().any(|member| member.id == planned.id))
            }
        }
    }
}
