//! Does our account see every user? One that is not shown to it is otherwise gone, or out of its sight.
//!
//! Must hold: proven only by what the vault itself tells of our account; what it does not tell is not proven. Only reads.

use super::talk::{Fault, Talk};
use crate::domain::snapshot::ProfileField;
use crate::target::Sight;

/// The right with which users are seen.
const AUDIT_USERS: &str = "AuditUsers";

/// Where an account stands that sees all locations: only its own and those below are shown to it.
const ROOT: &str = "\\";

impl Talk<'_> {
    /// Reads our own account.
    pub(super) async fn sight(&mut self) -> Result<Sight, Fault> {
        let not_proven = |why: &str| Ok(Sight::NotProven { why: why.to_owned() });
        let name = self.pvwa.account.clone();
        let [id] = self.users_named(&name).await?[..] else {
            return not_proven("the vault does not show our own account, and so not what that sees");
        };
        let Some(own) = self.account(id).await? else {
            return not_proven("the record of our own account cannot be read");
        };
        match own.user.profile.get(&ProfileField::Location) {
            Some(location) if location == ROOT => {}
            Some(_) => return not_proven("our own account sees only its own location and what is below"),
            None => return not_proven("the vault does not tell the location of our own account"),
        }
        match &own.user.authorizations {
            Some(told) if told.iter().any(|right| right.eq_ignore_ascii_case(AUDIT_USERS)) => {
                Ok(Sight::Whole)
            }
            Some(_) => not_proven("our own account has no AuditUsers"),
            None => not_proven("the vault does not tell whether our own account has AuditUsers"),
        }
    }
}
