//! A database of its own for each trial, the deeds of a workflow's life, and a hand that bypasses the service.

use std::sync::atomic::{AtomicI64, Ordering};

use chrono::TimeDelta;
use sea_orm::{
    ConnectOptions, ConnectionTrait as _, Database, DatabaseBackend, DatabaseConnection, Statement, Value,
};
use uuid::Uuid;

use crate::clock::{MayBegin, Stamp, World};
use crate::domain::approval::{Answer, Decided, Eligible, Refused, Verdict};
use crate::domain::canon::{CanonicalBytes, Digest, Tag};
use crate::domain::ids::{AttemptId, DeliveryId, SecretId, VaultUserId, WorkflowId};
use crate::domain::kind::Kind;
use crate::domain::leaver_clock::WITHIN;
use crate::domain::names::{
    EmailAddress, Location, Namespace, PersonRef, SourceName, SourceRef, TargetName, UserName, UserType,
};
use crate::domain::operator::{MachineUser, Operator};
use crate::domain::plan::{
    Description, DialectSettings, DisableWith, GroupMember, HandOver, NewUser, Plan, PlannedStep,
    ResetOfDisabled, SealedPlan, UserShape,
};
use crate::domain::request::Request;
use crate::domain::retry::RetryPolicy;
use crate::domain::routing::{AskedAs, Because, Pool, ResolvedStage, Routing, Timing};
use crate::domain::sign_in::{Proof, Strength};
use crate::domain::snapshot::{Snapshot, UserSeen};
use crate::domain::step::{Going, Outcome, Purpose, Report, Rest, StepRecord, Waits};
use crate::domain::time::Timestamp;
use crate::domain::workflow::State;
use crate::key::KeyRing;
use crate::store::accept::AcceptDelivery;
use crate::store::asks::{self, NewAsk};
use crate::store::decisions::{Decide, TargetRead};
use crate::store::deliveries::{Alarm, Delivery, RefuseDelivery};
use crate::store::due::{Claimable, Whose};
use crate::store::lease::Lease;
use crate::store::plans::KeepPlan;
use crate::store::recording::{Ended, Intent, Next, Record};
use crate::store::runs::{ClaimRun, StartRun, Stopped};
use crate::store::seals::SealBatch;
use crate::store::secrets::Sealed;
use crate::store::workflows::Workflow;
use crate::store::{Place, Store, WriteFault, workflows};
use crate::target::Adoption;

/// Somebody at a command line whom the machine calls by this name.
pub(crate) fn operator(called: &str) -> Operator {
    let proven = EmailAddress::parse(&format!("{called}@example.com")).ok();
    Operator::AtTheMachine { user: user(called, 1_000), proven }
}

/// A user of the machine.
pub(crate) fn user(called: &str, number: u32) -> MachineUser {
    MachineUser { called: called.to_owned(), number: Some(number), account: None }
}

/// Names a PostgreSQL server for the trials; they make schemas of their own there.
pub(crate) const POSTGRES: &str = "COUNTERSIGN_TEST_POSTGRES";

const POLICY: RetryPolicy = RetryPolicy {
    most_tries: 3,
    most_time: TimeDelta::hours(24),
    first_wait: chrono::TimeDelta::seconds(1),
    longest_wait: chrono::TimeDelta::seconds(60),
};

/// One database with what a trial needs beside it.
pub(crate) struct Stage {
    pub(crate) store: Store,
    pub(crate) keys: KeyRing,
    pub(crate) place: Place,
    seconds: AtomicI64,
    _folder: Option<tempfile::TempDir>,
}

