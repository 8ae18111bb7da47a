//! Two operators decide on the console about leavers that are held: one proposes, the other one confirms.
//!
//! Must hold: one person alone changes nothing; what is not selected stays held; a form that is not ours, not this
//! person's, or of somebody who may not act, does nothing.

use chrono::TimeDelta;
use serde_json::json;

use crate::stage::{Choices, Stage, Visitor, Whole, another_code, command, command_asked, machine_name};

told_on_both! {
    with super::choices();
    two_people_release_a_part_and_the_rest_stays_held
    two_people_reject_and_nothing_is_carried_out
    a_batch_that_grows_or_falls_due_is_told_again
    one_person_twice_does_nothing_and_neither_does_an_empty_selection
    who_may_not_act_only_looks
    a_foreign_or_an_old_form_does_nothing
    a_proposal_counts_while_its_author_is_an_operator
    a_command_counts_for_the_mailbox_that_is_proven
}

const OLGA: &str = "olga@example.com";
const OTTO: &str = "otto@example.com";

/// Nobody is asked about leavers, and the source may send none without being held.
fn choices() -> Choices {
    let people = "mail = [\"pam-team@example.com\"]\nmembers = [\"olga@example.com\", \"otto@example.com\", \"ana@example.com\"]\n\
         viewers = [\"vic@example.com\"]";
    let leavers = "[[rules]]\nname = \"leavers\"\nkinds = [\"leaver\"]\napproval = \"none\"\n[[rules]]\nname = \"the rest\"";
    Choices::edited(&[
        ("mail = [\"pam-team@example.com\"]", people),
        ("[[rules]]\nname = \"the rest\"", leavers),
    ])
}

pub async fn signed_in<'s>(stage: &'s Stage, address: &str) -> Visitor<'s> {
    let visitor = stage.visitor();
    let url = format!("{}/sign-in", stage.url);
    assert_eq!(visitor.post(&format!("{url}/code"), &[("address", address)]).await.status, 303);
    stage.settle().await;
    let code = stage.code(address);
    let entered = visitor.post(&url, &[("code", &code), ("to", "/held")]).await;
    assert_eq!((entered.status, entered.header("location")), (303, "/held"), "{}", entered.body);
    visitor
}

/// So many people came by us and leave at once; each by the workflow that is held.
async fn held(stage: &Stage, count: usize) -> Vec<String> {
    held_too(stage, 1..=count).await
}

/// The same, by their numbers.
async fn held_too(stage: &Stage, numbers: std::ops::RangeInclusive<usize>) -> Vec<String> {
    let mut workflows = vec![];
    for number in numbers {
        let (person, name) = (format!("E{number}"), format!("held{number}"));
        let joiner = stage
            .hire_told(|body| {
                body["source_ref"] = json!(format!("JOIN-{number}"));
                body["person_ref"] = json!(person);
                body["subject"]["username"] = json!(name);
            })
            .await;
        assert_eq!(stage.decide(&stage.link("ana@example.com"), "approve", "").await.status, 303);
        assert_eq!(stage.rest(&joiner).await, "succeeded", "{}", stage.reason(&joiner).await);
        let parts = json!({
            "person_ref": person, "subject": { "username": name }, "reason": format!("Their <last> day, {number}"),
        });
        let leaver = stage.leaves(&format!("LEAVE-{number}"), parts).await;
        assert_eq!(stage.state(&leaver).await, "needs_attention");
        workflows.push(leaver);
    }
    workflows
}

/// What the operators were told of held leavers, oldest first.
fn told_of_held(stage: &Stage) -> Vec<String> {
    let mails = stage.simulator.mailbox.mails_to("pam-team@example.com").into_iter();
    let alarms = mails.filter(|mail| mail.subject.starts_with("Alarm")).filter_map(|mail| mail.text);
    // Mail breaks its lines where it likes.
    let plain = alarms.map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
    plain.filter(|text| text.contains("held in batch")).collect()
}

