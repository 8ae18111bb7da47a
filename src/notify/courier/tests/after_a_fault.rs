//! What becomes of mails when the server refuses, is gone, or the courier dies.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use lettre::Message;

use super::stage::{Stage, asked, mail, text_of};
use super::*;
use crate::store::outbox::ClaimMessage;

#[tokio::test]
async fn what_is_refused_for_now_is_taken_later() {
    let stage = Stage::set().await;
    let workflow = stage.workflow("Zoë", "O'Brien").await;
    stage.plan(workflow, 1, &["ana@example.com"]).await;
    stage.mailbox.refuse(451, 1);
    stage.drain().await;
    let owed = &stage.owed(workflow).await[0];
    assert_eq!((owed.state.as_str(), owed.tries), ("owed", 1));
    assert_eq!(owed.last_fault.as_deref(), Some("the mail server refused it for now (451)"));
    stage.advance(59);
    stage.drain().await;
    assert!(stage.mailbox.mails().is_empty());
    stage.advance(1);
    stage.drain().await;
    let owed = &stage.owed(workflow).await[0];
    assert_eq!((owed.state.as_str(), owed.tries, owed.last_fault.as_deref()), ("sent", 2, None));
    assert_eq!(stage.mailbox.mails().len(), 1);
}

#[tokio::test]
async fn what_is_refused_for_good_is_parked_and_the_operators_hear_of_it() {
    let stage = Stage::set().await;
    let workflow = stage.workflow("Zoë", "O'Brien").await;
    stage.plan(workflow, 1, &["ana@example.com"]).await;
    stage.mailbox.refuse(550, 1);
    stage.drain().await;
    let owed = stage.owed(workflow).await;
    assert_eq!((asked(&owed).state.as_str(), asked(&owed).tries), ("parked", 1));
    let words = asked(&owed).last_fault.as_deref().unwrap();
    assert_eq!(words, "the mail server refused it for good (550)");
    assert!(stage.mailbox.mails_to("ana@example.com").is_empty());
    let alarms = stage.mailbox.mails_to("pam-team@example.com");
    let [alarm] = alarms.as_slice() else { panic!("{} alarms", alarms.len()) };
    assert_eq!(alarm.subject, format!("Alarm: workflow {workflow}"));
    assert!(text_of(alarm).contains("a mail of the kind approval_wanted could not be sent"));
    assert!(
        alarm.links()[0].ends_with(&format!("/workflows/{workflow}")) && !text_of(alarm).contains("ana@")
    );
}

#[tokio::test]
async fn a_dead_server_is_tried_ever_more_rarely_and_then_given_up() {
    let mut stage = Stage::set().await;
    let workflow = stage.workflow("Zoë", "O'Brien").await;
    stage.plan(workflow, 1, &["ana@example.com"]).await;
    stage.post.take().unwrap().stop().await;
    let mut waits = Vec::new();
    while asked(&stage.owed(workflow).await).state == "owed" {
        assert_eq!(stage.turn().await, Did::Work(1));
        match stage.turn().await {
            Did::IdleUntil(due) => {
                waits.push(due.since(stage.now()).num_minutes());
                stage.set_time(due);
            }
            Did::Work(_) | Did::Idle => break,
        }
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 240]);
    let owed = stage.owed(workflow).await;
    assert_eq!((asked(&owed).state.as_str(), asked(&owed).tries), ("parked", 10));
    let words = asked(&owed).last_fault.as_deref().unwrap();
    assert_eq!(words, "the mail server cannot be reached; given up after 10 tries");
    // The alarm meets the same dead server; nobody is told that nobody was told.
    while let Did::Work(_) | Did::IdleUntil(_) = stage.turn().await {
        stage.advance(4 * 3600);
    }
    let owed = stage.owed(workflow).await;
    let states: Vec<_> = owed.iter().map(|owed| (owed.kind.as_str(), owed.state.as_str())).collect();
    assert_eq!(states, [("approval_wanted", "parked"), ("alarm", "parked")]);
}

#[tokio::test]
async fn a_claim_that_nobody_ends_falls_back_and_holds_nothing_else_up() {
    let stage = Stage::set().await;
    let workflow = stage.workflow("Zoë", "O'Brien").await;
    stage.plan(workflow, 1, &["ana@example.com", "bo@example.com"]).await;
    let claim = ClaimMessage { stamp: stage.kit.world.stamp(), until: stage.now().plus_seconds(120) };
    let claimed = stage.kit.store.write(claim).await.unwrap().unwrap();
    let theirs = claimed.recipient.as_ref().unwrap().as_str();
    assert_eq!(stage.turn().await, Did::Work(1));
    assert_eq!((stage.mailbox.mails().len(), stage.mailbox.mails_to(theirs).len()), (1, 0));
    assert_eq!(stage.turn().await, Did::IdleUntil(stage.now().plus_seconds(120)));
    stage.advance(120);
    assert_eq!(stage.turn().await, Did::Work(1));
    let mails = stage.mailbox.mails_to(theirs);
    let id = format!("<{}@example.com>", claimed.id);
    assert_eq!((mails.len(), mails[0].header("Message-ID")), (1, Some(id.as_str())));
}

