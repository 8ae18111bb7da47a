//! The calls that a plan would make, for people who want to see them.
//!
//! Must hold: a pure function of the plan; nothing here decides what is called, and no digest covers it, so words may
//! change freely. A number that is learnt only on the way is written `{id}`.

use crate::domain::plan::{GroupMember, Plan, PlannedGroup, PlannedStep};
use crate::domain::snapshot::GroupKind;
use crate::target::PreviewCall;

/// For each step of the plan, in order, the calls it would make when nothing goes wrong.
pub(super) fn preview(plan: &Plan) -> Vec<Vec<PreviewCall>> {
    plan.steps.iter().map(|step| calls_of(plan, step)).collect()
}

fn calls_of(plan: &Plan, step: &PlannedStep) -> Vec<PreviewCall> {
    match step {
        PlannedStep::FindUser => vec![look_up()],
        PlannedStep::CreateUser(user) => vec![
            look_up(),
            call(
                "POST",
                "Users",
                &format!(
                    "with the name, user type {}, location {} and an initial password",
                    user.user_type, user.location
                ),
            ),
            read("to see what was made"),
        ],
        PlannedStep::CaptureUserId => vec![read("to learn and confirm the number")],
        PlannedStep::AddToGroup(group) => add_to_group(plan, group),
        PlannedStep::RequirePasswordChange => vec![
            read("the whole record"),
            call(
                "PUT",
                "Users/{id}",
                "the same record with a new password demanded at the next log-on; only if it is not demanded yet",
            ),
            read("to compare every field"),
        ],
        PlannedStep::UpdateUser(_)
        | PlannedStep::RemoveFromGroup(_)
        | PlannedStep::RecordAccess
        | PlannedStep::DisableUser
        | PlannedStep::DisableInDirectory => vec![],
        PlannedStep::VerifyUser => vec![read("to compare everything with this plan")],
    }
}

fn add_to_group(plan: &Plan, group: &PlannedGroup) -> Vec<PreviewCall> {
    let found = call("GET", "UserGroups", &format!("the group named {}", group.name));
    match group.kind {
        // Nothing is sent to a directory group.
        GroupKind::Directory => return vec![found],
        GroupKind::Vault => {}
    }
    let member = match plan.dialect.group_member {
        GroupMember::Auto => "with the user name; by number only if the vault refuses the name",
        GroupMember::UserName => "with the user name",
        GroupMember::NumericId => "with the user's number",
    };
    vec![
        found,
        read("to see whether it is a member already"),
        call("POST", &format!("UserGroups/{}/Members", group.id), member),
        read("to see the membership"),
    ]
}

fn look_up() -> PreviewCall {
    call("GET", "Users", "who has exactly this name")
}

fn read(note: &str) -> PreviewCall {
    call("GET", "Users/{id}", note)
}

fn call(method: &'static str, path: &str, note: &str) -> PreviewCall {
    PreviewCall { method, path: path.to_owned(), note: note.to_owned() }
}
