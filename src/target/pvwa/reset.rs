//! Setting a new password.
//!
//! Must hold: the password goes out in this one call and nowhere else. No vault tells a password, so what came of a lost
//! call cannot be read: the same password is set again, which changes nothing where it was set before. A vault that
//! remembers passwords may then refuse it because it has it; only such words, and only after a lost call, are taken for
//! its being set.

use secrecy::ExposeSecret;
use serde_json::json;

use super::act::Told;
use super::answer::Said;
use super::talk::{Fault, Talk};
use super::users::Account;
use crate::domain::plan::ResetOfDisabled;
use crate::domain::step::Outcome;
use crate::target::{SentBefore, StepCall};

impl Talk<'_> {
    pub(super) async fn reset_password(&mut self, call: &StepCall<'_>) -> Result<Told, Fault> {
        let account = self.our_record(call).await?;
        let Some(password) = &call.password else {
            return Err(Fault::NeedsPerson("no password was handed over, so nothing was sent".to_owned()));
        };
        let id = account.user.id;
        let body = json!({ "id": id.0, "newPassword": password.expose_secret() });
        match self.post(&format!("Users/{id}/ResetPassword"), body).await {
            Ok(_) => {
                Ok(Told::new(Outcome::Done, format!("the vault has set a new password for user number {id}")))
            }
            Err(Fault::Refused(said)) => refused(call, &account, said),
            Err(fault) => Err(fault),
        }
    }

    pub(super) async fn look_for_reset(&mut self, call: &StepCall<'_>) -> Result<Told, Fault> {
        let id = self.our_record(call).await?.user.id;
        Ok(Told::new(
            Outcome::NotThere,
            format!("user number {id} is there; no vault tells a password, so the same one is set once more"),
        ))
    }
}

fn refused(call: &StepCall<'_>, account: &Account, said: Said) -> Result<Told, Fault> {
    if call.sent_before == SentBefore::Perhaps && is_remembered(&said.words) {
        let words = format!("{}; so the call before, which got no answer, had set it", said.words);
        return Ok(Told::new(Outcome::Done, words));
    }
    let of_disabled = call.plan.dialect.reset_of_disabled;
    if account.user.enabled == Some(false) && of_disabled == ResetOfDisabled::Works {
        let words = format!(
            "{}; the user is disabled: where that is the reason, say resets_disabled_users = false in the settings of the \
             target, give this one up, and let it be asked for again",
            said.words
        );
        return Err(Fault::Refused(Said { words, ..said }));
    }
    Err(Fault::Refused(said))
}

/// Does the vault say that it has had this password before, and no more than that? Words about everything that a
/// password must be say nothing about this one. No public material has a code for either.
fn is_remembered(words: &str) -> bool {
    const REMEMBERED: [&str; 5] =
        ["history", "used before", "been used", "used previously", "previous password"];
    const ANYTHING: [&str; 5] = ["length", "complex", "character", "requirement", "policy"];
    let words = words.to_lowercase();
    let says = |list: &[&str]| list.iter().any(|part| words.contains(part));
    says(&REMEMBERED) && !says(&ANYTHING)
}

#[cfg(test)]
mod tests {
    use super::is_remembered;

    #[test]
    fn a_password_is_remembered_only_where_nothing_else_is_said() {
        for (words, remembered) in [
            ("the vault answered 400 X: The password was used before", true),
            ("the vault answered 400 X: The password is in the user's history", true),
            ("the vault answered 400 X: This password has already been used", true),
            (
                "the vault answered 400 X: does not meet the length, complexity, or history requirements",
                false,
            ),
            ("the vault answered 400 X: violates the password policy (length or history)", false),
            ("the vault answered 403 PASWS041E: not authorised", false),
        ] {
            assert_eq!(is_remembered(words), remembered, "{words}");
        }
    }
}
