//! Stage directions over HTTP, under `/_sim/`: faults, the clock, the journal, and an outside hand.
//!
//! Must hold: nothing here is written into the journal or the wire log. There is no sign-in: the simulator belongs on
//! loopback.

use actix_web::http::StatusCode;
use actix_web::web::{self, Data, Json, Path, ServiceConfig};
use actix_web::{HttpResponse, Responder};
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};

use super::faults::Fault;
use super::tenant::{Refusal, SessionKind};
use super::vault::Vault;

/// Adds the routes; the vault must be in the application's data.
pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(
        web::scope("/_sim")
            .route("/faults", web::post().to(add_fault))
            .route("/faults", web::delete().to(clear_faults))
            .route("/clock", web::post().to(move_clock))
            .route("/journal", web::get().to(journal))
            .route("/wire", web::get().to(wire))
            .route("/state", web::get().to(state))
            .route("/users", web::post().to(add_user))
            .route("/users/{id}", web::patch().to(patch_user))
            .route("/users/{id}", web::delete().to(remove_user))
            .route("/groups", web::post().to(add_group))
            .route("/groups/{id}", web::patch().to(patch_group))
            .route("/groups/{id}", web::delete().to(remove_group))
            .route("/groups/{id}/recreate", web::post().to(recreate_group))
            .route("/groups/{id}/members", web::post().to(put_member))
            .route("/groups/{id}/members/{user_id}", web::delete().to(take_member))
            .route("/safes", web::post().to(add_safe))
            .route("/safes/{name}/members", web::post().to(let_into_safe))
            .route("/safes/{name}/members/{member}", web::delete().to(put_out_of_safe))
            .route("/tokens/revoke", web::post().to(revoke_tokens))
            .route("/service_user/password", web::put().to(rotate_password))
            .route("/sessions", web::get().to(count_sessions))
            .route("/sessions", web::post().to(log_on_elsewhere))
            .route("/sessions", web::delete().to(revoke_tokens)),
    );
}

async fn add_fault(vault: Data<Vault>, fault: Json<Fault>) -> impl Responder {
    vault.add_fault(fault.into_inner());
    HttpResponse::NoContent()
}

async fn clear_faults(vault: Data<Vault>) -> impl Responder {
    vault.clear_faults();
    HttpResponse::NoContent()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Move {
    now: Option<DateTime<Utc>>,
    advance_seconds: Option<i64>,
    follow: Option<bool>,
}

async fn move_clock(vault: Data<Vault>, wanted: Json<Move>) -> impl Responder {
    let clock = vault.clock();
    if wanted.follow == Some(true) {
        clock.follow();
    }
    if let Some(moment) = wanted.now {
        clock.set(moment);
    }
    if let Some(step) = wanted.advance_seconds.and_then(TimeDelta::try_seconds) {
        clock.advance(step);
    }
    Json(json!({ "now": clock.now() }))
}

async fn journal(vault: Data<Vault>) -> impl Responder {
    Json(vault.journal())
}

async fn wire(vault: Data<Vault>) -> impl Responder {
    Json(vault.wire())
}

async fn state(vault: Data<Vault>) -> impl Responder {
    Json(vault.state())
}

async fn add_user(vault: Data<Vault>, described: Json<Value>) -> HttpResponse {
    made(vault.add_user(&described))
}

async fn add_group(vault: Data<Vault>, described: Json<Value>) -> HttpResponse {
    made(vault.add_group_as(&described))
}

async fn patch_user(vault: Data<Vault>, id: Path<i64>, changes: Json<Value>) -> HttpResponse {
    done(vault.patch_user(*id, &changes))
}

async fn remove_user(vault: Data<Vault>, id: Path<i64>) -> HttpResponse {
    done(vault.remove_user(*id))
}

async fn patch_group(vault: Data<Vault>, id: Path<i64>, changes: Json<Value>) -> HttpResponse {
    done(vault.patch_group(*id, &changes))
}

async fn recreate_group(vault: Data<Vault>, id: Path<i64>) -> HttpResponse {
    made(vault.recreate_group(*id))
}

async fn remove_group(vault: Data<Vault>, id: Path<i64>) -> HttpResponse {
    done(vault.remove_group(*id))
}

#[derive(Deserialize)]
struct Member {
    user_id: i64,
}

async fn put_member(vault: Data<Vault>, id: Path<i64>, member: Json<Member>) -> HttpResponse {
    done(vault.put_member(*id, member.user_id))
}

async fn take_member(vault: Data<Vault>, ids: Path<(i64, i64)>) -> HttpResponse {
    done(vault.take_member(ids.0, ids.1))
}

async fn add_safe(vault: Data<Vault>, described: Json<Value>) -> HttpResponse {
    done(vault.add_safe(&described))
}

#[derive(Deserialize)]
struct SafeMember {
    name: String,
}

async fn let_into_safe(vault: Data<Vault>, safe: Path<String>, member: Json<SafeMember>) -> HttpResponse {
    done(vault.let_into_safe(&safe, &member.name))
}

async fn put_out_of_safe(vault: Data<Vault>, names: Path<(String, String)>) -> HttpResponse {
    done(vault.put_out_of_safe(&names.0, &names.1))
}

async fn revoke_tokens(vault: Data<Vault>) -> impl Responder {
    vault.revoke_tokens();
    HttpResponse::NoContent()
}

#[derive(Deserialize)]
struct NewPassword {
    password: String,
}

async fn rotate_password(vault: Data<Vault>, new: Json<NewPassword>) -> impl Responder {
    vault.set_service_password(SecretString::from(new.into_inner().password));
    HttpResponse::NoContent()
}

async fn count_sessions(vault: Data<Vault>) -> impl Responder {
    Json(json!({ "open": vault.open_sessions() }))
}

#[derive(Deserialize)]
struct Elsewhere {
    kind: SessionKind,
}

async fn log_on_elsewhere(vault: Data<Vault>, wanted: Json<Elsewhere>) -> HttpResponse {
    done(vault.log_on_elsewhere(wanted.kind))
}

fn made(result: Result<i64, Refusal>) -> HttpResponse {
    match result {
        Ok(id) => HttpResponse::Created().json(json!({ "id": id })),
        Err(refusal) => refused(&refusal),
    }
}

fn done(result: Result<(), Refusal>) -> HttpResponse {
    match result {
        Ok(()) => HttpResponse::NoContent().finish(),
        Err(refusal) => refused(&refusal),
    }
}

fn refused(refusal: &Refusal) -> HttpResponse {
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::BAD_REQUEST);
    HttpResponse::build(status).json(json!({ "error": refusal.message, "detail": refusal.detail }))
}
