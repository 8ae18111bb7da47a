//! The service under the eyes of a story.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use chrono::TimeDelta;
use countersign::clock::{Clock, World};
use countersign::config::{Machine, Settings};
use countersign::key::KeyRing;
use countersign::service::{Limits, Service};
use countersign::simulator::tenant::{self, Descriptions, TenantOptions};
use countersign::simulator::{Simulator, SimulatorOptions};
use countersign::worker::Did;
use secrecy::SecretString;
use serde_json::json;
use tempfile::TempDir;

use super::database::Database;
use super::world::{HandClock, SeededChance, SteppedClock};

/// What the simulated vault speaks, and how the settings take it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// The product, found out by itself.
    Product,
    /// The guide, found out by itself.
    GuideAuto,
    /// The guide, pinned.
    GuidePinned,
}

/// Which product the simulated vault is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    /// Tokens of the platform.
    PrivilegeCloud,
    /// Sessions of the vault.
    SelfHosted,
}

/// What a story may want otherwise.
#[derive(Debug, Clone)]
pub struct Choices {
    pub product: Product,
    pub dialect: Dialect,
    pub keeps_description: bool,
    pub seed: u64,
    /// Replaces lines of the settings: (this, by that).
    pub edits: Vec<(String, String)>,
    pub groups: Vec<String>,
    /// A vault of one's own besides, called `onprem`.
    pub second: SecondVault,
}

/// Is there another vault?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecondVault {
    No,
    /// Self-hosted, and speaks the product's dialect.
    Yes,
}

impl Default for Choices {
    fn default() -> Self {
        Self {
            product: Product::PrivilegeCloud,
            dialect: Dialect::Product,
            keeps_description: true,
            seed: 7,
            edits: vec![],
            groups: vec!["Ops-Readers".to_owned(), "Linux Admins".to_owned()],
            second: SecondVault::No,
        }
    }
}

/// In the story's folder: the service user's password at a self-hosted vault.
pub const PASSWORD_FILE: &str = "vault-password";
pub const WEBHOOK_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDAAECAwQFBgc=";
pub const CLIENT_SECRET: &str = "vault-client-secret-for-stories";
pub const READER: &str = "reader-token-for-stories-0123456789";
pub const WRITER: &str = "writer-token-for-stories-0123456789";

/// Everything of one story.
pub struct Stage {
    pub clock: Arc<HandClock>,
    pub simulator: Simulator,
    /// The second vault, where the story has one.
    pub onprem: Option<Simulator>,
    pub service: Service,
    pub url: String,
    pub folder: TempDir,
    pub database: Database,
    pub choices: Choices,
    pub browser: reqwest::Client,
    chance: Arc<SeededChance>,
    serving: ServerHandle,
}

impl Stage {
    pub async fn begin(database: Database) -> Self {
        Self::with(database, Choices::default()).await
    }

    pub async fn with(database: Database, choices: Choices) -> Self {
        let clock = Arc::new(HandClock::begin());
        Self::in_time(database, choices, clock.clone(), clock).await
    }

    /// One whose service has the production's clock, over a pair of clocks that the story sets. It is the real time.
    pub async fn with_stepped_clock(database: Database, choices: Choices) -> (Self, Arc<SteppedClock>) {
        let (clock, pair) = (Arc::new(HandClock::begin()), SteppedClock::real());
        clock.be_real();
        (Self::in_time(database, choices, clock, pair.guarded()).await, pair)
    }

