//! An account is known as somebody's and is not: two people take that back, and what comes next is asked about anew.
//!
//! Must hold: one person, or one user of the machine, is not two; nothing that is approved loses its account beneath it;
//! a plan that counted on the link begins nothing.

use chrono::TimeDelta;
use countersign::domain::ids::{VaultUserId, WorkflowId};
use countersign::domain::names::{EmailAddress, Namespace, PersonRef, TargetName};
use countersign::domain::operator::MachineUser;
use countersign::store::WriteFault;
use countersign::store::unlinks::{NotUnlinked, UnlinkAccount, Unlinked};
use serde_json::json;

use crate::an_operator_releases::whoever_runs_this;
use crate::stage::{Choices, Stage, command, commands_have_a_login};

const PERSON: &str = "E10442";

fn choices() -> Choices {
    let people = format!(
        "mail = [\"pam-team@example.com\"]\nmembers = [\"olga@example.com\", \"otto@example.com\", \"{}\"]",
        whoever_runs_this()
    );
    Choices::edited(&[("mail = [\"pam-team@example.com\"]", &people)])
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

/// The same deed as the command's, by another user of the machine.
async fn unlinks(stage: &Stage, by: &str, number: u32) -> Result<Unlinked, WriteFault<NotUnlinked>> {
    let kit = &stage.service.kit;
    let deed = UnlinkAccount {
        stamp: kit.world.stamp(),
        namespace: Namespace::parse("corp").unwrap(),
        person_ref: PersonRef::parse(PERSON).unwrap(),
        target: TargetName::parse("vault").unwrap(),
        by: EmailAddress::parse(&format!("{by}@example.com")).unwrap(),
        user: MachineUser { called: by.to_owned(), number: Some(number), account: None },
        reason: "It is her namesake's".to_owned(),
    };
    kit.store.write(deed).await
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
    let unlink = async |by: &str| {
        let words = ["person", "unlink", "corp", PERSON, "vault", "--as", by, "--reason", "Her namesake's"];
        let done = command(&words, &settings).await;
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (done.status.success(), format!("{}{}", text(done.stdout), text(done.stderr)))
    };

    for stranger in ["nobody@example.com", "ana@example.com"] {
        let (done, said) = unlink(stranger).await;
        assert!(!done && said.contains("members of [operators]"), "{said}");
    }
    let me = whoever_runs_this();
    let (done, said) = unlink(&me).await;
    if commands_have_a_login() {
        assert!(done && said.contains(&format!("proposed to unlink number {id}")), "{said}");
        for (by, words) in [
            (me.as_str(), "has proposed this already"),
            ("otto@example.com", "does not know you by that address"),
        ] {
            let (done, said) = unlink(by).await;
            assert!(!done && said.contains(words), "{by}: {said}");
        }
    } else {
        assert!(!done && said.contains("does not know you by that address"), "{said}");
        assert_eq!(unlinks(&stage, "olga", 4_241).await.unwrap(), Unlinked::Proposed(VaultUserId(id)));
    }
    assert!(show().await.contains("proposed at"));
    assert_eq!(known(&stage).await, ["zobrien"], "one person is not two");
    assert_eq!(unlinks(&stage, "otto", 4_242).await.unwrap(), Unlinked::Done(VaultUserId(id)));
    assert_eq!(known(&stage).await, [""; 0]);
    assert_eq!(show().await, "linked to no account\n");
    let trail = stage.trail(&joiner).await;
    let unlinked = trail.iter().find(|event| event["kind"] == "person.unlinked").expect("it is told");
    assert_eq!((&unlinked["facts"]["user_id"], &unlinked["facts"]["target"]), (&json!(id), &json!("vault")));
    assert_eq!(unlinked["personal"]["actor"], "otto@example.com");
    let proposer = if commands_have_a_login() { me.as_str() } else { "olga@example.com" };
    assert!(unlinked["personal"]["proposed_by"].as_str().unwrap().contains(proposer), "{unlinked}");
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
    let refused = unlinks(&stage, "olga", 1_000).await;
    let under_way = WorkflowId::parse(&later).unwrap();
    assert!(
        matches!(&refused, Err(WriteFault::Refused(NotUnlinked::UnderWay(id))) if *id == under_way),
        "{refused:?}"
    );
    stage.later(TimeDelta::days(10)).await;
    assert_eq!(stage.rest(&later).await, "succeeded", "{}", stage.reason(&later).await);

    assert_eq!(unlinks(&stage, "olga", 1_000).await.unwrap(), Unlinked::Proposed(VaultUserId(id)));
    let about_herself = unlinks(&stage, "zobrien", 7).await;
    assert!(
        matches!(about_herself, Err(WriteFault::Refused(NotUnlinked::NotYours(..)))),
        "{about_herself:?}"
    );
    // A proposal holds for a day.
    stage.later(TimeDelta::hours(25)).await;
    let leaver = stage.leaves("LEAVE-1", json!({ "subject": subject })).await;
    assert_eq!(stage.state(&leaver).await, "pending_approval", "{}", stage.reason(&leaver).await);
    let written = stage.writes().len();
    assert_eq!(unlinks(&stage, "otto", 4_242).await.unwrap(), Unlinked::Proposed(VaultUserId(id)));
    assert_eq!(unlinks(&stage, "olga", 1_000).await.unwrap(), Unlinked::Done(VaultUserId(id)));
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
