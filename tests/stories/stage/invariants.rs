//! What must hold after every story, however badly the vault behaved.

use std::collections::{BTreeMap, BTreeSet};

use countersign::audit;
use countersign::domain::ids::WorkflowId;
use countersign::key::Purpose;
use countersign::simulator::tenant::JournalEntry;
use countersign::store::secrets;
use serde_json::{Value, json};

use super::app::{CLIENT_SECRET, Dialect, READER, Stage, WEBHOOK_SECRET, WRITER};

impl Stage {
    /// Checks everything that must hold of a workflow at rest.
    pub async fn check(&self, workflow: &str) {
        self.check_run(workflow).await;
        self.check_proof(&[workflow.to_owned()]).await;
    }

    /// What the trail must prove, and that no secret of these workflows is in it. Nothing in the trail goes away, so
    /// once after many runs is enough.
    pub async fn check_proof(&self, workflows: &[String]) {
        let kit = &self.service.kit;
        let verdict = audit::verify(&kit.store, &kit.keys, None).await.unwrap();
        assert!(verdict.is_sound(), "{:#?}", verdict.faults);
        for workflow in workflows {
            self.no_secret_leaves(workflow).await;
        }
        self.the_kept_numbers_are_the_real_ones().await;
    }

    /// Who stands in which state is kept with every change; here it is counted.
    async fn the_kept_numbers_are_the_real_ones(&self) {
        let kept = "select state || ' ' || sum(workflows) from state_counts group by state
            having sum(workflows) <> 0 order by state";
        let counted = "select state || ' ' || count(*) from workflows group by state order by state";
        let folder = self.folder.path();
        assert_eq!(self.database.texts(folder, kept).await, self.database.texts(folder, counted).await);
    }

    /// What one run must have left behind.
    pub async fn check_run(&self, workflow: &str) {
        let shown = self.api(&format!("/{workflow}")).await;
        let name = shown["user_name"].as_str().unwrap().to_owned();
        self.at_most_one_user(&name);
        let widened = self.was_widened_half_way(workflow).await;
        self.no_group_beyond_the_plan(&shown, &name, widened);
        self.nobody_else_was_written_to().await;
        self.attempts_have_intent_and_outcome(workflow).await;
        self.writes_are_the_done_steps(&shown, &name, widened);
        if shown["state"] != "succeeded" {
            return;
        }
        match shown["kind"].as_str().unwrap() {
            "joiner" => {
                self.vault_equals_plan(&shown, &name);
                self.password_opens(workflow, &name).await;
            }
            "mover" => self.vault_shows_the_move(&shown, &name),
            "leaver" => self.vault_shows_the_end(&shown, &name),
            "rehire" => self.vault_shows_the_return(&shown, workflow, &name).await,
            other => panic!("nothing is known of a {other}"),
        }
    }

    fn at_most_one_user(&self, name: &str) {
        let journal = self.simulator.vault.journal();
        let made = journal
            .iter()
            .filter(|entry| entry.what == "create_user" && entry.user_name.as_deref() == Some(name))
            .count();
        assert!(made <= 1, "{made} users named {name} were made");
        assert!(journal.iter().all(|entry| entry.what != "delete_user"));
    }

    /// Only planned memberships come and go, and only of the account that is this workflow's: the one that it made, or
    /// the one that it changes. A plan that was widened half-way names what was left then; what went before went under
    /// the plan before.
    fn no_group_beyond_the_plan(&self, shown: &Value, name: &str, widened: bool) {
        let (comes, goes) = (groups_of(shown, "add_to_group"), groups_of(shown, "remove_from_group"));
        let journal = self.simulator.vault.journal();
        let of_name = |entry: &&JournalEntry| entry.user_name.as_deref() == Some(name);
        let ours: Vec<i64> = if shown["kind"] == "joiner" {
            let made = journal.iter().filter(of_name).filter(|entry| entry.what == "create_user");
            made.filter_map(|entry| entry.user_id).collect()
        } else {
            vec![self.simulator.vault.id_of(name).unwrap()]
        };
        for entry in journal.iter().filter(of_name) {
            let planned = match entry.what {
                "add_member" => &comes,
                "remove_member" => &goes,
                _ => continue,
            };
            let before = widened && entry.what == "remove_member";
            assert!(before || planned.contains(entry.group_name.as_deref().unwrap()), "{entry:?}");
            assert!(ours.contains(&entry.user_id.unwrap()), "a stranger's groups were changed: {entry:?}");
        }
    }

