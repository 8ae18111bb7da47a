//! An account is known as somebody's and is not: two people take that back, and what comes next is asked about anew.
//!
//! Must hold: one person is not two; nothing that is approved loses its account beneath it;
//! a plan that counted on the link begins nothing.

use chrono::TimeDelta;
use countersign::domain::ids::VaultUserId;
use countersign::domain::names::{EmailAddress, Namespace, PersonRef, TargetName};
use countersign::domain::operator::MachineUser;
use countersign::store::WriteFault;
use countersign::store::unlinks::{UnlinkAccount, Unlinked};
use serde_json::json;

use crate::stage::{Choices, Stage, command};

const PERSON: &str = "E10442";

fn choices() -> Choices {
    let people = "mail = [\"pam-team@example.com\"]\nmembers = [\"olga@example.com\", \"otto@example.com\", \"zobrien@example.com\"]";
    Choices::edited(&[("mail = [\"pam-team@example.com\"]", people)])
}

/// Nobody is asked about leavers whose account is known.
fn unasked() -> Choices {
    let leavers = "[[rules]]\nname = \"leavers\"\nkinds = [\"leaver\"]\napproval = \"none\"\n[[rules]]\nname = \"the rest\"";
    let mut choices = choices();
    let edits = [
        ("[[sources]]\nname = \"hr\"", "[[sources]]\nname = \"hr\"\nunapproved_leavers_per_hour = 5"),
        ("[[rules]]\nname = \"the rest\"", leavers),
    ];
    choices.edits.extend(edits.map(|(this, by)| (this.to_owned(), by.to_owned())));
    choices
}

told_on_both! {
    with super::choices();
    a_wrong_link_is_taken_back_by_two_and_the_next_match_is_confirmed
    what_was_planned_with_it_is_asked_about_anew
}

