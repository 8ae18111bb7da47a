//! An answer comes in: who sent it, what it says, what the vault looks like now, and then the one deed.
//!
//! Must hold: the target is read before the transaction and never inside it; nothing is recorded unless the store's
//! deed says so; whoever answers learns what came of it, the loser of a race and the second click included.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::{Data, Form, Path};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;

use super::answers::{see, unreadable};
use super::case::Case;
use super::reader;
use super::screen::{self, Shown, why_not};
use crate::domain::approval::{Answer, Refused, Verdict};
use crate::domain::canon::Digest;
use crate::domain::drift::{Difference, Drift, drift};
use crate::domain::names::Reason;
use crate::kit::Kit;
use crate::rules::access::void_by_settings;
use crate::store::WriteFault;
use crate::store::decisions::{Decide, TargetRead};
use crate::store::plans::VoidPlan;
use crate::target::{Besides, Subject};
use crate::web::csrf;
use crate::web::home::Home;
use crate::web::page::{self, Message};

/// A form that was shown longer ago must be confirmed again.
const FORM_HOLDS_SECONDS: i64 = 30 * 60;
/// So long is the target waited for; then the digest decides alone.
const TARGET_TIME_LIMIT: Duration = Duration::from_secs(10);

/// The fields of the form. Whatever is missing is empty, and is then told to a person and not to a parser.
#[derive(Deserialize)]
pub(super) struct Fields {
    #[serde(default)]
    decision: String,
    #[serde(default)]
    comment: String,
    #[serde(default)]
    digest: String,
    #[serde(default)]
    form_token: String,
}

/// What the target looks like just before an answer is recorded.
struct Seen {
    read: TargetRead,
    drift: Drift,
}

/// `POST /approve/{token}/decision`
pub(super) async fn decide(
    request: HttpRequest,
    token: Path<String>,
    kit: Data<Kit>,
    form: Result<Form<Fields>, actix_web::Error>,
) -> HttpResponse {
    if let Err(foreign) = csrf::from_own_page(request.headers(), &kit.settings.http.public_url) {
        tracing::warn!(because = %foreign, "an answer was refused: the form is not ours");
        return foreign_form().answer(&Home::of(&kit), StatusCode::FORBIDDEN);
    }
    let fields = match form {
        Ok(form) => form.into_inner(),
        Err(fault) => return unreadable_form(&kit, fault.as_response_error().status_code()),
    };
    match reader::of(&kit, &request, &token).await {
        Ok(case) => consider(&kit, &case, &token, fields).await,
        Err(answer) => answer,
    }
}

async fn consider(kit: &Kit, case: &Case, token: &str, fields: Fields) -> HttpResponse {
    let (Some(verdict), Some(digest)) = (Verdict::parse(&fields.decision), Digest::parse(&fields.digest))
    else {
        return unreadable_form(kit, StatusCode::BAD_REQUEST);
    };
    let now = kit.world.now();
    let answer = case.answer(kit, verdict, digest, now);
    if let Err(refused) = case.judge(&answer) {
        return refuse(kit, case, token, &refused).await;
    }
    let again = |problem: &str, status| Shown {
        status,
        problem: Some(problem.to_owned()),
        comment: fields.comment.clone(),
        ..Shown::plain(token)
    };
    if !kit.keys.form_token_holds(case.ask.link_hash, digest, &fields.form_token, (now, FORM_HOLDS_SECONDS)) {
        let problem = "This page had been open for a long time, so nothing was recorded. Please look at the plan \
                       once more and confirm again.";
        return screen::answer(kit, case, again(problem, StatusCode::CONFLICT)).await;
    }
    let comment = match comment(verdict, &fields.comment) {
        Ok(comment) => comment,
        Err(problem) => {
            return screen::answer(kit, case, again(problem, StatusCode::UNPROCESSABLE_ENTITY)).await;
        }
    };
    if verdict == Verdict::Approve {
        let target = kit.settings.target(&case.plan.target);
        let because = target.map(|target| void_by_settings(target, &case.plan, &case.kept.routing));
        if let Some(because) = because.filter(|because| !because.is_empty()) {
            return void(kit, case, token, (SETTINGS_CHANGED, because)).await;
        }
    }
    let seen = match verdict {
        Verdict::Approve => look(kit, case).await,
        Verdict::Reject => Seen { read: TargetRead::NotNeeded, drift: Drift::default() },
    };
    if seen.drift.voids.is_empty() {
        record(kit, case, token, (answer, comment, seen)).await
    } else {
        void(kit, case, token, (VAULT_CHANGED, seen.drift.voids)).await
    }
}

