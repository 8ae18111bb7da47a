//! What a careful reader should look at twice.
//!
//! Must hold: each point says what is unusual and what follows from it; nothing usual is listed, so that the list
//! keeps its weight. Deliberately absent: forbidding anything; what is not allowed is never planned.

use chrono::TimeDelta;

use super::account_in_words::new_user;
use super::routing_in_words::{self, asks};
use super::time_in_words::distance;
use super::unfit::cut;
use super::unusual_account::of_known_account;
use super::unusual_return::record_stays;
use crate::domain::kind::Kind;
use crate::domain::plan::{NewUser, Plan, PlannedStep};
use crate::domain::request::{EmploymentType, Request};
use crate::domain::routing::{Because, Routing};
use crate::domain::snapshot::{GroupKind, Snapshot, UserSeen};
use crate::domain::time::Timestamp;
use crate::web::visible::{hides_something, visible};

/// A reading older than this is called old.
const STALE_AFTER_MINUTES: i64 = 60;

/// All points, the weightiest first.
pub fn unusual(request: &Request, plan: &Plan, seen: (&Snapshot, &Routing), now: Timestamp) -> Vec<String> {
    let (snapshot, routing) = seen;
    let mut points = Vec::new();
    match &plan.account {
        None => points.extend(taken(plan, snapshot)),
        Some(account) => points.extend(of_known_account(plan, account, snapshot)),
    }
    points.extend(passed_over(plan, routing));
    points.extend(record_stays(request, plan, snapshot));
    points.extend(privileged(routing));
    points.extend(hidden(request));
    for step in &plan.steps {
        match step {
            PlannedStep::CreateUser(new) => points.extend(of_account(new, snapshot, now)),
            PlannedStep::AddToGroup(group) if group.kind == Some(GroupKind::Directory) => points.push(format!(
                "\u{201c}{}\u{201d} is a directory group: the vault may refuse to add members to it, and then a \
                 person must look.",
                visible(group.name.as_str())
            )),
            PlannedStep::FindUser
            | PlannedStep::CaptureUserId
            | PlannedStep::UpdateUser(_)
            | PlannedStep::AddToGroup(_)
            | PlannedStep::RemoveFromGroup(_)
            | PlannedStep::RecordAccess
            | PlannedStep::DisableUser
            | PlannedStep::LeaveGroupsByHand
            | PlannedStep::DisableInDirectory
            | PlannedStep::ResetPassword
            | PlannedStep::EnableUser
            | PlannedStep::EnableInDirectory
            | PlannedStep::RequirePasswordChange
            | PlannedStep::VerifyUser => {}
        }
    }
    points.extend(otherwise_than_asked(request, plan).map(str::to_owned));
    points.extend(not_an_employee(request));
    points.extend(late(request, now));
    points.extend(rule(routing));
    if plan.user_name.is_digits() {
        points.push(format!(
            "The user name {} is made of digits alone and can be taken for a number.",
            plan.user_name
        ));
    }
    if now.since(snapshot.read_at) > TimeDelta::minutes(STALE_AFTER_MINUTES) {
        let ago = distance(now, snapshot.read_at);
        points.push(format!(
            "The vault was read {ago}. It is read again when you approve; a change that matters stops the approval."
        ));
    }
    points
}

fn privileged(routing: &Routing) -> Option<String> {
    let groups = routing_in_words::privileged(routing)?;
    Some(format!(
        "This plan brings somebody into {groups}. So one more stage is asked after those of the rule, it wants the yes \
         of other people, and everybody who decides has signed in with a code."
    ))
}

/// The recipient of the password is among those who are asked, and so does not get it.
fn passed_over(plan: &Plan, routing: &Routing) -> Option<String> {
    new_user(plan)?;
    let to = plan.hand_over.address().filter(|to| asks(routing, to))?;
    Some(format!(
        "The initial password is meant for {to}, who is asked to approve this request. Whoever is asked is passed over, so \
         it is handed over to nobody: the operators are alarmed, and one of them can show it once."
    ))
}

