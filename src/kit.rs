//! What every station is given: the store, the world, the keys, the settings and the targets.
//!
//! Must hold: built once, by the composition root; nothing in here changes while the service runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::TimeDelta;

use crate::clock::World;
use crate::config::Settings;
use crate::domain::ids::WorkflowId;
use crate::domain::names::TargetName;
use crate::domain::resting::Admission;
use crate::domain::retry::RetryPolicy;
use crate::domain::routing::{ResolvedStage, Routing};
use crate::domain::snapshot::Snapshot;
use crate::domain::time::Timestamp;
use crate::key::KeyRing;
use crate::rules::{Engine, Policy};
use crate::store::asks::NewAsk;
use crate::store::due::{Claimable, Whose};
use crate::store::operator::{SentOn, sent_on_since};
use crate::store::restores::{self, NoteRestore, Standing};
use crate::store::unfit::{SetAside, Unfit};
use crate::store::{ReadFault, Store};
use crate::target::{Besides, CallFault, Subject, Target};
use crate::witness::Witness;
use crate::worker::TurnFailed;

/// What every station is given; cheap to clone.
#[derive(Clone)]
pub struct Kit {
    /// The database.
    pub store: Store,
    /// Time and chance.
    pub world: World,
    /// The last head of the log, kept outside the database.
    pub witness: Arc<Witness>,
    /// The installation's keys.
    pub keys: KeyRing,
    /// The settings.
    pub settings: Arc<Settings>,
    /// Evaluates conditions.
    pub engine: Engine,
    /// The compiled conditions.
    pub policy: Arc<Policy>,
    /// The systems that are driven, by configured name.
    pub targets: Arc<BTreeMap<TargetName, Arc<dyn Target>>>,
}

impl Kit {
    /// How often and when something is tried again, as configured.
    pub fn retry_policy(&self) -> RetryPolicy {
        let worker = &self.settings.worker;
        RetryPolicy {
            most_tries: worker.max_attempts,
            first_wait: worker.first_retry_after,
            longest_wait: worker.longest_retry_after,
            most_time: worker.give_up_after,
        }
    }

    /// The people of one stage with the hashes of their personal links.
    pub fn asks(&self, workflow: WorkflowId, plan_number: u32, routing: &Routing, stage: u32) -> Vec<NewAsk> {
        let place = usize::try_from(stage).unwrap_or(usize::MAX);
        let people = routing.stages.get(place).map(ResolvedStage::people).unwrap_or_default();
        people
            .into_iter()
            .map(|person| NewAsk {
                stage,
                link_hash: self.keys.link_token(workflow, &person, stage, plan_number).hash(),
                approver: person,
            })
            .collect()
    }

    /// A target that holds back by itself makes calls again once an operator has sent this workflow on.
    pub async fn heed_operator(&self, workflow: WorkflowId) -> Result<(), ReadFault> {
        for target in self.targets.values() {
            let Some(since) = target.held_back_since().await else { continue };
            if sent_on_since(&self.store, workflow, since).await? == SentOn::Yes {
                target.try_again().await;
            }
        }
        Ok(())
    }

    /// Holds the log against the head that was kept outside; one that lacks it is noted, once.
    pub async fn compare_log(&self) -> Result<Standing, TurnFailed> {
        let comparing = TurnFailed::doing("comparing the log with its last head");
        let Some(head) = self.witness.kept() else { return Ok(Standing::Contained) };
        let standing = restores::standing(&self.store, &head).await.map_err(|fault| comparing(&fault))?;
        if standing != Standing::Missing {
            return Ok(standing);
        }
        tracing::error!(
            head.number = head.number,
            "the log does not contain the last head that was kept: nothing is carried out until an operator accepts that"
        );
        let note = NoteRestore { stamp: self.world.stamp(), head };
        self.store.write(note).await.map_err(|fault| comparing(&fault))?;
        Ok(Standing::Held)
    }

    /// Leaves a row alone that makes no sense, so that the others go on.
    pub async fn set_aside(&self, unfit: Unfit) -> Result<(), TurnFailed> {
        let stamp = self.world.stamp();
        let done = self.store.write(SetAside { stamp, unfit }).await;
        done.map_err(|fault| TurnFailed::doing("setting a row aside")(&fault))
    }

    /// How much later than its time a call to this target may take effect.
    pub fn server_delay(&self, target: &TargetName) -> TimeDelta {
        let settings = self.settings.target(target);
        settings.map_or(TimeDelta::minutes(5), |settings| settings.longest_server_delay)
    }

    /// What may be taken up now: work with targets that rest keeps its turn; and when the first of them may be tried again.
    pub fn claimable(&self, whose: Whose) -> (Claimable, Option<Timestamp>) {
        let rests = |(name, target): (&TargetName, &Arc<dyn Target>)| {
            Some((name.clone(), target.passed_over_until()?))
        };
        let (resting, ends): (Vec<_>, Vec<_>) = self.targets.iter().filter_map(rests).unzip();
        (Claimable { whose, resting, may_begin: self.world.may_begin() }, ends.into_iter().min())
    }

    /// Reads a target for a workflow, unless it is left to rest.
    pub async fn snapshot(
        &self,
        target: &dyn Target,
        who: WorkflowId,
        subject: Subject<'_>,
        besides: Besides<'_>,
    ) -> Result<Snapshot, CallFault> {
        match target.admit(who) {
            Admission::Go => target.snapshot(subject, besides).await,
            Admission::NotBefore(moment, words) => {
                let left = moment.since(self.world.now()).num_seconds() + 1;
                Err(CallFault::Retry { words, after_seconds: u32::try_from(left).ok() })
            }
        }
    }

    /// A configured target.
    pub fn target(&self, name: &TargetName) -> Option<&Arc<dyn Target>> {
        self.targets.get(name)
    }
}