async fn a_batch_that_grows_or_falls_due_is_told_again(stage: Stage) {
    let mut all = held(&stage, 1).await;
    assert_eq!(told_of_held(&stage).len(), 1);
    // It grows to three times its size within the hour: that is told when the hour is over, in one alarm.
    all.extend(held_too(&stage, 2..=3).await);
    stage.later(TimeDelta::minutes(55)).await;
    assert_eq!(told_of_held(&stage).len(), 1);
    stage.later(TimeDelta::minutes(6)).await;
    let told = told_of_held(&stage);
    assert_eq!(told.len(), 2, "{told:?}");
    let words = "the source hr has sent 3 leavers beyond its budget; 3 of them are held in batch";
    assert!(told[1].contains(words) && told[1].contains("the first of them due since"), "{}", told[1]);
    // Not with each one that comes, but when it has doubled.
    all.extend(held_too(&stage, 4..=5).await);
    stage.later(TimeDelta::hours(2)).await;
    assert_eq!(told_of_held(&stage).len(), 2);
    all.extend(held_too(&stage, 6..=6).await);
    assert_eq!(told_of_held(&stage).len(), 3);
    // They are due, so nobody is left in peace: every day once more.
    for day in 1..=3 {
        stage.later(TimeDelta::hours(23)).await;
        assert_eq!(told_of_held(&stage).len(), 2 + day);
        stage.later(TimeDelta::hours(1) + TimeDelta::minutes(1)).await;
        assert_eq!(told_of_held(&stage).len(), 3 + day);
    }
    // Once two people have decided there is nothing more to tell.
    let ticked: Vec<&str> = all.iter().map(String::as_str).collect();
    let (olga, otto) = (signed_in(&stage, OLGA).await, signed_in(&stage, OTTO).await);
    let batch = batch(&olga).await;
    assert_eq!(press(&olga, &batch, "reject", &ticked, "HR sent them by mistake").await.status, 303);
    assert_eq!(confirm(&otto, &batch).await.status, 303);
    stage.later(TimeDelta::days(3)).await;
    assert_eq!(told_of_held(&stage).len(), 6);
    stage.check_proof(&all).await;
}

/// The address of the one open batch.
pub async fn batch(visitor: &Visitor<'_>) -> String {
    let page = visitor.open(&format!("{}/held", visitor.stage.url)).await.body;
    let (_, rest) = page.split_once("action=\"/held/").unwrap_or_else(|| panic!("no form in {page}"));
    format!("{}/held/{}", visitor.stage.url, rest.split_once('"').unwrap().0)
}

fn token(page: &str) -> String {
    let (_, rest) =
        page.split_once("name=\"form_token\" value=\"").unwrap_or_else(|| panic!("no form in {page}"));
    rest.split_once('"').unwrap().0.to_owned()
}

fn fields<'f>(
    verdict: &'f str,
    ticked: &[&'f str],
    reason: &'f str,
    token: &'f str,
) -> Vec<(&'f str, &'f str)> {
    let mut fields = vec![("verdict", verdict), ("reason", reason), ("form_token", token)];
    fields.extend(ticked.iter().map(|workflow| ("workflow", *workflow)));
    fields
}

/// Opens the page of the batch, ticks these and presses a button.
pub async fn press(
    visitor: &Visitor<'_>,
    batch: &str,
    verdict: &str,
    ticked: &[&str],
    reason: &str,
) -> Whole {
    let token = token(&visitor.open(batch).await.body);
    visitor.post(batch, &fields(verdict, ticked, reason, &token)).await
}

