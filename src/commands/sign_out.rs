//! `sign-out`: an operator ends the sessions of a person, for instance one whose laptop is lost.
//!
//! Must hold: one audited deed with a reason; nothing is made where there is no installation.

use std::process::ExitCode;

use clap::Args;

use super::machine_user::operator;
use super::{Configured, failed};
use crate::clock::World;
use crate::domain::names::EmailAddress;
use crate::store::sessions::Revoke;

/// Whose sessions, and why.
#[derive(Debug, Args)]
pub(super) struct SignOut {
    /// The mail address that the person signs in with.
    address: String,
    /// Why; goes into the audit trail.
    #[arg(long, value_parser = clap::builder::NonEmptyStringValueParser::new())]
    reason: String,
    #[command(flatten)]
    at: Configured,
}

impl SignOut {
    pub(super) async fn run(self, world: World) -> ExitCode {
        let Ok(address) = EmailAddress::parse(&self.address) else {
            return failed(&"ADDRESS: wanted: a mail address");
        };
        let kit = match self.at.opened(world).await {
            Ok(service) => service.kit,
            Err(code) => return code,
        };
        let revoke = Revoke { stamp: kit.world.stamp(), address, by: operator(), reason: self.reason };
        let ended = kit.store.write(revoke).await;
        kit.store.close().await;
        match ended {
            Ok(count) => {
                say!("{count} ended");
                ExitCode::SUCCESS
            }
            Err(fault) => failed(&fault),
        }
    }
}
