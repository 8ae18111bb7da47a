use super::*;
use std::collections::BTreeMap;

use crate::domain::ids::VaultUserId;
use crate::domain::names::{GroupName, TargetName};
use crate::domain::plan::tests::plan;
use crate::domain::plan::{Owner, UserChange};
use crate::domain::snapshot::{GroupSeen, MemberOf};
use crate::domain::time::Timestamp;

fn seen(group: Option<(i64, &str, GroupKind)>) -> Snapshot {
    Snapshot {
        target: TargetName::parse("vault").unwrap(),
        read_at: Timestamp::from_unix_seconds(9).unwrap(),
        user: UserSeen::Absent,
        groups: vec![GroupSeen {
            asked: GroupName::parse("ops-readers").unwrap(),
            found: group.map(|(id, name, kind)| VaultGroup {
                id: VaultGroupId(id),
                name: name.to_owned(),
                kind,
            }),
        }],
        user_types: None,
        kept_fields: None,
    }
}

#[test]
fn a_group_that_is_another_one_voids_and_a_change_of_case_does_not() {
    let voids = |group| drift(&plan(), &seen(group)).voids.len();
    assert_eq!(voids(Some((7, "Ops-Readers", GroupKind::Vault))), 0);
    assert_eq!(voids(Some((7, "OPS-READERS", GroupKind::Vault))), 0);
    assert_eq!(voids(Some((8, "Ops-Readers", GroupKind::Vault))), 1);
    assert_eq!(voids(Some((7, "Ops-Writers", GroupKind::Vault))), 1);
    assert_eq!(voids(Some((7, "Ops-Readers", GroupKind::Directory))), 1);
    assert_eq!(voids(None), 1);
}

#[test]
fn a_taken_name_is_named_and_a_lost_user_type_voids() {
    let mut snapshot = seen(Some((7, "Ops-Readers", GroupKind::Vault)));
    snapshot.user = UserSeen::Present(Box::new(VaultUser { id: VaultUserId(3), ..VaultUser::default() }));
    snapshot.user_types = Some(vec![UserType::parse("BasicUser").unwrap()]);
    let drift = drift(&plan(), &snapshot);
    assert_eq!((drift.voids.len(), drift.named.len()), (1, 1));
}

fn account() -> VaultUser {
    let member = |id, name: &str| MemberOf {
        id: VaultGroupId(id),
        name: name.to_owned(),
        kind: Some(GroupKind::Vault),
    };
    VaultUser {
        id: VaultUserId(3),
        user_name: "ZObrien".to_owned(),
        enabled: Some(true),
        profile: BTreeMap::from([(ProfileField::Department, "IT Ops".to_owned())]),
        groups: Some(vec![member(7, "Ops-Readers"), member(9, "Elsewhere")]),
        ..VaultUser::default()
    }
}

/// A plan that changes the department and takes the account out of the one group.
fn changing(kind: Kind) -> Plan {
    let group = PlannedGroup {
        name: GroupName::parse("Ops-Readers").unwrap(),
        id: VaultGroupId(7),
        kind: Some(GroupKind::Vault),
    };
    let change = FieldChange { from: Some("IT Ops".to_owned()), to: "Platform".to_owned() };
    let change =
        UserChange { fields: BTreeMap::from([(ProfileField::Department, change)]), cut: BTreeMap::new() };
    let steps = vec![
        PlannedStep::FindUser,
        PlannedStep::UpdateUser(change),
        PlannedStep::RemoveFromGroup(group),
        PlannedStep::VerifyUser,
    ];
    Plan { kind, account: Some(PlannedAccount::of(&account(), Owner::Linked)), steps, ..plan() }
}

/// How many differences void and how many are named, after the account or its group was changed.
fn after(kind: Kind, group: i64, change: impl FnOnce(&mut VaultUser)) -> (usize, usize) {
    let mut snapshot = seen(Some((group, "Ops-Readers", GroupKind::Vault)));
    let mut user = account();
    change(&mut user);
    snapshot.user = UserSeen::Present(Box::new(user));
    let drift = drift(&changing(kind), &snapshot);
    (drift.voids.len(), drift.named.len())
}

