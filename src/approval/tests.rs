//! The page and the door, over a real store on SQLite and a target that is told what to answer.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use actix_web::body::to_bytes;
use actix_web::http::{Method, StatusCode};
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::web::{self, Data};
use actix_web::{App, HttpResponse};
use async_trait::async_trait;

use super::routes;
use crate::clock::{Clock, MachineChance, World};
use crate::config;
use crate::domain::ids::{DeliveryId, VaultGroupId};
use crate::domain::leaver_clock::WITHIN;
use crate::domain::names::{EmailAddress, TargetName};
use crate::domain::plan::{DialectSettings, Plan, SealedPlan};
use crate::domain::routing::{AskedAs, Pool, ResolvedStage, Routing};
use crate::domain::snapshot::Snapshot;
use crate::domain::step::Report;
use crate::domain::time::Timestamp;
use crate::domain::workflow::State;
use crate::key::KeyRing;
use crate::kit::Kit;
use crate::pages::sample::{self, address};
use crate::rules::{EVALUATION_LIMIT, Engine, Policy};
use crate::store::accept::AcceptDelivery;
use crate::store::asks::NewAsk;
use crate::store::deliveries::Delivery;
use crate::store::plans::KeepPlan;
use crate::store::{Place, Store, audit, decisions, workflows};
use crate::target::{Besides, CallFault, PreviewCall, StepCall, Subject, Target};
use crate::web::home::Home;
use crate::web::{assets, headers, page};

const OURS: (&str, &str) = ("origin", "http://127.0.0.1:8081");

struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        sample::now().plus_seconds(self.0.load(Ordering::SeqCst))
    }
}

/// Answers every reading with what it was given, after so many seconds.
struct Told {
    answer: Mutex<Result<Snapshot, CallFault>>,
    takes: AtomicI64,
    clock: Arc<Hand>,
}

#[async_trait]
impl Target for Told {
    fn name(&self) -> &TargetName {
        unreachable!("nobody asks for the name")
    }

    fn dialect(&self) -> DialectSettings {
        sample::plan().dialect
    }

    fn preview(&self, plan: &Plan) -> Vec<Vec<PreviewCall>> {
        let call = |kind| PreviewCall { method: "GET", path: format!("preview/{kind}"), note: String::new() };
        plan.steps.iter().map(|step| vec![call(step.kind())]).collect()
    }

    async fn snapshot(&self, _: Subject<'_>, _: Besides<'_>) -> Result<Snapshot, CallFault> {
        self.clock.0.fetch_add(self.takes.load(Ordering::SeqCst), Ordering::SeqCst);
        self.answer.lock().unwrap().clone()
    }

    async fn act(&self, _: &StepCall<'_>) -> Report {
        unreachable!("a page never acts")
    }

    async fn look(&self, _: &StepCall<'_>) -> Report {
        unreachable!("a page never acts")
    }
}

struct Stage {
    kit: Kit,
    clock: Arc<Hand>,
    target: Arc<Told>,
    _folder: tempfile::TempDir,
}

/// What came back.
struct Answer {
    status: StatusCode,
    location: Option<String>,
    body: String,
}

fn one_stage(people: &[&str], quorum: u32) -> Routing {
    let people: Vec<EmailAddress> = people.iter().map(|text| address(text)).collect();
    let group = AskedAs::Group { name: "pam-admins".to_owned() };
    let asked_as = vec![group, AskedAs::Manager { address: address("max@example.com") }];
    Routing { stages: vec![ResolvedStage::of(Pool { people, asked_as, quorum })], ..sample::routing() }
}

