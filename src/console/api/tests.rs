//! The operators' API over real HTTP and a real database.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::routes;
use crate::domain::approval::{Answer, Eligible, Verdict};
use crate::domain::canon::{CanonicalBytes, Digest, Tag};
use crate::domain::ids::{DeliveryId, VaultGroupId, WorkflowId};
use crate::domain::leaver_clock::WITHIN;
use crate::domain::names::{EmailAddress, GroupName, Location, SourceName, TargetName, UserName, UserType};
use crate::domain::plan::{
    Description, DialectSettings, DisableWith, GroupMember, HandOver, NewUser, Plan, PlannedGroup,
    PlannedStep, ResetOfDisabled, SealedPlan, UserShape,
};
use crate::domain::request::{Request, RequestContext};
use crate::domain::routing::{AskedAs, Because, Pool, ResolvedStage, Routing, Timing};
use crate::domain::sign_in::{Proof, Strength};
use crate::domain::snapshot::{GroupKind, Snapshot, UserSeen};
use crate::domain::strict_json::Json;
use crate::domain::workflow::State;
use crate::store::accept::AcceptDelivery;
use crate::store::asks::{self, NewAsk};
use crate::store::decisions::{Decide, TargetRead};
use crate::store::deliveries::Delivery;
use crate::store::plans::KeepPlan;
use crate::store::workflows::Workflow;
use crate::target::Adoption;
use crate::web::tests::{LISTER, READER, Stage, WRITER, joiner, told};

fn ana() -> EmailAddress {
    EmailAddress::parse("ana@example.com").unwrap()
}

/// A joiner that was taken in just now.
async fn workflow(stage: &Stage, source_ref: &str) -> WorkflowId {
    let world = &stage.kit.world;
    let stamp = world.stamp();
    let request = Request::parse(&Json::from_value(joiner(source_ref)), &RequestContext::default()).unwrap();
    let workflow = Workflow {
        id: WorkflowId::made(stamp.at, world.bytes()),
        source: SourceName::parse("hr").unwrap(),
        source_ref: request.source_ref.clone(),
        namespace: stage.kit.settings.sources[0].people.clone(),
        person_ref: request.person_ref.clone(),
        kind: request.kind(),
        state: State::Planning,
        target: None,
        user_name: request.username().cloned(),
        request: CanonicalBytes::of(Tag::Request, &request).unwrap(),
        adoption: Adoption::OnlyByMark,
        plan_number: 0,
        replans: 0,
        vault_awaited_since: None,
        vault_awaited_told: None,
        waits_for: None,
        part_of: None,
        ended_by: None,
        cancelled_by: None,
        stop: None,
        not_before: None,
        approval_ends: None,
        created_at: stamp.at,
        updated_at: stamp.at,
        cleared: None,
    };
    let delivery = Delivery {
        id: DeliveryId::made(stamp.at, world.bytes()),
        source: workflow.source.clone(),
        key: source_ref.to_owned(),
        body: b"raw-bytes-unseen".to_vec(),
    };
    stage
        .kit
        .store
        .write(AcceptDelivery {
            stamp,
            delivery,
            workflow,
            found_by: [].into(),
            oldest: chrono::TimeDelta::days(30),
            leaver_within: WITHIN,
        })
        .await
        .unwrap()
        .workflow
        .unwrap()
}

fn plan(stage: &Stage, id: WorkflowId) -> Plan {
    let group = PlannedGroup {
        name: GroupName::parse("Ops-Readers").unwrap(),
        id: VaultGroupId(7),
        kind: Some(GroupKind::Vault),
    };
    let user = NewUser {
        user_type: UserType::parse("EPVUser").unwrap(),
        location: Location::parse("\\Users").unwrap(),
        profile: BTreeMap::new(),
        cut: BTreeMap::new(),
        expires_at: None,
    };
    Plan {
        workflow: id,
        number: 1,
        kind: crate::domain::kind::Kind::Joiner,
        target: TargetName::parse("vault").unwrap(),
        profile: "dba".to_owned(),
        user_name: UserName::parse("zobrien").unwrap(),
        account: None,
        steps: vec![
            PlannedStep::FindUser,
            PlannedStep::CreateUser(user),
            PlannedStep::AddToGroup(group),
            PlannedStep::VerifyUser,
        ],
        dialect: DialectSettings {
            group_member: GroupMember::Auto,
            user_shape: UserShape::Auto,
            description: Description::Kept,
            disable_with: DisableWith::Auto,
            reset_of_disabled: ResetOfDisabled::Works,
        },
        not_before: stage.kit.world.now(),
        hand_over: HandOver::Nobody,
        salt: "00".repeat(16),
    }
}

