//! A service on a real socket over a real database, for the tests of the rooms that answer requests.
//!
//! Must hold: time stands still until a test moves it; each stage has a database of its own.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::web::{Data, ServiceConfig};
use actix_web::{App, HttpServer};
use reqwest::{Client, RequestBuilder, Response};
use secrecy::SecretString;
use serde_json::Value;
use tempfile::TempDir;

use super::problem;
use crate::clock::{Clock, MachineChance, World};
use crate::config::{Machine, Settings};
use crate::domain::time::Timestamp;
use crate::key::KeyRing;
use crate::kit::Kit;
use crate::rules::{Engine, Policy};
use crate::simulator::hr;
use crate::store::{Place, Store};

pub(crate) const READER: &str = "reader-token-of-some-length";
pub(crate) const LISTER: &str = "lister-token-of-some-length";
pub(crate) const WRITER: &str = "writer-token-of-some-length";
pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
pub(crate) const NEXT_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

/// 2026-11-21 12:00 UTC.
const BEGIN: i64 = 1_795_262_400;

const SETTINGS: &str = r#"
[http]
public_url = "http://127.0.0.1:8081"
[database]
url = "sqlite://elsewhere.db"
[secrets]
key_file = "elsewhere.key"
[mail]
from = "countersign@example.com"
smtp_url = "smtp://127.0.0.1:1025"
[operators]
mail = ["pam-team@example.com"]
[[api_clients]]
name = "reader"
token = "reader-token-of-some-length"
scopes = ["workflows:read", "audit:read"]
[[api_clients]]
name = "lister"
token = "lister-token-of-some-length"
scopes = ["workflows:read"]
[[api_clients]]
name = "writer"
token = "writer-token-of-some-length"
scopes = ["requests:write"]
source = "script"
[[sources]]
name = "hr"
format = "jml/1"
people = "corp"
timezone = "Europe/Berlin"
verify = { kind = "standard-webhooks", secrets = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"] }
may_set = ["employment.manager.email", "account.expires_at"]
[[sources]]
name = "script"
format = "jml/1"
people = "corp"
verify = { kind = "api-token" }
may_set = ["employment.manager.email"]
[[targets]]
name = "vault"
product = "privilege-cloud"
api_url = "https://acme.privilegecloud.cyberark.cloud/PasswordVault/API"
token_url = "https://abc1234.id.cyberark.cloud/oauth2/platformtoken"
client_id = "svc-countersign"
client_secret = "vault-password-unseen"
allowed_user_types = ["EPVUser"]
location_root = "\\"
grantable_groups = ["Ops-Readers"]
[[profiles]]
name = "dba"
when = "true"
target = "vault"
user_type = "EPVUser"
location = "\\Users"
groups = ["Ops-Readers"]
hand_over_to = "none"
[[rules]]
name = "all"
default = true
stages = [{ ask = ["ana@example.com"], quorum = 1 }]
"#;

struct StageClock(AtomicI64);

impl Clock for StageClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_seconds(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

/// A service that runs until the stage is dropped.
pub(crate) struct Stage {
    pub(crate) kit: Kit,
    pub(crate) url: String,
    pub(crate) client: Client,
    clock: Arc<StageClock>,
    handle: ServerHandle,
    folder: TempDir,
}

impl Drop for Stage {
    fn drop(&mut self) {
        // The order to stop is sent by the call itself.
        drop(self.handle.stop(false));
    }
}

impl Stage {
    /// A service with these routes and an empty database.
    pub(crate) async fn start(routes: fn(&mut ServiceConfig)) -> Self {
        Self::open(tempfile::tempdir().unwrap(), None, routes).await
    }

    /// The same service with the same database, which from now on takes no further page.
    pub(crate) async fn with_full_disk(mut self, routes: fn(&mut ServiceConfig)) -> Self {
        self.kit.store.close().await;
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap());
        Self::open(folder, Some(1), routes).await
    }

    async fn open(folder: TempDir, most_pages: Option<u32>, routes: fn(&mut ServiceConfig)) -> Self {
        let url = format!("sqlite://{}", folder.path().join("stage.db").display());
        let store = Store::open(&Place::Sqlite { url, most_pages }).await.unwrap();
        let clock = Arc::new(StageClock(AtomicI64::new(BEGIN)));
        let settings = Settings::from_toml(SETTINGS, "stage.toml", &Machine).unwrap();
        let engine = Engine::start(Duration::from_secs(30)).unwrap();
        let kit = Kit {
            store,
            world: World { clock: Arc::clone(&clock) as Arc<dyn Clock>, chance: Arc::new(MachineChance) },
            witness: Arc::new(crate::witness::Witness::nowhere()),
            keys: KeyRing::from_bytes([7; 32]),
            policy: Arc::new(Policy::compile(&engine, &settings).unwrap()),
            settings: Arc::new(settings),
            engine,
            targets: Arc::new(BTreeMap::new()),
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let data = Data::new(kit.clone());
        let app = move || App::new().app_data(data.clone()).configure(routes).configure(problem::unmatched);
        let server = HttpServer::new(app).workers(2).disable_signals().listen(listener).unwrap().run();
        let handle = server.handle();
        tokio::spawn(server);
        let client = Client::builder().no_proxy().timeout(Duration::from_mins(1)).build().unwrap();
        Self { kit, url, client, clock, handle, folder }
    }

    /// Moves the clock.
    pub(crate) fn pass(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds, Ordering::SeqCst);
    }

    pub(crate) fn now(&self) -> i64 {
        self.kit.world.now().unix_seconds()
    }

    pub(crate) fn get(&self, path: &str, token: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.url)).bearer_auth(token)
    }

    /// A request to the source `hr`, signed now with its first secret.
    pub(crate) fn webhook(&self, id: &str, body: impl Into<Vec<u8>>) -> RequestBuilder {
        self.webhook_with(SECRET, id, body)
    }

    /// The same with a secret of the caller's.
    pub(crate) fn webhook_with(&self, secret: &str, id: &str, body: impl Into<Vec<u8>>) -> RequestBuilder {
        let (body, now) = (body.into(), self.now());
        let signature = hr::sign(&SecretString::from(secret), id, now, &body).unwrap();
        self.client
            .post(format!("{}/webhooks/hr", self.url))
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", now)
            .header("webhook-signature", signature)
            .body(body)
    }
}

/// A joiner as the simulated HR system tells of one.
/// A joiner of a person of its own; `a-1` is E10442.
pub(crate) fn joiner(source_ref: &str) -> Value {
    let person = if source_ref == "a-1" { "E10442".to_owned() } else { format!("E-{source_ref}") };
    hr::Joiner::example(source_ref, &person, "2026-12-01").body()
}

/// Status and body, which is JSON.
pub(crate) async fn told(request: RequestBuilder) -> (u16, Value) {
    let (status, text) = told_text(request).await;
    (status, serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status}: {text}")))
}

/// Status and body; what is said about an answer anywhere is checked here.
pub(crate) async fn told_text(request: RequestBuilder) -> (u16, String) {
    let answer: Response = request.send().await.unwrap();
    let status = answer.status().as_u16();
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let kind = if status < 400 { "application/json" } else { "application/problem+json" };
    assert_eq!(answer.headers()["content-type"], kind);
    (status, answer.text().await.unwrap())
}
