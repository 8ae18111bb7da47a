//! `GET /workflows`: all workflows, newest first, by state, kind, person and words.
//!
//! Must hold: only reads; one page is read at a time, and the counts stop early; an empty list says what to do next.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::access::may_look;
use super::asked::{Asked, NotUnderstood, STATES};
use super::top::Top;
use crate::domain::canon::Tag;
use crate::domain::kind::Kind;
use crate::domain::names::PersonRef;
use crate::domain::request::Request;
use crate::domain::time::Timestamp;
use crate::domain::workflow::State;
use crate::kit::Kit;
use crate::pages::progress::tone;
use crate::pages::summary_in_words::full_name;
use crate::pages::time_in_words::distance;
use crate::store::ReadFault;
use crate::store::board::{self, Place};
use crate::store::listed::{Listed, Unreadable};
use crate::store::workflows::Workflow;
use crate::web::home::Home;
use crate::web::page::{self, Message};
use crate::web::visible::visible;

/// So many stand on a page.
const PAGE: usize = 25;
/// Counting ends here.
const MOST_COUNTED: u64 = 100;
/// A reason is cut here in the list, in characters; the workflow's own page has all of it.
const REASON: usize = 140;
/// The states that are counted at the head of the list: those in which somebody or something is waited for.
const COUNTED: [&str; 4] = ["needs_attention", "pending_approval", "approved", "running"];

#[derive(Template)]
#[template(path = "workflows.html")]
struct ListPage {
    home: Home,
    top: Top,
    here: String,
    troubles: Vec<String>,
    counts: Vec<Count>,
    typed: String,
    person: String,
    states: Vec<Choice>,
    kinds: Vec<Choice>,
    rows: Vec<Row>,
    newer: Option<String>,
    older: Option<String>,
    narrows: bool,
    sources: Vec<String>,
}

/// How many workflows stand in one state.
struct Count {
    href: String,
    words: &'static str,
    how_many: String,
    tone: &'static str,
    chosen: bool,
}

/// One choice of a filter.
struct Choice {
    value: &'static str,
    words: String,
    chosen: bool,
}

/// One workflow in the list.
struct Row {
    href: String,
    who: String,
    person: String,
    kind: String,
    account: String,
    state: String,
    tone: &'static str,
    reason: Option<String>,
    source: String,
    reference: String,
    at: String,
    moment: String,
    ago: String,
}

/// The list as an answer.
pub(super) async fn show(request: HttpRequest, kit: Data<Kit>) -> HttpResponse {
    let signed = match may_look(&kit, &request).await {
        Ok(signed) => signed,
        Err(closed) => return *closed,
    };
    match Asked::read(request.query_string()) {
        Ok(asked) => match gather(&kit, &asked, Top::of(&kit, signed.as_ref())).await {
            Ok(list) => page::html(StatusCode::OK, &list),
            Err(fault) => unreadable(&kit, &fault),
        },
        Err(wrong) => not_understood(&kit, wrong),
    }
}

/// Our own records cannot be read.
pub(super) fn unreadable(kit: &Kit, fault: &ReadFault) -> HttpResponse {
    if let ReadFault::Cleared(at) = fault {
        return page::cleared(&Home::of(kit), *at);
    }
    tracing::error!(%fault, "a page of the console cannot be shown");
    page::unavailable(
        &Home::of(kit),
        "Countersign cannot read its own records just now. Nothing was changed.",
    )
}

fn not_understood(kit: &Kit, wrong: NotUnderstood) -> HttpResponse {
    let home = Home::of(kit);
    Message::new("This list cannot be shown", format!("The address asks for {wrong}."))
        .leading_to(home.path("/workflows"), "Show all workflows")
        .answer(&home, StatusCode::BAD_REQUEST)
}

