//! `[[approver_groups]]`: who may be asked together; and whether a manager can be asked at all.
//!
//! Must hold: nobody stands in a group twice. Deliberately absent: who is asked about what (stages and rules).

use super::reader::{Distinct, Section};
use crate::domain::names::{EmailAddress, ShortText};

/// People who are asked together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApproverGroup {
    /// The name that rules use.
    pub name: ShortText,
    /// The people, each once.
    pub members: Vec<EmailAddress>,
}

/// Whether any source may name a manager's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ManagerMail {
    /// At least one source may.
    Heard,
    /// None may, so a manager can never be found.
    NeverHeard,
}

/// What is written where a manager could never be found.
pub(super) const NO_MANAGER: &str =
    "\"manager\" needs a source whose may_set has \"employment.manager.email\"";

/// Reads `[[approver_groups]]`.
pub(super) fn read_groups(sections: Vec<Section<'_>>) -> Vec<ApproverGroup> {
    let mut names = Distinct::default();
    let groups = sections.into_iter().filter_map(|section| {
        let name =
            section.needed("name", "a name of 1 to 128 characters", |text| ShortText::parse(text).ok());
        if let Some(name) = &name {
            names.note(&section, "name", name.as_str());
        }
        let members = section.some("members", "a mail address", |text| EmailAddress::parse(text).ok());
        let mut people = Distinct::default();
        for member in &members {
            people.note(&section, "members", &member.key());
        }
        section.refuse_unknown();
        Some(ApproverGroup { name: name?, members })
    });
    groups.collect()
}