    async fn in_time(
        database: Database,
        choices: Choices,
        clock: Arc<HandClock>,
        told: Arc<dyn Clock>,
    ) -> Self {
        let simulator = simulator(&choices, &clock).await;
        let onprem = second(&choices, &clock).await;
        let chance = Arc::new(SeededChance::fresh());
        let world = World { clock: told, chance: chance.clone() };
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(PASSWORD_FILE), CLIENT_SECRET).unwrap();
        KeyRing::read_or_make(&folder.path().join("story.key"), &world).unwrap();
        let vaults = (&simulator, onprem.as_ref());
        let (service, socket) = open(vaults, &database, folder.path(), &choices, world).await;
        let (server, address) = service.listen(socket).unwrap();
        let serving = server.handle();
        tokio::spawn(server);
        let browser = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            // A kept connection may be closed by the server just when it is used again.
            .pool_max_idle_per_host(0)
            .timeout(Duration::from_mins(1))
            .build()
            .unwrap();
        let url = format!("http://{address}");
        Self { clock, simulator, onprem, service, url, folder, database, choices, browser, chance, serving }
    }

    /// A stage of its own beside this one, set up alike.
    pub async fn another(&self) -> Self {
        Self::with(self.database.another(), self.choices.clone()).await
    }

    /// A second start of the service on the same database and key, as after a crash. The first one is gone.
    pub async fn restart(self) -> Self {
        let clock = self.clock.clone();
        self.restart_in_time(clock).await
    }

    /// The same with another clock.
    pub async fn restart_in_time(mut self, clock: Arc<dyn Clock>) -> Self {
        self.serving.stop(false).await;
        self.service.kit.store.close().await;
        let world = World { clock, chance: self.chance.clone() };
        let vaults = (&self.simulator, self.onprem.as_ref());
        let (service, socket) = open(vaults, &self.database, self.folder.path(), &self.choices, world).await;
        let (server, address) = service.listen(socket).unwrap();
        self.serving = server.handle();
        tokio::spawn(server);
        self.service = service;
        self.url = format!("http://{address}");
        self
    }

    /// A second service on the same database and key, beside the first; answers its address.
    pub async fn replica(&self) -> String {
        self.second().await.1
    }

    /// The same, for a story that drives its workers, too.
    pub async fn second(&self) -> (Service, String) {
        self.second_in_time(self.clock.clone()).await
    }

    /// The same, with a clock of its own.
    pub async fn second_in_time(&self, clock: Arc<dyn Clock>) -> (Service, String) {
        let world = World { clock, chance: Arc::new(SeededChance::fresh()) };
        let vaults = (&self.simulator, self.onprem.as_ref());
        let (service, socket) = open(vaults, &self.database, self.folder.path(), &self.choices, world).await;
        let (server, address) = service.listen(socket).unwrap();
        tokio::spawn(server);
        (service, format!("http://{address}"))
    }

    /// The same, with its workers, and with the socket on which it does not answer yet.
    pub async fn second_service(&self) -> (Service, TcpListener) {
        let world = World { clock: self.clock.clone(), chance: Arc::new(SeededChance::fresh()) };
        let vaults = (&self.simulator, self.onprem.as_ref());
        open(vaults, &self.database, self.folder.path(), &self.choices, world).await
    }

    /// Lets every worker do what is due at this moment, until nothing is left.
    pub async fn settle(&self) {
        for _ in 0..200 {
            let mut worked = false;
            for worker in self.service.workers() {
                while let Did::Work(_) = worker.turn().await.unwrap() {
                    worked = true;
                }
            }
            if !worked {
                return;
            }
        }
        panic!("the workers do not come to rest");
    }

    /// Moves the clock and lets the workers do what has fallen due.
    pub async fn later(&self, by: TimeDelta) {
        self.clock.advance(by);
        self.settle().await;
    }

    /// The public address in the settings, which the pages' forms come from.
    pub fn origin(&self) -> String {
        self.service.kit.settings.http.public_url.origin().ascii_serialization()
    }
}

/// The second vault, where one is wanted.
async fn second(choices: &Choices, clock: &HandClock) -> Option<Simulator> {
    match choices.second {
        SecondVault::No => None,
        SecondVault::Yes => {
            let product = Product::SelfHosted;
            Some(simulator(&Choices { product, dialect: Dialect::Product, ..choices.clone() }, clock).await)
        }
    }
}

pub(super) async fn simulator(choices: &Choices, clock: &HandClock) -> Simulator {
    let mut tenant = TenantOptions::new(account(choices.product), SecretString::from(CLIENT_SECRET));
    tenant.product = match choices.product {
        Product::PrivilegeCloud => tenant::Product::PrivilegeCloud,
        Product::SelfHosted => tenant::Product::SelfHosted,
    };
    tenant.seed = choices.seed;
    tenant.page_size = 3;
    tenant.dialect = match choices.dialect {
        Dialect::Product => tenant::Dialect::Product,
        Dialect::GuideAuto | Dialect::GuidePinned => tenant::Dialect::Guide,
    };
    if !choices.keeps_description {
        tenant.descriptions = Descriptions::Dropped;
    }
    let mut options = SimulatorOptions::new(tenant);
    options.clock = clock.simulated();
    options.groups =
        choices.groups.iter().map(|name| json!({ "groupName": name, "groupType": "Vault" })).collect();
    // Near matches of the joiner's name, so that a careless look-up finds the wrong one.
    options.users =
        ["zobrien2", "azobrien", "mkeller", "zo"].iter().map(|name| json!({ "username": name })).collect();
    Simulator::start(options).await.unwrap()
}

/// The service user's name.
fn account(product: Product) -> &'static str {
    match product {
        Product::PrivilegeCloud => "svc-countersign@cyberark.cloud.1234",
        Product::SelfHosted => "svc-countersign",
    }
}

async fn open(
    vaults: (&Simulator, Option<&Simulator>),
    database: &Database,
    folder: &std::path::Path,
    choices: &Choices,
    world: World,
) -> (Service, TcpListener) {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    let text = spelled(vaults, database, folder, choices, &socket.local_addr().unwrap().to_string());
    // For the commands, which read it from a file.
    std::fs::write(folder.join("story.toml"), &text).unwrap();
    let settings = Settings::from_toml(&text, "story.toml", &Machine);
    let settings = settings.unwrap_or_else(|faults| panic!("{faults:#?}"));
    let limits = Limits { evaluation: Duration::from_secs(20) };
    let service = Service::open(settings, world, limits).await;
    (service.unwrap_or_else(|faults| panic!("{faults:#?}")), socket)
}

