//! The calls that a plan would make, for people who want to see them.
//!
//! Must hold: a pure function of the plan; nothing here decides what is called, and no digest covers it, so words may
//! change freely. A number that is learnt only on the way is written `{id}`, a name in an address `{name}`.

use crate::domain::plan::{DisableWith, GroupMember, Plan, PlannedGroup, PlannedStep};
use crate::domain::snapshot::GroupKind;
use crate::target::PreviewCall;

/// For each step of the plan, in order, the calls it would make when nothing goes wrong.
pub(super) fn preview(plan: &Plan) -> Vec<Vec<PreviewCall>> {
    plan.steps.iter().map(|step| calls_of(plan, step)).collect()
}

fn calls_of(plan: &Plan, step: &PlannedStep) -> Vec<PreviewCall> {
    let user = User::of(plan);
    match step {
        PlannedStep::FindUser => match plan.account {
            None => vec![look_up()],
            Some(_) => vec![user.read("the approved account"), look_up()],
        },
        PlannedStep::CreateUser(made) => vec![
            look_up(),
            call(
                "POST",
                "Users",
                &format!(
                    "with the name, user type {}, location {} and an initial password",
                    made.user_type, made.location
                ),
            ),
            user.read("to see what was made"),
        ],
        PlannedStep::CaptureUserId => vec![user.read("to learn and confirm the number")],
        PlannedStep::UpdateUser(_) => user
            .rewritten("the same record with the approved fields changed; only if they are not so already"),
        PlannedStep::AddToGroup(group) => add_to_group(plan, group),
        PlannedStep::RemoveFromGroup(group) => remove_from_group(plan, group),
        PlannedStep::RecordAccess => vec![
            user.read("its groups and vault authorisations"),
            call("GET", &user.at("/safes"), "its safes, where the vault tells them"),
        ],
        PlannedStep::DisableUser => disable(plan, &user),
        PlannedStep::EnableUser => enable(plan, &user),
        PlannedStep::ActivateUser => vec![
            user.read("to see whether it is suspended"),
            call("POST", &user.at("/Activate"), "to lift the suspension"),
            user.read("to see that it is lifted"),
        ],
        PlannedStep::ResetPassword => vec![
            user.read("the approved account"),
            call("POST", &user.at("/ResetPassword"), "with the user's number and a new password"),
        ],
        // A person does it, elsewhere.
        PlannedStep::LeaveGroupsByHand | PlannedStep::DisableInDirectory | PlannedStep::EnableInDirectory => {
            vec![]
        }
        PlannedStep::RequirePasswordChange => user.rewritten(
            "the same record with a new password demanded at the next log-on; only if it is not demanded yet",
        ),
        PlannedStep::VerifyUser => vec![user.read("to compare everything with this plan")],
    }
}

fn add_to_group(plan: &Plan, group: &PlannedGroup) -> Vec<PreviewCall> {
    let user = User::of(plan);
    let found = call("GET", "UserGroups", &format!("the group named {}", group.name));
    match group.kind {
        // Nothing is sent to a directory group.
        Some(GroupKind::Directory) => return vec![found],
        Some(GroupKind::Vault) | None => {}
    }
    vec![
        found,
        user.read("to see whether it is a member already"),
        call("POST", &format!("UserGroups/{}/Members", group.id), named(plan)),
        user.read("to see the membership"),
    ]
}

fn remove_from_group(plan: &Plan, group: &PlannedGroup) -> Vec<PreviewCall> {
    let user = User::of(plan);
    let found = user.read("to see whether it is a member");
    match group.kind {
        // Nothing is sent to a directory group.
        Some(GroupKind::Directory) => return vec![found],
        Some(GroupKind::Vault) | None => {}
    }
    vec![
        found,
        call("DELETE", &format!("UserGroups/{}/Members/{{name}}/", group.id), named(plan)),
        user.read("to see that it is out of the group"),
    ]
}

fn named(plan: &Plan) -> &'static str {
    match plan.dialect.group_member {
        GroupMember::Auto => "with the user name; by number only if the vault refuses the name",
        GroupMember::UserName => "with the user name",
        GroupMember::NumericId => "with the user's number",
    }
}

fn disable(plan: &Plan, user: &User) -> Vec<PreviewCall> {
    let written = "the same record, disabled";
    let note = match plan.dialect.disable_with {
        DisableWith::Auto => {
            "to disable it; the whole record is written instead if the vault does not know this call"
        }
        DisableWith::Call => "to disable it",
        DisableWith::Put => return user.rewritten(written),
    };
    vec![
        user.read("to see whether it is enabled"),
        call("POST", &user.at("/disable/"), note),
        user.read("to see that it is disabled"),
    ]
}

fn enable(plan: &Plan, user: &User) -> Vec<PreviewCall> {
    let note = match plan.dialect.disable_with {
        DisableWith::Auto => {
            "to enable it; the whole record is written instead if the vault does not know this call"
        }
        DisableWith::Call => "to enable it",
        DisableWith::Put => return user.rewritten("the same record, enabled"),
    };
    vec![
        user.read("to see that it is disabled, and in no group that was not approved"),
        call("POST", &user.at("/enable/"), note),
        user.read("to see that it is enabled"),
    ]
}

/// The account in an address.
struct User(String);

impl User {
    fn of(plan: &Plan) -> Self {
        Self(plan.account.as_ref().map_or_else(|| "{id}".to_owned(), |account| account.id.to_string()))
    }

    fn at(&self, below: &str) -> String {
        format!("Users/{}{below}", self.0)
    }

    fn read(&self, note: &str) -> PreviewCall {
        call("GET", &self.at(""), note)
    }

    fn rewritten(&self, note: &str) -> Vec<PreviewCall> {
        vec![
            self.read("the whole record"),
            call("PUT", &self.at(""), note),
            self.read("to compare every field"),
        ]
    }
}

fn look_up() -> PreviewCall {
    call("GET", "Users", "who has exactly this name")
}

fn call(method: &'static str, path: &str, note: &str) -> PreviewCall {
    PreviewCall { method, path: path.to_owned(), note: note.to_owned() }
}
