//! A leaver that is due is cancelled by two people, and goes on until the second one has confirmed it.

use chrono::TimeDelta;
use countersign::domain::ids::WorkflowId;
use countersign::domain::names::EmailAddress;
use countersign::store::WriteFault;
use countersign::store::cancel::{CancelLeaver, Cancelled, NotCancelled};
use countersign::store::two_people::OneOfTwo;
use serde_json::json;

use crate::an_operator_releases::signed_in;
use crate::stage::{Choices, Stage, Visitor};

told_on_both! {
    with super::choices();
    two_people_cancel_a_leaver_that_is_due
    one_person_twice_does_not
    it_goes_on_until_somebody_confirms
}

const OLGA: &str = "olga@example.com";
const OTTO: &str = "otto@example.com";

fn choices() -> Choices {
    let people = "mail = [\"pam-team@example.com\"]\nmembers = [\"olga@example.com\", \"otto@example.com\", \"zobrien@example.com\"]";
    Choices::edited(&[("mail = [\"pam-team@example.com\"]", people)])
}

async fn press(visitor: &Visitor<'_>, workflow: &str, reason: &str) -> u16 {
    let here = format!("{}/workflows/{workflow}", visitor.stage.url);
    let page = visitor.open(&here).await.body;
    let (_, form) = page.split_once("id=\"cancel-title\">").unwrap_or_else(|| panic!("no form in {page}"));
    let (_, rest) = form.split_once("name=\"form_token\" value=\"").unwrap();
    let token = rest.split_once('"').unwrap().0;
    let fields = [("exit", "cancel"), ("reason", reason), ("form_token", token)];
    visitor.post(&format!("{here}/act"), &fields).await.status
}

async fn two_people_cancel_a_leaver_that_is_due(stage: Stage) {
    stage.somebody();
    let leaver = stage.leaves("LEAVE-1", json!({})).await;
    let (olga, otto) = (signed_in(&stage, OLGA).await, signed_in(&stage, OTTO).await);
    assert_eq!(press(&olga, &leaver, "HR sent it by mistake").await, 303);
    assert_eq!(stage.state(&leaver).await, "pending_approval");
    let own = olga.open(&format!("{}/workflows/{leaver}", stage.url)).await.body;
    assert!(own.contains("somebody else must confirm it") && !own.contains("Confirm that it is"), "{own}");
    let page = otto.open(&format!("{}/workflows/{leaver}", stage.url)).await.body;
    assert!(
        page.contains("Proposed by <bdi>olga@example.com at") && page.contains("HR sent it by mistake"),
        "{page}"
    );
    assert_eq!(press(&otto, &leaver, "So it is").await, 303);
    let told = stage.trail(&leaver).await.iter().map(ToString::to_string).collect::<String>();
    assert!(
        told.contains("HR sent it by mistake") && told.contains("So it is"),
        "both of them say why: {told}"
    );
    assert_eq!(stage.state(&leaver).await, "cancelled");
    stage.settle().await;
    let link = stage.link("ana@example.com");
    let page = stage.get(&link).await.body;
    assert!(page.contains("Two people cancelled it, olga@example.com and otto@example.com"), "{page}");
    stage.later(TimeDelta::days(3)).await;
    assert!(stage.writes().is_empty(), "{:?}", stage.writes());
    stage.check_proof(&[leaver]).await;
}

async fn one_person_twice_does_not(stage: Stage) {
    stage.somebody();
    let leaver = stage.leaves("LEAVE-1", json!({})).await;
    let words = ["workflow", "cancel", &leaver, "--reason", "HR sent it by mistake"];
    let said = |done: &std::process::Output| String::from_utf8_lossy(&done.stderr).into_owned();
    let own = stage.command_as(&words, "zobrien@example.com").await;
    assert!(!own.status.success() && said(&own).contains("your own account"), "{own:?}");
    assert!(stage.command_as(&words, OLGA).await.status.success());
    let same = stage.command_as(&words, OLGA).await;
    assert!(!same.status.success() && said(&same).contains("has proposed this already"), "{same:?}");
    // A proposal holds for a day.
    stage.later(TimeDelta::hours(25)).await;
    let kit = &stage.service.kit;
    let cancel = |by: &str| CancelLeaver {
        stamp: kit.world.stamp(),
        workflow: WorkflowId::parse(&leaver).unwrap(),
        by: OneOfTwo {
            address: EmailAddress::parse(by).unwrap(),
            user: None,
            operators: kit.settings.operators.members.clone(),
        },
        reason: "HR sent it by mistake".to_owned(),
    };
    assert_eq!(kit.store.write(cancel(OTTO)).await.unwrap(), Cancelled::Proposed);
    assert_eq!(kit.store.write(cancel(OLGA)).await.unwrap(), Cancelled::Done);
    let again = kit.store.write(cancel(OLGA)).await;
    assert!(matches!(again, Err(WriteFault::Refused(NotCancelled::TooLate(_)))), "{again:?}");
    stage.settle().await;
    stage.check_proof(&[leaver]).await;
}

async fn it_goes_on_until_somebody_confirms(stage: Stage) {
    stage.somebody();
    let leaver = stage.leaves("LEAVE-1", json!({})).await;
    let olga = signed_in(&stage, OLGA).await;
    assert_eq!(press(&olga, &leaver, "HR sent it by mistake").await, 303);
    stage.settle().await;
    assert_eq!(stage.mails_like("pam-team@example.com", "Alarm"), 1);
    stage.both_approve().await;
    assert_eq!(stage.rest(&leaver).await, "succeeded", "{}", stage.reason(&leaver).await);
    stage.has_nothing_left();
    let otto = signed_in(&stage, OTTO).await;
    let page = otto.open(&format!("{}/workflows/{leaver}", stage.url)).await.body;
    assert!(!page.contains("Cancel this leaver"), "{page}");
    stage.check_proof(&[leaver]).await;
}