fn taken(plan: &Plan, snapshot: &Snapshot) -> Option<String> {
    match &snapshot.user {
        UserSeen::Absent => None,
        UserSeen::Present(user) => Some(format!(
            "The user name {} is taken already, by the user with number {}. Unless that one goes away, the run \
             stops at its first step and nothing is changed.",
            plan.user_name, user.id
        )),
    }
}

fn hidden(request: &Request) -> Option<String> {
    let newcomer = request.newcomer();
    let names = newcomer.into_iter().flat_map(|newcomer| {
        [Some(&newcomer.first_name), newcomer.middle_name.as_ref(), Some(&newcomer.last_name)]
    });
    let subject = request.known_subject();
    let known = subject.into_iter().flat_map(|who| [&who.first_name, &who.middle_name, &who.last_name]);
    let names = names.flatten().chain(known.flatten());
    let reason = request.reason.as_ref().is_some_and(|reason| hides_something(reason.as_str()));
    let work = [&request.employment.title, &request.employment.department, &request.employment.organization];
    let mut lines = names.chain(work.into_iter().flatten());
    let hides = reason || lines.any(|line| hides_something(line.as_str()));
    hides.then(|| {
        "The request holds characters that cannot be seen or that turn the text around them. They are spelled \
         out below, such as \u{2039}U+202E\u{203a}."
            .to_owned()
    })
}

fn of_account(new: &NewUser, snapshot: &Snapshot, now: Timestamp) -> Vec<String> {
    let mut points = Vec::new();
    points.extend(cut(&new.cut, |field| new.profile.get(&field).map(String::as_str)));
    if let Some(end) = new.expires_at {
        points.push(format!(
            "The account stops working by itself at {}, {}.",
            end.in_words(),
            distance(now, end)
        ));
    }
    let licensed = snapshot.user_types.as_ref();
    let known = |types: &Vec<crate::domain::names::UserType>| {
        types.iter().any(|known| known.as_str().eq_ignore_ascii_case(new.user_type.as_str()))
    };
    if licensed.is_some_and(|types| !known(types)) {
        points.push(format!("The vault\u{2019}s list of user types does not name {}.", new.user_type));
    }
    points
}

/// What the source asks for under another name.
fn otherwise_than_asked(request: &Request, plan: &Plan) -> Option<&'static str> {
    match (request.kind(), plan.kind) {
        (Kind::Joiner, Kind::Mover) => Some(
            "The source asks for a new account, and this person has one already: it is changed, and no second one is made.",
        ),
        (Kind::Joiner, Kind::Rehire) => Some(
            "The source asks for a new account, and this person has one already, which is disabled: it is enabled again, \
             with nothing of its old access, and no second one is made.",
        ),
        (Kind::Rehire, Kind::Mover) => Some(
            "The source says that this person comes back, and they have not left: the leaver that was to come has given way \
             to this request, and the account stays enabled with the password it has.",
        ),
        (_, _) => None,
    }
}

fn not_an_employee(request: &Request) -> Option<String> {
    let words = match request.employment.employment_type? {
        EmploymentType::Employee => return None,
        EmploymentType::Contractor => "a contractor",
        EmploymentType::Intern => "an intern",
        EmploymentType::Vendor => "sent by a supplier",
        EmploymentType::Service => "not a person but a service",
    };
    let endless = request.new_joiner().is_some_and(|joiner| joiner.account.traits.expires_at.is_none());
    let end = if endless { ", and no end of the account is asked for" } else { "" };
    Some(format!("The source says that this is {words}{end}."))
}

fn late(request: &Request, now: Timestamp) -> Option<String> {
    let late = request.effective()?.late_by(now).filter(|late| *late > TimeDelta::hours(24))?;
    let days = super::time_in_words::span(late)?;
    Some(format!("The wanted time lies {days} in the past; the run begins as soon as it is approved."))
}

