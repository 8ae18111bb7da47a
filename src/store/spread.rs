//! A leaver's request reaches several targets: each further one gets a workflow of its own.
//!
//! Must hold: all of them are made in one deed, before any of them is planned, so that whatever becomes of one holds up no
//! other; each target stands in a request once.

use async_trait::async_trait;
use sea_orm::{EntityTrait as _, Set};

use super::deed::{Deed, Fault, Tx};
use super::parts;
use super::plans::MovedOn;
use super::rows::workflow::{ActiveModel, Entity};
use super::workflows::{self, Workflow};
use super::{audit, board, leaver_clocks};
use crate::clock::Stamp;
use crate::domain::audit::{Actor, EventKind, NewEvent};
use crate::domain::canon::Canon;
use crate::domain::ids::WorkflowId;
use crate::domain::kind::Kind;
use crate::domain::names::{SourceRef, TargetName};
use crate::domain::workflow::State;
use crate::target::Adoption;

/// Gives a leaver its target, and makes a part for each further one.
pub struct SpreadLeaver {
    /// Time and ids.
    pub stamp: Stamp,
    /// The first workflow, which is being planned.
    pub workflow: WorkflowId,
    /// The number of its plan as the planner read it.
    pub after: u32,
    /// The target that it takes itself.
    pub own: TargetName,
    /// Where the person has an account besides, or may have one.
    pub further: Vec<TargetName>,
}

#[async_trait]
impl Deed for SpreadLeaver {
    type Done = ();
    type No = MovedOn;

    fn name(&self) -> &'static str {
        "spread_leaver"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    async fn perform(&self, tx: &mut Tx) -> Result<(), Fault<MovedOn>> {
        let whole = workflows::locked(tx, self.workflow).await?;
        let fits = matches!(whole.state, State::Planning) && whole.plan_number == self.after;
        if !fits || whole.kind != Kind::Leaver || whole.part_of.is_some() {
            return Err(Fault::Refused(MovedOn));
        }
        let known = parts::members(tx, whole.id).await?;
        let mut made = Vec::new();
        for target in &self.further {
            if *target != self.own && known.iter().all(|one| one.target.as_ref() != Some(target)) {
                part(tx, &whole, target).await?;
                made.push(Canon::Text(target.to_string()));
            }
        }
        if made.is_empty() {
            return Ok(());
        }
        let row = ActiveModel {
            id: Set(whole.id.0),
            target: Set(Some(self.own.as_str().to_owned())),
            updated_at: Set(tx.at.as_utc()),
            ..Default::default()
        };
        Entity::update(row).exec(&tx.inner).await?;
        let event = NewEvent::new(EventKind::WorkflowSpread, Actor::Countersign)
            .text("target", self.own.as_str())
            .fact("further", Canon::List(made));
        audit::append(tx, whole.id.into(), event).await?;
        Ok(())
    }
}

/// Makes one part.
async fn part(tx: &mut Tx, whole: &Workflow, target: &TargetName) -> Result<(), Fault<MovedOn>> {
    let new = Workflow {
        id: tx.id(WorkflowId::made),
        source_ref: SourceRef::of_part(&whole.source_ref, target),
        state: State::Planning,
        target: Some(target.clone()),
        part_of: Some(whole.id),
        adoption: Adoption::OnlyByMark,
        plan_number: 0,
        replans: 0,
        vault_awaited_since: None,
        vault_awaited_told: None,
        waits_for: None,
        not_before: None,
        approval_ends: None,
        created_at: tx.at,
        updated_at: tx.at,
        ..whole.clone()
    };
    workflows::insert(tx, &new).await?;
    leaver_clocks::as_of_whole(tx, whole.id, new.id).await?;
    board::copy_words(tx, whole.id, new.id).await?;
    let event = NewEvent::new(EventKind::WorkflowReceived, Actor::Countersign)
        .text("kind", new.kind.as_str())
        .text("source_ref", new.source_ref.as_str())
        .text("request_sha256", new.request.digest().to_string())
        .text("part_of", whole.id.to_string())
        .text("target", target.as_str())
        .personal("person_ref", new.person_ref.as_str());
    audit::append(tx, new.id.into(), event).await?;
    Ok(())
}
