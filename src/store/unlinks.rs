//! Taking back that an account is a person's: two people do it.
//!
//! Must hold: one person proposes it, another one confirms the very same link, and only then it goes; one person under
//! two names, or one user of a machine, is not two; nobody decides about a link of a request of his own or of his own
//! access; a proposal holds for a day. Nothing that is approved or under way loses its account beneath it; what is only
//! planned is asked about anew before it begins.

use async_trait::async_trait;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, Condition, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    Set,
};

use super::deed::{Deed, Fault, Tx};
use super::fault::ReadFault;
use super::held::PROPOSAL_HOLDS_SECONDS;
use super::rows::{person_link, unlink};
use super::two_people::{OneOfTwo, SamePerson, Spelled};
use super::workflows::{self, Workflow};
use super::{Store, audit, concerned, people};
use crate::clock::Stamp;
use crate::domain::audit::{Actor, EventKind, NewEvent};
use crate::domain::ids::{ProposalId, VaultUserId, WorkflowId};
use crate::domain::names::{EmailAddress, Namespace, PersonRef, TargetName};
use crate::domain::operator::{MachineUser, Operator, TheirOwn};
use crate::domain::time::Timestamp;

/// Proposes that an account is not this person's, or confirms it when somebody else has proposed it.
pub struct UnlinkAccount {
    /// Time and ids.
    pub stamp: Stamp,
    /// In which the reference means one human.
    pub namespace: Namespace,
    /// Who.
    pub person_ref: PersonRef,
    /// In which target the account is.
    pub target: TargetName,
    /// By whom.
    pub by: EmailAddress,
    /// The user of the machine.
    pub user: MachineUser,
    /// Who may act as an operator, by the settings of this moment.
    pub operators: Vec<EmailAddress>,
    /// Why, in the person's words.
    pub reason: String,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unlinked {
    /// It is proposed, and somebody else has to confirm it.
    Proposed(VaultUserId),
    /// It was confirmed: the account is nobody's any more.
    Done(VaultUserId),
}

/// Why nothing came of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotUnlinked {
    /// There is no such link.
    #[error("this person is linked to no account in that target")]
    NotLinked,
    /// Something of this person is approved or under way.
    #[error(
        "workflow {0} of this person is approved or under way: let it come to its end, or give it up, first"
    )]
    UnderWay(WorkflowId),
    /// The same person again.
    #[error(transparent)]
    SamePerson(#[from] SamePerson),
    /// This person may not decide about it.
    #[error("workflow {0} made this link: {1}")]
    NotYours(WorkflowId, TheirOwn),
}

#[async_trait]
impl Deed for UnlinkAccount {
    type Done = Unlinked;
    type No = NotUnlinked;

    fn name(&self) -> &'static str {
        "unlink_account"
    }

    fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    async fn perform(&self, tx: &mut Tx) -> Result<Unlinked, Fault<NotUnlinked>> {
        let one = self.one_of_two();
        let by = one.operator();
        let seen = self.link(tx).await?;
        // In the order in which a run takes both: the workflow, then the person.
        let workflow = workflows::locked(tx, WorkflowId(seen.workflow_id)).await?;
        people::lock(tx, &workflow).await?;
        let link = self.link(tx).await?;
        if link != seen {
            return Err(Fault::Broken("the link was made anew at this very moment".to_owned()));
        }
        let id = workflow.id;
        concerned::forbid_ones_own(tx, &workflow, &by, |no| NotUnlinked::NotYours(id, no)).await?;
        if let Some(other) = under_way(tx, &workflow).await? {
            return Err(Fault::Refused(NotUnlinked::UnderWay(other)));
        }
        let account = VaultUserId(link.vault_user_id);
        let Some((proposed, proposer)) = open_proposal(tx, &link, &one).await? else {
            self.propose(tx, &link, &by).await?;
            return Ok(Unlinked::Proposed(account));
        };
        one.seconds(&proposer).map_err(|same| Fault::Refused(same.into()))?;
        let event = self
            .event(EventKind::PersonUnlinked, &link, &by)
            .personal("proposed_by", proposer.in_words())
            .personal("proposed_because", proposed.reason.clone());
        audit::append(tx, workflow.id.into(), event).await?;
        self.confirm(tx, proposed.id).await?;
        person_link::Entity::delete_by_id((link.person_id, link.target)).exec(&tx.inner).await?;
        Ok(Unlinked::Done(account))
    }
}

