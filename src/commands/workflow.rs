//! `workflow retry|adopt|mark-done|give-up|decide|cancel` and `credential reveal`: what an operator does by hand.
//!
//! Must hold: each is one audited deed with a reason; whom `--as` names is an operator of the settings and has proven it;
//! a password is printed once, to standard output alone; nothing is made where there is no installation.

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::claim::{Claim, Proven};
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
    Retry(TakeExitOn),
    /// The account that was found after a lost create is this workflow's own: go on with it.
    Adopt(Adopt),
    /// The step on which it waits was done by hand, elsewhere: go on.
    MarkDone(TakeExitOn),
    /// End it.
    GiveUp(TakeExitOn),
    /// Decide about a leaver whom nobody who was asked has decided in time.
    Decide(Decide),
    /// Propose, or confirm, that a leaver is not carried out; it goes on until somebody else has confirmed it.
    Cancel(Cancel),
}

/// Which leaver, who, and why.
#[derive(Debug, Args)]
pub(super) struct Cancel {
    #[command(flatten)]
    who: Who,
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
    on: TakeExitOn,
}

/// Which workflow, and who sends it on or ends it.
#[derive(Debug, Args)]
pub(super) struct TakeExitOn {
    /// Who acts: one of the operators' members in the settings. A code is mailed there, and must be entered. Needed where a
    /// leaver is given up or marked done; elsewhere the trail names the user of the machine alone where it is left out.
    #[arg(long = "as", value_name = "MAIL")]
    by: Option<String>,
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
    /// Who acts: one of the operators' members in the settings. A code is mailed there, and must be entered. The user of
    /// the machine is recorded beside it, and may not be somebody either who may not do it.
    #[arg(long = "as", value_name = "MAIL")]
    by: String,
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
        let reason = on.on.reason.clone();
        let (kit, workflow, by) = match on.opens(world).await {
            Ok(opened) => opened,
            Err(code) => return code,
        };
        let stamp = kit.world.stamp();
        let done = kit.store.write(TakeExit { stamp, workflow, exit, by, reason }).await;
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
        let (stamp, by) = (kit.world.stamp(), by.operator());
        let done = kit.store.write(Overrule { stamp, workflow, verdict, by, reason: self.on.reason }).await;
        kit.store.close().await;
        tell_state(workflow, done)
    }
}

impl Cancel {
    async fn run(self, world: World) -> ExitCode {
        let (kit, workflow, by) = match self.who.opens(&self.on, world).await {
            Ok(opened) => opened,
            Err(code) => return code,
        };
        let (stamp, by) = (kit.world.stamp(), by.one_of_two(&kit));
        let done = kit.store.write(CancelLeaver { stamp, workflow, by, reason: self.on.reason }).await;
        kit.store.close().await;
        match done {
            Ok(Cancelled::Proposed) => {
                say!(
                    "{workflow} goes on until somebody else confirms within a day, on its page or with this command"
                );
                ExitCode::SUCCESS
            }
            Ok(Cancelled::Done) => {
                say!("{workflow} is cancelled now");
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
            say!("{workflow} is {state} now");
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
        let (stamp, by) = (kit.world.stamp(), by.operator());
        let taken = kit.store.write(RevealPassword { stamp, workflow, by, reason: on.reason }).await;
        kit.store.close().await;
        match taken {
            Ok(sealed) => match kit.keys.open(Purpose::InitialPassword, sealed.id.0, &sealed.bytes) {
                Ok(clear) => {
                    let mut out = std::io::stdout();
                    match writeln!(out, "{}", String::from_utf8_lossy(&clear)).and_then(|()| out.flush()) {
                        Ok(()) => ExitCode::SUCCESS,
                        Err(fault) => failed(&format!(
                            "the password could not be written to standard output ({fault}), and is kept nowhere any more: \
                             have another one set in the vault"
                        )),
                    }
                }
                Err(fault) => failed(&fault),
            },
            Err(WriteFault::Refused(no)) => failed(&no),
            Err(fault) => failed(&fault),
        }
    }
}

impl TakeExitOn {
    async fn opens(self, world: World) -> Result<(Kit, WorkflowId, Operator), ExitCode> {
        if let Some(by) = self.by {
            let (kit, workflow, by) = (Who { by }).opens(&self.on, world).await?;
            return Ok((kit, workflow, by.operator()));
        }
        let (kit, workflow) = self.on.open(world).await?;
        Ok((kit, workflow, Operator::AtTheMachine { user: machine_user(), proven: None }))
    }
}

impl Who {
    /// Opens the installation for this person.
    async fn opens(&self, on: &OnWorkflow, world: World) -> Result<(Kit, WorkflowId, Proven), ExitCode> {
        let claim = Claim::parse(&self.by)?;
        let (kit, workflow) = on.open(world).await?;
        let by = claim.proven(&kit).await?;
        Ok((kit, workflow, by))
    }
}

impl OnWorkflow {
    async fn open(&self, world: World) -> Result<(Kit, WorkflowId), ExitCode> {
        let id = WorkflowId::parse(&self.id).ok_or_else(|| failed(&"ID: wanted: the id of a workflow"))?;
        Ok((self.at.opened(world).await?.kit, id))
    }
}
