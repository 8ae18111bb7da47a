//! The clerk offers the password of an account that has just been finished, and erases it when its time is over, or when
//! the account was never finished.
//!
//! Must hold: a turn with nothing to do writes nothing; what was done before a crash is found done; a password of which
//! nobody can read any more whom it is for is offered to nobody, and holds up no other.

use async_trait::async_trait;

use crate::domain::ids::{SecretId, WorkflowId};
use crate::domain::names::EmailAddress;
use crate::domain::plan::HandOver;
use crate::kit::Kit;
use crate::store::hand_overs::{self, Erase, NotHandedOver, Offer, OfferedTo};
use crate::store::unfinished::{self, EraseUnfinished};
use crate::store::{ReadFault, WriteFault, plans, workflows};
use crate::worker::{Did, TurnFailed, Worker};

/// So many passwords are offered in one turn.
const MOST: u64 = 20;

/// Offers and erases.
pub struct Clerk {
    kit: Kit,
}

impl Clerk {
    /// A clerk over the given kit.
    pub fn new(kit: Kit) -> Self {
        Self { kit }
    }

    /// Whom the approved plan names.
    async fn recipient(&self, workflow: WorkflowId) -> Result<Option<EmailAddress>, ReadFault> {
        let Some(found) = workflows::find(&self.kit.store, workflow).await? else { return Ok(None) };
        let Some(kept) = plans::find(&self.kit.store, workflow, found.plan_number).await? else {
            return Ok(None);
        };
        Ok(match kept.sealed.open()?.hand_over {
            HandOver::Subject(address) | HandOver::Manager(address) | HandOver::Address(address) => {
                Some(address)
            }
            HandOver::Nobody => None,
        })
    }

    async fn offer(&self, secret: SecretId, workflow: WorkflowId) -> Result<(), TurnFailed> {
        let to = match self.recipient(workflow).await {
            Ok(Some(person)) => {
                let hash = self.kit.keys.hand_over_token(secret, &person).hash();
                OfferedTo::Person(person, hash)
            }
            Ok(None) => OfferedTo::Nobody,
            Err(fault @ ReadFault::Database(_)) => {
                return Err(TurnFailed::doing("reading whom a password is for")(&fault));
            }
            // Trying again changes nothing about it.
            Err(fault @ (ReadFault::Inconsistent { .. } | ReadFault::Corrupt(_) | ReadFault::Cleared(_))) => {
                OfferedTo::Unreadable(fault.to_string())
            }
        };
        let offer = Offer { stamp: self.kit.world.stamp(), secret, workflow, to };
        match self.kit.store.write(offer).await {
            // Refused: another replica was faster, or an operator has shown it meanwhile.
            Ok(()) | Err(WriteFault::Refused(_)) => Ok(()),
            Err(fault) => Err(TurnFailed::doing("offering a password")(&fault)),
        }
    }
}

fn erased(secret: SecretId, written: Result<(), WriteFault<NotHandedOver>>) -> Result<(), TurnFailed> {
    match written {
        Ok(()) => tracing::info!(%secret, "a password was erased"),
        // Another replica was faster.
        Err(WriteFault::Refused(_)) => {}
        Err(fault) => return Err(TurnFailed::doing("erasing a password")(&fault)),
    }
    Ok(())
}

#[async_trait]
impl Worker for Clerk {
    fn name(&self) -> &'static str {
        "clerk"
    }

    async fn turn(&self) -> Result<Did, TurnFailed> {
        let read = TurnFailed::doing("reading which passwords are to be handed over");
        let (kit, store, now) = (&self.kit, &self.kit.store, self.kit.world.now());
        let fresh = hand_overs::not_offered(store, MOST).await.map_err(|fault| read(&fault))?;
        let offered = hand_overs::due(store, now, MOST).await.map_err(|fault| read(&fault))?;
        let unfinished = unfinished::due(store, now, MOST).await.map_err(|fault| read(&fault))?;
        let done = fresh.len() + offered.len() + unfinished.len();
        // What fails for one must not keep the others, least of all what is to be erased.
        let mut failed = None;
        for (secret, workflow) in fresh {
            failed = self.offer(secret, workflow).await.err().or(failed);
        }
        for secret in offered {
            let erase = Erase { stamp: kit.world.stamp(), secret };
            failed = erased(secret, store.write(erase).await).err().or(failed);
        }
        for (secret, workflow) in unfinished {
            let erase = EraseUnfinished { stamp: kit.world.stamp(), secret, workflow };
            failed = erased(secret, store.write(erase).await).err().or(failed);
        }
        if let Some(failed) = failed {
            return Err(failed);
        }
        if done > 0 {
            return Ok(Did::Work(u64::try_from(done).unwrap_or(u64::MAX)));
        }
        let offered = hand_overs::next_due(store).await.map_err(|fault| read(&fault))?;
        let unfinished = unfinished::next_due(store).await.map_err(|fault| read(&fault))?;
        Ok(offered.into_iter().chain(unfinished).min().map_or(Did::Idle, Did::IdleUntil))
    }
}