impl UnlinkAccount {
    fn one_of_two(&self) -> OneOfTwo {
        let (address, user) = (self.by.clone(), Some(self.user.clone()));
        OneOfTwo { address, user, operators: self.operators.clone() }
    }

    async fn link(&self, tx: &Tx) -> Result<person_link::Model, Fault<NotUnlinked>> {
        let person = people::known(&tx.inner, &self.namespace, &self.person_ref).await?;
        let person = person.ok_or(Fault::Refused(NotUnlinked::NotLinked))?;
        let key = (person.id, self.target.as_str().to_owned());
        let link = person_link::Entity::find_by_id(key).one(&tx.inner).await?;
        link.ok_or(Fault::Refused(NotUnlinked::NotLinked))
    }

    async fn propose(
        &self,
        tx: &mut Tx,
        link: &person_link::Model,
        by: &Operator,
    ) -> Result<(), Fault<NotUnlinked>> {
        let id = tx.id(ProposalId::made);
        let row = unlink::ActiveModel {
            id: Set(id.0),
            person_id: Set(link.person_id),
            target: Set(link.target.clone()),
            vault_user_id: Set(link.vault_user_id),
            linked_at: Set(link.linked_at),
            reason: Set(self.reason.clone()),
            proposed_by: Set(self.by.as_str().to_owned()),
            proposed_key: Set(self.by.key()),
            proposed_user: Set(self.user.called.clone()),
            proposed_number: Set(self.user.number.map(i64::from)),
            proposed_account: Set(self.user.account.clone()),
            proposed_at: Set(tx.at.as_utc()),
            confirmed_by: Set(None),
            confirmed_key: Set(None),
            confirmed_user: Set(None),
            confirmed_number: Set(None),
            confirmed_at: Set(None),
        };
        unlink::Entity::insert(row).exec_without_returning(&tx.inner).await?;
        let event = self.event(EventKind::UnlinkProposed, link, by);
        audit::append(tx, WorkflowId(link.workflow_id).into(), event).await?;
        Ok(())
    }

    async fn confirm(&self, tx: &Tx, proposed: uuid::Uuid) -> Result<(), Fault<NotUnlinked>> {
        let row = unlink::ActiveModel {
            id: Set(proposed),
            confirmed_by: Set(Some(self.by.as_str().to_owned())),
            confirmed_key: Set(Some(self.by.key())),
            confirmed_user: Set(Some(self.user.called.clone())),
            confirmed_number: Set(self.user.number.map(i64::from)),
            confirmed_at: Set(Some(tx.at.as_utc())),
            ..Default::default()
        };
        row.update(&tx.inner).await?;
        Ok(())
    }

    fn event(&self, kind: EventKind, link: &person_link::Model, by: &Operator) -> NewEvent {
        let event = NewEvent::new(kind, Actor::Operator(self.by.to_string()))
            .text("target", link.target.as_str())
            .number("user_id", link.vault_user_id)
            .personal("person_ref", self.person_ref.as_str())
            .personal("user_name", link.user_name.as_str())
            .personal("reason", self.reason.clone());
        by.noted(event)
    }
}

/// What of this person is approved, is being carried out, or stopped half-way.
async fn under_way(tx: &Tx, of: &Workflow) -> Result<Option<WorkflowId>, Fault<NotUnlinked>> {
    use super::rows::workflow::{Column, Entity};
    let stopped_midway =
        Condition::all().add(Column::State.eq("needs_attention")).add(Column::Stalled.eq("running"));
    let row = Entity::find()
        .filter(Column::Namespace.eq(of.namespace.as_str()))
        .filter(Column::PersonRef.eq(of.person_ref.as_str()))
        .filter(Condition::any().add(Column::State.is_in(["approved", "running"])).add(stopped_midway))
        .one(&tx.inner)
        .await?;
    Ok(row.map(|row| WorkflowId(row.id)))
}

