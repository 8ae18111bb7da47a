mod privileged;
mod eligible;

use std::time::Duration;

use serde_json::{Value, json};

use super::profiles::{NoSingleProfile, choose_profile, compile_profiles};
use super::routing::{Unasked, Wanted, compile_rules, route};
use super::*;
use crate::config::tests::{GOOD, load};
use crate::domain::kind::Kind;
use crate::domain::names::{EmailAddress, TargetName, UserName};
use crate::domain::operator::Concerned;
use crate::domain::routing::{AskedAs, Because, ResolvedStage, Routing};

/// Long enough for a loaded machine; the one test of the time limit sets its own.
const PATIENT: Duration = Duration::from_secs(30);

fn engine() -> Engine {
    Engine::start(PATIENT).unwrap()
}

#[tokio::test]
async fn a_manager_who_is_asked_in_the_next_stage_too_leaves_it_one_person_less() {
    // Ana, Bo and Cy are asked after the manager, and all three of them must say yes.
    let mut by_ana = joiner();
    by_ana["employment"]["manager"]["email"] = json!("Ana+hr@example.com");
    let routing = routed(GOOD, Kind::Joiner, &by_ana).await;
    assert_eq!(routing.rule, "the rest");
    assert_eq!(routing.because, Because::TooFewPeople { rule: "joiners".to_owned() });
    let two = GOOD.replacen("quorum = 3", "quorum = 2", 1);
    assert_eq!(routed(&two, Kind::Joiner, &by_ana).await.rule, "joiners");
}

fn joiner() -> Value {
    json!({
        "kind": "joiner",
        "sequence": 7,
        "subject": {"username": "zobrien", "email": "zoe@example.com"},
        "employment": {
            "department": "IT Ops",
            "type": "employee",
            "manager": {"email": "max@example.com"}
        }
    })
}

async fn ask(text: &str) -> Result<Verdict, RuleFault> {
    let engine = engine();
    engine.holds(&engine.compile(text).unwrap(), &joiner()).await
}

#[tokio::test]
async fn a_condition_is_answered_with_true_or_false_only() {
    for (text, said) in [
        ("req.employment.department == 'IT Ops'", Ok(Verdict::Holds)),
        ("req.employment.department.lowerAscii() == 'it'", Ok(Verdict::DoesNot)),
        ("req.sequence == 7 && req.sequence > 6", Ok(Verdict::Holds)),
        ("req.?ticket.?id.orValue('none') == 'none'", Ok(Verdict::Holds)),
        ("has(req.employment.title)", Ok(Verdict::DoesNot)),
        ("'false'", Err(RuleFault::NotYesOrNo { found: "text" })),
        ("req.sequence", Err(RuleFault::NotYesOrNo { found: "number" })),
        ("'false' ? true : true", Err(RuleFault::Unfitting)),
        ("req.employment.department > 3", Err(RuleFault::Unfitting)),
        ("req.ticket.id != 'x'", Err(RuleFault::MissingField { field: "\"ticket\"".to_owned() })),
        ("req.employment.title != 'x'", Err(RuleFault::MissingField { field: "\"title\"".to_owned() })),
        ("req[req.subject.email] == 'x'", Err(RuleFault::MissingField { field: "a field".to_owned() })),
    ] {
        assert_eq!(ask(text).await, said, "{text}");
    }
}

