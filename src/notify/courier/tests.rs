//! Owed messages become mails, over real SMTP and from a real database; turns are driven by hand.

mod after_a_fault;
mod as_things_stand;
mod stage;

use stage::{Stage, asked, text_of};

use super::*;
use crate::store::seals::{self, Head, SealBatch};

#[tokio::test]
async fn an_owed_mail_is_sent_once_with_its_readers_own_link() {
    let stage = Stage::set().await;
    let workflow = stage.workflow("Zoë", "O'Brien").await;
    stage.plan(workflow, 1, &["ana@example.com"]).await;
    assert_eq!(stage.turn().await, Did::Work(1));
    let mails = stage.mailbox.mails();
    let [mail] = mails.as_slice() else { panic!("{} mails", mails.len()) };
    assert_eq!(mail.to, ["ana@example.com"]);
    assert_eq!(mail.subject, "Your approval is wanted: a new account for Zoë O'Brien");
    let token = stage.token(workflow, "ana@example.com", 1);
    let link = format!("http://127.0.0.1:8081/approve/{}", token.reveal());
    assert_eq!(mail.links(), [link.as_str()]);
    assert!(mail.html.as_ref().unwrap().contains(&format!("href=\"{link}\"")));
    let text = text_of(mail);
    assert!(text.contains("The source hr asks for a new account for Zoë O'Brien."), "{text}");
    assert!(text.contains("carried out at 2026-12-24 08:00 UTC."), "{text}");
    assert!(text.contains("An answer is wanted until 2026-12-04 08:00 UTC."), "{text}");
    assert!(!text.to_lowercase().contains("ops-readers"), "{text}");
    let owed = &stage.owed(workflow).await[0];
    assert_eq!(mail.header("Message-ID"), Some(format!("<{}@example.com>", owed.id).as_str()));
    assert_eq!(mail.header("Date"), Some("Tue, 01 Dec 2026 08:00:00 +0000"));
    assert_eq!(mail.header("From"), Some("Countersign <countersign@example.com>"));
    assert_eq!(mail.header("Auto-Submitted"), Some("auto-generated"));
    assert_eq!((owed.state.as_str(), owed.tries), ("sent", 1));
    assert_eq!(stage.turn().await, Did::Idle);
    assert_eq!(stage.mailbox.mails().len(), 1);
}

#[tokio::test]
async fn a_turn_with_nothing_due_rings_no_bell() {
    let stage = Stage::set().await;
    let mut bell = stage.kit.store.bell();
    assert_eq!(stage.turn().await, Did::Idle);
    assert!(!bell.has_changed().unwrap());
    let workflow = stage.workflow("Zoë", "O'Brien").await;
    stage.plan(workflow, 1, &["ana@example.com"]).await;
    stage.mailbox.refuse(451, 1);
    assert_eq!(stage.turn().await, Did::Work(1));
    bell.mark_unchanged();
    let due = stage.now().plus_seconds(60);
    assert_eq!(stage.turn().await, Did::IdleUntil(due));
    assert!(!bell.has_changed().unwrap());
}