/// Presses the button that confirms what somebody else has proposed, and sends just what its form has.
pub async fn confirm(visitor: &Visitor<'_>, batch: &str) -> Whole {
    let page = visitor.open(batch).await.body;
    let (_, proposal) = page.split_once("<section class=\"proposal\"").unwrap_or_else(|| panic!("{page}"));
    let (form, _) = proposal.split_once("</form>").unwrap_or_else(|| panic!("no button in {proposal}"));
    let mut fields = vec![];
    for piece in form.split(" name=\"").skip(1) {
        let (name, rest) = piece.split_once('"').unwrap();
        let (_, value) = rest.split_once("value=\"").unwrap();
        fields.push((name, value.split_once('"').unwrap().0));
    }
    visitor.post(batch, &fields).await
}

async fn states(stage: &Stage, workflows: &[String]) -> Vec<String> {
    let mut states = vec![];
    for workflow in workflows {
        states.push(stage.state(workflow).await);
    }
    states
}

async fn two_people_release_a_part_and_the_rest_stays_held(stage: Stage) {
    let all = held(&stage, 3).await;
    let (olga, otto) = (signed_in(&stage, OLGA).await, signed_in(&stage, OTTO).await);
    let batch = batch(&olga).await;
    let shown = olga.open(&format!("{}/held", stage.url)).await.body;
    for workflow in &all {
        assert!(shown.contains(&format!("<label for=\"w-{workflow}\">")), "{shown}");
        assert!(shown.contains(&format!("href=\"/workflows/{workflow}\"")), "{shown}");
    }
    assert!(shown.contains("3 held, from <bdi>hr</bdi>") && !shown.contains(" checked"), "{shown}");
    assert!(shown.contains("Their &#60;last&#62; day, 2"), "the words of the requester: {shown}");
    assert_eq!(olga.open(&format!("{batch}?tick=all")).await.body.matches(" checked>").count(), 3);
    // The workflow's own page leads here, and has no form without a button.
    let own = olga.open(&format!("{}/workflows/{}", stage.url, all[0])).await.body;
    assert!(own.contains("href=\"/held\">Go to the held leavers") && !own.contains("<textarea"), "{own}");
    let before = stage.writes().len();
    let part = [all[0].as_str(), all[2].as_str()];
    let proposed = press(&olga, &batch, "release", &part, "HR has checked <these>").await;
    assert_eq!(
        (proposed.status, format!("{}{}", stage.url, proposed.header("location"))),
        (303, batch.clone())
    );
    let after = olga.open(&batch).await.body;
    assert!(
        after.contains("Your proposal to release 2 leavers is recorded. Nothing is done until somebody else"),
        "{after}"
    );
    assert!(
        after.contains("You have proposed it; somebody else must confirm it.")
            && !after.contains("Confirm: "),
        "{after}"
    );
    stage.settle().await;
    assert_eq!(
        (states(&stage, &all).await, stage.writes().len()),
        (vec!["needs_attention".to_owned(); 3], before)
    );
    let seen = otto.open(&batch).await.body;
    for words in [
        "2 leavers to release",
        "proposed by <bdi>olga@example.com</bdi>",
        "HR has checked &#60;these&#62;",
        "It holds until",
    ] {
        assert!(seen.contains(words), "{words} is missing in {seen}");
    }
    let confirmed = confirm(&otto, &batch).await;
    assert_eq!(confirmed.status, 303, "{}", confirmed.body);
    let after = otto.open(&batch).await.body;
    assert!(
        after.contains("It is recorded: 2 leavers released, as olga@example.com proposed and you confirmed."),
        "{after}"
    );
    assert!(after.contains("1 held, from") && after.contains("confirmed by otto@example.com"), "{after}");
    for released in part {
        assert_eq!(stage.rest(released).await, "succeeded", "{}", stage.reason(released).await);
    }
    assert_eq!(stage.state(&all[1]).await, "needs_attention");
    let enabled = |name: &str| stage.simulator.vault.user(name).unwrap()["enableUser"].clone();
    assert_eq!(
        [enabled("held1"), enabled("held2"), enabled("held3")],
        [json!(false), json!(true), json!(false)]
    );
    // Whoever comes third is told.
    let late = press(&olga, &batch, "release", &part, "Once more").await;
    assert_eq!(late.status, 409);
    assert!(
        late.body.contains("is not held in this batch") && late.body.contains(">Once more</textarea>"),
        "{}",
        late.body
    );
}

