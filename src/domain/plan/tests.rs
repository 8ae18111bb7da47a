use super::*;
use crate::domain::ids::VaultUserId;
use crate::domain::snapshot::{GroupSeen, VaultUser};

fn plan() -> Plan {
    Plan {
        workflow: WorkflowId::made(Timestamp::from_unix_seconds(1).unwrap(), [7; 10]),
        number: 1,
        kind: Kind::Joiner,
        target: TargetName::parse("vault").unwrap(),
        profile: "dba".to_owned(),
        user_name: UserName::parse("zobrien").unwrap(),
        account: None,
        steps: vec![
            PlannedStep::FindUser,
            PlannedStep::CreateUser(NewUser {
                user_type: UserType::parse("EPVUser").unwrap(),
                location: Location::parse("\\Users").unwrap(),
                profile: BTreeMap::from([(ProfileField::FirstName, "Zoë".to_owned())]),
                cut: BTreeMap::new(),
                expires_at: None,
            }),
            PlannedStep::AddToGroup(PlannedGroup {
                name: GroupName::parse("Ops-Readers").unwrap(),
                id: VaultGroupId(7),
                kind: GroupKind::Vault,
            }),
        ],
        dialect: DialectSettings {
            group_member: GroupMember::Auto,
            user_shape: UserShape::Auto,
            description: Description::Kept,
            disable_with: DisableWith::Auto,
        },
        not_before: Timestamp::from_unix_seconds(5).unwrap(),
        hand_over: HandOver::Nobody,
        salt: "00".to_owned(),
    }
}

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
fn a_sealed_plan_opens_to_the_same_plan_and_another_salt_to_another_digest() {
    let sealed = SealedPlan::seal(&plan()).unwrap();
    assert_eq!(sealed.open().unwrap(), plan());
    let other = SealedPlan::seal(&Plan { salt: "01".to_owned(), ..plan() }).unwrap();
    assert_ne!(sealed.digest(), other.digest());
    assert!(SealedPlan::stored(sealed.bytes().to_vec(), other.digest()).is_err());
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
