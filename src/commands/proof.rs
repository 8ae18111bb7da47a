//! `audit verify`, `audit export` and `audit accept-restore`.

use std::os::fd::AsFd as _;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::machine_user::operator;
use super::{Configured, failed};
use crate::audit;
use crate::clock::World;
use crate::service::Service;
use crate::store::{WriteFault, restores};

/// Proof of the past.
#[derive(Debug, Subcommand)]
pub(super) enum Audit {
    /// Examine the whole trail; says which record is wrong.
    Verify(Verify),
    /// Write the log to standard output, as JSON Lines that end with the signed head.
    Export(Configured),
    /// Say that the database was restored on purpose; what it remembers is then looked up in the vault and carried on.
    AcceptRestore(AcceptRestore),
}

/// Why an older database was put back.
#[derive(Debug, Args)]
pub(super) struct AcceptRestore {
    /// Why; goes into the audit trail.
    #[arg(long, value_parser = clap::builder::NonEmptyStringValueParser::new())]
    reason: String,
    #[command(flatten)]
    at: Configured,
}

/// What is examined.
#[derive(Debug, Args)]
pub(super) struct Verify {
    /// A head from an earlier mail or export: finds a cut end and a wholesale rewrite, too.
    #[arg(long)]
    head: Option<String>,
    #[command(flatten)]
    at: Configured,
}

impl Audit {
    pub(super) async fn run(self, world: World) -> ExitCode {
        let at = match &self {
            Self::Verify(verify) => &verify.at,
            Self::Export(at) => at,
            Self::AcceptRestore(accept) => &accept.at,
        };
        let service = match at.opened(world).await {
            Ok(service) => service,
            Err(code) => return code,
        };
        let code = match &self {
            Self::Verify(verify) => examine(&service, verify.head.as_deref()).await,
            Self::Export(_) => take_out(&service).await,
            Self::AcceptRestore(accept) => accept.run(&service).await,
        };
        service.kit.store.close().await;
        code
    }
}

impl AcceptRestore {
    async fn run(&self, service: &Service) -> ExitCode {
        let (stamp, reason) = (service.kit.world.stamp(), self.reason.clone());
        let deed = restores::AcceptRestore { stamp, by: operator(), reason };
        match service.kit.store.write(deed).await {
            Ok(_) => {
                say!("accepted; what was running is looked up in the vault before anything else is done");
                ExitCode::SUCCESS
            }
            Err(WriteFault::Refused(nothing)) => failed(&nothing),
            Err(fault) => failed(&fault),
        }
    }
}

async fn examine(service: &Service, head: Option<&str>) -> ExitCode {
    let verdict = match audit::verify(&service.kit.store, &service.kit.keys, head).await {
        Ok(verdict) => verdict,
        Err(fault) => return failed(&fault),
    };
    for found in &verdict.faults {
        say!("{found}");
    }
    if verdict.more > 0 {
        say!("and {} more", verdict.more);
    }
    let (events, sealed, waiting) = (verdict.events, verdict.sealed_to, verdict.waiting);
    say!("{events} events examined; the log reaches to {sealed}; {waiting} wait for their place");
    if verdict.not_covered > 0 {
        say!(
            "{} plans were made by an earlier version, whose trail does not tell who is asked; that is not covered",
            verdict.not_covered
        );
    }
    if verdict.cleared > 0 {
        say!("{} personal values are not kept any more; their commitments stand", verdict.cleared);
    }
    match (verdict.is_sound(), events == 0 && sealed == 0, head) {
        // A head says that there was something.
        (false, _, _) | (true, true, Some(_)) => ExitCode::FAILURE,
        (true, true, None) => {
            say!("there is nothing to prove yet");
            ExitCode::SUCCESS
        }
        (true, false, _) => {
            say!("everything is as it was written");
            ExitCode::SUCCESS
        }
    }
}

async fn take_out(service: &Service) -> ExitCode {
    let out = match std::io::stdout().as_fd().try_clone_to_owned() {
        Ok(out) => out,
        Err(fault) => return failed(&fault),
    };
    let mut out = tokio::fs::File::from_std(std::fs::File::from(out));
    match audit::export(&service.kit.store, &service.kit.keys, &mut out).await {
        Ok(exported) => {
            eprintln!("{} records", exported.records);
            ExitCode::SUCCESS
        }
        Err(fault) => failed(&fault),
    }
}
