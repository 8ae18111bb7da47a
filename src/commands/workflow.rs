//! `workflow retry|adopt|mark-done|give-up|decide|cancel` and `credential reveal`: what an operator does by hand.
//!
//! Must hold: each is one audited deed with a reason; whom `--as` names is an operator of the settings; a password is printed
//! once, to standard output alone;
//! nothing is made where there is no installation.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::claim::Claim;
use super::machine_user::machine_user;
use super::{Configured, failed};
use crate::clock::World;
use crate::domain::approval::Verdict;
use crate::domain::ids::{VaultUserId, WorkflowId};
use crate::domain::operator::Operator;
use crate::key::Purpose;
use crate::kit::Kit;
use crate::store::WriteFault;
use crate::store::cancel::{CancelLeaver, Cancelled};
use crate::store::operator::{Exit, NoExit, Overrule, TakeExit};
use crate::store::reveals::RevealPassword;

/// What is done with a workflow that needs attention.
#[derive(Debug, Subcommand)]
pub(super) enum Workflow {
    /// Try again from where it stopped.
    Retry(OnWorkflow),
    /// The account that was found after a lost create is this workflow's own: go on with it.
    Adopt(Adopt),
    /// The step on which it waits was done by hand, elsewhere: go on.
    MarkDone(OnWorkflow),
    /// End it.
    GiveUp(OnWorkflow),
    /// Decide about a leaver whom nobody who was asked has decided in time.
    Decide(Decide),
    /// Propose, or confirm, that a leaver is not carried out; it goes on until somebody else has confirmed it.
    Cancel(Cancel),
}

/// Which leaver, who, and why.
#[derive(Debug, Args)]
pub(super) struct Cancel {
    /// Who decides: one of the operators' members in the settings. The user of the machine is recorded beside it.
    #[arg(long = "as", value_name = "MAIL")]
    by: String,
    #[command(flatten)]
    on: OnWorkflow,
}

/// Which account is meant.
#[derive(Debug, Args)]
pub(super) struct Adopt {
    /// The number of the account in the vault, as the workflow's page and its reason name it.
    #[arg(long, value_name = "NUMBER")]
    user_id: i64,
    #[command(flatten)]
    on: OnWorkflow,
}

/// An operator's own decision.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("verdict").required(true).args(["approve", "reject"]))]
pub(super) struct Decide {
    /// It is to be carried out.
    #[arg(long)]
    approve: bool,
    /// It is not to be carried out.
    #[arg(long)]
    reject: bool,
    #[command(flatten)]
    who: Who,
    #[command(flatten)]
    on: OnWorkflow,
}

/// Who acts.
#[derive(Debug, Args)]
pub(super) struct Who {
    /// Who acts, by address: one of the operators' members in the settings. The user of the machine is recorded beside
    /// it, and may not be somebody either who may not do it.
    #[arg(long = "as", value_name = "MAIL")]
    by: Option<String>,
}

/// Whose password, and for whom it is shown.
#[derive(Debug, Args)]
pub(super) struct Reveal {
    #[command(flatten)]
    who: Who,
    #[command(flatten)]
    on: OnWorkflow,
}

/// What is done with a sealed password.
#[derive(Debug, Subcommand)]
pub(super) enum Credential {
    /// Print it once; afterwards it is destroyed.
    Reveal(Reveal),
}

/// Which workflow, and why.
#[derive(Debug, Args)]
pub(super) struct OnWorkflow {
    /// The workflow's id.
    id: String,
    /// Why; goes into the audit trail.
    #[arg(long, value_parser = clap::builder::NonEmptyStringValueParser::new())]
    reason: String,
    #[command(flatten)]
    at: Configured,
}

impl Workflow {
    pub(super) async fn run(self, world: World) -> ExitCode {
        let (exit, on) = match self {
            Self::Retry(on) => (Exit::Retry, on),
            Self::Adopt(adopt) => (Exit::Adopt(VaultUserId(adopt.user_id)), adopt.on),
            Self::MarkDone(on) => (Exit::MarkDone, on),
            Self::GiveUp(on) => (Exit::GiveUp, on),
            Self::Decide(decide) => return decide.run(world).await,
            Self::Cancel(cancel) => return cancel.run(world).await,
        };
        let (kit, workflow) = match on.open(world).await {
            Ok(opened) => opened,
            Err(code) => return code,
        };
        let (stamp, by) = (kit.world.stamp(), Operator::AtTheMachine { user: machine_user(), says: None });
        let done = kit.store.write(TakeExit { stamp, workflow, exit, by, reason: on.reason }).await;
        kit.store.close().await;
        tell_state(workflow, done)
    }
}

