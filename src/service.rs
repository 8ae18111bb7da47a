//! The composition root: settings become a running service.
//!
//! Must hold: everything that is wrong with settings, conditions, key and targets is reported at once; the same
//! `open` serves production, demonstration and stories, which pass their own world. Workers and web meet only in the
//! store. A shutdown finishes what is under way: answers first, then the turn of each worker, then the database.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::{App, HttpServer, web};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use secrecy::ExposeSecret as _;
use tokio_util::sync::CancellationToken;
use tracing_actix_web::TracingLogger;

use crate::audit::Sealer;
use crate::clock::World;
use crate::clock::belief::Bounds;
use crate::config::{ClockSettings, Database, DatabaseEngine, Fault, Settings, TargetSettings};
use crate::domain::names::TargetName;
use crate::hand_over::Clerk;
use crate::key::KeyRing;
use crate::kit::Kit;
use crate::notify::{Courier, Smtp};
use crate::planning::Planner;
use crate::provision::{Executor, Watcher};
use crate::rules::{Engine, Policy};
use crate::store::installation::CheckKey;
use crate::store::{Place, Store, WriteFault};
use crate::sweeper::Sweeper;
use crate::target::Target;
use crate::target::pvwa::{Connection, Pvwa};
use crate::timekeeper::{self, Timekeeper};
use crate::web::trace::PatternSpan;
use crate::web::{assets, headers, page, problem};
use crate::witness::Witness;
use crate::worker::{Crew, Worker};
use crate::{approval, console, hand_over, intake, people};

/// A service that is ready to run.
pub struct Service {
    /// What its stations work with.
    pub kit: Kit,
    workers: Vec<Arc<dyn Worker>>,
    metrics: PrometheusHandle,
}

/// How long a condition of the settings may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// One evaluation; see [`crate::rules::EVALUATION_LIMIT`].
    pub evaluation: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { evaluation: crate::rules::EVALUATION_LIMIT }
    }
}

impl Service {
    /// Prepares everything and opens the database, or says all that is wrong.
    pub async fn open(settings: Settings, world: World, limits: Limits) -> Result<Self, Vec<Fault>> {
        let (engine, policy) = conditions(&settings, limits);
        let keys = key(&settings, &world);
        let targets = targets(&settings, &world);
        let (engine, policy, keys, targets) = match (policy, keys, targets) {
            (Ok(policy), Ok(keys), Ok(targets)) => (engine?, policy, keys, targets),
            (policy, keys, targets) => {
                let lists = [policy.err(), keys.err().map(|fault| vec![fault]), targets.err()];
                return Err(lists.into_iter().flatten().flatten().collect());
            }
        };
        let witness = Witness::open(&settings.head_file, &keys);
        let witness = witness
            .map_err(|fault| vec![Fault::new(&settings.file, "audit.head_file", fault.to_string())])?;
        let store = open_store(&settings, &world, &keys).await.map_err(|fault| vec![fault])?;
        if let Some(guarded) = world.clock.guarded() {
            let ClockSettings { largest_step, steady_for } = settings.clock;
            guarded.bind(Bounds { step: largest_step, steady_for });
            let compared = timekeeper::compare(&store, guarded).await;
            compared.map_err(|fault| vec![Fault::new(&settings.file, "database.url", fault.to_string())])?;
        }
        let settings = Arc::new(settings);
        let kit = Kit {
            store,
            witness: Arc::new(witness),
            world,
            keys,
            settings,
            engine,
            policy: Arc::new(policy),
            targets: Arc::new(targets),
        };
        let post = Smtp::new(&kit.settings.mail.smtp)
            .map_err(|fault| vec![Fault::new(&kit.settings.file, "mail.smtp_url", fault.to_string())])?;
        let workers: Vec<Arc<dyn Worker>> = vec![
            Arc::new(Planner::new(kit.clone())),
            Arc::new(Executor::new(kit.clone())),
            Arc::new(Watcher::new(kit.clone())),
            Arc::new(Clerk::new(kit.clone())),
            Arc::new(Courier::new(kit.clone(), Box::new(post))),
            Arc::new(Sweeper::new(kit.clone())),
            Arc::new(Sealer::new(kit.clone())),
            Arc::new(Timekeeper::new(kit.clone())),
        ];
        Ok(Self { kit, workers, metrics: recorder() })
    }

