//! The connector against a scripted vault: what it sends, and what it makes of the answers.

mod changed_and_ended;
mod creating;
mod ending;
mod joining;
mod logging_on;
mod reading;
mod returning;
mod script;
mod signing;
mod simulated;
mod updating;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use secrecy::SecretString;
use serde_json::{Value, json};
use url::Url;

use self::script::{Script, ok};
use super::{Connection, Pvwa};
use crate::clock::{Clock, MachineChance, World};
use crate::config::{ClientCredentials, Product, Secret};
use crate::domain::ids::{AttemptId, VaultGroupId, VaultUserId, WorkflowId};
use crate::domain::kind::Kind;
use crate::domain::names::{GroupName, Location, TargetName, UserName, UserType};
use crate::domain::plan::{
    Description, DialectSettings, DisableWith, GroupMember, HandOver, NewUser, Owner, Plan, PlannedAccount,
    PlannedGroup, PlannedStep, ResetOfDisabled, UserShape,
};
use crate::domain::resting::RestPolicy;
use crate::domain::snapshot::{GroupKind, ProfileField, UserSource};
use crate::domain::step::{Form, MemberForm, Report};
use crate::domain::time::Timestamp;
use crate::target::{Adoption, Again, Besides, LeftIn, Mark, SentBefore, StepCall, Subject, Target};

const SECRET: &str = "client-secret-under-test";
const PASSWORD: &str = "Initial-Pass-w0rd-under-test!";

/// A clock that stands still until it is moved.
struct Standing(Mutex<Timestamp>);

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// A connector with its scripted vault.
struct Bench {
    script: Script,
    clock: Arc<Standing>,
    vault: Pvwa,
}

impl Bench {
    async fn new(dialect: DialectSettings) -> Self {
        let script = Script::default();
        let base = script.listen().await;
        script.on("POST token", vec![ok(json!({"access_token": "t0ken", "expires_in": 1800}))]);
        let clock = Arc::new(Standing(Mutex::new(Timestamp::from_unix_seconds(1_800_000_000).unwrap())));
        let world = World { clock: clock.clone(), chance: Arc::new(MachineChance) };
        let vault = Pvwa::new(
            connection(&format!("{base}/PasswordVault/API"), &format!("{base}/token"), dialect),
            world,
        );
        Self { script, clock, vault: vault.unwrap() }
    }

    /// A free name in a nested vault with one group.
    async fn empty_vault(dialect: DialectSettings) -> Self {
        let bench = Self::new(dialect).await;
        bench.script.on("GET Users", vec![ok(json!({"Users": [], "Total": 0}))]);
        bench
    }

