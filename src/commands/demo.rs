//! `demo`: service, simulated vault, mailbox and HR system in one process, with no set-up.
//!
//! Must hold: the service in here is the same as `serve` runs, over real HTTP and SMTP; only the outside world is
//! simulated. Deliberately absent: anything the service could do here that it cannot do elsewhere.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::filter::LevelFilter;

use super::demo_settings::{Dialect, GROUPS, Places, Product, Secrets, Simulated, toml};
use super::demo_story::Story;
use super::{failed, logging, serve, tell};
use crate::clock::World;
use crate::config::{LogFormat, Machine, Settings};
use crate::service::{Limits, Service};
use crate::simulator::clock::SimClock;
use crate::simulator::hr::{Joiner, Webhook};
use crate::simulator::{Listen, Simulator, SimulatorOptions};

/// Try it out.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Play the whole story unattended, print the audit trail, and exit.
    #[arg(long)]
    once: bool,
    /// Which product is simulated.
    #[arg(long, value_enum, default_value_t = Product::PrivilegeCloud)]
    product: Product,
    /// How the simulated vault speaks: as the published guide says, or as the product does.
    #[arg(long, value_enum, default_value_t = Dialect::Guide)]
    dialect: Dialect,
    /// Where the service listens; 127.0.0.1:8080 if that is free.
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// A PostgreSQL (postgres://…) instead of a temporary SQLite file; the demonstration makes a schema of its own there,
    /// says which, and leaves it.
    #[arg(long, value_parser = of_postgres)]
    database: Option<String>,
}

impl Demo {
    pub(super) async fn run(self, world: World) -> ExitCode {
        logging::begin(LogFormat::Pretty, if self.once { LevelFilter::WARN } else { LevelFilter::INFO });
        let folder = match Folder::made(&world) {
            Ok(folder) => folder,
            Err(fault) => return failed(&fault),
        };
        match self.play(world, &folder).await {
            Ok(code) | Err(code) => code,
        }
    }

    async fn play(self, world: World, folder: &Folder) -> Result<ExitCode, ExitCode> {
        let secrets = Secrets::made(&world);
        let simulator = self.simulator(&world, &secrets).await?;
        let socket = self.socket().map_err(|fault| failed(&format!("--listen: {fault}")))?;
        let listen = socket.local_addr().map_err(|fault| failed(&fault))?;
        let schema = format!("countersign_demo_{:x}", world.number());
        let places = Places {
            listen,
            folder: &folder.0,
            database: self.database.as_deref(),
            schema: &schema,
            vault_url: simulator.vault_url(),
            smtp: simulator.smtp_address(),
        };
        let key = folder.0.join("countersign.key");
        crate::key::KeyRing::read_or_make(&key, &world).map_err(|fault| failed(&fault))?;
        let text = toml(&places, &secrets, self.simulated());
        let settings = Settings::from_toml(&text, "demo.toml", &Machine).map_err(|faults| tell(&faults))?;
        let service =
            Service::open(settings, world, Limits::default()).await.map_err(|faults| tell(&faults))?;
        let url = format!("http://{listen}/webhooks/hr");
        simulator.hr.set_webhook(Webhook { url, secret: secrets.webhook.clone() });
        let kit = service.kit.clone();
        let stop = CancellationToken::new();
        let serving = tokio::spawn(service.run(socket, stop.clone()));
        let code = if self.once {
            let story = Story { kit: &kit, simulator: &simulator, joiner: joiner(&simulator) };
            match story.play().await {
                Ok(()) => ExitCode::SUCCESS,
                Err(fault) => failed(&fault),
            }
        } else {
            serve::stop_on_signal(stop.clone());
            welcome(listen, &simulator).await;
            stop.cancelled().await;
            ExitCode::SUCCESS
        };
        stop.cancel();
        match serving.await {
            Ok(Ok(())) => {}
            Ok(Err(fault)) => return Err(failed(&fault)),
            Err(fault) => return Err(failed(&fault)),
        }
        simulator.stop().await;
        if self.database.is_some() {
            say!("What was demonstrated stays in the schema {schema} of that database.");
        }
        Ok(code)
    }

    fn simulated(&self) -> Simulated {
        Simulated { product: self.product, dialect: self.dialect }
    }

    async fn simulator(&self, world: &World, secrets: &Secrets) -> Result<Simulator, ExitCode> {
        let mut tenant = self.simulated().tenant(self.product.service_user(), secrets.client.clone());
        tenant.seed = world.number();
        let mut options = SimulatorOptions::new(tenant);
        options.listen = Listen::anywhere();
        options.clock = SimClock::following();
        options.groups =
            GROUPS.iter().map(|name| json!({ "groupName": name, "groupType": "Vault" })).collect();
        options.users = vec![json!({ "username": "mkeller", "groups": ["Ops-Readers"] })];
        Simulator::start(options).await.map_err(|fault| failed(&fault))
    }

    /// The wanted socket; without a wish 8080, or any free one when that is taken or nobody will type it.
    fn socket(&self) -> std::io::Result<TcpListener> {
        let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let socket = match self.listen {
            Some(wanted) => TcpListener::bind(wanted)?,
            None if self.once => TcpListener::bind(local(0))?,
            None => TcpListener::bind(local(8080)).or_else(|_| TcpListener::bind(local(0)))?,
        };
        socket.set_nonblocking(true)?;
        Ok(socket)
    }
}

/// The key of a demonstration goes with it, so a file would be of no use to the next one.
fn of_postgres(url: &str) -> Result<String, String> {
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        Ok(url.to_owned())
    } else {
        Err("wanted: the address of a PostgreSQL, postgres://…".to_owned())
    }
}

/// A new colleague who begins today.
fn joiner(simulator: &Simulator) -> Joiner {
    let today = simulator.clock.now().format("%Y-%m-%d").to_string();
    Joiner::example(&simulator.hr.fresh_ref("RITM"), "E10442", &today)
}

async fn welcome(listen: SocketAddr, simulator: &Simulator) {
    say!("Countersign is running, with a simulated vault, mailbox and HR system.");
    say!();
    match simulator.hr.hire(&joiner(simulator)).await {
        Ok(answer) => {
            say!("The HR system has just hired somebody (the webhook was answered {}).", answer.status);
        }
        Err(fault) => say!("The HR system could not post its webhook: {fault}"),
    }
    say!();
    say!("  1. Read the approver's mail      {}", simulator.mailbox_url());
    say!("  2. Follow its link, look, approve, and watch the run to its end");
    say!("  3. Look into the simulated vault {}/_sim/state", simulator.vault_url());
    say!("  4. Move, dismiss or hire people  {}", simulator.hr_url());
    say!("  5. See where every request is    http://{listen}/workflows");
    say!();
    say!("Stop it with Ctrl-C.");
}

/// A folder that is removed when the demonstration ends.
struct Folder(PathBuf);

impl Folder {
    fn made(world: &World) -> std::io::Result<Self> {
        let path = std::env::temp_dir().join(format!("countersign-demo-{:016x}", world.number()));
        std::fs::create_dir(&path)?;
        #[cfg(unix)]
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(fault) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(%fault, "the demonstration's folder could not be removed");
        }
    }
}
