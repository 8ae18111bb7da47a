//! Privileged groups of a target, and who is asked because of them.

use super::*;
use crate::domain::names::GroupName;

/// The good file with these lines in the place of the empty list.
fn saying(lines: &str) -> String {
    with("privileged_groups = []", lines)
}

const STAGE: &str = "privileged_stage = { ask = [\"cy@example.com\", \"di@example.com\"], quorum = 2 }";

#[test]
fn a_privileged_group_comes_with_people_to_ask() {
    assert_eq!(load(GOOD).unwrap().targets[0].privileged, None);
    let text = saying(&format!("privileged_groups = [\"LINUX admins\"]\n{STAGE}"));
    let privileged = load(&text).unwrap().targets.remove(0).privileged.unwrap();
    assert_eq!((privileged.stage.pools.len(), privileged.stage.pools[0].quorum), (1, 2));
    let names = |name: &str| privileged.names(&GroupName::parse(name).unwrap());
    assert_eq!([names("Linux Admins"), names("linux admins"), names("Ops-Readers")], [true, true, false]);
    let several = "privileged_stage = { all = [{ ask = [\"cy@example.com\"], quorum = 1 }, \
                   { ask = [\"group:pam-admins\", \"di@example.com\"], quorum = 1 }] }";
    let text = saying(&format!("privileged_groups = [\"Linux Admins\"]\n{several}"));
    assert_eq!(load(&text).unwrap().targets.remove(0).privileged.unwrap().stage.pools.len(), 2);
    // In whatever way people sign in otherwise: about these groups each of them is sent a code.
    for mode in ["mode = \"code\"", "accept_forwarded_links = true"] {
        assert!(load(&text.replacen("mode = \"link\"", mode, 1)).is_ok(), "{mode}");
    }
}

/// Lines of the target each, and what is said of them. The default rule asks both of the group.
#[rustfmt::skip]
const FAULTS: [(&str, &[&str]); 14] = [
    ("privileged_groups = [\"Linux Admins\"]", &["privileged_stage: missing; wanted: who is asked besides those of the rule, such as { ask = [\"group:pam-admins\"], quorum = 1 }, because privileged_groups is given"]),
    ("privileged_stage = { ask = [\"cy@example.com\", \"di@example.com\"], quorum = 2 }", &["privileged_stage: wanted: only together with privileged_groups"]),
    ("privileged_groups = []\nprivileged_stage = { ask = [\"cy@example.com\", \"di@example.com\"], quorum = 2 }", &["privileged_stage: wanted: only together with privileged_groups"]),
    ("privileged_groups = [\"Vault Admins\"]\nprivileged_stage = { ask = [\"cy@example.com\", \"di@example.com\"], quorum = 2 }", &["privileged_groups: wanted: only groups that stand in grantable_groups, too"]),
    ("privileged_groups = [\"Linux Admins\", \"LINUX ADMINS\"]\nprivileged_stage = { ask = [\"cy@example.com\", \"di@example.com\"], quorum = 2 }", &["privileged_groups: stands here twice; wanted: a value of its own"]),
    ("privileged_groups = \"Linux Admins\"\nprivileged_stage = { ask = [\"cy@example.com\", \"di@example.com\"], quorum = 2 }", &["privileged_groups: wanted: a list, each a group name of 1 to 128 characters on one line"]),
    ("privileged_groups = [7]\nprivileged_stage = { ask = [\"cy@example.com\", \"di@example.com\"], quorum = 2 }", &["privileged_groups[0]: wanted: a group name of 1 to 128 characters on one line"]),
    ("privileged_groups = [\"Linux Admins\"]\nprivileged_stage = 2", &["privileged_stage: wanted: who is asked besides those of the rule, such as { ask = [\"group:pam-admins\"], quorum = 1 }"]),
    ("privileged_groups = [\"Linux Admins\"]\nprivileged_stage = { ask = [\"cy@example.com\"] }", &["privileged_stage.quorum: missing; wanted: how many of them must say yes"]),
    ("privileged_groups = [\"Linux Admins\"]\nprivileged_stage = { ask = [\"cy@example.com\"], quorum = 2 }", &["privileged_stage.quorum: wanted: at most as many as are asked"]),
    ("privileged_groups = [\"Linux Admins\"]\nprivileged_stage = { ask = [\"cy@example.com\"], quorum = 1, when = \"true\" }", &["privileged_stage.when: unknown key; known here: all, ask, quorum"]),
    ("privileged_groups = [\"Linux Admins\"]\nprivileged_stage = { ask = [\"manager\", \"cy@example.com\"], quorum = 1 }", &["privileged_stage: wanted: people whom these settings name; a manager is named by the request"]),
    ("privileged_groups = [\"Linux Admins\"]\nprivileged_stage = { ask = [\"group:pam-admins\", \"cy@example.com\"], quorum = 2 }", &["privileged_stage: wanted: enough people besides those who may have said yes under the default rule; nobody counts for two"]),
    ("privileged_groups = [\"Vault Admins\", \"vault admins\"]", &["privileged_groups: stands here twice; wanted: a value of its own", "privileged_groups: wanted: only groups that stand in grantable_groups, too", "privileged_stage: missing; wanted: who is asked besides those of the rule, such as { ask = [\"group:pam-admins\"], quorum = 1 }, because privileged_groups is given"]),
];

#[test]
fn each_fault_of_privileged_groups_is_told_at_its_key() {
    for (lines, said) in FAULTS {
        let said: Vec<String> = said.iter().map(|one| format!("c.toml: targets[0].{one}")).collect();
        assert_eq!(faults(&saying(lines)), said, "{lines}");
    }
    let stage =
        |text: &str| saying(&format!("privileged_groups = [\"Linux Admins\"]\nprivileged_stage = {text}"));
    let many: Vec<String> =
        (1..=9).map(|number| format!("{{ ask = [\"p{number}@example.com\"], quorum = 1 }}")).collect();
    let said = faults(&stage(&format!("{{ all = [{}] }}", many.join(", "))));
    assert_eq!(said, ["c.toml: targets[0].privileged_stage: wanted: at most 8 pools"]);
    // One besides the two whom the default rule needs is enough.
    assert!(load(&stage("{ ask = [\"group:pam-admins\", \"cy@example.com\"], quorum = 1 }")).is_ok());
}
