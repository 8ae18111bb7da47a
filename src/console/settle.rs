//! `POST /held/{id}`: an operator proposes what becomes of held leavers, or confirms what somebody else has proposed.
//!
//! Must hold: whoever acts has signed in and is an operator, on this machine, too; the form was shown to this person,
//! lately, about the batch as it stands now; nothing is selected that was not ticked; the deed is that of the command.

use std::collections::BTreeSet;

use actix_web::http::{StatusCode, header};
use actix_web::web::{Data, Form, Path};
use actix_web::{HttpRequest, HttpResponse};

use super::access::may_act;
use super::bound::{FORM_HOLDS_SECONDS, bound_to_batch};
use super::held::{self, Shown};
use super::list::unreadable;
use crate::domain::approval::Verdict;
use crate::domain::ids::{BatchId, WorkflowId};
use crate::domain::names::Reason;
use crate::kit::Kit;
use crate::people::Signed;
use crate::store::WriteFault;
use crate::store::batches::{Batch, find};
use crate::store::held::{Selection, SettleHeld};
use crate::web::home::Home;
use crate::web::page::{self, Message};

/// What the form says. A missing reason or token is empty, and is then told to a person.
struct Fields {
    verdict: Verdict,
    ticked: BTreeSet<WorkflowId>,
    reason: String,
    form_token: String,
}

impl Fields {
    fn read(pairs: Vec<(String, String)>) -> Option<Self> {
        let (mut verdict, mut ticked) = (None, BTreeSet::new());
        let (mut reason, mut form_token) = (String::new(), String::new());
        for (name, value) in pairs {
            match name.as_str() {
                "verdict" => verdict = Some(read_verdict(&value)?),
                "workflow" => {
                    ticked.insert(WorkflowId::parse(&value)?);
                }
                "reason" => reason = value,
                "form_token" => form_token = value,
                _ => {}
            }
        }
        Some(Self { verdict: verdict?, ticked, reason, form_token })
    }
}

fn read_verdict(word: &str) -> Option<Verdict> {
    match word {
        "release" => Some(Verdict::Approve),
        "reject" => Some(Verdict::Reject),
        _ => None,
    }
}

/// Takes the form.
pub(super) async fn settle(
    request: HttpRequest,
    id: Path<String>,
    kit: Data<Kit>,
    signed: Signed,
    form: Result<Form<Vec<(String, String)>>, actix_web::Error>,
) -> HttpResponse {
    let home = Home::of(&kit);
    if let Err(refused) = may_act(&kit, &request, &signed) {
        return *refused;
    }
    let Some(fields) = form.ok().map(Form::into_inner).and_then(Fields::read) else {
        return Message::new(
            "This form cannot be read",
            "It came in incomplete, or was much too large. Nothing was done.",
        )
        .leading_to(home.path("/held"), "Show the held leavers")
        .answer(&home, StatusCode::BAD_REQUEST);
    };
    let Some(id) = BatchId::parse(&id) else { return page::unknown(&home) };
    match find(&kit.store, id).await {
        Ok(Some(batch)) => consider(&kit, batch, &signed, fields).await,
        Ok(None) => page::unknown(&home),
        Err(fault) => unreadable(&kit, &fault),
    }
}

async fn consider(kit: &Kit, batch: Batch, signed: &Signed, fields: Fields) -> HttpResponse {
    let now = kit.world.now();
    let (person, standing) = bound_to_batch(signed, &batch, now);
    if !kit.keys.form_token_holds(person, standing, &fields.form_token, (now, FORM_HOLDS_SECONDS)) {
        let problem = "The batch has moved on while this page was open, or the page was open for too long. Nothing \
                       was done; what stands here is how it is now.";
        return again(kit, batch, signed, StatusCode::CONFLICT, (problem.to_owned(), fields));
    }
    if fields.ticked.is_empty() {
        let problem = "Nobody is selected. Please tick those whom you mean. Nothing was done.";
        return again(kit, batch, signed, StatusCode::UNPROCESSABLE_ENTITY, (problem.to_owned(), fields));
    }
    let Ok(reason) = Reason::parse(&fields.reason.replace('\t', " ")) else {
        let problem =
            "Please say why, in at most 2000 characters; it goes into the audit trail. Nothing was done.";
        return again(kit, batch, signed, StatusCode::UNPROCESSABLE_ENTITY, (problem.to_owned(), fields));
    };
    let deed = SettleHeld {
        stamp: kit.world.stamp(),
        batch: batch.id,
        verdict: fields.verdict,
        selection: Selection::These(fields.ticked.clone()),
        by: signed.one_of_two(kit),
        reason: reason.as_str().to_owned(),
    };
    match kit.store.write(deed).await {
        Ok(settled) => {
            tracing::info!(batch.id = %batch.id, ?settled, "an operator decided about held leavers on the console");
            let to = Home::of(kit).path(&format!("/held/{}", batch.id));
            HttpResponse::SeeOther().insert_header((header::LOCATION, to)).finish()
        }
        Err(WriteFault::Refused(no)) => match find(&kit.store, batch.id).await {
            Ok(Some(batch)) => {
                again(kit, batch, signed, StatusCode::CONFLICT, (format!("Nothing was done: {no}."), fields))
            }
            Ok(None) => page::unknown(&Home::of(kit)),
            Err(fault) => unreadable(kit, &fault),
        },
        Err(fault @ (WriteFault::Unavailable(_) | WriteFault::Unknown(_))) => {
            tracing::error!(%fault, "what an operator decided about held leavers could not be recorded");
            page::unavailable(
                &Home::of(kit),
                "Countersign cannot say whether this was recorded. Look at the held leavers once more before you try \
                 again.",
            )
        }
    }
}

/// The page once more, with what was ticked and typed, and what must be mended.
fn again(
    kit: &Kit,
    batch: Batch,
    signed: &Signed,
    status: StatusCode,
    (problem, fields): (String, Fields),
) -> HttpResponse {
    let shown =
        Shown { signed: Some(signed), problem: Some(problem), typed: fields.reason, ticked: fields.ticked };
    held::one(kit, batch, status, &shown)
}
