//! One asking with all that belongs to it, as it stands now.
//!
//! Must hold: only reads. Deliberately absent: words for people, and writing.

use crate::domain::approval::{Answer, Asking, Decided, Refused, Said, Verdict, decide};
use crate::domain::canon::{Digest, Tag};
use crate::domain::operator::Concerned;
use crate::domain::plan::Plan;
use crate::domain::request::Request;
use crate::domain::sign_in::{Proof, Strength};
use crate::domain::time::Timestamp;
use crate::domain::workflow::State;
use crate::key::LinkToken;
use crate::kit::Kit;
use crate::pages::differences::{SinceBefore, since_before};
use crate::pages::progress::{Progress, Run, progress};
use crate::rules::routing::still_eligible;
use crate::store::asks::{self, Ask};
use crate::store::concerned::concerned;
use crate::store::decisions::{self, Recorded, standing};
use crate::store::plans::{self, KeptPlan};
use crate::store::workflows::{self, Workflow};
use crate::store::{ReadFault, audit, parts, steps};

/// More events than this are not shown on a page.
const MOST_EVENTS: u64 = 1_000;

/// One asking with all that belongs to it.
pub(super) struct Case {
    pub(super) ask: Ask,
    pub(super) workflow: Workflow,
    pub(super) request: Request,
    pub(super) kept: KeptPlan,
    pub(super) plan: Plan,
    pub(super) since_before: Option<SinceBefore>,
    /// What was said about this plan.
    pub(super) said: Vec<Recorded>,
    /// Who asked for it, and whom it is about.
    pub(super) concerned: Concerned,
    /// All parts of the request, this one among them.
    pub(super) whole: Vec<Workflow>,
    /// What proves that the reader is the person who was asked.
    pub(super) proof: Proof,
    /// In which session they read, where one was wanted.
    pub(super) session: Option<Digest>,
    /// The requests whose place this one took.
    pub(super) replaces: Vec<Workflow>,
}

impl Case {
    /// The asking that a link leads to, for somebody who has proven no more than having it.
    pub(super) async fn find(kit: &Kit, token: &str) -> Result<Option<Self>, ReadFault> {
        let hash = LinkToken::received(token).hash();
        match asks::ask_by_link(&kit.store, hash).await? {
            Some(ask) => Self::of(kit, ask).await,
            None => Ok(None),
        }
    }

    /// The same asking as it stands now.
    pub(super) async fn again(&self, kit: &Kit) -> Result<Option<Self>, ReadFault> {
        let again = Self::of(kit, self.ask.clone()).await?;
        Ok(again.map(|again| Self { proof: self.proof, session: self.session, ..again }))
    }

    /// How strong a proof this asking wants, by the settings of now and by those of when it began.
    pub(super) fn wants(&self, kit: &Kit) -> Strength {
        kit.settings.sign_in.mode.strength().max(self.kept.routing.sign_in)
    }

    async fn of(kit: &Kit, ask: Ask) -> Result<Option<Self>, ReadFault> {
        let Some(workflow) = workflows::find(&kit.store, ask.workflow).await? else { return Ok(None) };
        workflow.in_full()?;
        let request = workflow.request.open(Tag::Request)?;
        let mut plans = plans::all(&kit.store, ask.workflow).await?;
        let Some(place) = plans.iter().position(|kept| kept.number == asked_now(&plans, &ask)) else {
            return Ok(None);
        };
        let kept = plans.swap_remove(place);
        let plan = kept.sealed.open()?;
        let since_before = match plans.iter().find(|before| before.number + 1 == kept.number) {
            Some(before) => Some(since_before(&before.sealed.open()?, &before.voided_by, &plan)),
            None => None,
        };
        let mut said = decisions::of_workflow(&kit.store, ask.workflow).await?;
        said.retain(|recorded| recorded.plan_number == ask.plan_number);
        let (concerned, proof) = (concerned(&kit.store, &workflow).await?, Proof::Link);
        let whole = parts::whole(&kit.store, &workflow).await?;
        let replaces = workflows::ended_by(&kit.store, workflow.id).await?;
        let session = None;
        Ok(Some(Self {
            ask,
            workflow,
            request,
            kept,
            plan,
            since_before,
            said,
            concerned,
            whole,
            proof,
            session,
            replaces,
        }))
    }

    /// Is there a newer plan than the one that was asked about?
    pub(super) fn is_outdated(&self) -> bool {
        self.workflow.plan_number != self.kept.number
    }

    /// Is there a newer plan, or is one being made?
    pub(super) fn is_replaced(&self) -> bool {
        self.is_outdated() || matches!(self.workflow.state, State::Planning)
    }

    /// The stage that is open now.
    pub(super) fn open_stage(&self) -> Option<u32> {
        self.workflow.state.open_stage().map(|open| open.number)
    }

    /// The end of the time for answers.
    pub(super) fn expires_at(&self) -> Option<Timestamp> {
        self.workflow.state.open_stage().and_then(|open| open.expires_at)
    }

    /// What this person has answered already, under this link.
    pub(super) fn own_answer(&self) -> Option<&Recorded> {
        let key = self.ask.approver.key();
        let own =
            |recorded: &&Recorded| recorded.said.stage == self.ask.stage && recorded.said.by.key() == key;
        self.said.iter().find(own)
    }

    /// What was said about this plan, without the words.
    pub(super) fn everything_said(&self) -> Vec<Said> {
        self.said.iter().map(|recorded| recorded.said.clone()).collect()
    }

    /// The answer of the person whom the link was sent to.
    pub(super) fn answer(&self, kit: &Kit, verdict: Verdict, digest: Digest, at: Timestamp) -> Answer {
        let asked = (&self.kept.routing, self.ask.stage);
        let eligible = still_eligible(&kit.settings, &self.plan.target, asked, &self.ask.approver);
        let proof = self.proof;
        Answer { by: self.ask.approver.clone(), stage: self.ask.stage, verdict, digest, eligible, proof, at }
    }

    /// Would this answer count, as things stand now? The store asks the same rule again when it writes.
    pub(super) fn judge(&self, answer: &Answer) -> Result<Decided, Refused> {
        if self.is_outdated() {
            return Err(Refused::PlanChanged);
        }
        let stage = self.open_stage().unwrap_or(self.ask.stage);
        let said = self.everything_said();
        let asking = Asking {
            standing: standing(&self.workflow.state),
            digest: self.kept.sealed.digest(),
            routing: &self.kept.routing,
            stage,
            expires_at: self.expires_at(),
            said: &said,
            concerned: &self.concerned,
        };
        decide(&asking, answer)
    }

    /// Where the workflow stands, step by step.
    pub(super) async fn progress(&self, kit: &Kit) -> Result<Progress, ReadFault> {
        let (id, number) = (self.workflow.id, self.kept.number);
        let run = Run {
            plan: self.plan.clone(),
            ledger: steps::ledger(&kit.store, id, number).await?,
            attempts: steps::attempts(&kit.store, id, number).await?,
        };
        let told = audit::chain(&kit.store, id.into(), 0, MOST_EVENTS).await?;
        Ok(progress(&self.workflow, Some(&run), &self.said, &told, kit.world.now()))
    }
}

/// The plan that the answer to this asking stands for: the one that was asked about, or one that took its place
/// without voiding it.
fn asked_now(plans: &[KeptPlan], ask: &Ask) -> u32 {
    let mut number = ask.plan_number;
    for kept in plans.iter().filter(|kept| kept.number >= ask.plan_number) {
        number = kept.number;
        if !kept.voided_by.is_empty() {
            break;
        }
    }
    number
}
