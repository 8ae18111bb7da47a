//! `clock show|confirm`: replicas that doubt their clock, and an operator's word that the clocks are right.
//!
//! Must hold: the word is one audited deed with a reason; each replica in doubt hears of it through the database.

use std::process::ExitCode;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};

use super::machine_user::operator;
use super::{Configured, failed};
use crate::clock::World;
use crate::store::clock_doubts::{self, ConfirmClock};

/// What is done about clocks.
#[derive(Debug, Subcommand)]
pub(super) enum Clock {
    /// Show every doubt that has not ended.
    Show(Configured),
    /// Say that the clocks are right: what is due by them begins again.
    Confirm(Confirm),
}

/// Why.
#[derive(Debug, Args)]
pub(super) struct Confirm {
    /// Why; goes into the audit trail.
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    reason: String,
    #[command(flatten)]
    at: Configured,
}

impl Clock {
    pub(super) async fn run(self, world: World) -> ExitCode {
        match self {
            Self::Show(at) => show(&at, world).await,
            Self::Confirm(confirm) => confirm.run(world).await,
        }
    }
}

async fn show(at: &Configured, world: World) -> ExitCode {
    let kit = match at.opened(world).await {
        Ok(service) => service.kit,
        Err(code) => return code,
    };
    let open = clock_doubts::open(&kit.store).await;
    kit.store.close().await;
    match open {
        Ok(open) if open.is_empty() => say!("no clock is in doubt"),
        Ok(open) => {
            for doubt in open {
                say!("since {}: {}", doubt.since.in_words(), doubt.words);
            }
        }
        Err(fault) => return failed(&fault),
    }
    ExitCode::SUCCESS
}

impl Confirm {
    async fn run(self, world: World) -> ExitCode {
        let kit = match self.at.opened(world).await {
            Ok(service) => service.kit,
            Err(code) => return code,
        };
        let confirm = ConfirmClock { stamp: kit.world.stamp(), by: operator(), reason: self.reason };
        let ended = kit.store.write(confirm).await;
        kit.store.close().await;
        match ended {
            Ok(0) => {
                say!("no clock is in doubt");
                ExitCode::SUCCESS
            }
            Ok(count) => {
                say!("{count} confirmed; what is due begins again");
                ExitCode::SUCCESS
            }
            Err(fault) => failed(&fault),
        }
    }
}