impl Stage {
    pub(crate) async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("c.db").display());
        Self::at(Place::Sqlite { url, most_pages: None }, Some(folder)).await
    }

    /// A fresh schema on the server that the environment names.
    pub(crate) async fn postgres() -> Self {
        let url = std::env::var(POSTGRES).expect("the environment names no PostgreSQL server");
        let schema = format!("trial_{}", Uuid::from_bytes(World::real().bytes()).simple());
        Self::at(Place::Postgres { url, schema: Some(schema) }, None).await
    }

    async fn at(place: Place, folder: Option<tempfile::TempDir>) -> Self {
        let store = Store::open(&place).await.unwrap();
        let keys = KeyRing::from_bytes([5; 32]);
        Self { store, keys, place, seconds: AtomicI64::new(1_000), _folder: folder }
    }

    /// Each stamp is a second later than the one before.
    pub(crate) fn stamp(&self) -> Stamp {
        let mut stamp = World::real().stamp();
        stamp.at = at(self.seconds.fetch_add(1, Ordering::SeqCst));
        stamp
    }

    /// Lets so many seconds pass.
    pub(crate) fn skip(&self, seconds: i64) {
        self.seconds.fetch_add(seconds, Ordering::SeqCst);
    }

    pub(crate) fn now(&self) -> Timestamp {
        at(self.seconds.load(Ordering::SeqCst))
    }

    pub(crate) fn waits(&self) -> Waits<'static> {
        Waits { policy: &POLICY, now: self.now(), chance: 0 }
    }

    pub(crate) async fn accept(&self, reference: &str) -> WorkflowId {
        self.store.write(accept(self.stamp(), reference, reference)).await.unwrap().workflow.unwrap()
    }

    pub(crate) async fn refuse(&self, body: &str) -> DeliveryId {
        let stamp = self.stamp();
        let delivery = delivery(&stamp, "unused", body);
        let id = delivery.id;
        let reason = "/kind: unknown".to_owned();
        self.store.write(RefuseDelivery { stamp, delivery, reason, alarm: Alarm::Raise }).await.unwrap();
        id
    }

    /// Keeps a plan that two people are asked about, of whom one must say yes.
    pub(crate) async fn plan(&self, workflow: WorkflowId) -> Plan {
        let people = ["ana@example.com", "bo@example.com"].map(|text| EmailAddress::parse(text).unwrap());
        let routing = Routing {
            rule: "joiners".to_owned(),
            because: Because::FirstMatch,
            stages: vec![ResolvedStage::of(Pool {
                people: people.to_vec(),
                asked_as: vec![AskedAs::Group { name: "pam-admins".to_owned() }],
                quorum: 1,
            })],
            expire_after_seconds: 3_600,
            sign_in: Strength::Link,
            timing: Timing::default(),
            privileged: None,
        };
        self.plan_routed(workflow, routing, None).await
    }

    /// Keeps a plan about which nobody is asked.
    pub(crate) async fn plan_unasked(&self, workflow: WorkflowId, per_hour: u32) -> Plan {
        self.plan_unasked_for(workflow, per_hour, None).await
    }

    /// The same about one that begins later.
    pub(crate) async fn plan_unasked_for(
        &self,
        workflow: WorkflowId,
        per_hour: u32,
        not_before: Option<Timestamp>,
    ) -> Plan {
        let routing = Routing {
            rule: "leavers at once".to_owned(),
            because: Because::FirstMatch,
            stages: vec![],
            expire_after_seconds: 3_600,
            sign_in: Strength::Link,
            timing: Timing { unasked_per_hour: Some(per_hour), ..Timing::default() },
            privileged: None,
        };
        self.plan_routed(workflow, routing, not_before).await
    }

    async fn plan_routed(
        &self,
        workflow: WorkflowId,
        routing: Routing,
        not_before: Option<Timestamp>,
    ) -> Plan {
        let read = workflows::find(&self.store, workflow).await.unwrap().unwrap();
        let stamp = self.stamp();
        let mut plan = plan(&read, &stamp);
        plan.not_before = not_before.unwrap_or(plan.not_before);
        let sealed = SealedPlan::seal(&plan).unwrap();
        let people = routing.stages.first().map(ResolvedStage::people).unwrap_or_default();
        let snapshot = Snapshot {
            target: plan.target.clone(),
            read_at: stamp.at,
            user: UserSeen::Absent,
            groups: vec![],
            user_types: None,
            kept_fields: None,
        };
        let asks = people.into_iter().map(|approver| NewAsk {
            stage: 0,
            link_hash: self.keys.link_token(workflow, &approver, 0, plan.number).hash(),
            approver,
        });
        let deed = KeepPlan {
            stamp,
            workflow,
            after: read.plan_number,
            plan: plan.clone(),
            sealed,
            snapshot,
            routing,
            asks: asks.collect(),
        };
        self.store.write(deed).await.unwrap();
        plan
    }

    /// The deed by which one of the people asked answers.
    pub(crate) async fn answer(&self, plan: &Plan, who: usize, verdict: Verdict) -> Decide {
        let ask = asks::asks(&self.store, plan.workflow, plan.number).await.unwrap().swap_remove(who);
        let stamp = self.stamp();
        let answer = Answer {
            by: ask.approver.clone(),
            stage: 0,
            verdict,
            digest: SealedPlan::seal(plan).unwrap().digest(),
            eligible: Eligible::Still,
            proof: Proof::Link,
            at: stamp.at,
        };
        Decide {
            stamp,
            ask,
            answer,
            comment: "as agreed with the team".to_owned(),
            named: vec![],
            target_read: TargetRead::No,
            next: vec![],
        }
    }

    pub(crate) async fn decide(
        &self,
        plan: &Plan,
        who: usize,
        verdict: Verdict,
    ) -> Result<Decided, WriteFault<Refused>> {
        let deed = self.answer(plan, who, verdict).await;
        self.store.write(deed).await
    }

    pub(crate) async fn claim(&self, holder: u128) -> Option<(Workflow, Lease)> {
        let stamp = self.stamp();
        let until = stamp.at.plus_seconds(60);
        self.store
            .write(ClaimRun {
                stamp,
                holder: Uuid::from_u128(holder),
                until,
                claimable: anything(),
                kept: None,
            })
            .await
            .unwrap()
    }

    /// The deed by which a run of this plan begins, or does not.
    pub(crate) fn start(&self, plan: &Plan, lease: &Lease, stopped: Option<Stopped>) -> StartRun {
        let (stamp, lease) = (self.stamp(), lease.clone());
        StartRun { stamp, lease, workflow: plan.workflow, plan_number: plan.number, stopped }
    }

    /// Carries every step out, then rests.
    pub(crate) async fn run(&self, plan: &Plan, user_id: i64) {
        let (workflow, lease) = self.claim(1).await.expect("a run is due");
        assert_eq!(workflow.id, plan.workflow);
        self.store.write(self.start(plan, &lease, None)).await.unwrap();
        let mut ended = None;
        for (step, planned) in plan.steps.iter().enumerate() {
            let (intent, attempt, record) = self.intent(step, planned);
            self.store.write(self.record(plan, &lease, ended.take(), intent)).await.unwrap();
            let report = done(planned, user_id);
            let record = record.settle(Purpose::Act, &report, &self.waits());
            ended = Some(Ended { step, attempt, purpose: Purpose::Act, report, record });
        }
        self.store.write(self.record(plan, &lease, ended, Next::Rest(Rest::Succeeded))).await.unwrap();
    }

    pub(crate) fn intent(&self, step: usize, planned: &PlannedStep) -> (Next, AttemptId, StepRecord) {
        let attempt = self.stamp().draw().id(AttemptId::made);
        let record = StepRecord::fresh(self.now()).begin(attempt, Purpose::Act, self.now());
        let sealed = matches!(planned, PlannedStep::CreateUser(_))
            .then(|| Sealed { id: self.stamp().draw().id(SecretId::made), bytes: vec![1, 2, 3] });
        let secret = sealed.as_ref().map(|sealed| sealed.id);
        let intent = Intent { step, attempt, purpose: Purpose::Act, record: record.clone(), sealed, secret };
        (Next::Begin(Box::new(intent)), attempt, record)
    }

    pub(crate) fn record(&self, plan: &Plan, lease: &Lease, ended: Option<Ended>, next: Next) -> Record {
        let stamp = self.stamp();
        let until = stamp.at.plus_seconds(60);
        let (workflow, plan, lease) = (plan.workflow, plan.clone(), lease.clone());
        let server_delay = TimeDelta::minutes(5);
        Record { stamp, lease, until, workflow, plan, ended, next, server_delay, going: Going::On }
    }

    /// A whole life, from the delivery to success.
    pub(crate) async fn life(&self, reference: &str, user_id: i64) -> WorkflowId {
        let workflow = self.accept(reference).await;
        let plan = self.plan(workflow).await;
        assert_eq!(self.decide(&plan, 0, Verdict::Approve).await.unwrap(), Decided::Approved);
        self.run(&plan, user_id).await;
        workflow
    }

    /// Gives waiting events their place, at most so many.
    pub(crate) async fn seal(&self, most: u64) -> u64 {
        let batch = SealBatch { stamp: self.stamp(), keys: self.keys.clone(), most };
        self.store.write(batch).await.unwrap()
    }

    /// An administrator's own connection.
    pub(crate) async fn outsider(&self) -> Outsider {
        let (url, schema) = match &self.place {
            Place::Sqlite { url, .. } => (url, None),
            Place::Postgres { url, schema } => (url, schema.clone()),
        };
        let mut options = ConnectOptions::new(url);
        options.max_connections(1).sqlx_logging(false);
        if let Some(schema) = schema {
            options.set_schema_search_path(schema);
        }
        Outsider { connection: Database::connect(options).await.unwrap() }
    }
}

