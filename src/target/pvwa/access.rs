//! Noting what the account can reach, before it is taken away.
//!
//! Must hold: only reads; what the vault does not tell is absent, never empty, and said in words. A right to list
//! safes that we lack holds no leaver up.

use serde_json::Value;

use super::act::Told;
use super::pages::{List, Raw, field, text};
use super::talk::{Fault, Talk};
use super::users::Account;
use crate::domain::step::{AccessSeen, Outcome, SafeSeen};
use crate::target::StepCall;

impl Talk<'_> {
    pub(super) async fn record_access(&mut self, call: &StepCall<'_>) -> Result<Told, Fault> {
        let account = self.our_account(call).await?;
        let groups = self.memberships(&account).await?;
        let (safes, untold) = match self.safes(&account).await {
            Ok(safes) => (Some(safes), String::new()),
            Err(Fault::Refused(said)) if matches!(said.status, 400 | 403 | 404 | 405 | 501) => {
                (None, format!("; its safes cannot be listed: {}", said.words))
            }
            Err(fault) => return Err(fault),
        };
        let authorizations = account.user.authorizations.clone();
        let told = format!(
            "user number {} had {}, {} and {} when it was read{untold}",
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
