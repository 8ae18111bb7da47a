//! May this account be touched at all?
//!
//! Must hold: a component of the vault never is; the record of a directory's account is the directory's to change; an
//! account that a plan changes is the one that was approved, by number and by where it is kept.

use super::talk::Fault;
use super::users::Account;
use crate::domain::plan::PlannedAccount;
use crate::domain::snapshot::{ComponentUser, UserSource};

/// May the record of this account be changed?
pub(super) fn own_record(account: &Account) -> Result<(), Fault> {
    no_component(account)?;
    match account.user.source {
        UserSource::Directory => Err(Fault::NeedsPerson(format!(
            "user number {} comes from a directory; it can be changed only there",
            account.user.id
        ))),
        UserSource::Vault => Ok(()),
    }
}

/// Is this the account that was approved, and may anything be done with it?
pub(super) fn as_approved(planned: &PlannedAccount, account: &Account) -> Result<(), Fault> {
    let id = account.user.id;
    if id != planned.id {
        let words = format!("user number {id} is not the approved account, which is number {}", planned.id);
        return Err(Fault::NeedsPerson(words));
    }
    no_component(account)?;
    if account.user.source == planned.source {
        return Ok(());
    }
    let keeper = |source| match source {
        UserSource::Vault => "by the vault itself",
        UserSource::Directory => "by a directory",
    };
    Err(Fault::NeedsPerson(format!(
        "user number {id} was kept {} when this was approved and is kept {} now",
        keeper(planned.source),
        keeper(account.user.source)
    )))
}

fn no_component(account: &Account) -> Result<(), Fault> {
    match account.user.component {
        ComponentUser::Yes => Err(Fault::NeedsPerson(format!(
            "user number {} is a component of the vault and is never touched",
            account.user.id
        ))),
        ComponentUser::No => Ok(()),
    }
}
