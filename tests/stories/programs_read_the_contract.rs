//! Programs read `/openapi.json`, and what they read is true.
//!
//! Must hold: every address for programs stands in the document and none besides; every answer of the running service
//! has a status, a kind of content and a body that the document tells of, no field more and none less; so whoever
//! changes an answer changes the document. The judge below knows every word that the document uses, or fails.

use std::collections::BTreeSet;

use countersign::simulator::hr;
use reqwest::{Method, RequestBuilder};
use secrecy::SecretString;
use serde_json::{Map, Value, json};

use crate::an_approver_decides::looking::ROUTES;
use crate::stage::{Choices, READER, Stage, WEBHOOK_SECRET, WRITER, Whole};

told_on_both! {
    with super::unasked();
    every_answer_is_as_the_document_says
    the_page_for_people_says_all_of_it
}

/// Leavers whose account is known go unasked, but for now none: they are held.
fn unasked() -> Choices {
    let leavers = "[[rules]]\nname = \"leavers\"\nkinds = [\"leaver\"]\napproval = \"none\"\n[[rules]]\nname = \"the rest\"";
    Choices::edited(&[("[[rules]]\nname = \"the rest\"", leavers)])
}

/// Words that say nothing about whether a value fits.
const REMARKS: [&str; 3] = ["description", "title", "examples"];

/// The document, with a note of what was met.
struct Contract {
    document: Value,
    met: BTreeSet<String>,
}

impl Contract {
    async fn read(stage: &Stage) -> Self {
        let answer = stage.open(&format!("{}/openapi.json", stage.url)).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
        Self { document: serde_json::from_str(&answer.body).unwrap(), met: BTreeSet::new() }
    }

    fn paths(&self) -> BTreeSet<String> {
        self.document["paths"].as_object().unwrap().keys().cloned().collect()
    }

    /// Every documented answer, as `METHOD path status`.
    fn answers(&self) -> BTreeSet<String> {
        let mut all = BTreeSet::new();
        for (path, item) in self.document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                for status in operation["responses"].as_object().unwrap().keys() {
                    all.insert(format!("{} {path} {status}", method.to_uppercase()));
                }
            }
        }
        all
    }

    /// Is this answer one that the document tells of?
    fn judge(&mut self, method: &str, path: &str, answer: &Whole) {
        let operation = &self.document["paths"][path][method.to_lowercase()];
        let told = &operation["responses"][answer.status.to_string()];
        let what = format!("{method} {path} {}", answer.status);
        assert!(told.is_object(), "{what} is not in the document: {}", answer.body);
        let kind = answer.header("content-type").split(';').next().unwrap();
        let schema = &told["content"][kind]["schema"];
        assert!(schema.is_object(), "{what}: {kind} is not in the document");
        let body = if kind == "text/plain" {
            json!(answer.body)
        } else {
            serde_json::from_str(&answer.body).unwrap()
        };
        self.fits(&body, schema, &what);
        self.met.insert(what);
    }

    fn fits(&self, value: &Value, schema: &Value, place: &str) {
        if let Err(why) = self.judged(value, schema, place) {
            panic!("{why}");
        }
    }

    fn judged(&self, value: &Value, schema: &Value, place: &str) -> Result<(), String> {
        let wrong = |why: String| Err(format!("{place}: {why}: {value}"));
        for (word, wanted) in schema.as_object().unwrap() {
            match word.as_str() {
                "$ref" => {
                    let name = wanted.as_str().unwrap().strip_prefix("#/components/schemas/").unwrap();
                    self.judged(
                        value,
                        &self.document["components"]["schemas"][name],
                        &format!("{place}/{name}"),
                    )?;
                }
                "type" => {
                    let names = wanted.as_array().cloned().unwrap_or_else(|| vec![wanted.clone()]);
                    if !names.iter().any(|name| is_of(value, name.as_str().unwrap())) {
                        return wrong(format!("not {wanted}"));
                    }
                }
                "enum" if !wanted.as_array().unwrap().contains(value) => {
                    return wrong(format!("not of {wanted}"));
                }
                "const" if wanted != value => return wrong(format!("not {wanted}")),
                "minimum" if value.as_i64() < wanted.as_i64() => return wrong(format!("below {wanted}")),
                "maximum" if value.as_i64() > wanted.as_i64() => return wrong(format!("above {wanted}")),
                "format" => self.format(value, wanted.as_str().unwrap(), place)?,
                "oneOf" | "anyOf" => {
                    let fit = wanted.as_array().unwrap().iter();
                    let fit = fit.filter(|schema| self.judged(value, schema, place).is_ok()).count();
                    if fit != 1 {
                        return wrong(format!("{fit} of the forms fit"));
                    }
                }
                "items" => {
                    for (number, item) in value.as_array().into_iter().flatten().enumerate() {
                        self.judged(item, wanted, &format!("{place}/{number}"))?;
                    }
                }
                "properties" => {
                    for (name, schema) in wanted.as_object().unwrap() {
                        if let Some(inner) = value.get(name) {
                            self.judged(inner, schema, &format!("{place}/{name}"))?;
                        }
                    }
                }
                "required" => {
                    for name in wanted.as_array().unwrap() {
                        if value.is_object() && value.get(name.as_str().unwrap()).is_none() {
                            return wrong(format!("{name} is missing"));
                        }
                    }
                }
                "additionalProperties" => {
                    let none = Map::new();
                    let known = schema["properties"].as_object().unwrap_or(&none);
                    for (name, inner) in value.as_object().into_iter().flatten() {
                        match wanted {
                            _ if known.contains_key(name) => {}
                            Value::Bool(true) => {}
                            Value::Bool(false) => return wrong(format!("{name} is not in the document")),
                            schema => self.judged(inner, schema, &format!("{place}/{name}"))?,
                        }
                    }
                }
                "enum" | "const" | "minimum" | "maximum" => {}
                remark if REMARKS.contains(&remark) => {}
                other => return Err(format!("{place}: the judge does not know the word {other}")),
            }
        }
        Ok(())
    }

    #[expect(clippy::unused_self, reason = "the judge's parts read alike")]
    fn format(&self, value: &Value, format: &str, place: &str) -> Result<(), String> {
        let Some(text) = value.as_str() else { return Ok(()) };
        let fits = match format {
            "uuid" => uuid::Uuid::try_parse(text).is_ok(),
            "date-time" => chrono::DateTime::parse_from_rfc3339(text).is_ok(),
            "uri" => url::Url::parse(text).is_ok(),
            other => return Err(format!("{place}: the judge does not know the format {other}")),
        };
        if fits { Ok(()) } else { Err(format!("{place}: not a {format}: {text}")) }
    }
}

