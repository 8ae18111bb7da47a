//! Memberships of an account, and which of them the vault can end.
//!
//! Must hold: a group is known by its number; what only a directory keeps is never planned to end here.

use super::names::GroupName;
use super::plan::PlannedGroup;
use super::snapshot::{GroupKind, MemberOf};

/// A membership that can be ended in the vault, as a plan names it; none where only a directory, or a hand, can end it.
///
/// The vault tells the kind of each group in the user's record and in the list of groups. Where neither does, the
/// membership is planned to end all the same, and the page says so: the vault itself refuses to change a directory's
/// group, so trying does no harm, and access that is left in silence does. The refusal goes to a person with the reason.
pub fn removable(member: &MemberOf) -> Option<PlannedGroup> {
    match member.kind {
        Some(GroupKind::Directory) => return None,
        Some(GroupKind::Vault) | None => {}
    }
    let name = GroupName::parse(&member.name).ok()?;
    Some(PlannedGroup { name, id: member.id, kind: member.kind })
}

/// A membership that ends whatever the group is called, as a leaver's do. The number alone names it; where the name is missing or unfit, a label stands
/// for it.
pub fn ends_here(member: &MemberOf) -> Option<PlannedGroup> {
    let name = GroupName::parse(&label(member)).ok()?;
    removable(&MemberOf { name: name.as_str().to_owned(), ..member.clone() })
}

/// What a group is called for a person: its name, or its number where it has none that fits.
pub fn label(member: &MemberOf) -> String {
    match GroupName::parse(&member.name) {
        Ok(name) => name.as_str().to_owned(),
        Err(_) => format!("number {}", member.id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::VaultGroupId;

    #[test]
    fn a_group_ends_by_its_number_whatever_its_name_is() {
        for name in ["", "two\nlines", &"x".repeat(129)] {
            let member =
                MemberOf { id: VaultGroupId(9), name: name.to_owned(), kind: Some(GroupKind::Vault) };
            let planned = ends_here(&member).unwrap();
            assert_eq!((planned.id, planned.name.as_str()), (VaultGroupId(9), "number 9"));
            // What may be granted is known by its name, and a label is none.
            assert_eq!(removable(&member), None);
            assert_eq!(ends_here(&MemberOf { kind: Some(GroupKind::Directory), ..member }), None);
        }
    }
}
