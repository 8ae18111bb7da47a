//! An HR system that tells of joiners, movers, leavers and rehires by signed webhooks (Standard Webhooks, symmetric `v1`).
//!
//! Must hold: the signature covers the very bytes that are sent. It is made here from the specification alone, so
//! that a mistake in the service's verifier cannot hide. Deliberately not here: retries.

mod bodies;
mod page;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use super::chance::Chance;
use super::clock::SimClock;
use super::serving::Served;
pub use bodies::{Joiner, Leaver, Mover, Rehire};

/// How long the HR system waits for an answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// Why nothing could be told.
#[derive(Debug, thiserror::Error)]
pub enum HrError {
    /// The secret is no `whsec_` with base64 behind it.
    #[error("the webhook secret must be written whsec_ and base64")]
    Secret,
    /// No webhook has been configured yet.
    #[error("no webhook is configured")]
    NoWebhook,
    /// The request did not come through; whether it was received is unknown.
    #[error("the webhook could not be posted")]
    Transport(#[from] reqwest::Error),
}

/// What the receiver said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: String,
}

/// The value of `webhook-signature` for these bytes. `timestamp` is in whole seconds since 1970.
pub fn sign(secret: &SecretString, id: &str, timestamp: i64, body: &[u8]) -> Result<String, HrError> {
    let encoded = secret.expose_secret().strip_prefix("whsec_").ok_or(HrError::Secret)?;
    let key = STANDARD.decode(encoded).map_err(|_| HrError::Secret)?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).map_err(|_| HrError::Secret)?;
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    Ok(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

/// Signs and posts one event; redirects are not followed.
pub async fn post(
    url: &str,
    secret: &SecretString,
    id: &str,
    timestamp: i64,
    body: Vec<u8>,
) -> Result<Answer, HrError> {
    let signature = sign(secret, id, timestamp, &body)?;
    let no_redirects = reqwest::redirect::Policy::none();
    let client = reqwest::Client::builder().timeout(PATIENCE).redirect(no_redirects).no_proxy().build()?;
    let request = client
        .post(url)
        .header("content-type", "application/json")
        .header("webhook-id", id)
        .header("webhook-timestamp", timestamp.to_string())
        .header("webhook-signature", signature)
        .body(body);
    let answer = request.send().await?;
    Ok(Answer { status: answer.status().as_u16(), body: answer.text().await? })
}

/// Where events go, and what they are signed with.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// The receiver.
    pub url: String,
    /// `whsec_` and base64.
    pub secret: SecretString,
}

struct Desk {
    webhook: Option<Webhook>,
    chance: Chance,
    staff: Vec<Employee>,
    former: Vec<Employee>,
}

/// Somebody whom this HR system has hired, and who may have left since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Employee {
    /// The stable number.
    pub person_ref: String,
    /// First and last name.
    pub name: String,
    /// The department of today, or of the last day.
    pub department: String,
}

/// The HR system as a test or the demo holds it. Clones are the same system.
#[derive(Clone)]
pub struct Hr {
    desk: Arc<Mutex<Desk>>,
    clock: SimClock,
}

impl Hr {
    /// An HR system that does not know yet whom to tell.
    pub fn new(clock: SimClock, seed: u64) -> Self {
        let desk =
            Desk { webhook: None, chance: Chance::seeded(seed), staff: Vec::new(), former: Vec::new() };
        Self { desk: Arc::new(Mutex::new(desk)), clock }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on events go there.
    pub fn set_webhook(&self, webhook: Webhook) {
        self.desk().webhook = Some(webhook);
    }

    /// A reference that this HR system has not used before; the moment in it keeps runs with one seed apart.
    pub fn fresh_ref(&self, prefix: &str) -> String {
        let millis = self.clock.now().timestamp_millis();
        format!("{prefix}{millis}-{}", self.desk().chance.letters(6))
    }

    /// Signs and posts one event, with its own reference as the message's id and the clock's moment.
    pub async fn tell(&self, source_ref: &str, body: Vec<u8>) -> Result<Answer, HrError> {
        let webhook = self.desk().webhook.clone().ok_or(HrError::NoWebhook)?;
        // An id must not contain a full stop, or the boundaries of what is signed could be shifted.
        let id = format!("msg_{}", source_ref.replace(['.', ':'], "_"));
        let timestamp = self.clock.now().timestamp();
        post(&webhook.url, &webhook.secret, &id, timestamp, body).await
    }

    /// Tells of a joiner, who is one of the staff once that was received.
    pub async fn hire(&self, joiner: &Joiner) -> Result<Answer, HrError> {
        let answer = self.tell(&joiner.source_ref, joiner.bytes()).await?;
        if answer.status == 202 {
            self.desk().staff.push(Employee {
                person_ref: joiner.person_ref.clone(),
                name: format!("{} {}", joiner.first_name, joiner.last_name),
                department: joiner.department.clone(),
            });
        }
        Ok(answer)
    }

    /// Tells of somebody of the staff who moves.
    pub async fn transfer(&self, mover: &Mover) -> Result<Answer, HrError> {
        let answer = self.tell(&mover.source_ref, mover.bytes()).await?;
        let mut desk = self.desk();
        let who = desk.staff.iter_mut().find(|employee| employee.person_ref == mover.person_ref);
        if let Some(who) = who.filter(|_| answer.status == 202) {
            who.department.clone_from(&mover.department);
        }
        Ok(answer)
    }

    /// Tells of somebody of the staff who leaves.
    pub async fn dismiss(&self, leaver: &Leaver) -> Result<Answer, HrError> {
        let answer = self.tell(&leaver.source_ref, leaver.bytes()).await?;
        if answer.status == 202 {
            let mut desk = self.desk();
            let (gone, stay) = std::mem::take(&mut desk.staff)
                .into_iter()
                .partition(|one| one.person_ref == leaver.person_ref);
            desk.staff = stay;
            desk.former.extend::<Vec<Employee>>(gone);
        }
        Ok(answer)
    }

    /// Tells of somebody who has left and comes back.
    pub async fn rehire(&self, rehire: &Rehire) -> Result<Answer, HrError> {
        let answer = self.tell(&rehire.source_ref, rehire.bytes()).await?;
        if answer.status == 202 {
            let mut desk = self.desk();
            let (back, gone) = std::mem::take(&mut desk.former)
                .into_iter()
                .partition(|one| one.person_ref == rehire.person_ref);
            desk.former = gone;
            let back: Vec<Employee> = back;
            desk.staff.extend(
                back.into_iter().map(|one| Employee { department: rehire.department.clone(), ..one }),
            );
        }
        Ok(answer)
    }

    /// Who works here, in the order of hiring.
    pub fn staff(&self) -> Vec<Employee> {
        self.desk().staff.clone()
    }

    /// Who has left, in that order.
    pub fn former(&self) -> Vec<Employee> {
        self.desk().former.clone()
    }

    /// Serves the page of the HR system on the address.
    pub fn show(&self, address: SocketAddr) -> std::io::Result<Served> {
        Served::start(address, page::routes(self))
    }
}

#[cfg(test)]
mod tests {
    use actix_web::{HttpRequest, HttpResponse, web};