async fn asked(routing: Routing) -> Stage {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/c.db", folder.path().display());
    let store = Store::open(&Place::from_url(&url).unwrap()).await.unwrap();
    let settings = config::tests::load(config::tests::GOOD).unwrap();
    let engine = Engine::start(EVALUATION_LIMIT).unwrap();
    let policy = Policy::compile(&engine, &settings).unwrap();
    let clock = Arc::new(Hand(AtomicI64::new(0)));
    let answer = Mutex::new(Ok(sample::snapshot()));
    let target = Arc::new(Told { answer, takes: AtomicI64::new(0), clock: Arc::clone(&clock) });
    let targets: BTreeMap<TargetName, Arc<dyn Target>> =
        BTreeMap::from([(sample::plan().target, Arc::clone(&target) as Arc<dyn Target>)]);
    let kit = Kit {
        store,
        world: World { clock: Arc::clone(&clock) as Arc<dyn Clock>, chance: Arc::new(MachineChance) },
        witness: Arc::new(crate::witness::Witness::nowhere()),
        keys: KeyRing::from_bytes([3; 32]),
        settings: Arc::new(settings),
        engine,
        policy: Arc::new(policy),
        targets: Arc::new(targets),
    };
    let stage = Stage { kit, clock, target, _folder: folder };
    stage.take_in().await;
    stage.plan(1, routing).await;
    stage
}

impl Stage {
    async fn take_in(&self) {
        let stamp = self.kit.world.stamp();
        let mut workflow = sample::workflow();
        (workflow.state, workflow.plan_number, workflow.target) = (State::Planning, 0, None);
        let id = DeliveryId::made(stamp.at, [1; 10]);
        let (source, key) = (workflow.source.clone(), "key".to_owned());
        let delivery = Delivery { id, source, key, body: b"{}".to_vec() };
        self.kit
            .store
            .write(AcceptDelivery {
                stamp,
                delivery,
                workflow,
                found_by: [].into(),
                oldest: chrono::TimeDelta::days(30),
                leaver_within: WITHIN,
            })
            .await
            .unwrap();
    }

    async fn plan(&self, number: u32, routing: Routing) {
        let mut plan = sample::plan();
        plan.number = number;
        let people = routing.stages[0].people();
        let people = people.iter();
        let asks = people.map(|approver| NewAsk {
            stage: 0,
            approver: approver.clone(),
            link_hash: self.kit.keys.link_token(plan.workflow, approver, 0, number).hash(),
        });
        let deed = KeepPlan {
            stamp: self.kit.world.stamp(),
            workflow: plan.workflow,
            after: number - 1,
            sealed: SealedPlan::seal(&plan).unwrap(),
            snapshot: sample::snapshot(),
            asks: asks.collect(),
            routing,
            plan,
        };
        self.kit.store.write(deed).await.unwrap();
    }

    fn link(&self, who: &str, stage: u32, number: u32) -> String {
        let token = self.kit.keys.link_token(sample::plan().workflow, &address(who), stage, number);
        format!("/approve/{}", token.reveal())
    }

    async fn call(&self, request: TestRequest) -> Answer {
        let app = App::new()
            .wrap(headers::security())
            .app_data(Data::new(self.kit.clone()))
            .configure(routes)
            .configure(assets::routes)
            .default_service(web::to(page::nowhere));
        let answer = call_service(&init_service(app).await, request.to_request()).await;
        assert!(answer.headers().contains_key("content-security-policy"));
        let location = answer.headers().get("location").map(|place| place.to_str().unwrap().to_owned());
        let status = answer.status();
        let body = to_bytes(answer.into_body()).await.unwrap_or_default();
        Answer { status, location, body: String::from_utf8(body.to_vec()).unwrap() }
    }

    async fn get(&self, path: &str) -> Answer {
        self.call(TestRequest::get().uri(path)).await
    }

    /// Reads the page and sends its form.
    async fn send(&self, link: &str, decision: &str, comment: &str) -> Answer {
        let page = self.get(link).await;
        let form = Form {
            link,
            decision,
            comment,
            digest: hidden(&page, "digest"),
            token: hidden(&page, "form_token"),
        };
        self.post(&form, &[OURS]).await
    }

    async fn post(&self, form: &Form<'_>, headers: &[(&str, &str)]) -> Answer {
        let fields = [
            ("decision", form.decision),
            ("comment", form.comment),
            ("digest", form.digest.as_str()),
            ("form_token", form.token.as_str()),
        ];
        let mut request = TestRequest::post().uri(&format!("{}/decision", form.link)).set_form(fields);
        for header in headers {
            request = request.insert_header(*header);
        }
        self.call(request).await
    }