impl Decide {
    async fn run(self, world: World) -> ExitCode {
        let (kit, workflow, by) = match self.who.opens(&self.on, world).await {
            Ok(opened) => opened,
            Err(code) => return code,
        };
        let verdict = if self.approve { Verdict::Approve } else { Verdict::Reject };
        let stamp = kit.world.stamp();
        let done = kit.store.write(Overrule { stamp, workflow, verdict, by, reason: self.on.reason }).await;
        kit.store.close().await;
        tell_state(workflow, done)
    }
}

impl Cancel {
    async fn run(self, world: World) -> ExitCode {
        let claim = match Claim::parse(&self.by) {
            Ok(claim) => claim,
            Err(code) => return code,
        };
        let (kit, workflow) = match self.on.open(world).await {
            Ok(opened) => opened,
            Err(code) => return code,
        };
        let by = match claim.checked(&kit).await {
            Ok(by) => by,
            Err(code) => return code,
        };
        let (stamp, user) = (kit.world.stamp(), Some(machine_user()));
        let done = kit.store.write(CancelLeaver { stamp, workflow, by, user, reason: self.on.reason }).await;
        kit.store.close().await;
        match done {
            Ok(Cancelled::Proposed) => {
                println!(
                    "{workflow} goes on until somebody else confirms within a day, on its page or with this command"
                );
                ExitCode::SUCCESS
            }
            Ok(Cancelled::Done) => {
                println!("{workflow} is cancelled now");
                ExitCode::SUCCESS
            }
            Err(WriteFault::Refused(no)) => failed(&no),
            Err(fault) => failed(&fault),
        }
    }
}

fn tell_state(workflow: WorkflowId, done: Result<&'static str, WriteFault<NoExit>>) -> ExitCode {
    match done {
        Ok(state) => {
            println!("{workflow} is {state} now");
            ExitCode::SUCCESS
        }
        Err(WriteFault::Refused(no)) => failed(&no),
        Err(fault) => failed(&fault),
    }
}

impl Credential {
    pub(super) async fn run(self, world: World) -> ExitCode {
        let Self::Reveal(Reveal { who, on }) = self;
        let (kit, workflow, by) = match who.opens(&on, world).await {
            Ok(opened) => opened,
            Err(code) => return code,
        };
        let stamp = kit.world.stamp();
        let taken = kit.store.write(RevealPassword { stamp, workflow, by, reason: on.reason }).await;
        kit.store.close().await;
        match taken {
            Ok(sealed) => match kit.keys.open(Purpose::InitialPassword, sealed.id.0, &sealed.bytes) {
                Ok(clear) => {
                    println!("{}", String::from_utf8_lossy(&clear));
                    ExitCode::SUCCESS
                }
                Err(fault) => failed(&fault),
            },
            Err(WriteFault::Refused(no)) => failed(&no),
            Err(fault) => failed(&fault),
        }
    }
}

impl Who {
    /// Opens the installation for this person.
    async fn opens(&self, on: &OnWorkflow, world: World) -> Result<(Kit, WorkflowId, Operator), ExitCode> {
        let claim = self.by.as_deref().map(Claim::parse).transpose()?;
        let (kit, workflow) = on.open(world).await?;
        let says = match claim {
            Some(claim) => Some(claim.checked(&kit).await?),
            None => None,
        };
        Ok((kit, workflow, Operator::AtTheMachine { user: machine_user(), says }))
    }
}

impl OnWorkflow {
    async fn open(&self, world: World) -> Result<(Kit, WorkflowId), ExitCode> {
        let id = WorkflowId::parse(&self.id).ok_or_else(|| failed(&"ID: wanted: the id of a workflow"))?;
        Ok((self.at.opened(world).await?.kit, id))
    }
}
