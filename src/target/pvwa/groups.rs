//! Groups: finding them by their exact name, telling their members, adding one.
//!
//! Must hold: a group is the plan's only if name, number and kind are; membership is judged by the user's number,
//! because a name made of digits can be mistaken for a number on either side.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::pages::{List, Raw, field, id_of, text};
use super::talk::{Fault, Talk};
use super::users::Account;
use crate::domain::ids::{VaultGroupId, VaultUserId};
use crate::domain::plan::PlannedGroup;
use crate::domain::snapshot::{GroupKind, MemberOf, VaultGroup};
use crate::domain::step::MemberForm;

pub(super) const GROUPS: List<'static> = List { path: "UserGroups", records: "value" };

/// Are the members wanted, too?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Members {
    Left,
    Told,
}

/// A group with the members that were told.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) group: VaultGroup,
    members: Vec<Member>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Member {
    id: Option<i64>,
    name: String,
}

/// What a look at one membership showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Membership {
    In,
    Out,
    /// Somebody else was added in the user's place; in words.
    Wrong(String),
}

impl Talk<'_> {
    /// The one group of exactly this name, if there is one.
    pub(super) async fn group_named(&mut self, name: &str, members: Members) -> Result<Option<Group>, Fault> {
        let query: &[(&str, &str)] = match members {
            Members::Left => &[("search", name)],
            Members::Told => &[("search", name), ("includeMembers", "true")],
        };
        let wanted = name.to_lowercase();
        let found = self.list(GROUPS, query).await?;
        let mut exact = found
            .iter()
            .filter(|record| text(record, "groupName").is_some_and(|seen| seen.to_lowercase() == wanted));
        match (exact.next(), exact.next()) {
            (None, _) => Ok(None),
            (Some(record), None) => group(record).map(Some).ok_or_else(|| {
                Fault::NeedsPerson(format!("the vault lists the group {name} without number or kind"))
            }),
            (Some(_), Some(_)) => {
                Err(Fault::NeedsPerson(format!("the vault lists more than one group with the name {name}")))
            }
        }
    }

    /// The plan's group, if it is still the one that was approved.
    pub(super) async fn planned_group(
        &mut self,
        planned: &PlannedGroup,
        members: Members,
    ) -> Result<Group, Fault> {
        let changed = |how: String| Err(Fault::NeedsPerson(format!("the group {} {how}", planned.name)));
        match self.group_named(planned.name.as_str(), members).await? {
            None => changed("is no longer in the vault".to_owned()),
            Some(found) if found.group.id != planned.id => changed(format!(
                "was made anew: it had number {} when this was approved and has number {} now",
                planned.id, found.group.id
            )),
            Some(found) => match planned.kind.filter(|kind| *kind != found.group.kind) {
                Some(kind) => changed(format!(
                    "was a {} when this was approved and is a {} now",
                    kind.in_words(),
                    found.group.kind.in_words()
                )),
                None => Ok(found),
            },
        }
    }

    /// The group of the plan's number with its members, whatever it is called now.
    pub(super) async fn group_of_number(&mut self, planned: &PlannedGroup) -> Result<Option<Group>, Fault> {
        if let Some(found) = self.group_named(planned.name.as_str(), Members::Told).await?
            && found.group.id == planned.id
        {
            return Ok(Some(found));
        }
        let all = self.list(GROUPS, &[("includeMembers", "true")]).await?;
        let record = all.iter().find(|record| id_of(record) == Some(planned.id.0));
        Ok(record.map(|record| Group {
            group: VaultGroup {
                id: planned.id,
                name: planned.name.to_string(),
                kind: planned.kind.unwrap_or(GroupKind::Vault),
            },
            members: members(record),
        }))
    }

    /// Is the user in the group? The user's record is believed where it tells memberships; else the group's.
    /// `sent` is the form in which a member was perhaps added, so that somebody wrong is noticed.
    pub(super) async fn membership(
        &mut self,
        account: &Account,
        planned: &PlannedGroup,
        sent: Option<MemberForm>,
    ) -> Result<Membership, Fault> {
        let told = account.user.groups.as_deref().unwrap_or_default();
        if told.iter().any(|member| member.id == planned.id) {
            return Ok(Membership::In);
        }
        // Older vaults leave the list empty or out; then only the group knows.
        let hazard = sent.is_some_and(|form| could_mean_another(form, account));
        if !told.is_empty() && !hazard {
            return Ok(Membership::Out);
        }
        let group = self.planned_group(planned, Members::Told).await?;
        Ok(group.tells(account, sent))
    }

    /// All groups that have the user among their members; `None` where no group shows any member, as in a vault that
    /// does not know the question (before 12.0). Each vault has a group with a member: its own administrators.
    pub(super) async fn groups_of(&mut self, account: &Account) -> Result<Option<Vec<MemberOf>>, Fault> {
        let all = self.list(GROUPS, &[("includeMembers", "true")]).await?;
        if all.iter().all(|record| members(record).is_empty()) {
            return Ok(None);
        }
        let ours = all
            .iter()
            .filter(|record| members(record).iter().any(|member| member.id == Some(account.user.id.0)));
        ours.map(|record| {
            let id = id_of(record).map(VaultGroupId).ok_or_else(|| {
                Fault::NeedsPerson("the vault lists a group of the user without a number".to_owned())
            })?;
            let name = text(record, "groupName").unwrap_or_default().to_owned();
            Ok(MemberOf { id, name, kind: group(record).map(|group| group.group.kind) })
        })
        .collect::<Result<_, _>>()
        .map(Some)
    }

    /// The kinds of all groups in the vault's list, by number; of those alone for which the list tells one.
    pub(super) async fn kinds(&mut self) -> Result<BTreeMap<VaultGroupId, GroupKind>, Fault> {
        let all = self.list(GROUPS, &[]).await?;
        Ok(all.iter().filter_map(group).map(|found| (found.group.id, found.group.kind)).collect())
    }

    /// Adds the user in the given form. A success says nothing yet about who was added.
    pub(super) async fn add_member(
        &mut self,
        group: VaultGroupId,
        account: &Account,
        form: MemberForm,
    ) -> Result<Value, Fault> {
        let body = match form {
            MemberForm::UserName => json!({ "memberId": account.user.user_name, "memberType": "vault" }),
            MemberForm::NumericId => json!({ "memberId": account.user.id, "memberType": "User" }),
        };
        self.post(&format!("UserGroups/{group}/Members"), body).await
    }

    /// Takes whoever the vault understands by the account in this form out of the group.
    pub(super) async fn remove_member(
        &mut self,
        group: VaultGroupId,
        account: &Account,
        form: MemberForm,
    ) -> Result<Value, Fault> {
        self.remove(&format!("UserGroups/{group}/Members"), &spelled(account, form)).await
    }
}

