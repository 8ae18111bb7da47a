//! The mail: one for each person who is asked, with one link, and nothing that a stranger should read.
//!
//! Lines 1 and 21 of the approval checklist.

use std::collections::BTreeSet;

use countersign::simulator::mailbox::Mail;
use serde_json::json;

use crate::stage::Stage;

told_on_both! {
    each_approver_gets_one_mail_with_one_link_of_his_own
    all_mails_about_a_workflow_are_one_thread
    what_a_requester_writes_stays_out_of_the_mail
}

fn approve_links(mail: &Mail) -> Vec<String> {
    mail.links().into_iter().filter(|link| link.contains("/approve/")).collect()
}

async fn each_approver_gets_one_mail_with_one_link_of_his_own(stage: Stage) {
    stage.hire_told(|_| ()).await;
    let mut links = BTreeSet::new();
    for address in ["ana@example.com", "bo@example.com"] {
        let mails = stage.simulator.mailbox.mails_to(address);
        let [mail] = mails.as_slice() else { panic!("{address} got {} mails", mails.len()) };
        assert_eq!(mail.to, [address], "nobody else reads along");
        assert_eq!(mail.subject, "Your approval is wanted: a new account for Zoë O'Brien");
        let (text, html) = (mail.text.as_deref().unwrap(), mail.html.as_deref().unwrap());
        let [link] = <[String; 1]>::try_from(approve_links(mail))
            .expect("one link, and not one for yes and one for no");
        assert!(link.starts_with(&format!("{}/approve/", stage.origin())));
        let (_, token) = link.rsplit_once('/').unwrap();
        assert!(token.len() >= 43, "256 bits: {} signs", token.len());
        assert!(text.contains(&link) && html.contains(&link));
        for words in ["a new account for Zoë O'Brien", "hr", "Opening it decides nothing", "Audit head"] {
            assert!(text.contains(words), "{words} is missing in {text}");
        }
        assert!(html.contains("Zoë O&#39;Brien") && html.contains("lang=\"en\"") && !html.contains("<img"));
        for private in ["Ops-Readers", "Linux Admins", "EPVUser", "zobrien", "E10442"] {
            assert!(!text.contains(private) && !html.contains(private), "{private} is for the page alone");
        }
        links.insert(link);
    }
    assert_eq!(links.len(), 2, "each has a link of their own");
    // Nobody else heard of it.
    assert_eq!(stage.simulator.mailbox.mails().len(), 2);
}

async fn all_mails_about_a_workflow_are_one_thread(stage: Stage) {
    let workflow = stage.hire_told(|_| ()).await;
    assert_eq!(stage.decide(&stage.link("ana@example.com"), "approve", "").await.status, 303);
    stage.settle().await;
    let mails = stage.simulator.mailbox.mails();
    let subjects: BTreeSet<&str> = mails.iter().filter_map(|mail| mail.subject.split(':').next()).collect();
    let said = ["An initial password waits for you", "Approved", "Done", "Your approval is wanted"];
    assert_eq!(subjects, BTreeSet::from(said));
    let root = format!("<workflow-{workflow}@example.com>");
    let mut ids = BTreeSet::new();
    for mail in &mails {
        assert_eq!(mail.header("references"), Some(root.as_str()));
        assert_eq!(mail.header("in-reply-to"), Some(root.as_str()));
        assert_eq!(mail.header("auto-submitted"), Some("auto-generated"));
        let id = mail.header("message-id").unwrap();
        assert!(id.ends_with("@example.com>"), "{id}");
        ids.insert(id.to_owned());
    }
    assert_eq!(ids.len(), mails.len(), "each mail has an id of its own");
    // By now something is sealed, and the mails carry the head outside.
    let done = mails.iter().find(|mail| mail.subject.starts_with("Done")).unwrap();
    let text = done.text.as_deref().unwrap();
    let mut lines = text.lines().skip_while(|line| !line.starts_with("Audit head:")).skip(1);
    let head = lines.next().unwrap_or_else(|| panic!("no head in {text}"));
    assert!(head.split_whitespace().count() >= 4, "version, number, hash, signature: {head}");
    assert!(done.html.as_deref().unwrap().contains("Audit head:"));
}

async fn what_a_requester_writes_stays_out_of_the_mail(stage: Stage) {
    stage
        .hire_told(|body| {
            body["subject"]["last_name"] = json!("O'Brien http://evil.example/x <b>now</b>");
            body["reason"] = json!("Press https://evil.example/approve/x at once");
            body["attributes"] = json!({ "note": "https://evil.example/y" });
        })
        .await;
    for mail in stage.simulator.mailbox.mails() {
        let whole = format!("{} {} {}", mail.subject, mail.text.clone().unwrap(), mail.html.clone().unwrap());
        assert!(!whole.contains("at once") && !whole.contains("evil.example/y"), "{whole}");
        assert!(!mail.html.clone().unwrap().contains("<b>now"), "{whole}");
        assert_eq!(mail.links().len(), 1, "{:?}", mail.links());
    }
}
