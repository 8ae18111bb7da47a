//! Where a workflow stands, step by step, and what has happened so far.
//!
//! Must hold: a state is told in words, never by a colour alone; times are those of the records. The same fragment
//! stands in the page and is fetched anew while the run goes on.

use askama::Template;

use super::steps_in_words::title;
use super::time_in_words::distance;
use super::timeline::{EventInWords, event_in_words, replaced_or_taken_back};
use crate::domain::approval::Verdict;
use crate::domain::audit::EventKind;
use crate::domain::ids::WorkflowId;
use crate::domain::plan::{Doer, Plan};
use crate::domain::step::{Ledger, StepState};
use crate::domain::time::Timestamp;
use crate::domain::workflow::{Stalled, State};
use crate::store::audit::Told;
use crate::store::decisions::Recorded;
use crate::store::steps::AttemptTold;
use crate::store::workflows::Workflow;
use crate::web::visible::visible;

/// Everything that is known about a run.
#[derive(Debug, Clone)]
pub struct Run {
    /// The current plan.
    pub plan: Plan,
    /// Its steps.
    pub ledger: Ledger,
    /// The attempts at them.
    pub attempts: Vec<AttemptTold>,
}

/// Where a workflow stands, to be shown.
#[derive(Debug, Clone, Template)]
#[template(path = "progress.html")]
pub struct Progress {
    /// The state's word; read by the script that follows the run.
    pub state: &'static str,
    /// How it looks.
    pub tone: &'static str,
    /// Where it stands, in one line.
    pub headline: String,
    /// What follows, or why it stopped.
    pub detail: String,
    /// Step by step; empty before the approval.
    pub steps: Vec<StepLine>,
    /// What has happened, oldest first.
    pub timeline: Vec<EventInWords>,
    /// The last event that is shown.
    pub position: i64,
    /// Will the page change by itself?
    pub follows: Follows,
}

/// Is there more to come without a person's doing?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follows {
    /// Soon.
    Soon,
    /// Later.
    Later,
    /// Nothing.
    Nothing,
}

impl Follows {
    /// After so many seconds a page without scripts looks again.
    pub const fn refresh_seconds(self) -> Option<u32> {
        match self {
            Self::Soon => Some(3),
            Self::Later => Some(20),
            Self::Nothing => None,
        }
    }
}

/// One step of a run, to be shown.
#[derive(Debug, Clone)]
pub struct StepLine {
    /// Counted from one.
    pub number: usize,
    /// In two or three words.
    pub title: String,
    /// The state's word.
    pub state: &'static str,
    /// The state for people.
    pub words: String,
    /// What the last attempt brought.
    pub note: String,
    /// When it came to that.
    pub at: String,
}

/// Puts a workflow's standing into words.
pub fn progress(
    workflow: &Workflow,
    run: Option<&Run>,
    said: &[Recorded],
    told: &[Told],
    now: Timestamp,
) -> Progress {
    let (headline, detail) = standing(workflow, run, said, (told, now));
    Progress {
        state: workflow.state.word(),
        tone: tone(&workflow.state),
        headline,
        detail,
        steps: run.filter(|_| shows_steps(&workflow.state)).map(|run| lines(run, now)).unwrap_or_default(),
        timeline: told.iter().map(event_in_words).collect(),
        position: told.last().map_or(0, |told| told.event.position),
        follows: follows(&workflow.state, now),
    }
}

/// Is there more to come without a person's doing?
pub fn follows(state: &State, now: Timestamp) -> Follows {
    match state {
        State::Planning | State::Running => Follows::Soon,
        State::Approved { not_before } if not_before.since(now).num_seconds() < 60 => Follows::Soon,
        State::Approved { .. } | State::PendingApproval { .. } => Follows::Later,
        State::Succeeded
        | State::Rejected
        | State::Expired
        | State::Cancelled
        | State::Superseded
        | State::Failed { .. }
        | State::NeedsAttention { .. } => Follows::Nothing,
    }
}

fn shows_steps(state: &State) -> bool {
    match state {
        State::Approved { .. } | State::Running | State::Succeeded | State::Failed { .. } => true,
        State::NeedsAttention { stalled, .. } => matches!(stalled, Stalled::Approved | Stalled::Running),
        State::Planning
        | State::PendingApproval { .. }
        | State::Rejected
        | State::Expired
        | State::Cancelled
        | State::Superseded => false,
    }
}

