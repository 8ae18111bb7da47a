//! The page behind a personal link: the plan in words, and either the form or the reason why there is none.
//!
//! Must hold: the form stands there only when the rule would let an answer count right now; what will happen is said
//! in one sentence beside each button. Deliberately absent: writing.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use askama::Template;

use super::answers::unreadable;
use super::case::Case;
use crate::domain::approval::{Decided, Refused, Verdict, counts_already};
use crate::domain::names::EmailAddress;
use crate::domain::time::Timestamp;
use crate::kit::Kit;
use crate::pages::plan_in_words::{Material, PlanInWords, plan_in_words};
use crate::pages::progress::Progress;
use crate::pages::time_in_words::runs;
use crate::web::home::Home;
use crate::web::page::{self, Message};
use crate::web::visible::visible;

/// The page.
#[derive(Template)]
#[template(path = "approve.html")]
pub(super) struct ApprovalPage {
    /// Where people find us.
    pub(super) home: Home,
    /// The plan in words.
    pub(super) plan: PlanInWords,
    /// Where the workflow stands.
    pub(super) progress: Progress,
    /// The form, while an answer would count.
    pub(super) form: Option<AnswerForm>,
    /// What the reader should know first.
    pub(super) note: Option<String>,
    /// The page's own address; all others lie below it.
    pub(super) here: String,
    /// Whom the link was sent to.
    pub(super) you: String,
    /// Where the reader signs out, and back to which path of ours; without a session there is nothing to sign out of.
    pub(super) leave: Option<(String, String)>,
}

impl ApprovalPage {
    fn steps_title(&self) -> &'static str {
        if self.form.is_some() { "What will be done" } else { "The plan, step by step" }
    }
}

/// The one form, with its two buttons.
pub(super) struct AnswerForm {
    /// What is answered.
    pub(super) digest: String,
    /// That the form was shown here and lately.
    pub(super) form_token: String,
    /// What was typed before, if the form is shown again.
    pub(super) comment: String,
    /// What must be mended before it can be sent.
    pub(super) problem: Option<String>,
    /// What a yes brings about.
    pub(super) yes: String,
    /// The end of the time for answers.
    pub(super) until: Option<String>,
}

/// How a page is shown this time.
pub(super) struct Shown<'a> {
    /// From the address.
    pub(super) token: &'a str,
    /// The answer's status.
    pub(super) status: StatusCode,
    /// What the reader should know first.
    pub(super) note: Option<String>,
    /// What must be mended in the form.
    pub(super) problem: Option<String>,
    /// What was typed.
    pub(super) comment: String,
}

impl<'a> Shown<'a> {
    /// As the link shows it.
    pub(super) fn plain(token: &'a str) -> Self {
        Self { token, status: StatusCode::OK, note: None, problem: None, comment: String::new() }
    }
}

/// The page as an answer.
pub(super) async fn answer(kit: &Kit, case: &Case, shown: Shown<'_>) -> HttpResponse {
    let status = shown.status;
    match case.progress(kit).await {
        Ok(progress) => page::html(status, &assemble(kit, case, progress, shown)),
        Err(fault) => unreadable(kit, &fault),
    }
}

fn assemble(kit: &Kit, case: &Case, progress: Progress, shown: Shown<'_>) -> ApprovalPage {
    let (home, now) = (Home::of(kit), kit.world.now());
    let yes = case.answer(kit, Verdict::Approve, case.kept.sealed.digest(), now);
    let (form, why) = match case.judge(&yes) {
        Ok(decided) => (Some(form(kit, case, &shown, (decided, now))), None),
        Err(refused) => (None, Some(why_not(case, &refused))),
    };
    let previews = kit.target(&case.plan.target).map(|target| target.preview(&case.plan)).unwrap_or_default();
    let material = Material {
        workflow: &case.workflow,
        request: &case.request,
        kept: &case.kept,
        plan: &case.plan,
        previews: &previews,
        said: &case.said,
        open_stage: case.open_stage(),
        whole: &case.whole,
        you: Some(&case.ask.approver),
        replaces: &case.replaces,
    };
    ApprovalPage {
        plan: plan_in_words(material, case.since_before.clone(), now),
        progress,
        form,
        note: shown.note.or(why),
        here: home.path(&format!("/approve/{}", shown.token)),
        leave: case
            .proof
            .signed_in_at()
            .map(|_| (home.path("/sign-out"), format!("/approve/{}", shown.token))),
        home,
        you: case.ask.approver.to_string(),
    }
}

