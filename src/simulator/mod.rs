//! The outside world for the demo and the tests: a CyberArk tenant, a mailbox, an HR system.
//!
//! Must hold: it is a foreigner. It speaks the wire, imports nothing from the rest of the crate and shares no code
//! with the connectors, so it cannot share their mistakes. All three read one clock, which can be moved.

pub mod chance;
pub mod clock;

pub mod tenant;

pub mod faults;
pub mod vault;

mod control;
mod vault_server;

pub mod hr;
pub mod mailbox;

pub mod serving;

use std::net::SocketAddr;

use serde_json::Value;

use clock::SimClock;
use hr::Hr;
use mailbox::{Credentials, Mailbox, Post};
use serving::Served;
use tenant::{Refusal, TenantOptions};
use vault::Vault;

/// Where the simulator listens. Port 0 takes a free one.
#[derive(Debug, Clone, Copy)]
pub struct Listen {
    /// The identity service, the vault's API and `/_sim/`.
    pub vault: SocketAddr,
    /// The mailbox's SMTP.
    pub smtp: SocketAddr,
    /// The mailbox's pages.
    pub mailbox: SocketAddr,
    /// The HR system's page.
    pub hr: SocketAddr,
}

impl Listen {
    /// Free ports on loopback.
    pub fn anywhere() -> Self {
        let free = SocketAddr::from(([127, 0, 0, 1], 0));
        Self { vault: free, smtp: free, mailbox: free, hr: free }
    }
}

/// How the outside world is set up.
pub struct SimulatorOptions {
    /// Where to listen.
    pub listen: Listen,
    /// The clock of all three.
    pub clock: SimClock,
    /// The vault's tenant; its seed is the HR system's, too.
    pub tenant: TenantOptions,
    /// Groups to begin with, as JSON (see [`tenant::Tenant::add_group`]).
    pub groups: Vec<Value>,
    /// Users to begin with, as JSON (see [`tenant::Tenant::add_user`]); they may name the groups.
    pub users: Vec<Value>,
    /// What a mail client must sign in with, if it must.
    pub mail_credentials: Option<Credentials>,
}

impl SimulatorOptions {
    /// Free ports on loopback, real time, nobody but the built-in users.
    pub fn new(tenant: TenantOptions) -> Self {
        Self {
            listen: Listen::anywhere(),
            clock: SimClock::following(),
            tenant,
            groups: Vec::new(),
            users: Vec::new(),
            mail_credentials: None,
        }
    }
}

/// Why the simulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum SimulatorError {
    /// An address could not be had.
    #[error("the simulator could not listen")]
    Listen(#[from] std::io::Error),
    /// A user or group to begin with is not possible.
    #[error("the tenant refused what it was to begin with")]
    Seed(#[from] Refusal),
}

/// The running outside world. Dropping it stops everything.
pub struct Simulator {
    /// The vault, for stage directions and questions.
    pub vault: Vault,
    /// The mailbox.
    pub mailbox: Mailbox,
    /// The HR system.
    pub hr: Hr,
    /// The clock of all three.
    pub clock: SimClock,
    post: Post,
    vault_server: Served,
    mailbox_server: Served,
    hr_server: Served,
}

impl Simulator {
    /// Starts everything inside the running tokio runtime.
    pub async fn start(options: SimulatorOptions) -> Result<Self, SimulatorError> {
        let SimulatorOptions { listen, clock, tenant, groups, users, mail_credentials } = options;
        let hr = Hr::new(clock.clone(), tenant.seed);
        let vault = Vault::new(tenant, clock.clone());
        for group in &groups {
            vault.add_group_as(group)?;
        }
        for user in &users {
            vault.add_user(user)?;
        }
        let mailbox = Mailbox::new(clock.clone(), mail_credentials);
        let post = mailbox.listen(listen.smtp).await?;
        Ok(Self {
            vault_server: Served::start(listen.vault, vault_server::routes(&vault))?,
            mailbox_server: mailbox.show(listen.mailbox)?,
            hr_server: hr.show(listen.hr)?,
            vault,
            mailbox,
            hr,
            clock,
            post,
        })
    }

    /// Base of the identity service and of the vault: `http://host:port`.
    pub fn vault_url(&self) -> String {
        self.vault_server.url()
    }

    /// Where SMTP is spoken.
    pub fn smtp_address(&self) -> SocketAddr {
        self.post.address()
    }

    /// The mailbox's pages: `http://host:port`.
    pub fn mailbox_url(&self) -> String {
        self.mailbox_server.url()
    }

    /// The HR system's page: `http://host:port`.
    pub fn hr_url(&self) -> String {
        self.hr_server.url()
    }

    /// Stops everything and returns when every socket is closed.
    pub async fn stop(self) {
        self.post.stop().await;
        self.vault_server.stop().await;
        self.mailbox_server.stop().await;
        self.hr_server.stop().await;
    }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;
    use serde_json::json;

    use super::*;

    fn options() -> SimulatorOptions {
        let mut options = SimulatorOptions::new(TenantOptions::new("svc", SecretString::from("secret")));
        options.groups = vec![json!({ "groupName": "Ops-Readers" })];
        options.users = vec![json!({ "username": "bert", "groups": ["Ops-Readers"] })];
        options
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn several_worlds_run_side_by_side_and_stop() {
        let first = Simulator::start(options()).await.unwrap();
        let second = Simulator::start(options()).await.unwrap();
        assert_ne!(first.vault_url(), second.vault_url());
        second.vault.add_group("Only-Here").unwrap();
        assert_ne!(first.vault.state(), second.vault.state());
        assert_eq!(first.vault.user("bert").unwrap()["groupsMembership"][0]["groupName"], "Ops-Readers");
        assert!(first.vault.journal().is_empty());
        let (vault, smtp) = (first.vault_url(), first.smtp_address());
        first.stop().await;
        for address in [vault.strip_prefix("http://").unwrap().to_owned(), smtp.to_string()] {
            assert!(tokio::net::TcpStream::connect(address).await.is_err());
        }
        second.stop().await;
    }

    #[tokio::test]
    async fn a_world_lives_on_a_single_thread_too() {
        let world = Simulator::start(options()).await.unwrap();
        let client = reqwest::Client::builder().timeout(std::time::Duration::from_secs(5)).build().unwrap();
        for url in [format!("{}/_sim/state", world.vault_url()), world.mailbox_url(), world.hr_url()] {
            assert_eq!(client.get(url).send().await.unwrap().status(), 200);
        }
        world.stop().await;
    }
}
