//! `GET /held` and `GET /held/{id}`: the batches of held leavers, what is proposed about them, and a form for those who
//! may act.
//!
//! Must hold: only reads; nothing is ticked unless the address or the reader has ticked it; whoever confirms sees the
//! very selection that somebody else has proposed. Deliberately absent: taking the form.

use std::collections::BTreeSet;

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use serde::Deserialize;

use super::access::may_look;
use super::bound::bound_to_batch;
use super::list::unreadable;
use super::top::Top;
use crate::domain::canon::Tag;
use crate::domain::ids::{BatchId, WorkflowId};
use crate::domain::names::EmailAddress;
use crate::domain::operator::Operator;
use crate::domain::request::Request;
use crate::domain::time::Timestamp;
use crate::kit::Kit;
use crate::pages::summary_in_words::full_name;
use crate::pages::time_in_words::distance;
use crate::people::{Role, Signed};
use crate::store::batches::{self, Batch, HeldLeaver, Proposal};
use crate::web::home::Home;
use crate::web::page;
use crate::web::visible::visible;

/// So long the page says to whoever acted what they did.
const JUST_NOW_SECONDS: i64 = 120;
/// So many are named in a proposal without being asked for.
const NAMED_AT_ONCE: usize = 12;

#[derive(Template)]
#[template(path = "held.html")]
struct HeldPage {
    home: Home,
    top: Top,
    /// The list's address; the batches lie below it.
    list: String,
    /// Is one batch shown, and not all that are open?
    one: bool,
    /// What must be mended.
    problem: Option<String>,
    /// What has just been done by the reader.
    note: Option<String>,
    batches: Vec<BatchInWords>,
}

/// One batch, to be shown.
struct BatchInWords {
    id: String,
    href: String,
    source: String,
    opened_at: String,
    ago: String,
    held: usize,
    /// For whoever may act, while anything is held.
    form: Option<SettleForm>,
    leavers: Vec<LeaverInWords>,
    standing: Vec<ProposalInWords>,
    settled: Vec<String>,
}

/// The form of a batch.
struct SettleForm {
    token: String,
    typed: String,
}

/// One leaver, to be shown.
struct LeaverInWords {
    id: String,
    href: String,
    who: String,
    person: String,
    account: String,
    at: String,
    since: String,
    words: Option<String>,
    state: String,
    held: bool,
    ticked: bool,
}

/// One proposal that stands, to be shown.
struct ProposalInWords {
    verdict: String,
    by: String,
    at: String,
    until: String,
    reason: String,
    how_many: String,
    who: Vec<String>,
    open: bool,
    workflows: Vec<String>,
    /// Why the reader cannot confirm it, having proposed it.
    own: Option<&'static str>,
}

/// How the page is shown this time.
#[derive(Default)]
pub(super) struct Shown<'s> {
    /// To whom, if they have signed in.
    pub(super) signed: Option<&'s Signed>,
    /// What must be mended in the form.
    pub(super) problem: Option<String>,
    /// What was typed.
    pub(super) typed: String,
    /// Which ones were ticked.
    pub(super) ticked: BTreeSet<WorkflowId>,
}

#[derive(Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    tick: String,
}

/// All open batches as an answer.
pub(super) async fn show(request: HttpRequest, kit: Data<Kit>) -> HttpResponse {
    let signed = match may_look(&kit, &request).await {
        Ok(signed) => signed,
        Err(closed) => return *closed,
    };
    match batches::open_batches(&kit.store).await {
        Ok(batches) => {
            let shown = Shown { signed: signed.as_ref(), ..Shown::default() };
            answer(&kit, &batches, false, StatusCode::OK, &shown)
        }
        Err(fault) => unreadable(&kit, &fault),
    }
}