    use super::*;

    #[test]
    fn the_signature_is_that_of_the_published_example() {
        let secret = SecretString::from("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD");
        let body = br#"{"email":"test@example.com","username":"test_user"}"#;
        let signature = sign(&secret, "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1_649_367_553, body).unwrap();
        assert_eq!(signature, "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=");
        assert!(matches!(sign(&SecretString::from("plain"), "a", 1, b""), Err(HrError::Secret)));
    }

    /// A receiver that says back what it was told.
    async fn echo(request: HttpRequest, body: web::Bytes) -> HttpResponse {
        let header = |name: &str| request.headers().get(name).unwrap().to_str().unwrap().to_owned();
        let (id, timestamp) = (header("webhook-id"), header("webhook-timestamp"));
        let secret = SecretString::from("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD");
        let right = sign(&secret, &id, timestamp.parse().unwrap(), &body).unwrap();
        if header("webhook-signature") != right {
            return HttpResponse::Unauthorized().finish();
        }
        HttpResponse::Accepted().body(format!("{id} {}", String::from_utf8_lossy(&body)))
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn somebody_is_hired_by_the_form() {
        let local = SocketAddr::from(([127, 0, 0, 1], 0));
        let receiver = Served::start(local, |config: &mut web::ServiceConfig| {
            config.route("/webhooks/hr", web::post().to(echo));
        })
        .unwrap();
        let hr = Hr::new(SimClock::following(), 1);
        let desk = hr.show(local).unwrap();
        let client = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
        let shown = client.get(desk.url()).send().await.unwrap().text().await.unwrap();
        assert!(shown.contains("<form method=\"post\""), "{shown}");
        let form =
            [("first_name", "Ida"), ("last_name", "<Lund>"), ("department", "IT Ops"), ("title", "DBA")];
        let send = async || client.post(desk.url()).form(&form).send().await.unwrap().text().await.unwrap();
        assert!(send().await.contains("no webhook is configured"));
        let secret = SecretString::from("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD");
        hr.set_webhook(Webhook { url: format!("{}/webhooks/hr", receiver.url()), secret });
        let shown = send().await;
        assert!(shown.contains("202") && shown.contains("ilund"), "{shown}");
        assert!(!shown.contains("<Lund>"));
        let who = hr.staff()[0].person_ref.clone();
        let press = async |deed: &str| {
            let url = format!("{}/{deed}", desk.url());
            let pressed = client.post(url).form(&[("person_ref", who.as_str())]).send().await.unwrap();
            pressed.text().await.unwrap()
        };
        let moved = press("move").await;
        assert!(moved.contains("&quot;mover&quot;") || moved.contains("&#34;mover&#34;"), "{moved}");
        assert_eq!(hr.staff()[0].department, "Platform");
        let back = press("move").await;
        assert!(back.contains("202") && hr.staff()[0].department == "IT Ops", "{back}");
        let left = press("leave").await;
        assert!(left.contains("leaver") && hr.staff().is_empty(), "{left}");
        assert!(press("leave").await.contains("works here"), "nobody leaves twice");
        assert_eq!(hr.former()[0].department, "IT Ops");
        let back = press("rehire").await;
        assert!(back.contains("rehire") && hr.former().is_empty(), "{back}");
        assert_eq!(hr.staff()[0].name, "Ida <Lund>");
        assert!(press("rehire").await.contains("has left"), "nobody comes back twice");
        desk.stop().await;
        receiver.stop().await;
        let gone = hr.hire(&Joiner::example("e:1", "E1", "2026-12-01")).await;
        assert!(matches!(gone, Err(HrError::Transport(_))));
    }
}
