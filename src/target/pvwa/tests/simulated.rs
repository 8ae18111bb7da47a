//! The connector against the simulated vault, driven by the step ledger as the executor will drive it.
//!
//! Must hold: whatever a single fault does, the joiner ends with exactly one user, exactly the planned groups and
//! exactly the writes of the plan, in both dialects.

use serde_json::{Value, json};

use super::*;
use crate::domain::retry::RetryPolicy;
use crate::domain::step::{Going, Ledger, Move, Outcome, Purpose, Rest, StepRecord, Waits, next_move};
use crate::simulator::faults::{Effect, Fault, Meanwhile, Moment};
use crate::simulator::tenant::{Descriptions, Dialect, TenantOptions};
use crate::simulator::{Simulator, SimulatorOptions};

pub(super) const GROUPS: [&str; 2] = ["Ops-Readers", "Linux Admins"];

/// A simulated tenant, a connector to it and a joiner's plan.
pub(super) struct Trial {
    pub(super) simulator: Simulator,
    pub(super) vault: Pvwa,
    pub(super) plan: Plan,
}

impl Trial {
    async fn new(dialect: Dialect, settings: DialectSettings) -> Self {
        let Self { simulator, vault, mut plan } =
            Self::with(dialect, settings, &json!({ "username": "zobrien2" })).await;
        let names = GROUPS.map(|name| GroupName::parse(name).unwrap());
        let snapshot = vault.snapshot(subject(&plan.user_name), Besides::Groups(&names)).await.unwrap();
        let steps = snapshot.groups.into_iter().map(|seen| {
            let found = seen.found.unwrap();
            PlannedStep::AddToGroup(PlannedGroup { name: seen.asked, id: found.id, kind: Some(found.kind) })
        });
        plan.steps.splice(3..4, steps);
        assert!(snapshot.user_types.unwrap().iter().any(|kind| kind.as_str() == "EPVUser"));
        Self { simulator, vault, plan }
    }

    /// A tenant with this user and the two groups, and a plan that is not about it yet.
    pub(super) async fn with(dialect: Dialect, settings: DialectSettings, user: &Value) -> Self {
        let mut options =
            SimulatorOptions::new(TenantOptions::new("svc-countersign@example", SecretString::from(SECRET)));
        options.tenant.dialect = dialect;
        options.groups = GROUPS.map(|name| json!({ "groupName": name })).to_vec();
        options.users = vec![user.clone()];
        let simulator = Simulator::start(options).await.unwrap();
        let base = simulator.vault_url();
        let (api, token) = (format!("{base}/PasswordVault/API"), format!("{base}/oauth2/platformtoken"));
        let vault = Pvwa::new(connection(&api, &token, settings), World::real()).unwrap();
        Self { simulator, vault, plan: plan(settings) }
    }