/// One batch as an answer, open or settled.
pub(super) async fn show_one(
    request: HttpRequest,
    id: Path<String>,
    kit: Data<Kit>,
    query: Result<Query<Asked>, actix_web::Error>,
) -> HttpResponse {
    let signed = match may_look(&kit, &request).await {
        Ok(signed) => signed,
        Err(closed) => return *closed,
    };
    let Some(id) = BatchId::parse(&id) else { return page::unknown(&Home::of(&kit)) };
    match batches::find(&kit.store, id).await {
        Ok(Some(batch)) => {
            let all = query.is_ok_and(|asked| asked.tick == "all");
            let ticked =
                if all { still_held(&batch).map(|one| one.workflow.id).collect() } else { BTreeSet::new() };
            let shown = Shown { signed: signed.as_ref(), ticked, ..Shown::default() };
            one(&kit, batch, StatusCode::OK, &shown)
        }
        Ok(None) => page::unknown(&Home::of(&kit)),
        Err(fault) => unreadable(&kit, &fault),
    }
}

/// The page of one batch.
pub(super) fn one(kit: &Kit, batch: Batch, status: StatusCode, shown: &Shown<'_>) -> HttpResponse {
    answer(kit, &[batch], true, status, shown)
}

fn answer(kit: &Kit, batches: &[Batch], one: bool, status: StatusCode, shown: &Shown<'_>) -> HttpResponse {
    let (home, now) = (Home::of(kit), kit.world.now());
    let list = home.path("/held");
    let note = shown.signed.and_then(|signed| {
        batches.iter().flat_map(|batch| &batch.proposals).rev().find_map(|one| just_done(one, signed, now))
    });
    let page = HeldPage {
        top: Top::of(kit, shown.signed),
        one,
        problem: shown.problem.clone(),
        note: note.filter(|_| shown.problem.is_none()),
        batches: batches.iter().map(|batch| in_words(kit, &list, batch, now, shown)).collect(),
        list,
        home,
    };
    page::html(status, &page)
}

fn still_held(batch: &Batch) -> impl Iterator<Item = &HeldLeaver> {
    batch.leavers.iter().filter(|leaver| leaver.state == "held")
}

fn in_words(kit: &Kit, list: &str, batch: &Batch, now: Timestamp, shown: &Shown<'_>) -> BatchInWords {
    let held: BTreeSet<WorkflowId> = still_held(batch).map(|leaver| leaver.workflow.id).collect();
    let may_act = shown.signed.filter(|signed| signed.role >= Role::Operator && !held.is_empty());
    let form = may_act.map(|signed| {
        let (person, standing) = bound_to_batch(signed, batch, now);
        SettleForm { token: kit.keys.form_token(person, standing, now), typed: shown.typed.clone() }
    });
    let stands = |one: &&Proposal| {
        one.confirmed.is_none()
            && one.holds_until > now
            && one.workflows.is_subset(&held)
            && counts(kit, &one.proposed_by)
    };
    BatchInWords {
        id: batch.id.to_string(),
        href: format!("{list}/{}", batch.id),
        source: batch.source.clone(),
        opened_at: batch.opened_at.in_words(),
        ago: distance(now, batch.opened_at),
        held: held.len(),
        form,
        leavers: batch.leavers.iter().map(|one| leaver(kit, one, &shown.ticked)).collect(),
        standing: batch
            .proposals
            .iter()
            .filter(stands)
            .map(|one| proposal(batch, one, shown.signed))
            .collect(),
        settled: batch.proposals.iter().filter_map(settled).collect(),
    }
}

/// Whose proposals somebody else may confirm: an operator's by the settings of this service.
pub(super) fn counts(kit: &Kit, by: &Operator) -> bool {
    by.address().is_some_and(|address| kit.settings.operators.may_act(address))
}

