//! Recipients of an initial password who are passed over, because a rule asks them to approve the same request.
//!
//! Must hold: said before anybody is promised a password; nothing is refused, because another rule may match. Deliberately
//! absent: which rule matches; that is seen when a request is planned.

use crate::config::{Ask, HandOverTo, Rule, Settings, Stage};
use crate::domain::kind::Kind;
use crate::domain::names::EmailAddress;

/// One sentence for each profile and rule that go together in that way.
pub fn passed_over(settings: &Settings) -> Vec<String> {
    let rules = settings.rules.ordered.iter().chain([&settings.rules.default]);
    let mut said = Vec::new();
    for rule in rules.filter(|rule| makes_accounts(rule)) {
        for profile in &settings.profiles {
            let target = settings.target(&profile.target);
            let privileged = target.and_then(|target| target.privileged.as_ref());
            let comes =
                privileged.filter(|privileged| profile.groups.iter().any(|group| privileged.names(group)));
            let stages: Vec<&Stage> =
                rule.stages.iter().chain(comes.map(|privileged| &privileged.stage)).collect();
            if let Some(who) = asked(settings, &profile.hand_over_to, &stages) {
                said.push(format!(
                    "the profile \"{}\" hands the initial password over to {who}, whom the rule \"{}\" asks to approve; \
                     whoever is asked is passed over, so nobody gets it by mail, and an operator shows it once with \
                     countersign credential reveal",
                    profile.name, rule.name
                ));
            }
        }
    }
    said
}

/// The recipient, in words, if these stages ask them.
fn asked(settings: &Settings, to: &HandOverTo, stages: &[&Stage]) -> Option<String> {
    let asks = |wanted: &dyn Fn(&Ask) -> bool| {
        stages.iter().flat_map(|stage| &stage.pools).flat_map(|pool| &pool.ask).any(wanted)
    };
    match to {
        HandOverTo::Manager => asks(&|ask| *ask == Ask::Manager).then(|| "the manager".to_owned()),
        HandOverTo::Address(address) => {
            let same = |one: &EmailAddress| one.key() == address.key();
            let in_group = |name: &str| {
                settings.approver_group(name).is_some_and(|group| group.members.iter().any(same))
            };
            let is_asked = |ask: &Ask| match ask {
                Ask::Person(person) => same(person),
                Ask::Group(name) => in_group(name.as_str()),
                Ask::Manager => false,
            };
            asks(&is_asked).then(|| address.to_string())
        }
        HandOverTo::Subject | HandOverTo::Nobody => None,
    }
}

fn makes_accounts(rule: &Rule) -> bool {
    rule.kinds.is_empty() || rule.kinds.contains(&Kind::Joiner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::{GOOD, load};

    #[test]
    fn a_recipient_who_is_asked_is_named_with_the_rule() {
        let said = |text: &str| passed_over(&load(text).unwrap());
        // The rule asks the manager, and the profile hands over to the manager.
        let told = said(GOOD);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("to the manager, whom the rule \"joiners\" asks"), "{told:?}");
        let to = |whom: &str| {
            GOOD.replacen("hand_over_to = \"manager\"", &format!("hand_over_to = \"{whom}\""), 1)
        };
        assert!(said(&to("subject")).is_empty() && said(&to("none")).is_empty());
        assert!(said(&to("wanda@example.com")).is_empty());
        // Ana is of the group that both rules ask.
        let told = said(&to("Ana+hr@example.com"));
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[1].contains("whom the rule \"the rest\" asks"), "{told:?}");
    }
}
