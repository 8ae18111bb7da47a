//! An operator acts on the console: retry, adopt, mark done, give up, each with a reason and under the own name.
//!
//! Must hold: whoever acts has signed in, is an operator, and is not the person whom it is about; a form counts once, for the person it was shown to, about
//! the workflow as it stood; whoever comes second is told.

use chrono::TimeDelta;
use countersign::simulator::faults::{Effect, Fault, Meanwhile};
use serde_json::{Value, json};

use crate::stage::{Choices, Stage, Visitor, Whole, command, machine_name};

told_on_both! {
    an_operator_sends_a_workflow_on_and_the_page_says_so
    an_operator_adopts_an_account_or_gives_up
    a_viewer_looks_and_may_not_act
    without_a_sign_in_nobody_acts_and_nobody_looks_from_elsewhere
    a_form_counts_once_and_the_second_is_told
    a_form_of_somebody_else_of_another_place_or_without_words_does_nothing
    a_leaver_of_a_directory_is_marked_done_by_an_operator
    nobody_takes_a_way_out_of_their_own_request
    nobody_takes_a_way_out_of_their_own_request_by_command
}

const OLGA: &str = "olga@example.com";
const VIC: &str = "vic@example.com";

/// The same story with people who may sign in.
async fn with_people(stage: &Stage) -> Stage {
    Stage::with(stage.database.another(), people()).await
}

fn people() -> Choices {
    let named = "mail = [\"pam-team@example.com\"]\nmembers = [\"olga@example.com\", \"otto@example.com\"]\n\
                 viewers = [\"vic@example.com\"]";
    Choices::edited(&[("mail = [\"pam-team@example.com\"]", named)])
}

async fn signed_in<'s>(stage: &'s Stage, address: &str) -> Visitor<'s> {
    let visitor = stage.visitor();
    let url = format!("{}/sign-in", stage.url);
    assert_eq!(visitor.post(&format!("{url}/code"), &[("address", address)]).await.status, 303);
    stage.settle().await;
    let code = stage.code(address);
    let entered = visitor.post(&url, &[("code", &code), ("to", "/workflows")]).await;
    assert_eq!((entered.status, entered.header("location")), (303, "/workflows"), "{}", entered.body);
    visitor
}

/// A joiner whose name somebody else takes just before it is created.
async fn stuck(stage: &Stage) -> String {
    let workflow = stage.approved().await;
    let stranger = Effect::Meanwhile(Meanwhile::AddUser(json!({ "username": "zobrien" })));
    stage.simulator.vault.add_fault(Fault::on("POST", "/Users", 1, stranger));
    assert_eq!(stage.rest(&workflow).await, "needs_attention");
    workflow
}

fn page_of(stage: &Stage, workflow: &str) -> String {
    format!("{}/workflows/{workflow}", stage.url)
}

fn token(page: &str) -> Option<String> {
    let (_, rest) = page.split_once("name=\"form_token\" value=\"")?;
    rest.split_once('"').map(|(token, _)| token.to_owned())
}

/// Opens the page and presses a button.
async fn press(visitor: &Visitor<'_>, page: &str, exit: &str, reason: &str) -> Whole {
    let shown = visitor.open(page).await.body;
    let token = token(&shown).unwrap_or_else(|| panic!("no form in {shown}"));
    let account = shown.split_once("name=\"user_id\" value=\"").and_then(|(_, rest)| rest.split_once('"'));
    let account = account.map_or("4711", |(number, _)| number);
    let fields = [("exit", exit), ("reason", reason), ("user_id", account), ("form_token", &token)];
    visitor.post(&format!("{page}/act"), &fields).await
}

async fn acts(stage: &Stage, workflow: &str) -> Vec<Value> {
    let of_operators = ["workflow.resumed", "workflow.given_up", "account.adopted", "step.marked_done"];
    let trail = stage.trail(workflow).await.into_iter();
    trail.filter(|event| of_operators.contains(&event["kind"].as_str().unwrap())).collect()
}