    /// Whoever was written to is somebody whom a workflow is about.
    async fn nobody_else_was_written_to(&self) {
        let about = "select distinct lower(user_name) from workflows where user_name is not null";
        let about: BTreeSet<String> =
            self.database.texts(self.folder.path(), about).await.into_iter().collect();
        for entry in self.simulator.vault.journal() {
            let Some(name) = &entry.user_name else { continue };
            assert!(about.contains(&name.to_lowercase()), "nobody asked for this: {entry:?}");
        }
    }

    async fn attempts_have_intent_and_outcome(&self, workflow: &str) {
        let mut told: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        for event in self.trail(workflow).await {
            let Some(attempt) = event["facts"]["attempt"].as_str() else { continue };
            let counts = told.entry(attempt.to_owned()).or_default();
            match event["kind"].as_str().unwrap() {
                "step.begun" => {
                    assert_eq!(*counts, (0, 0), "the intent comes first, once");
                    counts.0 += 1;
                }
                "step.ended" | "step.looked_up" => {
                    counts.1 += 1;
                    sends_at_most_one_write(&event);
                }
                other => panic!("{other} names an attempt"),
            }
        }
        // Whoever was interrupted could not tell how it ended; a later attempt at the same step begins by looking.
        let interrupted = "select count(*) from attempts a where a.outcome is null and not exists (
            select 1 from attempts b where b.workflow_id = a.workflow_id and b.plan_number = a.plan_number
            and b.step_number = a.step_number and b.number = a.number + 1 and b.purpose = 'look')";
        assert_eq!(self.count(interrupted).await, 0);
        let open = self.count("select count(*) from attempts where outcome is null").await;
        let untold = told.values().filter(|counts| **counts == (1, 0)).count();
        assert!(told.values().all(|counts| [(1, 1), (1, 0)].contains(counts)), "{told:#?}");
        assert!(i64::try_from(untold).unwrap() <= open, "{told:#?}");
    }

    /// Each step called done that writes has its one write in the vault, in plan order; a write without such a step
    /// is allowed only at the step where the run stopped.
    ///
    /// A leaver's plan that was widened half-way is looked at again from its beginning, so there each write takes
    /// something away, and no more is known of their order.
    fn writes_are_the_done_steps(&self, shown: &Value, name: &str, widened: bool) {
        let journal = self.simulator.vault.journal();
        let written: Vec<(String, Option<String>)> = journal
            .into_iter()
            .filter(|entry| entry.user_name.as_deref() == Some(name))
            .map(|entry| (entry.what.to_owned(), entry.group_name))
            .collect();
        let is_over = |step: &&Value| ["done", "already_so"].contains(&step["state"].as_str().unwrap());
        let done: Vec<_> = steps(shown)
            .iter()
            .filter(|step| step["state"] == "done")
            .filter_map(|step| self.write_of(step))
            .collect();
        if widened {
            let takes = ["remove_member", "disable_user", "update_user"];
            assert!(written.iter().all(|(what, _)| takes.contains(&what.as_str())), "{written:?}");
            assert!(done.iter().all(|step| written.contains(step)), "{done:?} in {written:?}");
            return;
        }
        if shown["state"] == "succeeded" || written == done {
            assert_eq!(written, done, "the vault's journal and the ledger tell the same");
            return;
        }
        // The run has stopped at a step of which nobody could be told, or believe, what it brought.
        let stopped_at = steps(shown).iter().find(|step| !is_over(step)).and_then(|step| self.write_of(step));
        let with_it: Vec<_> = done.into_iter().chain(stopped_at).collect();
        assert_eq!(written, with_it, "a write that belongs to no step");
    }

    /// Was more found to be taken away after the first write?
    async fn was_widened_half_way(&self, workflow: &str) -> bool {
        let trail = self.trail(workflow).await;
        let place = |kind: &str| trail.iter().rposition(|event| event["kind"] == kind);
        place("plan.widened")
            .is_some_and(|widened| place("workflow.started").is_some_and(|begun| begun < widened))
    }

    /// What comes is there, what goes is not, and what the request says of the work is in the record.
    fn vault_shows_the_move(&self, shown: &Value, name: &str) {
        let user = self.simulator.vault.user(name).expect("the user is there");
        let held: BTreeSet<&str> = groups_in_vault(&user).map(|(group, _)| group).collect();
        assert!(groups_of(shown, "add_to_group").is_subset(&held), "{held:?}");
        assert!(groups_of(shown, "remove_from_group").is_disjoint(&held), "{held:?}");
        if self.choices.dialect == Dialect::Product {
            for field in ["title", "department", "organization"] {
                let asked = &shown["request"]["employment"][field];
                assert!(asked.is_null() || *asked == user["personalDetails"][field], "{field}");
            }
        }
        assert_eq!(shown["user_id"], user["id"]);
    }

    /// It is disabled wherever the vault can do that, and out of every group that the vault keeps.
    fn vault_shows_the_end(&self, shown: &Value, name: &str) {
        let user = self.simulator.vault.user(name).expect("nobody is deleted");
        let in_directory = steps(shown).iter().any(|step| step["step"] == "disable_in_directory");
        assert!(in_directory || user["enableUser"] == false, "{user}");
        if shown["request"]["leaver"]["remove_groups"] != false {
            let left: Vec<_> = groups_in_vault(&user).filter(|(_, kind)| *kind != "Directory").collect();
            assert!(left.is_empty(), "{left:?}");
        }
        assert_eq!(shown["user_id"], user["id"]);
    }

    /// It is enabled wherever the vault can do that, with the approved groups and no others that the vault keeps, and
    /// nobody knows its password but whoever fetches it.
    async fn vault_shows_the_return(&self, shown: &Value, workflow: &str, name: &str) {
        let user = self.simulator.vault.user(name).expect("the user is there");
        let kept = groups_in_vault(&user).filter(|(_, kind)| *kind != "Directory");
        let held: BTreeSet<&str> = kept.map(|(group, _)| group).collect();
        assert_eq!(held, groups_of(shown, "add_to_group"));
        assert_eq!(shown["user_id"], user["id"]);
        if steps(shown).iter().all(|step| step["step"] != "enable_in_directory") {
            assert_eq!((&user["enableUser"], &user["changePassOnNextLogon"]), (&json!(true), &json!(true)));
            self.password_opens(workflow, name).await;
        }
    }

    /// The entry in the vault's journal that a step makes when it writes.
    fn write_of(&self, step: &Value) -> Option<(String, Option<String>)> {
        let what = match (step["step"].as_str().unwrap(), self.choices.dialect) {
            ("create_user", _) => "create_user",
            ("add_to_group", _) => "add_member",
            ("remove_from_group", _) => "remove_member",
            ("reset_password", _) => "reset_password",
            ("disable_user", Dialect::Product) => "disable_user",
            ("enable_user", Dialect::Product) => "enable_user",
            // The guide has no call for it, so the whole record is written.
            ("require_password_change" | "update_user" | "disable_user" | "enable_user", _) => "update_user",
            _ => return None,
        };
        Some((what.to_owned(), step["group"].as_str().map(str::to_owned)))
    }

    fn vault_equals_plan(&self, shown: &Value, name: &str) {
        let user = self.simulator.vault.user(name).expect("the user is there");
        let in_vault: BTreeSet<&str> = groups_in_vault(&user).map(|(group, _)| group).collect();
        assert_eq!(in_vault, groups_of(shown, "add_to_group"));
        assert_eq!(user["changePassOnNextLogon"], true);
        assert_eq!(user["enableUser"], true);
        assert_eq!(user["userType"], "EPVUser");
        assert_eq!(user["location"], "\\Users\\Ops");
        assert_eq!(user["personalDetails"]["lastName"], shown["request"]["subject"]["last_name"]);
        assert_eq!(user["internet"]["businessEmail"], shown["request"]["subject"]["email"]);
        assert_eq!(shown["user_id"], user["id"]);
    }

    /// The password that will be handed over is the one in the vault.
    async fn password_opens(&self, workflow: &str, name: &str) {
        let Some(clear) = self.sealed_password(workflow).await else {
            panic!("an account has a password of ours, and it is gone");
        };
        let id = self.simulator.vault.id_of(name).unwrap();
        assert!(self.simulator.vault.password_is(id, &clear), "the sealed password is not the vault's");
    }

    /// The sealed initial password, opened; it stays sealed.
    pub async fn sealed_password(&self, workflow: &str) -> Option<String> {
        let kit = &self.service.kit;
        let workflow = WorkflowId::parse(workflow).unwrap();
        let sealed = secrets::initial_password(&kit.store, workflow).await.unwrap()?;
        let clear = kit.keys.open(Purpose::InitialPassword, sealed.id.0, &sealed.bytes).unwrap();
        Some(String::from_utf8(clear.to_vec()).unwrap())
    }

    async fn no_secret_leaves(&self, workflow: &str) {
        let kit = &self.service.kit;
        let mut export = Vec::new();
        audit::export(&kit.store, &kit.keys, &mut export).await.unwrap();
        let export = String::from_utf8(export).unwrap();
        let mut secrets: Vec<String> =
            [CLIENT_SECRET, WEBHOOK_SECRET, READER, WRITER, "eyJhbGciOi", "AAEAAAD"]
                .map(str::to_owned)
                .to_vec();
        secrets.extend(
            self.sealed_password(workflow).await.map(|clear| json!(clear).to_string().replace('"', "")),
        );
        for secret in secrets {
            assert!(!export.contains(&secret), "a secret is in the export");
        }
    }
}

