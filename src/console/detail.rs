//! `GET /workflows/{id}`: one workflow: where it stands, its plan in words, what was said and what was sent; and what
//! can be done where it has stopped.
//!
//! Must hold: only reads; a workflow without a plan is shown by what its request says.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use serde::Deserialize;

use super::access::may_look;
use super::bound::form_token;
use super::held::counts;
use super::list::{kind_in_words, unreadable};
use super::sight::{Current, MOST_EVENTS, Sight};
use super::top::Top;
use super::ways::{Way, ways};
use crate::domain::approval::Verdict;
use crate::domain::audit::EventKind;
use crate::domain::ids::WorkflowId;
use crate::domain::operator::{Operator, may_act};
use crate::domain::time::Timestamp;
use crate::domain::workflow::State;
use crate::kit::Kit;
use crate::pages::live;
use crate::pages::plan_in_words::{Line, Material, PlanInWords, asker, person, plan_in_words, replaced};
use crate::pages::progress::Progress;
use crate::pages::summary_in_words::full_name;
use crate::pages::time_in_words::{distance, span};
use crate::pages::timeline::event_in_words;
use crate::people::{Role, Signed};
use crate::store::cancel::may_be_cancelled;
use crate::store::decisions::Recorded;
use crate::store::outbox::OwedMessage;
use crate::store::workflows::{self, Workflow};
use crate::web::home::Home;
use crate::web::page;
use crate::web::visible::visible;

/// So long the page says to whoever acted what they did.
const JUST_NOW_SECONDS: i64 = 120;

#[derive(Template)]
#[template(path = "workflow.html")]
struct WorkflowPage {
    home: Home,
    top: Top,
    /// For whoever may act.
    form: Option<ActForm>,
    /// For two operators, while a leaver has not begun.
    cancel: Option<CancelForm>,
    /// Why an operator may not act here.
    not_yours: Option<String>,
    /// What must be mended in it.
    problem: Option<String>,
    /// What has just been done by the reader.
    note: Option<String>,
    /// The page's own address; all others lie below it.
    here: String,
    list: String,
    of_person: String,
    title: String,
    kind: String,
    reason: Option<String>,
    ways: Vec<Way>,
    progress: Progress,
    plan: Option<PlanInWords>,
    asker: Vec<Line>,
    person: Vec<Line>,
    facts: Vec<Line>,
    /// The other parts of the request.
    parts: Vec<Part>,
    said: Vec<Said>,
    messages: Vec<Message>,
    more_events: bool,
}

impl WorkflowPage {
    #[expect(clippy::unused_self, reason = "the part that shows a plan asks each page for its own title")]
    fn steps_title(&self) -> &'static str {
        "The plan, step by step"
    }
}

/// The one form, with a button for each way.
struct ActForm {
    /// That it was shown to this person, lately, about the workflow as it stands.
    token: String,
    /// What was typed before.
    typed: String,
}

/// Another part of the request, to be shown.
struct Part {
    href: String,
    target: String,
    state: &'static str,
}

/// One answer, to be shown.
struct Said {
    by: String,
    verdict: &'static str,
    about: String,
    at: String,
    comment: String,
}

/// One message, to be shown.
struct Message {
    kind: String,
    to: String,
    standing: String,
    tone: &'static str,
    fault: Option<String>,
}

/// The page as an answer.
pub(super) async fn show(request: HttpRequest, id: Path<String>, kit: Data<Kit>) -> HttpResponse {
    let signed = match may_look(&kit, &request).await {
        Ok(signed) => signed,
        Err(closed) => return *closed,
    };
    let shown = Shown { signed: signed.as_ref(), problem: None, typed: String::new() };
    match find(&kit, &id).await {
        Ok(sight) => answer(&kit, &sight, StatusCode::OK, &shown),
        Err(answer) => answer,
    }
}

/// How the page is shown this time.
pub(super) struct Shown<'s> {
    /// To whom, if they have signed in.
    pub(super) signed: Option<&'s Signed>,
    /// What must be mended in the form.
    pub(super) problem: Option<String>,
    /// What was typed.
    pub(super) typed: String,
}

/// The page as an answer.
pub(super) fn answer(kit: &Kit, sight: &Sight, status: StatusCode, shown: &Shown<'_>) -> HttpResponse {
    page::html(status, &assemble(kit, sight, shown))
}

/// Where it stands, alone.
pub(super) async fn progress(request: HttpRequest, id: Path<String>, kit: Data<Kit>) -> HttpResponse {
    if let Err(closed) = may_look(&kit, &request).await {
        return *closed;
    }
    match find(&kit, &id).await {
        Ok(sight) => page::html(StatusCode::OK, &sight.progress(&kit)),
        Err(answer) => answer,
    }
}

#[derive(Deserialize)]
pub(super) struct After {
    after: Option<i64>,
}