#[test]
fn what_could_run_long_or_names_nothing_is_refused_at_the_start() {
    let engine = engine();
    let refusal = |text: &str| engine.compile(text).unwrap_err();
    let deep = "req.a.all(x, req.a.all(y, req.a.all(z, x == z)))";
    assert_eq!(refusal(deep), RuleFault::LoopsTooDeep);
    let wide = ["req.a.all(x, x == 1)"; 5].join(" && ");
    assert_eq!(refusal(&wide), RuleFault::TooManyLoops);
    assert!(engine.compile(&["req.a.all(x, x == 1)"; 4].join(" && ")).is_ok());
    // One loop over the result of another runs after it, not within it.
    assert!(engine.compile("req.a.map(x, x + 1).filter(x, x > 1).exists(x, x == 3)").is_ok());
    assert_eq!(refusal("request.kind == 'joiner'"), RuleFault::UnknownName { name: "request".to_owned() });
    assert_eq!(refusal("req.a.all(x, y)"), RuleFault::UnknownName { name: "y".to_owned() });
    for (text, name) in [
        ("lists.range(9) == []", "range"),
        ("req.kind.replace('a', 'b') == ''", "replace"),
        ("'%s'.format([req.kind]) == ''", "format"),
        ("now() == 1", "now"),
    ] {
        assert_eq!(refusal(text), RuleFault::UnknownFunction { name: name.to_owned() }, "{text}");
    }
    assert_eq!(refusal("req.kind ==\n  == 'a'"), RuleFault::NotCel { line: 2, column: 3 });
    assert!(matches!(refusal(&"(".repeat(1_900)), RuleFault::NotCel { .. }));
}

#[tokio::test]
async fn a_long_flat_sum_fits_the_stack_and_more_is_refused() {
    let engine = engine();
    let sum = |terms| vec!["1"; terms].join("+");
    let fits = engine.compile(&format!("{} == 900", sum(900))).unwrap();
    assert_eq!(engine.holds(&fits, &joiner()).await, Ok(Verdict::Holds));
    assert_eq!(engine.compile(&sum(1_001)).unwrap_err(), RuleFault::TooLong);
    // The deepest shapes that fit into the length. Whether they give an answer or a fault does not matter: neither
    // ends the process.
    let shapes = [
        sum(1_000),
        format!("req{}", ".a".repeat(998)),
        format!("{}1", "-1-".repeat(666)),
        format!("{}true{}", "true?".repeat(280), ":true".repeat(110)),
        format!("{}1{}", "[".repeat(999), "]".repeat(999)),
    ];
    for text in shapes {
        if let Ok(deep) = engine.compile(&text) {
            assert!(engine.holds(&deep, &joiner()).await.is_err());
        }
    }
    let chain = format!("{}true", "false?false:".repeat(90));
    let deep = engine.compile(&chain).unwrap();
    assert_eq!(engine.holds(&deep, &joiner()).await, Ok(Verdict::Holds));
}

