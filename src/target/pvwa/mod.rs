//! CyberArk's REST interface of users and groups, as Privilege Cloud offers it under `/PasswordVault/API`.
//!
//! Must hold: one client, one sign-in and one bound on concurrent calls per target; every attempt is a conversation
//! of its own whose calls are told in its report. Read `act.rs` for the steps, `answer.rs` for what answers mean.
//! Deliberately absent: the session log-on of a self-hosted vault; it will be another `SignIn` beside this one.

use std::sync::OnceLock;

use async_trait::async_trait;
use secrecy::SecretString;
use url::Url;

use crate::clock::World;
use crate::domain::names::{GroupName, TargetName, UserName};
use crate::domain::plan::{DialectSettings, Plan};
use crate::domain::snapshot::Snapshot;
use crate::domain::step::Report;
use crate::target::{CallFault, PreviewCall, StepCall, Target};

mod act;
mod answer;
mod create;
mod groups;
mod holder;
mod join;
mod pages;
mod preview;
mod put;
mod reading;
mod sign_in;
mod talk;
mod users;
mod verify;
mod wire;

use sign_in::{ClientCredentials, SignIn};
use talk::Talk;
use users::Shape;
use wire::Wire;

/// How a Privilege Cloud tenant is reached.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The configured name.
    pub name: TargetName,
    /// The interface's address, such as `https://acme.privilegecloud.cyberark.cloud/PasswordVault/API`.
    pub api_url: Url,
    /// The platform's token endpoint.
    pub token_url: Url,
    /// The service user's login name.
    pub client_id: String,
    /// The service user's secret.
    pub client_secret: SecretString,
    /// How many calls may be under way at once: 1 to 256.
    pub max_concurrent_calls: usize,
    /// How this vault is spoken to.
    pub dialect: DialectSettings,
    /// Certificates of a private authority in PEM, trusted besides the machine's own.
    pub ca_pem: Option<Vec<u8>>,
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
    sign_in: Box<dyn SignIn>,
    world: World,
    /// The shape of user records, once a read has shown it.
    shape: OnceLock<Shape>,
}

impl Pvwa {
    /// Sets up a tenant of Privilege Cloud. Nothing is called yet.
    pub fn new(connection: Connection, world: World) -> Result<Self, BadConnection> {
        let api_url = wire::checked(connection.api_url, "api_url")?;
        let token_url = wire::checked(connection.token_url, "token_url")?;
        let http = wire::client(connection.ca_pem.as_deref())?;
        let sign_in = ClientCredentials::new(
            http.clone(),
            token_url,
            connection.client_id,
            connection.client_secret,
            world.clone(),
        );
        Ok(Self {
            name: connection.name,
            dialect: connection.dialect,
            wire: Wire::new(api_url, http, connection.max_concurrent_calls)?,
            sign_in: Box::new(sign_in),
            world,
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

    async fn snapshot(&self, user_name: &UserName, groups: &[GroupName]) -> Result<Snapshot, CallFault> {
        Ok(Talk::new(self).snapshot(user_name, groups).await?)
    }

    async fn act(&self, call: &StepCall<'_>) -> Report {
        Talk::new(self).act(call).await
    }

    async fn look(&self, call: &StepCall<'_>) -> Report {
        Talk::new(self).look(call).await
    }
}

#[cfg(test)]
mod tests;
