//! The HR system's one page: hire somebody, and one click for each who moves, leaves or comes back.
//!
//! Must hold: the answer of the receiver is shown as it came, escaped. Deliberately not here: sign-in; the page is
//! part of a demo on loopback.

use actix_web::HttpResponse;
use actix_web::web::{self, Data, Form, ServiceConfig};
use askama::Template;
use serde::Deserialize;

use super::super::mailbox::page;
use super::{Answer, Employee, Hr, HrError, Joiner, Leaver, Mover, Rehire};

/// Routes of the page.
pub(super) fn routes(hr: &Hr) -> impl Fn(&mut ServiceConfig) + Clone + Send + 'static + use<> {
    let hr = hr.clone();
    move |config| {
        config
            .app_data(Data::new(hr.clone()))
            .route("/", web::get().to(form))
            .route("/", web::post().to(hire))
            .route("/move", web::post().to(transfer))
            .route("/leave", web::post().to(dismiss))
            .route("/rehire", web::post().to(rehire));
    }
}

#[derive(Template)]
#[template(path = "simulator/hire.html")]
struct HirePage {
    person: Person,
    staff: Vec<Employee>,
    former: Vec<Employee>,
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
    shown(&hr, example(&hr), None)
}

fn shown(hr: &Hr, person: Person, told: Option<Told>) -> HttpResponse {
    page(&HirePage { person, staff: hr.staff(), former: hr.former(), told })
}

fn example(hr: &Hr) -> Person {
    let example = Joiner::example("", "", &today(hr));
    Person {
        first_name: example.first_name,
        last_name: example.last_name,
        username: example.username,
        email: example.email,
        title: example.title,
        department: example.department,
        manager_email: example.manager_email,
        effective_at: example.effective_at,
    }
}

fn today(hr: &Hr) -> String {
    hr.clock.now().format("%Y-%m-%d").to_string()
}

/// Whom a button is about.
#[derive(Debug, Deserialize)]
struct Pressed {
    person_ref: String,
}

/// The two departments that the demonstration has profiles for.
const DEPARTMENTS: [(&str, &str); 2] = [("IT Ops", "Database Administrator"), ("Platform", "Team Lead")];

async fn transfer(hr: Data<Hr>, pressed: Form<Pressed>) -> HttpResponse {
    let Some(who) = employee(&hr, &pressed.person_ref) else { return nobody(&hr) };
    let (department, title) =
        DEPARTMENTS.into_iter().find(|(name, _)| *name != who.department).unwrap_or(DEPARTMENTS[0]);
    let mover = Mover {
        department: department.to_owned(),
        title: title.to_owned(),
        ..Mover::example(&hr.fresh_ref("move-"), &who.person_ref, &today(&hr))
    };
    let told = told(hr.transfer(&mover).await);
    shown(&hr, example(&hr), Some(told))
}

async fn dismiss(hr: Data<Hr>, pressed: Form<Pressed>) -> HttpResponse {
    let Some(who) = employee(&hr, &pressed.person_ref) else { return nobody(&hr) };
    let leaver = Leaver::example(&hr.fresh_ref("leave-"), &who.person_ref, &today(&hr));
    let told = told(hr.dismiss(&leaver).await);
    shown(&hr, example(&hr), Some(told))
}

async fn rehire(hr: Data<Hr>, pressed: Form<Pressed>) -> HttpResponse {
    let former = hr.former().into_iter().find(|one| one.person_ref == pressed.person_ref);
    let Some(who) = former else {
        let headline = "nobody of that number has left".to_owned();
        return shown(&hr, example(&hr), Some(Told { headline, body: String::new() }));
    };
    let rehire = Rehire {
        department: who.department,
        ..Rehire::example(&hr.fresh_ref("rehire-"), &who.person_ref, &today(&hr))
    };
    let told = told(hr.rehire(&rehire).await);
    shown(&hr, example(&hr), Some(told))
}

fn employee(hr: &Hr, person_ref: &str) -> Option<Employee> {
    hr.staff().into_iter().find(|employee| employee.person_ref == person_ref)
}

fn nobody(hr: &Hr) -> HttpResponse {
    let told = Told { headline: "nobody of that number works here".to_owned(), body: String::new() };
    shown(hr, example(hr), Some(told))
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
    shown(&hr, person, Some(told))
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
