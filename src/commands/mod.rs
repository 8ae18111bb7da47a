//! The commands of the one binary.
//!
//! Must hold: what an operator does here uses the same deeds as any page; faults go to standard error, one a line,
//! and the exit code tells: 0 done, 1 not done, 2 the command line itself was wrong.

/// Prints a line, and does not mind if nobody reads on: what a command does is not undone by a reader who has seen enough.
macro_rules! say {
    () => { $crate::commands::say(format_args!("")) };
    ($($words:tt)*) => { $crate::commands::say(format_args!($($words)*)) };
}

mod backup;
mod check;
mod check_target;
mod claim;
mod clock;
mod demo;
mod demo_compare;
mod demo_settings;
mod demo_story;
mod findings;
mod held;
pub mod logging;
mod machine_user;
mod person;
mod proof;
mod serve;
mod sign_out;
mod simulate;
mod workflow;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::clock::World;
use crate::config::{self, DatabaseEngine, Settings};
use crate::rules::Judged;
use crate::service::{self, Limits, Service};
use crate::store::inspect::{Schema, inspect};

/// Approved, verified, provable joiner, mover and leaver changes in CyberArk.
#[derive(Debug, Parser)]
#[command(name = "countersign", version, about)]
pub struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

/// What is to be done.
#[derive(Debug, Subcommand)]
enum Command {
    /// Try it out: everything in one process, against a simulated vault.
    Demo(demo::Demo),
    /// The service: web pages, webhooks and all workers.
    Serve(Configured),
    /// Bring the database up to date (serve does it too, under a lock).
    Migrate(Configured),
    /// Look at settings, database, mail, targets and sources, and say what to mend; changes nothing.
    Check(check::Check),
    /// Copy the database while the service runs, and print the head that the copy ends at.
    Backup(backup::Backup),
    /// Check or export the audit trail; accept that the database was restored.
    #[command(subcommand)]
    Audit(proof::Audit),
    /// Send on, or end, a workflow that needs attention.
    #[command(subcommand)]
    Workflow(workflow::Workflow),
    /// Release or reject leavers that are held because their source sent too many; it takes two people.
    #[command(subcommand)]
    Held(held::Held),
    /// Show whose an account is, or take it back where it is not; taking back takes two people.
    #[command(subcommand)]
    Person(person::Person),
    /// Show the initial password of a new account, once.
    #[command(subcommand)]
    Credential(workflow::Credential),
    /// Show whether a replica doubts its clock, or say that the clocks are right.
    #[command(subcommand)]
    Clock(clock::Clock),
    /// End every session of a person who has signed in.
    SignOut(sign_out::SignOut),
    /// The simulated CyberArk, mailbox and HR system on their own.
    Simulator(simulate::Simulate),
}

/// Where the settings are.
#[derive(Debug, Args)]
struct Configured {
    /// The settings file.
    #[arg(long, env = "COUNTERSIGN_CONFIG")]
    config: PathBuf,
}

impl Configured {
    /// The settings, or every fault in them on standard error.
    fn load(&self) -> Result<Settings, ExitCode> {
        Settings::load(&self.config, &Judged::here()).map_err(|faults| tell(&faults))
    }

    /// The settings, for a command on an installation that was begun before: such a command makes neither key nor
    /// database, or a slip in a path would be answered with an empty trail.
    fn existing(&self) -> Result<Settings, ExitCode> {
        let settings = self.load()?;
        let missing = missing(&settings);
        if missing.is_empty() { Ok(settings) } else { Err(tell(&missing)) }
    }

    /// The service of an installation that was begun before, for a command that is no start. It migrates nothing: a look
    /// with a newer version must not change the schema under the replicas that still run.
    async fn opened(&self, world: World) -> Result<Service, ExitCode> {
        let settings = self.existing()?;
        let unfit = |words: String| tell(&[config::Fault::new(&settings.file, "database.url", words)]);
        match inspect(&service::place(&settings.database)).await {
            Ok(seen) => match seen.schema {
                Schema::Current => {}
                Schema::None => return Err(unfit("it is empty; serve or migrate begins it".to_owned())),
                Schema::Behind(count) => {
                    return Err(unfit(format!(
                        "{count} migration(s) of this version are to be run first: countersign migrate, or serve"
                    )));
                }
                Schema::Ahead(count) => {
                    return Err(unfit(format!(
                        "a newer version has run {count} migration(s) in it that this one does not know; use that version"
                    )));
                }
            },
            Err(fault) => {
                let cause = std::error::Error::source(&fault).map(ToString::to_string).unwrap_or_default();
                return Err(unfit(format!("{fault}: {cause}")));
            }
        }
        Service::open(settings, world, Limits::default()).await.map_err(|faults| tell(&faults))
    }
}

/// The files of an installation that are not there and that a start would make.
fn missing(settings: &Settings) -> Vec<config::Fault> {
    match settings.database.engine {
        DatabaseEngine::Sqlite => {
            let database = service::place(&settings.database).file();
            [("database.url", database), ("secrets.key_file", Some(settings.key_file.clone()))]
                .into_iter()
                // What cannot be looked at is told by whoever opens it.
                .filter(|(_, file)| file.as_ref().is_some_and(|file| matches!(file.try_exists(), Ok(false))))
                .map(|(key, _)| config::Fault::new(&settings.file, key, NOT_THERE))
                .collect()
        }
        // A server makes no database, and the key must be there beforehand.
        DatabaseEngine::Postgres => Vec::new(),
    }
}

const NOT_THERE: &str = "there is no such file; serve or migrate makes it";

/// Does what the command line says.
pub fn run(line: CommandLine) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(fault) => {
            eprintln!("countersign: no runtime: {fault}");
            return ExitCode::FAILURE;
        }
    };
    let world = World::real();
    runtime.block_on(async move {
        match line.command {
            Command::Demo(demo) => demo.run(world).await,
            Command::Serve(at) => serve::serve(&at, world).await,
            Command::Migrate(at) => serve::migrate(&at, world).await,
            Command::Check(check) => check.run(world).await,
            Command::Backup(backup) => backup.run(world).await,
            Command::Audit(audit) => audit.run(world).await,
            Command::Workflow(workflow) => workflow.run(world).await,
            Command::Held(held) => held.run(world).await,
            Command::Person(person) => person.run(world).await,
            Command::Credential(credential) => credential.run(world).await,
            Command::Clock(clock) => clock.run(world).await,
            Command::SignOut(sign_out) => sign_out.run(world).await,
            Command::Simulator(simulate) => simulate.run(&world).await,
        }
    })
}

/// Prints faults, one a line.
fn tell(faults: &[config::Fault]) -> ExitCode {
    for fault in faults {
        eprintln!("{fault}");
    }
    ExitCode::FAILURE
}

/// Prints one fault.
fn failed(fault: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("countersign: {fault}");
    ExitCode::FAILURE
}

fn say(words: std::fmt::Arguments<'_>) {
    if let Err(fault) = writeln!(std::io::stdout(), "{words}")
        && fault.kind() != std::io::ErrorKind::BrokenPipe
    {
        let _ = writeln!(std::io::stderr(), "countersign: standard output cannot be written: {fault}");
        std::process::exit(1);
    }
}
