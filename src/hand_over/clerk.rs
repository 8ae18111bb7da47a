//! The clerk offers the password of an account that has just been finished, and erases it when its time is over, or when
//! the account was never finished.
//!
//! Must hold: a turn with nothing to do writes nothing; what was done before a crash is found done.

use async_trait::async_trait;

use crate::domain::ids::{SecretId, WorkflowId};
use crate::domain::names::EmailAddress;
use crate::domain::plan::HandOver;
use crate::kit::Kit;
use crate::store::hand_overs::{self, Erase, NotHandedOver, Offer};
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
        let recipient = self.recipient(workflow).await;
        let recipient =
            recipient.map_err(|fault| TurnFailed::doing("reading whom a password is for")(&fault))?;
        let to = recipient.map(|person| {
            let hash = self.kit.keys.hand_over_token(secret, &person).hash();
            (person, hash)
        });
        let offer = Offer { stamp: self.kit.world.stamp(), secret, workflow, to };
        match self.kit.store.write(offer).await {
            // Refused: another replica was faster, or an operator has shown it meanwhile.
            Ok(()) | Err(WriteFault::Refused(_)) => Ok(()),
            Err(fault) => Err(TurnFailed::doing("offering a password")(&fault)),
        }
    }
}

fn erased(secret: SecretId, written: Result<(), WriteFault<NotHandedOver>>) -> Result<Did, TurnFailed> {
    match written {
        Ok(()) => tracing::info!(%secret, "a password was erased"),
        // Another replica was faster.
        Err(WriteFault::Refused(_)) => {}
        Err(fault) => return Err(TurnFailed::doing("erasing a password")(&fault)),
    }
    Ok(Did::Work(1))
}

#[async_trait]
impl Worker for Clerk {
    fn name(&self) -> &'static str {
        "clerk"
    }

    async fn turn(&self) -> Result<Did, TurnFailed> {
        let read = TurnFailed::doing("reading which passwords are to be handed over");
        let fresh = hand_overs::not_offered(&self.kit.store, MOST).await.map_err(|fault| read(&fault))?;
        if !fresh.is_empty() {
            let mut done = 0;
            for (secret, workflow) in fresh {
                self.offer(secret, workflow).await?;
                done += 1;
            }
            return Ok(Did::Work(done));
        }
        let (store, now) = (&self.kit.store, self.kit.world.now());
        let offered = hand_overs::next_due(store).await.map_err(|fault| read(&fault))?;
        let unfinished = unfinished::next_due(store).await.map_err(|fault| read(&fault))?;
        let stamp = self.kit.world.stamp();
        match (offered, unfinished) {
            (Some((secret, due)), _) if due <= now => {
                erased(secret, store.write(Erase { stamp, secret }).await)
            }
            (_, Some((secret, workflow, due))) if due <= now => {
                erased(secret, store.write(EraseUnfinished { stamp, secret, workflow }).await)
            }
            (offered, unfinished) => {
                let next =
                    offered.map(|(_, due)| due).into_iter().chain(unfinished.map(|(.., due)| due)).min();
                Ok(next.map_or(Did::Idle, Did::IdleUntil))
            }
        }
    }
}
