//! A sealed plan with its request and its reading, as a person reads it.
//!
//! Must hold: what the source claims is marked as claimed and kept apart from what was read in the vault; the
//! account is shown as the plan has it, not as the request wishes it. Read before this: `steps_in_words`,
//! `summary_in_words`, `account_in_words`, `unusual`, `routing_in_words`, `differences`, `time_in_words`, `whole_in_words`.

use super::account_in_words::{account, new_user};
use super::differences::SinceBefore;
use super::line::line;
use super::routing_in_words::{self, RoutingInWords, asks};
use super::steps_in_words::{StepInWords, steps};
use super::summary_in_words::{full_name, known_name, summary, title, undo};
use super::time_in_words::{distance, runs};
use super::unusual::unusual;
use super::whole_in_words::whole_in_words;
use crate::domain::canon::Tag;
use crate::domain::names::EmailAddress;
use crate::domain::plan::{HandOver, Plan, PlannedStep};
use crate::domain::request::Request;
use crate::domain::routing::Routing;
use crate::domain::snapshot::{GroupSeen, Snapshot, UserSeen};
use crate::domain::time::Timestamp;
use crate::store::decisions::Recorded;
use crate::store::plans::KeptPlan;
use crate::store::workflows::Workflow;
use crate::target::PreviewCall;
use crate::web::visible::visible;

pub use super::line::Line;

/// Everything that is put into words.
#[derive(Debug, Clone, Copy)]
pub struct Material<'a> {
    /// The workflow as it stands.
    pub workflow: &'a Workflow,
    /// What the source asks for.
    pub request: &'a Request,
    /// The plan with its reading and its routing.
    pub kept: &'a KeptPlan,
    /// The same plan, opened.
    pub plan: &'a Plan,
    /// The calls that its target foresees, step by step; none where the target is no longer configured.
    pub previews: &'a [Vec<PreviewCall>],
    /// What has been said about it.
    pub said: &'a [Recorded],
    /// The open stage, if one is open.
    pub open_stage: Option<u32>,
    /// All parts of the request, this one among them.
    pub whole: &'a [Workflow],
    /// The reader, where a page is personal.
    pub you: Option<&'a EmailAddress>,
    /// The requests whose place this one took.
    pub replaces: &'a [Workflow],
}

/// A plan, to be shown.
#[derive(Debug, Clone)]
pub struct PlanInWords {
    /// The headline.
    pub title: String,
    /// What is done, in one sentence.
    pub summary: String,
    /// Which other parts the request has, where it has some.
    pub whole: Option<String>,
    /// Who asks.
    pub asker: Vec<Line>,
    /// For whom.
    pub person: Vec<Line>,
    /// Why, as claimed.
    pub reason: Option<String>,
    /// What else the source says.
    pub attributes: Vec<Line>,
    /// The account as it will be.
    pub account: Vec<Line>,
    /// Step after step.
    pub steps: Vec<StepInWords>,
    /// What was read in the vault.
    pub vault: Vec<Line>,
    /// When that was read.
    pub read_at: String,
    /// What to look at twice.
    pub unusual: Vec<String>,
    /// Who is asked and why.
    pub routing: RoutingInWords,
    /// When it runs.
    pub runs: String,
    /// What becomes of the password, where one is made.
    pub password: Option<String>,
    /// How it is undone.
    pub undo: String,
    /// What is new since the plan before.
    pub since_before: Option<SinceBefore>,
    /// The plan's number.
    pub number: u32,
    /// The first digits of its digest.
    pub digest: String,
    /// The profile that gave the access, where one did.
    pub profile: Option<String>,
}

