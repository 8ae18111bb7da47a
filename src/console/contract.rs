//! `/openapi.json` and `/api/docs`: what programs may ask, for programs and for people.
//!
//! Must hold: the page is made from the document itself, and loads nothing from elsewhere; neither tells anything of
//! this installation, so both are open to everybody. That the document is true is told by
//! `tests/stories/programs_read_the_contract.rs`.

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;
use serde_json::{Map, Value};

use super::top::Top;
use crate::kit::Kit;
use crate::web::home::Home;
use crate::web::page;

const DOCUMENT: &str = include_str!("../../static/openapi.json");

/// The document as a page shows it.
static CONTRACT: LazyLock<Contract> =
    LazyLock::new(|| Contract::of(&serde_json::from_str(DOCUMENT).unwrap_or_default()));

/// The document.
pub(super) async fn document() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(DOCUMENT)
}

/// The page.
pub(super) async fn show(kit: Data<Kit>) -> HttpResponse {
    let (home, top) = (Home::of(&kit), Top::of(&kit, None));
    page::html(StatusCode::OK, &ContractPage { home, top, contract: &CONTRACT })
}

#[derive(Template)]
#[template(path = "contract.html")]
struct ContractPage<'c> {
    home: Home,
    top: Top,
    contract: &'c Contract,
}

struct Contract {
    lead: String,
    operations: Vec<Operation>,
    schemas: Vec<Record>,
}

/// One call.
struct Operation {
    id: String,
    method: String,
    path: String,
    summary: String,
    words: String,
    needs: &'static str,
    parameters: Vec<Field>,
    body: Option<Body>,
    answers: Vec<Answer>,
}

/// What is sent.
struct Body {
    kind: Kind,
    words: String,
    example: Option<String>,
}

/// What comes back.
struct Answer {
    status: String,
    words: String,
    kind: Option<Kind>,
}

/// A record with its fields.
struct Record {
    name: String,
    words: String,
    fields: Vec<Field>,
}

struct Field {
    name: String,
    kind: Kind,
    note: &'static str,
    words: String,
}

/// What a value is, and the record where that is told.
struct Kind {
    words: String,
    record: Option<String>,
}

impl Contract {
    fn of(document: &Value) -> Self {
        let operations = members(&document["paths"]).flat_map(|(path, item)| {
            members(item).map(move |(method, operation)| Operation::of(path, method, operation))
        });
        let schemas = members(&document["components"]["schemas"]);
        Self {
            lead: text(&document["info"]["description"]),
            operations: operations.collect(),
            schemas: schemas.map(|(name, schema)| Record::of(name, schema)).collect(),
        }
    }
}

impl Operation {
    fn of(path: &str, method: &str, operation: &Value) -> Self {
        let named = |scheme: &str| list(&operation["security"]).any(|way| way.get(scheme).is_some());
        let parameter = |parameter: &Value| Field {
            name: text(&parameter["name"]),
            kind: Kind::of(&parameter["schema"]),
            note: match (parameter["in"].as_str(), parameter["required"].as_bool()) {
                (Some("path"), _) => "in the path",
                (_, Some(true)) => "in the query",
                _ => "in the query, if wanted",
            },
            words: text(&parameter["description"]),
        };
        let body = &operation["requestBody"];
        let json = &body["content"]["application/json"];
        Self {
            id: text(&operation["operationId"]),
            method: method.to_uppercase(),
            path: path.to_owned(),
            summary: text(&operation["summary"]),
            words: text(&operation["description"]),
            needs: if named("bearer") {
                "needs an API token"
            } else if named("signature") {
                "needs the proof that the source's settings name"
            } else {
                "open to everybody"
            },
            parameters: list(&operation["parameters"]).map(parameter).collect(),
            body: body.is_object().then(|| Body {
                kind: Kind::of(&json["schema"]),
                words: text(&body["description"]),
                example: serde_json::to_string_pretty(&json["example"])
                    .ok()
                    .filter(|_| json["example"].is_object()),
            }),
            answers: members(&operation["responses"])
                .map(|(status, answer)| Answer::of(status, answer))
                .collect(),
        }
    }
}

impl Answer {
    fn of(status: &str, answer: &Value) -> Self {
        let schema = members(&answer["content"]).next().map(|(_, content)| &content["schema"]);
        let kind = schema.map(Kind::of).filter(|kind| kind.record.is_some());
        Self { status: status.to_owned(), words: text(&answer["description"]), kind }
    }
}

impl Record {
    fn of(name: &str, schema: &Value) -> Self {
        // One of several forms: the fields of all of them.
        let forms: Vec<&Value> = std::iter::once(schema).chain(list(&schema["oneOf"])).collect();
        let field = |form: &Value, name: &str, schema: &Value| {
            let needed = list(&form["required"]).any(|required| required == name);
            Field {
                name: name.to_owned(),
                kind: Kind::of(schema),
                note: if needed { "always" } else { "may be left out" },
                words: text(&schema["description"]),
            }
        };
        let fields = forms
            .iter()
            .flat_map(|form| members(&form["properties"]).map(|(name, schema)| field(form, name, schema)));
        Self { name: name.to_owned(), words: text(&schema["description"]), fields: fields.collect() }
    }
}

impl Kind {
    fn of(schema: &Value) -> Self {
        if let Some(reference) = schema["$ref"].as_str() {
            let name = reference.rsplit('/').next().unwrap_or_default().to_owned();
            return Self { words: name.clone(), record: Some(name) };
        }
        if let Some(choices) = schema["enum"].as_array() {
            let choices: Vec<String> = choices.iter().map(text).collect();
            return Self::plain(format!("one of {}", choices.join(", ")));
        }
        if let Some(only) = schema["const"].as_str() {
            return Self::plain(only.to_owned());
        }
        if let Some(either) = list(&schema["anyOf"]).map(Self::of).reduce(Self::or) {
            return either;
        }
        match &schema["type"] {
            Value::String(name) if name == "array" => {
                let item = Self::of(&schema["items"]);
                Self { words: format!("list of {}", item.words), record: item.record }
            }
            Value::Array(names) => {
                let names: Vec<String> = names.iter().map(text).collect();
                Self::plain(names.join(" or "))
            }
            other => match schema["format"].as_str() {
                Some(format) => Self::plain(format!("{} ({format})", text(other))),
                None => Self::plain(text(other)),
            },
        }
    }

    fn plain(words: String) -> Self {
        Self { words, record: None }
    }

    fn or(self, other: Self) -> Self {
        Self { words: format!("{} or {}", self.words, other.words), record: self.record.or(other.record) }
    }
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
