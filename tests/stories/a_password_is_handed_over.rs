//! The initial password of a new account reaches one person, once, behind a code from their mailbox; then it is gone.

use chrono::TimeDelta;
use countersign::simulator::faults::{Effect, Fault, Meanwhile, Moment};
use countersign::store::operator::Exit;
use serde_json::json;

use crate::stage::{Choices, Database, Stage, Visitor, Whole, another_code, machine_name};

fn with_olga() -> Choices {
    let people = "mail = [\"pam-team@example.com\"]\nmembers = [\"olga@example.com\"]";
    Choices::edited(&[("mail = [\"pam-team@example.com\"]", people)])
}

told_on_both! {
    with super::with_olga();
    its_recipient_sees_it_once_and_for_five_minutes
    another_session_of_the_recipient_does_not_see_it_again
    somebody_else_sees_nothing_and_the_operators_hear_of_it
    wrong_codes_behind_the_link_alarm_once
    wrong_codes_count_behind_the_link_where_they_are_tried
    one_that_nobody_can_read_holds_up_no_other
    what_nobody_fetches_is_erased
    what_is_for_nobody_goes_without_an_alarm
    what_belongs_to_an_account_that_is_given_up_goes_with_it
    what_belongs_to_an_account_that_nobody_finishes_is_erased
    what_was_never_set_is_not_handed_over
    an_operator_may_be_faster_and_is_not_when_too_late
    who_approved_it_does_not_see_it_by_command_either
    a_second_replica_opens_what_the_first_has_sealed
}

const RECIPIENT: &str = "max@example.com";

/// Hired with a manager, approved, done; the recipient's mail has gone out.
async fn offered(stage: &Stage) -> (String, String) {
    let workflow = stage.hire_told(|body| body["employment"]["manager"]["email"] = RECIPIENT.into()).await;
    assert_eq!(stage.decide(&stage.link("ana@example.com"), "approve", "").await.status, 303);
    stage.settle().await;
    assert_eq!(stage.state(&workflow).await, "succeeded");
    let link = stage.link(RECIPIENT);
    assert!(link.contains("/credentials/"), "{link}");
    (workflow, link)
}

fn shown(page: &Whole) -> Option<String> {
    let (_, rest) = page.body.split_once("<p class=\"password\"")?;
    let (_, rest) = rest.split_once("<code>")?;
    let text = rest.split_once("</code>")?.0;
    Some(
        text.replace("&#38;", "&")
            .replace("&#60;", "<")
            .replace("&#62;", ">")
            .replace("&#34;", "\"")
            .replace("&#39;", "'"),
    )
}

fn opens(stage: &Stage, password: &str) -> bool {
    stage.simulator.vault.password_is(stage.simulator.vault.id_of("zobrien").unwrap(), password)
}

async fn sealed(stage: &Stage) -> i64 {
    stage.count("select count(*) from secrets where sealed is not null").await
}

