//! The settings of the demonstration: the same file format as anybody's, written out and read back.
//!
//! Must hold: nothing here that an operator could not write; secrets are made anew at each start.

use std::net::SocketAddr;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use clap::ValueEnum;
use secrecy::{ExposeSecret as _, SecretString};

use crate::clock::World;
use crate::simulator::tenant::{self, TenantOptions};

/// The address that the demonstration's approver reads mail at.
pub(super) const APPROVER: &str = "ana@example.com";
/// The groups of the demonstration's vault: who works in operations is in the first two, who works on the platform in
/// the last two.
pub(super) const GROUPS: [&str; 3] = ["Ops-Readers", "Linux Admins", "Platform-Leads"];

/// Dialects of the simulated vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Dialect {
    /// Flat users, members by number, no new password asked for by default.
    Guide,
    /// Nested users, members by name, a new password asked for by default.
    Product,
}

/// Products that can be simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Product {
    /// CyberArk Privilege Cloud.
    PrivilegeCloud,
    /// CyberArk PAM, self-hosted.
    SelfHosted,
}

impl Product {
    /// The name of the service user there.
    pub(super) const fn service_user(self) -> &'static str {
        match self {
            Self::PrivilegeCloud => "svc-countersign@cyberark.cloud.1234",
            Self::SelfHosted => "svc-countersign",
        }
    }
}

/// What is simulated.
#[derive(Debug, Clone, Copy)]
pub(super) struct Simulated {
    /// The product.
    pub product: Product,
    /// How it speaks.
    pub dialect: Dialect,
}

impl Simulated {
    /// The same in the simulator's own words.
    pub(super) fn tenant(self, client_id: &str, client_secret: SecretString) -> TenantOptions {
        let mut tenant = TenantOptions::new(client_id, client_secret);
        tenant.product = match self.product {
            Product::PrivilegeCloud => tenant::Product::PrivilegeCloud,
            Product::SelfHosted => tenant::Product::SelfHosted,
        };
        tenant.dialect = match self.dialect {
            Dialect::Guide => tenant::Dialect::Guide,
            Dialect::Product => tenant::Dialect::Product,
        };
        tenant
    }
}

/// Secrets of one demonstration.
pub(super) struct Secrets {
    /// Signs the HR system's webhooks.
    pub webhook: SecretString,
    /// The service user's secret.
    pub client: SecretString,
    /// Reads the JSON API.
    pub reader: SecretString,
}

impl Secrets {
    pub(super) fn made(world: &World) -> Self {
        Self {
            webhook: SecretString::from(format!("whsec_{}", STANDARD.encode(world.bytes::<32>()))),
            client: SecretString::from(URL_SAFE_NO_PAD.encode(world.bytes::<24>())),
            reader: SecretString::from(URL_SAFE_NO_PAD.encode(world.bytes::<24>())),
        }
    }
}

/// Where everything of a demonstration is.
pub(super) struct Places<'a> {
    /// Where the service listens.
    pub listen: SocketAddr,
    /// Keeps key and database.
    pub folder: &'a Path,
    /// Given on the command line.
    pub database: Option<&'a str>,
    /// The schema within a given PostgreSQL.
    pub schema: &'a str,
    /// The simulated vault.
    pub vault_url: String,
    /// The mailbox.
    pub smtp: SocketAddr,
}

/// The settings file.
#[expect(clippy::too_many_lines, reason = "one settings file, read from top to bottom")]
pub(super) fn toml(places: &Places<'_>, secrets: &Secrets, simulated: Simulated) -> String {
    let Places { listen, vault_url, smtp, .. } = places;
    let sign_in = sign_in(vault_url, secrets, simulated.product);
    let database = database(places);
    let key = quoted(&places.folder.join("countersign.key").display().to_string());
    let forms = match simulated.dialect {
        Dialect::Product => "group_member = \"auto\"\nuser_shape = \"auto\"",
        Dialect::Guide => "group_member = \"numeric-id\"\nuser_shape = \"flat\"\ndisable_with = \"put\"",
    };
    let webhook = secrets.webhook.expose_secret();
    let reader = secrets.reader.expose_secret();
    let groups = GROUPS.map(quoted);
    let (operations, platform) = (groups[..2].join(", "), groups[1..].join(", "));
    let groups = groups.join(", ");
    format!(
        r#"[http]
listen = "{listen}"
public_url = "http://{listen}"

[database]
{database}

[secrets]
key_file = {key}

[mail]
from = "Countersign <countersign@example.com>"
smtp_url = "smtp://{smtp}"

[operators]
mail = ["pam-team@example.com"]

[worker]
poll_every = "1s"

[[api_clients]]
name = "reader"
token = "{reader}"
scopes = ["workflows:read", "audit:read"]

[[sources]]
name = "hr"
format = "jml/1"
people = "corp"
verify = {{ kind = "standard-webhooks", secrets = ["{webhook}"] }}
timezone = "Europe/Berlin"
may_set = ["employment.manager.email"]

[[targets]]
name = "vault"
api_url = "{vault_url}/PasswordVault/API"
{sign_in}
allowed_user_types = ["EPVUser", "BasicUser"]
location_root = "\\"
grantable_groups = [{groups}]
protected_users = ["Administrator", "svc-*"]
{forms}

[[approver_groups]]
name = "pam-admins"
members = ["{APPROVER}", "bo@example.com"]

[[profiles]]
name = "operations"
when = "req.employment.department == 'IT Ops'"
target = "vault"
user_type = "EPVUser"
location = "\\Users\\Ops"
groups = [{operations}]
hand_over_to = "manager"

[[profiles]]
name = "platform"
when = "req.employment.department == 'Platform'"
target = "vault"
user_type = "EPVUser"
location = "\\Users\\Platform"
groups = [{platform}]
hand_over_to = "manager"

[[rules]]
name = "joiners, movers, leavers, rehires"
kinds = ["joiner", "mover", "leaver", "rehire"]
stages = [{{ ask = ["group:pam-admins"], quorum = 1 }}]
expire_after = "7d"

[[rules]]
name = "the rest"
default = true
stages = [{{ ask = ["group:pam-admins"], quorum = 2 }}]
"#
    )
}

fn sign_in(vault_url: &str, secrets: &Secrets, product: Product) -> String {
    let (user, secret) = (product.service_user(), secrets.client.expose_secret());
    match product {
        Product::PrivilegeCloud => format!(
            r#"product = "privilege-cloud"
token_url = "{vault_url}/oauth2/platformtoken"
client_id = "{user}"
client_secret = "{secret}""#
        ),
        Product::SelfHosted => format!(
            r#"product = "self-hosted"
logon = "CyberArk"
username = "{user}"
password = "{secret}""#
        ),
    }
}

fn database(places: &Places<'_>) -> String {
    match places.database {
        Some(url) => format!("url = {}\nschema = \"{}\"", quoted(url), places.schema),
        None => format!("url = {}", quoted(&format!("sqlite://{}", places.folder.join("demo.db").display()))),
    }
}

/// A TOML basic string.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