async fn open_proposal(
    tx: &Tx,
    link: &person_link::Model,
    of: &OneOfTwo,
) -> Result<Option<(unlink::Model, Operator)>, Fault<NotUnlinked>> {
    let since = tx.at.plus_seconds(-PROPOSAL_HOLDS_SECONDS).as_utc();
    let standing = unlink::Entity::find()
        .filter(unlink::Column::PersonId.eq(link.person_id))
        .filter(unlink::Column::Target.eq(link.target.as_str()))
        .filter(unlink::Column::VaultUserId.eq(link.vault_user_id))
        .filter(unlink::Column::LinkedAt.eq(link.linked_at))
        .filter(unlink::Column::ConfirmedAt.is_null())
        .filter(unlink::Column::ProposedAt.gt(since))
        .order_by_desc(unlink::Column::ProposedAt)
        .all(&tx.inner)
        .await?;
    for row in standing {
        let by = proposer(&row)?;
        if of.counts(&by) {
            return Ok(Some((row, by)));
        }
    }
    Ok(None)
}

fn proposer(row: &unlink::Model) -> Result<Operator, ReadFault> {
    let spelled = Spelled {
        table: "unlink_proposals",
        row: row.id,
        address: &row.proposed_by,
        user: Some(&row.proposed_user),
        number: row.proposed_number,
        account: row.proposed_account.as_ref(),
    };
    spelled.operator()
}

/// A link of a person, as it is shown.
#[derive(Debug, Clone)]
pub struct Link {
    /// In which target.
    pub target: String,
    /// As the vault spells it.
    pub user_name: String,
    /// The vault's number.
    pub id: VaultUserId,
    /// Which workflow made it.
    pub workflow: WorkflowId,
    /// When.
    pub linked_at: Timestamp,
    /// Who proposes to take it back, when, and why, where that still holds.
    pub proposed: Option<(Operator, Timestamp, String)>,
}

/// All accounts of a person, by target; `None` where nobody of that reference is known.
pub async fn links(
    store: &Store,
    namespace: &Namespace,
    person_ref: &PersonRef,
    now: Timestamp,
) -> Result<Option<Vec<Link>>, ReadFault> {
    let Some(person) = people::known(store.reads(), namespace, person_ref).await? else { return Ok(None) };
    let links = person_link::Entity::find()
        .filter(person_link::Column::PersonId.eq(person.id))
        .order_by_asc(person_link::Column::Target)
        .all(store.reads())
        .await?;
    let since = now.plus_seconds(-PROPOSAL_HOLDS_SECONDS).as_utc();
    let proposals = unlink::Entity::find()
        .filter(unlink::Column::PersonId.eq(person.id))
        .filter(unlink::Column::ConfirmedAt.is_null())
        .filter(unlink::Column::ProposedAt.gt(since))
        .order_by_desc(unlink::Column::ProposedAt)
        .all(store.reads())
        .await?;
    let read = |link: person_link::Model| {
        let about = |row: &&unlink::Model| row.target == link.target && row.linked_at == link.linked_at;
        let proposed = proposals.iter().find(about).map(|row| {
            Ok::<_, ReadFault>((proposer(row)?, Timestamp::from_utc(row.proposed_at), row.reason.clone()))
        });
        Ok(Link {
            proposed: proposed.transpose()?,
            id: VaultUserId(link.vault_user_id),
            workflow: WorkflowId(link.workflow_id),
            linked_at: Timestamp::from_utc(link.linked_at),
            target: link.target,
            user_name: link.user_name,
        })
    };
    Ok(Some(links.into_iter().map(read).collect::<Result<_, ReadFault>>()?))
}