/// The settings with the story's own edits.
pub(super) fn spelled(
    (simulator, onprem): (&Simulator, Option<&Simulator>),
    database: &Database,
    folder: &std::path::Path,
    choices: &Choices,
    listen: &str,
) -> String {
    let mut text = settings(simulator, database, folder, choices, listen);
    if let Some(onprem) = onprem {
        let sign_in = sign_in(Product::SelfHosted, &onprem.vault_url(), folder);
        let second = format!(
            "[[targets]]\nname = \"onprem\"\n{sign_in}\nallowed_user_types = [\"EPVUser\"]\nlocation_root = \"\\\\Users\"\n\
             grantable_groups = [\"Ops-Readers\"]\nprotected_users = [\"breakglass*\"]\n[[approver_groups]]\n"
        );
        text = text.replacen("[[approver_groups]]\n", &second, 1);
    }
    for (this, by) in &choices.edits {
        assert!(text.contains(this), "the settings have no line {this}");
        text = text.replace(this, by);
    }
    text
}

fn sign_in(product: Product, vault: &str, folder: &std::path::Path) -> String {
    let account = account(product);
    match product {
        Product::PrivilegeCloud => format!(
            r#"product = "privilege-cloud"
api_url = "{vault}/PasswordVault/API"
token_url = "{vault}/oauth2/platformtoken"
client_id = "{account}"
client_secret = "{CLIENT_SECRET}""#
        ),
        Product::SelfHosted => format!(
            r#"product = "self-hosted"
api_url = "{vault}/PasswordVault/API"
logon = "CyberArk"
username = "{account}"
password = {{ file = "{}" }}"#,
            folder.join(PASSWORD_FILE).display()
        ),
    }
}

#[expect(clippy::too_many_lines, reason = "one settings file, read from top to bottom")]
fn settings(
    simulator: &Simulator,
    database: &Database,
    folder: &std::path::Path,
    choices: &Choices,
    listen: &str,
) -> String {
    let database = database.settings(folder);
    let key = folder.join("story.key").display().to_string();
    let (vault, smtp) = (simulator.vault_url(), simulator.smtp_address());
    let forms = match choices.dialect {
        Dialect::Product | Dialect::GuideAuto => "group_member = \"auto\"\nuser_shape = \"auto\"",
        Dialect::GuidePinned => {
            "group_member = \"numeric-id\"\nuser_shape = \"flat\"\ndisable_with = \"put\""
        }
    };
    let sign_in = sign_in(choices.product, &vault, folder);
    let description = choices.keeps_description;
    let groups: Vec<String> = choices.groups.iter().map(|name| format!("\"{name}\"")).collect();
    let groups = groups.join(", ");
    format!(
        r#"
[http]
listen = "{listen}"
public_url = "http://{listen}"
[database]
{database}
[secrets]
key_file = "{key}"
[mail]
from = "Countersign <countersign@example.com>"
smtp_url = "smtp://{smtp}"
[operators]
mail = ["pam-team@example.com"]
[worker]
max_attempts = 4
[[api_clients]]
name = "reader"
token = "{READER}"
scopes = ["workflows:read", "audit:read"]
[[api_clients]]
name = "writer"
token = "{WRITER}"
scopes = ["requests:write"]
source = "script"
[[sources]]
name = "hr"
format = "jml/1"
people = "corp"
verify = {{ kind = "standard-webhooks", secrets = ["{WEBHOOK_SECRET}"] }}
timezone = "Europe/Berlin"
may_set = ["employment.manager.email", "account.description", "account.groups", "account.location", "account.user_type", "account.expires_at"]
[[sources]]
name = "script"
format = "jml/1"
people = "corp"
verify = {{ kind = "api-token" }}
timezone = "Europe/Berlin"
may_set = ["employment.manager.email"]
[[targets]]
name = "vault"
{sign_in}
allowed_user_types = ["EPVUser", "BasicUser"]
location_root = "\\Users"
grantable_groups = [{groups}]
protected_users = ["svc-*", "breakglass*"]
keeps_description = {description}
{forms}
[[approver_groups]]
name = "pam-admins"
members = ["ana@example.com", "bo@example.com"]
[[profiles]]
name = "operations"
when = "req.employment.department == 'IT Ops'"
target = "vault"
user_type = "EPVUser"
location = "\\Users\\Ops"
groups = [{groups}]
hand_over_to = "manager"
[[rules]]
name = "joiners"
kinds = ["joiner"]
stages = [{{ ask = ["group:pam-admins"], quorum = 1 }}]
expire_after = "7d"
[[rules]]
name = "the rest"
default = true
stages = [{{ ask = ["group:pam-admins"], quorum = 2 }}]
"#
    )
}