/// A look writes nothing, an act at most once; a call refused at the door for its token is sent once more.
fn sends_at_most_one_write(event: &Value) {
    let calls = event["facts"]["calls"].as_array().unwrap().iter().map(|call| call.as_str().unwrap());
    let writes: Vec<&str> = calls.filter(|call| !call.starts_with("GET ")).collect();
    let most = usize::from(event["kind"] == "step.ended");
    let heard = writes.iter().filter(|call| !call.ends_with(" 401")).count();
    assert!(heard <= most && writes.len() <= 2 * most, "{writes:?} in one attempt");
}

/// The steps of a workflow as the API shows them.
pub fn steps(shown: &Value) -> &Vec<Value> {
    shown["steps"].as_array().unwrap()
}

/// The groups of one kind of step.
fn groups_of<'s>(shown: &'s Value, step: &str) -> BTreeSet<&'s str> {
    let steps = steps(shown).iter().filter(|one| one["step"] == step);
    steps.filter_map(|step| step["group"].as_str()).collect()
}

/// The groups that a user of the vault is in, and where they are kept.
fn groups_in_vault(user: &Value) -> impl Iterator<Item = (&str, &str)> {
    let groups = user["groupsMembership"].as_array().unwrap().iter();
    groups.map(|group| (group["groupName"].as_str().unwrap(), group["groupType"].as_str().unwrap()))
}
