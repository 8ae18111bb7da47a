//! Noting what the account can reach, before it is taken away.
//!
//! Must hold: only reads; what the vault does not tell is absent, never empty, and said in words. Nothing but the
//! account itself and the sign-in may hold a leaver up here: a list that is refused, strange, or not to be had after the
//! last try is noted as not told, and the account is disabled all the same.

use serde_json::Value;

use super::act::Told;
use super::pages::{List, Raw, field, text};
use super::talk::{Fault, Talk};
use super::users::Account;
use crate::domain::step::{AccessSeen, Outcome, SafeSeen};
use crate::target::{Again, StepCall};

impl Talk<'_> {
    pub(super) async fn record_access(&mut self, call: &StepCall<'_>) -> Result<Told, Fault> {
        let account = self.our_account(call).await?;
        let (groups, no_groups) = noted(call.again, "groups", self.memberships(&account).await)?;
        let groups = groups.and_then(|found| found.told);
        let (safes, no_safes) = noted(call.again, "safes", self.safes(&account).await)?;
        let authorizations = account.user.authorizations.clone();
        let told = format!(
            "user number {} had {}, {} and {} when it was read{no_groups}{no_safes}",
            account.user.id,
            counted(groups.as_deref().map(<[_]>::len), "group"),
            counted(safes.as_deref().map(<[_]>::len), "safe"),
            counted(authorizations.as_deref().map(<[_]>::len), "vault authorisation"),
        );
        self.access = Some(AccessSeen { groups, safes, authorizations });
        Ok(Told::about(Outcome::Done, account.user.id, told))
    }

    async fn safes(&mut self, account: &Account) -> Result<Vec<SafeSeen>, Fault> {
        let path = format!("Users/{}/safes", account.user.id);
        let listed = self.list(List { path: &path, records: "Safes" }, &[]).await?;
        let strange = || Fault::NeedsPerson("the vault lists a safe without a name".to_owned());
        listed.iter().map(|record| safe(record).ok_or_else(strange)).collect()
    }
}

/// What was read, or what is said of it where it was not told. A passing fault is worth the tries that are left.
fn noted<T>(again: Again, what: &str, read: Result<T, Fault>) -> Result<(Option<T>, String), Fault> {
    match (read, again) {
        (Ok(told), Again::Yes | Again::No) => Ok((Some(told), String::new())),
        (Err(fault @ Fault::NotSignedIn(_)), Again::Yes | Again::No)
        | (Err(fault @ Fault::Passing { .. }), Again::Yes) => Err(fault),
        (Err(fault @ Fault::Passing { .. }), Again::No)
        | (
            Err(
                fault @ (Fault::Refused(_) | Fault::AlreadySo(_) | Fault::Unclear(_) | Fault::NeedsPerson(_)),
            ),
            Again::Yes | Again::No,
        ) => Ok((None, format!("; its {what} cannot be listed: {fault}"))),
    }
}

fn safe(record: &Raw) -> Option<SafeSeen> {
    let name = ["safeName", "name", "safeUrlId"].into_iter().find_map(|key| text(record, key))?.to_owned();
    let permissions = field(record, "permissions").and_then(Value::as_object).map(|held| {
        let held = held.iter().filter(|(_, held)| held.as_bool() == Some(true));
        held.map(|(name, _)| name.clone()).collect()
    });
    Some(SafeSeen { name, permissions })
}

fn counted(many: Option<usize>, what: &str) -> String {
    match many {
        None => format!("an unknown number of {what}s"),
        Some(0) => format!("no {what}"),
        Some(1) => format!("1 {what}"),
        Some(many) => format!("{many} {what}s"),
    }
}