/// The comment under the rules for a person's words; a no needs one.
fn comment(verdict: Verdict, typed: &str) -> Result<String, &'static str> {
    let plain = typed.replace('\t', " ");
    match (verdict, plain.trim().is_empty()) {
        (Verdict::Reject, true) => {
            Err("Please say in a few words why you reject; the people who asked will want to know.")
        }
        (Verdict::Approve, true) => Ok(String::new()),
        (Verdict::Approve | Verdict::Reject, false) => Reason::parse(&plain)
            .map(|words| words.as_str().to_owned())
            .map_err(|_| "A comment has at most 2000 characters and no control characters."),
    }
}

/// Reads the target. One that cannot be read in time leaves the decision to the digest.
async fn look(kit: &Kit, case: &Case) -> Seen {
    let unread = Seen { read: TargetRead::No, drift: Drift::default() };
    let Some(target) = kit.target(&case.plan.target) else { return unread };
    let groups = case.plan.assumed_groups();
    let reading = target.snapshot(Subject::of(&case.plan), Besides::of(&case.plan, &groups));
    match tokio::time::timeout(TARGET_TIME_LIMIT, reading).await {
        Ok(Ok(snapshot)) => {
            Seen { read: TargetRead::At(snapshot.read_at), drift: drift(&case.plan, &snapshot) }
        }
        Ok(Err(fault)) => {
            tracing::warn!(workflow.id = %case.workflow.id, %fault, "the target cannot be read before a decision");
            unread
        }
        Err(_) => {
            tracing::warn!(workflow.id = %case.workflow.id, "the target was not read in time before a decision");
            unread
        }
    }
}

/// The one deed. A deed whose outcome is unknown is run once more: it writes the same rows or finds them.
async fn record(kit: &Kit, case: &Case, token: &str, given: (Answer, String, Seen)) -> HttpResponse {
    let (answer, comment, seen) = given;
    let stamp = kit.world.stamp();
    // Reading the vault took its time; what counts is the moment of recording.
    let answer = Answer { at: stamp.at, ..answer };
    let deed = || Decide {
        stamp: stamp.clone(),
        ask: case.ask.clone(),
        answer: answer.clone(),
        comment: comment.clone(),
        named: seen.drift.named.clone(),
        target_read: seen.read.clone(),
        next: kit.asks(case.workflow.id, case.ask.plan_number, &case.kept.routing, case.ask.stage + 1),
    };
    let mut written = kit.store.write(deed()).await;
    if matches!(written, Err(WriteFault::Unknown(_))) {
        written = kit.store.write(deed()).await;
    }
    match written {
        Ok(decided) => {
            tracing::info!(workflow.id = %case.workflow.id, ?decided, "an answer was recorded");
            see(kit, token)
        }
        Err(WriteFault::Refused(refused)) => match case.again(kit).await {
            // The first run had been written after all.
            Ok(Some(now)) if is_own(&now, &answer) => see(kit, token),
            Ok(Some(now)) => refuse(kit, &now, token, &refused).await,
            Ok(None) => page::unknown(&Home::of(kit)),
            Err(fault) => unreadable(kit, &fault),
        },
        Err(WriteFault::Unavailable(_)) => page::unavailable(
            &Home::of(kit),
            "Nothing was recorded: Countersign could not write just now. Please try again.",
        ),
        Err(WriteFault::Unknown(_)) => page::unavailable(
            &Home::of(kit),
            "Countersign does not know whether your answer was recorded. Please open your link again: it shows \
             what was.",
        ),
    }
}

fn is_own(case: &Case, answer: &Answer) -> bool {
    case.own_answer().is_some_and(|own| own.said.verdict == answer.verdict && own.said.at == answer.at)
}

