//! CyberArk's REST interface of users and groups, as Privilege Cloud and a self-hosted vault offer it under
//! `/PasswordVault/API`.
//!
//! Must hold: one client, one gate and one bound on concurrent calls per target; every attempt is a conversation
//! of its own whose calls are told in its report. Read `act.rs` for the steps, `answer.rs` for what answers mean,
//! `gate.rs` for how a call is let in; the products differ in nothing else.

use std::sync::{Mutex, OnceLock};

use async_trait::async_trait;
use url::Url;

use crate::clock::World;
use crate::config::{Product, Proxy};
use crate::domain::ids::WorkflowId;
use crate::domain::names::TargetName;
use crate::domain::plan::{DialectSettings, Plan};
use crate::domain::resting::{Admission, Health, RestPolicy};
use crate::domain::snapshot::Snapshot;
use crate::domain::step::Report;
use crate::domain::time::Timestamp;
use crate::target::{Besides, CallFault, PreviewCall, Sight, StepCall, Subject, Target};

mod access;
mod act;
mod answer;
mod client_credentials;
mod cookies;
mod create;
mod edit;
mod existing;
mod gone;
mod gate;
mod health;
mod groups;
mod holder;
mod join;
mod leave;
mod likeness;
mod memberships;
mod pages;
mod preview;
mod profile;
mod put;
mod reading;
mod reset;
mod seal;
mod session_logon;
mod sight;
mod sign_in;
mod switch;
mod talk;
mod touch;
mod update;
mod users;
mod verify;
mod wire;

use client_credentials::ClientCredentials;
use gate::Gate;
use session_logon::SessionLogon;
use sign_in::SignIn;
use talk::Talk;
use users::Shape;
use wire::Wire;

/// How a vault is reached.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The configured name.
    pub name: TargetName,
    /// The interface's address, such as `https://acme.privilegecloud.cyberark.cloud/PasswordVault/API`.
    pub api_url: Url,
    /// The product, and how the service signs in.
    pub product: Product,
    /// How many calls may be under way at once: 1 to 256.
    pub max_concurrent_calls: usize,
    /// How many calls are made in a second, where that is bounded.
    pub calls_per_second: Option<u32>,
    /// When it is left to rest.
    pub rest: RestPolicy,
    /// How this vault is spoken to.
    pub dialect: DialectSettings,
    /// Certificates of a private authority in PEM, trusted besides the machine's own.
    pub ca_pem: Option<Vec<u8>>,
    /// The way there, where it is not direct.
    pub proxy: Option<Proxy>,
}

/// Why a connection cannot be set up. Names the setting, never its value.
#[derive(Debug, thiserror::Error)]
pub enum BadConnection {
    /// Not an address of an interface.
    #[error("{what} must be an https address without credentials, query or fragment")]
    Address {
        /// The setting.
        what: &'static str,
    },
    /// In the clear over a network.
    #[error("{what} must be https, unless it is on this machine")]
    NotEncrypted {
        /// The setting.
        what: &'static str,
    },
    /// No calls, or too many.
    #[error("max_concurrent_calls must be 1 to 256")]
    CallsAtOnce,
    /// The private authority's file.
    #[error("ca_file must hold at least one certificate in PEM")]
    Authority,
    /// The proxy's address.
    #[error("proxy must be the http address of a proxy")]
    Proxy,
    /// The client itself.
    #[error("the HTTP client cannot be set up")]
    Client {
        /// Why.
        source: reqwest::Error,
    },
}

/// A vault that is driven through the REST interface.
pub struct Pvwa {
    name: TargetName,
    dialect: DialectSettings,
    wire: Wire,
    /// The name we sign in with.
    account: String,
    gate: Gate,
    world: World,
    rest: RestPolicy,
    /// How it fares, as far as this process has seen.
    health: Mutex<Health>,
    /// The shape of user records, once a read has shown it.
    shape: OnceLock<Shape>,
}

impl Pvwa {
    /// Sets up a vault. Nothing is called yet.
    pub fn new(connection: Connection, world: World) -> Result<Self, BadConnection> {
        let api_url = wire::checked(connection.api_url, "api_url")?;
        let http = wire::client(connection.ca_pem.as_deref(), connection.proxy.as_ref())?;
        let account = connection.product.account().to_owned();
        let (way, secret): (Box<dyn SignIn>, _) = match connection.product {
            Product::PrivilegeCloud(cloud) => {
                let token_url = wire::checked(cloud.token_url, "token_url")?;
                let way = ClientCredentials::new(http.clone(), token_url, cloud.client_id, world.clone());
                (Box::new(way), cloud.client_secret)
            }
            Product::SelfHosted(logon) => {
                let secret = logon.password.clone();
                (Box::new(SessionLogon::new(http.clone(), api_url.clone(), logon, world.clone())), secret)
            }
        };
        Ok(Self {
            name: connection.name,
            dialect: connection.dialect,
            wire: Wire::new(api_url, http, connection.max_concurrent_calls)?
                .paced(connection.calls_per_second),
            account,
            gate: Gate::new(way, secret, world.clone()),
            world,
            rest: connection.rest,
            health: Mutex::new(Health::fresh()),
            shape: OnceLock::new(),
        })
    }
}

#[async_trait]
impl Target for Pvwa {
    fn name(&self) -> &TargetName {
        &self.name
    }

    fn dialect(&self) -> DialectSettings {
        self.dialect
    }

    fn preview(&self, plan: &Plan) -> Vec<Vec<PreviewCall>> {
        preview::preview(plan)
    }

    async fn snapshot(&self, subject: Subject<'_>, besides: Besides<'_>) -> Result<Snapshot, CallFault> {
        Ok(Talk::new(self).snapshot(subject, besides).await?)
    }

    async fn act(&self, call: &StepCall<'_>) -> Report {
        Talk::new(self).act(call).await
    }

    async fn look(&self, call: &StepCall<'_>) -> Report {
        Talk::new(self).look(call).await
    }

    async fn sight(&self) -> Result<Sight, CallFault> {
        Ok(Talk::new(self).sight().await?)
    }

    async fn held_back_since(&self) -> Option<Timestamp> {
        self.gate.held_since().await
    }

    async fn try_again(&self) {
        self.gate.try_again().await;
    }

    fn admit(&self, who: WorkflowId) -> Admission {
        self.health().admit(who, self.world.now())
    }

    fn passed_over_until(&self) -> Option<Timestamp> {
        self.health().passed_over_until(self.world.now())
    }

    fn trouble(&self) -> Option<String> {
        self.health().trouble()
    }

    async fn close(&self) {
        self.gate.close().await;
    }
}

#[cfg(test)]
mod tests;
