//! The simulated vault against an approved plan, for the demonstration.
//!
//! Must hold: the journal of writes is exactly the writing steps that the ledger calls done; every field of the user
//! that the plan does not change is as it was before.

use serde_json::{Value, json};

use crate::domain::plan::{Effect, NewUser, Plan, PlannedStep};
use crate::domain::snapshot::ProfileField;
use crate::domain::step::{Ledger, StepState};

/// The writes of a run against the steps that are called done.
pub(super) fn compare_writes(plan: &Plan, ledger: &Ledger, journal: &[&str]) -> Result<(), String> {
    let done = plan.steps.iter().zip(&ledger.steps);
    let written: Vec<&[&str]> = done
        .filter(|(step, record)| step.effect() == Effect::Writes && record.state == StepState::Done)
        .map(|(step, _)| in_journal(step))
        .collect();
    let same = written.len() == journal.len()
        && written.iter().zip(journal).all(|(wanted, found)| wanted.contains(found));
    if same {
        return Ok(());
    }
    Err(format!("the vault's journal says {journal:?}, the ledger {written:?}"))
}

/// The simulator's own words for the effect of a step.
fn in_journal(step: &PlannedStep) -> &'static [&'static str] {
    match step {
        PlannedStep::CreateUser(_) => &["create_user"],
        PlannedStep::AddToGroup(_) => &["add_member"],
        PlannedStep::RemoveFromGroup(_) => &["remove_member"],
        // A vault without a call for it takes the whole record.
        PlannedStep::DisableUser => &["disable_user", "update_user"],
        PlannedStep::EnableUser => &["enable_user", "update_user"],
        PlannedStep::ResetPassword => &["reset_password"],
        PlannedStep::UpdateUser(_) | PlannedStep::RequirePasswordChange => &["update_user"],
        PlannedStep::FindUser
        | PlannedStep::CaptureUserId
        | PlannedStep::RecordAccess
        | PlannedStep::LeaveGroupsByHand
        | PlannedStep::DisableInDirectory
        | PlannedStep::EnableInDirectory
        | PlannedStep::VerifyUser => &[],
    }
}

/// The user in the vault against what the plan makes of the one before.
pub(super) fn compare_user(plan: &Plan, before: Option<&Value>, user: &Value) -> Result<(), String> {
    match before {
        None => newly_made(plan, user)?,
        Some(before) => otherwise_unchanged(plan, before, user)?,
    }
    let enabled = !plan.steps.contains(&PlannedStep::DisableUser);
    same(user, "enabled", "/enableUser", &enabled.into())?;
    let mut groups: Vec<&str> = before.map(names_of_groups).unwrap_or_default();
    groups.retain(|held| !plan.leaves().any(|gone| gone.name.as_str() == *held));
    for step in &plan.steps {
        if let PlannedStep::AddToGroup(group) = step {
            groups.push(group.name.as_str());
        }
    }
    let mut held = names_of_groups(user);
    groups.sort_unstable();
    held.sort_unstable();
    if groups == held {
        return Ok(());
    }
    Err(format!("groups: the vault has {held:?}, approved was {groups:?}"))
}