/// How a state looks: the name of a style.
pub const fn tone(state: &State) -> &'static str {
    match state {
        State::Succeeded => "good",
        State::Rejected | State::Expired | State::Cancelled | State::Superseded | State::Failed { .. } => {
            "over"
        }
        State::NeedsAttention { .. } => "alert",
        State::Planning | State::PendingApproval { .. } | State::Approved { .. } | State::Running => "going",
    }
}

fn standing(
    workflow: &Workflow,
    run: Option<&Run>,
    said: &[Recorded],
    (events, now): (&[Told], Timestamp),
) -> (String, String) {
    let told = |headline: &str, detail: &str| (headline.to_owned(), detail.to_owned());
    match &workflow.state {
        State::Planning if workflow.waits_for.is_some() => {
            let other = workflow.waits_for.map(|other| other.to_string()).unwrap_or_default();
            (
                "Waiting for another request".to_owned(),
                format!(
                    "Another request for this person comes first, workflow {other}. This one is planned when that has come \
                     to rest."
                ),
            )
        }
        State::Planning => {
            told("The plan is being made again", "The people who are asked get a new mail when it is ready.")
        }
        State::PendingApproval { expires_at, .. } => {
            let end = expires_at.map(|end| {
                format!("The time for answers ends at {}, {}.", end.in_words(), distance(now, end))
            });
            ("Waiting for approval".to_owned(), end.unwrap_or_default())
        }
        State::Approved { not_before } if *not_before > now => (
            "Approved".to_owned(),
            format!("The run begins at {}, {}.", not_before.in_words(), distance(now, *not_before)),
        ),
        State::Approved { .. } => match workflow.waits_for {
            Some(other) => ("Approved".to_owned(), waits("begins", other)),
            None => told("Approved", "The run begins now."),
        },
        State::Running if workflow.stop.is_some() => told(
            "Being stopped",
            "It begins nothing new. What it has begun is looked up in the vault first; then it rests.",
        ),
        State::Running => match workflow.waits_for {
            Some(other) => ("Being carried out".to_owned(), waits("goes on", other)),
            None => ("Being carried out".to_owned(), running(run)),
        },
        State::Succeeded => told("Done and verified", seen_in_the_end(run)),
        State::Rejected => ("Rejected".to_owned(), rejected(said)),
        State::Expired => {
            ("Expired".to_owned(), format!("{} Nothing was changed in the vault.", why_expired(events)))
        }
        State::Cancelled => ("Cancelled".to_owned(), ended(events, "The source took the request back.")),
        State::Superseded => ("Replaced".to_owned(), ended(events, "A later request took its place.")),
        State::Failed { reason } => ("Given up".to_owned(), visible(reason)),
        State::NeedsAttention { reason, .. } => (
            "Waiting for an operator".to_owned(),
            format!("Countersign has stopped and told the operators. What it met: {}", visible(reason)),
        ),
    }
}

/// What took its place or took it back, and what is left of it in the vault.
fn ended(events: &[Told], otherwise: &str) -> String {
    let kinds = [EventKind::WorkflowSuperseded.as_str(), EventKind::WorkflowCancelled.as_str()];
    let Some(last) = events.iter().rfind(|told| kinds.contains(&told.event.kind.as_str())) else {
        return otherwise.to_owned();
    };
    let why = replaced_or_taken_back(last);
    let mut signs = why.chars();
    let first: String = signs.next().into_iter().flat_map(char::to_uppercase).collect();
    let left = match last.text("done") {
        Some(_) => "What had been done in the vault by then, the history tells.",
        None => "Nothing was changed in the vault.",
    };
    format!("{first}{}. {left}", signs.as_str())
}

fn waits(goes_on: &str, other: WorkflowId) -> String {
    format!(
        "Another request for this person is being carried out, workflow {other}. The run {goes_on} as soon as that one \
         has come to rest."
    )
}

/// What the last read showed, and what no read can show.
fn seen_in_the_end(run: Option<&Run>) -> &'static str {
    let by_hand = run.is_some_and(|run| run.plan.steps.iter().any(|step| step.doer() == Doer::Person));
    if by_hand {
        "A fresh read of the vault showed everything that the vault can show. That the account is disabled in its \
         directory was said by a person, as the history tells; the vault cannot show it."
    } else {
        "A fresh read of the vault showed what was approved."
    }
}

