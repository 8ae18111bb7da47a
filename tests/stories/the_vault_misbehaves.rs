//! The vault loses answers, refuses, slows down, lies, and is changed by others meanwhile.

use chrono::TimeDelta;
use countersign::simulator::faults::{Effect, Fault, Meanwhile, Moment};
use countersign::store::operator::Exit;
use serde_json::{Value, json};

use crate::stage::{Choices, Database, Dialect, Stage, steps};

told_of_both_products! {
    a_lost_answer_to_the_create_makes_one_user_known_by_its_mark
    a_lost_create_makes_exactly_one_user
    a_name_taken_before_the_search_is_a_strangers
    a_name_taken_between_search_and_create_is_a_strangers
    a_group_refused_midway_is_told_and_can_be_retried
    a_vault_that_is_always_busy_ends_at_a_person_and_retry_goes_on
    giving_up_rests_it_failed
    a_location_that_went_after_the_approval_makes_nothing
    a_gateway_that_repeats_our_pass_spreads_it_nowhere
}

const FOREVER: u64 = u64::MAX;

fn says(status: u16, body: Value) -> Effect {
    Effect::Status { status, body: Some(body), retry_after: None, moment: Moment::Before }
}

fn error(code: &str, message: &str) -> Value {
    json!({ "ErrorCode": code, "ErrorMessage": message })
}

async fn stage(choices: Choices) -> Stage {
    Stage::with(Database::sqlite(), choices).await
}

fn count(stage: &Stage, method: &str, path: &str) -> usize {
    let wire = stage.simulator.vault.wire();
    wire.iter().filter(|call| call.method == method && call.path.contains(path)).count()
}

fn fault(stage: &Stage, method: &str, path: &str, times: u64, effect: Effect) {
    stage.simulator.vault.add_fault(Fault::on(method, path, times, effect));
}

async fn is_done(stage: &Stage, workflow: &str) {
    assert_eq!(stage.rest(workflow).await, "succeeded", "{}", stage.reason(workflow).await);
    stage.check(workflow).await;
}

async fn needs_a_person(stage: &Stage, workflow: &str, because: &str) {
    let mails = stage.calls_for_help();
    assert_eq!(stage.rest(workflow).await, "needs_attention");
    let reason = stage.reason(workflow).await;
    assert!(reason.contains(because), "{reason}");
    assert_eq!(stage.calls_for_help(), mails + 1, "the operators are written to");
    stage.check(workflow).await;
}

async fn states(stage: &Stage, workflow: &str) -> Vec<String> {
    let shown = stage.api(&format!("/{workflow}")).await;
    steps(&shown).iter().map(|step| step["state"].as_str().unwrap().to_owned()).collect()
}

async fn a_lost_answer_to_the_create_makes_one_user_known_by_its_mark(stage: Stage) {
    let workflow = stage.approved().await;
    fault(&stage, "POST", "/Users", 1, Effect::DropAfter);
    is_done(&stage, &workflow).await;
    assert_eq!(stage.writes(), ["create_user", "add_member", "add_member"]);
    assert_eq!(stage.outcomes(&workflow, "create_user").await, ["unknown", "done"]);
    let attempts = stage.attempts(&workflow).await;
    let told = |words: &str| attempts.iter().any(|attempt| attempt.words.contains(words));
    assert!(told("no whole answer came back"), "{attempts:#?}");
    assert!(told("an earlier attempt of this workflow made user number"), "{attempts:#?}");
}

async fn a_lost_create_makes_exactly_one_user(stage: Stage) {
    let workflow = stage.approved().await;
    fault(&stage, "POST", "/Users", 1, Effect::DropBefore);
    is_done(&stage, &workflow).await;
    assert_eq!(stage.outcomes(&workflow, "create_user").await, ["unknown", "not_there", "done"]);
}

