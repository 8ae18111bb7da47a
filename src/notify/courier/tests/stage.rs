//! A courier between a database of its own and a mailbox of its own, with a clock that stands still.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;

use crate::clock::{Chance, Clock, World};
use crate::config::Settings;
use crate::config::tests::{GOOD, load};
use crate::domain::approval::{Answer, Eligible, Verdict};
use crate::domain::canon::{CanonicalBytes, Tag};
use crate::domain::ids::{DeliveryId, VaultGroupId, WorkflowId};
use crate::domain::kind::Kind;
use crate::domain::leaver_clock::WITHIN;
use crate::domain::names::{EmailAddress, GroupName, Namespace, SourceName, TargetName};
use crate::domain::plan::{
    Description, DialectSettings, DisableWith, GroupMember, HandOver, Plan, PlannedGroup, PlannedStep,
    ResetOfDisabled, SealedPlan, UserShape,
};
use crate::domain::request::{Request, RequestContext};
use crate::domain::routing::{AskedAs, Because, Pool, ResolvedStage, Routing, Timing};
use crate::domain::sign_in::{Proof, Strength};
use crate::domain::snapshot::{GroupKind, Snapshot, UserSeen};
use crate::domain::strict_json;
use crate::domain::time::Timestamp;
use crate::domain::workflow::State;
use crate::key::{KeyRing, LinkToken};
use crate::kit::Kit;
use crate::notify::{Courier, Smtp};
use crate::rules::{Engine, Policy};
use crate::simulator::clock::SimClock;
use crate::simulator::mailbox::{Mail, Mailbox, Post};
use crate::store::accept::AcceptDelivery;
use crate::store::asks::{self, NewAsk};
use crate::store::decisions::{Decide, TargetRead};
use crate::store::deliveries::Delivery;
use crate::store::outbox::{self, OwedMessage};
use crate::store::plans::KeepPlan;
use crate::store::workflows::Workflow;
use crate::store::{Place, Store};
use crate::target::Adoption;
use crate::witness::Witness;
use crate::worker::{Did, Worker as _};

struct StillClock(Mutex<Timestamp>);

impl Clock for StillClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// Ids and salts count up; every number is the longest wait, since this one is one less than a multiple of each.
struct Counting(AtomicU64);

const LONGEST_WAITS: u64 = 115_200_000 - 1;

impl Chance for Counting {
    fn fill(&self, buffer: &mut [u8]) {
        let number = if buffer.len() == 8 { LONGEST_WAITS } else { self.0.fetch_add(1, Ordering::Relaxed) };
        buffer.fill(0);
        for (to, from) in buffer.iter_mut().rev().zip(number.to_le_bytes()) {
            *to = from;
        }
    }
}

pub(super) struct Stage {
    pub kit: Kit,
    pub mailbox: Mailbox,
    pub post: Option<Post>,
    pub place: TempDir,
    clock: Arc<StillClock>,
    courier: Courier,
}