    /// Drives the plan to rest; the outcomes in order, and how it ended.
    pub(super) async fn run(&self) -> (Vec<String>, Rest) {
        let mut now = Timestamp::from_unix_seconds(1_800_000_000).unwrap();
        let mut ledger = Ledger { steps: vec![StepRecord::fresh(now); self.plan.steps.len()], user_id: None };
        let (mut marks, mut story, mut before) = (Vec::new(), Vec::new(), None);
        let policy = RetryPolicy {
            most_tries: 4,
            most_time: chrono::TimeDelta::hours(24),
            first_wait: chrono::TimeDelta::seconds(1),
            longest_wait: chrono::TimeDelta::seconds(60),
        };
        loop {
            let (place, purpose) = match next_move(&self.plan, &ledger, &policy, now, Going::On) {
                Move::Begin(place) => (place, Purpose::Act),
                Move::Look(place) => (place, Purpose::Look),
                Move::Wait(due) => {
                    now = due;
                    continue;
                }
                Move::Rest(rest) => return (story, rest),
            };
            let attempt =
                AttemptId::made(now, u128::to_be_bytes(story.len() as u128)[6..].try_into().unwrap());
            let step = &self.plan.steps[place];
            if matches!((step, purpose), (PlannedStep::CreateUser(_), Purpose::Act)) {
                marks.push(Mark::of(attempt));
            }
            let record = StepRecord { form: ledger.form(&self.plan, place), ..ledger.steps[place].clone() };
            ledger.steps[place] = record.begin(attempt, purpose, now);
            let removed = ledger.removed(&self.plan);
            let mut call = call(&self.plan, step, &marks);
            (call.mark, call.removed) = (Mark::of(attempt), &removed);
            (call.user_id, call.form) = (ledger.user_id, ledger.steps[place].form);
            call.again = if ledger.steps[place].is_last_act(&policy) { Again::No } else { Again::Yes };
            let report = match purpose {
                Purpose::Act => {
                    let report = self.vault.act(&call).await;
                    before.clone_from(&report.before);
                    report
                }
                Purpose::Look => {
                    call.before.clone_from(&before);
                    self.vault.look(&call).await
                }
            };
            story.push(format!(
                "{} {} {}: {}",
                purpose.word(),
                step.kind(),
                report.outcome.word(),
                report.words
            ));
            ledger.user_id = report.user_id.or(ledger.user_id);
            let waits = Waits { policy: &policy, now, chance: 0 };
            ledger.steps[place] = ledger.steps[place].clone().settle(purpose, &report, &waits);
        }
    }

    pub(super) fn writes(&self) -> Vec<&'static str> {
        self.simulator.vault.journal().iter().map(|entry| entry.what).collect()
    }

    /// The vault holds what was planned.
    fn assert_as_planned(&self, story: &[String]) {
        let user = self.simulator.vault.user("zobrien").unwrap();
        let mut groups: Vec<_> = user["groupsMembership"]
            .as_array()
            .unwrap()
            .iter()
            .map(|group| group["groupName"].clone())
            .collect();
        groups.sort_by_key(Value::to_string);
        assert_eq!(groups, [json!("Linux Admins"), json!("Ops-Readers")], "{story:#?}");
        assert_eq!(user["changePassOnNextLogon"], true);
        assert_eq!(user["personalDetails"]["firstName"], "Zoe");
        assert_eq!(user["internet"]["businessEmail"], "zoe@example.com");
        assert!(self.simulator.vault.password_is(user["id"].as_i64().unwrap(), PASSWORD));
    }
}