    async fn state(&self) -> &'static str {
        let id = sample::plan().workflow;
        workflows::find(&self.kit.store, id).await.unwrap().unwrap().state.word()
    }

    async fn trail(&self) -> Vec<String> {
        let chain = sample::plan().workflow.into();
        let told = audit::chain(&self.kit.store, chain, 0, 100).await.unwrap();
        told.into_iter().map(|told| told.event.kind).collect()
    }

    fn regroup(&self) {
        let mut snapshot = sample::snapshot();
        snapshot.groups[0].found.as_mut().unwrap().id = VaultGroupId(31);
        *self.target.answer.lock().unwrap() = Ok(snapshot);
    }
}

struct Form<'a> {
    link: &'a str,
    decision: &'a str,
    comment: &'a str,
    digest: String,
    token: String,
}

fn hidden(page: &Answer, name: &str) -> String {
    let before = format!("name=\"{name}\" value=\"");
    let rest = page.body.split_once(&before).unwrap_or_else(|| panic!("no {name} in {}", page.body)).1;
    rest.split_once('"').unwrap().0.to_owned()
}

#[actix_web::test]
async fn the_page_says_all_that_an_approver_needs_and_escapes_what_others_wrote() {
    let stage = asked(sample::routing()).await;
    let page = stage.get(&stage.link("max@example.com", 0, 1)).await;
    assert_eq!(page.status, StatusCode::OK);
    for words in [
        "New vault user for Zoë O&#39;Brien",
        "RITM0010001",
        "as claimed by the requester",
        "Make the user zobrien in vault, of type EPVUser",
        "preview/add_to_group",
        "one licence seat of type EPVUser",
        "3 minutes ago",
        "joiners",
        "bo@example.com",
        "2 of 3 must say yes",
        "1 December 2026 in Europe/Berlin",
        "ask for a leaver for E10442",
        "and the next stage is asked: ana@example.com, bo@example.com, cy@example.com",
    ] {
        assert!(page.body.contains(words), "{words} is missing in {}", page.body);
    }
    assert!(page.body.contains("&#60;script&#62;alert(1)") && !page.body.contains("<script>alert"));
    assert!(!page.body.contains("<b>Bold"));
    assert_eq!(page.body.matches("<form").count(), 1);
    assert_eq!(page.body.matches("<button").count(), 2);
    assert!(!page.body.contains("http-equiv"), "a page with a form does not reload itself");
}

#[actix_web::test]
async fn looking_changes_nothing() {
    let stage = asked(one_stage(&["ana@example.com", "bo@example.com"], 1)).await;
    let before = stage.trail().await;
    let link = stage.link("ana@example.com", 0, 1);
    for below in ["", "/progress", "/decision", "/decision?decision=approve", "/nothing"] {
        for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
            stage.call(TestRequest::default().method(method).uri(&format!("{link}{below}"))).await;
        }
    }
    assert_eq!(stage.trail().await, before);
    assert_eq!(stage.state().await, "pending_approval");
}

#[actix_web::test]
async fn an_unknown_token_looks_like_any_unknown_page() {
    let stage = asked(sample::routing()).await;
    let wrong = stage.get("/approve/AAAAAAAA").await;
    let nowhere = stage.get("/nowhere/at/all").await;
    assert_eq!((wrong.status, nowhere.status), (StatusCode::NOT_FOUND, StatusCode::NOT_FOUND));
    assert_eq!(wrong.body, nowhere.body);
    let form = Form {
        link: "/approve/AAAAAAAA",
        decision: "approve",
        comment: "",
        digest: "00".repeat(32),
        token: String::new(),
    };
    assert_eq!(stage.post(&form, &[OURS]).await.body, nowhere.body);
}