pub(super) fn mail(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

/// The text part with line feeds alone.
pub(super) fn text_of(mail: &Mail) -> String {
    mail.text.as_ref().unwrap().replace("\r\n", "\n")
}

/// The first message that asks for approval.
pub(super) fn asked(owed: &[OwedMessage]) -> &OwedMessage {
    owed.iter().find(|message| message.kind == "approval_wanted").unwrap()
}

impl Stage {
    pub(super) async fn set() -> Self {
        Self::set_with(|_| {}).await
    }

    pub(super) async fn set_with(change: impl FnOnce(&mut Settings)) -> Self {
        let mailbox = Mailbox::new(SimClock::following(), None);
        let post = mailbox.listen(([127, 0, 0, 1], 0).into()).await.unwrap();
        let place = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", place.path().join("c.db").display());
        let store = Store::open(&Place::from_url(&url).unwrap()).await.unwrap();
        let mut settings = load(GOOD).unwrap();
        settings.mail.smtp.port = post.address().port();
        change(&mut settings);
        let start = Timestamp::parse("2026-12-01T08:00:00Z").unwrap();
        let clock = Arc::new(StillClock(Mutex::new(start)));
        let world = World { clock: clock.clone(), chance: Arc::new(Counting(AtomicU64::new(1))) };
        let engine = Engine::start(Duration::from_secs(30)).unwrap();
        let policy = Arc::new(Policy::compile(&engine, &settings).unwrap());
        let keys = KeyRing::from_bytes([7; 32]);
        let targets = Arc::new(BTreeMap::new());
        let (witness, settings) = (Arc::new(Witness::nowhere()), Arc::new(settings));
        let kit = Kit { store, world, witness, keys, settings, engine, policy, targets };
        let courier = courier(&kit);
        Self { kit, mailbox, post: Some(post), place, clock, courier }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn advance(&self, seconds: i64) {
        let mut now = self.clock.0.lock().unwrap();
        *now = now.plus_seconds(seconds);
    }

    pub(super) fn set_time(&self, moment: Timestamp) {
        *self.clock.0.lock().unwrap() = moment;
    }

    pub(super) fn change_key(&mut self) {
        self.kit.keys = KeyRing::from_bytes([8; 32]);
        self.courier = courier(&self.kit);
    }

    pub(super) fn send_by(&mut self, post: impl crate::notify::Post + 'static) {
        self.courier = Courier::new(self.kit.clone(), Box::new(post));
    }

    pub(super) async fn turn(&self) -> Did {
        self.courier.turn().await.unwrap()
    }

    /// Turns until nothing is due.
    pub(super) async fn drain(&self) {
        while let Did::Work(_) = self.turn().await {}
    }

    pub(super) async fn owed(&self, workflow: WorkflowId) -> Vec<OwedMessage> {
        outbox::of_workflow(&self.kit.store, workflow).await.unwrap()
    }

    pub(super) fn token(&self, workflow: WorkflowId, approver: &str, number: u32) -> LinkToken {
        self.kit.keys.link_token(workflow, &mail(approver), 0, number)
    }

    /// Takes a joiner in.
    pub(super) async fn workflow(&self, first: &str, last: &str) -> WorkflowId {
        let stamp = self.kit.world.stamp();
        let id = WorkflowId::made(stamp.at, self.kit.world.bytes());
        let json = serde_json::json!({
            "schema": "jml/1", "kind": "joiner", "source_ref": id.to_string(), "person_ref": id.to_string(),
            "effective": {"at": "2026-12-24T08:00:00Z"},
            "subject": {"username": "zobrien", "first_name": first, "last_name": last},
        });
        let json = strict_json::parse(json.to_string().as_bytes()).unwrap();
        let request = Request::parse(&json, &RequestContext::default()).unwrap();
        let workflow = Workflow {
            id,
            source: SourceName::parse("hr").unwrap(),
            source_ref: request.source_ref.clone(),
            namespace: Namespace::parse("corp").unwrap(),
            person_ref: request.person_ref.clone(),
            kind: Kind::Joiner,
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
            id: DeliveryId::made(stamp.at, self.kit.world.bytes()),
            source: workflow.source.clone(),
            key: id.to_string(),
            body: b"{}".to_vec(),
        };
        self.kit
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
            .unwrap();
        id
    }

    /// Keeps a plan that grants Ops-Readers; any one of the people decides.
    pub(super) async fn plan(&self, workflow: WorkflowId, number: u32, people: &[&str]) {
        let target = TargetName::parse("vault").unwrap();
        let group = GroupName::parse("Ops-Readers").unwrap();
        let plan = Plan {
            workflow,
            number,
            kind: Kind::Joiner,
            target: target.clone(),
            profile: "dba".to_owned(),
            user_name: crate::domain::names::UserName::parse("zobrien").unwrap(),
            account: None,
            steps: vec![
                PlannedStep::FindUser,
                PlannedStep::AddToGroup(PlannedGroup {
                    name: group,
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
            not_before: Timestamp::parse("2026-12-24T08:00:00Z").unwrap(),
            hand_over: HandOver::Nobody,
            salt: "00".to_owned(),
        };
        let link_hash =
            |approver: &str| self.kit.keys.link_token(workflow, &mail(approver), 0, number).hash();
        let asks = people
            .iter()
            .map(|person| NewAsk { stage: 0, approver: mail(person), link_hash: link_hash(person) })
            .collect();
        let asked_as = people.iter().map(|person| AskedAs::Person { address: mail(person) }).collect();
        let people = people.iter().map(|person| mail(person)).collect();
        let deed = KeepPlan {
            stamp: self.kit.world.stamp(),
            workflow,
            after: number - 1,
            sealed: SealedPlan::seal(&plan).unwrap(),
            plan,
            snapshot: Snapshot {
                target,
                read_at: self.now(),
                user: UserSeen::Absent,
                groups: vec![],
                user_types: None,
                kept_fields: None,
            },
            routing: Routing {
                rule: "joiners".to_owned(),
                because: Because::FirstMatch,
                stages: vec![ResolvedStage::of(Pool { people, asked_as, quorum: 1 })],
                expire_after_seconds: 3 * 24 * 3600,
                sign_in: Strength::Link,
                timing: Timing::default(),
                privileged: None,
            },
            asks,
        };
        self.kit.store.write(deed).await.unwrap();
    }

    /// Says yes to the first plan, a second later: messages of one moment have no order.
    pub(super) async fn approve(&self, workflow: WorkflowId, by: &str) {
        self.advance(1);
        let store = &self.kit.store;
        let asks = asks::asks(store, workflow, 1).await.unwrap();
        let ask = asks.into_iter().find(|ask| ask.approver == mail(by)).unwrap();
        let plan = crate::store::plans::find(store, workflow, 1).await.unwrap().unwrap();
        let answer = Answer {
            by: mail(by),
            stage: 0,
            verdict: Verdict::Approve,
            digest: plan.sealed.digest(),
            eligible: Eligible::Still,
            proof: Proof::Link,
            at: self.now(),
        };
        let deed = Decide {
            stamp: self.kit.world.stamp(),
            ask,
            answer,
            comment: String::new(),
            named: vec![],
            target_read: TargetRead::No,
            next: vec![],
        };
        store.write(deed).await.unwrap();
    }
}

fn courier(kit: &Kit) -> Courier {
    Courier::new(kit.clone(), Box::new(Smtp::new(&kit.settings.mail.smtp).unwrap()))
}