async fn an_operator_sends_a_workflow_on_and_the_page_says_so(stage: Stage) {
    let stage = with_people(&stage).await;
    let workflow = stuck(&stage).await;
    let (page, olga) = (page_of(&stage, &workflow), signed_in(&stage, OLGA).await);
    let shown = olga.open(&page).await.body;
    assert!(shown.contains("olga@example.com, an operator"), "{shown}");
    for words in ["Why you do it", "value=\"retry\"", "value=\"give-up\"", "<label for=\"reason\""] {
        assert!(shown.contains(words), "{words} is missing in {shown}");
    }
    assert!(!shown.contains("value=\"adopt\""), "a stranger is nobody's to adopt: {shown}");
    assert_eq!((shown.matches("<form").count(), shown.matches("<h1").count()), (1, 1));
    let stranger = stage.simulator.vault.id_of("zobrien").unwrap();
    stage.simulator.vault.remove_user(stranger).unwrap();
    let done = press(&olga, &page, "retry", "The stranger is <gone>").await;
    assert_eq!((done.status, done.header("location")), (303, format!("/workflows/{workflow}").as_str()));
    let after = olga.open(&page).await.body;
    let said = "It is recorded: olga@example.com sent it on: The stranger is &#60;gone&#62;.";
    assert!(after.contains(said) && !after.contains("<form"), "{after}");
    assert_eq!(stage.rest(&workflow).await, "succeeded");
    let acts = acts(&stage, &workflow).await;
    assert_eq!(acts.len(), 1);
    assert_eq!((&acts[0]["personal"]["actor"], &acts[0]["actor"]), (&json!(OLGA), &json!("operator")));
    // The address of the form leads back to the page.
    let back = olga.open(&format!("{page}/act")).await;
    assert_eq!((back.status, back.header("location")), (303, format!("/workflows/{workflow}").as_str()));
}

async fn an_operator_adopts_an_account_or_gives_up(stage: Stage) {
    // Without descriptions there is no mark, so only a person can say whose account it is.
    let choices = Choices { keeps_description: false, ..people() };
    let stage = Stage::with(stage.database.another(), choices).await;
    let workflow = stage.approved().await;
    stage.simulator.vault.add_fault(Fault::on("POST", "/Users", 1, Effect::DropAfter));
    assert_eq!(stage.rest(&workflow).await, "needs_attention");
    let olga = signed_in(&stage, OLGA).await;
    let page = page_of(&stage, &workflow);
    let form_token = token(&olga.open(&page).await.body).unwrap();
    let post = async |user_id: &str| {
        let fields =
            [("exit", "adopt"), ("reason", "Ours"), ("user_id", user_id), ("form_token", &form_token)];
        olga.post(&format!("{page}/act"), &fields).await
    };
    for unnamed in ["", "zobrien"] {
        assert_eq!(post(unnamed).await.status, 400, "it is said which account is meant");
    }
    let other = post("4711").await;
    let holder = stage.simulator.vault.id_of("zobrien").unwrap();
    let said = format!("Nothing was done: the name is held by user number {holder} and not by number 4711");
    assert!(other.status == 409 && other.body.contains(&said), "{}", other.body);
    assert_eq!(press(&olga, &page, "adopt", "Our own lost attempt made it").await.status, 303);
    assert_eq!(stage.rest(&workflow).await, "succeeded");
    let kinds: Vec<String> =
        acts(&stage, &workflow).await.iter().map(|act| act["kind"].as_str().unwrap().to_owned()).collect();
    assert_eq!(kinds, ["account.adopted", "workflow.resumed"]);
    // Another one has no profile: it can be tried again or given up, and there is nothing to adopt.
    let other = stage
        .hire_told(|body| {
            body["source_ref"] = json!("OTHER");
            body["person_ref"] = json!("E2");
            body["subject"]["username"] = json!("other");
            body["employment"]["department"] = json!("Nowhere");
        })
        .await;
    let page = page_of(&stage, &other);
    assert!(!olga.open(&page).await.body.contains("value=\"adopt\""));
    let refused = press(&olga, &page, "adopt", "A form that was made by hand").await;
    assert_eq!(refused.status, 409);
    assert!(refused.body.contains("Nothing was done: there is no account to adopt"), "{}", refused.body);
    assert!(refused.body.contains(">A form that was made by hand</textarea>"), "what was typed stays");
    assert_eq!(press(&olga, &page, "give-up", "Not ours").await.status, 303);
    assert_eq!(stage.state(&other).await, "failed");
    assert!(olga.open(&page).await.body.contains("olga@example.com gave it up: Not ours."));
}