    /// The workers, for a test that drives them by hand.
    pub fn workers(&self) -> &[Arc<dyn Worker>] {
        &self.workers
    }

    /// Begins to answer on a socket that is bound already.
    pub fn listen(&self, socket: TcpListener) -> std::io::Result<(Server, SocketAddr)> {
        let address = socket.local_addr()?;
        let (kit, metrics) = (web::Data::new(self.kit.clone()), web::Data::new(self.metrics.clone()));
        let server = HttpServer::new(move || {
            App::new()
                .app_data(kit.clone())
                .app_data(metrics.clone())
                .wrap(actix_web::middleware::from_fn(people::renew))
                .wrap(headers::security())
                .wrap(TracingLogger::<PatternSpan>::new())
                .configure(intake::routes)
                .configure(people::routes)
                .configure(approval::routes)
                .configure(hand_over::routes)
                .configure(console::routes)
                .configure(assets::routes)
                .configure(problem::unmatched)
                .default_service(actix_web::web::to(page::nowhere))
        })
        .workers(2)
        .shutdown_timeout(20)
        .disable_signals()
        .listen(socket)?
        .run();
        Ok((server, address))
    }

    /// Runs until told to stop.
    pub async fn run(self, socket: TcpListener, stop: CancellationToken) -> std::io::Result<()> {
        let (server, address) = self.listen(socket)?;
        tracing::info!(%address, database = self.kit.store.engine(), "serving");
        let handle = server.handle();
        let mut serving = tokio::spawn(server);
        let poll = self.kit.settings.worker.poll_every.to_std().unwrap_or(Duration::from_secs(5));
        let bell = || self.kit.store.bell();
        let mut crew = Crew::start(&self.workers, &self.kit.world, bell, poll, &stop);
        // A service that does not answer any more, or does not work any more, ends, so that it is seen.
        let early = tokio::select! {
            () = crew.watch() => None,
            served = &mut serving => Some(served),
        };
        stop.cancel();
        tracing::info!("stopping: finishing what is under way");
        self.kit.store.announce_end();
        handle.stop(true).await;
        let worked = crew.finish().await;
        self.close().await;
        tracing::info!("stopped");
        let failed = |fault| Err(std::io::Error::other(fault));
        match early {
            None => serving.await.unwrap_or_else(failed)?,
            Some(served) => {
                served.unwrap_or_else(failed)?;
                return Err(std::io::Error::other("the web server ended by itself"));
            }
        }
        worked.map_err(std::io::Error::other)
    }
}

impl Service {
    /// Leaves the targets in order and closes the database. The end of a service whose workers and pages are at rest.
    pub async fn close(&self) {
        futures_util::future::join_all(self.kit.targets.values().map(|target| target.close())).await;
        self.kit.store.close().await;
    }
}

type Conditions = (Result<Engine, Vec<Fault>>, Result<Policy, Vec<Fault>>);

fn conditions(settings: &Settings, limits: Limits) -> Conditions {
    match Engine::start(limits.evaluation) {
        Ok(engine) => {
            let policy = Policy::compile(&engine, settings);
            (Ok(engine), policy)
        }
        Err(fault) => {
            let faults = vec![Fault::new(&settings.file, "rules", fault.to_string())];
            (Err(faults.clone()), Err(faults))
        }
    }
}

fn key(settings: &Settings, world: &World) -> Result<KeyRing, Fault> {
    let ring = match settings.database.engine {
        DatabaseEngine::Sqlite => KeyRing::read_or_make(&settings.key_file, world),
        DatabaseEngine::Postgres => KeyRing::read(&settings.key_file),
    };
    ring.map_err(|fault| Fault::new(&settings.file, "secrets.key_file", fault.to_string()))
}

