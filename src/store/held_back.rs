//! A request that is not planned before another one of the same person has come to rest.
//!
//! Must hold: what a leaver has taken is given back by no mover that waited for it; what waits for a run that was
//! stopped goes on as soon as that one rests. Whoever waits is woken by the end of the other one, and looks again after
//! a while all the same.

use async_trait::async_trait;
use sea_orm::{EntityTrait as _, Set};

use super::deed::{Deed, Fault, Tx};
use super::rows::workflow::{ActiveModel, Entity};
use super::workflows::{self, Workflow};
use super::{due, ends};
use crate::clock::Stamp;
use crate::domain::audit::Actor;
use crate::domain::ids::WorkflowId;
use crate::domain::kind::Kind;
use crate::domain::workflow::{Ending, State};

/// Looks whether a request that waits for another one may be planned now.
pub struct LookAgain {
    /// Time and ids.
    pub stamp: Stamp,
    /// Which one waits.
    pub workflow: WorkflowId,
}

/// May it be planned?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Yes.
    Open,
    /// Not yet, or not at all any more.
    Closed,
}

#[async_trait]
impl Deed for LookAgain {
    type Done = Gate;
    type No = std::convert::Infallible;

    fn name(&self) -> &'static str {
        "look_again"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    async fn perform(&self, tx: &mut Tx) -> Result<Gate, Fault<Self::No>> {
        let workflow = workflows::locked(tx, self.workflow).await?;
        let (State::Planning, Some(other)) = (&workflow.state, workflow.waits_for) else {
            return Ok(Gate::Closed);
        };
        let other = workflows::locked(tx, other).await?;
        match verdict(&workflow, &other) {
            Verdict::Wait => {
                due::postpone(tx, workflow.id, tx.at.plus_seconds(workflows::WAITS_SECONDS)).await?;
                Ok(Gate::Closed)
            }
            Verdict::WaitFor(next) => {
                let row = ActiveModel {
                    id: Set(workflow.id.0),
                    waits_for: Set(Some(next.0)),
                    ..Default::default()
                };
                Entity::update(row).exec(&tx.inner).await?;
                due::postpone(tx, workflow.id, tx.at).await?;
                Ok(Gate::Closed)
            }
            Verdict::GoOn => {
                let row = ActiveModel { id: Set(workflow.id.0), waits_for: Set(None), ..Default::default() };
                Entity::update(row).exec(&tx.inner).await?;
                Ok(Gate::Open)
            }
            Verdict::End => {
                let ending = Ending::replaced_by(Actor::Countersign, other.id, other.kind);
                ends::end(tx, &workflow, ending).await?;
                Ok(Gate::Closed)
            }
        }
    }
}

enum Verdict {
    Wait,
    WaitFor(WorkflowId),
    GoOn,
    End,
}

fn verdict(workflow: &Workflow, other: &Workflow) -> Verdict {
    match (workflow.kind, other.kind, &other.state) {
        (Kind::Mover, Kind::Leaver, State::Succeeded) => Verdict::End,
        // A run that stopped at a person instead stands in no leaver's way.
        (Kind::Leaver, _, State::NeedsAttention { .. }) => Verdict::GoOn,
        // A change of somebody whose beginning was moved waits for the new one.
        (Kind::Mover, Kind::Joiner | Kind::Rehire, State::Superseded) => {
            other.ended_by.map_or(Verdict::GoOn, Verdict::WaitFor)
        }
        // The other one was replaced by a later one of its kind: that one is met when this one begins.
        (_, _, state) if state.is_final() => Verdict::GoOn,
        (_, _, _) => Verdict::Wait,
    }
}