async fn a_name_taken_before_the_search_is_a_strangers(stage: Stage) {
    let workflow = stage.approved().await;
    let stranger = stage.simulator.vault.add_user(&json!({ "username": "ZOBRIEN" })).unwrap();
    a_stranger_is_left_alone(&stage, &workflow, stranger).await;
}

async fn a_name_taken_between_search_and_create_is_a_strangers(stage: Stage) {
    let workflow = stage.approved().await;
    let meanwhile = Meanwhile::AddUser(json!({ "username": "zobrien", "id": 4711 }));
    fault(&stage, "POST", "/Users", 1, Effect::Meanwhile(meanwhile));
    a_stranger_is_left_alone(&stage, &workflow, 4711).await;
}

async fn a_stranger_is_left_alone(stage: &Stage, workflow: &str, stranger: i64) {
    needs_a_person(stage, workflow, &format!("the name is held by user number {stranger}")).await;
    assert!(stage.writes().is_empty(), "{:?}", stage.writes());
    // A retry does not help while the stranger is there.
    assert_eq!(stage.retry(workflow).await, "needs_attention");
    assert!(stage.writes().is_empty(), "{:?}", stage.writes());
    stage.simulator.vault.remove_user(stranger).unwrap();
    stage.take(workflow, Exit::Retry).await.unwrap();
    is_done(stage, workflow).await;
}

/// The interface has no list of locations, so a missing one is met at the first write, which has no effect.
/// The token or the session, as it begins on the wire of either product.
const PASSES: [&str; 2] = ["eyJhbGciOi", "AAEAAAD"];

async fn a_gateway_that_repeats_our_pass_spreads_it_nowhere(stage: Stage) {
    let workflow = stage.approved().await;
    fault(&stage, "POST", "/API/Users", 1, Effect::RepeatsPass);
    assert_eq!(stage.rest(&workflow).await, "needs_attention");
    let reason = stage.reason(&workflow).await;
    assert!(reason.contains("Authorization:") && reason.contains("(secret)"), "{reason}");
    let link = stage.link("ana@example.com");
    let mut told = vec![reason, stage.get(&link).await.body];
    told.extend(stage.simulator.mailbox.mails().into_iter().map(|mail| format!("{mail:?}")));
    told.extend(stage.attempts(&workflow).await.into_iter().map(|attempt| attempt.words));
    for (pass, told) in PASSES.iter().flat_map(|pass| told.iter().map(move |told| (pass, told))) {
        assert!(!told.contains(pass), "{told}");
    }
    stage.check(&workflow).await;
}