/// Somebody with the rights of a database administrator.
pub(crate) struct Outsider {
    connection: DatabaseConnection,
}

impl Outsider {
    /// Takes the guards away: triggers and references.
    pub(crate) async fn unguard(&self) {
        assert_eq!(self.connection.get_database_backend(), DatabaseBackend::Sqlite);
        self.run("pragma foreign_keys = off", []).await.unwrap();
        self.run("pragma ignore_check_constraints = on", []).await.unwrap();
        for table in ["audit_events", "seals", "heads"] {
            for guard in ["no_update", "no_delete", "no_replace"] {
                self.run(&format!("drop trigger if exists {table}_{guard}"), []).await.unwrap();
            }
        }
    }

    pub(crate) async fn run<const N: usize>(&self, sql: &str, values: [Value; N]) -> Result<u64, String> {
        let backend = self.connection.get_database_backend();
        let statement = Statement::from_sql_and_values(backend, sql, values);
        self.connection
            .execute_raw(statement)
            .await
            .map(|done| done.rows_affected())
            .map_err(|fault| fault.to_string())
    }

    pub(crate) async fn count(&self, sql: &str) -> i64 {
        let statement = Statement::from_string(self.connection.get_database_backend(), sql);
        let row = self.connection.query_one_raw(statement).await.unwrap().unwrap();
        row.try_get_by_index(0).unwrap()
    }

