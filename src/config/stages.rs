//! Stages: who is asked at the same time, and how many of them must say yes.
//!
//! Must hold: no stage wants more people than it can ask, besides those who have said yes before it. Deliberately absent: what a stage is asked about (rules, and
//! the privileged groups of a target).

use std::collections::BTreeSet;

use super::approvers::{ApproverGroup, ManagerMail, NO_MANAGER};
use super::reader::Section;
use crate::domain::names::{EmailAddress, ShortText};
use crate::domain::seats::{MOST_POOLS, Seats, are_met, outlasts};

/// Who is asked at the same time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// All of them must be met, nobody counts for two; at least one.
    pub pools: Vec<Pool>,
}

/// People of whom some must say yes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// Who is asked.
    pub ask: Vec<Ask>,
    /// How many must say yes; at least one.
    pub quorum: u32,
}

/// Somebody to ask.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Ask {
    /// This address.
    Person(EmailAddress),
    /// The members of this group.
    Group(ShortText),
    /// The manager named in the request.
    Manager,
}

/// What stages are measured against.
#[derive(Clone, Copy)]
pub(super) struct Askable<'a> {
    /// The groups that were read without a fault.
    pub groups: &'a [ApproverGroup],
    /// The names of all groups that stand in the file, faulty or not.
    pub declared: &'a [String],
    /// Can a manager be found?
    pub manager_mail: ManagerMail,
}

/// Is the manager among those who are asked?
pub(super) fn asks_manager(stage: &Stage) -> bool {
    stage.pools.iter().any(|pool| pool.ask.contains(&Ask::Manager))
}

/// Reads `stages`, of which there is at least one.
pub(super) fn read_stages(section: &Section<'_>, askable: &Askable<'_>) -> Vec<Stage> {
    let stages = section.sections("stages");
    if stages.is_empty() {
        section.fault(
            "stages",
            "missing or empty; wanted: a list such as [{ ask = [\"group:pam-admins\"], quorum = 1 }]",
        );
    }
    let read: Vec<Stage> = stages.iter().map(|stage| read_stage(stage, askable)).collect();
    for (place, (stage, section)) in read.iter().zip(&stages).enumerate().skip(1) {
        if stage.pools.len() > MOST_POOLS {
            section.fault("all", format!("wanted: at most {MOST_POOLS} pools in a stage after another one"));
        } else if !has_others(stage, read.get(..place).unwrap_or_default(), askable) {
            let words = "wanted: enough people besides those who may have said yes in the stages before; nobody counts \
                         for two";
            section.fault("quorum", words);
        }
    }
    read
}

/// Reads one stage: a pool, or several under `all`.
pub(super) fn read_stage(section: &Section<'_>, askable: &Askable<'_>) -> Stage {
    if section.value("all").is_none() {
        let pool = read_pool(section, askable);
        return Stage { pools: vec![pool] };
    }
    for beside in ["ask", "quorum"] {
        if section.value(beside).is_some() {
            section.fault(beside, "wanted: nothing beside all, which lists pools of its own");
        }
    }
    let sections = section.sections("all");
    if sections.is_empty() {
        section
            .fault("all", "missing or empty; wanted: a list such as [{ ask = [\"manager\"], quorum = 1 }]");
    }
    let pools: Vec<Pool> = sections.iter().map(|pool| read_pool(pool, askable)).collect();
    section.refuse_unknown();
    check_together(section, &pools, askable);
    Stage { pools }
}

/// Each pool has enough people of its own, although nobody counts for two.
fn check_together(section: &Section<'_>, pools: &[Pool], askable: &Askable<'_>) {
    let Some(seats) = seats(pools, askable) else { return };
    let alone = seats.iter().all(|pool| are_met(std::slice::from_ref(pool), &pool.members));
    if alone && !are_met(&seats, &everybody(&seats)) {
        section.fault("all", "wanted: enough people for every pool at once; nobody counts for two");
    }
}

/// Has a stage enough people of its own besides those who may have said yes in the stages before it?
pub(super) fn has_others(last: &Stage, before: &[Stage], askable: &Askable<'_>) -> bool {
    let (last, before): (_, Option<Vec<_>>) =
        (seats(&last.pools, askable), before.iter().map(|stage| seats(&stage.pools, askable)).collect());
    // What is faulty by itself is told where it stands.
    let (Some(last), Some(before)) = (last, before) else { return true };
    let alone = |stage: &[Seats]| are_met(stage, &everybody(stage));
    !alone(&last)
        || !before.iter().all(|stage| alone(stage))
        || outlasts(&last, &before, &everybody(before.iter().flatten().chain(&last)))
}

fn everybody<'s>(pools: impl IntoIterator<Item = &'s Seats>) -> BTreeSet<String> {
    pools.into_iter().flat_map(|pool| pool.members.clone()).collect()
}

/// `None` when a group is faulty, so that nobody can say.
fn seats(pools: &[Pool], askable: &Askable<'_>) -> Option<Vec<Seats>> {
    let of = |pool: &Pool| Some(Seats { members: asked(&pool.ask, askable)?, quorum: pool.quorum });
    pools.iter().map(of).collect()
}

fn read_pool(section: &Section<'_>, askable: &Askable<'_>) -> Pool {
    let wanted = "a mail address, \"group:NAME\" of one of the approver_groups, or \"manager\"";
    let ask = section.some("ask", wanted, |text| ask(text, askable));
    if ask.contains(&Ask::Manager) && askable.manager_mail == ManagerMail::NeverHeard {
        section.fault("ask", NO_MANAGER);
    }
    if section.value("quorum").is_none() {
        section.fault("quorum", "missing; wanted: how many of them must say yes");
    }
    let quorum = section.whole("quorum", 1..=100, 1);
    let most = asked(&ask, askable).map(|people| people.len());
    if most.is_some_and(|most| usize::try_from(quorum).is_ok_and(|quorum| quorum > most)) {
        section.fault("quorum", "wanted: at most as many as are asked");
    }
    section.refuse_unknown();
    Pool { ask, quorum }
}

fn ask(text: &str, askable: &Askable<'_>) -> Option<Ask> {
    if text == "manager" {
        return Some(Ask::Manager);
    }
    match text.strip_prefix("group:") {
        Some(name) if askable.declared.iter().any(|known| known == name) => {
            ShortText::parse(name).ok().map(Ask::Group)
        }
        Some(_) => None,
        None => EmailAddress::parse(text).ok().map(Ask::Person),
    }
}

/// The distinct people that these can be at most; `None` when a group is faulty, so that nobody can say.
fn asked(ask: &[Ask], askable: &Askable<'_>) -> Option<BTreeSet<String>> {
    if ask.is_empty() {
        return None;
    }
    let mut people = BTreeSet::new();
    for one in ask {
        match one {
            Ask::Person(address) => {
                people.insert(address.key());
            }
            Ask::Group(name) => {
                let group = askable.groups.iter().find(|group| group.name == *name)?;
                people.extend(group.members.iter().map(EmailAddress::key));
            }
            // Somebody else than all the others, at best. The empty text is no key of an address.
            Ask::Manager => {
                people.insert(String::new());
            }
        }
    }
    Some(people)
}