fn leaver(kit: &Kit, one: &HeldLeaver, ticked: &BTreeSet<WorkflowId>) -> LeaverInWords {
    let workflow = &one.workflow;
    let request: Option<Request> = workflow.request.open(Tag::Request).ok();
    let words = request.as_ref().and_then(|request| request.reason.as_ref());
    let account = match (&workflow.user_name, &workflow.target) {
        (Some(name), Some(target)) => format!("{name} in {target}"),
        (Some(name), None) => name.to_string(),
        (None, Some(target)) => format!("in {target}"),
        (None, None) => String::new(),
    };
    LeaverInWords {
        id: workflow.id.to_string(),
        href: Home::of(kit).path(&format!("/workflows/{}", workflow.id)),
        words: words.map(|words| visible(words.as_str())),
        who: who(one),
        person: visible(workflow.person_ref.as_str()),
        account: visible(&account),
        at: one.held_at.to_string(),
        since: one.held_at.in_words(),
        state: one.state.clone(),
        held: one.state == "held",
        ticked: ticked.contains(&workflow.id),
    }
}

fn who(one: &HeldLeaver) -> String {
    let request: Option<Request> = one.workflow.request.open(Tag::Request).ok();
    request.map_or_else(|| visible(one.workflow.person_ref.as_str()), |request| full_name(&request))
}

fn proposal(batch: &Batch, one: &Proposal, signed: Option<&Signed>) -> ProposalInWords {
    let selected = batch.leavers.iter().filter(|leaver| one.workflows.contains(&leaver.workflow.id));
    let named = |leaver: &HeldLeaver| match &leaver.workflow.user_name {
        Some(name) => format!("{} ({})", who(leaver), visible(name.as_str())),
        None => who(leaver),
    };
    ProposalInWords {
        verdict: one.verdict.clone(),
        by: visible(&one.proposed_by.in_words()),
        at: one.proposed_at.in_words(),
        until: one.holds_until.in_words(),
        reason: visible(&one.reason),
        how_many: how_many(one.workflows.len()),
        who: selected.map(named).collect(),
        open: one.workflows.len() <= NAMED_AT_ONCE,
        workflows: one.workflows.iter().map(ToString::to_string).collect(),
        own: signed.and_then(|signed| own(&one.proposed_by, signed)),
    }
}

/// What two people have done, in one sentence.
fn settled(one: &Proposal) -> Option<String> {
    let (by, at) = one.confirmed.as_ref()?;
    let reason = visible(&one.reason);
    Some(format!(
        "{} {}: proposed by {}, confirmed by {by} at {}: {reason}",
        how_many(one.workflows.len()),
        past(&one.verdict),
        one.proposed_by.in_words(),
        at.in_words()
    ))
}

fn just_done(one: &Proposal, signed: &Signed, now: Timestamp) -> Option<String> {
    let lately = |at: Timestamp| now.since(at).num_seconds() < JUST_NOW_SECONDS;
    let many = how_many(one.workflows.len());
    match &one.confirmed {
        Some((by, at)) if is(by, signed) && lately(*at) => Some(format!(
            "It is recorded: {many} {}, as {} proposed and you confirmed.",
            past(&one.verdict),
            one.proposed_by.name()
        )),
        None if is(one.proposed_by.name(), signed) && lately(one.proposed_at) => Some(format!(
            "Your proposal to {} {many} is recorded. Nothing is done until somebody else confirms it.",
            one.verdict
        )),
        Some(_) | None => None,
    }
}

fn past(verdict: &str) -> &'static str {
    if verdict == "release" { "released" } else { "rejected" }
}

fn how_many(count: usize) -> String {
    if count == 1 { "1 leaver".to_owned() } else { format!("{count} leavers") }
}

/// Is the reader the one who proposed it, so that somebody else must confirm it?
fn own(proposer: &Operator, signed: &Signed) -> Option<&'static str> {
    let own = proposer.is_same_person(&Operator::SignedIn(signed.address.clone()));
    own.then_some("You have proposed it; somebody else must confirm it.")
}

fn is(address: &str, signed: &Signed) -> bool {
    EmailAddress::parse(address).is_ok_and(|address| address.key() == signed.address.key())
}
