//! Beginning a run, and going on with one that a person has sent on.
//!
//! Must hold: before the first write, and before the first after a person has looked, the assumptions are read again.
//! What has changed voids a plan that has not begun; half-way nothing is planned anew, so a person hears the reason.

use chrono::TimeDelta;

use super::allowed::not_allowed;
use super::claimed::{Left, Run, Runner};
use crate::domain::drift::drift;
use crate::domain::kind::Kind;
use crate::domain::plan::{Plan, PlannedStep, SealedPlan};
use crate::domain::removal::{Removals, widened};
use crate::domain::retry::{Awaited, Tell, unreadable};
use crate::domain::snapshot::{Snapshot, UserSeen};
use crate::domain::step::Ledger;
use crate::domain::workflow::{MOST_REPLANS, State, in_words};
use crate::rules::access::permit_seen;
use crate::store::WriteFault;
use crate::store::operator;
use crate::store::plans::{AwaitVault, WidenPlan};
use crate::store::reschedule::{self, Reschedule};
use crate::store::restores::{self, Since};
use crate::store::runs::{LetGo, StartRun, Started, Stopped};
use crate::store::steps;
use crate::target::{Besides, CallFault, Subject};

/// Did execution begin?
pub(super) enum Begun {
    Yes,
    NotNow,
}

/// Was a plan widened?
pub(super) enum Widened {
    No,
    Yes,
    /// It would have been once too often: a person must look.
    Stopped,
}

