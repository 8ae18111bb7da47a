//! `POST /workflows/{id}/act`: an operator sends a workflow on, adopts an account, or gives up; or decides about a leaver
//! whom nobody who was asked has decided in time, or about cancelling one.
//!
//! Must hold: whoever acts has signed in and is an operator, on this machine, too; the form was shown to this person,
//! lately, about the workflow as it stands now; the deeds are those of the commands, and whoever comes second is told
//! who was first. Deliberately absent: deciding for approvers whose time is not over, which the store's deed refuses.

use actix_web::http::{StatusCode, header};
use actix_web::web::{Data, Form, Path};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;

use super::access::may_act;
use super::bound::{FORM_HOLDS_SECONDS, bound_to};
use super::detail::{self, Shown};
use super::list::unreadable;
use super::sight::Sight;
use super::ways::{Act, act_word};
use crate::domain::approval::Verdict;
use crate::domain::ids::{VaultUserId, WorkflowId};
use crate::domain::names::Reason;
use crate::domain::operator::Operator;
use crate::kit::Kit;
use crate::people::Signed;
use crate::store::WriteFault;
use crate::store::cancel::{CancelLeaver, Cancelled};
use crate::store::operator::{Exit, Overrule, TakeExit};
use crate::web::home::Home;
use crate::web::page::{self, Message};

/// The fields of the form. Whatever is missing is empty, and is then told to a person and not to a parser.
#[derive(Deserialize)]
pub(super) struct Fields {
    #[serde(default)]
    exit: String,
    #[serde(default)]
    reason: String,
    /// The account that the page has shown, where one may be adopted.
    #[serde(default)]
    user_id: String,
    #[serde(default)]
    form_token: String,
}

/// Somebody loads the address of the form anew: the page itself is meant.
pub(super) async fn back(id: Path<String>, kit: Data<Kit>) -> HttpResponse {
    match WorkflowId::parse(&id) {
        Some(id) => see(&kit, id),
        None => page::unknown(&Home::of(&kit)),
    }
}

/// Takes the form.
pub(super) async fn act(
    request: HttpRequest,
    id: Path<String>,
    kit: Data<Kit>,
    signed: Signed,
    form: Result<Form<Fields>, actix_web::Error>,
) -> HttpResponse {
    let home = Home::of(&kit);
    if let Err(refused) = may_act(&kit, &request, &signed) {
        return *refused;
    }
    let read = form.ok().map(Form::into_inner).and_then(|fields| Some((wanted(&fields)?, fields)));
    let Some((wanted, fields)) = read else {
        return Message::new(
            "This form cannot be read",
            "It came in incomplete, or was much too large. Nothing was done.",
        )
        .answer(&home, StatusCode::BAD_REQUEST);
    };
    let Some(id) = WorkflowId::parse(&id) else { return page::unknown(&home) };
    match Sight::of(&kit, id).await {
        Ok(Some(sight)) => consider(&kit, &sight, &signed, (wanted, fields)).await,
        Ok(None) => page::unknown(&home),
        Err(fault) => unreadable(&kit, &fault),
    }
}

fn wanted(fields: &Fields) -> Option<Act> {
    let account = fields.user_id.parse().ok().map(|id| Exit::Adopt(VaultUserId(id)));
    let exits = [Some(Exit::Retry), account, Some(Exit::MarkDone), Some(Exit::GiveUp)];
    let decisions = [Verdict::Approve, Verdict::Reject].map(Act::Decide);
    let mut all = exits.into_iter().flatten().map(Act::Exit).chain(decisions).chain([Act::Cancel]);
    all.find(|act| act_word(*act) == fields.exit)
}

/// The deed that carries it out, the same as that of the command; what is refused is told in words.
async fn carry_out(
    kit: &Kit,
    workflow: WorkflowId,
    (wanted, signed): (Act, &Signed),
    reason: Reason,
) -> Result<&'static str, WriteFault<String>> {
    let (stamp, reason) = (kit.world.stamp(), reason.as_str().to_owned());
    let by = Operator::SignedIn(signed.address.clone());
    match wanted {
        Act::Exit(exit) => {
            let deed = TakeExit { stamp, workflow, exit, by, reason };
            kit.store.write(deed).await.map_err(WriteFault::in_words)
        }
        Act::Decide(verdict) => {
            let deed = Overrule { stamp, workflow, verdict, by, reason };
            kit.store.write(deed).await.map_err(WriteFault::in_words)
        }
        Act::Cancel => {
            let deed = CancelLeaver { stamp, workflow, by: signed.one_of_two(kit), reason };
            let done = kit.store.write(deed).await.map_err(WriteFault::in_words)?;
            Ok(if done == Cancelled::Done { "cancelled" } else { "proposed" })
        }
    }
}

async fn consider(kit: &Kit, sight: &Sight, signed: &Signed, asked: (Act, Fields)) -> HttpResponse {
    let (wanted, fields) = asked;
    let again = |status, problem: &str| {
        let shown =
            Shown { signed: Some(signed), problem: Some(problem.to_owned()), typed: fields.reason.clone() };
        detail::answer(kit, sight, status, &shown)
    };
    let now = kit.world.now();
    let (person, standing) = bound_to(signed, sight);
    if !kit.keys.form_token_holds(person, standing, &fields.form_token, (now, FORM_HOLDS_SECONDS)) {
        let problem = "The workflow has moved on while this page was open, or the page was open for too long. Nothing \
                       was done; what stands here is how it is now.";
        return again(StatusCode::CONFLICT, problem);
    }
    let typed = fields.reason.replace('\t', " ");
    let Ok(reason) = Reason::parse(&typed) else {
        let problem =
            "Please say why, in at most 2000 characters; it goes into the audit trail. Nothing was done.";
        return again(StatusCode::UNPROCESSABLE_ENTITY, problem);
    };
    match carry_out(kit, sight.workflow.id, (wanted, signed), reason).await {
        Ok(state) => {
            let act = act_word(wanted);
            tracing::info!(workflow.id = %sight.workflow.id, act, state, "an operator acted on the console");
            see(kit, sight.workflow.id)
        }
        Err(WriteFault::Refused(no)) => match Sight::of(kit, sight.workflow.id).await {
            Ok(Some(now)) => {
                let problem = Some(format!("Nothing was done: {no}."));
                let shown = Shown { signed: Some(signed), problem, typed: fields.reason };
                detail::answer(kit, &now, StatusCode::CONFLICT, &shown)
            }
            Ok(None) => page::unknown(&Home::of(kit)),
            Err(fault) => unreadable(kit, &fault),
        },
        Err(fault @ (WriteFault::Unavailable(_) | WriteFault::Unknown(_))) => {
            tracing::error!(%fault, "what an operator decided could not be recorded");
            page::unavailable(
                &Home::of(kit),
                "Countersign cannot say whether this was recorded. Look at the workflow once more before you try again.",
            )
        }
    }
}

fn see(kit: &Kit, id: WorkflowId) -> HttpResponse {
    let to = Home::of(kit).path(&format!("/workflows/{id}"));
    HttpResponse::SeeOther().insert_header((header::LOCATION, to)).finish()
}
