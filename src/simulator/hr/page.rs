//! The HR system's one page: hire somebody.
//!
//! Must hold: the answer of the receiver is shown as it came, escaped. Deliberately not here: sign-in; the page is
//! part of a demo on loopback.

use actix_web::HttpResponse;
use actix_web::web::{self, Data, Form, ServiceConfig};
use askama::Template;
use serde::Deserialize;

use super::super::mailbox::page;
use super::{Answer, Hr, HrError, Joiner};

/// Routes of the page.
pub(super) fn routes(hr: &Hr) -> impl Fn(&mut ServiceConfig) + Clone + Send + 'static + use<> {
    let hr = hr.clone();
    move |config| {
        config
            .app_data(Data::new(hr.clone()))
            .route("/", web::get().to(form))
            .route("/", web::post().to(hire));
    }
}

#[derive(Template)]
#[template(path = "simulator/hire.html")]
struct HirePage {
    person: Person,
    told: Option<Told>,
}

/// What came of it, for the page.
struct Told {
    headline: String,
    body: String,
}

/// What the form asks for; empty fields are filled in by the HR system.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Person {
    first_name: String,
    last_name: String,
    username: String,
    email: String,
    title: String,
    department: String,
    manager_email: String,
    effective_at: String,
}

async fn form(hr: Data<Hr>) -> HttpResponse {
    let example = Joiner::example("", "", &hr.clock.now().format("%Y-%m-%d").to_string());
    let person = Person {
        first_name: example.first_name,
        last_name: example.last_name,
        username: example.username,
        email: example.email,
        title: example.title,
        department: example.department,
        manager_email: example.manager_email,
        effective_at: example.effective_at,
    };
    page(&HirePage { person, told: None })
}

async fn hire(hr: Data<Hr>, person: Form<Person>) -> HttpResponse {
    let mut person = person.into_inner();
    complete(&hr, &mut person);
    let joiner = Joiner {
        username: person.username.clone(),
        first_name: person.first_name.clone(),
        last_name: person.last_name.clone(),
        email: person.email.clone(),
        title: person.title.clone(),
        department: person.department.clone(),
        manager_email: person.manager_email.clone(),
        ..Joiner::example(&hr.fresh_ref("hire-"), &hr.fresh_ref("E"), &person.effective_at)
    };
    let told = told(hr.hire(&joiner).await);
    page(&HirePage { person, told: Some(told) })
}

fn complete(hr: &Hr, person: &mut Person) {
    if person.username.is_empty() {
        let letters = |text: &str| -> String { text.chars().filter(char::is_ascii_alphanumeric).collect() };
        let initial: String = letters(&person.first_name).chars().take(1).collect();
        person.username = format!("{initial}{}", letters(&person.last_name)).to_lowercase();
    }
    if person.email.is_empty() {
        person.email = format!("{}@example.com", person.username);
    }
    if person.effective_at.is_empty() {
        person.effective_at = hr.clock.now().format("%Y-%m-%d").to_string();
    }
}

fn told(result: Result<Answer, HrError>) -> Told {
    match result {
        Ok(Answer { status, body }) => {
            let headline = match status {
                202 => "202: received, a workflow has begun".to_owned(),
                200 => "200: received before".to_owned(),
                other => format!("{other}: refused"),
            };
            Told { headline, body }
        }
        Err(error) => Told { headline: error.to_string(), body: String::new() },
    }
}