impl Runner<'_> {
    /// The day that was asked for may begin or end at another instant by the zone data of this version than by those
    /// that it was planned with; then that instant is waited for.
    async fn has_its_instant_come(&self, run: &Run<'_>) -> Result<Begun, Left> {
        if reschedule::moved(&run.workflow)?.is_none() {
            return Ok(Begun::Yes);
        }
        let (stamp, workflow) = (self.kit.world.stamp(), run.workflow.id);
        let deed = Reschedule { stamp, workflow, zone_data: chrono_tz::IANA_TZDB_VERSION };
        let to = match self.kit.store.write(deed).await {
            Ok(to) => to.filter(|to| *to > self.kit.world.now()),
            Err(WriteFault::Refused(_)) => return Err(Left::Lost),
            Err(WriteFault::Unavailable(words) | WriteFault::Unknown(words)) => {
                return Err(Left::Write(words));
            }
        };
        let Some(due_at) = to else { return Ok(Begun::Yes) };
        tracing::info!(workflow.id = %workflow, until = %due_at, "by newer zone data it is not time yet");
        let (stamp, lease) = (self.kit.world.stamp(), run.lease.clone());
        self.kit.store.write(LetGo { stamp, lease, workflow, due_at }).await?;
        Ok(Begun::NotNow)
    }

    /// Reads the assumptions again and begins, unless they no longer hold.
    pub(super) async fn begin(&self, run: &mut Run<'_>) -> Result<Begun, Left> {
        if let Begun::NotNow = self.has_its_instant_come(run).await? {
            return Ok(Begun::NotNow);
        }
        let assumed = run.plan.assumed_groups();
        let reading = run.target.snapshot(Subject::of(&run.plan), Besides::of(&run.plan, &assumed));
        let stopped = match self.holding(run, reading).await? {
            Ok(snapshot) => {
                let voids = drift(&run.plan, &snapshot).voids;
                if let Err(why) = permit_seen(&snapshot) {
                    Some(not_allowed(&why))
                } else if voids.is_empty() {
                    match self.widen(run, snapshot, Removals::ToCome).await? {
                        Widened::No | Widened::Yes => None,
                        Widened::Stopped => return Ok(Begun::NotNow),
                    }
                } else {
                    Some(Stopped::Voided(voids))
                }
            }
            Err(CallFault::Retry { words, after_seconds }) => {
                if !run.workflow.awaited().is_over(self.kit.world.now()) {
                    return self.wait_for_target(run, words, after_seconds).await;
                }
                Some(Stopped::Because(unreadable(&words)))
            }
            Err(CallFault::Refused { words } | CallFault::NeedsPerson { words }) => {
                Some(Stopped::Because(words))
            }
        };
        let (stamp, lease) = (self.kit.world.stamp(), run.lease.clone());
        let (workflow, plan_number) = (run.workflow.id, run.workflow.plan_number);
        match self.kit.store.write(StartRun { stamp, lease, workflow, plan_number, stopped }).await? {
            Started::Running => Ok(Begun::Yes),
            Started::Stopped => Ok(Begun::NotNow),
        }
    }

    /// A leaver's plan takes away what the same account has got since, too.
    async fn widen(
        &self,
        run: &mut Run<'_>,
        snapshot: Snapshot,
        removals: Removals,
    ) -> Result<Widened, Left> {
        let Some(terms) = &run.leaver else { return Ok(Widened::No) };
        let salt = self.kit.world.salt();
        let wider = widened(&run.plan, (&snapshot, removals), terms, salt);
        let Some(plan) = wider else { return Ok(Widened::No) };
        let because = new_in(&run.plan, &plan);
        let half_way = matches!(run.workflow.state, State::Running);
        if half_way && run.workflow.replans >= MOST_REPLANS {
            let reason = format!(
                "taken out of everything {} times, and each time there was more; now {because}",
                run.workflow.replans
            );
            self.stop_because(&run.workflow, &run.lease, Stopped::Because(reason)).await?;
            return Ok(Widened::Stopped);
        }
        let sealed = SealedPlan::seal(&plan).map_err(|_| Left::Mismatch)?;
        let (stamp, lease) = (self.kit.world.stamp(), run.lease.clone());
        let deed = WidenPlan { stamp, lease, plan: plan.clone(), sealed, snapshot, because };
        self.kit.store.write(deed).await?;
        run.workflow.plan_number = plan.number;
        if half_way {
            run.workflow.replans += 1;
        }
        run.plan = plan;
        Ok(Widened::Yes)
    }

    /// The same at the end of a run that has taken time: a person may have been waited for. Where the vault cannot be
    /// read, the last look itself says so.
    pub(super) async fn widen_at_the_end(&self, run: &mut Run<'_>, ledger: &Ledger) -> Result<Widened, Left> {
        let removals = Removals::of(&run.plan, ledger);
        let reading = run.target.snapshot(Subject::of(&run.plan), Besides::Nothing);
        match self.holding(run, reading).await? {
            Ok(snapshot) => self.widen(run, snapshot, removals).await,
            Err(fault) => {
                tracing::warn!(workflow.id = %run.workflow.id, %fault, "the memberships cannot be read at the end");
                Ok(Widened::No)
            }
        }
    }

    async fn wait_for_target(
        &self,
        run: &Run<'_>,
        words: String,
        after_seconds: Option<u32>,
    ) -> Result<Begun, Left> {
        let now = self.kit.world.now();
        let workflow = &run.workflow;
        let asked = after_seconds.map(|seconds| TimeDelta::seconds(i64::from(seconds)));
        let (due_at, tell) =
            self.kit.retry_policy().await_target(workflow.awaited(), now, self.kit.world.number(), asked);
        let tell = (tell == Tell::Now).then(Vec::new);
        tracing::warn!(workflow.id = %workflow.id, fault = %words, "the target cannot be read; the run waits");
        let stamp = self.kit.world.stamp();
        let noted = self
            .kit
            .store
            .write(AwaitVault {
                stamp,
                workflow: workflow.id,
                plan_number: workflow.plan_number,
                due_at,
                tell,
                words,
            })
            .await;
        noted.map_err(|fault| Left::Write(fault.to_string()))?;
        let (stamp, lease) = (self.kit.world.stamp(), run.lease.clone());
        self.kit.store.write(LetGo { stamp, lease, workflow: workflow.id, due_at }).await?;
        Ok(Begun::NotNow)
    }

    /// Reads the assumptions again before a run goes on that stopped for a person, or that an older database remembers.
    /// What a person was told may be long ago: meanwhile the account may have been disabled, or a group made anew.
    pub(super) async fn resume(&self, run: &Run<'_>) -> Result<Begun, Left> {
        let (kit, workflow) = (self.kit, &run.workflow);
        let sent_on = operator::sent_on_and_not_begun(&kit.store, workflow.id).await?;
        if sent_on.is_none() && restores::since_last_attempt(&kit.store, workflow.id).await? == Since::No {
            return Ok(Begun::Yes);
        }
        let assumed = run.plan.assumed_groups();
        let reading = run.target.snapshot(Subject::of(&run.plan), Besides::of(&run.plan, &assumed));
        let stopped = match self.holding(run, reading).await? {
            Ok(snapshot) => match permit_seen(&snapshot) {
                Err(why) => not_allowed(&why),
                Ok(()) => match self.changed(run, &snapshot).await? {
                    None => return Ok(Begun::Yes),
                    Some(words) => Stopped::Because(format!(
                        "the vault has changed since this was approved, and half-way no plan is made anew: {words}; \
                         give this one up, and let it be asked for again"
                    )),
                },
            },
            Err(CallFault::Retry { words, after_seconds }) => {
                let awaited = Awaited { since: Some(workflow.updated_at), told: None };
                let asked = after_seconds.map(|seconds| TimeDelta::seconds(i64::from(seconds)));
                let (now, chance) = (kit.world.now(), kit.world.number());
                match kit.retry_policy().await_target(awaited, now, chance, asked) {
                    (due_at, Tell::NotNow) => {
                        let (stamp, lease) = (kit.world.stamp(), run.lease.clone());
                        kit.store.write(LetGo { stamp, lease, workflow: workflow.id, due_at }).await?;
                        return Ok(Begun::NotNow);
                    }
                    (_, Tell::Now) => Stopped::Because(format!(
                        "the vault could not be read before the run went on; the last time: {words}"
                    )),
                }
            }
            Err(CallFault::Refused { words } | CallFault::NeedsPerson { words }) => Stopped::Because(words),
        };
        self.stop_because(workflow, &run.lease, stopped).await?;
        Ok(Begun::NotNow)
    }

    /// What forbids a run to go on, in words.
    async fn changed(&self, run: &Run<'_>, snapshot: &Snapshot) -> Result<Option<String>, Left> {
        if run.plan.kind == Kind::Leaver && snapshot.user == UserSeen::Absent {
            // Each step that is left looks for itself whether the account is gone, and so whether it has come to its end.
            return Ok(None);
        }
        let voids = drift(&run.plan, snapshot).voids;
        if !voids.is_empty() {
            return Ok(Some(in_words(&voids)));
        }
        let ledger = steps::ledger(&self.kit.store, run.workflow.id, run.plan.number).await?;
        Ok(match (&run.plan.account, &snapshot.user) {
            (None, UserSeen::Present(user))
                if ledger.user_id == Some(user.id) && user.enabled == Some(false) =>
            {
                Some(format!("the account that this run has made, number {}, is disabled now", user.id))
            }
            (None | Some(_), UserSeen::Present(_) | UserSeen::Absent) => None,
        })
    }
}

/// What a wider plan has that the plan before had not, in words.
fn new_in(before: &Plan, wider: &Plan) -> String {
    let known: Vec<_> = before.leaves().map(|group| group.id).collect();
    let groups = wider.leaves().filter(|group| !known.contains(&group.id));
    let mut new: Vec<_> = groups.map(|group| format!("the group {}", group.name)).collect();
    let by_hand = PlannedStep::LeaveGroupsByHand;
    if wider.steps.contains(&by_hand) && !before.steps.contains(&by_hand) {
        new.push("groups that the vault does not tell".to_owned());
    }
    new.join(", ")
}