fn form(kit: &Kit, case: &Case, shown: &Shown<'_>, now: (Decided, Timestamp)) -> AnswerForm {
    let (decided, now) = now;
    let digest = case.kept.sealed.digest();
    AnswerForm {
        digest: digest.to_string(),
        form_token: kit.keys.form_token(case.ask.link_hash, digest, now),
        comment: shown.comment.clone(),
        problem: shown.problem.clone(),
        yes: what_a_yes_does(case, decided, now),
        until: case.expires_at().map(Timestamp::in_words),
    }
}

fn what_a_yes_does(case: &Case, decided: Decided, now: Timestamp) -> String {
    match decided {
        Decided::Heard => "Your yes is recorded; more people of this stage must say yes before anything \
                           happens."
            .to_owned(),
        Decided::NextStage(next) => {
            let stage = usize::try_from(next).ok().and_then(|next| case.kept.routing.stages.get(next));
            let (you, said) = (case.ask.approver.key(), case.everything_said());
            let asked = |person: &EmailAddress| {
                let key = person.key();
                key != you && !counts_already(next, &said, &key)
            };
            let people = stage.into_iter().flat_map(|stage| stage.people()).filter(asked);
            let people: Vec<String> = people.map(|person| person.to_string()).collect();
            format!("Your yes is recorded, and the next stage is asked: {}.", people.join(", "))
        }
        Decided::Approved | Decided::Rejected => {
            let runs = runs(case.request.effective(), case.plan.not_before, now);
            format!("Yours is the last yes that is needed: Countersign then carries the plan out. {runs}")
        }
    }
}

/// Why there is no form, to the reader.
pub(super) fn why_not(case: &Case, refused: &Refused) -> String {
    if let Some(own) = case.own_answer() {
        let verdict = own.said.verdict.past();
        return format!("You {verdict} this plan at {}. Your answer stands.", own.said.at.in_words());
    }
    match refused {
        Refused::AlreadyDecided { by, verdict, at } => {
            format!(
                "{by} {} this request at {}. Your answer is not needed any more.",
                verdict.past(),
                at.in_words()
            )
        }
        Refused::OtherStage => "Another stage is being asked now, so there is nothing for you to decide at \
                                the moment."
            .to_owned(),
        Refused::Expired(end) => {
            format!("The time for an answer ended at {}. Nothing was changed in the vault.", end.in_words())
        }
        Refused::Over(_)
        | Refused::WithOperators
        | Refused::PlanChanged
        | Refused::NotAsked
        | Refused::NoLongerEligible
        | Refused::SaidYesBefore
        | Refused::ProofTooWeak
        | Refused::AskedOtherwise(_)
        | Refused::TheirOwn(_) => {
            let words = refused.to_string();
            let mut signs = words.chars();
            let first: String = signs.next().into_iter().flat_map(char::to_uppercase).collect();
            format!("{first}{}.", signs.as_str())
        }
    }
}

/// The page of a link whose plan is not asked about any more.
pub(super) fn replaced(case: &Case) -> Message {
    let number = case.ask.plan_number;
    let why =
        if case.kept.voided_by.is_empty() { "" } else { " What it rests on has changed since it was made." };
    let message = Message::new(
        "This plan was replaced",
        format!(
            "Your link led to plan {number} for {}.{why} That plan can no longer be answered, and nothing of it \
             is carried out.",
            visible(case.workflow.person_ref.as_str())
        ),
    );
    let next = if !case.is_outdated() {
        "The plan is being made again. When it is ready, a new mail with a new link follows.".to_owned()
    } else if case.open_stage().is_some() {
        format!(
            "Plan {} took its place. The people who are asked about it have got a new mail with a new link.",
            case.workflow.plan_number
        )
    } else {
        format!(
            "Plan {} took its place; that one is {}.",
            case.workflow.plan_number,
            case.workflow.state.in_words()
        )
    };
    message.and(next).with_differences(case.kept.voided_by.clone())
}
