//! Who is asked, why just they, and what each has said so far.
//!
//! Must hold: everybody of every stage is listed, so that an approver sees who else decides.

use crate::domain::approval::{Said, Verdict, counts_already};
use crate::domain::names::EmailAddress;
use crate::domain::routing::{Pool, ResolvedStage, Routing};
use crate::store::decisions::Recorded;
use crate::web::visible::visible;

/// Rule and stages, to be shown.
#[derive(Debug, Clone)]
pub struct RoutingInWords {
    /// The rule that was taken.
    pub rule: String,
    /// Why.
    pub because: String,
    /// Who is asked, in order.
    pub stages: Vec<StageInWords>,
}

/// One stage, to be shown.
#[derive(Debug, Clone)]
pub struct StageInWords {
    /// Counted from one.
    pub number: u32,
    /// As what they are asked.
    pub asked_as: String,
    /// Why it is asked, where that is not the rule.
    pub why: Option<String>,
    /// How many must say yes.
    pub needs: String,
    /// Where the stage stands.
    pub standing: &'static str,
    /// Everybody in it.
    pub people: Vec<PersonInWords>,
}

/// One person in a stage.
#[derive(Debug, Clone)]
pub struct PersonInWords {
    /// The address.
    pub address: String,
    /// Set for the reader.
    pub is_you: bool,
    /// What they have said, or that they have not.
    pub said: String,
    /// Their own words.
    pub comment: String,
}

/// Puts a routing into words. `open` is the open stage, counted from zero; `None` when none is open.
pub fn routing(
    routing: &Routing,
    said: &[Recorded],
    you: Option<&EmailAddress>,
    open: Option<u32>,
) -> RoutingInWords {
    let stages = routing.stages.iter().zip(0_u32..).map(|(stage, place)| StageInWords {
        number: place + 1,
        asked_as: asked_as(stage),
        why: why(routing, place),
        needs: needs(stage),
        standing: match open {
            Some(open) if place == open => "is being asked now",
            Some(open) if place < open => "has answered",
            Some(_) => "is asked afterwards",
            None => "",
        },
        people: stage.people().iter().map(|person| of_person(person, (place, open), said, you)).collect(),
    });
    RoutingInWords {
        rule: visible(&routing.rule),
        because: visible(&routing.because.to_string()),
        stages: stages.collect(),
    }
}

/// What a later stage is asked for besides what the rule says.
fn why(routing: &Routing, stage: u32) -> Option<String> {
    let others = "It wants the yes of people who have not said it before.";
    if routing.is_for_privileged(stage) {
        let groups = privileged(routing).unwrap_or_default();
        return Some(format!("This stage is asked because of {groups}. {others}"));
    }
    let people = |place: usize| routing.stages.get(place).map(ResolvedStage::people).unwrap_or_default();
    let place = usize::try_from(stage).unwrap_or(usize::MAX);
    let before: Vec<String> = (0..place).flat_map(people).map(|person| person.key()).collect();
    // Said only where it makes a difference.
    people(place).iter().any(|person| before.contains(&person.key())).then(|| others.to_owned())
}

/// Is this person among those who are asked, in whatever stage?
pub(super) fn asks(routing: &Routing, person: &EmailAddress) -> bool {
    let key = person.key();
    routing.stages.iter().flat_map(ResolvedStage::people).any(|one| one.key() == key)
}

/// The privileged groups that come, as the rest of a sentence; nothing where none does.
pub(super) fn privileged(routing: &Routing) -> Option<String> {
    let groups = &routing.privileged.as_ref()?.groups;
    let names: Vec<String> =
        groups.iter().map(|group| format!("\u{201c}{}\u{201d}", visible(group.as_str()))).collect();
    let noun = if names.len() == 1 { "the privileged group" } else { "the privileged groups" };
    Some(format!("{noun} {}", names.join(", ")))
}

fn asked_as(stage: &ResolvedStage) -> String {
    let pools: Vec<String> = stage.pools.iter().map(names).collect();
    pools.join(" and ")
}