async fn gather(kit: &Kit, asked: &Asked, top: Top) -> Result<ListPage, ReadFault> {
    let (home, now) = (Home::of(kit), kit.world.now());
    let here = home.path("/workflows");
    let (found, newer, older) = turn(kit, asked).await?;
    let href = |place| format!("{here}?{}", asked.query(place));
    let choices = |all: &[(&'static str, String)], chosen: Option<&str>| {
        let choice = |(value, words): &(&'static str, String)| Choice {
            value,
            words: words.clone(),
            chosen: chosen == Some(*value),
        };
        all.iter().map(choice).collect()
    };
    let states = STATES.map(|(word, words)| (word, words.to_owned()));
    let kinds = Kind::ALL.map(|kind| (kind.as_str(), kind_in_words(kind)));
    Ok(ListPage {
        top,
        troubles: troubles(kit),
        counts: counts(kit, &here, asked).await?,
        typed: asked.typed.clone(),
        person: asked.wanted.person.as_ref().map(PersonRef::to_string).unwrap_or_default(),
        states: choices(&states, asked.wanted.state),
        kinds: choices(&kinds, asked.wanted.kind.map(Kind::as_str)),
        rows: found.iter().map(|listed| in_list(&home, listed, now)).collect(),
        newer: newer.map(href),
        older: older.map(href),
        narrows: asked.narrows(),
        sources: kit.settings.sources.iter().map(|source| source.name.to_string()).collect(),
        here,
        home,
    })
}

/// One page, and from where the pages beside it go on.
async fn turn(kit: &Kit, asked: &Asked) -> Result<(Vec<Listed>, Option<Place>, Option<Place>), ReadFault> {
    let one_more = u64::try_from(PAGE + 1).unwrap_or(u64::MAX);
    let mut place = asked.place;
    let mut found = board::page(&kit.store, &asked.wanted, place, one_more).await?;
    if matches!(place, Place::NewerThan(_)) && found.len() <= PAGE {
        // The newest are on the first page, which is shown whole.
        place = Place::Top;
        found = board::page(&kit.store, &asked.wanted, place, one_more).await?;
    }
    let more = found.len() > PAGE;
    match place {
        Place::NewerThan(_) => {
            found.remove(0);
        }
        Place::Top | Place::OlderThan(_) => found.truncate(PAGE),
    }
    let newer = match place {
        Place::Top => None,
        // Behind the last one there is only the way back.
        Place::OlderThan(_) => Some(found.first().map_or(Place::Top, |first| Place::NewerThan(first.id()))),
        Place::NewerThan(_) => found.first().map(|first| Place::NewerThan(first.id())),
    };
    let last = found.last().map(|last| Place::OlderThan(last.id()));
    let older = match place {
        Place::NewerThan(_) => last,
        Place::Top | Place::OlderThan(_) => last.filter(|_| more),
    };
    Ok((found, newer, older))
}

/// What is wrong with the targets at present, as far as this process has seen.
fn troubles(kit: &Kit) -> Vec<String> {
    let told = kit.targets.iter().filter_map(|(name, target)| Some((name, target.trouble()?)));
    told.map(|(name, words)| format!("The target {name} does not do its part: {}.", visible(&words)))
        .collect()
}

async fn counts(kit: &Kit, here: &str, asked: &Asked) -> Result<Vec<Count>, ReadFault> {
    let mut counts = Vec::with_capacity(COUNTED.len());
    for (word, words) in STATES.into_iter().filter(|(word, _)| COUNTED.contains(word)) {
        let count = board::count_up_to(&kit.store, word, MOST_COUNTED).await?;
        let whole = u64::try_from(count).is_ok_and(|count| count < MOST_COUNTED);
        counts.push(Count {
            href: format!("{here}?state={word}"),
            words,
            how_many: if whole { count.to_string() } else { format!("{MOST_COUNTED} or more") },
            tone: match (count, word) {
                (0, _) => "none",
                (_, "needs_attention") => "alert",
                _ => "going",
            },
            chosen: asked.wanted.state == Some(word),
        });
    }
    Ok(counts)
}

/// A kind as people say it.
pub(super) fn kind_in_words(kind: Kind) -> String {
    kind.as_str().replace('_', " ")
}

fn in_list(home: &Home, listed: &Listed, now: Timestamp) -> Row {
    match listed {
        Listed::Whole(workflow) => row(home, workflow, now),
        Listed::Unreadable(told) => damaged(home, told, now),
    }
}

/// A record that makes no workflow is told in its place.
fn damaged(home: &Home, told: &Unreadable, now: Timestamp) -> Row {
    Row {
        href: home.path(&format!("/workflows/{}", told.id)),
        who: told.id.to_string(),
        person: String::new(),
        kind: String::new(),
        account: String::new(),
        state: visible(&told.state),
        tone: "alert",
        reason: Some("this record cannot be read; it must be mended in the database".to_owned()),
        source: String::new(),
        reference: String::new(),
        at: told.created_at.to_string(),
        moment: told.created_at.in_words(),
        ago: distance(now, told.created_at),
    }
}

fn row(home: &Home, workflow: &Workflow, now: Timestamp) -> Row {
    let request: Option<Request> = workflow.request.open(Tag::Request).ok();
    let account = match (&workflow.user_name, &workflow.target) {
        (Some(name), Some(target)) => format!("{name} in {target}"),
        (Some(name), None) => name.to_string(),
        (None, Some(target)) => format!("in {target}"),
        (None, None) => String::new(),
    };
    let reason = match &workflow.state {
        State::NeedsAttention { reason, .. } | State::Failed { reason } => Some(cut(&visible(reason))),
        State::Approved { .. } | State::Running => {
            workflow.waits_for.map(|_| "waits for another request for this person to come to rest".to_owned())
        }
        State::Planning
        | State::PendingApproval { .. }
        | State::Succeeded
        | State::Rejected
        | State::Expired
        | State::Cancelled
        | State::Superseded => None,
    };
    Row {
        href: home.path(&format!("/workflows/{}", workflow.id)),
        who: request.map_or_else(|| workflow.person_ref.to_string(), |request| full_name(&request)),
        person: workflow.person_ref.to_string(),
        kind: kind_in_words(workflow.kind),
        account: visible(&account),
        state: workflow.state.in_words().to_owned(),
        tone: tone(&workflow.state),
        reason,
        source: workflow.source.to_string(),
        reference: workflow.source_ref.to_string(),
        at: workflow.created_at.to_string(),
        moment: workflow.created_at.in_words(),
        ago: distance(now, workflow.created_at),
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(REASON) {
        Some((end, _)) => format!("{}\u{2026}", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
