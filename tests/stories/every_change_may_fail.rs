//! Every write of a mover, a leaver and a rehire meets every mishap, one at a time, over real HTTP.
//!
//! Must hold: the writes are not listed here but taken from a run that meets nothing, so a new one is tried without a
//! new line; whatever happens, the groups are at each rest between what they were and what was approved, nobody else
//! changes, and `succeeded` is said only of an account that is as approved. One stage serves many people.

use chrono::TimeDelta;
use countersign::simulator::faults::{Effect, Fault, Moment};
use serde_json::{Value, json};

use crate::stage::{Choices, Database, Dialect, FOREIGN, FORMER, Product, Stage};

macro_rules! each_write_meets_each_mishap {
    ($($place:ident: $product:ident $dialect:ident;)*) => { $(
        mod $place {
            use crate::stage::{Dialect, Product};

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn of_a_mover() {
                super::each_write_of(Product::$product, Dialect::$dialect, &super::MOVER).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn of_a_leaver() {
                super::each_write_of(Product::$product, Dialect::$dialect, &super::LEAVER).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn of_a_rehire() {
                super::each_write_of(Product::$product, Dialect::$dialect, &super::REHIRE).await;
            }
        }
    )* };
}

each_write_meets_each_mishap! {
    in_the_products_dialect: PrivilegeCloud Product;
    in_the_guides_dialect: PrivilegeCloud GuideAuto;
    on_a_self_hosted_vault: SelfHosted Product;
    on_a_self_hosted_vault_in_the_guides_dialect: SelfHosted GuideAuto;
}

/// What is asked for, and what an account must be like in the end.
struct Change {
    kind: &'static str,
    comes: &'static [&'static str],
    goes: &'static [&'static str],
    enabled_before: bool,
    enabled: bool,
    location: &'static str,
}

const MOVER: Change = Change {
    kind: "mover",
    comes: &["Linux Admins"],
    goes: &[FORMER],
    enabled_before: true,
    enabled: true,
    location: "\\Users\\Ops",
};
const LEAVER: Change = Change {
    kind: "leaver",
    comes: &[],
    goes: &["Ops-Readers", FORMER],
    enabled_before: true,
    enabled: false,
    location: "\\Users\\Platform",
};
const REHIRE: Change = Change {
    kind: "rehire",
    comes: &["Linux Admins"],
    goes: &[FORMER],
    enabled_before: false,
    enabled: true,
    location: "\\Users\\Platform",
};
/// What everybody's password was before.
const OLD_PASSWORD: &str = "Known-to-1-and-all";

fn status(status: u16, moment: Moment) -> Effect {
    Effect::Status { status, body: None, retry_after: None, moment }
}

fn mishaps() -> [(&'static str, Effect); 6] {
    [
        ("a 500 without effect", status(500, Moment::Before)),
        ("a 500 after the effect", status(500, Moment::After)),
        ("a lost request", Effect::DropBefore),
        ("a lost answer", Effect::DropAfter),
        ("a 401", status(401, Moment::Before)),
        ("a 429", status(429, Moment::Before)),
    ]
}

async fn each_write_of(product: Product, dialect: Dialect, change: &Change) {
    // One approver is enough here, and saves half of the mails.
    let mut choices = Choices { product, ..Choices::with_former_group(dialect) };
    for (this, by) in
        [("\"ana@example.com\", \"bo@example.com\"", "\"ana@example.com\""), ("quorum = 2", "quorum = 1")]
    {
        choices.edits.push((this.to_owned(), by.to_owned()));
    }
    let stage = Stage::with(Database::sqlite(), choices).await;
    for group in [FORMER, FOREIGN] {
        stage.simulator.vault.add_group(group).unwrap();
    }
    let mut trial = Trial { stage, change, people: 0, workflows: vec![] };
    let writes = trial.run("nothing", None).await;
    assert!(writes.len() >= 3, "{writes:?}");
    for (told, effect) in mishaps() {
        for place in 0..writes.len() {
            let (method, _) = &writes[place];
            let nth = writes[..=place].iter().filter(|(other, _)| other == method).count();
            // The method and its number fix the write; what is not below the users and groups is the log-on.
            let nth = u64::try_from(nth).unwrap();
            let fault = Fault::on(method, "/PasswordVault/API/User", 1, effect.clone()).from_nth(nth);
            trial.run(&format!("{told} at write {place} of {writes:?}"), Some(fault)).await;
        }
    }
    trial.stage.check_proof(&trial.workflows).await;
}

struct Trial<'c> {
    stage: Stage,
    change: &'c Change,
    people: u32,
    workflows: Vec<String>,
}