/// Puts a plan into words.
pub fn plan_in_words(
    material: Material<'_>,
    since_before: Option<SinceBefore>,
    now: Timestamp,
) -> PlanInWords {
    let Material { workflow, request, kept, plan, previews, said, open_stage, whole, you, replaces } =
        material;
    PlanInWords {
        title: title(plan, &known_name(request, &kept.snapshot)),
        summary: summary(plan),
        whole: whole_in_words(workflow, whole),
        asker: asker(workflow, request).into_iter().chain(replaces.iter().map(replaced)).collect(),
        person: person(workflow, request),
        reason: request.reason.as_ref().map(|reason| visible(reason.as_str())),
        attributes: request.attributes.iter().map(|(key, text)| line(key.as_str(), text)).collect(),
        account: account(plan, &kept.snapshot),
        steps: steps(plan, previews),
        vault: vault(plan, &kept.snapshot),
        read_at: format!("{}, {}", kept.snapshot.read_at.in_words(), distance(now, kept.snapshot.read_at)),
        unusual: unusual(request, plan, (&kept.snapshot, &kept.routing), now),
        routing: routing_in_words::routing(&kept.routing, said, you, open_stage),
        runs: runs(request.effective(), plan.not_before, now),
        password: password(plan, &kept.routing),
        undo: undo(plan, workflow),
        since_before,
        number: kept.number,
        digest: kept.sealed.digest().short(),
        profile: (!plan.profile.is_empty()).then(|| visible(&plan.profile)),
    }
}

/// Who asks.
pub fn asker(workflow: &Workflow, request: &Request) -> Vec<Line> {
    let mut lines = vec![line("Source", workflow.source.as_str())];
    if let Some(ticket) = &request.ticket {
        lines.push(line("Ticket", &format!("{} in {}", ticket.id, ticket.system.as_str())));
        if let Some(requester) = &ticket.requested_by {
            lines.push(line("Requester, as the ticket claims", requester.as_str()));
        }
    }
    lines.push(line("Its own reference", workflow.source_ref.as_str()));
    lines.push(line("Came in", &workflow.created_at.in_words()));
    lines
}

/// A request whose place this one took.
pub fn replaced(other: &Workflow) -> Line {
    line("Takes the place of", &in_place_of(other))
}

/// The same for the middle of a sentence.
pub fn in_place_of(other: &Workflow) -> String {
    let request: Option<Request> = other.request.open(Tag::Request).ok();
    let day = request.as_ref().and_then(|request| request.effective()).map(|effective| {
        if effective.immediate {
            "was to be carried out as soon as it was approved".to_owned()
        } else {
            format!("was to take effect at {}", effective.instant().in_words())
        }
    });
    let day = day.map(|day| format!(" and {day}")).unwrap_or_default();
    format!("the {} that came in at {}{day}", other.kind, other.created_at.in_words())
}

/// For whom, as the source says.
pub fn person(workflow: &Workflow, request: &Request) -> Vec<Line> {
    let mut lines = vec![line("Name", &full_name(request))];
    lines.push(line("Known as", &format!("{} in {}", workflow.person_ref, workflow.namespace)));
    if let Some(email) = request.email() {
        lines.push(line("E-mail", email.as_str()));
    }
    let work = &request.employment;
    for (label, text) in [
        ("Title", &work.title),
        ("Department", &work.department),
        ("Organisation", &work.organization),
        ("Cost centre", &work.cost_center),
        ("Place of work", &work.site),
    ] {
        lines.extend(text.as_ref().map(|text| line(label, text.as_str())));
    }
    if let Some(kind) = work.employment_type {
        lines.push(line("Works as", kind.as_str()));
    }
    if let Some(manager) = &work.manager {
        let known = [
            manager.name.as_ref().map(|name| name.as_str().to_owned()),
            manager.email.as_ref().map(ToString::to_string),
            manager.person_ref.as_ref().map(ToString::to_string),
        ];
        let known: Vec<String> = known.into_iter().flatten().collect();
        lines.push(line("Manager", &known.join(", ")));
    }
    lines
}

