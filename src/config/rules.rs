//! `[[rules]]`: who must approve what.
//!
//! Must hold: exactly one rule is the default, and it asks only people who are known beforehand, because it is
//! taken when something else failed. No stage wants more people than it can ask.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use super::access::{ApproverGroup, Condition, ManagerMail, NO_MANAGER, condition_if_any};
use super::reader::{Distinct, NOT_YET, Section};
use crate::domain::kind::Kind;
use crate::domain::names::{EmailAddress, ShortText};

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
    /// Who is asked, stage after stage.
    pub stages: Vec<Stage>,
    /// How long the answer may take.
    pub expire_after: TimeDelta,
}

/// One pool of people, of whom some must say yes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
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

/// What rules are measured against.
pub(super) struct Askable<'a> {
    /// The groups that were read without a fault.
    pub groups: &'a [ApproverGroup],
    /// The names of all groups that stand in the file, faulty or not.
    pub declared: &'a [String],
    /// Can a manager be found?
    pub manager_mail: ManagerMail,
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
    section.not_yet("approval");
    section.not_yet("reminders");
    let stages = read_stages(section, askable);
    if is_default && stages.iter().any(|stage| stage.ask.contains(&Ask::Manager)) {
        section.fault("stages", "wanted: people who are always known; the default rule cannot ask a manager");
    }
    let expire_after =
        section.span("expire_after", TimeDelta::minutes(1)..=TimeDelta::days(365), TimeDelta::days(7));
    section.refuse_unknown();
    let rule = Rule { name: name?, kinds, when, stages, expire_after };
    Some(if is_default { Found::Default(rule) } else { Found::Ordinary(rule) })
}

fn read_stages(section: &Section<'_>, askable: &Askable<'_>) -> Vec<Stage> {
    let stages = section.sections("stages");
    if stages.is_empty() {
        section.fault(
            "stages",
            "missing or empty; wanted: a list such as [{ ask = [\"group:pam-admins\"], quorum = 1 }]",
        );
    }
    stages.into_iter().filter_map(|stage| read_stage(&stage, askable)).collect()
}

fn read_stage(section: &Section<'_>, askable: &Askable<'_>) -> Option<Stage> {
    if section.value("all").is_some() {
        section.fault("all", NOT_YET);
        return None;
    }
    let wanted = "a mail address, \"group:NAME\" of one of the approver_groups, or \"manager\"";
    let ask = section.some("ask", wanted, |text| ask(text, askable));
    if ask.contains(&Ask::Manager) && askable.manager_mail == ManagerMail::NeverHeard {
        section.fault("ask", NO_MANAGER);
    }
    if section.value("quorum").is_none() {
        section.fault("quorum", "missing; wanted: how many of them must say yes");
    }
    let quorum = section.whole("quorum", 1..=100, 1);
    if asked(&ask, askable).is_some_and(|most| usize::try_from(quorum).is_ok_and(|quorum| quorum > most)) {
        section.fault("quorum", "wanted: at most as many as are asked");
    }
    section.refuse_unknown();
    Some(Stage { ask, quorum })
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

/// How many distinct people these can be at most; `None` when a group is faulty, so that nobody can say.
fn asked(ask: &[Ask], askable: &Askable<'_>) -> Option<usize> {
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
    Some(people.len())
}