#[tokio::test]
async fn a_slow_condition_is_abandoned_and_the_next_one_is_answered() {
    let engine = Engine::start(Duration::from_millis(40)).unwrap();
    let slow = engine.compile("req.many.all(x, req.many.all(y, x + y >= 0))").unwrap();
    let quick = engine.compile("req.many[1] == 1").unwrap();
    let req = json!({ "many": (0..700).collect::<Vec<i64>>() });
    assert_eq!(engine.holds(&slow, &req).await, Err(RuleFault::TooSlow));
    // The first try may meet a machine that is busy with the abandoned thread.
    let mut answers = Vec::new();
    for _ in 0..5 {
        answers.push(engine.holds(&quick, &json!({ "many": [0, 1] })).await);
    }
    assert!(answers.contains(&Ok(Verdict::Holds)), "{answers:?}");
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_no_one_waiting() {
    let engine = engine();
    let slow = engine.compile("req.many.all(x, req.many.all(y, x + y >= 0))").unwrap();
    let quick = engine.compile("req.many[1] == 1").unwrap();
    let req = json!({ "many": (0..900).collect::<Vec<i64>>() });
    let left = tokio::time::timeout(Duration::from_millis(20), engine.holds(&slow, &req)).await;
    assert!(left.is_err());
    assert_eq!(engine.holds(&quick, &req).await, Ok(Verdict::Holds));
}

const SECOND_PROFILE: &str = r#"
[[profiles]]
name = "second"
when = "WHEN"
target = "vault"
user_type = "BasicUser"
location = "\\Users"
"#;

async fn chosen(when: &str, req: &Value) -> Result<String, NoSingleProfile> {
    let settings = load(&format!("{GOOD}{}", SECOND_PROFILE.replace("WHEN", when))).unwrap();
    let engine = engine();
    let profiles = compile_profiles(&engine, &settings).unwrap();
    let target = TargetName::parse("vault").unwrap();
    choose_profile(&engine, &profiles, &target, req).await.map(|profile| profile.name.to_string())
}

#[tokio::test]
async fn exactly_one_profile_must_match() {
    let elsewhere = json!({ "employment": { "department": "Sales" } });
    assert_eq!(chosen("false", &joiner()).await, Ok("dba".to_owned()));
    assert_eq!(chosen("true", &elsewhere).await, Ok("second".to_owned()));
    let said = |outcome: Result<String, NoSingleProfile>| outcome.unwrap_err().to_string();
    assert_eq!(said(chosen("true", &joiner()).await), "several profiles match this request: dba, second");
    assert_eq!(
        said(chosen("false", &elsewhere).await),
        "no profile for the target \"vault\" matches this request"
    );
    assert_eq!(
        said(chosen("true", &json!({ "employment": {} })).await),
        "the condition of the profile \"dba\" needs \"department\", which the request does not have"
    );
}

async fn routed(text: &str, kind: Kind, req: &Value) -> Routing {
    let settings = load(text).unwrap();
    let engine = engine();
    let rules = compile_rules(&engine, &settings).unwrap();
    let concerned = concerned(req);
    let wanted = Wanted { kind, req, unasked: Unasked::No, privileged: None, concerned: &concerned };
    route(&engine, &rules, &settings, &wanted).await.unwrap()
}

/// Whom a request of these tests concerns.
fn concerned(req: &Value) -> Concerned {
    let text = |place| req.pointer(place).and_then(Value::as_str);
    let address = |place| text(place).and_then(|text| EmailAddress::parse(text).ok());
    Concerned {
        requester: address("/ticket/requested_by"),
        addresses: address("/subject/email").into_iter().collect(),
        accounts: text("/subject/username").and_then(|text| UserName::parse(text).ok()).into_iter().collect(),
    }
}

fn people(stage: &ResolvedStage) -> Vec<String> {
    stage.people().iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn the_first_matching_rule_names_the_people() {
    let routing = routed(GOOD, Kind::Joiner, &joiner()).await;
    assert_eq!((routing.rule.as_str(), &routing.because), ("joiners", &Because::FirstMatch));
    assert_eq!(people(&routing.stages[0]), ["max@example.com"]);
    assert_eq!(people(&routing.stages[1]), ["ana@example.com", "bo@example.com", "cy@example.com"]);
    let words: Vec<String> = routing.stages[1].asked_as().map(ToString::to_string).collect();
    assert_eq!(words, ["group pam-admins", "cy@example.com"]);
    assert_eq!((routing.stages[1].pools[0].quorum, routing.expire_after_seconds), (3, 72 * 3_600));
    let stored = serde_json::to_string(&routing).unwrap();
    assert_eq!(serde_json::from_str::<Routing>(&stored).unwrap(), routing);
}

#[tokio::test]
async fn the_default_rule_is_taken_and_says_why() {
    let contractor = json!({ "employment": { "type": "contractor" } });
    let no_type = json!({ "employment": { "manager": { "email": "max@example.com" } } });
    let mut no_manager = joiner();
    no_manager["employment"]["manager"] = json!({ "name": "Max" });
    let mut own_manager = joiner();
    own_manager["employment"]["manager"]["email"] = json!("Zoe+hr@example.com");
    let rule = || "joiners".to_owned();
    let failed = "needs \"type\", which the request does not have".to_owned();
    let mut cy_asks = joiner();
    cy_asks["ticket"] = json!({ "requested_by": "cy@example.com" });
    // The decision rule takes whoever is called like the account for its owner.
    let mut called_cy = joiner();
    called_cy["subject"]["username"] = json!("Cy");
    let mut called_max = joiner();
    called_max["subject"]["username"] = json!("MAX");
    for (kind, req, because) in [
        (Kind::Joiner, &contractor, Because::NothingElseMatched),
        (Kind::Leaver, &joiner(), Because::NothingElseMatched),
        (Kind::Joiner, &no_type, Because::ConditionFailed { rule: rule(), fault: failed }),
        (Kind::Joiner, &no_manager, Because::ManagerUnknown { rule: rule() }),
        (Kind::Joiner, &own_manager, Because::ManagerUnknown { rule: rule() }),
        (Kind::Joiner, &cy_asks, Because::TooFewPeople { rule: rule() }),
        (Kind::Joiner, &called_cy, Because::TooFewPeople { rule: rule() }),
        (Kind::Joiner, &called_max, Because::ManagerUnknown { rule: rule() }),
    ] {
        let routing = routed(GOOD, kind, req).await;
        assert_eq!((routing.rule.as_str(), routing.because), ("the rest", because));
        assert_eq!(people(&routing.stages[0]), ["ana@example.com", "bo@example.com"]);
    }
}

#[tokio::test]
async fn nobody_is_asked_only_about_people_whose_account_is_known() {
    let at_once = "[[rules]]\nname = \"at once\"\nkinds = [\"leaver\"]\nwhen = \"req.employment.type == 'intern'\"\n\
                   approval = \"none\"\n[[rules]]\nname = \"joiners\"";
    let settings = load(&GOOD.replacen("[[rules]]\nname = \"joiners\"", at_once, 1)).unwrap();
    let engine = engine();
    let rules = compile_rules(&engine, &settings).unwrap();
    let intern = json!({ "employment": { "type": "intern" } });
    let employee = json!({ "employment": { "type": "employee" } });
    let unknown = Because::AccountUnknown { rule: "at once".to_owned() };
    let failed = Because::ConditionFailed {
        rule: "at once".to_owned(),
        fault: "needs \"employment\", which the request does not have".to_owned(),
    };
    for (kind, req, unasked, rule, because, budget) in [
        (Kind::Leaver, &intern, Unasked::PerHour(5), "at once", Because::FirstMatch, Some(5)),
        (Kind::Leaver, &intern, Unasked::PerHour(0), "at once", Because::FirstMatch, Some(0)),
        (Kind::Leaver, &intern, Unasked::No, "the rest", unknown, None),
        (Kind::Leaver, &employee, Unasked::PerHour(5), "the rest", Because::NothingElseMatched, None),
        (Kind::Leaver, &json!({}), Unasked::PerHour(5), "the rest", failed, None),
        (Kind::Mover, &intern, Unasked::PerHour(5), "the rest", Because::NothingElseMatched, None),
    ] {
        let concerned = concerned(req);
        let wanted = Wanted { kind, req, unasked, privileged: None, concerned: &concerned };
        let routing = route(&engine, &rules, &settings, &wanted).await.unwrap();
        assert_eq!((routing.rule.as_str(), routing.because), (rule, because));
        assert_eq!(routing.timing.unasked_per_hour, budget, "{kind} {unasked:?}");
        assert_eq!(routing.stages.is_empty(), budget.is_some());
    }
}

#[test]
fn every_bad_condition_is_told_at_once_with_its_key() {
    let text = GOOD
        .replace("req.employment.department == 'IT Ops'", "req.employment.department ==")
        .replace("req.employment.type != 'contractor'", "employment.type != 'contractor'");
    let faults = Policy::compile(&engine(), &load(&text).unwrap()).unwrap_err();
    let said: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "c.toml: profiles[0].when: is not a CEL expression: line 1, column 29",
            "c.toml: rules[0].when: names \"employment\", which is not known; a condition sees the request as req",
        ]
    );
}