#[test]
fn each_change_voids_or_is_named_as_the_kind_has_it() {
    type Change = fn(&mut VaultUser);
    type Counts = (usize, usize);
    type Row = (&'static str, i64, Change, Counts, Counts);
    let table: [Row; 9] = [
        ("nothing", 7, |_| {}, (0, 0), (0, 0)),
        ("spelling", 7, |user| user.user_name = "zobrien".to_owned(), (0, 0), (0, 0)),
        ("number", 7, |user| user.id = VaultUserId(4), (1, 0), (1, 0)),
        ("name", 7, |user| user.user_name = "zoe".to_owned(), (1, 0), (1, 0)),
        ("source", 7, |user| user.source = UserSource::Directory, (1, 0), (1, 0)),
        ("enabled", 7, |user| user.enabled = Some(false), (1, 0), (0, 1)),
        ("group made anew", 8, |_| {}, (1, 0), (0, 0)),
        ("field", 7, |user| user.profile.clear(), (0, 1), (0, 0)),
        ("memberships", 7, |user| user.groups = Some(vec![]), (0, 1), (0, 1)),
    ];
    for (what, group, change, mover, leaver) in table {
        assert_eq!(after(Kind::Mover, group, change), mover, "mover: {what}");
        assert_eq!(after(Kind::Leaver, group, change), leaver, "leaver: {what}");
    }
}

/// A plan of somebody who comes back: the account leaves group 9 and is to be in group 7.
fn returning() -> Plan {
    let group = |id, name| PlannedGroup {
        name: GroupName::parse(name).unwrap(),
        id: VaultGroupId(id),
        kind: Some(GroupKind::Vault),
    };
    let steps = vec![
        PlannedStep::FindUser,
        PlannedStep::RemoveFromGroup(group(9, "Elsewhere")),
        PlannedStep::ResetPassword,
        PlannedStep::AddToGroup(group(7, "Ops-Readers")),
        PlannedStep::EnableUser,
        PlannedStep::VerifyUser,
    ];
    Plan { steps, ..changing(Kind::Rehire) }
}

#[test]
fn whoever_comes_back_may_be_enabled_or_not_but_in_no_group_beyond_the_plan() {
    type Change = fn(&mut VaultUser);
    let beyond = |user: &mut VaultUser, kind| {
        let member = MemberOf { id: VaultGroupId(11), name: "New".to_owned(), kind };
        user.groups.as_mut().unwrap().push(member);
    };
    let table: [(&str, i64, Change, (usize, usize)); 9] = [
        ("nothing", 7, |_| {}, (0, 0)),
        ("number", 7, |user| user.id = VaultUserId(4), (1, 0)),
        ("name", 7, |user| user.user_name = "zoe".to_owned(), (1, 0)),
        ("source", 7, |user| user.source = UserSource::Directory, (1, 0)),
        ("enabled", 7, |user| user.enabled = Some(false), (0, 1)),
        ("an approved group made anew", 8, |_| {}, (1, 0)),
        ("memberships that are over", 7, |user| user.groups = Some(vec![]), (0, 0)),
        ("memberships that are not told", 7, |user| user.groups = None, (1, 0)),
        ("a group without a number", 7, |user| user.unnumbered_groups = 1, (1, 0)),
    ];
    let counts = |group: i64, change: &dyn Fn(&mut VaultUser)| {
        let mut snapshot = seen(Some((group, "Ops-Readers", GroupKind::Vault)));
        let mut user = account();
        change(&mut user);
        snapshot.user = UserSeen::Present(Box::new(user));
        let drift = drift(&returning(), &snapshot);
        (drift.voids.len(), drift.named.len())
    };
    for (what, group, change, expected) in table {
        assert_eq!(counts(group, &change), expected, "{what}");
    }
    assert_eq!(counts(7, &|user| beyond(user, Some(GroupKind::Vault))), (1, 0));
    assert_eq!(counts(7, &|user| beyond(user, None)), (1, 0), "what nobody tells may be the vault's");
    assert_eq!(counts(7, &|user| beyond(user, Some(GroupKind::Directory))), (0, 0), "the directory's own");
}

#[test]
fn an_account_that_is_gone_voids_for_everybody() {
    let mut snapshot = seen(None);
    snapshot.user = UserSeen::Absent;
    for kind in [Kind::Mover, Kind::Leaver] {
        assert_eq!(drift(&changing(kind), &snapshot).voids.len(), 1, "{kind}");
    }
}

#[test]
fn a_place_reads_the_same_with_and_without_its_end() {
    let same = |one, other| same_text(ProfileField::Location, Some(one), Some(other));
    assert!(same("\\Users\\Ops", "\\users\\ops\\") && !same("\\Users", "\\Users\\Ops"));
    assert!(same_text(ProfileField::Title, None, Some(" ")));
    assert!(!same_text(ProfileField::Title, Some("Lead"), Some("lead")));
}