async fn two_people_reject_and_nothing_is_carried_out(stage: Stage) {
    let all = held(&stage, 2).await;
    let (olga, otto) = (signed_in(&stage, OLGA).await, signed_in(&stage, OTTO).await);
    let batch = batch(&olga).await;
    let before = stage.writes().len();
    let both = [all[0].as_str(), all[1].as_str()];
    assert_eq!(press(&olga, &batch, "reject", &both, "A wrong list").await.status, 303);
    assert_eq!(confirm(&otto, &batch).await.status, 303);
    stage.settle().await;
    assert_eq!((states(&stage, &all).await, stage.writes().len()), (vec!["rejected".to_owned(); 2], before));
    let after = otto.open(&batch).await.body;
    assert!(after.contains("Nothing is held any more") && !after.contains("<textarea"), "{after}");
    let list = otto.open(&format!("{}/held", stage.url)).await.body;
    assert!(
        list.contains("<h2 id=\"empty-title\">Nothing is held</h2>") && !list.contains(&all[0]),
        "{list}"
    );
    // A form that is made by hand for a settled batch is told so.
    let none = olga.post(&batch, &fields("reject", &both, "Again", "1.x")).await;
    assert_eq!(none.status, 409, "{}", none.body);
}

async fn one_person_twice_does_nothing_and_neither_does_an_empty_selection(stage: Stage) {
    let all = held(&stage, 1).await;
    let olga = signed_in(&stage, OLGA).await;
    let batch = batch(&olga).await;
    let before = stage.tables().await;
    let none = press(&olga, &batch, "release", &[], "All of them").await;
    assert_eq!(none.status, 422);
    assert!(
        none.body.contains("Nobody is selected.") && none.body.contains(">All of them</textarea>"),
        "{}",
        none.body
    );
    let mute = press(&olga, &batch, "release", &[&all[0]], " ").await;
    assert_eq!(mute.status, 422);
    assert!(mute.body.contains("Please say why") && mute.body.contains(" checked>"), "{}", mute.body);
    assert_eq!(press(&olga, &batch, "vanish", &[&all[0]], "because").await.status, 400);
    assert_eq!(press(&olga, &batch, "release", &["nobody"], "because").await.status, 400);
    assert_eq!(stage.tables().await, before);
    assert_eq!(press(&olga, &batch, "release", &[&all[0]], "because").await.status, 303);
    let before = stage.tables().await;
    let again = press(&olga, &batch, "release", &[&all[0]], "because").await;
    assert_eq!(again.status, 409);
    assert!(
        again.body.contains("olga@example.com has proposed this already; somebody else must confirm it"),
        "{}",
        again.body
    );
    assert_eq!((stage.tables().await, stage.state(&all[0]).await.as_str()), (before, "needs_attention"));
}