fn rule(routing: &Routing) -> Option<String> {
    match &routing.because {
        Because::FirstMatch | Because::NothingElseMatched => None,
        Because::AccountUnknown { .. } => {
            Some(format!("You are asked, because {}.", visible(&routing.because.to_string())))
        }
        Because::ConditionFailed { .. } | Because::ManagerUnknown { .. } | Because::TooFewPeople { .. } => {
            Some(format!(
                "The default rule \u{201c}{}\u{201d} asks you, because {}.",
                visible(&routing.rule),
                visible(&routing.because.to_string())
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::names::GroupName;
    use crate::domain::plan::HandOver;
    use crate::domain::routing::Privileged;
    use crate::domain::snapshot::ProfileField;
    use crate::pages::sample;

    fn points(change: impl FnOnce(&mut Request, &mut Plan, &mut Snapshot, &mut Routing)) -> Vec<String> {
        let (mut request, mut plan) = (sample::request(), sample::plan());
        let (mut snapshot, mut routing) = (sample::snapshot(), sample::routing());
        change(&mut request, &mut plan, &mut snapshot, &mut routing);
        unusual(&request, &plan, (&snapshot, &routing), sample::now())
    }

    #[test]
    fn an_ordinary_joiner_has_nothing_unusual() {
        assert_eq!(points(|_, _, _, _| {}), Vec::<String>::new());
    }

    #[test]
    fn each_unusual_thing_is_named() {
        let taken = points(|_, _, snapshot, _| snapshot.user = UserSeen::Present(Box::default()));
        assert!(taken[0].contains("is taken already"));
        let cut = points(|_, plan, _, _| {
            for step in &mut plan.steps {
                if let PlannedStep::CreateUser(new) = step {
                    new.cut.insert(ProfileField::FirstName, "Wolfeschlegelsteinhausenbergerdorff".to_owned());
                    new.cut.insert(ProfileField::Organization, "Example AG".to_owned());
                    new.expires_at = Some(sample::now().plus_seconds(90 * 86_400));
                }
            }
        });
        assert!(cut[0].contains("Wolfeschlegel") && cut[0].contains("29 characters"));
        assert!(cut[1].contains("keeps no organisation") && cut[1].contains("Example AG"));
        assert!(cut[2].contains("stops working") && cut[2].contains("in 90 days"));
        let stale = points(|_, _, snapshot, _| snapshot.read_at = sample::now().plus_seconds(-7_201));
        assert!(stale[0].contains("2 hours ago"));
        let rule = points(|_, _, _, routing| {
            routing.because = Because::ManagerUnknown { rule: "joiners".to_owned() };
        });
        assert!(rule[0].contains("names none who may be asked"));
        let privileged = points(|_, _, _, routing| {
            let groups = ["Linux Admins", "Ops <b>"].map(|name| GroupName::parse(name).unwrap()).to_vec();
            routing.privileged = Some(Privileged { groups, stage: 1 });
        });
        assert!(
            privileged[0]
                .contains("the privileged groups \u{201c}Linux Admins\u{201d}, \u{201c}Ops <b>\u{201d}")
        );
        assert!(privileged[0].contains("one more stage") && privileged[0].contains("signed in with a code"));
        let passed_over = points(|_, plan, _, _| {
            plan.hand_over = HandOver::Manager(sample::address("Max@example.com"));
        });
        assert!(passed_over[0].contains("meant for Max@example.com, who is asked"), "{passed_over:?}");
        let directory = points(|_, plan, _, _| {
            for step in &mut plan.steps {
                if let PlannedStep::AddToGroup(group) = step {
                    group.kind = Some(GroupKind::Directory);
                }
            }
        });
        assert_eq!(directory.len(), 2);
        let contractor = points(|request, _, _, _| {
            request.employment.employment_type = Some(EmploymentType::Contractor);
        });
        assert!(contractor[0].contains("a contractor, and no end"));
    }
}