fn newly_made(plan: &Plan, user: &Value) -> Result<(), String> {
    for step in &plan.steps {
        match step {
            PlannedStep::CreateUser(new) => as_planned(new, user)?,
            PlannedStep::RequirePasswordChange => {
                same(user, "new password", "/changePassOnNextLogon", &true.into())?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn as_planned(new: &NewUser, user: &Value) -> Result<(), String> {
    same(user, "user type", "/userType", &new.user_type.as_str().into())?;
    same(user, "location", "/location", &new.location.as_str().into())?;
    for field in [ProfileField::FirstName, ProfileField::LastName, ProfileField::Email] {
        let wanted = new.profile.get(&field).map_or("", String::as_str);
        same(user, field.in_words(), place(field), &wanted.into())?;
    }
    Ok(())
}

fn otherwise_unchanged(plan: &Plan, before: &Value, user: &Value) -> Result<(), String> {
    let mut wanted = before.clone();
    for step in &plan.steps {
        if let PlannedStep::UpdateUser(change) = step {
            for (field, to) in &change.fields {
                put(&mut wanted, place(*field), json!(to.to));
            }
        }
    }
    // Compared by themselves.
    for kept in ["groupsMembership", "enableUser"] {
        wanted[kept] = user[kept].clone();
    }
    let (Some(wanted), Some(user)) = (wanted.as_object(), user.as_object()) else {
        return Err("the vault's user is no record".to_owned());
    };
    let differs = wanted.iter().find(|(key, value)| user.get(*key) != Some(value));
    match differs {
        None => Ok(()),
        Some((key, _)) => Err(format!("{key} changed although nobody approved that")),
    }
}

/// Sets the text at `/a` or `/a/b`.
fn put(record: &mut Value, place: &str, value: Value) {
    let mut here = record;
    for key in place.split('/').filter(|key| !key.is_empty()) {
        here = &mut here[key];
    }
    *here = value;
}

fn same(user: &Value, what: &str, place: &str, wanted: &Value) -> Result<(), String> {
    let is = user.pointer(place).unwrap_or(&Value::Null);
    if is == wanted { Ok(()) } else { Err(format!("{what}: the vault has {is}, approved was {wanted}")) }
}

const fn place(field: ProfileField) -> &'static str {
    match field {
        ProfileField::FirstName => "/personalDetails/firstName",
        ProfileField::MiddleName => "/personalDetails/middleName",
        ProfileField::LastName => "/personalDetails/lastName",
        ProfileField::Email => "/internet/businessEmail",
        ProfileField::Title => "/personalDetails/title",
        ProfileField::Organization => "/personalDetails/organization",
        ProfileField::Department => "/personalDetails/department",
        ProfileField::Location => "/location",
        ProfileField::Description => "/description",
    }
}

fn names_of_groups(user: &Value) -> Vec<&str> {
    let groups = user.get("groupsMembership").and_then(Value::as_array);
    groups.into_iter().flatten().filter_map(|group| group.get("groupName").and_then(Value::as_str)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::sample;

    /// A run of the sample plan that is done, and the user that it makes.
    fn finished() -> (Plan, Ledger, Value) {
        let run = sample::run();
        let mut ledger = run.ledger;
        ledger.steps.iter_mut().for_each(|record| record.state = StepState::Done);
        let mut user = json!({ "enableUser": true, "changePassOnNextLogon": true, "groupsMembership": [] });
        for step in &run.plan.steps {
            match step {
                PlannedStep::CreateUser(new) => {
                    user["userType"] = new.user_type.as_str().into();
                    user["location"] = new.location.as_str().into();
                    for field in [ProfileField::FirstName, ProfileField::LastName, ProfileField::Email] {
                        let text = new.profile.get(&field).map_or("", String::as_str);
                        put(&mut user, place(field), text.into());
                    }
                }
                PlannedStep::AddToGroup(group) => {
                    let member = json!({ "groupName": group.name.as_str() });
                    user["groupsMembership"].as_array_mut().unwrap().push(member);
                }
                _ => {}
            }
        }
        (run.plan, ledger, user)
    }

    #[test]
    fn a_journal_that_is_not_the_ledgers_is_told() {
        let (plan, mut ledger, _) = finished();
        let writes = plan.steps.iter().filter(|step| step.effect() == Effect::Writes);
        let journal: Vec<&str> = writes.map(|step| in_journal(step)[0]).collect();
        compare_writes(&plan, &ledger, &journal).unwrap();
        assert!(journal.len() > 2);
        let twice = [&journal[..1], &journal[..]].concat();
        let mut other = journal.clone();
        other.swap(0, 1);
        for wrong in [&journal[1..], &journal[..journal.len() - 1], &twice, &other] {
            compare_writes(&plan, &ledger, wrong).unwrap_err();
        }
        let written = plan.steps.iter().position(|step| step.effect() == Effect::Writes).unwrap();
        ledger.steps[written].state = StepState::Skipped;
        compare_writes(&plan, &ledger, &journal).unwrap_err();
    }

    #[test]
    fn a_user_that_is_not_as_approved_is_told() {
        let (plan, _, user) = finished();
        compare_user(&plan, None, &user).unwrap();
        for (pointer, value) in [
            ("/enableUser", json!(false)),
            ("/userType", json!("AutoProvider")),
            ("/location", json!("\\")),
            ("/internet/businessEmail", json!("mallory@example.com")),
            ("/groupsMembership", json!([])),
            ("/groupsMembership", json!([{ "groupName": "Vault Admins" }])),
        ] {
            let mut wrong = user.clone();
            *wrong.pointer_mut(pointer).unwrap() = value;
            compare_user(&plan, None, &wrong).expect_err(pointer);
        }
    }

    #[test]
    fn what_nobody_approved_to_change_is_told() {
        let (mut plan, _, user) = finished();
        plan.steps.retain(|step| !matches!(step, PlannedStep::CreateUser(_) | PlannedStep::AddToGroup(_)));
        compare_user(&plan, Some(&user), &user).unwrap();
        for (key, value) in [("location", json!("\\Elsewhere")), ("changePassOnNextLogon", json!(false))] {
            let mut wrong = user.clone();
            wrong[key] = value;
            compare_user(&plan, Some(&user), &wrong).expect_err(key);
        }
    }
}
