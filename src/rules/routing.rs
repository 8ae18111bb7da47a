//! Who must approve: the first rule that matches, and the people behind its words.
//!
//! Must hold: when a condition fails, a manager is unknown or too few people are left, the default rule is taken and
//! the result says why; who could not decide by the decision rule counts for nobody, and a yes counts in one stage, so
//! that each stage needs people besides those before it. Privileged groups are never granted without their own stage,
//! nor to somebody's link alone. Deliberately absent: who may decide right now (the core's decision rule).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::access::PrivilegedJoins;
use super::engine::{Engine, Verdict};
use super::expression::Expression;
use crate::config::{self, Approval, Ask, Fault, Rule, Settings, Stage};
use crate::domain::approval::Eligible;
use crate::domain::kind::Kind;
use crate::domain::names::{EmailAddress, TargetName};
use crate::domain::operator::{Concerned, Operator, may_act};
use crate::domain::routing::{AskedAs, Because, Pool, Privileged, ResolvedStage, Routing, Timing};
use crate::domain::sign_in::Strength;

/// The rules with their compiled conditions.
#[derive(Debug, Clone)]
pub struct CompiledRules {
    ordered: Vec<(Rule, Option<Expression>)>,
    default: Rule,
}

/// Not even the default rule has enough people to ask; who asks for a change or is its subject does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoRoute {
    /// In its own stages.
    #[error("the default rule has fewer people to ask than must say yes")]
    ByRule,
    /// With the stage of privileged groups.
    #[error(
        "the default rule and the privileged_stage of the target have together fewer people to ask than must say yes; \
         nobody counts for both"
    )]
    WithPrivileged,
}

enum Unresolved {
    Manager,
    TooFew,
}

/// Compiles the conditions of all rules; every fault at once.
pub fn compile_rules(engine: &Engine, settings: &Settings) -> Result<CompiledRules, Vec<Fault>> {
    let mut ordered = Vec::new();
    let mut faults = Vec::new();
    for rule in &settings.rules.ordered {
        let when = match &rule.when {
            None => Ok(None),
            Some(when) => engine
                .compile(&when.text)
                .map(Some)
                .map_err(|fault| Fault::new(&settings.file, &when.key, fault.to_string())),
        };
        match when {
            Ok(when) => ordered.push((rule.clone(), when)),
            Err(fault) => faults.push(fault),
        }
    }
    if faults.is_empty() {
        Ok(CompiledRules { ordered, default: settings.rules.default.clone() })
    } else {
        Err(faults)
    }
}

/// What is asked for, and what is known beside the request.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// What is to happen.
    pub kind: Kind,
    /// The request, without any field that its source may not set.
    pub req: &'a Value,
    /// May it go without anybody being asked, if a rule says so?
    pub unasked: Unasked,
    /// The privileged groups that come, if any does. Then it never goes without anybody being asked.
    pub privileged: Option<&'a PrivilegedJoins<'a>>,
    /// Who asked for it and whom it is about, as the decision rule will see them.
    pub concerned: &'a Concerned,
}

/// May a leaver go without anybody being asked?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unasked {
    /// No: the account was only found by its name, and names are claims.
    No,
    /// Yes: the account is known to be the person's own. So many of the source may go in an hour.
    PerHour(u32),
}

/// Finds who must approve a request.
pub async fn route(
    engine: &Engine,
    rules: &CompiledRules,
    settings: &Settings,
    wanted: &Wanted<'_>,
) -> Result<Routing, NoRoute> {
    let because = match first_match(engine, rules, wanted).await {
        Ok((None, passed)) => passed.unwrap_or(Because::NothingElseMatched),
        Ok((Some((rule, budget)), passed)) => match resolve(rule, settings, wanted) {
            Ok(stages) => {
                let because = passed.unwrap_or(Because::FirstMatch);
                let mut routing = routing(rule, because, stages, (settings, wanted));
                routing.timing.unasked_per_hour = budget;
                return Ok(routing);
            }
            Err(Unresolved::Manager) => Because::ManagerUnknown { rule: rule.name.to_string() },
            Err(Unresolved::TooFew) => Because::TooFewPeople { rule: rule.name.to_string() },
        },
        Err(failed) => failed,
    };
    let too_few = if wanted.privileged.is_some() { NoRoute::WithPrivileged } else { NoRoute::ByRule };
    let stages = resolve(&rules.default, settings, wanted).map_err(|_unresolved| too_few)?;
    Ok(routing(&rules.default, because, stages, (settings, wanted)))
}

