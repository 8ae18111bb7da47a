//! `simulator`: the simulated CyberArk, mailbox and HR system on their own, for trying a configuration out.

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Args;
use secrecy::SecretString;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::demo_settings::{Dialect, GROUPS, Product, Simulated};
use super::{failed, serve};
use crate::clock::World;
use crate::simulator::clock::SimClock;
use crate::simulator::hr::Webhook;
use crate::simulator::{Listen, Simulator, SimulatorOptions};

/// The outside world on its own.
#[derive(Debug, Args)]
pub(super) struct Simulate {
    /// Where the simulated vault listens.
    #[arg(long, default_value = "127.0.0.1:9090")]
    listen: SocketAddr,
    /// Where the mailbox takes mail.
    #[arg(long, default_value = "127.0.0.1:1025")]
    smtp: SocketAddr,
    /// Where the mailbox shows mail.
    #[arg(long, default_value = "127.0.0.1:8025")]
    mailbox: SocketAddr,
    /// Where the HR system's page is.
    #[arg(long, default_value = "127.0.0.1:8026")]
    hr: SocketAddr,
    /// Which product is simulated.
    #[arg(long, value_enum, default_value_t = Product::PrivilegeCloud)]
    product: Product,
    /// How the simulated vault speaks.
    #[arg(long, value_enum, default_value_t = Dialect::Product)]
    dialect: Dialect,
    /// The service user's login name; without a wish the one that suits the product.
    #[arg(long)]
    client_id: Option<String>,
    /// The service user's secret, or its password in a self-hosted vault.
    #[arg(long, env = "SIMULATOR_CLIENT_SECRET", hide_env_values = true)]
    client_secret: String,
    /// Where the HR system posts its webhooks.
    #[arg(long, default_value = "http://127.0.0.1:8080/webhooks/hr")]
    webhook_url: String,
    /// What it signs them with: `whsec_` and base64.
    #[arg(long, env = "SIMULATOR_WEBHOOK_SECRET", hide_env_values = true)]
    webhook_secret: Option<String>,
}

impl Simulate {
    pub(super) async fn run(self, world: &World) -> ExitCode {
        let client_id = self.client_id.as_deref().unwrap_or(self.product.service_user());
        let simulated = Simulated { product: self.product, dialect: self.dialect };
        let mut tenant = simulated.tenant(client_id, SecretString::from(self.client_secret));
        tenant.seed = world.number();
        let mut options = SimulatorOptions::new(tenant);
        options.listen = Listen { vault: self.listen, smtp: self.smtp, mailbox: self.mailbox, hr: self.hr };
        options.clock = SimClock::following();
        options.groups =
            GROUPS.iter().map(|name| json!({ "groupName": name, "groupType": "Vault" })).collect();
        let simulator = match Simulator::start(options).await {
            Ok(simulator) => simulator,
            Err(fault) => return failed(&fault),
        };
        if let Some(secret) = self.webhook_secret {
            let secret = SecretString::from(secret);
            simulator.hr.set_webhook(Webhook { url: self.webhook_url, secret });
        }
        say!("vault   {}  (state: /_sim/state, journal: /_sim/journal)", simulator.vault_url());
        say!("mailbox {}  (SMTP at {})", simulator.mailbox_url(), simulator.smtp_address());
        say!("hr      {}", simulator.hr_url());
        let stop = CancellationToken::new();
        serve::stop_on_signal(stop.clone());
        stop.cancelled().await;
        simulator.stop().await;
        ExitCode::SUCCESS
    }
}
