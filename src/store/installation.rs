//! Facts about the installation itself: which key it was sealed with.
//!
//! Must hold: the database keeps the key's fingerprint, never the key; a service with another key does not start,
//! since its links and sealed values would be nobody's.

use async_trait::async_trait;
use sea_orm::{EntityTrait as _, Set};

use super::deed::{Deed, Fault, Tx};
use super::rows::installation;
use crate::clock::Stamp;
use crate::domain::canon::Digest;

/// Compares the key at hand with the one this database was begun with; the first key is noted.
pub struct CheckKey {
    /// Time and ids.
    pub stamp: Stamp,
    /// Of the key at hand.
    pub fingerprint: Digest,
}

/// The database belongs to another key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the database was begun with another key")]
pub struct OtherKey;

/// Under which the fingerprint is kept.
pub(super) const NAME: &str = "key_fingerprint";

#[async_trait]
impl Deed for CheckKey {
    type Done = ();
    type No = OtherKey;

    fn name(&self) -> &'static str {
        "check_key"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    async fn perform(&self, tx: &mut Tx) -> Result<(), Fault<OtherKey>> {
        let wanted = self.fingerprint.to_string();
        match installation::Entity::find_by_id(NAME).one(&tx.inner).await? {
            Some(row) if row.value == wanted => Ok(()),
            Some(_) => Err(Fault::Refused(OtherKey)),
            None => {
                let row = installation::ActiveModel { name: Set(NAME.to_owned()), value: Set(wanted) };
                installation::Entity::insert(row).exec_without_returning(&tx.inner).await?;
                Ok(())
            }
        }
    }
}
