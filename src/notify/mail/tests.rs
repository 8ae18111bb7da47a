//! Every mail with sample values, in both parts.

use super::*;

const LINK: &str = "http://127.0.0.1:8081/approve/sample-token_of-one";
const HEAD: &str = "countersign-head-1 12 00ff c2lnbmF0dXJl";
const ID: &str = "0190c0de-0000-7000-8000-000000000001";

fn about() -> About {
    let name = plain("Zoë <b>O'Brien</b>\u{202e}\r\nBcc: http://evil.example/x", 80);
    About { what: format!("a new account for {name}"), source: "hr".to_owned() }
}

fn footer() -> Footer {
    Footer { head: Some(HEAD.to_owned()) }
}

fn outcomes() -> Vec<Outcome> {
    let (by, at) = ("bo@example.com".to_owned(), "2026-12-01 08:00 UTC".to_owned());
    vec![
        Outcome::Approved(by.clone(), at.clone()),
        Outcome::Rejected(by, at),
        Outcome::Expired,
        Outcome::GivenUp,
        Outcome::Other("cancelled"),
    ]
}

fn ended(link: String) -> Ended {
    let why = format!("A leaver took its place, workflow {ID}.");
    Ended { about: about(), why, left: "Nothing was changed in the vault.", link }
}

/// Mails of which each carries one link: to people who were asked, and to operators where two of them are asked.
fn to_asked() -> Vec<Written> {
    let link = || LINK.to_owned();
    let time = || "2026-12-01 08:00 UTC".to_owned();
    let wanted = |until| ApprovalWanted {
        about: about(),
        runs: format!("at {}", time()),
        until,
        replaces: Some(format!("the joiner that came in at {}", time())),
        link: link(),
    };
    let mut all = vec![
        approval_wanted(&wanted(Some(time())), &footer()),
        approval_wanted(&wanted(None), &footer()),
        plan_replaced(&PlanReplaced { about: about(), link: link() }, &footer()),
        done(&Done { about: about(), link: link() }, &footer()),
        replaced(&ended(link()), &footer()),
        withdrawn(&ended(link()), &footer()),
        hand_over(&HandOver { about: about(), link: link(), until: time() }, &footer()),
        alarm(&alarm_with(Some(link()), None), &footer()),
        alarm(&alarm_with(None, Some(link())), &footer()),
        needs_attention(&attention(Some("the name is taken".to_owned())), &footer()),
        needs_attention(&attention(None), &footer()),
        nobody_known(&NobodyKnown { nobody: leavers(1), unseen: leavers(0), link: link() }, &footer()),
        nobody_known(&NobodyKnown { nobody: leavers(0), unseen: leavers(1), link: link() }, &footer()),
        nobody_known(&NobodyKnown { nobody: leavers(9), unseen: leavers(9), link: link() }, &footer()),
    ];
    let ends = outcomes().into_iter();
    all.extend(ends.map(|outcome| decided(&Decided { about: about(), outcome, link: link() }, &footer())));
    all.into_iter().map(Result::unwrap).collect()
}

fn alarm_with(held: Option<String>, page: Option<String>) -> Alarm {
    Alarm { workflow: Some(ID.to_owned()), words: None, held, page }
}

fn attention(reason: Option<String>) -> NeedsAttention {
    let command = |verb: &str| Command {
        line: format!("countersign workflow {verb} {ID} --reason TEXT --config FILE"),
        does: "what it does",
    };
    NeedsAttention {
        workflow: ID.to_owned(),
        stalled: "while its plan was made",
        reason,
        link: LINK.to_owned(),
        commands: ["retry", "give-up"].map(command).into(),
    }
}

fn leavers(how_many: usize) -> Leavers {
    let references = (0..how_many.min(1)).map(|_| "LEAVE-1, from hr".to_owned()).collect();
    Leavers { how_many, references }
}

/// Mails without any link.
fn without_link() -> Vec<Written> {
    let alarm_of = |workflow, words| alarm(&Alarm { workflow, words, held: None, page: None }, &footer());
    let all = [
        vault_awaited(
            &VaultAwaited { about: about(), since: Some("2026-12-01 08:00 UTC".to_owned()) },
            &footer(),
        ),
        vault_awaited(&VaultAwaited { about: about(), since: None }, &footer()),
        alarm_of(Some(ID.to_owned()), Some("the vault cannot be read".to_owned())),
        alarm_of(None, None),
        sign_in_code(
            &SignInCode { code: "123456".to_owned(), until: "2026-12-01 08:00 UTC".to_owned() },
            &footer(),
        ),
    ];
    all.into_iter().map(Result::unwrap).collect()
}

#[test]
fn every_mail_has_a_subject_two_parts_and_the_head_below() {
    for mail in to_asked().into_iter().chain(without_link()) {
        assert!(!mail.subject.is_empty() && !mail.subject.contains(['\r', '\n']), "{}", mail.subject);
        assert!(mail.text.contains(&format!("Audit head:\n{HEAD}\n")), "{}", mail.text);
        assert!(mail.html.contains(&format!("Audit head:<br><code>{HEAD}</code>")), "{}", mail.html);
        assert!(!mail.text.contains("\n\n\n") && !mail.text.contains("{{"), "{}", mail.text);
        for hidden in ["<img", "<script", "src=", "url(", "<b>O"] {
            assert!(!mail.html.contains(hidden), "{hidden} in {}", mail.html);
        }
        assert!(mail.html.contains("prefers-color-scheme: dark") && mail.html.ends_with("</html>"));
    }
}

#[test]
fn a_mail_carries_the_readers_link_once_or_no_link() {
    let count = |text: &str, what: &str| text.matches(what).count();
    for (mails, links) in [(to_asked(), 1), (without_link(), 0)] {
        for mail in mails {
            for part in [&mail.text, &mail.html] {
                assert_eq!((count(part, LINK), count(part, "://")), (links, links), "{part}");
            }
            assert_eq!(count(&mail.html, "href="), links, "{}", mail.html);
        }
    }
}

#[test]
fn names_from_outside_stay_one_visible_line() {
    let mail = &to_asked()[0];
    let shown = "a new account for Zoë <b>O'Brien</b>[U+202E]  Bcc: http: //evil. example/x";
    assert_eq!(mail.subject, format!("Your approval is wanted: {shown}"));
    assert!(mail.text.contains(shown), "{}", mail.text);
    assert!(mail.html.contains("Zoë &#60;b&#62;O&#39;Brien&#60;/b&#62;[U+202E]"), "{}", mail.html);
    assert_eq!(plain("a.b 1.5. J.R.", 80), "a. b 1. 5. J. R.");
    assert_eq!(plain("zero\u{200b}width", 80), "zero[U+200B]width");
    assert_eq!(plain(&"x".repeat(81), 80), format!("{}…", "x".repeat(79)));
}

#[test]
fn operators_are_told_the_commands() {
    let mail = needs_attention(&attention(None), &footer()).unwrap();
    assert!(mail.subject.ends_with(ID), "{}", mail.subject);
    for verb in ["retry", "give-up"] {
        let command = format!("countersign workflow {verb} {ID} --reason TEXT --config FILE");
        assert!(mail.text.contains(&command) && mail.html.contains(&command), "{command}");
    }
}

#[test]
fn without_a_sealed_event_the_footer_says_so() {
    let mail = done(&Done { about: about(), link: LINK.to_owned() }, &Footer { head: None }).unwrap();
    assert!(mail.text.contains("nothing is sealed yet") && mail.html.contains("nothing is sealed yet"));
}