/// Could a vault of the other dialect understand somebody else by this form?
pub(super) fn could_mean_another(form: MemberForm, account: &Account) -> bool {
    match form {
        MemberForm::NumericId => true,
        MemberForm::UserName => account.user.user_name.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

/// What stands for the member in a call.
fn spelled(account: &Account, form: MemberForm) -> String {
    match form {
        MemberForm::UserName => account.user.user_name.clone(),
        MemberForm::NumericId => account.user.id.to_string(),
    }
}

impl Group {
    fn tells(&self, account: &Account, sent: Option<MemberForm>) -> Membership {
        if self.has(account.user.id) {
            return Membership::In;
        }
        sent.and_then(|form| self.misplaced(account, form)).map_or(Membership::Out, Membership::Wrong)
    }

    /// Who is in the group because the vault took a number for a name or a name for a number; in words.
    pub(super) fn misplaced(&self, account: &Account, sent: MemberForm) -> Option<String> {
        let ours = account.user.id;
        let who = self.mistakable(account, sent)?;
        Some(format!(
            "{who} is in the group {} although user number {ours} was meant; the vault took the number for a name or \
             the name for a number",
            self.group.name
        ))
    }

    /// Who in the group could be understood by the form in which the account is named; in words.
    pub(super) fn mistakable(&self, account: &Account, form: MemberForm) -> Option<String> {
        let ours = account.user.id;
        let other = self.members.iter().find(|member| {
            member.id != Some(ours.0)
                && match form {
                    MemberForm::NumericId => member.name == ours.to_string(),
                    MemberForm::UserName => {
                        member.id.is_some_and(|id| id.to_string() == account.user.user_name)
                    }
                }
        })?;
        Some(other.id.map_or_else(|| "a user".to_owned(), |id| format!("user number {id}")))
    }

    /// Is anybody listed in it?
    pub(super) const fn has_members(&self) -> bool {
        !self.members.is_empty()
    }

    pub(super) fn has(&self, user: VaultUserId) -> bool {
        self.members.iter().any(|member| member.id == Some(user.0))
    }
}

fn group(record: &Raw) -> Option<Group> {
    let kind = match text(record, "groupType") {
        Some(kind) if kind.eq_ignore_ascii_case("Directory") => GroupKind::Directory,
        Some(kind) if kind.eq_ignore_ascii_case("Vault") => GroupKind::Vault,
        // The guide's list names no kind; a directory group would carry its directory.
        None if text(record, "directory").is_some() || text(record, "dn").is_some() => GroupKind::Directory,
        None => GroupKind::Vault,
        Some(_) => return None,
    };
    let group =
        VaultGroup { id: VaultGroupId(id_of(record)?), name: text(record, "groupName")?.to_owned(), kind };
    Some(Group { group, members: members(record) })
}

fn members(record: &Raw) -> Vec<Member> {
    let members = field(record, "members").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let member = |member: &Raw| Member {
        id: id_of(member),
        name: text(member, "username").unwrap_or_default().to_owned(),
    };
    members.iter().filter_map(Value::as_object).map(member).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_read_with_its_kind_and_members() {
        let read = |value: Value| group(value.as_object().unwrap());
        let plain = read(json!({"id": 3, "groupName": "Ops", "groupType": "vault",
            "members": [{"id": 9, "UserName": "zo"}]}));
        let plain = plain.unwrap();
        assert_eq!(plain.group.kind, GroupKind::Vault);
        assert!(plain.has(VaultUserId(9)) && !plain.has(VaultUserId(8)));
        let directory = read(json!({"id": 3, "groupName": "Ops", "directory": "corp"})).unwrap();
        assert_eq!(directory.group.kind, GroupKind::Directory);
        assert!(read(json!({"id": 3, "groupName": "Ops", "groupType": "Cloud"})).is_none());
    }
}