/// Hired by us, so that the account is known; answers the workflow and the account's number.
async fn hired(stage: &Stage) -> (String, i64) {
    let workflow = stage.approved_as(&stage.joiner()).await;
    assert_eq!(stage.rest(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    (workflow, stage.simulator.vault.id_of("zobrien").unwrap())
}

/// What the command says, whether or not it did anything.
async fn unlinks(stage: &Stage, by: &str) -> (bool, String) {
    let words = ["person", "unlink", "corp", PERSON, "vault", "--reason", "Her namesake's"];
    let done = stage.command_as(&words, &format!("{by}@example.com")).await;
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (done.status.success(), format!("{}{}", text(done.stdout), text(done.stderr)))
}

/// The same by the clock of the story.
async fn unlinked(stage: &Stage, by: &str) -> Result<Unlinked, String> {
    let kit = &stage.service.kit;
    let deed = UnlinkAccount {
        stamp: kit.world.stamp(),
        namespace: Namespace::parse("corp").unwrap(),
        person_ref: PersonRef::parse(PERSON).unwrap(),
        target: TargetName::parse("vault").unwrap(),
        by: EmailAddress::parse(&format!("{by}@example.com")).unwrap(),
        user: MachineUser { called: by.to_owned(), number: None, account: None },
        operators: kit.settings.operators.members.clone(),
        reason: "It is her namesake's".to_owned(),
    };
    kit.store.write(deed).await.map_err(|fault| match fault.in_words() {
        WriteFault::Refused(words) => words,
        other => panic!("{other}"),
    })
}

async fn known(stage: &Stage) -> Vec<String> {
    stage.database.texts(stage.folder.path(), "select user_name from person_links").await
}

async fn a_wrong_link_is_taken_back_by_two_and_the_next_match_is_confirmed(stage: Stage) {
    let stage = Stage::with(stage.database.another(), unasked()).await;
    let (joiner, id) = hired(&stage).await;
    // Commands go by the clock of the machine.
    stage.clock.be_real();
    let settings = stage.settings_file();
    let show = async || {
        let shown = command(&["person", "show", "corp", PERSON], &settings).await;
        assert!(shown.status.success(), "{shown:?}");
        String::from_utf8(shown.stdout).unwrap()
    };
    assert!(show().await.contains(&format!("vault: zobrien, number {id}, linked by workflow {joiner}")));
    assert!(!command(&["person", "show", "corp", "E99999"], &settings).await.status.success());
    for stranger in ["nobody", "ana"] {
        let (done, said) = unlinks(&stage, stranger).await;
        assert!(!done && said.contains("members of [operators]"), "{said}");
    }
    let (done, said) = unlinks(&stage, "olga").await;
    assert!(done && said.contains(&format!("proposed to unlink number {id}")), "{said}");
    let (done, said) = unlinks(&stage, "olga").await;
    assert!(!done && said.contains("has proposed this already"), "{said}");
    assert!(show().await.contains("proposed at"));
    assert_eq!(known(&stage).await, ["zobrien"], "one person is not two");
    let (done, said) = unlinks(&stage, "otto").await;
    assert!(done && said.contains(&format!("number {id} is unlinked")), "{said}");
    assert_eq!(known(&stage).await, [""; 0]);
    assert_eq!(show().await, "linked to no account\n");
    let trail = stage.trail(&joiner).await;
    let unlinked = trail.iter().find(|event| event["kind"] == "person.unlinked").expect("it is told");
    assert_eq!((&unlinked["facts"]["user_id"], &unlinked["facts"]["target"]), (&json!(id), &json!("vault")));
    assert_eq!(unlinked["personal"]["actor"], "otto@example.com");
    assert!(
        unlinked["personal"]["proposed_by"].as_str().unwrap().starts_with("olga@example.com"),
        "{unlinked}"
    );
    assert!(trail.iter().any(|event| event["kind"] == "person.unlink_proposed"), "{trail:#?}");

    // What comes next is a first match, and somebody is asked, whatever the rule says.
    let nameless = stage.leaves("NAMELESS", json!({ "subject": {} })).await;
    assert_eq!(stage.state(&nameless).await, "needs_attention");
    assert!(stage.reason(&nameless).await.contains("linked to no account"));
    let again = stage.leaves("AGAIN", json!({ "subject": { "username": "zobrien" } })).await;
    assert_eq!(stage.state(&again).await, "pending_approval", "{}", stage.reason(&again).await);
    stage.both_approve().await;
    assert_eq!(stage.rest(&again).await, "succeeded", "{}", stage.reason(&again).await);
    assert_eq!(known(&stage).await, ["zobrien"]);
    stage.check_proof(&[joiner, again]).await;
}

async fn what_was_planned_with_it_is_asked_about_anew(stage: Stage) {
    let (_, id) = hired(&stage).await;
    // A leaver that is approved keeps the account it was approved with.
    let subject = json!({ "username": "zobrien" });
    let effective =
        json!({ "effective": { "at": "2026-12-10", "tz": "Europe/Berlin" }, "subject": subject.clone() });
    let later = stage.leaves("LATER", effective).await;
    stage.both_approve().await;
    stage.settle().await;
    assert_eq!(stage.state(&later).await, "approved", "{}", stage.reason(&later).await);
    let refused = unlinked(&stage, "olga").await.unwrap_err();
    assert!(refused.contains(&format!("workflow {later} of this person is approved")), "{refused}");
    stage.later(TimeDelta::days(10)).await;
    assert_eq!(stage.rest(&later).await, "succeeded", "{}", stage.reason(&later).await);

    let (proposed, done) = (Ok(Unlinked::Proposed(VaultUserId(id))), Ok(Unlinked::Done(VaultUserId(id))));
    assert_eq!(unlinked(&stage, "olga").await, proposed);
    let own = unlinked(&stage, "zobrien").await.unwrap_err();
    assert!(own.contains("your own account"), "{own}");
    // A proposal holds for a day.
    stage.later(TimeDelta::hours(25)).await;
    let leaver = stage.leaves("LEAVE-1", json!({ "subject": subject })).await;
    assert_eq!(stage.state(&leaver).await, "pending_approval", "{}", stage.reason(&leaver).await);
    let written = stage.writes().len();
    assert_eq!(unlinked(&stage, "otto").await, proposed);
    assert_eq!(unlinked(&stage, "olga").await, done);
    stage.both_approve().await;
    stage.settle().await;
    assert_eq!(stage.state(&leaver).await, "pending_approval", "{}", stage.reason(&leaver).await);
    assert_eq!(stage.writes().len(), written, "nothing has begun on the old approval");
    let page = stage.open(&stage.link("ana@example.com")).await.body;
    assert!(page.contains("two operators have taken it back"), "{page}");
    stage.both_approve().await;
    assert_eq!(stage.rest(&leaver).await, "succeeded", "{}", stage.reason(&leaver).await);
    assert_eq!(known(&stage).await, ["zobrien"]);
    stage.check_proof(&[later, leaver]).await;
}