#[tokio::test]
async fn a_late_report_changes_nothing() {
    let stage = Stage::set().await;
    let workflow = stage.workflow("Zoë", "O'Brien").await;
    stage.plan(workflow, 1, &["ana@example.com"]).await;
    stage.drain().await;
    let message = stage.owed(workflow).await[0].id;
    let sent = Sent::Parked("late".to_owned());
    stage.kit.store.write(ReportMessage { stamp: stage.kit.world.stamp(), message, sent }).await.unwrap();
    let owed = stage.owed(workflow).await;
    assert_eq!((owed.len(), owed[0].state.as_str()), (1, "sent"));
}

#[tokio::test]
async fn a_message_whose_tries_never_end_is_parked() {
    let stage = Stage::set().await;
    let workflow = stage.workflow("Zoë", "O'Brien").await;
    stage.plan(workflow, 1, &["ana@example.com"]).await;
    for _ in 0..10 {
        let claim = ClaimMessage { stamp: stage.kit.world.stamp(), until: stage.now().plus_seconds(120) };
        stage.kit.store.write(claim).await.unwrap().unwrap();
        stage.advance(120);
    }
    stage.turn().await;
    let owed = stage.owed(workflow).await;
    assert_eq!(asked(&owed).last_fault.as_deref(), Some("given up after 10 tries that never ended"));
    assert!(stage.mailbox.mails().is_empty());
}

/// Refuses every mail that goes to one address, and remembers whom it took the others for.
#[derive(Clone, Default)]
struct Picky(Arc<Mutex<Vec<Vec<String>>>>);

#[async_trait]
impl Post for Picky {
    async fn send(&self, message: Message) -> Result<(), NotSent> {
        let to: Vec<String> = message.envelope().to().iter().map(ToString::to_string).collect();
        if to.iter().any(|to| to == "gone@example.com") {
            return Err(NotSent::Refused("no such mailbox".to_owned()));
        }
        self.0.lock().unwrap().push(to);
        Ok(())
    }
}

/// Has no room for one address until it is cleared, and remembers whom it took mails for.
#[derive(Clone, Default)]
struct Full {
    cleared: Arc<AtomicBool>,
    taken: Arc<Mutex<Vec<Vec<String>>>>,
}

#[async_trait]
impl Post for Full {
    async fn send(&self, message: Message) -> Result<(), NotSent> {
        let to: Vec<String> = message.envelope().to().iter().map(ToString::to_string).collect();
        if to.iter().any(|to| to == "full@example.com") && !self.cleared.load(Ordering::SeqCst) {
            return Err(NotSent::NotNow("the mail server refused it for now (452)".to_owned()));
        }
        self.taken.lock().unwrap().push(to);
        Ok(())
    }
}

#[tokio::test]
async fn one_operator_whose_mailbox_is_full_is_told_later_and_the_others_at_once() {
    let mut stage = Stage::set_with(|settings| {
        settings.operators.mail =
            ["full@example.com", "ada@example.com", "bob@example.com"].map(mail).to_vec();
    })
    .await;
    let post = Full::default();
    stage.send_by(post.clone());
    let workflow = stage.workflow("Zoë", "O'Brien").await;
    stage.stop_planning(workflow, "the profile does not match").await;
    stage.drain().await;
    assert_eq!(*post.taken.lock().unwrap(), [["ada@example.com"], ["bob@example.com"]]);
    let states = |owed: Vec<OwedMessage>| owed.into_iter().map(|one| one.state).collect::<Vec<_>>();
    assert_eq!(states(stage.owed(workflow).await), ["sent", "owed"]);
    post.cleared.store(true, Ordering::SeqCst);
    stage.advance(24 * 3_600);
    stage.drain().await;
    // To that one alone; nobody hears of it twice.
    assert_eq!(post.taken.lock().unwrap()[2..], [["full@example.com"]]);
    assert_eq!(states(stage.owed(workflow).await), ["sent", "sent"]);
}

#[tokio::test]
async fn one_operator_who_is_gone_does_not_silence_the_others() {
    let mut stage = Stage::set_with(|settings| {
        settings.operators.mail =
            ["gone@example.com", "ada@example.com", "bob@example.com"].map(mail).to_vec();
    })
    .await;
    let post = Picky::default();
    stage.send_by(post.clone());
    let workflow = stage.workflow("Zoë", "O'Brien").await;
    stage.stop_planning(workflow, "the profile does not match").await;
    stage.drain().await;
    assert_eq!(*post.0.lock().unwrap(), [["ada@example.com"], ["bob@example.com"]]);
    assert_eq!(stage.owed(workflow).await[0].state, "sent");
}