/// Each event as it comes.
pub(super) async fn follow(
    request: HttpRequest,
    id: Path<String>,
    kit: Data<Kit>,
    query: Result<Query<After>, actix_web::Error>,
) -> HttpResponse {
    let reader = match may_look(&kit, &request).await {
        Ok(signed) => signed.map_or(live::Reader::Anybody, |signed| live::Reader::InSession(signed.session)),
        Err(closed) => return *closed,
    };
    let Some(id) = WorkflowId::parse(&id) else { return page::unknown(&Home::of(&kit)) };
    match workflows::find(&kit.store, id).await {
        Ok(Some(_)) => {
            let after = live::position(&request, query.ok().and_then(|query| query.after));
            live::answer(&request, &kit, reader, (id, after))
        }
        Ok(None) => page::unknown(&Home::of(&kit)),
        Err(fault) => unreadable(&kit, &fault),
    }
}

async fn find(kit: &Kit, id: &str) -> Result<Sight, HttpResponse> {
    let Some(id) = WorkflowId::parse(id) else { return Err(page::unknown(&Home::of(kit))) };
    match Sight::of(kit, id).await {
        Ok(Some(sight)) => Ok(sight),
        Ok(None) => Err(page::unknown(&Home::of(kit))),
        Err(fault) => Err(unreadable(kit, &fault)),
    }
}

fn assemble(kit: &Kit, sight: &Sight, shown: &Shown<'_>) -> WorkflowPage {
    let (home, now) = (Home::of(kit), kit.world.now());
    let Sight { workflow, request, current, .. } = sight;
    let list = home.path("/workflows");
    let others = sight.whole.iter().filter(|one| one.id != workflow.id);
    let parts = others.map(|one| part(&list, one)).collect();
    let ways = ways(workflow, current.as_ref().map(|current| &current.run));
    let done_here = ways.iter().any(|way| way.word.is_some());
    let operator = shown.signed.filter(|signed| done_here && signed.role >= Role::Operator);
    let not_yours = operator.and_then(|signed| {
        may_act(&Operator::SignedIn(signed.address.clone()), &sight.concerned).err().map(|no| no.to_string())
    });
    WorkflowPage {
        here: format!("{list}/{}", workflow.id),
        of_person: format!("{list}?person={}", escaped(workflow.person_ref.as_str())),
        list,
        home,
        title: full_name(request),
        kind: kind_in_words(workflow.kind),
        reason: match &workflow.state {
            State::NeedsAttention { reason, .. } => Some(visible(reason)),
            State::Planning
            | State::PendingApproval { .. }
            | State::Approved { .. }
            | State::Running
            | State::Succeeded
            | State::Rejected
            | State::Expired
            | State::Cancelled
            | State::Superseded
            | State::Failed { .. } => None,
        },
        top: Top::of(kit, shown.signed),
        form: operator
            .filter(|_| not_yours.is_none())
            .map(|signed| ActForm { token: form_token(kit, signed, sight, now), typed: shown.typed.clone() }),
        cancel: cancel_form(kit, sight, shown),
        not_yours,
        problem: shown.problem.clone(),
        note: shown.signed.and_then(|signed| just_done(sight, signed, now)),
        ways,
        progress: sight.progress(kit),
        plan: current.as_ref().map(|current| plan(kit, sight, current, now)),
        asker: asker(workflow, request).into_iter().chain(sight.replaces.iter().map(replaced)).collect(),
        person: person(workflow, request),
        facts: facts(workflow, now),
        parts,
        said: sight.said.iter().rev().map(said).collect(),
        messages: sight.messages.iter().rev().map(|owed| message(owed, now)).collect(),
        more_events: u64::try_from(sight.told.len()).is_ok_and(|count| count >= MOST_EVENTS),
    }
}

fn part(list: &str, workflow: &Workflow) -> Part {
    let target = workflow.target.as_ref();
    Part {
        href: format!("{list}/{}", workflow.id),
        target: target.map_or_else(|| "not chosen yet".to_owned(), |target| visible(target.as_str())),
        state: workflow.state.in_words(),
    }
}

/// The form with which two operators cancel a leaver.
struct CancelForm {
    token: String,
    typed: String,
    /// Who has proposed it, and why.
    proposed: Option<String>,
    /// Is that the reader, as far as can be told?
    own: bool,
}

fn cancel_form(kit: &Kit, sight: &Sight, shown: &Shown<'_>) -> Option<CancelForm> {
    let signed = shown.signed.filter(|signed| signed.role >= Role::Operator)?;
    let by = Operator::SignedIn(signed.address.clone());
    if may_be_cancelled(&sight.workflow).is_err() || may_act(&by, &sight.concerned).is_err() {
        return None;
    }
    let standing = sight.cancel.as_ref().filter(|one| counts(kit, &one.by));
    let proposed = standing.map(|one| {
        format!("{} at {}: {}", visible(&one.by.in_words()), one.at.in_words(), visible(&one.reason))
    });
    let own = standing.is_some_and(|one| one.by.is_same_person(&by));
    let token = form_token(kit, signed, sight, kit.world.now());
    Some(CancelForm { token, typed: shown.typed.clone(), proposed, own })
}

