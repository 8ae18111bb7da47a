//! What an operator can do about a workflow that has stopped.
//!
//! Must hold: only what the store's deed would do now is offered; each way says what follows from it.

use crate::domain::adoption::{Tried, adoptable};
use crate::domain::approval::Verdict;
use crate::domain::ids::VaultUserId;
use crate::domain::kind::Kind;
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
    /// The account that it is about, where it is about one: it goes with the form, so that no other one is meant.
    pub(super) account: Option<VaultUserId>,
    /// The command that does it.
    pub(super) command: String,
}

/// What somebody does about a workflow that has stopped, or is not to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    /// Send it on, or end it.
    Exit(Exit),
    /// Decide in place of those who have not.
    Decide(Verdict),
    /// Propose that a leaver is cancelled, or confirm what somebody else proposed.
    Cancel,
}

/// The word of an act, in the form.
pub(super) const fn act_word(act: Act) -> &'static str {
    match act {
        Act::Exit(exit) => word(exit),
        Act::Decide(verdict) => verdict.word(),
        Act::Cancel => "cancel",
    }
}

/// The word of a way, in the form and in the command.
const fn word(exit: Exit) -> &'static str {
    match exit {
        Exit::Retry => "retry",
        Exit::Adopt(_) => "adopt",
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
        ways.splice(0..0, [Verdict::Approve, Verdict::Reject].map(|verdict| decide(workflow, verdict)));
    }
    if let (Stalled::Running, Some(id)) = (stalled, run.and_then(found_account)) {
        let follows = format!(
            "The account with number {id}, which holds the name since an attempt to make it was lost, is taken for this \
             person\u{2019}s own, and the run goes on with it, provided that it is in everything what was planned. Only \
             if you know that it is: its groups and its password change with the plan."
        );
        ways.push(way(workflow, Exit::Adopt(id), follows));
    }
    let end = "Nothing more is done. What has been done in the vault stays as it is.".to_owned();
    ways.push(way(workflow, Exit::GiveUp, end));
    ways
}

/// Deciding in place of those who have not.
fn decide(workflow: &Workflow, verdict: Verdict) -> Way {
    let (title, effect) = match verdict {
        Verdict::Approve => ("Approve", "the plan is carried out"),
        Verdict::Reject => ("Reject", "the request ends, and nothing is changed in the vault"),
    };
    let word = verdict.word();
    Way {
        word: Some(word),
        title,
        page: None,
        account: None,
        follows: format!(
            "You decide in place of those who were asked and have not answered: {effect}. It may be neither your own \
             request nor your own access."
        ),
        command: format!(
            "countersign workflow decide {} --{word} --as MAIL --reason \"\u{2026}\" --config FILE",
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
        account: None,
        follows: "It takes two people: the first proposes, and a second one confirms the very same, on the page of \
                  held leavers, or with the same command. The command \u{201c}held list\u{201d} names the batch."
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
        Exit::Adopt(_) => "Adopt the account",
        Exit::MarkDone => "Mark it done",
        Exit::GiveUp => "Give up",
    };
    let word = word(exit);
    let (account, which) = match exit {
        Exit::Adopt(id) => (Some(id), format!(" --user-id {id}")),
        Exit::Retry | Exit::MarkDone | Exit::GiveUp => (None, String::new()),
    };
    // What is said of a leaver is said by somebody who has proven a mailbox.
    let leaver = workflow.kind == Kind::Leaver && matches!(exit, Exit::GiveUp | Exit::MarkDone);
    let who = if leaver { " --as MAIL" } else { "" };
    let command = format!(
        "countersign workflow {word} {}{which}{who} --reason \"\u{2026}\" --config FILE",
        workflow.id
    );
    Way { word: Some(word), title, page: None, follows, account, command }
}

/// The step that a person does elsewhere, where the run waits for it.
fn by_hand(run: &Run) -> Option<&PlannedStep> {
    let over =
        |state: &StepState| matches!(state, StepState::Done | StepState::AlreadySo | StepState::Skipped);
    let place = run.ledger.steps.iter().position(|step| !over(&step.state))?;
    let waits = run.ledger.steps.get(place).is_some_and(|step| step.state == StepState::Manual);
    if waits { run.plan.steps.get(place) } else { None }
}

/// The account that a lost create may have made, where the run has stopped at one.
fn found_account(run: &Run) -> Option<VaultUserId> {
    let making = run.plan.steps.iter().position(|step| matches!(step, PlannedStep::CreateUser(_)))?;
    let last = run.attempts.iter().rfind(|attempt| attempt.step <= making);
    if let Some(lost) = last.and_then(|attempt| attempt.report.as_ref()?.lost) {
        return Some(lost);
    }
    let tries: Vec<_> = run
        .attempts
        .iter()
        .filter(|attempt| attempt.step == making)
        .map(|attempt| Tried { purpose: &attempt.purpose, report: attempt.report.as_ref() })
        .collect();
    adoptable(&tries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::step::{Outcome, Report};
    use crate::pages::sample;
    use crate::store::steps::AttemptTold;

    #[test]
    fn adoption_is_offered_for_what_a_lost_create_may_have_made() {
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
        // Somebody holds the name, and no create was lost: that is a stranger.
        let making =
            run.plan.steps.iter().position(|step| matches!(step, PlannedStep::CreateUser(_))).unwrap();
        let lost = run.attempts.iter_mut().find(|attempt| attempt.step == making).unwrap();
        let found = Report {
            outcome: Outcome::NeedsPerson,
            stranger: Some(VaultUserId(42)),
            ..lost.report.clone().unwrap()
        };
        let look = AttemptTold { purpose: "look".to_owned(), report: Some(found), ..lost.clone() };
        lost.report.as_mut().unwrap().outcome = Outcome::Refused;
        run.attempts.push(look);
        assert_eq!(offered(&stopped(Stalled::Running), &run), retry);
        let lost = run.attempts.iter_mut().find(|attempt| attempt.step == making).unwrap();
        lost.report.as_mut().unwrap().outcome = Outcome::Unknown;
        assert_eq!(offered(&stopped(Stalled::Running), &run), all);
        assert_eq!(offered(&stopped(Stalled::Approved), &run), retry);
        assert_eq!(offered(&stopped(Stalled::Planning), &run), retry);
        for state in sample::states().into_iter().filter(|state| state.word() != "needs_attention") {
            assert!(ways(&Workflow { state, ..sample::workflow() }, Some(&run)).is_empty());
        }
    }

    #[test]
    fn a_leaver_whom_nobody_decided_is_decided_here() {
        let state = State::NeedsAttention { reason: "r".to_owned(), stalled: Stalled::Undecided };
        let offered = ways(&Workflow { state, ..sample::workflow() }, None);
        assert_eq!(
            offered.iter().map(|way| (way.title, way.word)).collect::<Vec<_>>(),
            [
                ("Approve", Some("approve")),
                ("Reject", Some("reject")),
                ("Try again", Some("retry")),
                ("Give up", Some("give-up"))
            ]
        );
        assert!(offered[1].command.contains("decide") && offered[1].command.contains("--reject"));
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
