//! The stand: a simulated vault and the service, each a process of its own, over a database of its own.
//!
//! Must hold: the service is the unmodified binary, configured by a file as anybody would; nothing of it is reached but
//! its sockets, its database and what the operating system tells of it. A process that is forgotten is killed.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use countersign::clock::World;
use countersign::key::KeyRing;
use sea_orm::{ConnectOptions, ConnectionTrait as _, DatabaseConnection, Statement};
use serde_json::json;
use tempfile::TempDir;

use super::watch;

/// The secret with which the HR system signs.
pub const WEBHOOK_SECRET: &str = "whsec_YmVuY2htYXJrLWJlbmNobWFyay1iZW5jaG1hcms=";
const CLIENT_SECRET: &str = "benchmark-client-secret";

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// Which disk is under it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disk {
    AsItIs,
    /// Each sync takes two milliseconds more.
    TwoMillisecondsMore,
}

impl Engine {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

impl Disk {
    pub const fn word(self) -> &'static str {
        match self {
            Self::AsItIs => "this disk",
            Self::TwoMillisecondsMore => "2 ms more per sync",
        }
    }
}

/// What a stand is built with.
#[derive(Debug, Clone, Copy)]
pub struct Wish {
    pub engine: Engine,
    pub disk: Disk,
    /// How long each call to the vault takes, in milliseconds.
    pub latency_ms: u64,
    /// How many runs go on side by side.
    pub in_flight: u32,
}

/// Two processes and a database.
pub struct Stand {
    pub wish: Wish,
    pub folder: TempDir,
    pub client: reqwest::Client,
    pub url: String,
    vault_url: String,
    schema: String,
    vault: Child,
    service: Option<Child>,
}

impl Stand {
    /// Starts the vault; the service is started by [`Self::serve`].
    pub async fn begin(wish: Wish) -> Self {
        static BEGUN: AtomicU64 = AtomicU64::new(1);
        let folder = tempfile::tempdir_in(disk_folder()).unwrap();
        let [vault, smtp, mailbox, hr, listen] = free_addresses();
        let vault_process = Command::new(env!("CARGO_BIN_EXE_countersign"))
            .args(["simulator", "--listen", &vault, "--smtp", &smtp, "--mailbox", &mailbox, "--hr", &hr])
            .args(["--client-secret", CLIENT_SECRET])
            .env_remove("LD_PRELOAD")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        KeyRing::read_or_make(&folder.path().join("bench.key"), &World::real()).unwrap();
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let begun = BEGUN.fetch_add(1, Ordering::SeqCst);
        let stand = Self {
            wish,
            folder,
            client,
            url: format!("http://{listen}"),
            vault_url: format!("http://{vault}"),
            schema: format!("bench_{}_{begun}", std::process::id()),
            vault: vault_process,
            service: None,
        };
        std::fs::write(stand.settings_file(), stand.settings(&listen, &smtp)).unwrap();
        stand.answers(&format!("{}/_sim/state", stand.vault_url)).await;
        if wish.latency_ms > 0 {
            let slow = json!({ "times": u64::MAX, "effect": { "delay_ms": wish.latency_ms } });
            stand.told(reqwest::Method::POST, "/_sim/faults", &slow).await;
        }
        stand
    }

    /// Starts the service and waits for its first answer.
    pub async fn serve(&mut self) {
        self.launch();
        self.answers(&format!("{}/readyz", self.url)).await;
    }