async fn a_viewer_looks_and_may_not_act(stage: Stage) {
    let stage = with_people(&stage).await;
    let workflow = stuck(&stage).await;
    let (page, vic) = (page_of(&stage, &workflow), signed_in(&stage, VIC).await);
    let shown = vic.open(&page).await.body;
    assert!(
        shown.contains("vic@example.com, a viewer") && shown.contains("countersign workflow retry"),
        "{shown}"
    );
    assert!(!shown.contains("<form") && !shown.contains("<button"), "{shown}");
    let olga = signed_in(&stage, OLGA).await;
    let token = token(&olga.open(&page).await.body).unwrap();
    let before = stage.tables().await;
    for form_token in ["", token.as_str()] {
        let fields = [("exit", "retry"), ("reason", "because"), ("form_token", form_token)];
        let refused = vic.post(&format!("{page}/act"), &fields).await;
        assert_eq!(refused.status, 403);
        assert!(refused.body.contains("You may look, and not act"), "{}", refused.body);
    }
    assert_eq!(stage.tables().await, before);
}

async fn without_a_sign_in_nobody_acts_and_nobody_looks_from_elsewhere(stage: Stage) {
    let stage = with_people(&stage).await;
    let workflow = stuck(&stage).await;
    let page = page_of(&stage, &workflow);
    // On the machine itself there is a look without a sign-in, and no more.
    let shown = stage.open(&page).await;
    assert!(shown.status == 200 && !shown.body.contains("<form"), "{}", shown.body);
    assert!(shown.body.contains("Sign in") && shown.body.contains("/sign-in"), "{}", shown.body);
    let before = stage.tables().await;
    let fields = [("exit", "retry"), ("reason", "because"), ("form_token", "1.x")];
    let refused = stage.send(&format!("{page}/act"), Some(&stage.origin()), &fields).await;
    assert_eq!(refused.status, 403);
    assert!(refused.body.contains("Please sign in"), "{}", refused.body);
    assert_eq!(stage.tables().await, before);
    // From elsewhere the sign-in is the way in.
    for rest in ["", &format!("/{workflow}")] {
        let url = format!("{}/workflows{rest}", stage.url);
        let led = stage.whole(stage.browser.get(&url).header("X-Forwarded-For", "10.0.0.9")).await;
        assert_eq!(led.status, 303, "{}", led.body);
        assert!(led.header("location").starts_with("/sign-in?to=%2Fworkflows"), "{:?}", led.headers);
    }
}