    async fn act(&self, step: &PlannedStep, change: impl FnOnce(&mut StepCall<'_>)) -> Report {
        self.attempt(step, change, true).await
    }

    async fn look(&self, step: &PlannedStep, change: impl FnOnce(&mut StepCall<'_>)) -> Report {
        self.attempt(step, change, false).await
    }

    async fn attempt(
        &self,
        step: &PlannedStep,
        change: impl FnOnce(&mut StepCall<'_>),
        acts: bool,
    ) -> Report {
        self.attempt_of(&plan(self.vault.dialect()), step, change, acts).await
    }

    /// An act or a look at a step of this very plan.
    async fn attempt_of(
        &self,
        plan: &Plan,
        step: &PlannedStep,
        change: impl FnOnce(&mut StepCall<'_>),
        acts: bool,
    ) -> Report {
        let marks = [mark()];
        let mut call = call(plan, step, &marks);
        change(&mut call);
        let report = if acts { self.vault.act(&call).await } else { self.vault.look(&call).await };
        let told = serde_json::to_string(&report).unwrap();
        assert!(!told.contains(SECRET) && !told.contains(PASSWORD), "a secret in {told}");
        report
    }
}

fn connection(api: &str, token: &str, dialect: DialectSettings) -> Connection {
    Connection {
        name: TargetName::parse("vault").unwrap(),
        api_url: Url::parse(api).unwrap(),
        product: Product::PrivilegeCloud(ClientCredentials {
            token_url: Url::parse(token).unwrap(),
            client_id: "svc-countersign@example".to_owned(),
            client_secret: Secret::given(SecretString::from(SECRET)),
        }),
        max_concurrent_calls: 4,
        calls_per_second: None,
        rest: RestPolicy { after_faults: 1_000, longest: chrono::TimeDelta::minutes(5) },
        dialect,
        ca_pem: None,
        proxy: None,
    }
}

fn auto() -> DialectSettings {
    DialectSettings {
        group_member: GroupMember::Auto,
        user_shape: UserShape::Auto,
        description: Description::Kept,
        disable_with: DisableWith::Auto,
        reset_of_disabled: ResetOfDisabled::Works,
    }
}

fn pinned_nested() -> DialectSettings {
    DialectSettings { user_shape: UserShape::Nested, ..auto() }
}

fn mark() -> Mark {
    Mark::of(AttemptId::parse("018f3c1e-0000-7000-8000-000000000001").unwrap())
}

fn subject(user_name: &UserName) -> Subject<'_> {
    Subject { user_name, user_id: None }
}

fn new_user() -> NewUser {
    let profile = [(ProfileField::FirstName, "Zoe"), (ProfileField::Email, "zoe@example.com")];
    NewUser {
        user_type: UserType::parse("EPVUser").unwrap(),
        location: Location::parse("\\").unwrap(),
        profile: profile.into_iter().map(|(field, value)| (field, value.to_owned())).collect(),
        cut: BTreeMap::new(),
        expires_at: None,
    }
}

fn ops() -> PlannedGroup {
    PlannedGroup {
        name: GroupName::parse("Ops-Readers").unwrap(),
        id: VaultGroupId(5),
        kind: Some(GroupKind::Vault),
    }
}

fn plan(dialect: DialectSettings) -> Plan {
    Plan {
        workflow: WorkflowId::parse("018f3c1e-0000-7000-8000-000000000000").unwrap(),
        number: 1,
        kind: Kind::Joiner,
        target: TargetName::parse("vault").unwrap(),
        profile: "ops".to_owned(),
        user_name: UserName::parse("zobrien").unwrap(),
        account: None,
        steps: vec![
            PlannedStep::FindUser,
            PlannedStep::CreateUser(new_user()),
            PlannedStep::CaptureUserId,
            PlannedStep::AddToGroup(ops()),
            PlannedStep::RequirePasswordChange,
            PlannedStep::VerifyUser,
        ],
        dialect,
        not_before: Timestamp::from_unix_seconds(1_800_000_000).unwrap(),
        hand_over: HandOver::Nobody,
        salt: "00".to_owned(),
    }
}

/// A plan for an account that is there already.
fn change_plan(kind: Kind, dialect: DialectSettings, steps: Vec<PlannedStep>) -> Plan {
    let account = PlannedAccount {
        id: OURS,
        user_name: "zobrien".to_owned(),
        source: UserSource::Vault,
        enabled: Some(true),
        owner: Owner::Linked,
        other_user_type: None,
    };
    Plan { kind, account: Some(account), steps, ..plan(dialect) }
}

fn call<'a>(plan: &'a Plan, step: &'a PlannedStep, marks: &'a [Mark]) -> StepCall<'a> {
    StepCall {
        plan,
        step,
        user_id: None,
        mark: mark(),
        our_marks: marks,
        lost_marks: &[],
        adoption: Adoption::OnlyByMark,
        form: None,
        password: Some(SecretString::from(PASSWORD)),
        sent_before: SentBefore::No,
        again: Again::Yes,
        before: None,
        left: LeftIn::OthersThanPlanned,
        removed: &[],
    }
}

/// The user as the vault lists it.
fn listed() -> Value {
    json!({"Users": [{"id": 42, "username": "ZOBrien"}], "Total": 1})
}

/// The user as a read by number shows it.
fn record(description: &str, groups: &Value) -> Value {
    json!({
        "id": 42, "username": "zobrien", "source": "CyberArk", "userType": "EPVUser", "componentUser": false,
        "location": "\\", "enableUser": true, "changePassOnNextLogon": false, "description": description,
        "personalDetails": {"firstName": "Zoe"}, "internet": {"businessEmail": "zoe@example.com"},
        "groupsMembership": groups, "vaultAuthorization": [], "somethingNew": 1
    })
}

fn groups(members: &Value) -> Value {
    json!({"value": [
        {"id": 4, "groupName": "Ops-Readers-2", "groupType": "Vault"},
        {"id": 5, "groupName": "ops-readers", "groupType": "Vault", "members": members}
    ], "count": 2})
}

const OURS: VaultUserId = VaultUserId(42);
const BY_NUMBER: Form = Form::Member(MemberForm::NumericId);