async fn who_may_not_act_only_looks(stage: Stage) {
    let all = held(&stage, 1).await;
    let (olga, vic) = (signed_in(&stage, OLGA).await, signed_in(&stage, "vic@example.com").await);
    let batch = batch(&olga).await;
    let olgas = token(&olga.open(&batch).await.body);
    let before = stage.tables().await;
    let shown = vic.open(&batch).await.body;
    assert!(
        shown.contains("1 held, from") && !shown.contains("<form") && !shown.contains("type=\"checkbox\""),
        "{shown}"
    );
    let sent = fields("release", &[&all[0]], "because", &olgas);
    let refused = vic.post(&batch, &sent).await;
    assert_eq!(refused.status, 403);
    assert!(refused.body.contains("You may look, and not act"), "{}", refused.body);
    // Without a sign-in there is a look on the machine itself, and no more.
    let shown = stage.open(&batch).await;
    assert!(shown.status == 200 && !shown.body.contains("<form"), "{}", shown.body);
    assert!(shown.body.contains("/sign-in?to=/held/"), "{}", shown.body);
    let refused = stage.send(&batch, Some(&stage.origin()), &sent).await;
    assert_eq!(refused.status, 403);
    assert!(refused.body.contains("Please sign in"), "{}", refused.body);
    for address in [format!("{}/held", stage.url), batch.clone()] {
        let led = stage.whole(stage.browser.get(&address).header("X-Forwarded-For", "10.0.0.9")).await;
        assert!(
            led.status == 303 && led.header("location").starts_with("/sign-in?to=%2Fheld"),
            "{:?}",
            led.headers
        );
    }
    assert_eq!(stage.tables().await, before);
}

async fn a_foreign_or_an_old_form_does_nothing(stage: Stage) {
    let all = held(&stage, 1).await;
    let (olga, otto) = (signed_in(&stage, OLGA).await, signed_in(&stage, OTTO).await);
    let batch = batch(&olga).await;
    let olgas = token(&olga.open(&batch).await.body);
    let ottos = token(&otto.open(&batch).await.body);
    let before = stage.tables().await;
    let sent = fields("release", &[&all[0]], "because", &olgas);
    assert_eq!(olga.post_from("https://evil.example", &batch, &sent).await.status, 403);
    assert_eq!(otto.post(&batch, &sent).await.status, 409, "a form of somebody else");
    assert_eq!(olga.post(&batch, &fields("release", &[&all[0]], "because", "")).await.status, 409);
    let query = format!("{batch}?verdict=release&workflow={}&reason=because&form_token={olgas}", all[0]);
    assert_eq!(olga.open(&query).await.status, 200, "in the address it counts for nothing");
    assert_eq!(stage.tables().await, before);
    // What was shown before somebody proposed does not confirm it.
    assert_eq!(olga.post(&batch, &sent).await.status, 303);
    let unseen = otto.post(&batch, &fields("release", &[&all[0]], "because", &ottos)).await;
    assert_eq!(unseen.status, 409);
    assert!(unseen.body.contains("The batch has moved on while this page was open"), "{}", unseen.body);
    assert!(unseen.body.contains("proposed by <bdi>olga@example.com</bdi>"), "{}", unseen.body);
    assert_eq!(stage.state(&all[0]).await, "needs_attention");
}