async fn a_location_that_went_after_the_approval_makes_nothing(stage: Stage) {
    let workflow = stage.approved().await;
    stage.simulator.vault.configure(|tenant| tenant.locations = Some(vec!["\\Users".to_owned()]));
    needs_a_person(&stage, &workflow, "ocation").await;
    assert!(stage.writes().is_empty(), "{:?}", stage.writes());
    stage.simulator.vault.configure(|tenant| tenant.locations = None);
    stage.take(&workflow, Exit::Retry).await.unwrap();
    is_done(&stage, &workflow).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_description_a_person_says_whose_user_it_is() {
    let stage = stage(Choices { keeps_description: false, ..Choices::default() }).await;
    let workflow = stage.approved().await;
    fault(&stage, "POST", "/Users", 1, Effect::DropAfter);
    needs_a_person(&stage, &workflow, "only a person can say").await;
    assert_eq!(stage.writes(), ["create_user"]);
    stage.adopt(&workflow).await.unwrap();
    assert_eq!(stage.rest(&workflow).await, "succeeded");
    assert_eq!(stage.writes(), ["create_user", "add_member", "add_member"]);
    assert!(stage.trail(&workflow).await.iter().any(|event| event["kind"] == "account.adopted"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_execution_there_is_nothing_to_adopt() {
    let stage = stage(Choices::default()).await;
    stage.simulator.vault.add_user(&json!({ "username": "zobrien" })).unwrap();
    let workflow = stage.hire().await;
    assert_eq!(stage.rest(&workflow).await, "needs_attention");
    assert!(stage.adopt(&workflow).await.is_err());
    assert_eq!(stage.state(&workflow).await, "needs_attention");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_that_is_refused_does_not_lose_the_password() {
    let stage = stage(Choices::default()).await;
    let workflow = stage.approved().await;
    fault(&stage, "POST", "/Users", 1, Effect::DropAfter);
    // The look after the lost create: the fourth search for users of this run (snapshot, find, create, look).
    let refused = says(403, error("PASWS041E", "You are not authorized to perform this action."));
    stage.simulator.vault.add_fault(Fault::on("GET", "/Users?search", 1, refused).from_nth(4));
    needs_a_person(&stage, &workflow, "not authorized").await;
    assert_eq!(stage.outcomes(&workflow, "create_user").await, ["unknown", "refused"]);
    assert_eq!(stage.retry(&workflow).await, "succeeded");
    stage.check(&workflow).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_end_by_the_clock_and_are_renewed_in_time() {
    let stage = stage(Choices::default()).await;
    stage.simulator.vault.configure(|tenant| tenant.token_lifetime_seconds = 100);
    let workflow = stage.approved().await;
    // The vault asks to wait longer than a token lives, twice.
    let wait = Effect::Status { status: 429, body: None, retry_after: Some(300), moment: Moment::Before };
    fault(&stage, "POST", "Members", 2, wait);
    is_done(&stage, &workflow).await;
    assert_eq!(count(&stage, "POST", "platformtoken"), 3);
    let wire = stage.simulator.vault.wire();
    assert!(wire.iter().all(|call| call.status != Some(401)), "a token was used beyond its end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stale_token_is_renewed_once_and_the_call_repeated() {
    let stage = stage(Choices { dialect: Dialect::GuideAuto, ..Choices::default() }).await;
    let workflow = stage.approved().await;
    for (method, path) in [("POST", "/Users"), ("POST", "Members"), ("PUT", "/Users")] {
        fault(&stage, method, path, 1, Effect::StaleToken);
    }
    is_done(&stage, &workflow).await;
    let wire = stage.simulator.vault.wire();
    let refused: Vec<usize> = (0..wire.len()).filter(|place| wire[*place].status == Some(401)).collect();
    assert_eq!(refused.len(), 3);
    for place in refused {
        assert!(wire[place + 1].path.contains("platformtoken"));
        assert_eq!(
            (&wire[place + 2].path, &wire[place + 2].method),
            (&wire[place].path, &wire[place].method)
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vault_that_takes_no_token_is_told_after_one_renewal() {
    let stage = stage(Choices::default()).await;
    let workflow = stage.approved().await;
    let before = count(&stage, "POST", "platformtoken");
    fault(&stage, "POST", "/Users", FOREVER, says(401, error("PASWS006E", "The session token is invalid.")));
    needs_a_person(&stage, &workflow, "does not take a token that was just made").await;
    assert_eq!((count(&stage, "POST", "platformtoken") - before, count(&stage, "POST", "/Users")), (1, 2));
    stage.simulator.vault.clear_faults();
    stage.take(&workflow, Exit::Retry).await.unwrap();
    is_done(&stage, &workflow).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_endpoint_that_is_down_for_an_hour_delays_and_harms_nothing() {
    let stage = stage(Choices::default()).await;
    let workflow = stage.approved().await;
    stage.simulator.vault.revoke_tokens();
    fault(&stage, "POST", "platformtoken", FOREVER, Effect::Html503);
    stage.pass(TimeDelta::hours(1)).await;
    assert_eq!(stage.state(&workflow).await, "approved");
    let tries = count(&stage, "POST", "platformtoken");
    assert!((8..300).contains(&tries), "{tries} tries in an hour");
    stage.simulator.vault.clear_faults();
    is_done(&stage, &workflow).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_requests_are_answered_with_patience() {
    let stage = stage(Choices::default()).await;
    let workflow = stage.approved().await;
    let storm = |retry_after| Effect::Status { status: 429, body: None, retry_after, moment: Moment::Before };
    fault(&stage, "POST", "/Users", 3, storm(None));
    fault(&stage, "POST", "Members", 1, storm(Some(120)));
    let asked = loop {
        stage.settle().await;
        if count(&stage, "POST", "Members") > 0 {
            break stage.clock.read();
        }
        stage.pass(TimeDelta::seconds(1)).await;
    };
    assert_eq!(stage.outcomes(&workflow, "create_user").await, ["retry", "retry", "retry", "done"]);
    let shown = stage.api(&format!("/{workflow}")).await;
    let due = chrono::DateTime::parse_from_rfc3339(steps(&shown)[3]["due_at"].as_str().unwrap()).unwrap();
    assert!(due.to_utc() - asked > TimeDelta::seconds(118), "what the vault asked for is respected");
    is_done(&stage, &workflow).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateways_page_is_no_answer_of_the_vault() {
    let stage = stage(Choices::default()).await;
    let workflow = stage.approved().await;
    for (method, path) in [("GET", "/Users"), ("POST", "/Users"), ("GET", "/UserGroups"), ("POST", "Members")]
    {
        fault(&stage, method, path, 2, Effect::Html503);
    }
    is_done(&stage, &workflow).await;
    assert_eq!(stage.outcomes(&workflow, "create_user").await.last().unwrap(), "done");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_200_that_carries_an_error_is_no_success() {
    let stage = stage(Choices::default()).await;
    let workflow = stage.approved().await;
    fault(&stage, "POST", "/Users", 1, says(200, error("ITATS127E", "Object already exists.")));
    needs_a_person(&stage, &workflow, "ITATS127E").await;
    assert!(stage.writes().is_empty());
    stage.take(&workflow, Exit::Retry).await.unwrap();
    is_done(&stage, &workflow).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_that_comes_as_500_is_not_retried() {
    let stage = stage(Choices::default()).await;
    let workflow = stage.approved().await;
    fault(&stage, "POST", "/Users", 1, says(500, error("ITATS542E", "The operation is not allowed.")));
    needs_a_person(&stage, &workflow, "ITATS542E").await;
    assert_eq!(count(&stage, "POST", "/Users"), 1);
    stage.take(&workflow, Exit::Retry).await.unwrap();
    is_done(&stage, &workflow).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_name_is_found_among_many_near_matches() {
    let groups = vec!["Ops".to_owned()];
    let stage = stage(Choices { groups, ..Choices::default() }).await;
    for number in 0..230 {
        stage.simulator.vault.add_user(&json!({ "username": format!("{number}zobrien{number}") })).unwrap();
        stage.simulator.vault.add_group(&format!("Ops-{number}")).unwrap();
    }
    let workflow = stage.approved().await;
    is_done(&stage, &workflow).await;
    // The last page is read, too: with our name on it, the next of that name is refused at planning.
    let mut second = stage.joiner();
    "RITM0010002:1".clone_into(&mut second.source_ref);
    "E10443".clone_into(&mut second.person_ref);
    let second = stage.hire_as(&second).await;
    assert_eq!(stage.rest(&second).await, "needs_attention");
    assert!(stage.reason(&second).await.contains("the user name is taken"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_of_digits_waits_for_a_pinned_form() {
    let stage = stage(Choices::default()).await;
    let mut joiner = stage.joiner();
    "20261201".clone_into(&mut joiner.username);
    let workflow = stage.hire_as(&joiner).await;
    stage.settle().await;
    assert_eq!(stage.state(&workflow).await, "needs_attention");
    assert!(stage.reason(&workflow).await.contains("group_member must be pinned"));
    assert_eq!(stage.writes(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_of_digits_is_added_by_number_where_that_is_pinned() {
    let stage = stage(Choices { dialect: Dialect::GuidePinned, ..Choices::default() }).await;
    let mut joiner = stage.joiner();
    "20261201".clone_into(&mut joiner.username);
    let workflow = stage.approved_as(&joiner).await;
    is_done(&stage, &workflow).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_vanishes_stops_the_run() {
    let stage = stage(Choices::default()).await;
    let workflow = stage.approved().await;
    let vault = stage.simulator.vault.state();
    let groups = vault["groups"].as_array().unwrap();
    let id =
        groups.iter().find(|group| group["groupName"] == "Linux Admins").unwrap()["id"].as_i64().unwrap();
    fault(&stage, "POST", "/Users", 1, Effect::Meanwhile(Meanwhile::RemoveGroup(id)));
    needs_a_person(&stage, &workflow, "Linux Admins is no longer in the vault").await;
    assert_eq!(stage.writes(), ["create_user", "add_member"]);
    // A new group of that name is not the approved one.
    stage.simulator.vault.add_group("Linux Admins").unwrap();
    assert_eq!(stage.retry(&workflow).await, "needs_attention");
    let reason = stage.reason(&workflow).await;
    assert!(reason.contains("the vault has changed since") && reason.contains("Linux Admins"), "{reason}");
    stage.check(&workflow).await;
}

async fn a_group_refused_midway_is_told_and_can_be_retried(stage: Stage) {
    let workflow = stage.approved().await;
    let refused = says(403, error("PASWS041E", "You are not authorized to perform this action."));
    stage.simulator.vault.add_fault(Fault::on("POST", "Members", 1, refused).from_nth(2));
    needs_a_person(&stage, &workflow, "not authorized").await;
    let told = ["done", "done", "done", "done", "failed", "waiting", "waiting"];
    assert_eq!(states(&stage, &workflow).await, told);
    stage.take(&workflow, Exit::Retry).await.unwrap();
    is_done(&stage, &workflow).await;
}

/// Without groups the reads of the one user are few: after the create, to capture, before the PUT, after it.
async fn guide_without_groups() -> Stage {
    stage(Choices { dialect: Dialect::GuidePinned, groups: vec![], ..Choices::default() }).await
}

fn somebody_edits_at_the(nth: u64, stage: &Stage, changes: Value) {
    let edit = Meanwhile::PatchUser { name: "zobrien".to_owned(), changes };
    stage.simulator.vault.add_fault(Fault::on("GET", "/Users/", 1, Effect::Meanwhile(edit)).from_nth(nth));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_before_the_read_survives_the_put() {
    let stage = guide_without_groups().await;
    let workflow = stage.approved().await;
    somebody_edits_at_the(3, &stage, json!({ "passwordNeverExpires": true }));
    is_done(&stage, &workflow).await;
    let user = stage.simulator.vault.user("zobrien").unwrap();
    assert_eq!((&user["passwordNeverExpires"], &user["changePassOnNextLogon"]), (&json!(true), &json!(true)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_field_that_differs_after_the_put_is_told_by_name() {
    let stage = guide_without_groups().await;
    let workflow = stage.approved().await;
    somebody_edits_at_the(4, &stage, json!({ "personalDetails": { "lastName": "Lost-Value" } }));
    needs_a_person(&stage, &workflow, "look at these fields: lastName").await;
    assert!(!stage.reason(&workflow).await.contains("Lost-Value"));
    assert_eq!(stage.simulator.vault.user("zobrien").unwrap()["personalDetails"]["lastName"], "Lost-Value");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_that_is_refused_is_replaced_by_a_new_one() {
    let stage = stage(Choices::default()).await;
    let workflow = stage.approved().await;
    stage.simulator.vault.configure(|tenant| tenant.password_policy.min_length = 39);
    needs_a_person(&stage, &workflow, "password policy").await;
    // A vault may make an account although it says no: the password is somebody's until a look finds the name free.
    assert!(stage.sealed_password(&workflow).await.is_some());
    stage.simulator.vault.configure(|tenant| tenant.password_policy.min_length = 8);
    stage.take(&workflow, Exit::Retry).await.unwrap();
    is_done(&stage, &workflow).await;
    let trail = stage.trail(&workflow).await;
    assert_eq!(trail.iter().filter(|event| event["kind"] == "credential.sealed").count(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_licence_without_a_free_seat_is_a_matter_for_a_person() {
    let stage = stage(Choices::default()).await;
    let workflow = stage.approved().await;
    stage.simulator.vault.configure(|tenant| tenant.user_types[0].seats = Some(0));
    needs_a_person(&stage, &workflow, "licence").await;
    stage.simulator.vault.configure(|tenant| tenant.user_types[0].seats = None);
    stage.take(&workflow, Exit::Retry).await.unwrap();
    is_done(&stage, &workflow).await;
}

async fn a_vault_that_is_always_busy_ends_at_a_person_and_retry_goes_on(stage: Stage) {
    let workflow = stage.approved().await;
    let begun = stage.clock.read();
    fault(&stage, "POST", "/Users", FOREVER, Effect::Html503);
    needs_a_person(&stage, &workflow, "tried 4 times").await;
    assert_eq!(count(&stage, "POST", "/Users"), 4);
    assert!(stage.clock.read() - begun < TimeDelta::hours(2));
    stage.simulator.vault.clear_faults();
    stage.take(&workflow, Exit::Retry).await.unwrap();
    is_done(&stage, &workflow).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vault_that_cannot_be_read_for_a_day_ends_at_a_person() {
    // Longer waits, so that a day has fewer tries.
    let waits = "max_attempts = 4\nfirst_retry_after = \"10m\"\nlongest_retry_after = \"2h\"";
    let edits = vec![("max_attempts = 4".to_owned(), waits.to_owned())];
    let stage = stage(Choices { edits, ..Choices::default() }).await;
    let workflow = stage.approved().await;
    let begun = stage.clock.read();
    fault(&stage, "GET", "", FOREVER, Effect::Html503);
    needs_a_person(&stage, &workflow, "could not be read for a day").await;
    let took = stage.clock.read() - begun;
    assert!(TimeDelta::hours(23) < took && took < TimeDelta::hours(27), "{took}");
    stage.simulator.vault.clear_faults();
    stage.take(&workflow, Exit::Retry).await.unwrap();
    is_done(&stage, &workflow).await;
}

async fn giving_up_rests_it_failed(stage: Stage) {
    let workflow = stage.approved().await;
    stage.simulator.vault.add_user(&json!({ "username": "zobrien" })).unwrap();
    needs_a_person(&stage, &workflow, "the name is held").await;
    assert_eq!(stage.take(&workflow, Exit::GiveUp).await.unwrap(), "failed");
    stage.pass(TimeDelta::days(2)).await;
    assert_eq!(stage.state(&workflow).await, "failed");
    assert!(stage.take(&workflow, Exit::Retry).await.is_err());
    assert!(stage.writes().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vault_that_changed_after_the_approval_is_not_written_to() {
    let stage = stage(Choices::default()).await;
    let workflow = stage.approved().await;
    let vault = stage.simulator.vault.state();
    let groups = vault["groups"].as_array().unwrap();
    let id = groups.iter().find(|group| group["groupName"] == "Ops-Readers").unwrap()["id"].as_i64().unwrap();
    stage.simulator.vault.remove_group(id).unwrap();
    stage.simulator.vault.add_group("Ops-Readers").unwrap();
    // The approval is void: the plan is made again, and the same people are asked about the new one.
    assert_eq!(stage.rest(&workflow).await, "pending_approval");
    assert!(stage.writes().is_empty());
    let told = stage.api(&format!("/{workflow}")).await;
    assert_eq!((&told["plan_number"], &told["steps"][0]["acts"]), (&json!(2), &json!(0)));
    assert_eq!(stage.decide(&stage.link("ana@example.com"), "approve", "").await.status, 303);
    assert_eq!(stage.rest(&workflow).await, "succeeded");
    stage.check(&workflow).await;
}
