//! `held list|release|reject`: what two people decide about leavers that are held.
//!
//! Must hold: who decides is one of the operators that the settings know, and has proven that mailbox; the first call
//! proposes, the same call by somebody else confirms; the trail names both.

use std::collections::BTreeSet;
use std::process::ExitCode;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};

use super::claim::Claim;
use super::{Configured, failed};
use crate::clock::World;
use crate::domain::approval::Verdict;
use crate::domain::ids::{BatchId, WorkflowId};
use crate::store::WriteFault;
use crate::store::batches::{self, Batch};
use crate::store::held::{Selection, SettleHeld, Settled};

/// What is done with leavers that are held.
#[derive(Debug, Subcommand)]
pub(super) enum Held {
    /// Show every batch in which something is held.
    List(List),
    /// Propose, or confirm, that they are carried out.
    Release(OnBatch),
    /// Propose, or confirm, that they are not carried out.
    Reject(OnBatch),
}

/// Which installation.
#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    at: Configured,
}

/// Which leavers, who, and why.
#[derive(Debug, Args)]
pub(super) struct OnBatch {
    /// The batch's id.
    batch: String,
    /// Workflows of the batch; all that are held where none is named.
    workflows: Vec<String>,
    /// Who decides: one of the operators' members in the settings. A code is mailed there, and must be entered.
    #[arg(long = "as", value_name = "MAIL")]
    by: String,
    /// Why; goes into the audit trail.
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    reason: String,
    #[command(flatten)]
    at: Configured,
}

impl Held {
    pub(super) async fn run(self, world: World) -> ExitCode {
        match self {
            Self::List(list) => list.run(world).await,
            Self::Release(on) => on.run(world, Verdict::Approve).await,
            Self::Reject(on) => on.run(world, Verdict::Reject).await,
        }
    }
}

impl List {
    async fn run(self, world: World) -> ExitCode {
        let kit = match self.at.opened(world).await {
            Ok(service) => service.kit,
            Err(code) => return code,
        };
        let batches = batches::open_batches(&kit.store).await;
        kit.store.close().await;
        match batches {
            Ok(batches) if batches.is_empty() => {
                say!("nothing is held");
                ExitCode::SUCCESS
            }
            Ok(batches) => {
                batches.iter().for_each(show);
                ExitCode::SUCCESS
            }
            Err(fault) => failed(&fault),
        }
    }
}

fn show(batch: &Batch) {
    say!("batch {} of the source {}, since {}", batch.id, batch.source, batch.opened_at.in_words());
    for leaver in &batch.leavers {
        let workflow = &leaver.workflow;
        let name = workflow.user_name.as_ref().map_or("(by person)", |name| name.as_str());
        say!("  {}  {}  {}  {}", workflow.id, leaver.state, name, workflow.person_ref);
    }
    for proposal in batch.proposals.iter().filter(|proposal| proposal.confirmed.is_none()) {
        say!(
            "  proposed by {} at {}: {} {} of them ({}), because: {}; to be confirmed by somebody else until {}",
            proposal.proposed_by.in_words(),
            proposal.proposed_at.in_words(),
            proposal.verdict,
            proposal.workflows.len(),
            proposal.selection.short(),
            proposal.reason,
            proposal.holds_until.in_words()
        );
    }
}

impl OnBatch {
    async fn run(self, world: World, verdict: Verdict) -> ExitCode {
        let Some(batch) = BatchId::parse(&self.batch) else {
            return failed(&"BATCH: wanted: the id of a batch");
        };
        let claim = match Claim::parse(&self.by) {
            Ok(claim) => claim,
            Err(code) => return code,
        };
        let named: Option<BTreeSet<WorkflowId>> =
            self.workflows.iter().map(|id| WorkflowId::parse(id)).collect();
        let selection = match named {
            None => return failed(&"WORKFLOWS: wanted: ids of workflows"),
            Some(none) if none.is_empty() => Selection::All,
            Some(these) => Selection::These(these),
        };
        let kit = match self.at.opened(world).await {
            Ok(service) => service.kit,
            Err(code) => return code,
        };
        let by = match claim.proven(&kit).await {
            Ok(by) => by.one_of_two(&kit),
            Err(code) => return code,
        };
        let stamp = kit.world.stamp();
        let deed = SettleHeld { stamp, batch, verdict, selection, by, reason: self.reason };
        let done = kit.store.write(deed).await;
        kit.store.close().await;
        match done {
            Ok(Settled::Proposed { leavers, selection }) => {
                say!(
                    "proposed for {leavers} ({}); nothing is done until somebody else confirms it, on the console's page \
                     /held or with the same command",
                    selection.short()
                );
                ExitCode::SUCCESS
            }
            Ok(Settled::Done { leavers }) => {
                say!("{} {leavers}", if verdict == Verdict::Approve { "released" } else { "rejected" });
                ExitCode::SUCCESS
            }
            Err(WriteFault::Refused(no)) => failed(&no),
            Err(fault) => failed(&fault),
        }
    }
}