#[actix_web::test]
async fn two_stages_say_yes_and_the_second_click_is_no_mistake() {
    let stage = asked(sample::routing()).await;
    let max = stage.link("max@example.com", 0, 1);
    let answer = stage.send(&max, "approve", "She starts on Monday.").await;
    assert_eq!((answer.status, answer.location.as_deref()), (StatusCode::SEE_OTHER, Some(max.as_str())));
    let after = stage.get(&max).await;
    assert!(after.body.contains("Your answer stands") && !after.body.contains("<form"));
    assert!(after.body.contains("http-equiv=\"refresh\""));
    let (ana, bo) = (stage.link("ana@example.com", 1, 1), stage.link("bo@example.com", 1, 1));
    let page = stage.get(&ana).await;
    assert!(page.body.contains("more people of this stage must say yes"));
    assert!(page.body.contains("She starts on Monday."));
    let form = Form {
        link: &ana,
        decision: "approve",
        comment: "",
        digest: hidden(&page, "digest"),
        token: hidden(&page, "form_token"),
    };
    assert_eq!(stage.post(&form, &[OURS]).await.status, StatusCode::SEE_OTHER);
    let again = stage.post(&form, &[OURS]).await;
    assert_eq!(again.status, StatusCode::OK);
    assert!(again.body.contains("Your answer stands"));
    assert_eq!(stage.state().await, "pending_approval");
    assert_eq!(stage.send(&bo, "approve", "").await.status, StatusCode::SEE_OTHER);
    assert_eq!(stage.state().await, "approved");
    let waiting = stage.get(&bo).await;
    assert!(waiting.body.contains("The run begins at 2026-11-30 23:00 UTC"), "{}", waiting.body);
}

#[actix_web::test]
async fn the_loser_of_a_race_is_told_who_won() {
    let stage = asked(one_stage(&["ana@example.com", "bo@example.com"], 1)).await;
    let (ana, bo) = (stage.link("ana@example.com", 0, 1), stage.link("bo@example.com", 0, 1));
    let page = stage.get(&ana).await;
    let form = Form {
        link: &ana,
        decision: "reject",
        comment: "no",
        digest: hidden(&page, "digest"),
        token: hidden(&page, "form_token"),
    };
    assert_eq!(stage.send(&bo, "approve", "").await.status, StatusCode::SEE_OTHER);
    let lost = stage.post(&form, &[OURS]).await;
    assert_eq!(lost.status, StatusCode::CONFLICT);
    assert!(lost.body.contains("bo@example.com approved this request at 2026-11-21 22:53 UTC"));
    assert!(lost.body.contains("Nothing of yours was recorded"));
    assert_eq!(stage.state().await, "approved");
}