/// A rule that matches, with the budget where it asks nobody.
type Match<'r> = Option<(&'r Rule, Option<u32>)>;

/// The first rule that matches, and why one that asks nobody was passed over before it.
async fn first_match<'r>(
    engine: &Engine,
    rules: &'r CompiledRules,
    wanted: &Wanted<'_>,
) -> Result<(Match<'r>, Option<Because>), Because> {
    let of_kind = |rule: &Rule| rule.kinds.is_empty() || rule.kinds.contains(&wanted.kind);
    let unasked = if wanted.privileged.is_some() { Unasked::No } else { wanted.unasked };
    let mut passed = None;
    for (rule, when) in rules.ordered.iter().filter(|(rule, _)| of_kind(rule)) {
        let verdict = match when {
            None => Ok(Verdict::Holds),
            Some(when) => engine.holds(when, wanted.req).await,
        };
        match (verdict, rule.approval, unasked) {
            (Ok(Verdict::Holds), Approval::ByPeople, _) => return Ok((Some((rule, None)), passed)),
            (Ok(Verdict::Holds), Approval::ByNobody, Unasked::PerHour(budget)) => {
                return Ok((Some((rule, Some(budget))), passed));
            }
            (Ok(Verdict::Holds), Approval::ByNobody, Unasked::No) => {
                passed = passed.or_else(|| Some(Because::AccountUnknown { rule: rule.name.to_string() }));
            }
            (Ok(Verdict::DoesNot), ..) => {}
            (Err(fault), ..) => {
                let (rule, fault) = (rule.name.to_string(), fault.to_string());
                return Err(Because::ConditionFailed { rule, fault });
            }
        }
    }
    Ok((None, passed))
}