/// Plans the workflow and asks Ana; answers the plan's digest and her link's hash.
async fn planned(stage: &Stage, id: WorkflowId) -> (Digest, Digest) {
    let plan = plan(stage, id);
    let sealed = SealedPlan::seal(&plan).unwrap();
    let (digest, link_hash) = (sealed.digest(), Digest::of_bytes(b"link"));
    let first = Pool { people: vec![ana()], asked_as: vec![AskedAs::Person { address: ana() }], quorum: 1 };
    let first = ResolvedStage::of(first);
    let deed = KeepPlan {
        stamp: stage.kit.world.stamp(),
        workflow: id,
        after: 0,
        snapshot: Snapshot {
            target: plan.target.clone(),
            read_at: stage.kit.world.now(),
            user: UserSeen::Absent,
            groups: vec![],
            user_types: None,
            kept_fields: None,
        },
        routing: Routing {
            rule: "all".to_owned(),
            because: Because::NothingElseMatched,
            stages: vec![first],
            expire_after_seconds: 3600,
            sign_in: Strength::Link,
            timing: Timing::default(),
            privileged: None,
        },
        asks: vec![NewAsk { stage: 0, approver: ana(), link_hash }],
        plan,
        sealed,
    };
    stage.kit.store.write(deed).await.unwrap();
    (digest, link_hash)
}