#[tokio::test]
async fn all_mails_of_a_workflow_are_one_thread_and_show_the_latest_head() {
    let stage = Stage::set().await;
    let workflow = stage.workflow("Zoë", "O'Brien").await;
    let other = stage.workflow("Max", "Power").await;
    stage.plan(workflow, 1, &["ana@example.com", "bo@example.com"]).await;
    stage.plan(other, 1, &["cy@example.com"]).await;
    stage.drain().await;
    assert!(text_of(&stage.mailbox.mails()[0]).contains("nothing is sealed yet"));
    let seal = SealBatch { stamp: stage.kit.world.stamp(), keys: stage.kit.keys.clone(), most: 100 };
    stage.kit.store.write(seal).await.unwrap();
    stage.approve(workflow, "ana@example.com").await;
    stage.drain().await;
    let to = |address: &str| stage.mailbox.mails_to(address);
    assert_eq!((to("ana@example.com").len(), to("bo@example.com").len()), (1, 2));
    let decided = &to("bo@example.com")[1];
    assert_eq!(decided.subject, "Approved: a new account for Zoë O'Brien");
    assert!(
        text_of(decided).contains("the last needed yes came from ana@example.com at 2026-12-01 08:00 UTC")
    );
    assert_eq!(decided.links(), to("bo@example.com")[0].links());
    let head = seals::latest_head(&stage.kit.store).await.unwrap().unwrap();
    let line = text_of(decided).lines().find(|line| line.starts_with("countersign-head-1 ")).map(Head::parse);
    assert_eq!(line, Some(Some(head)));
    let root = format!("<workflow-{workflow}@example.com>");
    for mail in to("ana@example.com").iter().chain(&to("bo@example.com")) {
        assert_eq!(mail.header("References"), Some(root.as_str()));
        assert_eq!(mail.header("In-Reply-To"), Some(root.as_str()));
    }
    assert_ne!(to("cy@example.com")[0].header("References"), Some(root.as_str()));
}

#[tokio::test]
async fn no_token_lies_in_the_database() {
    let stage = Stage::set().await;
    let workflow = stage.workflow("Zoë", "O'Brien").await;
    stage.plan(workflow, 1, &["ana@example.com", "bo@example.com"]).await;
    stage.mailbox.refuse(550, 1);
    stage.drain().await;
    let holds = |bytes: &[u8], what: &[u8]| bytes.windows(what.len()).any(|window| window == what);
    let mut files = 0;
    for file in std::fs::read_dir(stage.place.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        files += usize::from(holds(&bytes, b"bo@example.com"));
        for approver in ["ana@example.com", "bo@example.com"] {
            let token = stage.token(workflow, approver, 1);
            assert!(!holds(&bytes, token.reveal().as_bytes()), "{approver}");
        }
        assert!(!holds(&bytes, b"/approve/"));
    }
    assert!(files > 0, "the search looks at the right files");
}

#[tokio::test]
async fn the_link_keeps_the_path_of_the_public_address() {
    let stage = Stage::set_with(|settings| {
        settings.http.public_url = "https://cs.example.com/countersign/".parse().unwrap();
    })
    .await;
    let workflow = stage.workflow("Zoë", "O'Brien").await;
    stage.plan(workflow, 1, &["ana@example.com"]).await;
    stage.drain().await;
    let links = stage.mailbox.links_for("ana@example.com");
    assert!(links[0].starts_with("https://cs.example.com/countersign/approve/"), "{links:?}");
}

#[tokio::test]
async fn names_cannot_add_a_header_or_a_second_link() {
    let stage = Stage::set().await;
    let workflow = stage.workflow("Zoë\u{202e}", "https://evil.example/x").await;
    stage.plan(workflow, 1, &["ana@example.com"]).await;
    stage.drain().await;
    let mail = &stage.mailbox.mails()[0];
    assert_eq!(mail.links().len(), 1);
    assert!(mail.subject.ends_with("Zoë[U+202E] https: //evil. example/x"), "{}", mail.subject);
    assert_eq!(mail.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("subject")).count(), 1);
    assert!(mail.header("Bcc").is_none());
}

#[tokio::test]
async fn another_key_makes_no_link() {
    let mut stage = Stage::set().await;
    let workflow = stage.workflow("Zoë", "O'Brien").await;
    stage.plan(workflow, 1, &["ana@example.com"]).await;
    stage.change_key();
    stage.turn().await;
    assert!(stage.mailbox.mails().is_empty());
    let owed = stage.owed(workflow).await;
    assert_eq!(asked(&owed).state, "parked");
    assert_eq!(
        asked(&owed).last_fault.as_deref(),
        Some("the key has changed, so its link cannot be made again")
    );
}
