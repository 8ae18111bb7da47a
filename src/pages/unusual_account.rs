//! What to look at twice in a plan that changes or ends an account.
//!
//! Must hold: what the plan cannot do or will not do is said as plainly as what it does.

use super::account_in_words::{Stays, change, stays};
use super::unfit::cut;
use crate::domain::kind::Kind;
use crate::domain::plan::{Owner, Plan, PlannedAccount, PlannedStep};
use crate::domain::snapshot::{Snapshot, UserSeen, UserSource, VaultUser};
use crate::web::visible::visible;

/// More memberships than this are worth a second look when they end.
const MANY_GROUPS: usize = 5;

/// All points about the account, the weightiest first.
pub(super) fn of_known_account(plan: &Plan, account: &PlannedAccount, snapshot: &Snapshot) -> Vec<String> {
    let mut points = Vec::new();
    let UserSeen::Present(user) = &snapshot.user else {
        return vec![format!("The vault showed no user {} when it was last read.", plan.user_name)];
    };
    points.extend(first_match(plan, account));
    points.extend(directory(plan, account));
    points.extend(standing(plan, user));
    points.extend(memberships(plan, user));
    points.extend(seat(plan, account, user));
    if let Some(change) = change(plan) {
        let kept = |field| change.fields.get(&field).map(|change| change.to.as_str());
        points.extend(cut(&change.cut, kept));
    }
    if plan.steps.iter().all(|step| matches!(step, PlannedStep::FindUser | PlannedStep::VerifyUser)) {
        points.push("The account is as this request wants it already: nothing will be changed.".to_owned());
    }
    points
}

fn first_match(plan: &Plan, account: &PlannedAccount) -> Option<String> {
    match &account.owner {
        Owner::Linked => None,
        Owner::Renamed { known_as } => Some(format!(
            "This person\u{2019}s account, user number {} in {}, is known as {} here and now called {} in the vault. \
             Approving confirms the new name, and it is remembered.",
            account.id,
            plan.target,
            visible(known_as),
            visible(&account.user_name)
        )),
        Owner::ToBeConfirmed => Some(format!(
            "This link is new: nothing but the name in this request says that {} (user number {} in {}) is this \
             person\u{2019}s account. Approving confirms it, and it is remembered.",
            visible(&account.user_name),
            account.id,
            plan.target
        )),
    }
}

fn directory(plan: &Plan, account: &PlannedAccount) -> Option<String> {
    match (account.source, plan.kind) {
        (UserSource::Vault, _) => None,
        (UserSource::Directory, Kind::Leaver) => Some(
            "The user comes from a directory. The vault cannot disable it: until a person has done so in the \
             directory, it can still log on, and this request waits."
                .to_owned(),
        ),
        (UserSource::Directory, Kind::Rehire) => Some(
            "The user comes from a directory. The vault can neither enable it nor set its password: its groups come and \
             go, and then this request waits until a person has enabled it in the directory."
                .to_owned(),
        ),
        (UserSource::Directory, _) => Some(
            "The user comes from a directory, which keeps its record: names, mail and the like are not changed here."
                .to_owned(),
        ),
    }
}

fn standing(plan: &Plan, user: &VaultUser) -> Vec<String> {
    let mut points = Vec::new();
    match (user.enabled, plan.kind) {
        (Some(false), Kind::Leaver) => {
            points.push("The user is disabled already; that will be read and not written.".to_owned());
        }
        (Some(false), Kind::Rehire) => {}
        (Some(true), Kind::Rehire) => points.push(
            "The user is enabled already, which is unusual for somebody who comes back: this person, or somebody else, \
             can use the account today. It gets a new password and only the groups of this plan."
                .to_owned(),
        ),
        (Some(false), _) => points.push("The user is disabled, and it stays disabled.".to_owned()),
        (Some(true) | None, _) => {}
    }
    if user.suspended == Some(true) && plan.kind != Kind::Unsuspend {
        points.push(
            "The user is suspended after failed log-ons, and this plan leaves that as it is.".to_owned(),
        );
    }
    let powers: Vec<String> = user.authorizations.iter().flatten().map(|power| visible(power)).collect();
    if !powers.is_empty() {
        points.push(format!(
            "The user may do this in the vault itself, and this plan leaves it so: {}.",
            powers.join(", ")
        ));
    }
    points
}