fn all_writes(dialect: Dialect) -> Vec<&'static str> {
    let mut writes = vec!["create_user", "add_member", "add_member"];
    if dialect == Dialect::Guide {
        writes.push("update_user");
    }
    writes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_joiner_is_carried_out_in_both_dialects_without_being_told_which() {
    for dialect in [Dialect::Product, Dialect::Guide] {
        let trial = Trial::new(dialect, auto()).await;
        let (story, rest) = trial.run().await;
        assert_eq!(rest, Rest::Succeeded, "{story:#?}");
        assert_eq!(trial.writes(), all_writes(dialect));
        trial.assert_as_planned(&story);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pinned_forms_need_no_second_attempt() {
    let guide = DialectSettings {
        group_member: GroupMember::NumericId,
        user_shape: UserShape::Flat,
        description: Description::Kept,
        disable_with: DisableWith::Auto,
        reset_of_disabled: ResetOfDisabled::Works,
    };
    let trial = Trial::new(Dialect::Guide, guide).await;
    let (story, rest) = trial.run().await;
    assert_eq!((rest, story.len()), (Rest::Succeeded, trial.plan.steps.len()), "{story:#?}");
    trial.assert_as_planned(&story);
}

#[tokio::test(flavor = "multi_thread")]
async fn any_one_fault_at_any_write_leaves_exactly_the_planned_writes() {
    let status = |status, moment| Effect::Status { status, body: None, retry_after: None, moment };
    let faults = [
        Effect::DropBefore,
        Effect::DropAfter,
        Effect::Html503,
        Effect::StaleToken,
        status(500, Moment::Before),
        status(500, Moment::After),
        status(504, Moment::After),
        status(429, Moment::Before),
    ];
    for dialect in [Dialect::Product, Dialect::Guide] {
        let places = [("POST", "/Users"), ("POST", "/Members"), ("PUT", "/Users/"), ("GET", "/Users/")];
        for (method, path) in places {
            for fault in &faults {
                let trial = Trial::new(dialect, auto()).await;
                trial.simulator.vault.add_fault(Fault::on(method, path, 1, fault.clone()));
                let (story, rest) = trial.run().await;
                assert_eq!(rest, Rest::Succeeded, "{method} {path} {fault:?} {story:#?}");
                assert_eq!(trial.writes(), all_writes(dialect), "{method} {path} {fault:?} {story:#?}");
                trial.assert_as_planned(&story);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_create_without_descriptions_waits_for_a_person() {
    let settings = DialectSettings { description: Description::NotKept, ..auto() };
    let trial = Trial::new(Dialect::Product, settings).await;
    trial.simulator.vault.configure(|options| options.descriptions = Descriptions::Dropped);
    trial.simulator.vault.add_fault(Fault::on("POST", "/Users", 1, Effect::DropAfter));
    let (story, rest) = trial.run().await;
    assert!(matches!(rest, Rest::NeedsPerson(_)), "{story:#?}");
    assert_eq!(trial.writes(), ["create_user"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_made_meanwhile_by_somebody_else_is_left_alone() {
    let trial = Trial::new(Dialect::Product, auto()).await;
    let stranger = Effect::Meanwhile(Meanwhile::AddUser(json!({ "username": "ZObrien" })));
    trial.simulator.vault.add_fault(Fault::on("POST", "/Users", 1, stranger));
    let (story, rest) = trial.run().await;
    assert!(
        matches!(&rest, Rest::NeedsPerson(words) if words.contains("did not make")),
        "{rest:?} {story:#?}"
    );
    assert_eq!(trial.writes(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_number_form_is_not_sent_when_somebody_is_named_by_that_number() {
    let trial =
        Trial::new(Dialect::Product, DialectSettings { group_member: GroupMember::NumericId, ..auto() })
            .await;
    let marks = [mark()];
    let made = trial.vault.act(&call(&trial.plan, &trial.plan.steps[1], &marks)).await;
    assert_eq!(made.outcome, Outcome::Done, "{}", made.words);
    let id = made.user_id.unwrap();
    trial.simulator.vault.add_user(&json!({ "username": id.to_string() })).unwrap();
    let mut join = call(&trial.plan, &trial.plan.steps[3], &marks);
    join.user_id = Some(id);
    let report = trial.vault.act(&join).await;
    assert_eq!(report.outcome, Outcome::NeedsPerson, "{}", report.words);
    assert_eq!(trial.writes(), ["create_user"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_that_gives_few_records_at_once_and_says_nothing_of_more_is_read_to_its_end() {
    let trial = Trial::with(Dialect::Product, auto(), &json!({ "username": "zobrien2" })).await;
    for number in 0..120 {
        trial.simulator.vault.add_group(&format!("Tail {number}")).unwrap();
    }
    trial.simulator.vault.add_group("Tail").unwrap();
    let ask = ["Ops-Readers", "Tail", "Gone"].map(|name| GroupName::parse(name).unwrap());
    for cap in [100, 50, 25] {
        trial.simulator.vault.configure(|options| options.silent_page_cap = Some(cap));
        let snapshot =
            trial.vault.snapshot(subject(&trial.plan.user_name), Besides::Groups(&ask)).await.unwrap();
        let found: Vec<bool> = snapshot.groups.iter().map(|seen| seen.found.is_some()).collect();
        assert_eq!(found, [true, true, false], "{cap} at once");
    }
}
