//! `person show|unlink`: whose an account is, and what two people do where it is not.
//!
//! Must hold: who unlinks is one of the operators that the settings know; the first call proposes, the same call by
//! somebody else confirms, and each of them has proven their mailbox. Deliberately absent: linking by hand; an approval
//! does that.

use std::process::ExitCode;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};

use super::claim::Claim;
use super::{Configured, failed};
use crate::clock::World;
use crate::domain::names::{Namespace, PersonRef, TargetName};
use crate::store::WriteFault;
use crate::store::unlinks::{self, Link, UnlinkAccount, Unlinked};

/// What is asked about a person.
#[derive(Debug, Subcommand)]
pub(super) enum Person {
    /// Show which accounts are known to be this person's.
    Show(Show),
    /// Propose, or confirm, that an account is not this person's; what comes next is asked about as a first match.
    Unlink(Unlink),
}

/// Who is meant.
#[derive(Debug, Args)]
pub(super) struct Whose {
    /// What `people` of the source says, such as `corp`.
    namespace: String,
    /// The `person_ref` of the requests.
    person_ref: String,
}

/// Whose accounts.
#[derive(Debug, Args)]
pub(super) struct Show {
    #[command(flatten)]
    whose: Whose,
    #[command(flatten)]
    at: Configured,
}

/// Which link, who, and why.
#[derive(Debug, Args)]
pub(super) struct Unlink {
    #[command(flatten)]
    whose: Whose,
    /// The name of the target in the settings.
    target: String,
    /// Who decides: one of the operators' members in the settings. A code is mailed there, and must be entered.
    #[arg(long = "as", value_name = "MAIL")]
    by: String,
    /// Why; goes into the audit trail.
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    reason: String,
    #[command(flatten)]
    at: Configured,
}

impl Person {
    pub(super) async fn run(self, world: World) -> ExitCode {
        let done = match self {
            Self::Show(show) => show.run(world).await,
            Self::Unlink(unlink) => unlink.run(world).await,
        };
        match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(code) => code,
        }
    }
}

impl Whose {
    fn parsed(&self) -> Result<(Namespace, PersonRef), ExitCode> {
        let namespace = Namespace::parse(&self.namespace);
        let person_ref = PersonRef::parse(&self.person_ref);
        Ok((
            namespace.map_err(|_| failed(&"NAMESPACE: wanted: what people of a source says"))?,
            person_ref.map_err(|_| failed(&"PERSON_REF: wanted: the reference of a person in requests"))?,
        ))
    }
}

impl Show {
    async fn run(self, world: World) -> Result<(), ExitCode> {
        let (namespace, person_ref) = self.whose.parsed()?;
        let kit = self.at.opened(world).await?.kit;
        let links = unlinks::links(&kit.store, &namespace, &person_ref, kit.world.now()).await;
        kit.store.close().await;
        match links.map_err(|fault| failed(&fault))? {
            None => return Err(failed(&"nobody of that reference is known")),
            Some(links) if links.is_empty() => say!("linked to no account"),
            Some(links) => links.iter().for_each(show),
        }
        Ok(())
    }
}

fn show(link: &Link) {
    say!(
        "{}: {}, number {}, linked by workflow {} at {}",
        link.target,
        link.user_name,
        link.id,
        link.workflow,
        link.linked_at.in_words()
    );
    if let Some((by, at, reason)) = &link.proposed {
        say!(
            "  {} proposed at {} to unlink it, because: {reason}; to be confirmed by somebody else",
            by.in_words(),
            at.in_words()
        );
    }
}

impl Unlink {
    async fn run(self, world: World) -> Result<(), ExitCode> {
        let (namespace, person_ref) = self.whose.parsed()?;
        let target = TargetName::parse(&self.target);
        let target = target.map_err(|_| failed(&"TARGET: wanted: the name of a target in the settings"))?;
        let claim = Claim::parse(&self.by)?;
        let kit = self.at.opened(world).await?.kit;
        let by = claim.proven(&kit).await?;
        let deed = UnlinkAccount {
            stamp: kit.world.stamp(),
            namespace,
            person_ref,
            target,
            by: by.address,
            user: by.user,
            operators: kit.settings.operators.members.clone(),
            reason: self.reason,
        };
        let done = kit.store.write(deed).await;
        kit.store.close().await;
        match done {
            Ok(Unlinked::Proposed(id)) => say!(
                "proposed to unlink number {id}; nothing is done until somebody else confirms it with the same command"
            ),
            Ok(Unlinked::Done(id)) => say!("number {id} is unlinked"),
            Err(WriteFault::Refused(no)) => return Err(failed(&no)),
            Err(fault) => return Err(failed(&fault)),
        }
        Ok(())
    }
}
