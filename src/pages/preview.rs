//! The calls that a step will probably make, for readers who know the vault's interface.
//!
//! Must hold: a preview only; it is not part of what is approved (the digest covers the step, not its spelling), and
//! nothing is ever sent from here. What is known only at run time stands in braces.

use url::form_urlencoded::byte_serialize;

use crate::domain::names::UserName;
use crate::domain::plan::{DialectSettings, GroupMember, PlannedGroup, PlannedStep, UserShape};

/// One call as it will probably look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviewCall {
    /// `GET`, `POST`, `PUT`.
    pub method: &'static str,
    /// Below the interface's address.
    pub path: String,
    /// What is in it, or what it is for.
    pub note: &'static str,
}

fn call(method: &'static str, path: impl Into<String>, note: &'static str) -> PreviewCall {
    PreviewCall { method, path: path.into(), note }
}

/// The calls of one step, in order.
pub fn preview(step: &PlannedStep, dialect: &DialectSettings, user: &UserName) -> Vec<PreviewCall> {
    let read = |note| call("GET", "Users/{id}", note);
    match step {
        PlannedStep::FindUser => vec![find(user)],
        PlannedStep::CreateUser(_) => {
            vec![find(user), call("POST", "Users", shape(dialect.user_shape)), read("read back")]
        }
        PlannedStep::CaptureUserId => vec![find(user), read("the number, and that it is ours")],
        PlannedStep::AddToGroup(group) => add(group, dialect.group_member),
        PlannedStep::RequirePasswordChange => vec![
            read("everything, unknown fields too"),
            call(
                "PUT",
                "Users/{id}",
                "everything as read, with changePassOnNextLogon: true; only if not set yet",
            ),
            read("read back and compare"),
        ],
        PlannedStep::VerifyUser => vec![read("compare with the plan, groups included")],
    }
}

fn find(user: &UserName) -> PreviewCall {
    let wanted: String = byte_serialize(user.as_str().as_bytes()).collect();
    call("GET", format!("Users?search={wanted}"), "is the name free?")
}

fn shape(shape: UserShape) -> &'static str {
    match shape {
        UserShape::Auto => {
            "name, type, location, profile and the initial password; spelled as the vault spells users"
        }
        UserShape::Nested => "name, type, location, profile under personalDetails, and the initial password",
        UserShape::Flat => "name, type, location, profile and the initial password, all side by side",
    }
}

fn add(group: &PlannedGroup, member: GroupMember) -> Vec<PreviewCall> {
    let wanted: String = byte_serialize(group.name.as_str().as_bytes()).collect();
    let form = match member {
        GroupMember::Auto => "member by user name; by number only if that is refused",
        GroupMember::UserName => "member by user name",
        GroupMember::NumericId => "member by number",
    };
    vec![
        call("GET", format!("UserGroups?search={wanted}"), "is it still the same group?"),
        call("POST", format!("UserGroups/{}/Members", group.id), form),
        call("GET", "Users/{id}", "is the right user in the group?"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::sample;

    #[test]
    fn each_step_has_its_calls() {
        let plan = sample::plan();
        let calls: Vec<String> = plan
            .steps
            .iter()
            .flat_map(|step| preview(step, &plan.dialect, &plan.user_name))
            .filter(|call| call.method != "GET")
            .map(|call| format!("{} {}", call.method, call.path))
            .collect();
        let wanted =
            ["POST Users", "POST UserGroups/7/Members", "POST UserGroups/12/Members", "PUT Users/{id}"];
        assert_eq!(calls, wanted);
        let group = preview(&plan.steps[4], &plan.dialect, &plan.user_name);
        assert_eq!(group[0].path, "UserGroups?search=Linux+Admins");
    }
}
