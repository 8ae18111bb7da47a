//! `[[rules]]`: who must approve what.
//!
//! Must hold: exactly one rule is the default, and it asks only people who are known beforehand, because it is
//! taken when something else failed.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use super::access::{Condition, condition_if_any};
use super::reader::{Distinct, Section};
use super::sources::LEAVER_WITHIN;
use super::stages::{Askable, Stage, asks_manager, read_stages};
use crate::domain::kind::Kind;
use crate::domain::leaver_clock::WITHIN;
use crate::domain::names::ShortText;

/// Who must approve what; the first rule that matches decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// The rules with a condition, in order.
    pub ordered: Vec<Rule>,
    /// Taken when none of the others is, and when one fails.
    pub default: Rule,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its name, for people.
    pub name: ShortText,
    /// The kinds it is for; every kind when empty.
    pub kinds: BTreeSet<Kind>,
    /// The further condition, if any.
    pub when: Option<Condition>,
    /// Are people asked at all?
    pub approval: Approval,
    /// Who is asked, stage after stage; nobody where nobody is asked.
    pub stages: Vec<Stage>,
    /// How long the answer may take.
    pub expire_after: TimeDelta,
    /// An approval is void unless its run has begun so long after it might have.
    pub start_within: TimeDelta,
    /// Who has not answered is reminded, if at all.
    pub reminders: Option<Reminders>,
    /// How long people have to answer about a leaver who is due already.
    pub escalate_leavers_after: TimeDelta,
    /// The access of its leavers is to be gone within this time; where it says nothing, their source does.
    pub leaver_within: Option<TimeDelta>,
}

/// Are people asked at all?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approval {
    /// Yes.
    ByPeople,
    /// No: for leavers whose account is known, within the budget of their source.
    ByNobody,
}

/// When and how often somebody is reminded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reminders {
    /// Each time so long has passed.
    pub after: TimeDelta,
    /// So often in one stage.
    pub most: u32,
}

enum Found {
    Ordinary(Rule),
    Default(Rule),
}

/// Reads `[[rules]]`; `top` is where a missing default is noted.
pub(super) fn read_rules(
    top: &Section<'_>,
    sections: Vec<Section<'_>>,
    askable: &Askable<'_>,
) -> Option<Rules> {
    let defaults = sections.iter().filter(|section| says_default(section)).count();
    if defaults != 1 {
        top.fault("rules", "wanted: exactly one rule with default = true");
    }
    let mut names = Distinct::default();
    let mut ordered = Vec::new();
    let mut default = None;
    for section in sections {
        match read_rule(&section, askable, &mut names) {
            Some(Found::Ordinary(rule)) => ordered.push(rule),
            Some(Found::Default(rule)) => default = Some(rule),
            None => {}
        }
    }
    Some(Rules { ordered, default: default? })
}

fn says_default(section: &Section<'_>) -> bool {
    section.value("default").and_then(toml::Value::as_bool) == Some(true)
}

fn read_rule(section: &Section<'_>, askable: &Askable<'_>, names: &mut Distinct) -> Option<Found> {
    let name = section.needed("name", "a name of 1 to 128 characters", |text| ShortText::parse(text).ok());
    if let Some(name) = &name {
        names.note(section, "name", name.as_str());
    }
    let is_default = section.yes_or_no("default") == Some(true);
    let wanted = "a kind: joiner, mover, leaver, rehire, reset_password or unsuspend";
    let kinds = match section.value("kinds") {
        None => BTreeSet::new(),
        Some(_) => section.some("kinds", wanted, Kind::parse).into_iter().collect(),
    };
    let when = condition_if_any(section);
    for narrowing in ["kinds", "when"] {
        if is_default && section.value(narrowing).is_some() {
            section.fault(narrowing, "wanted: nothing, for the default rule is for whatever is left");
        }
    }
    let approval = read_approval(section, &kinds, is_default);
    let stages = match approval {
        Approval::ByPeople => read_stages(section, askable),
        Approval::ByNobody => vec![],
    };
    if is_default && stages.iter().any(asks_manager) {
        section.fault("stages", "wanted: people who are always known; the default rule cannot ask a manager");
    }
    let (year, week) = (TimeDelta::days(365), TimeDelta::days(7));
    let expire_after = section.span("expire_after", TimeDelta::minutes(1)..=year, week);
    let start_within = section.span("start_within", TimeDelta::hours(1)..=year, week);
    let escalate_leavers_after =
        section.span("escalate_leavers_after", TimeDelta::minutes(1)..=week, TimeDelta::hours(1));
    let reminders = read_reminders(section);
    let leaver_within = read_leaver_within(section, &kinds);
    section.refuse_unknown();
    let rule = Rule {
        name: name?,
        kinds,
        when,
        approval,
        stages,
        expire_after,
        start_within,
        reminders,
        escalate_leavers_after,
        leaver_within,
    };
    Some(if is_default { Found::Default(rule) } else { Found::Ordinary(rule) })
}

/// Nobody is asked only about leavers, and never by the rule that is taken when something fails.
fn read_approval(section: &Section<'_>, kinds: &BTreeSet<Kind>, is_default: bool) -> Approval {
    let nobody = section.read("approval", "\"none\", or nothing where people are asked", |text| {
        (text == "none").then_some(Approval::ByNobody)
    });
    if nobody.is_none() {
        return Approval::ByPeople;
    }
    if is_default {
        section
            .fault("approval", "wanted: people to ask, for the default rule is taken when something fails");
    } else if kinds.iter().ne([&Kind::Leaver]) {
        section.fault(
            "approval",
            "wanted: kinds = [\"leaver\"] beside \"none\", for nothing else goes without people",
        );
    }
    for idle in
        ["stages", "expire_after", "start_within", "escalate_leavers_after", "remind_after", "reminders"]
    {
        if section.value(idle).is_some() {
            section.fault(idle, "wanted: nothing beside approval = \"none\", for nobody is asked");
        }
    }
    Approval::ByNobody
}

fn read_leaver_within(section: &Section<'_>, kinds: &BTreeSet<Kind>) -> Option<TimeDelta> {
    section.value("leaver_within")?;
    if !kinds.is_empty() && !kinds.contains(&Kind::Leaver) {
        section.fault("leaver_within", "wanted: only in a rule that is for leavers, too");
    }
    Some(section.span("leaver_within", LEAVER_WITHIN, WITHIN))
}

fn read_reminders(section: &Section<'_>) -> Option<Reminders> {
    let range = TimeDelta::minutes(10)..=TimeDelta::days(30);
    let after = section.span("remind_after", range, TimeDelta::days(1));
    let most = section.whole("reminders", 1..=10, 3);
    if section.value("remind_after").is_some() {
        return Some(Reminders { after, most });
    }
    if section.value("reminders").is_some() {
        section.fault("reminders", "wanted: only together with remind_after");
    }
    None
}
