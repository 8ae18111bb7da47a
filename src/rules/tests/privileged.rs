//! Privileged groups: who is asked because of them, and what an asking without them is worth.

use super::*;
use crate::config::{Settings, TargetSettings};
use crate::domain::approval::Eligible;
use crate::domain::ids::{VaultGroupId, WorkflowId};
use crate::domain::names::{EmailAddress, GroupName, UserName};
use crate::domain::plan::{
    Description, DialectSettings, DisableWith, GroupMember, HandOver, Plan, PlannedGroup, PlannedStep,
    ResetOfDisabled, UserShape,
};
use crate::domain::routing::Privileged;
use crate::domain::sign_in::Strength;
use crate::domain::snapshot::GroupKind;
use crate::domain::time::Timestamp;
use crate::rules::access::{
    NotAllowed, PrivilegedJoins, permit, permit_asked, privileged_joins, void_by_settings,
};
use crate::rules::routing::{NoRoute, still_eligible};

/// The good file, in which one group is privileged and these people are asked because of it.
fn privileged(stage: &str) -> String {
    let lines = format!("privileged_groups = [\"linux ADMINS\"]\nprivileged_stage = {stage}");
    GOOD.replacen("privileged_groups = []", &lines, 1)
}

const TWO_OTHERS: &str = "{ ask = [\"di@example.com\", \"eve@example.com\"], quorum = 1 }";

fn group(name: &str) -> PlannedGroup {
    let name = GroupName::parse(name).unwrap();
    PlannedGroup { name, id: VaultGroupId(7), kind: Some(GroupKind::Vault) }
}

fn plan(steps: Vec<PlannedStep>) -> Plan {
    let at = Timestamp::from_unix_seconds(1_000_000).unwrap();
    Plan {
        workflow: WorkflowId::made(at, [1; 10]),
        number: 1,
        kind: Kind::Mover,
        target: TargetName::parse("vault").unwrap(),
        profile: "dba".to_owned(),
        user_name: UserName::parse("zobrien").unwrap(),
        account: None,
        steps,
        dialect: DialectSettings {
            group_member: GroupMember::Auto,
            user_shape: UserShape::Auto,
            description: Description::Kept,
            disable_with: DisableWith::Auto,
            reset_of_disabled: ResetOfDisabled::Works,
        },
        not_before: at,
        hand_over: HandOver::Nobody,
        salt: String::new(),
    }
}

fn target(text: &str) -> TargetSettings {
    load(text).unwrap().targets.remove(0)
}

async fn routed_with(text: &str, kind: Kind, req: &Value, unasked: Unasked) -> Result<Routing, NoRoute> {
    let settings = load(text).unwrap();
    let target = target(text);
    let comes = plan(vec![PlannedStep::AddToGroup(group("Linux Admins"))]);
    let joins = privileged_joins(&target, &comes).unwrap();
    let engine = engine();
    let rules = compile_rules(&engine, &settings).unwrap();
    let concerned = concerned(req);
    let wanted = Wanted { kind, req, unasked, privileged: Some(&joins), concerned: &concerned };
    route(&engine, &rules, &settings, &wanted).await
}

#[tokio::test]
async fn after_the_stages_of_the_rule_their_own_one_is_asked_and_a_link_is_too_weak() {
    for mode in ["mode = \"link\"", "mode = \"code\"", "accept_forwarded_links = true"] {
        let text = privileged(TWO_OTHERS).replacen("mode = \"link\"", mode, 1);
        let routing = routed_with(&text, Kind::Joiner, &joiner(), Unasked::No).await.unwrap();
        assert_eq!((routing.rule.as_str(), routing.stages.len()), ("joiners", 3));
        assert_eq!(people(&routing.stages[2]), ["di@example.com", "eve@example.com"]);
        assert_eq!(routing.sign_in, Strength::Code, "{mode}");
        let groups = vec![GroupName::parse("Linux Admins").unwrap()];
        assert_eq!(routing.privileged, Some(Privileged { groups, stage: 2 }));
    }
    let usual = routed(&privileged(TWO_OTHERS), Kind::Joiner, &joiner()).await;
    assert_eq!((usual.stages.len(), usual.sign_in, usual.privileged), (2, Strength::Link, None));
}

#[tokio::test]
async fn a_rule_that_leaves_too_few_gives_way_to_the_default_and_that_one_to_a_person() {
    // The rule may need Ana, Bo and Cy, of whom this stage wants two; the default rule needs only Ana and Bo.
    let text =
        privileged("{ ask = [\"group:pam-admins\", \"cy@example.com\", \"di@example.com\"], quorum = 2 }");
    let routing = routed_with(&text, Kind::Joiner, &joiner(), Unasked::No).await.unwrap();
    let because = Because::TooFewPeople { rule: "joiners".to_owned() };
    assert_eq!((routing.rule.as_str(), routing.because, routing.stages.len()), ("the rest", because, 2));
    assert_eq!(routing.privileged.unwrap().stage, 1);
    let mut di_asks = joiner();
    di_asks["ticket"] = json!({ "requested_by": "Di+x@example.com" });
    let none = routed_with(&text, Kind::Joiner, &di_asks, Unasked::No).await.unwrap_err();
    assert_eq!(none, NoRoute::WithPrivileged);
}