impl Trial<'_> {
    /// The next person changes and meets this; answers the writes that were sent.
    async fn run(&mut self, told: &str, fault: Option<Fault>) -> Vec<(String, String)> {
        let (stage, vault) = (&self.stage, &self.stage.simulator.vault);
        // Sessions are ended by some mishaps; that they end so often is no part of this story.
        stage.later(TimeDelta::minutes(11)).await;
        self.people += 1;
        let name = format!("person{}x", self.people);
        let before = ["Ops-Readers", FORMER];
        let user = json!({ "username": name, "location": "\\Users\\Platform", "groups": before,
            "enableUser": self.change.enabled_before, "initialPassword": OLD_PASSWORD,
            "personalDetails": { "firstName": "Zoë", "lastName": "O'Brien" } });
        vault.add_user(&user).unwrap();
        let workflow = self.approved(&name).await;
        let others = self.others(&name);
        let sent = vault.wire().len();
        let is_struck = fault.is_some();
        if let Some(fault) = fault {
            vault.add_fault(fault);
        }
        let mut now = stage.rest(&workflow).await;
        self.holds(told, &workflow, (&name, &now)).await;
        let wire = vault.wire().split_off(sent);
        assert_eq!(wire.iter().any(|call| call.fault.is_some()), is_struck, "{told} struck nothing");
        vault.clear_faults();
        for _ in 0..2 {
            if now == "needs_attention" {
                assert!(stage.calls_for_help() > 0 && !stage.reason(&workflow).await.is_empty(), "{told}");
                now = stage.retry(&workflow).await;
                self.holds(told, &workflow, (&name, &now)).await;
            }
        }
        assert_eq!(now, "succeeded", "{told}: {}", stage.reason(&workflow).await);
        assert_eq!(self.others(&name), others, "{told}: somebody else was changed");
        self.workflows.push(workflow);
        let is_write = |method: &str, path: &str| method != "GET" && path.contains("/PasswordVault/API/User");
        wire.into_iter()
            .filter(|call| is_write(&call.method, &call.path))
            .map(|call| (call.method, call.path))
            .collect()
    }

    async fn approved(&self, name: &str) -> String {
        let parts = json!({
            "person_ref": format!("E-{name}"), "subject": { "username": name },
            "employment": { "department": "IT Ops", "manager": { "email": "max@example.com" } },
        });
        let answer = self.stage.told(self.change.kind, &format!("CHANGE-{name}"), parts).await;
        assert_eq!(answer.status, 202, "{}", answer.body);
        self.stage.settle().await;
        let answered = self.stage.decide(&self.stage.link("ana@example.com"), "approve", "").await;
        assert_eq!(answered.status, 303, "{}", answered.body);
        answer.workflow()
    }

    /// Everybody else in the vault.
    fn others(&self, name: &str) -> Vec<Value> {
        let mut state = self.stage.simulator.vault.state();
        let users = state["users"].as_array_mut().unwrap();
        users.retain(|user| user["username"] != name);
        // Our own account logs on.
        for user in users.iter_mut() {
            user["lastSuccessfulLoginDate"] = Value::Null;
        }
        std::mem::take(users)
    }

    async fn holds(&self, told: &str, workflow: &str, (name, state): (&str, &str)) {
        self.stage.check_run(workflow).await;
        let user = self.stage.simulator.vault.user(name).unwrap();
        let groups: Vec<&str> = user["groupsMembership"]
            .as_array()
            .unwrap()
            .iter()
            .map(|group| group["groupName"].as_str().unwrap())
            .collect();
        let Change { comes, goes, enabled, location, .. } = self.change;
        let stays: Vec<&str> =
            ["Ops-Readers", FORMER].into_iter().filter(|group| !goes.contains(group)).collect();
        for group in &groups {
            let known = [comes, goes, stays.as_slice()].iter().any(|list| list.contains(group));
            assert!(known, "{told}: {group} was never approved");
        }
        for group in &stays {
            assert!(groups.contains(group), "{told}: {group} is gone");
        }
        if self.change.kind == "rehire" && user["enableUser"] == true {
            // Enabled last: the groups are the approved ones, and nobody knows the password.
            assert_eq!(groups.len(), stays.len() + comes.len(), "{told}: {groups:?}");
            let vault = &self.stage.simulator.vault;
            assert!(!vault.password_is(vault.id_of(name).unwrap(), OLD_PASSWORD), "{told}");
            assert_eq!(user["changePassOnNextLogon"], true, "{told}");
        }
        match state {
            "succeeded" => {
                assert_eq!(groups.len(), stays.len() + comes.len(), "{told}: {groups:?}");
                assert!(comes.iter().all(|group| groups.contains(group)), "{told}: {groups:?}");
                assert_eq!((&user["enableUser"], &user["location"]), (&json!(enabled), &json!(location)));
                assert_eq!(user["personalDetails"]["lastName"], "O'Brien", "{told}");
            }
            "needs_attention" => {}
            other => panic!("{told}: {other}"),
        }
    }
}