fn routing(
    rule: &Rule,
    because: Because,
    stages: Vec<ResolvedStage>,
    (settings, wanted): (&Settings, &Wanted<'_>),
) -> Routing {
    let timing = Timing {
        start_within_seconds: Some(rule.start_within.num_seconds()),
        remind_after_seconds: rule.reminders.map(|reminders| reminders.after.num_seconds()),
        reminders: rule.reminders.map_or(0, |reminders| reminders.most),
        leavers_wait_seconds: Some(rule.escalate_leavers_after.num_seconds()),
        unasked_per_hour: None,
        leaver_within_seconds: rule
            .leaver_within
            .filter(|_| wanted.kind == Kind::Leaver)
            .map(|within| within.num_seconds()),
    };
    let expire_after_seconds = rule.expire_after.num_seconds();
    let sign_in = settings.sign_in.mode.strength();
    // Their stage is the last one, as `resolve` has put it.
    let privileged = wanted.privileged.map(|joins| Privileged {
        groups: joins.groups.clone(),
        stage: u32::try_from(stages.len().saturating_sub(1)).unwrap_or(u32::MAX),
    });
    Routing {
        rule: rule.name.to_string(),
        because,
        stages,
        expire_after_seconds,
        sign_in: if privileged.is_some() { sign_in.max(Strength::Code) } else { sign_in },
        timing,
        privileged,
    }
}

/// The people of a rule's stages, and of the stage of privileged groups after them.
fn resolve(rule: &Rule, settings: &Settings, wanted: &Wanted<'_>) -> Result<Vec<ResolvedStage>, Unresolved> {
    let req = wanted.req;
    let manager = address_at(req, "/employment/manager/email");
    let may_decide =
        |person: &EmailAddress| may_act(&Operator::SignedIn(person.clone()), wanted.concerned).is_ok();
    // Somebody who is named as the own manager, or asks on behalf of others, decides nothing here.
    let manager = manager.filter(may_decide);
    let able = |stages: &[ResolvedStage]| -> BTreeSet<String> {
        let people = stages.iter().flat_map(ResolvedStage::people);
        people.filter(may_decide).map(|person| person.key()).collect()
    };
    let mut stages: Vec<ResolvedStage> = Vec::new();
    for stage in rule.stages.iter().chain(wanted.privileged.map(|joins| joins.stage)) {
        let resolved = resolve_stage(stage, settings, manager.as_ref())?;
        let alone = resolved.is_met_by(&able(std::slice::from_ref(&resolved)));
        // Who has said yes before does not count again, so there must be others whoever that was.
        let known: Vec<ResolvedStage> = stages.iter().chain([&resolved]).cloned().collect();
        let others = stages.is_empty() || resolved.outlasts(&stages, &able(&known));
        if !(alone && others) {
            return Err(Unresolved::TooFew);
        }
        stages.push(resolved);
    }
    Ok(stages)
}

fn resolve_stage(
    stage: &Stage,
    settings: &Settings,
    manager: Option<&EmailAddress>,
) -> Result<ResolvedStage, Unresolved> {
    let pools = stage.pools.iter().map(|pool| resolve_pool(pool, settings, manager));
    Ok(ResolvedStage { pools: pools.collect::<Result<_, _>>()? })
}

fn resolve_pool(
    pool: &config::Pool,
    settings: &Settings,
    manager: Option<&EmailAddress>,
) -> Result<Pool, Unresolved> {
    let mut people = BTreeMap::new();
    let mut asked_as = Vec::with_capacity(pool.ask.len());
    // Nobody is asked twice. Where one mailbox has two spellings, that of the settings is asked and not the one that a
    // request gives.
    let mut add = |address: &EmailAddress| drop(people.insert(address.key(), address.clone()));
    for ask in &pool.ask {
        match ask {
            Ask::Person(address) => {
                add(address);
                asked_as.push(AskedAs::Person { address: address.clone() });
            }
            Ask::Group(name) => {
                let members = settings.approver_group(name.as_str()).map(|group| group.members.as_slice());
                members.unwrap_or_default().iter().for_each(&mut add);
                asked_as.push(AskedAs::Group { name: name.to_string() });
            }
            Ask::Manager => {
                let address = manager.ok_or(Unresolved::Manager)?;
                asked_as.push(AskedAs::Manager { address: address.clone() });
            }
        }
    }
    if let Some(manager) = manager.filter(|_| pool.ask.contains(&Ask::Manager)) {
        people.entry(manager.key()).or_insert_with(|| manager.clone());
    }
    Ok(Pool { people: people.into_values().collect(), asked_as, quorum: pool.quorum })
}

fn address_at(req: &Value, place: &str) -> Option<EmailAddress> {
    req.pointer(place)?.as_str().and_then(|text| EmailAddress::parse(text).ok())
}

/// Was `who` asked in this stage of the asking about a plan for this target, and do today's settings still give the
/// reason? In the stage of privileged groups it is the target's own setting that must still give it.
pub fn still_eligible(
    settings: &Settings,
    target: &TargetName,
    (routing, stage): (&Routing, u32),
    who: &EmailAddress,
) -> Eligible {
    let place = usize::try_from(stage).unwrap_or(usize::MAX);
    let Some(asked) = routing.stages.get(place) else { return Eligible::NoLonger };
    let mailbox = who.mailbox();
    let same = |address: &EmailAddress| address.mailbox() == mailbox;
    let privileged = settings.target(target).and_then(|target| target.privileged.as_ref());
    let privileged = privileged.filter(|_| routing.is_for_privileged(stage));
    let of_rules =
        settings.rules.ordered.iter().chain([&settings.rules.default]).flat_map(|rule| &rule.stages);
    let named: Vec<&Ask> = match privileged {
        Some(privileged) => asks_of([&privileged.stage]).collect(),
        None => asks_of(of_rules).collect(),
    };
    let stands = |asked: &AskedAs| match asked {
        AskedAs::Person { address } => {
            same(address) && named.iter().any(|ask| matches!(ask, Ask::Person(address) if same(address)))
        }
        AskedAs::Group { name } => {
            let group = settings.approver_group(name);
            let still = |ask: &&Ask| matches!(ask, Ask::Group(now) if now.as_str() == name);
            let asks = privileged.is_none() || named.iter().any(still);
            asks && group.is_some_and(|group| group.members.iter().any(same))
        }
        AskedAs::Manager { address } => same(address),
    };
    let pools = asked.pools.iter().filter(|pool| pool.people.iter().any(same));
    if pools.flat_map(|pool| &pool.asked_as).any(stands) { Eligible::Still } else { Eligible::NoLonger }
}

fn asks_of<'s>(stages: impl IntoIterator<Item = &'s Stage>) -> impl Iterator<Item = &'s Ask> {
    stages.into_iter().flat_map(|stage| &stage.pools).flat_map(|pool| &pool.ask)
}