async fn a_form_counts_once_and_the_second_is_told(stage: Stage) {
    let stage = with_people(&stage).await;
    let workflow = stuck(&stage).await;
    let page = page_of(&stage, &workflow);
    let (olga, otto) = (signed_in(&stage, OLGA).await, signed_in(&stage, "otto@example.com").await);
    let olgas = token(&olga.open(&page).await.body).unwrap();
    let ottos = token(&otto.open(&page).await.body).unwrap();
    let first = [("exit", "give-up"), ("reason", "Not needed any more"), ("form_token", &olgas)];
    assert_eq!(olga.post(&format!("{page}/act"), &first).await.status, 303);
    let again = olga.post(&format!("{page}/act"), &first).await;
    let second = [("exit", "retry"), ("reason", "Once more"), ("form_token", &ottos)];
    let second = otto.post(&format!("{page}/act"), &second).await;
    for late in [again, second] {
        assert_eq!(late.status, 409);
        assert!(late.body.contains("The workflow has moved on while this page was open"), "{}", late.body);
        assert!(late.body.contains("olga@example.com gave it up: Not needed any more."), "{}", late.body);
        assert!(!late.body.contains("<form"), "{}", late.body);
    }
    assert_eq!((stage.state(&workflow).await.as_str(), acts(&stage, &workflow).await.len()), ("failed", 1));
}

async fn a_form_of_somebody_else_of_another_place_or_without_words_does_nothing(stage: Stage) {
    let stage = with_people(&stage).await;
    let workflow = stuck(&stage).await;
    let page = page_of(&stage, &workflow);
    let (olga, otto) = (signed_in(&stage, OLGA).await, signed_in(&stage, "otto@example.com").await);
    let ottos = token(&otto.open(&page).await.body).unwrap();
    let olgas = token(&olga.open(&page).await.body).unwrap();
    let before = stage.tables().await;
    let door = format!("{page}/act");
    let post = async |fields: &[(&str, &str)]| olga.post(&door, fields).await.status;
    assert_eq!(post(&[("exit", "retry"), ("reason", "x"), ("form_token", &ottos)]).await, 409);
    assert_eq!(post(&[("exit", "retry"), ("reason", "x")]).await, 409);
    assert_eq!(post(&[("exit", "retry"), ("reason", " \n"), ("form_token", &olgas)]).await, 422);
    let long = "x".repeat(2_001);
    assert_eq!(post(&[("exit", "retry"), ("reason", &long), ("form_token", &olgas)]).await, 422);
    assert_eq!(post(&[("exit", "vanish"), ("reason", "x"), ("form_token", &olgas)]).await, 400);
    assert_eq!(post(&[("reason", &"x".repeat(40_000))]).await, 400);
    // In the address it counts for nothing, and neither does a form from elsewhere, even with her cookies.
    let query = format!("{door}?exit=retry&reason=x&form_token={olgas}");
    assert_eq!(olga.open(&query).await.status, 303);
    let cookies: Vec<String> =
        olga.cookies.borrow().iter().map(|(name, value)| format!("{name}={value}")).collect();
    let foreign = stage.browser.post(&door).header("Cookie", cookies.join("; "));
    let foreign = foreign.header("Origin", "https://evil.example");
    let foreign = foreign.form(&[("exit", "retry"), ("reason", "x"), ("form_token", &olgas)]);
    assert_eq!(stage.whole(foreign).await.status, 403);
    // A page that was open for long is looked at again.
    stage.clock.advance(TimeDelta::minutes(16));
    assert_eq!(olga.open(&page).await.status, 200, "she stays signed in");
    stage.clock.advance(TimeDelta::minutes(15));
    assert_eq!(post(&[("exit", "retry"), ("reason", "x"), ("form_token", &olgas)]).await, 409);
    assert_eq!(stage.tables().await, before);
    assert_eq!(press(&olga, &page, "give-up", "With a fresh page").await.status, 303);
}

/// Somebody of a directory leaves, whose address the vault has and the message does not; a person disables them.
async fn waits_for_a_hand(stage: &Stage, address: &str) -> String {
    let id = stage.somebody();
    let kept = json!({ "source": "LDAP", "internet": { "businessEmail": address } });
    stage.simulator.vault.patch_user(id, &kept).unwrap();
    let workflow = stage.leaves("LEAVE-1", json!({})).await;
    stage.both_approve().await;
    assert_eq!(stage.rest(&workflow).await, "needs_attention", "{}", stage.reason(&workflow).await);
    workflow
}