#[tokio::test]
async fn a_rule_that_asks_nobody_never_lets_a_privileged_group_come() {
    let at_once = "[[rules]]\nname = \"at once\"\nkinds = [\"leaver\"]\napproval = \"none\"\n[[rules]]\nname = \"joiners\"";
    let text = privileged(TWO_OTHERS).replacen("[[rules]]\nname = \"joiners\"", at_once, 1);
    for kind in [Kind::Joiner, Kind::Mover, Kind::Leaver] {
        let routing = routed_with(&text, kind, &joiner(), Unasked::PerHour(5)).await.unwrap();
        assert_ne!(routing.rule, "at once");
        assert_eq!(routing.timing.unasked_per_hour, None, "{kind}");
        assert_eq!(people(routing.stages.last().unwrap()), ["di@example.com", "eve@example.com"]);
    }
}

#[test]
fn only_a_group_that_comes_counts_however_it_is_spelled() {
    let target = target(&privileged(TWO_OTHERS));
    let names = |steps| {
        let joins: Option<PrivilegedJoins<'_>> = privileged_joins(&target, &plan(steps));
        joins.map(|joins| joins.groups.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    let (comes, goes) = (PlannedStep::AddToGroup, PlannedStep::RemoveFromGroup);
    assert_eq!(names(vec![comes(group("Ops-Readers"))]), None);
    assert_eq!(names(vec![goes(group("Linux Admins")), PlannedStep::VerifyUser]), None);
    let both = vec![comes(group("Ops-Readers")), comes(group("LINUX ADMINS"))];
    assert_eq!(names(both), Some(vec!["LINUX ADMINS".to_owned()]));
}

#[tokio::test]
async fn an_asking_without_the_group_is_not_enough_once_it_is_privileged() {
    let (before, now) = (target(GOOD), target(&privileged(TWO_OTHERS)));
    let comes = plan(vec![PlannedStep::AddToGroup(group("Linux Admins"))]);
    let ordinary = routed(GOOD, Kind::Joiner, &joiner()).await;
    let whole = routed_with(&privileged(TWO_OTHERS), Kind::Joiner, &joiner(), Unasked::No).await.unwrap();
    for (target, asked, enough) in
        [(&before, &ordinary, true), (&before, &whole, true), (&now, &ordinary, false), (&now, &whole, true)]
    {
        assert_eq!(permit(target, &comes), Ok(()));
        let named = Err(NotAllowed::Privileged("Linux Admins".to_owned()));
        assert_eq!(permit_asked(target, &comes, asked), if enough { Ok(()) } else { named });
        assert_eq!(void_by_settings(target, &comes, asked).is_empty(), enough);
    }
    assert_eq!(
        void_by_settings(&now, &comes, &ordinary)[0].what,
        "the group Linux Admins, by our own settings"
    );
}

#[tokio::test]
async fn their_stage_is_answered_by_whom_the_target_names_now() {
    let stage = "{ ask = [\"di@example.com\", \"group:pam-admins\"], quorum = 1 }";
    let routing = routed_with(&privileged(stage), Kind::Joiner, &joiner(), Unasked::No).await.unwrap();
    assert_eq!(people(&routing.stages[2]), ["ana@example.com", "bo@example.com", "di@example.com"]);
    let vault = TargetName::parse("vault").unwrap();
    let eligible = |settings: &Settings, stage: u32, who: &str| {
        let who = EmailAddress::parse(who).unwrap();
        still_eligible(settings, &vault, (&routing, stage), &who)
    };
    let same = load(&privileged(stage)).unwrap();
    for who in ["di@example.com", "ana@example.com"] {
        assert_eq!(eligible(&same, 2, who), Eligible::Still, "{who}");
    }
    assert_eq!(
        eligible(&same, 2, "cy@example.com"),
        Eligible::NoLonger,
        "a rule names Cy, and not this stage"
    );
    // The target asks others now. The rule still names the group, and that is no reason here.
    let others =
        load(&privileged("{ ask = [\"cy@example.com\", \"eve@example.com\"], quorum = 1 }")).unwrap();
    for who in ["di@example.com", "ana@example.com", "cy@example.com"] {
        assert_eq!(eligible(&others, 2, who), Eligible::NoLonger, "{who}");
    }
    assert_eq!(eligible(&others, 1, "ana@example.com"), Eligible::Still);
}
