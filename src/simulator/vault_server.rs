//! The vault on the wire: every path that is not ours goes to the tenant, mishaps included.
//!
//! Must hold: a request that was let in is carried out even when its client has gone away, as a real server would.
//! Deliberately not here: what the calls mean (`tenant`) and the stage directions (`control`).

use std::time::Duration;

use actix_web::body::SizedStream;
use actix_web::http::{StatusCode, header};
use actix_web::web::{self, Bytes, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};

use super::faults::Moment;
use super::tenant::{Answer, Body, Call};
use super::vault::{Outcome, Vault};

/// Routes of the vault and of its stage directions.
pub(super) fn routes(vault: &Vault) -> impl Fn(&mut ServiceConfig) + Clone + Send + 'static + use<> {
    let vault = vault.clone();
    move |config| {
        config
            .app_data(Data::new(vault.clone()))
            .configure(super::control::routes)
            .default_service(web::to(on_the_wire));
    }
}

async fn on_the_wire(request: HttpRequest, body: Bytes, vault: Data<Vault>) -> HttpResponse {
    let authorization = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let cookies = request.headers().get(header::COOKIE).and_then(|value| value.to_str().ok());
    let call = Call {
        method: request.method().as_str().to_owned(),
        path: request.uri().path().to_owned(),
        query: request.query_string().to_owned(),
        authorization: authorization.map(str::to_owned),
        cookies: cookies.map(str::to_owned),
        body: body.to_vec(),
    };
    // A task of its own, because the server drops this future when the client hangs up.
    match tokio::spawn(carried_out(vault.as_ref().clone(), call)).await {
        Ok(Outcome::Answered(answer)) => response(answer),
        Ok(Outcome::Silence) | Err(_) => silence(),
    }
}

