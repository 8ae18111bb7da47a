//! Passwords of accounts that were never finished: erased, because nobody is ever shown one.
//!
//! Must hold: the password of a run that ends without success goes in the transaction that ends it; that of a run which
//! waits for a person goes after as long a time as one on offer may wait, and the operators hear of it. Showing it to
//! an operator instead would put the key to a live account, with groups that nobody has verified, into one person's
//! hands; whoever finishes such an account sets a new password in the vault, which the vault records under their name.

use async_trait::async_trait;
use sea_orm::sea_query::Query;
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _, Select,
};

use super::deed::{Deed, Fault, Tx};
use super::fault::ReadFault;
use super::hand_overs::{NotHandedOver, OFFERED};
use super::rows::{hand_over, secret, workflow};
use super::{Store, outbox, secrets, workflows};
use crate::clock::Stamp;
use crate::domain::ids::{SecretId, WorkflowId};
use crate::domain::time::Timestamp;
use crate::domain::workflow::State;

/// Ends without success.
const ENDED: [&str; 5] = ["failed", "rejected", "expired", "cancelled", "superseded"];

/// Passwords of unfinished accounts that go now.
pub async fn due(store: &Store, now: Timestamp, most: u64) -> Result<Vec<(SecretId, WorkflowId)>, ReadFault> {
    let mut due = of_state(&ENDED).limit(most).all(store.reads()).await?;
    let old = secret::Column::MadeAt.lte(now.plus(-OFFERED).as_utc());
    due.extend(of_state(&["needs_attention"]).filter(old).limit(most).all(store.reads()).await?);
    Ok(due.into_iter().map(|row| (SecretId(row.id), WorkflowId(row.workflow_id))).collect())
}

/// When the next one goes.
pub async fn next_due(store: &Store) -> Result<Option<Timestamp>, ReadFault> {
    if let Some(left) = of_state(&ENDED).limit(1).one(store.reads()).await? {
        return Ok(Some(Timestamp::from_utc(left.made_at)));
    }
    let waiting = of_state(&["needs_attention"]).limit(1).one(store.reads()).await?;
    Ok(waiting.map(|row| Timestamp::from_utc(row.made_at).plus(OFFERED)))
}

/// Sealed, on offer to nobody, of workflows in these states; the oldest first.
fn of_state(states: &[&str]) -> Select<secret::Entity> {
    let offered = Query::select().column(hand_over::Column::SecretId).from(hand_over::Entity).to_owned();
    let workflows = Query::select()
        .column(workflow::Column::Id)
        .from(workflow::Entity)
        .and_where(workflow::Column::State.is_in(states.iter().copied()))
        .to_owned();
    secret::Entity::find()
        .filter(secret::Column::State.eq("sealed"))
        .filter(secret::Column::WorkflowId.in_subquery(workflows))
        .filter(secret::Column::Id.not_in_subquery(offered))
        .order_by_asc(secret::Column::MadeAt)
}

/// Erases the password of an account that was not finished in time, or whose workflow has ended without it.
pub struct EraseUnfinished {
    /// Time and ids.
    pub stamp: Stamp,
    /// Which one.
    pub secret: SecretId,
    /// Of which workflow.
    pub workflow: WorkflowId,
}

#[async_trait]
impl Deed for EraseUnfinished {
    type Done = ();
    type No = NotHandedOver;

    fn name(&self) -> &'static str {
        "erase_unfinished_password"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    async fn perform(&self, tx: &mut Tx) -> Result<(), Fault<NotHandedOver>> {
        let workflow = workflows::locked(tx, self.workflow).await?;
        let offered = hand_over::Entity::find_by_id(self.secret.0).one(&tx.inner).await?;
        let sealed = secret::Entity::find_by_id(self.secret.0)
            .filter(secret::Column::State.eq("sealed"))
            .one(&tx.inner)
            .await?
            .filter(|_| offered.is_none())
            .ok_or(Fault::Refused(NotHandedOver::MovedOn))?;
        let ends = Timestamp::from_utc(sealed.made_at).plus(OFFERED);
        match workflow.state {
            State::NeedsAttention { .. } if ends <= tx.at => {
                secrets::erase(tx, self.secret, self.workflow, "the account was not finished in time")
                    .await?;
                let because = "the account was not finished in time, so its initial password is erased and is shown to \
                               nobody any more; if the account is finished later, it needs a new one";
                outbox::raise_alarm(tx, self.workflow.into(), Some(self.workflow), because).await
            }
            state if state.is_final() && state != State::Succeeded => {
                secrets::given_up(tx, self.workflow).await
            }
            _ => Err(Fault::Refused(NotHandedOver::MovedOn)),
        }
    }
}
