//! Sample values of everything that pages show. For tests alone.

use serde_json::json;

use super::plan_in_words::{Material, PlanInWords};
use crate::domain::approval::{Said, Verdict};
use crate::domain::canon::{CanonicalBytes, Digest, Tag};
use crate::domain::ids::{VaultGroupId, WorkflowId};
use crate::domain::names::EmailAddress;
use crate::domain::plan::{
    Description, DialectSettings, DisableWith, GroupMember, HandOver, NewUser, Plan, PlannedGroup,
    PlannedStep, ResetOfDisabled, SealedPlan, UserShape,
};
use crate::domain::request::Request;
use crate::domain::routing::{AskedAs, Because, Pool, ResolvedStage, Routing, Timing};
use crate::domain::sign_in::Strength;
use crate::domain::snapshot::{GroupKind, GroupSeen, ProfileField, Snapshot, UserSeen, VaultGroup};
use crate::domain::time::Timestamp;
use crate::domain::workflow::State;
use crate::store::decisions::Recorded;
use crate::store::plans::KeptPlan;
use crate::store::workflows::Workflow;
use crate::target::Adoption;

pub(crate) fn now() -> Timestamp {
    Timestamp::parse("2026-11-21T22:53:07Z").unwrap()
}

pub(crate) fn address(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

pub(crate) fn request() -> Request {
    serde_json::from_value(json!({
        "schema": "jml/1", "kind": "joiner", "source_ref": "RITM0010001:3", "person_ref": "E10442",
        "effective": {"at": "2026-12-01", "tz": "Europe/Berlin"},
        "subject": {"username": "zobrien", "first_name": "Zoë", "last_name": "O'Brien",
            "email": "zoe.obrien@example.com"},
        "employment": {"title": "Database Administrator", "department": "IT Ops", "type": "employee",
            "manager": {"email": "max@example.com", "name": "Max <b>Bold</b>"}},
        "ticket": {"system": "servicenow", "id": "RITM0010001", "requested_by": "rita@example.com"},
        "attributes": {"shift": "night & weekend"},
        "reason": "New hire.\nReplaces <script>alert(1)</script> Jo.",
    }))
    .unwrap()
}

pub(crate) fn workflow() -> Workflow {
    let request = request();
    Workflow {
        id: WorkflowId::made(now(), [5; 10]),
        source: crate::domain::names::SourceName::parse("hr").unwrap(),
        source_ref: request.source_ref.clone(),
        namespace: crate::domain::names::Namespace::parse("corp").unwrap(),
        person_ref: request.person_ref.clone(),
        kind: request.kind(),
        state: State::PendingApproval { stage: 0, expires_at: Some(now().plus_seconds(3 * 86_400)) },
        target: Some(plan().target),
        user_name: request.username().cloned(),
        request: CanonicalBytes::of(Tag::Request, &request).unwrap(),
        adoption: Adoption::OnlyByMark,
        plan_number: 1,
        replans: 0,
        vault_awaited_since: None,
        vault_awaited_told: None,
        waits_for: None,
        part_of: None,
        ended_by: None,
        cancelled_by: None,
        stop: None,
        not_before: Some(plan().not_before),
        approval_ends: None,
        created_at: now().plus_seconds(-600),
        updated_at: now().plus_seconds(-170),
        cleared: None,
    }
}

fn group(name: &str, id: i64) -> PlannedStep {
    PlannedStep::AddToGroup(PlannedGroup {
        name: crate::domain::names::GroupName::parse(name).unwrap(),
        id: VaultGroupId(id),
        kind: Some(GroupKind::Vault),
    })
}

pub(crate) fn plan() -> Plan {
    let profile = [
        (ProfileField::FirstName, "Zoë"),
        (ProfileField::LastName, "O'Brien"),
        (ProfileField::Email, "zoe.obrien@example.com"),
        (ProfileField::Title, "Database Administrator"),
        (ProfileField::Department, "IT Ops"),
    ];
    let new = NewUser {
        user_type: crate::domain::names::UserType::parse("EPVUser").unwrap(),
        location: crate::domain::names::Location::parse("\\Users\\Ops").unwrap(),
        profile: profile.into_iter().map(|(field, text)| (field, text.to_owned())).collect(),
        cut: std::collections::BTreeMap::new(),
        expires_at: None,
    };
    Plan {
        workflow: WorkflowId::made(now(), [5; 10]),
        number: 1,
        kind: crate::domain::kind::Kind::Joiner,
        target: crate::domain::names::TargetName::parse("vault").unwrap(),
        profile: "dba".to_owned(),
        user_name: crate::domain::names::UserName::parse("zobrien").unwrap(),
        account: None,
        steps: vec![
            PlannedStep::FindUser,
            PlannedStep::CreateUser(new),
            PlannedStep::CaptureUserId,
            group("Ops-Readers", 7),
            group("Linux Admins", 12),
            PlannedStep::RequirePasswordChange,
            PlannedStep::VerifyUser,
        ],
        dialect: DialectSettings {
            group_member: GroupMember::Auto,
            user_shape: UserShape::Auto,
            description: Description::Kept,
            disable_with: DisableWith::Auto,
            reset_of_disabled: ResetOfDisabled::Works,
        },
        not_before: Timestamp::parse("2026-11-30T23:00:00Z").unwrap(),
        hand_over: HandOver::Subject(address("zoe.obrien@example.com")),
        salt: "00".repeat(16),
    }
}

pub(crate) fn snapshot() -> Snapshot {
    let seen = |name: &str, id| GroupSeen {
        asked: crate::domain::names::GroupName::parse(name).unwrap(),
        found: Some(VaultGroup { id: VaultGroupId(id), name: name.to_owned(), kind: GroupKind::Vault }),
    };
    Snapshot {
        target: plan().target,
        read_at: now().plus_seconds(-180),
        user: UserSeen::Absent,
        groups: vec![seen("Ops-Readers", 7), seen("Linux Admins", 12)],
        user_types: None,
        kept_fields: None,
    }
}

/// A leaver's plan for the account of [`leaver_snapshot`].
pub(crate) fn leaver_plan() -> Plan {
    use crate::domain::plan::{Owner, PlannedAccount};
    use crate::domain::request::{LeaverMode, LeaverTerms};
    let UserSeen::Present(user) = leaver_snapshot().user else { unreachable!("the sample has a user") };
    let terms = LeaverTerms {
        mode: LeaverMode::Disable,
        reason_code: None,
        remove_groups: true,
        revoke_sessions: false,
    };
    Plan {
        kind: crate::domain::kind::Kind::Leaver,
        profile: String::new(),
        account: Some(PlannedAccount::of(&user, Owner::Linked)),
        steps: crate::domain::removal::removal_steps(&user, &terms),
        hand_over: HandOver::Nobody,
        ..plan()
    }
}

/// The vault with the account of somebody who leaves.
pub(crate) fn leaver_snapshot() -> Snapshot {
    use crate::domain::snapshot::{MemberOf, VaultUser};
    let member = |id, name: &str| MemberOf {
        id: VaultGroupId(id),
        name: name.to_owned(),
        kind: Some(GroupKind::Vault),
    };
    let user = VaultUser {
        id: crate::domain::ids::VaultUserId(42),
        user_name: "zobrien".to_owned(),
        user_type: "EPVUser".to_owned(),
        enabled: Some(true),
        suspended: Some(false),
        groups: Some(vec![member(7, "Ops-Readers"), member(12, "Linux Admins")]),
        ..VaultUser::default()
    };
    Snapshot { user: UserSeen::Present(Box::new(user)), groups: Vec::new(), ..snapshot() }
}

pub(crate) fn routing() -> Routing {
    let people = vec![address("ana@example.com"), address("bo@example.com"), address("cy@example.com")];
    let group = ResolvedStage::of(Pool {
        people,
        asked_as: vec![
            AskedAs::Group { name: "pam-admins".to_owned() },
            AskedAs::Person { address: address("cy@example.com") },
        ],
        quorum: 2,
    });
    let manager = ResolvedStage::of(Pool {
        people: vec![address("max@example.com")],
        asked_as: vec![AskedAs::Manager { address: address("max@example.com") }],
        quorum: 1,
    });
    Routing {
        rule: "joiners".to_owned(),
        because: Because::FirstMatch,
        stages: vec![manager, group],
        expire_after_seconds: 259_200,
        sign_in: Strength::Link,
        timing: Timing::default(),
        privileged: None,
    }
}

pub(crate) fn kept() -> KeptPlan {
    KeptPlan {
        number: 1,
        sealed: SealedPlan::seal(&plan()).unwrap(),
        snapshot: snapshot(),
        routing: routing(),
        routing_digest: Digest::of_bytes(b"routing"),
        voided_by: Vec::new(),
        made_at: now().plus_seconds(-170),
    }
}

pub(crate) fn said() -> Vec<Recorded> {
    let said = Said {
        stage: 0,
        by: address("max@example.com"),
        verdict: Verdict::Approve,
        at: now().plus_seconds(-100),
    };
    vec![Recorded { said, plan_number: 1, comment: "She starts on <Monday>.".to_owned() }]
}

pub(crate) fn plan_in_words() -> PlanInWords {
    let (workflow, request, kept, plan, said, you) =
        (workflow(), request(), kept(), plan(), said(), address("ana@example.com"));
    let material = Material {
        workflow: &workflow,
        request: &request,
        kept: &kept,
        plan: &plan,
        previews: &[],
        said: &said,
        open_stage: Some(1),
        whole: &[],
        you: Some(&you),
        replaces: &[],
    };
    super::plan_in_words::plan_in_words(material, None, now())
}

/// A run of which the first four steps are over, the fifth stopped, and the rest waits.
pub(crate) fn run() -> super::progress::Run {
    use crate::domain::ids::AttemptId;
    use crate::domain::step::{Ledger, Outcome, Report, StepRecord, StepState};
    let reason = "the vault refused: PASWS027E, the group cannot take members".to_owned();
    let states = [
        (StepState::AlreadySo, "nobody holds the name"),
        (StepState::Done, "the user was made and read back"),
        (StepState::Done, "the vault calls the user 42"),
        (StepState::Unknown { due: now() }, "no answer came within 30 seconds"),
        (StepState::Failed { reason }, "refused"),
        (StepState::Waiting { due: now() }, ""),
        (StepState::Waiting { due: now() }, ""),
    ];
    let attempts = states.iter().enumerate().filter(|(_, (_, words))| !words.is_empty());
    let attempts = attempts.map(|(step, (_, words))| crate::store::steps::AttemptTold {
        id: AttemptId::made(now(), [7; 10]),
        step,
        purpose: "act".to_owned(),
        begun_at: now(),
        report: Some(Report {
            outcome: Outcome::Done,
            words: (*words).to_owned(),
            calls: Vec::new(),
            user_id: None,
            made_by: None,
            stranger: None,
            access: None,
            lost: None,
            before: None,
        }),
        ended_at: Some(now().plus_seconds(i64::try_from(step).unwrap())),
    });
    let attempts = attempts.collect();
    let records = states.into_iter().map(|(state, _)| StepRecord { state, ..StepRecord::fresh(now()) });
    super::progress::Run {
        plan: plan(),
        ledger: Ledger { steps: records.collect(), user_id: None },
        attempts,
    }
}

/// Every state a workflow can be in.
pub(crate) fn states() -> Vec<State> {
    use crate::domain::workflow::Stalled;
    let reason = "the vault refused: \u{202e}PASWS027E <b>".to_owned();
    vec![
        State::Planning,
        State::PendingApproval { stage: 0, expires_at: Some(now().plus_seconds(86_400)) },
        State::Approved { not_before: now().plus_seconds(86_400) },
        State::Approved { not_before: now() },
        State::Running,
        State::Succeeded,
        State::Rejected,
        State::Expired,
        State::Cancelled,
        State::Superseded,
        State::Failed { reason: reason.clone() },
        State::NeedsAttention { reason: reason.clone(), stalled: Stalled::Planning },
        State::NeedsAttention { reason, stalled: Stalled::Running },
    ]
}
