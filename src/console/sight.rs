//! One workflow with all that belongs to it, as it stands now.
//!
//! Must hold: only reads. Deliberately absent: words for people.

use crate::domain::canon::Tag;
use crate::domain::ids::WorkflowId;
use crate::domain::operator::Concerned;
use crate::domain::plan::Plan;
use crate::domain::request::Request;
use crate::kit::Kit;
use crate::pages::differences::{SinceBefore, since_before};
use crate::pages::progress::{Progress, Run, progress};
use crate::store::audit::Told;
use crate::store::cancel::{self, Proposal};
use crate::store::decisions::{self, Recorded};
use crate::store::outbox::{self, OwedMessage};
use crate::store::plans::{self, KeptPlan};
use crate::store::workflows::{self, Workflow};
use crate::store::{ReadFault, audit, concerned, parts, steps};

/// More events than this are not shown on a page.
pub(super) const MOST_EVENTS: u64 = 1_000;

/// One workflow with all that belongs to it.
pub(super) struct Sight {
    pub(super) workflow: Workflow,
    pub(super) request: Request,
    pub(super) current: Option<Current>,
    /// Everything that was said, about any plan.
    pub(super) said: Vec<Recorded>,
    pub(super) messages: Vec<OwedMessage>,
    pub(super) told: Vec<Told>,
    /// Whom it concerns, who therefore takes none of its ways on.
    pub(super) concerned: Concerned,
    /// All parts of the request, this one among them.
    pub(super) whole: Vec<Workflow>,
    /// The requests whose place this one took.
    pub(super) replaces: Vec<Workflow>,
    /// What was proposed about cancelling it, and waits for somebody else.
    pub(super) cancel: Option<Proposal>,
}

/// The current plan.
pub(super) struct Current {
    pub(super) kept: KeptPlan,
    pub(super) plan: Plan,
    pub(super) run: Run,
    pub(super) since_before: Option<SinceBefore>,
}

impl Sight {
    /// The workflow of this id.
    pub(super) async fn of(kit: &Kit, id: WorkflowId) -> Result<Option<Self>, ReadFault> {
        let Some(workflow) = workflows::find(&kit.store, id).await? else { return Ok(None) };
        workflow.in_full()?;
        Ok(Some(Self {
            request: workflow.request.open(Tag::Request)?,
            current: Current::of(kit, &workflow).await?,
            said: decisions::of_workflow(&kit.store, id).await?,
            messages: outbox::of_workflow(&kit.store, id).await?,
            told: audit::chain(&kit.store, id.into(), 0, MOST_EVENTS).await?,
            concerned: concerned::concerned(&kit.store, &workflow).await?,
            whole: parts::whole(&kit.store, &workflow).await?,
            replaces: workflows::ended_by(&kit.store, id).await?,
            cancel: cancel::proposed(&kit.store, id, kit.world.now()).await?,
            workflow,
        }))
    }

    /// What was said about the current plan.
    pub(super) fn said_now(&self) -> Vec<Recorded> {
        let number = self.workflow.plan_number;
        self.said.iter().filter(|recorded| recorded.plan_number == number).cloned().collect()
    }

    /// Where it stands, step by step.
    pub(super) fn progress(&self, kit: &Kit) -> Progress {
        let run = self.current.as_ref().map(|current| &current.run);
        progress(&self.workflow, run, &self.said_now(), &self.told, kit.world.now())
    }
}

impl Current {
    async fn of(kit: &Kit, workflow: &Workflow) -> Result<Option<Self>, ReadFault> {
        let mut plans = plans::all(&kit.store, workflow.id).await?;
        let place = plans.iter().position(|kept| kept.number == workflow.plan_number);
        let Some(kept) = place.map(|place| plans.swap_remove(place)) else { return Ok(None) };
        let plan = kept.sealed.open()?;
        let since_before = match plans.iter().find(|before| before.number + 1 == kept.number) {
            Some(before) => Some(since_before(&before.sealed.open()?, &before.voided_by, &plan)),
            None => None,
        };
        let run = Run {
            plan: plan.clone(),
            ledger: steps::ledger(&kit.store, workflow.id, kept.number).await?,
            attempts: steps::attempts(&kit.store, workflow.id, kept.number).await?,
        };
        Ok(Some(Self { kept, plan, run, since_before }))
    }
}
