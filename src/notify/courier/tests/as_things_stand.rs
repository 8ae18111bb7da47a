//! A mail tells what is so when it is sent; what is no longer so is not told.

use super::stage::{Stage, asked, mail, text_of};
use crate::domain::drift::Difference;
use crate::domain::ids::WorkflowId;
use crate::domain::operator::Operator;
use crate::store::decisions::Expire;
use crate::store::operator::{Exit, TakeExit};
use crate::store::plans::{AwaitVault, PlanningStopped, Telling, VoidPlan};

impl Stage {
    pub(super) async fn stop_planning(&self, workflow: WorkflowId, reason: &str) {
        self.advance(1);
        let stamp = self.kit.world.stamp();
        let deed =
            PlanningStopped { stamp, workflow, after: 0, reason: reason.to_owned(), telling: Telling::Mail };
        self.kit.store.write(deed).await.unwrap();
    }

    async fn void_plan(&self, workflow: WorkflowId) {
        self.advance(1);
        let because = vec![Difference {
            what: "the group Ops-Readers".to_owned(),
            planned: "vault group 7".to_owned(),
            now: "vault group 8".to_owned(),
        }];
        let stamp = self.kit.world.stamp();
        self.kit.store.write(VoidPlan { stamp, workflow, plan_number: 1, because }).await.unwrap();
    }

    /// Kind, state and fault of every message of a workflow.
    async fn told(&self, workflow: WorkflowId) -> Vec<(String, String, Option<String>)> {
        let owed = self.owed(workflow).await.into_iter();
        owed.map(|owed| (owed.kind, owed.state, owed.last_fault)).collect()
    }
}

fn told(kind: &str, state: &str, fault: Option<&str>) -> (String, String, Option<String>) {
    (kind.to_owned(), state.to_owned(), fault.map(str::to_owned))
}

#[tokio::test]
async fn nobody_is_asked_about_what_is_decided() {
    let stage = Stage::set().await;
    let workflow = stage.workflow("Zoë", "O'Brien").await;
    stage.plan(workflow, 1, &["ana@example.com", "bo@example.com"]).await;
    stage.approve(workflow, "ana@example.com").await;
    stage.drain().await;
    let not_sent = Some("not sent: already decided");
    assert_eq!(
        stage.told(workflow).await,
        [
            told("approval_wanted", "parked", not_sent),
            told("approval_wanted", "parked", not_sent),
            told("decided", "sent", None)
        ]
    );
    let mails = stage.mailbox.mails();
    assert_eq!((mails.len(), mails[0].to.as_slice()), (1, &["bo@example.com".to_owned()][..]));
}

#[tokio::test]
async fn a_replaced_plan_is_told_with_its_old_link_and_the_new_one_asked_about() {
    let stage = Stage::set().await;
    let workflow = stage.workflow("Zoë", "O'Brien").await;
    stage.plan(workflow, 1, &["ana@example.com"]).await;
    stage.void_plan(workflow).await;
    stage.advance(1);
    stage.plan(workflow, 2, &["ana@example.com"]).await;
    stage.drain().await;
    assert_eq!(
        stage.told(workflow).await,
        [
            told("approval_wanted", "parked", Some("not sent: the plan was replaced")),
            told("plan_replaced", "sent", None),
            told("approval_wanted", "sent", None)
        ]
    );
    let mails = stage.mailbox.mails_to("ana@example.com");
    assert_eq!(mails[0].subject, "The plan has changed: a new account for Zoë O'Brien");
    assert!(!text_of(&mails[0]).to_lowercase().contains("ops-readers"));
    for (mail, number) in mails.iter().zip([1, 2]) {
        let token = stage.token(workflow, "ana@example.com", number);
        assert!(mail.links()[0].ends_with(token.reveal()));
    }
}