async fn carried_out(vault: Vault, call: Call) -> Outcome {
    let visit = vault.admit(call);
    match visit.delay() {
        None => vault.finish(visit),
        Some((millis, Moment::Before)) => {
            vault.begins_to_wait();
            pause(millis).await;
            vault.has_waited();
            vault.finish(visit)
        }
        Some((millis, Moment::After)) => {
            let outcome = vault.finish(visit);
            vault.begins_to_wait();
            pause(millis).await;
            vault.has_waited();
            outcome
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a scripted slow answer is slow in real time; that is its purpose"
)]
async fn pause(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

fn response(answer: Answer) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    if let Some(seconds) = answer.retry_after {
        response.insert_header((header::RETRY_AFTER, seconds));
    }
    if let Some(cookie) = answer.cookie {
        response.insert_header((header::SET_COOKIE, cookie));
    }
    match answer.body {
        Body::Empty => response.finish(),
        Body::Json(body) => response.json(body),
        Body::Html(page) => response.content_type("text/html; charset=utf-8").body(page),
    }
}

/// A body that fails before its first byte: the server then closes the connection, and as the head of the answer was
/// not flushed yet, the client gets nothing at all.
fn silence() -> HttpResponse {
    let failing = futures_util::stream::once(async { Err::<Bytes, _>(std::io::Error::other("cut")) });
    HttpResponse::Ok().body(SizedStream::new(1, Box::pin(failing)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use reqwest::Method;
    use secrecy::SecretString;
    use serde_json::{Value, json};

    use super::super::clock::SimClock;
    use super::super::serving::Served;
    use super::super::tenant::{Product, TenantOptions};
    use super::*;

    struct Stage {
        vault: Vault,
        served: Served,
        client: reqwest::Client,
        token: Arc<str>,
    }

    impl Stage {
        async fn new() -> Self {
            let vault =
                Vault::new(TenantOptions::new("svc", SecretString::from("secret")), SimClock::following());
            let served = Served::start(([127, 0, 0, 1], 0).into(), routes(&vault)).unwrap();
            let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).build().unwrap();
            let form =
                [("grant_type", "client_credentials"), ("client_id", "svc"), ("client_secret", "secret")];
            let url = format!("{}/oauth2/platformtoken", served.url());
            let answer = client.post(url).form(&form).send().await.unwrap();
            let token = answer.json::<Value>().await.unwrap()["access_token"].as_str().unwrap().into();
            Self { vault, served, client, token }
        }

        async fn send(&self, method: &str, path: &str, body: Value) -> reqwest::Result<(u16, Value)> {
            let url = format!("{}{path}", self.served.url());
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let request = self.client.request(method, url).bearer_auth(&self.token);
            let answer = if body.is_null() { request } else { request.json(&body) }.send().await?;
            let status = answer.status().as_u16();
            let bytes = answer.bytes().await?;
            Ok((status, serde_json::from_slice(&bytes).unwrap_or(Value::Null)))
        }

        async fn fault(&self, fault: Value) {
            assert_eq!(self.send("POST", "/_sim/faults", fault).await.unwrap().0, 204);
        }
    }

    fn anna() -> Value {
        json!({ "username": "anna", "initialPassword": "Abcdef-12345" })
    }

    const USERS: &str = "/PasswordVault/API/Users/";

    #[tokio::test(flavor = "multi_thread")]
    async fn a_drop_after_is_a_lost_answer_whose_effect_stays() {
        let stage = Stage::new().await;
        stage
            .fault(
                json!({ "match": { "method": "POST", "path_contains": "/Users" }, "effect": "drop_after" }),
            )
            .await;
        let lost = stage.send("POST", USERS, anna()).await.unwrap_err();
        assert!(lost.is_request() && !lost.is_timeout(), "{lost:?}");
        assert_eq!(stage.vault.journal().len(), 1);
        assert_eq!(stage.send("POST", USERS, anna()).await.unwrap().0, 409);
        let wire = stage.vault.wire();
        assert_eq!((wire[1].status, wire[1].fault), (None, Some("drop_after")));
        stage.served.stop().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_drop_before_is_a_lost_request_without_effect() {
        let stage = Stage::new().await;
        stage.fault(json!({ "match": { "method": "POST" }, "effect": { "drop_before": true } })).await;
        assert!(stage.send("POST", USERS, anna()).await.is_err());
        assert!(stage.vault.journal().is_empty());
        assert_eq!(stage.send("POST", USERS, anna()).await.unwrap().0, 201);
        stage.served.stop().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_client_that_hangs_up_does_not_stop_the_vault() {
        let stage = Stage::new().await;
        stage.fault(json!({ "effect": { "delay_ms": 300 }, "match": { "method": "POST" } })).await;
        let url = format!("{}{USERS}", stage.served.url());
        let request = stage.client.post(url).bearer_auth(&stage.token).json(&anna());
        let given_up = request.timeout(Duration::from_millis(15)).send().await.unwrap_err();
        assert!(given_up.is_timeout());
        assert!(stage.vault.journal().is_empty());
        for _ in 0..200 {
            if stage.vault.journal().is_empty() {
                pause(25).await;
            }
        }
        assert_eq!(stage.vault.journal().len(), 1);
        stage.served.stop().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn answers_can_be_replaced_and_tokens_go_stale() {
        let stage = Stage::new().await;
        let status = json!({ "status": 500, "body": { "ErrorCode": "ITADM111E" }, "moment": "after" });
        stage.fault(json!({ "match": { "method": "POST" }, "effect": status })).await;
        let (status, body) = stage.send("POST", USERS, anna()).await.unwrap();
        assert_eq!((status, &body["ErrorCode"]), (500, &json!("ITADM111E")));
        assert_eq!(stage.vault.journal().len(), 1);
        stage.fault(json!({ "effect": "html_503" })).await;
        assert_eq!(stage.send("GET", USERS, Value::Null).await.unwrap(), (503, Value::Null));
        let stranger = json!({ "meanwhile": { "add_user": { "username": "bert" } } });
        stage.fault(json!({ "effect": stranger })).await;
        let (_, list) = stage.send("GET", "/PasswordVault/API/Users?search=bert", Value::Null).await.unwrap();
        assert_eq!(list["Total"], 1);
        let group_id = stage.vault.add_group("Ops").unwrap();
        let joined = json!({ "put_member": { "group_id": group_id, "name": "BERT" } });
        let renamed = json!({ "patch_user": { "name": "bert", "changes": { "description": "seen" } } });
        for deed in [joined, renamed] {
            stage.fault(json!({ "effect": { "meanwhile": deed } })).await;
            stage.send("GET", USERS, Value::Null).await.unwrap();
        }
        let bert = stage.vault.user("bert").unwrap();
        assert_eq!(
            (&bert["description"], &bert["groupsMembership"][0]["groupID"]),
            (&json!("seen"), &json!(group_id))
        );
        let left = json!({ "take_member": { "group_id": group_id, "name": "bert" } });
        for deed in [left, json!({ "recreate_group": group_id })] {
            stage.fault(json!({ "effect": { "meanwhile": deed } })).await;
            stage.send("GET", USERS, Value::Null).await.unwrap();
        }
        assert_eq!(stage.vault.user("bert").unwrap()["groupsMembership"], json!([]));
        assert!(stage.vault.remove_group(group_id).is_err());
        stage.fault(json!({ "effect": "stale_token" })).await;
        assert_eq!(stage.send("GET", USERS, Value::Null).await.unwrap().0, 401);
        stage.served.stop().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_self_hosted_vault_is_logged_on_to_and_meddled_with_over_http() {
        let mut options = TenantOptions::new("svc", SecretString::from("secret"));
        options.product = Product::SelfHosted;
        let vault = Vault::new(options, SimClock::following());
        let served = Served::start(([127, 0, 0, 1], 0).into(), routes(&vault)).unwrap();
        let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).build().unwrap();
        let to = |path: &str| format!("{}{path}", served.url());
        let log_on = async |password: &str| {
            let body = json!({ "username": "svc", "password": password });
            let url = to("/PasswordVault/API/Auth/CyberArk/Logon");
            client.post(url).json(&body).send().await.unwrap()
        };
        let open =
            async || client.get(to("/_sim/sessions")).send().await.unwrap().json::<Value>().await.unwrap();
        let answer = log_on("secret").await;
        let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
        let token = answer.json::<String>().await.unwrap();
        let list = async || {
            let request = client.get(to(USERS)).header("Authorization", &token).header("Cookie", &cookie);
            request.send().await.unwrap().status().as_u16()
        };
        assert_eq!((list().await, open().await), (200, json!({ "open": 1 })));
        let elsewhere = client.post(to("/_sim/sessions")).json(&json!({ "kind": "single" }));
        assert_eq!(elsewhere.send().await.unwrap().status(), 204);
        assert_eq!((list().await, open().await), (401, json!({ "open": 1 })));
        client.delete(to("/_sim/sessions")).send().await.unwrap();
        assert_eq!(open().await, json!({ "open": 0 }));
        let rotated = client.put(to("/_sim/service_user/password")).json(&json!({ "password": "other" }));
        assert_eq!(rotated.send().await.unwrap().status(), 204);
        assert_eq!(
            (log_on("secret").await.status().as_u16(), log_on("other").await.status().as_u16()),
            (403, 200)
        );
        assert!(vault.journal().is_empty());
        served.stop().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_stage_is_set_over_http_and_the_journal_stays_clean() {
        let stage = Stage::new().await;
        let (status, group) =
            stage.send("POST", "/_sim/groups", json!({ "groupName": "Ops" })).await.unwrap();
        assert_eq!(status, 201);
        let (_, user) = stage.send("POST", "/_sim/users", json!({ "username": "bert" })).await.unwrap();
        let members = format!("/_sim/groups/{}/members", group["id"]);
        assert_eq!(stage.send("POST", &members, json!({ "user_id": user["id"] })).await.unwrap().0, 204);
        let one = format!("/_sim/users/{}", user["id"]);
        assert_eq!(stage.send("PATCH", &one, json!({ "description": "x" })).await.unwrap().0, 204);
        let bert = stage.vault.user("BERT").unwrap();
        assert_eq!(
            (&bert["description"], &bert["groupsMembership"][0]["groupName"]),
            (&json!("x"), &json!("Ops"))
        );
        let safe = json!({ "safeName": "Own", "members": ["bert"] });
        assert_eq!(stage.send("POST", "/_sim/safes", safe).await.unwrap().0, 204);
        let into = stage.send("POST", "/_sim/safes/own/members", json!({ "name": "Ops" })).await.unwrap();
        let out = stage.send("DELETE", "/_sim/safes/own/members/bert", Value::Null).await.unwrap();
        assert_eq!((into.0, out.0), (204, 204));
        assert_eq!(stage.vault.state()["safes"], json!([{ "safeName": "Own", "members": ["Ops"] }]));
        let ops = format!("/_sim/groups/{}", group["id"]);
        assert_eq!(stage.send("PATCH", &ops, json!({ "groupName": "Ops-2" })).await.unwrap().0, 204);
        let (status, anew) = stage.send("POST", &format!("{ops}/recreate"), Value::Null).await.unwrap();
        assert_eq!((status, anew["id"] == group["id"]), (201, false));
        assert_eq!(stage.send("DELETE", &one, Value::Null).await.unwrap().0, 204);
        assert_eq!(stage.send("DELETE", &one, Value::Null).await.unwrap().0, 404);
        assert_eq!(stage.send("GET", "/_sim/journal", Value::Null).await.unwrap().1, json!([]));
        let moment = json!({ "now": "2026-12-01T00:00:00Z" });
        assert_eq!(stage.send("POST", "/_sim/clock", moment).await.unwrap().1["now"], "2026-12-01T00:00:00Z");
        let later = stage.send("POST", "/_sim/clock", json!({ "advance_seconds": 60 })).await.unwrap().1;
        assert_eq!(later["now"], "2026-12-01T00:01:00Z");
        assert_eq!(stage.send("POST", "/_sim/tokens/revoke", Value::Null).await.unwrap().0, 204);
        stage.send("POST", "/_sim/clock", json!({ "follow": true })).await.unwrap();
        assert_eq!(stage.send("GET", USERS, Value::Null).await.unwrap().0, 401);
        let whole = stage.send("GET", "/_sim/state", Value::Null).await.unwrap().1;
        assert_eq!(whole, stage.vault.state());
        stage.served.stop().await;
    }
}