async fn its_recipient_sees_it_once_and_for_five_minutes(stage: Stage) {
    let (workflow, link) = offered(&stage).await;
    let mail = stage.simulator.mailbox.mails_to(RECIPIENT).pop().unwrap();
    assert_eq!(mail.subject, "An initial password waits for you: a new account for Zoë O'Brien");
    assert!(!mail.everything().contains("Ops-Readers"));
    let max = stage.visitor();
    let closed = max.open(&link).await;
    assert!(closed.status == 200 && closed.body.contains("Mail me a code"), "{}", closed.body);
    for private in ["zobrien", "Zoë", RECIPIENT, workflow.as_str()] {
        assert!(!closed.body.contains(private), "{private}");
    }
    assert_eq!(max.post(&link, &[]).await.status, 403, "not before the sign-in");
    max.sign_in(&link, RECIPIENT).await;
    stage.settle().await;
    let before = stage.tables().await;
    for _ in 0..3 {
        let page = max.open(&link).await;
        assert!(page.body.contains("Show the password") && shown(&page).is_none(), "{}", page.body);
    }
    assert_eq!(stage.tables().await, before, "looking shows and changes nothing");

    let page = max.post(&link, &[]).await;
    let password = shown(&page).unwrap_or_else(|| panic!("{}", page.body));
    assert!(page.status == 200 && opens(&stage, &password));
    assert_eq!(page.header("cache-control"), "no-store");
    let page = max.open(&link).await;
    assert!(page.body.contains("Show it again") && shown(&page).is_none(), "{}", page.body);
    stage.clock.advance(TimeDelta::minutes(4));
    assert_eq!(shown(&max.post(&link, &[]).await).as_deref(), Some(password.as_str()));
    assert_eq!(sealed(&stage).await, 1);
    stage.later(TimeDelta::minutes(1)).await;
    assert_eq!(sealed(&stage).await, 0, "erased");
    let gone = max.post(&link, &[]).await;
    assert_eq!((gone.status, shown(&gone)), (410, None));
    assert!(max.open(&link).await.body.contains("not to be had any more"));
    let trail = stage.trail(&workflow).await;
    let kinds: Vec<&str> = trail
        .iter()
        .map(|event| event["kind"].as_str().unwrap())
        .filter(|kind| kind.starts_with("credential"))
        .collect();
    assert_eq!(
        kinds,
        [
            "credential.sealed",
            "credential.offered",
            "credential.revealed",
            "credential.revealed",
            "credential.destroyed"
        ]
    );
    let revealed = trail.iter().find(|event| event["kind"] == "credential.revealed").unwrap();
    assert_eq!(revealed["personal"]["actor"], RECIPIENT);
    let told = format!("{trail:?} {:?}", stage.tables().await);
    assert!(!told.contains(&password));
    stage.check_proof(&[]).await;
}

async fn another_session_of_the_recipient_does_not_see_it_again(stage: Stage) {
    let (_, link) = offered(&stage).await;
    let (desk, phone) = (stage.visitor(), stage.visitor());
    desk.sign_in(&link, RECIPIENT).await;
    phone.sign_in(&link, RECIPIENT).await;
    assert!(shown(&desk.post(&link, &[]).await).is_some());
    let again = phone.post(&link, &[]).await;
    assert_eq!((again.status, shown(&again)), (410, None));
    assert!(!phone.open(&link).await.body.contains("Show"));
    assert!(shown(&desk.post(&link, &[]).await).is_some());
}

async fn olga(stage: &Stage) -> Visitor<'_> {
    let olga = stage.visitor();
    let url = format!("{}/sign-in", stage.url);
    olga.post(&format!("{url}/code"), &[("address", "olga@example.com")]).await;
    stage.settle().await;
    assert_eq!(olga.post(&url, &[("code", &stage.code("olga@example.com"))]).await.status, 303);
    olga
}

async fn somebody_else_sees_nothing_and_the_operators_hear_of_it(stage: Stage) {
    let (workflow, link) = offered(&stage).await;
    let olga = olga(&stage).await;
    for page in [olga.open(&link).await, olga.post(&link, &[]).await] {
        assert_eq!((page.status, shown(&page)), (403, None));
        assert!(page.body.contains("This link is for another person") && !page.body.contains("zobrien"));
    }
    stage.settle().await;
    let alarm = stage.simulator.mailbox.mails_to("pam-team@example.com").pop().unwrap();
    assert!(alarm.text.unwrap().contains("reached for an initial password"));
    let trail = stage.trail(&workflow).await;
    let refused: Vec<_> = trail.iter().filter(|event| event["kind"] == "credential.refused").collect();
    assert_eq!((refused.len(), &refused[0]["personal"]["actor"]), (1, &"olga@example.com".into()));
    // However often she tries, the operators are told once, and the trail does not grow without end.
    for _ in 0..20 {
        assert_eq!(olga.post(&link, &[]).await.status, 403);
    }
    stage.settle().await;
    let mails = stage.simulator.mailbox.mails_to("pam-team@example.com");
    let of_it = |mail: &&countersign::simulator::mailbox::Mail| {
        mail.text.as_ref().is_some_and(|text| text.contains("reached for an initial password"))
    };
    assert_eq!(mails.iter().filter(of_it).count(), 1);
    let trail = stage.trail(&workflow).await;
    let refused: Vec<_> = trail.iter().filter(|event| event["kind"] == "credential.refused").collect();
    assert_eq!((refused.len(), refused[9]["facts"]["further"].as_str()), (10, Some("not recorded")));
    let metrics = stage.open(&format!("{}/metrics", stage.url)).await.body;
    assert!(metrics.contains("countersign_credentials_refused_total"), "{metrics}");
    // A form from elsewhere shows nothing to the recipient either.
    let max = stage.visitor();
    max.sign_in(&link, RECIPIENT).await;
    let here = link.replace(&stage.origin(), &stage.url);
    assert_eq!(stage.send(&here, Some("https://evil.example"), &[]).await.status, 403);
    assert!(shown(&max.post(&link, &[]).await).is_some(), "it still waits for its recipient");
}