fn is_of(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("the judge does not know the type {other}"),
    }
}

#[test]
fn every_address_for_programs_is_in_the_document_and_the_reverse() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("static/openapi.json");
    let document: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let told: BTreeSet<String> = document["paths"].as_object().unwrap().keys().cloned().collect();
    // Pages for people, their files, and the answers to addresses that lead nowhere.
    let for_people = |route: &str| {
        ["/approve/", "/credentials/", "/static/", "/workflows", "/held", "/reports/", "/sign-"]
            .iter()
            .any(|begin| route.starts_with(begin))
            || ["/api", "/api/docs"].contains(&route)
            || route.contains("{rest:")
    };
    let routes = ROUTES.iter().filter(|route| !for_people(route)).map(|route| (*route).to_owned());
    assert_eq!(told, routes.collect());
}

async fn every_answer_is_as_the_document_says(stage: Stage) {
    let mut contract = Contract::read(&stage).await;
    workflows_are_read(&stage, &mut contract).await;
    movers_and_leavers_are_read(&stage, &mut contract).await;
    leavers_are_reported(&stage, &mut contract).await;
    requests_are_answered(&stage, &mut contract).await;
    operations_are_asked(&stage, &mut contract).await;
    // What cannot be brought about from outside in a story.
    let unmet: BTreeSet<String> = contract.answers().difference(&contract.met).cloned().collect();
    let rare = |answer: &&String| answer.ends_with(" 408") || answer.ends_with(" 503");
    let missed: Vec<&String> = unmet.iter().filter(|answer| !rare(answer)).collect();
    assert!(missed.is_empty(), "no story of {missed:?}");
    assert!(contract.paths().len() >= 9);
}

