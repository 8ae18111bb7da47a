use super::*;

/// A joiner's plan with one group; also for the tests of what has changed since.
pub(in crate::domain) fn plan() -> Plan {
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
                kind: Some(GroupKind::Vault),
            }),
        ],
        dialect: DialectSettings {
            group_member: GroupMember::Auto,
            user_shape: UserShape::Auto,
            description: Description::Kept,
            disable_with: DisableWith::Auto,
            reset_of_disabled: ResetOfDisabled::Works,
        },
        not_before: Timestamp::from_unix_seconds(5).unwrap(),
        hand_over: HandOver::Nobody,
        salt: "00".to_owned(),
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