fn names(pool: &Pool) -> String {
    let each: Vec<String> = pool.asked_as.iter().map(|asked| visible(&asked.to_string())).collect();
    each.join(", ")
}

fn needs(stage: &ResolvedStage) -> String {
    if let [only] = stage.pools.as_slice() {
        return needs_of(only, "").trim_start().to_owned();
    }
    let each: Vec<String> = stage.pools.iter().map(|pool| needs_of(pool, &names(pool))).collect();
    format!("{}; nobody counts for two", each.join(", and "))
}

/// `whose` stands in front where there is more than one pool.
fn needs_of(pool: &Pool, whose: &str) -> String {
    let of = if whose.is_empty() { String::new() } else { format!(" of {whose}") };
    match (pool.quorum, pool.people.len()) {
        (_, 1) => format!("{whose} must say yes"),
        (quorum, people) if usize::try_from(quorum) == Ok(people) => format!("all {people}{of} must say yes"),
        (quorum, people) => format!("{quorum} of {people}{of} must say yes"),
    }
}

fn of_person(
    person: &EmailAddress,
    place: (u32, Option<u32>),
    said: &[Recorded],
    you: Option<&EmailAddress>,
) -> PersonInWords {
    let (stage, open) = place;
    let key = person.key();
    let everything: Vec<Said> = said.iter().map(|recorded| recorded.said.clone()).collect();
    let theirs = said.iter().find(|recorded| recorded.said.stage == stage && recorded.said.by.key() == key);
    let words = match theirs {
        Some(recorded) => {
            let verdict = match recorded.said.verdict {
                Verdict::Approve => "said yes",
                Verdict::Reject => "said no",
            };
            format!("{verdict} at {}", recorded.said.at.in_words())
        }
        None if counts_already(stage, &everything, &key) => {
            "said yes in an earlier stage, so it is somebody else\u{2019}s turn".to_owned()
        }
        None if open == Some(stage) => "has not answered yet".to_owned(),
        None if open.is_some_and(|open| stage > open) => "not asked yet".to_owned(),
        None => "did not answer".to_owned(),
    };
    PersonInWords {
        address: person.to_string(),
        is_you: you.is_some_and(|you| you.key() == key),
        said: words,
        comment: theirs.map(|recorded| visible(&recorded.comment)).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::names::GroupName;
    use crate::domain::routing::Privileged;
    use crate::pages::sample;

    #[test]
    fn a_later_stage_says_who_is_not_asked_again_and_that_of_privileged_groups_why_it_is_asked() {
        let told = routing(&sample::routing(), &sample::said(), None, Some(1));
        assert!(told.stages.iter().all(|stage| stage.why.is_none()), "nobody stands in both");
        let (mut plain, said) = (sample::routing(), sample::said());
        let max = sample::address("max@example.com");
        for pool in &mut plain.stages[1].pools {
            pool.people.push(max.clone());
        }
        let told = routing(&plain, &said, None, Some(1));
        assert_eq!(told.stages[0].why, None);
        let others = "It wants the yes of people who have not said it before.";
        assert_eq!(told.stages[1].why.as_deref(), Some(others));
        assert!(told.stages[1].people[3].said.starts_with("said yes in an earlier stage"));
        let groups = vec![GroupName::parse("Linux Admins").unwrap()];
        let asked = Routing { privileged: Some(Privileged { groups, stage: 1 }), ..plain };
        let told = routing(&asked, &said, Some(&max), Some(1));
        assert_eq!(told.stages[0].why, None);
        let why = told.stages[1].why.as_deref().unwrap();
        assert!(why.contains("because of the privileged group \u{201c}Linux Admins\u{201d}"), "{why}");
        let words: Vec<&str> = told.stages[1].people.iter().map(|person| person.said.as_str()).collect();
        let not_again = "said yes in an earlier stage, so it is somebody else\u{2019}s turn";
        assert_eq!(
            words,
            ["has not answered yet", "has not answered yet", "has not answered yet", not_again]
        );
    }
}