fn targets(settings: &Settings, world: &World) -> Result<BTreeMap<TargetName, Arc<dyn Target>>, Vec<Fault>> {
    let mut made: BTreeMap<TargetName, Arc<dyn Target>> = BTreeMap::new();
    let mut faults = Vec::new();
    for target in &settings.targets {
        match connect(target, world) {
            Ok(vault) => {
                made.insert(target.name.clone(), vault);
            }
            Err(words) => faults.push(Fault::new(&settings.file, &format!("targets.{}", target.name), words)),
        }
    }
    if faults.is_empty() { Ok(made) } else { Err(faults) }
}

/// Prepares the way to a target; nothing is called yet. What is wrong is told in words.
pub fn connect(target: &TargetSettings, world: &World) -> Result<Arc<dyn Target>, String> {
    let ca_pem = match &target.ca_file {
        None => None,
        Some(path) => {
            Some(std::fs::read(path).map_err(|_| "ca_file: wanted: a readable file in PEM".to_owned())?)
        }
    };
    let connection = Connection {
        name: target.name.clone(),
        api_url: target.api_url.clone(),
        product: target.product.clone(),
        max_concurrent_calls: usize::try_from(target.max_concurrent_calls).unwrap_or(1),
        calls_per_second: target.calls_per_second,
        rest: target.rest,
        dialect: target.dialect,
        ca_pem,
        proxy: target.proxy.clone(),
    };
    let vault = Pvwa::new(connection, world.clone()).map_err(|fault| fault.to_string())?;
    Ok(Arc::new(vault))
}

/// Where these settings say the database is.
pub fn place(database: &Database) -> Place {
    let url = database.url.expose_secret().to_owned();
    match database.engine {
        DatabaseEngine::Sqlite => Place::Sqlite { url, most_pages: database.most_pages },
        DatabaseEngine::Postgres => Place::Postgres { url, schema: database.schema.clone() },
    }
}

/// Opens the database of these settings and checks that it belongs to this key.
pub async fn open_store(settings: &Settings, world: &World, keys: &KeyRing) -> Result<Store, Fault> {
    let fault = |key: &str, words: String| Fault::new(&settings.file, key, words);
    let store = Store::open(&place(&settings.database)).await.map_err(|wrong| {
        let cause = std::error::Error::source(&wrong).map(ToString::to_string).unwrap_or_default();
        fault("database.url", format!("{wrong}: {cause}"))
    })?;
    let check = CheckKey { stamp: world.stamp(), fingerprint: keys.fingerprint() };
    match store.write(check).await {
        Ok(()) => Ok(store),
        Err(WriteFault::Refused(other)) => Err(fault("secrets.key_file", other.to_string())),
        Err(wrong) => Err(fault("database.url", wrong.to_string())),
    }
}

/// How long leavers keep access is counted in these steps: a minute to a week, in seconds.
const LAG_BUCKETS: [f64; 10] =
    [60.0, 300.0, 900.0, 3_600.0, 14_400.0, 28_800.0, 86_400.0, 172_800.0, 345_600.0, 604_800.0];

/// The process has one recorder, however many services run in it.
fn recorder() -> PrometheusHandle {
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    RECORDER
        .get_or_init(|| {
            let lags = Matcher::Suffix("_lag_seconds".to_owned());
            let builder = PrometheusBuilder::new().set_buckets_for_metric(lags, &LAG_BUCKETS);
            // Refused only without any bucket.
            let recorder = builder.unwrap_or_else(|_| PrometheusBuilder::new()).build_recorder();
            let handle = recorder.handle();
            if metrics::set_global_recorder(recorder).is_err() {
                tracing::warn!("another recorder was installed before; /metrics stays empty");
            }
            handle
        })
        .clone()
}