/// A command counts for whoever reads the mailbox that it names, whatever the machine says of its user.
async fn a_command_counts_for_the_mailbox_that_is_proven(stage: Stage) {
    let all = held(&stage, 1).await;
    let otto = signed_in(&stage, OTTO).await;
    let batch = batch(&otto).await;
    let id = batch.rsplit_once('/').unwrap().1.to_owned();
    let words = ["held", "release", &id, "--reason", "They are right"];
    let settings = stage.settings_file();
    let said = |done: &std::process::Output| String::from_utf8_lossy(&done.stderr).into_owned();
    let ana = [&words[..], &["--as", "ana@example.com"]].concat();
    let untouched = stage.trail(&all[0]).await;
    // Nobody types anything; nothing but a wrong code is known, until none holds any more.
    let silent = command(&ana, &settings).await;
    assert!(!silent.status.success() && said(&silent).contains("no code was entered"), "{silent:?}");
    let (mut asked, mut right) = (0, String::new());
    let guessed = command_asked(&ana, &settings, async || {
        if asked == 0 {
            right = stage.mailed_code("ana@example.com").await;
        }
        asked += 1;
        Some(if asked == 1 { "12345".to_owned() } else { another_code(&right) })
    })
    .await;
    assert!(!guessed.status.success() && said(&guessed).contains("holds no more"), "{guessed:?}");
    assert!(said(&guessed).contains("it has six digits") && said(&guessed).contains("tries left: 1"));
    assert_eq!(asked, 6, "five tries, and what is no code is none");
    // A code is worth something to the command that asked for it, and to no other.
    let mut again = false;
    let foreign = command_asked(&ana, &settings, async || {
        if again {
            return None;
        }
        again = true;
        assert_ne!(stage.mailed_code("ana@example.com").await, right);
        Some(right.clone())
    })
    .await;
    assert!(!foreign.status.success() && said(&foreign).contains("that is another code"), "{foreign:?}");
    for (by, words) in [("bo@example.com", "in members of [operators]"), ("nobody", "wanted: a mail address")]
    {
        let refused = command(&[&ana[..5], &["--as", by]].concat(), &settings).await;
        assert!(!refused.status.success() && said(&refused).contains(words), "{refused:?}");
    }
    assert_eq!(stage.trail(&all[0]).await, untouched, "without a code nothing is done");

    let proposed = stage.command_as(&words, "ana@example.com").await;
    assert!(proposed.status.success(), "{proposed:?}");
    let again = stage.command_as(&words, "ana@example.com").await;
    assert!(!again.status.success() && said(&again).contains("has proposed this already"), "{again:?}");
    let same = signed_in(&stage, "ana@example.com").await;
    let shown = same.open(&batch).await.body;
    assert!(shown.contains("You have proposed it") && !shown.contains("Confirm: "), "{shown}");
    let shown = otto.open(&batch).await.body;
    let by = format!("proposed by <bdi>ana@example.com (at the command line, by {}, ", machine_name());
    assert!(shown.contains(&by), "{shown}");
    // The second one does it by command, too, and on the same machine.
    let confirmed = stage.command_as(&words, OTTO).await;
    assert!(confirmed.status.success(), "{confirmed:?}");
    assert_eq!(stage.rest(&all[0]).await, "succeeded", "{}", stage.reason(&all[0]).await);
    let trail = stage.trail(&all[0]).await;
    for kind in ["held.proposed", "workflow.released"] {
        let told = trail.iter().find(|event| event["kind"] == kind).unwrap();
        // Whatever the environment says.
        let user = told["personal"]["machine_user"].as_str().unwrap();
        assert!(user.starts_with(&format!("{}, ", machine_name())), "{told}");
    }
    stage.check_proof(&all).await;
}

/// Who has left the operators since has proposed nothing that counts.
async fn a_proposal_counts_while_its_author_is_an_operator(stage: Stage) {
    let all = held(&stage, 1).await;
    let otto = signed_in(&stage, OTTO).await;
    let batch = batch(&otto).await.rsplit_once('/').unwrap().1.to_owned();
    let words = ["held", "release", &batch, "--reason", "They are right"];
    assert!(stage.command_as(&words, "ana@example.com").await.status.success());
    let mut stage = stage;
    stage.choices.edits.push((", \"ana@example.com\"]".to_owned(), "]".to_owned()));
    let stage = stage.restart().await;
    let ottos = signed_in(&stage, OTTO).await;
    let shown = ottos.open(&format!("{}/held/{batch}", stage.url)).await.body;
    assert!(shown.contains(&all[0]) && !shown.contains("ana@example.com"), "{shown}");
    let proposed = stage.command_as(&words, OTTO).await;
    let said = String::from_utf8(proposed.stdout).unwrap();
    assert!(proposed.status.success() && said.starts_with("proposed for 1"), "{said}");
    assert_eq!(stage.state(&all[0]).await, "needs_attention");
    let confirmed = stage.command_as(&words, "olga@example.com").await;
    assert_eq!(String::from_utf8_lossy(&confirmed.stdout), "released 1\n", "{confirmed:?}");
    assert_eq!(stage.rest(&all[0]).await, "succeeded", "{}", stage.reason(&all[0]).await);
    stage.check_proof(&all).await;
}