#[actix_web::test]
async fn a_no_needs_words_and_then_ends_it() {
    let stage = asked(one_stage(&["ana@example.com", "bo@example.com"], 2)).await;
    let ana = stage.link("ana@example.com", 0, 1);
    let bare = stage.send(&ana, "reject", "  ").await;
    assert_eq!(bare.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(bare.body.contains("Please say in a few words why you reject"));
    assert_eq!(stage.state().await, "pending_approval");
    // A no holds even while the vault has changed.
    stage.regroup();
    assert_eq!(stage.send(&ana, "reject", "wrong <department>").await.status, StatusCode::SEE_OTHER);
    assert_eq!(stage.state().await, "rejected");
    let bo = stage.get(&stage.link("bo@example.com", 0, 1)).await;
    assert!(bo.body.contains("ana@example.com said no") && bo.body.contains("wrong &#60;department&#62;"));
    assert!(!bo.body.contains("<form") && !bo.body.contains("http-equiv"));
}

#[actix_web::test]
async fn an_old_form_is_confirmed_again_and_keeps_its_comment() {
    let stage = asked(one_stage(&["ana@example.com"], 1)).await;
    let ana = stage.link("ana@example.com", 0, 1);
    let page = stage.get(&ana).await;
    stage.clock.0.store(1_801, Ordering::SeqCst);
    let form = Form {
        link: &ana,
        decision: "approve",
        comment: "looks & reads fine",
        digest: hidden(&page, "digest"),
        token: hidden(&page, "form_token"),
    };
    let again = stage.post(&form, &[OURS]).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    assert!(again.body.contains("confirm again") && again.body.contains("looks &#38; reads fine"));
    assert_eq!(stage.state().await, "pending_approval");
    let fresh = Form { token: hidden(&again, "form_token"), ..form };
    assert_eq!(stage.post(&fresh, &[OURS]).await.status, StatusCode::SEE_OTHER);
}

#[actix_web::test]
async fn a_form_from_elsewhere_records_nothing() {
    let stage = asked(one_stage(&["ana@example.com"], 1)).await;
    let ana = stage.link("ana@example.com", 0, 1);
    let page = stage.get(&ana).await;
    let form = Form {
        link: &ana,
        decision: "approve",
        comment: "",
        digest: hidden(&page, "digest"),
        token: hidden(&page, "form_token"),
    };
    for foreign in [&[("origin", "https://evil.example")][..], &[("sec-fetch-site", "cross-site")], &[]] {
        assert_eq!(stage.post(&form, foreign).await.status, StatusCode::FORBIDDEN);
    }
    let forged = Form { token: "1.AAAA".to_owned(), ..form };
    assert_eq!(stage.post(&forged, &[OURS]).await.status, StatusCode::CONFLICT);
    let comment = "x".repeat(20_000);
    let large = Form { comment: &comment, digest: forged.digest.clone(), token: String::new(), ..forged };
    assert_eq!(stage.post(&large, &[OURS]).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(stage.state().await, "pending_approval");
}

#[actix_web::test]
async fn a_group_made_anew_stops_the_yes_and_the_difference_is_shown() {
    let stage = asked(one_stage(&["ana@example.com"], 1)).await;
    let ana = stage.link("ana@example.com", 0, 1);
    let page = stage.get(&ana).await;
    stage.regroup();
    let form = Form {
        link: &ana,
        decision: "approve",
        comment: "",
        digest: hidden(&page, "digest"),
        token: hidden(&page, "form_token"),
    };
    let stopped = stage.post(&form, &[OURS]).await;
    assert_eq!(stopped.status, StatusCode::CONFLICT);
    assert!(stopped.body.contains("with number 7") && stopped.body.contains("with number 31"));
    assert_eq!(stage.state().await, "planning");
    let old = stage.get(&ana).await;
    assert!(old.body.contains("being made again") && old.body.contains("with number 31"));
    stage.plan(2, one_stage(&["ana@example.com"], 1)).await;
    let dead = stage.get(&ana).await;
    assert!(dead.body.contains("Plan 2 took its place") && !dead.body.contains("<form"));
    assert_eq!(stage.post(&form, &[OURS]).await.status, StatusCode::CONFLICT);
    assert_eq!(stage.get(&format!("{ana}/progress")).await.status, StatusCode::GONE);
    assert_eq!(stage.get(&format!("{ana}/live")).await.status, StatusCode::NO_CONTENT);
    let fresh = stage.get(&stage.link("ana@example.com", 0, 2)).await;
    assert!(fresh.body.contains("What is new since plan 1") && fresh.body.contains("<form"));
}

#[actix_web::test]
async fn a_target_that_cannot_be_read_leaves_the_decision_to_the_digest() {
    let stage = asked(one_stage(&["ana@example.com"], 1)).await;
    let words = "no answer".to_owned();
    *stage.target.answer.lock().unwrap() = Err(CallFault::Retry { words, after_seconds: None });
    let ana = stage.link("ana@example.com", 0, 1);
    assert_eq!(stage.send(&ana, "approve", "").await.status, StatusCode::SEE_OTHER);
    assert_eq!(stage.state().await, "approved");
    let chain = sample::plan().workflow.into();
    let told = audit::chain(&stage.kit.store, chain, 0, 100).await.unwrap();
    let decision = told.iter().find(|told| told.event.kind == "decision.recorded").unwrap();
    assert_eq!(decision.text("target_read_at"), Some("not readable in time"));
}

#[actix_web::test]
async fn who_asked_and_whom_it_is_about_get_no_form() {
    let people = ["rita+vault@example.com", "zoe.obrien@example.com", "ana@example.com"];
    let stage = asked(one_stage(&people, 1)).await;
    let rita = stage.get(&stage.link("rita@example.com", 0, 1)).await;
    assert!(rita.body.contains("You asked for this change") && !rita.body.contains("<form"));
    let zoe = stage.get(&stage.link("zoe.obrien@example.com", 0, 1)).await;
    assert!(zoe.body.contains("about your own account") && !zoe.body.contains("<form"));
    let ana = stage.get(&stage.link("ana@example.com", 0, 1)).await;
    let link = stage.link("rita@example.com", 0, 1);
    let form = Form {
        link: &link,
        decision: "approve",
        comment: "",
        digest: hidden(&ana, "digest"),
        token: hidden(&ana, "form_token"),
    };
    assert_eq!(stage.post(&form, &[OURS]).await.status, StatusCode::FORBIDDEN);
    assert_eq!(stage.state().await, "pending_approval");
}

#[actix_web::test]
async fn after_its_time_an_asking_says_so() {
    let stage = asked(one_stage(&["ana@example.com"], 1)).await;
    stage.clock.0.store(259_201, Ordering::SeqCst);
    let ana = stage.link("ana@example.com", 0, 1);
    let page = stage.get(&ana).await;
    assert!(page.body.contains("The time for an answer ended at") && !page.body.contains("<form"));
    let deed = decisions::Expire { stamp: stage.kit.world.stamp(), workflow: sample::plan().workflow };
    stage.kit.store.write(deed).await.unwrap();
    let page = stage.get(&ana).await;
    assert!(page.body.contains("Nobody decided in time") && !page.body.contains("http-equiv"));
}

#[actix_web::test]
async fn a_yes_that_is_ready_after_the_end_of_the_asking_does_not_count() {
    let stage = asked(one_stage(&["ana@example.com"], 1)).await;
    let ana = stage.link("ana@example.com", 0, 1);
    stage.clock.0.store(259_199, Ordering::SeqCst);
    // The form is sent in time, but the vault takes its time to be read.
    stage.target.takes.store(3, Ordering::SeqCst);
    let answer = stage.send(&ana, "approve", "").await;
    assert_ne!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    assert_eq!(stage.state().await, "pending_approval");
    assert!(!stage.trail().await.contains(&"decision.recorded".to_owned()));
}

#[actix_web::test]
async fn the_stream_tells_each_event_by_its_number_and_ends_with_the_run() {
    let stage = asked(one_stage(&["ana@example.com"], 1)).await;
    let ana = stage.link("ana@example.com", 0, 1);
    stage.send(&ana, "reject", "no need").await;
    let live = format!("{ana}/live");
    let all = stage.get(&live).await;
    let ids = |body: &str| -> Vec<i64> {
        body.lines().filter_map(|line| line.strip_prefix("id: ")?.parse().ok()).collect()
    };
    let count = i64::try_from(stage.trail().await.len()).unwrap();
    assert_eq!(ids(&all.body), (1..=count).collect::<Vec<_>>(), "{}", all.body);
    assert!(all.body.contains("event: end"));
    let rest = stage.call(TestRequest::get().uri(&live).insert_header(("last-event-id", "3"))).await;
    assert_eq!(ids(&rest.body), (4..=count).collect::<Vec<_>>());
    let rest = stage.get(&format!("{live}?after={count}")).await;
    assert!(ids(&rest.body).is_empty() && rest.body.contains("event: end"));
}

#[actix_web::test]
async fn every_plain_page_renders() {
    let because = vec![crate::domain::drift::Difference {
        what: "the group <b>".to_owned(),
        planned: "7".to_owned(),
        now: "31\u{202e}".to_owned(),
    }];
    let home = Home::of(&asked(sample::routing()).await.kit);
    let answers: Vec<HttpResponse> = vec![
        super::door::changed(super::door::VAULT_CHANGED, "It is made again.", because)
            .answer(&home, StatusCode::CONFLICT),
        super::door::foreign_form().answer(&home, StatusCode::FORBIDDEN),
        page::unavailable(&home, "Later."),
        page::unknown(&home),
    ];
    for answer in answers {
        let body = to_bytes(answer.into_body()).await.unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        assert!(body.contains("<h1>") && body.contains("lang=\"en\""));
        assert!(!body.contains("<b>") && !body.contains('\u{202e}'));
    }
}