fn escaped(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn plan(kit: &Kit, sight: &Sight, current: &Current, now: Timestamp) -> PlanInWords {
    let previews =
        kit.target(&current.plan.target).map(|target| target.preview(&current.plan)).unwrap_or_default();
    let open_stage = sight.workflow.state.open_stage().map(|open| open.number);
    let material = Material {
        workflow: &sight.workflow,
        request: &sight.request,
        kept: &current.kept,
        plan: &current.plan,
        previews: &previews,
        said: &sight.said_now(),
        open_stage,
        whole: &sight.whole,
        you: None,
        replaces: &sight.replaces,
    };
    plan_in_words(material, current.since_before.clone(), now)
}

/// What the reader has just done, as the trail tells it.
fn just_done(sight: &Sight, signed: &Signed, now: Timestamp) -> Option<String> {
    let of_operators = [
        EventKind::WorkflowResumed,
        EventKind::WorkflowGivenUp,
        EventKind::WorkflowApproved,
        EventKind::WorkflowRejected,
    ]
    .map(EventKind::as_str);
    let mut newest_first = sight.told.iter().rev();
    let last = newest_first.find(|told| of_operators.contains(&told.event.kind.as_str()))?;
    let own = last.event.actor == "operator" && last.personal("actor") == Some(signed.address.as_str());
    let lately = now.since(last.event.at).num_seconds() < JUST_NOW_SECONDS;
    (own && lately).then(|| format!("It is recorded: {}", event_in_words(last).words))
}

fn facts(workflow: &Workflow, now: Timestamp) -> Vec<Line> {
    let line = |label: &str, text: String| Line { label: label.to_owned(), text: visible(&text) };
    let moment = |at: Timestamp| format!("{}, {}", at.in_words(), distance(now, at));
    let mut facts = vec![
        line("State", workflow.state.in_words().to_owned()),
        line("Source", workflow.source.to_string()),
        line("Its own reference", workflow.source_ref.to_string()),
        line("Came in", moment(workflow.created_at)),
        line("Last change", moment(workflow.updated_at)),
    ];
    facts.extend(workflow.user_name.as_ref().map(|name| line("User name", name.to_string())));
    facts.extend(workflow.target.as_ref().map(|target| line("System", target.to_string())));
    if workflow.plan_number > 0 {
        facts.push(line("Plan", workflow.plan_number.to_string()));
    }
    facts.extend(workflow.not_before.map(|at| line("Not before", moment(at))));
    facts.extend(workflow.waits_for.map(|other| line("Waits for", other.to_string())));
    facts.extend(workflow.ended_by.map(|other| line("Replaced by", other.to_string())));
    facts.extend(workflow.cancelled_by.as_ref().map(|reference| line("Taken back by", reference.clone())));
    facts.extend(workflow.vault_awaited_since.map(|at| line("Vault not readable since", moment(at))));
    facts.push(line("Workflow", workflow.id.to_string()));
    facts
}

fn said(recorded: &Recorded) -> Said {
    Said {
        by: recorded.said.by.to_string(),
        verdict: match recorded.said.verdict {
            Verdict::Approve => "said yes",
            Verdict::Reject => "said no",
        },
        about: format!("to plan {}, in stage {}", recorded.plan_number, recorded.said.stage + 1),
        at: recorded.said.at.in_words(),
        comment: visible(&recorded.comment),
    }
}

fn message(owed: &OwedMessage, now: Timestamp) -> Message {
    let tries = match owed.tries {
        1 => "one try".to_owned(),
        tries => format!("{tries} tries"),
    };
    let (standing, tone) = match (owed.state.as_str(), owed.sent_at) {
        ("sent", Some(at)) => (format!("sent at {}", at.in_words()), "good"),
        ("parked", _) => ("not sent, and not tried again by itself".to_owned(), "alert"),
        _ if owed.tries > 0 => {
            let next =
                span(owed.due_at.since(now)).map_or_else(|| "now".to_owned(), |span| format!("in {span}"));
            (format!("owed after {tries}, the next one {next}"), "alert")
        }
        _ => (format!("owed since {}", owed.owed_since.in_words()), "going"),
    };
    Message {
        kind: message_in_words(&owed.kind),
        to: owed.recipient.as_ref().map_or_else(|| "the operators".to_owned(), ToString::to_string),
        standing,
        tone,
        fault: owed.last_fault.as_deref().map(visible),
    }
}

fn message_in_words(kind: &str) -> String {
    match kind {
        "approval_wanted" => "Please decide".to_owned(),
        "decided" => "It is decided".to_owned(),
        "replaced" => "It was replaced".to_owned(),
        "withdrawn" => "It was taken back".to_owned(),
        "plan_replaced" => "The plan was replaced".to_owned(),
        "done" => "It is done".to_owned(),
        "needs_attention" => "An operator must look".to_owned(),
        "alarm" => "Alarm".to_owned(),
        "vault_awaited" => "The vault cannot be read yet".to_owned(),
        "hand_over" => "An initial password waits".to_owned(),
        "reminder" => "Please decide, once more".to_owned(),
        "nobody_known" => "Leavers that name nobody whom we know, or whose account cannot be seen".to_owned(),
        "sign_in_code" => "A code to sign in with".to_owned(),
        other => other.replace('_', " "),
    }
}
