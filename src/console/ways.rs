//! What an operator can do about a workflow that has stopped.
//!
//! Must hold: only what the store's deed would do now is offered; each way says what follows from it.

use crate::domain::ids::VaultUserId;
use crate::domain::plan::PlannedStep;
use crate::domain::step::StepState;
use crate::domain::workflow::{Stalled, State};
use crate::pages::progress::Run;
use crate::pages::steps_in_words::title;
use crate::store::operator::Exit;
use crate::store::workflows::Workflow;

/// One way on.
#[derive(Debug, Clone)]
pub(super) struct Way {
    /// Its word in the form; absent where only the command does it.
    pub(super) word: Option<&'static str>,
    /// In a few words.
    pub(super) title: &'static str,
    /// What follows.
    pub(super) follows: String,
    /// The page on which it is done, if not here.
    pub(super) page: Option<&'static str>,
    /// The command that does it.
    pub(super) command: String,
}

/// The word of a way, in the form and in the command.
pub(super) const fn word(exit: Exit) -> &'static str {
    match exit {
        Exit::Retry => "retry",
        Exit::Adopt => "adopt",
        Exit::MarkDone => "mark-done",
        Exit::GiveUp => "give-up",
    }
}

/// Every way on, the mildest first; none where nobody is waited for.
pub(super) fn ways(workflow: &Workflow, run: Option<&Run>) -> Vec<Way> {
    let State::NeedsAttention { stalled, .. } = &workflow.state else { return Vec::new() };
    let retry = match stalled {
        Stalled::Held => return vec![held(workflow)],
        Stalled::Undecided => {
            "The plan is made anew, and people are asked once more; they have the same time again.".to_owned()
        }
        Stalled::Planning => {
            "The vault is read and the plan is made anew; then people are asked about it.".to_owned()
        }
        Stalled::Approved => "The approved plan is begun once more.".to_owned(),
        Stalled::Running => {
            "The step that stopped is looked up or tried again. Nothing that is done is repeated.".to_owned()
        }
    };
    let mut ways = vec![way(workflow, Exit::Retry, retry)];
    if let (Stalled::Running, Some(step)) = (stalled, run.and_then(by_hand)) {
        let follows = format!(
            "You say that this was done by hand: {}. The run goes on, and the trail keeps your word for it.",
            title(step)
        );
        ways = vec![way(workflow, Exit::MarkDone, follows)];
    }
    if *stalled == Stalled::Undecided {
        ways.insert(0, decide(workflow));
    }
    if let (Stalled::Running, Some(id)) = (stalled, run.and_then(found_account)) {
        let follows = format!(
            "The account with number {id}, which holds the name, is taken for this person\u{2019}s own, and the run \
             goes on with it. Only if you know that it is: its groups and its password change with the plan."
        );
        ways.push(way(workflow, Exit::Adopt, follows));
    }
    let end = "Nothing more is done. What has been done in the vault stays as it is.".to_owned();
    ways.push(way(workflow, Exit::GiveUp, end));
    ways
}

/// Deciding in place of those who have not.
fn decide(workflow: &Workflow) -> Way {
    Way {
        word: None,
        title: "Decide",
        page: None,
        follows:
            "You decide in place of those who were asked and have not answered. It may be neither your own \
                  request nor your own access."
                .to_owned(),
        command: format!(
            "countersign workflow decide {} --approve --as MAIL --reason \"\u{2026}\" --config FILE",
            workflow.id
        ),
    }
}

/// Releasing what is held.
fn held(workflow: &Workflow) -> Way {
    Way {
        word: None,
        title: "Release or reject",
        page: Some("/held"),
        follows: "It takes two people: the first proposes, and a second one confirms the very same, on the page of \
                  held leavers, or with the same command under their own account of the machine. The command \u{201c}held list\u{201d} names the batch."
            .to_owned(),
        command: format!(
            "countersign held release BATCH {} --as MAIL --reason \"\u{2026}\" --config FILE",
            workflow.id
        ),
    }
}

fn way(workflow: &Workflow, exit: Exit, follows: String) -> Way {
    let title = match exit {
        Exit::Retry => "Try again",
        Exit::Adopt => "Adopt the account",
        Exit::MarkDone => "Mark it done",
        Exit::GiveUp => "Give up",
    };
    let word = word(exit);
    let command = format!("countersign workflow {word} {} --reason \"\u{2026}\" --config FILE", workflow.id);
    Way { word: Some(word), title, page: None, follows, command }
}

/// The step that a person does elsewhere, where the run waits for it.
fn by_hand(run: &Run) -> Option<&PlannedStep> {
    let over =
        |state: &StepState| matches!(state, StepState::Done | StepState::AlreadySo | StepState::Skipped);
    let place = run.ledger.steps.iter().position(|step| !over(&step.state))?;
    let waits = run.ledger.steps.get(place).is_some_and(|step| step.state == StepState::Manual);
    if waits { run.plan.steps.get(place) } else { None }
}

/// Who holds the wanted name, as the last attempt at the step that stopped has seen it.
fn found_account(run: &Run) -> Option<VaultUserId> {
    let failed = run.ledger.steps.iter().position(|step| matches!(step.state, StepState::Failed { .. }))?;
    let last = run.attempts.iter().rev().find(|attempt| attempt.step == failed)?;
    last.report.as_ref()?.stranger
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::sample;

    #[test]
    fn adoption_is_offered_where_somebody_holds_the_name() {
        let stopped = |stalled| Workflow {
            state: State::NeedsAttention { reason: "r".to_owned(), stalled },
            ..sample::workflow()
        };
        let offered = |workflow: &Workflow, run: &Run| {
            ways(workflow, Some(run)).into_iter().map(|way| way.title).collect::<Vec<_>>()
        };
        let mut run = sample::run();
        let (retry, all) = (["Try again", "Give up"], ["Try again", "Adopt the account", "Give up"]);
        assert_eq!(offered(&stopped(Stalled::Running), &run), retry);
        for attempt in &mut run.attempts {
            if let Some(report) = &mut attempt.report {
                report.stranger = Some(VaultUserId(42));
            }
        }
        assert_eq!(offered(&stopped(Stalled::Running), &run), all);
        assert_eq!(offered(&stopped(Stalled::Approved), &run), retry);
        assert_eq!(offered(&stopped(Stalled::Planning), &run), retry);
        for state in sample::states().into_iter().filter(|state| state.word() != "needs_attention") {
            assert!(ways(&Workflow { state, ..sample::workflow() }, Some(&run)).is_empty());
        }
    }

    #[test]
    fn what_waits_for_a_hand_is_marked_done() {
        let mut run = sample::run();
        for step in &mut run.ledger.steps {
            step.state = StepState::Done;
        }
        if let (Some(step), Some(planned)) = (run.ledger.steps.last_mut(), run.plan.steps.last_mut()) {
            step.state = StepState::Manual;
            *planned = PlannedStep::DisableInDirectory;
        }
        let state = State::NeedsAttention { reason: "r".to_owned(), stalled: Stalled::Running };
        let offered = ways(&Workflow { state, ..sample::workflow() }, Some(&run));
        assert_eq!(offered.iter().map(|way| way.title).collect::<Vec<_>>(), ["Mark it done", "Give up"]);
        assert!(offered[0].command.contains("workflow mark-done"));
    }
}