    /// Every event: its number in the log, id, chain, position, bytes and hash, in the order of the log.
    pub(crate) async fn events(&self) -> Vec<RawEvent> {
        let sql = "select s.number, e.id, e.chain, e.position, e.bytes, e.hash from audit_events e \
                   left join seals s on s.event_id = e.id order by s.number nulls last, e.id";
        let statement = Statement::from_string(self.connection.get_database_backend(), sql);
        let rows = self.connection.query_all_raw(statement).await.unwrap();
        rows.iter()
            .map(|row| RawEvent {
                number: row.try_get_by_index(0).unwrap(),
                id: row.try_get_by_index(1).unwrap(),
                chain: row.try_get_by_index(2).unwrap(),
                position: row.try_get_by_index(3).unwrap(),
                bytes: row.try_get_by_index(4).unwrap(),
                hash: row.try_get_by_index(5).unwrap(),
            })
            .collect()
    }

    pub(crate) async fn set_event(&self, id: Uuid, bytes: &[u8], hash: &[u8]) {
        let sql = "update audit_events set bytes = $1, hash = $2 where id = $3";
        let done = self.run(sql, [bytes.to_vec().into(), hash.to_vec().into(), id.into()]).await.unwrap();
        assert_eq!(done, 1);
    }

    /// Every place: number, event, event hash, seal hash.
    pub(crate) async fn seals(&self) -> Vec<(i64, Uuid, Vec<u8>, Vec<u8>)> {
        let sql = "select number, event_id, event_hash, seal_hash from seals order by number";
        let statement = Statement::from_string(self.connection.get_database_backend(), sql);
        let rows = self.connection.query_all_raw(statement).await.unwrap();
        let whole = |row: &sea_orm::QueryResult| {
            Some((
                row.try_get_by_index(0).ok()?,
                row.try_get_by_index(1).ok()?,
                row.try_get_by_index(2).ok()?,
                row.try_get_by_index(3).ok()?,
            ))
        };
        rows.iter().map(|row| whole(row).unwrap()).collect()
    }
}