fn memberships(plan: &Plan, user: &VaultUser) -> Vec<String> {
    let mut points = Vec::new();
    let ends = plan.leaves().count();
    if ends > MANY_GROUPS {
        points.push(format!("{ends} memberships end."));
    }
    let by_hand = plan.steps.contains(&PlannedStep::LeaveGroupsByHand);
    match (user.groups.is_none(), by_hand) {
        (true, true) => points.push(
            "The vault does not tell which groups the user is in, so this waits for a person who takes the user out \
             of them by hand."
                .to_owned(),
        ),
        (true, false) => points.push(
            "The vault does not tell which groups the user is in, so none is taken away. Look for them in the vault."
                .to_owned(),
        ),
        (false, true) => points.push(
            "The vault shows a group of the user without a number, so a person must take the user out of it by hand."
                .to_owned(),
        ),
        (false, false) => {}
    }
    if matches!(plan.kind, Kind::Leaver | Kind::Rehire) {
        let Stays { kept, directory } = stays(plan, user);
        if plan.kind == Kind::Leaver && !kept.is_empty() {
            points.push(format!("These memberships stay, as the request says: {}.", kept.join(", ")));
        }
        if !directory.is_empty() {
            points.push(format!(
                "These memberships come from a directory and stay until they are ended there: {}.",
                directory.join(", ")
            ));
        }
    }
    let untold = plan.leaves().filter(|group| group.kind.is_none());
    let untold: Vec<String> = untold.map(|group| visible(group.name.as_str())).collect();
    if !untold.is_empty() {
        points.push(format!(
            "The vault does not tell whether these groups are its own or a directory\u{2019}s: {}. Taking the user out is \
             tried; where the vault refuses, the membership stays and a person must look.",
            untold.join(", ")
        ));
    }
    points
}

fn seat(plan: &Plan, account: &PlannedAccount, user: &VaultUser) -> Option<String> {
    let wanted = account.other_user_type.as_ref()?;
    Some(format!(
        "The profile \u{201c}{}\u{201d} has the licence seat {wanted}; the account holds {} and keeps it.",
        visible(&plan.profile),
        visible(&user.user_type)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::VaultGroupId;
    use crate::domain::names::UserType;
    use crate::domain::snapshot::{GroupKind, MemberOf};
    use crate::pages::sample;

    fn points(change: impl FnOnce(&mut Plan, &mut VaultUser)) -> Vec<String> {
        let (mut plan, mut snapshot) = (sample::leaver_plan(), sample::leaver_snapshot());
        let UserSeen::Present(user) = &mut snapshot.user else { panic!("the sample has a user") };
        change(&mut plan, user);
        of_known_account(&plan, plan.account.as_ref().unwrap(), &snapshot)
    }

    #[test]
    fn an_ordinary_leaver_has_nothing_unusual() {
        assert_eq!(points(|_, _| {}), Vec::<String>::new());
    }

    #[test]
    fn each_unusual_thing_is_named() {
        let account =
            |plan: &mut Plan, change: fn(&mut PlannedAccount)| change(plan.account.as_mut().unwrap());
        let new = points(|plan, _| account(plan, |account| account.owner = Owner::ToBeConfirmed));
        assert!(new[0].contains("This link is new") && new[0].contains("number 42"));
        let directory = points(|plan, _| account(plan, |account| account.source = UserSource::Directory));
        assert!(directory[0].contains("can still log on"));
        assert!(points(|_, user| user.enabled = Some(false))[0].contains("disabled already"));
        assert!(points(|_, user| user.suspended = Some(true))[0].contains("suspended"));
        let back = |enabled| {
            points(|plan, user| {
                (plan.kind, user.enabled) = (Kind::Rehire, Some(enabled));
            })
        };
        assert!(back(true)[0].contains("enabled already, which is unusual") && back(false).is_empty());
        let powers = points(|_, user| user.authorizations = Some(vec!["AddSafes".to_owned()]));
        assert!(powers[0].contains("AddSafes"));
        assert!(points(|_, user| user.groups = None)[0].contains("does not tell"));
        let foreign = points(|_, user| {
            user.groups.as_mut().unwrap().push(MemberOf {
                id: VaultGroupId(90),
                name: "AD-Ops".to_owned(),
                kind: Some(GroupKind::Directory),
            });
        });
        assert!(foreign[0].contains("AD-Ops") && foreign[0].contains("from a directory"));
        let unnamed = points(|_, user| {
            let member = MemberOf { id: VaultGroupId(90), name: String::new(), kind: Some(GroupKind::Vault) };
            user.groups.as_mut().unwrap().push(member);
        });
        assert!(unnamed[0].contains("memberships stay") && unnamed[0].contains("number 90"), "{unnamed:?}");
        let untold = points(|plan, _| {
            for step in &mut plan.steps {
                if let PlannedStep::RemoveFromGroup(group) = step {
                    group.kind = None;
                }
            }
        });
        assert!(untold[0].contains("its own or a directory\u{2019}s: "), "{untold:?}");
        let seat = points(|plan, _| {
            account(plan, |account| account.other_user_type = UserType::parse("BasicUser").ok());
        });
        assert!(seat[0].contains("BasicUser") && seat[0].contains("keeps it"));
    }
}