/// The examples for people who wire a webhook are what the document calls a request; what is not taken is a problem.
async fn requests_are_answered(stage: &Stage, contract: &mut Contract) {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/webhooks");
    for file in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        contract.fits(
            &serde_json::from_str(&text).unwrap(),
            &json!({ "$ref": "#/components/schemas/Request" }),
            "example",
        );
    }
    let asked = &contract.document["paths"]["/webhooks/{source}"]["post"]["requestBody"]["content"];
    let body = asked["application/json"]["example"].to_string();
    let other = json!({ "kind": 7, "surprise": true }).to_string();
    for (path, route) in [("/webhooks/hr", "/webhooks/{source}"), ("/api/v1/requests", "/api/v1/requests")] {
        // The reference of the example is the usual joiner's, and each way in has a person of its own.
        let (reference, person) = if path == "/webhooks/hr" { ("INC", "E10443") } else { ("CHG", "E10444") };
        let body = body.replace("RITM", reference).replace("E10442", person);
        let taken = body.replace(person, "E99");
        let large = "x".repeat(2_000_000);
        for (text, kind, status) in [
            (&body, "application/json", 202),
            (&body, "application/json", 200),
            (&taken, "application/json", 422),
            (&other, "application/json", 422),
            (&"{".to_owned(), "application/json", 400),
            (&body, "text/html", 415),
            (&large, "application/json", 413),
        ] {
            let answer = stage.whole(stage.sent(path, text, kind)).await;
            assert_eq!(answer.status, status, "{path} {kind}: {}", answer.body);
            contract.judge("POST", route, &answer);
        }
        let unsigned = stage.ask("POST", path).header("Content-Type", "application/json").body(body.clone());
        contract.judge("POST", route, &stage.whole(unsigned).await);
        let wrong = stage.whole(stage.ask("PUT", path)).await;
        assert_eq!(wrong.status, 405);
        contract.judge("POST", route, &wrong);
    }
    let lacks = stage.ask("POST", "/api/v1/requests").bearer_auth(READER).body(body);
    let lacks = stage.whole(lacks.header("Content-Type", "application/json")).await;
    contract.judge("POST", "/api/v1/requests", &lacks);
}

async fn workflows_are_read(stage: &Stage, contract: &mut Contract) {
    let workflow = stage.hire_and_approve().await;
    assert_eq!(stage.state(&workflow).await, "succeeded");
    // One that a person must look after, and one that is still being asked about.
    let stuck = stage.hire_told(|body| {
        body["source_ref"] = json!("STUCK");
        body["person_ref"] = json!("E3");
        body["subject"]["username"] = json!("stuck");
        body["employment"]["department"] = json!("Nowhere");
    });
    let stuck = stuck.await;
    let asked = stage.hire_another(77).await;
    let (list, one, trail) = ("/api/v1/workflows", "/api/v1/workflows/{id}", "/api/v1/workflows/{id}/audit");
    let nobody = "0190f1e0-0000-7000-8000-000000000001";
    let mut looks = vec![
        (list, String::new(), 200),
        (list, "?limit=1".to_owned(), 200),
        (list, "?limit=0&colour=red".to_owned(), 400),
        (one, format!("/{nobody}"), 404),
        (one, format!("/{asked}?limit=1"), 400),
        (trail, format!("/{nobody}/audit"), 404),
        (trail, format!("/{asked}/audit?cursor=x"), 400),
        (trail, format!("/{workflow}/audit?limit=2"), 200),
    ];
    for id in [&workflow, &stuck, &asked] {
        looks.push((one, format!("/{id}"), 200));
        looks.push((trail, format!("/{id}/audit?limit=100"), 200));
    }
    for (route, rest, status) in looks {
        let answer = stage.whole(stage.ask("GET", &format!("{list}{rest}")).bearer_auth(READER)).await;
        assert_eq!(answer.status, status, "{rest}: {}", answer.body);
        contract.judge("GET", route, &answer);
    }
    for (route, rest) in
        [(list, String::new()), (one, format!("/{asked}")), (trail, format!("/{asked}/audit"))]
    {
        let path = format!("{list}{rest}");
        contract.judge("GET", route, &stage.whole(stage.ask("GET", &path)).await);
        contract.judge("GET", route, &stage.whole(stage.ask("GET", &path).bearer_auth(WRITER)).await);
        contract.judge("GET", route, &stage.whole(stage.ask("PUT", &path).bearer_auth(READER)).await);
    }
}

/// Of the leavers that are there by now, some are held and have no end yet.
async fn leavers_are_reported(stage: &Stage, contract: &mut Contract) {
    let path = "/api/v1/reports/leavers";
    for (query, status) in [("", 200), ("?limit=1", 200), ("?from=yesterday&to=2027-13-01&colour=red", 400)] {
        let answer = stage.whole(stage.ask("GET", &format!("{path}{query}")).bearer_auth(READER)).await;
        assert_eq!(answer.status, status, "{query}: {}", answer.body);
        contract.judge("GET", path, &answer);
    }
    contract.judge("GET", path, &stage.whole(stage.ask("GET", path)).await);
    contract.judge("GET", path, &stage.whole(stage.ask("GET", path).bearer_auth(WRITER)).await);
    contract.judge("GET", path, &stage.whole(stage.ask("PUT", path).bearer_auth(READER)).await);
}

