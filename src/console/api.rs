//! The operators' JSON API: workflows, one workflow, its audit trail.
//!
//! Must hold: a token opens what its scopes say; nothing here writes; no secret and no link stands in an answer.
//! Pages go on from a cursor that is the last thing shown, so that what comes in meanwhile moves nothing.

mod leavers;
mod paging;
#[cfg(test)]
mod tests;
mod unread;
mod view;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};

use self::paging::{Cut, PageWanted};
use self::unread::unread;
use self::view::{AuditPage, WorkflowInFull, WorkflowPage};
use crate::config::Scope;
use crate::domain::ids::WorkflowId;
use crate::kit::Kit;
use crate::store::workflows::{self, Workflow};
use crate::store::{ReadFault, audit, decisions, listed, outbox, parts, plans, steps};
use crate::web::problem::Problem;
use crate::web::{bearer, json};

/// The addresses of the operators' API; [`Kit`] must be there as `web::Data`.
pub fn routes(config: &mut web::ServiceConfig) {
    let list = web::resource("/api/v1/workflows").route(web::get().to(all)).route(web::head().to(all));
    let single = web::resource("/api/v1/workflows/{id}").route(web::get().to(one)).route(web::head().to(one));
    let events = web::resource("/api/v1/workflows/{id}/audit")
        .route(web::get().to(trail))
        .route(web::head().to(trail));
    let leavers = web::resource("/api/v1/reports/leavers")
        .route(web::get().to(leavers::report))
        .route(web::head().to(leavers::report));
    for resource in [list, single, events, leavers] {
        config.service(resource.default_service(web::to(wrong_method)));
    }
}

async fn wrong_method() -> HttpResponse {
    Problem::wrong_method("GET, HEAD").into()
}

async fn all(kit: web::Data<Kit>, request: HttpRequest) -> HttpResponse {
    page(&kit, &request).await.unwrap_or_else(HttpResponse::from)
}

async fn one(kit: web::Data<Kit>, request: HttpRequest) -> HttpResponse {
    in_full(&kit, &request).await.unwrap_or_else(HttpResponse::from)
}

async fn trail(kit: web::Data<Kit>, request: HttpRequest) -> HttpResponse {
    audit_page(&kit, &request).await.unwrap_or_else(HttpResponse::from)
}

async fn page(kit: &Kit, request: &HttpRequest) -> Result<HttpResponse, Problem> {
    bearer::client(&kit.settings.api_clients, request.headers(), Scope::WorkflowsRead)?;
    let wanted = PageWanted::read(request.query_string())?;
    let after = wanted.after_workflow()?;
    let found = listed::page(&kit.store, after, wanted.one_more()).await.map_err(|fault| unread(&fault))?;
    let (shown, more) = wanted.cut(found);
    let next_cursor = match (more, shown.last()) {
        (Cut::Short, Some(last)) => Some(paging::workflow_cursor(last.id())),
        (Cut::Short | Cut::Whole, _) => None,
    };
    Ok(json::answer(StatusCode::OK, &WorkflowPage::new(kit, &shown, next_cursor)))
}

async fn in_full(kit: &Kit, request: &HttpRequest) -> Result<HttpResponse, Problem> {
    bearer::client(&kit.settings.api_clients, request.headers(), Scope::WorkflowsRead)?;
    PageWanted::refuse_parameters(request.query_string())?;
    let workflow = find(kit, request).await?;
    let view = gather(kit, &workflow).await.map_err(|fault| unread(&fault))?;
    Ok(json::answer(StatusCode::OK, &view))
}

async fn gather(kit: &Kit, workflow: &Workflow) -> Result<WorkflowInFull, ReadFault> {
    if workflow.cleared.is_some() {
        let said = decisions::of_workflow(&kit.store, workflow.id).await?;
        let messages = outbox::of_workflow(&kit.store, workflow.id).await?;
        let whole = parts::whole(&kit.store, workflow).await?;
        let shown = WorkflowInFull::cleared(kit, workflow);
        return Ok(shown.with_parts(kit, &whole).with_people(said, messages));
    }
    let plan = plans::find(&kit.store, workflow.id, workflow.plan_number).await?;
    let ledger = steps::ledger(&kit.store, workflow.id, workflow.plan_number).await?;
    let said = decisions::of_workflow(&kit.store, workflow.id).await?;
    let messages = outbox::of_workflow(&kit.store, workflow.id).await?;
    let whole = parts::whole(&kit.store, workflow).await?;
    let replaced = workflows::ended_by(&kit.store, workflow.id).await?;
    let shown = WorkflowInFull::new(kit, workflow, plan.as_ref(), &ledger)?;
    Ok(shown.with_parts(kit, &whole).in_place_of(&replaced).with_people(said, messages))
}

async fn audit_page(kit: &Kit, request: &HttpRequest) -> Result<HttpResponse, Problem> {
    bearer::client(&kit.settings.api_clients, request.headers(), Scope::AuditRead)?;
    let wanted = PageWanted::read(request.query_string())?;
    let after = wanted.after_position()?;
    let workflow = find(kit, request).await?;
    let chain = audit::chain(&kit.store, workflow.id.into(), after, wanted.one_more()).await;
    let (shown, more) = wanted.cut(chain.map_err(|fault| unread(&fault))?);
    let next_cursor = match (more, shown.last()) {
        (Cut::Short, Some(last)) => Some(paging::position_cursor(last.event.position)),
        (Cut::Short | Cut::Whole, _) => None,
    };
    Ok(json::answer(StatusCode::OK, &AuditPage::new(workflow.id, shown, next_cursor)))
}

async fn find(kit: &Kit, request: &HttpRequest) -> Result<Workflow, Problem> {
    let none = || Problem::not_found("there is no workflow of this id");
    let id = request.match_info().get("id").and_then(WorkflowId::parse).ok_or_else(none)?;
    workflows::find(&kit.store, id).await.map_err(|fault| unread(&fault))?.ok_or_else(none)
}