async fn approved(stage: &Stage, link_hash: Digest, digest: Digest) {
    let ask = asks::ask_by_link(&stage.kit.store, link_hash).await.unwrap().unwrap();
    let now = stage.kit.world.now();
    let answer = Answer {
        by: ana(),
        stage: 0,
        verdict: Verdict::Approve,
        digest,
        eligible: Eligible::Still,
        proof: Proof::Link,
        at: now,
    };
    let deed = Decide {
        stamp: stage.kit.world.stamp(),
        ask,
        answer,
        comment: "welcome".to_owned(),
        named: vec![],
        target_read: TargetRead::No,
        next: vec![],
    };
    stage.kit.store.write(deed).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn paging_walks_all_workflows_once_newest_first_whatever_comes_in() {
    let stage = Stage::start(routes).await;
    let mut wanted = Vec::new();
    for number in 0..45 {
        wanted.push(workflow(&stage, &format!("a-{number}")).await.to_string());
        // Some share a moment.
        stage.pass(number % 3);
    }
    let mut walked = Vec::new();
    let mut path = "/api/v1/workflows?limit=7".to_owned();
    loop {
        let (status, page) = told(stage.get(&path, READER)).await;
        assert_eq!(status, 200);
        let shown = page["workflows"].as_array().unwrap();
        walked.extend(shown.iter().map(|one| {
            (one["created_at"].as_str().unwrap().to_owned(), one["id"].as_str().unwrap().to_owned())
        }));
        workflow(&stage, &format!("late-{}", walked.len())).await;
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/api/v1/workflows?cursor={cursor}&limit=7");
    }
    assert!(walked.is_sorted_by(|one, next| one > next));
    let mut ids: Vec<_> = walked.into_iter().map(|(_, id)| id).collect();
    ids.sort();
    wanted.sort();
    assert_eq!(ids, wanted);
    let (_, usual) = told(stage.get("/api/v1/workflows", READER)).await;
    assert_eq!(usual["workflows"].as_array().unwrap().len(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_is_shown_with_plan_steps_decisions_and_messages_and_no_secret() {
    let stage = Stage::start(routes).await;
    let id = workflow(&stage, "a-1").await;
    let path = format!("/api/v1/workflows/{id}");
    let (status, fresh) = told(stage.get(&path, LISTER)).await;
    assert_eq!((status, &fresh["state"], &fresh["plan"]), (200, &json!("planning"), &Value::Null));
    assert_eq!(fresh["request"]["subject"]["last_name"], "O'Brien");
    let (digest, link_hash) = planned(&stage, id).await;
    approved(&stage, link_hash, digest).await;
    let (_, shown) = told(stage.get(&path, LISTER)).await;
    assert_eq!((&shown["state"], &shown["target"]), (&json!("approved"), &json!("vault")));
    assert_eq!((&shown["plan"]["number"], &shown["plan"]["rule"]), (&json!(1), &json!("all")));
    assert_eq!(shown["plan"]["digest"], digest.to_string());
    let steps: Vec<_> = shown["steps"].as_array().unwrap().iter().map(|step| &step["step"]).collect();
    assert_eq!(steps, ["find_user", "create_user", "add_to_group", "verify_user"]);
    let third = &shown["steps"][2];
    assert_eq!((&third["group"], &third["state"]), (&json!("Ops-Readers"), &json!("waiting")));
    let said = &shown["decisions"][0];
    assert_eq!((&said["by"], &said["decision"]), (&json!("ana@example.com"), &json!("approve")));
    let message = &shown["messages"][0];
    assert_eq!((&message["kind"], &message["state"]), (&json!("approval_wanted"), &json!("owed")));
    let (_, trail) = told(stage.get(&format!("{path}/audit?limit=100"), READER)).await;
    for secret in [link_hash.to_string(), "raw-bytes-unseen".to_owned(), plan(&stage, id).salt] {
        assert!(!shown.to_string().contains(&secret) && !trail.to_string().contains(&secret));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_trail_is_read_page_by_page() {
    let stage = Stage::start(routes).await;
    let id = workflow(&stage, "a-1").await;
    planned(&stage, id).await;
    let (mut walked, mut cursor) = (Vec::new(), String::new());
    loop {
        let (status, page) =
            told(stage.get(&format!("/api/v1/workflows/{id}/audit?limit=1{cursor}"), READER)).await;
        assert_eq!((status, &page["workflow_id"]), (200, &json!(id)));
        walked.extend(page["events"].as_array().unwrap().iter().cloned());
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    let positions: Vec<_> = walked.iter().map(|event| event["position"].as_u64().unwrap()).collect();
    assert!(positions.len() >= 3);
    assert_eq!(positions, (1..=positions.len() as u64).collect::<Vec<_>>());
    for pair in walked.windows(2) {
        assert_eq!(pair[1]["previous"], pair[0]["hash"]);
    }
    let received = &walked[1];
    assert_eq!((&received["kind"], &received["actor"]), (&json!("workflow.received"), &json!("source hr")));
    assert_eq!(received["personal"]["user_name"], "zobrien");
    assert_eq!(received["facts"]["source_ref"], "a-1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_opens_what_its_scopes_say() {
    let stage = Stage::start(routes).await;
    let id = workflow(&stage, "a-1").await;
    let (list, one) = ("/api/v1/workflows".to_owned(), format!("/api/v1/workflows/{id}"));
    let trail = format!("{one}/audit");
    for (path, token, wanted) in [
        (&list, READER, 200),
        (&one, READER, 200),
        (&trail, READER, 200),
        (&list, LISTER, 200),
        (&one, LISTER, 200),
        (&trail, LISTER, 403),
        (&list, WRITER, 403),
        (&one, WRITER, 403),
        (&trail, WRITER, 403),
        (&list, "nobody", 401),
        (&one, "nobody", 401),
        (&trail, "nobody", 401),
    ] {
        assert_eq!(told(stage.get(path, token)).await.0, wanted, "{path} {token}");
    }
    // Whether a workflow is there is told to nobody without a token.
    let absent = format!("/api/v1/workflows/{}", WorkflowId(uuid::Uuid::nil()));
    assert_eq!(told(stage.get(&absent, "nobody")).await.0, 401);
    for path in [absent.as_str(), "/api/v1/workflows/none", &format!("{absent}/audit")] {
        assert_eq!(told(stage.get(path, READER)).await.0, 404, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_breaks_rules_is_refused_by_the_name_of_its_parameter() {
    let stage = Stage::start(routes).await;
    let id = workflow(&stage, "a-1").await;
    let of_audit = super::paging::position_cursor(1);
    for (query, parameter, code) in [
        ("?state=planning", "state", "unknown_parameter"),
        ("?limit=0", "limit", "out_of_range"),
        ("?limit=101", "limit", "out_of_range"),
        ("?limit=%2B5", "limit", "out_of_range"),
        ("?limit=", "limit", "out_of_range"),
        ("?limit=5&limit=6", "limit", "twice"),
        ("?cursor=s3cret", "cursor", "bad_cursor"),
        (&format!("?cursor={of_audit}"), "cursor", "bad_cursor"),
    ] {
        let (status, problem) = told(stage.get(&format!("/api/v1/workflows{query}"), READER)).await;
        let error = &problem["errors"][0];
        assert_eq!(
            (status, &error["parameter"], &error["code"]),
            (400, &json!(parameter), &json!(code)),
            "{query}"
        );
        assert!(!problem.to_string().contains("s3cret"));
    }
    for path in [format!("/api/v1/workflows/{id}?full=1"), format!("/api/v1/workflows/{id}/audit?after=1")] {
        assert_eq!(told(stage.get(&path, READER)).await.0, 400, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn looking_by_head_says_the_same_without_a_body_and_nothing_else_is_known() {
    let stage = Stage::start(routes).await;
    let id = workflow(&stage, "a-1").await;
    for path in ["/api/v1/workflows".to_owned(), format!("/api/v1/workflows/{id}")] {
        let url = format!("{}{path}", stage.url);
        let whole = stage.get(&path, READER).send().await.unwrap();
        let head = stage.client.head(&url).bearer_auth(READER).send().await.unwrap();
        assert_eq!(
            (head.status().as_u16(), head.headers().get("content-length")),
            (200, whole.headers().get("content-length"))
        );
        assert_eq!(head.bytes().await.unwrap().len(), 0);
        let answer = stage.client.delete(&url).bearer_auth(READER).send().await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["allow"]),
            (405, &"GET, HEAD".parse().unwrap())
        );
    }
    assert_eq!(told(stage.get(&format!("/api/v1/workflows/{id}/steps"), READER)).await.0, 404);
}