    /// Starts the service and does not wait.
    pub fn launch(&mut self) {
        let log = std::fs::File::create(self.folder.path().join("service.log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command.args(["serve", "--config"]).arg(self.settings_file()).env("COUNTERSIGN_LOG", "warn");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        for (name, value) in self.preloaded() {
            command.env(name, value);
        }
        self.service = Some(command.spawn().unwrap());
    }

    /// What slows a disk that this process itself writes to.
    fn preloaded(&self) -> Vec<(&'static str, String)> {
        let mut told = vec![
            ("LD_PRELOAD", std::env::var("COUNTERSIGN_BENCH_PRELOAD").unwrap()),
            ("COUNTERSIGN_FSYNC_COUNT", self.sync_count_file().display().to_string()),
        ];
        if self.wish.engine == Engine::Sqlite && self.wish.disk == Disk::TwoMillisecondsMore {
            told.push(("COUNTERSIGN_FSYNC_DELAY_US", "2000".to_owned()));
        }
        told
    }

    fn sync_count_file(&self) -> PathBuf {
        self.folder.path().join("syncs")
    }

    /// How often the service has synced so far.
    pub fn syncs(&self) -> u64 {
        let bytes = std::fs::read(self.sync_count_file()).unwrap_or_default();
        bytes.first_chunk().map_or(0, |bytes| u64::from_ne_bytes(*bytes))
    }

    /// An orderly end of the service.
    pub async fn stop(&mut self) {
        let Some(mut child) = self.service.take() else { return };
        Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
        while child.try_wait().unwrap().is_none() {
            watch::pause(10).await;
        }
    }

    /// The service's process.
    pub fn pid(&self) -> u32 {
        self.service.as_ref().unwrap().id()
    }

    pub fn settings_file(&self) -> PathBuf {
        self.folder.path().join("bench.toml")
    }

    /// A stage direction to the simulated vault.
    pub async fn told(&self, method: reqwest::Method, path: &str, body: &serde_json::Value) {
        let request = self.client.request(method, format!("{}{path}", self.vault_url)).json(body);
        assert!(request.send().await.unwrap().status().is_success(), "{path}");
    }

    /// What the simulated vault tells.
    pub async fn asked(&self, path: &str) -> serde_json::Value {
        self.client.get(format!("{}{path}", self.vault_url)).send().await.unwrap().json().await.unwrap()
    }

    async fn answers(&self, url: &str) {
        for _ in 0..60_000 {
            let answer = self.client.get(url).send().await;
            if answer.is_ok_and(|answer| answer.status() == 200) {
                return;
            }
            watch::pause(5).await;
        }
        panic!("{url} does not answer");
    }

    /// A second connection to the database, of no interest to the service.
    pub async fn database(&self) -> DatabaseConnection {
        let mut options = match self.wish.engine {
            Engine::Sqlite => ConnectOptions::new(self.sqlite_url()),
            Engine::Postgres => ConnectOptions::new(self.postgres_url()),
        };
        if self.wish.engine == Engine::Postgres {
            options.set_schema_search_path(self.schema.as_str());
        }
        options.max_connections(1).sqlx_logging(false);
        sea_orm::Database::connect(options).await.unwrap()
    }

    /// The database's address, as a program is told it.
    pub fn database_url(&self) -> String {
        match self.wish.engine {
            Engine::Sqlite => self.sqlite_url(),
            Engine::Postgres => self.postgres_url(),
        }
    }

    fn sqlite_url(&self) -> String {
        format!("sqlite://{}", self.folder.path().join("bench.db").display())
    }

    fn postgres_url(&self) -> String {
        let name = match self.wish.disk {
            Disk::AsItIs => "COUNTERSIGN_BENCH_POSTGRES",
            Disk::TwoMillisecondsMore => "COUNTERSIGN_BENCH_POSTGRES_SLOW",
        };
        std::env::var(name).unwrap_or_else(|_| panic!("{name} names a server; tests/bench starts it"))
    }

    /// The schema, within quotes or as the empty text, before a table's name in a question about the catalogue.
    pub fn schema(&self) -> &str {
        &self.schema
    }

    fn settings(&self, listen: &str, smtp: &str) -> String {
        let database = match self.wish.engine {
            Engine::Sqlite => format!("url = \"{}\"", self.sqlite_url()),
            Engine::Postgres => format!("url = \"{}\"\nschema = \"{}\"", self.postgres_url(), self.schema),
        };
        let key = self.folder.path().join("bench.key");
        let (vault, in_flight) = (&self.vault_url, self.wish.in_flight);
        format!(
            r#"[http]
listen = "{listen}"
public_url = "http://{listen}"

[database]
{database}

[secrets]
key_file = "{}"

[mail]
from = "Countersign <countersign@example.com>"
smtp_url = "smtp://{smtp}"

[operators]
mail = ["pam-team@example.com"]

[worker]
poll_every = "1s"
runs_at_once = {in_flight}

[[sources]]
name = "hr"
format = "jml/1"
people = "corp"
verify = {{ kind = "standard-webhooks", secrets = ["{WEBHOOK_SECRET}"] }}
timezone = "Etc/UTC"
unapproved_leavers_per_hour = 100000

[[targets]]
name = "vault"
product = "privilege-cloud"
api_url = "{vault}/PasswordVault/API"
token_url = "{vault}/oauth2/platformtoken"
client_id = "svc-countersign@cyberark.cloud.1234"
client_secret = "{CLIENT_SECRET}"
max_concurrent_calls = {}
allowed_user_types = ["EPVUser"]
location_root = "\\"
grantable_groups = ["Ops-Readers"]
protected_users = ["svc-*"]

[[approver_groups]]
name = "pam-admins"
members = ["{}"]

[[profiles]]
name = "operations"
when = "true"
target = "vault"
user_type = "EPVUser"
location = "\\Users"
groups = ["Ops-Readers"]

[[rules]]
name = "leavers at once"
kinds = ["leaver"]
approval = "none"

[[rules]]
name = "the rest"
default = true
stages = [{{ ask = ["group:pam-admins"], quorum = 1 }}]
"#,
            key.display(),
            in_flight.max(8),
            super::people::APPROVER,
        )
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        for child in self.service.iter_mut().chain([&mut self.vault]) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The number that a question brings.
pub async fn number(database: &DatabaseConnection, question: &str) -> i64 {
    let asked = Statement::from_string(database.get_database_backend(), question);
    database.query_one_raw(asked).await.unwrap().unwrap().try_get_by_index(0).unwrap()
}

/// A folder on a real disk: memory would say nothing about durability.
fn disk_folder() -> PathBuf {
    std::env::var("COUNTERSIGN_BENCH_FOLDER").map_or_else(|_| std::env::temp_dir(), PathBuf::from)
}

fn free_addresses<const N: usize>() -> [String; N] {
    let sockets: [TcpListener; N] = std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    sockets.map(|socket| socket.local_addr().unwrap().to_string())
}