/// An event's row as an administrator sees it.
#[derive(Debug, Clone)]
pub(crate) struct RawEvent {
    pub(crate) number: Option<i64>,
    pub(crate) id: Uuid,
    pub(crate) chain: Uuid,
    pub(crate) position: i64,
    pub(crate) bytes: Vec<u8>,
    pub(crate) hash: Vec<u8>,
}

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds).unwrap()
}

pub(crate) fn delivery(stamp: &Stamp, key: &str, body: &str) -> Delivery {
    Delivery {
        id: stamp.draw().id(DeliveryId::made),
        source: SourceName::parse("hr").unwrap(),
        key: key.to_owned(),
        body: body.as_bytes().to_vec(),
    }
}

/// The deed of a message under a delivery key; the reference is its whole meaning.
pub(crate) fn accept(stamp: Stamp, key: &str, reference: &str) -> AcceptDelivery {
    let delivery = delivery(&stamp, key, &format!("body of {reference}"));
    let mut draw = stamp.draw();
    draw.id(DeliveryId::made);
    let request: Request = serde_json::from_value(serde_json::json!({
        "schema": "jml/1", "kind": "joiner", "source_ref": reference, "person_ref": format!("p-{reference}"),
        "effective": { "at": "2026-12-01T00:00:00Z" },
        "subject": {
            "username": format!("user-{reference}").to_lowercase(), "first_name": "Zoë", "last_name": "O'Brien",
        },
    }))
    .unwrap();
    let workflow = Workflow {
        id: draw.id(WorkflowId::made),
        source: delivery.source.clone(),
        source_ref: SourceRef::parse(reference).unwrap(),
        namespace: Namespace::parse("corp").unwrap(),
        person_ref: PersonRef::parse(&format!("p-{reference}")).unwrap(),
        kind: Kind::Joiner,
        state: State::Planning,
        target: None,
        user_name: Some(UserName::parse(&format!("user-{reference}")).unwrap()),
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
    AcceptDelivery {
        stamp,
        delivery,
        workflow,
        found_by: [].into(),
        oldest: chrono::TimeDelta::days(30),
        leaver_within: WITHIN,
    }
}

fn plan(workflow: &Workflow, stamp: &Stamp) -> Plan {
    Plan {
        workflow: workflow.id,
        number: workflow.plan_number + 1,
        kind: Kind::Joiner,
        target: TargetName::parse("vault").unwrap(),
        profile: "dba".to_owned(),
        user_name: workflow.user_name.clone().unwrap(),
        account: None,
        steps: vec![
            PlannedStep::FindUser,
            PlannedStep::CreateUser(NewUser {
                user_type: UserType::parse("EPVUser").unwrap(),
                location: Location::parse("\\Users").unwrap(),
                profile: [].into(),
                cut: [].into(),
                expires_at: None,
            }),
            PlannedStep::CaptureUserId,
            PlannedStep::VerifyUser,
        ],
        dialect: DialectSettings {
            group_member: GroupMember::Auto,
            user_shape: UserShape::Auto,
            description: Description::Kept,
            disable_with: DisableWith::Auto,
            reset_of_disabled: ResetOfDisabled::Works,
        },
        not_before: stamp.at,
        hand_over: HandOver::Nobody,
        salt: Digest::of_bytes(&stamp.draw().salt()).to_string(),
    }
}

/// The report of an act that did what was planned.
pub(crate) fn done(planned: &PlannedStep, user_id: i64) -> Report {
    let user_id = matches!(planned, PlannedStep::CaptureUserId).then_some(VaultUserId(user_id));
    Report {
        outcome: Outcome::Done,
        words: "done".to_owned(),
        calls: vec![],
        user_id,
        made_by: None,
        stranger: None,
        access: None,
        lost: None,
        before: None,
    }
}

/// Whatever is due.
pub(crate) fn anything() -> Claimable {
    Claimable { whose: Whose::Anybodys, resting: vec![], may_begin: MayBegin::Anything }
}
