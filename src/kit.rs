//! What every station is given: the store, the world, the keys, the settings and the targets.
//!
//! Must hold: built once, by the composition root; nothing in here changes while the service runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::clock::World;
use crate::config::Settings;
use crate::domain::names::TargetName;
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
    /// A configured target.
    pub fn target(&self, name: &TargetName) -> Option<&Arc<dyn Target>> {
        self.targets.get(name)
    }
}
