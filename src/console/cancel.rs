//! `POST /workflows/{id}/cancel`: an operator proposes that a leaver is cancelled, or confirms what somebody else proposed.
//!
//! Must hold: whoever acts has signed in and is an operator, on this machine, too; the form was shown to this person,
//! lately, about the workflow as it stands now; the deed is that of the command.

use actix_web::http::{StatusCode, header};
use actix_web::web::{Data, Form, Path};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;

use super::access::may_act;
use super::bound::{FORM_HOLDS_SECONDS, bound_to};
use super::detail::{self, Shown};
use super::list::unreadable;
use super::sight::Sight;
use crate::domain::ids::WorkflowId;
use crate::domain::names::Reason;
use crate::kit::Kit;
use crate::people::Signed;
use crate::store::WriteFault;
use crate::store::cancel::CancelLeaver;
use crate::web::home::Home;
use crate::web::page::{self, Message};

/// The fields of the form. Whatever is missing is empty, and is then told to a person and not to a parser.
#[derive(Deserialize)]
pub(super) struct Fields {
    #[serde(default)]
    reason: String,
    #[serde(default)]
    form_token: String,
}

/// Takes the form.
pub(super) async fn cancel(
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
    let Ok(fields) = form.map(Form::into_inner) else {
        return Message::new(
            "This form cannot be read",
            "It came in incomplete, or was much too large. Nothing was done.",
        )
        .answer(&home, StatusCode::BAD_REQUEST);
    };
    let Some(id) = WorkflowId::parse(&id) else { return page::unknown(&home) };
    match Sight::of(&kit, id).await {
        Ok(Some(sight)) => consider(&kit, &sight, &signed, fields).await,
        Ok(None) => page::unknown(&home),
        Err(fault) => unreadable(&kit, &fault),
    }
}

async fn consider(kit: &Kit, sight: &Sight, signed: &Signed, fields: Fields) -> HttpResponse {
    let again = |status, problem: String| {
        let shown = Shown { signed: Some(signed), problem: Some(problem), typed: fields.reason.clone() };
        detail::answer(kit, sight, status, &shown)
    };
    let now = kit.world.now();
    let (person, standing) = bound_to(signed, sight);
    if !kit.keys.form_token_holds(person, standing, &fields.form_token, (now, FORM_HOLDS_SECONDS)) {
        let problem = "The workflow has moved on while this page was open, or the page was open for too long. Nothing \
                       was done; what stands here is how it is now.";
        return again(StatusCode::CONFLICT, problem.to_owned());
    }
    let Ok(reason) = Reason::parse(&fields.reason.replace('\t', " ")) else {
        let problem =
            "Please say why, in at most 2000 characters; it goes into the audit trail. Nothing was done.";
        return again(StatusCode::UNPROCESSABLE_ENTITY, problem.to_owned());
    };
    let deed = CancelLeaver {
        stamp: kit.world.stamp(),
        workflow: sight.workflow.id,
        by: signed.address.clone(),
        user: None,
        reason: reason.as_str().to_owned(),
    };
    match kit.store.write(deed).await {
        Ok(done) => {
            tracing::info!(workflow.id = %sight.workflow.id, ?done, "an operator decided about cancelling a leaver");
            let to = Home::of(kit).path(&format!("/workflows/{}", sight.workflow.id));
            HttpResponse::SeeOther().insert_header((header::LOCATION, to)).finish()
        }
        Err(WriteFault::Refused(no)) => again(StatusCode::CONFLICT, format!("Nothing was done: {no}.")),
        Err(fault @ (WriteFault::Unavailable(_) | WriteFault::Unknown(_))) => {
            tracing::error!(%fault, "what an operator decided could not be recorded");
            page::unavailable(
                &Home::of(kit),
                "Countersign cannot say whether this was recorded. Look at the workflow once more before you try again.",
            )
        }
    }
}