/// Somebody else of the same manager is hired, and done.
async fn offered_as_well(stage: &Stage) -> String {
    let workflow = stage
        .hire_told(|body| {
            body["source_ref"] = json!("OTHER:1");
            body["person_ref"] = json!("E2");
            body["subject"]["username"] = json!("other");
            body["employment"]["manager"]["email"] = RECIPIENT.into();
        })
        .await;
    assert_eq!(stage.decide(&stage.link("ana@example.com"), "approve", "").await.status, 303);
    stage.settle().await;
    assert_eq!(stage.state(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    workflow
}

/// The code was asked for behind another link of the same person.
async fn wrong_codes_count_behind_the_link_where_they_are_tried(stage: Stage) {
    let (first, other_link) = offered(&stage).await;
    let second = offered_as_well(&stage).await;
    let link = stage.link(RECIPIENT);
    assert_ne!(link, other_link);
    let guesser = stage.visitor();
    guesser.ask(&other_link).await;
    for _ in 0..5 {
        guesser.enter(&link, &another_code(&stage.code(RECIPIENT))).await;
    }
    stage.settle().await;
    for (workflow, refused) in [(first, 0), (second, 1)] {
        let trail = stage.trail(&workflow).await;
        let told = trail.iter().filter(|event| event["kind"] == "credential.refused");
        assert_eq!(told.count(), refused, "{trail:#?}");
    }
}

/// What was approved cannot be read any more when the password is to be offered.
async fn one_that_nobody_can_read_holds_up_no_other(stage: Stage) {
    let (_, link) = offered(&stage).await;
    let broken = match stage.database {
        Database::Sqlite => "update plans set bytes = x'7b7d'",
        Database::Postgres { .. } => "update plans set bytes = '\\x7b7d'",
    };
    for change in ["delete from hand_overs", broken] {
        stage.database.change(stage.folder.path(), change).await;
    }
    offered_as_well(&stage).await;
    assert_ne!(stage.link(RECIPIENT), link, "the other one is offered");
    assert_eq!(alarms(&stage).await, 1, "the operators hear of the broken one");
    stage.later(TimeDelta::days(7) + TimeDelta::minutes(1)).await;
    assert_eq!(sealed(&stage).await, 0, "and both are erased in time");
}

async fn what_nobody_fetches_is_erased(stage: Stage) {
    let (workflow, link) = offered(&stage).await;
    stage.later(TimeDelta::days(7) - TimeDelta::minutes(1)).await;
    assert_eq!(sealed(&stage).await, 1);
    stage.later(TimeDelta::minutes(2)).await;
    assert_eq!(sealed(&stage).await, 0);
    let alarm = stage.simulator.mailbox.mails_to("pam-team@example.com").pop().unwrap();
    assert!(alarm.text.unwrap().contains("nobody fetched the initial password in time"));
    let max = stage.visitor();
    max.sign_in(&link, RECIPIENT).await;
    assert!(max.open(&link).await.body.contains("not to be had any more"));
    assert_eq!(max.post(&link, &[]).await.status, 410);
    let trail = stage.trail(&workflow).await;
    let erased = trail.iter().find(|event| event["kind"] == "credential.destroyed").unwrap();
    assert_eq!(erased["facts"]["because"], "nobody fetched it in time");
}

/// The audit trail's words about each password that was erased.
async fn erased_because(stage: &Stage, workflow: &str) -> Vec<String> {
    let trail = stage.trail(workflow).await.into_iter();
    let erased = trail.filter(|event| event["kind"] == "credential.destroyed");
    erased.map(|event| event["facts"]["because"].as_str().unwrap().to_owned()).collect()
}

async fn alarms(stage: &Stage) -> i64 {
    stage.count("select count(*) from owed_messages where kind = 'alarm'").await
}

async fn what_is_for_nobody_goes_without_an_alarm(stage: Stage) {
    let mut choices = with_olga();
    choices.edits.push(("hand_over_to = \"manager\"".to_owned(), "hand_over_to = \"none\"".to_owned()));
    let stage = Stage::with(stage.database.another(), choices).await;
    let workflow = stage.hire_and_approve().await;
    assert_eq!((stage.state(&workflow).await.as_str(), sealed(&stage).await), ("succeeded", 1));
    stage.later(TimeDelta::days(7) + TimeDelta::minutes(1)).await;
    assert_eq!((sealed(&stage).await, alarms(&stage).await), (0, 0));
    assert_eq!(erased_because(&stage, &workflow).await, ["it was for nobody, and its time is over"]);
}

/// The account is there and enabled; its groups cannot be given.
async fn half_made(stage: &Stage) -> String {
    let refused = Effect::Status { status: 403, body: None, retry_after: None, moment: Moment::Before };
    stage.simulator.vault.add_fault(Fault::on("POST", "Members", u64::MAX, refused));
    let workflow = stage.approved().await;
    assert_eq!(stage.rest(&workflow).await, "needs_attention");
    assert_eq!(stage.simulator.vault.user("zobrien").unwrap()["enableUser"], true);
    assert_eq!(sealed(stage).await, 1);
    workflow
}

async fn what_belongs_to_an_account_that_is_given_up_goes_with_it(stage: Stage) {
    let workflow = half_made(&stage).await;
    stage.take(&workflow, Exit::GiveUp).await.unwrap();
    assert_eq!(sealed(&stage).await, 0);
    assert_eq!(erased_because(&stage, &workflow).await, ["the account was given up"]);
    stage.check_proof(&[]).await;
}

async fn what_belongs_to_an_account_that_nobody_finishes_is_erased(stage: Stage) {
    let workflow = half_made(&stage).await;
    stage.later(TimeDelta::days(7) - TimeDelta::minutes(1)).await;
    assert_eq!((sealed(&stage).await, alarms(&stage).await), (1, 0));
    stage.later(TimeDelta::minutes(2)).await;
    assert_eq!((sealed(&stage).await, alarms(&stage).await), (0, 1));
    let alarm = stage.simulator.mailbox.mails_to("pam-team@example.com").pop().unwrap();
    assert!(alarm.text.unwrap().contains("if the account is finished later, it needs a new one"));
    assert_eq!(erased_because(&stage, &workflow).await, ["the account was not finished in time"]);
    // It can be finished all the same, and nobody is offered anything.
    stage.simulator.vault.clear_faults();
    assert_eq!(stage.retry(&workflow).await, "succeeded");
    assert_eq!((sealed(&stage).await, stage.count("select count(*) from hand_overs").await), (0, 0));
}

async fn what_was_never_set_is_not_handed_over(stage: Stage) {
    // Somebody takes the name in the moment of the create: what was sealed is nobody's, and goes when it is given up.
    let stranger = Effect::Meanwhile(Meanwhile::AddUser(json!({ "username": "zobrien" })));
    stage.simulator.vault.add_fault(Fault::on("POST", "/Users", 1, stranger));
    let workflow = stage.hire_told(|body| body["employment"]["manager"]["email"] = RECIPIENT.into()).await;
    assert_eq!(stage.decide(&stage.link("ana@example.com"), "approve", "").await.status, 303);
    assert_eq!(stage.rest(&workflow).await, "needs_attention");
    assert!(stage.adopt(&workflow).await.is_err());
    stage.take(&workflow, Exit::GiveUp).await.unwrap();
    assert_eq!(sealed(&stage).await, 0);
    let mails = stage.simulator.mailbox.mails();
    assert!(!mails.iter().any(|mail| mail.everything().contains("/credentials/")));

    // Where an answer was lost and the vault keeps no mark, the account may well be ours: the password is kept.
    let choices = Choices { keeps_description: false, ..with_olga() };
    let stage = Stage::with(stage.database.another(), choices).await;
    stage.simulator.vault.add_fault(Fault::on("POST", "/Users", 1, Effect::DropAfter));
    let workflow = stage.hire_told(|body| body["employment"]["manager"]["email"] = RECIPIENT.into()).await;
    assert_eq!(stage.decide(&stage.link("ana@example.com"), "approve", "").await.status, 303);
    assert_eq!(stage.rest(&workflow).await, "needs_attention");
    stage.adopt(&workflow).await.unwrap();
    assert_eq!(stage.rest(&workflow).await, "succeeded");
    stage.settle().await;
    let (max, link) = (stage.visitor(), stage.link(RECIPIENT));
    max.sign_in(&link, RECIPIENT).await;
    let page = max.post(&link, &[]).await;
    assert!(opens(&stage, &shown(&page).unwrap_or_else(|| panic!("{}", page.body))));
}

async fn an_operator_may_be_faster_and_is_not_when_too_late(stage: Stage) {
    let (workflow, link) = offered(&stage).await;
    let reveal = ["credential", "reveal", workflow.as_str(), "--reason", "In person"];
    let said = stage.command_as(&reveal, "olga@example.com").await;
    assert!(opens(&stage, String::from_utf8(said.stdout).unwrap().trim_end()));
    let max = stage.visitor();
    max.sign_in(&link, RECIPIENT).await;
    assert_eq!((max.post(&link, &[]).await.status, sealed(&stage).await), (410, 0));

    let other = Stage::with(stage.database.another(), with_olga()).await;
    let (workflow, link) = offered(&other).await;
    let max = other.visitor();
    max.sign_in(&link, RECIPIENT).await;
    assert!(shown(&max.post(&link, &[]).await).is_some());
    let reveal = ["credential", "reveal", workflow.as_str(), "--reason", "In person"];
    let said = other.command_as(&reveal, "olga@example.com").await;
    assert!(!said.status.success() && said.stdout.is_empty());
    assert!(String::from_utf8_lossy(&said.stderr).contains("was shown already"));
}

async fn who_approved_it_does_not_see_it_by_command_either(stage: Stage) {
    let people = "mail = [\"pam-team@example.com\"]\nmembers = [\"olga@example.com\", \"ana@example.com\"]";
    let choices = Choices::edited(&[("mail = [\"pam-team@example.com\"]", people)]);
    let stage = Stage::with(stage.database.another(), choices).await;
    let (workflow, _) = offered(&stage).await;
    let reveal = async |by: &str| {
        stage.command_as(&["credential", "reveal", &workflow, "--reason", "In person"], by).await
    };
    for (by, words) in [
        ("ana@example.com", "you approved this account"),
        ("bo@example.com", "--as: wanted: an address that stands in members of [operators]"),
        ("nobody", "--as: wanted: a mail address"),
    ] {
        let refused = reveal(by).await;
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(
            !refused.status.success() && refused.stdout.is_empty() && said.contains(words),
            "{by}: {said}"
        );
    }
    assert_eq!(sealed(&stage).await, 1, "nothing is erased by a refusal");
    let said = reveal("olga@example.com").await;
    assert!(opens(&stage, String::from_utf8(said.stdout).unwrap().trim_end()));
    let trail = stage.trail(&workflow).await;
    let told = trail.iter().find(|event| event["kind"] == "credential.revealed").unwrap();
    assert_eq!(told["personal"]["actor"], "olga@example.com");
    let user = told["personal"]["machine_user"].as_str().unwrap();
    assert!(user.starts_with(&format!("{}, ", machine_name())), "{told}");
    stage.check_proof(&[workflow]).await;
}

/// Two services share the database and the key: one seals, the other signs the recipient in and opens.
async fn a_second_replica_opens_what_the_first_has_sealed(stage: Stage) {
    let (_, link) = offered(&stage).await;
    let replica = stage.replica().await;
    let max = stage.visitor();
    let path = link.strip_prefix(&stage.origin()).unwrap();
    // The replica listens elsewhere, but people reach both under the one public address.
    let origin = replica.clone();
    let send = async |path: String, fields: &[(&str, &str)]| {
        max.post_from(&origin, &format!("{replica}{path}"), fields).await
    };
    assert_eq!(send(format!("{path}/code"), &[]).await.status, 303);
    stage.settle().await;
    assert_eq!(send(format!("{path}/sign-in"), &[("code", &stage.code(RECIPIENT))]).await.status, 303);
    let page = send(path.to_owned(), &[]).await;
    let password = shown(&page).unwrap_or_else(|| panic!("{}", page.body));
    assert!(opens(&stage, &password));
    // The first one knows the session, and what was shown in it.
    assert_eq!(shown(&max.post(&link, &[]).await), Some(password));
}

/// Somebody has the recipient's link and guesses at the code.
async fn wrong_codes_behind_the_link_alarm_once(stage: Stage) {
    let alarms = |stage: &Stage| {
        let mails = stage.simulator.mailbox.mails_to("pam-team@example.com");
        let about = |mail: &str| mail.contains("wrong sign-in codes were tried");
        mails.into_iter().filter(|mail| mail.text.as_deref().is_some_and(about)).count()
    };
    let (workflow, link) = offered(&stage).await;
    let guesser = stage.visitor();
    guesser.ask(&link).await;
    for _ in 0..4 {
        guesser.enter(&link, &another_code(&stage.code(RECIPIENT))).await;
        stage.settle().await;
        assert_eq!(alarms(&stage), 0, "a person may mistype");
    }
    guesser.enter(&link, &another_code(&stage.code(RECIPIENT))).await;
    stage.settle().await;
    assert_eq!(alarms(&stage), 1, "all tries of a code are spent");
    // However long they go on, it is one alarm.
    let other = stage.visitor();
    other.ask(&link).await;
    for _ in 0..5 {
        other.enter(&link, &another_code(&stage.code(RECIPIENT))).await;
    }
    stage.settle().await;
    assert_eq!(alarms(&stage), 1);
    let trail = stage.trail(&workflow).await;
    let refused: Vec<_> = trail.iter().filter(|event| event["kind"] == "credential.refused").collect();
    assert_eq!(refused.len(), 1);
    assert_eq!(
        (&refused[0]["actor"], &refused[0]["facts"]["because"]),
        (&json!("countersign"), &json!("wrong codes"))
    );
    // The recipient comes in all the same, from a place of their own.
    let max = stage.visitor();
    max.sign_in(&link, RECIPIENT).await;
    assert!(shown(&max.post(&link, &[]).await).is_some());

    // Another hand-over: two browsers ask, and one try fails.
    let stage = stage.another().await;
    let (_, link) = offered(&stage).await;
    let (max, guesser) = (stage.visitor(), stage.visitor());
    max.ask(&link).await;
    guesser.ask(&link).await;
    assert_eq!(alarms(&stage), 0);
    guesser.enter(&link, &another_code(&stage.code(RECIPIENT))).await;
    stage.settle().await;
    assert_eq!(alarms(&stage), 1);
    stage.check_proof(&[]).await;
}

/// Who is asked to approve does not get the password, whatever the profile says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approver_is_passed_over_and_the_operators_hear_of_it() {
    let mut choices = with_olga();
    let to = ("hand_over_to = \"manager\"", "hand_over_to = \"Bo+vault@example.com\"");
    choices.edits.push((to.0.to_owned(), to.1.to_owned()));
    let stage = Stage::with(Database::sqlite(), choices).await;
    let workflow = stage.hire_told(|_| ()).await;
    // The page promises nothing that cannot be.
    let page = stage.open(&stage.link("ana@example.com")).await.body;
    assert!(page.contains("The initial password is meant for Bo+vault@example.com, who is asked"), "{page}");
    assert!(page.contains("handed over to nobody") && !page.contains("It is meant for Bo"), "{page}");
    assert_eq!(stage.decide(&stage.link("ana@example.com"), "approve", "").await.status, 303);
    stage.settle().await;
    assert_eq!(stage.state(&workflow).await, "succeeded");
    let mails = stage.simulator.mailbox.mails();
    assert!(!mails.iter().any(|mail| mail.everything().contains("/credentials/")));
    let alarm = stage.simulator.mailbox.mails_to("pam-team@example.com").pop().unwrap();
    assert!(alarm.text.unwrap().contains("its recipient was asked to approve"));
    let reveal = ["credential", "reveal", workflow.as_str(), "--reason", "In person"];
    let said = stage.command_as(&reveal, "olga@example.com").await;
    assert!(opens(&stage, String::from_utf8(said.stdout).unwrap().trim_end()));
}