fn vault(plan: &Plan, snapshot: &Snapshot) -> Vec<Line> {
    let user = match (&snapshot.user, &plan.account) {
        (UserSeen::Absent, None) => "free".to_owned(),
        (UserSeen::Absent, Some(_)) => "not there".to_owned(),
        (UserSeen::Present(user), None) => format!("taken, by the user with number {}", user.id),
        (UserSeen::Present(user), Some(_)) => format!("there, with number {}", user.id),
    };
    let mut lines = vec![line(format!("User name {}", plan.user_name), &user)];
    let named = plan.groups();
    let planned = |seen: &&GroupSeen| named.iter().any(|name| name.key() == seen.asked.key());
    for seen in snapshot.groups.iter().filter(planned) {
        let found = seen.found.as_ref().map_or_else(
            || "not there".to_owned(),
            |group| format!("there: {} with number {}", group.kind.in_words(), group.id),
        );
        lines.push(line(format!("Group {}", visible(seen.asked.as_str())), &found));
    }
    if let Some(types) = &snapshot.user_types {
        let types: Vec<&str> = types.iter().map(crate::domain::names::UserType::as_str).collect();
        lines.push(line("Licensed user types", &types.join(", ")));
    }
    lines
}

/// What becomes of the password that a plan sets, if it sets one.
fn password(plan: &Plan, routing: &Routing) -> Option<String> {
    let (which, whom) = match new_user(plan) {
        Some(_) => ("An initial password", "the new user"),
        None if plan.steps.contains(&PlannedStep::ResetPassword) => ("A new password", "the user"),
        None => return None,
    };
    let made =
        format!("{which} is generated and kept sealed; no mail and no page of this request ever shows it.");
    if let Some(to) = plan.hand_over.address().filter(|to| asks(routing, to)) {
        return Some(format!(
            "{made} It was meant for {to}, who is asked to approve this request and is therefore passed over: it is \
             handed over to nobody, and an operator can show it once."
        ));
    }
    Some(match &plan.hand_over {
        HandOver::Subject(address) => format!("{made} It is meant for {whom}, {address}."),
        HandOver::Manager(address) => format!("{made} It is meant for the manager, {address}."),
        HandOver::Address(address) => format!("{made} It is meant for {address}."),
        HandOver::Nobody => format!("{made} It is handed to nobody: the account logs on in another way."),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::sample;

    #[test]
    fn claims_and_readings_are_kept_apart() {
        let told = sample::plan_in_words();
        let has = |lines: &[Line], label: &str, text: &str| {
            lines.iter().any(|line| line.label == label && line.text == text)
        };
        assert_eq!(told.title, "New vault user for Zoë O'Brien");
        assert!(told.summary.contains("one licence seat of type EPVUser"));
        assert!(has(&told.asker, "Requester, as the ticket claims", "rita@example.com"));
        assert!(has(&told.vault, "User name zobrien", "free"));
        assert!(has(&told.vault, "Group Ops-Readers", "there: vault group with number 7"));
        assert!(told.read_at.ends_with("3 minutes ago"));
        assert!(
            told.password.as_ref().is_some_and(|told| told.contains("the new user, zoe.obrien@example.com"))
        );
        assert!(told.undo.contains("leaver for E10442"));
        assert_eq!(told.steps.len(), 7);
    }

    #[test]
    fn turning_characters_in_a_reason_are_spelled_out() {
        let mut request = sample::request();
        request.reason = crate::domain::names::Reason::parse("all good \u{202e}dab lla").ok();
        let (workflow, kept, plan) = (sample::workflow(), sample::kept(), sample::plan());
        let material = Material {
            workflow: &workflow,
            request: &request,
            kept: &kept,
            plan: &plan,
            previews: &[],
            said: &[],
            open_stage: Some(0),
            whole: &[],
            you: None,
            replaces: &[],
        };
        let told = plan_in_words(material, None, sample::now());
        assert_eq!(told.reason.as_deref(), Some("all good ‹U+202E›dab lla"));
        assert!(told.unusual.iter().any(|point| point.contains("cannot be seen")));
    }
}