/// Whoever moves, is held, waits for somebody's hand, or was asked for and may not be touched.
async fn movers_and_leavers_are_read(stage: &Stage, contract: &mut Contract) {
    let moved = stage.moves("MOVE").await;
    is_read(stage, contract, &moved, ("pending_approval", "mover")).await;
    stage.both_approve().await;
    assert_eq!(stage.rest(&moved).await, "succeeded", "{}", stage.reason(&moved).await);
    is_read(stage, contract, &moved, ("succeeded", "mover")).await;
    let held = stage.leaves("HELD", json!({ "subject": {} })).await;
    is_read(stage, contract, &held, ("needs_attention", "leaver")).await;
    let user = json!({ "username": "indirectory", "source": "LDAP", "userDN": "CN=x,DC=example,DC=com" });
    stage.simulator.vault.add_user(&user).unwrap();
    let parts = json!({ "person_ref": "E5", "subject": { "username": "indirectory" } });
    let by_hand = stage.leaves("BY-HAND", parts).await;
    stage.both_approve().await;
    assert_eq!(stage.rest(&by_hand).await, "needs_attention");
    assert!(stage.reason(&by_hand).await.contains("by hand"), "{}", stage.reason(&by_hand).await);
    is_read(stage, contract, &by_hand, ("needs_attention", "leaver")).await;
    let parts = json!({ "person_ref": "E6", "subject": { "username": "breakglass1" } });
    let protected = stage.leaves("PROTECTED", parts).await;
    is_read(stage, contract, &protected, ("needs_attention", "leaver")).await;
}

/// The workflow and every page of its trail are as the document says.
async fn is_read(stage: &Stage, contract: &mut Contract, id: &str, (state, kind): (&str, &str)) {
    let list = "/api/v1/workflows";
    let ask = async |rest: String| {
        stage.whole(stage.ask("GET", &format!("{list}{rest}")).bearer_auth(READER)).await
    };
    let one = ask(format!("/{id}")).await;
    contract.judge("GET", "/api/v1/workflows/{id}", &one);
    let told: Value = serde_json::from_str(&one.body).unwrap();
    assert_eq!((&told["state"], &told["kind"]), (&json!(state), &json!(kind)), "{}", one.body);
    let mut next = String::new();
    loop {
        let page = ask(format!("/{id}/audit?limit=3{next}")).await;
        contract.judge("GET", "/api/v1/workflows/{id}/audit", &page);
        let page: Value = serde_json::from_str(&page.body).unwrap();
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        next = format!("&cursor={cursor}");
    }
    contract.judge("GET", list, &ask("?limit=100".to_owned()).await);
}

async fn operations_are_asked(stage: &Stage, contract: &mut Contract) {
    for path in ["/healthz", "/readyz", "/metrics", "/openapi.json"] {
        contract.judge("GET", path, &stage.whole(stage.ask("GET", path)).await);
    }
    stage.service.kit.store.close().await;
    contract.judge("GET", "/readyz", &stage.whole(stage.ask("GET", "/readyz")).await);
}

async fn the_page_for_people_says_all_of_it(stage: Stage) {
    let contract = Contract::read(&stage).await;
    let page = stage.open(&format!("{}/api/docs", stage.url)).await;
    assert_eq!(page.status, 200);
    for path in contract.paths() {
        assert!(page.body.contains(&path), "{path} is missing");
    }
    for (name, schema) in contract.document["components"]["schemas"].as_object().unwrap() {
        assert!(page.body.contains(&format!("<h3 id=\"{name}\">")), "{name} is missing");
        for field in schema["properties"].as_object().into_iter().flatten() {
            assert!(
                page.body.contains(&format!("<code>{}</code>", field.0)),
                "{name}/{} is missing",
                field.0
            );
        }
    }
    // Every link within the page leads somewhere.
    for link in page.body.split("href=\"#").skip(1) {
        let place = link.split('"').next().unwrap();
        assert!(page.body.contains(&format!("id=\"{place}\"")), "nothing is at #{place}");
    }
    for elsewhere in ["src=\"http", "href=\"http", "url(http"] {
        assert!(!page.body.contains(elsewhere), "{elsewhere}");
    }
    assert_eq!(page.body.matches("<h1").count(), 1);
}

impl Stage {
    fn ask(&self, method: &str, path: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        self.browser.request(method, format!("{}{path}", self.url))
    }

    /// A message of the source behind this address, with its proof.
    fn sent(&self, path: &str, body: &str, kind: &str) -> RequestBuilder {
        let request = self.ask("POST", path).header("Content-Type", kind).body(body.to_owned());
        if path == "/api/v1/requests" {
            return request.bearer_auth(WRITER);
        }
        let (secret, at) = (SecretString::from(WEBHOOK_SECRET), self.clock.read().timestamp());
        let signature = hr::sign(&secret, "msg_contract", at, body.as_bytes()).unwrap();
        let request = request.header("webhook-id", "msg_contract").header("webhook-signature", signature);
        request.header("webhook-timestamp", at.to_string())
    }
}