#[tokio::test]
async fn an_end_by_time_or_by_an_operator_is_told_as_such() {
    let stage = Stage::set().await;
    let late = stage.workflow("Zoë", "O'Brien").await;
    stage.plan(late, 1, &["ana@example.com"]).await;
    stage.advance(3 * 24 * 3600);
    stage.turn().await;
    assert_eq!(
        asked(&stage.owed(late).await).last_fault.as_deref(),
        Some("not sent: the time for an answer is over")
    );
    stage.kit.store.write(Expire { stamp: stage.kit.world.stamp(), workflow: late }).await.unwrap();
    stage.drain().await;
    let mail = &stage.mailbox.mails()[0];
    assert_eq!(mail.subject, "Expired: a new account for Zoë O'Brien");
}

#[tokio::test]
async fn operators_learn_the_reason_unless_it_names_a_group() {
    let stage = Stage::set_with(|settings| {
        settings.operators.mail = ["ada@example.com", "bob@example.com"].map(mail).to_vec();
    })
    .await;
    let plain = stage.workflow("Zoë", "O'Brien").await;
    let grouped = stage.workflow("Max", "Power").await;
    let seen_to = stage.workflow("Kim", "Lee").await;
    stage.stop_planning(plain, "two profiles match").await;
    // One of the settings, without being called one.
    stage.stop_planning(grouped, "LINUX ADMINS, of all, is gone").await;
    let foreign = stage.workflow("Ida", "Park").await;
    stage.stop_planning(foreign, "user number 7 is in the group Nobody Knows").await;
    stage.stop_planning(seen_to, "two profiles match").await;
    let by = Operator::SignedIn(mail("ada@example.com"));
    let reason = "looked at it".to_owned();
    let stamp = stage.kit.world.stamp();
    let exit = TakeExit { stamp, workflow: seen_to, exit: Exit::Retry, by, reason };
    stage.kit.store.write(exit).await.unwrap();
    stage.drain().await;
    let mails = stage.mailbox.mails();
    assert_eq!(mails.len(), 3);
    for mail in &mails {
        assert_eq!(mail.to, ["ada@example.com", "bob@example.com"]);
        assert_eq!(mail.header("To"), Some("ada@example.com, bob@example.com"));
        assert_eq!(mail.links().len(), 1);
    }
    let page = format!("/workflows/{plain}");
    assert!(mails[0].links()[0].ends_with(&page), "{:?}", mails[0].links());
    assert!(text_of(&mails[0]).contains("has stopped while its plan was made"));
    assert!(text_of(&mails[0]).contains("Why: two profiles match"));
    assert!(text_of(&mails[0]).contains(&format!("countersign workflow retry {plain} --reason TEXT")));
    assert!(text_of(&mails[1]).contains("the reason names groups, which no mail does"));
    assert!(text_of(&mails[2]).contains("the reason names groups, which no mail does"));
    for part in [&mails[1].text, &mails[1].html, &mails[2].text, &mails[2].html] {
        let part = part.as_ref().unwrap().to_lowercase();
        assert!(!part.contains("linux admins") && !part.contains("nobody knows"), "{part}");
    }
    let over = told("needs_attention", "parked", Some("not sent: somebody has seen to it"));
    assert_eq!(stage.told(seen_to).await, [over]);
}

#[tokio::test]
async fn while_the_vault_is_awaited_nobody_gets_a_link() {
    let stage = Stage::set().await;
    let workflow = stage.workflow("Zoë", "O'Brien").await;
    let deed = AwaitVault {
        stamp: stage.kit.world.stamp(),
        workflow,
        plan_number: 0,
        due_at: stage.now().plus_seconds(60),
        tell: Some(vec![mail("ana@example.com")]),
        words: "the vault answers 503".to_owned(),
    };
    stage.kit.store.write(deed).await.unwrap();
    stage.drain().await;
    let told = &stage.mailbox.mails_to("ana@example.com")[0];
    assert_eq!(told.subject, "Waiting for the vault: a new account for Zoë O'Brien");
    assert!(text_of(told).contains("The vault cannot be read since 2026-12-01 08:00 UTC"));
    assert!(told.links().is_empty());
    let alarm = &stage.mailbox.mails_to("pam-team@example.com")[0];
    assert!(text_of(alarm).contains("the vault answers 503"));
}
