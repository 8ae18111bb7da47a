//! Who was asked and may still answer, by the settings of now.

use super::*;
use crate::config::Settings;
use crate::domain::approval::Eligible;
use crate::domain::names::EmailAddress;
use crate::rules::routing::still_eligible;

#[tokio::test]
async fn who_left_the_group_or_the_rules_is_not_eligible_any_more() {
    let routing = routed(GOOD, Kind::Joiner, &joiner()).await;
    let target = TargetName::parse("vault").unwrap();
    let eligible = |settings: &Settings, stage, who: &str| {
        let who = EmailAddress::parse(who).unwrap();
        still_eligible(settings, &target, (&routing, stage), &who)
    };
    let later = |from: &str, to: &str| load(&GOOD.replace(from, to)).unwrap();
    let same = load(GOOD).unwrap();
    for asked in ["ana@example.com", "Bo@Example.com", "cy@example.com"] {
        assert_eq!(eligible(&same, 1, asked), Eligible::Still, "{asked}");
    }
    assert_eq!(eligible(&same, 1, "max@example.com"), Eligible::NoLonger);
    assert_eq!(eligible(&same, 0, "max@example.com"), Eligible::Still);
    let without_bo = later("\"bo@example.com\"", "\"di@example.com\"");
    assert_eq!(eligible(&without_bo, 1, "bo@example.com"), Eligible::NoLonger);
    // Somebody who joined the group later was not asked.
    assert_eq!(eligible(&without_bo, 1, "di@example.com"), Eligible::NoLonger);
    let without_cy = later("\"cy@example.com\"", "\"di@example.com\"");
    assert_eq!(eligible(&without_cy, 1, "cy@example.com"), Eligible::NoLonger);
    assert!(
        routing.stages[1].asked_as().any(|asked| *asked == AskedAs::Group { name: "pam-admins".to_owned() })
    );
}