fn why_expired(events: &[Told]) -> &'static str {
    let expired = events.iter().rfind(|told| told.event.kind == EventKind::WorkflowExpired.as_str());
    if expired.is_some_and(|told| told.text("after").is_some()) {
        "It was approved, but its run did not begin in time, so the approval has ended."
    } else {
        "Nobody decided in time."
    }
}

fn running(run: Option<&Run>) -> String {
    let Some(run) = run else { return String::new() };
    let ready = run.ledger.steps.iter().filter(|step| is_over(&step.state)).count();
    format!("{ready} of {} steps are done.", run.plan.steps.len())
}

fn is_over(state: &StepState) -> bool {
    matches!(state, StepState::Done | StepState::AlreadySo | StepState::Skipped)
}

fn rejected(said: &[Recorded]) -> String {
    let no = said.iter().find(|recorded| recorded.said.verdict == Verdict::Reject);
    no.map(|no| {
        format!(
            "{} said no at {}: \u{201c}{}\u{201d} Nothing was changed in the vault.",
            no.said.by,
            no.said.at.in_words(),
            visible(&no.comment)
        )
    })
    .unwrap_or_default()
}

fn lines(run: &Run, now: Timestamp) -> Vec<StepLine> {
    let pairs = run.plan.steps.iter().zip(&run.ledger.steps).enumerate();
    pairs
        .map(|(place, (step, record))| {
            let last = run.attempts.iter().rev().find(|attempt| attempt.step == place);
            let report = last.and_then(|attempt| attempt.report.as_ref());
            let note = match &record.state {
                StepState::Failed { reason } => visible(reason),
                StepState::Waiting { .. }
                | StepState::Begun
                | StepState::Done
                | StepState::AlreadySo
                | StepState::Unknown { .. }
                | StepState::Skipped
                | StepState::Manual => report.map(|report| visible(&report.words)).unwrap_or_default(),
            };
            let at = last.map(|attempt| attempt.ended_at.unwrap_or(attempt.begun_at).clock_time());
            StepLine {
                number: place + 1,
                title: title(step),
                state: record.state.word(),
                words: state_in_words(&record.state, record.acts, now),
                note,
                at: at.unwrap_or_default(),
            }
        })
        .collect()
}

fn state_in_words(state: &StepState, acts: u32, now: Timestamp) -> String {
    match state {
        StepState::Waiting { due } if acts > 0 => {
            format!("to be tried again {}", distance(now, (*due).max(now)))
        }
        StepState::Waiting { .. } => "waiting".to_owned(),
        StepState::Begun => "under way".to_owned(),
        StepState::Done => "done".to_owned(),
        StepState::AlreadySo => "found as wanted".to_owned(),
        StepState::Unknown { .. } => "no answer came; being looked up".to_owned(),
        StepState::Failed { .. } => "stopped".to_owned(),
        StepState::Skipped => "left out by an operator".to_owned(),
        StepState::Manual => "to be done by hand".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::sample;

    #[test]
    fn every_standing_renders_in_words() {
        let run = sample::run();
        for state in sample::states() {
            let workflow = Workflow { state: state.clone(), ..sample::workflow() };
            let progress = progress(&workflow, Some(&run), &sample::said(), &[], sample::now());
            let html = progress.render().unwrap();
            assert!(
                html.contains(&format!("data-state=\"{}\"", state.word())) && !progress.headline.is_empty()
            );
            assert!(!html.contains("<b>") && !html.contains('\u{202e}'), "{html}");
            assert_eq!(html.contains("found as wanted"), shows_steps(&state));
            let at_rest = state.is_final() || matches!(state, State::NeedsAttention { .. });
            assert_eq!(progress.follows == Follows::Nothing, at_rest);
        }
    }

    #[test]
    fn a_step_is_told_by_state_time_and_last_words() {
        let lines = lines(&sample::run(), sample::now());
        let told: Vec<_> = lines.iter().map(|line| (line.words.as_str(), line.at.as_str())).collect();
        assert_eq!(told[1], ("done", "22:53:08"));
        assert_eq!(told[3].0, "no answer came; being looked up");
        assert_eq!(told[6], ("waiting", ""));
        assert!(lines[4].note.contains("PASWS027E"));
    }
}