async fn a_leaver_of_a_directory_is_marked_done_by_an_operator(stage: Stage) {
    let stage = with_people(&stage).await;
    let workflow = waits_for_a_hand(&stage, "zoe.obrien@example.com").await;
    let (page, olga) = (page_of(&stage, &workflow), signed_in(&stage, OLGA).await);
    let shown = olga.open(&page).await.body;
    assert!(shown.contains("value=\"mark-done\"") && shown.contains("Mark it done"), "{shown}");
    assert!(!shown.contains("value=\"retry\""), "trying again changes nothing: {shown}");
    let writes = stage.writes();
    assert!(
        !writes.iter().any(|write| write.starts_with("disable")),
        "the vault cannot disable her: {writes:?}"
    );
    let done = press(&olga, &page, "mark-done", "Disabled in the directory, CHG0042").await;
    assert_eq!((done.status, done.header("location")), (303, format!("/workflows/{workflow}").as_str()));
    assert_eq!(stage.rest(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    assert_eq!(stage.writes(), writes, "what was done by hand is not done once more");
    let acts = acts(&stage, &workflow).await;
    let kinds: Vec<&str> = acts.iter().map(|act| act["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["step.marked_done", "workflow.resumed"]);
    for act in &acts {
        assert_eq!((&act["actor"], &act["personal"]["actor"]), (&json!("operator"), &json!(OLGA)));
        assert_eq!(act["personal"]["reason"], "Disabled in the directory, CHG0042");
    }
    assert_eq!(acts[0]["facts"]["step"], "disable_in_directory");
    // The trail says on whose word it rests, and the button counts once.
    let after = olga.open(&page).await.body;
    assert!(after.contains("was said by a person") && !after.contains("<form"), "{after}");
    let again = olga.post(&format!("{page}/act"), &[("exit", "mark-done"), ("reason", "Again")]).await;
    assert_eq!(again.status, 409);
    stage.check_proof(&[workflow]).await;
}

/// An operator leaves, and would rather not.
async fn nobody_takes_a_way_out_of_their_own_request(stage: Stage) {
    let stage = with_people(&stage).await;
    let workflow = waits_for_a_hand(&stage, "Olga+vault@example.com").await;
    let (page, olga) = (page_of(&stage, &workflow), signed_in(&stage, OLGA).await);
    let shown = olga.open(&page).await.body;
    let why = "You may not act here: this change is about your own account, so somebody else must decide it.";
    assert!(shown.contains(why) && !shown.contains("<form"), "{shown}");
    let trail = stage.trail(&workflow).await;
    for exit in ["mark-done", "give-up", "retry", "adopt"] {
        let fields = [("exit", exit), ("reason", "It is me"), ("user_id", "7"), ("form_token", "1.x")];
        assert_eq!(olga.post(&format!("{page}/act"), &fields).await.status, 409, "{exit}");
    }
    assert_eq!(stage.trail(&workflow).await, trail);
    let otto = signed_in(&stage, "otto@example.com").await;
    assert_eq!(press(&otto, &page, "mark-done", "Disabled").await.status, 303);
    assert_eq!(stage.rest(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
}

/// At the command line somebody is who the machine says, and not who the environment says.
async fn nobody_takes_a_way_out_of_their_own_request_by_command(stage: Stage) {
    let workflow = waits_for_a_hand(&stage, &format!("{}+vault@example.com", machine_name())).await;
    let trail = stage.trail(&workflow).await;
    for exit in ["mark-done", "give-up", "retry", "adopt"] {
        let mut words = vec!["workflow", exit, &workflow, "--reason", "It is me"];
        if exit == "adopt" {
            words.extend(["--user-id", "7"]);
        }
        let refused = command(&words, &stage.settings_file()).await;
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(!refused.status.success() && said.contains("about your own account"), "{exit}: {said}");
    }
    assert_eq!(stage.trail(&workflow).await, trail);
}