/// What the plan rests on has changed: it goes back, and the reader sees why.
async fn void(kit: &Kit, case: &Case, token: &str, found: (Changed, Vec<Difference>)) -> HttpResponse {
    let (what, because) = found;
    let stamp = kit.world.stamp();
    let deed = || VoidPlan {
        stamp: stamp.clone(),
        workflow: case.workflow.id,
        plan_number: case.ask.plan_number,
        because: because.clone(),
    };
    let mut written = kit.store.write(deed()).await;
    if matches!(written, Err(WriteFault::Unknown(_))) {
        written = kit.store.write(deed()).await;
    }
    match written {
        Ok(()) => match case.again(kit).await {
            Ok(Some(now)) => {
                changed(what, what_follows(&now), because).answer(&Home::of(kit), StatusCode::CONFLICT)
            }
            Ok(None) => page::unknown(&Home::of(kit)),
            Err(fault) => unreadable(kit, &fault),
        },
        // Somebody else was faster: with a decision, or with the same discovery.
        Err(WriteFault::Refused(_)) => match case.again(kit).await {
            Ok(Some(now)) => refuse(kit, &now, token, &Refused::PlanChanged).await,
            Ok(None) => page::unknown(&Home::of(kit)),
            Err(fault) => unreadable(kit, &fault),
        },
        Err(WriteFault::Unavailable(_) | WriteFault::Unknown(_)) => page::unavailable(
            &Home::of(kit),
            "What this plan rests on has changed since it was made, so your answer was not recorded. Please open \
             your link again in a moment.",
        ),
    }
}

/// An answer that does not count: the reader learns why, and what was recorded instead.
async fn refuse(kit: &Kit, case: &Case, token: &str, refused: &Refused) -> HttpResponse {
    if case.is_replaced() {
        return screen::replaced(case)
            .and("Your answer was not recorded.")
            .answer(&Home::of(kit), StatusCode::CONFLICT);
    }
    let note = why_not(case, refused);
    if case.own_answer().is_some() {
        // A second click is no mistake.
        return screen::answer(kit, case, Shown { note: Some(note), ..Shown::plain(token) }).await;
    }
    let status = match refused {
        Refused::AlreadyDecided { .. }
        | Refused::Over(_)
        | Refused::WithOperators
        | Refused::PlanChanged
        | Refused::Expired(_)
        | Refused::OtherStage
        | Refused::AskedOtherwise(_) => StatusCode::CONFLICT,
        Refused::NotAsked
        | Refused::NoLongerEligible
        | Refused::SaidYesBefore
        | Refused::ProofTooWeak
        | Refused::TheirOwn(_) => StatusCode::FORBIDDEN,
    };
    let note = format!("{note} Nothing of yours was recorded.");
    screen::answer(kit, case, Shown { status, note: Some(note), ..Shown::plain(token) }).await
}

/// What becomes of a voided plan.
fn what_follows(case: &Case) -> &'static str {
    if case.is_replaced() {
        "The plan is being made again. When it is ready, a new mail with a new link follows."
    } else {
        "The plan was made again several times already and something still changes, so an operator looks at it \
         first."
    }
}

/// What has changed, as a title, and what that means for the answer.
pub(super) type Changed = (&'static str, &'static str);

pub(super) const VAULT_CHANGED: Changed = (
    "The vault has changed",
    "Your answer was not recorded. Just before recording it the vault was read again, and it is no longer as the plan \
     assumes.",
);
const SETTINGS_CHANGED: Changed = (
    "Our settings have changed",
    "Your answer was not recorded. Since this plan was made, the settings of Countersign ask for more before it may be \
     approved.",
);

/// The page after something that voids.
pub(super) fn changed(what: Changed, follows: &str, because: Vec<Difference>) -> Message {
    let (title, words) = what;
    Message::new(title, words).and(follows).with_differences(because)
}

/// The page for a form from elsewhere.
pub(super) fn foreign_form() -> Message {
    Message::new(
        "This answer did not come from our page",
        "Nothing was recorded. Countersign takes an answer only from its own page, opened under its own address.",
    )
    .and("Open the link in your mail once more and answer there.")
}

fn unreadable_form(kit: &Kit, status: StatusCode) -> HttpResponse {
    Message::new(
        "This answer cannot be read",
        "Nothing was recorded. The form came in incomplete, or was much too large.",
    )
    .and("Open the link in your mail once more and answer there.")
    .answer(&Home::of(kit), status)
}
