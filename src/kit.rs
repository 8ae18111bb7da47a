//! What every station is given: the store, the world, the keys, the settings and the targets.
//!
//! Must hold: built once, by the composition root; nothing in here changes while the service runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::clock::World;
use crate::config::Settings;
use crate::domain::names::TargetName;
use crate::domain::retry::RetryPolicy;
use crate::key::KeyRing;
use crate::rules::{Engine, Policy};
use crate::store::Store;
use crate::target::Target;

/// What every station is given; cheap to clone.
#[derive(Clone)]
pub struct Kit {
    /// The database.
    pub store: Store,
    /// Time and chance.
    pub world: World,
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
        }
    }

    /// A configured target.
    pub fn target(&self, name: &TargetName) -> Option<&Arc<dyn Target>> {
        self.targets.get(name)
    }
}
